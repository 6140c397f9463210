"""Production nodes over the simulated network: real frames, real refusals, hosts that are away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Standing
from node.pb import exchange_service_pb2 as pb
from node.ports import Lane
from node.rpc.refusals import from_rpc_error
from tests.rpc.mtls import all_of, each, make_credentials, outgoing, refusal_of
from tests.simulator.lines import BASE, A, B, Lines, Rogue, failure_of, now, run

# -- the four kinds of calls --------------------------------------------------------------------------


def test_a_hello_takes_the_way_there_and_back_and_both_ways_are_seen() -> None:
    async def scenario(lines: Lines) -> None:
        assert (await lines.peer().hello(lines.hello())).in_step
        assert now() == pytest.approx(0.02)
        asked, answered = lines.crossings
        assert (asked.method, asked.sender, asked.receiver, asked.is_answer) == ("Hello", B, A, False)
        assert (answered.method, answered.sender, answered.receiver, answered.is_answer) == ("Hello", A, B, True)
        assert asked.call == answered.call
        assert asked.is_honest
        assert isinstance(asked.message, pb.HelloRequest)
        assert isinstance(answered.message, pb.HelloResponse)
        sizes = asked.size_bytes + answered.size_bytes
        assert (lines.wire.bytes_between(A, B), lines.wire.messages) == (sizes, 2)

    run(scenario)


def test_a_pull_and_a_push_carry_the_frames_of_the_production_code() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.publish()
        sent = outgoing(lines[A])
        assert await all_of(lines.peer().pull(Lane.BULK, BASE, 0, 0)) == sent
        answers = await all_of(lines.peer(A, B).push(Lane.BULK, each(sent)))
        assert [answer.refusal for answer in answers] == [None, None]
        assert answers[-1].size == 2
        assert answers[-1].receipt is not None
        assert lines.methods.count("Pull<") == lines.methods.count("Push>") == len(sent)
        assert await lines.peer().prove_consistency(BASE, 0, 1, 2)
        assert await lines.peer().put_receipts([answers[-1].receipt]) == []

    run(scenario)


def test_whole_rounds_of_links_bring_everything_over() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.publish(40)
        await lines.publish(5, B)
        await lines.sync(B, A)
        await lines.sync(B, A)
        for node, channel in ((B, BASE), (A, f"{B}/base")):
            held = lines[node].world.store.channel(channel, 0)
            assert held is not None
            assert held.log.size == 2

    run(scenario)


def test_the_registry_port_is_reached_without_a_certificate() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.relist(B, standing=Standing.SUSPENDED)
        found = await lines.peer().explain(B)
        assert found.refusal.code == "MEMBER_SUSPENDED"

    run(scenario)


# -- refusals -----------------------------------------------------------------------------------------


def test_a_refusal_keeps_its_code_and_its_parameters() -> None:
    async def scenario(lines: Lines) -> None:
        wrong = pb.HelloRequest(network="other:0123456789abcdef")
        error = await refusal_of(lines.peer().hello(wrong))
        assert (error.code, error.parameters["found"]) == ("HELLO_NETWORK", "other:0123456789abcdef")
        await lines.publish(audience=A)
        error = await refusal_of(all_of(lines.peer().pull(Lane.BULK, BASE, 0, 0)))
        assert error.code == "AUDIENCE"
        failure = await failure_of(lines.stub().Hello(wrong))
        assert failure.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert from_rpc_error(failure, peer=A, address="-").code == "HELLO_NETWORK"

    run(scenario)


def test_a_caller_that_is_suspended_is_refused_by_the_production_code() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.relist(B, standing=Standing.SUSPENDED)
        assert (await refusal_of(lines.peer().hello(lines.hello()))).code == "MEMBER_SUSPENDED"

    run(scenario)


def test_a_node_that_shows_another_certificate_than_listed_is_not_spoken_to() -> None:
    async def scenario(lines: Lines) -> None:
        lines.hosts[A].certificate = make_credentials(A).certificate
        assert (await refusal_of(lines.peer().hello(lines.hello()))).code == "WIRE_REFUSED"
        assert [crossing.method for crossing in lines.crossings] == ["Hello"]

    run(scenario)


def test_a_refusal_ends_a_push_whose_sender_goes_on_and_keeps_the_answers_before_it() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.publish()
        first = outgoing(lines[A])[0]
        sent = 0

        async def entries() -> AsyncIterator[Any]:
            nonlocal sent
            while True:
                sent += 1
                yield first
                await asyncio.sleep(1)
                await lines.relist(A, standing=Standing.SUSPENDED)

        found = []

        async def push() -> None:
            async for answer in lines.peer(A, B).push(Lane.BULK, entries()):
                found.append(answer)  # noqa: PERF401 - it ends with an error, and what came before it counts

        assert (await refusal_of(push())).code == "MEMBER_SUSPENDED"
        assert [answer.size for answer in found] == [1]
        assert sent <= 3

    run(scenario)


def test_what_a_servicer_raises_reaches_the_caller_as_unknown() -> None:
    async def fail(_: Any, __: Any) -> None:
        raise ValueError("out of order")

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=fail)
        error = await failure_of(lines.stub().Hello(lines.hello()))
        assert error.code() is grpc.StatusCode.UNKNOWN
        assert "out of order" in (error.details() or "")
        assert (await refusal_of(lines.peer().hello(lines.hello()))).code == "PEER_FAILED"

    run(scenario)


# -- who does not answer ------------------------------------------------------------------------------


def test_a_host_that_is_down_refuses_and_is_reached_again_when_it_is_back() -> None:
    async def scenario(lines: Lines) -> None:
        lines.kill(A)
        error = await failure_of(lines.stub().Hello(lines.hello(), timeout=30))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert now() == pytest.approx(0.02)
        calling = asyncio.create_task(lines.peer().hello(lines.hello()))
        await asyncio.sleep(0.5)
        lines.start(A)
        assert (await calling).in_step

    run(scenario)


def test_a_partition_swallows_what_is_sent_and_the_deadline_ends_the_call() -> None:
    async def scenario(lines: Lines) -> None:
        token = lines.wire.cut([B], [A])
        began = now()
        assert (await refusal_of(lines.peer().hello(lines.hello()))).code == "WIRE_UNREACHABLE"
        assert now() - began == pytest.approx(DEFAULT_LIMITS.call_deadline_s)
        assert lines.methods == ["Hello>"]
        lines.wire.heal(token)
        assert (await lines.peer().hello(lines.hello())).in_step

    run(scenario)


def test_a_partition_of_one_direction_lets_the_effect_happen_and_the_answer_vanish() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.publish()
        lines.wire.cut([B], [A])
        pushed = all_of(lines.peer(A, B).push(Lane.BULK, each(outgoing(lines[A]))))
        assert (await refusal_of(pushed)).code == "WIRE_IDLE"
        held = lines[B].world.store.channel(BASE, 0)
        assert held is not None
        assert held.log.size == 2

    run(scenario)


def test_a_stream_that_lost_a_message_never_goes_on_after_the_gap() -> None:
    async def scenario(lines: Lines) -> None:
        call = lines.stub().Push()
        found = []

        async def collect(_: Any, context: Any) -> None:
            while (request := await context.read()) is not grpc.aio.EOF:
                found.append(request.frame.data)

        lines.hosts[A].exchange = Rogue(Push=collect)
        for number in range(4):
            token = lines.wire.cut([B], [A]) if number == 1 else 0
            request = pb.PushRequest(frame=pb.EntryFrame(data=bytes([number])))
            await call.send_serialized_message(request.SerializeToString())
            await asyncio.sleep(1)
            lines.wire.heal(token)
        assert found == [b"\0"]
        call.cancel()
        lines.kill(A)

    run(scenario)
