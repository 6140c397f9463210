"""The query service over a real socket: what is refused, what is answered, what is in the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc.aio
import pytest

from node.core.errors import XinqiaoError
from node.core.list_type import RED, SERIOUS
from node.pb import query_service_pb2 as pb
from node.pb import query_service_pb2_grpc
from node.rpc.query_client import CHUNKS_AHEAD, SUBJECTS_PER_MESSAGE, QueryClient
from node.rpc.query_server import QueryServicer
from tests.builders import UNIT
from tests.duties.test_answers import LIMIT_S, NOT_ON_IT, ON_IT, ORIGIN, Town, run
from tests.duties.test_querying import CountingWriter
from tests.list_writer import enter, subject_of

T = TypeVar("T")
QUESTION = pb.QueryQuestion(officer="李明", unit=UNIT, matter="bidding.tender", ground="招标投标法第三十三条")
LIST = f"{ORIGIN}/lists/serious-tax"


class Desk:
    """A town, and the query service of its reader on a socket that nothing else is served on."""

    def __init__(self, town: Town, client: QueryClient) -> None:
        self.town = town
        self.client = client

    async def call(self, method: Callable[..., T], *arguments: Any) -> T:
        """Call as the command line does, beside the loop that answers."""
        return await asyncio.to_thread(method, *arguments)


@asynccontextmanager
async def desk(tmp_path: Path, *kinds: int) -> AsyncIterator[Desk]:
    town = await Town(*(kinds or (SERIOUS,))).open()
    server = grpc.aio.server()
    query_service_pb2_grpc.add_QueryServiceServicer_to_server(QueryServicer(town.node), server)
    socket = tmp_path / "q.sock"
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        with QueryClient(tmp_path, socket) as client:
            yield Desk(town, client)
    finally:
        await server.stop(None)


def test_an_answer_carries_all_that_it_rests_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            answer = await found.call(found.client.check, QUESTION, ON_IT)
            (one,) = answer.lists
            (entry,) = one.entries
            assert (answer.verdict, one.verdict) == (pb.QUERY_VERDICT_LISTED, pb.QUERY_VERDICT_LISTED)
            assert (answer.query, answer.matters_version, answer.measures_version) == (1, "2026.1", "2026.1")
            assert (one.channel, one.origin, one.origin_name) == (LIST, ORIGIN, f"node {ORIGIN}")
            assert (one.list.title_zh, one.staleness_limit_s) == ("重大税收违法失信主体名单", LIMIT_S)
            assert one.list.legal_basis[0].article == "第六十三条"
            assert (entry.entry.channel, entry.entry.epoch, entry.entry.index, entry.entry.position) == (LIST, 0, 1, 0)
            assert (entry.since, entry.until, entry.applicable) == ("2026-01-05", "2028-12-31", True)
            assert [(each.code, each.basis, each.applies) for each in entry.measures] == [
                ("SHR-31-1", "上海市社会信用条例 art. 31", True)
            ]
            assert (await found.call(found.client.check, QUESTION, NOT_ON_IT)).verdict == pb.QUERY_VERDICT_CLEAR

    run(scenario())


def test_g5_an_unconfirmed_answer_names_the_doubt_and_whom_to_ask_and_nothing_of_the_list(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            found.town.network.clock.time_ms += LIMIT_S * 1000 + 1
            for subject in (ON_IT, NOT_ON_IT):
                answer = await found.call(found.client.check, QUESTION, subject)
                (one,) = answer.lists
                assert (answer.verdict, list(one.doubts)) == (pb.QUERY_VERDICT_UNCONFIRMED, ["stale"])
                assert (len(one.entries), one.origin) == (0, ORIGIN)
                assert "ask its origin" in one.advice

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "subject", "code"),
    [
        ({"matter": "other"}, ON_IT, "QUERY_MATTER"),
        ({"unit": ON_IT}, ON_IT, "QUERY_UNIT"),
        ({"officer": "nobody"}, ON_IT, "QUERY_OFFICER"),
        ({"ground": ""}, ON_IT, "QUERY_GROUND"),
        ({}, "somebody", "QUERY_SUBJECT"),
    ],
)
def test_g11_a_refusal_arrives_with_code_rule_and_who_must_act_for_one_and_for_many(
    tmp_path: Path, changes: dict[str, str], subject: str, code: str
) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            question = pb.QueryQuestion()
            question.CopyFrom(QUESTION)
            for name, text in changes.items():
                setattr(question, name, text)
            calls = (
                lambda: found.client.check(question, subject),
                lambda: list(found.client.check_batch(question, [ON_IT, subject])),
            )
            for call in calls:
                with pytest.raises(XinqiaoError) as caught:
                    await found.call(call)
                assert caught.value.code == code
                assert code == "QUERY_SUBJECT" or caught.value.parameters["rule"] == "R-QRY-2"
            assert found.town.node.world.store.last_query() is None

    run(scenario())


def test_a_stream_of_subjects_is_one_entry_of_the_log_and_comes_back_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path, SERIOUS, RED) as found:
            found.town.writers[RED].change(enter(7))
            await found.town.bring()
            subjects = [subject_of(at) for at in range(1, 2 * SUBJECTS_PER_MESSAGE + 50)]
            answers = await found.call(lambda: list(found.client.check_batch(QUESTION, subjects)))
            assert [each.subject for each in answers] == subjects
            listed = [each.subject for each in answers if each.verdict == pb.QUERY_VERDICT_LISTED]
            assert listed == [subject_of(1), subject_of(7)]
            (line,) = (await found.call(found.client.queries, pb.ListQueriesRequest())).queries
            assert (line.subjects, line.subject, line.officer, line.unit) == (len(subjects), "", "李明", UNIT)
            assert (line.ground, line.matter, line.matters_version) == (QUESTION.ground, "bidding.tender", "2026.1")

    run(scenario())


def test_no_answer_leaves_where_the_question_cannot_be_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            node = found.town.node
            for code in ("DISK_FULL", "DATABASE"):
                writer = CountingWriter(node.world.store)
                writer.failing = {0: (code, True), 1: (code, False)}
                node.querying._writer = writer
                with pytest.raises(XinqiaoError, match=code):
                    await found.call(found.client.check, QUESTION, ON_IT)
                with pytest.raises(XinqiaoError, match=code):
                    await found.call(lambda: list(found.client.check_batch(QUESTION, [ON_IT])))
            assert (await found.call(found.client.check, QUESTION, ON_IT)).query == 3

    run(scenario())


def test_who_has_asked_is_told_by_subject_by_page_and_from_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            for subject in (ON_IT, NOT_ON_IT, ON_IT):
                await found.call(found.client.check, QUESTION, subject)
            await found.call(lambda: list(found.client.check_batch(QUESTION, [ON_IT, subject_of(5)])))

            async def told(**request: Any) -> list[int]:
                response = await found.call(found.client.queries, pb.ListQueriesRequest(**request))
                return [line.sequence for line in response.queries]

            assert await told(subject=ON_IT) == [1, 3, 4]
            assert await told(subject=subject_of(5)) == [4]
            assert await told(after=1, limit=2) == [2, 3]
            assert await told(newest=True, limit=2) == [3, 4]
            with pytest.raises(XinqiaoError, match="QUERY_SUBJECT"):
                await told(subject="示例")

    run(scenario())


def test_the_log_is_verified_to_a_head_that_is_good_for_the_next_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            empty = await found.call(found.client.verify, pb.VerifyQueriesRequest())
            assert (empty.sequence, empty.entry_hash, empty.fault) == (0, bytes(32), "")
            await found.call(found.client.check, QUESTION, ON_IT)
            first = await found.call(found.client.verify, pb.VerifyQueriesRequest())
            await found.call(found.client.check, QUESTION, ON_IT)
            noted = pb.VerifyQueriesRequest(noted_sequence=first.sequence, noted_hash=first.entry_hash)
            assert (await found.call(found.client.verify, noted)).sequence == 2
            noted.noted_hash = bytes(32)
            again = await found.call(found.client.verify, noted)
            assert (again.sequence, again.fault) == (0, "forked")

    run(scenario())


# -- sweeps ---------------------------------------------------------------------------------------------------


def swept(client: QueryClient, chunks: Iterable[Sequence[str]]) -> list[tuple[int, int]]:
    """The verdict and the entry of the log of each subject that was answered, to the end or to a refusal."""
    found: list[tuple[int, int]] = []
    for response in client.sweep(QUESTION, chunks):
        others = {each.position: each.answer for each in response.others}
        answers = [others.get(at, response.common) for at in range(response.count)]
        found += [(int(answer.verdict), answer.query) for answer in answers]
    return found


def test_a_sweep_answers_chunk_by_chunk_in_order_and_names_each_subject_that_stands_on_a_list(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path, SERIOUS, RED) as found:
            found.town.writers[RED].change(enter(7))
            await found.town.bring()
            chunks = [[subject_of(at) for at in range(first, first + 2_500)] for first in (1, 2_501, 5_001)]
            answers = await found.call(swept, found.client, chunks)
            listed = [at for at, (verdict, _) in enumerate(answers, 1) if verdict == pb.QUERY_VERDICT_LISTED]
            assert (len(answers), listed) == (7_500, [1, 7])
            assert [query for _, query in answers] == [1] * 2_500 + [2] * 2_500 + [3] * 2_500
            (first, *_) = await found.call(lambda: list(found.client.sweep(QUESTION, [[ON_IT, NOT_ON_IT]])))
            (other,) = first.others
            assert (other.position, other.answer.subject) == (0, ON_IT)
            (alone,) = (await found.call(found.client.check, QUESTION, ON_IT)).lists[0].entries
            assert other.answer.lists[0].entries[0] == alone
            assert (first.common.subject, first.count) == ("", 2)
            lines = (await found.call(found.client.queries, pb.ListQueriesRequest())).queries
            assert [line.subjects for line in lines] == [2_500, 2_500, 2_500, 2, 1]

    run(scenario())


def test_a_sweep_that_is_refused_in_the_middle_has_answered_what_was_before_and_nothing_of_the_chunk(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            node = found.town.node
            writer = CountingWriter(node.world.store)
            writer.failing = {2: ("DISK_FULL", True)}
            node.querying._writer = writer
            answered = 0

            def ask() -> None:
                nonlocal answered
                for response in found.client.sweep(QUESTION, [[ON_IT] * 10] * 5):
                    answered += response.count

            with pytest.raises(XinqiaoError, match="DISK_FULL"):
                await found.call(ask)
            assert answered == 20
            for question, chunk, code in (
                (pb.QueryQuestion(officer="nobody"), [ON_IT], "QUERY_MATTER"),
                (QUESTION, ["somebody"], "QUERY_SUBJECT"),
                (QUESTION, [ON_IT] * 10_001, "QUERY_BATCH"),
            ):
                with pytest.raises(XinqiaoError, match=code):
                    await found.call(lambda asked, some: list(found.client.sweep(asked, [some])), question, chunk)

    run(scenario())


def test_a_sweep_holds_back_who_asks_faster_than_answers_are_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            read = 0

            def chunks() -> Iterator[list[str]]:
                nonlocal read
                for _ in range(30):
                    read += 1
                    yield [NOT_ON_IT] * 50

            def ask() -> None:
                for number, _ in enumerate(found.client.sweep(QUESTION, chunks())):
                    time.sleep(0.005)
                    assert read <= number + CHUNKS_AHEAD + 2

            await found.call(ask)
            assert read == 30
            # Who stops reading is not asked on.
            read = 0
            answers = found.client.sweep(QUESTION, chunks())
            await found.call(next, answers)
            await found.call(answers.close)
            assert read <= CHUNKS_AHEAD + 2

    run(scenario())


def test_g5_what_was_put_into_words_once_is_put_anew_when_a_list_falls_into_doubt(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as found:
            (before,) = (await found.call(found.client.check, QUESTION, NOT_ON_IT)).lists
            (again,) = (await found.call(found.client.check, QUESTION, NOT_ON_IT)).lists
            assert (before, list(before.doubts)) == (again, [])
            found.town.network.clock.time_ms += LIMIT_S * 1000 + 1
            for subject in (NOT_ON_IT, ON_IT):
                (stale,) = (await found.call(found.client.check, QUESTION, subject)).lists
                assert (list(stale.doubts), stale.verdict) == (["stale"], pb.QUERY_VERDICT_UNCONFIRMED)

    run(scenario())
