"""Certificates in real handshakes: as their profile says, and refused where they are not listed."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from node import keys
from node.core.membership import spki_hash
from node.keys import KeyRing, TlsIdentity, Use
from tests.key_rings import HOUR, NOW, new_ring


def test_a_certificate_is_what_its_profile_says(tmp_path: Path) -> None:
    certificate = x509.load_der_x509_certificate(new_ring(tmp_path).tls.certificate)
    extension = {each.oid._name: each for each in certificate.extensions}
    names = extension["subjectAltName"].value
    usage = extension["keyUsage"].value
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert names.get_values_for_type(x509.DNSName) == ["310115.node.xinqiao"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://xinqiao/node/310115"]
    assert usage.digital_signature
    assert [usage.key_cert_sign, usage.key_encipherment, usage.key_agreement] == [False] * 3
    assert extension["basicConstraints"].critical
    assert not extension["basicConstraints"].value.ca
    assert {each._name for each in extension["extendedKeyUsage"].value} == {"serverAuth", "clientAuth"}
    public_key = certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    assert public_key.curve.name == "secp256r1"
    assert lifetime.days == 825
    assert NOW - certificate.not_valid_before_utc.timestamp() * 1000 == HOUR
    assert certificate.issuer == certificate.subject


def test_no_two_certificates_share_a_subject(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    ring.prepare_next_tls("310115", "delta-0123456789abcdef", NOW)
    subjects = {
        x509.load_der_x509_certificate(record.certificate).subject.rfc4514_string()
        for record in ring.records
        if record.use is Use.TLS
    }
    assert len(subjects) == 2
    assert all("CN=310115.node.xinqiao" in subject for subject in subjects)


def test_a_certificate_that_ends_soon_is_told(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    end = x509.load_der_x509_certificate(ring.tls.certificate).not_valid_after_utc.timestamp() * 1000
    assert ring.current(Use.TLS).not_after_ms == end
    days = [ring.ends_soon(int(end) - day * 24 * HOUR) for day in (61, 60, -1)]
    assert days == [None, ring.current(Use.TLS), ring.current(Use.TLS)]


def identity(record: keys.KeyRecord, ring: KeyRing) -> TlsIdentity:
    signer = ring._signers[record.key_id]
    return TlsIdentity(record.key_id, record.certificate, signer.encoded(Encoding.PEM))


def roots(*identities: TlsIdentity) -> bytes:
    return b"".join(each.certificate_pem for each in identities)


@contextmanager
def served(shown: TlsIdentity, accepted: bytes) -> Iterator[int]:
    """A real gRPC server that answers with the SPKI hash of whoever calls."""

    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        context_of_call: Any = context.auth_context()  # its stubs say bytes, it answers lists of bytes
        pem = context_of_call["x509_pem_cert"][0]
        return spki_hash(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))

    pair = [(shown.private_key_pem, shown.certificate_pem)]
    credentials = grpc.ssl_server_credentials(pair, root_certificates=accepted, require_client_auth=True)
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Who": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Peer", handlers),))
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            yield port
        finally:
            server.stop(None).wait()


def who_am_i(port: int, shown: TlsIdentity, accepted: bytes, peer: str) -> bytes:
    credentials = grpc.ssl_channel_credentials(accepted, shown.private_key_pem, shown.certificate_pem)
    options = [("grpc.ssl_target_name_override", keys.target_name(peer))]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Peer/Who")
        return call(b"", timeout=3)


@dataclass(frozen=True)
class Pair:
    """Two nodes, the first of them with two certificates."""

    old: TlsIdentity
    new: TlsIdentity
    peer: TlsIdentity


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    now = int(time.time() * 1000)
    ring = KeyRing.create(tmp_path / "a", "310115", now)
    fresh = ring.prepare_next_tls("310115", "delta", now)
    peer = KeyRing.create(tmp_path / "b", "310000", now)
    return Pair(ring.tls, identity(fresh, ring), peer.tls)


def test_a_server_accepts_both_certificates_of_a_rotating_member(pair: Pair) -> None:
    for accepted in (roots(pair.old, pair.new), roots(pair.new, pair.old)):
        with served(pair.peer, accepted) as port:
            for shown in (pair.old, pair.new):
                assert who_am_i(port, shown, roots(pair.peer), "310000") == shown.spki_sha256


def test_a_client_accepts_both_certificates_of_a_rotating_member(pair: Pair) -> None:
    for shown in (pair.old, pair.new):
        with served(shown, roots(pair.peer)) as port:
            found = who_am_i(port, pair.peer, roots(pair.old, pair.new), "310115")
            assert found == pair.peer.spki_sha256


def test_a_certificate_that_is_not_listed_is_refused_by_either_end(pair: Pair) -> None:
    with served(pair.peer, roots(pair.old)) as port:
        with pytest.raises(grpc.RpcError) as caught:
            who_am_i(port, pair.new, roots(pair.peer), "310000")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError):
            who_am_i(port, pair.old, roots(pair.new), "310000")


def test_a_member_cannot_show_itself_as_another(pair: Pair) -> None:
    with served(pair.old, roots(pair.peer)) as port, pytest.raises(grpc.RpcError):
        who_am_i(port, pair.peer, roots(pair.old), "310000")
