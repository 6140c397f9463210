"""What may stay in a body: pure steps that every store shares.

A slot whose verified erasure or bar is known is never stored with its content. An erasure that names another
commitment than the slot's is void.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.core import envelope as envelopes
from node.core.entry import VerifiedBody, erase_slots, erased_in, names_slot, open_body
from node.core.state import Place
from node.pb import channel_pb2, envelope_pb2
from node.ports import HeldEntry, HeldRecord


@dataclass(frozen=True, slots=True)
class Settled:
    """A body as it may be stored. complete: every bare slot is erased or barred; void: erasures of other content."""

    body: VerifiedBody
    complete: bool
    void: Sequence[int]


def settle(body: VerifiedBody, erasures: Mapping[int, bytes], barred: Collection[int]) -> Settled:
    """Take out of a body what may not be kept."""
    erased = erased_in(body, erasures)
    gone = erased.union(barred)
    bare = set(body.bare)
    held = sorted(position for position in gone - bare if position < len(body.commitments))
    return Settled(
        body=erase_slots(body, held) if held else body,
        complete=bare <= gone,
        void=sorted(position for position, named in erasures.items() if not names_slot(body, position, named)),
    )


def root_of(envelope: bytes) -> bytes:
    """The records_root of a stored entry."""
    payload = envelope_pb2.Envelope.FromString(envelope).payload
    return envelopes.parse(channel_pb2.EntryHeader, payload).records_root


def open_held(envelope: bytes, body: bytes) -> VerifiedBody:
    """Verify a stored body again, against the stored header; raises ENTRY_BODY where the database was changed."""
    payload = envelope_pb2.Envelope.FromString(envelope).payload
    return open_body(envelopes.parse(channel_pb2.EntryHeader, payload), body)


def pick_records(channel: str, entry: HeldEntry, places: Sequence[Place]) -> Iterator[HeldRecord]:
    """Yield the records at these places of one entry, parsing its body once; a bare slot has none."""
    slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
    for place in places:
        if place.position < len(slots) and not slots[place.position].commitment:
            record = slots[place.position].record
            yield HeldRecord(channel, place, record, entry.issued_at_ms, entry.received_at_ms)
