"""The warrant of a list's entry: proof that officers of the origin decided what it holds, and nothing else.

    batch root       RFC 6962 root whose leaves are the commitments of all slots before the warrant's
    change root      RFC 6962 root over the leaves SHA-256(0x00 || batch root), one for each entry of the change
    what is signed   SHA-256 of ListChangeDigested{id, channel, batches, change root}

It covers commitments, so it holds after subjects and reasons were erased. Who the officers are is the origin's word;
that two keys have signed the same change is not.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from node.core import envelope as envelopes
from node.core import merkle
from node.core.entry import VerifiedBody, origin_of
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.listing import list_slot
from node.core.suites import PublicKey, load_public_key
from node.pb import channel_pb2, listing_pb2, officer_pb2

PROPOSE = "list.propose"
APPROVE = "list.approve"


@dataclass(frozen=True, slots=True)
class Signed:
    """What one officer signed of a change, verified: act, officer by name at the origin, key and time."""

    act: str
    officer: str
    key_id: str
    reason: str
    signed_at_ms: int


def batch_root(commitments: Sequence[bytes]) -> bytes:
    """The root of one batch: over the commitments of its slots without the warrant's, 32 bytes."""
    return merkle.root(commitments)


def change_root(batch_roots: Sequence[bytes]) -> bytes:
    """The root of a change over the roots of its batches, 32 bytes."""
    return merkle.root([merkle.leaf_hash(each) for each in batch_roots])


def change_digest(change: str, channel: str, batches: int, root: bytes) -> bytes:
    """What officers sign of a change: decided_sha256, 32 bytes."""
    digested = listing_pb2.ListChangeDigested(id=change, channel=channel, batches=batches, root=root)
    return hashlib.sha256(digested.SerializeToString(deterministic=True)).digest()


def warrant_in(body: VerifiedBody) -> listing_pb2.ListWarrant | None:
    """The warrant of an entry: its last slot; None where that is something else."""
    last = body.records[-1] if body.records else None
    slot = list_slot(last[1]) if last is not None else None
    return slot.warrant if slot is not None and slot.HasField("warrant") else None


def signatures_on(
    header: channel_pb2.EntryHeader, body: VerifiedBody, limits: Limits = DEFAULT_LIMITS
) -> tuple[Signed, ...]:
    """Who has signed the operations of an entry, each verified; empty where the warrant does not hold."""
    warrant = warrant_in(body)
    if warrant is None or not 1 <= len(warrant.signatures) <= limits.max_warrant_signatures:
        return ()
    root = _root_by(warrant, batch_root(body.commitments[:-1]))
    if root is None:
        return ()
    digest = change_digest(warrant.change, header.channel, warrant.batches, root)
    found = [_open(signature, header, warrant.change, digest, limits) for signature in warrant.signatures]
    return tuple(each for each in found if each is not None) if None not in found else ()


def is_sufficient(signed: Sequence[Signed], kind: int) -> bool:
    """Whether a change of a list of some kind may stand on these signatures: serious lists need two officers."""
    acts = [each.act for each in signed]
    if kind == listing_pb2.LIST_KIND_SERIOUS:
        are_two = len({each.officer for each in signed}) == len({each.key_id for each in signed}) == 2
        return acts == [PROPOSE, APPROVE] and are_two
    return bool(acts) and acts[0] == PROPOSE


def _root_by(warrant: listing_pb2.ListWarrant, batch: bytes) -> bytes | None:
    """The change's root that the path leads to from one batch; None where it leads nowhere."""
    if not 0 <= warrant.batch < warrant.batches or len(warrant.path) > DEFAULT_LIMITS.max_proof_hashes:
        return None
    return merkle.root_by_inclusion(merkle.leaf_hash(batch), warrant.batch, warrant.batches, list(warrant.path))


def _open(
    signature: listing_pb2.OfficerSignature,
    header: channel_pb2.EntryHeader,
    change: str,
    digest: bytes,
    limits: Limits,
) -> Signed | None:
    key = load_public_key(signature.suite, signature.public_key)
    if key is None or len(signature.officer) > limits.max_officer_name_chars:
        return None
    message = _statement(signature, key, limits)
    if message is None or message.act not in (PROPOSE, APPROVE):
        return None
    claimed = (message.network, message.node, message.subject, message.decided_sha256)
    if claimed != (header.network, origin_of(header.channel), change, digest):
        return None
    return Signed(message.act, signature.officer, key.key_id, message.reason, message.signed_at_unix_ms)


def _statement(
    signature: listing_pb2.OfficerSignature, key: PublicKey, limits: Limits
) -> officer_pb2.OfficerStatement | None:
    """The statement, once its signature is verified; None where it is not by that key."""
    envelope = signature.statement
    try:
        if len(envelope.payload) > limits.max_statement_bytes:
            return None
        if not envelopes.signers(envelope, envelopes.OFFICER_STATEMENT, [key], limits):
            return None
        return envelopes.parse(officer_pb2.OfficerStatement, envelope.payload)
    except XinqiaoError:
        return None
