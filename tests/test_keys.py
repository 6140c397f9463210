"""Keys of a node in real files, certificates in real handshakes, rotations as peers see them."""

import base64
import json
import os
import pickle
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs import profile
from node import files, keys
from node.core.errors import XinqiaoError
from node.core.membership import Member, Standing, VerifiedDescriptor, fingerprint_of, open_descriptor, spki_hash
from node.core.suites import SUITES, load_public_key
from node.keys import KeyRing, Passphrase, State, TlsIdentity, Use, find_passphrase, generate, read_key, write_key
from node.pb import envelope_pb2, registry_pb2
from registry import keys as registry_keys
from registry.decisions import check_succession

ROOT = Path(__file__).resolve().parents[1]
NOW = 1_790_000_000_000
HOUR = 3_600_000
SETTLE = 15 * 60_000
PASSPHRASE = Passphrase("correct horse 马".encode())


@dataclass(frozen=True)
class Named:
    """The settings a descriptor is made of."""

    id: str = "310115"
    name: str = "浦东新区"
    level: str = "district"
    division: str = "310115"
    parent: str = "310000"
    authorities: tuple[str, ...] = ("11319900MX00000001",)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def new_ring(tmp_path: Path, name: str = "keys", passphrase: Passphrase | None = None) -> KeyRing:
    return KeyRing.create(tmp_path / name, "310115", NOW, passphrase)


def message_of(envelope: envelope_pb2.Envelope) -> registry_pb2.NodeDescriptor:
    return open_descriptor(envelope).message


# -- key files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", profile("node_signing_key")["suites"])
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_survives_its_file(tmp_path: Path, suite: str, passphrase: Passphrase | None) -> None:
    signer = generate(suite)
    write_key(tmp_path / "a.pem", signer, passphrase)
    again = read_key(tmp_path / "a.pem", suite, signer.key_id, passphrase)
    public = load_public_key(suite, signer.public.spki)
    assert public is not None
    assert public.verifies(again.sign(b"message"), b"message")
    assert not public.verifies(again.sign(b"message"), b"another")


def test_every_suite_of_the_core_can_be_made() -> None:
    assert {generate(suite).suite for suite in SUITES} == set(SUITES)
    assert list(SUITES) == profile("node_signing_key")["suites"]
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        generate("rsa")


def test_a_key_file_is_private_from_its_first_byte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    before = os.umask(0)
    try:
        ring = new_ring(tmp_path)
    finally:
        os.umask(before)
    assert mode(tmp_path / "keys") == 0o700
    assert {mode(path) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert seen.count(0o600) == len(ring.records) + 1


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    write_key(tmp_path / "a.pem", generate("ed25519"), None)
    content = (tmp_path / "a.pem").read_bytes()
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*exists"):
        write_key(tmp_path / "a.pem", generate("ed25519"), None)
    assert (tmp_path / "a.pem").read_bytes() == content


@pytest.mark.parametrize("wrong", [None, Passphrase(b"wrong"), Passphrase(b"")])
def test_an_encrypted_key_opens_with_its_passphrase_only(tmp_path: Path, wrong: Passphrase | None) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, PASSPHRASE)
    with pytest.raises(XinqiaoError, match="KEY_PASSPHRASE") as caught:
        read_key(tmp_path / "a.pem", "ed25519", signer.key_id, wrong)
    assert "XINQIAO_KEY_PASSPHRASE" in caught.value.next
    assert signer.encoded(Encoding.DER)[-32:] not in (tmp_path / "a.pem").read_bytes()


def test_a_key_written_before_there_was_a_passphrase_still_opens(tmp_path: Path) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, None)
    assert read_key(tmp_path / "a.pem", "ed25519", signer.key_id, PASSPHRASE).key_id == signer.key_id


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed here")
def test_openssl_opens_an_encrypted_key_and_finds_scrypt_in_it(tmp_path: Path) -> None:
    signer = generate("ecdsa-p256-sha256")
    write_key(tmp_path / "a.pem", signer, Passphrase(b"secret"))
    show = ["openssl", "pkey", "-in", str(tmp_path / "a.pem"), "-passin", "pass:secret", "-pubout", "-outform", "DER"]
    assert subprocess.run(show, capture_output=True, check=True).stdout == signer.public.spki
    parse = ["openssl", "asn1parse", "-in", str(tmp_path / "a.pem")]
    shown = subprocess.run(parse, capture_output=True, check=True, text=True).stdout
    assert ":scrypt" in shown
    assert f"{profile('private_key_file')['scrypt_n']:X}" in shown


def test_a_key_readable_by_others_is_refused(tmp_path: Path) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, None)
    (tmp_path / "a.pem").chmod(0o640)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*others may use it \(mode 0640\)"):
        read_key(tmp_path / "a.pem", "ed25519", signer.key_id, None)


def rsa_pem() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def sm2_pem() -> bytes:
    """A key on a curve the library does not know: P-256 with the object identifier of SM2 in its place."""
    der = generate("ecdsa-p256-sha256").encoded(Encoding.DER)
    curve, other = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d")
    text = base64.b64encode(der.replace(curve, other)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n".encode()


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "no PKCS#8 private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no PKCS#8 private key"),
        (b"x" * 20_000, "more than 16384 bytes"),
        (generate("ed25519").encoded(Encoding.PEM), "belongs there"),
        (rsa_pem(), "belongs there"),
        (sm2_pem(), "not known here"),
    ],
)
def test_a_file_that_holds_anything_else_is_refused(tmp_path: Path, content: bytes, detail: str) -> None:
    files.write_new(tmp_path / "a.pem", content)
    with pytest.raises(XinqiaoError, match="KEY_FILE") as caught:
        read_key(tmp_path / "a.pem", "ed25519", generate("ed25519").key_id, None)
    assert detail in caught.value.text


def test_a_key_of_another_suite_than_noted_is_refused(tmp_path: Path) -> None:
    signer = generate("ed25519")
    write_key(tmp_path / "a.pem", signer, None)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*not of the suite"):
        read_key(tmp_path / "a.pem", "ecdsa-p256-sha256", signer.key_id, None)


def test_what_is_no_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pem", 0o600)
    for name, detail in (("pipe.pem", "another kind"), ("none.pem", "No such file")):
        with pytest.raises(XinqiaoError, match=f"KEY_FILE.*{detail}"):
            read_key(tmp_path / name, "ed25519", "0" * 64, None)


def test_no_secret_shows(tmp_path: Path) -> None:
    ring = new_ring(tmp_path, passphrase=PASSPHRASE)
    shown = repr((ring.signer, ring.tls, ring.records, PASSPHRASE, ring, vars(ring)))
    assert "PRIVATE" not in shown
    assert "correct horse" not in shown
    assert "hidden" in shown
    for secret in (ring.signer, PASSPHRASE):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


# -- passphrases ---------------------------------------------------------------------------------------------


def passphrase_file(path: Path, content: bytes, permissions: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(permissions)
    return path


def test_a_passphrase_comes_from_the_setting_then_the_environment_then_systemd(tmp_path: Path) -> None:
    setting = passphrase_file(tmp_path / "setting", b"one\n")
    passphrase_file(tmp_path / "xinqiao-key-passphrase", b"three\r\n", 0o440)
    credential = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    variable = {"XINQIAO_KEY_PASSPHRASE": "two"}
    assert find_passphrase(setting, variable | credential) == Passphrase(b"one")
    assert find_passphrase(None, variable | credential) == Passphrase(b"two")
    assert find_passphrase(None, credential) == Passphrase(b"three")
    assert find_passphrase(None, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}) is None
    assert find_passphrase(None, {}) is None


@pytest.mark.parametrize(("content", "permissions"), [(b"", 0o600), (b"\n", 0o600), (b"open", 0o644)])
def test_a_named_passphrase_that_cannot_be_used_is_an_error(tmp_path: Path, content: bytes, permissions: int) -> None:
    setting = passphrase_file(tmp_path / "setting", content, permissions)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        find_passphrase(setting, {"XINQIAO_KEY_PASSPHRASE": "two"})


def test_an_empty_or_missing_passphrase_is_not_taken_for_none(tmp_path: Path) -> None:
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*no passphrase"):
        find_passphrase(None, {"XINQIAO_KEY_PASSPHRASE": ""})
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*No such file"):
        find_passphrase(tmp_path / "none", {})


# -- certificates --------------------------------------------------------------------------------------------


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


# -- the ring ------------------------------------------------------------------------------------------------


def test_a_ring_opens_as_it_was_made(tmp_path: Path) -> None:
    made = new_ring(tmp_path, passphrase=PASSPHRASE)
    ring = KeyRing.open(tmp_path / "keys", PASSPHRASE)
    assert ring.records == made.records
    assert ring.signer.key_id == made.signer.key_id
    assert ring.tls == made.tls
    assert ring.signer.suite == "ed25519"
    assert keys.read_index(tmp_path / "keys") == made.records


def test_a_wrong_passphrase_shows_when_the_ring_is_opened(tmp_path: Path) -> None:
    new_ring(tmp_path, passphrase=PASSPHRASE)
    for wrong in (None, Passphrase(b"wrong")):
        with pytest.raises(XinqiaoError, match="KEY_PASSPHRASE"):
            KeyRing.open(tmp_path / "keys", wrong)


def test_the_index_holds_nothing_private(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    private = ring.signer.encoded(Encoding.DER)[-32:]
    index = (tmp_path / "keys" / "keys.json").read_text()
    assert "PRIVATE" not in index
    assert base64.b64encode(private)[:20].decode() not in index
    assert private.hex() not in index


def test_another_key_in_the_place_of_ours_is_refused(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    path = tmp_path / "keys" / ring.current(Use.SIGNING).file_name
    path.unlink()
    write_key(path, generate("ed25519"), None)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*belongs there"):
        KeyRing.open(tmp_path / "keys")


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    new_ring(tmp_path)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*0755"):
        KeyRing.open(tmp_path / "keys")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"format": 1', '"format": 2'),
        lambda text: text.replace('"current"', '"retired"', 1),
        lambda text: text.replace('"state": "current"', '"state": "lost"', 1),
        lambda text: text.replace('"public_key": "M', '"public_key": "N', 1),
        lambda text: text.replace('"certificate": "MII', '"certificate": "', 1),
        lambda text: text.replace(f'"since_ms": {NOW}', '"since_ms": "now"', 1),
        lambda text: text.replace('"suite"', '"suit"', 1),
        lambda _: "[]",
        lambda _: "",
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, damage: Callable[[str], str]) -> None:
    new_ring(tmp_path)
    path = tmp_path / "keys" / "keys.json"
    before = path.read_text()
    path.write_text(damage(before))
    assert path.read_text() != before
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*keys.json"):
        KeyRing.open(tmp_path / "keys")


def test_a_certificate_of_another_key_is_refused(tmp_path: Path) -> None:
    new_ring(tmp_path)
    foreign = json.loads((new_ring(tmp_path, "other")._directory / "keys.json").read_text())
    path = tmp_path / "keys" / "keys.json"
    index = json.loads(path.read_text())
    index["keys"][1]["certificate"] = foreign["keys"][1]["certificate"]
    path.write_text(json.dumps(index))
    with pytest.raises(XinqiaoError, match=r"KEY_FILE.*certificate of another"):
        KeyRing.open(tmp_path / "keys")


@pytest.mark.parametrize("step", ["write_new", "replace"])
def test_a_crash_while_a_key_is_prepared_leaves_the_ring_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ring = new_ring(tmp_path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, step, crash)
        with pytest.raises(KeyboardInterrupt):
            ring.prepare_next_signing(NOW)
    assert KeyRing.open(tmp_path / "keys").find(Use.SIGNING, State.NEXT) is None
    fresh = ring.prepare_next_signing(NOW)
    assert KeyRing.open(tmp_path / "keys").find(Use.SIGNING, State.NEXT) == fresh


def test_preparing_again_goes_on_with_the_same_key(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    fresh = ring.prepare_next_signing(NOW)
    assert ring.prepare_next_signing(NOW + HOUR) == fresh
    assert KeyRing.open(tmp_path / "keys").prepare_next_signing(NOW + HOUR) == fresh


def test_a_node_may_change_the_suite_of_its_signing_key(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    assert ring.prepare_next_signing(NOW, "ecdsa-p256-sha256").suite == "ecdsa-p256-sha256"
    envelope = keys.build_descriptor(None, Named(), ring, NOW)
    assert len(envelope.signatures) == 2


# -- descriptors ---------------------------------------------------------------------------------------------


def listed_after(previous: VerifiedDescriptor, envelope: envelope_pb2.Envelope) -> VerifiedDescriptor:
    """List a change if the registry's own check lets it follow the version before."""
    found = open_descriptor(envelope)
    check_succession(previous, found)
    return found


def test_the_first_descriptor_opens_and_has_a_fingerprint(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    envelope = keys.build_descriptor(None, Named(), ring, NOW)
    found = open_descriptor(envelope)
    assert found.fingerprint == fingerprint_of(envelope)
    assert (found.message.id, found.message.version, found.message.name) == ("310115", 1, "浦东新区")
    assert found.tls_spki_hashes == (ring.tls.spki_sha256,)
    assert [key.public.key_id for key in found.signing_keys] == [ring.signer.key_id]
    ring.check_listed(found.message)


def test_the_next_descriptor_is_refused_without_a_key_of_the_one_before(tmp_path: Path) -> None:
    listed = message_of(keys.build_descriptor(None, Named(), new_ring(tmp_path), NOW))
    other = new_ring(tmp_path, "other")
    with pytest.raises(XinqiaoError, match="KEY_MISMATCH") as caught:
        keys.build_descriptor(listed, Named(), other, NOW)
    assert caught.value.parameters["listed"] == listed.signing_keys[0].key_id[:16]


def test_the_id_of_a_node_never_changes(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = message_of(keys.build_descriptor(None, Named(), ring, NOW))
    with pytest.raises(XinqiaoError, match=r"CONFIG_INVALID.*never changes"):
        keys.build_descriptor(listed, Named(id="310104"), ring, NOW)


def test_an_authority_is_ended_and_never_dropped(tmp_path: Path) -> None:
    ring, first, second = new_ring(tmp_path), "11319900MX00000001", "11319900MX00000002"
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(authorities=(second,)), ring, NOW + HOUR))
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(authorities=(first, second)), ring, NOW + 2 * HOUR))
    speaks = [
        [Member(each, Standing.ACTIVE).may_speak_for(uscc, NOW + hours * HOUR) for hours in range(3)]
        for each, uscc in ((v2, first), (v2, second), (v3, first), (v3, second))
    ]
    assert speaks == [[True, False, False], [False, True, True], [True, False, True], [False, True, True]]


def test_a_new_descriptor_is_due_only_when_something_changed(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = message_of(keys.build_descriptor(None, Named(), ring, NOW))
    assert not keys.needs_descriptor(listed, Named(), ring)
    for change in ({"name": "浦东"}, {"level": "city"}, {"parent": ""}, {"division": ""}, {"authorities": ()}):
        assert keys.needs_descriptor(listed, replace(Named(), **change), ring)
    ring.prepare_next_tls("310115", "delta", NOW)
    assert keys.needs_descriptor(listed, Named(), ring)


# -- rotation as peers see it --------------------------------------------------------------------------------


def test_a_key_is_activated_only_once_the_registry_lists_it(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = message_of(keys.build_descriptor(None, Named(), ring, NOW))
    fresh = ring.prepare_next_signing(NOW)
    for key_id, detail in ((fresh.key_id, "does not list"), ("0" * 64, "no key of this home")):
        with pytest.raises(XinqiaoError, match=f"KEY_ROTATION.*{detail}"):
            ring.activate(key_id, listed, NOW)
    both = message_of(keys.build_descriptor(listed, Named(), ring, NOW))
    assert ring.activate(fresh.key_id, both, NOW).state is State.CURRENT
    assert ring.activate(fresh.key_id, both, NOW + 1).since_ms == NOW
    assert ring.signer.key_id == fresh.key_id
    with pytest.raises(XinqiaoError, match=r"KEY_ROTATION.*not finished"):
        ring.prepare_next_signing(NOW)


def accepted_keys(descriptor: VerifiedDescriptor, now_ms: int) -> set[str]:
    active = [key for key in descriptor.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
    return {key.public.key_id for key in active if key.not_before_ms <= now_ms}


def test_a_signing_key_is_replaced_without_a_moment_of_refusal(tmp_path: Path) -> None:
    """Walk a rotation by the minute: a peer one settle time behind the registry accepts all that is signed."""
    ring = new_ring(tmp_path)
    old = ring.signer
    versions = [(NOW, open_descriptor(keys.build_descriptor(None, Named(), ring, NOW)))]
    ring.prepare_next_signing(NOW)
    for now in range(NOW, NOW + 2 * HOUR, 60_000):
        listed = versions[-1][1]
        ring.follow(listed.message, now, SETTLE)
        if keys.needs_descriptor(listed.message, Named(), ring):
            # approved and published at once: the shortest notice a peer can get
            versions.append((now, listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, now))))
        behind = [each for since, each in versions if since <= now - SETTLE][-1:] or [versions[0][1]]
        assert [ring.signer.key_id in accepted_keys(each, now) for each in (*behind, versions[-1][1])] == [True, True]
    states = [[key.state for key in each.signing_keys] for _, each in versions]
    assert states == [
        [registry_pb2.KEY_STATE_ACTIVE],
        [registry_pb2.KEY_STATE_ACTIVE, registry_pb2.KEY_STATE_ACTIVE],
        [registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_ACTIVE],
    ]
    last = Member(versions[-1][1], Standing.ACTIVE)
    assert old.key_id in {key.key_id for key in last.all_keys}
    assert old.key_id not in {key.key_id for key in last.active_keys}
    assert sorted(path.name for path in (tmp_path / "keys").glob("signing-*")) == [
        f"signing-{ring.signer.key_id[:16]}.pem"
    ]


def test_a_certificate_is_replaced_without_a_moment_of_refusal(tmp_path: Path) -> None:
    """Walk a rotation by the minute: a peer one settle time behind the registry lists what is shown."""
    ring = new_ring(tmp_path)
    first = ring.tls.spki_sha256
    versions = [(NOW, open_descriptor(keys.build_descriptor(None, Named(), ring, NOW)))]
    ring.prepare_next_tls("310115", "delta", NOW)
    shown_since = NOW
    for now in range(NOW, NOW + 2 * HOUR, 60_000):
        listed = versions[-1][1]
        if ring.follow(listed.message, now, SETTLE):
            shown_since = now
        if keys.needs_descriptor(listed.message, Named(), ring):
            versions.append((now, listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, now))))
        behind = [each for since, each in versions if since <= now - SETTLE][-1:] or [versions[0][1]]
        assert [ring.tls.spki_sha256 in each.tls_spki_hashes for each in (*behind, versions[-1][1])] == [True, True]
    assert [len(each.tls_spki_hashes) for _, each in versions] == [1, 2, 1]
    assert versions[1][1].tls_spki_hashes[0] == first
    assert versions[2][1].tls_spki_hashes == (ring.tls.spki_sha256,) != (first,)
    assert shown_since > NOW
    assert len(list((tmp_path / "keys").glob("tls-*"))) == 1


def test_an_operator_is_told_what_a_rotation_waits_for(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    waits = [ring.waits_for(Use.SIGNING, listed.message, NOW, SETTLE)]
    ring.prepare_next_signing(NOW)
    for now in range(NOW, NOW + 3 * SETTLE, SETTLE // 2):
        ring.follow(listed.message, now, SETTLE)
        waits.append(ring.waits_for(Use.SIGNING, listed.message, now, SETTLE))
        if keys.needs_descriptor(listed.message, Named(), ring):
            listed = listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, now))
    assert waits == [
        "",
        "the officers to approve the descriptor that names the new key",
        "peers to learn of the new key, 900 s more",
        "peers to learn of the new key, 450 s more",
        "what the old key signed to arrive, 900 s more",
        "what the old key signed to arrive, 450 s more",
        "the officers to approve the descriptor that ends the old key",
    ]
    assert ring.waits_for(Use.SIGNING, listed.message, NOW, SETTLE) == ""
    assert ring.waits_for(Use.TLS, listed.message, NOW, SETTLE) == ""


def test_a_pending_descriptor_keeps_its_fingerprint_while_it_fits(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    newest = keys.build_descriptor(None, Named(), ring, NOW)
    listed = message_of(newest)
    assert keys.next_descriptor(listed, newest, Named(), ring, NOW) is None
    ring.prepare_next_signing(NOW)
    pending = keys.next_descriptor(listed, newest, Named(), ring, NOW)
    assert pending is not None
    assert keys.next_descriptor(listed, pending, Named(), ring, NOW + HOUR) == pending
    moved = Named(authorities=("11319900MX00000002",))
    changed = keys.next_descriptor(listed, pending, moved, ring, NOW + HOUR)
    assert changed is not None
    assert fingerprint_of(changed) != fingerprint_of(pending)
    assert keys.next_descriptor(listed, changed, moved, ring, NOW + 2 * HOUR) == changed
    assert keys.next_descriptor(message_of(changed), changed, moved, ring, NOW + 2 * HOUR) is None


def test_a_retired_private_key_is_destroyed_only_when_the_registry_says_so(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    old = ring.current(Use.SIGNING)
    fresh = ring.prepare_next_signing(NOW)
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(), ring, NOW))
    ring.activate(fresh.key_id, v2.message, NOW)
    retired = ring.retire_previous(Use.SIGNING, NOW + HOUR)
    assert retired is not None
    assert (retired.key_id, retired.not_after_ms) == (old.key_id, NOW + HOUR)
    assert ring.retire_previous(Use.SIGNING, NOW + HOUR) is None
    assert ring.destroy_retired(v2.message) == ()
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(), ring, NOW + HOUR))
    assert (tmp_path / "keys" / old.file_name).exists()
    assert [record.key_id for record in ring.destroy_retired(v3.message)] == [old.key_id]
    assert not (tmp_path / "keys" / old.file_name).exists()
    again = KeyRing.open(tmp_path / "keys")
    assert again.signer.key_id == fresh.key_id
    assert not keys.needs_descriptor(v3.message, Named(), again)


def test_a_stolen_key_is_listed_as_revoked(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    stolen, fresh = ring.current(Use.SIGNING), ring.prepare_next_signing(NOW)
    with pytest.raises(XinqiaoError, match=r"KEY_ROTATION.*in force"):
        ring.revoke(stolen.key_id, NOW)
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(), ring, NOW))
    ring.activate(fresh.key_id, v2.message, NOW)
    ring.revoke(stolen.key_id, NOW + HOUR)
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(), ring, NOW + HOUR))
    listed = {key.public.key_id: (key.state, key.not_after_ms) for key in v3.signing_keys}
    assert listed[stolen.key_id] == (registry_pb2.KEY_STATE_REVOKED, NOW + HOUR)
    assert [record.key_id for record in ring.destroy_retired(v3.message)] == [stolen.key_id]
    assert not keys.needs_descriptor(v3.message, Named(), KeyRing.open(tmp_path / "keys"))


def test_a_second_rotation_keeps_every_key_in_the_descriptor(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    listed = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    for round_ in (1, 2):
        fresh = ring.prepare_next_signing(NOW + round_ * HOUR)
        listed = listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, NOW + round_ * HOUR))
        ring.activate(fresh.key_id, listed.message, NOW + round_ * HOUR)
        ring.retire_previous(Use.SIGNING, NOW + round_ * HOUR)
        listed = listed_after(listed, keys.build_descriptor(listed.message, Named(), ring, NOW + round_ * HOUR))
    states = [key.state for key in listed.signing_keys]
    assert states == [registry_pb2.KEY_STATE_RETIRED] * 2 + [registry_pb2.KEY_STATE_ACTIVE]
    assert listed.message.version == 5


def test_a_restored_home_with_an_old_key_is_told_which_one_is_listed(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    shutil.copytree(tmp_path / "keys", tmp_path / "backup")
    v1 = open_descriptor(keys.build_descriptor(None, Named(), ring, NOW))
    fresh = ring.prepare_next_signing(NOW)
    v2 = listed_after(v1, keys.build_descriptor(v1.message, Named(), ring, NOW))
    ring.activate(fresh.key_id, v2.message, NOW)
    ring.retire_previous(Use.SIGNING, NOW)
    v3 = listed_after(v2, keys.build_descriptor(v2.message, Named(), ring, NOW))
    with pytest.raises(XinqiaoError, match="KEY_MISMATCH") as caught:
        KeyRing.open(tmp_path / "backup").check_listed(v3.message)
    assert caught.value.parameters["listed"] == fresh.key_id[:16]
    assert caught.value.next.endswith("`xinqiao keys rotate signing`")


# -- officers ------------------------------------------------------------------------------------------------


def test_an_officer_makes_a_key_of_the_profile(tmp_path: Path) -> None:
    assert registry_keys.generate(tmp_path / "officer.pem", None).suite in profile("officer_key")["suites"]


def test_the_page_about_keys_shows_real_commands_only() -> None:
    """Each `xinqiao ...` line of certs/README.md is looked up in the command line itself."""
    main: click.Group = pytest.importorskip("node.cli.main", exc_type=ModuleNotFoundError).main
    page = (ROOT / "certs" / "README.md").read_text("utf-8")
    lines = [
        line.strip() for line in page.splitlines() if line.startswith("    ") and line.lstrip().startswith("xinqiao ")
    ]
    assert len(lines) > 10
    assert [line for line in lines if not is_command(main, line)] == []
    assert not is_command(main, "xinqiao keys forge")
    assert not is_command(main, "xinqiao registry sign PROPOSAL --without-reading")


def is_command(main: click.Group, line: str) -> bool:
    """Whether the words of a line lead to a command that has every option named."""
    words = shlex.split(line)[1:]
    command: click.Command | None = main
    while words and isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    named = {word for word in words if word.startswith("-")}
    return command is not None and named <= {text for each in command.params for text in each.opts}
