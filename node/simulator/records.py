"""The records of one channel as they ought to be at one node: a small reducer beside the one of the node itself."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.core.state import APPLIED, DUPLICATE, ERASED, SUPERSEDED, Place
from node.simulator.truth import LogKey, Truth, WrittenEntry, WrittenSlot


@dataclass(frozen=True, slots=True)
class Effect:
    """What an entry ought to do: the positions that take effect, those that stay behind, and the outcomes of all."""

    in_force: frozenset[int]
    behind: frozenset[int]
    counts: Mapping[int, int]


class ChannelRecords:
    """Rows of one channel at one node, and which of them is in force under each key: the last that counts."""

    def __init__(self) -> None:
        self._rows: dict[Place, tuple[bytes, bytes]] = {}
        self._places: dict[bytes, list[Place]] = {}
        self.in_force: dict[bytes, Place] = {}

    def __contains__(self, place: Place) -> bool:
        return place in self._rows

    def content_of(self, key: bytes) -> bytes | None:
        """The hash of the content in force under a key."""
        place = self.in_force.get(key)
        return self._rows[place][1] if place is not None else None

    def effect_of(self, epoch: int, index: int, slots: Sequence[WrittenSlot | None]) -> Effect:
        """What an entry of records does here; a slot is None where it is erased."""
        counts: Counter[int] = Counter()
        content: dict[bytes, bytes] = {}
        last: dict[bytes, int] = {}
        applied: set[bytes] = set()
        for position, slot in enumerate(slots):
            if slot is None:
                counts[ERASED] += 1
                continue
            known = self.in_force.get(slot.key)
            if known is not None and (known.epoch, known.index) > (epoch, index):
                counts[SUPERSEDED] += 1
                continue
            last[slot.key] = position
            if content.get(slot.key, self.content_of(slot.key)) == slot.content_hash:
                counts[DUPLICATE] += 1
                continue
            counts[SUPERSEDED if slot.key in applied else APPLIED] += 1
            applied.add(slot.key)
            content[slot.key] = slot.content_hash
        in_force = frozenset(last.values())
        there = frozenset(position for position, slot in enumerate(slots) if slot is not None)
        return Effect(in_force, there - in_force, counts)

    def put(self, place: Place, key: bytes, content_hash: bytes, *, in_force: bool) -> None:
        """Add a row; in_force is False behind another one and above a cut."""
        self._rows[place] = (key, content_hash)
        places = self._places.setdefault(key, [])
        if place not in places:
            places.append(place)
            places.sort()
        if in_force:
            self.in_force[key] = place

    def erase(self, place: Place, cuts: Mapping[int, int]) -> None:
        """Take a record away for good, as if it had never been written."""
        if place in self._rows:
            key, _ = self._rows.pop(place)
            self._places[key].remove(place)
            if self.in_force.get(key) == place:
                self._settle(key, cuts)

    def drop(self, epoch: int) -> None:
        """Forget the rows of an epoch, for a node that leaves or comes back; what they replaced stays behind."""
        for place in [place for place in self._rows if place.epoch == epoch]:
            key, _ = self._rows.pop(place)
            self._places[key].remove(place)
            if self.in_force.get(key) == place:
                del self.in_force[key]

    def cut(self, epoch: int, before: int | None, size: int, cuts: Mapping[int, int]) -> None:
        """Settle the keys of an epoch between an old cut and a new one."""
        low = size if before is None else min(size, before)
        high = None if before is None else max(size, before)
        between = [p for p in self._rows if p.epoch == epoch and p.index >= low and (high is None or p.index < high)]
        for key in {self._rows[place][0] for place in between}:
            self._settle(key, cuts)

    def _settle(self, key: bytes, cuts: Mapping[int, int]) -> None:
        """Put the last row of a key below its cut in force."""
        self.in_force.pop(key, None)
        valid = [place for place in self._places[key] if place.index < cuts.get(place.epoch, place.index + 1)]
        if valid:
            self.in_force[key] = valid[-1]


def in_force_of(truth: Truth, sizes: Mapping[LogKey, int], gone: frozenset[Place]) -> dict[bytes, Place]:
    """The records that ought to be in force where these logs of one channel are applied up to these sizes.

    Of each key the last one that is not erased: whoever comes late cannot know of more. gone are records erased by
    what is read no more. An erasure whose own slot is lost, which its origin says by erasing that, is to be ordered
    again: it counts where it was read in time, and nowhere else.
    """
    logs = [(key, truth.logs[key].entries[:size]) for key, size in sorted(sizes.items())]
    said = frozenset(place for _, entries in logs for entry in entries for place in entry.erases)
    heard = (_still_said(entry, epoch, said) for (_, epoch), entries in logs for entry in entries)
    erased = gone.union(*heard)
    found: dict[bytes, Place] = {}
    for (_, epoch), entries in logs:
        for index, entry in enumerate(entries):
            places = [Place(epoch, index, position) for position in range(len(entry.slots))]
            for place, slot in zip(places, entry.slots, strict=True):
                if slot.key and place not in erased:
                    found[slot.key] = place
    return found


def _still_said(entry: WrittenEntry, epoch: int, erased: frozenset[Place]) -> Iterator[Place]:
    """What an entry erases in slots that are not erased themselves."""
    for place, position in entry.said_at.items():
        if Place(epoch, entry.header.index, position) not in erased:
            yield place
