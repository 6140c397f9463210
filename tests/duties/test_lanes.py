"""The two lanes of a link: what rests in one of them takes no work from the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.pb import exchange_service_pb2
from node.ports import Lane, LinkState, PushAnswer, StoreTransaction
from node.sharing import head_messages
from node.storage.writer import InlineWriter
from tests.builders import NOW_MS, ChannelWriter
from tests.duties.delivering import eventually, running
from tests.duties.hostile import OnePeer, ScriptedPeer, run_of
from tests.duties.rows import manifest, row
from tests.duties.test_new_logs import control
from tests.wire import Network

ME, PEER = "310115", "330100"
T = TypeVar("T")


class SlowPeer(ScriptedPeer):
    """A peer whose bulk always breaks off, and that answers a push of the control lane only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.under_way: list[str] = []
        self.taken: list[str] = []

    async def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:
        if lane is Lane.BULK:
            raise XinqiaoError("WIRE_IDLE", limit_s=60)
        async for signed in entries:
            self.under_way.append(signed.channel)
            await self.free.wait()
            self.taken.append(signed.channel)
            yield PushAnswer(signed.channel, signed.epoch, signed.index + 1, None, None)


def test_g4_what_is_written_while_the_bulk_rests_and_a_list_is_on_its_way_goes_at_once() -> None:
    async def scenario() -> None:
        network = Network(ME, PEER)
        network.settings = {"heartbeat_interval_s": 600.0}
        node, peer = network.start(ME), SlowPeer()
        node.delivery._peers = OnePeer(peer)
        for name in ("one", "two"):
            await node.publishing.create_channel(name, control())
        await node.publishing.create_channel("base", manifest())
        heads = head_messages(node.sharing.heads(PEER))
        peer.response = exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS, heads=heads)
        async with running(node):
            await eventually(lambda: "hello" in peer.calls and not node.world.store.link(PEER).failures)
            await node.publishing.publish(f"{ME}/one", [row(1)])
            await eventually(lambda: peer.under_way == [f"{ME}/one"])
            # A bulk that has failed before rests for minutes, and is woken by every heartbeat meanwhile.
            failed_before = LinkState(PEER, failures=9)
            await node.world.writer.run(Lane.CONTROL, lambda tx: tx.put_link(failed_before))
            await node.publishing.publish(f"{ME}/base", [row(1)])
            await eventually(lambda: node.world.store.link(PEER).failures == 10)
            await node.publishing.publish(f"{ME}/two", [row(1)])
            await asyncio.sleep(0.05)
            peer.free.set()
            await eventually(lambda: f"{ME}/two" in peer.taken)

    asyncio.run(scenario())


class WatchedWriter(InlineWriter):
    """A writer that remembers the steps that lead to no other one."""

    last = 0

    async def run_last(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        self.last += 1
        return await super().run_last(lane, step)


def test_the_writer_is_told_that_a_receipt_leads_to_no_other_step() -> None:
    """Else it keeps bulk back behind every receipt for bulk."""

    async def scenario() -> None:
        network = Network("310000", ME)
        writer = ChannelWriter(network.signing["310000"], "310000/base")
        writer.manifest()
        writer.records([b"one"])
        network.make_writer = WatchedWriter
        node = network.start(ME)
        taken = await node.receive(run_of(writer))
        assert taken.receipt is not None
        assert isinstance(node.world.writer, WatchedWriter)
        assert node.world.writer.last == 1

    asyncio.run(scenario())
