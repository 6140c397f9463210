"""Verifying a delivery report offline: ten numbered steps, each of which fails with EVIDENCE_INVALID naming the step.

Like node.evidence.verify it needs the file and the root fingerprint, and lies with all it imports in node.core, node.pb
and node.evidence.

What a passed verification says: the origin signed this entry at this place of its log; each node that is said to have
received or applied it has signed so itself, over the same log; and the node that made the report vouches with its own
signature for the list of readers, for every receipt it counts, and for having none of the others. Leaving out or
altering a receipt breaks that signature. Whether a reader is missing from the list, only another reader can tell.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from tuf.api.metadata import Root

from node.core import envelope as envelopes
from node.core import merkle
from node.core.channel import HeadAt
from node.core.delivery import Delivery
from node.core.entry import open_body
from node.core.errors import XinqiaoError
from node.core.ledger import delivered
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Member, Members, Standing
from node.evidence.log_checks import (
    ShownLog,
    check,
    check_entry,
    check_envelopes,
    check_heartbeat,
    check_inclusion,
    check_standing,
    member_of,
    open_shown_receipt,
    show_log,
)
from node.evidence.registry_chain import REFUSALS, NamedFiles, Word, read_word, walk_roots
from node.pb import channel_pb2, delivery_pb2, evidence_pb2, listing_pb2

FORMAT = "xinqiao/delivery-report/v1"
STEPS: Mapping[int, str] = {
    1: "report",
    2: "root chain",
    3: "registry files",
    4: "origin",
    5: "entry signature",
    6: "entry in the log",
    7: "heartbeat",
    8: "statement",
    9: "receipts",
    10: "as-of date",
}
STATES: Mapping[Delivery, delivery_pb2.DeliveryState] = {
    Delivery.SENT: delivery_pb2.DELIVERY_STATE_SENT,
    Delivery.RECEIVED: delivery_pb2.DELIVERY_STATE_RECEIVED,
    Delivery.APPLIED: delivery_pb2.DELIVERY_STATE_APPLIED,
}


@dataclass(frozen=True, slots=True)
class ProvenDelivery:
    """One node, how far its own signature shows the entry to have come, and what that receipt says; 0 without one."""

    node: str
    name: str
    delivery: Delivery
    is_origin: bool
    size: int = 0
    applied_size: int = 0
    observed_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class ShownOperation:
    """An operation of a list entry, by its position."""

    position: int
    op: listing_pb2.ListOp


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A proven delivery; times in Unix ms. Only node.evidence.delivery_verify makes one."""

    network: str
    network_name: str
    fingerprint: bytes
    log: ShownLog
    origin: Member
    cut_size: int | None
    operations: tuple[ShownOperation, ...]
    reporter: Member
    observed_at_ms: int
    nodes: tuple[ProvenDelivery, ...]
    as_of_ms: int
    valid_until_ms: int

    @property
    def missing(self) -> Sequence[ProvenDelivery]:
        """The nodes that have not applied the entry, as far as the report shows."""
        return [each for each in self.nodes if each.delivery is not Delivery.APPLIED]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A readable report and what its signed parts claim; true once all steps have passed."""

    report: delivery_pb2.DeliveryReport
    log: ShownLog
    statement: delivery_pb2.DeliveryStatement
    files: NamedFiles


def is_delivery_report(content: bytes) -> bool:
    """Whether bytes say that they are a delivery report."""
    try:
        return delivery_pb2.DeliveryReport.FromString(content).format == FORMAT
    except DecodeError:
        return False


def serialize_report(report: delivery_pb2.DeliveryReport) -> bytes:
    """The bytes of a report in the one form that verifies."""
    return report.SerializeToString(deterministic=True)


def receipt_hash(evidence: evidence_pb2.ReceiptEvidence) -> bytes:
    """By what a statement names a receipt that it counts."""
    return hashlib.sha256(evidence.SerializeToString(deterministic=True)).digest()


def proven(log: ShownLog, receipt: channel_pb2.Receipt) -> Delivery:
    """How far a receipt proves the entry to have come; of a list the digest counts where it is the entry's own."""
    digest = log.header.state_digest if receipt.applied_size == log.index + 1 else b""
    return delivered(log.epoch, log.index, receipt, digest)


def as_of_delivery(log: ShownLog, decided_at_ms: int, observed_at_ms: Sequence[int]) -> int:
    """The latest time that anything signed in a report names, in Unix ms."""
    return max(log.header.issued_at_unix_ms, log.heartbeat.time_unix_ms, decided_at_ms, *observed_at_ms)


def verify_delivery(content: bytes, root_fingerprint: bytes, limits: Limits = DEFAULT_LIMITS) -> VerifiedDelivery:
    """Verify a serialized DeliveryReport against a root fingerprint of 32 bytes; raises EVIDENCE_INVALID."""
    # (1) the report is readable within the limits, in its one form
    with _step(1):
        opened = _open(content, limits)
    # (2) the chain of roots from the fingerprint
    with _step(2):
        root = walk_roots(opened.files, root_fingerprint)
    # (3) timestamp, snapshot, targets, regions and listings, none expired as of the report's date
    with _step(3):
        word = _read_word(opened, root, root_fingerprint, limits)
    # (4) the origin is listed, and its log open, or cut above the entry
    with _step(4):
        origin = member_of(word.members, opened.log.origin)
        cut = check_standing(opened.log, origin)
    # (5) a key of the origin signed the entry, and what is shown of its body belongs to it
    with _step(5):
        check_entry(opened.log, origin, word.network, cut, limits)
        operations = _operations(opened, limits)
    # (6) the entry stands in the log
    with _step(6):
        check_inclusion(opened.log)
    # (7) an active key of the origin signed the head of the log
    with _step(7):
        check_heartbeat(opened.log, origin, word.network, limits)
    # (8) a reader signed whom it has counted, and by which receipts
    with _step(8):
        reporter = _check_statement(opened, origin, word, limits)
    # (9) each of them signed that receipt, over the same log, and it proves what is said of it
    with _step(9):
        nodes = _check_receipts(opened, word, limits)
    # (10) nothing signed is later than the date as of which the files were valid
    with _step(10):
        _check_as_of(opened, word, nodes)
    return VerifiedDelivery(
        network=word.network,
        network_name=word.name,
        fingerprint=root_fingerprint,
        log=opened.log,
        origin=origin,
        cut_size=cut.size if cut is not None else None,
        operations=operations,
        reporter=reporter,
        observed_at_ms=opened.statement.observed_at_unix_ms,
        nodes=nodes,
        as_of_ms=opened.report.as_of_unix_ms,
        valid_until_ms=word.valid_until_ms,
    )


@contextmanager
def _step(number: int) -> Iterator[None]:
    step = f"{number} ({STEPS[number]})"
    try:
        yield
    except XinqiaoError as error:
        raise XinqiaoError("EVIDENCE_INVALID", step=step, detail=error.text) from error
    except REFUSALS as error:
        raise XinqiaoError("EVIDENCE_INVALID", step=step, detail=str(error) or type(error).__name__) from error


# --- (1) The report -----------------------------------------------------------------------------------------


def _open(content: bytes, limits: Limits) -> _Opened:
    check(len(content) <= limits.max_report_bytes, f"it has more than {limits.max_report_bytes} bytes")
    report = envelopes.parse(delivery_pb2.DeliveryReport, content)
    check(report.format == FORMAT, f"its format is not {FORMAT}")
    _check_form(report, content)
    _check_counts(report, limits)
    shown = [report.entry, report.heartbeat.heartbeat, *(each.receipt for each in report.receipts)]
    check_envelopes(shown, limits)
    check(len(report.statement.signatures) == 1, "an envelope bears another number of signatures than one")
    statement = envelopes.parse(delivery_pb2.DeliveryStatement, report.statement.payload)
    cut = report.cut if report.HasField("cut") else None
    place = (statement.channel, statement.epoch, statement.index)
    log = show_log(place, report.entry, report.entry_proof, report.heartbeat, cut)
    return _Opened(report, log, statement, NamedFiles({file.name: file.content for file in report.registry_files}))


def _check_form(report: delivery_pb2.DeliveryReport, content: bytes) -> None:
    known = delivery_pb2.DeliveryReport()
    known.CopyFrom(report)
    known.DiscardUnknownFields()
    check(serialize_report(known) == content, "it is not in canonical form")
    names = [file.name for file in report.registry_files]
    check(names == sorted(set(names)), "its registry files are not in ascending order")


def _check_counts(report: delivery_pb2.DeliveryReport, limits: Limits) -> None:
    check(len(report.registry_files) <= limits.max_report_files, "it has too many registry files")
    check(len(report.receipts) <= limits.max_report_nodes, "it has too many receipts")
    check(len(report.body) <= limits.max_body_bytes, "the body of its entry is too large")
    largest = max((len(file.content) for file in report.registry_files), default=0)
    check(largest <= limits.max_registry_file_bytes, "a registry file is too large")


# --- (3) The registry's files -------------------------------------------------------------------------------


def _read_word(opened: _Opened, root: Root, fingerprint: bytes, limits: Limits) -> Word:
    report, statement = opened.report, opened.statement
    check(len(statement.lines) <= limits.max_report_nodes, "it names too many nodes")
    nodes = [statement.node, *(line.node for line in statement.lines)]
    origin, as_of_ms = opened.log.origin, report.as_of_unix_ms
    word = read_word(opened.files, root, fingerprint, as_of_ms, origin, nodes, "", limits)
    check(not opened.files.left, f"{', '.join(opened.files.left)[:200]}: nothing here needs it")
    check(report.network == word.network, f"the bundle is of {report.network[:80]}, the registry of {word.network}")
    return word


# --- (5) The entry ------------------------------------------------------------------------------------------


def _operations(opened: _Opened, limits: Limits) -> tuple[ShownOperation, ...]:
    """What is shown of the entry's body: operations of a list, and of everything else the commitment."""
    header, content = opened.log.header, opened.report.body
    if not content:
        return ()
    check(header.kind == channel_pb2.ENTRY_KIND_LIST, "only of a list's entry is anything shown")
    open_body(header, content, limits)
    slots = channel_pb2.EntryBody.FromString(content).slots
    found = [(position, slot) for position, slot in enumerate(slots) if not slot.commitment]
    shown = [(position, envelopes.parse(listing_pb2.ListSlot, slot.record)) for position, slot in found]
    check(all(slot.HasField("op") for _, slot in shown), "it shows more than the operations of the entry")
    return tuple(ShownOperation(position, slot.op) for position, slot in shown)


# --- (8) The statement --------------------------------------------------------------------------------------


def _check_statement(opened: _Opened, origin: Member, word: Word, limits: Limits) -> Member:
    statement, report = opened.statement, opened.report
    reporter = member_of(word.members, statement.node)
    check(reporter.standing is Standing.ACTIVE, f"{reporter.id} is {reporter.standing.value}")
    signed = envelopes.signers(report.statement, envelopes.DELIVERY_STATEMENT, reporter.active_keys, limits)
    check(bool(signed), f"it is not signed by a key of {reporter.id} that is active")
    check(statement.network == word.network, "it belongs to another network")
    check(statement.entry_leaf == merkle.leaf_hash(report.entry.payload), "it is about another entry")
    body_hash = hashlib.sha256(report.body).digest() if report.body else b""
    check(statement.body_sha256 == body_hash, "it is about another body")
    _check_lines(statement, origin, word.members)
    return reporter


def _check_lines(statement: delivery_pb2.DeliveryStatement, origin: Member, members: Members) -> None:
    nodes = [line.node for line in statement.lines]
    check(nodes == sorted(set(nodes)), "its nodes are not in ascending order")
    check(statement.node in nodes, f"{statement.node[:64]} does not count itself among the readers")
    for line in statement.lines:
        member = member_of(members, line.node)
        check(member.standing is Standing.ACTIVE, f"{member.id} is {member.standing.value}")
        is_origin = line.state == delivery_pb2.DELIVERY_STATE_ORIGIN
        check(is_origin == (line.node == origin.id), f"what it says of {line.node} cannot be")


# --- (9) The receipts ---------------------------------------------------------------------------------------


def _check_receipts(opened: _Opened, word: Word, limits: Limits) -> tuple[ProvenDelivery, ...]:
    counted = [line for line in opened.statement.lines if line.receipt_sha256]
    found, stated = len(opened.report.receipts), len(counted)
    check(found == stated, f"{found} receipts are shown, and {stated} are counted")
    evidence = {line.node: each for line, each in zip(counted, opened.report.receipts, strict=True)}
    return tuple(_check_line(opened, line, evidence.get(line.node), word, limits) for line in opened.statement.lines)


def _check_line(
    opened: _Opened,
    line: delivery_pb2.StatedDelivery,
    evidence: evidence_pb2.ReceiptEvidence | None,
    word: Word,
    limits: Limits,
) -> ProvenDelivery:
    member = member_of(word.members, line.node)
    if evidence is None:
        is_origin = line.state == delivery_pb2.DELIVERY_STATE_ORIGIN
        stated = is_origin or line.state == delivery_pb2.DELIVERY_STATE_SENT
        check(stated, f"without a receipt nothing is known of {line.node}")
        return ProvenDelivery(line.node, member.name, Delivery.APPLIED if is_origin else Delivery.SENT, is_origin)
    check(receipt_hash(evidence) == line.receipt_sha256, f"another receipt of {line.node} was counted")
    log = opened.log
    key, head = (log.channel, log.epoch), HeadAt(log.head.size, log.head.root)
    subscriber, receipt = open_shown_receipt(evidence, word.members, word.network, key, head, limits)
    check(subscriber.id == line.node, f"the receipt of {subscriber.id} is counted for {line.node}")
    found = proven(log, receipt)
    check(STATES[found] == line.state, f"the receipt of {line.node} does not show what is said of it")
    observed_at_ms = receipt.observed_at_unix_ms
    return ProvenDelivery(line.node, member.name, found, False, receipt.size, receipt.applied_size, observed_at_ms)


# --- (10) The date ------------------------------------------------------------------------------------------


def _check_as_of(opened: _Opened, word: Word, nodes: Sequence[ProvenDelivery]) -> None:
    observed = [opened.statement.observed_at_unix_ms, *(each.observed_at_ms for each in nodes)]
    latest = as_of_delivery(opened.log, word.decided_at_ms, observed)
    check(opened.report.as_of_unix_ms == latest, f"the latest signed time in the bundle is {latest}")
