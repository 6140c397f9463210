"""A PostgreSQL server as the store meets it: where it is, how to get in, whether it is still the same one.

Who connects again may meet another server: a standby that took over, which lacks what had not reached it, or an older
copy. Each connection therefore says which history it writes, and only the one that was met first is gone on with.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import conninfo

from node import files
from node.core.errors import XinqiaoError

OLDEST = 14
MAX_PASSWORD_BYTES = 4096
RETRY_S = (0.1, 5.0)
"""The first and the longest pause between attempts to connect; until it is over, everything fails at once."""

# What can be lost is noticed in seconds: on our side by the system, on the server's by itself.
_NETWORK = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
LOCK_TIMEOUT = "5s"
_SESSION = (
    "SET client_min_messages = error",
    f"SET lock_timeout = '{LOCK_TIMEOUT}'",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET idle_session_timeout = 0",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    # Every statement of ours finds its rows by an index. What the planner knows of a table that grows from nothing to
    # a million rows is old: a plan it keeps must not be one that walks the table.
    "SET enable_seqscan = off",
    "SET jit = off",
)
_IDENTITY = """
    SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
        current_setting('server_version_num')::int, current_setting('server_encoding'),
        current_setting('synchronous_commit'), pg_backend_pid(),
        (SELECT system_identifier FROM pg_control_system()),
        CASE WHEN pg_is_in_recovery() THEN '0/0'::pg_lsn ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn,
        CASE WHEN pg_is_in_recovery() THEN '0' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END
"""
_LOST = ("57P01", "57P02", "57P03", "57P05", "53300", "08")
_ACCESS = ("28", "3D000", "3F000", "42501")
_BUSY = ("40001", "40P01", "55P03")
_DISK_FULL = "53100"
_READ_ONLY = "25006"
# Before a session exists the driver has no codes, only words, in the language of the server.
_REFUSED = re.compile(
    r"authentication|password|pg_hba|does not exist|permission denied|not permitted|certificate|SSL|认证|不存在|权限",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"starting up|shutting down|not yet accepting|recovery mode|too many|remaining connection|启动|关闭", re.IGNORECASE
)


class History(NamedTuple):
    """Which history of which cluster a server writes, and how far it has come."""

    system: int
    timeline: str
    position: int


@dataclass(frozen=True)
class Address:
    """Where a database is; the password is read when it is needed, and kept nowhere."""

    url: str
    password_file: Path | None = None

    def __str__(self) -> str:
        """The address for people: without user, password and options."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"postgresql://{host}{unquote(parts.path)}"

    __repr__ = __str__

    def conninfo(self) -> str:
        """What the driver is told; raises DATABASE_ACCESS, KEY_FILE."""
        try:
            given: dict[str, Any] = conninfo.conninfo_to_dict(self.url)
        except psycopg.Error as error:
            raise XinqiaoError("DATABASE_ACCESS", database=self, detail="the address cannot be read") from error
        if self.password_file is not None:
            content = files.read_private(self.password_file, MAX_PASSWORD_BYTES)
            given["password"] = content.decode().removesuffix("\n").removesuffix("\r")
        return conninfo.make_conninfo(**{**_NETWORK, **given, "client_encoding": "UTF8"})


@dataclass
class Server:
    """The way to one database, for all connections of a store."""

    address: Address
    clock_s: Callable[[], float]
    history: History | None = None
    changed: XinqiaoError | None = None
    _pause_s: float = 0.0
    _closed_until_s: float = 0.0
    _why: str = ""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """A session in which each statement is a transaction of its own, with the database that was met first.

        Raises DATABASE_LOST, DATABASE_ACCESS, DATABASE_UNFIT, DATABASE_CHANGED.
        """
        with self._turn:
            self.check()
            if self.clock_s() < self._closed_until_s:
                raise XinqiaoError("DATABASE_LOST", database=self.address, detail=self._why)
            try:
                connection = self._connect(name)
            except XinqiaoError as error:
                self._close_for_a_while(error)
                raise
            self._pause_s = 0.0
            return connection

    def check(self) -> None:
        """Raise DATABASE_CHANGED once another history was met: sessions with the first one say nothing new."""
        if self.changed is not None:
            raise self.changed

    def _close_for_a_while(self, error: XinqiaoError) -> None:
        first, longest = RETRY_S
        self._pause_s = min(max(2 * self._pause_s, first), longest)
        self._closed_until_s = self.clock_s() + self._pause_s
        self._why = str(error.parameters.get("detail", ""))

    def _connect(self, name: str) -> psycopg.Connection[Any]:
        try:
            connection = psycopg.connect(self.address.conninfo(), autocommit=True, application_name=f"xinqiao {name}")
        except psycopg.Error as error:
            raise self.unconnected(error) from error
        try:
            self._greet(connection)
        except psycopg.Error as error:
            connection.close()
            raise self.failure(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _greet(self, connection: psycopg.Connection[Any]) -> None:
        row = connection.execute(_IDENTITY).fetchone()
        assert row is not None
        read_only, version, encoding, durability, pid, *history = row
        for is_unfit, detail in (
            (version < OLDEST * 10_000, f"PostgreSQL {version // 10_000} is older than {OLDEST}"),
            (encoding != "UTF8", f"its encoding is {encoding}, not UTF8"),
            (pid != connection.info.backend_pid, "a pooler stands in between, with which a session is nobody's own"),
            (read_only, "it is read-only, as a standby is"),
        ):
            if is_unfit:
                raise XinqiaoError("DATABASE_UNFIT", database=self.address, detail=detail)
        self._recognise(History(int(history[0]), history[2], int(history[1])))
        durable = () if durability in ("on", "remote_apply") else ("SET synchronous_commit = on",)
        connection.execute("; ".join((*_SESSION, *durable)))

    def _recognise(self, found: History) -> None:
        """See that this is the history that was met first; raises DATABASE_CHANGED."""
        known = self.history
        if known is not None and (found[:2] != known[:2] or found.position < known.position):
            detail = f"another cluster, timeline {found.timeline} after {known.timeline}"
            if found.system == known.system:
                detail = f"the same cluster, timeline {found.timeline} after {known.timeline}"
            self.changed = XinqiaoError("DATABASE_CHANGED", database=self.address, detail=detail)
            raise self.changed
        self.history = found

    # -- what went wrong

    def unconnected(self, error: psycopg.Error) -> XinqiaoError:
        """What it means that no session came about."""
        detail = " ".join(str(error).split())
        code = "DATABASE_ACCESS" if _REFUSED.search(detail) and not _NOT_YET.search(detail) else "DATABASE_LOST"
        return XinqiaoError(code, database=self.address, detail=detail)

    def failure(self, error: psycopg.Error, *, unsure: bool = False) -> XinqiaoError:
        """What an exception of a session means; unsure where the commit was on its way when it was lost.

        Only the first line of what the server says is told: what follows may quote rows.
        """
        state, said = error.sqlstate or "", error.diag.message_primary or _first_line(error)
        if state == _DISK_FULL:
            return XinqiaoError("DISK_FULL", home=self.address)
        if state.startswith(_LOST) or (not state and isinstance(error, psycopg.OperationalError)):
            code = "DATABASE_UNSURE" if unsure else "DATABASE_LOST"
        elif state.startswith(_ACCESS):
            code = "DATABASE_ACCESS"
        elif state in _BUSY:
            code = "DATABASE_BUSY"
        elif state == _READ_ONLY:
            code = "DATABASE_UNFIT"
        else:
            return XinqiaoError("DATABASE", detail=said)
        return XinqiaoError(code, database=self.address, detail=said)


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
