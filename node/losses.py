"""Losses: entries of our own whose content is gone for good, and what we sign of them.

Our entries are whole when we write them. One that is here without its content was given back after a restore, by
members of which none had more than its header, or bare slots. Everybody's fold waits before it, also for liftings
behind it, and nobody but its origin may say that there is nothing to wait for. It says so once every reader was asked:

    (1) an alarm names the entry and how many records are to be published again
    (2) a status entry of the same channel erases the slots that are bare, or the entry as a whole where not even
        their commitments are left

Where the officers have reopened this node, members that had not answered it by then are not waited for.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from node.admission import header_of, is_own
from node.core.entry import erased_in, open_body
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import channel_pb2, record_pb2
from node.ports import HeldChannel, HeldEntry, Store, StoreTransaction, View

REASON = "内容在发布节点恢复备份时灭失"
"""What the status entry gives as its reason: the content perished when its origin was restored from a backup."""


@dataclass(frozen=True, slots=True)
class Loss:
    """An entry of ours of which records are gone, and the operations that say so."""

    key: ChannelEpoch
    index: int
    kind: channel_pb2.EntryKind
    records: int
    ops: Sequence[record_pb2.StatusOp]


def tell_losses(tx: StoreTransaction, losses: Sequence[Loss], now_ms: int) -> None:
    """Raise an alarm for each entry: its operator must publish, or order, again what it held."""
    for loss in losses:
        channel, epoch = loss.key
        code = "STATUS_LOST" if loss.kind == channel_pb2.ENTRY_KIND_STATUS else "ENTRY_LOST"
        found = {"channel": channel, "epoch": str(epoch), "index": str(loss.index), "count": str(loss.records)}
        tx.raise_alarm(code, f"{channel} {epoch}/{loss.index}", found, now_ms)


class Losses:
    """Finds what is lost. has_answered says whether a member was asked for the body of an entry, and has answered."""

    def __init__(
        self,
        view: View,
        store: Store,
        has_answered: Callable[[str, ChannelEpoch, int], bool],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._has_answered = has_answered
        self._limits = limits
        self.excused: Collection[str] = ()

    def channels(self) -> Sequence[str]:
        """The channels of which something is lost, in order."""
        return sorted({held.log.channel for held in self._incomplete() if any(self._lost(held))})

    def of(self, channel: str) -> Sequence[Loss]:
        """What is lost of a channel, oldest first."""
        logs = [held for held in self._incomplete() if held.log.channel == channel]
        return [self._loss(held, entry) for held in logs for entry in self._lost(held)]

    def _incomplete(self) -> Iterator[HeldChannel]:
        """Our logs that lack content below their cut; above it nobody is given anything any more."""
        for held in self._store.channels():
            if held.incomplete_bodies and is_own(self._view, held.log.channel):
                yield held

    def _indexes(self, held: HeldChannel) -> Sequence[int]:
        me = self._view.members.get(self._view.me)
        is_open = me is not None and held.log.epoch == me.open_epoch
        size = held.log.cut.size if held.log.cut is not None else held.log.size if is_open else 0
        indexes = self._store.incomplete_entries(*held.key, self._limits.max_records_per_entry)
        return [index for index in indexes if index < size]

    def _lost(self, held: HeldChannel) -> Iterator[HeldEntry]:
        for index in self._indexes(held):
            entry = self._store.entry(*held.key, index)
            if entry is not None and not any(self._waited_for(held, index)):
                yield entry

    def _waited_for(self, held: HeldChannel, index: int) -> Iterator[str]:
        """The readers that may still give the content of an entry back."""
        newest = self._store.channel(held.log.channel) or held
        for node in self._view.members.audience(held.origin, newest.manifest.audience):
            is_asked = node != self._view.me and node not in self.excused
            if is_asked and not self._has_answered(node, held.key, index):
                yield node

    def _loss(self, held: HeldChannel, entry: HeldEntry) -> Loss:
        header, (channel, epoch) = header_of(entry), held.key
        target = record_pb2.RecordRef(channel=channel, epoch=epoch, index=entry.index)
        if entry.body is None:
            kind = record_pb2.STATUS_KIND_ERASE_ENTRY
            whole = record_pb2.StatusOp(kind=kind, target=target, commitment=header.records_root)
            return Loss(held.key, entry.index, header.kind, header.record_count, [whole])
        body = open_body(header, entry.body, self._limits)
        erased = erased_in(body, self._store.erasures(channel, epoch, entry.index))
        ops = []
        for position in body.bare:
            if position not in erased:
                target.position = position
                op = record_pb2.StatusOp(kind=record_pb2.STATUS_KIND_ERASE, target=target)
                op.commitment = body.commitments[position]
                ops.append(op)
        return Loss(held.key, entry.index, header.kind, len(ops), ops)
