"""The client against servers that keep no rule: every answer is held to what was asked, within time and size."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.pb import exchange_service_pb2 as pb
from node.pb import exchange_service_pb2_grpc
from node.ports import Lane, PushAnswer
from node.rpc import tls
from node.rpc.framing import frames
from tests.rpc.mtls import BASE, LOOPBACK, MtlsNetwork, all_of, each, hello, outgoing, publish, refusal_of, run

Answer = Callable[[Any, Any], Awaitable[None]]
QUICK = replace(DEFAULT_LIMITS, stream_idle_deadline_s=0.6, call_deadline_s=0.4)


class Rogue(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """Answers every call in one way."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def Hello(self, request: Any, context: Any) -> pb.HelloResponse:  # noqa: N802 - named by the protocol
        await self._answer(request, context)
        return pb.HelloResponse()

    async def Pull(self, request: Any, context: Any) -> None:  # noqa: N802
        await self._answer(request, context)

    async def Push(self, request: Any, context: Any) -> None:  # noqa: N802
        await self._answer(request, context)


@asynccontextmanager
async def against(answer: Answer) -> AsyncIterator[MtlsNetwork]:
    """A node 310115 whose peer 310000 answers as it likes."""
    network = MtlsNetwork("310000", "310115", limits=QUICK)
    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(Rogue(answer), server)
    credentials = tls.server_credentials(
        lambda: network.identity("310000"), lambda: tls.member_roots(network["310000"].membership.members)
    )
    network.endpoints["310000"] = f"{LOOPBACK}:{server.add_secure_port(f'{LOOPBACK}:0', credentials)}"
    await server.start()
    try:
        yield network
    finally:
        await network.close()
        await server.stop(0)


def stream_of(*found: pb.EntryFrame) -> Answer:
    async def answer(_: Any, context: Any) -> None:
        for frame in found:
            await context.write(pb.PullResponse(frame=frame))

    return answer


def entries() -> list[SignedEntry]:
    """The two entries of a channel of 310000."""

    async def made() -> list[SignedEntry]:
        return outgoing(await publish(MtlsNetwork("310000")))

    return asyncio.run(made())


def pulled(answer: Answer, start: int = 0, end: int | None = None) -> XinqiaoError:
    """What a pull is refused with."""
    errors: list[XinqiaoError] = []

    async def scenario() -> None:
        async with against(answer) as network:
            stream = network.peer("310115", "310000").pull(Lane.BULK, BASE, 0, start, end)
            errors.append(await refusal_of(all_of(stream)))
            assert network.peers["310115"].calls == 0

    run(scenario())
    return errors[0]


def test_a_pull_gives_only_what_was_asked_for_and_in_order() -> None:
    first, second = entries()
    for sent, start, end, found in (
        ([second], 0, None, "0/1 arrives where 310000/base 0/0 is due"),
        ([first, first], 0, None, "0/0 arrives where 310000/base 0/1 is due"),
        ([first, second], 0, 1, "0/1 arrives where 310000/base 0/1 is due"),
        ([replace(first, channel="310000/other")], 0, None, "310000/other 0/0 arrives"),
        ([replace(first, epoch=1)], 0, None, "310000/base 1/0 arrives"),
        ([first], 1, None, "0/0 arrives where 310000/base 0/1 is due"),
    ):
        error = pulled(stream_of(*(frame for signed in sent for frame in frames(signed))), start, end)
        assert error.code == "FRAME"
        assert found in error.parameters["detail"]


def test_a_pull_is_held_to_the_limits_of_frames() -> None:
    first = entries()[0]
    whole = list(frames(replace(first, body=bytes(2000))))
    whole[0].start.body_bytes = 1999
    assert pulled(stream_of(*whole)).code == "ENTRY_BODY"
    assert pulled(stream_of(pb.EntryFrame(data=b"x"))).code == "FRAME"
    large = pb.EntryFrame(data=bytes(300_000), start=pb.EntryStart(encoding="BODY_ENCODING_IDENTITY"))
    large.start.encoded_bytes = large.start.body_bytes = 300_000
    assert pulled(stream_of(large)).code == "ENTRY_SIZE"
    large.data = b""
    assert "the stream ends after 0 of 300000" in pulled(stream_of(large)).parameters["detail"]
    oversized = pb.EntryFrame(data=bytes(DEFAULT_LIMITS.max_message_bytes + 1))
    assert pulled(stream_of(oversized)).parameters["status"] == "RESOURCE_EXHAUSTED"


async def silence(_: Any, __: Any) -> None:
    await asyncio.sleep(60)


def test_a_pull_on_which_nothing_moves_is_given_up() -> None:
    assert pulled(silence).code == "WIRE_IDLE"


def test_a_call_that_is_not_answered_is_given_up_after_one_deadline() -> None:
    async def scenario() -> None:
        async with against(silence) as network:
            begun = asyncio.get_running_loop().time()
            error = await refusal_of(network.peer("310115", "310000").hello(hello(network)))
            assert error.code == "WIRE_UNREACHABLE"
            assert asyncio.get_running_loop().time() - begun < 2

    run(scenario())


def test_a_push_on_which_nothing_moves_is_given_up_but_not_while_entries_go_out() -> None:
    signed = entries()[0]
    sent: list[int] = []

    async def slowly() -> AsyncIterator[SignedEntry]:
        for number in range(6):
            await asyncio.sleep(0.2)
            sent.append(number)
            yield signed

    async def scenario() -> None:
        async with against(silence) as network:
            error = await refusal_of(all_of(network.peer("310115", "310000").push(Lane.BULK, slowly())))
            assert (error.code, len(sent)) == ("WIRE_IDLE", 6)

    run(scenario())


def test_more_answers_than_entries_are_refused() -> None:
    async def answer(_: Any, context: Any) -> None:
        await context.read()
        for _number in range(3):
            await context.write(pb.PushResponse(channel=BASE, size=1))

    signed = entries()[0]

    async def scenario() -> None:
        async with against(answer) as network:
            error = await refusal_of(all_of(network.peer("310115", "310000").push(Lane.BULK, each([signed]))))
            assert (error.code, error.parameters["detail"]) == ("FRAME", "more answers arrive than entries were sent")

    run(scenario())


async def _collect(stream: AsyncIterator[PushAnswer], answers: list[PushAnswer]) -> str:
    """Gather the answers; what the stream was ended with, nothing when it just ended."""
    try:
        while True:
            answers.append(await anext(stream))
    except StopAsyncIteration:
        return ""
    except XinqiaoError as error:
        return error.parameters["detail"]


@pytest.mark.parametrize("ends_with", ["status", "nothing"])
def test_a_push_that_the_peer_ends_while_entries_go_out_keeps_what_it_said(ends_with: str) -> None:
    signed = entries()[0]

    async def answer(_: Any, context: Any) -> None:
        for _number in range(20):
            await context.read()
            await context.write(pb.PushResponse(channel=BASE, size=1))
        if ends_with == "status":
            await context.abort(grpc.StatusCode.DATA_LOSS, "said on purpose")

    async def scenario() -> None:
        async with against(answer) as network:
            for _ in range(20):
                answers: list[PushAnswer] = []
                push = network.peer("310115", "310000").push(Lane.BULK, each([signed] * 200))
                said = await _collect(push, answers)
                assert (len(answers), said) == (20, "said on purpose" if ends_with == "status" else "")

    run(scenario())


def test_a_compressed_answer_is_refused_before_it_is_unpacked() -> None:
    async def answer(_: Any, context: Any) -> None:
        context.set_compression(grpc.Compression.Gzip)
        await context.write(pb.PullResponse(frame=pb.EntryFrame(data=bytes(900_000))))

    assert "'gzip' is disabled" in pulled(answer).parameters["detail"]
