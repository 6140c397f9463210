"""Links of tests: to peers that say what a test tells them to, and between nodes that run."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from node.core.limits import DEFAULT_LIMITS
from node.node import Node
from node.pb import channel_pb2, exchange_service_pb2
from tests.builders import NOW_MS
from tests.duties.hostile import BASE, OnePeer, RunningClock, ScriptedPeer
from tests.wire import Network

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
