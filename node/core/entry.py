"""Entries: a signed header, which is the leaf of the channel's log, and a body of slots.

    commitment   = SHA-256(0x00 || salt || record)                 one for each slot
    records_root = RFC 6962 root whose leaves are the commitments
    leaf         = SHA-256(0x00 || header payload)                 signatures are no part of it

A slot holds {salt, record}, or only its {commitment}: erased where a verified erasure names it, withheld
until then. Either way records_root holds, so one record is provable without its neighbours and can be
erased without breaking a proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from node.core import envelope as envelopes
from node.core import merkle
from node.core.audience import manifest_defect
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import channel_pb2, envelope_pb2

SALT_BYTES = 16
WHOLE_ENTRY = -1
"""In place of a position: all slots of an entry, under its records_root in place of a commitment."""
_SLOT_FRAME_BYTES = 40
_SEAL = object()

Slots = tuple[tuple[bytes, bytes] | None, ...]
"""(salt, record) for each position, None where only the commitment is left."""


@dataclass(frozen=True, slots=True)
class HeadAt:
    """A size of a log and the root over that many entries."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Continuation:
    """The proof that a log up to some entry is a prefix of its head of a later size (RFC 6962, 2.1.2)."""

    size: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SignedEntry:
    """An entry as it arrives: nothing of it is verified, channel, epoch and index are routing claims.

    body is the serialized EntryBody, None where only the header was sent. invitation is the header of a later
    manifest, for a reader that the manifests up to this entry do not name. leads_to comes with a pushed entry that
    needs a later head to be believed, as its receiver may be unable to ask for it. inclusion proves that an entry that
    comes ahead of its turn stands in the log of the size that was asked for.
    """

    channel: str
    epoch: int
    index: int
    envelope: envelope_pb2.Envelope
    body: bytes | None
    invitation: envelope_pb2.Envelope | None = None
    leads_to: Continuation | None = None
    inclusion: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedBody:
    """Slots whose commitments fold to a signed records_root; only this module makes one.

    commitments holds one for each position; bare are the positions that hold nothing else. slots is what records
    gives, None where it is to be read from serialized first.
    """

    commitments: tuple[bytes, ...]
    bare: tuple[int, ...]
    serialized: bytes
    seal: object
    slots: Slots | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_seal(self.seal)

    @property
    def records(self) -> Slots:
        """(salt, record) or None for each position."""
        return self.slots if self.slots is not None else _read_slots(self.serialized)


@dataclass(frozen=True, slots=True)
class VerifiedEntry:
    """An authentic entry that continues its log; only core.channel.advance makes one.

    leaf is its leaf hash, hashes what the log stores for it, frontier and root the log after it.
    body is None where it was not sent. rests_on is the later head that its log must be shown to reach before it is
    kept, None where its own signature is enough.
    """

    header: channel_pb2.EntryHeader
    envelope: envelope_pb2.Envelope
    body: VerifiedBody | None
    leaf: bytes
    hashes: tuple[bytes, ...]
    frontier: tuple[bytes, ...]
    root: bytes
    signed_by: str
    rests_on: HeadAt | None
    seal: object

    def __post_init__(self) -> None:
        _check_seal(self.seal)

    @property
    def channel(self) -> str:
        """The channel's name, verified."""
        return self.header.channel

    @property
    def origin(self) -> str:
        """The id of the node that writes the channel."""
        return origin_of(self.header.channel)

    @property
    def manifest(self) -> channel_pb2.Manifest | None:
        """The manifest this entry puts in force; None for other kinds and for one that makes no sense."""
        return None if manifest_defect(self.header) else self.header.manifest


@dataclass(frozen=True, slots=True)
class AheadEntry:
    """An authentic status entry that stands in its log, and came ahead of its turn; only core.channel makes one."""

    header: channel_pb2.EntryHeader
    body: VerifiedBody
    seal: object

    def __post_init__(self) -> None:
        _check_seal(self.seal)


def _check_seal(seal: object) -> None:
    if seal is not _SEAL:
        raise TypeError("verified values are made by the verifiers of node.core only")


def origin_of(channel: str) -> str:
    """The id before the first slash: the only node that may write the channel."""
    return channel.partition("/")[0]


def commitment(salt: bytes, record: bytes) -> bytes:
    """The leaf of one slot, 32 bytes."""
    return merkle.leaf_hash(salt + record)


def records_root(commitments: Sequence[bytes]) -> bytes:
    """The root over the slots' commitments."""
    return merkle.root(commitments)


def build_body(records: Sequence[bytes], salts: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Serialize the records with their fresh salts; returns the body and its records_root."""
    body = channel_pb2.EntryBody(
        slots=[channel_pb2.Slot(salt=salt, record=record) for salt, record in zip(salts, records, strict=True)]
    )
    commitments = [commitment(salt, record) for salt, record in zip(salts, records, strict=True)]
    return body.SerializeToString(), records_root(commitments)


def erased_in(body: VerifiedBody, erasures: Mapping[int, bytes]) -> frozenset[int]:
    """The positions of a body that erasures name."""
    named = [position for position, commitment in erasures.items() if names_slot(body, position, commitment)]
    return frozenset(range(len(body.commitments)) if WHOLE_ENTRY in named else named)


def names_slot(body: VerifiedBody, position: int, named: bytes) -> bool:
    """Whether an erasure names what stands in a body; one that names other content is void."""
    if position == WHOLE_ENTRY:
        return records_root(body.commitments) == named
    return position < len(body.commitments) and body.commitments[position] == named


def erase_slots(body: VerifiedBody, positions: Sequence[int]) -> VerifiedBody:
    """The same body with only the commitments at these positions; every proof still holds."""
    gone = set(positions)
    records = tuple(None if at in gone else record for at, record in enumerate(body.records))
    return _with_slots(records, body.commitments)


def fill_slots(held: VerifiedBody, supplied: VerifiedBody, erased: Sequence[int]) -> VerifiedBody:
    """The held body with its bare slots filled from another copy, except those that are erased."""
    keep_bare = set(erased)
    records = tuple(
        ours if ours is not None or at in keep_bare else theirs
        for at, (ours, theirs) in enumerate(zip(held.records, supplied.records, strict=True))
    )
    return _with_slots(records, held.commitments)


def _with_slots(records: Slots, commitments: tuple[bytes, ...], serialized: bytes | None = None) -> VerifiedBody:
    bare = tuple(position for position, record in enumerate(records) if record is None)
    content = serialized if serialized is not None else _serialize(records, commitments)
    return VerifiedBody(commitments, bare, content, _SEAL, records)


def _serialize(records: Sequence[tuple[bytes, bytes] | None], commitments: Sequence[bytes]) -> bytes:
    body = channel_pb2.EntryBody()
    for record, bare in zip(records, commitments, strict=True):
        if record is None:
            body.slots.add(commitment=bare)
        else:
            body.slots.add(salt=record[0], record=record[1])
    return body.SerializeToString()


def open_body(header: channel_pb2.EntryHeader, serialized: bytes, limits: Limits = DEFAULT_LIMITS) -> VerifiedBody:
    """Check a body against the records_root of an authentic header; raises ENTRY_SIZE, ENTRY_BODY."""
    check_body_size(header, serialized, limits)
    try:
        message = envelopes.parse(channel_pb2.EntryBody, serialized)
    except XinqiaoError as error:
        raise _body_error(header, "it cannot be read") from error
    message.DiscardUnknownFields()
    if message.ByteSize() != len(serialized):
        # Signed is what the slots hold: anything beside it whoever relays the body could have put there.
        raise _body_error(header, "there is more in it than its slots")
    if len(message.slots) != header.record_count:
        raise _body_error(header, f"{len(message.slots)} slots, the header says {header.record_count}")
    records: list[tuple[bytes, bytes] | None] = []
    commitments: list[bytes] = []
    for position, slot in enumerate(message.slots):
        record, leaf = _open_slot(header, position, slot, limits)
        records.append(record)
        commitments.append(leaf)
    if records_root(commitments) != header.records_root:
        raise _body_error(header, "its commitments do not fold to records_root")
    return _with_slots(tuple(records), tuple(commitments), serialized)


def opened_body(serialized: bytes, commitments: tuple[bytes, ...], bare: tuple[int, ...]) -> VerifiedBody:
    """A body of which open_body, called elsewhere for the same header, has found these commitments."""
    return VerifiedBody(commitments, bare, serialized, _SEAL)


def _read_slots(serialized: bytes) -> Slots:
    slots = channel_pb2.EntryBody.FromString(serialized).slots
    return tuple(None if slot.commitment else (slot.salt, slot.record) for slot in slots)


def check_body_size(header: channel_pb2.EntryHeader, serialized: bytes, limits: Limits) -> None:
    """Raise ENTRY_SIZE for a body that is larger than its header and the limits allow."""
    allowed = min(header.uncompressed_bytes_max + _SLOT_FRAME_BYTES * header.record_count, limits.max_body_bytes)
    if len(serialized) > allowed:
        raise XinqiaoError("ENTRY_SIZE", what="the body", found=f"{len(serialized)} bytes", limit=allowed)


def _open_slot(
    header: channel_pb2.EntryHeader, position: int, slot: channel_pb2.Slot, limits: Limits
) -> tuple[tuple[bytes, bytes] | None, bytes]:
    bare, salt, record = slot.commitment, slot.salt, slot.record
    if bare:
        if salt or record or len(bare) != merkle.HASH_BYTES:
            raise _body_error(header, f"slot {position} is neither a record nor a bare commitment")
        return None, bare
    if len(salt) != SALT_BYTES:
        raise _body_error(header, f"slot {position} has a salt of {len(salt)} bytes")
    if len(record) > limits.max_record_bytes:
        raise XinqiaoError(
            "ENTRY_SIZE", what=f"record {position}", found=f"{len(record)} bytes", limit=limits.max_record_bytes
        )
    # The leaf of the slot, as commitment() makes it: a call for each record costs more than it tells.
    return (salt, record), sha256(b"\x00" + salt + record).digest()


def _body_error(header: channel_pb2.EntryHeader, detail: str) -> XinqiaoError:
    return XinqiaoError("ENTRY_BODY", channel=header.channel, epoch=header.epoch, index=header.index, detail=detail)
