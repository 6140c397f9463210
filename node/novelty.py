"""What a channel of ours would make of rows: not ours to publish, stopped by a decision, there, a revision, or new.

Publishing asks it before it writes an entry, and a dry run asks the same and writes nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from node.core.catalogue import Item
from node.core.limits import Limits
from node.core.record import Candidate, Defect, Outcome, OutcomeKind, Rejection, parse_record
from node.core.state import HeldKey, Place
from node.ports import Clock, Store, View

Sorted = tuple[list[Candidate], list[Outcome]]
Stopped = Callable[[str, Sequence[Candidate]], Mapping[int, Defect]]
"""Tells of a channel, by index, why decisions do not let rows be published once more."""


class PassedRows(Protocol):
    """The rows that a dry run has come past, which the channel would hold by now.

    waiting has the natural keys under which rows would wait for officers that do not yet, as many as may.
    """

    waiting: set[bytes]

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The content hashes of those that stand under natural keys."""
        ...

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Note rows that would be published; a later one takes the place of an earlier one of its key."""
        ...

    def close(self) -> None:
        """Forget them."""
        ...


@dataclass(frozen=True, slots=True)
class Revision:
    """A row that would revise a record: the columns that differ, none where it revises an earlier row of its files."""

    row: int
    columns: tuple[str, ...]


class Novelty:
    """Tells what becomes of rows, by what this node holds."""

    def __init__(self, view: View, store: Store, clock: Clock, stopped: Stopped, limits: Limits) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._stopped = stopped
        self._limits = limits

    def sort(
        self,
        channel: str,
        item: Item,
        candidates: Sequence[Candidate],
        passed: PassedRows | None = None,
        *,
        corrects: bool = False,
    ) -> Sorted:
        """The rows to publish, and one outcome for each row, in order; passed are those of a dry run before them.

        What a rule holds for review is not among the rows to publish, and its outcome says so. corrects: a decision
        orders these values, whatever earlier ones have said of them.
        """
        allowed, refused = self._split_by_authority(item, candidates)
        allowed, stopped = (allowed, []) if corrects else self._split_by_acts(channel, item, allowed)
        fresh, known = self._split_by_novelty(channel, allowed, passed)
        return fresh, sorted([*refused, *stopped, *known], key=lambda outcome: outcome.row)

    def _split_by_authority(self, item: Item, candidates: Sequence[Candidate]) -> Sorted:
        member, now_ms = self._view.members.active(self._view.me), self._clock.now_ms()
        allowed, refused = [], []
        for candidate in candidates:
            if not candidate.authority or member.may_speak_for(candidate.authority, now_ms):
                allowed.append(candidate)
            else:
                place = {"origin": self._view.me, "authority": candidate.authority}
                refused.append(refusal(item, candidate, Defect("VERDICT_AUTHORITY", item.key_authority, place)))
        return allowed, refused

    def _split_by_acts(self, channel: str, item: Item, candidates: Sequence[Candidate]) -> Sorted:
        """Return what decisions have stopped or corrected to its source: no revision may bring it back."""
        stopped = self._stopped(channel, candidates)
        allowed = [candidate for at, candidate in enumerate(candidates) if at not in stopped]
        return allowed, [refusal(item, candidates[at], defect) for at, defect in stopped.items()]

    def _split_by_novelty(self, channel: str, candidates: Sequence[Candidate], passed: PassedRows | None) -> Sorted:
        keys = [candidate.key for candidate in candidates]
        held = self._store.find_keys(channel, keys)
        earlier = passed.find(keys) if passed is not None else {}
        dormant = self._dormant(channel, candidates, held).difference(earlier)
        current = {key: record.content_hash for key, record in held.items()} | dict(earlier)
        fresh, outcomes = [], []
        for candidate in candidates:
            before = current.get(candidate.key)
            if before == candidate.content_hash and candidate.key not in dormant:
                outcomes.append(Outcome(candidate.row, OutcomeKind.DUPLICATE))
                continue
            if candidate.holds:
                outcomes.append(Outcome(candidate.row, OutcomeKind.HELD))
                continue
            kind = OutcomeKind.ACCEPTED if before is None else OutcomeKind.REVISED
            outcomes.append(Outcome(candidate.row, kind))
            current[candidate.key] = candidate.content_hash
            dormant.discard(candidate.key)
            fresh.append(candidate)
        return fresh, outcomes

    def _dormant(self, channel: str, candidates: Sequence[Candidate], held: Mapping[bytes, HeldKey]) -> set[bytes]:
        """The keys of records that a clock that was ahead has published: the same ones take their place.

        A record is dated as its entry is, so one of each entry is looked up.
        """
        same = {
            candidate.key: known.place
            for candidate in candidates
            if (known := held.get(candidate.key)) is not None and known.content_hash == candidate.content_hash
        }
        some = {(place.epoch, place.index): place for place in same.values()}
        latest_ms = self._clock.now_ms() + self._limits.max_clock_skew_ms
        ahead = {entry for entry, place in some.items() if self._issued_at_ms(channel, place) > latest_ms}
        return {key for key, place in same.items() if (place.epoch, place.index) in ahead}

    def _issued_at_ms(self, channel: str, place: Place) -> int:
        record = self._store.record(channel, place)
        return record.issued_at_ms if record is not None else 0

    def revisions(
        self, channel: str, item: Item, candidates: Sequence[Candidate], outcomes: Sequence[Outcome]
    ) -> Iterator[Revision]:
        """Yield what rows would change of the records that they would revise."""
        rows = {outcome.row for outcome in outcomes if outcome.kind is OutcomeKind.REVISED}
        revising = [candidate for candidate in candidates if candidate.row in rows]
        held = self._store.find_keys(channel, [candidate.key for candidate in revising])
        for candidate in revising:
            known = held.get(candidate.key)
            record = self._store.record(channel, known.place) if known is not None else None
            yield Revision(candidate.row, _differences(item, record.record, candidate.record) if record else ())


def _differences(item: Item, before: bytes, after: bytes) -> tuple[str, ...]:
    """The columns of an item in which two records differ, in its order."""
    old, new = parse_record(before).values, parse_record(after).values
    return tuple(field.code for field in item.fields if old.get(field.number) != new.get(field.number))


def refusal(item: Item, candidate: Candidate, defect: Defect) -> Outcome:
    """The outcome of a record that goes back to its source."""
    fields = item.by_number
    values = {fields[number].code: text for number, text in parse_record(candidate.record).values.items()}
    return Outcome(candidate.row, OutcomeKind.REJECTED, Rejection(candidate.row, (defect,), values))
