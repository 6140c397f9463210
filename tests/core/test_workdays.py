"""Working days: the announced holidays, terms across the turn of a year, and what is said where a year is not known."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.workdays import (
    MAX_TERM_DAYS,
    WEEKENDS_ONLY,
    Calendar,
    Deadline,
    Span,
    china_day,
    end_of_day_ms,
    parse_calendar,
)

BUILT_IN = Path(__file__).resolve().parents[2] / "registry" / "editions" / "calendar-2026.1.json"
CALENDAR = parse_calendar(BUILT_IN.read_bytes())

known_days = st.dates(date(2004, 1, 1), date(2026, 11, 30))


def day(text: str) -> date:
    return date.fromisoformat(text)


def calendar_of(**changes: Any) -> bytes:
    """A small calendar with some of its keys changed."""
    small = {
        "format": 1,
        "version": "2026.1",
        "issued_on": "2025-11-04",
        "source": "made up",
        "years": {"2026": {"holidays": ["2026-01-01", "2026-01-02"], "workdays": ["2026-01-04"]}},
    }
    return json.dumps(small | changes).encode()


def year_of(holidays: object, workdays: object = ()) -> bytes:
    return calendar_of(years={"2026": {"holidays": holidays, "workdays": list(workdays)}})  # type: ignore[call-overload]


# --- The built-in calendar ----------------------------------------------------------------------------------


def test_the_built_in_calendar_knows_2004_to_2026() -> None:
    assert sorted(CALENDAR.years) == list(range(2004, 2027))
    assert CALENDAR.last_day == date(2026, 12, 31)
    assert "chinesecalendar" in CALENDAR.source


@pytest.mark.parametrize(
    ("text", "worked"),
    [
        ("2026-02-16", False),  # Spring Festival, a Monday
        ("2026-02-14", True),  # a Saturday worked instead
        ("2026-02-24", True),  # the Tuesday after
        ("2026-10-07", False),  # the last day of the National Day holidays
        ("2026-10-10", True),  # a Saturday worked instead
        ("2026-10-11", False),  # an ordinary Sunday
        ("2020-01-31", False),  # the holidays that were prolonged in 2020
        ("2020-02-03", True),
        ("2007-12-31", False),  # announced with the next year's
        ("2015-09-03", False),  # the one-off holiday of 2015
        ("2015-09-06", True),
        ("2024-02-09", True),  # New Year's Eve, no statutory holiday in 2024
    ],
)
def test_announced_days_are_counted_as_they_were_announced(text: str, worked: bool) -> None:
    assert CALENDAR.is_working_day(day(text)) is worked


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2026-09-24", 7, "2026-10-12"),  # two holidays within, and a Saturday worked for them
        ("2026-02-13", 1, "2026-02-14"),  # a worked Saturday counts
        ("2026-02-13", 2, "2026-02-24"),
        ("2025-12-31", 7, "2026-01-12"),  # a worked Sunday after New Year counts
        ("2026-03-02", 5, "2026-03-09"),
        ("2026-03-07", 1, "2026-03-09"),  # begun on a Saturday
        ("2026-03-02", 0, "2026-03-02"),
    ],
)
def test_a_term_ends_on_the_working_day_it_reaches(start: str, count: int, end: str) -> None:
    assert CALENDAR.add_working_days(day(start), count) == Deadline(day(end), provisional=False)


# --- Unknown years ------------------------------------------------------------------------------------------


def test_a_term_that_runs_into_an_unknown_year_is_provisional() -> None:
    assert CALENDAR.add_working_days(day("2026-12-30"), 1) == Deadline(day("2026-12-31"), provisional=False)
    assert CALENDAR.add_working_days(day("2026-12-30"), 2) == Deadline(day("2027-01-01"), provisional=True)
    assert CALENDAR.working_days_between(day("2026-12-30"), day("2027-01-04")) == Span(3, provisional=True)
    assert CALENDAR.working_days_between(day("2026-12-28"), day("2026-12-31")) == Span(3, provisional=False)


def test_a_term_from_before_the_first_known_year_is_provisional() -> None:
    assert CALENDAR.add_working_days(day("2003-12-29"), 7).provisional
    # Only the days that are counted must be known: the day a term begins on is not.
    assert not CALENDAR.add_working_days(day("2003-12-31"), 7).provisional


def test_without_a_calendar_the_weekend_counts_and_everything_is_provisional() -> None:
    assert WEEKENDS_ONLY.add_working_days(day("2026-02-13"), 1) == Deadline(day("2026-02-16"), provisional=True)
    assert WEEKENDS_ONLY.working_days_between(day("2026-02-13"), day("2026-02-23")) == Span(6, provisional=True)
    assert WEEKENDS_ONLY.last_day is None
    assert WEEKENDS_ONLY.unknown_within(day("2026-02-13")) == day("2026-02-13")


def test_a_calendar_that_ends_soon_is_noticed_60_days_ahead() -> None:
    assert CALENDAR.unknown_within(day("2026-11-01")) is None
    assert CALENDAR.unknown_within(day("2026-11-02")) == day("2027-01-01")
    assert CALENDAR.unknown_within(day("2026-11-02"), days=59) is None


# --- Properties ---------------------------------------------------------------------------------------------


@given(known_days, st.integers(1, 400))
def test_a_term_holds_as_many_working_days_as_it_has(start: date, count: int) -> None:
    end = CALENDAR.add_working_days(start, count)
    assert CALENDAR.is_working_day(end.day)
    assert CALENDAR.working_days_between(start, end.day) == Span(count, end.provisional)


@given(known_days, st.integers(0, 200), st.integers(0, 200))
def test_terms_add_up(start: date, first: int, second: int) -> None:
    halfway = CALENDAR.add_working_days(start, first).day
    assert CALENDAR.add_working_days(halfway, second).day == CALENDAR.add_working_days(start, first + second).day


@given(known_days, st.integers(-400, 400))
def test_no_working_day_lies_before_the_beginning(start: date, days: int) -> None:
    found = CALENDAR.working_days_between(start, start + timedelta(days))
    assert 0 <= found.working_days <= max(days, 0)


@pytest.mark.parametrize("count", [-1, MAX_TERM_DAYS + 1])
def test_a_term_that_is_none_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="working days"):
        CALENDAR.add_working_days(day("2026-01-05"), count)


# --- Days of China ------------------------------------------------------------------------------------------


def test_a_day_begins_and_ends_in_china() -> None:
    midnight = int(datetime(2026, 3, 1, 16, tzinfo=UTC).timestamp() * 1000)
    assert (china_day(midnight - 1), china_day(midnight)) == (day("2026-03-01"), day("2026-03-02"))
    assert end_of_day_ms(day("2026-03-01")) == midnight


# --- Reading ------------------------------------------------------------------------------------------------


def test_a_small_calendar_is_read() -> None:
    found = parse_calendar(calendar_of())
    assert (found.version, found.issued_on, found.source) == ("2026.1", "2025-11-04", "made up")
    assert not found.is_working_day(day("2026-01-02"))
    assert found.is_working_day(day("2026-01-04"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "Expecting"),
        (b"[]", "no object with the keys"),
        (b"[" * 100_000, "recursion"),
        (b"\xff", "decode"),
        (calendar_of(note="more"), "no object with the keys"),
        (b'{"format": 1, "format": 1}', "twice"),
        (calendar_of(format=2), "format"),
        (calendar_of(format=True), "format"),
        (calendar_of(version=" "), "version"),
        (calendar_of(source=3), "source"),
        (calendar_of(issued_on="2025-11-31"), "no date"),
        (calendar_of(years={}), "no years"),
        (calendar_of(years=[]), "no years"),
        (calendar_of(years={"26": {"holidays": [], "workdays": []}}), "no year"),
        (calendar_of(years={"2026": {"holidays": []}}), "no object with the keys"),
        (year_of("2026-01-01"), "no list"),
        (year_of([20260101]), "no day of it"),
        (year_of(["2025-12-31"]), "no day of it"),
        (year_of(["2026-02-30"]), "no day of it"),
        (year_of(["2026-01-02", "2026-01-01"]), "not in order"),
        (year_of(["2026-01-01", "2026-01-01"]), "not in order"),
        (year_of(["2026-01-04"], ["2026-01-04"]), "a holiday and a workday"),
        (year_of([], ["2026-01-05"]), "worked anyway"),
    ],
)
def test_a_calendar_that_says_anything_else_is_refused_whole(content: bytes, words: str) -> None:
    with pytest.raises(XinqiaoError) as refused:
        parse_calendar(content)
    assert refused.value.code == "CALENDAR_INVALID"
    assert words in refused.value.text


def test_a_calendar_larger_than_a_registry_file_may_be_is_not_parsed() -> None:
    with pytest.raises(XinqiaoError, match="CALENDAR_INVALID"):
        parse_calendar(calendar_of(), Limits(max_registry_file_bytes=10))


def test_a_calendar_never_changes_once_it_is_read() -> None:
    with pytest.raises(AttributeError):
        CALENDAR.version = "other"  # type: ignore[misc]
    assert isinstance(CALENDAR, Calendar)
