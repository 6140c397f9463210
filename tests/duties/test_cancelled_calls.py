"""A call that is cancelled while its step is being committed is no fault of whoever brings the same entries next."""

import asyncio

from node.ports import HeldChannel
from tests.duties.rows import manifest, row
from tests.wire import Network

BASE = "310000/base"


def test_a_head_that_moves_between_two_reads_is_read_again() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        origin, reader = network["310000"], network["310115"]
        await origin.publishing.create_channel("base", manifest("everyone"))
        await network.settle()
        store = reader.world.store
        read, stale = store.channel, store.channel(BASE, 0)
        await origin.publishing.publish(BASE, [row(1)])
        entries = list(origin.sharing.entries("310115", BASE, 0, 1, None))
        await reader.receiving.receive(entries)
        late = [stale]

        def channel(name: str, epoch: int | None = None) -> HeldChannel | None:
            """As a reader saw it before the cancelled call's step was committed; from then on as it is."""
            return late.pop() if late else read(name, epoch)

        store.channel = channel  # type: ignore[method-assign, assignment]
        taken = await reader.receiving.receive(entries)
        assert (taken.size, late) == (2, [])

    asyncio.run(scenario())
