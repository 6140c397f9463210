"""Nodes over real gRPC and mutual TLS on loopback: the production duties, the contract's memory store.

async with mtls_network("310000", "310115") as network:
    peer = network.peer("310115", "310000")        # 310115 dials 310000
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding

from node.core import envelope as envelopes
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.heartbeat import shared_digest
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import open_descriptor
from node.core.query_log import SubjectKey
from node.core.suites import ECDSA_P256
from node.keys.certificate import make_certificate, target_name
from node.keys.signer import generate
from node.node import Node, Settings, World
from node.pb import exchange_service_pb2 as pb
from node.pb import exchange_service_pb2_grpc, registry_pb2
from node.ports import Store
from node.rpc import tls
from node.rpc.exchange_client import GrpcPeer, GrpcPeers
from node.rpc.exchange_server import ExchangeServer, build_server
from node.rpc.framing import frames
from node.rpc.refusals import from_rpc_error
from node.storage.memory import MemoryStore
from node.storage.writer import InlineWriter
from tests.builders import NETWORK, SigningNode
from tests.duties.rows import manifest, row
from tests.wire import FakeRegistry, MemorySidecar, Network, SeededEntropy

BASE = "310000/base"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Credentials:
    """A private key and its certificate, as files would hold them."""

    private_key_pem: bytes
    certificate: bytes

    def pair(self) -> tuple[bytes, bytes]:
        return self.private_key_pem, tls.as_pem([self.certificate])


def make_credentials(node: str) -> Credentials:
    """A fresh TLS key and certificate in a node's name, valid now."""
    signer = generate(ECDSA_P256)
    now_ms = int(time.time() * 1000)
    # A colon in the certificate's URI would read as a port, and Go programs refuse such a certificate.
    certificate = make_certificate(node, NETWORK.replace(":", "."), signer, now_ms)
    return Credentials(signer.encoded(Encoding.PEM), certificate)


def with_certificates(signing: SigningNode, certificates: list[bytes]) -> SigningNode:
    """The member with a descriptor that lists these TLS certificates."""
    message = registry_pb2.NodeDescriptor()
    message.CopyFrom(signing.member.descriptor.message)
    message.version += 1
    del message.tls_certificates[:]
    message.tls_certificates.extend(registry_pb2.TlsCertificate(certificate=each) for each in certificates)
    envelope = signing.seal(message.SerializeToString(), envelopes.NODE_DESCRIPTOR)
    return replace(signing, member=replace(signing.member, descriptor=open_descriptor(envelope)))


class MtlsNetwork(Network):
    """Several nodes that listen; registry_endpoints says where a peer's registry port would be."""

    def __init__(self, *ids: str, limits: Limits = DEFAULT_LIMITS, reflects: bool = False) -> None:
        self.limits = limits
        self.reflects = reflects
        self.credentials: dict[str, Credentials] = {}
        self.servers: dict[str, ExchangeServer] = {}
        self.peers: dict[str, GrpcPeers] = {}
        self.endpoints: dict[str, str] = {}
        self.registry_endpoints: dict[str, str] = {}
        super().__init__(*ids)

    def start(self, node: str, store: Store | None = None, sidecar: MemorySidecar | None = None) -> Node:
        """Start a node that dials, every one listed has a certificate then; listen() makes it answer."""
        for listed in self.signing.keys() - self.credentials.keys():
            self.credentials[listed] = make_credentials(listed)
            self.signing[listed] = with_certificates(self.signing[listed], [self.credentials[listed].certificate])
        self.registries[node] = FakeRegistry(self.state())
        kept = store if store is not None else MemoryStore()
        self.sidecars[node] = sidecar or MemorySidecar()
        self.peers[node] = self.make_peers(node)
        world = World(
            store=kept,
            writer=InlineWriter(kept),
            sidecar=self.sidecars[node],
            peers=self.peers[node],
            registry=self.registries[node],
            signer=lambda: self.signing[node].signer,
            clock=self.clock,
            entropy=SeededEntropy(node),
            query_key=SubjectKey(bytes(32)),
        )
        self.nodes[node] = Node(Settings(id=node), self.state(), world, self.limits)
        return self.nodes[node]

    def make_peers(self, node: str) -> GrpcPeers:
        """The members as a node with these credentials calls them."""
        return GrpcPeers(
            network=lambda: NETWORK,
            identity=lambda: self.identity(node),
            endpoints=lambda peer: (self.endpoints.get(peer, ""), self.registry_endpoints.get(peer, "")),
            certificates=self.certificates_of,
            limits=self.limits,
        )

    def certificates_of(self, node: str) -> tuple[bytes, ...]:
        """What the registry lists for a node."""
        listed = self.signing.get(node)
        return listed.member.descriptor.tls_certificates if listed is not None else ()

    async def listen(self, node: str, port: int = 0) -> ExchangeServer:
        """Let a node answer; port 0 takes a free one."""
        server = build_server(
            self.nodes[node],
            address=f"{LOOPBACK}:{port}",
            identity=lambda: self.identity(node),
            reflects=self.reflects,
            limits=self.limits,
        )
        await server.start()
        self.servers[node] = server
        self.endpoints[node] = f"{LOOPBACK}:{server.port}"
        return server

    def peer(self, caller: str, node: str) -> GrpcPeer:
        """One node as another one calls it."""
        found = self.peers[caller].peer(node)
        assert found is not None
        return found

    def raw_channel(self, caller: str, node: str, **options: int) -> grpc.aio.Channel:
        """A connection for a client that keeps no rule of ours, with the credentials of a member."""
        credentials = tls.channel_credentials(self.certificates_of(node), *self.credentials[caller].pair())
        named = [(f"grpc.{name}", value) for name, value in options.items()]
        return grpc.aio.secure_channel(
            self.endpoints[node], credentials, [("grpc.ssl_target_name_override", target_name(node)), *named]
        )

    def identity(self, node: str) -> tuple[bytes, bytes]:
        """What a node shows now."""
        return self.credentials[node].pair()

    async def close(self) -> None:
        for peers in self.peers.values():
            await peers.close()
        for server in self.servers.values():
            await server.drain(0)


@asynccontextmanager
async def mtls_network(
    *ids: str, limits: Limits = DEFAULT_LIMITS, reflects: bool = False
) -> AsyncIterator[MtlsNetwork]:
    """Nodes that listen on loopback, closed at the end."""
    network = MtlsNetwork(*ids, limits=limits, reflects=reflects)
    try:
        for node in ids:
            await network.listen(node)
        yield network
    finally:
        await network.close()


def stub_of(channel: grpc.aio.Channel) -> Any:
    """The calls of ExchangeService, for whoever speaks it by hand."""
    return exchange_service_pb2_grpc.ExchangeServiceStub(channel)


def pushes(*entries: Any) -> list[pb.PushRequest]:
    """Entries as an honest client frames them."""
    return [pb.PushRequest(frame=frame) for signed in entries for frame in frames(signed)]


def hello(network: MtlsNetwork) -> pb.HelloRequest:
    """A comparison by a node that holds nothing."""
    return pb.HelloRequest(network=NETWORK, time_unix_ms=network.clock.now_ms(), shared_digest=shared_digest([]))


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario; whatever it started must have ended with it."""

    async def watched() -> None:
        await scenario
        await asyncio.sleep(0.05)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())


async def publish(network: MtlsNetwork, count: int = 10, audience: str = "everyone") -> Node:
    node = network["310000"]
    await node.publishing.create_channel("base", manifest(audience))
    await node.publishing.publish(BASE, [row(serial) for serial in range(1, count + 1)])
    return node


def outgoing(node: Node, channel: str = BASE) -> list[SignedEntry]:
    return list(node.sharing.entries(node.membership.me, channel, 0, 0, None))


async def each(entries: Iterable[SignedEntry]) -> AsyncIterator[SignedEntry]:
    for signed in entries:
        yield signed


async def refusal_of(step: Coroutine[Any, Any, Any]) -> XinqiaoError:
    try:
        await step
    except XinqiaoError as error:
        return error
    raise AssertionError("nothing was refused")


async def all_of(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


async def rpc_refusal_of(step: Any) -> XinqiaoError:
    """The refusal that a call by hand gets."""
    try:
        await step
    except grpc.RpcError as error:
        return from_rpc_error(error, peer="the peer", address="loopback")
    raise AssertionError("nothing was refused")
