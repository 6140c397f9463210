"""The query log in the tables: entries are appended, and never changed or taken away."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from node.core.query_log import LoggedQuery, Query, Question
from node.storage.sql_reading import MAX_INTEGER, SqlReader

_QUERIES = (
    "SELECT sequence, previous, entry_hash, at_ms, officer, unit, matter, matters_version, ground, key_id,"
    " subject_count, subject, subjects_root FROM queries"
)
_LAST = _QUERIES + " ORDER BY sequence DESC LIMIT 1"
_AFTER = _QUERIES + " WHERE sequence > :after ORDER BY sequence LIMIT :limit"
_ONE = _QUERIES + " WHERE sequence = :sequence"
_OF_SUBJECT = _QUERIES + " WHERE subject = :subject ORDER BY sequence"
_UNDER_OTHER_KEYS = "SELECT COUNT(*) FROM queries WHERE key_id <> :key_id"
_LEAVES = "SELECT leaves FROM query_leaves WHERE sequence = :sequence"
_NEXT_LEAVES = "SELECT sequence, leaves FROM query_leaves WHERE sequence > :after ORDER BY sequence LIMIT 1"
_ADD = (
    "INSERT INTO queries (sequence, previous, entry_hash, at_ms, officer, unit, matter, matters_version, ground,"
    " key_id, subject_count, subject, subjects_root) VALUES (:sequence, :previous, :entry_hash, :at_ms, :officer,"
    " :unit, :matter, :matters_version, :ground, :key_id, :count, :subject, :root)"
)
_ADD_LEAVES = "INSERT INTO query_leaves (sequence, leaves) VALUES (:sequence, :leaves)"


class SqlQueriesReader(SqlReader):
    """The QueriesReader."""

    def last_query(self) -> LoggedQuery | None:
        return _logged(self._row(_LAST))

    def queries(self, after: int = 0, limit: int | None = None) -> Sequence[LoggedQuery]:
        rows = self._rows(_AFTER, after=after, limit=MAX_INTEGER if limit is None else limit)
        return [entry for entry in map(_logged, rows) if entry is not None]

    def query(self, sequence: int) -> LoggedQuery | None:
        return _logged(self._row(_ONE, sequence=sequence))

    def queries_of(self, subject: str) -> Sequence[LoggedQuery]:
        rows = self._rows(_OF_SUBJECT, subject=subject)
        return [entry for entry in map(_logged, rows) if entry is not None]

    def queries_under_other_keys(self, key_id: str) -> int:
        return int(self._value(_UNDER_OTHER_KEYS, key_id=key_id))

    def next_leaves(self, after: int) -> tuple[int, bytes] | None:
        row = self._row(_NEXT_LEAVES, after=after)
        return (row[0], row[1]) if row is not None else None

    def query_leaves(self, sequence: int) -> bytes:
        row = self._row(_LEAVES, sequence=sequence)
        return bytes(row[0]) if row is not None else b""


class SqlQueriesWriter(SqlQueriesReader):
    """The QueriesWriter over the transaction that is open."""

    @abstractmethod
    def _note(self, statement: str, **values: object) -> None: ...

    def add_query(self, entry: LoggedQuery) -> None:
        query, asked = entry.query, entry.query.question
        self._note(
            _ADD,
            sequence=entry.sequence,
            entry_hash=entry.entry_hash,
            previous=entry.previous,
            at_ms=asked.at_ms,
            officer=asked.officer,
            unit=asked.unit,
            matter=asked.matter,
            matters_version=asked.matters_version,
            ground=asked.ground,
            key_id=query.key_id,
            count=query.count,
            subject=query.subject,
            root=query.root,
        )
        if query.leaves:
            self._note(_ADD_LEAVES, sequence=entry.sequence, leaves=query.leaves)


def _logged(row: Sequence[Any] | None) -> LoggedQuery | None:
    if row is None:
        return None
    sequence, previous, entry_hash, at_ms, officer, unit, matter, version, ground, key_id, count, subject, root = row
    question = Question(at_ms, officer, unit, matter, version, ground)
    return LoggedQuery(sequence, previous, entry_hash, Query(question, key_id, count, subject, root))
