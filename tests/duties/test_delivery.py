"""Delivery: links go on whatever a peer answers, claims, withholds or breaks, and take no more room than the limits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END
from node.links import CALLED_RETRY_S
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2, registry_service_pb2
from node.ports import Lane, LinkState, PushAnswer
from node.rpc.admin_server import AdminServicer, AdminTools
from tests.builders import NOW_MS, make_address, make_heartbeat, make_node
from tests.duties.hostile import (
    BASE,
    OnePeer,
    RunningClock,
    ScriptedPeer,
    assert_sound,
    base_of,
    refused,
    run_of,
    signed_of,
    without_body,
    write_row,
)
from tests.duties.rows import manifest, row
from tests.wire import FakeClock, Network

Scenario = Coroutine[Any, Any, None]
Head = channel_pb2.Head


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


def meeting(node: str = "310115", limits: Any = DEFAULT_LIMITS) -> tuple[Network, Node, ScriptedPeer]:
    """A node all of whose peers are one that answers what a test tells it to."""
    network = Network("310000", "310115", "330100")
    network.limits = limits
    started = network.start(node)
    peer = ScriptedPeer()
    started.delivery._peers = OnePeer(peer)
    return network, started, peer


def claims(*heads: Head) -> exchange_service_pb2.HelloResponse:
    return exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS, heads=heads)


def invented(count: int, start: int = 0, origin: str = "310000") -> list[Head]:
    names = [f"{origin}/x-{number}" for number in range(start, start + count)]
    return [Head(channel=name, epoch=0, size=3, root=b"\x01" * 32) for name in names]


def tables_of(node: Node, peer: str = "330100") -> dict[str, int]:
    """How much a node keeps about a peer."""
    link = node.delivery._links[peer]
    return {
        "known": len(link.known),
        "bulk": len(link.bulk),
        "dirty": len(link.dirty),
        "asked": len(link.asked),
        "refused": len(link.refused),
        "alarms": len(node.answering.alarms()),
        "locks": len(node.receiving._locks),
        "searched": len(node.receiving._searched),
    }


# --- What a peer claims ---------------------------------------------------------------------------------------------


def test_g12_claims_of_invented_logs_fill_nothing_and_leave_one_alarm() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        for round_ in range(5):
            peer.response = claims(*invented(400, round_ * 400))
            await node.delivery.sync_once("330100")
        sizes = tables_of(node)
        assert sizes.pop("alarms") == 1
        # What is known of the peer is what its last Hello said.
        assert sizes.pop("known") == 400
        assert set(sizes.values()) == {0}
        assert node.answering.alarms()[0].code == "HEAD_FALSE"
        assert_sound(node)

    run(scenario())


ABSURD = [
    Head(channel="310000/a", size=NUMBERS_END, root=b"\x01" * 32),
    Head(channel="310000/a", epoch=(1 << 64) - 1, size=1, root=b"\x01" * 32),
    Head(channel="310000/a", epoch=1, size=1, root=b"\x01" * 32),
    Head(channel="310000/a", size=1, root=b"short"),
    Head(channel="310000/" + "a" * 5000, size=1, root=b"\x01" * 32),
    Head(channel="999999/a", size=1, root=b"\x01" * 32),
    Head(channel="", size=1, root=b"\x01" * 32),
    Head(channel="../../etc/passwd", size=1, root=b"\x01" * 32),
    Head(),
]


def test_claims_that_cannot_be_are_not_even_asked_for() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        peer.response = claims(*ABSURD)
        await node.delivery.sync_once("330100")
        assert [call for call in peer.calls if call.startswith("pull")] == []
        assert node.answering.alarms() == []

    run(scenario())


def test_a_peer_that_always_claims_more_than_it_gives_costs_one_question_a_hello() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        await node.receive(run_of(base_of(network)))
        peer.response = claims(Head(channel=BASE, size=9, root=b"\x09" * 32))
        for _ in range(5):
            await node.delivery.sync_once("330100")
        assert [call for call in peer.calls if call.startswith("pull")] == [f"pull {BASE} 0/4"] * 5
        (alarm,) = node.answering.alarms()
        assert (alarm.code, alarm.subject, alarm.count) == ("HEAD_FALSE", f"{BASE} 0 from 330100", 5)

    run(scenario())


def test_a_false_root_is_asked_about_and_accuses_nobody() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        await node.receive(run_of(writer))
        peer.response = claims(Head(channel=BASE, size=3, root=b"\x09" * 32))
        peer.entries = run_of(writer, 2, 3)
        await node.delivery.sync_once("330100")
        assert f"pull {BASE} 0/2" in peer.calls
        held = node.answering.channel(BASE)
        assert (held.log.size, held.log.quarantined, node.answering.alarms()) == (4, False, [])

    run(scenario())


def test_a_peer_that_gives_other_entries_than_asked_is_refused_and_the_rest_goes_on() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer, other = base_of(network), base_of(network, "330100")
        peer.response = claims(
            Head(channel=BASE, size=4, root=writer.log.root), Head(channel="330100/base", size=4, root=other.log.root)
        )
        peer.entries = run_of(other)
        await node.delivery.sync_once("330100")
        assert [held.log.channel for held in node.world.store.channels()] == ["330100/base"]
        peer.entries = [*run_of(other), *run_of(writer)]
        await node.delivery.sync_once("330100")
        assert [alarm.code for alarm in node.answering.alarms()] == ["FRAME"]
        assert_sound(node)

    run(scenario())


# --- Hello ------------------------------------------------------------------------------------------------------------


def test_a_hello_full_of_nonsense_is_answered_and_counted() -> None:
    async def scenario() -> None:
        network, node, _ = meeting()
        bad_beat = channel_pb2.HeartbeatView(heartbeat=envelope_pb2.Envelope(payload=b"\xff"))
        good = make_heartbeat(network.signing["310000"], {("310000/a", 0): HeadAt(1, b"\x01" * 32)}, NOW_MS).view
        _, address = make_address(network.signing["330100"], 5)
        request = exchange_service_pb2.HelloRequest(
            network=node.membership.network,
            time_unix_ms=NOW_MS,
            shared_digest=b"?",
            heartbeats=[bad_beat, good, channel_pb2.HeartbeatView()],
            addresses=[envelope_pb2.Envelope(), address],
            equivocations=[channel_pb2.Equivocation()],
            cursor=exchange_service_pb2.Cursor(
                incarnation=node.world.store.incarnation(),
                heartbeats=(1 << 64) - 1,
                addresses=(1 << 64) - 1,
                receipts=(1 << 64) - 1,
                equivocations=(1 << 64) - 1,
            ),
        )
        await node.hello("330100", request)
        assert node.world.store.heartbeat("310000") is not None
        assert node.world.store.address("330100") is not None
        assert node.delivery.refused_news == 4

    run(scenario())


def test_g12_of_vectors_longer_than_the_limits_the_rest_is_passed_over() -> None:
    async def scenario() -> None:
        limits = replace(
            DEFAULT_LIMITS, max_heartbeats_per_hello=1, max_addresses_per_hello=1, max_equivocations_per_hello=1
        )
        network, node, _ = meeting(limits=limits)
        beats = [make_heartbeat(network.signing[each], {}, NOW_MS).view for each in ("310000", "330100")]
        addresses = [make_address(network.signing[each], 1)[1] for each in ("310000", "330100")]
        await node.hello(
            "330100",
            exchange_service_pb2.HelloRequest(
                network=node.membership.network,
                time_unix_ms=NOW_MS,
                heartbeats=beats,
                addresses=addresses,
                equivocations=[channel_pb2.Equivocation()] * 50,
            ),
        )
        store = node.world.store
        assert (len(store.heartbeats_since(0)), len(store.addresses_since(0))) == (1, 1)
        assert node.delivery.refused_news == 1

    run(scenario())


@pytest.mark.parametrize("time_ms", [0, 1, -(1 << 63), (1 << 63) - 1, NOW_MS + 300_001, NOW_MS - 300_001])
def test_a_clock_that_is_off_is_refused_on_both_sides_and_breaks_nothing(time_ms: int) -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        request = exchange_service_pb2.HelloRequest(network=node.membership.network, time_unix_ms=time_ms)
        assert await refused(node.hello("330100", request)) == "CLOCK_SKEW"
        peer.response = exchange_service_pb2.HelloResponse(time_unix_ms=time_ms)
        assert await refused(node.delivery.sync_once("330100")) == "CLOCK_SKEW"
        assert abs(node.world.store.link("330100").clock_skew_ms) <= 1 << 62
        wrong = exchange_service_pb2.HelloRequest(network="other" * 100, time_unix_ms=NOW_MS)
        assert await refused(node.hello("330100", wrong)) == "HELLO_NETWORK"
        assert network.nodes["310115"] is node

    run(scenario())


# --- What a peer says -------------------------------------------------------------------------------------------------


async def pushed(node: Node, peer: ScriptedPeer, refusal: envelope_pb2.Refusal) -> str:
    """What becomes of a push that the peer refuses; each time it has started anew, and may refuse no more."""
    peer.response = claims()
    peer.response.cursor.incarnation = f"start {len(peer.calls)}"
    peer.answers = [PushAnswer(BASE, 0, 0, refusal, None)]
    return await refused(node.delivery.sync_once("330100"))


def test_what_a_peer_refuses_is_shown_as_its_word_and_never_as_ours() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        await node.receive(run_of(base_of(network)))
        accusing = to_refusal(XinqiaoError("EQUIVOCATION", origin="310000", channel=BASE, epoch=0, index=1))
        assert await pushed(node, peer, accusing) == ""
        (alarm,) = node.answering.alarms()
        assert (alarm.code, alarm.parameters["peer"]) == ("PEER_REFUSED", "330100")
        assert "310000 signed two histories" in alarm.parameters["said"]
        assert_sound(node)
        # The peer's full disk is not ours.
        full = to_refusal(XinqiaoError("DISK_FULL", home="/their/home"))
        assert await pushed(node, peer, full) == "PEER_FAILED"
        for code in ("DRAINING", "RATE_LIMITED", "MEMBER_SUSPENDED", "CLOCK_SKEW"):
            assert await pushed(node, peer, envelope_pb2.Refusal(code=code, parameters=everything())) == code
        assert len(node.answering.alarms()) == 1
        # A reader that will fetch it together with a proof has no reason to complain.
        assert await pushed(node, peer, envelope_pb2.Refusal(code="ENTRY_UNCONFIRMED")) == ""
        assert len(node.answering.alarms()) == 1

    def everything() -> dict[str, str]:
        names = ("what", "retry_s", "node", "peer", "reason", "skew_s", "limit_s")
        return dict.fromkeys(names, "1")

    run(scenario())


def test_no_refusal_of_a_peer_breaks_the_status_of_this_node() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        names = {"code": "x", "self": "y", "{0}": "z", "retry_s": "1" * 100_000}
        peer.failure = from_refusal(envelope_pb2.Refusal(code="RATE_LIMITED", parameters=names))
        servicer = AdminServicer(node, AdminTools(*[None] * 9))  # type: ignore[arg-type]
        async with running(node):
            await eventually(lambda: bool(node.world.store.link("330100").failure))
            delivery = next(duty for duty in servicer.duties() if duty.name == "delivery")
        assert delivery.reason.code == "RATE_LIMITED"
        assert len(node.world.store.link("330100").failure) < 20_000

    run(scenario())


def test_g12_a_storm_of_refusals_keeps_alarms_within_their_limit_and_those_that_matter_stay() -> None:
    async def scenario() -> None:
        network, node, peer = meeting(limits=replace(DEFAULT_LIMITS, max_alarms_kept=5))
        one, other = base_of(network, rows=0), base_of(network, rows=0)
        write_row(one, 1)
        write_row(other, 2)
        await node.receive(run_of(one))
        assert await refused(node.receive([signed_of(other, 1)])) == "EQUIVOCATION"
        for number in range(40):
            peer.response = claims(
                *invented(20, number * 20, "330100")
            )  # an origin with two histories is asked for nothing
            peer.pull_failure = from_refusal(envelope_pb2.Refusal(code=f"MADE_UP_{number}"))
            await node.delivery.sync_once("330100")
        codes = {alarm.code for alarm in node.answering.alarms()}
        assert codes == {"EQUIVOCATION", "PEER_REFUSED"}

    run(scenario())


def test_a_pull_that_breaks_off_keeps_what_came_before() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        peer.response = claims(Head(channel=BASE, size=4, root=writer.log.root))
        await node.receive(run_of(writer, 0, 1))
        peer.entries = run_of(writer, 1, 3)
        peer.pull_failure = XinqiaoError("WIRE_IDLE", limit_s=60)
        assert await refused(node.delivery.sync_once("330100")) == "WIRE_IDLE"
        assert node.answering.channel(BASE).log.size == 3
        peer.entries, peer.pull_failure = [signed_of(writer, 3)], None
        await node.delivery.sync_once("330100")
        assert node.answering.channel(BASE).log.size == 4

    run(scenario())


def test_a_disk_that_is_full_here_is_no_refusal_of_the_peer() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        peer.response = claims(Head(channel=BASE, size=4, root=writer.log.root))
        peer.entries = run_of(writer)
        inner = node.receiving._writer

        class Full:
            async def run(self, _lane: Lane, _step: Any) -> Any:
                raise XinqiaoError("DISK_FULL", home="here")

        node.receiving._writer = Full()
        assert await refused(node.delivery.sync_once("330100")) == "DISK_FULL"
        node.receiving._writer = inner
        await node.delivery.sync_once("330100")
        assert node.answering.channel(BASE).log.size == 4

    run(scenario())


def test_withheld_bodies_are_asked_for_again_after_a_while_and_not_with_every_hello() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        await node.receive([without_body(each) for each in run_of(writer)])
        peer.response = exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS, in_step=True)
        peer.entries = [without_body(each) for each in run_of(writer, 1)]
        for _ in range(5):
            await node.delivery.sync_once("330100")
        assert len([call for call in peer.calls if call.startswith("pull")]) == 1
        network.clock.time_ms += 600_000
        peer.response.time_unix_ms = network.clock.time_ms
        peer.entries = run_of(writer, 1)
        await node.delivery.sync_once("330100")
        held = node.answering.channel(BASE)
        assert (held.applied_size, held.incomplete_bodies) == (4, 0)
        await node.delivery.sync_once("330100")
        assert tables_of(node)["asked"] == 0

    run(scenario())


def test_a_closed_handshake_is_explained_by_the_peers_registry_port() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        peer.failure = XinqiaoError("WIRE_REFUSED", peer="330100", detail="socket closed")
        refusal = to_refusal(XinqiaoError("MEMBER_SUSPENDED", node="310115", reason="测试"))
        peer.explanation = registry_service_pb2.ExplainResponse(refusal=refusal, registry=node.membership.versions)
        await one_turn(node, "330100")
        state = node.world.store.link("330100")
        assert envelope_pb2.Refusal.FromString(state.failure).code == "MEMBER_SUSPENDED"

    run(scenario())


# --- Links that run -----------------------------------------------------------------------------------------------


async def one_turn(node: Node, peer: str, until: Callable[[], bool] | None = None) -> None:
    """Let a link run until it has noted something."""
    before = node.world.store.link(peer)
    async with running(node):
        await eventually(until or (lambda: node.world.store.link(peer) != before))


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """Nodes whose links run; afterwards nothing of them is left."""
    before = asyncio.all_tasks()
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results
        assert asyncio.all_tasks() == before
        assert all(node.delivery.linked == () for node in nodes)


async def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is the state of a store, which has no events
            await asyncio.sleep(0.005)


def live(*ids: str, interval_s: float = 0.05, cap_s: float = 60.0, ahead_ms: dict[str, int] | None = None) -> Network:
    """A network whose clock runs."""
    network = Network(*ids)
    network.settings = {"heartbeat_interval_s": interval_s, "retry_cap_s": cap_s}
    for id_ in ids:
        network.clock = RunningClock((ahead_ms or {}).get(id_, 0))
        network.start(id_)
    return network


def size_at(node: Node, channel: str = BASE) -> int:
    held = node.world.store.channel(channel)
    return held.log.size if held is not None else 0


def all_hold(network: Network, size: int) -> bool:
    return all(size_at(node) == size for node in network.nodes.values())


def test_what_is_appended_is_pushed_at_once_to_every_reader() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", "330100", interval_s=600.0)
        origin = network["310000"]
        async with running(*network.nodes.values()):
            await origin.publishing.create_channel("base", manifest())
            for serial in range(1, 6):
                await origin.publishing.publish(BASE, [row(serial)])
                await eventually(partial(all_hold, network, serial + 1))
            await eventually(
                lambda: all(item is not None for _, item in origin.answering.deliveries(origin.answering.channel(BASE)))
            )
        for node in network.nodes.values():
            assert_sound(node)
            assert node.answering.alarms() == []

    run(scenario())


def test_a_peer_that_comes_back_catches_up_by_itself() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", cap_s=0.2)
        network.down.add("310115")
        origin = network["310000"]
        async with running(*network.nodes.values()):
            await origin.publishing.create_channel("base", manifest())
            await origin.publishing.publish(BASE, [row(1)])
            await eventually(lambda: origin.world.store.link("310115").failures >= 2)
            network.down.clear()
            await eventually(lambda: size_at(network["310115"]) == 2)
            await eventually(lambda: origin.world.store.link("310115").failures == 0)

    run(scenario())


def test_a_busy_peer_is_not_counted_as_down_and_its_calls_do_not_hurry_us() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        peer.failure = XinqiaoError("RATE_LIMITED", what="x", retry_s=1)
        await one_turn(node, "330100")
        state = node.world.store.link("330100")
        assert (state.failures, state.retry_at_ms > 0) == (0, True)
        with node.world.store.transaction() as tx:
            tx.put_link(replace(state, retry_at_ms=NOW_MS + 600_000))
        await node.delivery.peer_called("330100")
        assert node.world.store.link("330100").retry_at_ms == NOW_MS + 600_000

    run(scenario())


def test_a_call_that_was_answered_shortens_the_pause_and_one_that_was_refused_does_not() -> None:
    async def scenario() -> None:
        network, node, _ = meeting()
        failure = to_refusal(XinqiaoError("WIRE_UNREACHABLE", peer="330100", address="-", detail="x"))
        resting = LinkState("330100", 7, NOW_MS + 900_000, 0, 0, failure.SerializeToString())
        with node.world.store.transaction() as tx:
            tx.put_link(resting)
        request = exchange_service_pb2.HelloRequest(network=node.membership.network, time_unix_ms=NOW_MS)
        skewed = exchange_service_pb2.HelloRequest(network=node.membership.network, time_unix_ms=1)
        assert await refused(node.hello("330100", skewed)) == "CLOCK_SKEW"
        assert node.world.store.link("330100") == resting
        await node.hello("330100", request)
        soon = node.world.store.link("330100")
        assert soon.retry_at_ms == network.clock.time_ms + int(CALLED_RETRY_S * 1000)
        assert (soon.failures, soon.failure) == (7, resting.failure)

    run(scenario())


def test_two_nodes_that_fail_with_each_other_do_not_wake_each_other_without_end() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", ahead_ms={"310115": 3_600_000})
        async with running(*network.nodes.values()):
            await asyncio.sleep(0.8)
        hellos = [call for call in network.calls if call in (("310000", "310115"), ("310115", "310000"))]
        assert 2 <= len(hellos) < 20

    run(scenario())


def test_two_nodes_whose_transfers_fail_both_ways_do_not_either() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", interval_s=600.0)
        for each in network.nodes:
            await network[each].publishing.create_channel("base", manifest())

        def broken(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
            raise XinqiaoError("WIRE_IDLE", limit_s=60)

        network.tamper = broken
        async with running(*network.nodes.values()):
            await asyncio.sleep(1.0)
        assert len(network.calls) < 40

    run(scenario())


def test_a_fault_of_ours_ends_a_turn_and_not_the_link() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", cap_s=0.1)
        node, origin = network["310115"], network["310000"]
        await origin.publishing.create_channel("base", manifest())
        faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        healthy, peer = node.delivery._peers, ScriptedPeer()
        peer.failure = ValueError("a fault")
        node.delivery._peers = OnePeer(peer)
        async with running(node):
            await eventually(lambda: len(faults) >= 2)
            failure = envelope_pb2.Refusal.FromString(node.world.store.link("310000").failure)
            assert (failure.code, dict(failure.parameters)) == (
                "LINK_FAULT",
                {"peer": "310000", "detail": "ValueError"},
            )
            node.delivery._peers = healthy
            await eventually(lambda: size_at(node) == 1)
        assert "310000" in faults[0]["message"]

    run(scenario())


def test_a_database_that_fails_for_a_while_does_not_end_the_links() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", cap_s=0.1)
        node = network["310115"]
        await network["310000"].publishing.create_channel("base", manifest())
        inner, failing = node.world.writer, True

        class Failing:
            async def run(self, lane: Lane, step: Any) -> Any:
                if failing:
                    raise XinqiaoError("DATABASE", detail="locked")
                return await inner.run(lane, step)

        for duty in (node.delivery._states, node.delivery._transfers, node.receiving):
            duty._writer = Failing()
        async with running(node):
            await asyncio.sleep(0.2)
            assert size_at(node) == 0
            failing = False
            await eventually(lambda: size_at(node) == 1)

    run(scenario())


def test_links_follow_the_members_and_cancellation_in_the_middle_leaves_no_task() -> None:
    async def scenario() -> None:
        network = live("310000", "310115", "330100")
        node, peer = network["310115"], ScriptedPeer()
        stuck = asyncio.Event()

        async def hang(request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
            stuck.set()
            await asyncio.Event().wait()
            raise AssertionError

        peer.hello = hang  # type: ignore[method-assign]
        node.delivery._peers = OnePeer(peer)
        async with running(node):
            await stuck.wait()
            assert node.delivery.linked == ("310000", "330100")
            network.signing["320500"] = make_node("320500")
            network.signing.pop("330100")
            network.down |= {"330100"}
            await network.publish_registry()
            await eventually(lambda: node.delivery.linked == ("310000", "320500"))

    run(scenario())


def test_claims_of_newer_registries_do_not_make_a_node_ask_without_end() -> None:
    async def scenario() -> None:
        network, node, _ = meeting()
        refreshes = 0
        inner = network.registries["310115"].refresh

        async def counted(*args: Any) -> Any:
            nonlocal refreshes
            refreshes += 1
            return await inner(*args)

        network.registries["310115"].refresh = counted  # type: ignore[method-assign, assignment]
        request = exchange_service_pb2.HelloRequest(
            network=node.membership.network,
            time_unix_ms=NOW_MS,
            registry=registry_pb2.RegistryVersions(root_version=2**31, timestamp_version=2**31),
        )
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            await asyncio.sleep(0.3)

        network.clock.sleep = sleep  # type: ignore[method-assign]
        node.delivery._peers = OnePeer(ScriptedPeer())
        async with running(node):
            for _ in range(50):
                await node.hello("330100", request)
                await asyncio.sleep(0.002)
        assert refreshes == 1
        assert slept == [5.0]

    run(scenario())


def test_a_registry_that_fails_when_a_peer_hints_at_news_does_not_stop_the_node() -> None:
    async def scenario() -> None:
        network, node, _ = meeting()
        node.delivery._peers = OnePeer(ScriptedPeer())

        async def full(*_: Any) -> Any:
            raise XinqiaoError("DISK_FULL", home="here")

        network.registries["310115"].refresh = full  # type: ignore[method-assign, assignment]
        async with running(node):
            node._refresh_wanted.set()
            await eventually(lambda: node.refused_refreshes["DISK_FULL"] == 1)

    run(scenario())


def test_news_that_an_old_registry_refused_is_heard_again_with_the_next() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        newcomer = make_node("320500")
        _, address = make_address(newcomer, 1)
        holder, node = network["310000"], network["310115"]
        network.signing["320500"] = newcomer
        network.down.add("310115")
        await network.publish_registry()
        await holder.receiving.take_address(address)
        network.down.clear()
        await network.sync("310115", "310000")
        assert node.world.store.address("320500") is None
        await node.refresh_registry()
        await network.sync("310115", "310000")
        assert node.world.store.address("320500") is not None

    run(scenario())


def test_g4_control_channels_go_first_and_do_not_wait_for_missing_bodies_of_bulk() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        bulk = base_of(network)
        await node.receive([without_body(each) for each in run_of(bulk)])
        await node.publishing.create_channel("zz", urgent)
        peer.response = claims(Head(channel=BASE, size=4, root=bulk.log.root))
        peer.answers = [PushAnswer("310115/zz", 0, 1, None, None)]
        await node.delivery.sync("330100")
        # The round of the control lane has pushed what is urgent, and left the rest to the other task.
        assert [call for call in peer.calls if call in ("push",) or call.startswith("pull")] == ["push"]
        await node.delivery.sync_once("330100")
        assert any(call.startswith("pull") for call in peer.calls)

    run(scenario())


def test_an_address_is_signed_again_when_its_key_has_changed() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node = network["310000"]
        await node.announce("127.0.0.1:1", "127.0.0.1:2")
        first = node.world.store.address("310000")
        await node.refresh_registry()
        assert node.world.store.address("310000") == first
        network.signing["310000"] = make_node("310000")
        await network.publish_registry()
        renewed = node.world.store.address("310000")
        assert first is not None
        assert renewed is not None
        assert renewed.record.sequence > first.record.sequence
        assert renewed.envelope.signatures[0].keyid == network.signing["310000"].signer.key_id
        await network["310115"].receiving.take_address(renewed.envelope)
        assert isinstance(network.clock, FakeClock)

    run(scenario())
