"""Links: what this node knows of each peer it keeps in step with, and when a link that failed is tried again.

How a link stands is kept in the database, so that a restart does not storm peers that are down. Everything else is
rebuilt by the next Hello.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from node.core.channel import HeadAt
from node.core.delivery import retry_delay_s
from node.core.errors import XinqiaoError, to_refusal
from node.core.heartbeat import ChannelEpoch
from node.core.limits import Limits
from node.pb import envelope_pb2, exchange_service_pb2
from node.ports import Clock, Entropy, Lane, LinkState, Store, Writer

Asked = dict[ChannelEpoch, tuple[tuple[int, ...], int]]
"""Which entries' bodies were asked for, or brought, and when."""

CALLED_RETRY_S = 2.0
BUSY_STATUS = "RESOURCE_EXHAUSTED"
_SKEW_END_MS = 1 << 62
SIZE_DIGITS = 18


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after that many seconds.

    Not asyncio.wait_for: in Python 3.11 it swallows a cancellation that arrives together with the event.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def ended(*tasks: "asyncio.Task[None]") -> None:
    """Return when tasks have come to an end, whatever it is.

    Not asyncio.gather: for tasks that are done already it takes a turn of the loop before Python 3.12 and none since,
    and a simulated run is to be the same under both.
    """
    for task in tasks:
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()


@dataclass(frozen=True, slots=True)
class Work:
    """A log to pull from a peer, or to push to it, from an index on; end is where a pull stops, None for nowhere.

    probes: the entry before our head is asked for, to find out which of two histories is whose. theirs is the head
    that the peer claims.
    """

    pulls: bool
    start: int
    probes: bool = False
    end: int | None = None
    theirs: HeadAt | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A transfer that was refused: how things stood before it, how often in a row they stood so, and when last."""

    standing: bytes
    times: int
    at_ms: int


@dataclass(slots=True)
class Link:
    """One link: what is known of the peer and what there is to do, all of it rebuilt by the next Hello.

    answered is how far the peer said that it holds what was sent to it: it may name no head of a log that it holds.
    registry says which files of the registry the peer has read; refused_receipts that it has refused receipts since.
    untold says that there are receipts for what the peer gave, and that it was not told them.
    lacks names those whose newest heartbeat the peer lacked at the last comparison, None where that is not known; shown
    is which of whose it has been told, by time and heads. compared_s is when they were compared (monotonic clock).
    """

    node: str
    known: dict[ChannelEpoch, int] = field(default_factory=dict)
    answered: dict[ChannelEpoch, int] = field(default_factory=dict)
    dirty: dict[ChannelEpoch, None] = field(default_factory=dict)
    bulk: dict[ChannelEpoch, Work] = field(default_factory=dict)
    told: exchange_service_pb2.Cursor = field(default_factory=exchange_service_pb2.Cursor)
    heard: exchange_service_pb2.Cursor = field(default_factory=exchange_service_pb2.Cursor)
    control_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    roused: asyncio.Event = field(default_factory=asyncio.Event)
    bulk_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    asked: Asked = field(default_factory=dict)
    brought: Asked = field(default_factory=dict)
    asked_sizes: dict[ChannelEpoch, int] = field(default_factory=dict)
    refused: dict[ChannelEpoch, Refused] = field(default_factory=dict)
    registry: tuple[int, int, bytes] = (0, 0, b"")
    refused_receipts: bool = False
    hello_due: bool = True
    receipts_due: bool = False
    untold: bool = False
    lacks: frozenset[str] | None = None
    shown: dict[str, tuple[int, int]] = field(default_factory=dict)
    compared_s: float = -math.inf
    _taken: dict[ChannelEpoch, int] = field(default_factory=dict)
    _put_off: set[ChannelEpoch] = field(default_factory=set)

    def hear(self, cursor: exchange_service_pb2.Cursor) -> None:
        """Note how far the peer has told its news; one that has started anew may hold less than it ever answered."""
        if cursor.incarnation != self.heard.incarnation:
            self.answered.clear()
        self.heard = cursor

    def ask_size(self, key: ChannelEpoch, size: str) -> None:
        """The peer believes entries of a log only with the proof that they belong to its head of a size, in digits."""
        if size.isascii() and size.isdecimal() and len(size) <= SIZE_DIGITS:
            self.asked_sizes[key] = int(size)

    def in_step(self, heads: Iterable[tuple[ChannelEpoch, HeadAt]]) -> None:
        """The peer holds all there is: nothing found by an earlier comparison moves any more."""
        self.known = {key: head.size for key, head in heads}
        self.bulk.clear()
        self.refused.clear()

    @contextmanager
    def taking(self, key: ChannelEpoch) -> Iterator[None]:
        """While the peer takes a log itself; afterwards both compare, if this node was to send it meanwhile."""
        self._taken[key] = self._taken.get(key, 0) + 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
                if key in self._put_off:
                    self._put_off.remove(key)
                    self.want_hello()

    @property
    def is_taken_from(self) -> bool:
        """Whether the peer takes a log itself just now."""
        return bool(self._taken)

    def takes(self, key: ChannelEpoch) -> bool:
        """Whether the peer takes a log itself just now: whoever would send it leaves it at that."""
        if key in self._taken:
            self._put_off.add(key)
        return key in self._taken

    def has_read(self, registry: tuple[int, int, bytes]) -> None:
        """Note what the peer has read of the registry: it may know the key by now whose receipts it refused."""
        if self.refused_receipts and registry != self.registry:
            self.refused_receipts, self.told.receipts = False, 0
        self.registry = registry

    def want_hello(self) -> None:
        """Compare as soon as the link is free."""
        self.hello_due = True
        self.want(Lane.CONTROL)

    def want_receipts(self) -> None:
        """Tell receipts for what has come, if any has, as soon as the link is free."""
        if self.untold:
            self.receipts_due = True
            self.want(Lane.CONTROL)

    def want(self, lane: Lane) -> None:
        """Work has come for a lane; both look again whether the link still rests where it is work for control.

        Each wakes by an event of its own: one that wakes in the bulk to rest again must not take control's work away.
        """
        if lane is Lane.BULK:
            self.bulk_wanted.set()
            return
        self.control_wanted.set()
        self.roused.set()
        self.roused = asyncio.Event()


class LinkStates:
    """Notes how each link goes, and says how long to wait before it is tried again."""

    def __init__(self, store: Store, writer: Writer, clock: Clock, entropy: Entropy, retry_cap_s: float) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._entropy = entropy
        self._retry_cap_s = retry_cap_s

    def pause_s(self, node: str) -> float:
        """How long the link still rests, 0 when it may be tried."""
        remaining_ms = self._store.link(node).retry_at_ms - self._clock.now_ms()
        # A pause longer than any we make was noted by a clock that has been set back since.
        return remaining_ms / 1000 if 0 < remaining_ms <= self._retry_cap_s * 1000 else 0.0

    async def succeeded(self, node: str) -> None:
        """A whole round went well."""
        now_ms = self._clock.now_ms()
        await self._keep(
            replace(self._store.link(node), failures=0, retry_at_ms=0, last_success_ms=now_ms, failure=b"")
        )

    async def failed(self, node: str, error: XinqiaoError) -> None:
        """Back off, longer each time; a peer that is only busy is not counted as down."""
        state = self._store.link(node)
        failures = state.failures if error.spec.status == BUSY_STATUS else state.failures + 1
        delay_s = retry_delay_s(max(failures, 1), self._entropy.uniform(0.0, 1.0), self._retry_cap_s)
        retry_at_ms = self._clock.now_ms() + int(delay_s * 1000)
        # The order of a map is otherwise another one in every process.
        failure = to_refusal(error).SerializeToString(deterministic=True)
        await self._keep(replace(state, failures=failures, retry_at_ms=retry_at_ms, failure=failure))

    async def called(self, node: str) -> bool:
        """The peer itself has called and was answered: whether its link rests no longer than a moment from now.

        Not at once: of two nodes that both fail with each other, each would wake the other without end. Nor where
        the peer is only busy: it has said so.
        """
        state, soon_ms = self._store.link(node), self._clock.now_ms() + int(CALLED_RETRY_S * 1000)
        if not state.retry_at_ms or state.retry_at_ms <= soon_ms or _is_busy(state):
            return False
        await self._keep(replace(state, retry_at_ms=soon_ms))
        return True

    async def skewed(self, node: str, skew_ms: int) -> None:
        """How far the peer's clock is from ours, where that has changed by more than a second."""
        state = self._store.link(node)
        bounded_ms = max(-_SKEW_END_MS, min(skew_ms, _SKEW_END_MS))
        if abs(bounded_ms - state.clock_skew_ms) > 1000:
            await self._keep(replace(state, clock_skew_ms=bounded_ms))

    async def _keep(self, state: LinkState) -> None:
        await self._writer.run(Lane.CONTROL, lambda tx: tx.put_link(state))


def _is_busy(state: LinkState) -> bool:
    if not state.failure:
        return False
    refusal = envelope_pb2.Refusal.FromString(state.failure)
    return XinqiaoError(refusal.code).spec.status == BUSY_STATUS


def check_skew(me: str, peer: str, skew_ms: int, limits: Limits) -> None:
    """Refuse to exchange with a clock too far away; raises CLOCK_SKEW, which names both sides."""
    if abs(skew_ms) > limits.max_clock_skew_ms:
        raise XinqiaoError(
            "CLOCK_SKEW", node=me, peer=peer, skew_s=skew_ms // 1000, limit_s=limits.max_clock_skew_ms // 1000
        )


def ranges(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending indexes as ranges [start, end)."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and found[-1][1] == index:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


async def count_refused(calls: Sequence[Callable[[], Awaitable[None]]]) -> int:
    """Make calls one after another; how many of them were refused."""
    refused = 0
    for call in calls:
        try:
            await call()
        except XinqiaoError:
            refused += 1
    return refused
