"""A log that is new to a reader: its first entry says in which lane the rest travels; no list waits behind bulk."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.membership import Standing
from node.pb import channel_pb2, exchange_service_pb2
from node.receiving import Taken
from tests.duties.delivering import eventually, live, running, size_at
from tests.duties.rows import manifest, row
from tests.duties.test_exchange import BASE, network_with_rows, suspended
from tests.duties.test_visiting import only_dials_out
from tests.wire import Network

ORIGIN, READER = "310000", "310115"
LISTS = f"{ORIGIN}/zz-lists"


def control() -> channel_pb2.Manifest:
    urgent = manifest()
    urgent.priority = channel_pb2.PRIORITY_CONTROL
    return urgent


async def with_a_list() -> Network:
    """An origin that writes a bulk channel of two entries and, after it in every order, a list of three."""
    network = await network_with_rows()
    await network[ORIGIN].publishing.create_channel("zz-lists", control())
    for serial in range(2):
        await network[ORIGIN].publishing.publish(LISTS, [row(serial)])
    return network


def questions(network: Network, node: str) -> list[tuple[str, int, int]]:
    """Collects what a node is asked for from now on: (channel, start, end)."""
    asked: list[tuple[str, int, int]] = []
    inner = network[node].pull

    def pull(peer: str, request: exchange_service_pb2.PullRequest) -> AsyncGenerator[SignedEntry, None]:
        asked.append((request.channel, request.start_index, request.end_index))
        return inner(peer, request)

    network[node].pull = pull  # type: ignore[method-assign]
    return asked


def test_g4_a_list_that_is_new_to_a_reader_comes_whole_before_any_bulk() -> None:
    async def scenario() -> None:
        network = await with_a_list()
        asked = questions(network, ORIGIN)
        # The round of the control lane alone.
        await network[READER].delivery.sync(ORIGIN)
        assert (size_at(network[READER], LISTS), size_at(network[READER], BASE)) == (3, 1)
        assert asked == [(BASE, 0, 1), (LISTS, 0, 1), (LISTS, 1, 0)]
        await network.sync(READER, ORIGIN)
        assert size_at(network[READER], BASE) == 2

    asyncio.run(scenario())


def test_g4_a_list_that_goes_on_in_a_new_epoch_comes_whole_before_any_bulk() -> None:
    async def scenario() -> None:
        network = await with_a_list()
        await network.settle()
        logs = [node.log for node in network[ORIGIN].world.store.channels()]
        heads = [(log.channel, log.epoch, HeadAt(log.size, log.root)) for log in logs]
        await network.relist(ORIGIN, **suspended(network, ORIGIN, *heads))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        for serial in range(2, 4):
            await network[ORIGIN].publishing.publish(LISTS, [row(serial)])
        await network[READER].delivery.sync(ORIGIN)
        held = network[READER].answering.channel(LISTS)
        assert (held.log.epoch, held.log.size, held.applied_size) == (1, 3, 3)

    asyncio.run(scenario())


def test_g4_a_new_list_reaches_who_only_dials_out_while_its_bulk_stands_still() -> None:
    async def scenario() -> None:
        # The bulk that stands still comes before the list in the order of names.
        network = live("310000", "310115")
        reader, origin = network["310000"], network["310115"]
        await only_dials_out(network, "310000")
        await reader.publishing.create_channel("base", manifest())
        await origin.publishing.create_channel("lists", control())
        stuck, receive = asyncio.Event(), origin.receive

        async def receive_lists_only(run: Sequence[SignedEntry], peer: str = "") -> Taken:
            if run[0].channel == BASE:
                stuck.set()
                await asyncio.Event().wait()
            return await receive(run, peer)

        origin.receive = receive_lists_only  # type: ignore[method-assign]
        async with running(origin, reader):
            await stuck.wait()
            await origin.publishing.publish("310115/lists", [row(1)])
            await eventually(lambda: size_at(reader, "310115/lists") == 2)

    asyncio.run(scenario())
