"""The decisions in a bundle: each stands in the record's own log, signed by its origin, and names this record."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.core import envelope as envelopes
from node.core import merkle
from node.core.channel import HeadAt, Log, open_header
from node.core.entry import SALT_BYTES, SignedEntry, commitment
from node.core.limits import Limits
from node.core.membership import Member
from node.core.merkle import HASH_BYTES
from node.core.particulars import are_complete
from node.core.state import Act, Place, act_of
from node.pb import channel_pb2, evidence_pb2, record_pb2


@dataclass(frozen=True, slots=True)
class OpenedAct:
    """A proven operation, the time its entry names, and its particulars, which are empty where they were erased."""

    act: Act
    issued_at_ms: int
    particulars: record_pb2.StatusParticulars


def open_acts(
    bundle: evidence_pb2.EvidenceBundle, origin: Member, network: str, head: HeadAt, cut: HeadAt | None, limits: Limits
) -> tuple[OpenedAct, ...]:
    """The decisions of a bundle; raises ValueError, or what core.channel.open_header raises."""
    opened = [_open(evidence, bundle.record, origin, network, head, cut, limits) for evidence in bundle.acts]
    places = [each.act.place for each in opened]
    _check(places == sorted(set(places)), "its decisions are not in ascending order")
    return tuple(opened)


def _open(
    evidence: evidence_pb2.ActEvidence,
    ref: record_pb2.RecordRef,
    origin: Member,
    network: str,
    head: HeadAt,
    cut: HeadAt | None,
    limits: Limits,
) -> OpenedAct:
    header = envelopes.parse(channel_pb2.EntryHeader, evidence.entry.payload)
    signed = SignedEntry(ref.channel, ref.epoch, header.index, evidence.entry, None)
    open_header(signed, origin, network, Log(ref.channel, ref.epoch, covered=head, cut=cut), limits)
    _check(cut is None or header.index < cut.size, "a decision lies above the cut")
    _check(header.kind == channel_pb2.ENTRY_KIND_STATUS, "the entry of a decision is none of status operations")
    leaf = merkle.leaf_hash(evidence.entry.payload)
    included = merkle.check_inclusion(leaf, header.index, head.size, list(evidence.entry_proof), head.root)
    _check(included, "a decision does not stand in the log under the heartbeat's head")
    _check_slot(evidence.slot, evidence.position, evidence.slot_proof, header)
    op = envelopes.parse(record_pb2.StatusSlot, evidence.slot.record).op
    act = act_of(header, evidence.position, op, limits)
    if act is None or act.target != Place(ref.epoch, ref.index, ref.position):
        raise ValueError("a decision is not on this record")
    return OpenedAct(act, header.issued_at_unix_ms, _particulars(evidence, act, header, limits))


def _particulars(
    evidence: evidence_pb2.ActEvidence, act: Act, header: channel_pb2.EntryHeader, limits: Limits
) -> record_pb2.StatusParticulars:
    _check_slot(evidence.particulars, act.particulars, evidence.particulars_proof, header, may_be_bare=True)
    if evidence.particulars.commitment:
        return record_pb2.StatusParticulars()
    found = envelopes.parse(record_pb2.StatusSlot, evidence.particulars.record).particulars
    _check(are_complete(found, limits), "a decision lacks its number or its reason")
    return found


def _check_slot(
    slot: channel_pb2.Slot,
    position: int,
    proof: Sequence[bytes],
    header: channel_pb2.EntryHeader,
    *,
    may_be_bare: bool = False,
) -> None:
    is_bare = may_be_bare and len(slot.commitment) == HASH_BYTES and not slot.salt and not slot.record
    is_whole = len(slot.salt) == SALT_BYTES and not slot.commitment
    _check(is_bare or is_whole, "a slot of a decision is neither whole nor bare")
    leaf = slot.commitment if is_bare else commitment(slot.salt, slot.record)
    included = merkle.check_inclusion(leaf, position, header.record_count, list(proof), header.records_root)
    _check(included, f"it is not slot {position} of the entry of a decision")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
