"""What a verified bundle says, as values; explanation.py puts it into words."""

from dataclasses import dataclass

from node.core.acts import RecordState
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
class Decision:
    """A proven decision on the record: what it did, its number and reason (empty once erased), when, in which entry."""

    kind: str
    decision: str
    reason: str
    at_ms: int
    index: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A proven publication; times in Unix ms. Only node.evidence.verify makes one.

    head is the origin's log at heartbeat_at_ms. cut_size is how many entries of a closed log stay valid, None for
    an open one. valid_until_ms is the earliest expiry of the registry's files. state is what the decisions make of the
    record, which come oldest first.
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
    state: RecordState
    decisions: tuple[Decision, ...]
