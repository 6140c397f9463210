"""What ends is told in time, by date, with who must act; a disk is full when its growth has filled it."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import diagnosis, forecast
from node.core.deadlines import Due
from node.core.diagnosis import Severity
from node.core.forecast import DAY_MS, REGISTRY, Ending, Space, What, within
from node.core.rules_edition import parse_rules
from node.core.workdays import WEEKENDS_ONLY, Calendar, Year, china_day, end_of_day_ms

NOW_MS = 1_800_000_000_000
TODAY = china_day(NOW_MS)
GIB = 1 << 30
RULES = parse_rules((Path(__file__).resolve().parents[2] / "registry" / "editions" / "rules-2026.1.json").read_bytes())

times = st.integers(1, NOW_MS * 2)


def ending(ends_ms: int, node: str = "310000") -> Ending:
    return forecast.key_end(node, "tls", "ab" * 32, ends_ms)


@given(st.lists(times, max_size=20), st.integers(1, 400))
def test_exactly_what_ends_within_the_days_is_told_by_date(ends: list[int], days: int) -> None:
    found = [each.ends_ms for each in within(map(ending, ends), NOW_MS, days)]
    assert found == sorted(each for each in ends if each <= NOW_MS + days * DAY_MS)


def test_an_open_end_is_never_told() -> None:
    assert within([ending(0)], NOW_MS, 3660) == []


@given(times)
def test_doctor_looks_at_nothing_that_the_forecast_leaves_out(ends_ms: int) -> None:
    each = ending(ends_ms)
    is_told = bool(within([each], NOW_MS, forecast.FORESEEN_DAYS))
    assert (diagnosis.ending(each, NOW_MS).severity is not Severity.OK) is is_told


def test_what_ended_of_another_node_does_not_fail_the_examination_of_this_one() -> None:
    own = diagnosis.ending(ending(NOW_MS - 1), NOW_MS)
    other = diagnosis.ending(forecast.peer_key_end("330100", "tls", "ab" * 32, NOW_MS - 1), NOW_MS)
    assert (own.severity, other.severity) == (Severity.FAILING, Severity.WARNING)


def test_a_role_that_signs_itself_again_asks_nobody_to_act() -> None:
    found = {role: forecast.role_end(role, NOW_MS).error for role in ("root", "targets", "timestamp", "snapshot")}
    assert {role: error.code for role, error in found.items()} == {
        "root": "REGISTRY_ENDS",
        "targets": "REGISTRY_ENDS",
        "timestamp": "REGISTRY_RENEWS",
        "snapshot": "REGISTRY_RENEWS",
    }
    assert found["timestamp"].who == "nobody"


# -- the disk


@given(
    free=st.integers(0, 1 << 44),
    grown=st.integers(1, 1 << 40),
    days=st.integers(1, 59),
)
def test_a_disk_that_grows_steadily_is_full_when_its_free_bytes_are_used(free: int, grown: int, days: int) -> None:
    size = grown * days
    space = Space(free, size, ((NOW_MS - days * DAY_MS, 0),))
    found = forecast.disk_fills("310000", "/home", space, NOW_MS)
    assert found is not None
    assert found.is_estimate
    used = (found.ends_ms - NOW_MS) * grown // DAY_MS
    assert abs(used - free) <= grown // DAY_MS + 1


def test_growth_of_the_last_week_counts_where_it_is_faster_than_all_of_it() -> None:
    slow = tuple((NOW_MS - days * DAY_MS, GIB) for days in range(50, 5, -1))
    space = Space(70 * GIB, 6 * GIB, slow)
    assert forecast.growth_per_day(space, NOW_MS) == 5 * GIB // 7
    idle = replace(space, database_bytes=GIB)
    assert forecast.growth_per_day(idle, NOW_MS) == 0
    assert forecast.disk_fills("310000", "/home", idle, NOW_MS) is None
    assert forecast.growth_per_day(Space(1, 1, ((NOW_MS - DAY_MS + 1, 0),)), NOW_MS) is None


@given(st.lists(st.integers(0, 3 * DAY_MS), max_size=200))
def test_sizes_are_kept_a_day_apart_and_no_more_than_some(steps: list[int]) -> None:
    sizes: forecast.Sizes = ()
    at_ms = NOW_MS
    for step in steps:
        at_ms += step
        sizes = forecast.sampled(sizes, at_ms, 1)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(sizes)]
    assert all(gap >= forecast.SIZE_EVERY_MS for gap in gaps)
    assert len(sizes) <= forecast.SIZES_KEPT
    assert not sizes or at_ms - sizes[-1][0] < forecast.SIZE_EVERY_MS


def test_a_size_from_a_clock_that_was_ahead_is_forgotten() -> None:
    assert forecast.sampled(((NOW_MS + 1, 5),), NOW_MS, 7) == ((NOW_MS, 7),)


# -- what is signed as data


def test_the_calendar_ends_with_the_first_day_it_does_not_know() -> None:
    known = Calendar("1", "2026-11-01", "示例", {TODAY.year: Year(frozenset(), frozenset())})
    last = date(TODAY.year, 12, 31)
    days = (last - TODAY).days
    assert forecast.calendar_end(known, TODAY, days) is None
    found = forecast.calendar_end(known, TODAY, days + 1)
    assert found is not None
    assert (found.what, found.node, found.ends_ms) == (What.CALENDAR, REGISTRY, end_of_day_ms(last))
    missing = forecast.calendar_end(WEEKENDS_ONLY, TODAY)
    assert missing is not None
    assert missing.ends_ms <= NOW_MS


def test_an_edition_of_tomorrow_is_told_and_one_of_today_is_not() -> None:
    days = {"a": TODAY.isoformat(), "b": (TODAY + timedelta(days=1)).isoformat()}
    (found,) = forecast.edition_changes("rules", days, TODAY)
    assert (found.subject, found.ends_ms) == ("rules b", end_of_day_ms(TODAY))


def test_a_provision_with_a_last_day_is_told_unless_another_of_its_rule_follows() -> None:
    today = date(2026, 3, 1)
    assert list(forecast.rule_ends(RULES, "310000", today)) == []
    (late,) = RULES.of("R-INC-12")
    ended = replace(late, valid_to="2026-03-31")
    edition = replace(RULES, provisions=(ended,))
    (found,) = forecast.rule_ends(edition, "310000", today)
    assert (found.subject, found.ends_ms) == ("rule R-INC-12", end_of_day_ms(date(2026, 3, 31)))
    followed = replace(RULES, provisions=(ended, replace(late, valid_from="2026-04-01")))
    assert list(forecast.rule_ends(followed, "310000", today)) == []
    assert list(forecast.rule_ends(edition, "310000", date(2026, 4, 1))) == []


# -- what others keep alive


@pytest.mark.parametrize(
    ("age_s", "code"), [(0, ""), (50, ""), (51, "CHANNEL_ENDS"), (99, "CHANNEL_ENDS"), (100, "CHANNEL_STALE")]
)
def test_a_channel_is_told_when_half_of_its_limit_is_over(age_s: int, code: str) -> None:
    fresh_at_ms = NOW_MS - age_s * 1000
    found = forecast.channel_stales("310000/a", "310000", fresh_at_ms, 100, NOW_MS)
    assert (found.error.code if found is not None else "") == code
    assert found is None or found.ends_ms == fresh_at_ms + 100_000
    assert forecast.channel_stales("310000/a", "310000", 0, 100, NOW_MS) is None


def test_a_peer_not_met_for_longer_than_the_limit_ended_when_it_was_last_met() -> None:
    assert forecast.link_silent("330100", NOW_MS - 10, 10, NOW_MS) is None
    assert forecast.link_silent("330100", 0, 10, NOW_MS) is None
    found = forecast.link_silent("330100", NOW_MS - 11, 10, NOW_MS)
    assert found is not None
    assert found.ends_ms == NOW_MS - 11


# -- records and terms


def test_the_months_in_which_periods_end_are_told_from_this_one_on() -> None:
    today = date(2026, 11, 22)
    ends = {"query 2026-10": 9, "query 2026-11": 3, "publicity 2026-12": 4, "query 2031-01": 5}
    found = list(forecast.records_end("310000/a", "310000", ends, today))
    assert [(each.error.parameters["count"], each.ends_ms) for each in found] == [
        ("4", end_of_day_ms(date(2026, 11, 30))),
        ("3", end_of_day_ms(today)),
        ("5", end_of_day_ms(date(2030, 12, 31))),
    ]
    assert all(each.is_estimate for each in found)


def due(day: date) -> Due:
    (monthly,) = RULES.of("R-INC-11")
    return Due(monthly, day, day, provisional=False)


@pytest.mark.parametrize(("today", "code"), [(date(2026, 3, 2), "TERM_ENDS"), (date(2026, 3, 3), "TERM_OVER")])
def test_a_term_is_over_when_its_last_day_is(today: date, code: str) -> None:
    found = forecast.term_ends("310000", "310000/a", due(date(2026, 3, 2)), today)
    assert (found.error.code, found.ends_ms) == (code, end_of_day_ms(date(2026, 3, 2)))


def test_no_line_of_the_forecast_reads_with_a_gap() -> None:
    late = replace(RULES.of("R-INC-12")[0], valid_to="2026-03-31")
    found = [
        ending(1),
        forecast.peer_key_end("330100", "signing", "ab", 1),
        forecast.role_end("root", 1),
        forecast.role_end("timestamp", 1),
        forecast.authority_end("330100", "11330100MB0000000X", 1),
        forecast.calendar_end(WEEKENDS_ONLY, TODAY),
        *forecast.edition_changes("catalogue", {"2": "2999-01-01"}, TODAY),
        *forecast.rule_ends(replace(RULES, provisions=(late,)), "310000", date(2026, 1, 1)),
        forecast.disk_fills("310000", "/home", Space(1, 5 << 30, ((NOW_MS - DAY_MS, 1),)), NOW_MS),
        forecast.channel_stales("310000/a", "310000", NOW_MS - 60_000, 100, NOW_MS),
        forecast.channel_stales("310000/a", "310000", 1, 100, NOW_MS),
        forecast.link_silent("330100", 1, 1, NOW_MS),
        forecast.peer_registry_end("330100", (1, 2), 1),
        *forecast.records_end("310000/a", "310000", {"query 2030-01": 1}, TODAY),
        forecast.term_ends("310000", "310000/a", due(TODAY), TODAY),
        forecast.term_ends("310000", "310000/a", due(date(2026, 1, 1)), TODAY),
    ]
    assert len(found) == 16
    for each in found:
        assert each is not None
        assert "<" not in f"{each.error.text}{each.error.who}{each.error.next}"
