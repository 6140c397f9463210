"""The worked example of docs/PROTOCOL.md: two entries, a heartbeat and a receipt, made by the code of the node.

The keys are test vectors that RFC 8032 prints (section 7.1, TEST 1 and TEST 2): nobody's keys. Salts and times are
fixed, Ed25519 signatures have no randomness, so the same bytes come out every time. Everything signed here goes through
the same verifiers as what a stranger sends.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core import merkle
from node.core.audience import parse_audience
from node.core.channel import HeadAt, Log, advance, head_leaf
from node.core.entry import SALT_BYTES, SignedEntry, VerifiedEntry, build_body, commitment
from node.core.membership import Member, Standing, open_descriptor
from node.core.receipt import open_receipt
from node.core.record import build_record
from node.core.suites import ED25519
from node.keys.certificate import make_certificate
from node.keys.signer import SoftwareSigner, generate
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from scripts.xq_generate import example_uscc

NETWORK = "delta:0123456789abcdef"
CHANNEL = "310000/base"
ORIGIN, SUBSCRIBER = "310000", "310115"
CREATED_MS = 1_790_000_000_000
# RFC 8032, section 7.1: SECRET KEY of TEST 1 and of TEST 2.
TEST_1 = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
TEST_2 = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
SALTS = (bytes(range(16)), bytes(range(16, 32)))


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the example: what it shows, and the values by name."""

    title: str
    text: str
    values: Mapping[str, bytes | str]


def example() -> Iterator[Step]:
    """The steps in order; a step that does not verify raises."""
    origin, subscriber = _member(ORIGIN, TEST_1), _member(SUBSCRIBER, TEST_2)
    yield _key_step(origin)
    yield _pae_step()
    manifest = _append(Log(CHANNEL, 0), _manifest_header(), None, origin)
    yield _manifest_step(manifest)
    log = Log(CHANNEL, 0, 1, manifest.root, manifest.frontier)
    records = _records()
    body, _ = build_body(records, SALTS)
    yield _body_step(records, body)
    entry = _append(log, _records_header(log, records), body, origin)
    yield _entry_step(entry)
    head = HeadAt(2, entry.root)
    yield _head_step(head)
    yield _heartbeat_step(head, origin)
    yield _receipt_step(head, subscriber)


# --- Members ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Signing:
    """A member with its key."""

    member: Member
    signer: SoftwareSigner


def _member(node: str, seed: str) -> _Signing:
    signer = SoftwareSigner(ED25519, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))
    key = registry_pb2.SigningKey(
        key_id=signer.key_id,
        suite=ED25519,
        public_key=signer.public.spki,
        state=registry_pb2.KEY_STATE_ACTIVE,
    )
    # No part of the example holds the certificate, whose key is a fresh one.
    certificate = make_certificate(node, NETWORK, generate("ecdsa-p256-sha256"), CREATED_MS)
    descriptor = registry_pb2.NodeDescriptor(
        id=node,
        version=1,
        name=node,
        level="province",
        signing_keys=[key],
        tls_certificates=[registry_pb2.TlsCertificate(certificate=certificate)],
        created_at_unix_ms=CREATED_MS,
    )
    envelope = envelopes.seal(descriptor.SerializeToString(), envelopes.NODE_DESCRIPTOR, signer)
    return _Signing(Member(open_descriptor(envelope), Standing.ACTIVE), signer)


def _key_step(origin: _Signing) -> Step:
    public = origin.signer.public
    text = f"The origin `{ORIGIN}` signs with the key of RFC 8032, section 7.1, TEST 1."
    return Step(
        "Key",
        text,
        {
            "suite": public.suite,
            "secret key, from the RFC": bytes.fromhex(TEST_1),
            "SubjectPublicKeyInfo, DER": public.spki,
            "key id": public.key_id,
        },
    )


def _pae_step() -> Step:
    text = "The published test of DSSE: what a signature over `hello world` covers."
    covered = envelopes.pae("http://example.com/HelloWorld", b"hello world")
    return Step("PAE", text, {"as text": covered.decode(), "PAE": covered})


# --- Entries ------------------------------------------------------------------------------------------------


def _header(log: Log, kind: channel_pb2.EntryKind, roots: bytes, issued_at_ms: int) -> channel_pb2.EntryHeader:
    return channel_pb2.EntryHeader(
        network=NETWORK,
        channel=CHANNEL,
        epoch=0,
        index=log.size,
        prev_root=log.root,
        kind=kind,
        records_root=roots,
        issued_at_unix_ms=issued_at_ms,
    )


def _manifest_header() -> channel_pb2.EntryHeader:
    header = _header(Log(CHANNEL, 0), channel_pb2.ENTRY_KIND_MANIFEST, merkle.EMPTY_ROOT, CREATED_MS)
    manifest = channel_pb2.Manifest(
        title="Registrations",
        item="registration.base",
        audience=parse_audience("everyone"),
        disclosure=channel_pb2.DISCLOSURE_CLASS_A,
        priority=channel_pb2.PRIORITY_BULK,
    )
    header.manifest.CopyFrom(manifest)
    return header


def _records() -> list[bytes]:
    """Two records of registration.base: code, name, state and registrar, of subjects that cannot exist."""
    codes = {serial: example_uscc("91", ORIGIN, serial) for serial in (1, 2)}
    rows = [{1: code, 2: f"示例{serial}", 4: "存续", 5: "示例"} for serial, code in codes.items()]
    return [build_record("registration.base", row) for row in rows]


def _records_header(log: Log, records: list[bytes]) -> channel_pb2.EntryHeader:
    body, root = build_body(records, SALTS)
    header = _header(log, channel_pb2.ENTRY_KIND_RECORDS, root, CREATED_MS + 1000)
    header.record_count = len(records)
    header.uncompressed_bytes_max = len(body)
    header.catalogue_version = "2026.1"
    header.rules_version = "1"
    return header


def _append(log: Log, header: channel_pb2.EntryHeader, body: bytes | None, origin: _Signing) -> VerifiedEntry:
    envelope = envelopes.seal(header.SerializeToString(), envelopes.ENTRY_HEADER, origin.signer)
    signed = SignedEntry(CHANNEL, 0, header.index, envelope, body)
    return advance(log, signed, origin.member, NETWORK)


def _manifest_step(entry: VerifiedEntry) -> Step:
    text = (
        f"Entry 0 of `{CHANNEL}`, for everyone, class A, issued at {CREATED_MS}. Nothing precedes it and it has no\n"
        "slots: prev_root and records_root are the root of the empty tree, SHA-256 of nothing."
    )
    values = {"root of the empty tree": merkle.EMPTY_ROOT}
    return Step("Entry 0, a manifest", text, {**values, **_signed_values(entry)})


def _body_step(records: list[bytes], body: bytes) -> Step:
    values: dict[str, bytes | str] = {}
    commitments = [commitment(salt, record) for salt, record in zip(SALTS, records, strict=True)]
    for position, (salt, record, leaf) in enumerate(zip(SALTS, records, commitments, strict=True)):
        values |= {f"salt {position}": salt, f"record {position}": record, f"commitment {position}": leaf}
    values |= {"records_root": merkle.root(commitments), "EntryBody": body}
    assert all(len(salt) == SALT_BYTES for salt in SALTS)
    text = (
        "Two slots. commitment = SHA-256(0x00 || salt || record); records_root = SHA-256(0x01 || commitment 0 ||\n"
        "commitment 1)."
    )
    return Step("The body of entry 1", text, values)


def _entry_step(entry: VerifiedEntry) -> Step:
    text = (
        f"Issued at {entry.header.issued_at_unix_ms}. prev_root is the root over one leaf, which is leaf 0 itself.\n"
        "The root over both entries is SHA-256(0x01 || leaf 0 || leaf 1)."
    )
    values = {"prev_root": entry.header.prev_root, **_signed_values(entry), "root over 2 entries": entry.root}
    return Step("Entry 1, two records", text, values)


def _signed_values(entry: VerifiedEntry) -> dict[str, bytes | str]:
    index = entry.header.index
    payload = entry.envelope.payload
    return {
        f"header payload {index}": payload,
        f"PAE {index}, before the payload": envelopes.pae(envelopes.ENTRY_HEADER, payload)[: -len(payload)],
        f"signature {index}": entry.envelope.signatures[0].sig,
        f"leaf {index}": entry.leaf,
    }


# --- Heads, heartbeats, receipts ----------------------------------------------------------------------------

_OTHER = ("310000/licences", 0)
_OTHER_HEAD = HeadAt(1, merkle.leaf_hash(b"its entry 0"))


def _heads(head: HeadAt) -> dict[tuple[str, int], HeadAt]:
    return {(CHANNEL, 0): head, _OTHER: _OTHER_HEAD}


def _head_step(head: HeadAt) -> Step:
    preimage = f"xinqiao/head/v1\\n{CHANNEL}\\n0\\n{head.size}\\n{head.root.hex()}\\n"
    text = "The head of the channel after both entries. `\\n` stands for one byte 0x0a."
    return Step("Head leaf", text, {"hashed after 0x00": preimage, "head leaf": head_leaf(CHANNEL, 0, head)})


def _heartbeat_step(head: HeadAt, origin: _Signing) -> Step:
    heads = _heads(head)
    message = heartbeats.build(NETWORK, ORIGIN, CREATED_MS + 2000, heads)
    envelope = envelopes.seal(message.SerializeToString(), envelopes.HEARTBEAT, origin.signer)
    view = heartbeats.full_view(envelope, heads)
    narrowed = heartbeats.narrow_view(view, lambda channel: channel == CHANNEL)
    for each in (view, narrowed):
        heartbeats.open_view(each, origin.member, NETWORK, CREATED_MS + 2000)
    other = _OTHER[0]
    text = (
        f"The origin also writes `{other}`, of size 1. Heads are sorted by channel and epoch, so `{CHANNEL}` stands\n"
        "at position 0. heads_root = SHA-256(0x01 || head leaf 0 || head leaf 1). Who may read only the first channel\n"
        "gets its head and the leaf of the other as the one hash of the view."
    )
    return Step(
        "Heartbeat and narrowed view",
        text,
        {
            "root of the other channel": _OTHER_HEAD.root,
            "head leaf 1": head_leaf(*_OTHER, _OTHER_HEAD),
            "heads_root": message.heads_root,
            "heartbeat payload": envelope.payload,
            "heartbeat signature": envelope.signatures[0].sig,
            "narrowed view": narrowed.SerializeToString(),
        },
    )


def _receipt_step(head: HeadAt, subscriber: _Signing) -> Step:
    message = channel_pb2.Receipt(
        network=NETWORK,
        subscriber=SUBSCRIBER,
        channel=CHANNEL,
        epoch=0,
        size=head.size,
        root=head.root,
        applied_size=head.size,
        outcomes=[channel_pb2.OutcomeCount(outcome=channel_pb2.RECORD_OUTCOME_APPLIED, count=2)],
        observed_at_unix_ms=CREATED_MS + 3000,
    )
    envelope: envelope_pb2.Envelope = envelopes.seal(message.SerializeToString(), envelopes.RECEIPT, subscriber.signer)
    open_receipt(envelope, subscriber.member, NETWORK)
    text = f"`{SUBSCRIBER}` signs with TEST 2 of the same section that it holds and has applied both entries."
    return Step(
        "Receipt",
        text,
        {
            "SubjectPublicKeyInfo of the subscriber": subscriber.signer.public.spki,
            "receipt payload": envelope.payload,
            "receipt signature": envelope.signatures[0].sig,
        },
    )
