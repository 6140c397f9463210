"""A small network whose every commit and message an oracle sees: production duties, real databases, no simulated world.

network = Watched(tmp_path, "310000", "310115")
await network.publish("310000/base", [row(1)])
await network.settle()
assert network.reasons() == []
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

from google.protobuf.message import Message

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.record import Candidate
from node.core.state import Place
from node.node import Node
from node.pb import envelope_pb2, exchange_service_pb2
from node.ports import Lane, PushAnswer, Store
from node.rpc.framing import frames
from node.simulator.observing import SIDECAR_WRITE, Crossing, Write
from node.simulator.oracle import Oracle
from node.simulator.scenario import Expectations, NodeTemplate, Scenario
from node.simulator.watched_store import WatchedStore
from tests.builders import NOW_MS
from tests.wire import MemorySidecar, Network, WirePeer, WirePeers

pb = exchange_service_pb2


class SeenPeer(WirePeer):
    """A peer whose every message the oracle sees as it leaves."""

    def __init__(self, network: "Watched", caller: str, node: str) -> None:
        super().__init__(network, caller, node)
        self._watched = network

    def _leaves(self, call: int, method: str, message: Message, *, is_answer: bool = False) -> None:
        ends = (self._node, self._caller) if is_answer else (self._caller, self._node)
        self._watched.cross(call, method, ends, message, is_answer=is_answer)

    async def hello(self, request: pb.HelloRequest) -> pb.HelloResponse:
        call = self._watched.next_call()
        self._leaves(call, "Hello", request)
        answer = await super().hello(request)
        self._leaves(call, "Hello", answer, is_answer=True)
        return answer

    async def pull(
        self, lane: Lane, channel: str, epoch: int, start: int, end: int | None = None
    ) -> AsyncIterator[SignedEntry]:
        call = self._watched.next_call()
        self._leaves(call, "Pull", pb.PullRequest(channel=channel, epoch=epoch, start_index=start))
        async for signed in super().pull(lane, channel, epoch, start, end):
            for frame in frames(signed):
                self._leaves(call, "Pull", pb.PullResponse(frame=frame), is_answer=True)
            yield signed

    async def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:
        call = self._watched.next_call()

        async def seen() -> AsyncIterator[SignedEntry]:
            async for signed in entries:
                for frame in frames(signed):
                    self._leaves(call, "Push", pb.PushRequest(frame=frame))
                yield signed

        async for answer in super().push(lane, seen()):
            message = pb.PushResponse(channel=answer.channel, epoch=answer.epoch, size=answer.size)
            if answer.refusal is not None:
                message.refusal.CopyFrom(answer.refusal)
            reads = self._watched.nodes[self._node].sharing.may_read(self._caller, answer.channel)
            if answer.receipt is not None and reads:
                message.receipt.CopyFrom(answer.receipt)
            self._leaves(call, "Push", message, is_answer=True)
            yield answer

    async def put_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> Sequence[envelope_pb2.Refusal]:
        self._leaves(self._watched.next_call(), "PutReceipts", pb.PutReceiptsRequest(receipts=receipts))
        return await super().put_receipts(receipts)


class SeenPeers(WirePeers):
    """All members as one of them can call them, seen by the oracle."""

    def peer(self, node: str) -> SeenPeer:
        assert isinstance(self._network, Watched)
        return SeenPeer(self._network, self._caller, node)


class SeenSidecar(MemorySidecar):
    """A sidecar whose every writing the oracle sees; it goes on where another one stood."""

    def __init__(self, network: "Watched", node: str, before: MemorySidecar) -> None:
        super().__init__()
        self.kept = before.kept
        self._network = network
        self._node = node

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        super().write(incarnation, heads)
        self._network.oracle.committed(self._node, [Write(SIDECAR_WRITE, (incarnation, dict(heads)), None)])


class Watched(Network):
    """Nodes on real databases; oracle follows each of their steps."""

    def __init__(self, directory: Path, *ids: str, control_delay_s: float = 60.0) -> None:
        scenario = Scenario(
            name="watched",
            nodes=[NodeTemplate(id=node) for node in ids],
            expect=Expectations(control_delay_s=control_delay_s),
        )
        self._directory = directory
        self._paths: dict[str, Path] = {}
        self._calls = count(1)
        self.now_ms = NOW_MS
        self.oracle = Oracle(scenario, NOW_MS, lambda: self.now_ms)
        self.oracle.reaches = lambda _one, _other: True
        super().__init__(*ids)

    # -- nodes

    def start(
        self, node: str, store: Store | None = None, sidecar: MemorySidecar | None = None, cause: str = "first"
    ) -> Node:
        """Start a node on the database of its own, or on the one given."""
        kept = store if store is not None else self._database(node, node)
        before = sidecar if sidecar is not None else self.sidecars.get(node, MemorySidecar())
        instance = super().start(node, kept, SeenSidecar(self, node, before))
        instance.delivery._peers = SeenPeers(self, node)
        self.oracle.started(node, instance, kept, cause)
        return instance

    def _database(self, node: str, name: str) -> WatchedStore:
        self._paths[node] = self._directory / f"{name}.db"
        store = WatchedStore.open(self._paths[node], create=True)
        store.watch = lambda writes: self.oracle.committed(node, writes)
        return store

    def backup(self, node: str) -> Path:
        """A copy of a database as it is committed now."""
        target = self._directory / f"{node}-{next(self._calls)}.db"
        self.change(node, f"VACUUM INTO '{target}'")
        return target

    def change(self, node: str, statement: str) -> None:
        """Do something to a database behind the node's back."""
        with closing(sqlite3.connect(self._paths[node], isolation_level=None)) as connection:
            connection.execute(statement)

    def reopened(self, node: str) -> WatchedStore:
        """The database of a node as somebody else opens it, who remembers nothing of it."""
        return WatchedStore.open(self._paths[node], create=False)

    def restore(self, node: str, backup: Path, sidecar: MemorySidecar | None = None) -> Node:
        """Start a node on a backup of its database; its sidecar is kept unless another one is given."""
        self.oracle.happened("restore", node, {"sidecar": "kept" if sidecar is None else "lost"})
        return self.start(node, self._database(node, backup.stem), sidecar, "restore")

    def stores(self) -> Mapping[str, Store]:
        """The databases by node."""
        return {node: instance.world.store for node, instance in self.nodes.items()}

    # -- operators

    async def publish(self, channel: str, rows: Sequence[Candidate]) -> None:
        """Publish rows, and tell the oracle what the operator was told."""
        node = channel.partition("/")[0]
        self.oracle.published(node, channel, rows, await self.nodes[node].publishing.publish(channel, rows))

    async def erase(self, channel: str, index: int, position: int = 0) -> None:
        """Erase a record, and tell the oracle what the operator was told."""
        node = channel.partition("/")[0]
        await self.nodes[node].publishing.erase(channel, Place(0, index, position), "decision", "reason")
        self.oracle.erased(node, channel, f"0/{index}/{position}")

    # -- time and wire

    def later(self, seconds: float) -> None:
        """Let time pass, for the nodes and for the oracle."""
        self.clock.time_ms += int(seconds * 1000)
        self.now_ms += int(seconds * 1000)

    async def settle(self, rounds: int = 3) -> None:
        """Everybody syncs with everybody, and the oracle's time goes on with that of the nodes."""
        before = self.clock.time_ms
        await super().settle(rounds)
        self.now_ms += self.clock.time_ms - before

    def next_call(self) -> int:
        """The number of the next call."""
        return next(self._calls)

    def cross(
        self, call: int, method: str, ends: tuple[str, str], message: Message, *, is_answer: bool = False
    ) -> None:
        """Let the oracle see a message, which an honest node sends."""
        seen = type(message).FromString(message.SerializeToString())
        size = len(message.SerializeToString())
        self.oracle.crossing(Crossing(call, method, *ends, is_answer, seen, size, is_honest=True))

    def reasons(self) -> list[str]:
        """Why the oracle does not see the network converged."""
        return self.oracle.not_converged(self.nodes, self.stores())


def entry_frames(network: Watched, holder: str, channel: str, index: int) -> Iterator[pb.PushRequest]:
    """An entry as a holder would push it, whoever may have it."""
    entry = network.nodes[holder].world.store.entry(channel, 0, index)
    assert entry is not None
    signed = SignedEntry(channel, 0, index, entry.envelope, entry.body)
    for frame in frames(signed):
        yield pb.PushRequest(frame=frame)
