"""Rows of a CSV or JSON-lines file, one at a time, each either values by column code or the reason why not.

What is wrong with the file as a whole (its header, its encoding) is raised before the first row; what is wrong
with one row costs that row only. The content decides the format: a file whose first character is { is JSON
lines. Columns that begin with xq_ are ours (see rejections.py) and are passed over.
"""

import csv
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import chain
from typing import Any, NamedTuple

from node.core.catalogue import Item
from node.core.errors import XinqiaoError
from node.core.identifiers import is_uscc
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.record import Defect, Row
from node.ingest.lines import Line, Readable, begin, decode, pieces_of

OUR_PREFIX = "xq_"
LINE_COLUMN = "xq_line"
"""Holds the row as it stood in the file where it could not be told apart into columns."""
_SHOWN_CHARS = 4000


class Rows:
    """The rows of one file, to be iterated once; columns is its header without our own columns."""

    def __init__(self, columns: Sequence[str], rows: Iterator[Row]) -> None:
        self.columns = tuple(columns)
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows


def read_rows(stream: Readable | Iterable[bytes], name: str, item: Item, limits: Limits = DEFAULT_LIMITS) -> Rows:
    """Return the rows of a file for an item; name is what messages call the file.

    Raises XinqiaoError of the family OPERATOR (FILE_...) for a file that holds no rows, is no text, or has
    another header than the item's column codes.
    """
    head, pieces, marked = begin(pieces_of(stream), name, limits)
    lines = decode(pieces, name, marked, limits)
    first = head.lstrip()[:1]
    if first == b"[":
        raise XinqiaoError("FILE_FORMAT", name=name, found="one JSON array")
    if first == b"{":
        columns: Sequence[str] = [field.code for field in item.fields]
        rows = _json_rows(lines, item, limits)
    else:
        records = _CsvRecords(lines, limits)
        header, number = _header(records, name, item)
        columns = [code for code in header if not code.startswith(OUR_PREFIX)]
        rows = _csv_rows(records, header, number, limits)
    row = next(rows, None)
    if row is None:
        raise XinqiaoError("FILE_EMPTY", name=name)
    return Rows(columns, chain([row], rows))


def _refused(number: int, text: str, defect: Defect) -> Row:
    return Row(number, {LINE_COLUMN: text.rstrip("\r\n")[:_SHOWN_CHARS]}, defect)


def _unreadable(number: int, text: str, fault: str, detail: str, limits: Limits) -> Row:
    params: dict[str, dict[str, object]] = {
        "ROW_ENCODING": {"encoding": "UTF-8 or GB18030"},
        "ROW_TOO_LONG": {"limit": limits.max_row_bytes},
    }
    return _refused(number, text, Defect(fault, params=params.get(fault, {"detail": detail})))


# --- CSV ----------------------------------------------------------------------------------------------------


class _BadLineError(Exception):
    """A line that ends the record it would belong to."""

    def __init__(self, line: Line) -> None:
        self.line = line


class _CsvRecord(NamedTuple):
    """The cells of a record and its text; with a fault, the text of what is refused."""

    cells: list[str]
    text: str
    fault: str = ""
    detail: str = ""


class _CsvRecords:
    """Records of a CSV file, and lines to the csv reader, which knows where a record ends.

    An open quote would swallow all that follows. So the lines of a record are kept until it is complete; where
    that fails, its first line is refused and the others are read again on their own. Reading again is paid for
    by what was read: past four times that, a broken record is refused whole.
    """

    def __init__(self, lines: Iterator[Line], limits: Limits) -> None:
        self._lines = lines
        self._limits = limits
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []
        self._size = 0
        self._read_bytes = 0
        self._again_bytes = 0
        self._reader = csv.reader(self, strict=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the next line to the csv reader."""
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        self._size += line.size
        if line.fault or self._size > self._limits.max_row_bytes:
            raise _BadLineError(line)
        return line.text

    def read(self, expected: int = 0) -> _CsvRecord | None:
        """Return the next record, None at the end; expected is the number of cells it should have."""
        self._taken.clear()
        self._size = 0
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as why:
            return self._broken("ROW_QUOTES", str(why))
        except _BadLineError as why:
            alone = len(self._taken) == 1
            return self._broken(why.line.fault, "") if alone else self._broken("ROW_QUOTES", _OPEN_QUOTE)
        if len(self._taken) > 1 and self._swallowed_a_row(cells, expected):
            return self._broken("ROW_QUOTES", _OPEN_QUOTE)
        self._read_bytes += self._size
        return _CsvRecord(cells, "" if len(cells) == expected else self._text())

    def _text(self) -> str:
        return "".join(line.text for line in self._taken)

    def _swallowed_a_row(self, cells: list[str], expected: int) -> bool:
        """Tell whether a stray quote made one record of several rows.

        Where the count of cells is wrong, the next line tells, being a row by itself. Where it is right (a second
        stray quote closed the first), every row has the code of an organisation, which then stands inside a cell.
        """
        if len(cells) != expected:
            return _width(self._taken[1].text) == expected
        spanning = [cell for cell in cells if "\n" in cell]
        return any(is_uscc(piece) for cell in spanning for piece in _SEPARATORS.split(cell))

    def _broken(self, fault: str, detail: str) -> _CsvRecord:
        """Refuse the first line and put the others back, or all of them where that has cost too much."""
        first, others = self._taken[0], self._taken[1:]
        self._read_bytes += first.size
        size = sum(line.size for line in others)
        if self._again_bytes + size > 4 * self._read_bytes + 64 * self._limits.max_row_bytes:
            self._read_bytes += size
            return _CsvRecord([], self._text(), fault, detail)
        self._again_bytes += size
        self._again.extendleft(reversed(others))
        return _CsvRecord([], first.text, fault, detail)


_OPEN_QUOTE = "a quote is open at the end of the line"
_SEPARATORS = re.compile(r'[,"\r\n]')


def _width(line: str) -> int:
    """Return the number of cells of a line by itself, 0 where it is no row."""
    try:
        return len(next(csv.reader([line], strict=True)))
    except csv.Error:
        return 0


def _header(records: _CsvRecords, name: str, item: Item) -> tuple[list[str], int]:
    """Return the column codes of the header and the number of its row."""
    number = 1
    while (record := records.read()) is not None and not record.fault and not any(map(str.strip, record.cells)):
        number += 1
    if record is None:
        raise XinqiaoError("FILE_EMPTY", name=name)
    codes = [cell.strip() for cell in record.cells]
    while codes and not codes[-1]:
        codes.pop()
    if record.fault or item.by_code.keys().isdisjoint(codes):
        # Not a word of the line itself: without a header it is a row, which may hold a person's number.
        raise XinqiaoError("FILE_HEADER", name=name, item=item.id, example=item.fields[0].code)
    _check_header(codes, name, item)
    return codes, number


def _check_header(codes: list[str], name: str, item: Item) -> None:
    """Refuse columns that are unknown, repeated, or missing although every row needs them."""
    unknown = [code for code in codes if code not in item.by_code and not code.startswith(OUR_PREFIX)]
    if unknown:
        nearest = "; ".join(f"{code[:40]!r}: {_nearest(code, item)}" for code in unknown[:10])
        columns = ", ".join(repr(code[:40]) for code in unknown[:10])
        raise XinqiaoError("FILE_COLUMNS_UNKNOWN", name=name, item=item.id, columns=columns, nearest=nearest)
    repeated = [code for code, count in Counter(codes).items() if count > 1]
    if repeated:
        raise XinqiaoError("FILE_COLUMNS_REPEATED", name=name, columns=", ".join(repeated))
    missing = [field.code for field in item.fields if field.required == "yes" and field.code not in codes]
    if missing:
        raise XinqiaoError("FILE_COLUMNS_MISSING", name=name, item=item.id, columns=", ".join(missing))


def _nearest(code: str, item: Item) -> str:
    """Return the known code nearest to an unknown one; its Chinese title and other capitals are near too."""
    by_words = {field.title_zh: field.code for field in item.fields}
    by_words |= {field.code.upper(): field.code for field in item.fields}
    near = get_close_matches(code.upper(), by_words, n=1, cutoff=0.6)
    return f"write {by_words[near[0]]}" if near else f"remove it, or begin its name with {OUR_PREFIX}"


def _csv_rows(records: _CsvRecords, header: list[str], number: int, limits: Limits) -> Iterator[Row]:
    """Yield a row for each record below the header; blank lines count as rows in a spreadsheet, and say nothing."""
    ours = [(place, code) for place, code in enumerate(header) if not code.startswith(OUR_PREFIX)]
    while (record := records.read(len(header))) is not None:
        number += 1
        cells = record.cells
        if record.fault:
            yield _unreadable(number, record.text, record.fault, record.detail, limits)
        elif len(cells) == len(header) or (len(cells) > len(header) and not any(cells[len(header) :])):
            values = {code: cells[place] for place, code in ours if cells[place] and not cells[place].isspace()}
            yield Row(number, values, None if values else Defect("ROW_EMPTY"))
        elif any(map(str.strip, cells)):
            counts = {"found": len(cells), "expected": len(header)}
            yield _refused(number, record.text, Defect("ROW_COLUMN_COUNT", params=counts))


# --- JSON lines ---------------------------------------------------------------------------------------------


class _NoTextError(ValueError):
    """Why a JSON line is no row."""


def _json_rows(lines: Iterator[Line], item: Item, limits: Limits) -> Iterator[Row]:
    """Yield a row for each line; blank ones count as lines, and say nothing."""
    for number, line in enumerate(lines, start=1):
        if line.fault:
            yield _unreadable(number, line.text, line.fault, "", limits)
        elif not line.text.isspace():
            yield _json_row(number, line.text, item)


def _json_row(number: int, text: str, item: Item) -> Row:
    try:
        content = json.loads(text, object_pairs_hook=_pairs, parse_float=str, parse_int=str, parse_constant=_refuse)
        values = _texts(content)
    except RecursionError:
        return _refused(number, text, Defect("ROW_JSON", params={"detail": "objects within objects"}))
    except ValueError as why:
        # A decoding error quotes nothing of the line but its position.
        return _refused(number, text, Defect("ROW_JSON", params={"detail": str(why)}))
    unknown = next((code for code in values if code not in item.by_code), None)
    if unknown is not None:
        params = {"column": unknown[:40], "nearest": _nearest(unknown, item)}
        return _refused(number, text, Defect("ROW_COLUMN_UNKNOWN", params=params))
    return Row(number, values, None if values else Defect("ROW_EMPTY"))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise _NoTextError("a column stands twice")
    return content


def _refuse(constant: str) -> None:
    raise _NoTextError(f"{constant} is no value")


def _texts(content: Any) -> dict[str, str]:
    """Return the texts of an object; numbers stay as they are written, null and blank texts are absent."""
    if not isinstance(content, dict):
        raise _NoTextError("the line is no object")
    ours = {code: text for code, text in content.items() if not code.startswith(OUR_PREFIX)}
    values = {code: text for code, text in ours.items() if text is not None}
    if not all(isinstance(text, str) for text in values.values()):
        raise _NoTextError("a value is neither text nor number")
    if not "".join(chain.from_iterable(values.items())).isprintable():
        _refuse_surrogates(values)
    return {code: text for code, text in values.items() if text and not text.isspace()}


def _refuse_surrogates(values: dict[str, str]) -> None:
    """Refuse halves of characters, which JSON can write and UTF-8 cannot."""
    try:
        "".join(chain.from_iterable(values.items())).encode()
    except UnicodeEncodeError:
        raise _NoTextError("half of a character (an unpaired surrogate)") from None
