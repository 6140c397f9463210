"""Entries between real nodes over gRPC and mutual TLS: what arrives, what comes back, who is refused."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.node import Node
from node.ports import Lane
from tests.duties.rows import manifest, row
from tests.rpc.mtls import MtlsNetwork, mtls_network

BASE = "310000/base"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario; whatever it started must have ended with it."""

    async def watched() -> None:
        await scenario
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())


async def publish(network: MtlsNetwork, count: int = 10, audience: str = "everyone") -> Node:
    node = network["310000"]
    await node.publishing.create_channel("base", manifest(audience))
    await node.publishing.publish(BASE, [row(serial) for serial in range(1, count + 1)])
    return node


def outgoing(node: Node, channel: str = BASE) -> list[SignedEntry]:
    return list(node.sharing.entries(node.membership.me, channel, 0, 0, None))


async def each(entries: Iterable[SignedEntry]) -> AsyncIterator[SignedEntry]:
    for signed in entries:
        yield signed


async def refusal_of(step: Coroutine[Any, Any, Any]) -> XinqiaoError:
    try:
        await step
    except XinqiaoError as error:
        return error
    raise AssertionError("nothing was refused")


async def all_of(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


def test_what_is_published_arrives_by_push_and_the_receipt_comes_back() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            answers = await all_of(network.peer("310000", "310115").push(Lane.BULK, each(outgoing(a))))
            assert [(answer.channel, answer.refusal) for answer in answers] == [(BASE, None)] * 2
            assert answers[-1].size == 2
            assert await a.take_receipts([answers[-1].receipt]) == []
            assert a.answering.channel(BASE).log.root == b.answering.channel(BASE).log.root
            assert [held.receipt.message.applied_size for held in a.world.store.receipts(BASE)] == [2]

    run(scenario())


def test_what_is_published_arrives_by_pull() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            entries = await all_of(network.peer("310115", "310000").pull(Lane.BULK, BASE, 0, 0))
            assert entries == outgoing(a)
            await b.receive(entries)
            assert b.answering.channel(BASE).records == 10
            peer = network.peer("310115", "310000")
            assert await all_of(peer.pull(Lane.CONTROL, BASE, 0, 1, 2)) == entries[1:]
            assert await all_of(peer.pull(Lane.CONTROL, BASE, 0, 2)) == []

    run(scenario())


def test_links_bring_nodes_in_step_and_receipts_home() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            a = await publish(network, 300)
            await network.settle(2)
            for node in network.nodes.values():
                assert node.answering.channel(BASE).log.root == a.answering.channel(BASE).log.root
            deliveries = a.answering.deliveries(a.answering.channel(BASE))
            assert [(node, held and held.receipt.message.applied_size) for node, held in deliveries] == [
                ("310115", 2),
                ("330100", 2),
            ]
            assert network.calls == []

    run(scenario())
