"""Removals: what takes records back travels ahead of the records, and has its effect before them.

A status entry stands in the log of its records, often at the end of years of them. A node that is new, or was away,
folds that log in order and would answer what its origin has withdrawn, corrected or erased long ago until it got
there. So before the bulk of a log it asks for the status entries of all that it lacks:

    (1) the head      of the newest heartbeat of the origin, or of the cut: what was signed says how far the log reaches
    (2) the entries   authentic, and each proven to stand in the log of that head
    (3) their effect  what they erase and what they do to records is kept, before their targets are here
    (4) how far       is kept in the same transaction: nothing is asked again after a restart

The log itself goes on in order as ever, and meets the same entries once more: then they do nothing new.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from weakref import WeakValueDictionary

from node.admission import Admission, heartbeat_head, is_own, lane_of
from node.core import envelope as envelopes
from node.core.channel import HeadAt, Log, check_ahead
from node.core.entry import AheadEntry, SignedEntry, origin_of
from node.core.errors import XinqiaoError
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.ports import Clock, HeldChannel, Lane, Peer, Peers, Store, StoreReader, StoreTransaction, View, Writer

LACKED_ENTRIES = 8
"""Who lacks fewer entries of a log has them all as soon."""
ENTRIES_AT_ONCE = 65_536
"""So many entries of a log are looked through for one question."""
ASK_AGAIN_S = 60.0
RUN_ENTRIES = 16
"""One transaction; bodies of status entries are small."""


class Removals:
    """Asks for the status entries of logs that are behind, and lets them take effect."""

    def __init__(
        self, view: View, store: Store, writer: Writer, clock: Clock, peers: Peers, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._clock, self._peers = clock, peers
        self._admission = Admission(view, limits)
        self._limits = limits
        self._failed_s: dict[str, float] = {}
        # A lock lives as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[ChannelEpoch, asyncio.Lock] = WeakValueDictionary()

    def lacked(self, held: HeldChannel) -> tuple[int, HeadAt] | None:
        """From which index on removals of a log are to be asked for, and by which head; None where there are none."""
        head = self.head(held)
        if head is None or held.left_at is not None or is_own(self._view, held.log.channel):
            return None
        start = max(held.log.size, told_size(self._store, held.key))
        return (start, head) if head.size - start >= LACKED_ENTRIES else None

    def head(self, held: HeldChannel) -> HeadAt | None:
        """The largest head of a log that a cut, or a heartbeat under a key that is active now, stands for."""
        if held.log.cut is not None:
            return held.log.cut
        origin, beat = self._view.members.get(held.origin), self._store.heartbeat(held.origin)
        head = heartbeat_head(beat.view, held.key) if beat is not None else None
        if origin is None or beat is None or head is None or not self._is_larger(head, held.log):
            return held.log.covered
        signed = envelopes.signers(beat.view.heartbeat, envelopes.HEARTBEAT, origin.active_keys, self._limits)
        return head if signed else held.log.covered

    def _is_larger(self, head: HeadAt, log: Log) -> bool:
        return log.covered is None or head.size > log.covered.size

    async def before(self, node: str, key: ChannelEpoch) -> None:
        """Before entries of a log that a peer sends are taken: removals go ahead of these, too, where it can be asked.

        Where it cannot, or gives none, nothing that it sends waits for that again for a while.
        """
        held, peer = self._store.channel(*key), self._peers.peer(node)
        lacked = self.lacked(held) if held is not None and lane_of(held.manifest) is Lane.BULK else None
        if lacked is None or peer is None or self._has_failed(node):
            return
        try:
            await self.fetch(peer, key, lacked[1])
        except XinqiaoError:
            self._failed_s[node] = self._clock.monotonic_s()

    def _has_failed(self, node: str) -> bool:
        return node in self._failed_s and self._clock.monotonic_s() - self._failed_s[node] < ASK_AGAIN_S

    async def fetch(self, peer: Peer, key: ChannelEpoch, theirs: HeadAt) -> None:
        """Ask a peer that claims so much of a log for the removals in it that are lacked here.

        Raises WIRE_*, what core.channel.check_ahead raises, and whatever the peer answers as a refusal.
        """
        async with self._locks.setdefault(key, asyncio.Lock()):
            held = self._store.channel(*key)
            lacked = self.lacked(held) if held is not None else None
            if lacked is not None and theirs.size >= lacked[1].size:
                await self._fetch(peer, key, *lacked)

    async def _fetch(self, peer: Peer, key: ChannelEpoch, start: int, head: HeadAt) -> None:
        for begin in range(start, head.size, ENTRIES_AT_ONCE):
            end, run = min(begin + ENTRIES_AT_ONCE, head.size), list[AheadEntry]()
            async with aclosing(peer.pull_acts(*key, begin, end, head.size)) as found:
                async for signed in found:
                    run.append(self._checked(key, head, signed))
                    if len(run) == RUN_ENTRIES:
                        await self._take(key, run, signed.index + 1)
                        run = []
            await self._take(key, run, end)

    def _checked(self, key: ChannelEpoch, head: HeadAt, signed: SignedEntry) -> AheadEntry:
        log, origin = self._store.log(*key), self._view.members.get(origin_of(key[0]))
        return check_ahead(log, head, signed, origin, self._view.network, self._limits)

    async def _take(self, key: ChannelEpoch, run: Sequence[AheadEntry], size: int) -> None:
        def step(tx: StoreTransaction) -> None:
            self._admission.take_ahead(tx, run)
            if tx.log(*key).size < size:
                tx.set_setting(_name(key), str(size))

        await self._writer.run(Lane.CONTROL, step)


def told_size(store: StoreReader, key: ChannelEpoch) -> int:
    """Up to which size of a log its removals have been asked for ahead of their turn."""
    return int(store.setting(_name(key)) or 0)


def _name(key: ChannelEpoch) -> str:
    return f"removals {key[0]} {key[1]}"
