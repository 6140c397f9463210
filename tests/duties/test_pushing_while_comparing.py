"""What a peer is known to hold is what it said it holds, not what was appended while it answered."""

import asyncio
from collections.abc import Sequence

from node.core.entry import SignedEntry
from node.links import Link
from node.pb import exchange_service_pb2
from node.receiving import Taken
from tests.builders import NETWORK
from tests.duties.rows import manifest, row
from tests.wire import Network

BASE = "310000/base"


def test_what_is_appended_during_a_hello_is_pushed_after_it() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        origin, reader = network["310000"], network["310115"]
        await origin.publishing.create_channel("base", manifest("everyone"))
        await network.settle()
        answer = reader.hello

        async def slowly(peer: str, request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
            response = await answer(peer, request)
            assert response.in_step
            await origin.publishing.publish(BASE, [row(1)])
            return response

        reader.hello = slowly  # type: ignore[method-assign]
        await origin.delivery.sync_once("310115")
        assert reader.answering.channel(BASE).log.size == origin.answering.channel(BASE).log.size == 2
        await origin.publishing.publish(BASE, [row(2)])
        reader.hello = answer  # type: ignore[method-assign]
        await origin.delivery.sync_once("310115")
        assert reader.answering.channel(BASE).log.size == 3
        assert origin.answering.alarms() == []

    asyncio.run(scenario())


def sent_to(network: Network, reader: str) -> list[tuple[str, int]]:
    """Collects what is carried to a reader from now on, as (from, index)."""
    found: list[tuple[str, int]] = []

    def see(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        if receiver == reader:
            found.append((sender, signed.index))
        return signed

    network.tamper = see
    return found


async def three_with_a_log_that_one_lacks() -> Network:
    """310000 and 310115 hold all nine entries, 310101 none."""
    network = Network("310000", "310115", "310101")
    await network["310000"].publishing.create_channel("base", manifest("everyone"))
    for at in range(8):
        await network["310000"].publishing.publish(BASE, [row(at)])
    await network["310000"].delivery.sync_once("310115")
    assert network["310115"].answering.channel(BASE).log.size == 9
    return network


def test_a_push_passes_over_what_another_has_brought_meanwhile() -> None:
    async def scenario() -> None:
        network = await three_with_a_log_that_one_lacks()
        reader, carried = network["310101"], sent_to(network, "310101")
        receive = reader.receive

        async def slowly(run: Sequence[SignedEntry], peer: str = "") -> Taken:
            reader.receive = receive  # type: ignore[method-assign]
            await reader.delivery.sync_once("310115")
            return await receive(run, peer)

        reader.receive = slowly  # type: ignore[method-assign]
        await network["310000"].delivery.sync_once("310101")
        assert reader.answering.channel(BASE).log.size == 9
        assert [index for sender, index in carried if sender == "310000"] == [0]

    asyncio.run(scenario())


def test_a_log_that_a_peer_takes_itself_is_not_pushed_to_it_as_well() -> None:
    async def scenario() -> None:
        network = await three_with_a_log_that_one_lacks()
        origin, reader = network["310000"], network["310101"]
        origin.delivery._links["310101"] = link = Link("310101")
        carried = sent_to(network, "310101")
        request = exchange_service_pb2.PullRequest(network=NETWORK, channel=BASE, epoch=0)
        pulled = origin.pull("310101", request)
        assert (await anext(pulled)).index == 0
        await origin.delivery.sync_once("310101")
        assert carried == []
        # The call ends before it has given everything: now both compare, and the rest is sent.
        link.hello_due = False
        await pulled.aclose()
        assert link.hello_due
        await origin.delivery.sync_once("310101")
        assert reader.answering.channel(BASE).log.size == 9

    asyncio.run(scenario())


def test_what_an_earlier_comparison_found_is_forgotten_when_the_peer_says_that_it_is_in_step() -> None:
    async def scenario() -> None:
        network = await three_with_a_log_that_one_lacks()
        origin, reader = network["310000"], network["310101"]
        origin.delivery._links["310101"] = link = Link("310101")
        await origin.delivery.sync("310101")
        assert link.bulk
        await reader.delivery.sync_once("310115")
        await reader.delivery.sync_once("310000")
        assert not link.bulk
        assert link.known == {(BASE, 0): 9}

    asyncio.run(scenario())
