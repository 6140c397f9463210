"""A node that nobody can call meets every member in turn, so that no channel it may read stays unknown to it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import patch

from node.core.delivery import choose_links, choose_visits
from node.core.entry import SignedEntry
from node.links import Link
from node.pb import exchange_service_pb2
from node.ports import Lane
from node.visiting import VISITS_PER_INTERVAL
from tests.duties.delivering import eventually, live, running, size_at
from tests.duties.rows import manifest, row
from tests.wire import Network, WirePeer

READER = "330100"
ORIGIN = "310115"
CHANNEL = f"{ORIGIN}/base"


async def only_dials_out(network: Network, node: str) -> None:
    """Let a node say, and all others know, that nobody can call it."""
    await network[node].announce("", "")
    own = network[node].world.store.address(node)
    assert own is not None
    for other in network.nodes:
        if other != node:
            await network[other].receiving.take_address(own.envelope)


async def strangers(*more: str) -> Network:
    """A reader that only dials out, and a channel it may read whose origin it has no link with."""
    network = Network(READER, ORIGIN, *more)
    network.settings = {"heartbeat_interval_s": 0.02, "links_further": 0, "retry_cap_s": 60.0}
    clock = live(READER).clock
    network.clock = clock
    for node in list(network.nodes):
        network.start(node)
    await only_dials_out(network, READER)
    await network[ORIGIN].publishing.create_channel("base", manifest())
    await network[ORIGIN].publishing.publish(CHANNEL, [row(1)])
    return network


def test_a_node_that_only_dials_out_learns_of_a_channel_whose_origin_it_has_no_link_with() -> None:
    async def scenario() -> None:
        network = await strangers()
        reader = network[READER]
        async with running(*network.nodes.values()):
            await eventually(lambda: size_at(reader, CHANNEL) == 2)
            # From then on the origin is one of its links.
            await eventually(lambda: reader.delivery.linked == (ORIGIN,))
            assert network[ORIGIN].delivery.linked == ()

    asyncio.run(scenario())


def test_a_node_that_can_be_called_pays_no_visits() -> None:
    async def scenario() -> None:
        network = await strangers()
        await network[READER].announce("somewhere:7443", "")
        async with running(network[READER]):
            await asyncio.sleep(0.2)
        assert [call for call in network.calls if call[0] == READER] == []

    asyncio.run(scenario())


def test_a_visit_that_fails_costs_no_more_than_its_turn() -> None:
    async def scenario() -> None:
        others = [f"3201{number:02d}" for number in range(20)]
        network = await strangers(*others)
        network.down |= set(others)
        reader = network[READER]
        async with running(reader):
            await eventually(lambda: size_at(reader, CHANNEL) == 2)
            await eventually(lambda: reader.delivery.visiting.failed >= 20)
        assert reader.answering.alarms() == []
        assert all(reader.world.store.link(node).failures == 0 for node in others)

    asyncio.run(scenario())


def test_a_fault_in_a_visit_is_reported_and_does_not_end_the_visits() -> None:
    async def scenario() -> None:
        network = await strangers()
        reader, told = network[READER], []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        inner, failures = reader.delivery.visiting._meet, [ValueError("a fault of ours")]

        async def meet(link: Link) -> None:
            if failures:
                raise failures.pop()
            await inner(link)

        reader.delivery.visiting._meet = meet
        async with running(reader):
            await eventually(lambda: size_at(reader, CHANNEL) == 2)
        assert told == [f"a turn of the link with {ORIGIN} failed"]

    asyncio.run(scenario())


def test_visits_are_paid_one_after_another_and_a_stop_in_the_middle_leaves_no_task() -> None:
    async def scenario() -> None:
        network = await strangers("320100", "320200")
        reader, under_way, most = network[READER], 0, 0
        stuck = asyncio.Event()

        async def meet(_: Link) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            stuck.set()
            await asyncio.Event().wait()

        reader.delivery.visiting._meet = meet
        async with running(reader):
            await stuck.wait()
            await asyncio.sleep(0.1)
        assert (under_way, most) == (1, 1)

    asyncio.run(scenario())


def test_g4_no_visit_waits_for_the_bulk_of_another_one() -> None:
    async def scenario() -> None:
        others = [f"3201{number:02d}" for number in range(5)]
        network = await strangers(*others)
        reader = network[READER]
        pull, stuck = WirePeer.pull, set[str]()

        async def bulk_stands_still(
            self: WirePeer, lane: Lane, channel: str, epoch: int, start: int, end: int | None = None
        ) -> AsyncIterator[SignedEntry]:
            if lane is Lane.BULK:
                stuck.add(channel)
                await asyncio.Event().wait()
            async for signed in pull(self, lane, channel, epoch, start, end):
                yield signed

        for node in others:
            await network[node].publishing.create_channel("base", manifest())
            await network[node].publishing.publish(f"{node}/base", [row(1)])
        with patch.object(WirePeer, "pull", bulk_stands_still):
            async with running(reader):
                await eventually(lambda: bool(stuck))
                # Each of them has become a link: all were met.
                await eventually(lambda: set(reader.delivery.linked) == {ORIGIN, *others})

    asyncio.run(scenario())


def test_what_a_visit_found_of_bulk_comes_too() -> None:
    async def scenario() -> None:
        network = await strangers("320100")
        reader, holder = network[READER], network["320100"]
        await holder.delivery.sync_once(ORIGIN)
        assert size_at(holder, CHANNEL) == 2
        # Its origin never answers again: of those that do, none is a link.
        network.down.add(ORIGIN)
        async with running(reader):
            await eventually(lambda: size_at(reader, CHANNEL) == 2)

    asyncio.run(scenario())


def test_a_second_visit_tells_only_what_is_new() -> None:
    async def scenario() -> None:
        network = await strangers()
        reader, requests = network[READER], []
        inner = network[ORIGIN].hello

        async def hello(peer: str, request: exchange_service_pb2.HelloRequest) -> Any:
            requests.append(request)
            return await inner(peer, request)

        network[ORIGIN].hello = hello  # type: ignore[method-assign]
        link = reader.delivery.visiting.links.setdefault(ORIGIN, Link(ORIGIN))
        for _ in range(3):
            await reader.delivery._round(link)
        assert [bool(request.cursor.incarnation) for request in requests] == [False, True, True]

    asyncio.run(scenario())


def test_every_active_member_is_visited_before_any_a_second_time() -> None:
    network = Network(*(f"3301{number:02d}" for number in range(30)))
    members, me = network.state().members, "330100"
    linked = choose_links(members, me, [], [], 3)
    last, met = "", list[str]()
    for _ in range(4):
        chosen = choose_visits(members, me, linked, last, VISITS_PER_INTERVAL)
        met += chosen
        last = chosen[-1]
    due = set(members.by_id) - {me, *linked}
    assert set(met[: len(due)]) == due
    assert met[len(due) :] == met[: len(met) - len(due)]


def test_visits_go_on_where_they_were_when_members_come_and_go() -> None:
    ids = [f"3301{number:02d}" for number in range(12)]
    members = Network(*ids).state().members
    order = choose_visits(members, ids[0], [], "", 99)
    # The one that was visited last is gone: the one that follows it is next.
    fewer = Network(*(node for node in ids if node != order[4])).state().members
    assert choose_visits(fewer, ids[0], [], order[4], 2) == order[5:7]
    assert choose_visits(members, ids[0], ids, order[4], 2) == ()
