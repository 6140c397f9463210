"""Dates: forgetting those that cannot be, once this node's clock is right.

While clocks are ahead, their nodes sign heartbeats of a time to come, take those of each other, and count logs as fresh
at that time. Held until then, such a heartbeat would silence its node, and would hide that the node is silent:

    (1) a heartbeat dated further ahead than clocks may differ loses its date: any other one is newer, and takes its
        place, with a sequence of its own, so that every peer is told; until then it goes to nobody
    (2) a log that counts as fresh then counts as never confirmed: nobody knows how long ago that was
    (3) the heads in it are as true as they were, and stay known, also of logs that have not begun here

A clock that is behind for a while forgets what was right. Then a log counts as less fresh than it is, never as fresher;
peers are asked for all their news again, and bring the same heartbeats once they take this node's clock for right.
"""

from collections.abc import Callable

from node.admission import root_at
from node.core import envelope as envelopes
from node.core.channel import HeadAt
from node.core.limits import DEFAULT_LIMITS, Limits
from node.ports import Clock, HeldHeartbeat, Lane, Store, StoreTransaction, View, Writer


class Dates:
    """Forgets dates in the future, for the duties that sign heartbeats and take them; forgot is told of it."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        forgot: Callable[[], None],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._forgot = forgot
        self._limits = limits

    async def heartbeat(self, node: str) -> HeldHeartbeat | None:
        """The newest heartbeat of a node; what of it cannot be true is forgotten first."""
        held = self._store.heartbeat(node)
        if held is None or held.time_ms <= self._latest_ms():
            return held
        await self.forget_future()
        return self._store.heartbeat(node)

    async def forget_future(self) -> None:
        """Forget every date further ahead than clocks may differ; nothing is written where there is none."""
        latest_ms = self._latest_ms()
        dates = [held.time_ms for held in self._store.heartbeats_since(0)]
        dates += [held.fresh_at_ms for held in self._store.channels()]
        if max(dates, default=0) > latest_ms:
            await self._writer.run(Lane.CONTROL, lambda tx: self._forget(tx, latest_ms))
            self._forgot()

    def _latest_ms(self) -> int:
        return self._clock.now_ms() + self._limits.max_clock_skew_ms

    def _forget(self, tx: StoreTransaction, latest_ms: int) -> None:
        # (3) the heads; what takes the place of the heartbeat may be an earlier one that shows less
        for held in tx.heartbeats_since(0):
            if held.time_ms > latest_ms and held.node != self._view.me:
                self._keep_heads(tx, held)
        # (1) heartbeats, (2) logs
        tx.forget_dates(latest_ms)

    def _keep_heads(self, tx: StoreTransaction, held: HeldHeartbeat) -> None:
        """Note how far the logs in a heartbeat reach, where a key active now has signed it."""
        signer = self._view.members.get(held.node)
        keys = signer.active_keys if signer is not None else []
        if not envelopes.signers(held.view.heartbeat, envelopes.HEARTBEAT, keys, self._limits):
            return
        for item in held.view.heads:
            key, head = (item.head.channel, item.head.epoch), HeadAt(item.head.size, item.head.root)
            if root_at(tx, tx.log(*key), head.size) in (None, head.root):
                tx.set_covered(*key, head)
