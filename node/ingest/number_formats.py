"""What the number format of a cell says of its value: a date, a number with leading zeros, or neither."""

import re
from collections.abc import Sequence

DATE = "date"
# ECMA-376 part 1, 18.8.30: built-in formats of dates, also those that only East Asian versions have.
_BUILT_IN_DATES = frozenset({*range(14, 18), 22, *range(27, 37), *range(50, 59)})
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ZEROS = re.compile(r"0{2,40}")


def kinds_of(styles: Sequence[tuple[str, dict[str, str]]]) -> list[str]:
    """Return the kind of each cell style, by number, as styles.xml has them: DATE, zeros as 000000, or ""."""
    formats: dict[str, str] = {}
    kinds: list[str] = []
    section = ""
    for tag, attributes in styles:
        if tag == "numFmt" and section != "dxfs":
            formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif tag in ("cellStyleXfs", "cellXfs", "cellStyles", "dxfs"):
            section = tag
        elif tag == "xf" and section == "cellXfs":
            number = attributes.get("numFmtId", "0")
            kinds.append(_kind(number, formats.get(number, "")))
    return kinds


def _kind(number: str, code: str) -> str:
    if not code:
        return DATE if number.isdigit() and int(number) in _BUILT_IN_DATES else ""
    if _ZEROS.fullmatch(code):
        return code
    first = _QUOTED.sub("", code.partition(";")[0]).lower().replace("general", "")
    # m alone can be minutes; a date has a day or a year beside it.
    return DATE if set(first) & {"y", "d", "e"} and not set(first) & {"0", "#", "?"} else ""


def shown_with(zeros: str, digits: str) -> str:
    """Return a whole number as a format of zeros shows it."""
    return digits.rjust(len(zeros), "0") if digits.isdigit() else digits
