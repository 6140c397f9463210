"""Which records stand under a natural key, and which name a subject: the indexes that a server keeps by itself.

A server writes to its log what changed of a page, and the page once between two checkpoints, so that random keys cost
it little (compare node.storage.record_index).
"""

from collections.abc import Collection, Iterable, Sequence

from node.core.state import Place
from node.storage.sql_ports import Indexed, KeyedRecord, SqlConnection
from node.storage.sql_reading import marks

_KEYS_PER_QUERY = 500
_UNDER = (
    "SELECT natural_key, epoch, entry_index, position, in_force, content_hash FROM records"
    " WHERE channel_id = ? AND natural_key IN ({})"
)
_OF_SUBJECT = (
    "SELECT channel_id, epoch, entry_index, position FROM records WHERE subject = ?"
    " ORDER BY channel_id, epoch, entry_index, position"
)


class ServerIndex:
    """The KeyIndexChanges of a database that indexes its records by itself."""

    def under(self, connection: SqlConnection, channel_id: int, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """All records of a channel under these keys, also in the background, in no order."""
        ordered, rows = sorted(keys), []
        for start in range(0, len(ordered), _KEYS_PER_QUERY):
            chunk = ordered[start : start + _KEYS_PER_QUERY]
            rows += connection.execute(_UNDER.format(marks(len(chunk))), (channel_id, *chunk)).fetchall()
        return [KeyedRecord(row[0], Place(*row[1:4]), row[4] == 1, row[5]) for row in rows]

    def of_subject(self, connection: SqlConnection, subject: str) -> Sequence[tuple[int, Place]]:
        """Where records of a subject stand, by channel_id and place."""
        rows = connection.execute(_OF_SUBJECT, (subject,)).fetchall()
        return [(channel_id, Place(*place)) for channel_id, *place in rows]

    def add(self, connection: SqlConnection, log: tuple[int, int], size: int, records: Iterable[Indexed]) -> None:
        """Do nothing: the row itself is indexed."""

    def remove(self, connection: SqlConnection, log: tuple[int, int], record: Indexed) -> None:
        """Do nothing: the row is gone."""

    def drop_log(self, connection: SqlConnection, log: tuple[int, int]) -> None:
        """Do nothing: the rows are gone."""
