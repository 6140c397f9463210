"""Missing bodies: which ones to ask a peer for, and which ones to bring to a peer that lacks them.

Who lacks a body asks for it, so that it travels once. Only a node that nobody can call is never asked: it brings what
the peer's own receipt names as withheld.

What is said counts as said when whoever loops over it comes back for more: a call that broke off ends the loop, and
is made again at the next comparison.
"""

from collections.abc import AsyncIterator, Callable, Iterator

from node.admission import is_own, lane_of
from node.core.entry import SignedEntry
from node.core.heartbeat import ChannelEpoch
from node.links import Asked, Link, ranges
from node.ports import Clock, HeldChannel, Lane, Store, View
from node.sharing import Sharing

MISSING_BODIES_PER_SYNC = 4096


class Missing:
    """Says what to ask and what to bring; for the same ones again only after again_ms."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        sharing: Sharing,
        clock: Clock,
        only_dials_out: Callable[[str], bool],
        again_ms: int,
    ) -> None:
        self._view = view
        self._store = store
        self._sharing = sharing
        self._clock = clock
        self._only_dials_out = only_dials_out
        self._again_ms = again_ms
        self._answered: dict[tuple[str, ChannelEpoch], frozenset[int]] = {}

    def wanted(self, link: Link, lane: Lane) -> Iterator[tuple[ChannelEpoch, int, int]]:
        """The entries [start, end) of each log that lack a body here, and that the peer may have."""
        for held in self._logs(lane):
            if not held.incomplete_bodies or not self._sharing.may_read(link.node, held.log.channel):
                link.asked.pop(held.key, None)
                continue
            indexes = tuple(self._store.incomplete_entries(*held.key, MISSING_BODIES_PER_SYNC))
            if self._is_due(link.asked, held.key, indexes):
                for start, end in ranges(indexes):
                    yield held.key, start, end
                link.asked[held.key] = (indexes, self._clock.now_ms())
                if is_own(self._view, held.log.channel):
                    self._answered[link.node, held.key] = frozenset(indexes)

    def has_answered(self, node: str, key: ChannelEpoch, index: int) -> bool:
        """Whether a member was asked for the body of an entry of our own, and has given what it has."""
        return index in self._answered.get((node, key), ()) or self._names_withheld(node, key, index)

    def _names_withheld(self, node: str, key: ChannelEpoch, index: int) -> bool:
        """Whether a member that nobody can call says itself that its fold waits for the body of an entry."""
        known = self._store.receipt(key[0], node) if self._only_dials_out(node) else None
        if known is None:
            return False
        message = known.receipt.message
        return (message.epoch, message.applied_size) == (key[1], index) and index in message.withheld

    def brought(self, link: Link, lane: Lane) -> Iterator[tuple[ChannelEpoch, AsyncIterator[SignedEntry]]]:
        """The entries of each log that the peer says it lacks the body of, and cannot ask this node for."""
        if not self._only_dials_out(self._view.me):
            return
        for held in self._logs(lane):
            indexes = self._withheld(link.node, held)
            if not indexes:
                link.brought.pop(held.key, None)
            elif self._is_due(link.brought, held.key, indexes):
                yield held.key, self._entries(link.node, held.key, indexes)
                link.brought[held.key] = (indexes, self._clock.now_ms())

    def _logs(self, lane: Lane) -> Iterator[HeldChannel]:
        return (held for held in self._store.channels() if held.left_at is None and lane_of(held.manifest) is lane)

    def _withheld(self, node: str, held: HeldChannel) -> tuple[int, ...]:
        """What a member's receipt names as withheld, as far as it is whole here."""
        known = self._store.receipt(held.log.channel, node)
        if known is None or known.receipt.message.epoch != held.log.epoch:
            return ()
        entries = [(index, self._store.entry(*held.key, index)) for index in known.receipt.message.withheld]
        return tuple(index for index, entry in entries if entry is not None and entry.complete)

    async def _entries(self, node: str, key: ChannelEpoch, indexes: tuple[int, ...]) -> AsyncIterator[SignedEntry]:
        for index in indexes:
            for signed in self._sharing.entries(node, *key, index, index + 1):
                yield signed

    def _is_due(self, told: Asked, key: ChannelEpoch, indexes: tuple[int, ...]) -> bool:
        before, told_ms = told.get(key, ((), 0))
        return indexes != before or abs(self._clock.now_ms() - told_ms) >= self._again_ms
