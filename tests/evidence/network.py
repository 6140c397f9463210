"""A small network for evidence: the registry's own writer, nodes over stores in memory, a clock that the test moves.

network = Network()                       three officers of whom two sign, members 310000, 330100, 320500, national
network.publish("310000", rows=3)         one entry in 310000/penalties, received by all, receipts and heartbeat
bundle = network.bundle(index=1, position=0)
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Targets

from node.core import envelope as envelopes
from node.core import registry_targets as paths
from node.core.audience import parse_audience
from node.core.catalogue import authority_of, natural_key, parse_edition, subject_of
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing, VerifiedDescriptor, open_descriptor
from node.core.query_log import SubjectKey
from node.core.record import Candidate, build_record, content_hash
from node.core.registry_targets import NodeTarget
from node.core.state import Place
from node.core.suites import ECDSA_P256, ED25519
from node.evidence.bundle import build
from node.keys.certificate import make_certificate
from node.keys.signer import SoftwareSigner, generate
from node.node import Node, Settings, World
from node.pb import channel_pb2, envelope_pb2, evidence_pb2, registry_pb2
from node.ports import Peer, RegistryNews, RegistryState
from node.rpc.registry_source import load
from node.storage.memory import MemoryStore
from node.storage.writer import InlineWriter
from registry import keys, repository
from registry.repository import TARGETS, State
from scripts.xq_generate import Plan
from scripts.xq_generate import generate as generate_rows

NOW_MS = 1_790_000_000_000
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
EDITION_FILE = Path(__file__).resolve().parents[2] / "registry" / "editions" / "catalogue-2026.1.json"
ITEM = "penalty.2018"
PLAN = Plan(ITEM, 12, 1)
ORIGIN, WITNESS, OTHER, NATIONAL = "310000", "330100", "320500", "national"
CHANNEL = f"{ORIGIN}/penalties"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_s(self) -> float:
        return self.at_ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)


class Entropy:
    """Randomness that repeats."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class Alone:
    """No peer can be called: the test carries everything."""

    def peer(self, node: str) -> Peer | None:  # noqa: ARG002 - a port
        return None


class KeptHeads:
    """A sidecar in memory."""

    def __init__(self) -> None:
        self.kept: tuple[str, Mapping[tuple[str, int], HeadAt]] | None = ("", {})

    def read(self) -> tuple[str, Mapping[tuple[str, int], HeadAt]] | None:
        return self.kept

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        self.kept = (incarnation, dict(heads))


@cache
def certificate() -> bytes:
    """One TLS certificate for all: nobody here makes a handshake."""
    return make_certificate(ORIGIN, "delta", generate(ECDSA_P256), NOW_MS)


class Keys:
    """The signing keys of one node: signer is the one in force, states what the descriptor says of each."""

    def __init__(self, suite: str = ED25519) -> None:
        self.signer = generate(suite)
        self.listed: list[registry_pb2.SigningKey] = []
        self.active: list[SoftwareSigner] = []
        self.version = 0
        self.add(self.signer)

    def add(self, signer: SoftwareSigner) -> None:
        self.active.append(signer)
        self.listed.append(
            registry_pb2.SigningKey(
                key_id=signer.key_id,
                suite=signer.suite,
                public_key=signer.public.spki,
                state=registry_pb2.KEY_STATE_ACTIVE,
            )
        )

    def replace(self, state: registry_pb2.KeyState, now_ms: int) -> None:
        """End the key in force with that state and go on with a new one."""
        self.active.clear()
        self.listed[-1].state = state
        self.listed[-1].not_after_unix_ms = now_ms
        self.signer = generate(ED25519)
        self.add(self.signer)

    def describe(self, node: str, authorities: Sequence[str]) -> VerifiedDescriptor:
        self.version += 1
        message = registry_pb2.NodeDescriptor(
            id=node,
            version=self.version,
            name=f"示例{node}",
            level="national" if node == NATIONAL else "city",
            authorities=[registry_pb2.Authority(uscc=uscc) for uscc in authorities],
            signing_keys=self.listed,
            tls_certificates=[registry_pb2.TlsCertificate(certificate=certificate())],
            created_at_unix_ms=NOW_MS,
        )
        return open_descriptor(envelopes.seal(message.SerializeToString(), envelopes.NODE_DESCRIPTOR, *self.active))


class Officers:
    """The registry's writer: three officers of whom two sign, and the online key."""

    def __init__(self, now_ms: int) -> None:
        self.signers = [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ed25519()]
        self.online = CryptoSigner.generate_ed25519()
        public = [keys.public_of(each) for each in self.signers]
        root = self._signed(repository.new_root(public, 2, keys.public_of(self.online), now_ms))
        files = {
            paths.NETWORK_TARGET: paths.encode_network("delta", now_ms),
            paths.catalogue_path("2026.1"): EDITION_FILE.read_bytes(),
        }
        roles = {TARGETS: self._signed(repository.new_targets(files, now_ms))}
        self.version = 0
        self.state = State((root,), roles, b"", b"", {})
        self._publish(roles, files, now_ms)

    def _signed(self, metadata: Metadata[Any]) -> bytes:
        for signer in self.signers[:2]:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def decide(self, files: Mapping[str, bytes], now_ms: int) -> None:
        """Publish target files, with new versions of the roles that list them."""
        drafted = repository.draft(self.state, files, now_ms)
        self._publish({role: self._signed(made) for role, made in drafted.items()}, files, now_ms)

    def renew(self, now_ms: int, *roles: str) -> None:
        """Sign these roles anew, and snapshot and timestamp with them."""
        made = {role: self._signed(each) for role, each in repository.renew(self.state, roles, now_ms).items()}
        root = made.pop("root", None)
        if root is not None:
            self.state = replace(self.state, roots=(*self.state.roots, root))
        self._publish(made, {}, now_ms)

    def _publish(self, roles: Mapping[str, bytes], files: Mapping[str, bytes], now_ms: int) -> None:
        self.version += 1
        all_roles = {**self.state.roles, **roles}
        snapshot = repository.sign_snapshot(all_roles, self.version, self.online, now_ms).to_bytes()
        timestamp = repository.sign_timestamp(snapshot, self.version, self.online, now_ms).to_bytes()
        self.state = State(self.state.roots, all_roles, snapshot, timestamp, {**self.state.files, **files})

    @property
    def served(self) -> dict[str, bytes]:
        """Everything that is published, by published name."""
        state = self.state
        found = {f"{number}.root.json": content for number, content in enumerate(state.roots, start=1)}
        found |= {
            f"{repository.read(Targets, content).signed.version}.{role}.json": content
            for role, content in state.roles.items()
        }
        found |= {paths.published_name(path, content): content for path, content in state.files.items()}
        return found | {f"{self.version}.snapshot.json": state.snapshot, "timestamp.json": state.timestamp}

    @property
    def fingerprint(self) -> bytes:
        return paths.root_fingerprint(self.state.roots[0])


class Network:
    """Nodes that hold what the test carries from one to another."""

    def __init__(self, members: Sequence[str] = (ORIGIN, WITNESS, OTHER, NATIONAL), suite: str = ED25519) -> None:
        self.clock = Clock()
        self.officers = Officers(NOW_MS)
        self.keys = {node: Keys(suite) for node in members}
        self.targets: dict[str, NodeTarget] = {}
        self.cuts: dict[str, bytes] = {}
        for node in members:
            authorities = [PLAN.authority_uscc] if node == ORIGIN else []
            self.targets[node] = NodeTarget(self.keys[node].describe(node, authorities), Standing.ACTIVE, "", 0, NOW_MS)
        self._decide(*members)
        self.nodes = {node: self._node(node) for node in members}
        self._rows = _candidates()
        self.run(self.nodes[ORIGIN].publishing.create_channel("penalties", _manifest()))

    def _node(self, node: str) -> Node:
        store = MemoryStore(incarnation=node)
        world = World(
            store=store,
            writer=InlineWriter(store),
            sidecar=KeptHeads(),
            peers=Alone(),
            registry=self,
            signer=lambda: self.keys[node].signer,
            clock=self.clock,
            entropy=Entropy(node),
            query_key=SubjectKey(bytes(32)),
        )
        return Node(Settings(node), self.state, world)

    @staticmethod
    def run(step: Any) -> Any:
        return asyncio.run(step)

    # -- the registry --------------------------------------------------------------------------------

    async def refresh(self, held: RegistryState | None, now_ms: int) -> RegistryNews:  # noqa: ARG002 - a port
        """ports.Registry: every node sees what is published now."""
        return RegistryNews(self.state)

    async def report_heads(self, report: envelope_pb2.Envelope) -> None:  # noqa: ARG002 - a port
        raise XinqiaoError("WIRE_UNREACHABLE", peer="the registry", address="-", detail="not here")

    async def share_addresses(
        self,
        address: envelope_pb2.Envelope,  # noqa: ARG002 - a port
        known_digest: bytes,  # noqa: ARG002
    ) -> Sequence[envelope_pb2.Envelope]:
        return ()

    @property
    def state(self) -> RegistryState:
        return load(self.officers.served)

    @property
    def fingerprint(self) -> bytes:
        return self.officers.fingerprint

    def _decide(self, *nodes: str) -> None:
        files = {paths.node_path(node): paths.encode_node(self.targets[node]) for node in nodes}
        files |= {paths.cut_path(node): self.cuts[node] for node in nodes if node in self.cuts}
        self.officers.decide(files, self.clock.at_ms)

    def list_as(self, node: str, **changes: Any) -> None:
        """Let the officers list a node otherwise, and every node read it."""
        self.targets[node] = replace(self.targets[node], decided_at_ms=self.clock.at_ms, **changes)
        self._decide(node)
        self.follow()

    def follow(self) -> None:
        """Let every node read the registry."""
        for node in self.nodes.values():
            self.run(node.refresh_registry())

    def suspend(self, node: str, *heads: HeadAt) -> None:
        """Suspend a node with a cut of its channel at these heads."""
        leaves = frozenset(head_leaf(CHANNEL, 0, head) for head in heads)
        self.cuts[node] = paths.encode_cut(node, Cut(leaves).head_leaves, self.clock.at_ms)
        self.list_as(node, standing=Standing.SUSPENDED, reason="示例：核查中")

    def change_key(self, node: str, state: registry_pb2.KeyState) -> None:
        """Retire or revoke a node's key, and go on with a new one."""
        self.keys[node].replace(state, self.clock.at_ms)
        authorities = [PLAN.authority_uscc] if node == ORIGIN else []
        self.list_as(node, descriptor=self.keys[node].describe(node, authorities))

    # -- entries ---------------------------------------------------------------------------------------

    def append(self, rows: int = 3) -> None:
        """Publish the next rows as one entry, which nobody has received yet."""
        self.clock.at_ms += MINUTE_MS
        candidates = [next(self._rows) for _ in range(rows)]
        self.run(self.nodes[ORIGIN].publishing.publish(CHANNEL, candidates))

    def publish(self, rows: int = 3) -> None:
        """Publish, carry to every node, and let the origin sign a heartbeat."""
        self.append(rows)
        self.spread()

    def spread(self) -> None:
        """Carry entries, the receipts for them, and a new heartbeat to every node."""
        self.carry(*(node for node in self.nodes if node != ORIGIN))
        self.beat()

    def carry(self, *subscribers: str) -> None:
        """Carry what each lacks of the channel, and each receipt to all."""
        self.clock.at_ms += MINUTE_MS
        for subscriber in subscribers:
            receipt = self.run(self.nodes[subscriber].receive(self._missing(subscriber))).receipt
            for node in self.nodes.values():
                self.run(node.take_receipts([receipt]))

    def _missing(self, subscriber: str) -> list[SignedEntry]:
        epoch = self.targets[ORIGIN].open_epoch
        held = self.nodes[subscriber].world.store.channel(CHANNEL, epoch)
        entries = self.nodes[ORIGIN].world.store.entries(CHANNEL, epoch, held.log.size if held is not None else 0)
        return [SignedEntry(CHANNEL, epoch, entry.index, entry.envelope, entry.body) for entry in entries]

    def beat(self) -> None:
        """Let the origin sign a heartbeat and carry it to all."""
        self.clock.at_ms += MINUTE_MS
        self.run(self.nodes[ORIGIN].beat())
        held = self.nodes[ORIGIN].world.store.heartbeat(ORIGIN)
        assert held is not None
        for node in self.nodes.values():
            self.run(node.receiving.take_heartbeat(held.view))

    def head(self, node: str = ORIGIN, epoch: int = 0) -> HeadAt:
        """The end of the channel at a node."""
        held = self.nodes[node].world.store.channel(CHANNEL, epoch)
        assert held is not None
        return HeadAt(held.log.size, held.log.root)

    def bundle(
        self, index: int = 1, position: int = 0, at: str = WITNESS, epoch: int = 0
    ) -> evidence_pb2.EvidenceBundle:
        """The evidence for a record as a node makes it."""
        node = self.nodes[at]
        place = Place(epoch, index, position)
        return build(node.world.store, node.membership.state, CHANNEL, place, self.clock.at_ms, me=at)


def _manifest() -> channel_pb2.Manifest:
    return channel_pb2.Manifest(
        item=ITEM, audience=parse_audience("everyone"), disclosure=channel_pb2.DISCLOSURE_CLASS_C
    )


def _candidates() -> Iterator[Candidate]:
    item = parse_edition(EDITION_FILE.read_bytes()).item(ITEM)
    for number, one in enumerate(generate_rows(PLAN), start=2):
        values = {item.by_code[code].number: text for code, text in one.row.items() if text}
        record = build_record(ITEM, values)
        subject, authority = subject_of(item, values), authority_of(item, values)
        yield Candidate(number, record, natural_key(item, values), content_hash(record), subject, authority)
