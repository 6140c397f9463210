"""Nodes over a wire made of method calls: the production duties, the contract's memory store, no socket.

    network = Network("310000", "310115", "330100")
    a = network["310000"]
    ...
    await network.sync("310115", "310000")             # 310115 dials 310000 once

Every message is serialised and parsed again on its way, as a real wire does.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, to_refusal
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Members
from node.core.query_log import SubjectKey
from node.core.registry_targets import catalogue_path, matters_path, measures_path
from node.node import Node, Settings, World
from node.pb import envelope_pb2, exchange_service_pb2, registry_pb2, registry_service_pb2
from node.ports import Lane, PushAnswer, RegistryNews, RegistryState, Store, Writer
from node.storage.memory import MemoryStore
from node.storage.writer import InlineWriter
from tests.builders import (
    NETWORK,
    NOW_MS,
    SigningNode,
    make_matter,
    make_matters,
    make_measures,
    make_members,
    make_node,
)

EDITION = Path(__file__).resolve().parents[1] / "registry" / "editions" / "catalogue-2026.1.json"
WEEK_MS = 7 * 24 * 3600 * 1000


class FakeClock:
    """A clock that stands still until a test moves it; each node may be off by its own skew."""

    def __init__(self) -> None:
        self.time_ms = NOW_MS

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic_s(self) -> float:
        return self.time_ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.time_ms += int(seconds * 1000)
        await asyncio.sleep(0)


class SeededEntropy:
    """Randomness that is the same in every run."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class MemorySidecar:
    """A sidecar that a test can lose, keep or put back; a new home comes with one that names no head."""

    def __init__(self, *, lost: bool = False) -> None:
        self.kept: tuple[str, Mapping[tuple[str, int], HeadAt]] | None = None if lost else ("", {})

    def read(self) -> tuple[str, Mapping[tuple[str, int], HeadAt]] | None:
        return self.kept

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        self.kept = (incarnation, dict(heads))


class FakeRegistry:
    """A registry whose state a test sets."""

    def __init__(self, state: RegistryState) -> None:
        self.state = state
        self.reports: list[envelope_pb2.Envelope] = []

    async def refresh(self, held: RegistryState | None, now_ms: int) -> RegistryNews:  # noqa: ARG002
        return RegistryNews(self.state)

    async def share_addresses(
        self,
        address: envelope_pb2.Envelope,  # noqa: ARG002 - the fake wire needs no address
        known_digest: bytes,  # noqa: ARG002
    ) -> Sequence[envelope_pb2.Envelope]:
        return ()

    async def report_heads(self, report: envelope_pb2.Envelope) -> None:
        self.reports.append(report)


class WirePeer:
    """One node as another one calls it."""

    def __init__(self, network: "Network", caller: str, node: str) -> None:
        self._network = network
        self._caller = caller
        self._node = node

    def _reach(self) -> Node:
        self._network.count_call(self._caller, self._node)
        target = self._network.nodes.get(self._node)
        if target is None or self._node in self._network.down:
            raise XinqiaoError("WIRE_UNREACHABLE", peer=self._node, address="wire", detail="it is down")
        target.membership.members.active(self._caller)
        return target

    async def hello(self, request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
        sent = exchange_service_pb2.HelloRequest.FromString(self._network.moved(request.SerializeToString()))
        response = await self._reach().hello(self._caller, sent)
        return exchange_service_pb2.HelloResponse.FromString(self._network.moved(response.SerializeToString()))

    async def pull(
        self,
        lane: Lane,  # noqa: ARG002 - one wire for both
        channel: str,
        epoch: int,
        start: int,
        end: int | None = None,
    ) -> AsyncIterator[SignedEntry]:
        request = exchange_service_pb2.PullRequest(
            network=NETWORK, channel=channel, epoch=epoch, start_index=start, end_index=end or 0
        )
        async for signed in self._reach().pull(self._caller, request):
            yield self._network.in_transit(self._node, self._caller, signed)

    async def pull_acts(
        self, channel: str, epoch: int, start: int, end: int, size: int
    ) -> AsyncGenerator[SignedEntry, None]:
        request = exchange_service_pb2.PullRequest(
            network=NETWORK, channel=channel, epoch=epoch, start_index=start, end_index=end, acts_of_size=size
        )
        async for signed in self._reach().pull(self._caller, request):
            yield self._network.in_transit(self._node, self._caller, signed)

    async def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:  # noqa: ARG002
        target = self._reach()
        async for signed in entries:
            carried = self._network.in_transit(self._caller, self._node, signed)
            try:
                taken = await target.receive([carried])
            except XinqiaoError as error:
                yield PushAnswer(signed.channel, signed.epoch, 0, to_refusal(error), None)
                continue
            yield PushAnswer(signed.channel, signed.epoch, taken.size, None, taken.receipt)

    async def put_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> Sequence[envelope_pb2.Refusal]:
        return await self._reach().take_receipts(receipts)

    async def prove_consistency(self, channel: str, epoch: int, old_size: int, new_size: int) -> Sequence[bytes]:
        return self._reach().consistency_proof(self._caller, channel, epoch, old_size, new_size)

    async def explain(self, node: str) -> registry_service_pb2.ExplainResponse:
        target = self._network.nodes[self._node]
        refusal = target.membership.explain(node)
        return registry_service_pb2.ExplainResponse(
            refusal=to_refusal(refusal) if refusal else None, registry=target.membership.versions
        )


class WirePeers:
    """All members as one of them can call them."""

    def __init__(self, network: "Network", caller: str) -> None:
        self._network = network
        self._caller = caller

    def peer(self, node: str) -> WirePeer | None:
        return WirePeer(self._network, self._caller, node)


class Network:
    """Several nodes, their registry and the wire between them.

    tamper, when set, sees every entry in transit as (from, to, entry) and returns what arrives. clock, limits,
    settings and make_writer are those of nodes started from then on. editions are what the registry publishes beside
    the catalogue, by path, with the next publish_registry().
    """

    limits = DEFAULT_LIMITS
    settings: Mapping[str, Any] = MappingProxyType({})
    make_writer: Callable[[Store], Writer] = InlineWriter

    def __init__(self, *ids: str, **described: object) -> None:
        self.clock: FakeClock = FakeClock()
        self.signing: dict[str, SigningNode] = {node: make_node(node, **described) for node in ids}  # type: ignore[arg-type]
        self.registry_version = 1
        self.nodes: dict[str, Node] = {}
        self.registries: dict[str, FakeRegistry] = {}
        self.sidecars: dict[str, MemorySidecar] = {}
        self.down: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.bytes_moved = 0
        self.editions = {measures_path("2026.1"): make_measures(), matters_path("2026.1"): make_matters(make_matter())}
        self.tamper: Callable[[str, str, SignedEntry], SignedEntry] | None = None
        for node in ids:
            self.start(node)

    def __getitem__(self, node: str) -> Node:
        return self.nodes[node]

    def state(self) -> RegistryState:
        """What the registry says now."""
        members: Members = make_members(*self.signing.values())
        versions = registry_pb2.RegistryVersions(
            root_version=1,
            timestamp_version=self.registry_version,
            snapshot_version=self.registry_version,
            snapshot_hash=self.registry_version.to_bytes(32, "big"),
        )
        targets = {catalogue_path("2026.1"): EDITION.read_bytes()}
        return RegistryState(NETWORK, members, targets | self.editions, versions, NOW_MS + WEEK_MS)

    def start(self, node: str, store: Store | None = None, sidecar: MemorySidecar | None = None) -> Node:
        """Start a node, on an empty store unless one is given."""
        self.registries[node] = FakeRegistry(self.state())
        kept = store if store is not None else MemoryStore()
        self.sidecars[node] = sidecar if sidecar is not None else self.sidecars.get(node, MemorySidecar())
        world = World(
            store=kept,
            writer=self.make_writer(kept),
            sidecar=self.sidecars[node],
            peers=WirePeers(self, node),
            registry=self.registries[node],
            signer=lambda: self.signing[node].signer,
            clock=self.clock,
            entropy=SeededEntropy(f"{node} {len(self.calls)}"),
            query_key=SubjectKey(bytes(32)),
        )
        self.nodes[node] = Node(Settings(id=node, **self.settings), self.state(), world, self.limits)
        return self.nodes[node]

    async def relist(self, node: str, **changes: object) -> None:
        """Change how a node is listed, and let every node that is up read it."""
        self.signing[node] = self.signing[node].listed_as(**changes)
        await self.publish_registry()

    async def publish_registry(self) -> None:
        """Publish a new version of the registry, and let every node that is up read it."""
        self.registry_version += 1
        for id_, registry in self.registries.items():
            registry.state = self.state()
            if id_ not in self.down:
                await self.nodes[id_].refresh_registry()

    async def sync(self, caller: str, node: str) -> None:
        """One whole round of a link, both lanes, dialled by caller; raises what the link would note."""
        delivery = self.nodes[caller].delivery
        await delivery.sync_once(node)

    async def settle(self, rounds: int = 3) -> None:
        """Everybody beats and syncs with everybody that is up, some rounds long."""
        up = [node for node in self.nodes if node not in self.down]
        for _ in range(rounds):
            self.clock.time_ms += 1000
            for node in up:
                await self.nodes[node].beat()
            for caller in up:
                for node in up:
                    if caller != node:
                        await self.sync_quietly(caller, node)

    async def sync_quietly(self, caller: str, node: str) -> None:
        """Sync, and let a refusal pass as the link's own loop would."""
        try:
            await self.sync(caller, node)
        except XinqiaoError as error:
            self.calls.append((caller, f"{node}: {error.code}"))

    def count_call(self, caller: str, node: str) -> None:
        self.calls.append((caller, node))

    def moved(self, content: bytes) -> bytes:
        self.bytes_moved += len(content)
        return content

    def in_transit(self, sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        self.moved(signed.envelope.SerializeToString() + (signed.body or b""))
        carried = replace(signed, envelope=envelope_pb2.Envelope.FromString(signed.envelope.SerializeToString()))
        return self.tamper(sender, receiver, carried) if self.tamper is not None else carried
