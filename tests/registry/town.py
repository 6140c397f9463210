"""A network in separate folders: the registry's home, each officer's own machine, nodes that ask to join."""

import asyncio
import datetime
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from node.core import envelope as envelopes
from node.core.envelope import seal
from node.core.membership import fingerprint_of
from node.core.suites import ED25519, key_id_of
from node.pb import envelope_pb2, registry_pb2, registry_service_pb2, registry_service_pb2_grpc
from registry import authority, server
from registry.cli import registry
from registry.rates import Rate
from registry.server import Rates
from registry.store import Store
from tests.registry.client import Reader

ACTIVE, RETIRED = registry_pb2.KEY_STATE_ACTIVE, registry_pb2.KEY_STATE_RETIRED
REVOKED = registry_pb2.KEY_STATE_REVOKED


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class NodeKey:
    """A node's signing key."""

    def __init__(self) -> None:
        self.private = ed25519.Ed25519PrivateKey.generate()
        self.spki = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key_id = key_id_of(self.spki)

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    def record(self, state: registry_pb2.KeyState = ACTIVE) -> registry_pb2.SigningKey:
        return registry_pb2.SigningKey(key_id=self.key_id, suite=ED25519, public_key=self.spki, state=state)


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"node {time.time_ns()}")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=4000))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@dataclass
class Node:
    """Somebody who asks to be listed."""

    id: str
    name: str = "浦东新区"
    level: str = "district"
    key: NodeKey = field(default_factory=NodeKey)
    certificate: bytes = field(default_factory=certificate)

    def descriptor(self, version: int = 1, **changes: Any) -> registry_pb2.NodeDescriptor:
        described = registry_pb2.NodeDescriptor(
            id=self.id,
            version=version,
            name=self.name,
            level=self.level,
            parent="310000",
            authorities=[registry_pb2.Authority(uscc="11310115MB000000X0")],
            signing_keys=[self.key.record()],
            tls_certificates=[registry_pb2.TlsCertificate(certificate=self.certificate)],
            created_at_unix_ms=1,
        )
        for name, value in changes.items():
            described.ClearField(name)
            described.MergeFrom(registry_pb2.NodeDescriptor(**{name: value}))
        return described

    def request(self, *signers: NodeKey, **changes: Any) -> envelope_pb2.Envelope:
        content = self.descriptor(**changes).SerializeToString()
        return seal(content, envelopes.NODE_DESCRIPTOR, *(signers or (self.key,)))

    def report(self, network: str, leaves: dict[str, list[bytes]], time_ms: int | None = None) -> envelope_pb2.Envelope:
        origins = [registry_pb2.OriginHeads(origin=each, head_leaves=sorted(leaves[each])) for each in sorted(leaves)]
        report = registry_pb2.HeadReport(
            network=network, reporter=self.id, time_unix_ms=time_ms or now_ms(), origins=origins
        )
        return seal(report.SerializeToString(), envelopes.HEAD_REPORT, self.key)


class Town:
    """A founded network and everybody's folder; every command goes through the real command line."""

    def __init__(self, folder: Path, officers: int = 3, threshold: int = 2) -> None:
        self.folder = folder
        self.home = folder / "registry"
        self.officers = [folder / f"officer-{place}" for place in range(1, officers + 1)]
        self.threshold = threshold
        self.store = Store(self.home)

    def found(self) -> "Town":
        publics = []
        for officer in self.officers:
            officer.mkdir()
            publics.append(self.json("officer", "keygen", "-o", officer / "key.pem")["officer_key"])
        given = [part for public in publics for part in ("--officer-key", public)]
        founded = self.json("init", "--network", "delta", *given, "--threshold", self.threshold)
        self.root_fingerprint = str(founded["root_fingerprint"])
        self.network = str(founded["network"])
        self.sign_and_submit(Path(founded["founding"]))
        return self

    # -- the command line

    def run(self, *arguments: object, input: str | None = None) -> Result:
        environment = {"XINQIAO_HOME": str(self.home), "XINQIAO_OFFICER_PASSPHRASE": None}
        return CliRunner().invoke(registry, [str(each) for each in arguments], env=environment, input=input)

    def json(self, *arguments: object) -> dict[str, Any]:
        ran = self.run(*arguments, "--json")
        assert ran.exit_code == 0, ran.output
        document: dict[str, Any] = json.loads(ran.stdout)
        return document

    def refused(self, *arguments: object) -> dict[str, str]:
        """Run a command that must be refused, and return what it says."""
        ran = self.run(*arguments, "--json")
        assert ran.exit_code == 1, ran.output
        error: dict[str, str] = json.loads(ran.stdout)["error"]
        assert f"next: {error['next']}" in ran.stderr
        return error

    # -- the ceremony: only files pass between the folders

    def propose(self, *arguments: object) -> Path:
        path = self.folder / f"{time.time_ns()}.proposal"
        self.json("propose", *arguments, "-o", path)
        return path

    def signed_by(self, officer: int, proposal: Path) -> Path:
        """Officer 1, 2 ... takes a copy home, signs it and hands it back."""
        own = self.officers[officer - 1]
        taken = own / f"{time.time_ns()}.{proposal.name.rpartition('.')[2]}"
        shutil.copy(proposal, taken)
        self.json("sign", taken, "--key", own / "key.pem", "--yes", "--root-fingerprint", self.root_fingerprint)
        return taken

    def sign_and_submit(self, proposal: Path) -> dict[str, Any]:
        copies = [self.signed_by(place, proposal) for place in range(1, self.threshold + 1)]
        return self.json("submit", *copies)

    def decide(self, *arguments: object) -> dict[str, Any]:
        done = self.sign_and_submit(self.propose(*arguments))
        assert [each["published"] for each in done["proposals"]] == [True]
        return done

    def admit(self, node: Node) -> Node:
        envelope = node.request()
        authority.request_membership(self.store, envelope, now_ms())
        self.decide("approve", node.id, "--fingerprint", fingerprint_of(envelope))
        return node

    def reader(self) -> Reader:
        root = self.store.file("1.root.json")
        assert root is not None
        return Reader(self.store.file, root)


GENEROUS = Rates(read=Rate(100_000, 100_000), write=Rate(100_000, 100_000))


@contextmanager
def serving(store: Store, rates: Rates = GENEROUS) -> Iterator["Caller"]:
    """The real server on a free port of loopback, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[grpc.aio.Server, str]:
        built, address = server.build(store, now_ms, rates, "127.0.0.1:0")
        await built.start()
        return built, address

    running, address = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        with grpc.insecure_channel(address) as channel:
            yield Caller(channel, address)
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(0), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Caller:
    """A client of the registry port."""

    def __init__(self, channel: grpc.Channel, address: str) -> None:
        self.address = address
        self.stub = registry_service_pb2_grpc.RegistryServiceStub(channel)

    def file(self, name: str) -> bytes | None:
        request = registry_service_pb2.GetFileRequest(name=name)
        try:
            return b"".join(piece.data for piece in self.stub.GetFile(request, timeout=10))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def join(self, envelope: envelope_pb2.Envelope) -> registry_service_pb2.RequestMembershipResponse:
        request = registry_pb2.MembershipRequest(descriptor=envelope)
        asked = registry_service_pb2.RequestMembershipRequest(request=request)
        answer: registry_service_pb2.RequestMembershipResponse = self.stub.RequestMembership(asked, timeout=10)
        return answer

    def state_of(self, envelope: envelope_pb2.Envelope, node: str) -> registry_service_pb2.GetRequestStateResponse:
        fingerprint = bytes.fromhex(fingerprint_of(envelope))
        request = registry_service_pb2.GetRequestStateRequest(node_id=node, fingerprint=fingerprint)
        answer: registry_service_pb2.GetRequestStateResponse = self.stub.GetRequestState(request, timeout=10)
        return answer

    def report(self, envelope: envelope_pb2.Envelope) -> None:
        self.stub.ReportHeads(registry_service_pb2.ReportHeadsRequest(report=envelope), timeout=10)

    def explain(self, node: str) -> registry_service_pb2.ExplainResponse:
        request = registry_service_pb2.ExplainRequest(node_id=node)
        answer: registry_service_pb2.ExplainResponse = self.stub.Explain(request, timeout=10)
        return answer


def refusal_in(error: grpc.RpcError) -> envelope_pb2.Refusal:
    """The refusal in the trailing metadata."""
    pairs: Any = error.trailing_metadata()
    found = [value for key, value in pairs if key == "xinqiao-refusal-bin"]
    assert len(found) == 1
    return envelope_pb2.Refusal.FromString(found[0])
