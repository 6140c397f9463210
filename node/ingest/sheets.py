"""The rows of one sheet, as a stream: each its number and its cells, whatever the size of the sheet.

A cell is a text, or one of the kinds of cells.py where the file knows more: a number (with its digits as they stand
in the file), a day number, or no value. Formulas are never computed: what counts is the result the file stores.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from node.core.limits import Limits
from node.ingest.cells import DayNumber, NoValue, Number
from node.ingest.number_formats import DATE, shown_with
from node.ingest.shared_strings import unescape
from node.ingest.xml_parts import Part

_DIGITS = "0123456789"


class SheetRow(NamedTuple):
    """A row that is not empty; too_long says that its texts are over the limit and were not kept."""

    number: int
    cells: list[str]
    too_long: bool


class _Cell(NamedTuple):
    """What the attributes of a cell say."""

    place: int
    type: str
    style: str


class _Rows:
    """Takes the events of a sheet's XML and makes rows of them."""

    def __init__(self, part: Part, strings: Callable[[int], str], kinds: Sequence[str], limits: Limits) -> None:
        self.ready: list[SheetRow] = []
        self._part = part
        self._strings = strings
        self._kinds: Mapping[str, str] = {str(number): kind for number, kind in enumerate(kinds) if kind}
        self._limits = limits
        self._places: dict[str, int] = {}
        self._prefix: str | None = None
        self._number = 0
        self._cells: list[str] = []
        self._size = 0
        self._next_place = 0
        self._cell = _Cell(0, "n", "")
        self._texts: list[str] = []
        self._is_formula = False
        self._is_pronounced = False
        part.parser.StartElementHandler = self._start
        part.parser.EndElementHandler = self._end

    # -- events -----------------------------------------------------------------------------------------

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._prefix is None:
            self._prefix = tag.removesuffix("worksheet")
        if self._prefix:
            tag = tag.removeprefix(self._prefix)
        if tag == "c":
            self._begin_cell(attributes)
        elif tag == "v" or (tag == "t" and not self._is_pronounced):
            self._part.parser.CharacterDataHandler = self._add
        elif tag == "row":
            self._begin_row(attributes)
        elif tag == "f":
            self._is_formula = True
        elif tag == "rPh":
            self._is_pronounced = True

    def _end(self, tag: str) -> None:
        if self._prefix:
            tag = tag.removeprefix(self._prefix)
        if tag == "c":
            self._end_cell()
        elif tag in ("v", "t"):
            self._part.parser.CharacterDataHandler = None
        elif tag == "row":
            self._end_row()
        elif tag == "rPh":
            self._is_pronounced = False

    def _add(self, text: str) -> None:
        self._size += len(text)
        if self._size <= self._limits.max_row_bytes:
            self._texts.append(text)

    # -- rows -------------------------------------------------------------------------------------------

    def _begin_row(self, attributes: dict[str, str]) -> None:
        written = attributes.get("r", "")
        number = int(written) if written.isdigit() and len(written) < len(_DIGITS) else self._number + 1
        if not self._number < number <= self._limits.max_sheet_rows:
            raise self._part.broken(f"row {written[:20] or number} stands out of order or beyond the last one")
        self._number = number
        self._cells = []
        self._size = self._next_place = 0

    def _end_row(self) -> None:
        too_long = self._size > self._limits.max_row_bytes
        if self._cells or too_long:
            self.ready.append(SheetRow(self._number, self._cells, too_long))

    # -- cells ------------------------------------------------------------------------------------------

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        place = self._next_place if reference is None else self._place(reference.rstrip(_DIGITS))
        self._cell = _Cell(place, attributes.get("t", "n"), attributes.get("s", ""))
        self._texts.clear()
        self._is_formula = False

    def _place(self, letters: str) -> int:
        place = self._places.get(letters)
        if place is None:
            place = _place_of(letters)
            if not 0 <= place < self._limits.max_sheet_columns:
                raise self._part.broken(f"row {self._number} has a cell in no column")
            self._places[letters] = place
        return place

    def _end_cell(self) -> None:
        place, kind, style = self._cell
        self._next_place = place + 1
        text = "".join(self._texts)
        if not text and not (self._is_formula and kind != "str"):
            return
        value = self._value(kind, style, text) if text else NoValue("", "CELL_FORMULA")
        if self._size > self._limits.max_row_bytes:
            return
        cells = self._cells
        if place == len(cells):
            cells.append(value)
        elif place > len(cells):
            cells.extend([""] * (place - len(cells)))
            cells.append(value)
        else:
            raise self._part.broken(f"the cells of row {self._number} stand out of order")

    def _value(self, kind: str, style: str, text: str) -> str:
        if kind == "s":
            return self._shared(text)
        if kind == "n":
            return self._numeric(text, self._kinds.get(style, ""))
        if kind == "e":
            return NoValue(text, "CELL_ERROR")
        if kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        return unescape(text)

    def _shared(self, text: str) -> str:
        try:
            value = self._strings(int(text))
        except (ValueError, IndexError):
            raise self._part.broken(f"row {self._number} has a text that is not in the file") from None
        self._size += len(value)
        return value

    def _numeric(self, text: str, kind: str) -> str:
        if kind == DATE:
            return DayNumber(text)
        return shown_with(kind, text) if kind and text.isdigit() else Number(text)


def sheet_rows(part: Part, strings: Callable[[int], str], kinds: Sequence[str], limits: Limits) -> Iterator[SheetRow]:
    """Yield the rows of a sheet that are not empty; strings and kinds give shared strings and styles by number.

    Raises FILE_WORKBOOK, also after some rows, and FILE_XML_ENTITIES.
    """
    rows = _Rows(part, strings, kinds, limits)
    for _ in part.pieces():
        yield from rows.ready
        rows.ready.clear()


def _place_of(letters: str) -> int:
    """Return the place of a column from its letters, -1 for what are none: A is 0, AA is 26."""
    if not 1 <= len(letters) <= 3 or not letters.isascii() or not letters.isalpha():
        return -1
    place = 0
    for letter in letters.upper():
        place = 26 * place + ord(letter) - 64
    return place - 1
