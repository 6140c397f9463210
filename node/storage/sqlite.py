"""The embedded store: one SQLite file in WAL mode, with full durability and without traces of what was erased.

Readers see the last committed state on connections of their own; one writer at a time holds the write lock from
BEGIN IMMEDIATE on. A commit returns after fsync (synchronous = FULL), so whatever is signed or answered after it
survives a loss of power. What a crash leaves is described in sql_writing.
"""

import errno
import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self, cast

from sqlalchemy import Engine, PoolProxiedConnection, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.storage import migrations
from node.storage.examining import failure
from node.storage.record_index import RecordIndex, RecordIndexChanges
from node.storage.sql_changes import SqlChangesReader
from node.storage.sql_lists import SqlListsReader
from node.storage.sql_queries import SqlQueriesReader
from node.storage.sql_writing import SqlTransaction
from node.storage.waiting_terms import Tail

_ANY_CONNECTION = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -2048",
)
# Keys and subjects come in random order: their pages are written back once for many transactions, when the
# write-ahead log has grown to 32 MiB. Until then the system's own cache holds them; 64 MiB of ours instead of 8
# changed nothing at 500,000 records (71 s either way) but the memory of the process.
_WRITER = (
    "PRAGMA page_size = 8192",  # only a new file takes it; bodies of 1,000 records fill half as many pages
    *_ANY_CONNECTION,
    "PRAGMA cache_size = -8192",
    "PRAGMA wal_autocheckpoint = 4096",
)
_BEGIN = "BEGIN IMMEDIATE"
_PRIVATE_FILE = 0o600
_INSERT = re.compile(r"(INSERT INTO \w+ \([\w, ]+\) VALUES )(\([?, ]+\))(.*)", re.DOTALL)
_ROWS_TOGETHER = (64, 8, 1)
"""No statement has more than 999 values, which is as many as an old SQLite takes."""
_FULL_BELOW_BYTES = 64 * 1024  # SQLite reports some writes to a full disk as input/output errors


class SqliteStore(SqlListsReader, SqlChangesReader, SqlQueriesReader):
    """The Store over one SQLite file."""

    def __init__(self, path: Path, limits: Limits, tail: Tail | None = None) -> None:
        # Each read is one statement, which sees one committed state: it needs no transaction.
        self._reading = _engine(path, "", _ANY_CONNECTION, pool_size=4, max_overflow=60)
        self._idle: list[PoolProxiedConnection] = []  # kept at hand: the pool's own bookkeeping costs more than a read
        # Transactions of several threads take turns here, on one connection, and not by trying again and again.
        self._turn = Lock()
        self._writing = _engine(path, _BEGIN, _WRITER, pool_size=1, max_overflow=1)
        self._idle_writing: list[PoolProxiedConnection] = []
        self._path = path
        self._home = path.parent
        self._limits = limits
        self._generation = 0
        self._tail = tail or Tail()
        self._index = RecordIndex(self._tail)
        self._traces = True  # a process before this one may have ended between an erasure and its clearing

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool,
        limits: Limits = DEFAULT_LIMITS,
        incarnation: str = "",
        tail: Tail | None = None,
    ) -> Self:
        """Open a database and bring it to this version's schema; create makes it where it is missing.

        A new database gets the given incarnation, or a random one. tail is an empty one, to say how much waits in it.
        Raises HOME_MISSING, HOME_NEWER, DISK_FULL, DATABASE.
        """
        if not create and not path.is_file():
            raise XinqiaoError("HOME_MISSING", home=path.parent)
        _make_private(path)
        store = cls(path, limits, tail)
        try:
            store._prepare(create, incarnation or secrets.token_hex(16))
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, create: bool, incarnation: str) -> None:
        with self._failures(), self._writing.begin() as connection:
            revision = migrations.revision_of(connection)
            if revision is None and not create:  # its first start never came to its end
                raise XinqiaoError("HOME_MISSING", home=self._home)
            if revision not in (None, *migrations.REVISIONS):
                raise XinqiaoError("HOME_NEWER", home=self._home, revision=revision)
            if revision != migrations.REVISIONS[-1]:
                migrations.upgrade(connection)
            if revision is None:
                connection.execute(text("INSERT INTO database (incarnation) VALUES (:new)"), {"new": incarnation})
        if revision != migrations.REVISIONS[-1]:
            self._writing.dispose()  # the next connection reads the planner's statistics
        with self._failures(), borrowed(self._writing) as raw:
            RecordIndex(self._tail).load(raw)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._failures(), _kept(self._idle, self._reading) as connection:
            yield connection

    def generation(self) -> int:
        """Another number after each commit of more than the query log and settings; written by the writer's turn."""
        return self._generation

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        with self._turn, _kept(self._idle_writing, self._writing) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Commit durably on leaving, leave nothing when the block raises."""
        with self._failures(), self._written() as connection:
            index = RecordIndexChanges(self._tail)
            transaction = SqlTransaction(connection, self._limits, index)
            connection.execute(_BEGIN)
            try:
                yield transaction
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()  # does nothing where the database has done so by itself
                raise
            else:
                index.commit()
            finally:
                self._generation += transaction.is_more_than_noted
        self._traces |= transaction.erased
        if self._traces:
            self._clear_traces()

    def _clear_traces(self) -> None:
        """Empty the write-ahead log, whose old pages still show what was erased.

        The transaction is committed whatever comes of it: while a reader holds the log, or the disk fails, it is
        tried again after the next one.
        """
        with self._written() as connection:
            try:
                connection.execute("PRAGMA busy_timeout = 0")
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._traces = bool(busy)
            except sqlite3.Error:
                self._traces = True
            finally:
                connection.execute(_ANY_CONNECTION[0])

    def close(self) -> None:
        """Release the database."""
        for idle in (self._idle, self._idle_writing):
            while idle:
                idle.pop().close()
        self._reading.dispose()
        self._writing.dispose()  # the last connection to go empties and removes the write-ahead log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what the database raises into DISK_FULL, DATABASE_DAMAGED, DATABASE; the caller's own errors pass."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            if self._is_disk_full(cause):
                raise XinqiaoError("DISK_FULL", home=self._home) from error
            raise failure(self._path, cause) from error

    def _is_disk_full(self, cause: object) -> bool:
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary code; the rest says where it happened
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return shutil.disk_usage(self._home).free < _FULL_BELOW_BYTES
        return code == sqlite3.SQLITE_FULL


def _make_private(path: Path) -> None:
    """Let nobody but the owner read the database: SQLite gives its other files the mode of the first one."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE))
    except OSError as error:
        code = "DISK_FULL" if error.errno == errno.ENOSPC else "DATABASE"
        raise XinqiaoError(code, home=path.parent, detail=error.strerror or error) from error


@contextmanager
def _kept(idle: list[PoolProxiedConnection], engine: Engine) -> Iterator[sqlite3.Connection]:
    """A connection that stays at hand afterwards."""
    try:
        pooled = idle.pop()
    except IndexError:
        pooled = engine.raw_connection()
    try:
        yield cast("sqlite3.Connection", pooled.driver_connection)
    finally:
        idle.append(pooled)


@contextmanager
def borrowed(engine: Engine) -> Iterator[sqlite3.Connection]:
    """A connection of the pool as the driver knows it."""
    pooled = engine.raw_connection()
    try:
        yield cast("sqlite3.Connection", pooled.driver_connection)
    finally:
        pooled.close()


class _Total(sqlite3.Cursor):
    rowcount = 0  # what several statements have changed


class Connection(sqlite3.Connection):
    """A connection that inserts many rows with few statements.

    The driver lets go of the interpreter at each statement. While another thread computes, it gets it back only after
    a thread's turn: a thousand rows one by one took 60 ms beside a busy event loop, and 6 together.
    """

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Run a statement for each row, which is a sequence; the rowcount is that of all together."""
        found = _INSERT.fullmatch(sql)
        if found is None:
            return super().executemany(sql, parameters)
        head, marks, tail = found.groups()
        rows, cursor, total, start = list(parameters), self.cursor(), self.cursor(_Total), 0
        for size in _ROWS_TOGETHER:
            together = f"{head}{', '.join([marks] * size)}{tail}"
            while len(rows) - start >= size:
                cursor.execute(together, list(chain.from_iterable(rows[start : start + size])))
                start += size
                total.rowcount += cursor.rowcount
        return total


def _engine(path: Path, begin: str, pragmas: Sequence[str], **pool: int) -> Engine:
    """An engine whose every connection has these pragmas and begins its transactions this way."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"factory": Connection}, **pool)

    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # Python's driver must not begin transactions by itself
        for pragma in pragmas:
            connection.execute(pragma).close()

    event.listen(engine, "connect", set_up)
    if begin:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
