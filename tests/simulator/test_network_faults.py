"""Connections that break, calls that are late, nodes that lie: what the simulated network does to calls."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from node.pb import exchange_service_pb2 as pb
from node.pb.exchange_service_pb2_grpc import ExchangeServiceStub
from node.ports import Lane
from node.rpc.writing import finish, write
from node.simulator.observing import Crossing
from node.simulator.scenario import LinkOptions
from tests.rpc.mtls import all_of, each, outgoing, refusal_of
from tests.simulator.lines import BASE, CALM, A, B, Host, Lines, Rogue, failure_of, now, run

# -- connections that break ---------------------------------------------------------------------------


def test_a_reset_in_mid_stream_ends_every_call_of_its_connection_at_both_ends() -> None:
    given_up: list[str] = []

    async def hang(_: Any, context: Any) -> Any:
        try:
            await context.write(pb.PullResponse(frame=pb.EntryFrame(data=b"x")))
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            given_up.append("pull")
            raise

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Pull=hang)
        channel = lines.wire.open_channel(lines.hosts[B], A, Lane.BULK)
        stub: Any = ExchangeServiceStub(channel)
        other: Any = ExchangeServiceStub(lines.wire.open_channel(lines.hosts[B], A, Lane.CONTROL))
        one, two, apart = stub.Pull(pb.PullRequest()), stub.Pull(pb.PullRequest()), other.Pull(pb.PullRequest())
        for call in (one, two, apart):
            assert (await call.read()).frame.data == b"x"
        channel.reset()  # type: ignore[attr-defined]
        for call in (one, two):
            assert (await failure_of(call.read())).code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.sleep(1)
        assert given_up == ["pull", "pull"]
        assert not apart.done()
        apart.cancel()

    run(scenario)


def test_resets_at_every_message_never_let_a_link_through_and_quiet_ends_them() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.publish()
        error = await refusal_of(all_of(lines.peer().pull(Lane.BULK, BASE, 0, 0)))
        assert error.code == "WIRE_UNREACHABLE"
        lines.wire.quiet = True
        assert len(await all_of(lines.peer().pull(Lane.BULK, BASE, 0, 0))) == 2

    run(scenario, CALM.model_copy(update={"reset": 1.0}))


def test_a_lost_answer_has_its_effect() -> None:
    async def scenario(lines: Lines) -> None:
        await lines.publish()
        assert lines.notes("loses answer") == 0
        pushed = all_of(lines.peer(A, B).push(Lane.BULK, each(outgoing(lines[A]))))
        assert (await refusal_of(pushed)).code == "WIRE_UNREACHABLE"
        held = lines[B].world.store.channel(BASE, 0)
        assert held is not None
        assert held.log.size == 2
        error = await failure_of(lines.stub().Hello(lines.hello(), timeout=30))
        assert error.code() is grpc.StatusCode.UNAVAILABLE

    run(scenario, CALM.model_copy(update={"lost_answer": 1.0}))


def test_a_duplicated_call_has_its_effects_twice_and_is_answered_once() -> None:
    calls: Counter[str] = Counter()

    async def scenario(lines: Lines) -> None:
        await lines.publish()
        sent = outgoing(lines[A])
        inner = lines.hosts[B].exchange

        class Counting:
            Hello = inner.Hello

            async def Push(self, request: Any, context: Any) -> None:  # noqa: N802
                calls["begun"] += 1
                await inner.Push(request, context)
                calls["ended"] += 1

        lines.hosts[B].exchange = Counting()
        answers = await all_of(lines.peer(A, B).push(Lane.BULK, each(sent)))
        assert answers[-1].size == 2
        await asyncio.sleep(1)
        assert calls == {"begun": 2, "ended": 2}
        assert lines.methods.count("Push<") == 2
        held = lines[B].world.store.channel(BASE, 0)
        assert held is not None
        assert held.log.size == 2

    run(scenario, CALM.model_copy(update={"duplicate": 1.0}))


def test_the_caller_learns_that_the_server_died_at_work() -> None:
    async def hang(_: Any, __: Any) -> None:
        await asyncio.sleep(1000)

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=hang)
        calling = asyncio.create_task(failure_of(lines.stub().Hello(lines.hello(), timeout=30)))
        await asyncio.sleep(1)
        lines.kill(A)
        assert (await calling).code() is grpc.StatusCode.UNAVAILABLE
        assert now() == pytest.approx(1.01)

    run(scenario)


def test_a_call_that_breaks_off_late_is_not_made_again_with_what_was_right_when_it_began() -> None:
    made: list[float] = []

    async def scenario(lines: Lines) -> None:
        async def hang(_: Any, __: Any) -> None:
            made.append(now())
            await asyncio.sleep(10)
            lines.wire.detach(lines.hosts[A])

        lines.hosts[A].exchange = Rogue(Hello=hang)
        error = await refusal_of(lines.peer().hello(pb.HelloRequest()))
        assert error.code == "WIRE_UNREACHABLE"
        assert len(made) == 1
        assert now() < made[0] + 11

    run(scenario)


def test_work_for_a_caller_that_dies_is_cancelled() -> None:
    ended: list[float] = []

    async def hang(_: Any, __: Any) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append(now())
            raise

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=hang)
        lines.hosts[B].spawn(lines.peer().hello(lines.hello()))
        await asyncio.sleep(1)
        lines.kill(B)
        await asyncio.sleep(1)
        assert ended == [pytest.approx(1.01)]

    run(scenario)


# -- time ---------------------------------------------------------------------------------------------


def test_a_deadline_ends_the_call_at_both_ends() -> None:
    ended: list[float] = []

    async def hang(_: Any, __: Any) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append(now())
            raise

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=hang)
        error = await failure_of(lines.stub().Hello(lines.hello(), timeout=5))
        assert (error.code(), now()) == (grpc.StatusCode.DEADLINE_EXCEEDED, 5)
        await asyncio.sleep(1)
        assert ended == [pytest.approx(5.01)]

    run(scenario)


def test_a_task_that_is_cancelled_gives_up_its_call() -> None:
    async def hang(_: Any, __: Any) -> None:
        await asyncio.sleep(1000)

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=hang)
        calling = asyncio.create_task(lines.peer().hello(lines.hello()))
        await asyncio.sleep(1)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.sleep(1)
        assert lines.hosts[A].owner.tasks == 0
        assert lines.hosts[B].peers.calls == 0

    run(scenario)


def test_closing_the_peers_ends_what_waits_for_them() -> None:
    async def hang(_: Any, __: Any) -> None:
        await asyncio.sleep(1000)

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=hang, Pull=hang)
        peer = lines.peer()
        waiting = [
            asyncio.create_task(refusal_of(peer.hello(lines.hello()))),
            asyncio.create_task(refusal_of(all_of(peer.pull(Lane.BULK, BASE, 0, 0)))),
        ]
        await asyncio.sleep(1)
        await lines.hosts[B].peers.close()
        assert [error.code for error in await asyncio.gather(*waiting)] == ["DRAINING", "DRAINING"]

    run(scenario)


def test_a_writer_waits_for_a_reader_that_does_not_read() -> None:
    written: list[int] = []

    async def flood(_: Any, context: Any) -> None:
        for number in range(100):
            await context.write(pb.PullResponse(frame=pb.EntryFrame(data=bytes(10_000))))
            written.append(number)

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Pull=flood)
        call = lines.stub().Pull(pb.PullRequest())
        await asyncio.sleep(10)
        assert len(written) == 7
        assert len([message async for message in call]) == 100

    run(scenario)


def test_bandwidth_makes_large_messages_wait_for_each_other_in_their_lane_only() -> None:
    async def flood(_: Any, context: Any) -> None:
        for _ in range(10):
            await context.write(pb.PullResponse(frame=pb.EntryFrame(data=bytes(5_000))))

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Pull=flood, Hello=lines.hosts[A].exchange.Hello)
        flooding = asyncio.create_task(all_of(lines.stub().Pull(pb.PullRequest())))
        await asyncio.sleep(0.5)
        before = now()
        await lines.peer().hello(lines.hello())
        assert now() - before < 0.1
        await flooding
        assert 5 < now() < 6

    run(scenario, CALM.model_copy(update={"bytes_per_s": 10_000}))


def test_slow_nodes_and_stalls_delay_and_lose_nothing() -> None:
    async def slow(lines: Lines) -> None:
        lines.wire.slow(A, 50)
        await lines.peer().hello(lines.hello())
        assert now() == pytest.approx(1.0)
        lines.wire.normal(A)
        await lines.peer().hello(lines.hello())
        assert now() == pytest.approx(1.02)

    run(slow)

    async def stall(lines: Lines) -> None:
        assert (await lines.peer().hello(lines.hello())).in_step
        assert now() == pytest.approx(4.02)

    run(stall, CALM.model_copy(update={"stall": 1.0, "stall_s": (2.0, 2.0)}))


# -- who is reached, and who lies ---------------------------------------------------------------------


def test_a_copy_is_reached_by_those_to_whom_it_is_visible() -> None:
    third = "330100"

    async def scenario(lines: Lines) -> None:
        copy = Host(A, "310000 copy", lines.credentials[A].certificate)
        copy.exchange = Rogue(Hello=answer)
        copy.peers = lines.make_peers(copy)
        lines.wire.attach(copy, frozenset([B]))
        assert (await lines.peer(B, A).hello(lines.hello())).time_unix_ms == 7
        assert (await lines.peer(third, A).hello(lines.hello())).time_unix_ms != 7
        peer = copy.peers.peer(third)
        assert peer is not None
        assert (await peer.hello(lines.hello())).in_step
        told = [(crossing.sender, crossing.is_honest) for crossing in lines.crossings]
        assert told == [(B, True), (A, False), (third, True), (A, True), (A, False), (third, True)]
        lines.wire.detach(copy)
        assert (await lines.peer(B, A).hello(lines.hello())).time_unix_ms != 7
        await copy.peers.close()

    async def answer(_: Any, __: Any) -> pb.HelloResponse:
        return pb.HelloResponse(time_unix_ms=7)

    run(scenario, ids=(A, B, third))


def test_a_liar_changes_or_swallows_what_it_sends() -> None:
    async def scenario(lines: Lines) -> None:
        def alter(crossing: Crossing) -> Message | None:
            if crossing.sender != A:
                return crossing.message
            return pb.HelloResponse(time_unix_ms=7) if crossing.method == "Hello" else None

        await lines.publish()
        lines.wire.alter = alter
        assert (await lines.peer().hello(lines.hello())).time_unix_ms == 7
        assert [crossing.is_honest for crossing in lines.crossings] == [True, False]
        assert (await refusal_of(all_of(lines.peer().pull(Lane.BULK, BASE, 0, 0)))).code == "WIRE_IDLE"
        assert lines.methods == ["Hello>", "Hello<", "Pull>"]

    run(scenario)


# -- the same again -----------------------------------------------------------------------------------

ROUGH = LinkOptions(reset=0.03, stall=0.02, stall_s=(1.0, 40.0), lost_answer=0.1, duplicate=0.2, slow_share=0.1)


async def rough(lines: Lines) -> None:
    """Rounds of links between three nodes over bad lines, and then some over good ones."""
    for node in lines.nodes:
        await lines.publish(20, node)

    async def rounds(caller: str, node: str) -> None:
        for _ in range(6):
            await lines.sync_quietly(caller, node)
            await asyncio.sleep(1)

    pairs = [(caller, node) for caller in lines.nodes for node in lines.nodes if caller != node]
    await asyncio.gather(*(rounds(*pair) for pair in pairs))
    assert all(lines.notes(kind) for kind in ("resets", "stalls", "loses", "arrives", "fails"))
    lines.wire.quiet = True
    for _ in range(3):
        for pair in pairs:
            await lines.sync_quietly(*pair)
    for node in lines.nodes:
        for origin in lines.nodes:
            held = lines[node].world.store.channel(f"{origin}/base", 0)
            assert held is not None
            assert held.log.size == 2


@pytest.mark.parametrize("seed", range(5))
def test_rough_lines_lose_nothing_in_the_end(seed: int) -> None:
    run(rough, ROUGH, seed, (A, B, "330100"))


def test_the_seed_decides_everything_that_travels() -> None:
    async def answer(_: Any, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(pb.PushResponse(size=len(request.frame.data)))

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Push=answer)

        async def talk(number: int) -> None:
            call = lines.stub().Push(timeout=60)
            for size in range(20):
                await write(call, pb.PushRequest(frame=pb.EntryFrame(data=bytes(number + size))))
            await finish(call)
            with suppress(grpc.aio.AioRpcError):
                assert len([message async for message in call]) == 20

        await asyncio.gather(*(talk(number) for number in range(20)))

    digests = [run(scenario, ROUGH, seed) for seed in (1, 2, 1)]
    assert digests[0] == digests[2] != digests[1]


def test_a_call_costs_little_beside_the_work_it_is_for() -> None:
    async def answer(_: Any, __: Any) -> pb.HelloResponse:
        return pb.HelloResponse(in_step=True)

    async def scenario(lines: Lines) -> None:
        lines.hosts[A].exchange = Rogue(Hello=answer)
        peer, request = lines.peer(), lines.hello()
        began = time.process_time()
        for _ in range(1000):
            await peer.hello(request)
        # The goal is 0.3 ms; what is held here leaves room for a slow machine.
        assert (time.process_time() - began) / 1000 < 0.0015

    run(scenario)
