"""What tests do to workbooks that were written: read every cell of a sheet, and write a changed one."""

from collections.abc import Sequence
from pathlib import Path

from node.core.limits import DEFAULT_LIMITS
from node.ingest.workbook import Workbook
from tests.ingest.workbooks import Book


def sheets_of(path: Path) -> dict[str, list[list[str]]]:
    """Every row that is not empty of every sheet, by the name of the sheet."""
    book = Workbook(path.open("rb"), path.name, None, DEFAULT_LIMITS)
    try:
        return {sheet.name: [row.cells for row in book.rows(sheet)] for sheet in book.sheets}
    finally:
        book.close()


def write(path: Path, **sheets: Sequence[Sequence[str]]) -> Path:
    """Write a workbook of texts."""
    path.write_bytes(Book(sheets).to_bytes())
    return path
