"""What a comparison tells: each heartbeat comes from its author, and from others only to whoever lacks it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import pytest

from node.core.heartbeat import node_of
from node.pb import exchange_service_pb2 as pb
from node.storage.memory import MemoryStore
from tests.duties.rows import manifest, row
from tests.wire import Network, WirePeer

INTERVAL_MS = 60_000
NODES = ("310000", "310115", "330100", "320000")


@dataclass
class Told:
    """The heartbeats that Hellos have told, as (from, to, author).

    is_old makes every node one that knows no digest, takes_none one that shows none held, whatever it is told.
    """

    beats: list[tuple[str, str, str]] = field(default_factory=list)
    is_old: bool = False
    takes_none: bool = False

    def note(self, sender: str, receiver: str, message: "pb.HelloRequest | pb.HelloResponse") -> None:
        self.beats += [(sender, receiver, node_of(view)) for view in message.heartbeats]

    def taken(self) -> list[tuple[str, str, str]]:
        found, self.beats = sorted(self.beats), []
        return found


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    noted, hello = Told(), WirePeer.hello

    async def listened(self: WirePeer, request: pb.HelloRequest) -> pb.HelloResponse:
        if noted.is_old:
            request = pb.HelloRequest.FromString(request.SerializeToString())
            request.ClearField("heartbeats_digest")
        response = await hello(self, request)
        if noted.is_old:
            response.ClearField("heartbeats_digest")
        if noted.takes_none:
            response.heartbeats_digest = bytes(16)
            response.ClearField("heartbeats_held")
        noted.note(self._caller, self._node, request)
        noted.note(self._node, self._caller, response)
        return response

    monkeypatch.setattr(WirePeer, "hello", listened)
    return noted


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def settled(*nodes: str) -> Network:
    """A network in which every node writes a channel for everybody, and nothing is left to be told."""
    network = Network(*nodes)
    for node in network.nodes.values():
        await node.publishing.create_channel("base", manifest())
        await node.publishing.publish(f"{node.membership.me}/base", [row(1)])
    await network.settle(rounds=4)
    return network


async def beat(network: Network, author: str, *readers: str) -> None:
    """One node signs a heartbeat and compares with some."""
    network.clock.time_ms += 1000
    await network[author].publishing.beat()
    for reader in readers:
        await network.sync(author, reader)


def time_at(network: Network, node: str, author: str) -> int:
    held = network[node].world.store.heartbeat(author)
    return held.time_ms if held is not None else 0


def test_in_a_quiet_network_each_heartbeat_goes_once_over_each_link_and_only_from_its_author(told: Told) -> None:
    async def scenario() -> None:
        network = await settled(*NODES)
        for one, other in permutations(NODES, 2):
            await network.sync(one, other)
        told.taken()
        for author in NODES:
            await beat(network, author, *(node for node in NODES if node != author))
        assert told.taken() == sorted((author, node, author) for author, node in permutations(NODES, 2))
        assert {time_at(network, node, NODES[0]) for node in NODES} == {network.clock.time_ms - 3000}

    run(scenario())


def test_whoever_calls_is_told_at_once_what_it_lacks(told: Told) -> None:
    async def scenario() -> None:
        network = await settled("310000", "310115", "330100")
        told.taken()
        await beat(network, "310000", "310115")
        await network.sync("330100", "310115")
        assert time_at(network, "330100", "310000") == network.clock.time_ms
        assert ("310115", "330100", "310000") in told.taken()

    run(scenario())


def test_whoever_is_called_is_told_at_once_what_its_answer_shows_that_it_lacks(told: Told) -> None:
    async def scenario() -> None:
        network = await settled("310000", "310115", "330100")
        for _ in range(3):
            await beat(network, "310000", "310115")
            told.taken()
            network.clock.time_ms += INTERVAL_MS
            await network.sync("310115", "330100")
            assert told.taken() == [("310115", "330100", "310000")]
            assert time_at(network, "330100", "310000") == time_at(network, "310000", "310000")
            # Nothing is told twice.
            await network.sync("310115", "330100")
            await network.sync("330100", "310115")
            assert told.taken() == []

    run(scenario())


def test_where_comparisons_follow_one_another_the_next_one_tells_what_is_lacking(told: Told) -> None:
    async def scenario() -> None:
        network = await settled("310000", "310115", "330100")
        await network.sync("310115", "330100")
        await beat(network, "310000", "310115")
        told.taken()
        calls = len(network.calls)
        await network.sync("310115", "330100")
        assert told.taken() == []
        await network.sync("310115", "330100")
        assert told.taken() == [("310115", "330100", "310000")]
        assert len(network.calls) == calls + 2

    run(scenario())


def test_a_peer_that_has_lost_its_heartbeats_is_told_all_of_them_and_its_own_first(told: Told) -> None:
    async def scenario() -> None:
        network = await settled("310000", "310115", "330100")
        network.start("330100", MemoryStore())
        told.taken()
        await network.sync("310115", "330100")
        await network.sync("310115", "330100")
        assert ("310115", "330100", "330100") in told.taken()
        assert time_at(network, "330100", "310000") == time_at(network, "310115", "310000")

    run(scenario())


def test_what_a_peer_does_not_take_is_not_told_it_again(told: Told) -> None:
    async def scenario() -> None:
        network = await settled("310000", "310115", "330100")
        told.takes_none = True
        calls = []
        for _ in range(3):
            network.clock.time_ms += INTERVAL_MS
            before = len(network.calls)
            await network.sync("310115", "330100")
            calls.append(len(network.calls) - before)
        assert calls[1:] == [1, 1]
        told.taken()
        await beat(network, "310000", "310115")
        network.clock.time_ms += INTERVAL_MS
        await network.sync("310115", "330100")
        assert ("310115", "330100", "310000") in told.taken()

    run(scenario())


def test_a_node_that_knows_no_digest_is_told_all_that_has_changed(told: Told) -> None:
    async def scenario() -> None:
        told.is_old = True
        network = await settled("310000", "310115", "330100")
        await network.sync("310115", "330100")
        await beat(network, "310000", "310115")
        told.taken()
        await network.sync("310115", "330100")
        assert ("310115", "330100", "310000") in told.taken()
        assert time_at(network, "330100", "310000") == network.clock.time_ms

    run(scenario())


def test_a_heartbeat_that_shows_less_to_one_end_is_told_to_it(told: Told) -> None:
    async def scenario() -> None:
        network = await settled("310000", "310115", "330100")
        # A channel that 330100 comes to read later: what it holds of the heartbeat shows it not.
        await network["310000"].publishing.create_channel("more", manifest("310115"))
        await beat(network, "310000", "310115", "330100")
        await network["310000"].publishing.set_audience("310000/more", manifest("310115,330100").audience)
        await network.sync("310000", "310115")
        await network.sync("310000", "330100")
        told.taken()
        await network.sync("330100", "310115")
        (held,) = [network["330100"].world.store.heartbeat("310000")]
        assert held is not None
        assert {item.head.channel for item in held.view.heads} == {"310000/base", "310000/more"}

    run(scenario())
