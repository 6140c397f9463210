"""Members: what the verified registry says of each node, and what an audience matches.

Everything here is derived from verified registry files; nothing is fetched and nothing is timed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.identifiers import is_node_id
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.suites import PublicKey, load_public_key
from node.pb import channel_pb2, envelope_pb2, registry_pb2

LEVELS = ("national", "region", "province", "city", "district", "sector")


class Standing(Enum):
    """Where a member stands in the registry."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class MemberKey:
    """A signing key of a member with its life; times in Unix ms, 0 = open end."""

    public: PublicKey
    state: int
    not_before_ms: int
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Up to where a node's histories stay valid: head leaves, naming no channel and no size.

    A channel's cut is its largest head whose head leaf is listed; a channel without one is cut at 0.
    """

    head_leaves: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class VerifiedDescriptor:
    """A descriptor whose possession proof was checked; only open_descriptor makes one.

    own_spki_hashes are those of its TLS keys that this node has shown to hold: who shows one of them is this node.
    """

    message: registry_pb2.NodeDescriptor
    fingerprint: str
    signing_keys: tuple[MemberKey, ...]
    tls_spki_hashes: tuple[bytes, ...]
    tls_certificates: tuple[bytes, ...]
    own_spki_hashes: frozenset[bytes]
    envelope: envelope_pb2.Envelope


@dataclass(frozen=True, slots=True)
class Member:
    """One node as the registry lists it; its channels are open in open_epoch and cut in earlier epochs."""

    descriptor: VerifiedDescriptor
    standing: Standing
    reason: str = ""
    cut: Cut | None = None
    open_epoch: int = 0

    @property
    def id(self) -> str:
        """The node's id."""
        return self.descriptor.message.id

    @property
    def name(self) -> str:
        """The node's name for people."""
        return self.descriptor.message.name

    @property
    def active_keys(self) -> list[PublicKey]:
        """The keys it may sign with now."""
        keys = self.descriptor.signing_keys
        return [key.public for key in keys if key.state == registry_pb2.KEY_STATE_ACTIVE]

    @property
    def all_keys(self) -> list[PublicKey]:
        """Every key it ever signed with."""
        return [key.public for key in self.descriptor.signing_keys]

    @property
    def unrevoked_keys(self) -> list[PublicKey]:
        """The keys whose word of earlier still counts where nothing covers it."""
        keys = self.descriptor.signing_keys
        return [key.public for key in keys if key.state != registry_pb2.KEY_STATE_REVOKED]

    @property
    def division(self) -> str:
        """The code of the division whose law it writes under (GB/T 2260), empty where it has none.

        An id that is a code never changes, what a descriptor says of the seat may.
        """
        return self.id if self.id.isdigit() else self.descriptor.message.division

    def may_speak_for(self, authority: str, at_ms: int) -> bool:
        """Whether the descriptor lists the authority at that time."""
        return any(
            listed.uscc == authority and listed.from_unix_ms <= at_ms < (listed.to_unix_ms or 1 << 62)
            for listed in self.descriptor.message.authorities
        )


@dataclass(frozen=True, slots=True)
class Members:
    """All members of one network at one state of the registry."""

    network: str
    by_id: Mapping[str, Member]

    def get(self, node: str) -> Member | None:
        """The member of that id, whatever its standing."""
        return self.by_id.get(node)

    def active(self, node: str) -> Member:
        """The member, or the refusal that a call of it gets."""
        member = self.by_id.get(node)
        if member is None:
            raise XinqiaoError("MEMBER_UNKNOWN", node=node)
        if member.standing is Standing.SUSPENDED:
            raise XinqiaoError("MEMBER_SUSPENDED", node=node, reason=member.reason)
        if member.standing is Standing.REMOVED:
            raise XinqiaoError("MEMBER_REMOVED", node=node, reason=member.reason)
        return member

    def by_tls_spki(self, spki_sha256: bytes) -> Member | None:
        """The member that holds the TLS key with this hash; whoever else lists it is not meant."""
        for member in self.by_id.values():
            if spki_sha256 in member.descriptor.own_spki_hashes:
                return member
        return None

    def audience(self, origin: str, audience: channel_pb2.Audience) -> tuple[str, ...]:
        """The ids of the ACTIVE members an audience matches, the origin included, ascending."""
        return tuple(sorted(node for node in self.by_id if self.reads(node, origin, audience)))

    def reads(self, node: str, origin: str, audience: channel_pb2.Audience) -> bool:
        """Whether an active member belongs to the audience of a channel of that origin."""
        member = self.by_id.get(node)
        return member is not None and member.standing is Standing.ACTIVE and self.names(node, origin, audience)

    def names(self, node: str, origin: str, audience: channel_pb2.Audience) -> bool:
        """Whether the audience of a channel of that origin names a member, whatever its standing."""
        member = self.by_id.get(node)
        return member is not None and (node == origin or any(_matches(term, member) for term in audience.terms))


def _matches(term: channel_pb2.AudienceTerm, member: Member) -> bool:
    descriptor = member.descriptor.message
    conditions = []
    if term.everyone:
        conditions.append(True)
    if term.node_ids:
        conditions.append(descriptor.id in term.node_ids)
    if term.level:
        conditions.append(descriptor.level == term.level)
    if term.parent:
        conditions.append(descriptor.parent == term.parent)
    if term.region:
        conditions.append(descriptor.id.startswith(term.region) and descriptor.id.isdigit())
    return bool(conditions) and all(conditions)


def fingerprint_of(envelope: envelope_pb2.Envelope) -> str:
    """What an officer compares over another line: the hex SHA-256 of the descriptor's bytes."""
    return hashlib.sha256(envelope.payload).hexdigest()


def open_descriptor(envelope: envelope_pb2.Envelope, limits: Limits = DEFAULT_LIMITS) -> VerifiedDescriptor:
    """Verify that every ACTIVE key a descriptor names has signed it, then read it.

    The keys stand in the payload itself, so it is parsed before it is verified, within a size limit.
    That proves possession only; who the node is, the registry's officers say. Raises JOIN_REQUEST.
    """
    if len(envelope.payload) > limits.max_descriptor_bytes:
        raise XinqiaoError("JOIN_REQUEST", detail=f"more than {limits.max_descriptor_bytes} bytes")
    message = envelopes.parse(registry_pb2.NodeDescriptor, envelope.payload)
    _check_identity(message)
    keys = tuple(_load_key(key) for key in message.signing_keys)
    active = [key.public for key in keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
    signed = envelopes.signers(envelope, envelopes.NODE_DESCRIPTOR, active, limits)
    if not active or len(signed) != len({key.key_id for key in active}):
        raise XinqiaoError("JOIN_REQUEST", detail="not signed by every active key it names")
    certificates = tuple(cert.certificate for cert in message.tls_certificates)
    return VerifiedDescriptor(
        message=message,
        fingerprint=fingerprint_of(envelope),
        signing_keys=keys,
        tls_spki_hashes=tuple(spki_hash(certificate) for certificate in certificates),
        tls_certificates=certificates,
        own_spki_hashes=frozenset(spki_hash(each) for each in certificates if _is_own(each, message.id)),
        envelope=envelope,
    )


def _check_identity(message: registry_pb2.NodeDescriptor) -> None:
    if not is_node_id(message.id):
        raise XinqiaoError("JOIN_REQUEST", detail="the id is neither six digits nor a short name")
    if message.level not in LEVELS:
        raise XinqiaoError("JOIN_REQUEST", detail=f"the level is none of {', '.join(LEVELS)}")
    if message.parent and not is_node_id(message.parent):
        raise XinqiaoError("JOIN_REQUEST", detail="the parent is not a node id")
    if message.version < 1 or not message.tls_certificates:
        raise XinqiaoError("JOIN_REQUEST", detail="version or TLS certificate is missing")


def _load_key(key: registry_pb2.SigningKey) -> MemberKey:
    public = load_public_key(key.suite, key.public_key)
    if public is None or public.key_id != key.key_id:
        raise XinqiaoError("JOIN_REQUEST", detail=f"the signing key {key.key_id[:16]!r} cannot be read")
    return MemberKey(public, key.state, key.not_before_unix_ms, key.not_after_unix_ms)


def _is_own(certificate: bytes, node: str) -> bool:
    """Whether a DER certificate names the node and is signed with its own key.

    Anybody can list the certificate of another node. Only who holds its key can make one in another name.
    """
    parsed = x509.load_der_x509_certificate(certificate)
    names = [str(attribute.value) for attribute in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not names[0].startswith(f"{node}."):
        return False
    try:
        parsed.verify_directly_issued_by(parsed)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def spki_hash(certificate: bytes) -> bytes:
    """The SHA-256 of a DER certificate's SubjectPublicKeyInfo; raises JOIN_REQUEST."""
    try:
        public_key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise XinqiaoError("JOIN_REQUEST", detail="a TLS certificate cannot be read") from error
    return hashlib.sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
