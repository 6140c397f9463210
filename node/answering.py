"""Answering: the duty that reads what this node holds and says how fresh it is.

Reading changes nothing. Every answer rests on entries that were verified before they were stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from node.admission import is_own
from node.conditions import Conditions
from node.core import merkle
from node.core.acts import Condition
from node.core.catalogue import Item
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Standing
from node.core.record import Record, parse_record
from node.pb import admin_service_pb2, channel_pb2, record_pb2
from node.ports import Clock, HeldAlarm, HeldChannel, HeldReceipt, HeldRecord, Store, View


@dataclass(frozen=True, slots=True)
class Answer:
    """One record with how it stands, its values by column code while it is in force, the freshness of its channel."""

    held: HeldRecord
    record: record_pb2.Record
    values: Mapping[str, str]
    fresh_at_ms: int
    condition: Condition


class Answering:
    """Looks up records, channels, receipts and proofs."""

    def __init__(self, view: View, store: Store, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._limits = limits
        self.conditions = Conditions(store, clock, limits)

    # -- records ------------------------------------------------------------------------------------

    def records(self, subject: str, channel: str, limit: int, *, everything: bool = False) -> Iterator[Answer]:
        """Records in force by subject, by channel or all; raises CHANNEL_UNKNOWN. limit 0 means all.

        One that is dated in the future has no effect before its date. everything: also those that are suspended,
        repaired, withdrawn or corrected, without their values.
        """
        if channel and self._store.channel(channel) is None:
            raise XinqiaoError("CHANNEL_UNKNOWN", channel=channel)
        fresh = {held.log.channel: held.fresh_at_ms for held in self._store.channels()}
        now_ms = self._clock.now_ms() + self._limits.max_clock_skew_ms
        in_effect = (
            held for held in self._store.records(subject or None, channel or None) if held.issued_at_ms <= now_ms
        )
        standing = ((held, found) for held, found in self._standing(in_effect) if everything or found.is_answered)
        for held, found in islice(standing, limit or None):
            yield self._answer(held, fresh.get(held.channel, 0), found)

    def _standing(self, records: Iterable[HeldRecord]) -> Iterator[tuple[HeldRecord, Condition]]:
        """Each record with how it stands; they come channel by channel, so that the acts of one are read at a time."""
        for channel, group in groupby(records, key=lambda held: held.channel):
            found = self.conditions.in_force(channel)
            for held in group:
                yield held, found.get(held.place) or Condition()

    def _answer(self, held: HeldRecord, fresh_at_ms: int, found: Condition) -> Answer:
        if not found.is_answered:
            return Answer(held, record_pb2.Record(), {}, fresh_at_ms, found)
        values = self.named(parse_record(held.record))
        return Answer(held, record_pb2.Record.FromString(held.record), values, fresh_at_ms, found)

    def named(self, record: Record) -> dict[str, str]:
        """The values of a record by column code, by number where no edition here knows the field."""
        item = self._item(record.item)
        codes = {field.number: field.code for field in item.fields} if item is not None else {}
        return {codes.get(number, str(number)): text for number, text in record.values.items()}

    def _item(self, item: str) -> Item | None:
        editions = sorted(self._view.editions.values(), key=lambda edition: edition.version, reverse=True)
        return next((edition.items[item] for edition in editions if item in edition.items), None)

    # -- channels -----------------------------------------------------------------------------------

    def channels(self) -> Sequence[HeldChannel]:
        """All epochs of all channels held."""
        return self._store.channels()

    def channel(self, channel: str) -> HeldChannel:
        """The newest epoch of a channel; raises CHANNEL_UNKNOWN."""
        held = self._store.channel(channel)
        if held is None:
            raise XinqiaoError("CHANNEL_UNKNOWN", channel=channel)
        return held

    def audience(self, held: HeldChannel) -> tuple[str, ...]:
        """The members that may read a channel now."""
        return self._view.members.audience(held.origin, held.manifest.audience)

    def outcomes(self, held: HeldChannel) -> Mapping[tuple[int, str], int]:
        """(RecordOutcome, code) -> count over what is applied of a log."""
        return self._store.outcomes(*held.key)

    def deliveries(self, held: HeldChannel) -> list[tuple[str, HeldReceipt | None]]:
        """The largest receipt of every reader but the origin."""
        found = {item.receipt.message.subscriber: item for item in self._store.receipts(held.log.channel)}
        return [(node, found.get(node)) for node in self.audience(held) if node != held.origin]

    def state_of(self, held: HeldChannel) -> str:
        """Where a log stands: open, cut, awaiting cut, quarantined or left."""
        origin = self._view.members.get(held.origin)
        if held.left_at is not None:
            return "left"
        if held.log.cut is not None:
            return "cut"
        if held.log.quarantined:
            return "quarantined"
        closed = origin is None or origin.standing is not Standing.ACTIVE or held.log.epoch < origin.open_epoch
        return "awaiting cut" if closed else "open"

    def record_count(self, channel: str | None = None) -> int:
        """Records in force that are answered."""
        held = {each.log.channel for each in self._store.channels()} if channel is None else {channel}
        return self._store.record_count(channel) - sum(map(self.conditions.stopped_count, held))

    def alarms(self) -> Sequence[HeldAlarm]:
        """What a person should look at, newest first."""
        return self._store.alarms()

    def summary(self, held: HeldChannel) -> admin_service_pb2.ChannelSummary:
        """One channel as it is shown."""
        head = channel_pb2.Head(channel=held.log.channel, epoch=held.log.epoch, size=held.log.size, root=held.log.root)
        return admin_service_pb2.ChannelSummary(
            head=head,
            applied_size=held.applied_size,
            manifest=held.manifest,
            records=self.record_count(held.log.channel),
            state=self.state_of(held),
            fresh_at_unix_ms=held.fresh_at_ms,
            audience_nodes=self.audience(held),
            outcomes=outcome_messages(self.outcomes(held)),
            missing_bodies=held.incomplete_bodies,
            cut=_cut(held),
        )

    def is_own(self, held: HeldChannel) -> bool:
        """Whether this node writes a channel."""
        return is_own(self._view, held.log.channel)

    # -- proofs -------------------------------------------------------------------------------------

    def consistency_proof(self, channel: str, epoch: int, old_size: int, new_size: int) -> list[bytes]:
        """Prove that one size of a log is a prefix of another; raises ARGUMENT_INVALID (RFC 6962 2.1.2)."""
        held = self._store.channel(channel, epoch)
        if held is None or not 1 <= old_size <= new_size <= held.log.size:
            raise XinqiaoError("ARGUMENT_INVALID", argument="sizes", detail="1 <= old_size <= new_size <= size")
        return merkle.prove_consistency(old_size, new_size, self._store.hashes(channel, epoch))

    def inclusion_proof(self, channel: str, epoch: int, index: int, size: int) -> list[bytes]:
        """Prove that an entry stands in a log of a size; raises ARGUMENT_INVALID (RFC 6962 2.1.1)."""
        held = self._store.channel(channel, epoch)
        if held is None or not 0 <= index < size <= held.log.size:
            raise XinqiaoError("ARGUMENT_INVALID", argument="index", detail="0 <= index < size <= size held")
        return merkle.prove_inclusion(index, size, self._store.hashes(channel, epoch))


def _cut(held: HeldChannel) -> channel_pb2.CutReference | None:
    cut = held.log.cut
    return channel_pb2.CutReference(epoch=held.log.epoch, size=cut.size, root=cut.root) if cut is not None else None


def outcome_messages(counts: Mapping[tuple[int, str], int]) -> list[channel_pb2.OutcomeCount]:
    """Outcome counts as they travel."""
    return [
        channel_pb2.OutcomeCount(outcome=channel_pb2.RecordOutcome.Name(outcome), code=code, count=count)
        for (outcome, code), count in sorted(counts.items())
    ]
