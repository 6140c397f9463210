"""What ends or fills up: whose it is, when, and what is to be done about it before then.

An Ending is computed from what is held and as of a given time; whether it lies near enough to be told is a matter of
`within`, and of the examination of a node (diagnosis.py), which tells the same ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from node.core.deadlines import Due
from node.core.errors import XinqiaoError
from node.core.identifiers import iso_date
from node.core.rules_edition import Provision, RulesEdition
from node.core.workdays import Calendar, end_of_day_ms

DAY_MS = 86_400_000
NEVER = "never"
REGISTRY = "registry"
"""What stands for the registry where an Ending names whose it is."""
SIGNED_BY_ITSELF = ("timestamp", "snapshot")
"""Roles that the registry signs again every few days by itself."""

FORESEEN_DAYS = 60
MAX_DAYS = 3660
MIB_BITS = 20

SIZES_KEPT = 60
SIZE_EVERY_MS = DAY_MS
RECENT_MS = 7 * DAY_MS

Sizes = tuple[tuple[int, int], ...]
"""How many bytes a database took at some times, the oldest first: (Unix ms, bytes)."""


class What(StrEnum):
    """What can end."""

    TLS = "TLS certificate"
    SIGNING = "signing key"
    ROLE = "registry role"
    AUTHORITY = "represented authority"
    CALENDAR = "working days"
    EDITION = "edition"
    RULE = "rule"
    DISK = "disk"
    CHANNEL = "channel"
    LINK = "link"
    PEER_REGISTRY = "peer's registry"
    RECORDS = "records"
    TERM = "term"


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends or fills up; the error says what, who must act and the next command.

    node is whose it is, REGISTRY for the network's; ends_ms is 0 where no end is set. is_estimate tells that the time
    comes from a trend or a bound, not from a date.
    """

    what: What
    node: str
    subject: str
    ends_ms: int
    error: XinqiaoError
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """A disk and what the database takes of it, now and at earlier times."""

    free_bytes: int
    database_bytes: int
    history: Sizes = ()


def within(endings: Iterable[Ending], now_ms: int, days: int) -> list[Ending]:
    """Those that have ended or will within some days, by date; open ends never do."""
    last_ms = now_ms + days * DAY_MS
    near = (each for each in endings if 0 < each.ends_ms <= last_ms)
    return sorted(near, key=lambda each: (each.ends_ms, each.what, each.node, each.subject))


def time_of(unix_ms: int) -> str:
    """A time as errors name it, in UTC."""
    return datetime.fromtimestamp(unix_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if unix_ms else NEVER


# --- Keys, roles, authorities ---------------------------------------------------------------------------------


def key_end(node: str, kind: str, key_id: str, ends_ms: int) -> Ending:
    """When a key or certificate of this node ends; kind is "tls" or "signing"."""
    error = XinqiaoError("KEY_ENDS", kind=kind, key=key_id[:16], day=time_of(ends_ms))
    return Ending(_use(kind), node, f"{kind} {key_id[:16]}", ends_ms, error)


def peer_key_end(node: str, kind: str, key_id: str, ends_ms: int) -> Ending:
    """When a key or certificate of another member ends, as the registry lists it."""
    error = XinqiaoError("PEER_KEY_ENDS", kind=kind, key=key_id[:16], day=time_of(ends_ms), peer=node)
    return Ending(_use(kind), node, f"{kind} {key_id[:16]}", ends_ms, error)


def _use(kind: str) -> What:
    return What.TLS if kind == "tls" else What.SIGNING


def role_end(role: str, ends_ms: int) -> Ending:
    """When a role of the registry ends: its officers sign again, or it does so by itself."""
    code = "REGISTRY_RENEWS" if role in SIGNED_BY_ITSELF else "REGISTRY_ENDS"
    return Ending(What.ROLE, REGISTRY, f"registry {role}", ends_ms, XinqiaoError(code, role=role, day=time_of(ends_ms)))


def authority_end(node: str, authority: str, ends_ms: int) -> Ending:
    """From when on a member may no longer speak for a public body."""
    error = XinqiaoError("AUTHORITY_ENDS", node=node, authority=authority, day=time_of(ends_ms))
    return Ending(What.AUTHORITY, node, authority, ends_ms, error)


# --- What is signed as data -----------------------------------------------------------------------------------


def calendar_end(calendar: Calendar, today: date, days: int = FORESEEN_DAYS) -> Ending | None:
    """The first of the next days that the calendar of working days does not know, None where it knows them all."""
    unknown = calendar.unknown_within(today, days)
    if unknown is None:
        return None
    return Ending(What.CALENDAR, REGISTRY, "", _begins_ms(unknown), XinqiaoError("CALENDAR_SHORT", day=unknown))


def edition_changes(kind: str, begins: Mapping[str, str], today: date) -> Iterator[Ending]:
    """The editions of a kind, e.g. the "rules", that come into force after today; begins is version -> day."""
    for version, text in sorted(begins.items()):
        day = iso_date(text)
        if day is not None and day > today:
            error = XinqiaoError("EDITION_BEGINS", kind=kind, version=version, day=text)
            yield Ending(What.EDITION, REGISTRY, f"{kind} {version}", _begins_ms(day), error)


def rule_ends(edition: RulesEdition, division: str, today: date) -> Iterator[Ending]:
    """The provisions that hold for a division today, have a last day, and are followed by no other of their rule."""
    for provision in edition.provisions:
        last = iso_date(provision.valid_to)
        if last is None or not provision.holds(division, today.isoformat()):
            continue
        if not _is_followed(edition, provision, division, last + timedelta(days=1)):
            rule = provision.rule.id
            error = XinqiaoError("RULE_ENDS", rule=rule, version=edition.version, day=provision.valid_to)
            yield Ending(What.RULE, REGISTRY, f"rule {rule}", end_of_day_ms(last), error)


def _is_followed(edition: RulesEdition, provision: Provision, division: str, day: date) -> bool:
    others = (each for each in edition.of(provision.rule.id) if each is not provision)
    return any(each.holds(division, day.isoformat()) and each.predicate == provision.predicate for each in others)


def _begins_ms(day: date) -> int:
    return end_of_day_ms(day) - DAY_MS


# --- The disk -------------------------------------------------------------------------------------------------


def sampled(sizes: Sizes, at_ms: int, size: int) -> Sizes:
    """The sizes kept with one more, where the last is a day old; one dated later than now is forgotten."""
    past = tuple(each for each in sizes if each[0] <= at_ms)
    if past and at_ms - past[-1][0] < SIZE_EVERY_MS:
        return past
    return (*past, (at_ms, size))[-SIZES_KEPT:]


def growth_per_day(space: Space, now_ms: int) -> int | None:
    """Bytes a day, the faster of the whole history and its last week; None before a day of it is known."""
    rates = [_rate(space, base, now_ms) for base in _bases(space.history, now_ms)]
    return max(rates, default=None)


def _bases(sizes: Sizes, now_ms: int) -> list[tuple[int, int]]:
    """From where growth is measured: the oldest size, and the oldest of the last week."""
    old = [each for each in sizes if now_ms - each[0] >= DAY_MS]
    recent = [each for each in old if now_ms - each[0] <= RECENT_MS]
    return [*old[:1], *recent[:1]]


def _rate(space: Space, base: tuple[int, int], now_ms: int) -> int:
    """A database that shrank does not grow."""
    return max(0, space.database_bytes - base[1]) * DAY_MS // (now_ms - base[0])


def disk_fills(node: str, home: object, space: Space, now_ms: int) -> Ending | None:
    """When the disk is full at the growth seen, None while nobody knows one."""
    growth = growth_per_day(space, now_ms)
    if not growth:
        return None
    ends_ms = now_ms + space.free_bytes * DAY_MS // growth
    figures = {"free_mib": space.free_bytes >> MIB_BITS, "growth_mib": growth >> MIB_BITS}
    day = time_of(min(ends_ms, now_ms + MAX_DAYS * DAY_MS))
    error = XinqiaoError("DISK_FILLS", home=home, day=day[:10], **figures)
    return Ending(What.DISK, node, str(home), ends_ms, error, is_estimate=True)


# --- What others keep alive -----------------------------------------------------------------------------------


def channel_stales(channel: str, origin: str, fresh_at_ms: int, limit_s: int, now_ms: int) -> Ending | None:
    """When a channel that is confirmed too seldom goes stale; None while half of its limit is left.

    A heartbeat comes many times within the limit: a channel with more than half of it left is as it should be.
    """
    ends_ms = fresh_at_ms + limit_s * 1000
    if not fresh_at_ms or ends_ms - now_ms >= limit_s * 500:
        return None
    code = "CHANNEL_STALE" if ends_ms <= now_ms else "CHANNEL_ENDS"
    day = {} if code == "CHANNEL_STALE" else {"day": time_of(ends_ms)}
    error = XinqiaoError(code, channel=channel, origin=origin, since=time_of(fresh_at_ms), limit_s=limit_s, **day)
    return Ending(What.CHANNEL, origin, channel, ends_ms, error)


def link_silent(peer: str, seen_ms: int, limit_ms: int, now_ms: int) -> Ending | None:
    """A linked peer that has not been met for longer than the limit; it ended when it was last met."""
    if not seen_ms or now_ms - seen_ms <= limit_ms:
        return None
    return Ending(What.LINK, peer, peer, seen_ms, XinqiaoError("LINK_SILENT", peer=peer, since=time_of(seen_ms)))


def peer_registry_end(peer: str, versions: Sequence[int], ends_ms: int) -> Ending:
    """By when a peer's word of the registry has expired, as it holds an older timestamp than the one that ends then.

    versions is (the peer's, ours) of the timestamp role.
    """
    theirs, ours = versions
    error = XinqiaoError("PEER_REGISTRY_OLD", peer=peer, version=theirs, newest=ours, day=time_of(ends_ms))
    return Ending(What.PEER_REGISTRY, peer, peer, ends_ms, error, is_estimate=True)


# --- Records and terms ----------------------------------------------------------------------------------------

PERIODS: Mapping[str, str] = {"query": "query period", "publicity": "time of publicity"}


def records_end(channel: str, origin: str, ends: Mapping[str, int], today: date) -> Iterator[Ending]:
    """The months from this one on in which periods of records end; ends is by "query 2031-03", see core.quality."""
    for name, count in sorted(ends.items()):
        period, _, month = name.partition(" ")
        first = iso_date(f"{month}-01")
        if first is not None and month >= today.isoformat()[:7]:
            figures = {"channel": channel, "origin": origin, "count": count, "what": PERIODS[period], "month": month}
            ends_ms = max(_begins_ms(first), end_of_day_ms(today))
            subject = f"{channel} {PERIODS[period]}"
            yield Ending(What.RECORDS, origin, subject, ends_ms, XinqiaoError("RECORDS_END", **figures), True)


def term_ends(node: str, channel: str, due: Due, today: date) -> Ending:
    """By when a member owes a channel something that a rule wants."""
    rule, cited = due.provision.rule.id, due.provision.cited(today.isoformat())
    figures = {"node": node, "channel": channel, "rule": rule, "article": cited, "day": due.day.isoformat()}
    code = "TERM_ENDS" if today <= due.day else "TERM_OVER"
    said = {"what": due.provision.parameters["duty_en"], "what_zh": due.provision.parameters["duty_zh"]}
    error = XinqiaoError(code, **figures, **said)
    return Ending(What.TERM, node, f"{channel} {rule}", end_of_day_ms(due.day), error, due.provisional)
