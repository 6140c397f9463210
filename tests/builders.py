"""What tests are built from: members with real keys, and everything they sign, made the way a node makes it.

    shanghai = make_node("310000")
    penalties = ChannelWriter(shanghai, "310000/penalties")
    first = penalties.manifest()                       # a VerifiedEntry, through core.channel.advance
    second = penalties.records([b"one", b"two"])
    receipt = make_receipt(make_node("310115"), penalties.log, applied_size=2)

Salts are derived from the place of their slot, so that the same test writes the same bytes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any

from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core.channel import HeadAt, Log, advance
from node.core.entry import SALT_BYTES, WHOLE_ENTRY, SignedEntry, VerifiedEntry, build_body, records_root
from node.core.membership import Member, Members, Standing, open_descriptor
from node.core.receipt import VerifiedReceipt, open_receipt
from node.core.record import content_hash
from node.core.state import APPLIED, Applied, Erasure, Place, RecordInForce
from node.core.suites import ECDSA_P256, ED25519
from node.keys.certificate import make_certificate
from node.keys.signer import SoftwareSigner, generate
from node.pb import channel_pb2, envelope_pb2, record_pb2, registry_pb2

NETWORK = "delta:0123456789abcdef"
NOW_MS = 1_790_000_000_000


@cache
def _certificate() -> bytes:
    """One TLS certificate for all members: no test here makes a handshake."""
    return make_certificate("310000", NETWORK, generate(ECDSA_P256), NOW_MS)


@dataclass(frozen=True, slots=True)
class SigningNode:
    """A member with the key that signs for it."""

    member: Member
    signer: SoftwareSigner

    @property
    def id(self) -> str:
        """The node's id."""
        return self.member.id

    def seal(self, payload: bytes, payload_type: str) -> envelope_pb2.Envelope:
        """Sign a payload with the node's key."""
        return envelopes.seal(payload, payload_type, self.signer)

    def listed_as(self, **changes: Any) -> "SigningNode":
        """The same node with another standing, cut or open epoch in the registry."""
        return replace(self, member=replace(self.member, **changes))


def list_keys(node: SigningNode, keys: Sequence[registry_pb2.SigningKey], *signers: SigningNode) -> SigningNode:
    """The same node with these keys in its descriptor, signed by every node whose key it names active."""
    descriptor = registry_pb2.NodeDescriptor()
    descriptor.CopyFrom(node.member.descriptor.message)
    descriptor.version += 1
    del descriptor.signing_keys[:]
    descriptor.signing_keys.extend(keys)
    signing = [signer.signer for signer in signers]
    envelope = envelopes.seal(descriptor.SerializeToString(), envelopes.NODE_DESCRIPTOR, *signing)
    return replace(node, member=replace(node.member, descriptor=open_descriptor(envelope)))


def make_node(node_id: str, suite: str = ED25519, **described: Any) -> SigningNode:
    """A member in good standing, through its self-signed descriptor; described are fields of NodeDescriptor."""
    signer = generate(suite)
    descriptor = registry_pb2.NodeDescriptor(
        id=node_id,
        version=1,
        name=f"node {node_id}",
        level=described.pop("level", "city"),
        signing_keys=[signing_key(signer)],
        tls_certificates=[registry_pb2.TlsCertificate(certificate=_certificate())],
        created_at_unix_ms=NOW_MS,
        **described,
    )
    envelope = envelopes.seal(descriptor.SerializeToString(), envelopes.NODE_DESCRIPTOR, signer)
    return SigningNode(Member(open_descriptor(envelope), Standing.ACTIVE), signer)


def signing_key(signer: SoftwareSigner, state: int = registry_pb2.KEY_STATE_ACTIVE) -> registry_pb2.SigningKey:
    """The record of a key in a descriptor."""
    return registry_pb2.SigningKey(
        key_id=signer.key_id,
        suite=signer.suite,
        public_key=signer.public.spki,
        state=registry_pb2.KeyState.Name(state),
    )


def make_members(*nodes: SigningNode) -> Members:
    """A network of these nodes."""
    return Members(NETWORK, {node.id: node.member for node in nodes})


UNIT = "11319900MX00000199"
"""A public body that may ask in the matters made here."""


def make_measures(*codes: str, version: str = "2026.1", in_force_from: str = "2000-01-01") -> bytes:
    """An edition of the measures with these codes, the file as officers publish it; those of some articles if none."""
    return edition_file(
        version,
        in_force_from,
        measures=[
            {
                "code": code,
                "title_zh": f"措施{code}",
                "title_en": f"measure {code}",
                "kind": "serious",
                "basis": "上海市社会信用条例",
                "article": "art. 31",
            }
            for code in codes or ("SHR-29-1", "SHR-30-1", "SHR-31-1", "SHR-31-2", "ZJR-26-4")
        ],
    )


def make_matters(
    *matters: Mapping[str, Any], version: str = "2026.1", in_force_from: str = "2000-01-01", **more: Any
) -> bytes:
    """An edition of the matters with these, the file as officers publish it."""
    return edition_file(version, in_force_from, matters=list(matters), **more)


def make_matter(code: str = "bidding.tender", **changes: Any) -> dict[str, Any]:
    """A matter for make_matters, in which UNIT may ask about penalties and about lists with SHR-31-1."""
    fields = {"title_zh": "招标投标资格审查", "title_en": "qualification of bidders", "units": [UNIT]}
    return {"code": code, **fields, "items": ["penalty.2018"], "measures": ["SHR-31-1"], **changes}


def edition_file(version: str, in_force_from: str, **content: Any) -> bytes:
    """An edition as the registry publishes it."""
    edition = {"format": 1, "version": version, "in_force_from": in_force_from, **content}
    return json.dumps(edition, ensure_ascii=False, indent=1).encode()


EVERYONE = channel_pb2.Audience(terms=[channel_pb2.AudienceTerm(everyone=True)])


def make_manifest(**changes: Any) -> channel_pb2.Manifest:
    """A manifest that makes sense: penalties, public, for everyone."""
    fields: dict[str, Any] = {
        "title": "行政处罚",
        "item": "penalty.2018",
        "audience": EVERYONE,
        "disclosure": channel_pb2.DISCLOSURE_CLASS_A,
        "priority": channel_pb2.PRIORITY_BULK,
    }
    return channel_pb2.Manifest(**(fields | changes))


class ChannelWriter:
    """The origin of one epoch of a channel: signs the next entry, verifies it as a stranger would, moves on."""

    def __init__(self, node: SigningNode, channel: str, epoch: int = 0) -> None:
        self.node = node if node.member.open_epoch >= epoch else node.listed_as(open_epoch=epoch)
        self.log = Log(channel, epoch)
        self.entries: list[VerifiedEntry] = []

    def manifest(self, **changes: Any) -> VerifiedEntry:
        """Write a manifest entry."""
        return self.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=make_manifest(**changes))

    def records(self, records: Sequence[bytes], **header: Any) -> VerifiedEntry:
        """Write records."""
        return self.write(channel_pb2.ENTRY_KIND_RECORDS, records, **header)

    def erase(self, *erasures: Erasure) -> VerifiedEntry:
        """Write a status entry that erases slots of this channel."""
        slots = [_erasing(self.log.channel, erasure).SerializeToString() for erasure in erasures]
        return self.write(channel_pb2.ENTRY_KIND_STATUS, slots)

    def write(self, kind: int, records: Sequence[bytes] = (), **header: Any) -> VerifiedEntry:
        """Sign the next entry, verify it and make it the head."""
        return self.take(self.sign(kind, records, **header))

    def sign(self, kind: int, records: Sequence[bytes] = (), **header: Any) -> SignedEntry:
        """Sign what would be the next entry; header overrides its fields."""
        log = self.log
        salts = [salt_of(log, position) for position in range(len(records))]
        body, root = build_body(records, salts) if records else (None, records_root([]))
        fields: dict[str, Any] = {
            "network": NETWORK,
            "channel": log.channel,
            "epoch": log.epoch,
            "index": log.size,
            "prev_root": log.root,
            "kind": kind,
            "record_count": len(records),
            "records_root": root,
            "uncompressed_bytes_max": len(body or b""),
            "issued_at_unix_ms": NOW_MS + log.size,
        }
        payload = channel_pb2.EntryHeader(**(fields | header)).SerializeToString()
        envelope = self.node.seal(payload, envelopes.ENTRY_HEADER)
        return SignedEntry(log.channel, log.epoch, log.size, envelope, body)

    def take(self, signed: SignedEntry) -> VerifiedEntry:
        """Verify a signed entry as the next one of the log and make it the head."""
        entry = advance(self.log, signed, self.node.member, NETWORK)
        self.log = replace(self.log, size=self.log.size + 1, root=entry.root, frontier=entry.frontier)
        self.entries.append(entry)
        return entry

    @property
    def head(self) -> HeadAt:
        """The end of the log."""
        return HeadAt(self.log.size, self.log.root)


def as_signed(entry: VerifiedEntry) -> SignedEntry:
    """A verified entry as another holder hands it on."""
    header = entry.header
    body = entry.body.serialized if entry.body is not None else None
    return SignedEntry(header.channel, header.epoch, header.index, entry.envelope, body)


def salt_of(log: Log, position: int) -> bytes:
    """The salt of a slot of the entry that comes next."""
    return sha256(f"{log.channel} {log.epoch}/{log.size}/{position}".encode()).digest()[:SALT_BYTES]


def _erasing(channel: str, erasure: Erasure) -> record_pb2.StatusSlot:
    place = erasure.place
    is_whole = place.position == WHOLE_ENTRY
    kind = record_pb2.STATUS_KIND_ERASE_ENTRY if is_whole else record_pb2.STATUS_KIND_ERASE
    position = 0 if is_whole else place.position
    target = record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=position)
    return record_pb2.StatusSlot(op=record_pb2.StatusOp(kind=kind, target=target, commitment=erasure.commitment))


def erasure_of(entry: VerifiedEntry, position: int) -> Erasure:
    """The erasure of one slot of an entry."""
    assert entry.body is not None
    place = Place(entry.header.epoch, entry.header.index, position)
    return Erasure(place, entry.body.commitments[position])


def whole_of(entry: VerifiedEntry) -> Erasure:
    """The erasure of an entry as a whole."""
    return Erasure(Place(entry.header.epoch, entry.header.index, WHOLE_ENTRY), entry.header.records_root)


def key_of(name: str) -> bytes:
    """A natural key by a name for people."""
    return sha256(name.encode()).digest()


def put_in_force(
    entry: VerifiedEntry,
    keys: Mapping[int, str] | None = None,
    subject: str = "",
    replaces: Mapping[int, Place] | None = None,
    barred: Iterable[int] = (),
) -> Applied:
    """What the fold says of an entry: these positions (all of them when None) take effect under these keys."""
    header, body = entry.header, entry.body
    slots = body.records if body is not None else ()
    named = {at: f"{header.channel} {header.epoch}/{header.index}/{at}" for at in range(len(slots))}
    in_force = []
    for position, name in (named if keys is None else keys).items():
        slot = slots[position]
        assert slot is not None
        place = (replaces or {}).get(position)
        in_force.append(RecordInForce(position, key_of(name), content_hash(slot[1]), subject, place))
    counts = {(APPLIED, ""): len(in_force)} if in_force else {}
    return Applied(header.channel, header.epoch, header.index, in_force, tuple(barred), counts)


def make_heartbeat(
    node: SigningNode,
    heads: Mapping[tuple[str, int], HeadAt],
    time_ms: int = NOW_MS,
    shown: Sequence[str] | None = None,
) -> heartbeats.VerifiedHeartbeat:
    """A verified heartbeat over heads; shown names the channels its reader may know of, None for all."""
    message = heartbeats.build(NETWORK, node.id, time_ms, heads)
    view = heartbeats.full_view(node.seal(message.SerializeToString(), envelopes.HEARTBEAT), heads)
    if shown is not None:
        view = heartbeats.narrow_view(view, lambda channel: channel in shown)
    return heartbeats.open_view(view, node.member, NETWORK, max(NOW_MS, time_ms))


def make_receipt(subscriber: SigningNode, log: Log, applied_size: int | None = None, **fields: Any) -> VerifiedReceipt:
    """A verified receipt for a log as it is held; applied_size None means all of it."""
    message = channel_pb2.Receipt(
        network=NETWORK,
        subscriber=subscriber.id,
        channel=log.channel,
        epoch=log.epoch,
        size=log.size,
        root=log.root,
        applied_size=log.size if applied_size is None else applied_size,
        observed_at_unix_ms=fields.pop("observed_at_unix_ms", NOW_MS),
        **fields,
    )
    envelope = subscriber.seal(message.SerializeToString(), envelopes.RECEIPT)
    return open_receipt(envelope, subscriber.member, NETWORK)


def make_address(
    node: SigningNode, sequence: int, exchange: str = "127.0.0.1:7443"
) -> tuple[registry_pb2.AddressRecord, envelope_pb2.Envelope]:
    """A node's address record, and the envelope that carries it."""
    record = registry_pb2.AddressRecord(network=NETWORK, node=node.id, sequence=sequence, exchange_endpoint=exchange)
    return record, node.seal(record.SerializeToString(), envelopes.ADDRESS)
