"""Regained: what shows a node, since it started, that it lacks nothing of a list: a part of delivery and of checking.

A database that was put back from a backup looks sound to itself. So at every start every list is in doubt until

    its origin has shown, in a comparison, a head that is applied here, or
    a heartbeat of its origin that was signed after the start covers only what is applied here,

and again where a peer gives back a receipt of ours for more than is applied here, until it is.

Nothing confirms a closed epoch: what came after it may be kept from a node that was dropped from the list since.

What an origin shows is a claim; it is taken for its own lists alone, and of no worth to anybody else.
"""

from collections.abc import Iterable, Sequence

from node.admission import is_own, root_at
from node.core.channel import HeadAt
from node.core.entry import origin_of
from node.core.errors import XinqiaoError
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_fold import is_list
from node.core.receipt import claim_of, open_receipt
from node.pb import channel_pb2, envelope_pb2
from node.ports import Clock, HeldChannel, Store, View


class Regained:
    """Notes of one process; nothing of them is kept."""

    def __init__(self, view: View, store: Store, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._store = store
        self._limits = limits
        self._started_ms = clock.now_ms()
        self._shown: dict[str, dict[ChannelEpoch, HeadAt]] = {}
        self._owed: dict[str, tuple[int, int]] = {}
        self._regained: set[str] = set()

    def shown(self, peer: str, heads: Iterable[tuple[ChannelEpoch, HeadAt]]) -> None:
        """Note the heads that a peer shows of its own lists."""
        own = {key: head for key, head in heads if origin_of(key[0]) == peer and is_list(key[0])}
        self._shown[peer] = own
        for key in own:
            held = self._store.channel(*key)
            if held is not None:
                self.is_regained(held)

    def given_back(self, receipts: Sequence[envelope_pb2.Envelope]) -> None:
        """Note receipts of this node, which a peer has kept, for more of a list than is applied here."""
        for envelope in receipts[: self._limits.max_heads_per_hello]:
            try:
                message = self._ours(envelope)
            except XinqiaoError:
                continue  # whoever makes receipts up that we have not signed puts nothing in doubt
            if message is not None:
                extent = (message.epoch, message.applied_size)
                self._owed[message.channel] = max(extent, self._owed.get(message.channel, (0, 0)))

    def _ours(self, envelope: envelope_pb2.Envelope) -> channel_pb2.Receipt | None:
        """A receipt for more of a list than is applied here; raises what makes it none of ours."""
        claim = claim_of(envelope, self._limits)
        if claim.subscriber != self._view.me or not is_list(claim.channel):
            return None
        held = self._store.channel(claim.channel, claim.epoch)
        if held is not None and held.applied_size >= claim.applied_size:
            return None
        return open_receipt(envelope, self._view.members.get(self._view.me), self._view.network, self._limits).message

    def is_regained(self, held: HeldChannel) -> bool:
        """Whether nothing of a list of another node can be missing here without its origin's knowing."""
        channel = held.log.channel
        if channel in self._owed and self._is_applied(channel, *self._owed[channel]):
            del self._owed[channel]
        if channel not in self._regained and (self._is_confirmed(held) or is_own(self._view, channel)):
            self._regained.add(channel)
        return channel in self._regained and channel not in self._owed

    def _is_confirmed(self, held: HeldChannel) -> bool:
        shown, origin = self._shown.get(held.origin, {}), self._view.members.get(held.origin)
        head = shown.get(held.key)
        # Of a later epoch whoever was dropped in it is shown nothing, and a backup does not know that it was.
        if origin is None or held.log.epoch < origin.open_epoch:
            return False
        if held.fresh_at_ms > self._started_ms + self._limits.max_clock_skew_ms:
            return True
        # Who shows a later epoch shows that what is held is not the end of the list.
        is_newest = all(epoch <= held.log.epoch for channel, epoch in shown if channel == held.log.channel)
        return (
            head is not None
            and is_newest
            and 0 < head.size <= held.applied_size
            and root_at(self._store, held.log, head.size) == head.root
        )

    def _is_applied(self, channel: str, epoch: int, applied_size: int) -> bool:
        """Whether that much of an epoch is applied; what lies above its cut is void, and not waited for."""
        held = self._store.channel(channel, epoch)
        if held is None:
            return False
        cut = held.log.cut
        return held.applied_size >= (applied_size if cut is None else min(applied_size, cut.size))
