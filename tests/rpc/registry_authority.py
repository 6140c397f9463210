"""A small TUF authority for tests, which also signs what an honest one never would; and the ports that serve it."""

import asyncio
import copy
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from node.core import envelope as envelopes
from node.core import registry_targets as paths
from node.core.errors import XinqiaoError, from_refusal
from node.core.membership import Standing, VerifiedDescriptor, open_descriptor
from node.core.suites import ED25519, key_id_of
from node.pb import registry_pb2, registry_service_pb2_grpc
from node.ports import RegistryNews, RegistryState
from node.rpc.registry_port import RegistryPort
from node.rpc.registry_source import TufRegistry

# In the past, so that a client that looked at the clock of this machine would find everything expired.
NOW_MS = 1_600_000_000_000
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
LIFETIMES_DAYS = {"root": 365, "targets": 180, "snapshot": 7, "timestamp": 3}


class FixedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS
        self.running_s = 0.0

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic_s(self) -> float:
        return self.running_s

    async def sleep(self, seconds: float) -> None:
        self.running_s += seconds


class SeededEntropy:
    """Randomness that repeats."""

    def __init__(self, seed: int = 7) -> None:
        self._random = Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


class NodeKey:
    """An Ed25519 signing key as a node holds one."""

    def __init__(self) -> None:
        self.private = ed25519.Ed25519PrivateKey.generate()
        self.spki = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = key_id_of(self.spki)

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def certificate(name: str) -> bytes:
    """Return a self-signed P-256 certificate in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = moment(NOW_MS)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, start, start + timedelta(days=365))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def descriptor(node: str, name: str = "浦东新区") -> VerifiedDescriptor:
    """Return a signed descriptor of a district."""
    key = NodeKey()
    message = registry_pb2.NodeDescriptor(id=node, version=1, name=name, level="district", created_at_unix_ms=NOW_MS)
    message.signing_keys.add(key_id=key.key_id, suite=ED25519, public_key=key.spki, state=registry_pb2.KEY_STATE_ACTIVE)
    message.tls_certificates.add(certificate=certificate(node))
    return open_descriptor(envelopes.seal(message.SerializeToString(), envelopes.NODE_DESCRIPTOR, key))


def listing(node: str, standing: Standing = Standing.ACTIVE) -> bytes:
    """Return a node target."""
    return paths.encode_node(paths.NodeTarget(descriptor(node), standing, "", 0, NOW_MS))


class Authority:
    """Everything that officers and the online key sign, as one mutable thing; `served` is what is published."""

    def __init__(self, name: str = "delta", now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms
        self.officers = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.online = CryptoSigner.generate_ed25519()
        self.files: dict[str, bytes] = {paths.NETWORK_TARGET: paths.encode_network(name, now_ms)}
        self.roles: dict[str, Metadata[Targets]] = {}
        self.served: dict[str, bytes] = {}
        self.root = Root(consistent_snapshot=True)
        for role in ("root", "targets"):
            for officer in self.officers:
                self.root.add_key(officer.public_key, role)
            self.root.roles[role].threshold = 2
        for role in ("snapshot", "timestamp"):
            self.root.add_key(self.online.public_key, role)
        self.snapshot_version = 0
        self.timestamp_version = 0
        self.sign_root()
        self.put_role("targets", {paths.NETWORK_TARGET: self.files[paths.NETWORK_TARGET]})
        self.publish()

    def fork(self) -> "Authority":
        """Return another authority with the same keys and the same past."""
        other = copy.copy(self)
        other.root = Root.from_dict(copy.deepcopy(self.root.to_dict()))
        other.files, other.served = dict(self.files), dict(self.served)
        other.roles = {role: Metadata[Targets].from_bytes(made.to_bytes()) for role, made in self.roles.items()}
        return other

    @property
    def fingerprint(self) -> bytes:
        return paths.root_fingerprint(self.served["1.root.json"])

    # --- Officers -------------------------------------------------------------------------------------------

    def sign_root(self) -> None:
        """Sign and publish the root as it stands, under its version."""
        self.root.expires = self.expiry("root")
        self.served[f"{self.root.version}.root.json"] = self.signed(self.root, *self.officers[:2])

    def rotate_online(self) -> None:
        """Replace the online key in a new root."""
        stolen, self.online = self.online, CryptoSigner.generate_ed25519()
        for role in ("snapshot", "timestamp"):
            self.root.revoke_key(stolen.public_key.keyid, role)
            self.root.add_key(self.online.public_key, role)
        self.root.version += 1
        self.sign_root()

    def put_role(self, role: str, files: Mapping[str, bytes], version: int | None = None) -> None:
        """Sign the next version of a targets role with these files added."""
        if role in self.roles:
            made = self.roles[role]
            made.signed.version = version or made.signed.version + 1
        else:
            made = Metadata(Targets(version=version or 1))
        made.signed.targets |= {
            path: TargetFile.from_data(path, content, ["sha256"]) for path, content in files.items()
        }
        made.signed.expires = self.expiry(role)
        self.files |= files
        self.sign_role(role, made, *self.officers[:2])

    def sign_role(self, role: str, made: Metadata[Targets], *signers: CryptoSigner) -> None:
        """Keep a targets role, signed by whomever."""
        made.signatures.clear()
        for signer in signers:
            made.sign(signer, append=True)
        self.roles[role] = made

    def put_node(self, node: str, content: bytes | None = None) -> None:
        """List a node in its region; targets name a new region in the same breath."""
        region = paths.region_of(node)
        role = paths.region_role(region)
        if role not in self.roles:
            self.delegate(role, paths.region_paths(region))
        self.put_role(role, {paths.node_path(node): content or listing(node)})

    def delegate(self, role: str, patterns: list[str]) -> None:
        """Let targets name another role, signed by the officers."""
        targets = self.roles["targets"].signed
        delegations = targets.delegations or Delegations(keys={}, roles={})
        keys = {officer.public_key.keyid: officer.public_key for officer in self.officers}
        delegations.keys |= keys
        assert delegations.roles is not None
        delegations.roles[role] = DelegatedRole(role, list(keys), 2, terminating=True, paths=patterns)
        targets.delegations = delegations
        self.put_role("targets", {})

    # --- The online key -------------------------------------------------------------------------------------

    def publish(self) -> dict[str, bytes]:
        """Sign the next snapshot and timestamp over the roles as they stand; returns what is served then."""
        self.snapshot_version += 1
        self.sign_snapshot()
        return self.publish_timestamp()

    def publish_timestamp(self) -> dict[str, bytes]:
        """Sign the next timestamp over the snapshot as it stands."""
        self.timestamp_version += 1
        return self.sign_timestamp()

    def sign_snapshot(self) -> None:
        """Sign a snapshot of the roles under the version as it stands."""
        made = {role: each.to_bytes() for role, each in self.roles.items()}
        self.served |= {f"{self.roles[role].signed.version}.{role}.json": made[role] for role in made}
        self.served |= {paths.published_name(path, content): content for path, content in self.files.items()}
        meta = {f"{role}.json": meta_of(self.roles[role].signed.version, made[role]) for role in made}
        snapshot = Snapshot(self.snapshot_version, expires=self.expiry("snapshot"), meta=meta)
        self.served[f"{self.snapshot_version}.snapshot.json"] = self.signed(snapshot, self.online)

    def sign_timestamp(self) -> dict[str, bytes]:
        """Sign a timestamp of the snapshot under the version as it stands."""
        snapshot = self.served[f"{self.snapshot_version}.snapshot.json"]
        meta = meta_of(self.snapshot_version, snapshot)
        timestamp = Timestamp(self.timestamp_version, expires=self.expiry("timestamp"), snapshot_meta=meta)
        self.served["timestamp.json"] = self.signed(timestamp, self.online)
        return dict(self.served)

    def expiry(self, role: str) -> datetime:
        """When a role signed now expires."""
        days = LIFETIMES_DAYS.get(role, 90)
        return moment(self.now_ms) + timedelta(days=days)

    def signed(self, body: Any, *signers: CryptoSigner) -> bytes:
        """Sign any role."""
        made: Metadata[Any] = Metadata(body)
        for signer in signers:
            made.sign(signer, append=True)
        return made.to_bytes()


def moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)


def meta_of(version: int, content: bytes) -> MetaFile:
    return MetaFile(version, len(content), {"sha256": hashlib.sha256(content).hexdigest()})


# --- Ports ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def serving(servicer: registry_service_pb2_grpc.RegistryServiceServicer) -> AsyncIterator[str]:
    """Serve one registry port on loopback and yield its endpoint."""
    server = grpc.aio.server()
    registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def knows_nobody(*_: object) -> tuple[()]:
    """The address book of a node that knows nobody."""
    return ()


def node_port(files: Callable[[str], bytes | None], **changes: Any) -> RegistryPort:
    """Return the registry port of the node 310000 over these files."""
    settings: dict[str, Any] = {
        "node": "310000",
        "network": lambda: "delta:0123456789abcdef",
        "registry": lambda: "registry.example:7400",
        "files": files,
        "versions": lambda: registry_pb2.RegistryVersions(root_version=1, timestamp_version=4, snapshot_version=2),
        "explain": lambda _: None,
        "share": knows_nobody,
        "clock": FixedClock(),
    }
    return RegistryPort(**(settings | changes))


@asynccontextmanager
async def served(files: Mapping[str, bytes], asked: list[str] | None = None) -> AsyncIterator[str]:
    """Serve files from a node's registry port; what is asked for is appended to `asked`."""

    def look(name: str) -> bytes | None:
        if asked is not None:
            asked.append(name)
        return files.get(name)

    async with serving(node_port(look)) as endpoint:
        yield endpoint


# --- Refreshes --------------------------------------------------------------------------------------------------


async def refreshed(
    held: RegistryState | None, *sources: Mapping[str, bytes], now_ms: int = NOW_MS, **settings: Any
) -> RegistryNews:
    """Serve each of the files from a port of its own and refresh once; the first is the registry, then nodes."""
    asked = settings.pop("asked", None)
    async with AsyncExitStack() as stack:
        endpoints = [await stack.enter_async_context(served(files, asked)) for files in sources]
        named = [(f"source {number}", endpoint) for number, endpoint in enumerate(endpoints)]
        return await TufRegistry(lambda: named, SeededEntropy(), **settings).refresh(held, now_ms)


def refresh(held: RegistryState | None, *sources: Mapping[str, bytes], **settings: Any) -> RegistryNews:
    """Refresh once in a loop of its own."""
    return asyncio.run(refreshed(held, *sources, **settings))


def faults(news: RegistryNews) -> list[tuple[str, str]]:
    """Return who was named, and with which code."""
    return [(source, refusal.code) for source, refusal in news.faults]


def only_fault(news: RegistryNews) -> XinqiaoError:
    """Return the one fault of a refresh that brought no state."""
    assert news.state is None
    assert len(news.faults) == 1, news.faults
    return from_refusal(news.faults[0][1])


def versions(state: RegistryState | None) -> tuple[int, int, int]:
    """Return the versions of root, timestamp and snapshot."""
    assert state is not None
    return state.versions.root_version, state.versions.timestamp_version, state.versions.snapshot_version


def recovers(authority: Authority, held: RegistryState, now_ms: int = NOW_MS) -> bool:
    """Whether the next sound state is taken by a node that still holds the last one."""
    authority.put_node("110105")
    while authority.timestamp_version <= held.versions.timestamp_version + 2:
        authority.publish()
    news = refresh(held, authority.served, now_ms=now_ms)
    return not news.faults and news.state is not None and "110105" in news.state.members.by_id
