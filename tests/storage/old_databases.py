"""Databases as an earlier version left them, on either kind: the tables of that revision, with the rows it kept."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import Connection, NullPool, create_engine

from node.core.packing import unpack
from node.storage import migrations
from node.storage.record_blocks import open_blocks_between
from node.storage.sql_reading import MAX_INTEGER
from node.storage.sqlite import SqliteStore
from tests import postgres
from tests.storage.dying import SqlStore


class Kept(Protocol):
    """One database, opened and closed as often as a test likes."""

    def open(self, *, create: bool = False) -> SqlStore:
        """Its store, brought to this version's revision."""
        ...

    def make_old(self, revision: str, script: str = "", **values: object) -> None:
        """Put it back to a revision: its tables, the rows they have room for, then what the script makes of them.

        The script is filled with the values; {ids[NAME]} is the number of a channel.
        """
        ...

    def value(self, statement: str) -> Any:
        """The one value that a statement gives."""
        ...


BLOCKS_SINCE = "0011"
PACKED_SINCE = "0012"
_BODIES = "SELECT channel_id, epoch, entry_index, body FROM bodies"
_UNPACKED = "UPDATE bodies SET body = {0} WHERE channel_id = {0} AND epoch = {0} AND entry_index = {0}"


class InFile:
    """A SQLite file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "node.db"

    def open(self, *, create: bool = False) -> SqlStore:
        """Its store."""
        return SqliteStore.open(self._path, create=create)

    def make_old(self, revision: str, script: str = "", **values: object) -> None:
        """Copy it into one that the migrations up to the revision have made."""
        if revision < BLOCKS_SINCE:
            self._open_blocks()
        if revision < PACKED_SINCE:
            with closing(sqlite3.connect(self._path)) as raw, raw:
                for *entry, body in raw.execute(_BODIES).fetchall():
                    raw.execute(_UNPACKED.format("?"), (bytes(unpack(body)), *entry))
        made = self._path.with_name("old.db")
        with create_engine(f"sqlite:///{made}").begin() as connection:
            upgrade_to(connection, revision)
        with closing(sqlite3.connect(made)) as raw, raw:
            raw.execute("ATTACH ? AS now", [str(self._path)])
            tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT IN ('alembic_version')"
            for (table,) in raw.execute(tables + " AND name NOT LIKE 'sqlite_%'").fetchall():
                columns = ", ".join(row[1] for row in raw.execute(f"PRAGMA main.table_info({table})"))
                raw.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}")
            ids = dict(raw.execute("SELECT name, id FROM main.channels").fetchall())
        with closing(sqlite3.connect(made)) as raw:
            raw.executescript(script.format(ids=ids, **values))
        made.replace(self._path)

    def _open_blocks(self) -> None:
        """Give each record a row of its own."""
        with closing(sqlite3.connect(self._path)) as raw, raw:
            for channel_id, epoch in raw.execute("SELECT channel_id, epoch FROM logs").fetchall():
                open_blocks_between(raw, channel_id, epoch, 0, MAX_INTEGER)

    def value(self, statement: str) -> Any:
        """The one value that a statement gives."""
        with closing(sqlite3.connect(self._path)) as raw:
            return raw.execute(statement).fetchone()[0]


class OnServer:
    """A PostgreSQL database."""

    def __init__(self, _folder: Path) -> None:
        self._address = postgres.new_database()

    def open(self, *, create: bool = False) -> SqlStore:
        """Its store."""
        return postgres.opened(self._address, create=create)

    def make_old(self, revision: str, script: str = "", **values: object) -> None:
        """Take its rows out, make its tables anew up to the revision, and put the rows back."""
        with psycopg.connect(self._address.conninfo()) as raw:
            for *entry, body in raw.execute(_BODIES).fetchall() if revision < PACKED_SINCE else ():
                raw.execute(_UNPACKED.format("%s"), (bytes(unpack(body)), *entry))
            rows = {table: _rows(raw, table) for table in _tables(raw)}
            raw.execute("DROP SCHEMA public CASCADE")
            raw.execute("CREATE SCHEMA public")
        connected = create_engine("postgresql+psycopg://", creator=self._connect, poolclass=NullPool)
        with connected.begin() as connection:
            upgrade_to(connection, revision)
        with psycopg.connect(self._address.conninfo()) as raw:
            raw.execute("SET session_replication_role = replica")  # in any order, whatever refers to what
            for table in _tables(raw):
                _fill(raw, table, rows[table])
            raw.execute("SELECT setval('channels_id_seq', (SELECT MAX(id) FROM channels))")
            ids: dict[str, int] = dict(raw.execute("SELECT name, id FROM channels").fetchall())
            if script:
                raw.execute(script.format(ids=ids, **values))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._address.conninfo())

    def value(self, statement: str) -> Any:
        """The one value that a statement gives."""
        with psycopg.connect(self._address.conninfo()) as raw:
            row = raw.execute(statement).fetchone()
            assert row is not None
            return row[0]


def upgrade_to(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _tables(raw: psycopg.Connection[Any]) -> list[str]:
    found = raw.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    return [name for (name,) in found.fetchall()]


def _rows(raw: psycopg.Connection[Any], table: str) -> list[Mapping[str, Any]]:
    cursor = raw.cursor(row_factory=psycopg.rows.dict_row)
    return list(cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall())


def _fill(raw: psycopg.Connection[Any], table: str, rows: list[Mapping[str, Any]]) -> None:
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
    names = [name for (name,) in raw.execute(columns, [table]).fetchall()]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )
    if rows:
        raw.cursor().executemany(statement, [{name: row[name] for name in names} for row in rows])
