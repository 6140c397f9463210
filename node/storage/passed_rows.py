"""The rows that a dry run has come past: hashes only, in a database that the system forgets with the process."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from node.core.errors import XinqiaoError
from node.core.record import Candidate

_IN_MEMORY_KIB = 4096


class TemporaryPassedRows:
    """A temporary database without a name, which leaves memory for the temporary directory as it grows."""

    def __init__(self) -> None:
        self.waiting: set[bytes] = set()
        # The empty name is SQLite's own for such a database: nobody else can open it, and nothing of it stays.
        self._database = sqlite3.connect("", isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_IN_MEMORY_KIB}"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE passed (key BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID")

    def find(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The content hashes of those that stand under natural keys."""
        found: dict[bytes, bytes] = {}
        with _full_disk_named():
            for key in keys:
                found.update(self._database.execute("SELECT key, content FROM passed WHERE key = ?", (key,)))
        return found

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Note rows that would be published; raises DISK_FULL."""
        rows = [(candidate.key, candidate.content_hash) for candidate in candidates]
        with _full_disk_named():
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO passed VALUES (?, ?)", rows)
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Forget them."""
        self._database.close()


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise XinqiaoError("DISK_FULL", home="the temporary directory") from error
        raise
