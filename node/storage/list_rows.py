"""What rows of joint lists make of each other: steps that every store shares, over the few reads and writes it has.

A listing's element is what it adds to its list's accumulator, as it was added: with it the listing is taken away again.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from node.core import muhash
from node.core.list_fold import JudgedOperation
from node.core.listing import ENTER, NARROWING, ListOperation, listing_of, member_element
from node.core.state import Place
from node.held_lists import (
    DigestStatus,
    EntryOperations,
    HeldListing,
    HeldListState,
    HeldOperation,
    standing_of,
)

_PAGE_LISTINGS = 1_000
NOWHERE = Place(-1, -1, -1)
"""Before every place."""


@dataclass(frozen=True, slots=True)
class ListingRow:
    """An entry of a list; element is None where it is no member."""

    place: Place
    subject: str | None
    element: bytes | None


class ListsReading(ABC):
    """The ListsReader over the rows."""

    @abstractmethod
    def list_state(self, channel: str) -> HeldListState | None:
        """See ListsReader."""

    @abstractmethod
    def _listing_rows_between(self, channel: str, first: Place, last: Place) -> Sequence[ListingRow]:
        """The rows from one place to another."""

    @abstractmethod
    def _listing_rows(self, channel: str, after: Place, limit: int) -> Sequence[ListingRow]:
        """The rows behind a place, by place."""

    @abstractmethod
    def _listing_rows_of(self, subject: str) -> Sequence[tuple[str, ListingRow]]:
        """The rows about a subject with their channels, by (channel, place)."""

    @abstractmethod
    def _operations_about(self, subjects: Collection[str]) -> Iterable[tuple[str, str, HeldOperation]]:
        """The operations on all entries about these subjects, each with its subject and its channel, in any order."""

    @abstractmethod
    def _operations_on(self, channel: str, first: Place, last: Place) -> Sequence[HeldOperation]:
        """The operations on the listings from one place to another, by (target, place)."""

    def _listing_row(self, channel: str, place: Place) -> ListingRow | None:
        return next(iter(self._listing_rows_between(channel, place, place)), None)

    def list_operations(self, channel: str, target: Place) -> Sequence[HeldOperation]:
        return self._operations_on(channel, target, target)

    def listing(self, channel: str, place: Place) -> HeldListing | None:
        row = self._listing_row(channel, place)
        return standing_of(channel, self.list_operations(channel, place), row.subject) if row is not None else None

    def listings(self, channel: str, after: Place | None, limit: int) -> Sequence[HeldListing]:
        found: list[HeldListing] = []
        for row, operations in self._listed(channel, after or NOWHERE, min(limit, _PAGE_LISTINGS)):
            if len(found) == limit:
                break
            held = standing_of(channel, operations, row.subject)
            found += [held] if held is not None else []
        return found

    def listings_of(self, subject: str) -> Sequence[HeldListing]:
        rows = self._listing_rows_of(subject)
        found = [standing_of(channel, self.list_operations(channel, row.place), subject) for channel, row in rows]
        return [held for held in found if held is not None]

    def operations_about(self, subjects: Collection[str]) -> Mapping[str, Sequence[EntryOperations]]:
        found: dict[str, list[EntryOperations]] = {}
        rows = sorted(self._operations_about(subjects), key=_by_entry)
        for (subject, channel, _), group in groupby(rows, _entry_key):
            operations = [operation for _, _, operation in group]
            if standing_of(channel, operations, subject) is not None:
                found.setdefault(subject, []).append(EntryOperations(channel, operations))
        return found

    def _listed(
        self, channel: str, after: Place = NOWHERE, page: int = _PAGE_LISTINGS
    ) -> Iterator[tuple[ListingRow, Sequence[HeldOperation]]]:
        """All listings of a list behind a place with the operations on each, read page by page."""
        while page and (rows := self._listing_rows(channel, after, page)):
            after = rows[-1].place
            on = self._by_target(channel, rows[0].place, after)
            for row in rows:
                yield row, on.get(row.place, [])

    def _by_target(self, channel: str, first: Place, last: Place) -> dict[Place, list[HeldOperation]]:
        operations = self._operations_on(channel, first, last)
        return {target: list(group) for target, group in groupby(operations, key=lambda each: each.operation.target)}


class ListsWriting(ListsReading):
    """The ListsWriter over the rows, and what other writes of a store do to them."""

    @abstractmethod
    def _operations_at(self, channel: str, epoch: int, index: int) -> Sequence[HeldOperation]:
        """The operations that one entry holds."""

    @abstractmethod
    def _targets_between(self, channel: str, epoch: int, low: int, high: int) -> Collection[Place]:
        """The listings that operations of the entries low..high-1 are on."""

    @abstractmethod
    def _put_operation_rows(self, channel: str, rows: Sequence[tuple[ListOperation, bool | None]]) -> None: ...

    @abstractmethod
    def _drop_operation_rows(self, channel: str, places: Sequence[Place]) -> None: ...

    @abstractmethod
    def _put_listing_rows(self, channel: str, rows: Sequence[ListingRow]) -> None: ...

    @abstractmethod
    def _drop_listing_rows(self, channel: str, places: Sequence[Place]) -> None: ...

    @abstractmethod
    def _put_list_state(self, state: HeldListState) -> None: ...

    @abstractmethod
    def _drop_epoch_rows(self, channel: str, epoch: int) -> tuple[Sequence[bytes], Collection[Place]]:
        """Drop the listings of an epoch, and its operations but for those in the favour of listings of other epochs.

        These wait for the fold again. Returns the elements that went, and the listings of other epochs concerned.
        """

    # -- operations

    def put_operations(self, channel: str, operations: Iterable[JudgedOperation]) -> None:
        ordered = sorted(operations, key=lambda each: each.operation.place)
        fresh: list[JudgedOperation] = []
        for (epoch, index), group in groupby(ordered, key=lambda each: _entry_of(each.operation)):
            known = {each.operation.place for each in self._operations_at(channel, epoch, index)}
            fresh += [each for each in group if each.is_valid is not None or each.operation.place not in known]
        self._put_operation_rows(channel, [(each.operation, each.is_valid) for each in fresh])
        entered = {each.operation.place: each.subject for each in fresh if each.operation.act == ENTER}
        self._settle_listings(channel, {each.operation.target for each in fresh}, entered)

    def put_comparison(self, channel: str, status: DigestStatus, differs: Place | None) -> None:
        self._put_list_state(replace(self._list_state(channel), status=status, differs=differs))

    def rebuild_list(self, channel: str, version: str) -> None:
        added: list[bytes] = []
        for row, operations in self._listed(channel):
            element = _element(operations)
            if element != row.element:
                self._put_listing_rows(channel, [replace(row, element=element)])
            added += [element] if element is not None else []
        accumulator = muhash.to_bytes(muhash.change(muhash.EMPTY, added))
        self._put_list_state(replace(self._list_state(channel), accumulator=accumulator, rebuilt=version))

    def _list_state(self, channel: str) -> HeldListState:
        return self.list_state(channel) or HeldListState(channel)

    def _settle_listings(
        self,
        channel: str,
        places: Iterable[Place],
        entered: Mapping[Place, str | None] | None = None,
        gone: Sequence[bytes] = (),
    ) -> None:
        """Bring the rows of listings and the accumulator up to their operations.

        entered are the subjects of those that begin here, gone the elements of listings that are no more.
        """
        befores, afters = dict[Place, ListingRow](), dict[Place, ListingRow]()
        for _, group in groupby(sorted(places), key=lambda place: (place.epoch, place.index)):
            wanted = list(group)
            rows = {row.place: row for row in self._listing_rows_between(channel, wanted[0], wanted[-1])}
            on = self._by_target(channel, wanted[0], wanted[-1])
            befores |= {place: rows[place] for place in wanted if place in rows}
            settled = (_settled(place, on.get(place, []), rows.get(place), entered or {}) for place in wanted)
            afters |= {row.place: row for row in settled if row is not None}
        self._put_listing_rows(channel, [row for place, row in afters.items() if befores.get(place) != row])
        self._drop_listing_rows(channel, [place for place in befores if place not in afters])
        self._add_up(channel, _elements(afters, befores), [*gone, *_elements(befores, afters)])

    def _add_up(self, channel: str, added: Sequence[bytes], removed: Sequence[bytes]) -> None:
        if added or removed:
            state = self._list_state(channel)
            accumulator = muhash.change(muhash.from_bytes(state.accumulator), added, removed)
            self._put_list_state(replace(state, accumulator=muhash.to_bytes(accumulator)))

    # -- what other writes do to lists

    def _erase_list_slots(self, channel: str, epoch: int, index: int, gone: Collection[int], slots: int) -> None:
        """Forget what erased slots of an entry said. Without an operation's slot, or its warrant's, nobody can judge
        it: it stays only where it is in the subject's favour, and the same at whoever comes late."""
        operations = self._operations_at(channel, epoch, index)
        without_warrant = slots - 1 in gone
        lost = [each for each in operations if without_warrant or each.operation.place.position in gone]
        kept = [each.operation for each in lost if each.operation.act in NARROWING and each.is_valid is not False]
        self._put_operation_rows(channel, [(operation, None) for operation in kept])
        dropped = [each.operation.place for each in lost if each.operation not in kept]
        self._drop_operation_rows(channel, dropped)
        for each in operations:
            row = self._listing_row(channel, each.operation.place) if each.operation.particulars in gone else None
            if row is not None:
                self._put_listing_rows(channel, [replace(row, subject=None)])
        self._settle_listings(channel, {each.operation.target for each in lost})

    def _cut_list(self, channel: str, epoch: int, low: int, high: int) -> None:
        """Settle the listings that operations between two cuts of an epoch are on."""
        self._settle_listings(channel, self._targets_between(channel, epoch, low, high))

    def _drop_list(self, channel: str, epoch: int) -> None:
        """Forget what an epoch asserts of a list; nothing is known of its digest until the fold has passed again."""
        if self.list_state(channel) is None:
            return
        gone, elsewhere = self._drop_epoch_rows(channel, epoch)
        self._settle_listings(channel, elsewhere, gone=gone)
        self.put_comparison(channel, DigestStatus.UNKNOWN, None)


def _entry_key(about: tuple[str, str, HeldOperation]) -> tuple[str, str, Place]:
    return *about[:2], about[2].operation.target


def _by_entry(about: tuple[str, str, HeldOperation]) -> tuple[tuple[str, str, Place], Place]:
    return _entry_key(about), about[2].operation.place


def _entry_of(operation: ListOperation) -> tuple[int, int]:
    return operation.place.epoch, operation.place.index


def _element(operations: Sequence[HeldOperation]) -> bytes | None:
    return member_element(listing_of(each.operation for each in operations if each.is_asserted))


def _settled(
    place: Place, operations: Sequence[HeldOperation], row: ListingRow | None, entered: Mapping[Place, str | None]
) -> ListingRow | None:
    """The row of a listing by its operations; None where no valid one enters it."""
    if not any(each.operation.act == ENTER and each.is_valid for each in operations):
        return None
    subject = entered.get(place, row.subject if row is not None else None)
    return ListingRow(place, subject, _element(operations))


def _elements(rows: Mapping[Place, ListingRow], others: Mapping[Place, ListingRow]) -> list[bytes]:
    """The elements of rows that others do not have at the same place."""
    differing = {at: row.element for at, row in rows.items() if at not in others or others[at].element != row.element}
    return [element for element in differing.values() if element is not None]
