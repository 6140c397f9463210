"""The embedded store: one SQLite file in WAL mode, with full durability and without traces of what was erased.

Readers see the last committed state on connections of their own; one writer at a time holds the write lock from
BEGIN IMMEDIATE on. A commit returns after fsync (synchronous = FULL), so whatever is signed or answered after it
survives a loss of power. What a crash leaves is described in sql_writing.
"""

import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.storage import migrations
from node.storage.sql_reading import SqlReader
from node.storage.sql_writing import SqlTransaction

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
)
_FULL_BELOW_BYTES = 64 * 1024  # SQLite reports some writes to a full disk as input/output errors


class SqliteStore(SqlReader):
    """The Store over one SQLite file."""

    def __init__(self, engine: Engine, home: Path, limits: Limits) -> None:
        self._engine = engine
        self._writing = engine.execution_options(begin="BEGIN IMMEDIATE")
        self._home = home
        self._limits = limits
        self._traces = True  # a process before this one may have ended between an erasure and its clearing

    @classmethod
    def open(cls, path: Path, *, create: bool, limits: Limits = DEFAULT_LIMITS, incarnation: str = "") -> Self:
        """Open a database and bring it to this version's schema; create makes it where it is missing.

        A new database gets the given incarnation, or a random one.
        Raises HOME_MISSING, HOME_NEWER, DISK_FULL, DATABASE.
        """
        if not create and not path.is_file():
            raise XinqiaoError("HOME_MISSING", home=path.parent)
        store = cls(_engine(path), path.parent, limits)
        try:
            store._prepare(incarnation or secrets.token_hex(16))
        except BaseException:
            store._engine.dispose()
            raise
        return store

    def _prepare(self, incarnation: str) -> None:
        with self._failures(), self._writing.begin() as connection:
            revision = migrations.revision_of(connection)
            if revision not in (None, *migrations.REVISIONS):
                raise XinqiaoError("HOME_NEWER", home=self._home, revision=revision)
            if revision != migrations.REVISIONS[-1]:
                migrations.upgrade(connection)
            if revision is None:
                connection.execute(text("INSERT INTO database (incarnation) VALUES (:new)"), {"new": incarnation})

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._failures(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Commit durably on leaving, leave nothing when the block raises."""
        with self._failures(), self._writing.begin() as connection:
            transaction = SqlTransaction(connection, self._limits)
            yield transaction
        self._traces |= transaction.erased
        if self._traces:
            self._clear_traces()

    def _clear_traces(self) -> None:
        """Empty the write-ahead log, whose old pages still show what was erased.

        The transaction is committed whatever comes of it: while a reader holds the log, or the disk fails, it is
        tried again after the next one.
        """
        with self._engine.connect() as connection:
            raw = connection.connection
            try:
                raw.execute("PRAGMA busy_timeout = 0")
                busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._traces = bool(busy)
            except sqlite3.Error:
                self._traces = True
            finally:
                raw.execute(_PRAGMAS[0])

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what the database raises into DISK_FULL or DATABASE; errors of the caller's own steps pass."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            if self._is_disk_full(cause):
                raise XinqiaoError("DISK_FULL", home=self._home) from error
            raise XinqiaoError("DATABASE", detail=str(cause)) from error

    def _is_disk_full(self, cause: object) -> bool:
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary code; the rest says where it happened
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return shutil.disk_usage(self._home).free < _FULL_BELOW_BYTES
        return code == sqlite3.SQLITE_FULL


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", pool_size=4, max_overflow=64)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's driver must not begin transactions by itself: BEGIN is ours, see _begin.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
