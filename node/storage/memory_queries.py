"""The query log in the store in memory."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from node.core.errors import XinqiaoError
from node.core.query_log import LoggedQuery
from node.storage.memory_reading import MemoryReader


class MemoryQueriesReader(MemoryReader):
    """The QueriesReader."""

    def last_query(self) -> LoggedQuery | None:
        held = self._state.queries.rows
        return held[max(held)] if held else None

    def queries(self, after: int = 0, limit: int | None = None) -> Sequence[LoggedQuery]:
        held = self._state.queries.rows
        return list(islice((held[at] for at in sorted(held) if at > after), limit))

    def query(self, sequence: int) -> LoggedQuery | None:
        return self._state.queries.rows.get(sequence)

    def queries_of(self, subject: str) -> Sequence[LoggedQuery]:
        return [entry for entry in self.queries() if entry.query.subject == subject]

    def queries_under_other_keys(self, key_id: str) -> int:
        return sum(entry.query.key_id != key_id for entry in self._state.queries.rows.values())

    def next_leaves(self, after: int) -> tuple[int, bytes] | None:
        held = self._state.query_leaves.rows
        found = min((at for at in held if at > after), default=None)
        return (found, held[found]) if found is not None else None

    def query_leaves(self, sequence: int) -> bytes:
        return self._state.query_leaves.rows.get(sequence, b"")


class MemoryQueriesWriter(MemoryQueriesReader):
    """The QueriesWriter on tables of its own."""

    def add_query(self, entry: LoggedQuery) -> None:
        held = self._state.queries.edit()
        if entry.sequence in held:
            raise XinqiaoError("DATABASE", detail=f"UNIQUE: queries.sequence = {entry.sequence}")
        held[entry.sequence] = replace(entry, query=replace(entry.query, leaves=b""))
        if entry.query.leaves:
            self._state.query_leaves.edit()[entry.sequence] = entry.query.leaves
