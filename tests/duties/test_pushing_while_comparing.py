"""What a peer is known to hold is what it said it holds, not what was appended while it answered."""

import asyncio

from node.pb import exchange_service_pb2
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
