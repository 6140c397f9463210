"""Where the database of a home is: in a file of the home, or on a PostgreSQL server that the settings name.

A home with a database elsewhere is bound to it: HOME/database-id holds the identity that the database was made with.
So a wrong name in the settings is no restored database and no empty one, but a mistake that is told.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from node import files
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.ports import Store
from node.storage import examining, migrations
from node.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from node.storage.postgres import PostgresStore

FILE, ID_FILE = "xinqiao.db", "database-id"
_MAX_ID_BYTES = 100


class Database(Protocol):
    """The database of one home."""

    @property
    def name(self) -> str:
        """What people are told of where it is."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether it lies on the disk of the home."""
        ...

    def open(self, limits: Limits = DEFAULT_LIMITS) -> Store:
        """The store; made where there is none. Raises HOME_NEWER, DISK_FULL, DATABASE and DATABASE_*."""
        ...

    def examine(self) -> None:
        """See that it can be read and begins to write, and change nothing; needs the lock of the home.

        Raises NOT_A_MEMBER without one, HOME_NEWER, DATABASE and DATABASE_*.
        """
        ...

    def registry_files(self) -> dict[str, bytes]:
        """The verified registry files by their names; raises what examine raises."""
        ...

    def size_bytes(self) -> int:
        """What it takes; raises FILE_ACCESS, DATABASE_*."""
        ...

    @property
    def fault(self) -> XinqiaoError | None:
        """Why the store that was opened is not to be used any more, None while it is."""
        ...


def database_of(home: Path, url: str, password_file: Path | None, clock_s: Callable[[], float]) -> Database:
    """The database that the settings of a home name; clock_s tells seconds that never go back."""
    return ServerDatabase(home, url, password_file, clock_s) if url else FileDatabase(home)


class FileDatabase:
    """A SQLite file in the home."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._id_file = home / ID_FILE

    @property
    def name(self) -> str:
        """The home."""
        return str(self._path.parent)

    @property
    def is_here(self) -> bool:
        """It is part of the home."""
        return True

    def open(self, limits: Limits = DEFAULT_LIMITS) -> Store:
        """The store; raises DATABASE_OTHER where the home keeps its data on a server."""
        if self._id_file.exists() and not self._path.exists():
            detail = "this home keeps its data on a PostgreSQL server, and the settings name none"
            raise XinqiaoError("DATABASE_OTHER", database=self._path, detail=detail, file=self._id_file)
        return SqliteStore.open(self._path, create=True, limits=limits)

    @property
    def fault(self) -> None:
        """A file that is open stays what it was."""
        return None

    def examine(self) -> None:
        """See that it is sound."""
        examining.examine(self._path)

    def registry_files(self) -> dict[str, bytes]:
        """The verified registry files."""
        return examining.registry_files(self._path)

    def size_bytes(self) -> int:
        """The file, and what SQLite keeps beside it."""
        try:
            return sum(path.stat().st_size for path in self._path.parent.glob(f"{FILE}*"))
        except OSError as error:
            raise XinqiaoError("FILE_ACCESS", file=self._path, detail=error.strerror or error) from error


class ServerDatabase:
    """A database on a PostgreSQL server."""

    def __init__(self, home: Path, url: str, password_file: Path | None, clock_s: Callable[[], float]) -> None:
        # The driver costs 50 ms, which every command of a home without a server would pay.
        from node.storage.postgres_server import Address

        self._home = home
        self._id_file = home / ID_FILE
        self._clock_s = clock_s
        self.address = Address(url, password_file)
        self._opened: PostgresStore | None = None

    @property
    def name(self) -> str:
        """Its address, without user and password."""
        return str(self.address)

    @property
    def is_here(self) -> bool:
        """What is free there nobody knows here."""
        return False

    def open(self, limits: Limits = DEFAULT_LIMITS) -> Store:
        """The store; binds a home that had no database yet."""
        from node.storage.postgres import PostgresStore

        self._opened = PostgresStore.open(
            self.address,
            create=True,
            clock_s=self._clock_s,
            limits=limits,
            incarnation=self._bound(),
            bound_in=self._id_file,
        )
        return self._opened

    @property
    def fault(self) -> XinqiaoError | None:
        """That another history was met than the one it was opened with."""
        return self._opened.server.changed if self._opened is not None else None

    def _bound(self) -> str:
        """The identity of this home's database. It is durable before the database is made with it."""
        try:
            found = self._id_file.read_text("ascii").strip()
        except FileNotFoundError:
            return self._bind()
        except (OSError, UnicodeError) as error:
            raise XinqiaoError("FILE_ACCESS", file=self._id_file, detail=str(error)) from error
        if not re.fullmatch("[0-9a-f]{32}", found):
            raise XinqiaoError("FILE_ACCESS", file=self._id_file, detail="it holds no identity of 32 hex digits")
        return found

    def _bind(self) -> str:
        kept = self._home / FILE
        if kept.exists():
            detail = f"this home keeps its data in {kept}; move that aside first if it is to begin anew"
            raise XinqiaoError("DATABASE_OTHER", database=self.address, detail=detail, file=self._id_file)
        made = secrets.token_hex(16)
        files.replace(self._id_file, f"{made}\n".encode())
        return made

    def examine(self) -> None:
        """See that it is the right one, that nobody else writes in it, and that it begins to write."""
        with self._examined() as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if revision not in migrations.REVISIONS:
                raise XinqiaoError("HOME_NEWER", home=self.address, revision=revision)
            (held,) = connection.execute("SELECT incarnation FROM database FOR UPDATE").fetchone()
            if held != self._bound():
                detail = f"its identity is {held}, that of this home {self._bound()}"
                raise XinqiaoError("DATABASE_OTHER", database=self.address, detail=detail, file=self._id_file)

    def registry_files(self) -> dict[str, bytes]:
        """The verified registry files."""
        with self._examined() as connection:
            return dict(connection.execute("SELECT name, content FROM registry_files").fetchall())

    def size_bytes(self) -> int:
        """What it takes on the server's disks."""
        with self._connected() as connection:
            (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(size)

    @contextmanager
    def _examined(self) -> Iterator[Any]:
        """A session with the database of a home that has one, undone at its end."""
        with self._connected() as connection:
            if not self._id_file.exists() or connection.execute("SELECT to_regclass('database')").fetchone() == (None,):
                raise XinqiaoError("NOT_A_MEMBER", detail="it has not joined a network yet")
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import psycopg

        from node.storage.postgres_server import Server

        server = Server(self.address, self._clock_s)
        with server.connect("examining") as connection:
            try:
                yield connection
            except psycopg.Error as error:
                raise server.failure(error) from error
