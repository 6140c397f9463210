"""The StoreTransaction on a server, where every statement is a journey: few of them, and none that asks twice.

An entry is appended by one statement and applied by one, each with its compare-and-swap at the head, so that the rest
of it does nothing where that found another head. What the transaction has read or written of a log is remembered until
anything else is written in it: nobody else writes to this database (node.storage.postgres), so it is what a statement
would find. Whatever is rare goes the way of SqlTransaction, statement by statement.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from node.core.entry import VerifiedEntry
from node.core.limits import Limits
from node.core.merkle import stored_hash_count
from node.core.packing import pack
from node.core.state import Applied, Place
from node.ports import HeldChannel
from node.storage.postgres_dialect import Contents, Numbers, Texts
from node.storage.record_rows import RecordColumns, record_columns
from node.storage.server_index import ServerIndex
from node.storage.slots import Settled, settle
from node.storage.sql_ports import SqlConnection
from node.storage.sql_reading import MAX_INTEGER, LogRow, run
from node.storage.sql_writing import SqlTransaction, head_moved

_APPEND = """
    WITH swapped AS (
        UPDATE logs SET size = :index + 1, root = :after, frontier = :frontier
        WHERE channel_id = :id AND epoch = :epoch AND size = :index AND root = :before RETURNING channel_id, epoch
    ), entered AS (
        INSERT INTO entries
            (channel_id, epoch, entry_index, complete, record_count, issued_at_ms, received_at_ms, envelope)
        SELECT channel_id, epoch, :index, :complete, :record_count, :issued_at_ms, :received_at_ms, :envelope
        FROM swapped
    ), hashed AS (
        INSERT INTO hashes (channel_id, epoch, position, hash)
        SELECT s.channel_id, s.epoch, h.* FROM swapped s, unnest(:positions::bigint[], :hashes::bytea[]) AS h
    ), stored AS (
        INSERT INTO bodies (channel_id, epoch, entry_index, body) SELECT channel_id, epoch, :index, :body FROM swapped
    ) SELECT epoch FROM swapped
"""
_APPLY = """
    WITH swapped AS (
        UPDATE logs SET applied_size = :index + 1, records = records + :change
        WHERE channel_id = :id AND epoch = :epoch AND applied_size = :index AND size > :index
        RETURNING channel_id, epoch, records
    ), entered AS (
        INSERT INTO records
            (channel_id, epoch, entry_index, position, in_force, natural_key, content_hash, subject)
        SELECT s.channel_id, s.epoch, :index, r.* FROM swapped s,
            unnest(:positions::bigint[], :marks::bigint[], :keys::bytea[], :contents::bytea[], :subjects::text[]) AS r
    ), counted AS (
        INSERT INTO outcomes (channel_id, epoch, outcome, code, count)
        SELECT s.channel_id, s.epoch, o.*
        FROM swapped s, unnest(:outcomes::bigint[], :codes::text[], :counts::bigint[]) AS o
        ON CONFLICT (channel_id, epoch, outcome, code) DO UPDATE SET count = outcomes.count + excluded.count
    ) SELECT records FROM swapped
"""
_NOT_KEPT = """
    SELECT entry_index, position, commitment FROM erasures
    WHERE channel_id = :id AND epoch = :epoch AND entry_index >= :start AND entry_index < :end
    UNION ALL
    SELECT entry_index, position, NULL FROM barred
    WHERE channel_id = :id AND epoch = :epoch AND entry_index >= :start AND entry_index < :end
    ORDER BY entry_index, position
"""
_ENTRIES_ASKED_FOR = 8
"""A transaction that takes an entry often takes those behind it, and mostly nothing is erased of any."""
_Log = tuple[str, int]
_Entry = tuple[int | None, int, int]
_NotKept = tuple[dict[int, bytes], list[int]]


class PostgresTransaction(SqlTransaction):
    """The StoreTransaction on a connection whose transaction the store commits or rolls back."""

    def __init__(self, connection: SqlConnection, limits: Limits, index: ServerIndex) -> None:
        super().__init__(connection, limits, index)
        self._log_rows: dict[_Log, LogRow] = {}
        self._not_kept: dict[_Entry, _NotKept] = {}

    def _change(self, statement: str, **values: Any) -> int:
        self._forget()
        return super()._change(statement, **values)

    def _change_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        if rows:
            self._forget()
        return super()._change_many(sql, rows)

    def _forget(self) -> None:
        """Remember nothing that a statement may change."""
        self._log_rows.clear()
        self._entered.clear()
        self._not_kept.clear()

    # -- what is remembered

    def _open_blocks(self, channel_id: int, places: Iterable[Place]) -> None:
        """Do nothing: each record has a row."""

    def _log_row(self, channel: str, epoch: int) -> LogRow | None:
        if (channel, epoch) not in self._log_rows:
            found = super()._log_row(channel, epoch)
            if found is None:
                return None
            self._log_rows[channel, epoch] = found
            self._ids[channel] = found.channel_id
        return self._log_rows[channel, epoch]

    def _erasures(self, channel_id: int | None, epoch: int, index: int) -> dict[int, bytes]:
        return dict(self._not_kept_of(channel_id, epoch, index)[0])

    def _not_kept_of(self, channel_id: int | None, epoch: int, index: int) -> _NotKept:
        """The erasures of an entry and its barred slots."""
        entry = (channel_id, epoch, index)
        if entry not in self._not_kept:
            end = min(index + _ENTRIES_ASKED_FOR, MAX_INTEGER)
            self._not_kept |= {(channel_id, epoch, each): ({}, []) for each in range(index, end)} | {entry: ({}, [])}
            for at, position, commitment in self._rows(_NOT_KEPT, id=channel_id, epoch=epoch, start=index, end=end):
                erased, barred = self._not_kept[channel_id, epoch, at]
                if commitment is not None:
                    erased[position] = commitment
                else:
                    barred.append(position)
        return self._not_kept[entry]

    # -- an entry

    def append(self, entry: VerifiedEntry, received_at_ms: int, complete: bool) -> HeldChannel:
        header = entry.header
        row = self._log_row(header.channel, header.epoch)
        if row is None or entry.manifest is not None or entry.body is None:
            return super().append(entry, received_at_ms, complete)
        if (row.size, row.root) != (header.index, header.prev_root):
            raise head_moved(header.channel, header.index, row.size)
        settled = settle(entry.body, *self._not_kept_of(row.channel_id, header.epoch, header.index))
        if settled.void:
            return super().append(entry, received_at_ms, complete)
        self._append(row, entry, settled, received_at_ms, complete or settled.complete)
        return self._held(header.channel, header.epoch)

    def _append(self, row: LogRow, entry: VerifiedEntry, settled: Settled, received_at_ms: int, complete: bool) -> None:
        header, stored = entry.header, stored_hash_count(entry.header.index)
        frontier, body = b"".join(entry.frontier), pack(settled.body.serialized)
        self.is_more_than_noted = True
        swapped = run(
            self._connection,
            _APPEND,
            {
                "id": row.channel_id,
                "epoch": header.epoch,
                "index": header.index,
                "before": header.prev_root,
                "after": entry.root,
                "frontier": frontier,
                "complete": int(complete),
                "record_count": header.record_count,
                "issued_at_ms": header.issued_at_unix_ms,
                "received_at_ms": received_at_ms,
                "envelope": entry.envelope.SerializeToString(),
                "positions": Numbers(range(stored, stored + len(entry.hashes))),
                "hashes": Contents(entry.hashes),
                "body": body,
            },
        )
        if not swapped.fetchall():
            self._forget()
            raise head_moved(header.channel, header.index, self.log(header.channel, header.epoch).size)
        self._log_rows[header.channel, header.epoch] = row._replace(
            size=header.index + 1, root=entry.root, frontier=frontier, incomplete=row.incomplete + (not complete)
        )
        self._enter(entry, settled.body, complete, received_at_ms)

    # -- the fold

    def apply(self, applied: Applied) -> HeldChannel:
        row = self._log_row(applied.channel, applied.epoch)
        if row is None or row.applied_size != applied.index or row.size <= applied.index:
            raise head_moved(applied.channel, applied.index, row.applied_size if row is not None else 0)
        in_force = row.cut_size is None or applied.index < row.cut_size
        changes = self._make_room(row.channel_id, applied, in_force)
        self._apply(row, applied, record_columns(applied, in_force), changes.pop(applied.epoch, 0))
        self._count_records(row.channel_id, changes)
        if applied.barred:
            self._bar(row.channel_id, applied)
        return self._held(applied.channel, applied.epoch)

    def _apply(self, row: LogRow, applied: Applied, records: RecordColumns, change: int) -> None:
        self.is_more_than_noted = True
        self._index.add(self._connection, (row.channel_id, applied.epoch), applied.index, records)
        values = {"id": row.channel_id, "epoch": applied.epoch, "index": applied.index, "change": change}
        swapped = run(self._connection, _APPLY, values | _columns(records) | _counts(applied)).fetchall()
        if not swapped:
            self._forget()
            raise head_moved(applied.channel, applied.index, self._held(applied.channel, applied.epoch).applied_size)
        # What was put in the background meanwhile has changed no row of a log.
        self._log_rows[applied.channel, applied.epoch] = row._replace(
            applied_size=applied.index + 1, records=swapped[0][0]
        )


def _columns(records: RecordColumns) -> dict[str, Any]:
    return {
        "positions": Numbers(records.positions),
        "marks": Numbers(records.marks),
        "keys": Contents(records.keys),
        "contents": Contents(records.content_hashes),
        "subjects": Texts(records.subjects),
    }


def _counts(applied: Applied) -> dict[str, Any]:
    return {
        "outcomes": Numbers([outcome for outcome, _ in applied.counts]),
        "codes": Texts([code for _, code in applied.counts]),
        "counts": Numbers(applied.counts.values()),
    }
