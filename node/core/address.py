"""Addresses: where members can be reached, in their own signed words; the registry does not vouch for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.membership import Members
from node.pb import envelope_pb2, registry_pb2


@dataclass(frozen=True, slots=True)
class VerifiedAddress:
    """An address whose signature was checked, and what of its envelope is kept; only open_address makes one."""

    record: registry_pb2.AddressRecord
    envelope: envelope_pb2.Envelope


def open_address(envelope: envelope_pb2.Envelope, members: Members, limits: Limits = DEFAULT_LIMITS) -> VerifiedAddress:
    """Verify an address record by a key its node may sign with now; raises ADDRESS, SIGNATURE."""
    if len(envelope.payload) > limits.max_address_bytes:
        raise XinqiaoError("ADDRESS", node="a peer", detail="it is too large")
    claimed = envelopes.parse(registry_pb2.AddressRecord, envelope.payload)
    member = members.get(claimed.node)
    if member is None or claimed.network != members.network:
        raise XinqiaoError("ADDRESS", node=claimed.node[:64], detail="it is not a member of this network")
    signers, bare = envelopes.verify(envelope, envelopes.ADDRESS, member.active_keys, limits)
    if not signers:
        raise XinqiaoError("SIGNATURE", signer=member.id)
    if claimed.sequence >= NUMBERS_END:
        raise XinqiaoError("ADDRESS", node=member.id, detail="its sequence number is too large")
    return VerifiedAddress(claimed, bare)


def book_digest(records: Iterable[registry_pb2.AddressRecord]) -> bytes:
    """What two holders of addresses compare first, 32 bytes: SHA-256 over "<node> <sequence>\\n", by node."""
    lines = sorted(f"{record.node} {record.sequence}\n" for record in records)
    return sha256("".join(lines).encode()).digest()
