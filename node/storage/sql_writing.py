"""Writing the tables: the StoreTransaction over one connection inside one transaction.

Write order of an append, and what a crash leaves. Nothing is visible before (5), so (1) to (4) leave the old state:

    (1) compare-and-swap of (size, root) on the log's row: a loser stops here, with nothing to undo
    (2) the entry with its signed envelope
    (3) the hashes that it completes
    (4) its body, without the slots that may not be kept
    (5) commit: the database's log reaches the disk; from here on the entry is there, whole
    (6) only then do receipts, heartbeats and answers leave

The same holds for apply: (1) compare-and-swap of applied_size, (2) records, (3) outcomes, (4) barred slots, (5) commit.
"""
# ruff: noqa: S608 - statements are put together from constants of this module

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

from node.core.channel import HeadAt
from node.core.entry import WHOLE_ENTRY, VerifiedBody, VerifiedEntry, erased_in, names_slot, origin_of
from node.core.errors import XinqiaoError
from node.core.heartbeat import VerifiedHeartbeat
from node.core.limits import Limits
from node.core.merkle import EMPTY_ROOT, stored_hash_count
from node.core.packing import pack
from node.core.receipt import VerifiedReceipt
from node.core.state import Act, Applied, Erasure, Place
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from node.ports import HeldChannel
from node.storage.record_blocks import (
    DROP_BLOCKS,
    IN_FORCE_OF_LOGS,
    add_records,
    open_blocks,
    open_blocks_between,
)
from node.storage.record_rows import act_row, keys_of, record_columns, replaced_by
from node.storage.slots import Settled, open_held, root_of, settle
from node.storage.sql_changes import SqlChangesWriter
from node.storage.sql_lists import SqlListsWriter
from node.storage.sql_ports import Indexed, KeyedRecord, KeyIndexChanges, SqlConnection
from node.storage.sql_queries import SqlQueriesWriter
from node.storage.sql_reading import MAX_INTEGER, at_place, body_of, run
from node.storage.sql_remembering import SqlRememberer
from node.storage.sql_upkeep import SqlUpkeepWriter

_ADD_CHANNEL = "INSERT INTO channels (name, origin) VALUES (:channel, :origin)"
_ADD_LOG = (
    "INSERT INTO logs (channel_id, epoch, size, root, frontier, applied_size, records, manifest, manifest_index,"
    " fresh_at_ms) VALUES (:id, :epoch, 0, :root, :nothing, 0, 0, :nothing, 0, 0) ON CONFLICT DO NOTHING"
)

_OF_LOG = " WHERE channel_id = :id AND epoch = :epoch"
_OF_ENTRY = _OF_LOG + " AND entry_index = :index"
_SWAP_HEAD = (
    "UPDATE logs SET size = :index + 1, root = :after, frontier = :frontier"
    + _OF_LOG
    + " AND size = :index AND root = :before"
)
_SET_MANIFEST = "UPDATE logs SET manifest = :manifest, manifest_index = :index" + _OF_LOG
_ADD_ENTRY = (
    "INSERT INTO entries (channel_id, epoch, entry_index, complete, record_count, issued_at_ms, received_at_ms,"
    " envelope) VALUES (:id, :epoch, :index, :complete, :record_count, :issued_at_ms, :received_at_ms, :envelope)"
)
_ADD_HASH = "INSERT INTO hashes (channel_id, epoch, position, hash) VALUES (?, ?, ?, ?)"
_ADD_BODY = "INSERT INTO bodies (channel_id, epoch, entry_index, body) VALUES (:id, :epoch, :index, :body)"
_PUT_BODY = (
    "INSERT INTO bodies (channel_id, epoch, entry_index, body) VALUES (:id, :epoch, :index, :body)"
    " ON CONFLICT (channel_id, epoch, entry_index) DO UPDATE SET body = excluded.body"
)
_STORED_ENTRY = (
    "SELECT e.envelope, e.complete, b.body FROM entries e LEFT JOIN bodies b"
    " ON b.channel_id = e.channel_id AND b.epoch = e.epoch AND b.entry_index = e.entry_index"
    " WHERE e.channel_id = :id AND e.epoch = :epoch AND e.entry_index = :index"
)
_SET_COMPLETE = "UPDATE entries SET complete = :complete" + _OF_ENTRY

_SWAP_APPLIED = (
    "UPDATE logs SET applied_size = applied_size + 1" + _OF_LOG + " AND applied_size = :index AND size > :index"
)
_REPLACE_RECORD = (
    "UPDATE records SET in_force = NULL"
    " WHERE channel_id = ? AND epoch = ? AND entry_index = ? AND position = ? AND in_force = 1"
)
_COUNT_RECORDS = "UPDATE logs SET records = records + :change" + _OF_LOG
_ADD_OUTCOME = (
    "INSERT INTO outcomes (channel_id, epoch, outcome, code, count) VALUES (:id, :epoch, :outcome, :code, :count)"
    " ON CONFLICT (channel_id, epoch, outcome, code) DO UPDATE SET count = outcomes.count + excluded.count"
)
_BAR = "INSERT INTO barred (channel_id, epoch, entry_index, position) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_BARRED = "SELECT position FROM barred" + _OF_ENTRY

_PUT_ERASURE = (
    "INSERT INTO erasures (channel_id, epoch, entry_index, position, commitment) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (channel_id, epoch, entry_index, position) DO UPDATE SET commitment = excluded.commitment"
)
_PUT_ACT = (
    "INSERT INTO acts (channel_id, epoch, entry_index, position, kind, target_epoch, target_index, target_position,"
    " at_ms, particulars, new_epoch, new_index, new_position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_DROP_ERASURE = "DELETE FROM erasures" + _OF_ENTRY + " AND position = :position"
_VOID_WHOLE = _DROP_ERASURE.replace(":position", ":whole") + " AND commitment <> :named"
_ERASE_RECORD = "DELETE FROM records" + _OF_ENTRY + " AND position = :position"

_SET_LEFT = "UPDATE logs SET left_at = :left_at" + _OF_LOG
_REFOLD = "UPDATE logs SET left_at = NULL, applied_size = 0, records = 0" + _OF_LOG + " AND left_at IS NOT NULL"
_MISS_BODIES = (
    "UPDATE entries SET complete = 0" + _OF_LOG + " AND record_count > 0 AND NOT EXISTS (SELECT 1 FROM bodies b"
    " WHERE b.channel_id = entries.channel_id AND b.epoch = entries.epoch AND b.entry_index = entries.entry_index)"
    " AND NOT EXISTS (SELECT 1 FROM erasures x WHERE x.channel_id = entries.channel_id AND x.epoch = entries.epoch"
    " AND x.entry_index = entries.entry_index AND x.position = :whole)"
)
_MISS_NOTHING = "UPDATE entries SET complete = 1" + _OF_LOG + " AND complete = 0"
_NO_RECORDS = "UPDATE logs SET records = 0" + _OF_LOG
_DROP_BODIES = "DELETE FROM bodies" + _OF_LOG
_DROP_RECORDS = "DELETE FROM records" + _OF_LOG
_DROP_OUTCOMES = "DELETE FROM outcomes" + _OF_LOG
_CHANGING_ENTRIES = frozenset({_PUT_BODY, _SET_COMPLETE, _MISS_BODIES, _MISS_NOTHING, _DROP_BODIES})

_QUARANTINE = (
    "INSERT INTO origins (name, closed_through) VALUES (:origin, (SELECT COALESCE(MAX(l.epoch), 0)"
    " FROM logs l JOIN channels c ON c.id = l.channel_id WHERE c.origin = :origin AND l.size > 0))"
    " ON CONFLICT (name) DO UPDATE SET closed_through = excluded.closed_through"
)
_RELEASE = "DELETE FROM origins WHERE name = :origin"
_COVER = (
    "UPDATE logs SET covered_size = :size, covered_root = :root"
    + _OF_LOG
    + " AND (covered_size IS NULL OR covered_size < :size)"
)
_FRESHEN = "UPDATE logs SET fresh_at_ms = :fresh_at_ms" + _OF_LOG + " AND fresh_at_ms < :fresh_at_ms"
_CUT_SIZE = "SELECT cut_size FROM logs" + _OF_LOG
_CUT = "UPDATE logs SET cut_size = :size, cut_root = :root" + _OF_LOG
_BETWEEN = (
    "SELECT entry_index, position, natural_key FROM records WHERE channel_id = :id AND epoch = :epoch"
    " AND (entry_index, position) > (:index, :position) AND entry_index < :high"
    " ORDER BY entry_index, position LIMIT :limit"
)
_CUT_SIZES = "SELECT epoch, cut_size FROM logs WHERE channel_id = :id AND cut_size IS NOT NULL"
_PUT_IN_FORCE = "UPDATE records SET in_force = 1" + _OF_ENTRY + " AND position = :position"
_RECOUNT = f"UPDATE logs SET records = {IN_FORCE_OF_LOGS} WHERE channel_id = :id"

_KEYS_AT_A_TIME = 2_000

_NEXT = "(SELECT COALESCE(MAX(sequence), 0) + 1 FROM {})"
_HEARTBEAT_EXTENT = "SELECT time_ms, heads FROM heartbeats WHERE node = :node"
_PUT_HEARTBEAT = (
    "INSERT INTO heartbeats (node, sequence, time_ms, heads, view)"
    f" VALUES (:node, {_NEXT.format('heartbeats')}, :time_ms, :heads, :view)"
    " ON CONFLICT (node) DO UPDATE SET sequence = excluded.sequence, time_ms = excluded.time_ms,"
    " heads = excluded.heads, view = excluded.view"
)
_FORGET_DATES = (
    "UPDATE heartbeats SET time_ms = 0 WHERE time_ms > :latest_ms",
    "UPDATE logs SET fresh_at_ms = 0 WHERE fresh_at_ms > :latest_ms",
)
_PUT_RECEIPT = (
    "INSERT INTO receipts (channel, subscriber, sequence, envelope)"
    f" VALUES (:channel, :subscriber, {_NEXT.format('receipts')}, :envelope)"
    " ON CONFLICT (channel, subscriber) DO UPDATE SET sequence = excluded.sequence, envelope = excluded.envelope"
)
_PUT_ADDRESS = (
    f"INSERT INTO addresses (node, sequence, envelope) VALUES (:node, {_NEXT.format('addresses')}, :envelope)"
    " ON CONFLICT (node) DO UPDATE SET sequence = excluded.sequence, envelope = excluded.envelope"
)
_COUNT_EQUIVOCATIONS = "SELECT COUNT(*) FROM equivocations"
_PUT_EQUIVOCATION = (
    "INSERT INTO equivocations (channel, epoch, entry_index, sequence, proof)"
    f" VALUES (:channel, :epoch, :index, {_NEXT.format('equivocations')}, :proof) ON CONFLICT DO NOTHING"
)

_SET_SETTING = (
    "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class _StoredEntry(NamedTuple):
    """The columns of _STORED_ENTRY."""

    envelope: bytes
    complete: int
    body: bytes | None


class SqlTransaction(SqlRememberer, SqlListsWriter, SqlChangesWriter, SqlQueriesWriter, SqlUpkeepWriter):
    """The StoreTransaction on a connection whose transaction the store commits or rolls back.

    erased tells that content was removed, whose last traces are then cleared from the database's own log;
    is_more_than_noted that more was written than the query log and settings.
    """

    _index: KeyIndexChanges

    def __init__(self, connection: SqlConnection, limits: Limits, index: KeyIndexChanges) -> None:
        super().__init__()
        self._connection = connection
        self._index = index
        self._limits = limits
        self._looked_up: tuple[int | None, frozenset[bytes], Sequence[KeyedRecord]] | None = None
        self.erased = False
        self.is_more_than_noted = False

    @contextmanager
    def _connected(self) -> Iterator[SqlConnection]:
        yield self._connection

    def _change(self, statement: str, **values: Any) -> int:
        """Run a statement and return how many rows it changed."""
        self.is_more_than_noted = True
        if statement in _CHANGING_ENTRIES:
            self._entered.clear()
        return run(self._connection, statement, values).rowcount

    def _change_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run a statement for each row and return how many rows all of them changed."""
        self.is_more_than_noted = True
        return self._connection.executemany(sql, rows).rowcount if rows else 0

    def _note(self, statement: str, **values: Any) -> None:
        """Run a statement on the query log or on settings, on which no answer rests."""
        run(self._connection, statement, values)

    def _ensure_channel(self, channel: str) -> int:
        channel_id = self._channel_id(channel)
        if channel_id is None:
            self._change(_ADD_CHANNEL, channel=channel, origin=origin_of(channel))
            channel_id = self._channel_id(channel)
        assert channel_id is not None
        return channel_id

    def _ensure_log(self, channel: str, epoch: int) -> int:
        channel_id = self._ensure_channel(channel)
        self._change(_ADD_LOG, id=channel_id, epoch=epoch, root=EMPTY_ROOT, nothing=b"")
        return channel_id

    def _held(self, channel: str, epoch: int) -> HeldChannel:
        held = self.channel(channel, epoch)
        assert held is not None
        return held

    # -- entries

    def append(self, entry: VerifiedEntry, received_at_ms: int, complete: bool) -> HeldChannel:
        header = entry.header
        first = header.index == 0
        channel_id = self._ensure_log(header.channel, header.epoch) if first else self._channel_id(header.channel)
        at = {"id": channel_id, "epoch": header.epoch, "index": header.index}
        # (1) the head; a manifest entry also becomes the manifest in force
        swapped = self._change(
            _SWAP_HEAD, **at, before=header.prev_root, after=entry.root, frontier=b"".join(entry.frontier)
        )
        if swapped != 1 or channel_id is None:
            raise head_moved(header.channel, header.index, self.log(header.channel, header.epoch).size)
        if entry.manifest is not None:
            self._change(_SET_MANIFEST, **at, manifest=entry.manifest.SerializeToString())
        # (2) the entry
        settled = self._settled(channel_id, header.epoch, header.index, entry.body) if entry.body is not None else None
        complete = complete or (settled is not None and settled.complete)
        self._change(
            _ADD_ENTRY,
            **at,
            complete=int(complete),
            record_count=header.record_count,
            issued_at_ms=header.issued_at_unix_ms,
            received_at_ms=received_at_ms,
            envelope=entry.envelope.SerializeToString(),
        )
        # (3) the hashes
        stored = stored_hash_count(header.index)
        rows = [(channel_id, header.epoch, stored + at, item) for at, item in enumerate(entry.hashes)]
        self._change_many(_ADD_HASH, rows)
        # (4) the body
        if settled is not None:
            self._change(_ADD_BODY, **at, body=pack(settled.body.serialized))
        else:
            self._change(_VOID_WHOLE, **at, whole=WHOLE_ENTRY, named=header.records_root)
        self._enter(entry, settled.body if settled is not None else None, complete, received_at_ms)
        return self._held(header.channel, header.epoch)

    def put_body(self, channel: str, epoch: int, index: int, body: VerifiedBody, complete: bool) -> None:
        channel_id = self._channel_id(channel)
        if channel_id is None or self._stored(channel_id, epoch, index) is None:
            raise ValueError(f"no entry {epoch}/{index} of {channel} is held")
        self._store_body(channel_id, epoch, index, body, complete)

    def _stored(self, channel_id: int, epoch: int, index: int) -> "_StoredEntry | None":
        row = self._row(_STORED_ENTRY, id=channel_id, epoch=epoch, index=index)
        if row is None:
            return None
        envelope, complete, kept = row
        return _StoredEntry(envelope, complete, body_of(kept))

    def _settled(self, channel_id: int, epoch: int, index: int, body: VerifiedBody) -> Settled:
        """A body as it may be stored; erasures of other content go."""
        at = {"id": channel_id, "epoch": epoch, "index": index}
        barred = [position for (position,) in self._rows(_BARRED, **at)]
        settled = settle(body, self._erasures(channel_id, epoch, index), barred)
        for position in settled.void:
            self._change(_DROP_ERASURE, **at, position=position)
        return settled

    def _store_body(self, channel_id: int, epoch: int, index: int, body: VerifiedBody, complete: bool) -> None:
        at = {"id": channel_id, "epoch": epoch, "index": index}
        settled = self._settled(channel_id, epoch, index, body)
        self._change(_PUT_BODY, **at, body=pack(settled.body.serialized))
        self._change(_SET_COMPLETE, **at, complete=int(complete or settled.complete))

    # -- the fold

    def apply(self, applied: Applied) -> HeldChannel:
        channel_id = self._channel_id(applied.channel)
        at = {"id": channel_id, "epoch": applied.epoch, "index": applied.index}
        # (1) the head of the fold
        if channel_id is None or self._change(_SWAP_APPLIED, **at) != 1:
            held = self.channel(applied.channel, applied.epoch)
            raise head_moved(applied.channel, applied.index, held.applied_size if held else 0)
        # (2) records; above the cut they stay in the background
        cut_size = self._value(_CUT_SIZE, **at)
        self._put_records(channel_id, applied, in_force=cut_size is None or applied.index < cut_size)
        # (3) outcomes
        for (outcome, code), count in applied.counts.items():
            self._change(_ADD_OUTCOME, **at, outcome=outcome, code=code, count=count)
        # (4) barred slots
        if applied.barred:
            self._bar(channel_id, applied)
        return self._held(applied.channel, applied.epoch)

    def _put_records(self, channel_id: int, applied: Applied, in_force: bool) -> None:
        epoch, index = applied.epoch, applied.index
        changes = self._make_room(channel_id, applied, in_force)
        columns = record_columns(applied, in_force)
        add_records(self._connection, (channel_id, epoch, index), columns)
        self._index.add(self._connection, (channel_id, epoch), index, columns)
        self._count_records(channel_id, changes)

    def _make_room(self, channel_id: int, applied: Applied, in_force: bool) -> "Counter[int]":
        """Put what is replaced in the background; how many more will be in force of each epoch once all is done."""
        changes: Counter[int] = Counter()
        if in_force:
            replaced = replaced_by(applied)
            self._check_single(channel_id, keys_of(applied), replaced)
            changes[applied.epoch] = len(applied.in_force)
            changes.subtract(self._replace(channel_id, replaced.values()))
        self._looked_up = None
        return changes

    def _check_single(self, channel_id: int, keys: Sequence[bytes], replaced: Mapping[bytes, Place]) -> None:
        """See that under each of these keys one record will be in force, in place of those that are replaced."""
        held = {each.natural_key: each.place for each in self._under(channel_id, keys) if each.in_force}
        differs = bool(held or replaced) and any(held.get(key) != replaced.get(key) for key in keys)
        if differs or len(set(keys)) < len(keys):
            raise XinqiaoError("DATABASE", detail="a second record would be in force under one key")

    def _under(self, channel_id: int | None, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """The records under these keys; what the fold has just asked for is not looked up again."""
        wanted = frozenset(keys)
        if self._looked_up is None or self._looked_up[0] != channel_id or not wanted <= self._looked_up[1]:
            self._looked_up = (channel_id, wanted, super()._under(channel_id, wanted))
        return self._looked_up[2]

    def _replace(self, channel_id: int, places: Iterable[Place]) -> "Counter[int]":
        """Put the replaced records in the background; returns how many of each epoch were in force."""
        replaced: Counter[int] = Counter()
        ordered = sorted(places)
        self._open_blocks(channel_id, ordered)
        for epoch, group in groupby(ordered, key=lambda place: place.epoch):
            rows = [(channel_id, place.epoch, place.index, place.position) for place in group]
            replaced[epoch] = self._change_many(_REPLACE_RECORD, rows)
        return replaced

    def _open_blocks(self, channel_id: int, places: Iterable[Place]) -> None:
        """Let what is about to change have rows."""
        open_blocks(self._connection, channel_id, places)

    def _count_records(self, channel_id: int, changes: Mapping[int, int]) -> None:
        for epoch, change in changes.items():
            if change:
                self._change(_COUNT_RECORDS, id=channel_id, epoch=epoch, change=change)

    def _bar(self, channel_id: int, applied: Applied) -> None:
        epoch, index = applied.epoch, applied.index
        self._change_many(_BAR, [(channel_id, epoch, index, position) for position in applied.barred])
        stored = self._stored(channel_id, epoch, index)
        if stored is not None and stored.body is not None:
            self._strip(channel_id, epoch, index, open_held(stored.envelope, stored.body), bool(stored.complete))

    # -- erasure

    def put_erasures(self, channel: str, erasures: Iterable[Erasure]) -> None:
        ordered = sorted(erasures, key=lambda erasure: erasure.place)
        for (epoch, index), group in groupby(ordered, key=lambda erasure: (erasure.place.epoch, erasure.place.index)):
            self._put_erasures_of(channel, min(epoch, MAX_INTEGER), min(index, MAX_INTEGER), list(group))

    def _put_erasures_of(self, channel: str, epoch: int, index: int, erasures: Sequence[Erasure]) -> None:
        channel_id = self._ensure_channel(channel)
        stored = self._stored(channel_id, epoch, index)
        body = open_held(stored.envelope, stored.body) if stored is not None and stored.body is not None else None
        # What is known to name other content is void.
        if body is not None:
            erasures = [e for e in erasures if names_slot(body, e.place.position, e.commitment)]
        elif stored is not None:
            root = root_of(stored.envelope)
            erasures = [e for e in erasures if e.place.position != WHOLE_ENTRY or e.commitment == root]
        self._change_many(_PUT_ERASURE, [(channel_id, epoch, index, e.place.position, e.commitment) for e in erasures])
        if body is not None and stored is not None and erasures:
            self._strip(channel_id, epoch, index, body, bool(stored.complete))
            gone = erased_in(body, {erasure.place.position: erasure.commitment for erasure in erasures})
            self._erase_records(channel_id, epoch, index, sorted(gone))
            self._erase_list_slots(channel, epoch, index, gone, len(body.commitments))
        elif stored is not None and any(erasure.place.position == WHOLE_ENTRY for erasure in erasures):
            self._change(_SET_COMPLETE, id=channel_id, epoch=epoch, index=index, complete=1)

    def _strip(self, channel_id: int, epoch: int, index: int, body: VerifiedBody, complete: bool) -> None:
        """Store a held body again, without what may no longer be kept."""
        self._store_body(channel_id, epoch, index, body, complete)
        self.erased = True

    def _erase_records(self, channel_id: int, epoch: int, index: int, positions: Iterable[int]) -> None:
        for position in positions:
            place = Place(epoch, index, position)
            row = self._record_at(channel_id, place)
            if row is not None:
                natural_key, in_force, subject = row
                self._open_blocks(channel_id, [place])
                self._change(_ERASE_RECORD, id=channel_id, **at_place(place))
                self._looked_up = None
                erased = Indexed(natural_key, subject, index, position)
                self._index.remove(self._connection, (channel_id, epoch), erased)
                if in_force:
                    self._count_records(channel_id, {epoch: -1})
                    self._bring_back(channel_id, natural_key)

    def _bring_back(self, channel_id: int, natural_key: bytes) -> None:
        """Put the latest record of a key that is left in force."""
        counted = self._below_cut(channel_id, [natural_key])
        if counted:
            latest = max(each.place for each in counted)
            self._change(_PUT_IN_FORCE, id=channel_id, **at_place(latest))
            self._looked_up = None
            self._count_records(channel_id, {latest.epoch: 1})

    def _below_cut(self, channel_id: int, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """The records under these keys that are below the cuts of their epochs: the latest of each key counts."""
        cuts: Mapping[int, int] = dict(self._rows(_CUT_SIZES, id=channel_id))
        found = self._under(channel_id, keys)
        return [each for each in found if each.place.index < cuts.get(each.place.epoch, MAX_INTEGER)]

    # -- acts

    def put_acts(self, channel: str, acts: Iterable[Act]) -> None:
        channel_id = self._ensure_channel(channel)
        self._change_many(_PUT_ACT, [act_row(channel_id, act) for act in acts])

    def erase_bodies(self, channel: str, epoch: int) -> None:
        log = {"id": self._channel_id(channel), "epoch": epoch}
        for statement in (_DROP_BODIES, _DROP_RECORDS, DROP_BLOCKS, _NO_RECORDS, _MISS_NOTHING):
            self._change(statement, **log)
        self._drop_index(log["id"], epoch)
        self._drop_list(channel, epoch)
        self.erased = True

    def _drop_index(self, channel_id: int | None, epoch: int) -> None:
        self._looked_up = None
        if channel_id is not None:
            self._index.drop_log(self._connection, (channel_id, epoch))

    # -- standing of logs

    def set_left(self, channel: str, epoch: int, left_at: int | None) -> None:
        log = {"id": self._channel_id(channel), "epoch": epoch}
        if left_at is not None:
            self._change(_SET_LEFT, **log, left_at=left_at)
        elif self._change(_REFOLD, **log):
            for statement in (_DROP_RECORDS, DROP_BLOCKS, _DROP_OUTCOMES):
                self._change(statement, **log)
            self._drop_index(log["id"], epoch)
            self._change(_MISS_BODIES, **log, whole=WHOLE_ENTRY)
            self._drop_list(channel, epoch)

    def set_quarantined(self, origin: str, quarantined: bool) -> None:
        self._change(_QUARANTINE if quarantined else _RELEASE, origin=origin)

    def set_covered(self, channel: str, epoch: int, covered: HeadAt) -> None:
        channel_id = self._ensure_log(channel, epoch)
        self._change(_COVER, id=channel_id, epoch=epoch, size=covered.size, root=covered.root)

    def set_fresh(self, channel: str, epoch: int, fresh_at_ms: int) -> None:
        self._change(_FRESHEN, id=self._channel_id(channel), epoch=epoch, fresh_at_ms=fresh_at_ms)

    def set_cut(self, channel: str, epoch: int, cut: HeadAt) -> None:
        log = {"id": self._ensure_log(channel, epoch), "epoch": epoch}
        before = self._value(_CUT_SIZE, **log)
        self._change(_CUT, **log, size=cut.size, root=cut.root)
        low, high = sorted((MAX_INTEGER if before is None else before, cut.size))
        open_blocks_between(self._connection, log["id"], epoch, min(low, MAX_INTEGER), min(high, MAX_INTEGER))
        last = (low, -1)
        while rows := self._rows(_BETWEEN, **log, index=last[0], position=last[1], high=high, limit=_KEYS_AT_A_TIME):
            last = rows[-1][:2]
            self._settle(log["id"], {key for *_, key in rows})
        if last[1] >= 0:
            self._change(_RECOUNT, id=log["id"])
        self._cut_list(channel, epoch, low, high)

    def _settle(self, channel_id: int, keys: Collection[bytes]) -> None:
        """Put the latest record of each key that is below its cut in force, and no other."""
        latest: dict[bytes, Place] = {}
        for each in self._below_cut(channel_id, keys):
            latest[each.natural_key] = max(each.place, latest.get(each.natural_key, each.place))
        for each in self._under(channel_id, keys):
            if each.in_force and each.place != latest.get(each.natural_key):
                self._replace(channel_id, [each.place])
        for place in latest.values():
            self._change(_PUT_IN_FORCE, id=channel_id, **at_place(place))
        self._looked_up = None

    # -- what nodes say of themselves

    def put_heartbeat(self, heartbeat: VerifiedHeartbeat) -> bool:
        held = self._row(_HEARTBEAT_EXTENT, node=heartbeat.node)
        extent = (heartbeat.time_ms, len(heartbeat.heads))
        if held is not None and extent <= held:
            return False
        view = heartbeat.view.SerializeToString()
        self._change(_PUT_HEARTBEAT, node=heartbeat.node, time_ms=extent[0], heads=extent[1], view=view)
        return True

    def forget_dates(self, latest_ms: int) -> None:
        for statement in _FORGET_DATES:
            self._change(statement, latest_ms=latest_ms)

    def put_receipt(self, receipt: VerifiedReceipt) -> bool:
        message = receipt.message
        held = self.receipt(message.channel, message.subscriber)
        if held is not None and receipt.extent <= held.receipt.extent:
            return False
        envelope = receipt.envelope.SerializeToString()
        self._change(_PUT_RECEIPT, channel=message.channel, subscriber=message.subscriber, envelope=envelope)
        return True

    def put_address(self, record: registry_pb2.AddressRecord, envelope: envelope_pb2.Envelope) -> bool:
        held = self.address(record.node)
        if held is not None and record.sequence <= held.record.sequence:
            return False
        self._change(_PUT_ADDRESS, node=record.node, envelope=envelope.SerializeToString())
        return True

    def put_equivocation(self, channel: str, epoch: int, index: int, proof: channel_pb2.Equivocation) -> bool:
        if self._value(_COUNT_EQUIVOCATIONS) >= self._limits.max_equivocations_kept:
            return False
        place = {"channel": channel, "epoch": epoch, "index": index}
        return self._change(_PUT_EQUIVOCATION, **place, proof=proof.SerializeToString()) == 1

    # -- the node

    def set_setting(self, name: str, value: str) -> None:
        self._note(_SET_SETTING, name=name, value=value)


def head_moved(channel: str, expected: int, found: int) -> XinqiaoError:
    """What a loser of a compare-and-swap is told."""
    return XinqiaoError("HEAD_MOVED", channel=channel, expected=expected, found=found)
