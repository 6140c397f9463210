"""The ledger: who of a channel's audience has received and applied an entry, who is late, and why.

It rests on the largest receipt held of each reader and on nothing else. Receipts are relayed to every reader, so every
reader of a channel computes the same ledger as its origin, and no message is needed to report a delay upward.

    same epoch      the receipt's sizes say it (node.core.delivery)
    later epoch     its sizes count entries of that epoch and say nothing of an earlier one, which its signer may lack.
                    Of a list it proves the earlier entry all the same where its digest over all live members is the
                    one that the origin signed for that point: then its list is the origin's, by whatever entries.
    above a cut     the entry is void: nobody owes it

T2 (late) and T3 (reported) only watch: they move nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum

from google.protobuf.message import DecodeError

from node.core.delivery import Delivery, delivery_of
from node.core.listing import EXIT
from node.core.membership import Standing
from node.pb import channel_pb2, listing_pb2, record_pb2

SILENT_AFTER_MS = 15 * 60 * 1000
"""How long a reader without an own link here may say nothing before it counts as unreachable."""


class Lateness(IntEnum):
    """How long a reader has owed what it has not applied."""

    IN_TIME = 0
    LATE = 1
    REPORTED = 2


class Reason(StrEnum):
    """Why a reader has not applied an entry, or not as its origin meant it."""

    NONE = ""
    SUSPENDED = "suspended"
    REMOVED = "removed"
    LATER_EPOCH = "later epoch"
    DIGEST = "another digest"
    WITHHELD = "withheld"
    REJECTED = "rejected"
    STALE_REGISTRY = "stale registry"
    NEVER_SEEN = "never seen"
    UNREACHABLE = "unreachable"
    REFUSES = "refuses calls"
    WAITING = "on its way"


class Standpoint(Enum):
    """Whether an entry binds its readers."""

    OWED = "owed"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Reader:
    """What is known here of one reader of a channel; times in Unix ms, 0 = never.

    digest is what the origin signed for the extent that the receipt says is applied, empty for channels that are not
    lists. rejected counts the codes under which the receipt rejects more than this node does. owed_since_ms is when the
    first entry was there that it lacks, and it was to have it. failure is the code of the link's failure, and
    behind_since_ms since when it has shown an older registry.
    """

    node: str
    name: str
    standing: Standing = Standing.ACTIVE
    is_origin: bool = False
    receipt: channel_pb2.Receipt | None = None
    digest: bytes = b""
    rejected: Mapping[str, int] = field(default_factory=dict)
    owed_since_ms: int = 0
    failure: str = ""
    last_seen_ms: int = 0
    behind_since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One reader's line; times in Unix ms, 0 = never.

    counts: it is an active member of the audience. since_ms is since when the reason holds. receipt is the one that the
    line rests on, None for the origin, which signed the entry, and for who has given none.
    """

    reader: Reader
    counts: bool
    delivery: Delivery
    lateness: Lateness
    reason: Reason
    detail: str
    since_ms: int

    @property
    def node(self) -> str:
        """The reader's id."""
        return self.reader.node

    @property
    def observed_at_ms(self) -> int:
        """When the reader signed the receipt, by its clock."""
        return self.reader.receipt.observed_at_unix_ms if self.reader.receipt is not None else 0


@dataclass(frozen=True, slots=True)
class Timers:
    """T2 and T3, in ms: from when on a reader is late, and from when on that is reported upward."""

    late_ms: int = 3600 * 1000
    report_ms: int = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where one entry of a channel stands with every reader, at one moment."""

    channel: str
    epoch: int
    index: int
    standpoint: Standpoint
    rows: tuple[Row, ...]
    now_ms: int

    @property
    def counted(self) -> Sequence[Row]:
        """The lines of the active members of the audience."""
        return [row for row in self.rows if row.counts]

    @property
    def applied(self) -> int:
        """How many of them have applied the entry."""
        return sum(row.delivery is Delivery.APPLIED for row in self.counted)

    @property
    def missing(self) -> Sequence[Row]:
        """Those of them that have not."""
        return [row for row in self.counted if row.delivery is not Delivery.APPLIED]

    def late(self, at_least: Lateness = Lateness.LATE) -> Sequence[Row]:
        """Those that are so late."""
        return [row for row in self.counted if row.lateness >= at_least]


def ledger(
    key: tuple[str, int, int],
    readers: Sequence[Reader],
    now_ms: int,
    timers: Timers,
    cut_size: int | None = None,
) -> Ledger:
    """The ledger of the entry (channel, epoch, index); cut_size is that of its epoch, None while it has no cut."""
    channel, epoch, index = key
    standpoint = Standpoint.VOID if cut_size is not None and index >= cut_size else Standpoint.OWED
    rows = tuple(_row(epoch, index, reader, standpoint, now_ms, timers) for reader in readers)
    return Ledger(channel, epoch, index, standpoint, rows, now_ms)


def delivered(epoch: int, index: int, receipt: channel_pb2.Receipt | None, digest: bytes) -> Delivery:
    """How far a reader's largest receipt proves that an entry has come.

    digest is what the origin signed for the extent that the receipt says is applied; empty proves nothing.
    """
    if receipt is None or receipt.epoch < epoch:
        return Delivery.SENT
    if receipt.epoch > epoch:
        return Delivery.APPLIED if digest and receipt.state_digest == digest else Delivery.SENT
    found = delivery_of(index, receipt)
    return Delivery.RECEIVED if found is Delivery.APPLIED and differs(receipt, digest) else found


def differs(receipt: channel_pb2.Receipt, digest: bytes) -> bool:
    """Whether a reader has computed another list than its origin signed."""
    return bool(digest and receipt.state_digest) and receipt.state_digest != digest


def first_lacking(epoch: int, index: int, receipt: channel_pb2.Receipt | None) -> int:
    """The index of the first entry up to this one that a reader has not applied, as far as its receipt says."""
    if receipt is None or receipt.epoch != epoch:
        return 0
    return min(receipt.applied_size, index)


def rejected_beyond(
    receipt: channel_pb2.Receipt | None, own: Mapping[tuple[int, str], int], epoch: int, applied_size: int
) -> Mapping[str, int]:
    """The codes under which a receipt rejects more records than the fold here does, over no more entries."""
    if receipt is None or receipt.epoch != epoch or receipt.applied_size > applied_size:
        return {}
    rejected = channel_pb2.RECORD_OUTCOME_REJECTED
    theirs = {each.code: each.count for each in receipt.outcomes if each.outcome == rejected}
    return {code: count for code, count in sorted(theirs.items()) if count > own.get((rejected, code), 0)}


def removals_in(header: channel_pb2.EntryHeader, body: bytes | None) -> Iterator[record_pb2.RecordRef]:
    """What an entry takes off its list, by the places where it was entered: operations are never erased."""
    if header.kind != channel_pb2.ENTRY_KIND_LIST or body is None:
        return
    for slot in channel_pb2.EntryBody.FromString(body).slots:
        op = _op_of(slot.record)
        if op.act == EXIT:
            yield op.entry


def _op_of(record: bytes) -> listing_pb2.ListOp:
    try:
        return listing_pb2.ListSlot.FromString(record).op
    except DecodeError:  # the fold has rejected it
        return listing_pb2.ListOp()


def _row(epoch: int, index: int, reader: Reader, standpoint: Standpoint, now_ms: int, timers: Timers) -> Row:
    counts = reader.standing is Standing.ACTIVE
    found = Delivery.APPLIED if reader.is_origin else delivered(epoch, index, reader.receipt, reader.digest)
    if found is Delivery.APPLIED:
        reason = Reason.REJECTED if reader.rejected else Reason.NONE
        detail = ", ".join(reader.rejected)
        return Row(reader, counts, found, Lateness.IN_TIME, reason, detail, 0)
    reason, detail, since_ms = _why(epoch, index, reader, now_ms)
    is_owed = counts and standpoint is Standpoint.OWED
    lateness = _lateness(now_ms - reader.owed_since_ms, timers) if is_owed else Lateness.IN_TIME
    return Row(reader, counts, found, lateness, reason, detail, since_ms)


def _lateness(age_ms: int, timers: Timers) -> Lateness:
    if age_ms >= timers.report_ms:
        return Lateness.REPORTED
    return Lateness.LATE if age_ms >= timers.late_ms else Lateness.IN_TIME


def _why(epoch: int, index: int, reader: Reader, now_ms: int) -> tuple[Reason, str, int]:
    """(reason, what is known of it, since when) for a reader that has not applied an entry: the surest reason first."""
    if reader.standing is not Standing.ACTIVE:
        return Reason(reader.standing.value), "", 0
    receipt = reader.receipt
    if receipt is not None:
        found = _by_receipt(epoch, index, receipt, reader.digest)
        if found is not None:
            return *found, receipt.observed_at_unix_ms
    if reader.behind_since_ms:
        return Reason.STALE_REGISTRY, "", reader.behind_since_ms
    seen_ms = min(reader.last_seen_ms, now_ms)  # some of it by the reader's own clock
    if not seen_ms:
        return Reason.NEVER_SEEN, reader.failure, 0
    if reader.failure and not reader.failure.startswith("WIRE_"):
        return Reason.REFUSES, reader.failure, seen_ms
    if reader.failure or now_ms - seen_ms > SILENT_AFTER_MS:
        return Reason.UNREACHABLE, reader.failure, seen_ms
    return Reason.WAITING, "", 0


def _by_receipt(epoch: int, index: int, receipt: channel_pb2.Receipt, digest: bytes) -> tuple[Reason, str] | None:
    if receipt.epoch < epoch:
        return None
    if differs(receipt, digest):
        return Reason.DIGEST, ""
    if receipt.epoch > epoch:
        return Reason.LATER_EPOCH, str(receipt.epoch)
    withheld = [each for each in receipt.withheld if each <= index]
    return (Reason.WITHHELD, ", ".join(map(str, withheld[:8]))) if withheld else None
