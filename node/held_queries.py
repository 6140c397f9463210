"""The query log as it is kept: a part of the Store of node.ports. It never leaves the node by itself."""

from collections.abc import Sequence
from typing import Protocol

from node.core.query_log import LoggedQuery


class QueriesReader(Protocol):
    """What can be read of the query log; entries come without the leaves of batches."""

    def last_query(self) -> LoggedQuery | None:
        """The entry with the largest sequence number."""
        ...

    def queries(self, after: int = 0, limit: int | None = None) -> Sequence[LoggedQuery]:
        """The entries after a sequence number, ascending."""
        ...

    def query(self, sequence: int) -> LoggedQuery | None:
        """One entry."""
        ...

    def queries_of(self, subject: str) -> Sequence[LoggedQuery]:
        """The checks of one subject, as it stands in entries, ascending."""
        ...

    def queries_under_other_keys(self, key_id: str) -> int:
        """How many entries were made under any other key than this one."""
        ...

    def next_leaves(self, after: int) -> tuple[int, bytes] | None:
        """The first batch after a sequence number, and its leaves."""
        ...

    def query_leaves(self, sequence: int) -> bytes:
        """The leaves of a batch, nothing for any other entry."""
        ...


class QueriesWriter(Protocol):
    """What can be written of the query log."""

    def add_query(self, entry: LoggedQuery) -> None:
        """Append an entry with its leaves; raises DATABASE where its sequence number is taken."""
        ...
