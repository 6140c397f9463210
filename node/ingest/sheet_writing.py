"""Workbooks of texts, row by row in constant memory: every cell is a text, so that no spreadsheet damages a code."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

MAX_ROWS = 1_048_576
MAX_CELL_CHARS = 32_767
TEXT_FORMAT = 49  # the built-in one, which spreadsheets know without its letters
TEXT = {"num_format": TEXT_FORMAT, "valign": "top"}
HEADING = TEXT | {"bold": True, "bg_color": "#DDE7F3", "border": 1, "text_wrap": True}
_AT_FAULT = TEXT | {"bg_color": "#FFD9D9"}
_WIDTH, _FIRST_WIDTH = 18, 40


class TextBook:
    """A workbook that is written from top to bottom, sheet by sheet; rows says how many the sheet has."""

    def __init__(self, file: IO[bytes], directory: Path) -> None:
        """Write into a file that can be read in any order; until close() its rows wait in one in this directory."""
        self.rows = 0
        self._book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": str(directory)})
        self._text: Format = self._book.add_format(TEXT)
        self._heading: Format = self._book.add_format(HEADING)
        self._at_fault: Format = self._book.add_format(_AT_FAULT)
        self._sheet: Worksheet | None = None

    def begin(self, name: str, width: int) -> None:
        """Begin a sheet with so many columns; the first two are wide."""
        self._sheet = self._book.add_worksheet(name)
        self._sheet.set_column(0, 1, _FIRST_WIDTH, self._text)
        self._sheet.set_column(2, max(width - 1, 2), _WIDTH, self._text)
        self._sheet.freeze_panes(2, 0)
        self.rows = 0

    def write(self, cells: Sequence[str], is_heading: bool = False, at_fault: Collection[int] = ()) -> None:
        """Add a row; at_fault are the places of cells to be marked, even where they are empty."""
        assert self._sheet is not None, "a row before begin()"
        for place, cell in enumerate(cells):
            form = self._at_fault if place in at_fault else self._heading if is_heading else self._text
            if cell:
                self._sheet.write_string(self.rows, place, written(cell), form)
            elif place in at_fault:
                self._sheet.write_blank(self.rows, place, None, form)
        self.rows += 1

    def close(self) -> None:
        """Put the parts together."""
        self._book.close()


def written(text: str) -> str:
    """Return a text as a cell can hold it: no longer than one may be, and without halves of characters."""
    return text[:MAX_CELL_CHARS].encode("utf-8", "replace").decode()
