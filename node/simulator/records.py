"""The records of one channel as they ought to be at one node: a small reducer beside the one of the node itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.core.state import APPLIED, DUPLICATE, ERASED, SUPERSEDED, Place
from node.simulator.truth import LogKey, Truth, WrittenSlot


@dataclass(slots=True)
class _Row:
    key: bytes
    content_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What an entry ought to do: the positions that take effect, and the outcomes of all its records."""

    in_force: frozenset[int]
    counts: Mapping[int, int]


class ChannelRecords:
    """Rows of one channel at one node, and which of them is in force under each key."""

    def __init__(self) -> None:
        self._rows: dict[Place, _Row] = {}
        self._places: dict[bytes, list[Place]] = {}
        self.in_force: dict[bytes, Place] = {}

    def content_of(self, key: bytes) -> bytes | None:
        """The hash of the content in force under a key."""
        place = self.in_force.get(key)
        return self._rows[place].content_hash if place is not None else None

    def effect_of(self, epoch: int, index: int, slots: Sequence[WrittenSlot | None]) -> Effect:
        """What an entry of records does here; a slot is None where it is erased."""
        counts: Counter[int] = Counter()
        latest: dict[bytes, tuple[int, bytes]] = {}
        for position, slot in enumerate(slots):
            if slot is None:
                counts[ERASED] += 1
                continue
            known = self.in_force.get(slot.key)
            if known is not None and (known.epoch, known.index) > (epoch, index):
                counts[SUPERSEDED] += 1
                continue
            before = latest.get(slot.key)
            if (before[1] if before is not None else self.content_of(slot.key)) == slot.content_hash:
                counts[DUPLICATE] += 1
                continue
            if before is not None:
                counts[SUPERSEDED] += 1
            latest[slot.key] = (position, slot.content_hash)
        counts[APPLIED] += len(latest)
        return Effect(frozenset(position for position, _ in latest.values()), +counts)

    def put(self, place: Place, key: bytes, content_hash: bytes, *, in_force: bool) -> None:
        """Add a row; in_force is False above a cut."""
        self._rows[place] = _Row(key, content_hash)
        places = self._places.setdefault(key, [])
        if place not in places:
            places.append(place)
            places.sort()
        if in_force:
            self.in_force[key] = place

    def erase(self, place: Place) -> None:
        """Take a record out of force for good; older ones of its key do not come back."""
        row = self._rows.get(place)
        if row is None:
            return
        row.content_hash = None
        if self.in_force.get(row.key) == place:
            del self.in_force[row.key]

    def drop(self, epoch: int) -> None:
        """Forget the rows of an epoch, for a node that leaves or comes back; what they replaced stays behind."""
        for place in [place for place in self._rows if place.epoch == epoch]:
            row = self._rows.pop(place)
            self._places[row.key].remove(place)
            if self.in_force.get(row.key) == place:
                del self.in_force[row.key]

    def cut(self, epoch: int, before: int | None, size: int, cuts: Mapping[int, int]) -> None:
        """Settle the keys of an epoch between an old cut and a new one: the latest row below its cut counts."""
        low = size if before is None else min(size, before)
        high = None if before is None else max(size, before)
        between = [p for p in self._rows if p.epoch == epoch and p.index >= low and (high is None or p.index < high)]
        for key in {self._rows[place].key for place in between}:
            self.in_force.pop(key, None)
            valid = [place for place in self._places[key] if place.index < cuts.get(place.epoch, place.index + 1)]
            if valid and self._rows[valid[-1]].content_hash is not None:
                self.in_force[key] = valid[-1]


def in_force_of(truth: Truth, sizes: Mapping[LogKey, int], without: frozenset[tuple[int, int]]) -> dict[bytes, Place]:
    """The records that ought to be in force where these logs of one channel are applied up to these sizes.

    Of each key the latest one counts, and where that one is erased, none: an older version never comes back.
    without are entries that had no effect where they arrived before the time they are dated.
    """
    latest: dict[bytes, tuple[Place, bytes | None]] = {}
    for key, size in sorted(sizes.items()):
        for index, entry in enumerate(truth.logs[key].entries[:size]):
            if (key[1], index) not in without:
                _fold(latest, key[1], index, entry.slots)
            for place in entry.erases:
                slot = truth.slot(key[0], place)
                if slot is not None and latest.get(slot.key, (None,))[0] == place:
                    latest[slot.key] = (place, None)
    return {key: place for key, (place, content) in latest.items() if content is not None}


def _fold(
    latest: dict[bytes, tuple[Place, bytes | None]], epoch: int, index: int, slots: Sequence[WrittenSlot]
) -> None:
    for position, slot in enumerate(slots):
        if slot.key and latest.get(slot.key, (None, None))[1] != slot.content_hash:
            latest[slot.key] = (Place(epoch, index, position), slot.content_hash)
