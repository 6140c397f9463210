"""The terms of the newest records, which wait in memory until they are merged into a table (node.storage.record_index).

The terms of an entry stay together, in ascending order, as a *run* of numbers: twelve bytes a term. Short runs become
longer ones, so that there are never many. A *round* merges slice after slice of all terms, of every run what falls into
the slice; a run is let go after a round of its own.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Generic, TypeVar

from node.core.record_terms import (
    POSITION_CODE,
    TERM_CODE,
    SortedTerms,
    add_bits,
    first_from,
    order_of,
    places_of,
    with_bits,
)

SLICES = 64
"""A power of two."""
TAIL_TERMS = 131_072
"""So many terms wait: some 12 MiB. The more wait, the fewer pages of the table each of them rewrites."""
KEY_FILTER_BITS = 26
"""8 MiB: with 2,000,000 records three keys in a hundred that nobody has are looked for, with 10,000,000 fourteen."""
TAIL_FILTER_BITS = 23
_TERM_BITS = 64
LOWEST_TERM, _ALL_TERMS = -(1 << _TERM_BITS - 1), 1 << _TERM_BITS
_SHORT_RUN = 1024

From = TypeVar("From")

LogId = tuple[int, int]
"""(channel_id, epoch)."""
Term = tuple[int, int, int, int, int]
"""A row of record_terms: term, channel_id, epoch, entry_index, position."""
EntryId = tuple[int, int, int]
"""(channel_id, epoch, entry_index)."""


TermColumns = tuple[list[int], list[int], list[int]]
"""Terms, indexes of entries, positions."""


class _Gathered:
    """Terms of a log, in no order."""

    def __init__(self) -> None:
        self._terms = array(TERM_CODE)
        self._indexes, self._positions = list[int](), list[int]()

    def add(self, terms: Iterable[int], index: int, positions: Sequence[int]) -> None:
        """Add terms of one entry."""
        self._terms.extend(terms)
        self._indexes.extend([index] * len(positions))
        self._positions.extend(positions)

    def in_order(self) -> TermColumns:
        """All of them in ascending order."""
        terms, indexes, positions = self._terms, self._indexes, self._positions
        order = order_of(terms)
        return [terms[at] for at in order], [indexes[at] for at in order], [positions[at] for at in order]


class Run:
    """Terms of one entry or of some, in ascending order; it is never changed.

    numbers tells the entry of each, where there are more than one. turn is the number of slices that the tail had
    merged before it came.
    """

    __slots__ = ("entries", "numbers", "positions", "terms", "turn")

    def __init__(
        self,
        found: SortedTerms,
        entries: Sequence[EntryId],
        numbers: "array[int] | None" = None,
        turn: int = 0,
    ) -> None:
        self.terms, self.positions = found
        self.entries = entries
        self.numbers = numbers
        self.turn = turn

    @classmethod
    def of_rows(cls, rows: Iterable[Term], turn: int) -> "Run":
        """A run of these terms, which are in no order."""
        ordered = sorted(rows)
        entries = {entry: number for number, entry in enumerate(dict.fromkeys(row[1:4] for row in ordered))}
        terms, positions = array(TERM_CODE, [row[0] for row in ordered]), [row[4] for row in ordered]
        numbers = array(POSITION_CODE, [entries[row[1:4]] for row in ordered])
        return cls(SortedTerms(terms, array(POSITION_CODE, positions)), list(entries), numbers, turn)

    def rows(self, start: int = 0, end: int | None = None) -> list[Term]:
        """The terms from one place to another."""
        terms, positions = self.terms[start:end], self.positions[start:end]
        if self.numbers is None:
            (entry,) = self.entries
            return [(term, *entry, position) for term, position in zip(terms, positions, strict=True)]
        at = [self.entries[number] for number in self.numbers[start:end]]
        return [(term, *entry, position) for term, entry, position in zip(terms, at, positions, strict=True)]

    def add_to(self, found: "defaultdict[LogId, _Gathered]", start: int, end: int) -> None:
        """Add the terms from one place to another to those that were gathered of their logs."""
        if self.numbers is None and start < end:
            ((channel_id, epoch, index),) = self.entries
            found[channel_id, epoch].add(self.terms[start:end], index, self.positions[start:end])
        elif start < end:
            for term, channel_id, epoch, index, position in self.rows(start, end):
                found[channel_id, epoch].add((term,), index, (position,))

    def under(self, terms: "array[int]") -> list[Term]:
        """All that stands under these terms, which are in ascending order."""
        return [row for at in places_of(self.terms, terms) for row in self.rows(at, at + 1)]


class Runs:
    """Some runs."""

    def __init__(self) -> None:
        self.runs: list[Run] = []

    def add(self, run: Run) -> None:
        """Add a run."""
        self.runs = [*self.runs, run]

    def under(self, terms: Iterable[int]) -> list[Term]:
        """All that stands under these terms."""
        wanted = array(TERM_CODE, sorted(set(terms)))
        return [row for run in self.runs for row in run.under(wanted)] if wanted else []

    def drop(self, gone: Collection[Term]) -> list[tuple[Run, list[Term]]]:
        """Let single terms go; tells of which runs they were."""
        names = array(TERM_CODE, sorted({row[0] for row in gone}))
        found = [(run, [row for row in run.under(names) if row in gone]) for run in self.runs]
        found = [(run, rows) for run, rows in found if rows]
        for run, rows in found:
            self._replace(run, [row for row in run.rows() if row not in rows])
        return found

    def drop_log(self, log: LogId) -> None:
        """Let all terms of a log go."""
        for run in self.runs:
            if any(entry[:2] == log for entry in run.entries):
                self._replace(run, [row for row in run.rows() if row[1:3] != log])

    def _replace(self, run: Run, rows: Sequence[Term]) -> None:
        left = [Run.of_rows(rows, run.turn)] if rows else []
        self.runs = [new for each in self.runs for new in (left if each is run else [each])]


class TermFilter:
    """Which terms may be there: a bit for what many terms share, so many bits from a place on. What has gone leaves it.

    Filters of the same terms share other bits: what seems to be there to one of them does not to the other as well.
    """

    def __init__(self, bits: int, to_bit: int) -> None:
        self._to_bit = to_bit
        self._bits = bytearray(1 << bits - 3)

    def add(self, terms: "array[int]") -> None:
        """Let terms be known."""
        add_bits(self._bits, self._to_bit, terms)

    def may_hold(self, terms: "array[int]") -> list[int]:
        """Those terms that may be there; a term that is not among them is not."""
        return with_bits(self._bits, self._to_bit, terms)


def _tail_filter() -> TermFilter:
    """A filter of what waits, which comes in ascending order: its bits lie side by side."""
    return TermFilter(TAIL_FILTER_BITS, _TERM_BITS - TAIL_FILTER_BITS)


class KnownKeys(Generic[From]):
    """Which natural keys may be held: a first load would else look for each of its keys, and find none.

    unread tells from where on the table has not been read into the filter, None once it knows all of them. Until then
    each key may be held. A bit that is set for nothing does no harm; one that is missing would hide a record.
    """

    def __init__(self, start: From) -> None:
        self.unread: From | None = start
        self._filter = TermFilter(KEY_FILTER_BITS, 0)

    def note(self, terms: "array[int]") -> None:
        """Tell of keys that are held or will be; it is no matter if they are not."""
        self._filter.add(terms)

    def may_hold(self, terms: "array[int]") -> "array[int]":
        """Those terms of keys that may be held."""
        return array(TERM_CODE, self._filter.may_hold(terms)) if self.unread is None else terms


class Tail:
    """The terms that are not in the table, for all connections of a store; changed by its one writer after each commit.

    slices is a power of two.
    """

    def __init__(self, slices: int = SLICES, limit: int = TAIL_TERMS) -> None:
        self.slices = slices
        self.limit = limit
        self.count = 0
        self.merged_any = False
        self.turn = 0
        """How many slices have been merged, in all rounds."""
        self.sizes: dict[LogId, int] = {}
        """How far the logs reach whose terms are here."""
        self.round: Mapping[LogId, int] = {}
        """How far they reached when the round through the slices began."""
        self.keys = KnownKeys(LOWEST_TERM)
        self._waiting = Runs()
        self._filters = (_tail_filter(), _tail_filter())
        """Of what came in this round, and of what came in the one before: nothing else waits."""

    @property
    def next_slice(self) -> int:
        """The number of the slice to merge next."""
        return self.turn % self.slices

    def under(self, terms: "array[int]") -> list[Term]:
        """What waits under these terms; some of it may have been merged."""
        return self._waiting.under(chain.from_iterable(known.may_hold(terms) for known in self._filters))

    def slice(self, number: int) -> Mapping[LogId, TermColumns]:
        """What waits in a slice, in ascending order, by log."""
        found = defaultdict[LogId, _Gathered](_Gathered)
        for run, start, end in self._in_slice(number):
            run.add_to(found, start, end)
        return {log: gathered.in_order() for log, gathered in found.items()}

    def _in_slice(self, number: int) -> Iterator[tuple[Run, int, int]]:
        width = _ALL_TERMS // self.slices
        low = LOWEST_TERM + number * width
        for run in self._waiting.runs:
            if self._waits(run, number):
                start = first_from(run.terms, low)
                is_last = number == self.slices - 1  # what is beyond it is no term
                yield run, start, len(run.terms) if is_last else first_from(run.terms, low + width, start)

    def _waits(self, run: Run, number: int) -> bool:
        """Whether a slice of a run has not been merged yet."""
        return (number - run.turn) % self.slices >= self.turn - run.turn

    def _slice_of(self, term: int) -> int:
        return (term - LOWEST_TERM) // (_ALL_TERMS // self.slices)

    def add(self, run: Run) -> None:
        """Let a run wait; a short one becomes one with another short one that came as late."""
        self.count += len(run.terms)
        run.turn = self.turn
        runs = [*self._waiting.runs, run]
        while len(runs) > 1 and self._belong_together(*runs[-2:]):
            runs = [*runs[:-2], Run.of_rows([*runs[-2].rows(), *runs[-1].rows()], self.turn)]
        self._waiting.runs = runs
        self._filters[0].add(run.terms)  # who sees a term in the filter finds its run

    def _belong_together(self, one: Run, other: Run) -> bool:
        short, long = sorted((len(one.terms), len(other.terms)))
        return one.turn == other.turn and short + long <= _SHORT_RUN and long <= 2 * short

    def drop(self, gone: Collection[Term]) -> None:
        """Let single terms go."""
        for run, rows in self._waiting.drop(gone):
            self.count -= sum(self._waits(run, self._slice_of(row[0])) for row in rows)

    def drop_log(self, log: LogId) -> None:
        """Let all terms of a log go."""
        self._waiting.drop_log(log)
        self.count = sum(end - start for number in range(self.slices) for _, start, end in self._in_slice(number))
        self.sizes.pop(log, None)
        self.round = {other: size for other, size in self.round.items() if other != log}

    def empty(self) -> None:
        """Let the next slice go, which has been merged."""
        self.count -= sum(end - start for _, start, end in self._in_slice(self.next_slice))
        self.turn += 1
        self._waiting.runs = [run for run in self._waiting.runs if self.turn < run.turn + self.slices]
        if self.next_slice == 0:
            self._end_round()

    def _end_round(self) -> None:
        """The next round is for all that waits when it begins."""
        self.sizes = {log: size for log, size in self.sizes.items() if self.round.get(log) != size}
        self.round = dict(self.sizes)
        self._filters = (_tail_filter(), self._filters[0])
