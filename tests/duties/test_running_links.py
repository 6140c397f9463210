"""Links that run: entries go out at once, peers that fail are tried again, and nobody is hurried without end."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, to_refusal
from node.links import CALLED_RETRY_S
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2
from node.ports import Lane, LinkState, PushAnswer, Writer
from tests.builders import NOW_MS, make_address, make_node
from tests.duties.delivering import Head, claims, eventually, live, meeting, one_turn, run, running, size_at
from tests.duties.hostile import BASE, OnePeer, ScriptedPeer, assert_sound, base_of, refused, run_of, without_body
from tests.duties.rows import manifest, row
from tests.wire import FakeClock, Network


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

        class Failing(Writer):
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
