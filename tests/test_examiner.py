"""The examiner's process answers what core.examination finds, and whoever asks it goes on when it ends."""

import asyncio
import os
import pickle
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node import examiner as examiners
from node.core.examination import examine
from node.core.limits import DEFAULT_LIMITS
from node.core.packing import PackedBytes, pack, unpack
from node.core.state import Standard
from node.examiner import ProcessExaminer
from node.side_process import read_plain
from tests.core.test_examination import entry, records


def asked(scenario: Callable[[ProcessExaminer], Awaitable[None]]) -> None:
    async def run() -> None:
        examiner = ProcessExaminer(DEFAULT_LIMITS)
        try:
            await scenario(examiner)
        finally:
            await examiner.close()

    asyncio.run(run())


def process_of(examiner: ProcessExaminer) -> int:
    process = examiner._process
    assert process is not None
    return process.pid


def test_it_answers_in_order_what_an_examination_finds() -> None:
    entries = [entry(records(30, seed)) for seed in range(4)]
    expected = [examine(header.SerializeToString(), body.serialized, by) for header, body, by in entries]

    async def scenario(examiner: ProcessExaminer) -> None:
        asking = [examiner.examine(header.SerializeToString(), body.serialized, by) for header, body, by in entries]
        assert list(await asyncio.gather(*asking)) == expected
        header, body, by = entries[0]
        assert await examiner.examine(b"\xff", body.serialized, by) is None
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) == expected[0]

    assert all(each is not None for each in expected)
    asked(scenario)


def test_it_is_sent_the_frame_that_a_body_came_in() -> None:
    header, body, by = entry(records(30, 5))
    packed = unpack(pack(body.serialized))
    assert isinstance(packed, PackedBytes)

    async def scenario(examiner: ProcessExaminer) -> None:
        found = await examiner.examine(header.SerializeToString(), packed, by)
        assert found == examine(header.SerializeToString(), body.serialized, by) is not None
        assert found == examine(header.SerializeToString(), packed, by)
        assert len(examiner._request(header.SerializeToString(), packed, by)) < len(body.serialized) // 2

    asked(scenario)


def test_an_answer_that_is_not_waited_for_any_more_is_not_given_to_the_next_one() -> None:
    one, other = entry(records(40, 1)), entry(records(40, 2))

    async def scenario(examiner: ProcessExaminer) -> None:
        first = asyncio.ensure_future(examiner.examine(one[0].SerializeToString(), one[1].serialized, one[2]))
        await asyncio.wait([first], timeout=0.05)
        first.cancel()
        found = await examiner.examine(other[0].SerializeToString(), other[1].serialized, other[2])
        assert found == examine(other[0].SerializeToString(), other[1].serialized, other[2])

    asked(scenario)


def test_a_process_that_is_killed_answers_nothing_and_another_one_takes_its_place() -> None:
    header, body, by = entry(records(20))

    async def scenario(examiner: ProcessExaminer) -> None:
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None
        killed = process_of(examiner)
        os.kill(killed, signal.SIGSTOP)
        waiting = asyncio.ensure_future(examiner.examine(header.SerializeToString(), body.serialized, by))
        await asyncio.sleep(0.05)
        os.kill(killed, signal.SIGKILL)
        assert await asyncio.wait_for(waiting, 10) is None
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None
        assert process_of(examiner) != killed

    asked(scenario)


def test_signals_meant_for_the_node_do_not_end_it_and_the_end_of_the_node_does() -> None:
    header, body, by = entry(records(20))
    pids: list[int] = []

    async def scenario(examiner: ProcessExaminer) -> None:
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None
        pids.append(process_of(examiner))
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pids[0], number)
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None
        assert process_of(examiner) == pids[0]

    asked(scenario)
    assert not Path(f"/proc/{pids[0]}").exists()


def test_a_process_that_does_not_notice_the_end_of_its_node_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examiners, "ENDS_WITHIN_S", 0.1)
    header, body, by = entry(records(5))
    pids: list[int] = []

    async def scenario(examiner: ProcessExaminer) -> None:
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None
        pids.append(process_of(examiner))
        os.kill(pids[0], signal.SIGSTOP)

    asked(scenario)
    assert not Path(f"/proc/{pids[0]}").exists()


def test_a_process_that_has_been_told_of_many_standards_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examiners, "STANDARDS_KNOWN", 3)
    header, body, by = entry(records(5))

    async def scenario(examiner: ProcessExaminer) -> None:
        seen = set()
        for day in range(1, 8):
            standard = Standard(by.item, by.disclosure, f"2026-03-{day:02d}", by.rules, by.division)
            assert await examiner.examine(header.SerializeToString(), body.serialized, standard) is not None
            seen.add(process_of(examiner))
        assert 2 <= len(seen) <= 4

    asked(scenario)


def test_it_is_told_nothing_that_was_told_to_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", "not for everybody")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "where-secrets-lie")
    header, body, by = entry(records(5))

    async def scenario(examiner: ProcessExaminer) -> None:
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None
        process = Path(f"/proc/{process_of(examiner)}")
        told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        assert b"not for everybody" not in told
        assert b"where-secrets-lie" not in told
        opened = {each.name: str(each.readlink()) for each in (process / "fd").iterdir()}
        assert not [where for number, where in opened.items() if int(number) > 2 and where.startswith("/")], opened

    asked(scenario)


class Reaching:
    """What an answer must not bring along."""

    def __reduce__(self) -> tuple[Callable[..., float], tuple[()]]:
        return time.time, ()


def test_an_answer_is_read_as_plain_values_only() -> None:
    plain = (b"1", (2,), [3], "四", {5: "6"}, None)
    assert read_plain(pickle.dumps(plain)) == plain
    with pytest.raises(pickle.UnpicklingError):
        read_plain(pickle.dumps(Reaching()))


@pytest.mark.parametrize(
    "said", [pickle.dumps(print), b"no pickle", b"", pickle.dumps("x" * 50)[:-9], pickle.dumps(("one", "too many")) * 2]
)
def test_what_is_no_answer_is_none_and_ends_the_reading(said: bytes) -> None:
    async def scenario(examiner: ProcessExaminer) -> None:
        reader = asyncio.StreamReader()
        for _ in range(2):
            reader.feed_data(len(said).to_bytes(4, "big") + said)
        reader.feed_eof()
        waiting: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        examiner._waiting.append(waiting)  # type: ignore[arg-type]
        await asyncio.wait_for(examiner._read(reader), 5)
        assert waiting.done()
        assert not examiner._waiting
        header, body, by = entry(records(20))
        assert await examiner.examine(header.SerializeToString(), body.serialized, by) is not None

    asked(scenario)
