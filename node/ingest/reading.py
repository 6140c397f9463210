"""Rows of a workbook, CSV or JSON-lines file, one at a time, each either values by column code or the reason why not.

What is wrong with the file as a whole (its header, its encoding, what a workbook may not hold) is raised before the
first row; what is wrong with one row costs that row only. The content decides the format: a zip archive is a
workbook, a file whose first character is { is JSON lines. Columns that begin with xq_ are ours (see rejections.py)
and are passed over.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from node.core.catalogue import Item
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.record import Defect, Row, Sheet
from node.ingest.archive import ZIP_MAGIC
from node.ingest.cells import EDGES
from node.ingest.csv_records import CsvRecord, CsvRecords
from node.ingest.headings import OUR_PREFIX, Header, Headings, is_notes, no_header, read_header
from node.ingest.json_rows import JsonRows
from node.ingest.lines import Line, Readable, begin, decode, pieces_of, sniff
from node.ingest.sheets import SheetRow
from node.ingest.spool import spool
from node.ingest.workbook import SheetPart, Workbook

LINE_COLUMN = f"{OUR_PREFIX}line"
"""Holds the row as it stood in the file where it could not be told apart into columns."""
_SHOWN_CHARS = 4000


class Rows:
    """The rows of one file, to be iterated once.

    columns is its header without our own columns; notes say what else a person should know of the file, as a sheet
    that has been passed over.
    """

    def __init__(self, columns: Sequence[str], rows: Iterator[Row], notes: Sequence[XinqiaoError] = ()) -> None:
        self.columns = tuple(columns)
        self.notes = tuple(notes)
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows


def read_rows(
    stream: Readable | Iterable[bytes],
    name: str,
    item: Item,
    limits: Limits = DEFAULT_LIMITS,
    directory: Path | None = None,
) -> Rows:
    """Return the rows of a file for an item; name is what messages call the file.

    directory is where a workbook is kept while it is read, without a name; None is the system's temporary place.
    Raises XinqiaoError of the family OPERATOR (FILE_...) for a file that holds no rows, cannot be read, or whose
    header does not fit the item; DISK_FULL.
    """
    head, pieces = sniff(pieces_of(stream), limits)
    headings = Headings(item, limits)
    if head.startswith(ZIP_MAGIC):
        rows = _workbook(
            Workbook(spool(pieces, directory, name, limits), name, directory, limits), headings, name, limits
        )
    else:
        rows = _lines(*begin(head, pieces, name), headings, name, limits)
    row = next(iter(rows), None)
    if row is None:
        raise XinqiaoError("FILE_EMPTY", name=name)
    return Rows(rows.columns, chain([row], rows), rows.notes)


def _refused(number: int, text: str, defect: Defect, sheet: Sheet | None = None) -> Row:
    return Row(number, {LINE_COLUMN: text.rstrip("\r\n")[:_SHOWN_CHARS]}, (defect,), sheet)


def _unreadable(number: int, text: str, fault: str, detail: str, limits: Limits) -> Row:
    params: dict[str, dict[str, object]] = {
        "ROW_ENCODING": {"encoding": "UTF-8 or GB18030"},
        "ROW_TOO_LONG": {"limit": limits.max_row_bytes},
    }
    return _refused(number, text, Defect(fault, params=params.get(fault, {"detail": detail})))


# --- CSV and JSON lines -------------------------------------------------------------------------------------


def _lines(pieces: Iterator[bytes], first: bytes, marked: bool, headings: Headings, name: str, limits: Limits) -> Rows:
    lines = decode(pieces, name, marked, limits)
    if first == b"[":
        raise XinqiaoError("FILE_FORMAT", name=name, found="one JSON array")
    if first == b"{":
        columns = [field.code for field in headings.item.fields]
        return Rows(columns, _json_rows(lines, headings, limits))
    records = CsvRecords(lines, limits)
    header, number = _csv_header(records, headings, name, limits)
    return Rows(header.columns, _csv_rows(records, header, number, headings, limits))


def _json_rows(lines: Iterator[Line], headings: Headings, limits: Limits) -> Iterator[Row]:
    """Yield a row for each line; blank ones count as lines, and say nothing."""
    rows = JsonRows(headings, _refused)
    for number, line in enumerate(lines, start=1):
        if line.fault:
            yield _unreadable(number, line.text, line.fault, "", limits)
        elif not line.text.isspace():
            yield rows.row(number, line.text)


def _csv_header(records: CsvRecords, headings: Headings, name: str, limits: Limits) -> tuple[Header, int]:
    """Return the header and the number of its row; titles and blank lines may stand above it."""
    number = titles = 0
    written = False
    while titles < limits.max_title_rows and (record := records.read()) is not None:
        number += 1
        if record.fault or any(cell.strip(EDGES) for cell in record.cells):
            written = True
            titles += 1
        if not record.fault and headings.is_header(record.cells):
            return read_header(record.cells, headings, name), number
    if not written:
        raise XinqiaoError("FILE_EMPTY", name=name)
    raise no_header(name, headings.item, limits)


def _csv_rows(records: CsvRecords, header: Header, number: int, headings: Headings, limits: Limits) -> Iterator[Row]:
    """Yield a row for each record below the header; blank lines count as rows in a spreadsheet, and say nothing."""
    width = header.width
    while (record := records.read(width)) is not None:
        number += 1
        cells = record.cells
        if record.fault:
            yield _unreadable(number, record.text, record.fault, record.detail, limits)
        elif len(cells) == width or (len(cells) > width and not any(cells[width:])):
            if not header.stands_again(cells, headings):
                yield header.row(number, cells)
        elif any(map(str.strip, cells)):
            yield _of_other_width(number, record, width, header.sheet)


def _of_other_width(number: int, record: CsvRecord, width: int, sheet: Sheet) -> Row:
    counts = {"found": len(record.cells), "expected": width}
    return _refused(number, record.text, Defect("ROW_COLUMN_COUNT", params=counts), sheet)


# --- Workbooks ----------------------------------------------------------------------------------------------


def _workbook(workbook: Workbook, headings: Headings, name: str, limits: Limits) -> Rows:
    """Return the rows of all sheets that have a header of the item; the others are named and passed over."""
    found: list[tuple[Header, Iterator[SheetRow]]] = []
    notes: list[XinqiaoError] = []
    try:
        for sheet in workbook.sheets:
            rows = workbook.rows(sheet)
            first = None if sheet.hidden else next(rows, None)
            if first is not None and is_notes(first.cells):
                continue
            rows = chain([first], rows) if first is not None else rows
            header = None if sheet.hidden else _sheet_header(rows, sheet, workbook, headings, name, limits)
            if header is not None:
                found.append((header, rows))
            else:
                detail = "it is hidden" if sheet.hidden else "none of its first rows is a header"
                notes.append(XinqiaoError("SHEET_PASSED_OVER", name=name, sheet=sheet.name[:80], detail=detail))
        if not found:
            raise no_header(name, headings.item, limits)
    except BaseException:
        workbook.close()
        raise
    columns = dict.fromkeys(chain.from_iterable(header.columns for header, _ in found))
    return Rows(tuple(columns), _sheet_rows(workbook, found, headings, limits), notes)


def _sheet_header(
    rows: Iterator[SheetRow], sheet: SheetPart, workbook: Workbook, headings: Headings, name: str, limits: Limits
) -> Header | None:
    for _, row in zip(range(limits.max_title_rows), rows, strict=False):
        if not row.too_long and headings.is_header(row.cells):
            where = f"{name}[{sheet.name[:80]}]"
            return read_header(row.cells, headings, where, sheet.name, workbook.since_1904)
    return None


def _sheet_rows(
    workbook: Workbook, found: Sequence[tuple[Header, Iterator[SheetRow]]], headings: Headings, limits: Limits
) -> Iterator[Row]:
    try:
        for header, rows in found:
            for row in rows:
                if row.too_long:
                    yield _too_long(row.number, header.sheet, limits)
                    continue
                # Rows of empty cells come up to here only where they hold something that has no value.
                cells = row.cells + [""] * (header.width - len(row.cells))
                if not header.stands_again(cells, headings):
                    yield header.row(row.number, cells)
    finally:
        workbook.close()


def _too_long(number: int, sheet: Sheet, limits: Limits) -> Row:
    return Row(number, {}, (Defect("ROW_TOO_LONG", params={"limit": limits.max_row_bytes}),), sheet)
