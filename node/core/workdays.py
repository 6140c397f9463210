"""Working days: which days count where the law gives a deadline in working days, and how sure that is.

The State Council announces each autumn which days of the next year are holidays and which weekend days are worked
instead. The officers publish these as a signed registry target, `calendar/<version>.json`:

    calendar   {format, version, issued_on, source, years}
    years      by year, e.g. "2026": {holidays, workdays}: days off, and weekend days that are worked (YYYY-MM-DD)

A day of a year that the calendar does not know is judged by the weekend alone, and every deadline that rests on such
a day says that it is provisional. The day on which a term begins does not count; days are those of China (UTC+8).

Source: 行政处罚法 (2021) art. 85 and 行政许可法 (2019) art. 82: terms in working days leave out statutory holidays.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from node.core.errors import XinqiaoError
from node.core.identifiers import iso_date
from node.core.limits import DEFAULT_LIMITS, Limits

CHINA_STANDARD_TIME = timezone(timedelta(hours=8))
FORMAT = 1
ARTICLES = "行政处罚法 art. 85; 行政许可法 art. 82"
FORESEEN_DAYS = 60
"""How far ahead a calendar should reach, so that deadlines given today are not provisional."""
MAX_TERM_DAYS = 2_500
"""The longest term in working days that is counted: ten years."""

_SATURDAY = 5
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Year:
    """The days of one year that are not what the weekend says."""

    holidays: frozenset[date]
    workdays: frozenset[date]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last day of a term; provisional where the calendar does not know every day of it."""

    day: date
    provisional: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A number of working days; provisional where the calendar does not know every day of it."""

    working_days: int
    provisional: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """One calendar of working days: its version, the day it was issued, where it is from, its years."""

    version: str
    issued_on: str
    source: str
    years: Mapping[int, Year]

    @property
    def last_day(self) -> date | None:
        """The last day of the last year it knows, None where it knows none."""
        return date(max(self.years), 12, 31) if self.years else None

    def knows(self, day: date) -> bool:
        """Tell whether the calendar knows the year of a day."""
        return day.year in self.years

    def is_working_day(self, day: date) -> bool:
        """Tell whether a day is worked; by the weekend alone where the year is not known."""
        year = self.years.get(day.year)
        if year is not None and day in year.workdays:
            return True
        return day.weekday() < _SATURDAY and (year is None or day not in year.holidays)

    def add_working_days(self, start: date, count: int) -> Deadline:
        """Return the day on which a term of so many working days after a day ends; start itself for 0.

        Raises ValueError for a count that is negative or above MAX_TERM_DAYS.
        """
        if not 0 <= count <= MAX_TERM_DAYS:
            raise ValueError(f"a term has 0 to {MAX_TERM_DAYS} working days, not {count}")
        day, provisional = start, False
        while count:
            day += _ONE_DAY
            provisional |= not self.knows(day)
            count -= self.is_working_day(day)
        return Deadline(day, provisional)

    def working_days_between(self, start: date, end: date) -> Span:
        """Count the working days after start, up to and with end; none where end is not after start."""
        days = [start + _ONE_DAY * place for place in range(1, (end - start).days + 1)]
        return Span(sum(map(self.is_working_day, days)), not all(map(self.knows, days)))

    def unknown_within(self, today: date, days: int = FORESEEN_DAYS) -> date | None:
        """Return the first of the next days, today among them, that the calendar does not know; None where it does."""
        ahead = (today + _ONE_DAY * place for place in range(days + 1))
        return next((day for day in ahead if not self.knows(day)), None)


WEEKENDS_ONLY = Calendar("", "", "", {})
"""What a node counts by while the registry has no calendar: every deadline is provisional."""


def china_day(unix_ms: int) -> date:
    """Return the day in China at a time in Unix ms."""
    return datetime.fromtimestamp(unix_ms // 1000, CHINA_STANDARD_TIME).date()


def end_of_day_ms(day: date) -> int:
    """Return the time in Unix ms at which a day in China is over."""
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA_STANDARD_TIME).timestamp() + 86_400) * 1000


# --- Reading a calendar -------------------------------------------------------------------------------------


def parse_calendar(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> Calendar:
    """Return the calendar in a registry target's bytes; raises XinqiaoError CALENDAR_INVALID.

    An unknown or missing key, a day of another year or out of order, a holiday that is also worked and a workday
    that is no weekend day refuse the whole calendar.
    """
    try:
        if len(payload) > limits.max_registry_file_bytes:
            raise ValueError(f"{len(payload)} bytes, at most {limits.max_registry_file_bytes} are allowed")
        return _calendar(json.loads(payload.decode(), object_pairs_hook=_unique))
    except (ValueError, RecursionError) as why:
        raise XinqiaoError("CALENDAR_INVALID", detail=str(why)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError(f"a key stands twice among {', '.join(key for key, _ in pairs)}")
    return dict(pairs)


def _calendar(content: Any) -> Calendar:
    found = _keys(content, "the calendar", ("format", "version", "issued_on", "source", "years"))
    if type(found["format"]) is not int or found["format"] != FORMAT:
        raise ValueError(f"its format is not {FORMAT}, which this version reads")
    version, source = _text(found, "version"), _text(found, "source")
    issued_on = _text(found, "issued_on")
    if iso_date(issued_on) is None:
        raise ValueError(f"issued_on: {issued_on!r} is no date")
    if not isinstance(found["years"], dict) or not found["years"]:
        raise ValueError("it has no years")
    years = {_year_number(text): _year(text, each) for text, each in found["years"].items()}
    return Calendar(version, issued_on, source, years)


def _keys(content: Any, where: str, expected: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(content, dict) or set(content) != set(expected):
        raise ValueError(f"{where} is no object with the keys {', '.join(expected)}")
    return content


def _text(content: dict[str, Any], key: str) -> str:
    text = content[key]
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{key} is no text")
    return text


def _year_number(text: str) -> int:
    if iso_date(f"{text}-01-01") is None:
        raise ValueError(f"{text!r} is no year")
    return int(text)


def _year(text: str, content: Any) -> Year:
    found = _keys(content, text, ("holidays", "workdays"))
    holidays, workdays = _days(text, found["holidays"]), _days(text, found["workdays"])
    both = sorted(set(holidays) & set(workdays))
    if both:
        raise ValueError(f"{both[0]} is a holiday and a workday")
    needless = [day for day in workdays if day.weekday() < _SATURDAY]
    if needless:
        raise ValueError(f"{needless[0]} is worked anyway: workdays are weekend days")
    return Year(frozenset(holidays), frozenset(workdays))


def _days(year: str, content: Any) -> list[date]:
    if not isinstance(content, list):
        raise ValueError(f"{year} has no list of days")
    found = [iso_date(text) if isinstance(text, str) and text.startswith(f"{year}-") else None for text in content]
    days = [day for day in found if day is not None]
    if len(days) != len(content):
        raise ValueError(f"{year} lists {content[found.index(None)]!r}, which is no day of it")
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise ValueError(f"the days of {year} are not in order")
    return days
