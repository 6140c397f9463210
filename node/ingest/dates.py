"""Dates as people and spreadsheets write them, in the one form of a record: YYYY-MM-DD.

Only what can mean one day is read. The parts stand from the year down, the year has four digits; a time of day is
passed over. Orders that differ between countries (05/01/2024), years of two digits, months without a day and times
of another zone stay as they are, and validation refuses them.

    2024-01-05  2024-1-5  2024/1/5  2024.01.05  2024年1月5日  20240105  二〇二四年一月五日  and each with a time
    45296       a day number of a workbook, from 1900 or from 1904 on (ECMA-376 part 1, 18.17.4.1)
"""

import re
from datetime import date, timedelta

from node.core.identifiers import iso_date

LONG_TERM = frozenset({"长期", "长期有效", "永久", "永久有效", "无固定期限", "无固定期", "长期(无固定期限)"})
"""What stands for a validity without end; a field says which date means it."""

_TIME = (
    r"(?:上午|下午|[AaPp][Mm])? ?[0-2]?[0-9]"
    r"(?::[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?|[时点](?:[0-5]?[0-9]分(?:[0-5]?[0-9]秒)?)?)"
    r"(?: ?[AaPp][Mm])?(?:\+08:?00)?"
)
_PARTS = re.compile(
    r"(?P<year>[0-9]{4}) ?(?:(?P<mark>[-/.]) ?(?P<month>[0-9]{1,2}) ?(?P=mark) ?(?P<day>[0-9]{1,2})"
    r"|年 ?(?P<month_zh>[0-9]{1,2}) ?月 ?(?P<day_zh>[0-9]{1,2}) ?日)"
    rf"(?:[T ] ?{_TIME}|(?<=日){_TIME})?"
)
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:[0-2][0-9][0-5][0-9][0-5][0-9])?")
_CHINESE = re.compile(
    r"([〇○Ｏ零一二三四五六七八九]{4})年([元一二三四五六七八九十]{1,2})月([一二三四五六七八九十廿卅]{1,3})日"
)
_DIGITS = {character: str(value) for value, character in enumerate("〇一二三四五六七八九")} | {
    "零": "0",
    "○": "0",
    "Ｏ": "0",
}
_SMALL = {"元": 1}
_UNITS = "一二三四五六七八九"
for _value in range(1, 32):
    _tens, _ones = divmod(_value, 10)
    _written = ("", "十", "二十", "三十")[_tens] + ("" if not _ones else _UNITS[_ones - 1])
    _SMALL[_written] = _value
    if _tens > 1:
        _SMALL[("廿", "卅")[_tens - 2] + _written[2:]] = _value

FIRST_1900 = date(1899, 12, 30)  # right from 1900-03-01 on, which is day 61
_LEAP_DAY_THAT_NEVER_WAS = 60
FIRST_1904 = date(1904, 1, 1)
_LAST_DAY = 2_958_465  # 9999-12-31 counted from 1900
PLAUSIBLE_YEARS = range(1980, 2100)
"""A number that the workbook does not show as a date counts days only in these years: 2024 alone is a year."""


def date_of_text(text: str) -> str | None:
    """Return the day that a text means, None where it is not certain which; width and outer spaces are settled."""
    if iso_date(text) is not None:
        return text
    found = _PARTS.fullmatch(text)
    if found is not None:
        year, month, day = (found["year"], found["month"] or found["month_zh"], found["day"] or found["day_zh"])
        return _iso(int(year), int(month), int(day))
    compact = _COMPACT.fullmatch(text)
    if compact is not None:
        return _iso(*map(int, compact.groups()))
    chinese = _CHINESE.fullmatch(text.replace(" ", ""))
    return _chinese(*chinese.groups()) if chinese is not None else None


def date_of_serial(days: float, since_1904: bool) -> str | None:
    """Return the day of a workbook's day number, None where it has none; the fraction is the time of day.

    Counted from 1900, the day 60 is 1900-02-29, which never was: the days before it are one further on.
    """
    whole = int(days)
    if days < 0 or whole > _LAST_DAY:
        return None
    if since_1904:
        return _after(FIRST_1904, whole)
    if whole in (0, _LEAP_DAY_THAT_NEVER_WAS):
        return None
    return _after(FIRST_1900, whole + (whole < _LEAP_DAY_THAT_NEVER_WAS))


def _after(first: date, days: int) -> str | None:
    try:
        return (first + timedelta(days)).isoformat()
    except OverflowError:
        return None


def _chinese(year: str, month: str, day: str) -> str | None:
    if month not in _SMALL or day not in _SMALL:
        return None
    return _iso(int("".join(_DIGITS[character] for character in year)), _SMALL[month], _SMALL[day])


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
