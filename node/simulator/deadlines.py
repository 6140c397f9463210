"""How long what matters most may take: a control entry reaches every reader that could have it, in bounded time."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from node.core.entry import origin_of
from node.pb import channel_pb2
from node.simulator.holdings import Holder, is_active
from node.simulator.observing import Violation
from node.simulator.truth import LogKey, Truth


@dataclass(slots=True)
class _Awaited:
    """Entries of one log that a reader has not applied yet: (index, when it was written), ascending."""

    entries: deque[tuple[int, int]] = field(default_factory=deque)


class Deadlines:
    """Knows which control entries are under way to whom.

    The time counts from when the two have compared what they hold after the last fault between them, or the last call
    that failed: before, both rest as long as their failures have earned them.
    """

    def __init__(self, truth: Truth, holders: Mapping[str, Holder], delay_s: float) -> None:
        self._truth = truth
        self._holders = holders
        self._delay_ms = int(delay_s * 1000)
        self._awaited: dict[tuple[LogKey, str], _Awaited] = {}
        self._in_touch_ms: dict[tuple[str, str], int | None] = {}

    def written(self, at: Holder, key: LogKey, index: int, now_ms: int) -> None:
        """Note that an origin has committed an entry of its own."""
        held = at.logs[key]
        if not held.manifests or held.manifests[-1].priority != channel_pb2.PRIORITY_CONTROL:
            return
        last = len(held.manifests) - 1
        for node in sorted(self._holders):
            if node != at.node and is_active(at.member(node)) and at.is_named(node, held, last):
                self._awaited.setdefault((key, node), _Awaited()).entries.append((index, now_ms))
                self._in_touch_ms.setdefault((at.node, node), None)

    def compared(self, one: str, other: str, now_ms: int) -> None:
        """Note that one node has answered the Hello of another."""
        for pair in ((one, other), (other, one)):
            if pair in self._in_touch_ms and self._in_touch_ms[pair] is None:
                self._in_touch_ms[pair] = now_ms

    def rests(self, one: str, other: str) -> None:
        """Note that a call has failed: the link rests until the two compare again."""
        for pair in ((one, other), (other, one)):
            if pair in self._in_touch_ms:
                self._in_touch_ms[pair] = None

    def check(self, reaches: Callable[[str, str], bool], now_ms: int) -> None:
        """Raise Violation for what takes too long."""
        for pair in self._in_touch_ms:
            if not (reaches(*pair) and reaches(pair[1], pair[0])):
                self._in_touch_ms[pair] = None
        for (key, node), awaited in self._awaited.items():
            self._drop_applied(key, node, awaited)
            in_touch_ms = self._in_touch_ms[origin_of(key[0]), node]
            if not awaited.entries or in_touch_ms is None:
                continue
            index, written_ms = awaited.entries[0]
            waited_ms = now_ms - max(written_ms, in_touch_ms)
            if waited_ms > self._delay_ms:
                found = f"{key[0]} {key[1]}/{index} is not applied {waited_ms // 1000} s after all was well"
                raise Violation("G4", node, found)

    def _drop_applied(self, key: LogKey, node: str, awaited: _Awaited) -> None:
        held = self._holders[node].logs.get(key)
        applied = held.applied if held is not None else 0
        while awaited.entries and awaited.entries[0][0] < applied:
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
