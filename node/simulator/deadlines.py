"""How long what matters most may take: a control entry reaches every reader that could have it, in bounded time."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from node.core.entry import origin_of
from node.pb import channel_pb2
from node.simulator.holdings import Holder, is_active
from node.simulator.observing import Violation
from node.simulator.truth import LogKey, Truth


@dataclass(slots=True)
class _Touch:
    """How long two nodes have been in touch, in ms: all of it, up to the last fault, and since when they are now."""

    before: int = 0
    faultless_from: int = 0
    since_ms: int | None = None

    def until(self, now_ms: int) -> int:
        return self.before + (now_ms - self.since_ms if self.since_ms is not None else 0)

    def end(self, now_ms: int) -> None:
        self.before, self.since_ms = self.until(now_ms), None


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry under way: how long the two had been in touch when it was written, and what has to travel.

    travels_bytes is its own size and that of all other control entries that the reader had to get from its origin then.
    """

    index: int
    written: int
    size_bytes: int
    travels_bytes: int


@dataclass(slots=True)
class _Awaited:
    """Entries of one log that a reader has not applied, ascending by index."""

    entries: deque[_Entry] = field(default_factory=deque)


class Deadlines:
    """Knows which control entries are under way to whom.

    The time counts from the last fault between the two, and only while they are in touch: after a fault and after each
    call that failed, they rest as long as their failures have earned them, until they have compared what they hold.
    That call may have been one of the bulk: it stops the time, and does not set it back.

    What the road itself needs for an entry, and for those that were before it in its lane, is granted beside the delay:
    no software is faster. No bulk counts among them, so whatever lets control wait behind bulk is found all the same.
    """

    def __init__(self, truth: Truth, holders: Mapping[str, Holder], delay_s: float) -> None:
        self._truth = truth
        self._holders = holders
        self._delay_ms = int(delay_s * 1000)
        # By origin and reader, then by log.
        self._awaited: dict[tuple[str, str], dict[LogKey, _Awaited]] = {}
        self._touches: dict[tuple[str, str], _Touch] = {}

    def written(self, at: Holder, key: LogKey, index: int, now_ms: int) -> None:
        """Note that an origin has committed an entry of its own."""
        held = at.logs[key]
        if not held.manifests or held.manifests[-1].priority != channel_pb2.PRIORITY_CONTROL:
            return
        last = len(held.manifests) - 1
        for node in sorted(self._holders):
            if node != at.node and is_active(at.member(node)) and at.is_named(node, held, last):
                self._await(key, index, at.node, node, now_ms)

    def _await(self, key: LogKey, index: int, origin: str, reader: str, now_ms: int) -> None:
        touch = self._touches.setdefault((origin, reader), _Touch())
        owed = self._awaited.setdefault((origin, reader), {})
        for other, awaited in owed.items():
            self._drop_applied(other, reader, awaited)
        ahead = sum(entry.size_bytes for awaited in owed.values() for entry in awaited.entries)
        size = self._truth.log(key).entries[index].size_bytes
        entry = _Entry(index, touch.until(now_ms), size, ahead + size)
        owed.setdefault(key, _Awaited()).entries.append(entry)

    def compared(self, one: str, other: str, now_ms: int) -> None:
        """Note that one node has answered the Hello of another."""
        for touch in self._between(one, other):
            touch.since_ms = now_ms if touch.since_ms is None else touch.since_ms

    def rests(self, one: str, other: str, now_ms: int) -> None:
        """Note that a call has failed: the link rests until the two compare again."""
        for touch in self._between(one, other):
            touch.end(now_ms)

    def _between(self, one: str, other: str) -> Iterator[_Touch]:
        return (self._touches[pair] for pair in ((one, other), (other, one)) if pair in self._touches)

    def check(
        self, reaches: Callable[[str, str], bool], travel_s: Callable[[str, str, int], float], now_ms: int
    ) -> None:
        """Raise Violation for what takes too long; travel_s says how long a road needs for so many bytes at most."""
        for pair, touch in self._touches.items():
            if not (reaches(*pair) and reaches(pair[1], pair[0])):
                touch.end(now_ms)
                touch.faultless_from = touch.before
        for (origin, reader), owed in self._awaited.items():
            for key, awaited in owed.items():
                self._drop_applied(key, reader, awaited)
                if not awaited.entries:
                    continue
                touch, entry = self._touches[origin, reader], awaited.entries[0]
                waited_ms = touch.until(now_ms) - max(entry.written, touch.faultless_from)
                if waited_ms > self._delay_ms + travel_s(origin, reader, entry.travels_bytes) * 1000:
                    at = f"{key[0]} {key[1]}/{entry.index}"
                    found = f"{at} is not applied after {waited_ms // 1000} s in which all was well"
                    raise Violation("G4", reader, found)

    def _drop_applied(self, key: LogKey, node: str, awaited: _Awaited) -> None:
        held = self._holders[node].logs.get(key)
        applied = held.applied if held is not None else 0
        while awaited.entries and awaited.entries[0].index < applied:
            awaited.entries.popleft()
        if awaited.entries and not self._is_owed(key, node):
            awaited.entries.clear()

    def _is_owed(self, key: LogKey, node: str) -> bool:
        """Whether a reader still has to get a log: both ends honest and active, in one view, the log open, no way back.

        A reader or an origin that was put back to a backup fetches its whole history again, as bulk does.
        """
        origin, reader = self._holders.get(origin_of(key[0])), self._holders[node]
        if origin is None or {origin.node, node} & self._truth.dishonest or origin.was_restored:
            return False
        held, member = origin.logs.get(key), reader.member(origin.node)
        if held is None or not held.manifests or key in origin.cuts or key in reader.cuts:
            return False
        is_open = is_active(member) and member is not None and member.open_epoch == key[1]
        named = origin.is_named(node, held, len(held.manifests) - 1)
        return is_open and named and is_active(origin.member(node)) and not reader.was_restored
