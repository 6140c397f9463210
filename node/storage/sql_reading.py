"""Reading the tables: the StoreReader over any SQL database that takes these statements.

Long results are read a page at a time, each page on its own, so that they hold neither memory nor a snapshot
while their reader works. A row that changes between two pages is seen in one of its two states.
"""
# ruff: noqa: S608 - statements are put together from constants of this module and parameter marks

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby, islice
from typing import Any, NamedTuple

from node.core import envelope as envelopes
from node.core.channel import HeadAt, Log
from node.core.entry import WHOLE_ENTRY, origin_of
from node.core.errors import XinqiaoError
from node.core.merkle import EMPTY_ROOT, HASH_BYTES, HashReader
from node.core.packing import unpack
from node.core.quality import Corrections
from node.core.receipt import VerifiedReceipt
from node.core.state import CORRECT, Act, HeldKey, Place
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from node.ports import (
    HeldAddress,
    HeldAlarm,
    HeldChannel,
    HeldEntry,
    HeldEquivocation,
    HeldHeartbeat,
    HeldReceipt,
    HeldRecord,
    LinkState,
    RegistryFileRecord,
)
from node.storage.record_blocks import (
    BLOCK_RECORDS,
    IS_TARGET_IN_FORCE,
    KEY_OF_TARGET,
    KEYS_IN,
    PAGE_OF_PLACES,
    RECORD_AT,
    TARGETS,
    in_block,
    keys_at,
    subject_at,
)
from node.storage.slots import pick_records
from node.storage.sql_ports import KeyedRecord, KeyIndex, SqlCursor, SqlReads

_Row = tuple[Any, ...]

MAX_INTEGER = (1 << 63) - 1
_PAGE_ENTRIES = 256
_PAGE_BYTES = 4 * 1024 * 1024
_PAGE_RECORDS = 2_000
KEYS_PER_QUERY = 500

_LOGS = """
    SELECT c.name, c.origin, l.epoch, l.size, l.root, l.frontier, l.applied_size, l.records,
        l.manifest, l.manifest_index, l.left_at, l.fresh_at_ms,
        l.covered_size, l.covered_root, l.cut_size, l.cut_root, COALESCE(l.epoch <= o.closed_through, FALSE),
        (SELECT COUNT(*) FROM entries e WHERE e.channel_id = l.channel_id AND e.epoch = l.epoch AND complete = 0),
        l.channel_id
    FROM logs l JOIN channels c ON c.id = l.channel_id LEFT JOIN origins o ON o.name = c.origin """
_ALL_LOGS = _LOGS + "WHERE l.size > 0 ORDER BY c.name, l.epoch"
_ONE_LOG = _LOGS + "WHERE c.name = :channel AND l.epoch = :epoch"
_NEWEST_LOG = _LOGS + "WHERE c.name = :channel AND l.size > 0 ORDER BY l.epoch DESC LIMIT 1"
_IS_CLOSED = "SELECT 1 FROM origins WHERE name = :origin AND closed_through >= :epoch"
_CHANNEL_ID = "SELECT id FROM channels WHERE name = :channel"

_HEADERS = "SELECT e.entry_index, e.envelope, e.complete, e.issued_at_ms, e.received_at_ms, NULL AS body FROM entries e"
_ENTRIES = _HEADERS.replace("NULL AS body", "b.body") + (
    " LEFT JOIN bodies b ON b.channel_id = e.channel_id AND b.epoch = e.epoch AND b.entry_index = e.entry_index"
)
_RANGE = (
    " WHERE e.channel_id = :id AND e.epoch = :epoch AND e.entry_index >= :start AND e.entry_index < :end"
    " ORDER BY e.entry_index LIMIT :limit"
)
_PAGE_OF_HEADERS = _HEADERS + _RANGE
_PAGE_OF_ENTRIES = _ENTRIES + _RANGE
_PAGE_OF_SIZES = "SELECT e.entry_index, LENGTH(e.body) AS bytes FROM bodies e" + _RANGE
_ONE_ENTRY = _ENTRIES + " WHERE e.channel_id = :id AND e.epoch = :epoch AND e.entry_index = :index"
_INCOMPLETE = (
    "SELECT entry_index FROM entries WHERE channel_id = :id AND epoch = :epoch AND complete = 0"
    " ORDER BY entry_index LIMIT :limit"
)
_ERASURES = (
    "SELECT position, commitment FROM erasures WHERE channel_id = :id AND epoch = :epoch AND entry_index = :index"
    " ORDER BY position"
)

_RECORD_CHANNELS = """
    SELECT c.id, c.name FROM channels c
    WHERE EXISTS (SELECT 1 FROM logs l WHERE l.channel_id = c.id AND l.records > 0) """
_OF_CHANNEL = "AND c.name = :channel "
_ACTS = (
    "SELECT a.epoch, a.entry_index, a.position, a.kind, a.target_epoch, a.target_index, a.target_position, a.at_ms,"
    " a.particulars, a.new_epoch, a.new_index, a.new_position{0} FROM acts a "
)
_BY_PLACE = " ORDER BY a.epoch, a.entry_index, a.position"
_ACTS_ON = (
    _ACTS.format("") + "WHERE a.channel_id = :id AND a.target_epoch = :epoch AND a.target_index = :index"
    " AND a.target_position = :position"
)
_ACTS_WITH_KEYS = (
    _ACTS.format(f", {KEY_OF_TARGET}")
    + TARGETS
    + f"WHERE a.channel_id = :id AND {KEY_OF_TARGET} IS NOT NULL{_BY_PLACE}"
)
_BEHIND_WITHIN = (
    "SELECT entry_index, position, natural_key, content_hash FROM records WHERE in_force IS NULL"
    " AND channel_id = :id AND epoch = :epoch AND (entry_index, position) > (:index, :position)"
    " AND entry_index < :end ORDER BY entry_index, position LIMIT :limit"
)
_NAMED_WITHIN = (
    f"SELECT COUNT(*) FROM (SELECT DISTINCT a.target_index, a.target_position FROM acts a{TARGETS}"
    f"WHERE {IS_TARGET_IN_FORCE} AND a.channel_id = :id AND a.kind = :correct AND a.target_epoch = :epoch"
    " AND a.target_index >= :start AND a.target_index < :end) AS named"
)
_ERASED_WITHIN = (
    "SELECT COALESCE(SUM(CASE WHEN x.position = :whole THEN e.record_count ELSE 1 END), 0) FROM erasures x"
    " JOIN entries e ON e.channel_id = x.channel_id AND e.epoch = x.epoch AND e.entry_index = x.entry_index"
    " WHERE x.channel_id = :id AND x.epoch = :epoch AND x.entry_index >= :start AND x.entry_index < :end"
)
_COUNT_ALL = "SELECT COALESCE(SUM(records), 0) FROM logs"
_COUNT_ONE = "SELECT COALESCE(SUM(records), 0) FROM logs WHERE channel_id = :id"
_OUTCOMES = "SELECT outcome, code, count FROM outcomes WHERE channel_id = :id AND epoch = :epoch ORDER BY outcome, code"

_HEARTBEATS = "SELECT sequence, node, time_ms, view FROM heartbeats "
_RECEIPTS = "SELECT sequence, envelope FROM receipts "
_ADDRESSES = "SELECT sequence, envelope FROM addresses "
_SINCE = "WHERE sequence > :sequence ORDER BY sequence"
_HEARTBEATS_SINCE = _HEARTBEATS + _SINCE
_HEARTBEAT = _HEARTBEATS + "WHERE node = :node"
_RECEIPTS_SINCE = _RECEIPTS + _SINCE + " LIMIT :limit"
_RECEIPT = _RECEIPTS + "WHERE channel = :channel AND subscriber = :subscriber"
_RECEIPTS_FOR = _RECEIPTS + "WHERE channel = :channel ORDER BY subscriber"
_RECEIPTS_OF = _RECEIPTS + "WHERE subscriber = :subscriber ORDER BY channel"
_ADDRESSES_SINCE = _ADDRESSES + _SINCE
_ADDRESS = _ADDRESSES + "WHERE node = :node"
_EQUIVOCATIONS_SINCE = "SELECT sequence, channel, epoch, entry_index, proof FROM equivocations " + _SINCE

_INCARNATION = "SELECT incarnation FROM database"
_SETTING = "SELECT value FROM settings WHERE name = :name"
_LINK = "SELECT node, failures, retry_at_ms, last_success_ms, clock_skew_ms, failure FROM links WHERE node = :node"
_ALARMS = (
    "SELECT code, subject, parameters, first_seen_ms, last_seen_ms, count FROM alarms"
    " ORDER BY last_seen_ms DESC, code, subject"
)
_REGISTRY_FILE = "SELECT content FROM registry_files WHERE name = :name"
_REGISTRY_NAMES = "SELECT name FROM registry_files ORDER BY name"


class LogRow(NamedTuple):
    """The columns of _LOGS."""

    name: str
    origin: str
    epoch: int
    size: int
    root: bytes
    frontier: bytes
    applied_size: int
    records: int
    manifest: bytes
    manifest_index: int
    left_at: int | None
    fresh_at_ms: int
    covered_size: int | None
    covered_root: bytes
    cut_size: int | None
    cut_root: bytes
    quarantined: int
    incomplete: int
    channel_id: int


class StoredRecord(NamedTuple):
    """What is stored of a record beside its bytes."""

    natural_key: bytes
    in_force: bool
    subject: str


class SqlReader(ABC):
    """The StoreReader; a store or a transaction says on which connection each statement runs, and its index."""

    _index: KeyIndex

    @abstractmethod
    def _connected(self) -> AbstractContextManager[SqlReads]: ...

    def _rows(self, statement: str, **values: Any) -> Sequence[_Row]:
        with self._connected() as connection:
            return run(connection, statement, values).fetchall()

    def _row(self, statement: str, **values: Any) -> _Row | None:
        rows = self._rows(statement, **values)
        return rows[0] if rows else None

    def _value(self, statement: str, **values: Any) -> Any:
        row = self._row(statement, **values)
        return None if row is None else row[0]

    def _channel_id(self, channel: str) -> int | None:
        found: int | None = self._value(_CHANNEL_ID, channel=channel)
        return found

    # -- the node

    def incarnation(self) -> str:
        return str(self._value(_INCARNATION))

    def setting(self, name: str) -> str | None:
        value: str | None = self._value(_SETTING, name=name)
        return value

    # -- logs

    def channels(self) -> Sequence[HeldChannel]:
        return [_held_channel(LogRow._make(row)) for row in self._rows(_ALL_LOGS)]

    def channel(self, channel: str, epoch: int | None = None) -> HeldChannel | None:
        row = self._newest_log_row(channel) if epoch is None else self._log_row(channel, epoch)
        return _held_channel(row) if row is not None and row.size else None

    def _newest_log_row(self, channel: str) -> LogRow | None:
        row = self._row(_NEWEST_LOG, channel=channel)
        return LogRow._make(row) if row is not None else None

    def _log_row(self, channel: str, epoch: int) -> LogRow | None:
        row = self._row(_ONE_LOG, channel=channel, epoch=epoch)
        return LogRow._make(row) if row is not None else None

    def log(self, channel: str, epoch: int) -> Log:
        row = self._log_row(channel, epoch)
        if row is not None:
            return _log(row)
        closed = self._row(_IS_CLOSED, origin=origin_of(channel), epoch=epoch) is not None
        return Log(channel, epoch, quarantined=closed)

    def entries(
        self, channel: str, epoch: int, start: int, end: int | None = None, with_bodies: bool = True
    ) -> Iterator[HeldEntry]:
        log = {"id": self._channel_id(channel), "epoch": epoch, "end": MAX_INTEGER if end is None else end}
        statement = _PAGE_OF_ENTRIES if with_bodies else _PAGE_OF_HEADERS
        while True:
            limit = self._fitting(log, start) if with_bodies else _PAGE_ENTRIES
            rows = self._rows(statement, **log, start=start, limit=limit)
            if not rows:
                return
            yield from map(_held_entry, rows)
            start = rows[-1][0] + 1

    def _fitting(self, log: dict[str, Any], start: int) -> int:
        """How many entries from there on make a page whose bodies fit in memory, at least one."""
        total = 0
        for index, body_bytes in self._rows(_PAGE_OF_SIZES, **log, start=start, limit=_PAGE_ENTRIES):
            total += body_bytes
            if total > _PAGE_BYTES:
                return max(1, int(index) - start)
        return _PAGE_ENTRIES

    def entry(self, channel: str, epoch: int, index: int) -> HeldEntry | None:
        return self._entry(self._channel_id(channel), epoch, index)

    def _entry(self, channel_id: int | None, epoch: int, index: int) -> HeldEntry | None:
        row = self._row(_ONE_ENTRY, id=channel_id, epoch=epoch, index=index)
        return _held_entry(row) if row is not None else None

    def incomplete_entries(self, channel: str, epoch: int, limit: int) -> Sequence[int]:
        rows = self._rows(_INCOMPLETE, id=self._channel_id(channel), epoch=epoch, limit=limit)
        return [index for (index,) in rows]

    def hashes(self, channel: str, epoch: int) -> HashReader:
        return _StoredHashes(self, self._channel_id(channel), epoch)

    def erasures(self, channel: str, epoch: int, index: int) -> Mapping[int, bytes]:
        return self._erasures(self._channel_id(channel), epoch, index)

    def _erasures(self, channel_id: int | None, epoch: int, index: int) -> dict[int, bytes]:
        return dict(self._rows(_ERASURES, id=channel_id, epoch=epoch, index=index))

    # -- records

    def find_keys(self, channel: str, keys: Sequence[bytes]) -> Mapping[bytes, HeldKey]:
        found = self._under(self._channel_id(channel), keys)
        return {each.natural_key: HeldKey(each.place, each.content_hash) for each in found if each.in_force}

    def _under(self, channel_id: int | None, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """All records of a channel under these keys, also in the background, in no order."""
        if channel_id is None or not keys:
            return ()
        with self._connected() as connection:
            return self._index.under(connection, channel_id, keys)

    def revisions(self, channel: str, place: Place) -> Sequence[Place]:
        return self._revisions(self._channel_id(channel), place)

    def _revisions(self, channel_id: int | None, place: Place) -> Sequence[Place]:
        row = self._record_at(channel_id, place)
        return sorted(each.place for each in self._under(channel_id, [row.natural_key])) if row is not None else ()

    def _record_at(self, channel_id: int | None, place: Place) -> StoredRecord | None:
        row = self._row(RECORD_AT, id=channel_id, **in_block(place))
        return StoredRecord(row[0], row[1] == 1, subject_at(row[2], row[3])) if row is not None else None

    def acts(self, channel: str, place: Place) -> Sequence[Act]:
        channel_id = self._channel_id(channel)
        targets = {place, *self._revisions(channel_id, place)}
        rows = [row for target in targets for row in self._rows(_ACTS_ON, id=channel_id, **at_place(target))]
        return sorted(map(_act, rows), key=lambda act: act.place)

    def acts_in_force(self, channel: str) -> Mapping[Place, Sequence[Act]]:
        channel_id = self._channel_id(channel)
        rows = self._rows(_ACTS_WITH_KEYS, id=channel_id)
        in_force = self.find_keys(channel, list({row[-1] for row in rows}))
        found: dict[Place, list[Act]] = {}
        for row in rows:
            if row[-1] in in_force:
                found.setdefault(in_force[row[-1]].place, []).append(_act(row))
        return dict(sorted(found.items()))

    def revisions_in(self, channel: str, epoch: int, index: int) -> Collection[int]:
        channel_id = self._channel_id(channel)
        own = list(keys_at(self._rows(KEYS_IN, id=channel_id, epoch=epoch, index=index)))
        first: dict[bytes, Place] = {}
        for each in self._under(channel_id, {key for key, _ in own}):
            first[each.natural_key] = min(each.place, first.get(each.natural_key, each.place))
        return {position for key, position in own if first[key] < Place(epoch, index, position)}

    def corrections(self, channel: str, epoch: int, start: int, end: int) -> Corrections:
        within = {"id": self._channel_id(channel), "epoch": epoch, "start": start, "end": end}
        behind = self._revised_within(channel, epoch, start, end)
        named = self._value(_NAMED_WITHIN, **within, correct=CORRECT)
        return Corrections(behind + named, int(self._value(_ERASED_WITHIN, **within, whole=WHOLE_ENTRY)))

    def _revised_within(self, channel: str, epoch: int, start: int, end: int) -> int:
        """How many records there are behind one of other content."""
        within = {"id": self._channel_id(channel), "epoch": epoch, "end": end, "limit": _PAGE_RECORDS}
        found, last = 0, (start, -1)
        while rows := self._rows(_BEHIND_WITHIN, index=last[0], position=last[1], **within):
            last = rows[-1][:2]
            in_force = self.find_keys(channel, list({row[2] for row in rows}))
            found += sum(key in in_force and in_force[key].content_hash != content for *_, key, content in rows)
        return found

    def records(
        self, subject: str | None = None, channel: str | None = None, limit: int | None = None
    ) -> Iterator[HeldRecord]:
        found = self._records_of(subject, channel) if subject is not None else self._all_records(channel)
        return islice(found, limit)

    def _all_records(self, channel: str | None) -> Iterator[HeldRecord]:
        for channel_id, name in self._channels_with_records(channel):
            yield from self._records_at(channel_id, name, self._places(channel_id))

    def _channels_with_records(self, channel: str | None) -> Sequence[_Row]:
        if channel is None:
            return self._rows(_RECORD_CHANNELS + "ORDER BY c.name")
        return self._rows(_RECORD_CHANNELS + _OF_CHANNEL, channel=channel)

    def _places(self, channel_id: int) -> Iterator[Place]:
        """Where the records of a channel that are in force stand, in order."""
        last = {"epoch": 0, "index": 0, "position": -1, "number": -1}
        while rows := self._rows(PAGE_OF_PLACES, id=channel_id, limit=_PAGE_RECORDS, **last):
            for epoch, index, start, count in rows:
                yield from (Place(epoch, index, position) for position in range(start, start + count))
            epoch, index, start, count = rows[-1]
            last = {"epoch": epoch, "index": index, "position": start + count - 1, "number": start // BLOCK_RECORDS}

    def _records_of(self, subject: str, channel: str | None) -> Iterator[HeldRecord]:
        with self._connected() as connection:
            addresses = self._index.of_subject(connection, subject)
        places: dict[int, list[Place]] = {}
        for channel_id, place in addresses:
            places.setdefault(channel_id, []).append(place)
        for channel_id, name in self._channels_with_records(channel) if places else ():
            rows = ((place, self._record_at(channel_id, place)) for place in places.get(channel_id, ()))
            found = (place for place, row in rows if row is not None and row.in_force and row.subject == subject)
            yield from self._records_at(channel_id, name, found)

    def _records_at(self, channel_id: int, name: str, places: Iterable[Place]) -> Iterator[HeldRecord]:
        for (epoch, index), group in groupby(places, key=lambda place: (place.epoch, place.index)):
            entry = self._entry(channel_id, epoch, index)
            if entry is not None:
                yield from pick_records(name, entry, list(group))

    def record(self, channel: str, place: Place) -> HeldRecord | None:
        channel_id = self._channel_id(channel)
        row = self._record_at(channel_id, place)
        if channel_id is None or row is None or not row.in_force:
            return None
        return next(self._records_at(channel_id, channel, [place]), None)

    def record_count(self, channel: str | None = None) -> int:
        if channel is None:
            return int(self._value(_COUNT_ALL))
        return int(self._value(_COUNT_ONE, id=self._channel_id(channel)))

    def outcomes(self, channel: str, epoch: int) -> Mapping[tuple[int, str], int]:
        rows = self._rows(_OUTCOMES, id=self._channel_id(channel), epoch=epoch)
        return {(outcome, code): count for outcome, code, count in rows}

    # -- what nodes say of themselves

    def heartbeat(self, node: str) -> HeldHeartbeat | None:
        row = self._row(_HEARTBEAT, node=node)
        return _held_heartbeat(row) if row is not None else None

    def heartbeats_since(self, sequence: int) -> Sequence[HeldHeartbeat]:
        return [_held_heartbeat(row) for row in self._rows(_HEARTBEATS_SINCE, sequence=sequence)]

    def receipt(self, channel: str, subscriber: str) -> HeldReceipt | None:
        row = self._row(_RECEIPT, channel=channel, subscriber=subscriber)
        return _held_receipt(row) if row is not None else None

    def receipts(self, channel: str) -> Sequence[HeldReceipt]:
        return [_held_receipt(row) for row in self._rows(_RECEIPTS_FOR, channel=channel)]

    def receipts_of(self, subscriber: str) -> Sequence[HeldReceipt]:
        return [_held_receipt(row) for row in self._rows(_RECEIPTS_OF, subscriber=subscriber)]

    def receipts_since(self, sequence: int, limit: int) -> Sequence[HeldReceipt]:
        return [_held_receipt(row) for row in self._rows(_RECEIPTS_SINCE, sequence=sequence, limit=limit)]

    def address(self, node: str) -> HeldAddress | None:
        row = self._row(_ADDRESS, node=node)
        return _held_address(row) if row is not None else None

    def addresses_since(self, sequence: int) -> Sequence[HeldAddress]:
        return [_held_address(row) for row in self._rows(_ADDRESSES_SINCE, sequence=sequence)]

    def equivocations_since(self, sequence: int) -> Sequence[HeldEquivocation]:
        return [
            HeldEquivocation(number, channel, epoch, index, channel_pb2.Equivocation.FromString(proof))
            for number, channel, epoch, index, proof in self._rows(_EQUIVOCATIONS_SINCE, sequence=sequence)
        ]

    # -- links, alarms, registry files

    def link(self, node: str) -> LinkState:
        row = self._row(_LINK, node=node)
        return LinkState(*row) if row is not None else LinkState(node)

    def alarms(self) -> Sequence[HeldAlarm]:
        return [
            HeldAlarm(code, subject, json.loads(parameters), first_seen_ms, last_seen_ms, count)
            for code, subject, parameters, first_seen_ms, last_seen_ms, count in self._rows(_ALARMS)
        ]

    def registry_file(self, name: str) -> bytes | None:
        content: bytes | None = self._value(_REGISTRY_FILE, name=name)
        return content

    def registry_files(self) -> Iterator[RegistryFileRecord]:
        for (name,) in self._rows(_REGISTRY_NAMES):
            content = self.registry_file(name)
            if content is not None:  # else it was dropped since the names were read
                yield RegistryFileRecord(name, content)


class _StoredHashes:
    """The HashReader of one log."""

    def __init__(self, reader: SqlReader, channel_id: int | None, epoch: int) -> None:
        self._reader = reader
        self._log = (channel_id, epoch)

    def read_hashes(self, indexes: Sequence[int]) -> Sequence[bytes]:
        """The hashes at these storage indexes; raises ValueError for one not stored."""
        found: dict[int, bytes] = {}
        for start in range(0, len(indexes), KEYS_PER_QUERY):
            found.update(self._read(indexes[start : start + KEYS_PER_QUERY]))
        if not found.keys() >= set(indexes):
            raise ValueError("the log does not store all of the hashes asked for")
        return [found[index] for index in indexes]

    def _read(self, indexes: Sequence[int]) -> dict[int, bytes]:
        sql = (
            "SELECT position, hash FROM hashes WHERE channel_id = ? AND epoch = ?"
            f" AND position IN ({marks(len(indexes))})"
        )
        numbers = [min(number, MAX_INTEGER) for number in (self._log[1], *indexes)]
        with self._reader._connected() as connection:  # noqa: SLF001 - a part of the reader
            return dict(connection.execute(sql, (self._log[0], *numbers)).fetchall())


def marks(count: int) -> str:
    """That many parameter marks for a list."""
    return ",".join("?" * count)


def run(connection: SqlReads, statement: str, values: Mapping[str, Any]) -> SqlCursor:
    """Run a statement with these values by name.

    A peer's 64-bit number may exceed what a column holds; no row is ever found at the largest.
    """
    try:
        return connection.execute(statement, values)
    except OverflowError:
        bounded = {name: min(value, MAX_INTEGER) if isinstance(value, int) else value for name, value in values.items()}
        return connection.execute(statement, bounded)


def at_place(place: Place) -> dict[str, int]:
    """The parameters that name a place."""
    return {"epoch": place.epoch, "index": place.index, "position": place.position}


def _log(row: LogRow) -> Log:
    frontier = tuple(row.frontier[at : at + HASH_BYTES] for at in range(0, len(row.frontier), HASH_BYTES))
    return Log(
        channel=row.name,
        epoch=row.epoch,
        size=row.size,
        root=row.root if row.size else EMPTY_ROOT,
        frontier=frontier,
        covered=HeadAt(row.covered_size, row.covered_root) if row.covered_size is not None else None,
        cut=HeadAt(row.cut_size, row.cut_root) if row.cut_size is not None else None,
        quarantined=bool(row.quarantined),
    )


def _held_channel(row: LogRow) -> HeldChannel:
    return HeldChannel(
        log=_log(row),
        origin=row.origin,
        applied_size=row.applied_size,
        manifest=channel_pb2.Manifest.FromString(row.manifest),
        manifest_index=row.manifest_index,
        left_at=row.left_at,
        fresh_at_ms=row.fresh_at_ms,
        records=row.records,
        incomplete_bodies=row.incomplete,
    )


def _act(row: _Row) -> Act:
    replacement = Place(*row[9:12]) if row[9] is not None else None
    return Act(Place(*row[:3]), row[3], Place(*row[4:7]), row[7], row[8], replacement)


def _held_entry(row: _Row) -> HeldEntry:
    index, envelope, complete, issued_at_ms, received_at_ms, kept = row
    parsed = envelope_pb2.Envelope.FromString(envelope)
    return HeldEntry(index, parsed, body_of(kept), bool(complete), issued_at_ms, received_at_ms)


def body_of(kept: bytes | None) -> bytes | None:
    """The body that a row holds; raises DATABASE where it was changed by somebody else."""
    try:
        return unpack(kept) if kept is not None else None
    except ValueError as error:
        raise XinqiaoError("DATABASE", detail="the body of an entry cannot be unpacked") from error


def _held_heartbeat(row: _Row) -> HeldHeartbeat:
    sequence, node, time_ms, view = row
    return HeldHeartbeat(sequence, node, time_ms, channel_pb2.HeartbeatView.FromString(view))


def _held_receipt(row: _Row) -> HeldReceipt:
    sequence, serialized = row
    envelope = envelope_pb2.Envelope.FromString(serialized)
    message = envelopes.parse(channel_pb2.Receipt, envelope.payload)
    return HeldReceipt(sequence, VerifiedReceipt(message, envelope))


def _held_address(row: _Row) -> HeldAddress:
    sequence, serialized = row
    envelope = envelope_pb2.Envelope.FromString(serialized)
    return HeldAddress(sequence, envelopes.parse(registry_pb2.AddressRecord, envelope.payload), envelope)
