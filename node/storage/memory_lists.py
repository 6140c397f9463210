"""Joint lists in the store in memory; node.storage.list_rows says what they make of each other."""

from collections.abc import Collection, Iterator, Sequence

from node.core.listing import NARROWING, ListOperation
from node.core.state import Place
from node.held_lists import HeldListState, HeldOperation
from node.storage.list_rows import ListingRow, ListsReading, ListsWriting
from node.storage.memory_decisions import MemoryDecisionsReader, MemoryDecisionsWriter


class MemoryListsReader(ListsReading, MemoryDecisionsReader):
    """The ListsReader."""

    def list_state(self, channel: str) -> HeldListState | None:
        return self._state.list_states.rows.get(channel)

    def live_listings(self, channel: str) -> int:
        held = self._state.listings.rows.items()
        return sum(row.element is not None for at, row in held if at[0] == channel)

    def _listing_rows_between(self, channel: str, first: Place, last: Place) -> Sequence[ListingRow]:
        rows = self._state.listings.rows
        return [rows[at] for at in sorted(at for at in rows if at[0] == channel and first <= at[1] <= last)]

    def _listing_rows(self, channel: str, after: Place, limit: int) -> Sequence[ListingRow]:
        places = sorted(at[1] for at in self._state.listings.rows if at[0] == channel and at[1] > after)
        return [self._state.listings.rows[channel, place] for place in places[:limit]]

    def _listing_rows_of(self, subject: str) -> Sequence[tuple[str, ListingRow]]:
        rows = self._state.listings.rows
        return [(at[0], rows[at]) for at in sorted(at for at, row in rows.items() if row.subject == subject)]

    def _operations_about(self, subjects: Collection[str]) -> Iterator[tuple[str, str, HeldOperation]]:
        wanted = frozenset(subjects)
        for (channel, place), row in self._state.listings.rows.items():
            if row.subject is not None and row.subject in wanted:
                for held in self._operations_on(channel, place, place):
                    yield row.subject, channel, held

    def _operations_on(self, channel: str, first: Place, last: Place) -> Sequence[HeldOperation]:
        rows = self._state.list_operations.rows.items()
        found = [row for at, row in rows if at[0] == channel and first <= row[0].target <= last]
        held = [self._held_operation(channel, *row) for row in found]
        return sorted(held, key=lambda each: (each.operation.target, each.operation.place))

    def _held_operation(self, channel: str, operation: ListOperation, is_valid: bool | None) -> HeldOperation:
        held = self._state.logs.rows.get((channel, operation.place.epoch))
        cut = held.log.cut if held is not None else None
        is_below_cut = cut is None or operation.place.index < cut.size
        return HeldOperation(operation, is_valid, bool(is_valid and is_below_cut))


class MemoryListsWriter(ListsWriting, MemoryListsReader, MemoryDecisionsWriter):
    """The ListsWriter on tables of its own."""

    def _operations_at(self, channel: str, epoch: int, index: int) -> Sequence[HeldOperation]:
        rows = sorted(self._state.list_operations.rows.items())
        here = [row for at, row in rows if at[0] == channel and (at[1].epoch, at[1].index) == (epoch, index)]
        return [self._held_operation(channel, *row) for row in here]

    def _targets_between(self, channel: str, epoch: int, low: int, high: int) -> Collection[Place]:
        rows = self._state.list_operations.rows.items()
        return {
            row[0].target for at, row in rows if at[0] == channel and at[1].epoch == epoch and low <= at[1].index < high
        }

    def _put_operation_rows(self, channel: str, rows: Sequence[tuple[ListOperation, bool | None]]) -> None:
        if rows:
            self._state.list_operations.edit().update({(channel, row[0].place): row for row in rows})

    def _drop_operation_rows(self, channel: str, places: Sequence[Place]) -> None:
        for place in places:
            del self._state.list_operations.edit()[channel, place]

    def _put_listing_rows(self, channel: str, rows: Sequence[ListingRow]) -> None:
        if rows:
            self._state.listings.edit().update({(channel, row.place): row for row in rows})

    def _drop_listing_rows(self, channel: str, places: Sequence[Place]) -> None:
        for place in places:
            del self._state.listings.edit()[channel, place]

    def _put_list_state(self, state: HeldListState) -> None:
        self._state.list_states.edit()[state.channel] = state

    def _drop_epoch_rows(self, channel: str, epoch: int) -> tuple[Sequence[bytes], Collection[Place]]:
        listings, operations = self._state.listings.edit(), self._state.list_operations.edit()
        gone = [listings.pop(at) for at in sorted(listings) if at[0] == channel and at[1].epoch == epoch]
        elsewhere: set[Place] = set()
        for at in [at for at in operations if at[0] == channel and at[1].epoch == epoch]:
            operation, _ = operations.pop(at)
            if operation.target.epoch != epoch:
                elsewhere.add(operation.target)
                if operation.act in NARROWING:
                    operations[at] = (operation, None)
        return [row.element for row in gone if row.element is not None], elsewhere
