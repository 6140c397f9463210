"""Production nodes over the simulated network, on the deterministic loop, without machines under them.

async def scenario(lines: Lines) -> None:
    assert (await lines.peer(B, A).hello(lines.hello())).in_step      # B calls A

run(scenario)
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

import grpc
import grpc.aio
import pytest

from node.core.heartbeat import shared_digest
from node.core.query_log import SubjectKey
from node.node import Node, Settings, World
from node.pb import exchange_service_pb2 as pb
from node.pb.exchange_service_pb2_grpc import ExchangeServiceStub
from node.ports import Lane, Store
from node.rpc.exchange_client import GrpcPeer, GrpcPeers
from node.rpc.exchange_server import ExchangeServicer
from node.rpc.registry_port import RegistryPort
from node.simulator.loop import Owner, SimulatedLoop
from node.simulator.loop import run as run_loop
from node.simulator.network import SimulatedNetwork
from node.simulator.observing import Crossing
from node.simulator.scenario import LinkOptions
from node.simulator.trace import Trace
from node.storage.memory import MemoryStore
from node.storage.writer import InlineWriter
from tests.builders import NETWORK
from tests.duties.rows import manifest, row
from tests.rpc.mtls import make_credentials, with_certificates
from tests.wire import FakeRegistry, MemorySidecar, Network, SeededEntropy

A, B = "310000", "310115"
BASE = f"{A}/base"
CALM = LinkOptions(latency_ms=(10.0, 10.0), slow_share=0.0)


class Host:
    """A process without a machine: what the network asks of one, around a production node."""

    def __init__(self, node: str, label: str, certificate: bytes) -> None:
        self.node = node
        self.label = label
        self.certificate = certificate
        self.is_alive = True
        self.exchange: Any = None
        self.registry_port: Any = None
        self.peers: GrpcPeers
        self.owner = Owner()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> "asyncio.Task[Any]":
        with self.owner.acting():
            return asyncio.get_running_loop().create_task(work, name=name)


class Lines(Network):
    """Nodes on a simulated network; crossings and notes are kept."""

    def __init__(self, *ids: str, options: LinkOptions = CALM, seed: int = 1) -> None:
        loop = asyncio.get_running_loop()
        self.trace = Trace(loop.time, keep=True)
        self.crossings: list[Crossing] = []
        self.wire = SimulatedNetwork(Random(seed), lambda *_: options, self.crossings.append, self.trace.note)
        self.hosts: dict[str, Host] = {}
        self.credentials = {node: make_credentials(node) for node in ids}
        super().__init__(*ids)

    def start(self, node: str, store: Store | None = None, sidecar: MemorySidecar | None = None) -> Node:
        """Start a process of a node and attach it."""
        for listed in self.signing:
            self.signing[listed] = with_certificates(self.signing[listed], [self.credentials[listed].certificate])
        host = self.hosts[node] = Host(node, node, self.credentials[node].certificate)
        self.registries[node] = FakeRegistry(self.state())
        self.sidecars[node] = sidecar or MemorySidecar()
        kept = store if store is not None else MemoryStore()
        host.peers = self.make_peers(host)
        world = World(
            store=kept,
            writer=InlineWriter(kept),
            sidecar=self.sidecars[node],
            peers=host.peers,
            registry=self.registries[node],
            signer=lambda: self.signing[node].signer,
            clock=self.clock,
            entropy=SeededEntropy(node),
            query_key=SubjectKey(bytes(32)),
        )
        self.nodes[node] = Node(Settings(id=node), self.state(), world)
        host.exchange = ExchangeServicer(self.nodes[node])
        host.registry_port = self.port(node)
        self.wire.attach(host)
        return self.nodes[node]

    def make_peers(self, host: Host) -> GrpcPeers:
        return self.wire.peers_of(
            host,
            network=lambda: NETWORK,
            identity=self.credentials[host.node].pair,
            endpoints=self.wire.endpoints,
            certificates=lambda peer: self.signing[peer].member.descriptor.tls_certificates,
        )

    def port(self, node: str) -> RegistryPort:
        instance = self.nodes[node]
        return RegistryPort(
            node=node,
            network=lambda: NETWORK,
            registry=lambda: "registry",
            files=instance.world.store.registry_file,
            versions=lambda: instance.membership.versions,
            explain=instance.membership.explain,
            share=instance.share_addresses,
            clock=self.clock,
        )

    def peer(self, caller: str = B, node: str = A) -> GrpcPeer:
        found = self.hosts[caller].peers.peer(node)
        assert found is not None
        return found

    def stub(self, caller: str = B, node: str = A) -> Any:
        """The calls of a client that keeps no rule of ours."""
        return ExchangeServiceStub(self.wire.open_channel(self.hosts[caller], node, Lane.BULK))

    def kill(self, node: str) -> None:
        host = self.hosts[node]
        host.is_alive = False
        host.owner.cancel()
        self.wire.detach(host)

    def hello(self) -> pb.HelloRequest:
        return pb.HelloRequest(network=NETWORK, time_unix_ms=self.clock.now_ms(), shared_digest=shared_digest([]))

    async def publish(self, count: int = 10, node: str = A, audience: str = "everyone") -> None:
        await self.nodes[node].publishing.create_channel("base", manifest(audience))
        await self.nodes[node].publishing.publish(f"{node}/base", [row(serial) for serial in range(1, count + 1)])

    @property
    def methods(self) -> list[str]:
        return [crossing.method + ("<" if crossing.is_answer else ">") for crossing in self.crossings]

    def notes(self, kind: str) -> int:
        return sum(f" {kind} " in line for line in self.trace.timeline)


Scenario = Callable[[Lines], Awaitable[None]]


def run(scenario: Scenario, options: LinkOptions = CALM, seed: int = 1, ids: tuple[str, ...] = (A, B)) -> str:
    """Run a scenario between nodes; whatever it started must end with it. The digest of its trace."""
    complaints: list[dict[str, Any]] = []

    async def main(_: SimulatedLoop) -> str:
        lines = Lines(*ids, options=options, seed=seed)
        await scenario(lines)
        for host in lines.hosts.values():
            await host.peers.close()
        await asyncio.sleep(300)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return lines.trace.digest

    digest = run_loop(main, Random(seed), complaints.append)
    assert complaints == []
    return digest


def now() -> float:
    return asyncio.get_running_loop().time()


async def failure_of(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


class Rogue:
    """A servicer that does as a test says."""

    def __init__(self, **methods: Any) -> None:
        for name, method in methods.items():
            setattr(self, name, method)
