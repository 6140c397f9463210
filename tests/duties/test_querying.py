"""The query log of a node: durable before an answer leaves, in groups, and nothing of it is lost or added unseen."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from node.aside import in_turn
from node.core.errors import XinqiaoError
from node.core.query_log import Fault, Head, Question, SubjectKey, Verified
from node.ports import Lane, Store, StoreTransaction
from node.querying import Querying, head_of
from node.storage.memory import MemoryStore
from node.storage.sqlite import SqliteStore
from node.storage.writer import InlineWriter, ThreadWriter
from scripts.xq_generate import example_resident_id, example_uscc

T = TypeVar("T")
KEY = SubjectKey(b"k" * 32)
USCC = example_uscc("91", "310000", 1)
PERSON = example_resident_id("310000", 1)


def asked(number: int = 0) -> Question:
    return Question(1_789_000_000_000 + number, "li", "市住建委", "bidding", "2026.1", f"第{number}次")


def run(scenario: Coroutine[object, object, T]) -> T:
    return asyncio.run(scenario)


class CountingWriter(InlineWriter):
    """A writer that takes as long as told, counts, and fails where told, before or after the commit."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.lanes: list[Lane] = []
        self.failing: dict[int, tuple[str, bool]] = {}

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        code, is_persisted = self.failing.get(len(self.lanes), ("", True))
        self.lanes.append(lane)
        await asyncio.sleep(0)
        done = await super().run(lane, step) if is_persisted else None
        if code:
            raise XinqiaoError(code, home="here", detail="the disk")
        assert done is not None
        return done


def test_checks_that_come_together_share_one_commit_of_the_control_lane() -> None:
    store = MemoryStore()
    writer = CountingWriter(store)
    querying = Querying(store, writer, KEY, in_turn)

    async def scenario() -> list[int]:
        logged = await asyncio.gather(*(querying.log(asked(at), USCC) for at in range(100)))
        return [entry.sequence for entry in logged]

    assert run(scenario()) == list(range(1, 101))
    assert writer.lanes == [Lane.CONTROL]
    assert run(querying.verify()).head.sequence == 100


def test_what_comes_while_a_group_is_written_goes_with_the_next_one() -> None:
    store = MemoryStore()
    writer = CountingWriter(store)
    querying = Querying(store, writer, KEY, in_turn)

    async def scenario() -> None:
        first = asyncio.create_task(querying.log(asked(0), USCC))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(writer.lanes) == 1
        late = [asyncio.create_task(querying.log(asked(at), USCC)) for at in (1, 2)]
        await asyncio.gather(first, *late)
        await querying.log(asked(3), USCC)

    run(scenario())
    assert len(writer.lanes) == 3
    assert [entry.query.question.ground for entry in store.queries()] == [f"第{at}次" for at in range(4)]


@pytest.mark.parametrize("code", ["DISK_FULL", "DATABASE"])
@pytest.mark.parametrize("is_persisted", [False, True])
def test_no_question_of_a_group_that_failed_goes_on_to_its_answer(code: str, is_persisted: bool) -> None:
    store = MemoryStore()
    writer = CountingWriter(store)
    querying = Querying(store, writer, KEY, in_turn)
    writer.failing[1] = (code, is_persisted)

    async def scenario() -> None:
        await querying.log(asked(0), USCC)
        results = await asyncio.gather(*(querying.log(asked(at), USCC) for at in (1, 2)), return_exceptions=True)
        assert [each.code for each in results if isinstance(each, XinqiaoError)] == [code, code]
        # Whatever became of it, the next one follows what the database holds.
        after = await querying.log(asked(3), USCC)
        assert after.sequence == (4 if is_persisted else 2)
        found = await querying.verify()
        assert found == Verified(Head(after.sequence, after.entry_hash))

    run(scenario())


def test_who_gives_up_waiting_takes_nobody_else_along() -> None:
    store = MemoryStore()
    querying = Querying(store, CountingWriter(store), KEY, in_turn)

    async def scenario() -> None:
        first, second = (asyncio.create_task(querying.log(asked(at), USCC)) for at in (1, 2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).sequence == 2
        with pytest.raises(asyncio.CancelledError):
            await first

    run(scenario())


def test_a_writer_that_ends_leaves_nobody_waiting() -> None:
    store = MemoryStore()
    writer = ThreadWriter(store)
    querying = Querying(store, writer, KEY, in_turn)

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="not running"):
            await querying.log(asked(), USCC)
        writer.start()
        assert (await querying.log(asked(), USCC)).sequence == 1
        writer.close()

    run(scenario())


def test_a_subject_finds_every_question_about_it_alone_or_among_others() -> None:
    store = MemoryStore()
    querying = Querying(store, InlineWriter(store), KEY, in_turn)

    async def scenario() -> None:
        await querying.log(asked(1), USCC)
        await querying.log(asked(2), PERSON)
        await querying.log_batch(asked(3), [USCC, PERSON, PERSON])
        await querying.log_batch(asked(4), [USCC])
        assert [entry.sequence for entry in await querying.about(USCC)] == [1, 3, 4]
        assert [entry.sequence for entry in await querying.about(PERSON)] == [2, 3]
        assert await querying.about(example_uscc("91", "310000", 2)) == []
        assert [entry.query.count for entry in querying.entries(after=1)] == [1, 2, 1]
        assert querying.unsearchable() == 0
        other = Querying(store, InlineWriter(store), SubjectKey(b"x" * 32), in_turn)
        assert [entry.sequence for entry in await other.about(PERSON)] == []
        assert other.unsearchable() == 4

    run(scenario())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with a log of seven questions, three of them in one."""
    path = tmp_path / "node.db"

    async def fill() -> None:
        with SqliteStore.open(path, create=True) as store:
            querying = Querying(store, InlineWriter(store), KEY, in_turn)
            for at in range(6):
                await querying.log(asked(at), PERSON)
            await querying.log_batch(asked(6), [USCC, PERSON])

    run(fill())
    return path


def verified(path: Path, *noted: Head) -> tuple[int, Fault | None]:
    with SqliteStore.open(path, create=False) as store:
        found = run(Querying(store, InlineWriter(store), KEY, in_turn).verify(noted))
    return found.head.sequence, found.fault


@pytest.mark.parametrize(
    ("changes", "sound", "fault"),
    [
        ([], 7, None),
        (["UPDATE queries SET officer = 'wang' WHERE sequence = 4"], 3, Fault.ALTERED),
        (["UPDATE queries SET at_ms = at_ms - 1 WHERE sequence = 4"], 3, Fault.ALTERED),
        (["DELETE FROM queries WHERE sequence = 4"], 3, Fault.MISSING),
        (
            ["DELETE FROM queries WHERE sequence = 4", "UPDATE queries SET sequence = sequence - 1 WHERE sequence > 4"],
            3,
            Fault.ALTERED,
        ),
        (["DELETE FROM queries WHERE sequence > 4"], 4, Fault.MISSING),
        (["DELETE FROM queries"], 0, Fault.MISSING),
        (["INSERT INTO queries SELECT 8, {columns} FROM queries WHERE sequence = 3"], 7, Fault.ALTERED),
        (
            [
                "UPDATE queries SET sequence = -sequence WHERE sequence > 4",
                "UPDATE queries SET sequence = 1 - sequence WHERE sequence < 0",
                "INSERT INTO queries SELECT 5, {columns} FROM queries WHERE sequence = 4",
            ],
            4,
            Fault.ALTERED,
        ),
        (["UPDATE query_leaves SET leaves = zeroblob(64)"], 6, Fault.LEAVES),
        (["DELETE FROM query_leaves"], 6, Fault.LEAVES),
    ],
)
def test_rows_that_are_altered_removed_or_inserted_in_the_database_are_found(
    file: Path, changes: list[str], sound: int, fault: Fault | None
) -> None:
    with closing(sqlite3.connect(file)) as raw, raw:
        names = [row[1] for row in raw.execute("PRAGMA table_info(queries)")]
        columns = ", ".join(name for name in names if name != "sequence")
        for change in changes:
            raw.execute(change.format(columns=columns))
    assert verified(file) == (sound, fault)


def test_a_head_that_somebody_noted_shows_a_log_that_was_put_back(file: Path) -> None:
    with SqliteStore.open(file, create=False) as store:
        head = head_of(store)
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("DELETE FROM queries WHERE sequence > 4")
        (entry_hash,) = raw.execute("SELECT entry_hash FROM queries WHERE sequence = 4").fetchone()
        raw.execute("UPDATE settings SET value = ? WHERE name = 'queries.head'", [f"4:{entry_hash.hex()}"])
    assert verified(file) == (4, None)
    assert verified(file, head) == (4, Fault.MISSING)
    assert verified(file, Head(4, bytes(32))) == (3, Fault.FORKED)


def test_the_number_of_a_person_reaches_no_file(file: Path) -> None:
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert PERSON.encode() not in written
    assert PERSON[:17].encode() not in written


def test_a_log_with_no_room_left_answers_nothing_and_goes_on_when_there_is(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "node.db", create=True) as store:
        querying = Querying(store, InlineWriter(store), KEY, in_turn)
        with store._written() as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")

        async def fill(kept: list[int]) -> None:
            while len(kept) < 500:
                kept += [(await querying.log(asked(), USCC)).sequence]

        async def scenario() -> None:
            kept: list[int] = []
            with pytest.raises(XinqiaoError) as caught:
                await fill(kept)
            assert caught.value.code == "DISK_FULL"
            assert (await querying.verify()).head.sequence == len(kept)
            with store._written() as connection:
                connection.execute("PRAGMA max_page_count = 100000")
            assert (await querying.log(asked(), USCC)).sequence == len(kept) + 1
            assert await querying.verify() == Verified(head_of(store))

        run(scenario())
