"""How messages travel between two simulated nodes: latency, bandwidth, partitions, and everything that goes wrong.

Every draw comes from one seeded generator, and virtual time is that of the running loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from node.ports import Lane
from node.simulator.scenario import LinkOptions

Note = Callable[..., None]
SLOW_TIMES = 10.0
QUIET_BYTES_PER_S = 16_384
"""What a road carries at least once it is quiet. Where the windows of two streams (64 KiB each) take longer than a
stream may idle (60 s), both end before they have moved anything, and nothing is promised there."""


class _Road:
    """One direction between two nodes."""

    __slots__ = ("carried", "free_at_s", "options")

    def __init__(self, options: LinkOptions) -> None:
        self.options = options
        self.carried = 0
        self.free_at_s: dict[Lane | None, float] = {}


class Roads:
    """All directions between all nodes, named by node id; quiet leaves latency and enough bandwidth, nothing worse."""

    def __init__(self, random: Random, options: Callable[[str, str], LinkOptions], note: Note) -> None:
        self.random = random
        self.note = note
        self.quiet = False
        self._options = options
        self._roads: dict[tuple[str, str], _Road] = {}
        self._cuts: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._tokens = count(1)
        self._slow: dict[str, float] = {}

    # -- what is done to them -------------------------------------------------------------------------

    def cut(self, senders: Sequence[str], receivers: Sequence[str]) -> int:
        """Let everything vanish that the senders send to the receivers from now on, until heal(token)."""
        token = next(self._tokens)
        self._cuts[token] = (frozenset(senders), frozenset(receivers))
        return token

    def heal(self, token: int) -> None:
        """End one cut; others stay."""
        self._cuts.pop(token, None)

    def slow(self, node: str, times: float) -> None:
        """Multiply the latency of every message to and from a node."""
        self._slow[node] = times

    def normal(self, node: str) -> None:
        """End slow()."""
        self._slow.pop(node, None)

    def is_cut(self, sender: str, receiver: str) -> bool:
        """Whether what one sends to the other vanishes now."""
        return any(sender in senders and receiver in receivers for senders, receivers in self._cuts.values())

    def bytes_between(self, one: str, other: str) -> int:
        """The bytes of all messages that the two have sent each other so far."""
        return self._road(one, other).carried + self._road(other, one).carried

    # -- what travels on them -------------------------------------------------------------------------

    def carry(self, sender: str, receiver: str, size: int) -> None:
        """Count a message."""
        self._road(sender, receiver).carried += size

    def arrival_s(self, sender: str, receiver: str, lane: Lane | None, size: int) -> float | None:
        """When something sent now arrives, in virtual seconds; None where it vanishes."""
        if self._cuts and self.is_cut(sender, receiver):
            self.note("vanishes", sender, to=receiver)
            return None
        road = self._road(sender, receiver)
        low_ms, high_ms = road.options.latency_ms
        latency_s = self.random.uniform(low_ms, high_ms) / 1000 * self._times(sender, receiver)
        if self.draws(road.options.slow_share):
            latency_s *= SLOW_TIMES
        if not self.quiet and self.draws(road.options.stall):
            latency_s += self._stall_s(sender, receiver, road.options)
        return self._sent_s(road, lane, size) + latency_s

    def leaves_s(self, sender: str, receiver: str, lane: Lane | None) -> float:
        """When the first byte of what is sent now leaves."""
        return max(asyncio.get_running_loop().time(), self._road(sender, receiver).free_at_s.get(lane, 0.0))

    def take_back(self, sender: str, receiver: str, lane: Lane | None, size: int) -> None:
        """Let bytes that have not left yet make room for what is sent from now on."""
        road = self._road(sender, receiver)
        if road.options.bytes_per_s and size:
            road.free_at_s[lane] -= size / self._bytes_per_s(road)

    def options_between(self, sender: str, receiver: str) -> LinkOptions:
        """How messages travel from one to the other."""
        return self._road(sender, receiver).options

    def draws(self, share: float) -> bool:
        """Whether this time is one of the share."""
        return share > 0.0 and self.random.random() < share

    def _road(self, sender: str, receiver: str) -> _Road:
        road = self._roads.get((sender, receiver))
        if road is None:
            road = self._roads[sender, receiver] = _Road(self._options(sender, receiver))
        return road

    def _times(self, sender: str, receiver: str) -> float:
        return self._slow.get(sender, 1.0) * self._slow.get(receiver, 1.0) if self._slow else 1.0

    def _stall_s(self, sender: str, receiver: str, options: LinkOptions) -> float:
        stall_s = self.random.uniform(*options.stall_s)
        self.note("stalls", sender, to=receiver, seconds=f"{stall_s:.3f}")
        return stall_s

    def _sent_s(self, road: _Road, lane: Lane | None, size: int) -> float:
        """When the last byte is on its way: after everything that was sent before in this direction and lane."""
        now_s = asyncio.get_running_loop().time()
        if not road.options.bytes_per_s:
            return now_s
        sent_s = max(now_s, road.free_at_s.get(lane, 0.0)) + size / self._bytes_per_s(road)
        road.free_at_s[lane] = sent_s
        return sent_s

    def _bytes_per_s(self, road: _Road) -> int:
        return max(road.options.bytes_per_s, QUIET_BYTES_PER_S) if self.quiet else road.options.bytes_per_s


@dataclass(frozen=True, slots=True)
class _Due:
    """A message under way."""

    leaves_s: float
    size: int
    timer: asyncio.TimerHandle
    arrive: Callable[..., None]
    arguments: tuple[Any, ...]


class Course:
    """One direction of one call: what is sent arrives in its order, or neither it nor anything after it."""

    __slots__ = ("_due", "_lane", "_last_s", "_receiver", "_roads", "_sender", "is_silent")

    def __init__(self, roads: Roads, sender: str, receiver: str, lane: Lane | None) -> None:
        self._roads = roads
        self._sender = sender
        self._receiver = receiver
        self._lane = lane
        self._last_s = 0.0
        self._due: deque[_Due] = deque()
        self.is_silent = False

    def send(self, size: int, arrive: Callable[..., None], *arguments: Any) -> None:
        """Let something arrive at the other end."""
        if self.is_silent:
            return
        leaves_s = self._roads.leaves_s(self._sender, self._receiver, self._lane)
        arrival_s = self._roads.arrival_s(self._sender, self._receiver, self._lane, size)
        if arrival_s is None:
            self.is_silent = True
            return
        self._last_s = max(self._last_s, arrival_s)
        timer = asyncio.get_running_loop().call_at(self._last_s, self._arrive)
        self._due.append(_Due(leaves_s, size, timer, arrive, arguments))

    def recall(self) -> None:
        """Drop what has not left yet: the call is over, and its stream is reset."""
        now_s = asyncio.get_running_loop().time()
        while self._due and self._due[-1].leaves_s > now_s:
            dropped = self._due.pop()
            dropped.timer.cancel()
            self._roads.take_back(self._sender, self._receiver, self._lane, dropped.size)
            self._last_s = now_s

    def _arrive(self) -> None:
        # Whichever of the timers of one moment runs first: what was sent first arrives first.
        due = self._due.popleft()
        due.arrive(*due.arguments)
