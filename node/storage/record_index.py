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
# ruff: noqa: S608 - statements are put together from constants of this module and parameter marks

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from struct import Struct

from node.core.state import Place
from node.storage.sql_ports import Indexed, KeyedRecord, SqlConnection, SqlReads

SLICES = 64
"""A power of two."""
TAIL_TERMS = 32_768
"""So many terms wait: some 10 MiB."""
_TERM_BITS = 64
_TERM = Struct(">q")
_SUBJECTS_REMEMBERED = 4096
_TERMS_PER_QUERY = 500
_PAGE_RECORDS = 2_000

_COLUMNS = "r.natural_key, r.epoch, r.entry_index, r.position, r.in_force, r.content_hash"
_AT_PLACE = (
    f"SELECT {_COLUMNS} FROM records r WHERE r.channel_id = ? AND r.epoch = ? AND r.entry_index = ? AND r.position = ?"
)
# CROSS JOIN keeps the order: first the terms, each of which leads to one record.
_UNDER_TERMS = (
    f"SELECT {_COLUMNS} FROM record_terms t CROSS JOIN records r ON r.channel_id = t.channel_id"
    " AND r.epoch = t.epoch AND r.entry_index = t.entry_index AND r.position = t.position"
    " WHERE t.channel_id = ? AND t.term IN ({})"
)
_OF_TERM = "SELECT channel_id, epoch, entry_index, position FROM record_terms WHERE term = ?"
_MERGE = (
    "INSERT INTO record_terms (term, channel_id, epoch, entry_index, position) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_FORGET = (
    "DELETE FROM record_terms WHERE term = ? AND channel_id = ? AND epoch = ? AND entry_index = ? AND position = ?"
)
_FORGET_LOG = "DELETE FROM record_terms WHERE channel_id = ? AND epoch = ?"
_ANY_TERM = "SELECT 1 FROM record_terms LIMIT 1"
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

LogId = tuple[int, int]
"""(channel_id, epoch)."""
Term = tuple[int, int, int, int, int]
"""A row of record_terms: term, channel_id, epoch, entry_index, position."""


def key_term(natural_key: bytes) -> int:
    """The term of a natural key, which is a hash itself."""
    term: int = _TERM.unpack_from(natural_key)[0]
    return term


@lru_cache(maxsize=_SUBJECTS_REMEMBERED)
def subject_term(subject: str) -> int:
    """The term of what stands for a subject; a company often has several records that come together."""
    return key_term(sha256(subject.encode()).digest())


def terms_of(log: LogId, records: Iterable[Indexed]) -> Iterator[Term]:
    """The two terms of each record of a log."""
    channel_id, epoch = log
    for key, subject, index, position in records:
        yield key_term(key), channel_id, epoch, index, position
        yield subject_term(subject), channel_id, epoch, index, position


Waiting = dict[int, tuple[Term, ...]]
"""Terms by what they are."""


def _wait(waiting: Waiting, row: Term) -> None:
    held = waiting.get(row[0])
    waiting[row[0]] = (row,) if held is None else (*held, row)


class Tail:
    """The terms that wait, in slices, for all connections of a store; changed by its one writer after each commit.

    slices is a power of two.
    """

    def __init__(self, slices: int = SLICES, limit: int = TAIL_TERMS) -> None:
        self.slices = slices
        self.limit = limit
        self.count = 0
        self.merged_any = False
        self.next_slice = 0
        self.sizes: dict[LogId, int] = {}
        """How far the logs reach whose terms are here."""
        self.round: Mapping[LogId, int] = {}
        """How far they reached when the round through the slices began."""
        self._shift = _TERM_BITS - (slices.bit_length() - 1)
        self._parts: list[Waiting] = [{} for _ in range(slices)]

    def at(self, term: int) -> tuple[Term, ...]:
        """What waits under a term."""
        return self._part(term).get(term, ())

    def slice(self, number: int) -> Iterator[Term]:
        """What waits in a slice."""
        return chain.from_iterable(self._parts[number].values())

    def _part(self, term: int) -> Waiting:
        return self._parts[(term >> self._shift) + self.slices // 2]

    def add(self, terms: Iterable[Term]) -> None:
        """Let terms wait."""
        parts, shift, middle = self._parts, self._shift, self.slices // 2
        for row in terms:
            _wait(parts[(row[0] >> shift) + middle], row)
            self.count += 1

    def drop(self, gone: Iterable[Term]) -> None:
        """Let single terms go."""
        for row in gone:
            part = self._part(row[0])
            held = part.get(row[0], ())
            left = tuple(each for each in held if each != row)
            self.count -= len(held) - len(left)
            if left:
                part[row[0]] = left
            else:
                part.pop(row[0], None)

    def drop_log(self, log: LogId) -> None:
        """Let all terms of a log go."""
        self.drop([row for number in range(self.slices) for row in self.slice(number) if row[1:3] == log])
        self.sizes.pop(log, None)
        self.round = {other: size for other, size in self.round.items() if other != log}

    def merged(self, slices: int) -> None:
        """Go on in the round behind so many slices; the next round is for all that waits when it begins."""
        self.next_slice += slices
        if self.next_slice == self.slices:
            self.next_slice = 0
            self.sizes = {log: size for log, size in self.sizes.items() if self.round.get(log) != size}
            self.round = dict(self.sizes)

    def empty(self, number: int) -> None:
        """Let a slice go that has been merged."""
        self.count -= sum(1 for _ in self.slice(number))
        self._parts[number] = {}  # a new one: somebody may be reading the old


class RecordIndex:
    """Looking up in both parts of the index."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    def load(self, connection: SqlReads) -> None:
        """Find what waited when the database was last open; nothing may have been added since."""
        tail = self._tail
        tail.merged_any = bool(connection.execute(_ANY_TERM).fetchall())
        for channel_id, epoch, merged, applied_size in connection.execute(_BEHIND).fetchall():
            log, last = (channel_id, epoch), (merged, -1)
            while rows := connection.execute(_UNMERGED, (*log, *last, _PAGE_RECORDS)).fetchall():
                last = rows[-1][:2]
                tail.add(terms_of(log, (Indexed(key, subject, *place) for *place, key, subject in rows)))
            tail.sizes[log] = applied_size
        tail.round = dict(tail.sizes)

    def under(self, connection: SqlReads, channel_id: int, keys: Collection[bytes]) -> list[KeyedRecord]:
        """All records of a channel under these keys, also those in the background."""
        terms, wanted = sorted(set(map(key_term, keys))), set(keys)
        places = sorted({row[1:] for term in terms for row in self._waiting(term) if row[1] == channel_id})
        rows = [row for place in places for row in connection.execute(_AT_PLACE, place).fetchall()]
        for start in range(0, len(terms) if self._tail.merged_any else 0, _TERMS_PER_QUERY):
            chunk = terms[start : start + _TERMS_PER_QUERY]
            sql = _UNDER_TERMS.format(",".join("?" * len(chunk)))
            rows += connection.execute(sql, (channel_id, *chunk)).fetchall()
        found = {Place(*row[1:4]): row for row in rows if row[0] in wanted}
        return [KeyedRecord(row[0], place, row[4] == 1, row[5]) for place, row in found.items()]

    def of_subject(self, connection: SqlReads, subject: str) -> list[tuple[int, Place]]:
        """Where records of a subject may stand, by channel and place; some may be gone, or name another one."""
        term = subject_term(subject)
        places = {row[1:] for row in self._waiting(term)}
        if self._tail.merged_any:
            places.update(connection.execute(_OF_TERM, (term,)).fetchall())
        return [(channel_id, Place(*place)) for channel_id, *place in sorted(places)]

    def _waiting(self, term: int) -> tuple[Term, ...]:
        return self._tail.at(term)


class RecordIndexChanges(RecordIndex):
    """The index inside one transaction, which sees its own changes; the tail has them once they are committed."""

    def __init__(self, tail: Tail) -> None:
        super().__init__(tail)
        self._added: Waiting = {}
        self._sizes: dict[LogId, int] = {}
        self._gone: set[Term] = set()
        self._dropped: set[LogId] = set()
        self._merged: list[int] = []
        self._left = tail.count
        """How many terms wait, with those added here and without those merged here."""

    def _waiting(self, term: int) -> tuple[Term, ...]:
        return (*self._tail.at(term), *self._added.get(term, ()))

    def add(self, connection: SqlConnection, log: LogId, size: int, records: Iterable[Indexed]) -> None:
        """Index the records of an entry of a log, whose fold has now that size; merges a slice if many wait."""
        for row in terms_of(log, records):
            _wait(self._added, row)
            self._left += 1
        self._sizes[log] = size
        if self._left > self._tail.limit and self._next_slice < self._tail.slices:
            self._merge(connection, self._next_slice)

    @property
    def _next_slice(self) -> int:
        return self._tail.next_slice + len(self._merged)

    def _merge(self, connection: SqlConnection, number: int) -> None:
        """Write a slice of the tail, as it was before this transaction; after the last one, note how far logs are."""
        waiting = list(self._tail.slice(number))
        rows = [row for row in waiting if row not in self._gone and row[1:3] not in self._dropped]
        connection.executemany(_MERGE, sorted(rows))
        self._merged.append(number)
        self._left -= len(waiting)
        if self._next_slice == self._tail.slices:
            sizes = [(log, size) for log, size in self._tail.round.items() if log not in self._dropped]
            connection.executemany(_NOTE_MERGED, [(*log, size) for log, size in sizes])

    def remove(self, connection: SqlConnection, log: LogId, record: Indexed) -> None:
        """Forget a record that is erased, wherever its terms are."""
        for row in terms_of(log, [record]):
            connection.execute(_FORGET, row)
            self._added[row[0]] = tuple(each for each in self._added.get(row[0], ()) if each != row)
            self._gone.add(row)

    def drop_log(self, connection: SqlConnection, log: LogId) -> None:
        """Forget all records of a log."""
        for statement in (_FORGET_LOG, _FORGET_MERGED):
            connection.execute(statement, log)
        self._added = {term: tuple(row for row in rows if row[1:3] != log) for term, rows in self._added.items()}
        self._sizes.pop(log, None)
        self._dropped.add(log)

    def commit(self) -> None:
        """Let the tail have what the transaction did, which is committed."""
        tail = self._tail
        tail.merged_any |= bool(self._merged)  # before they leave the tail: a reader then looks at the table as well
        for number in self._merged:
            tail.empty(number)
        tail.drop(self._gone)
        for log in self._dropped:
            tail.drop_log(log)
        tail.add(chain.from_iterable(self._added.values()))
        tail.sizes.update(self._sizes)
        tail.merged(len(self._merged))
