"""What only the SQLite store can show: its file, its schema, full disks, sudden deaths, and what erasing leaves."""

import os
import re
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import zstandard
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from node.core.entry import VerifiedEntry, opened_body
from node.core.errors import XinqiaoError
from node.core.packing import PackedBytes, unpack_received
from node.storage import migrations, record_blocks, record_index, sql_reading, sql_writing, sqlite
from node.storage.sqlite import SqliteStore
from tests.builders import NOW_MS, ChannelWriter, SigningNode, erasure_of, key_of, make_receipt, put_in_force
from tests.storage.dying import CHANNEL, keep_and_apply


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.open(path, create=True) as opened:
        yield opened


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[XinqiaoError]]:
    with pytest.raises(XinqiaoError) as caught:
        yield caught
    assert caught.value.code == code


class TestManyRows:
    """Rows that are inserted together are those that would have been inserted one by one."""

    @pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 201])
    def test_all_rows_are_there_in_order_and_are_counted(self, path: Path, count: int) -> None:
        with closing(sqlite3.connect(path, factory=sqlite.Connection)) as connection:
            connection.execute("CREATE TABLE rows (a INTEGER PRIMARY KEY, b BLOB)")
            rows = [(at, bytes([at])) for at in range(count)]
            assert connection.executemany("INSERT INTO rows (a, b) VALUES (?, ?)", rows).rowcount == count
            assert connection.execute("SELECT a, b FROM rows").fetchall() == rows

    def test_a_conflict_is_settled_for_each_row(self, path: Path) -> None:
        with closing(sqlite3.connect(path, factory=sqlite.Connection)) as connection:
            connection.execute("CREATE TABLE rows (a INTEGER PRIMARY KEY, b INTEGER)")
            put = "INSERT INTO rows (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = rows.b + excluded.b"
            connection.executemany(put, [(at % 50, 1) for at in range(150)])
            assert connection.execute("SELECT DISTINCT b, COUNT(*) FROM rows").fetchall() == [(3, 50)]
            ignored = connection.executemany(
                "INSERT INTO rows (a, b) VALUES (?, ?) ON CONFLICT DO NOTHING", [(1, 1)] * 9
            )
            assert ignored.rowcount == 0

    def test_other_statements_run_for_each_row(self, path: Path) -> None:
        with closing(sqlite3.connect(path, factory=sqlite.Connection)) as connection:
            connection.execute("CREATE TABLE rows (a INTEGER PRIMARY KEY, b INTEGER)")
            connection.executemany("INSERT INTO rows (a, b) VALUES (?, ?)", [(at, 0) for at in range(20)])
            changed = connection.executemany("UPDATE rows SET b = 1 WHERE a = ?", [(at,) for at in range(5, 25)])
            assert changed.rowcount == 15


class TestOpening:
    def test_a_reopened_file_holds_everything(self, path: Path, writer: ChannelWriter, pudong: SigningNode) -> None:
        with SqliteStore.open(path, create=True, incarnation="first") as store:
            keep_and_apply(store, writer.manifest(), writer.records([b"one", b"two"]))
            with store.transaction() as tx:
                tx.put_receipt(make_receipt(pudong, writer.log))
                tx.set_setting("name", "value")
            before = (store.channels(), list(store.records()), store.receipts(CHANNEL), store.outcomes(CHANNEL, 0))
        assert not path.with_name("node.db-wal").exists()
        with SqliteStore.open(path, create=False, incarnation="second") as store:
            after = (store.channels(), list(store.records()), store.receipts(CHANNEL), store.outcomes(CHANNEL, 0))
            assert after == before
            assert (store.incarnation(), store.setting("name")) == ("first", "value")
            keep_and_apply(store, writer.records([b"three"]))

    def test_new_databases_differ_in_their_incarnation(self, tmp_path: Path) -> None:
        names = [SqliteStore.open(tmp_path / name, create=True).incarnation() for name in ("a.db", "b.db")]
        assert names[0] != names[1]

    @pytest.mark.parametrize("content", [None, b""])
    def test_a_missing_database_is_not_made_unasked(self, path: Path, content: bytes | None) -> None:
        if content is not None:
            path.write_bytes(content)
        with refused("HOME_MISSING"):
            SqliteStore.open(path, create=False)
        assert path.exists() == (content is not None)

    def test_a_database_of_a_newer_version_is_left_alone(self, path: Path) -> None:
        SqliteStore.open(path, create=True).close()
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("UPDATE alembic_version SET version_num = '9999'")
        before = path.read_bytes()
        with refused("HOME_NEWER") as caught:
            SqliteStore.open(path, create=False)
        assert caught.value.parameters == {"home": str(path.parent), "revision": "9999"}
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_refused_and_kept(self, path: Path) -> None:
        path.write_bytes(b"a letter to the administrator\n" * 100)
        with refused("DATABASE_DAMAGED"):
            SqliteStore.open(path, create=False)
        assert path.read_bytes().startswith(b"a letter")

    def test_every_connection_is_durable_and_leaves_no_traces(self, store: SqliteStore) -> None:
        expected = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}
        with store._writing.connect() as writing, store._reading.connect() as one, store._reading.connect() as two:
            for connection in (writing, one, two):
                found = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in expected}
                assert found == expected


class TestSchema:
    def test_the_migrations_lead_to_the_tables_of_the_models(self, store: SqliteStore, tmp_path: Path) -> None:
        with store._reading.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": is_embedded})
            assert compare_metadata(context, SQLModel.metadata) == []
        made = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
        SQLModel.metadata.create_all(made)
        migrated_schema = schema_of(tmp_path / "node.db")
        assert migrated_schema.pop("alembic_version")
        assert migrated_schema == schema_of(tmp_path / "made.db")

    def test_every_revision_is_known_by_name(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        scripts = list(ScriptDirectory.from_config(config).walk_revisions())
        assert tuple(script.revision for script in reversed(scripts)) == migrations.REVISIONS

    @pytest.mark.parametrize(
        "statement",
        [
            record_blocks.UNDER_TERMS.format("1, 2"),
            record_blocks._BETWEEN,
            record_blocks._OF_BLOCK,
            record_blocks._FROM,
            record_blocks.KEYS_IN,
            record_blocks.RECORD_AT,
            record_blocks.PAGE_OF_PLACES,
            record_index._OF_TERM,
            record_index._TERMS_FROM,
            record_index._FORGET,
            record_index._UNMERGED,
            sql_reading._ACTS_ON,
            sql_reading._BEHIND_WITHIN,
            sql_writing._BETWEEN,
        ],
    )
    def test_no_statement_walks_the_records_of_a_channel(self, path: Path, statement: str) -> None:
        SqliteStore.open(path, create=True).close()
        with closing(sqlite3.connect(path)) as raw:
            names = ("id", "epoch", "index", "position", "limit", "start", "end", "high", "number", "place", "correct")
            marks = len(set(re.findall(r"\?\d+", statement))) or statement.count("?")
            values = [1] * marks or dict.fromkeys(names, 1)
            plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        walks = [step for step in plan if "PRIMARY KEY (channel_id=?)" in step or step.startswith("SCAN")]
        assert plan
        assert walks == []


def is_embedded(item: Any, _name: str | None, kind: str, *_: object) -> bool:
    """Whether the embedded database has it: a server has indexes where this one has terms."""
    return kind != "index" or getattr(item, "_ddl_if", None) is None


def schema_of(path: Path) -> dict[str, list[str]]:
    """The lines that make each table and index, in any order."""
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        return {name: sorted(line.strip(" \t,") for line in sql.splitlines()) for name, sql in rows}


class TestLongLogs:
    def test_a_log_of_20000_entries_is_read_in_little_memory(self, path: Path, writer: ChannelWriter) -> None:
        with SqliteStore.open(path, create=True) as store:
            keep_and_apply(store, writer.records([bytes(3000)]))
            multiply_entries(store, 20_000)
        for read in (
            lambda store: store.entries(CHANNEL, 0, 0),
            lambda store: store.entries(CHANNEL, 0, 0, with_bodies=False),
            lambda store: store.records(),
        ):
            assert counted_within(path, read, megabytes=20) == 20_000  # they hold 60

    def test_large_bodies_are_read_a_few_at_a_time(self, path: Path, writer: ChannelWriter) -> None:
        with SqliteStore.open(path, create=True) as store:
            keep_and_apply(store, writer.records([bytes(60_000)] * 16))
            multiply_entries(store, 60, tables=("entries", "bodies"))
        assert counted_within(path, lambda store: store.entries(CHANNEL, 0, 0), megabytes=30) == 60  # they hold 57

    def test_an_iteration_left_half_way_holds_nothing_back(self, store: SqliteStore, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.records([b"secret", b"other"]))
        started = [next(store.entries(CHANNEL, 0, 0)), next(store.records()), next(iter(store.channels()))]
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(writer.entries[0], 0)])
        assert not store._traces
        assert len(started) == 3


def multiply_entries(
    store: SqliteStore, count: int, tables: Sequence[str] = ("entries", "bodies", "record_blocks")
) -> None:
    """Copy entry 0 of the one log until there are that many; signing them all would take most of the time."""
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
    for table, columns, values in (
        ("entries", *["complete, record_count, issued_at_ms, received_at_ms, envelope"] * 2),
        ("bodies", *["body"] * 2),
        (
            "record_blocks",
            "number, count, natural_keys, content_hashes, subjects",
            "number, count, randomblob(32), content_hashes, subjects",
        ),
    ):
        copy = (
            f"INSERT INTO {table} (channel_id, epoch, entry_index, {columns})"
            f" {numbers} SELECT channel_id, epoch, n.i, {values} FROM {table}, n WHERE entry_index = 0"
        )
        if table in tables:
            with store._writing.begin() as connection:
                connection.execute(text(copy))


def counted_within(path: Path, read: Callable[[SqliteStore], Iterator[object]], megabytes: int) -> int:
    """Count rows in a process of its own, and check that it never took more memory than this on the way."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store = SqliteStore.open(path, create=False)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            count = sum(1 for _ in read(store))
            taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            os.write(writing, f"{count} {taken}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        count, taken = map(int, pipe.read().split())
    assert taken * 1024 < megabytes * 1_000_000
    return count


class TestPacking:
    def test_a_body_is_kept_in_the_frame_it_came_in(
        self, store: SqliteStore, path: Path, writer: ChannelWriter
    ) -> None:
        entry = writer.records([b"record" * 100] * 9)
        assert entry.body is not None
        sent = zstandard.ZstdCompressor(level=9).compress(entry.body.serialized)
        body = unpack_received(sent, len(entry.body.serialized), 1 << 20)
        came = replace(entry, body=opened_body(body, entry.body.commitments, entry.body.bare))
        keep_and_apply(store, came)
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("SELECT body FROM bodies").fetchall() == [(sent,)]
        (held,) = store.entries(CHANNEL, 0, 0)
        assert held.body == entry.body.serialized
        assert isinstance(held.body, PackedBytes)
        assert held.body.packed == sent

    def test_a_body_that_somebody_changed_is_told(self, store: SqliteStore, path: Path, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.records([b"record" * 100] * 9))
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("UPDATE bodies SET body = substr(body, 1, length(body) - 1)")
        with refused("DATABASE") as error:
            list(store.entries(CHANNEL, 0, 0))
        assert "cannot be unpacked" in str(error.value)


class TestTraces:
    SECRET = "张三丰".encode() * 20
    SUBJECT = "91310000MA1KABCDE9"

    def written(self, path: Path) -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    @pytest.mark.parametrize("way", ["erasure", "bar", "leaving"])
    def test_erased_text_is_nowhere_in_the_files(
        self, store: SqliteStore, path: Path, writer: ChannelWriter, way: str
    ) -> None:
        entry = writer.records([b"stays" * 50, self.SECRET])
        with store.transaction() as tx:
            tx.append(entry, NOW_MS, True)
            if way != "bar":
                tx.apply(put_in_force(entry, {1: "a"}, subject=self.SUBJECT))
        assert self.SECRET in self.written(path)
        assert way == "bar" or self.SUBJECT.encode() in self.written(path)
        self.take_out(store, entry, way)
        for gone in (self.SECRET, self.SUBJECT.encode(), key_of("a")):
            assert gone not in self.written(path)
        assert (b"stays" in self.written(path)) is (way != "leaving")

    @pytest.mark.parametrize("way", ["erasure", "bar", "leaving"])
    def test_nothing_of_the_frame_that_held_erased_text_is_in_the_files(
        self, store: SqliteStore, path: Path, writer: ChannelWriter, way: str
    ) -> None:
        noise = Random(way)
        entry = writer.records([noise.randbytes(9000).hex().encode() for _ in range(3)])
        with store.transaction() as tx:
            tx.append(entry, NOW_MS, True)
        before = self.frames(path)
        pieces = [before[at : at + 40] for at in range(0, len(before), 40)]
        assert sum(piece in self.written(path) for piece in pieces) > 0.9 * len(pieces)  # some lie across two pages
        self.take_out(store, entry, way)
        after = self.frames(path)
        gone = [piece for piece in pieces if piece not in after]
        assert len(gone) > 0.3 * len(pieces)
        assert not any(piece in self.written(path) for piece in gone)

    def take_out(self, store: SqliteStore, entry: VerifiedEntry, way: str) -> None:
        """Take the second record of an entry out of what is held, or all of them."""
        with store.transaction() as tx:
            if way == "erasure":
                tx.put_erasures(CHANNEL, [erasure_of(entry, 1)])
            elif way == "bar":
                tx.apply(put_in_force(entry, {}, barred=[1]))
            else:
                tx.erase_bodies(CHANNEL, 0)

    def frames(self, path: Path) -> bytes:
        """All bodies as they are kept, each of them packed."""
        with closing(sqlite3.connect(path)) as raw:
            kept: list[bytes] = [body for (body,) in raw.execute("SELECT body FROM bodies")]
        assert all(body.startswith(zstandard.FRAME_HEADER) for body in kept)
        return b"".join(kept)

    def test_traces_a_reader_holds_on_to_go_after_the_next_transaction(
        self, store: SqliteStore, path: Path, writer: ChannelWriter
    ) -> None:
        entry = writer.records([self.SECRET])
        keep_and_apply(store, entry)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT COUNT(*) FROM bodies").fetchone() == (1,)
            started = time.monotonic()
            with store.transaction() as tx:
                tx.put_erasures(CHANNEL, [erasure_of(entry, 0)])
            assert time.monotonic() - started < 5  # a reader delays the clearing, never the writer
            assert self.SECRET in self.written(path)
        with store.transaction() as tx:
            tx.set_setting("next", "transaction")
        assert self.SECRET not in self.written(path)


class TestFailures:
    def test_a_full_disk_is_named_and_nothing_is_half_written(self, store: SqliteStore, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.manifest())
        before, large = store.channel(CHANNEL), writer.records([os.urandom(60_000) for _ in range(20)])
        set_page_limit(store, 40)
        with refused("DISK_FULL") as caught, store.transaction() as tx:
            tx.set_setting("name", "value")
            tx.append(large, NOW_MS, True)
        assert caught.value.parameters == {"home": str(store._home)}
        assert (store.channel(CHANNEL), store.entry(CHANNEL, 0, 1), store.setting("name")) == (before, None, None)
        set_page_limit(store, 100_000)  # space was made
        keep_and_apply(store, large)
        assert store.record_count() == 20

    def test_a_really_full_disk_is_named_too(self, tmp_path: Path, writer: ChannelWriter) -> None:
        with small_disk(tmp_path / "disk") as disk:
            store = SqliteStore.open(disk / "node.db", create=True)
            kept = 0
            with refused("DISK_FULL"):
                for at in range(100):
                    keep_and_apply(store, writer.records([os.urandom(60_000)]))
                    kept = at + 1
            held = store.channel(CHANNEL)
            assert held is not None
            assert (held.log.size, held.applied_size, sum(1 for _ in store.records())) == (kept, kept, kept)
            store.close()

    def test_a_damaged_table_is_reported_as_a_failure_of_this_machine(
        self, store: SqliteStore, writer: ChannelWriter
    ) -> None:
        keep_and_apply(store, writer.manifest())
        with store._writing.begin() as connection:
            connection.execute(text("DROP TABLE hashes"))
        with refused("DATABASE") as caught, store.transaction() as tx:
            tx.append(writer.records([b"one"]), NOW_MS, True)
        assert "hashes" in caught.value.parameters["detail"]
        assert store.log(CHANNEL, 0).size == 1


def set_page_limit(store: SqliteStore, pages: int) -> None:
    with store._written() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 2 MB, where this process may mount one."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this process may not mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_only_its_owner_can_read_the_database(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "xinqiao.db", create=True)
    with store.transaction() as tx:
        tx.set_setting("name", "value")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    store.close()
