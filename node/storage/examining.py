"""Looking at a database that no node serves, without changing it: not even its schema."""

import sqlite3
from contextlib import closing
from pathlib import Path

from node.core.errors import XinqiaoError
from node.storage import migrations


def examine(path: Path) -> None:
    """See that a database can be read and begins to write; raises NOT_A_MEMBER without one, HOME_NEWER, DATABASE.

    Needs the lock of the home: the last connection to close empties the write-ahead log.
    """
    if not path.is_file():
        raise XinqiaoError("NOT_A_MEMBER", detail="it has not joined a network yet")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except (sqlite3.Error, TypeError) as error:
        raise XinqiaoError("DATABASE", detail=str(error)) from error
    if revision not in migrations.REVISIONS:
        raise XinqiaoError("HOME_NEWER", home=path.parent, revision=revision)
