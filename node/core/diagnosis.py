"""What an examination of a node finds: figures that were measured, judged as of a given time.

OK        it works
WARNING   it works, and somebody should look at it before it does not
FAILING   it does not work; the error says what, who must act and the next command
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from node.core import ageing
from node.core.errors import XinqiaoError
from node.core.forecast import DAY_MS, Ending, Space, What, growth_per_day, time_of
from node.core.limits import Limits


class Severity(Enum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"


class Check(Enum):
    """What is looked at."""

    SERVING = "serving"
    CLOCK = "clock"
    KEYS = "keys"
    MEMBERSHIP = "membership"
    REGISTRY = "registry"
    CALLS_OUT = "calls to it"
    CALLS_IN = "calls from it"
    DISK = "disk"
    DATABASE = "database"
    FRESHNESS = "freshness"
    BODIES = "bodies"
    RECEIPTS = "receipts"
    VALIDITY = "validity"
    CALENDAR = "working days"
    HOLDS = "held rows"
    LIST_CHANGES = "changes of lists"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on somebody should look."""

    skew_warned_ms: int = 30_000
    commit_warned_ms: int = 1_000
    free_warned_bytes: int = 1024 * 1024 * 1024
    free_failing_bytes: int = 64 * 1024 * 1024
    free_warned_days: int = 60
    stale_after_s: int = 86_400
    ends_warned_ms: int = 60 * DAY_MS
    undecided_warned_ms: int = DAY_MS


DEFAULT_THRESHOLDS = Thresholds()
FAILS_AT_ITS_END = frozenset({"KEY_ENDS", "REGISTRY_ENDS"})
"""What works no longer for this node once it has ended; the rest is a loss for another, or counted as provisional."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found of one subject; the unit of a figure stands in its name."""

    check: Check
    subject: str
    severity: Severity
    error: XinqiaoError | None = None
    figures: Mapping[str, object] = field(default_factory=dict)


def fine(check: Check, subject: str = "", /, **figures: object) -> Finding:
    """A finding that all is well."""
    return Finding(check, subject, Severity.OK, None, figures)


def fault(check: Check, subject: str, error: XinqiaoError, /, **figures: object) -> Finding:
    """A finding that something does not work."""
    return Finding(check, subject, Severity.FAILING, error, figures)


def doubtful(check: Check, subject: str, error: XinqiaoError, /, **figures: object) -> Finding:
    """A finding that somebody should look at."""
    return Finding(check, subject, Severity.WARNING, error, figures)


def clock(me: str, peer: str, skew_ms: int, limits: Limits, given: Thresholds = DEFAULT_THRESHOLDS) -> Finding:
    """Judge how far a peer's clock is from ours."""
    if abs(skew_ms) <= given.skew_warned_ms:
        return fine(Check.CLOCK, peer, skew_ms=skew_ms)
    error = XinqiaoError(
        "CLOCK_SKEW", node=me, peer=peer, skew_s=skew_ms // 1000, limit_s=limits.max_clock_skew_ms // 1000
    )
    judged = fault if abs(skew_ms) > limits.max_clock_skew_ms else doubtful
    return judged(Check.CLOCK, peer, error, skew_ms=skew_ms)


def registry(expiries_ms: Mapping[str, int], read_at_ms: int, now_ms: int, grace_ms: int) -> Finding:
    """Judge how old the registry's word is; it is as old as the role that expires first."""
    _, expires_ms = _first_to_expire(expiries_ms)
    stage = ageing.stage(expires_ms, now_ms, grace_ms)
    figures = {"stage": ("FRESH", "STALE", "EXPIRED")[stage], "expires_ms": expires_ms, "read_at_ms": read_at_ms}
    if stage == ageing.FRESH:
        return fine(Check.REGISTRY, **figures)
    judged = doubtful if stage == ageing.STALE else fault
    return judged(Check.REGISTRY, "", registry_expired(expiries_ms), **figures)


def registry_expired(expiries_ms: Mapping[str, int]) -> XinqiaoError:
    """REGISTRY_EXPIRED of the role that expires first."""
    role, expires_ms = _first_to_expire(expiries_ms)
    return XinqiaoError("REGISTRY_EXPIRED", role=role, expires=time_of(expires_ms))


def _first_to_expire(expiries_ms: Mapping[str, int]) -> tuple[str, int]:
    return min(expiries_ms.items(), key=lambda pair: (pair[1], pair[0]))


def disk(home: object, space: Space, write_ms: int, now_ms: int, given: Thresholds = DEFAULT_THRESHOLDS) -> Finding:
    """Judge the space left under the home, and for how long it lasts at the growth seen."""
    growth = growth_per_day(space, now_ms)
    figures = {
        "free_bytes": space.free_bytes,
        "database_bytes": space.database_bytes,
        "write_ms": write_ms,
        **({} if growth is None else {"growth_bytes_per_day": growth}),
    }
    if space.free_bytes < given.free_failing_bytes:
        return fault(Check.DISK, "", _low(home, space, growth), **figures)
    lasts_days = space.free_bytes // growth if growth else given.free_warned_days
    if space.free_bytes < given.free_warned_bytes or lasts_days < given.free_warned_days:
        return doubtful(Check.DISK, "", _low(home, space, growth), **figures)
    return fine(Check.DISK, **figures)


def _low(home: object, space: Space, growth: int | None) -> XinqiaoError:
    free, size = space.free_bytes >> 20, space.database_bytes >> 20
    return XinqiaoError("DISK_LOW", home=home, free_mib=free, database_mib=size, growth_mib=(growth or 0) >> 20)


def database(home: object, commit_ms: int, given: Thresholds = DEFAULT_THRESHOLDS) -> Finding:
    """Judge how long a durable transaction takes."""
    if commit_ms <= given.commit_warned_ms:
        return fine(Check.DATABASE, commit_ms=commit_ms)
    error = XinqiaoError("DISK_SLOW", home=home, commit_ms=commit_ms, limit_ms=given.commit_warned_ms)
    return doubtful(Check.DATABASE, "", error, commit_ms=commit_ms)


def freshness(channel: str, origin: str, fresh_at_ms: int, limit_s: int, now_ms: int) -> Finding:
    """Judge how old the newest heartbeat is that covers only what is applied of a channel."""
    if now_ms - fresh_at_ms <= limit_s * 1000:
        return fine(Check.FRESHNESS, channel, fresh_at_ms=fresh_at_ms, limit_s=limit_s)
    if not fresh_at_ms:
        error = XinqiaoError("CHANNEL_UNCONFIRMED", channel=channel, origin=origin)
    else:
        since = time_of(fresh_at_ms)
        error = XinqiaoError("CHANNEL_STALE", channel=channel, origin=origin, since=since, limit_s=limit_s)
    return doubtful(Check.FRESHNESS, channel, error, fresh_at_ms=fresh_at_ms, limit_s=limit_s)


def bodies(channel: str, origin: str, missing: int) -> Finding:
    """Judge what a channel lacks of its contents."""
    if not missing:
        return fine(Check.BODIES, channel, missing=0)
    error = XinqiaoError("BODIES_MISSING", channel=channel, origin=origin, count=missing)
    return doubtful(Check.BODIES, channel, error, missing=missing)


def receipt(
    channel: str, node: str, size: int, total: int, *, waiting_since_ms: int, limit_s: int, now_ms: int
) -> Finding:
    """Judge how far a reader has acknowledged a channel; waiting_since_ms is when the next entry was written."""
    figures = {"node": node, "size": size, "total": total}
    if size >= total or now_ms - waiting_since_ms <= limit_s * 1000:
        return fine(Check.RECEIPTS, channel, **figures)
    error = XinqiaoError("RECEIPT_LATE", channel=channel, since=time_of(waiting_since_ms), **figures)
    return doubtful(Check.RECEIPTS, channel, error, **figures)


def held_rows(
    channel: str, count: int, oldest_ms: int, until_ms: int, now_ms: int, given: Thresholds = DEFAULT_THRESHOLDS
) -> Finding | None:
    """Judge how long rows of a channel wait for officers; None where they have time."""
    if now_ms - oldest_ms <= given.undecided_warned_ms:
        return None
    named = {"channel": channel, "count": count, "since": time_of(oldest_ms), "until": time_of(until_ms)}
    error = XinqiaoError("HOLDS_WAIT", **named)
    return doubtful(Check.HOLDS, channel, error, count=count, oldest_ms=oldest_ms, until_ms=until_ms)


def list_changes(
    channel: str,
    count: int,
    oldest_ms: int,
    until_ms: int,
    fault: XinqiaoError | None,
    now_ms: int,
    given: Thresholds = DEFAULT_THRESHOLDS,
) -> Finding | None:
    """Judge how long changes of a list wait, and what keeps one from being published; None where all is well."""
    if fault is not None:
        return doubtful(Check.LIST_CHANGES, channel, fault, count=count)
    if not count or now_ms - oldest_ms <= given.undecided_warned_ms:
        return None
    named = {"list": channel, "count": count, "since": time_of(oldest_ms), "until": time_of(until_ms)}
    error = XinqiaoError("LIST_CHANGES_WAIT", **named)
    return doubtful(Check.LIST_CHANGES, channel, error, count=count, oldest_ms=oldest_ms, until_ms=until_ms)


def ending(found: Ending, now_ms: int, given: Thresholds = DEFAULT_THRESHOLDS) -> Finding:
    """Judge when something ends; what has ended fails, unless it is another's or an open end."""
    check = Check.CALENDAR if found.what is What.CALENDAR else Check.VALIDITY
    if not found.ends_ms or found.ends_ms - now_ms > given.ends_warned_ms:
        return fine(check, found.subject, ends_ms=found.ends_ms)
    has_ended = found.ends_ms <= now_ms and found.error.code in FAILS_AT_ITS_END
    return (fault if has_ended else doubtful)(check, found.subject, found.error, ends_ms=found.ends_ms)
