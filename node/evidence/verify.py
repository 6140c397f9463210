"""Verifying a bundle offline: ten numbered steps, each of which fails with EVIDENCE_INVALID naming the step.

Whoever has the bundle and the network's root fingerprint needs nothing else: no network, no clock, no node. This
module and all it imports lie in node.core, node.pb and node.evidence, so that a third party can run it alone.

What a passed verification says: the origin signed this record at this place of its log; others hold the same log
(or the officers have cut it above the record); the registry's files of that time name them all; and by which decisions
the origin had repaired, withdrawn, suspended, resumed or corrected it, as far as its holder knew. It does not say that
there are no others: later ones and erasures are not part of a bundle.

No bit of a bundle is free (docs/decisions/0003-evidence-without-a-free-bit.md).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tuf.api.metadata import Root

from node.core import envelope as envelopes
from node.core import merkle
from node.core.acts import condition
from node.core.catalogue import Item, authority_of, parse_edition, subject_of
from node.core.channel import HeadAt
from node.core.entry import SALT_BYTES, commitment
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Member, Members
from node.core.receipt import subscriber_of
from node.core.record import parse_record
from node.core.state import Act, Place
from node.evidence.acts import OpenedAct, open_acts
from node.evidence.log_checks import (
    ShownLog,
    check,
    check_entry,
    check_envelopes,
    check_heartbeat,
    check_inclusion,
    check_standing,
    is_closed,
    member_of,
    open_shown_receipt,
    show_log,
)
from node.evidence.registry_chain import REFUSALS, NamedFiles, Word, read_word, walk_roots
from node.evidence.result import Confirmation, Decision, Value, Verified
from node.pb import channel_pb2, envelope_pb2, evidence_pb2, record_pb2

__all__ = ["STEPS", "Confirmation", "Value", "Verified", "as_of", "confirm", "is_closed", "verify"]

STEPS: Mapping[int, str] = {
    1: "bundle",
    2: "root chain",
    3: "registry files",
    4: "origin",
    5: "entry signature",
    6: "record",
    7: "entry in the log",
    8: "heartbeat",
    9: "receipts",
    10: "as-of date",
}


@dataclass(frozen=True, slots=True)
class _Opened:
    """A readable bundle and what its signed parts claim; true once all steps have passed."""

    bundle: evidence_pb2.EvidenceBundle
    log: ShownLog
    files: NamedFiles

    @property
    def place(self) -> record_pb2.RecordRef:
        """The place of the record."""
        return self.bundle.record


def verify(content: bytes, root_fingerprint: bytes, limits: Limits = DEFAULT_LIMITS) -> Verified:
    """Verify a serialized EvidenceBundle against a root fingerprint of 32 bytes; raises EVIDENCE_INVALID."""
    # (1) the bundle is readable within the limits, in its one form
    with _step(1):
        opened = _open(content, limits)
    # (2) the chain of roots from the fingerprint
    with _step(2):
        root = walk_roots(opened.files, root_fingerprint)
    # (3) timestamp, snapshot, targets, regions and listings, none expired as of the bundle's date
    with _step(3):
        word = _read_word(opened, root, root_fingerprint, limits)
    # (4) the origin is listed, and its log open, or cut above the record
    with _step(4):
        origin = member_of(word.members, opened.log.origin)
        cut = check_standing(opened.log, origin)
    # (5) a key of the origin signed the entry
    with _step(5):
        check_entry(opened.log, origin, word.network, cut, limits)
    # (6) the record stands in the entry, and the origin may publish it
    with _step(6):
        item, values = _open_record(opened, origin, word, limits)
    # (7) the entry stands in the log, and so do the decisions on the record
    with _step(7):
        check_inclusion(opened.log)
        acts = open_acts(opened.bundle, origin, word.network, opened.log.head, cut, limits)
    # (8) an active key of the origin signed the head of the log
    with _step(8):
        check_heartbeat(opened.log, origin, word.network, limits)
    # (9) others hold the same log
    with _step(9):
        confirmations = _confirmations(opened, word, cut, limits)
    # (10) nothing signed is later than the date as of which the files were valid
    with _step(10):
        _check_as_of(opened, word, confirmations, acts)
    return _verified(opened, word, root_fingerprint, origin, item, values, cut, confirmations, acts)


@contextmanager
def _step(number: int) -> Iterator[None]:
    try:
        yield
    except XinqiaoError as error:
        raise _invalid(number, error.text) from error
    except REFUSALS as error:
        raise _invalid(number, str(error) or type(error).__name__) from error


def _invalid(number: int, detail: str) -> XinqiaoError:
    return XinqiaoError("EVIDENCE_INVALID", step=f"{number} ({STEPS[number]})", detail=detail)


# --- (1) The bundle -----------------------------------------------------------------------------------------


def _open(content: bytes, limits: Limits) -> _Opened:
    check(len(content) <= limits.max_evidence_bytes, f"it has more than {limits.max_evidence_bytes} bytes")
    bundle = envelopes.parse(evidence_pb2.EvidenceBundle, content)
    _check_form(bundle, content)
    _check_counts(bundle, limits)
    check_envelopes(list(_envelopes(bundle)), limits)
    place = (bundle.record.channel, bundle.record.epoch, bundle.record.index)
    cut = bundle.cut if bundle.HasField("cut") else None
    log = show_log(place, bundle.entry, bundle.entry_proof, bundle.heartbeat, cut)
    return _Opened(bundle, log, NamedFiles({file.name: file.content for file in bundle.registry_files}))


def _check_form(bundle: evidence_pb2.EvidenceBundle, content: bytes) -> None:
    known = evidence_pb2.EvidenceBundle()
    known.CopyFrom(bundle)
    known.DiscardUnknownFields()
    check(known.SerializeToString(deterministic=True) == content, "it is not in canonical form")
    names = [file.name for file in bundle.registry_files]
    check(names == sorted(set(names)), "its registry files are not in ascending order")
    subscribers = [subscriber_of(evidence.receipt) for evidence in bundle.receipts]
    check(subscribers == sorted(set(subscribers)), "its receipts are not in ascending order")


def _check_counts(bundle: evidence_pb2.EvidenceBundle, limits: Limits) -> None:
    check(len(bundle.registry_files) <= limits.max_evidence_files, "it has too many registry files")
    check(len(bundle.receipts) <= limits.max_evidence_receipts, "it has too many receipts")
    check(len(bundle.acts) <= limits.max_evidence_acts, "it has too many decisions")
    largest = max((len(file.content) for file in bundle.registry_files), default=0)
    check(largest <= limits.max_registry_file_bytes, "a registry file is too large")


def _envelopes(bundle: evidence_pb2.EvidenceBundle) -> Iterator[envelope_pb2.Envelope]:
    yield bundle.entry
    yield bundle.heartbeat.heartbeat
    yield from (evidence.receipt for evidence in bundle.receipts)
    yield from (evidence.entry for evidence in bundle.acts)


# --- (3) The registry's files -------------------------------------------------------------------------------


def _read_word(opened: _Opened, root: Root, fingerprint: bytes, limits: Limits) -> Word:
    bundle = opened.bundle
    subscribers = [subscriber_of(evidence.receipt) for evidence in bundle.receipts]
    word = read_word(
        opened.files,
        root,
        fingerprint,
        bundle.as_of_unix_ms,
        opened.log.origin,
        subscribers,
        opened.log.header.catalogue_version,
        limits,
    )
    check(not opened.files.left, f"{', '.join(opened.files.left)[:200]}: nothing here needs it")
    check(bundle.network == word.network, f"the bundle is of {bundle.network[:80]}, the registry of {word.network}")
    return word


# --- (6) The record -----------------------------------------------------------------------------------------


def _open_record(opened: _Opened, origin: Member, word: Word, limits: Limits) -> tuple[Item, Mapping[int, str]]:
    slot, header, position = opened.bundle.slot, opened.log.header, opened.place.position
    check(header.kind == channel_pb2.ENTRY_KIND_RECORDS, "its entry holds no records")
    check(not slot.commitment and len(slot.salt) == SALT_BYTES, "the slot holds no record with its salt")
    leaf, proof = commitment(slot.salt, slot.record), list(opened.bundle.record_proof)
    included = merkle.check_inclusion(leaf, position, header.record_count, proof, header.records_root)
    check(included, f"it is not record {position} of the entry")
    record = parse_record(slot.record, limits)
    edition = parse_edition(word.edition, limits)
    check(edition.version == header.catalogue_version, f"the catalogue edition is {edition.version}")
    item = edition.item(record.item)
    authority = authority_of(item, record.values)
    allowed = not authority or origin.may_speak_for(authority, header.issued_at_unix_ms)
    check(allowed, f"{origin.id} may not speak for the authority {authority[:64]}")
    return item, record.values


# --- (9) The receipts ---------------------------------------------------------------------------------------


def _confirmations(opened: _Opened, word: Word, cut: HeadAt | None, limits: Limits) -> tuple[Confirmation, ...]:
    # Officers cut a log where members reported its heads: that is a foreign word, too.
    check(bool(opened.bundle.receipts) or cut is not None, "no other node confirms it")
    found = [
        confirm(evidence, word.members, word.network, opened.place, opened.log.head, limits)
        for evidence in opened.bundle.receipts
    ]
    return tuple(found)


def confirm(
    evidence: evidence_pb2.ReceiptEvidence,
    members: Members,
    network: str,
    place: record_pb2.RecordRef,
    head: HeadAt,
    limits: Limits = DEFAULT_LIMITS,
) -> Confirmation:
    """What a foreign receipt confirms of an entry under a head; raises ValueError, RECEIPT, SIGNATURE, ENVELOPE_*."""
    key = (place.channel, place.epoch)
    subscriber, receipt = open_shown_receipt(evidence, members, network, key, head, limits, place.index)
    applied = place.index < receipt.applied_size
    return Confirmation(subscriber.id, subscriber.name, receipt.size, applied, receipt.observed_at_unix_ms)


# --- (10) The date ------------------------------------------------------------------------------------------


def _check_as_of(
    opened: _Opened, word: Word, confirmations: tuple[Confirmation, ...], acts: tuple[OpenedAct, ...]
) -> None:
    latest = as_of(
        opened.log.header, opened.log.heartbeat, word.decided_at_ms, confirmations, [a.issued_at_ms for a in acts]
    )
    check(opened.bundle.as_of_unix_ms == latest, f"the latest signed time in the bundle is {latest}")


def as_of(
    header: channel_pb2.EntryHeader,
    heartbeat: channel_pb2.Heartbeat,
    decided_at_ms: int,
    confirmations: tuple[Confirmation, ...],
    acted_at_ms: Iterable[int] = (),
) -> int:
    """The latest time that anything signed in a bundle names, in Unix ms."""
    observed = [confirmation.observed_at_ms for confirmation in confirmations]
    return max(header.issued_at_unix_ms, heartbeat.time_unix_ms, decided_at_ms, *observed, *acted_at_ms)


# --- The result ---------------------------------------------------------------------------------------------


def _verified(
    opened: _Opened,
    word: Word,
    fingerprint: bytes,
    origin: Member,
    item: Item,
    values: Mapping[int, str],
    cut: HeadAt | None,
    confirmations: tuple[Confirmation, ...],
    acts: tuple[OpenedAct, ...],
) -> Verified:
    place = Place(opened.place.epoch, opened.place.index, opened.place.position)
    told = {each.act: each.particulars for each in acts}
    stands = condition(place, list(told), opened.bundle.as_of_unix_ms)
    return Verified(
        network=word.network,
        network_name=word.name,
        fingerprint=fingerprint,
        place=opened.place,
        origin=origin.id,
        origin_name=origin.name,
        standing=origin.standing,
        standing_reason=origin.reason,
        authority=authority_of(item, values),
        subject=subject_of(item, values),
        item=item.id,
        item_title_zh=item.title_zh,
        item_title_en=item.title_en,
        edition=opened.log.header.catalogue_version,
        values=tuple(_value(item, number, text) for number, text in values.items()),
        record=opened.bundle.slot.record,
        published_at_ms=opened.log.header.issued_at_unix_ms,
        head=opened.log.head,
        heartbeat_at_ms=opened.log.heartbeat.time_unix_ms,
        cut_size=cut.size if cut is not None else None,
        confirmations=confirmations,
        as_of_ms=opened.bundle.as_of_unix_ms,
        valid_until_ms=word.valid_until_ms,
        state=stands.state,
        decisions=tuple(_decision(act, told[act]) for act in stands.acts),
    )


def _decision(act: Act, told: record_pb2.StatusParticulars) -> Decision:
    kind = record_pb2.StatusKind.Name(act.kind).removeprefix("STATUS_KIND_").lower()
    return Decision(kind, told.decision, told.reason, act.at_ms, act.place.index)


def _value(item: Item, number: int, text: str) -> Value:
    field = item.by_number.get(number)
    if field is None:
        return Value(str(number), "", "", text)
    return Value(field.code, field.title_zh, field.title_en, text)
