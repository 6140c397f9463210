"""Making a bundle from what a node holds: the same checks as a verifier's choose what goes in.

(1) the slot with its salt, its proof, and the signed header
(2) the newest heartbeat of the origin that covers the entry, narrowed to this one log, and the decisions on the record
(3) receipts of others, and the cut of a closed log, tied to the heartbeat's head
(4) the registry's files: those that reading the needed listings has touched
(5) the finished bundle is verified as a stranger would verify it
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from node.core import merkle
from node.core.acts import BURDENING, RecordState, condition
from node.core.channel import HeadAt, Log, open_header
from node.core.entry import SignedEntry, VerifiedBody, open_body
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Member
from node.core.registry_targets import root_fingerprint
from node.core.state import Act, Place
from node.evidence.gathering import Gathering, Statement, with_one_signature
from node.evidence.registry_chain import (
    FIRST_ROOT_NAME,
    REFUSALS,
    NamedFiles,
    Word,
    read_word,
    walk_roots,
)
from node.evidence.verify import Confirmation, Verified, as_of, confirm, verify
from node.pb import channel_pb2, envelope_pb2, evidence_pb2, record_pb2
from node.ports import RegistryState, StoreReader

MAX_RECEIPTS = 3


def build(
    store: StoreReader,
    state: RegistryState,
    channel: str,
    place: Place,
    now_ms: int,
    *,
    me: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> evidence_pb2.EvidenceBundle:
    """The evidence for one record that this node holds, whoever published it.

    me is this node's id: its own receipt is taken only where there is no other. Serialize the bundle with
    `serialize`. Raises RECORD_UNKNOWN, and EVIDENCE_UNAVAILABLE with what is missing.
    """
    return _Maker(store, state, channel, place, limits).make(now_ms, me)


def serialize(bundle: evidence_pb2.EvidenceBundle) -> bytes:
    """The bytes of a bundle in the one form that verifies."""
    return bundle.SerializeToString(deterministic=True)


class _Maker(Gathering):
    """One bundle in the making."""

    def __init__(self, store: StoreReader, state: RegistryState, channel: str, place: Place, limits: Limits) -> None:
        self._place = place
        self._ref = record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position)
        super().__init__(store, state, (channel, place.epoch, place.index), limits)

    def make(self, now_ms: int, me: str) -> evidence_pb2.EvidenceBundle:
        """Gather, verify, return."""
        bundle = evidence_pb2.EvidenceBundle(network=self._state.network, record=self._ref)
        origin = self._member()
        # (1) the record in its entry
        self._add_record(bundle)
        # (2) the heartbeat, and the entry under its head
        statement = self._statement(origin)
        self._add_entry(bundle, origin, statement)
        acted_at_ms = self._add_acts(bundle, origin, statement)
        # (3) who else holds it
        self._add_cut(bundle, origin, statement.head)
        confirmations = self._add_receipts(bundle, statement.head, now_ms, me)
        # (4) the registry's files as of the latest signed time
        self._add_files(bundle, statement, confirmations, acted_at_ms, now_ms)
        # (5) through the same door as a stranger's, who must see the record as it stands here
        if self._check(bundle).state is not self._stands(now_ms):
            raise self._unavailable("a decision on another revision, or in another epoch, cannot be shown with it")
        return bundle

    # --- (1) The record -------------------------------------------------------------------------------------

    def _add_record(self, bundle: evidence_pb2.EvidenceBundle) -> None:
        header, position = self._header, self._place.position
        records = header.record_count if header.kind == channel_pb2.ENTRY_KIND_RECORDS else 0
        if position >= records:
            raise self._unknown(f"the entry holds {records} records")
        body = self._body()
        record = body.records[position]
        if record is None:
            erased = position in self._store.erasures(self._ref.channel, self._place.epoch, self._place.index)
            raise self._unavailable("it was erased" if erased else "its content is withheld here")
        bundle.slot.salt, bundle.slot.record = record
        leaves = merkle.HashList(body.commitments)
        bundle.record_proof.extend(merkle.prove_inclusion(position, header.record_count, leaves))

    def _body(self) -> VerifiedBody:
        if self._entry.body is None:
            raise self._unavailable("its entry is held without content here")
        return open_body(self._header, self._entry.body, self._limits)

    # --- (2) The decisions ----------------------------------------------------------------------------------

    def _add_acts(self, bundle: evidence_pb2.EvidenceBundle, origin: Member, statement: Statement) -> Sequence[int]:
        """Add the decisions on this very record that its log holds; returns the times at which they were issued."""
        issued_at_ms: list[int] = []
        for act in self._store.acts(self._ref.channel, self._place):
            above = self._held.log.cut is not None and act.place.index >= self._held.log.cut.size
            if act.target != self._place or act.place.epoch != self._place.epoch or above:
                continue
            if act.place.index >= statement.head.size:
                raise self._unavailable(f"no heartbeat of {origin.id} covers the decisions on it yet")
            evidence, header = self._act(act, origin, statement)
            bundle.acts.append(evidence)
            issued_at_ms.append(header.issued_at_unix_ms)
        return issued_at_ms

    def _act(
        self, act: Act, origin: Member, statement: Statement
    ) -> tuple[evidence_pb2.ActEvidence, channel_pb2.EntryHeader]:
        ref, index = self._ref, act.place.index
        entry = self._store.entry(ref.channel, ref.epoch, index)
        if entry is None or entry.body is None:
            raise self._unavailable("the entry of a decision is held without content here")
        signed = SignedEntry(ref.channel, ref.epoch, index, entry.envelope, None)
        log = Log(ref.channel, ref.epoch, covered=statement.head, cut=self._held.log.cut)
        header, key, _ = open_header(signed, origin, self._state.network, log, self._limits)
        slots = channel_pb2.EntryBody.FromString(entry.body).slots
        leaves = merkle.HashList(open_body(header, entry.body, self._limits).commitments)
        evidence = evidence_pb2.ActEvidence(
            entry=with_one_signature(entry.envelope, key),
            entry_proof=merkle.prove_inclusion(index, statement.head.size, self._hashes),
            position=act.place.position,
            slot=slots[act.place.position],
            slot_proof=merkle.prove_inclusion(act.place.position, len(slots), leaves),
            particulars=slots[act.particulars],
            particulars_proof=merkle.prove_inclusion(act.particulars, len(slots), leaves),
        )
        return evidence, header

    def _stands(self, now_ms: int) -> RecordState:
        """How the record stands here, by all decisions held."""
        acts = self._store.acts(self._ref.channel, self._place)
        counted = [act for act in acts if act.kind not in BURDENING or not self._is_above_cut(act)]
        return condition(self._place, counted, now_ms + self._limits.max_clock_skew_ms).state

    def _is_above_cut(self, act: Act) -> bool:
        cut = self._store.log(self._ref.channel, act.place.epoch).cut
        return cut is not None and act.place.index >= cut.size

    # --- (3) Who else holds it ------------------------------------------------------------------------------

    def _add_receipts(
        self, bundle: evidence_pb2.EvidenceBundle, head: HeadAt, now_ms: int, me: str
    ) -> tuple[Confirmation, ...]:
        found = list(islice(self._receipts(head, now_ms, me), MAX_RECEIPTS))
        if not found and not bundle.HasField("cut"):
            raise self._unavailable("no other node has confirmed its entry by a receipt yet")
        # The own one, which comes last, says nothing more where others speak.
        chosen = [each for each in found if each[1].node != me] or found
        chosen.sort(key=lambda each: each[1].node)
        bundle.receipts.extend(evidence for evidence, _ in chosen)
        return tuple(confirmation for _, confirmation in chosen)

    def _receipts(
        self, head: HeadAt, now_ms: int, me: str
    ) -> Iterator[tuple[evidence_pb2.ReceiptEvidence, Confirmation]]:
        """The receipts held here that a verifier will accept, with what they confirm, the best first."""
        for message, envelope in self._candidates(now_ms, me):
            evidence = evidence_pb2.ReceiptEvidence(
                receipt=self._trimmed(envelope, message.subscriber),
                consistency_proof=self._consistency(message.size, head.size),
            )
            try:
                confirmation = confirm(
                    evidence, self._state.members, self._state.network, self._ref, head, self._limits
                )
            except (XinqiaoError, ValueError):
                continue  # of a stopped member, a key that no longer counts, or another history: others may do
            yield evidence, confirmation

    def _candidates(self, now_ms: int, me: str) -> list[tuple[channel_pb2.Receipt, envelope_pb2.Envelope]]:
        """The receipts that cover the entry; one dated in the future would spoil the date of the whole bundle."""
        index, latest_ms = self._place.index, now_ms + self._limits.max_clock_skew_ms
        held = [each.receipt for each in self._store.receipts(self._ref.channel)]
        covering = [
            (receipt.message, receipt.envelope)
            for receipt in held
            if receipt.message.epoch == self._place.epoch
            and index < receipt.message.size <= self._held.log.size
            and receipt.message.observed_at_unix_ms <= latest_ms
        ]
        # Who has applied the entry says more than who only holds it; the id decides between equals.
        return sorted(
            covering, key=lambda each: (each[0].subscriber == me, each[0].applied_size <= index, each[0].subscriber)
        )

    # --- (4) The registry's files ---------------------------------------------------------------------------

    def _add_files(
        self,
        bundle: evidence_pb2.EvidenceBundle,
        statement: Statement,
        confirmations: tuple[Confirmation, ...],
        acted_at_ms: Sequence[int],
        now_ms: int,
    ) -> None:
        published = self._published()
        files = NamedFiles(published)
        subscribers = [confirmation.node for confirmation in confirmations]
        # The decisions are known only once the listings are read: the first reading is as of no date.
        word = self._read(files, 0, subscribers)
        bundle.as_of_unix_ms = as_of(self._header, statement.message, word.decided_at_ms, confirmations, acted_at_ms)
        if bundle.as_of_unix_ms > now_ms + self._limits.max_clock_skew_ms:
            raise self._unavailable("something it needs is dated in the future")
        bundle.registry_files.extend(
            evidence_pb2.RegistryFile(name=name, content=published[name]) for name in sorted(files.taken)
        )

    def _read(self, files: NamedFiles, as_of_ms: int, subscribers: Sequence[str]) -> Word:
        fingerprint = root_fingerprint(files.take(FIRST_ROOT_NAME))
        try:
            root = walk_roots(files, fingerprint)
            version = self._header.catalogue_version
            return read_word(files, root, fingerprint, as_of_ms, self._held.origin, subscribers, version, self._limits)
        except REFUSALS as error:
            raise self._unavailable(str(error)) from error

    # --- (5) The check --------------------------------------------------------------------------------------

    def _check(self, bundle: evidence_pb2.EvidenceBundle) -> Verified:
        fingerprint = root_fingerprint(self._state.files[FIRST_ROOT_NAME])
        try:
            return verify(serialize(bundle), fingerprint, self._limits)
        except XinqiaoError as error:
            raise self._unavailable(error.parameters.get("detail", error.text)) from error

    @property
    def _shown(self) -> str:
        ref = self._ref
        return f"{ref.channel} {ref.epoch}/{ref.index}/{ref.position}"
