"""What only the PostgreSQL store can show: its server and what stands in between, its losses, how it takes values."""

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from node.core.entry import VerifiedEntry
from node.core.errors import XinqiaoError
from node.ports import StoreTransaction
from node.storage import migrations, postgres_server, record_blocks, server_index, sql_lists, sql_reading, sql_writing
from node.storage.postgres import PostgresStore
from node.storage.postgres_dialect import COPY_FROM_ROWS, translated
from node.storage.postgres_server import Address
from node.storage.writer import TRIES, perform
from tests import postgres
from tests.builders import NOW_MS, ChannelWriter, SigningNode
from tests.postgres import Cluster
from tests.storage.dying import CHANNEL, check_prefix, keep_and_apply


@pytest.fixture
def store() -> Iterator[PostgresStore]:
    with postgres.new_store() as opened:
        yield opened


@pytest.fixture(scope="module")
def harmed() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.remove()


@pytest.fixture
def cluster(harmed: Cluster) -> Cluster:
    """A server that a test may harm."""
    harmed.start()
    return harmed


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[XinqiaoError]]:
    with pytest.raises(XinqiaoError) as caught:
        yield caught
    assert caught.value.code == code, caught.value


def raw(store: PostgresStore, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(store.server.address.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class TestOpening:
    def test_a_reopened_database_holds_everything(self, writer: ChannelWriter) -> None:
        address = postgres.new_database()
        with postgres.opened(address, create=True, incarnation="first") as store:
            keep_and_apply(store, writer.manifest(), writer.records([b"one", b"two"]))
            before = (store.channels(), list(store.records()), store.outcomes(CHANNEL, 0))
        with postgres.opened(address, incarnation="first") as store:
            assert (store.channels(), list(store.records()), store.outcomes(CHANNEL, 0)) == before
            assert store.incarnation() == "first"
            keep_and_apply(store, writer.records([b"three"]))

    def test_an_empty_database_is_not_filled_unasked(self) -> None:
        address = postgres.new_database()
        with refused("HOME_MISSING"):
            postgres.opened(address)
        with postgres.opened(address, create=True) as store:
            assert store.channels() == []

    def test_a_database_of_something_else_is_left_alone(self) -> None:
        address = postgres.new_database()
        with psycopg.connect(address.conninfo(), autocommit=True) as connection:
            connection.execute("CREATE TABLE invoices (id int)")
        with refused("DATABASE_OTHER") as caught:
            postgres.opened(address, create=True)
        assert "invoices" in caught.value.text

    def test_the_database_of_another_home_is_left_alone(self, store: PostgresStore, tmp_path: Path) -> None:
        held, address = store.incarnation(), store.server.address
        raw(store, "UPDATE alembic_version SET version_num = '0007'")
        store.close()
        with refused("DATABASE_OTHER") as caught:
            postgres.opened(address, incarnation="another", bound_in=tmp_path / "database-id")
        assert held in caught.value.text
        assert str(tmp_path / "database-id") in caught.value.next
        assert raw(store, "SELECT version_num FROM alembic_version") == [("0007",)]
        raw(store, f"UPDATE alembic_version SET version_num = '{migrations.REVISIONS[-1]}'")

    def test_a_database_of_a_newer_version_is_left_alone(self, store: PostgresStore) -> None:
        raw(store, "UPDATE alembic_version SET version_num = '9999'")
        store.close()
        with refused("HOME_NEWER") as caught:
            postgres.opened(store.server.address)
        assert caught.value.parameters["revision"] == "9999"
        raw(store, f"UPDATE alembic_version SET version_num = '{migrations.REVISIONS[-1]}'")

    def test_a_second_node_is_refused_and_told_who_works_there(self, store: PostgresStore) -> None:
        with refused("DATABASE_IN_USE") as caught:
            postgres.opened(store.server.address, lock_patience_s=0.05)
        assert "xinqiao writing" in caught.value.parameters["detail"]
        store.close()
        postgres.opened(store.server.address).close()

    def test_a_server_that_is_down_is_named_at_once(self, tmp_path: Path) -> None:
        with refused("DATABASE_LOST") as caught:
            postgres.opened(Address(f"postgresql://nobody@/node?host={tmp_path}"), create=True)
        assert "postgresql:///node" in caught.value.text

    def test_a_database_that_is_not_there_is_named(self, store: PostgresStore) -> None:
        url = store.server.address.url.replace("/xinqiao_", "/missing_")
        with refused("DATABASE_ACCESS") as caught:
            postgres.opened(Address(url), create=True)
        assert "missing_" in caught.value.text

    def test_a_standby_or_read_only_database_is_refused(self, store: PostgresStore) -> None:
        address = replace(
            store.server.address, url=store.server.address.url + "&options=-cdefault_transaction_read_only%3Don"
        )
        store.close()
        with refused("DATABASE_UNFIT") as caught:
            postgres.opened(address)
        assert "read-only" in caught.value.text

    def test_an_interrupted_migration_leaves_what_was_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        address, upgrade = postgres.new_database(), migrations.upgrade

        def interrupted(connection: object) -> None:
            upgrade(connection)  # type: ignore[arg-type]
            raise KeyboardInterrupt

        with monkeypatch.context() as context:
            context.setattr(migrations, "upgrade", interrupted)
            with pytest.raises(KeyboardInterrupt):
                postgres.opened(address, create=True)
        with psycopg.connect(address.conninfo()) as connection:
            assert connection.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'").fetchall() == []
        with postgres.opened(address, create=True) as store:
            assert store.channels() == []


class TestPasswords:
    @pytest.fixture(scope="class")
    @classmethod
    def guarded(cls) -> Iterator[Cluster]:
        """A server that asks for passwords."""
        made = Cluster()
        yield made
        made.remove()

    @pytest.fixture
    def address(self, guarded: Cluster, tmp_path: Path) -> Address:
        return Address(guarded.guarded_database("correct horse"), tmp_path / "password")

    def written(self, address: Address, password: str) -> None:
        assert address.password_file is not None
        address.password_file.write_text(password + "\n")
        address.password_file.chmod(0o600)

    def test_it_is_read_from_its_file_and_named_nowhere(
        self, address: Address, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.written(address, "correct horse")
        with postgres.opened(address, create=True) as store:
            assert "horse" not in repr(store.server) + str(address) + repr(address)
        self.written(address, "wrong horse")
        with refused("DATABASE_ACCESS") as caught:
            postgres.opened(address)
        error = caught.value
        told = [error.text, error.who, error.next, json.dumps(error.parameters), str(error.__cause__), caplog.text]
        assert "horse" not in "".join(told)
        assert error.who == "the administrator of the database server"

    def test_a_file_that_others_can_read_is_refused(self, address: Address) -> None:
        self.written(address, "correct horse")
        assert address.password_file is not None
        address.password_file.chmod(0o644)
        with refused("KEY_FILE"):
            postgres.opened(address)


class TestSchema:
    def test_the_migrations_lead_to_the_tables_of_the_models(self, store: PostgresStore) -> None:
        with store._migrating() as connection:
            assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []

    def test_what_is_large_is_stored_as_it_was_signed(self, store: PostgresStore) -> None:
        columns = "SELECT DISTINCT attstorage FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid"
        bodies = raw(store, columns + " WHERE relkind = 'r' AND atttypid = 'bytea'::regtype AND relname = 'bodies'")
        assert bodies == [("e",)]

    def test_every_text_is_compared_by_its_bytes(self, store: PostgresStore) -> None:
        columns = raw(
            store,
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'",
        )
        assert columns == []

    @pytest.mark.parametrize(
        "statement",
        [
            server_index._OF_SUBJECT.replace("?", ":subject"),
            record_blocks.KEYS_IN,
            record_blocks.RECORD_AT,
            record_blocks.PAGE_OF_PLACES,
            sql_reading._ACTS_ON,
            sql_reading._ACTS_WITH_KEYS,
            sql_reading._NAMED_WITHIN,
            sql_reading._BEHIND_WITHIN,
            sql_writing._BETWEEN,
            sql_lists._OPERATIONS_AT,
            sql_lists._OPERATIONS_ON,
            sql_lists._LISTINGS_BETWEEN,
            sql_lists._LISTINGS_AFTER,
            sql_lists._LISTINGS_OF,
            sql_lists._TARGETS_BETWEEN,
        ],
    )
    def test_no_statement_walks_a_table(self, store: PostgresStore, statement: str) -> None:
        names = (
            "id",
            "epoch",
            "index",
            "position",
            "limit",
            "low",
            "high",
            "start",
            "end",
            "number",
            "place",
            "correct",
        )
        places = {f"to_{name}": 1 for name in ("epoch", "index", "position")}
        values = {**dict.fromkeys(names, 1), **places, "subject": "S", "key": b"k", "channel": CHANNEL}
        with store.transaction() as tx:
            plan = tx._connection.execute(f"EXPLAIN {statement}", values).fetchall()
        assert [line for (line,) in plan if "Seq Scan" in line and "channels" not in line] == []

    def test_keys_are_looked_up_one_by_one_in_a_channel_that_nobody_has_counted(self, store: PostgresStore) -> None:
        keys = [b"%032d" % at for at in range(20_000)]
        rows = [(1, 0, at // 500, at % 500, 1, key, key, "S") for at, key in enumerate(keys)]
        columns = "channel_id, epoch, entry_index, position, in_force, natural_key, content_hash, subject"
        with store.transaction() as tx:
            tx._change_many(f"INSERT INTO records ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        store._index.forget()
        with store.transaction() as tx:
            tx._connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            plan = tx._connection.execute(f"EXPLAIN {server_index._UNDER}", (keys[:500], 1)).fetchall()
            found = tx._index.under(tx._connection, 1, keys[:700])
        assert sorted(each.natural_key for each in found) == keys[:700]
        told = "\n".join(line for (line,) in plan)
        assert "records_key" in told  # as a bitmap or not, as the server has counted the table or not
        assert "records_pkey" not in told
        assert "Hash" not in told


class TestValues:
    def test_texts_with_nul_come_back_as_they_were_and_in_order(self, store: PostgresStore) -> None:
        texts = ["", "\0", "\0\0", "\0\1", "\1", "\1\0", "\1\1", "\1\2", "\2", "a", "a\0b", "a\1", "信桥\0", "𠀀"]
        with store.transaction() as tx:
            for text in texts:
                tx.set_setting(text, text)
        assert [store.setting(text) for text in texts] == texts
        with store._connected() as connection:
            found = connection.execute("SELECT name FROM settings ORDER BY name").fetchall()
        assert [name for (name,) in found] == sorted(texts)

    def test_names_are_in_the_order_of_their_bytes(self, store: PostgresStore, shanghai: SigningNode) -> None:
        names = [f"310000/{name}" for name in ("b", "a-z", "a/z", "az", "a0")]
        for name in names:
            keep_and_apply(store, ChannelWriter(shanghai, name).manifest())
        assert [held.log.channel for held in store.channels()] == sorted(names)

    @pytest.mark.parametrize("count", [1, COPY_FROM_ROWS, 3000])
    def test_many_rows_are_kept_however_they_are_sent(self, store: PostgresStore, count: int) -> None:
        with store.transaction() as tx:
            statement = "INSERT INTO hashes (channel_id, epoch, position, hash) VALUES (?, ?, ?, ?)"
            assert tx._change_many(statement, [(1, 0, at, bytes([at % 256]) * 32) for at in range(count)]) == count
            assert store.hashes("nobody", 0) is not None
        assert raw(store, "SELECT COUNT(*), MAX(length(hash)) FROM hashes") == [(count, 32)]

    def test_a_statement_is_translated_once(self) -> None:
        assert (
            translated("SELECT '%' WHERE a = :a_b AND c::text = ?") == "SELECT '%%' WHERE a = %(a_b)b AND c::text = %b"
        )


class TestFailures:
    def test_a_failure_inside_leaves_nothing_and_tells_no_row(self, store: PostgresStore) -> None:
        with refused("DATABASE") as caught, store.transaction() as tx:
            tx.set_setting("kept", "no")
            tx._change("INSERT INTO database (incarnation) VALUES (:again)", again=store.incarnation())
        assert store.incarnation() not in caught.value.text
        assert store.setting("kept") is None
        with store.transaction() as tx:
            tx.set_setting("kept", "yes")
        assert store.setting("kept") == "yes"

    def test_a_commit_that_the_server_turned_into_a_rollback_is_no_commit(self, store: PostgresStore) -> None:
        with refused("DATABASE"), store.transaction() as tx:
            tx.set_setting("kept", "no")
            with pytest.raises(psycopg.Error):
                tx._change("SELECT nothing FROM nowhere")
        assert store.setting("kept") is None

    def test_sessions_that_were_ended_are_replaced(self, store: PostgresStore) -> None:
        store.channels()
        with store.transaction() as tx:
            tx.set_setting("name", "value")
        ended = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE application_name LIKE 'xinqiao%'"
        raw(store, ended + " AND datname = current_database()")
        assert store.setting("name") == "value"
        with refused("DATABASE_LOST"), store.transaction() as tx:
            tx.set_setting("name", "later")
        with store.transaction() as tx:
            tx.set_setting("name", "later")
        assert store.setting("name") == "later"

    def test_a_step_that_ends_in_a_deadlock_is_run_anew(self, store: PostgresStore) -> None:
        with store.transaction() as tx:
            tx.set_setting("a", "")
            tx.set_setting("b", "")
            tx._connection.execute("SET deadlock_timeout = '10ms'")
        tries: list[str] = []
        with psycopg.connect(store.server.address.conninfo()) as other:
            other.execute("UPDATE settings SET value = 'theirs' WHERE name = 'a'")

            def wait_and_commit() -> None:
                other.execute("UPDATE settings SET value = 'theirs' WHERE name = 'b'")
                other.commit()

            waiting = threading.Thread(target=wait_and_commit)

            def step(tx: StoreTransaction) -> str:
                tries.append("")
                tx.set_setting("b", "ours")
                if len(tries) == 1:
                    waiting.start()
                    wait_until_waits(store)
                tx.set_setting("a", "ours")
                return "done"

            assert perform(store, step) == "done"
            waiting.join()
        assert len(tries) == 2
        assert (store.setting("a"), store.setting("b")) == ("ours", "ours")

    def test_what_stands_in_the_way_for_good_is_given_up(self, store: PostgresStore) -> None:
        with store.transaction() as tx:
            tx._connection.execute("SET lock_timeout = '10ms'")
        tries: list[str] = []

        def step(tx: StoreTransaction) -> None:
            tries.append("")
            tx.set_setting("name", "value")

        with psycopg.connect(store.server.address.conninfo()) as other:
            other.execute("LOCK TABLE settings")
            with refused("DATABASE_BUSY") as caught:
                perform(store, step)
        assert (len(tries), caught.value.who) == (TRIES, "the administrator of the database server")

    def test_a_full_disk_is_named_and_nothing_is_half_written(self, cluster: Cluster, writer: ChannelWriter) -> None:
        with small_disk(cluster.folder / "disk", cluster.data.stat().st_uid) as disk:
            postgres.admin(cluster.url, f"CREATE TABLESPACE {{}} LOCATION '{disk}'", "small")
            address = postgres.new_database(cluster.url)
            with postgres.opened(address, create=True) as store:
                raw(store, "ALTER TABLE bodies SET TABLESPACE small")
                kept = 0
                with refused("DISK_FULL") as caught:
                    for at in range(100):
                        keep_and_apply(store, writer.records([os.urandom(60_000)]))
                        kept = at + 1
                assert "postgresql:///" in caught.value.text
                held = store.channel(CHANNEL)
                assert held is not None
                assert (held.log.size, held.applied_size, sum(1 for _ in store.records())) == (kept, kept, kept)
            cluster.stop()


def wait_until_waits(store: PostgresStore) -> None:
    """Wait until another session waits for a lock."""
    until = time.monotonic() + 10
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not raw(store, waits):
        assert time.monotonic() < until
        time.sleep(0.005)


@contextmanager
def small_disk(place: Path, owner: int) -> Iterator[Path]:
    """A file system of 2 MB for the server, where this process may mount one."""
    place.mkdir()
    options = f"size=2M,uid={owner},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this process may not mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


class TestLosses:
    def test_the_store_goes_on_when_its_server_is_back(self, cluster: Cluster, writer: ChannelWriter) -> None:
        with postgres.opened(postgres.new_database(cluster.url), create=True) as store:
            keep_and_apply(store, writer.records([b"one"]))
            cluster.stop()
            before = time.monotonic()
            for _ in range(50):
                with refused("DATABASE_LOST"):
                    store.channels()
                with refused("DATABASE_LOST"), store.transaction():
                    raise AssertionError
            assert time.monotonic() - before < 5  # nobody waits for a server that is known to be down
            cluster.start()
            wait_for(store)
            keep_and_apply(store, writer.records([b"two"]))
            assert store.record_count() == 2

    def test_lost_inside_a_transaction_nothing_of_it_is_there(self, cluster: Cluster, writer: ChannelWriter) -> None:
        with postgres.opened(postgres.new_database(cluster.url), create=True) as store:
            with refused("DATABASE_LOST"), store.transaction() as tx:
                tx.append(writer.records([b"one"]), NOW_MS, True)
                cluster.kill()
                tx.set_setting("name", "value")
            cluster.start()
            wait_for(store)
            assert store.log(CHANNEL, 0).size == 0

    def test_lost_while_it_commits_the_heads_tell(self, cluster: Cluster, writer: ChannelWriter) -> None:
        with postgres.opened(postgres.new_database(cluster.url), create=True) as store:
            entry = writer.records([b"one"])
            with refused("DATABASE_UNSURE"), store.transaction() as tx:
                tx.append(entry, NOW_MS, True)
                cluster.kill()
            cluster.start()
            wait_for(store)
            with store.transaction() as tx:
                tx.append(entry, NOW_MS, True)
            with refused("HEAD_MOVED"), store.transaction() as tx:
                tx.append(entry, NOW_MS, True)

    @pytest.mark.parametrize("rounds", [4, pytest.param(25, marks=pytest.mark.long)])
    def test_killed_at_any_moment_the_server_keeps_what_was_committed(
        self, cluster: Cluster, shanghai: SigningNode, rounds: int
    ) -> None:
        writer, chance = ChannelWriter(shanghai, CHANNEL), random.Random(20260102)
        entries = [writer.records([b"%d/%d" % (at, position) for position in range(3)]) for at in range(1500 * rounds)]
        address = postgres.new_database(cluster.url)
        with postgres.opened(address, create=True) as store:
            for _ in range(rounds):
                size = store.log(CHANNEL, 0).size
                killed = threading.Timer(chance.uniform(0, 0.2), cluster.kill)
                killed.start()
                committed, code = write_until_lost(store, entries, size)
                assert code in ("DATABASE_LOST", "DATABASE_UNSURE")
                killed.join()
                cluster.start()
                wait_for(store)
                kept = store.log(CHANNEL, 0).size
                assert kept in (committed, committed + (code == "DATABASE_UNSURE"))
            held = store.log(CHANNEL, 0).size
        check_prefix(lambda: postgres.opened(address), entries, at_least=held)

    def test_an_older_copy_of_the_server_is_not_gone_on_with(self, cluster: Cluster, writer: ChannelWriter) -> None:
        address = postgres.new_database(cluster.url)
        with postgres.opened(address, create=True) as store:
            cluster.stop()
            cluster.keep_copy()
            cluster.promote()
            wait_for(store, "DATABASE_CHANGED")
            with refused("DATABASE_CHANGED") as caught, store.transaction():
                raise AssertionError
            assert "the same cluster, timeline 00000002 after 00000001" in caught.value.text
        with postgres.opened(address) as store:  # who starts over compares what it has signed
            keep_and_apply(store, writer.records([b"one"]))
            cluster.stop()
            cluster.put_copy_back()
            wait_for(store, "DATABASE_CHANGED")
        with postgres.opened(address) as store:
            assert store.log(CHANNEL, 0).size == 0


def write_until_lost(store: PostgresStore, entries: Sequence[VerifiedEntry], size: int) -> tuple[int, str]:
    """Write entries after the first ones until that fails; (entries committed, the code of what failed)."""
    for at in range(size, len(entries)):
        try:
            keep_and_apply(store, entries[at])
        except XinqiaoError as error:
            return at, error.code
    raise AssertionError("the server was never killed")


def wait_for(store: PostgresStore, code: str = "") -> None:
    """Wait until the store answers again, or refuses with a code."""
    until = time.monotonic() + 30
    while True:
        try:
            store.incarnation()
            found = ""
        except XinqiaoError as error:
            found = error.code
        if found == code:
            return
        assert time.monotonic() < until, found
        time.sleep(0.02)


def test_what_is_tried_pauses_longer_and_longer() -> None:
    now_s, tried = 0.0, []
    server = postgres_server.Server(Address("postgresql://nobody@/node?host=/nowhere"), lambda: now_s)
    connect: Callable[[str], object] = server._connect

    def counted(name: str) -> object:
        tried.append(now_s)
        return connect(name)

    server._connect = counted  # type: ignore[assignment, method-assign]
    while now_s < 60:
        with refused("DATABASE_LOST"):
            server.connect("reading")
        now_s += 0.05
    pauses = [round(after - before, 1) for before, after in pairwise(tried)]
    assert len(tried) < 25
    assert pauses == sorted(pauses)
    assert 4.9 < pauses[-1] < 5.2
