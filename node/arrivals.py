"""Arrivals: what of each log has come here since this node started, from whom, and what came twice.

Kept in memory only. Bytes are those of the entries, before compression: what the wire carries is less.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from node.core.entry import SignedEntry
from node.core.envelope import parse
from node.core.errors import XinqiaoError
from node.core.heartbeat import ChannelEpoch
from node.core.pace import WINDOW_S, Amount, Pace, pace_of
from node.pb import channel_pb2
from node.ports import Clock, Store


@dataclass(slots=True)
class Arrived:
    """Of one log: what was new, what was held already, and the new of the last minute by second."""

    new: Amount = field(default_factory=Amount)
    again: Amount = field(default_factory=Amount)
    recent: deque[tuple[float, Amount]] = field(default_factory=deque)


@dataclass(slots=True)
class _Coming:
    """Of one log whose entries are being taken: its size at the start of each run, and the entries counted since."""

    starts: list[int] = field(default_factory=list)
    counted: set[int] = field(default_factory=set)


class Arrivals:
    """Counts what the receiving duty takes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.of: dict[ChannelEpoch, Arrived] = {}
        self._coming: dict[ChannelEpoch, _Coming] = {}

    @contextmanager
    def taking(self, run: Sequence[SignedEntry]) -> Iterator[None]:
        """While a run of entries is taken; afterwards those that were new and stayed are told from the others."""
        key = (run[0].channel, run[0].epoch)
        before, coming = self._size(key), self._coming.setdefault(key, _Coming())
        coming.starts.append(before)
        try:
            yield
        finally:
            after = self._size(key)
            if after:
                self._count(self.of.setdefault(key, Arrived()), coming, run, range(before, after))
            self._ended(key, coming, before)

    def _size(self, key: ChannelEpoch) -> int:
        held = self._store.channel(*key)
        return held.log.size if held is not None else 0

    def _count(self, arrived: Arrived, coming: _Coming, run: Sequence[SignedEntry], grown: range) -> None:
        """An entry is new in one of the runs that were being taken when it came: in that which ends first."""
        new, again = Amount(), Amount()
        for each in run:
            if each.index in grown and each.index not in coming.counted:
                new += _amount(each)
                coming.counted.add(each.index)
            elif each.index < grown.stop:
                again += _amount(each)
        arrived.again += again
        if new.entries:
            self._note(arrived, new)

    def _ended(self, key: ChannelEpoch, coming: _Coming, before: int) -> None:
        coming.starts.remove(before)
        if not coming.starts:
            del self._coming[key]
        else:
            coming.counted = {index for index in coming.counted if index >= min(coming.starts)}

    def _note(self, arrived: Arrived, new: Amount) -> None:
        arrived.new += new
        second = float(int(self._clock.monotonic_s()))
        if arrived.recent and arrived.recent[-1][0] == second:
            new += arrived.recent.pop()[1]
        arrived.recent.append((second, new))
        while second - arrived.recent[0][0] > WINDOW_S:
            arrived.recent.popleft()

    def pace(self, keys: Sequence[ChannelEpoch]) -> Pace:
        """How fast some logs have come lately, together."""
        recent = [each for key in keys if key in self.of for each in self.of[key].recent]
        return pace_of(recent, self._clock.monotonic_s())


def _amount(signed: SignedEntry) -> Amount:
    return Amount(1, _records(signed), len(signed.envelope.payload) + len(signed.body or b""))


def _records(signed: SignedEntry) -> int:
    """How many records an entry holds; what was brought beside another copy of it may be no entry at all."""
    try:
        header = parse(channel_pb2.EntryHeader, signed.envelope.payload)
    except XinqiaoError:
        return 0
    return header.record_count if header.kind == channel_pb2.ENTRY_KIND_RECORDS else 0
