"""What the statements of this package need: a connection, and an index of records by key and by subject."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from node.core.state import Place
from node.storage.record_rows import RecordColumns


class SqlCursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        ...

    def fetchall(self) -> list[Any]:
        """Its rows, as tuples."""
        ...


class SqlReads(Protocol):
    """What statements run on: a driver that takes :name and ? as they are, with nothing between it and them.

    A layer over the driver costs several times as much as the small statements of this package themselves.
    """

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ..., /) -> SqlCursor:
        """Run a statement."""
        ...


class SqlConnection(SqlReads, Protocol):
    """What a transaction runs on."""

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> SqlCursor:
        """Run a statement for each row of values."""
        ...


class KeyedRecord(NamedTuple):
    """A record with its key and whether it is in force."""

    natural_key: bytes
    place: Place
    in_force: bool
    content_hash: bytes


class KeyIndex(Protocol):
    """How records are found by what does not tell their place."""

    def under(self, connection: SqlReads, channel_id: int, keys: Collection[bytes]) -> Sequence[KeyedRecord]:
        """All records of a channel under these keys, also in the background, in no order."""
        ...

    def of_subject(self, connection: SqlReads, subject: str) -> Sequence[tuple[int, Place]]:
        """Where records of a subject may stand, by channel_id and place; some may be gone, or name another one."""
        ...


class Indexed(NamedTuple):
    """What an index is told of a record of a log."""

    natural_key: bytes
    subject: str
    entry_index: int
    position: int


class KeyIndexChanges(KeyIndex, Protocol):
    """The index of a transaction; what the database indexes by itself needs to do nothing. A log is (id, epoch)."""

    def add(self, connection: SqlConnection, log: tuple[int, int], index: int, columns: RecordColumns) -> None:
        """Index the records of an entry of a log, which its fold has come to."""
        ...

    def remove(self, connection: SqlConnection, log: tuple[int, int], record: Indexed) -> None:
        """Forget a record that is erased."""
        ...

    def drop_log(self, connection: SqlConnection, log: tuple[int, int]) -> None:
        """Forget all records of a log."""
        ...
