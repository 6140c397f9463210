"""Gathering what a bundle shows of one entry and its log, from what a node holds: a base of those who make bundles."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.core import envelope as envelopes
from node.core import merkle
from node.core.channel import HeadAt, Log, head_leaf, open_header
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.membership import Member
from node.core.suites import PublicKey
from node.evidence.log_checks import is_closed
from node.evidence.registry_chain import FIRST_ROOT_NAME, TIMESTAMP_NAME, in_permitted_form
from node.pb import channel_pb2, delivery_pb2, envelope_pb2, evidence_pb2
from node.ports import HeldChannel, HeldEntry, RegistryState, StoreReader

Made = evidence_pb2.EvidenceBundle | delivery_pb2.DeliveryReport


@dataclass(frozen=True, slots=True)
class Statement:
    """The origin's heartbeat as it goes into the bundle."""

    view: channel_pb2.HeartbeatView
    message: channel_pb2.Heartbeat
    head: HeadAt


class Gathering:
    """One entry and its log, as they go into a bundle in the making."""

    def __init__(self, store: StoreReader, state: RegistryState, key: tuple[str, int, int], limits: Limits) -> None:
        self._channel, self._epoch, self._index = key
        self._store = store
        self._state = state
        self._limits = limits
        self._held = self._log()
        self._entry = self._held_entry()
        self._header = envelopes.parse(channel_pb2.EntryHeader, self._entry.envelope.payload)
        self._hashes = store.hashes(self._channel, self._epoch)

    @property
    def _shown(self) -> str:
        return f"{self._channel} {self._epoch}/{self._index}"

    def _log(self) -> HeldChannel:
        held = self._store.channel(self._channel, self._epoch)
        if held is None:
            raise self._unknown("no such log is held")
        return held

    def _held_entry(self) -> HeldEntry:
        found = self._store.entry(self._channel, self._epoch, self._index)
        if found is None:
            raise self._unknown(f"the log has {self._held.log.size} entries")
        return found

    def _member(self) -> Member:
        origin = self._state.members.get(self._held.origin)
        if origin is None:
            raise self._unavailable(f"the registry does not list {self._held.origin}")
        if self._held.log.quarantined and not is_closed(origin, self._epoch):
            raise self._unavailable(f"{origin.id} signed two histories; the officers have to cut its logs first")
        return origin

    def _statement(self, origin: Member) -> Statement:
        held = self._store.heartbeat(origin.id)
        key = (self._channel, self._epoch)
        shown = held.view.heads if held is not None else ()
        heads = [item.head for item in shown if (item.head.channel, item.head.epoch) == key]
        if held is None or not held.time_ms or not heads or heads[0].size <= self._index:
            raise self._unavailable(f"no heartbeat of {origin.id} covers its entry yet")
        if heads[0].size > self._held.log.size:
            raise self._unavailable(f"only {self._held.log.size} of {heads[0].size} entries of its log are here")
        view = only_log(held.view, key)
        signers = envelopes.signers(view.heartbeat, envelopes.HEARTBEAT, origin.active_keys, self._limits)
        if not signers:
            raise self._unavailable(f"the newest heartbeat of {origin.id} is not by a key active now")
        view.heartbeat.CopyFrom(with_one_signature(view.heartbeat, signers[0]))
        message = envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload)
        return Statement(view, message, HeadAt(heads[0].size, heads[0].root))

    def _add_entry(self, bundle: Made, origin: Member, statement: Statement) -> None:
        envelope = self._entry.envelope
        signed = SignedEntry(self._channel, self._epoch, self._index, envelope, None)
        log = Log(self._channel, self._epoch, covered=statement.head, cut=self._held.log.cut)
        try:
            _, key, _ = open_header(signed, origin, self._state.network, log, self._limits)
        except XinqiaoError as error:
            raise self._unavailable(error.text) from error
        bundle.entry.CopyFrom(with_one_signature(envelope, key))
        bundle.heartbeat.CopyFrom(statement.view)
        bundle.entry_proof.extend(merkle.prove_inclusion(self._index, statement.head.size, self._hashes))

    def _add_cut(self, bundle: Made, origin: Member, head: HeadAt) -> None:
        if not is_closed(origin, self._epoch):
            return
        cut = self._held.log.cut
        if cut is None:
            raise self._unavailable(f"{origin.id} is {origin.standing.value}, and no cut of its log is known here")
        if self._index >= cut.size:
            raise self._unavailable(f"{origin.id} is {origin.standing.value}, and its log is cut at {cut.size}")
        bundle.cut.size, bundle.cut.root = cut.size, cut.root
        bundle.cut.consistency_proof.extend(self._consistency(cut.size, head.size))

    def _trimmed(self, envelope: envelope_pb2.Envelope, node: str) -> envelope_pb2.Envelope:
        member = self._state.members.get(node)
        keys = [*member.active_keys, *member.all_keys] if member is not None else []
        signers = envelopes.signers(envelope, envelopes.RECEIPT, keys, self._limits)
        return with_one_signature(envelope, signers[0]) if signers else envelope

    def _consistency(self, one: int, other: int) -> Sequence[bytes]:
        old, new = sorted((one, other))
        if new > self._held.log.size:
            raise self._unavailable(f"only {self._held.log.size} of {new} entries of its log are here")
        return merkle.prove_consistency(old, new, self._hashes)

    def _published(self) -> dict[str, bytes]:
        if not {FIRST_ROOT_NAME, TIMESTAMP_NAME} <= self._state.files.keys():
            raise self._unavailable("the registry's files are not held here")
        return in_permitted_form(self._state.files)

    def _unavailable(self, detail: str) -> XinqiaoError:
        return XinqiaoError("EVIDENCE_UNAVAILABLE", ref=self._shown, detail=detail)

    def _unknown(self, detail: str) -> XinqiaoError:
        return XinqiaoError("RECORD_UNKNOWN", ref=self._shown, detail=detail, channel=self._channel)


def only_log(view: channel_pb2.HeartbeatView, key: tuple[str, int]) -> channel_pb2.HeartbeatView:
    """The verified view narrowed to one epoch of one channel."""
    heartbeat = envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload)
    heads = {item.position: item.head for item in view.heads}
    leaves = {at: head_leaf(head.channel, head.epoch, HeadAt(head.size, head.root)) for at, head in heads.items()}
    kept = [item for item in view.heads if (item.head.channel, item.head.epoch) == key]
    positions = [item.position for item in kept]
    hashes = merkle.narrow_subset(heartbeat.head_count, leaves, list(view.hashes), positions)
    return channel_pb2.HeartbeatView(heartbeat=view.heartbeat, heads=kept, hashes=hashes)


def with_one_signature(envelope: envelope_pb2.Envelope, key: PublicKey) -> envelope_pb2.Envelope:
    """The envelope with this key's signature alone."""
    message = envelopes.pae(envelope.payload_type, envelope.payload)
    valid = (each for each in envelope.signatures if each.keyid == key.key_id and key.verifies(each.sig, message))
    return envelope_pb2.Envelope(payload=envelope.payload, payload_type=envelope.payload_type, signatures=[next(valid)])
