"""Who a simulated node is: its keys, its certificate and its descriptor, all of them derived from a seed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from certs import profile
from node.core.envelope import NODE_DESCRIPTOR, seal
from node.core.membership import VerifiedDescriptor, open_descriptor, spki_hash
from node.core.suites import ED25519
from node.keys import SoftwareSigner, target_name
from node.pb import envelope_pb2, registry_pb2

START_MS = 1_767_571_200_000
"""2026-01-05T00:00:00Z: when every simulation begins. Nothing reads the clock of the machine, so any time will do."""

ACTIVE, RETIRED, REVOKED = (
    registry_pb2.KEY_STATE_ACTIVE,
    registry_pb2.KEY_STATE_RETIRED,
    registry_pb2.KEY_STATE_REVOKED,
)
_KEPT_IDENTITIES = 4096
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class SimulatedKey:
    """A signing key with its place in the descriptor; times in Unix ms, 0 = open end."""

    signer: SoftwareSigner = field(repr=False)
    state: int
    not_before_ms: int
    not_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class TlsKey:
    """The TLS key of a node and its self-signed certificate in DER."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: bytes
    spki_sha256: bytes
    pair: tuple[bytes, bytes] = field(repr=False)
    """(private key, certificate) in PEM, as gRPC's credentials take them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A node at one version of its descriptor. Never changed: a rotation gives the next one.

    signer is the key in force; the descriptor was opened as a stranger's is.
    """

    seed: str
    signer: SoftwareSigner = field(repr=False)
    keys: tuple[SimulatedKey, ...]
    tls: TlsKey
    descriptor: VerifiedDescriptor

    @property
    def id(self) -> str:
        """The node's id."""
        return self.descriptor.message.id

    @property
    def level(self) -> str:
        """One of membership.LEVELS."""
        return self.descriptor.message.level

    @property
    def parent(self) -> str:
        """The id of the node above, empty for none."""
        return self.descriptor.message.parent

    @property
    def authorities(self) -> tuple[str, ...]:
        """The unified codes of those it may speak for."""
        return tuple(authority.uscc for authority in self.descriptor.message.authorities)

    @property
    def version(self) -> int:
        """The version of its descriptor."""
        return self.descriptor.message.version

    @property
    def envelope(self) -> envelope_pb2.Envelope:
        """The signed descriptor."""
        return self.descriptor.envelope

    @property
    def certificate(self) -> bytes:
        """The TLS certificate in DER."""
        return self.tls.certificate

    # -- rotating: at once, or in the steps of docs on keys: introduce, switch, end

    def rotate(self, now_ms: int, *, revoke: bool = False) -> "Identity":
        """The next version with a new key in force and the one before RETIRED or REVOKED, signed by both.

        What the old key signed and has not arrived yet is refused by whoever has read this version.
        """
        fresh = self._next_key(now_ms)
        ended = tuple(_ended(key, revoke, now_ms) for key in self.keys)
        return self._next(fresh.signer, (*ended, fresh), now_ms, (self.signer, fresh.signer))

    def introduce(self, now_ms: int) -> "Identity":
        """The next version with one more ACTIVE key; signer is still the old one."""
        fresh = self._next_key(now_ms)
        return self._next(self.signer, (*self.keys, fresh), now_ms, (self.signer, fresh.signer))

    def switch(self) -> "Identity":
        """The same descriptor, and the newest key in force."""
        return replace(self, signer=self.keys[-1].signer)

    def end_others(self, now_ms: int, *, revoke: bool = False) -> "Identity":
        """The next version in which only the key in force is ACTIVE; signed by that one alone."""
        keys = tuple(key if key.signer is self.signer else _ended(key, revoke, now_ms) for key in self.keys)
        return self._next(self.signer, keys, now_ms, (self.signer,))

    def _next_key(self, now_ms: int) -> SimulatedKey:
        return _signing_key(self.seed, self.id, len(self.keys), now_ms)

    def _next(
        self, signer: SoftwareSigner, keys: tuple[SimulatedKey, ...], now_ms: int, signers: Sequence[SoftwareSigner]
    ) -> "Identity":
        message = registry_pb2.NodeDescriptor()
        message.CopyFrom(self.descriptor.message)
        message.version += 1
        message.created_at_unix_ms = now_ms
        return replace(self, signer=signer, keys=keys, descriptor=_describe(message, keys, signers))


def make_identity(
    node: str,
    seed: str,
    *,
    level: str = "city",
    parent: str = "",
    name: str = "",
    authorities: tuple[str, ...] = (),
    now_ms: int = START_MS,
) -> Identity:
    """The identity of a node at version 1; the same arguments give the same object. Raises JOIN_REQUEST.

    level is one of membership.LEVELS; authorities are unified codes. It may speak for them always.
    """
    return _made(node, seed, level, parent, name or f"Node {node}", authorities, now_ms)


@lru_cache(maxsize=_KEPT_IDENTITIES)
def _made(
    node: str, seed: str, level: str, parent: str, name: str, authorities: tuple[str, ...], now_ms: int
) -> Identity:
    key = _signing_key(seed, node, 0, now_ms)
    tls = _tls_key(seed, node, now_ms)
    message = registry_pb2.NodeDescriptor(
        id=node,
        version=1,
        name=name,
        level=level,
        division=node if node.isdigit() else "",
        parent=parent,
        authorities=[registry_pb2.Authority(uscc=uscc) for uscc in dict.fromkeys(authorities)],
        tls_certificates=[registry_pb2.TlsCertificate(certificate=tls.certificate)],
        created_at_unix_ms=now_ms,
    )
    return Identity(seed, key.signer, (key,), tls, _describe(message, (key,), (key.signer,)))


def _describe(
    message: registry_pb2.NodeDescriptor, keys: tuple[SimulatedKey, ...], signers: Sequence[SoftwareSigner]
) -> VerifiedDescriptor:
    """Seal a descriptor with these keys and open it through the same door as a stranger's."""
    del message.signing_keys[:]
    for key in keys:
        message.signing_keys.add(
            key_id=key.signer.key_id,
            suite=key.signer.suite,
            public_key=key.signer.public.spki,
            state=registry_pb2.KeyState.ValueType(key.state),
            not_before_unix_ms=key.not_before_ms,
            not_after_unix_ms=key.not_after_ms,
        )
    return open_descriptor(seal(message.SerializeToString(deterministic=True), NODE_DESCRIPTOR, *signers))


def _ended(key: SimulatedKey, revoke: bool, now_ms: int) -> SimulatedKey:
    if key.state != ACTIVE:
        return key
    return replace(key, state=REVOKED if revoke else RETIRED, not_after_ms=now_ms)


# -- keys from the seed --------------------------------------------------------------------------------------


def _signing_key(seed: str, node: str, number: int, now_ms: int) -> SimulatedKey:
    secret = hashlib.sha256(f"{seed} {node} signing {number}".encode()).digest()
    signer = SoftwareSigner(ED25519, ed25519.Ed25519PrivateKey.from_private_bytes(secret))
    return SimulatedKey(signer, ACTIVE, now_ms - profile("node_signing_key")["backdate_s"] * 1000)


def _tls_key(seed: str, node: str, now_ms: int) -> TlsKey:
    secret = hashlib.sha512(f"{seed} {node} tls".encode()).digest()
    private = ec.derive_private_key(int.from_bytes(secret, "big") % (_P256_ORDER - 1) + 1, ec.SECP256R1())
    certificate = _certificate(node, private, secret.hex(), now_ms)
    private_pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate_pem = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)
    return TlsKey(private, certificate, spki_hash(certificate), (private_pem, certificate_pem))


def _certificate(node: str, private: ec.EllipticCurvePrivateKey, unique: str, now_ms: int) -> bytes:
    """What keys.make_certificate makes, as far as peers read it, with nothing drawn from the machine's entropy."""
    row = profile("node_tls")
    start = datetime.fromtimestamp(now_ms // 1000, UTC) - timedelta(seconds=row["backdate_s"])
    # Hashed again: the public number of a certificate tells nothing of the key that was made from the same seed.
    number = hashlib.sha256(f"{unique} serial".encode()).digest()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, row["common_name"].format(id=node)),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, number.hex()[: row["serial_number_attribute_hex_digits"]]),
        ]
    )
    serial = int.from_bytes(number[:16], "big") | 1
    certificate = (
        x509.CertificateBuilder(subject, subject, private.public_key(), serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=row["validity_days"]))
        .add_extension(x509.BasicConstraints(ca=row["ca"], path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(target_name(node))]), critical=False)
        # RFC 6979: the same key and content give the same signature.
        .sign(private, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return certificate.public_bytes(Encoding.DER)
