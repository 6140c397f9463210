"""The store on a PostgreSQL server, for a node whose database others look after.

One connection writes. It holds a lock on the whole database as long as it lives, so that no second node writes beside
this one, and each of its commits returns when the server's log is on its disk. What a crash leaves, of either side, is
described in sql_writing: a transaction that was not committed is gone. Reads are single statements on a few
connections of their own and see the last committed state.

Where the server is lost in the middle of a transaction nothing of it is there (DATABASE_LOST); where it is lost while
it commits, the transaction is there or not (DATABASE_UNSURE), and the heads of the logs, which every append compares,
tell which. The next transaction connects again.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy import Connection, NullPool, create_engine, text

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.storage import migrations
from node.storage.postgres_dialect import PostgresConnection
from node.storage.postgres_server import LOCK_TIMEOUT, Address, Server
from node.storage.postgres_writing import PostgresTransaction
from node.storage.server_index import ServerIndex
from node.storage.sql_changes import SqlChangesReader
from node.storage.sql_lists import SqlListsReader
from node.storage.sql_ports import SqlCursor, SqlReads
from node.storage.sql_queries import SqlQueriesReader

LOCK = 0x58696E7169616F  # "Xinqiao"; of the database, not of the cluster
READERS = 8
LOCK_PATIENCE_S = 5.0
"""How long the lock of a process that was killed may outlive it: until the server has noticed."""
_HOLDER = (
    "SELECT a.application_name, COALESCE(host(a.client_addr), 'this machine') FROM pg_locks l"
    " JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.classid = %s AND l.objid = %s"
)
_FOREIGN = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'alembic_version'"
    " ORDER BY tablename LIMIT 1"
)
_COMPRESSED = (
    "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.atttypid = 'bytea'::regtype"
    " AND a.attstorage = 'x' AND NOT a.attisdropped ORDER BY c.relname, a.attname"
)
_INCARNATION = "SELECT incarnation FROM database"
_SIZE = "SELECT pg_database_size(current_database())"


class PostgresStore(SqlListsReader, SqlChangesReader, SqlQueriesReader):
    """The Store over one PostgreSQL database."""

    _index: ServerIndex

    def __init__(self, server: Server, limits: Limits, bound_in: Path | None = None) -> None:
        self.server = server
        self._limits = limits
        self._index = ServerIndex()
        self._bound_in = bound_in
        self._reading = _Reading(lambda: server.connect("reading"), READERS)
        self._writer: PostgresConnection | None = None
        self._generation = 0
        self._turn = threading.Lock()  # transactions of several threads take turns
        self._ids: dict[str, int] = {}  # of channels that are committed, which keep their numbers for ever

    @classmethod
    def open(
        cls,
        address: Address,
        *,
        create: bool,
        clock_s: Callable[[], float],
        limits: Limits = DEFAULT_LIMITS,
        incarnation: str = "",
        bound_in: Path | None = None,
        lock_patience_s: float = LOCK_PATIENCE_S,
    ) -> Self:
        """Open a database and bring it to this version's schema; create makes the tables where there are none.

        clock_s tells seconds that never go back. With an incarnation, new tables get it, and existing ones must have
        it; bound_in is the file that says so.
        Raises HOME_MISSING, HOME_NEWER, DISK_FULL and DATABASE_*.
        """
        store = cls(Server(address, clock_s), limits, bound_in)
        try:
            store._prepare(create, incarnation, lock_patience_s)
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, create: bool, incarnation: str, lock_patience_s: float) -> None:
        # (1) nobody else writes here from now on
        self._connected_writer(lock_patience_s)
        # (2) all of it or nothing: an interrupted migration leaves the revision it began with
        with self._failures(), self._migrating() as connection:
            revision = migrations.revision_of(connection)
            if revision is None:
                self._check_empty(connection, create)
            elif revision not in migrations.REVISIONS:
                raise XinqiaoError("HOME_NEWER", home=self.server.address, revision=revision)
            else:
                self._check_meant(connection, incarnation)
            if revision != migrations.REVISIONS[-1]:
                migrations.upgrade(connection)
                self._store_as_signed(connection)
            if revision is None:
                new = {"new": incarnation or secrets.token_hex(16)}
                connection.execute(text("INSERT INTO database (incarnation) VALUES (:new)"), new)
        # (3) which keys are held
        with self._failures():
            self._index.read_on(self._connected_writer(lock_patience_s))

    def _store_as_signed(self, connection: Connection) -> None:
        """Let no server compress what is large: that takes a third of its time, and parts could not be read alone."""
        for table, column in connection.execute(text(_COMPRESSED)).fetchall():
            connection.execute(text(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" SET STORAGE EXTERNAL'))

    def _check_empty(self, connection: Connection, create: bool) -> None:
        if not create:
            raise XinqiaoError("HOME_MISSING", home=self.server.address)
        foreign = connection.execute(text(_FOREIGN)).scalar()
        if foreign is not None:
            raise self._other(f"it holds tables of something else, such as {foreign}")

    def _check_meant(self, connection: Connection, incarnation: str) -> None:
        held = connection.execute(text(_INCARNATION)).scalar()
        if incarnation not in ("", held):
            raise self._other(f"its identity is {held}, that of this home {incarnation}")

    def _other(self, detail: str) -> XinqiaoError:
        return XinqiaoError("DATABASE_OTHER", database=self.server.address, detail=detail, file=self._bound_in)

    @contextmanager
    def _migrating(self) -> Iterator[Connection]:
        """A connection as Alembic wants it, in one transaction."""
        engine = create_engine("postgresql+psycopg://", creator=self._plain_connection, poolclass=NullPool)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def _plain_connection(self) -> psycopg.Connection[Any]:
        connection = self.server.connect("migrating")
        connection.autocommit = False
        return connection

    # -- reading

    @contextmanager
    def _connected(self) -> Iterator[SqlReads]:
        self.server.check()
        with self._failures():
            yield self._reading

    def _channel_id(self, channel: str) -> int | None:
        found = self._ids.get(channel)
        if found is None and (found := super()._channel_id(channel)) is not None:
            self._ids[channel] = found
        return found

    def size_bytes(self) -> int:
        """What the database takes on the server's disks."""
        return int(self._value(_SIZE))

    # -- writing

    def generation(self) -> int:
        """Another number after each commit of more than the query log and settings; only this process writes here."""
        return self._generation

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Commit durably on leaving, leave nothing when the block raises."""
        with self._turn:
            connection = self._connected_writer(LOCK_PATIENCE_S)
            transaction, committing = PostgresTransaction(connection, self._limits, self._index), False
            try:
                self._index.read_on(connection)
                connection.execute("BEGIN")
                yield transaction
                committing = True
                self._commit(connection)
            except psycopg.Error as error:
                self._undo(connection)
                raise self.server.failure(error, unsure=committing) from error
            except BaseException:
                self._undo(connection)
                raise
            finally:
                self._generation += transaction.is_more_than_noted

    def _commit(self, connection: PostgresConnection) -> None:
        """Commit; the server answers ROLLBACK, and no error, where a statement before has failed."""
        done = connection.raw.execute("COMMIT").statusmessage
        if done != "COMMIT":
            raise XinqiaoError("DATABASE", detail=f"the server answered {done} to COMMIT")

    def _undo(self, connection: PostgresConnection) -> None:
        with suppress(psycopg.Error):
            if not connection.raw.closed:
                connection.raw.rollback()

    def _connected_writer(self, patience_s: float) -> PostgresConnection:
        """The connection that writes, made anew where it is lost; raises DATABASE_IN_USE and what connect raises."""
        self.server.check()
        if self._writer is None or self._writer.raw.closed:
            self._writer = None
            raw = self.server.connect("writing")
            try:
                with self._failures():
                    self._take_lock(raw, patience_s)
            except BaseException:
                raw.close()
                raise
            self._writer = PostgresConnection(raw)
            self._index.forget()
            self._generation += 1  # nobody knows what became of the last transaction of the one before
        return self._writer

    def _take_lock(self, raw: psycopg.Connection[Any], patience_s: float) -> None:
        raw.execute(f"SET lock_timeout = {max(1, int(patience_s * 1000))}")
        try:
            raw.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        except psycopg.errors.LockNotAvailable as error:
            program, host = raw.execute(_HOLDER, (LOCK >> 32, LOCK & 0xFFFFFFFF)).fetchone() or ("?", "?")
            detail = f"{program} from {host}"
            raise XinqiaoError("DATABASE_IN_USE", database=self.server.address, detail=detail) from error
        raw.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")

    # -- ending

    def close(self) -> None:
        """Release the database."""
        self._reading.close()
        if self._writer is not None:
            self._writer.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn what the driver raises into codes; the caller's own errors pass."""
        try:
            yield
        except Exception as error:
            cause = getattr(error, "orig", None) or error
            if isinstance(cause, psycopg.Error):
                raise self.server.failure(cause) from error
            raise


class _Reading:
    """The SqlReads of a store, over a few sessions; who needs one waits until one is free."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], count: int) -> None:
        self._connect = connect
        self._free = threading.BoundedSemaphore(count)
        self._idle: list[PostgresConnection] = []

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = (), /) -> SqlCursor:
        """Run a statement; where a session was lost while nobody used it, once more on a new one."""
        with self._free:
            connection = self._idle.pop() if self._idle else None
            if connection is not None:
                try:
                    return connection.execute(sql, parameters)
                except psycopg.OperationalError:
                    if not connection.raw.closed:
                        raise
                finally:
                    self._keep(connection)
            connection = PostgresConnection(self._connect())
            try:
                return connection.execute(sql, parameters)
            finally:
                self._keep(connection)

    def _keep(self, connection: PostgresConnection) -> None:
        if not connection.raw.closed:
            self._idle.append(connection)

    def close(self) -> None:
        """Close every connection that nobody uses."""
        while self._idle:
            self._idle.pop().raw.close()
