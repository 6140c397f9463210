"""Looking at a database that no node serves, without changing it: not even its schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from node.core.errors import XinqiaoError
from node.storage import migrations

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def examine(path: Path) -> None:
    """See that a database can be read and begins to write.

    Needs the lock of the home: the last connection to close empties the write-ahead log.
    Raises NOT_A_MEMBER without one, HOME_NEWER, DATABASE_DAMAGED, DATABASE.
    """
    with _opened(path) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    if revision not in migrations.REVISIONS:
        raise XinqiaoError("HOME_NEWER", home=path.parent, revision=revision)


def registry_files(path: Path) -> dict[str, bytes]:
    """The verified registry files of a database by their names; raises what examine raises."""
    with _opened(path) as connection:
        return dict(connection.execute("SELECT name, content FROM registry_files").fetchall())


def failure(path: Path, cause: object) -> XinqiaoError:
    """What an exception of SQLite means: a file that is no sound database is another matter than a fault."""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary code; the rest says where it happened
    if code in _DAMAGED:
        return XinqiaoError("DATABASE_DAMAGED", file=path, detail=str(cause))
    return XinqiaoError("DATABASE", detail=str(cause))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise XinqiaoError("NOT_A_MEMBER", detail="it has not joined a network yet")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            yield connection
    except (sqlite3.Error, TypeError) as error:
        raise failure(path, error) from error
