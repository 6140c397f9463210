"""Making a delivery report from what a node holds: which readers have received and applied an entry, by their receipts.

(1) the signed entry under the newest heartbeat of its origin, and of a list's entry its operations
(2) the readers as the registry lists them now, and the largest receipt of each that a stranger will accept
(3) the statement of this node over all of it, signed with its key in force
(4) the registry's files, and the finished report is verified as a stranger would verify it
"""

import hashlib
from collections.abc import Iterator, Sequence

from node.core import envelope as envelopes
from node.core import merkle
from node.core.channel import HeadAt
from node.core.entry import commitment
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.registry_targets import root_fingerprint
from node.evidence.delivery_verify import (
    FORMAT,
    STATES,
    as_of_delivery,
    proven,
    receipt_hash,
    serialize_report,
    verify_delivery,
)
from node.evidence.gathering import Gathering
from node.evidence.log_checks import ShownLog, open_shown_receipt, show_log
from node.evidence.registry_chain import FIRST_ROOT_NAME, REFUSALS, NamedFiles, Word, read_word, walk_roots
from node.pb import channel_pb2, delivery_pb2, evidence_pb2, listing_pb2
from node.ports import RegistryState, Signer, StoreReader


def build_report(
    store: StoreReader,
    state: RegistryState,
    key: tuple[str, int, int],
    me: str,
    signer: Signer,
    now_ms: int,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """The report of this node on the entry (channel, epoch, index), serialized.

    Raises LIST_ENTRY_UNKNOWN, and EVIDENCE_UNAVAILABLE with what is missing.
    """
    return _Reporter(store, state, key, limits).make(me, signer, now_ms)


class _Reporter(Gathering):
    """One report in the making."""

    def make(self, me: str, signer: Signer, now_ms: int) -> bytes:
        """Gather, sign, verify, return."""
        report = delivery_pb2.DeliveryReport(format=FORMAT, network=self._state.network)
        origin = self._member()
        # (1) the entry under the heartbeat
        statement = self._statement(origin)
        self._add_entry(report, origin, statement)
        self._add_cut(report, origin, statement.head)
        report.body = self._shown_body()
        log = self._read_log(report)
        # (2) the readers and their receipts
        stated = delivery_pb2.DeliveryStatement(
            network=self._state.network,
            node=me,
            channel=self._channel,
            epoch=self._epoch,
            index=self._index,
            entry_leaf=merkle.leaf_hash(report.entry.payload),
            body_sha256=hashlib.sha256(report.body).digest() if report.body else b"",
            observed_at_unix_ms=now_ms,
        )
        receipts = self._add_lines(report, stated, log, now_ms)
        # (3) this node's word for it
        report.statement.CopyFrom(
            envelopes.seal(stated.SerializeToString(deterministic=True), envelopes.DELIVERY_STATEMENT, signer)
        )
        # (4) the registry's files, and through the same door as a stranger's
        self._add_files(report, stated, log, receipts)
        return self._checked(report)

    def _read_log(self, report: delivery_pb2.DeliveryReport) -> ShownLog:
        cut = report.cut if report.HasField("cut") else None
        key = (self._channel, self._epoch, self._index)
        return show_log(key, report.entry, report.entry_proof, report.heartbeat, cut)

    def _shown_body(self) -> bytes:
        """Of a list's entry the operations, which name nobody; of everything else in it only the commitments."""
        if self._header.kind != channel_pb2.ENTRY_KIND_LIST or self._entry.body is None:
            return b""
        slots = channel_pb2.EntryBody.FromString(self._entry.body).slots
        return channel_pb2.EntryBody(slots=map(_shown_slot, slots)).SerializeToString(deterministic=True)

    # --- (2) The readers ------------------------------------------------------------------------------------

    def _audience(self) -> tuple[str, ...]:
        newest = self._store.channel(self._channel)
        assert newest is not None
        return self._state.members.audience(self._held.origin, newest.manifest.audience)

    def _add_lines(
        self,
        report: delivery_pb2.DeliveryReport,
        stated: delivery_pb2.DeliveryStatement,
        log: ShownLog,
        now_ms: int,
    ) -> list[channel_pb2.Receipt]:
        readers = self._audience()
        if stated.node not in readers:
            raise self._unavailable(f"{stated.node} is no reader of it")
        accepted = dict(self._accepted(set(readers), log.head, now_ms))
        for node in readers:
            line = stated.lines.add(node=node, state=delivery_pb2.DELIVERY_STATE_SENT)
            if node == self._held.origin:
                line.state = delivery_pb2.DELIVERY_STATE_ORIGIN
            elif node in accepted:
                receipt, evidence = accepted[node]
                line.state = STATES[proven(log, receipt)]
                line.receipt_sha256 = receipt_hash(evidence)
                report.receipts.append(evidence)
        return [receipt for receipt, _ in accepted.values()]

    def _accepted(
        self, readers: set[str], head: HeadAt, now_ms: int
    ) -> Iterator[tuple[str, tuple[channel_pb2.Receipt, evidence_pb2.ReceiptEvidence]]]:
        """The receipts of readers that a verifier will accept; one dated in the future would spoil the whole date."""
        latest_ms = now_ms + self._limits.max_clock_skew_ms
        for held in self._store.receipts(self._channel):
            message = held.receipt.message
            is_due = message.subscriber in readers and message.epoch == self._epoch and message.size > 0
            if not is_due or message.subscriber == self._held.origin or message.observed_at_unix_ms > latest_ms:
                continue
            evidence = evidence_pb2.ReceiptEvidence(
                receipt=self._trimmed(held.receipt.envelope, message.subscriber),
                consistency_proof=self._consistency(message.size, head.size),
            )
            if self._is_accepted(evidence, head):
                yield message.subscriber, (message, evidence)

    def _is_accepted(self, evidence: evidence_pb2.ReceiptEvidence, head: HeadAt) -> bool:
        members, network, key = self._state.members, self._state.network, (self._channel, self._epoch)
        try:
            open_shown_receipt(evidence, members, network, key, head, self._limits)
        except (XinqiaoError, ValueError):
            return False  # by a key that no longer counts, or of another history
        return True

    # --- (4) The registry's files ---------------------------------------------------------------------------

    def _add_files(
        self,
        report: delivery_pb2.DeliveryReport,
        stated: delivery_pb2.DeliveryStatement,
        log: ShownLog,
        receipts: Sequence[channel_pb2.Receipt],
    ) -> None:
        published = self._published()
        files = NamedFiles(published)
        word = self._read(files, [stated.node, *(line.node for line in stated.lines)])
        observed = [stated.observed_at_unix_ms, *(receipt.observed_at_unix_ms for receipt in receipts)]
        report.as_of_unix_ms = as_of_delivery(log, word.decided_at_ms, observed)
        if report.as_of_unix_ms > stated.observed_at_unix_ms + self._limits.max_clock_skew_ms:
            raise self._unavailable("something it needs is dated in the future")
        report.registry_files.extend(
            evidence_pb2.RegistryFile(name=name, content=published[name]) for name in sorted(files.taken)
        )

    def _read(self, files: NamedFiles, nodes: Sequence[str]) -> Word:
        fingerprint = root_fingerprint(files.take(FIRST_ROOT_NAME))
        try:
            root = walk_roots(files, fingerprint)
            return read_word(files, root, fingerprint, 0, self._held.origin, nodes, "", self._limits)
        except REFUSALS as error:
            raise self._unavailable(str(error)) from error

    def _checked(self, report: delivery_pb2.DeliveryReport) -> bytes:
        content = serialize_report(report)
        try:
            verify_delivery(content, root_fingerprint(self._state.files[FIRST_ROOT_NAME]), self._limits)
        except XinqiaoError as error:
            raise self._unavailable(error.parameters.get("detail", error.text)) from error
        return content

    def _unknown(self, detail: str) -> XinqiaoError:  # noqa: ARG002 - the base tells why
        return XinqiaoError("LIST_ENTRY_UNKNOWN", entry=self._shown)


def _shown_slot(slot: channel_pb2.Slot) -> channel_pb2.Slot:
    if slot.commitment or _is_operation(slot.record):
        return slot
    return channel_pb2.Slot(commitment=commitment(slot.salt, slot.record))


def _is_operation(record: bytes) -> bool:
    try:
        return envelopes.parse(listing_pb2.ListSlot, record).HasField("op")
    except XinqiaoError:
        return False
