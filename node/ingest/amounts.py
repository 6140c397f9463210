"""Amounts as people and spreadsheets write them, in the one form of a record: digits and a decimal point.

The unit is never guessed. One that stands in the cell holds for that cell, else the one in the heading for its
column, else the field's own; 2000元 under 罚款金额(万元) is 0.2. All is exact, in Decimal: what does not come out in
whole fen (0.01 yuan) is refused and not rounded.
"""

import re
from decimal import Decimal

UNITS = {"元": 0, "万元": 4}
"""The powers of ten of the units that are known."""
FIELD_UNITS = {"amount_yuan": "元", "amount_wan_yuan": "万元"}
_PLACES = {"amount_yuan": 2, "amount_wan_yuan": 6}
_WORDS = {"元": "元", "圆": "元", "万": "万元", "万元": "万元", "万圆": "万元"}
_SPREADSHEET_DIGITS = 15
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_PLAIN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_NUMBER = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[Ee][-+]?[0-9]{1,3})?")
_WITH_UNIT = re.compile(r"(?:人民币|RMB)? ?([0-9,.]+) ?(万元|万圆|万|元|圆)(?:整|正)?")


def amount_of_text(text: str, field_type: str, unit: str) -> str | None:
    """Return an amount in the unit of its field, None where the text is none; the width is settled.

    unit is that of the heading. What is in the field's form already comes back as it is.
    """
    digits = text
    found = _WITH_UNIT.fullmatch(text)
    if found is not None:
        digits, unit = found[1], _WORDS[found[2]]
    if _GROUPED.fullmatch(digits):
        digits = digits.replace(",", "")
    if not _PLAIN.fullmatch(digits):
        return None
    shift = UNITS[unit] - UNITS[FIELD_UNITS[field_type]]
    if not shift:
        return digits
    return _written(Decimal(digits).scaleb(shift), field_type)


def amount_of_number(raw: str, field_type: str, unit: str) -> str | None:
    """Return the amount of a number cell, None where its digits do not reach to the fen.

    A spreadsheet counts in binary and shows 15 digits: 0.30000000000000004 is the 0.3 that somebody typed.
    """
    value = decimal_of(raw)
    if value is None or value < 0:
        return None
    if unit == FIELD_UNITS[field_type] and _PLAIN.fullmatch(raw) and len(raw) <= _SPREADSHEET_DIGITS:
        return raw
    exact = Decimal(repr(float(raw)))
    shown = Decimal(f"{exact:.{_SPREADSHEET_DIGITS}g}")
    shift = UNITS[unit] - UNITS[FIELD_UNITS[field_type]]
    kept = _SPREADSHEET_DIGITS - 1 - shown.adjusted()  # places after the point that 15 digits reach to
    if kept < _PLACES[field_type] + shift and exact != shown:
        return None
    return _written(shown.scaleb(shift), field_type)


def is_plain(text: str) -> bool:
    """Tell whether a text is digits and at most one point, as amounts of records are."""
    return _PLAIN.fullmatch(text) is not None


def decimal_of(raw: str) -> Decimal | None:
    """Return a number as a workbook writes it, None where the text is none."""
    return Decimal(raw) if _NUMBER.fullmatch(raw) else None


def _written(value: Decimal, field_type: str) -> str | None:
    """Write an amount out, None where it is not whole in the last place of its field."""
    places = _PLACES[field_type]
    written = f"{value:f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written if len(written.partition(".")[2]) <= places else None
