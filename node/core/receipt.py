"""Receipts: a subscriber's signed word on how far it holds and has applied a channel."""

from collections.abc import Mapping
from dataclasses import dataclass

from node.core import envelope as envelopes
from node.core import merkle
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.membership import Member
from node.pb import channel_pb2, envelope_pb2

Extent = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose signature was checked; only open_receipt makes one."""

    message: channel_pb2.Receipt
    envelope: envelope_pb2.Envelope

    @property
    def extent(self) -> Extent:
        """What makes one receipt larger than another: (epoch, size, applied_size, observed_at)."""
        return extent(self.message)


def extent(receipt: channel_pb2.Receipt) -> Extent:
    """The order of receipts of one subscriber for one channel."""
    return (receipt.epoch, receipt.size, receipt.applied_size, receipt.observed_at_unix_ms)


def outcome_counts(outcomes: Mapping[tuple[int, str], int], most: int) -> list[channel_pb2.OutcomeCount]:
    """What a receipt tells of what became of records: counts by outcome and code, the first so many of them."""
    return [
        channel_pb2.OutcomeCount(outcome=channel_pb2.RecordOutcome.Name(outcome), code=code, count=count)
        for (outcome, code), count in sorted(outcomes.items())[:most]
    ]


def claim_of(envelope: envelope_pb2.Envelope, limits: Limits = DEFAULT_LIMITS) -> channel_pb2.Receipt:
    """What a receipt claims, to look its subscriber up; unverified. Raises RECEIPT, ENVELOPE_SHAPE."""
    if len(envelope.payload) > limits.max_header_bytes:
        raise XinqiaoError("RECEIPT", node="a peer", detail="it is too large")
    return envelopes.parse(channel_pb2.Receipt, envelope.payload)


def subscriber_of(envelope: envelope_pb2.Envelope, limits: Limits = DEFAULT_LIMITS) -> str:
    """The id a receipt claims; unverified. Raises RECEIPT, ENVELOPE_SHAPE."""
    return claim_of(envelope, limits).subscriber


def open_receipt(
    envelope: envelope_pb2.Envelope, subscriber: Member | None, network: str, limits: Limits = DEFAULT_LIMITS
) -> VerifiedReceipt:
    """Verify a receipt; raises RECEIPT, SIGNATURE, ENVELOPE_TYPE, ENVELOPE_SHAPE.

    A retired key still speaks for what it signed; a revoked one for nothing, as no cut covers a receipt.
    """
    if subscriber is None:
        raise XinqiaoError("RECEIPT", node="an unknown node", detail="it is not a member")
    signers, bare = envelopes.verify(envelope, envelopes.RECEIPT, subscriber.unrevoked_keys, limits)
    if not signers:
        raise XinqiaoError("SIGNATURE", signer=subscriber.id)
    message = envelopes.parse(channel_pb2.Receipt, envelope.payload)
    detail = _contradiction(message, subscriber, network, limits)
    if detail:
        raise XinqiaoError("RECEIPT", node=subscriber.id, detail=detail)
    return VerifiedReceipt(message, bare)


def _contradiction(message: channel_pb2.Receipt, subscriber: Member, network: str, limits: Limits) -> str:
    if message.network != network:
        return "it belongs to another network"
    if message.subscriber != subscriber.id:
        return f"it is signed for {message.subscriber}"
    if max(message.epoch, message.size) >= NUMBERS_END:
        return "its numbers are too large"
    if message.applied_size > message.size or len(message.root) != merkle.HASH_BYTES:
        return "applied_size exceeds size, or the root is not 32 bytes"
    if len(message.withheld) > limits.max_withheld_per_receipt:
        return "it lists too many withheld bodies"
    if len(message.outcomes) > limits.max_outcome_codes_per_receipt:
        return "it lists too many outcomes"
    return ""
