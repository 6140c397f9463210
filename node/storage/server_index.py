"""Which records stand under a natural key, and which name a subject: the indexes that a server keeps by itself.

A server writes to its log what changed of a page, and the page once between two checkpoints, so that random keys cost
it little (compare node.storage.record_index). Keys are hashes already and nobody asks for an order of them: a hash
index takes one page for each. Subjects have a B-tree, for which it is no matter that some name thousands of records.

A key that nobody has had before is not looked for at all, once a filter in memory knows all that are held: those that
were there when the store connected are read from the table, some at once and some for each record that comes; those
that come are noted before they are sent. Nobody else writes them (node.storage.postgres). Whoever connects anew, to
what may have been put back by hand meanwhile, reads them anew.
"""

import sys
from array import array
from collections.abc import Collection, Sequence
from typing import Any

from node.core.record_terms import TERM_CODE, key_terms
from node.core.state import Place
from node.storage.postgres_dialect import Contents
from node.storage.record_rows import RecordColumns
from node.storage.sql_ports import Indexed, KeyedRecord, SqlConnection, SqlReads
from node.storage.waiting_terms import KnownKeys

READ_AT_START, READ_PER_RECORD = 100_000, 4
"""Keys of the table that are read into the filter: when the store connects, and for each record that comes then."""
_BEFORE_ALL = (-1, -1, -1, -1)
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
# The server puts the terms together, the beginnings of keys: a row for each would take several times as long.
_KEYS_AFTER = """
    WITH page AS MATERIALIZED (
        SELECT natural_key, channel_id, epoch, entry_index, position FROM records
        WHERE (channel_id, epoch, entry_index, position) > (?, ?, ?, ?)
        ORDER BY channel_id, epoch, entry_index, position LIMIT ?
    ) SELECT channel_id, epoch, entry_index, position,
        (SELECT string_agg(substring(natural_key FROM 1 FOR 8), ''::bytea) FROM page)
    FROM page ORDER BY channel_id DESC, epoch DESC, entry_index DESC, position DESC LIMIT 1
"""


class ServerIndex:
    """The KeyIndexChanges of a database that indexes its records by itself, and the keys that may be in it.

    The keys are told by the one that writes, which may do so for a transaction that is then taken back; anybody asks.
    """

    def __init__(self) -> None:
        self._keys = KnownKeys[tuple[int, ...]](_BEFORE_ALL)
        self._owed = READ_AT_START

    # -- the filter of keys

    def forget(self) -> None:
        """Know of no key any more: read them from the beginning."""
        self._keys.unread, self._owed = _BEFORE_ALL, READ_AT_START

    def read_on(self, connection: SqlReads) -> None:
        """Read as many keys of the table as are owed; only what is committed may be read."""
        unread, most, self._owed = self._keys.unread, self._owed, 0
        if unread is None or not most:
            return
        row = next(iter(connection.execute(_KEYS_AFTER, (*unread, most)).fetchall()), None)
        terms = array(TERM_CODE, row[-1] if row is not None else b"")
        if sys.byteorder == "little":
            terms.byteswap()
        self._keys.note(terms)
        self._keys.unread = row[:-1] if row is not None and len(terms) == most else None

    def _may_hold(self, keys: Collection[bytes]) -> list[bytes]:
        wanted = list(keys)
        terms = key_terms(wanted)
        held = set(self._keys.may_hold(terms))
        return [key for key, term in zip(wanted, terms, strict=True) if term in held] if held else []

    # -- looking up

    def under(self, connection: SqlReads, channel_id: int, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """All records of a channel under these keys, also in the background, in no order."""
        wanted, rows = self._may_hold(keys), list[tuple[Any, ...]]()
        for start in range(0, len(wanted), _KEYS_PER_QUERY):
            some = Contents(wanted[start : start + _KEYS_PER_QUERY])
            rows += connection.execute(_UNDER, (some, channel_id)).fetchall()
        return [KeyedRecord(row[0], Place(*row[1:4]), row[4] == 1, row[5]) for row in rows]

    def of_subject(self, connection: SqlReads, subject: str) -> Sequence[tuple[int, Place]]:
        """Where records of a subject stand, by channel_id and place."""
        rows = connection.execute(_OF_SUBJECT, (subject,)).fetchall()
        return [(channel_id, Place(*place)) for channel_id, *place in rows]

    # -- changes

    def add(
        self,
        connection: SqlConnection,  # noqa: ARG002 - of the interface
        log: tuple[int, int],  # noqa: ARG002
        index: int,  # noqa: ARG002
        columns: RecordColumns,
    ) -> None:
        """Note the keys, before the rows are sent, which themselves are indexed."""
        self._keys.note(key_terms(columns.keys))
        self._owed += READ_PER_RECORD * len(columns.keys)

    def remove(self, connection: SqlConnection, log: tuple[int, int], record: Indexed) -> None:
        """Do nothing: the row is gone."""

    def drop_log(self, connection: SqlConnection, log: tuple[int, int]) -> None:
        """Do nothing: the rows are gone."""
