"""Which records stand under a natural key, and which name a subject: the indexes that a server keeps by itself.

A server writes to its log what changed of a page, and the page once between two checkpoints, so that random keys cost
it little (compare node.storage.record_index). Keys are hashes already and nobody asks for an order of them: a hash
index takes one page for each. Subjects have a B-tree, for which it is no matter that some name thousands of records.
"""

from collections.abc import Collection, Sequence
from typing import Any

from node.core.state import Place
from node.storage.postgres_dialect import Contents
from node.storage.record_rows import RecordColumns
from node.storage.sql_ports import Indexed, KeyedRecord, SqlConnection, SqlReads

_KEYS_PER_QUERY = 2_000
# One look for each key, which OFFSET 0 keeps the planner from joining in any other way: to a planner that has not
# counted the records of a new channel, reading all of them for each entry looks cheap. So does the primary key for
# one channel, which + 0 hides from it.
_UNDER = (
    "SELECT r.* FROM unnest(?::bytea[]) AS wanted (natural_key) CROSS JOIN LATERAL (SELECT r.natural_key, r.epoch,"
    " r.entry_index, r.position, r.in_force, r.content_hash FROM records r WHERE r.channel_id + 0 = ?"
    " AND r.natural_key = wanted.natural_key OFFSET 0) AS r"
)
_OF_SUBJECT = (
    "SELECT channel_id, epoch, entry_index, position FROM records WHERE subject = ?"
    " ORDER BY channel_id, epoch, entry_index, position"
)


class ServerIndex:
    """The KeyIndexChanges of a database that indexes its records by itself."""

    def under(self, connection: SqlReads, channel_id: int, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """All records of a channel under these keys, also in the background, in no order."""
        wanted, rows = list(keys), list[tuple[Any, ...]]()
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            some = Contents(wanted[start : start + _KEYS_PER_QUERY])
            rows += connection.execute(_UNDER, (some, channel_id)).fetchall()
        return [KeyedRecord(row[0], Place(*row[1:4]), row[4] == 1, row[5]) for row in rows]

    def of_subject(self, connection: SqlReads, subject: str) -> Sequence[tuple[int, Place]]:
        """Where records of a subject stand, by channel_id and place."""
        rows = connection.execute(_OF_SUBJECT, (subject,)).fetchall()
        return [(channel_id, Place(*place)) for channel_id, *place in rows]

    def add(self, connection: SqlConnection, log: tuple[int, int], index: int, columns: RecordColumns) -> None:
        """Do nothing: the row itself is indexed."""

    def remove(self, connection: SqlConnection, log: tuple[int, int], record: Indexed) -> None:
        """Do nothing: the row is gone."""

    def drop_log(self, connection: SqlConnection, log: tuple[int, int]) -> None:
        """Do nothing: the rows are gone."""
