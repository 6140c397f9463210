"""One cell of a file to the text of one field: width, spaces, dates and amounts, where their meaning is certain.

A wrong value is never repaired. What is done here changes how a value is written and not what it says; anything
that could say two things stays as it is, and validation refuses it in its own words. What only the file can tell
(a number where a code should be, a formula without its result) is refused here, as CellError.

    every text   spaces and invisible characters around it are taken off, full-width, ideographic, without a break
    codes        full-width digits and letters become plain, spaces and ="..." and a leading ' go
    dates        see dates.py
    amounts      see amounts.py
    enumeration  full-width codes become plain
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from node.core.catalogue import Field
from node.core.identifiers import iso_date, spreadsheet_damage
from node.ingest.amounts import FIELD_UNITS, amount_of_number, amount_of_text, decimal_of, is_plain
from node.ingest.dates import LONG_TERM, PLAUSIBLE_YEARS, date_of_serial, date_of_text

Reading = Callable[[str], str]
"""Returns the text of a field from a cell, "" where it is empty; raises CellError."""


class Number(str):
    """A number, in the digits of the file: its meaning depends on the field."""

    __slots__ = ()


class DayNumber(Number):
    """A number that the workbook shows as a date."""

    __slots__ = ()


class NoValue(str):
    """What a cell shows in place of a value; code says why it has none."""

    __slots__ = ("code",)
    code: str

    def __new__(cls, shown: str, code: str) -> Self:
        """Return what is shown, with the code."""
        self = super().__new__(cls, shown)
        self.code = code
        return self


class CellError(Exception):
    """Why a cell has no certain meaning: a code of errors.CODES and its parameters."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Column(NamedTuple):
    """A column of a file: the field it fills and, for amounts, the unit of its heading."""

    field: Field
    unit: str = ""


_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
EDGES = "".join(chr(point) for point in range(0x3001) if chr(point).isspace()) + _INVISIBLE
_WIDTH = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xA0: " "}
_GAPS = re.compile(f"[\\s{_INVISIBLE}]+")
_QUOTED = re.compile(r'="(.*)"')
_SHOWN = re.compile(r"#[A-Z0-9/!?_]{1,20}")
_CODE_TYPES = frozenset({"uscc", "org_code", "division", "digits"})
CODE_NAMES = frozenset(
    {
        "person_id_no",
        "legal_rep_id_no",
        "biz_reg_no",
        "tax_reg_no",
        "institution_cert_no",
        "social_org_reg_no",
        "industry_code",
    }
)
"""Fields of the type text that hold a code, by name."""
_ISO_CHARS = 10
_SAFE_DIGITS = 15  # what a spreadsheet keeps of a number


def reading_of(column: Column, since_1904: bool = False) -> Reading:
    """Return how the cells of a column are read; since_1904 says from when the workbook counts days."""
    field = column.field
    if field.type == "date":
        return _reading_of_date(field.long_term, since_1904)
    if field.type in FIELD_UNITS:
        return _reading_of_amount(field.type, column.unit or FIELD_UNITS[field.type])
    if field.type == "enum":
        return _reading_of_enum(field)
    return _code if field.type in _CODE_TYPES or field.name in CODE_NAMES else _text


def narrow(text: str) -> str:
    """Return a text in plain width, with one space for any run of spaces and nothing invisible."""
    return _GAPS.sub(" ", text.translate(_WIDTH)).strip()


def _refuse(cell: str) -> None:
    """Refuse a cell without a value; what it shows is told only where it is one of the spreadsheet's own words."""
    if isinstance(cell, NoValue):
        raise CellError(cell.code, shown=cell if _SHOWN.fullmatch(cell) else "#ERROR")


def _trimmed(cell: str) -> str:
    """Return a text without the spaces and invisible characters around it; most have none, which is seen sooner."""
    text = cell.strip()
    return cell.strip(EDGES) if text and (text[0] in _INVISIBLE or text[-1] in _INVISIBLE) else text


def _text(cell: str) -> str:
    if type(cell) is str:
        return _trimmed(cell)
    _refuse(cell)
    return _digits_of(cell)


def _digits_of(cell: str) -> str:
    """Return a number as the text it stands for."""
    if isinstance(cell, DayNumber):
        raise CellError("CELL_DATE_IN_TEXT")
    value = decimal_of(cell)
    if value is None:
        return cell.strip(EDGES)
    if abs(value) >= 10**_SAFE_DIGITS:
        raise CellError("CELL_CODE_NUMBER")
    written = f"{float(cell):.{_SAFE_DIGITS}g}"
    return written if "e" not in written else f"{decimal_of(written):f}"


def _code(cell: str) -> str:
    if type(cell) is not str:
        _refuse(cell)
        return _digits_of(cell)
    if cell.isascii() and cell.isalnum():
        return cell
    text = _bare(narrow(cell)).replace(" ", "")
    # Validation knows the damage in codes with a check digit; the others have only this sign of it.
    if ("." in text or "+" in text) and spreadsheet_damage(text):
        raise CellError("FIELD_CODE_SPREADSHEET")
    return text


def _bare(text: str) -> str:
    """Return a text without what makes spreadsheets take it for a text: ="00123" or '00123."""
    quoted = _QUOTED.fullmatch(text)
    return quoted[1] if quoted is not None else text.removeprefix("'")


def _reading_of_enum(field: Field) -> Reading:
    codes = frozenset(value.code for value in field.values if value.code)
    known = codes | {value.text for value in field.values}

    def read(cell: str) -> str:
        if cell in known and type(cell) is str:
            return cell
        if type(cell) is not str:
            _refuse(cell)
            return _digits_of(cell)
        text = _trimmed(cell)
        plain = narrow(text)
        return plain if plain in codes else text

    return read


def _reading_of_date(long_term: str, since_1904: bool) -> Reading:
    def read(cell: str) -> str:
        if iso_date(cell) is not None:
            return cell
        if type(cell) is not str:
            _refuse(cell)
            return _day_of(cell, since_1904)
        text = _bare(narrow(cell))
        if long_term and text.replace(" ", "") in LONG_TERM:
            return long_term
        found = date_of_text(text)
        if found is None and len(text) > _ISO_CHARS:
            # Validation would say that it is too long, and not that it is no date.
            raise CellError("FIELD_DATE")
        return found or cell.strip(EDGES)

    return read


def _day_of(cell: str, since_1904: bool) -> str:
    """Return the day of a number: YYYYMMDD, or a day number where the workbook shows a date or the year is likely."""
    value = decimal_of(cell)
    if value is None:
        raise CellError("CELL_DATE")
    whole = str(int(value)) if value == int(value) else ""
    found = date_of_text(whole) if len(whole) == 8 else date_of_serial(float(value), since_1904)
    if found is None:
        raise CellError("CELL_DATE")
    if not isinstance(cell, DayNumber) and int(found[:4]) not in PLAUSIBLE_YEARS:
        raise CellError("CELL_DATE")
    return found


def _reading_of_amount(field_type: str, unit: str) -> Reading:
    is_own_unit = unit == FIELD_UNITS[field_type]

    def read(cell: str) -> str:
        if type(cell) is not str:
            _refuse(cell)
            if isinstance(cell, DayNumber):
                raise CellError("CELL_DATE_IN_TEXT")
            found = amount_of_number(cell, field_type, unit)
            if found is None:
                raise CellError("CELL_AMOUNT", unit=unit)
            return found
        if is_own_unit and is_plain(cell):
            return cell
        text = narrow(cell)
        found = amount_of_text(text, field_type, unit) if text else ""
        # Left as it is, a bare number would be taken in the field's own unit.
        if found is None and not is_own_unit:
            raise CellError("CELL_AMOUNT", unit=unit)
        return text if found is None else found

    return read
