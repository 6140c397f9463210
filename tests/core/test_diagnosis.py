"""Figures that were measured are judged by limits, and whatever is wrong names who must act and the next command."""

import pytest

from node.core import diagnosis, forecast
from node.core.diagnosis import Severity
from node.core.errors import XinqiaoError
from node.core.forecast import DAY_MS, Space
from node.core.limits import DEFAULT_LIMITS

NOW_MS = 1_800_000_000_000
OK, WARNING, FAILING = Severity.OK, Severity.WARNING, Severity.FAILING
GIB = 1 << 30
GRACE_MS = 72 * 3_600_000


def code(finding: diagnosis.Finding) -> str:
    return finding.error.code if finding.error is not None else ""


@pytest.mark.parametrize(
    ("skew_ms", "severity"),
    [(0, OK), (-30_000, OK), (30_001, WARNING), (-300_000, WARNING), (300_001, FAILING), (-3_600_000, FAILING)],
)
def test_a_clock_is_told_before_it_is_refused(skew_ms: int, severity: Severity) -> None:
    found = diagnosis.clock("310115", "310000", skew_ms, DEFAULT_LIMITS)
    assert found.severity is severity
    assert code(found) == ("" if severity is OK else "CLOCK_SKEW")
    assert found.figures == {"skew_ms": skew_ms}


@pytest.mark.parametrize(
    ("left_ms", "stage", "severity"),
    [(1, "FRESH", OK), (0, "STALE", WARNING), (1 - GRACE_MS, "STALE", WARNING), (-GRACE_MS, "EXPIRED", FAILING)],
)
def test_the_registry_is_as_old_as_the_role_that_expires_first(left_ms: int, stage: str, severity: Severity) -> None:
    expiries = {"root": NOW_MS + 300 * DAY_MS, "timestamp": NOW_MS + left_ms}
    found = diagnosis.registry(expiries, NOW_MS - 5000, NOW_MS, GRACE_MS)
    assert (found.severity, found.figures["stage"]) == (severity, stage)
    if found.error is not None:
        assert found.error.parameters["role"] == "timestamp"


@pytest.mark.parametrize(
    ("space", "severity"),
    [
        (Space(10 * GIB, GIB), OK),
        (Space(GIB - 1, 1000), WARNING),
        (Space((64 << 20) - 1, 1000), FAILING),
        # 10 GiB, and a GiB more a day: ten days
        (Space(10 * GIB, 3 * GIB, ((NOW_MS - 2 * DAY_MS, GIB),)), WARNING),
        (Space(10 * GIB, GIB + 1000, ((NOW_MS - 2 * DAY_MS, GIB),)), OK),
        # Half a day says nothing of a day; a database that shrank does not grow.
        (Space(10 * GIB, 3 * GIB, ((NOW_MS - DAY_MS // 2, GIB),)), OK),
        (Space(10 * GIB, GIB, ((NOW_MS - 2 * DAY_MS, 3 * GIB),)), OK),
    ],
)
def test_space_is_judged_by_what_is_left_and_how_long_it_lasts(space: Space, severity: Severity) -> None:
    found = diagnosis.disk("/var/lib/xinqiao", space, 3, NOW_MS)
    assert found.severity is severity
    assert code(found) == ("" if severity is OK else "DISK_LOW")


def test_a_slow_disk_is_named() -> None:
    assert diagnosis.database("/home", 1000).severity is OK
    assert code(diagnosis.database("/home", 1001)) == "DISK_SLOW"


def test_a_channel_is_stale_when_nothing_confirms_it_within_its_limit() -> None:
    assert diagnosis.freshness("310000/a", "310000", NOW_MS - 60_000, 60, NOW_MS).severity is OK
    assert code(diagnosis.freshness("310000/a", "310000", NOW_MS - 60_001, 60, NOW_MS)) == "CHANNEL_STALE"
    never = diagnosis.freshness("310000/a", "310000", 0, 60, NOW_MS)
    assert code(never) == "CHANNEL_UNCONFIRMED"
    assert never.severity is WARNING


def test_missing_bodies_and_late_receipts_name_the_node_to_look_at() -> None:
    assert diagnosis.bodies("310000/a", "310000", 0).severity is OK
    missing = diagnosis.bodies("310000/a", "310000", 3).error
    assert missing is not None
    assert "--peer 310000" in missing.next
    late = receipt(4, 60_001).error
    assert late is not None
    assert late.text.startswith("330100 has acknowledged 4 of 5 entries of 310000/a")
    assert receipt(4, 60_000).severity is OK
    assert receipt(5, 10**9).severity is OK


def receipt(size: int, waited_ms: int) -> diagnosis.Finding:
    since_ms = NOW_MS - waited_ms
    return diagnosis.receipt("310000/a", "330100", size, 5, waiting_since_ms=since_ms, limit_s=60, now_ms=NOW_MS)


def test_held_rows_are_told_once_the_oldest_has_waited_longer_than_a_day() -> None:
    assert diagnosis.held_rows("310000/a", 3, NOW_MS - DAY_MS, NOW_MS, NOW_MS) is None
    found = diagnosis.held_rows("310000/a", 3, NOW_MS - DAY_MS - 1, NOW_MS + 29 * DAY_MS, NOW_MS)
    assert found is not None
    assert (found.severity, found.subject, code(found)) == (WARNING, "310000/a", "HOLDS_WAIT")
    assert found.error is not None
    assert found.error.text.startswith("310000/a: 3 rows wait for two officers, the oldest since ")
    assert (found.error.who, "`xinqiao holds list`" in found.error.next) == ("officers of this node", True)
    assert "<" not in f"{found.error.text}{found.error.next}"


def test_changes_of_a_list_are_told_once_the_oldest_has_waited_for_a_day_or_one_cannot_be_published() -> None:
    def told(oldest_ms: int, fault: XinqiaoError | None = None, count: int = 2) -> diagnosis.Finding | None:
        return diagnosis.list_changes("310000/lists/a", count, oldest_ms, NOW_MS + DAY_MS, fault, NOW_MS)

    assert told(NOW_MS - DAY_MS) is None
    assert told(0, count=0) is None
    found = told(NOW_MS - DAY_MS - 1)
    assert found is not None
    assert (found.severity, code(found)) == (WARNING, "LIST_CHANGES_WAIT")
    assert found.error is not None
    assert "<" not in f"{found.error.text}{found.error.next}"
    stuck = told(NOW_MS, XinqiaoError("OFFICER_DISABLED", name="李明", because="调离"))
    assert stuck is not None
    assert (stuck.severity, code(stuck)) == (WARNING, "OFFICER_DISABLED")


@pytest.mark.parametrize(
    ("ends_ms", "severity"),
    [(0, OK), (NOW_MS + 60 * DAY_MS + 1, OK), (NOW_MS + 60 * DAY_MS, WARNING), (NOW_MS, FAILING)],
)
def test_what_ends_is_told_sixty_days_before(ends_ms: int, severity: Severity) -> None:
    key = diagnosis.ending(forecast.key_end("310000", "tls", "ab" * 32, ends_ms), NOW_MS)
    role = diagnosis.ending(forecast.role_end("targets", ends_ms), NOW_MS)
    assert (key.severity, role.severity) == (severity, severity)
    if severity is not OK:
        assert (code(key), code(role)) == ("KEY_ENDS", "REGISTRY_ENDS")


def test_no_error_of_an_examination_reads_with_a_gap() -> None:
    space = Space(1, 1, ((NOW_MS - 2 * DAY_MS, 0),))
    found = [
        diagnosis.clock("a", "b", 10**9, DEFAULT_LIMITS).error,
        diagnosis.registry({"root": 1}, 0, NOW_MS, GRACE_MS).error,
        diagnosis.disk("/home", space, 1, NOW_MS).error,
        diagnosis.database("/home", 10**6).error,
        diagnosis.freshness("a/b", "a", 1, 1, NOW_MS).error,
        diagnosis.bodies("a/b", "a", 1).error,
        receipt(0, 10**9).error,
        diagnosis.ending(forecast.key_end("310000", "tls", "ab", 1), NOW_MS).error,
        diagnosis.ending(forecast.role_end("root", 1), NOW_MS).error,
    ]
    for error in found:
        assert isinstance(error, XinqiaoError)
        assert "<" not in f"{error.text}{error.who}{error.next}"
