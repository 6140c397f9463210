"""The simulated disk: turns and lanes, every fault, sudden deaths, backups, and the same for the same seed."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.ports import Lane, StoreTransaction
from node.simulator import loop as loops
from node.simulator.contents import contents_digest
from node.simulator.disk import SimulatedDisk
from node.simulator.disk_faults import ProcessKilled
from node.simulator.observing import Violation, Write
from node.simulator.scenario import DiskOptions
from node.simulator.writer import SimulatedWriter
from node.storage.sqlite import SqliteStore
from tests.builders import NOW_MS, ChannelWriter, put_in_force

HEADS = {("310000/penalties", 0): HeadAt(3, bytes(32))}


class Watched:
    """A disk that is watched: what was committed, and how often it killed its process."""

    def __init__(self, directory: Path, seed: int = 1, **options: float) -> None:
        self.told: list[str] = []
        self.kills = 0
        self.disk = SimulatedDisk(
            directory, "310000", DiskOptions.model_validate(options), Random(seed), self.watch, self.kill
        )
        self.store, self.writer = self.disk.open()

    def watch(self, _node: str, writes: Sequence[Write]) -> None:
        self.told += [f"{write.method} {write.arguments[-1]}" for write in writes]

    def kill(self) -> None:
        self.kills += 1
        self.disk.close()

    def reopen(self) -> None:
        self.disk.close()
        self.store, self.writer = self.disk.open()

    def set_order(self, value: str) -> None:
        with self.store.transaction() as tx:
            tx.set_setting("order", value)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def run(work: Callable[[], Coroutine[Any, Any, Any]], seed: int = 1) -> Any:
    """Run a coroutine on virtual time."""
    return loops.run(lambda _loop: work(), Random(seed))


def note(name: str) -> Callable[[StoreTransaction], str]:
    """A step that adds its name to a setting and returns it."""

    def step(tx: StoreTransaction) -> str:
        tx.set_setting("order", (tx.setting("order") or "") + name)
        return name

    return step


def begin(writer: SimulatedWriter, lane: Lane, name: str) -> "asyncio.Task[str]":
    return asyncio.create_task(writer.run(lane, note(name)))


async def begun(*tasks: "asyncio.Task[Any]") -> None:
    """Let tasks come as far as they can at this moment."""
    for _ in range(len(tasks) + 2):
        await asyncio.sleep(0)


class TestTurns:
    def test_a_step_returns_its_result_after_the_commit(self, watched: Watched) -> None:
        async def work() -> float:
            assert await watched.writer.run(Lane.BULK, note("a")) == "a"
            assert watched.store.setting("order") == "a"
            return asyncio.get_running_loop().time()

        taken_s = run(work)
        assert 0.0002 <= taken_s <= 0.010
        assert watched.told == ["set_setting a"]

    def test_the_control_lane_goes_first_and_each_lane_in_order(self, watched: Watched) -> None:
        async def work() -> None:
            tasks = [begin(watched.writer, Lane.BULK, "x")]
            await begun(*tasks)
            for lane, name in ((Lane.BULK, "a"), (Lane.BULK, "b"), (Lane.CONTROL, "y"), (Lane.CONTROL, "z")):
                tasks.append(begin(watched.writer, lane, name))
                await begun(*tasks)
            await asyncio.gather(*tasks)

        run(work)
        assert watched.store.setting("order") == "xyzab"

    def test_an_error_of_a_step_reaches_its_caller_and_leaves_nothing(self, watched: Watched) -> None:
        def fail(tx: StoreTransaction) -> None:
            tx.set_setting("order", "wrong")
            raise LookupError("gone")

        async def work() -> None:
            with pytest.raises(LookupError, match="gone"):
                await watched.writer.run(Lane.BULK, fail)
            assert watched.store.setting("order") is None
            await watched.writer.run(Lane.BULK, note("a"))

        run(work)
        assert watched.told == ["set_setting a"]

    def test_a_step_taken_back_before_its_turn_is_not_run_and_one_that_began_is_finished(
        self, watched: Watched
    ) -> None:
        async def work() -> None:
            first = begin(watched.writer, Lane.BULK, "a")
            await begun(first)
            waiting, last = begin(watched.writer, Lane.BULK, "b"), begin(watched.writer, Lane.BULK, "c")
            await begun(waiting, last)
            waiting.cancel()
            first.cancel()
            await last
            assert first.cancelled()
            assert waiting.cancelled()

        run(work)
        assert watched.store.setting("order") == "ac"

    def test_what_a_watcher_finds_is_no_failure_of_the_step(self, watched: Watched) -> None:
        """A duty could take it for one and go on."""

        def find(_writes: Sequence[Write]) -> None:
            raise Violation("G1", "310000", "something")

        async def work() -> None:
            task = begin(watched.writer, Lane.BULK, "a")
            await asyncio.sleep(1)
            assert not task.done()

        watched.store.watch = find
        found: list[Any] = []
        loops.run(lambda _loop: work(), Random(1), lambda context: found.append(context["exception"].guarantee))
        assert found == ["G1"]


class TestFaults:
    @pytest.mark.parametrize(
        ("share", "code", "kept", "told"),
        [("fail", "DATABASE", None, []), ("fail_persisted", "DATABASE", "a", ["set_setting a"])],
    )
    def test_a_failed_transaction_is_named(
        self, tmp_path: Path, share: str, code: str, kept: str | None, told: list[str]
    ) -> None:
        watched = Watched(tmp_path, 1, **{share: 1.0})
        error = run(lambda: failing(watched, "a"))
        assert (error.code, watched.store.setting("order"), watched.told) == (code, kept, told)
        assert str(tmp_path) not in str(error)

    def test_a_full_disk_takes_nothing_until_there_is_space(self, watched: Watched, tmp_path: Path) -> None:
        watched.disk.full = watched.disk.quiet = True
        error = run(lambda: failing(watched, "a"))
        assert (error.code, watched.store.setting("order"), watched.told) == ("DISK_FULL", None, [])
        assert str(tmp_path) not in str(error)
        with pytest.raises(XinqiaoError) as caught:
            watched.disk.sidecar().write("first", HEADS)
        assert caught.value.code == "DISK_FULL"
        watched.disk.full = False
        run(lambda: watched.writer.run(Lane.BULK, note("b")))
        assert watched.store.setting("order") == "b"

    @pytest.mark.parametrize(("share", "kept"), [("crash_before", None), ("crash_after", "a")])
    def test_a_crash_never_answers(self, tmp_path: Path, share: str, kept: str | None) -> None:
        watched = Watched(tmp_path, 1, **{share: 1.0})

        async def work() -> None:
            tasks = [begin(watched.writer, Lane.BULK, "a"), begin(watched.writer, Lane.BULK, "b")]
            await asyncio.sleep(60)
            assert [task.done() for task in tasks] == [False, False]

        run(work)
        assert (watched.kills, len(watched.told)) == (1, 0 if kept is None else 1)
        watched.reopen()
        assert watched.store.setting("order") in (kept, "b" if kept else None)

    def test_a_quiet_disk_has_no_faults(self, tmp_path: Path) -> None:
        watched = Watched(tmp_path, fail=0.5, crash_before=0.5)
        watched.disk.quiet = True

        async def work() -> None:
            for _ in range(20):
                await watched.writer.run(Lane.BULK, note("a"))

        run(work)
        assert (watched.store.setting("order"), watched.kills) == ("a" * 20, 0)

    def test_faults_come_as_often_as_the_options_say(self, tmp_path: Path) -> None:
        watched = Watched(tmp_path, fail=0.2, fail_persisted=0.1)

        async def work() -> int:
            failed = 0
            for _ in range(500):
                try:
                    await watched.writer.run(Lane.BULK, note("a"))
                except XinqiaoError:
                    failed += 1
            return failed

        failed = run(work)
        persisted = failed - (500 - len(watched.store.setting("order") or ""))
        assert 120 < failed < 180
        assert 30 < persisted < 70

    def test_the_same_seed_gives_the_same_faults_and_contents(self, tmp_path: Path) -> None:
        async def work(watched: Watched) -> list[str]:
            tasks = [begin(watched.writer, Lane(at % 2), f"{at}.") for at in range(60)]
            await asyncio.wait(tasks)
            failed = [str(at) for at, task in enumerate(tasks) if task.exception()]
            return [*failed, str(asyncio.get_running_loop().time()), contents_digest(watched.store)]

        found = []
        for at, seed in enumerate((7, 7, 8)):
            watched = Watched(tmp_path / str(at), seed, fail=0.2, fail_persisted=0.2)
            found.append([*run(partial(work, watched)), *watched.told])
        assert found[0] == found[1]
        assert found[0] != found[2]


async def failing(watched: Watched, name: str) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        await watched.writer.run(Lane.BULK, note(name))
    return caught.value


class TestDeaths:
    def test_what_was_committed_is_there_after_a_kill_and_nothing_else(
        self, watched: Watched, tmp_path: Path, writer: ChannelWriter
    ) -> None:
        watched.set_order("")  # after the first transaction of a process the log is emptied
        with watched.store.transaction() as tx:
            first = writer.manifest()
            tx.append(first, NOW_MS, True)
            tx.apply(put_in_force(first))
        before = contents_digest(watched.store)
        log = (tmp_path / "xinqiao.db-wal").read_bytes()

        async def work() -> None:
            task = begin(watched.writer, Lane.BULK, "a")
            await begun(task)
            watched.disk.close()
            await asyncio.sleep(60)
            assert not task.done()

        run(work)
        assert (tmp_path / "xinqiao.db-wal").read_bytes() == log  # so that the next start has to recover from it
        assert log
        old = watched.writer
        watched.reopen()
        assert contents_digest(watched.store) == before
        with pytest.raises(ProcessKilled):
            run(lambda: old.run(Lane.BULK, note("late")))

    def test_the_old_process_reads_nothing_of_the_new_one(self, watched: Watched) -> None:
        old, sidecar = watched.store, watched.disk.sidecar()
        watched.reopen()
        for call in (old.incarnation, sidecar.read, lambda: sidecar.write("x", {}), lambda: old.setting("a")):
            with pytest.raises(ProcessKilled):
                call()

    def test_two_processes_never_share_a_disk(self, watched: Watched) -> None:
        for call in (watched.disk.open, lambda: watched.disk.restore("any"), lambda: watched.disk.put_image({})):
            with pytest.raises(RuntimeError):
                call()

    def test_a_disk_that_no_process_has_open_is_closed_in_vain(self, watched: Watched) -> None:
        watched.disk.close()
        watched.disk.close()
        with pytest.raises(RuntimeError):
            watched.disk.sidecar()


class TestBackups:
    def test_a_backup_brings_back_the_database_and_not_the_sidecar(self, watched: Watched) -> None:
        sidecar = watched.disk.sidecar()
        incarnation = watched.store.incarnation()
        watched.set_order("old")
        sidecar.write(incarnation, {})
        watched.disk.backup("first")
        watched.set_order("new")
        sidecar.write(incarnation, HEADS)
        watched.disk.close()
        assert watched.disk.restore("first")
        watched.reopen()
        assert (watched.store.setting("order"), watched.store.incarnation()) == ("old", incarnation)
        assert watched.disk.sidecar().read() == (incarnation, HEADS)
        watched.set_order("newer")  # and the restored file takes writes
        assert watched.store.setting("order") == "newer"

    def test_a_backup_can_be_restored_again_and_is_not_changed_by_what_follows(self, watched: Watched) -> None:
        watched.set_order("old")
        watched.disk.backup("first")
        for value in ("one", "two"):
            watched.set_order(value)
            watched.disk.close()
            assert watched.disk.restore("first")
            watched.reopen()
            assert watched.store.setting("order") == "old"

    def test_a_backup_that_was_never_made_changes_nothing(self, watched: Watched) -> None:
        watched.set_order("kept")
        watched.disk.close()
        assert not watched.disk.restore("none")
        watched.reopen()
        assert watched.store.setting("order") == "kept"

    def test_the_sidecar_can_be_lost(self, watched: Watched) -> None:
        watched.disk.sidecar().write("first", HEADS)
        watched.disk.lose_sidecar()
        watched.disk.lose_sidecar()
        assert watched.disk.sidecar().read() is None

    def test_a_copy_holds_the_same_and_goes_its_own_way(self, watched: Watched, tmp_path: Path) -> None:
        watched.set_order("common")
        watched.disk.sidecar().write("first", HEADS)
        copy = Watched(tmp_path / "copy", seed=2)
        copy.disk.close()
        copy.disk.put_image(watched.disk.image())
        copy.reopen()
        assert contents_digest(copy.store) == contents_digest(watched.store)
        assert copy.disk.sidecar().read() == ("first", HEADS)
        copy.set_order("other")
        assert watched.store.setting("order") == "common"


class TestSidecar:
    @pytest.mark.parametrize(("share", "kept"), [("fail", False), ("fail_persisted", True)])
    def test_writing_it_fails_before_or_after(self, tmp_path: Path, share: str, kept: bool) -> None:
        watched = Watched(tmp_path, 1, **{share: 1.0})
        with pytest.raises(XinqiaoError) as caught:
            watched.disk.sidecar().write("first", HEADS)
        assert caught.value.code == "DATABASE"
        assert watched.disk.sidecar().read() == (("first", HEADS) if kept else ("", {}))

    @pytest.mark.parametrize(("share", "kept"), [("crash_before", False), ("crash_after", True)])
    def test_the_process_dies_before_or_after(self, tmp_path: Path, share: str, kept: bool) -> None:
        watched = Watched(tmp_path, 1, **{share: 1.0})
        with pytest.raises(ProcessKilled):
            watched.disk.sidecar().write("first", HEADS)
        assert watched.kills == 1
        watched.reopen()
        assert watched.disk.sidecar().read() == (("first", HEADS) if kept else ("", {}))


class TestNewDatabases:
    def test_the_incarnation_comes_from_the_random(self, tmp_path: Path) -> None:
        found = [Watched(tmp_path / str(at), seed).store.incarnation() for at, seed in enumerate((1, 1, 2))]
        assert found[0] == found[1] != found[2]
        assert len(bytes.fromhex(found[0])) == 16

    def test_it_is_what_the_migrations_make(self, watched: Watched, tmp_path: Path) -> None:
        watched.set_order("x")
        with SqliteStore.open(tmp_path / "xinqiao.db", create=False) as plain:
            assert plain.setting("order") == "x"
            with plain.transaction() as tx:
                tx.set_setting("order", "y")
        watched.reopen()
        assert watched.store.setting("order") == "y"

    def test_the_write_ahead_log_stays_short(self, watched: Watched, tmp_path: Path) -> None:
        for at in range(400):
            watched.set_order(f"{at}")
        assert (tmp_path / "xinqiao.db-wal").stat().st_size < 3 * 1024 * 1024
