"""Which records stand under a natural key, and which name a subject: the index of the embedded database.

Keys and subjects come in random order. Entered into a B-tree as they come, each of them rewrites a page of its own:
16 KiB a record in the write-ahead log, and more time than everything else together. So a *term*, 64 bits of a key or
of what stands for a subject, waits in memory first. The terms are divided into slices of equal width, and as soon as
enough of them wait, every step that adds some merges the next slice, sorted, into the table record_terms: a page is
then rewritten once for several of them, and no step has more than its share of that work.

    records                    every record, by place; written in order
    record_terms               their terms, but the newest
    record_terms_merged        how far it is complete
    the tail                   the newest terms, in memory, for all connections of one store

Nothing is lost with the memory: what waits is found again among the records of the entries that record_terms_merged
does not cover, which says how far the terms of a log have all been merged. That is noted once a round through all
slices.

A reader looks at the tail before it looks at the table: what has left the one by then is in the other.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from node.core.record_terms import TERM_CODE, key_term, key_terms, sorted_terms, subject_term
from node.core.state import Place
from node.storage.column_inserts import insert_columns
from node.storage.record_blocks import UNDER_TERMS, between, blocks_from
from node.storage.record_rows import RecordColumns
from node.storage.sql_ports import Indexed, KeyedRecord, SqlConnection, SqlReads
from node.storage.waiting_terms import LOWEST_TERM, LogId, Run, Runs, Tail, Term, TermColumns

READ_AT_START, READ_PER_RECORD = 100_000, 10
"""Terms of the table that are read into the filter of keys: when the database is opened, and for each record then."""
_HIGHEST_TERM = (1 << 63) - 1
_TERMS_PER_QUERY = 500
_BETWEEN = 4
"""Records that stand close together are read by one statement, if one in so many is asked for."""
_PAGE_RECORDS = 2_000
_OF_TERM = "SELECT channel_id, epoch, entry_index, position FROM record_terms WHERE term = ?"
_MERGE = "INSERT INTO record_terms (channel_id, epoch, term, entry_index, position) VALUES"
_UNLESS_THERE = " ON CONFLICT DO NOTHING"
_FORGET = (
    "DELETE FROM record_terms WHERE term = ? AND channel_id = ? AND epoch = ? AND entry_index = ? AND position = ?"
)
_FORGET_LOG = "DELETE FROM record_terms WHERE channel_id = ? AND epoch = ?"
_ANY_TERM = "SELECT 1 FROM record_terms LIMIT 1"
_TERMS_FROM = "SELECT term FROM record_terms WHERE term >= ? ORDER BY term LIMIT ?"
_FORGET_MERGED = "DELETE FROM record_terms_merged WHERE channel_id = ? AND epoch = ?"
_NOTE_MERGED = (
    "INSERT INTO record_terms_merged (channel_id, epoch, size) VALUES (?, ?, ?)"
    " ON CONFLICT (channel_id, epoch) DO UPDATE SET size = excluded.size"
)
_BEHIND = (
    "SELECT l.channel_id, l.epoch, COALESCE(m.size, 0), l.applied_size FROM logs l"
    " LEFT JOIN record_terms_merged m ON m.channel_id = l.channel_id AND m.epoch = l.epoch"
    " WHERE l.applied_size > COALESCE(m.size, 0)"
)
_UNMERGED = (
    "SELECT r.entry_index, r.position, r.natural_key, r.subject FROM records r"
    " WHERE r.channel_id = ? AND r.epoch = ? AND (r.entry_index, r.position) > (?, ?)"
    " ORDER BY r.entry_index, r.position LIMIT ?"
)


def terms_of(log: LogId, records: Iterable[Indexed]) -> Iterator[Term]:
    """The two terms of each record of a log."""
    channel_id, epoch = log
    for key, subject, index, position in records:
        yield key_term(key), channel_id, epoch, index, position
        yield subject_term(subject), channel_id, epoch, index, position


def _run_of(log: LogId, index: int, columns: RecordColumns) -> Run:
    found = columns.terms or sorted_terms(columns.positions, columns.keys, columns.subjects)
    return Run(found, [(*log, index)])


def _rows_at(connection: SqlReads, places: Sequence[tuple[int, ...]]) -> list[tuple[Any, ...]]:
    """The records at these places, which are in order, and some that stand between them."""
    rows: list[tuple[Any, ...]] = []
    for entry, group in groupby(places, key=lambda place: place[:3]):
        positions = [place[3] for place in group]
        if positions[-1] - positions[0] < len(positions) * _BETWEEN:
            rows += between(connection, entry, positions[0], positions[-1])
        else:
            rows += [row for each in positions for row in between(connection, entry, each, each)]
    return rows


class RecordIndex:
    """Looking up in both parts of the index."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    def load(self, connection: SqlReads) -> None:
        """Find what waited when the database was last open; nothing may have been added since."""
        tail = self._tail
        tail.merged_any = bool(connection.execute(_ANY_TERM).fetchall())
        tail.keys.unread = self._read_keys(connection, LOWEST_TERM, READ_AT_START)
        for channel_id, epoch, merged_size, applied_size in connection.execute(_BEHIND).fetchall():
            log, last = (channel_id, epoch), (merged_size, -1)
            while rows := connection.execute(_UNMERGED, (*log, *last, _PAGE_RECORDS)).fetchall():
                last = rows[-1][:2]
                tail.keys.note(key_terms([row[2] for row in rows]))
                terms = terms_of(log, (Indexed(key, subject, *place) for *place, key, subject in rows))
                tail.add(Run.of_rows(terms, tail.turn))
            for index, columns in blocks_from(connection, log, merged_size):
                tail.keys.note(key_terms(columns.keys))
                tail.add(_run_of(log, index, columns))
            tail.sizes[log] = applied_size
        tail.round = dict(tail.sizes)

    def _read_keys(self, connection: SqlReads, unread: int | None, most: int) -> int | None:
        """Read so many more terms of the table into the filter of keys; returns from where on it has not been read."""
        if unread is None:
            return None
        rows = connection.execute(_TERMS_FROM, (unread, most)).fetchall()
        self._tail.keys.note(array(TERM_CODE, [term for (term,) in rows]))
        return min(rows[-1][0] + 1, _HIGHEST_TERM) if len(rows) == most else None

    def under(self, connection: SqlReads, channel_id: int, keys: Collection[bytes]) -> list[KeyedRecord]:
        """All records of a channel under these keys, also those in the background."""
        terms = self._tail.keys.may_hold(key_terms(list(keys)))
        if not terms:
            return []
        waiting = {row[1:] for row in self._waiting(terms) if row[1] == channel_id}
        rows = _rows_at(connection, sorted(waiting))
        ordered = sorted(terms) if self._tail.merged_any else []
        for start in range(0, len(ordered), _TERMS_PER_QUERY):
            chunk = ordered[start : start + _TERMS_PER_QUERY]
            sql = UNDER_TERMS.format(",".join("?" * len(chunk)))
            rows += connection.execute(sql, (channel_id, *chunk)).fetchall()
        wanted = set(keys)
        found = {row[1:4]: row for row in rows if row[0] in wanted}
        return [KeyedRecord(row[0], Place(*place), row[4] == 1, row[5]) for place, row in found.items()]

    def of_subject(self, connection: SqlReads, subject: str) -> list[tuple[int, Place]]:
        """Where records of a subject may stand, by channel and place; some may be gone, or name another one."""
        term = subject_term(subject)
        places = {row[1:] for row in self._waiting(array(TERM_CODE, [term]))}
        if self._tail.merged_any:
            places.update(connection.execute(_OF_TERM, (term,)).fetchall())
        return [(channel_id, Place(*place)) for channel_id, *place in sorted(places)]

    def _waiting(self, terms: "array[int]") -> list[Term]:
        return self._tail.under(terms)


class RecordIndexChanges(RecordIndex):
    """The index inside one transaction, which sees its own changes; the tail has them once they are committed."""

    def __init__(self, tail: Tail) -> None:
        super().__init__(tail)
        self._added = Runs()
        self._sizes: dict[LogId, int] = {}
        self._gone: set[Term] = set()
        self._dropped: set[LogId] = set()
        self._merged = 0
        self._left = tail.count
        """How many terms wait, with those added here and without those merged here."""
        self._unread = tail.keys.unread

    def _waiting(self, terms: "array[int]") -> list[Term]:
        return [*self._tail.under(terms), *self._added.under(terms)]

    def add(self, connection: SqlConnection, log: LogId, index: int, columns: RecordColumns) -> None:
        """Index the records of an entry of a log, which its fold has come to; merges a slice if many wait."""
        if columns.positions:
            run = _run_of(log, index, columns)
            self._added.add(run)
            self._left += len(run.terms)
            self._tail.keys.note(key_terms(columns.keys))
            self._unread = self._read_keys(connection, self._unread, READ_PER_RECORD * len(columns.positions))
        self._sizes[log] = index + 1
        if self._left > self._tail.limit and self._next_slice < self._tail.slices:
            self._merge(connection, self._next_slice)

    @property
    def _next_slice(self) -> int:
        return self._tail.next_slice + self._merged

    def _merge(self, connection: SqlConnection, number: int) -> None:
        """Write a slice of the tail, as it was before this transaction; after the last one, note how far logs are."""
        waiting = self._tail.slice(number)
        for log, columns in waiting.items():
            insert_columns(connection, _MERGE, log, self._kept(log, columns), _UNLESS_THERE)
        self._merged += 1
        self._left -= sum(len(columns[0]) for columns in waiting.values())
        if self._next_slice == self._tail.slices:
            sizes = [(log, size) for log, size in self._tail.round.items() if log not in self._dropped]
            connection.executemany(_NOTE_MERGED, [(*log, size) for log, size in sizes])

    def _kept(self, log: LogId, columns: TermColumns) -> TermColumns:
        """Of the terms of a log those that have not gone in this transaction."""
        if log in self._dropped:
            return [], [], []
        if not self._gone:
            return columns
        rows = [row for row in zip(*columns, strict=True) if (row[0], *log, *row[1:]) not in self._gone]
        terms, indexes, positions = ([row[number] for row in rows] for number in range(len(columns)))
        return terms, indexes, positions

    def remove(self, connection: SqlConnection, log: LogId, record: Indexed) -> None:
        """Forget a record that is erased, wherever its terms are."""
        rows = list(terms_of(log, [record]))
        for row in rows:
            connection.execute(_FORGET, row)
        self._added.drop(rows)
        self._gone.update(rows)

    def drop_log(self, connection: SqlConnection, log: LogId) -> None:
        """Forget all records of a log."""
        for statement in (_FORGET_LOG, _FORGET_MERGED):
            connection.execute(statement, log)
        self._added.drop_log(log)
        self._sizes.pop(log, None)
        self._dropped.add(log)

    def commit(self) -> None:
        """Let the tail have what the transaction did, which is committed."""
        tail = self._tail
        tail.merged_any |= bool(self._merged)  # before they leave the tail: a reader then looks at the table as well
        for _ in range(self._merged):
            tail.empty()
        if self._gone:
            tail.drop(self._gone)
        for log in self._dropped:
            tail.drop_log(log)
        for run in self._added.runs:
            tail.add(run)
        tail.sizes.update(self._sizes)
        tail.keys.unread = self._unread  # not before: what a transaction has deleted, and is taken back, was not read
