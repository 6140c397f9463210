"""What a verified bundle says, as values and in plain words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from node.core.channel import HeadAt
from node.core.membership import Standing
from node.pb import record_pb2


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the record with its column code and titles of the catalogue edition; empty for an unknown field."""

    code: str
    title_zh: str
    title_en: str
    text: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A node that holds the same log: how many entries, whether it has applied this one, and when it said so."""

    node: str
    name: str
    size: int
    applied: bool
    observed_at_ms: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A proven publication; times in Unix ms. Only node.evidence.verify makes one.

    head is the origin's log at heartbeat_at_ms. cut_size is how many entries of a closed log stay valid, None for
    an open one. valid_until_ms is the earliest expiry of the registry's files.
    """

    network: str
    network_name: str
    fingerprint: bytes
    place: record_pb2.RecordRef
    origin: str
    origin_name: str
    standing: Standing
    standing_reason: str
    authority: str
    subject: str
    item: str
    item_title_zh: str
    item_title_en: str
    edition: str
    values: tuple[Value, ...]
    record: bytes
    published_at_ms: int
    head: HeadAt
    heartbeat_at_ms: int
    cut_size: int | None
    confirmations: tuple[Confirmation, ...]
    as_of_ms: int
    valid_until_ms: int


# --- In plain words -----------------------------------------------------------------------------------------


def explain(verified: Verified) -> str:
    """The result as plain text, one fact a line; characters that could forge a line are escaped."""
    lines = [
        f"VERIFIED: {verified.origin} ({verified.origin_name}) published this record.",
        "",
        *_record_lines(verified),
        "",
        *_log_lines(verified),
        *_confirmation_lines(verified),
        "",
        f"As of       {_when(verified.as_of_ms)}, the latest time that anything signed here names",
        f"            the registry's files were valid until {_when(verified.valid_until_ms)}",
        f"Network     {verified.network}",
        f"            root fingerprint {verified.fingerprint.hex()}",
        "",
        "This shows what was published and who holds it. Whether it still holds (corrections, repairs, erasures,",
        "expiry) the origin answers.",
    ]
    return "".join(f"{_plain(line)}\n" for line in lines)


def _record_lines(verified: Verified) -> Iterator[str]:
    titles = f"{verified.item_title_zh} ({verified.item_title_en})"
    yield f"Record      {titles}: {verified.item}, catalogue edition {verified.edition}"
    for value in verified.values:
        yield f"  {value.title_zh or value.code} ({value.title_en or 'unknown field'}): {value.text}"


def _log_lines(verified: Verified) -> Iterator[str]:
    place = verified.place
    yield f"Published   {_when(verified.published_at_ms)} by the origin's clock"
    if verified.authority:
        yield f"            for the authority {verified.authority}, for which the registry lets {verified.origin} speak"
    yield f"Origin      {_standing(verified)}"
    yield f"Place       {place.channel}, epoch {place.epoch}, entry {place.index}, record {place.position}"
    yield f"Log         {verified.head.size} entries at {_when(verified.heartbeat_at_ms)}, signed by the origin"
    yield f"            root {verified.head.root.hex()}"


def _standing(verified: Verified) -> str:
    if verified.cut_size is None:
        return f"{verified.standing.value} member"
    reason = f" ({verified.standing_reason})" if verified.standing_reason else ""
    cut = f"the officers closed this log: its first {verified.cut_size} entries stay valid"
    return f"{verified.standing.value} member{reason}; {cut}"


def _confirmation_lines(verified: Verified) -> Iterator[str]:
    for each in verified.confirmations:
        has = "has applied this one" if each.applied else "holds this one"
        yield (
            f"Confirmed   by {each.node} ({each.name}), which {has}: "
            f"{each.size} entries of the same log at {_when(each.observed_at_ms)}"
        )
    if not verified.confirmations:
        yield "Confirmed   by the registry's officers, who cut this log where members had reported it"


def _when(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(text: str) -> str:
    """The text on one line: line breaks, control and direction characters become escapes."""
    kept = (each if each.isprintable() or each == "\u3000" else each.encode("unicode_escape").decode() for each in text)
    return "".join(kept)
