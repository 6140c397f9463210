"""Joint lists in the tables; node.storage.list_rows says what they make of each other."""

# ruff: noqa: S608 - statements are put together from constants of this module

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple
from typing import Any

from node.core.listing import NARROWING, ListOperation
from node.core.state import Place
from node.held_lists import DigestStatus, HeldListState, HeldOperation
from node.storage.list_rows import ListingRow, ListsReading, ListsWriting
from node.storage.sql_decisions import SqlDecisionsReader, SqlDecisionsWriter
from node.storage.sql_reading import KEYS_PER_QUERY, MAX_INTEGER, marks

_IN_FAVOUR = ", ".join(str(act) for act in sorted(NARROWING))
_TARGET = "(o.target_epoch, o.target_index, o.target_position)"
_OPERATIONS = (
    "SELECT o.epoch, o.entry_index, o.position, o.act, o.target_epoch, o.target_index, o.target_position, o.at_ms,"
    " o.decided_on, o.until, o.measures, o.ground, o.particulars, o.standing,"
    f" o.entry_index < COALESCE(l.cut_size, {MAX_INTEGER})"
    " FROM list_operations o JOIN logs l ON l.channel_id = o.channel_id AND l.epoch = o.epoch WHERE o.channel_id = :id"
)
_OPERATIONS_AT = _OPERATIONS + " AND o.epoch = :epoch AND o.entry_index = :index ORDER BY o.position"
_IN_TARGET_ORDER = " ORDER BY o.target_epoch, o.target_index, o.target_position, o.epoch, o.entry_index, o.position"
# A range of targets, also where it is one: by equality SQLite reads the whole list in the order of its places, and in a
# join with listings, too.
_OPERATIONS_ON = (
    _OPERATIONS
    + f" AND {_TARGET} >= (:epoch, :index, :position) AND {_TARGET} <= (:to_epoch, :to_index, :to_position)"
    + _IN_TARGET_ORDER
)
_LISTINGS = "SELECT epoch, entry_index, position, subject, element FROM listings WHERE channel_id = :id"
_LISTINGS_BETWEEN = (
    _LISTINGS + " AND (epoch, entry_index, position) >= (:epoch, :index, :position)"
    " AND (epoch, entry_index, position) <= (:to_epoch, :to_index, :to_position)"
)
_LISTINGS_AFTER = (
    _LISTINGS + " AND (epoch, entry_index, position) > (:epoch, :index, :position)"
    " ORDER BY epoch, entry_index, position LIMIT :limit"
)
_LISTINGS_OF = (
    "SELECT c.name, l.epoch, l.entry_index, l.position, l.subject, l.element FROM listings l"
    " JOIN channels c ON c.id = l.channel_id WHERE l.subject = :subject"
    " ORDER BY c.name, l.epoch, l.entry_index, l.position"
)
_LISTINGS_ABOUT = (
    "SELECT l.channel_id, c.name, l.epoch, l.entry_index, l.position, l.subject FROM listings l"
    " JOIN channels c ON c.id = l.channel_id WHERE l.subject IN ({marks})"
)
_LIST_STATE = (
    "SELECT s.accumulator, s.status, s.differs_epoch, s.differs_index, s.rebuilt FROM list_states s"
    " JOIN channels c ON c.id = s.channel_id WHERE c.name = :channel"
)

_TARGETS_BETWEEN = (
    "SELECT target_epoch, target_index, target_position FROM list_operations"
    " WHERE channel_id = :id AND epoch = :epoch AND entry_index >= :low AND entry_index < :high"
)
_PUT_OPERATION = (
    "INSERT INTO list_operations (channel_id, epoch, entry_index, position, act, target_epoch, target_index,"
    " target_position, at_ms, decided_on, until, measures, ground, particulars, standing)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (channel_id, epoch, entry_index, position) DO UPDATE SET standing = excluded.standing"
)
_DROP_OPERATION = "DELETE FROM list_operations WHERE channel_id = ? AND epoch = ? AND entry_index = ? AND position = ?"
_PUT_LISTING = (
    "INSERT INTO listings (channel_id, epoch, entry_index, position, subject, element)"
    " VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (channel_id, epoch, entry_index, position) DO UPDATE SET subject = excluded.subject,"
    " element = excluded.element"
)
_DROP_LISTING = "DELETE FROM listings WHERE channel_id = ? AND epoch = ? AND entry_index = ? AND position = ?"
_PUT_LIST_STATE = (
    "INSERT INTO list_states (channel_id, accumulator, status, differs_epoch, differs_index, rebuilt)"
    " VALUES (:id, :accumulator, :status, :differs_epoch, :differs_index, :rebuilt)"
    " ON CONFLICT (channel_id) DO UPDATE SET accumulator = excluded.accumulator, status = excluded.status,"
    " differs_epoch = excluded.differs_epoch, differs_index = excluded.differs_index, rebuilt = excluded.rebuilt"
)

_OF_EPOCH = " WHERE channel_id = :id AND epoch = :epoch"
_LIVE_LISTINGS = "SELECT COUNT(element) FROM listings WHERE channel_id = :id"
_ELEMENTS = "SELECT element FROM listings" + _OF_EPOCH + " AND element IS NOT NULL"
_DROP_LISTINGS = "DELETE FROM listings" + _OF_EPOCH
_DROP_OPERATIONS = (
    "DELETE FROM list_operations" + _OF_EPOCH + f" AND (target_epoch = :epoch OR act NOT IN ({_IN_FAVOUR}))"
)
_UNFOLD_OPERATIONS = "UPDATE list_operations SET standing = NULL" + _OF_EPOCH


class SqlListsReader(ListsReading, SqlDecisionsReader):
    """The ListsReader."""

    def list_state(self, channel: str) -> HeldListState | None:
        row = self._row(_LIST_STATE, channel=channel)
        if row is None:
            return None
        accumulator, status, epoch, index, rebuilt = row
        differs = Place(epoch, index, 0) if epoch is not None else None
        return HeldListState(channel, accumulator, DigestStatus(status), differs, rebuilt)

    def live_listings(self, channel: str) -> int:
        return int(self._value(_LIVE_LISTINGS, id=self._channel_id(channel)))

    def _listing_rows_between(self, channel: str, first: Place, last: Place) -> Sequence[ListingRow]:
        rows = self._rows(_LISTINGS_BETWEEN, id=self._channel_id(channel), **_between(first, last))
        return [_listing_row(row) for row in rows]

    def _listing_rows(self, channel: str, after: Place, limit: int) -> Sequence[ListingRow]:
        rows = self._rows(_LISTINGS_AFTER, id=self._channel_id(channel), limit=limit, **_at(after))
        return [_listing_row(row) for row in rows]

    def _listing_rows_of(self, subject: str) -> Sequence[tuple[str, ListingRow]]:
        return [(row[0], _listing_row(row[1:])) for row in self._rows(_LISTINGS_OF, subject=subject)]

    def _operations_about(self, subjects: Collection[str]) -> Iterator[tuple[str, str, HeldOperation]]:
        asked = list(subjects)
        for start in range(0, len(asked), KEYS_PER_QUERY):
            some = asked[start : start + KEYS_PER_QUERY]
            with self._connected() as connection:
                rows = connection.execute(_LISTINGS_ABOUT.format(marks=marks(len(some))), some).fetchall()
            for channel_id, channel, epoch, index, position, subject in rows:
                place = Place(epoch, index, position)
                for row in self._rows(_OPERATIONS_ON, id=channel_id, **_between(place, place)):
                    yield subject, channel, _held_operation(row)

    def _operations_on(self, channel: str, first: Place, last: Place) -> Sequence[HeldOperation]:
        rows = self._rows(_OPERATIONS_ON, id=self._channel_id(channel), **_between(first, last))
        return [_held_operation(row) for row in rows]


class SqlListsWriter(ListsWriting, SqlListsReader, SqlDecisionsWriter):
    """The ListsWriter over the transaction that is open."""

    @abstractmethod
    def _change_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int: ...

    def _operations_at(self, channel: str, epoch: int, index: int) -> Sequence[HeldOperation]:
        rows = self._rows(_OPERATIONS_AT, id=self._channel_id(channel), epoch=epoch, index=index)
        return [_held_operation(row) for row in rows]

    def _targets_between(self, channel: str, epoch: int, low: int, high: int) -> Collection[Place]:
        rows = self._rows(_TARGETS_BETWEEN, id=self._channel_id(channel), epoch=epoch, low=low, high=high)
        return {Place(*row) for row in rows}

    def _put_operation_rows(self, channel: str, rows: Sequence[tuple[ListOperation, bool | None]]) -> None:
        channel_id = self._channel_id(channel)
        self._change_many(_PUT_OPERATION, [_operation_row(channel_id, *row) for row in rows])

    def _drop_operation_rows(self, channel: str, places: Sequence[Place]) -> None:
        channel_id = self._channel_id(channel)
        self._change_many(_DROP_OPERATION, [(channel_id, *astuple(place)) for place in places])

    def _put_listing_rows(self, channel: str, rows: Sequence[ListingRow]) -> None:
        channel_id = self._channel_id(channel)
        self._change_many(_PUT_LISTING, [(channel_id, *astuple(row.place), row.subject, row.element) for row in rows])

    def _drop_listing_rows(self, channel: str, places: Sequence[Place]) -> None:
        channel_id = self._channel_id(channel)
        self._change_many(_DROP_LISTING, [(channel_id, *astuple(place)) for place in places])

    def _put_list_state(self, state: HeldListState) -> None:
        self._change(
            _PUT_LIST_STATE,
            id=self._channel_id(state.channel),
            accumulator=state.accumulator,
            status=state.status.value,
            differs_epoch=state.differs.epoch if state.differs is not None else None,
            differs_index=state.differs.index if state.differs is not None else None,
            rebuilt=state.rebuilt,
        )

    def _drop_epoch_rows(self, channel: str, epoch: int) -> tuple[Sequence[bytes], Collection[Place]]:
        log = {"id": self._channel_id(channel), "epoch": epoch}
        elements = [element for (element,) in self._rows(_ELEMENTS, **log)]
        elsewhere = {at for at in self._targets_between(channel, epoch, 0, MAX_INTEGER) if at.epoch != epoch}
        for statement in (_DROP_LISTINGS, _DROP_OPERATIONS, _UNFOLD_OPERATIONS):
            self._change(statement, **log)
        return elements, elsewhere


def _at(place: Place) -> dict[str, int]:
    return {"epoch": place.epoch, "index": place.index, "position": place.position}


def _between(first: Place, last: Place) -> dict[str, int]:
    return _at(first) | {f"to_{name}": number for name, number in _at(last).items()}


def _listing_row(row: Sequence[Any]) -> ListingRow:
    return ListingRow(Place(*row[:3]), *row[3:])


def _operation_row(channel_id: int | None, operation: ListOperation, is_valid: bool | None) -> tuple[Any, ...]:
    places = (*astuple(operation.place), operation.act, *astuple(operation.target))
    said = (operation.at_ms, operation.decided_on, operation.until, ",".join(operation.measures))
    standing = None if is_valid is None else int(is_valid)
    return (channel_id, *places, *said, operation.ground, operation.particulars, standing)


def _held_operation(row: Sequence[Any]) -> HeldOperation:
    at_ms, decided_on, until, measures, ground, particulars, standing, is_below_cut = row[7:]
    operation = ListOperation(
        place=Place(*row[:3]),
        act=row[3],
        target=Place(*row[4:7]),
        at_ms=at_ms,
        decided_on=decided_on,
        until=until,
        measures=tuple(measures.split(",")) if measures else (),
        ground=ground,
        particulars=particulars,
    )
    is_valid = None if standing is None else bool(standing)
    return HeldOperation(operation, is_valid, bool(is_valid and is_below_cut))
