"""What every bundle shows of one entry and its log, and the checks that bind it to its origin.

Each raises ValueError with a sentence, or what node.core raises; the verifiers name the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core import merkle
from node.core.channel import HeadAt, Log, check_channel_name, head_leaf, open_header
from node.core.entry import SignedEntry, origin_of
from node.core.limits import Limits
from node.core.membership import Member, MemberKey, Members, Standing
from node.core.receipt import open_receipt, subscriber_of
from node.pb import channel_pb2, envelope_pb2, evidence_pb2, registry_pb2


@dataclass(frozen=True, slots=True)
class ShownLog:
    """One entry and its log as a bundle shows them; true once all checks have passed."""

    channel: str
    epoch: int
    index: int
    entry: envelope_pb2.Envelope
    entry_proof: Sequence[bytes]
    view: channel_pb2.HeartbeatView
    head: HeadAt
    cut: evidence_pb2.CutEvidence | None
    header: channel_pb2.EntryHeader
    heartbeat: channel_pb2.Heartbeat

    @property
    def origin(self) -> str:
        """The node that writes the channel."""
        return origin_of(self.channel)


def show_log(
    place: tuple[str, int, int],
    entry: envelope_pb2.Envelope,
    entry_proof: Sequence[bytes],
    view: channel_pb2.HeartbeatView,
    cut: evidence_pb2.CutEvidence | None,
) -> ShownLog:
    """Read what a bundle claims of the entry (channel, epoch, index); nothing is verified yet."""
    channel, epoch, index = place
    check(len(view.heads) == 1, "the heartbeat shows another number of heads than one")
    shown = view.heads[0].head
    check((shown.channel, shown.epoch) == (channel, epoch), "the heartbeat shows the head of another log")
    return ShownLog(
        channel=channel,
        epoch=epoch,
        index=index,
        entry=entry,
        entry_proof=list(entry_proof),
        view=view,
        head=HeadAt(shown.size, shown.root),
        cut=cut,
        header=envelopes.parse(channel_pb2.EntryHeader, entry.payload),
        heartbeat=envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload),
    )


def member_of(members: Members, node: str) -> Member:
    """A member that the registry's files list."""
    member = members.get(node)
    if member is None:
        raise ValueError(f"{node[:64]} is not listed")
    return member


def is_closed(origin: Member, epoch: int) -> bool:
    """Whether an epoch of the origin's channels is valid only up to its cut."""
    return origin.standing is not Standing.ACTIVE or epoch < origin.open_epoch


def check_standing(log: ShownLog, origin: Member) -> HeadAt | None:
    """The cut of a closed log, which must lie above the entry; None for an open log."""
    check_channel_name(log.channel)
    check(log.epoch <= origin.open_epoch, f"epoch {log.epoch} is not open yet")
    if not is_closed(origin, log.epoch):
        check(log.cut is None, "its log is open: there is no cut to show")
        return None
    closed = f"{origin.id} is {origin.standing.value}, epoch {log.epoch} of it closed"
    if log.cut is None:
        raise ValueError(f"{closed}, and no cut is shown")
    cut = HeadAt(log.cut.size, log.cut.root)
    listed = origin.cut.head_leaves if origin.cut is not None else frozenset()
    check(head_leaf(log.channel, log.epoch, cut) in listed, f"{closed}, and the officers list no such cut")
    check(log.index < cut.size, f"{closed}, and entry {log.index} lies above its cut at {cut.size}")
    check_same_log(cut, log.head, list(log.cut.consistency_proof), "the cut")
    return cut


def check_same_log(one: HeadAt, other: HeadAt, proof: list[bytes], what: str) -> None:
    """Raise unless the smaller of two heads is proven to be a prefix of the larger."""
    old, new = sorted((one, other), key=lambda head: head.size)
    consistent = merkle.check_consistency(old.size, new.size, old.root, new.root, proof)
    check(consistent, f"{what} is of another history than the heartbeat")


def check_entry(log: ShownLog, origin: Member, network: str, cut: HeadAt | None, limits: Limits) -> None:
    """A retired key counts as the heartbeat covers the entry; a revoked one below a cut."""
    signed = SignedEntry(log.channel, log.epoch, log.index, log.entry, None)
    open_header(signed, origin, network, Log(log.channel, log.epoch, covered=log.head, cut=cut), limits)


def check_inclusion(log: ShownLog) -> None:
    """Raise unless the entry stands in the log."""
    leaf, head = merkle.leaf_hash(log.entry.payload), log.head
    included = merkle.check_inclusion(leaf, log.index, head.size, list(log.entry_proof), head.root)
    check(included, f"it is not entry {log.index} of the {head.size} under the heartbeat's head")


def check_heartbeat(log: ShownLog, origin: Member, network: str, limits: Limits) -> None:
    """Raise unless an active key of the origin signed the head; its time is compared with nobody's clock here."""
    heartbeats.open_view(log.view, origin, network, log.heartbeat.time_unix_ms, limits)


def open_shown_receipt(
    evidence: evidence_pb2.ReceiptEvidence,
    members: Members,
    network: str,
    key: tuple[str, int],
    head: HeadAt,
    limits: Limits,
    index: int | None = None,
) -> tuple[Member, channel_pb2.Receipt]:
    """The subscriber and its receipt over the log (channel, epoch) of a head; it covers the entry where one is named.

    Raises RECEIPT, SIGNATURE and ENVELOPE_*, too.
    """
    subscriber = member_of(members, subscriber_of(evidence.receipt, limits))
    check(subscriber.id != origin_of(key[0]), f"{subscriber.id} cannot confirm its own log")
    check(subscriber.standing is Standing.ACTIVE, f"{subscriber.id} is {subscriber.standing.value}")
    receipt = open_receipt(evidence.receipt, subscriber, network, limits).message
    keys = [each.public for each in subscriber.descriptor.signing_keys if lived(each, receipt.observed_at_unix_ms)]
    signed = envelopes.signers(evidence.receipt, envelopes.RECEIPT, keys, limits)
    check(bool(signed), f"the key of {subscriber.id} was not in force when it signed")
    covers = (receipt.channel, receipt.epoch) == key and (index is None or index < receipt.size)
    check(covers, f"the receipt of {subscriber.id} does not cover the entry")
    proof = list(evidence.consistency_proof)
    check_same_log(HeadAt(receipt.size, receipt.root), head, proof, f"the receipt of {subscriber.id}")
    return subscriber, receipt


def lived(key: MemberKey, at_ms: int) -> bool:
    """Whether a key was in force: nothing covers a receipt, so a revoked key proves nothing at any time."""
    if key.state == registry_pb2.KEY_STATE_RETIRED:
        return key.not_before_ms <= at_ms < key.not_after_ms
    return key.state == registry_pb2.KEY_STATE_ACTIVE and key.not_before_ms <= at_ms


def check_envelopes(shown: Sequence[envelope_pb2.Envelope], limits: Limits) -> None:
    """Raise unless each envelope is small enough, and bears exactly one signature."""
    for envelope in shown:
        check(len(envelope.payload) <= limits.max_header_bytes, "a signed payload is too large")
        check(len(envelope.signatures) == 1, "an envelope bears another number of signatures than one")


def check(holds: bool, otherwise: str) -> None:
    """Raise ValueError unless it holds."""
    if not holds:
        raise ValueError(otherwise)
