"""Sweeps: as each of its subjects is answered by itself, chunk by chunk, none before its question is in the log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from node import checking
from node.checking import Swept
from node.core.answer import Answer, Doubt, Verdict
from node.core.errors import XinqiaoError
from node.core.list_type import KIND_NAMES, RED, SERIOUS, WATCH
from node.core.registry_targets import matters_path
from node.ports import Lane, StoreTransaction
from node.storage.writer import InlineWriter
from tests.builders import make_matter, make_matters
from tests.duties.hostile import run_of
from tests.duties.test_answers import CAUSES, CODES, FIRST, LI, ORIGIN, READER, WANG, Town, asking, run
from tests.duties.test_querying import CountingWriter
from tests.list_writer import enter, leave, subject_of, suspend
from tests.officers import adding, disabling

T = TypeVar("T")
SUBJECTS = [subject_of(at) for at in range(1, 40)]
CHUNK = 8


def chunks_of(subjects: Sequence[str], size: int = CHUNK) -> list[Sequence[str]]:
    return [subjects[start : start + size] for start in range(0, len(subjects), size)]


async def stream(chunks: Sequence[Sequence[str]], read: list[int] | None = None) -> AsyncIterator[Sequence[str]]:
    """The chunks, one after another; read notes how many were taken."""
    for number, chunk in enumerate(chunks, 1):
        if read is not None:
            read.append(number)
        yield chunk


def spread(subjects: Sequence[str], swept: Sequence[Swept]) -> list[Answer]:
    """The answer of every subject."""
    answers = [found.others.get(at, found.common) for found in swept for at in range(found.count)]
    return [replace(each, subject=subject) for each, subject in zip(answers, subjects, strict=True)]


async def sweep(town: Town, chunks: Sequence[Sequence[str]]) -> tuple[list[Swept], str]:
    """What was answered, and the code of what ended it."""
    return await swept_of(town, stream(chunks))


async def swept_of(town: Town, chunks: AsyncIterator[Sequence[str]]) -> tuple[list[Swept], str]:
    found: list[Swept] = []
    try:
        async for each in town.node.checking.sweep(asking(), chunks):
            found.append(each)  # noqa: PERF401 - what came before an error counts
    except XinqiaoError as error:
        return found, error.code
    return found, ""


@pytest.fixture(autouse=True)
def _small_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "LOOKS", 3)


def test_each_subject_is_answered_as_in_a_check_of_its_own() -> None:
    async def scenario() -> None:
        town = await Town().open()
        serious, red, watch = (town.writers[kind] for kind in (SERIOUS, RED, WATCH))
        serious.change(enter(5), enter(6), enter(7))
        red.change(enter(5), enter(9), enter(11, until="2026-09-01"))
        watch.change(enter(12, measures=[]), enter(13, measures=[]))
        await town.bring()
        serious.change(suspend(FIRST))
        await town.bring()
        swept, failed = await sweep(town, chunks_of(SUBJECTS))
        assert failed == ""
        alone = [(await town.node.checking.check(asking(), subject)).answer for subject in SUBJECTS]
        together = spread(SUBJECTS, swept)
        assert together == alone
        assert {each.verdict for each in alone} == {Verdict.CLEAR, Verdict.LISTED}
        assert 0 < sum(len(each.others) for each in swept) < len(SUBJECTS)
        assert all(any(one.entries for one in each.lists) for found in swept for each in found.others.values())

    run(scenario())


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("doubt", Doubt)
def test_g5_of_a_list_in_doubt_a_sweep_tells_nobody_apart(doubt: Doubt, kind: int) -> None:
    async def scenario() -> None:
        town = Town(kind)
        channel = f"{ORIGIN}/lists/{CODES[kind]}"
        town.network.editions[matters_path("2026.1")] = make_matters(make_matter(lists=[channel]))
        await town.open(received=doubt is not Doubt.NEVER_RECEIVED)
        await CAUSES[doubt](town)
        swept, failed = await sweep(town, chunks_of(SUBJECTS[:12]))
        assert failed == ""
        assert [each.others for each in swept] == [{}] * len(swept)
        assert {each.common.verdict for each in swept} == {Verdict.UNCONFIRMED}
        assert all(doubt in one.consulted.doubts for each in swept for one in each.common.lists)

    run(scenario())


def test_a_list_that_falls_into_doubt_in_the_middle_is_told_so_from_the_next_look_on() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        verdicts: list[Verdict] = []
        async for found in town.node.checking.sweep(asking(), stream(chunks_of([subject_of(1)] * 12, 6))):
            verdicts.append(spread([subject_of(1)] * found.count, [found])[0].verdict)
            if len(verdicts) == 1:
                await CAUSES[Doubt.QUARANTINED](town)
        assert verdicts == [Verdict.LISTED, *[Verdict.UNCONFIRMED] * 3]

    run(scenario())


def test_every_chunk_is_an_entry_of_the_log_that_is_there_before_its_answers() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        store = town.node.world.store
        answered = 0
        async for found in town.node.checking.sweep(asking(), stream(chunks_of(SUBJECTS))):
            kept = store.query(found.logged.sequence)
            assert kept is not None
            assert kept.entry_hash == found.logged.entry_hash
            answered += found.count
            assert answered <= sum(entry.query.count for entry in store.queries()[: found.logged.sequence])
        entries = store.queries()
        assert [entry.query.count for entry in entries] == [len(chunk) for chunk in chunks_of(SUBJECTS)]
        assert await town.node.querying.about(SUBJECTS[9]) == [entries[1]]
        assert (await town.node.querying.verify()).fault is None

    run(scenario())


@pytest.mark.parametrize("code", ["DISK_FULL", "DATABASE"])
@pytest.mark.parametrize("is_persisted", [False, True])
@pytest.mark.parametrize("failing", [0, 1, 3])
def test_of_a_chunk_whose_question_cannot_be_kept_no_answer_leaves_and_all_before_it_have(
    code: str, is_persisted: bool, failing: int
) -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer = CountingWriter(town.node.world.store)
        writer.failing[failing] = (code, is_persisted)
        town.node.querying._writer = writer
        swept, failed = await sweep(town, chunks_of(SUBJECTS))
        assert failed == code
        assert sum(each.count for each in swept) == failing * CHUNK
        # The rest is asked again, by whoever goes on behind what was answered.
        rest = SUBJECTS[failing * CHUNK :]
        again, failed = await sweep(town, chunks_of(rest))
        assert (failed, sum(each.count for each in again)) == ("", len(rest))
        assert (await town.node.querying.verify()).fault is None

    run(scenario())


def test_one_chunk_is_read_and_logged_ahead_of_the_answers_and_no_more() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        read: list[int] = []
        answers = town.node.checking.sweep(asking(), stream(chunks_of(SUBJECTS), read))
        answered = 0
        async for found in answers:
            answered += found.count
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(read) <= -(-answered // CHUNK) + 1
            assert len(town.node.world.store.queries()) <= len(read)
        assert len(read) == len(chunks_of(SUBJECTS))

    run(scenario())


def test_whoever_stops_listening_leaves_nothing_running_and_nothing_is_asked_any_more() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        read: list[int] = []
        answers = town.node.checking.sweep(asking(), stream(chunks_of(SUBJECTS), read))
        await anext(answers)
        before = asyncio.all_tasks()
        await answers.aclose()
        assert len(asyncio.all_tasks()) < len(before) or before == {asyncio.current_task()}
        assert len(read) <= 2
        assert len(town.node.world.store.queries()) <= 2

    run(scenario())


def test_who_may_ask_is_looked_at_for_every_chunk() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        own = town.network.signing[READER].signer
        await town.node.deciding.submit(*adding("王芳", WANG, own, node=READER))

        async def chunks() -> AsyncIterator[Sequence[str]]:
            yield SUBJECTS[:3]
            await town.node.deciding.submit(*disabling("李明", LI, WANG, node=READER))
            yield SUBJECTS[3:6]

        swept, failed = await swept_of(town, chunks())
        assert (failed, sum(each.count for each in swept)) == ("QUERY_OFFICER", 3)
        assert len(town.node.world.store.queries()) == 1

    run(scenario())


def test_g4_an_exit_that_comes_while_a_chunk_is_logged_is_not_overtaken_by_its_answers() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        node, writer = town.node, town.writers[SERIOUS]
        writer.change(leave(FIRST))

        class Between(InlineWriter):
            async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
                done = await super().run(lane, step)
                await node.receive(run_of(writer))
                return done

        node.querying._writer = Between(node.world.store)
        swept, failed = await sweep(town, [[subject_of(1)]])
        assert (failed, [each.others for each in swept]) == ("", [{}])
        assert swept[0].common.verdict is Verdict.CLEAR

    run(scenario())


@pytest.mark.parametrize(
    ("chunk", "code"),
    [([], "QUERY_BATCH"), (SUBJECTS[:9], "QUERY_BATCH"), ([SUBJECTS[0], "示例"], "QUERY_SUBJECT")],
)
def test_a_chunk_that_cannot_be_is_refused_whole_before_it_is_logged(chunk: Sequence[str], code: str) -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        town.network.limits = replace(town.network.limits, max_subjects_per_chunk=CHUNK)
        town.network.start(READER, town.node.world.store)
        swept, failed = await sweep(town, [SUBJECTS[:CHUNK], chunk, SUBJECTS[:CHUNK]])
        assert (failed, sum(each.count for each in swept)) == (code, CHUNK)
        assert len(town.node.world.store.queries()) == 1

    run(scenario())


def test_nobody_is_asked_about_nobody() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        assert await sweep(town, []) == ([], "")
        assert town.node.world.store.last_query() is None

    run(scenario())
