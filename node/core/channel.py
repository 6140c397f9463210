"""Channels: one advance for every entry, whoever brings it, and what a fork of a history looks like.

advance refuses for authenticity only, in this order:

    (1) size          header, signatures and body within the limits
    (2) standing      the origin is a member, writes this channel, and the epoch is open, or the entry
                      lies at or below the cut
    (3) signature     by a key whose life covers the entry; by a retired key only below a head that a
                      key active now has signed; by a revoked key only at or below the cut
    (4) continuity    index = size and prev_root = root
    (5) body          its commitments fold to records_root

An entry by a key that is no longer active, or of a log that is cut, rests on a later head: whoever has an old key
can sign another entry for the same place. It may be kept only where its log is shown to reach that head, or to be
continued by a key active now: see confirmed and reaches.

An authentic entry that makes no sense is advanced all the same; what it means is judged elsewhere.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from node.core import envelope as envelopes
from node.core import merkle
from node.core.entry import (
    _SEAL,
    AheadEntry,
    HeadAt,
    SignedEntry,
    VerifiedBody,
    VerifiedEntry,
    open_body,
    origin_of,
)
from node.core.errors import XinqiaoError
from node.core.identifiers import is_node_id
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.membership import Cut, Member, MemberKey, Standing
from node.core.suites import PublicKey
from node.pb import channel_pb2, envelope_pb2, registry_pb2

__all__ = ["HeadAt", "Log", "advance", "head_leaf"]

_NAME = re.compile(r"[a-z][a-z0-9-]*(?:/[a-z0-9][a-z0-9-]*)*")


@dataclass(frozen=True, slots=True)
class Log:
    """The end of one epoch of a channel as held here.

    covered is the largest head of it in a heartbeat signed by a key active now; cut its resolved cut.
    """

    channel: str
    epoch: int
    size: int = 0
    root: bytes = merkle.EMPTY_ROOT
    frontier: tuple[bytes, ...] = ()
    covered: HeadAt | None = None
    cut: HeadAt | None = None
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class TwoHistories:
    """What a verified proof shows: an origin has signed two entries for this place; proof is what of it is kept."""

    channel: str
    epoch: int
    index: int
    proof: channel_pb2.Equivocation


def check_channel_name(channel: str, limits: Limits = DEFAULT_LIMITS) -> str:
    """The channel's own name after its origin; raises CHANNEL_NAME."""
    if not is_channel_name(channel, limits):
        raise XinqiaoError("CHANNEL_NAME", name=channel[:200])
    return channel.partition("/")[2]


def is_channel_name(channel: str, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether this can be the name of a channel: "<origin id>/<name>"."""
    origin, _, name = channel.partition("/")
    return is_node_id(origin) and len(name) <= limits.max_channel_name_chars and _NAME.fullmatch(name) is not None


def head_leaf(channel: str, epoch: int, head: HeadAt) -> bytes:
    """The leaf that stands for a head in heartbeats and cuts; it reveals neither name nor size."""
    return merkle.leaf_hash(f"xinqiao/head/v1\n{channel}\n{epoch}\n{head.size}\n{head.root.hex()}\n".encode())


def resolve_cut(channel: str, epoch: int, cut: Cut, candidates: Iterable[HeadAt]) -> HeadAt | None:
    """The largest candidate head that the cut lists, None where it lists none of them."""
    listed = [head for head in candidates if head_leaf(channel, epoch, head) in cut.head_leaves]
    return max(listed, key=lambda head: head.size, default=None)


def check_consecutive(run: Sequence[SignedEntry]) -> None:
    """See that signed entries claim to follow each other in one log; raises FRAME."""
    first = run[0]
    for at, signed in enumerate(run):
        due = (first.channel, first.epoch, first.index + at)
        if (signed.channel, signed.epoch, signed.index) != due:
            found = f"{signed.channel[:200]} {signed.epoch}/{signed.index}"
            raise XinqiaoError("FRAME", detail=f"{found} arrives where entry {due[2]} of one log is due")


def advance(
    log: Log,
    signed: SignedEntry,
    origin: Member | None,
    network: str,
    limits: Limits = DEFAULT_LIMITS,
    opened: VerifiedBody | None = None,
) -> VerifiedEntry:
    """Verify that a signed entry is the next one of its log.

    opened is what open_body has made before of the body of exactly this entry, if anything has.
    Raises ENTRY_SIZE, ENTRY_ORIGIN, CHANNEL_NAME, ENTRY_EPOCH, ENTRY_TOO_EARLY, ENTRY_ABOVE_CUT, EQUIVOCATION,
    ENVELOPE_TYPE, ENVELOPE_SHAPE, ENTRY_SIGNATURE, ENTRY_NETWORK, ENTRY_HEADER, ENTRY_INDEX, ENTRY_PREV_ROOT,
    ENTRY_OTHER_HEAD, ENTRY_BODY.
    """
    # (1) size
    _check_size(signed, limits)
    # (2) standing
    member = _check_standing(log, signed, origin, limits)
    # (3) signature; only now are the bytes parsed
    header, key, envelope = open_header(signed, member, network, log, limits)
    rests_on = _rests_on(log, header, member, key)
    # (4) continuity
    _check_continuity(log, header)
    hashes, frontier, root = _append(log, signed.envelope.payload)
    _check_bounds(log, HeadAt(log.size + 1, root))
    # (5) body
    if opened is None or opened.serialized != signed.body:
        opened = open_body(header, signed.body, limits) if signed.body is not None else None
    return VerifiedEntry(
        header=header,
        envelope=envelope,
        body=opened,
        leaf=hashes[0],
        hashes=tuple(hashes),
        frontier=frontier,
        root=root,
        signed_by=key.key_id,
        rests_on=rests_on,
        seal=_SEAL,
    )


def check_ahead(
    log: Log, head: HeadAt, signed: SignedEntry, origin: Member | None, network: str, limits: Limits = DEFAULT_LIMITS
) -> AheadEntry:
    """Verify a status entry of a log that comes before its turn, by the head of a heartbeat of its origin or of a cut.

    It is authentic as in advance, (1) to (3) and (5); in place of (4) it is shown to stand in the log of that head.
    Raises what advance raises there, FRAME where it is no whole status entry, ENTRY_UNCONFIRMED where it is not shown.
    """
    _check_size(signed, limits)
    member = _check_standing(log, signed, origin, limits)
    header, _, _ = open_header(signed, member, network, replace(log, covered=head), limits)
    if header.kind != channel_pb2.ENTRY_KIND_STATUS or signed.body is None:
        raise XinqiaoError("FRAME", detail="an entry that is no whole status entry comes ahead of its turn")
    leaf = merkle.leaf_hash(signed.envelope.payload)
    if not merkle.check_inclusion(leaf, header.index, head.size, signed.inclusion, head.root):
        raise XinqiaoError(
            "ENTRY_UNCONFIRMED", channel=log.channel, epoch=log.epoch, index=header.index, size=head.size
        )
    return AheadEntry(header, open_body(header, signed.body, limits), _SEAL)


def _rests_on(log: Log, header: channel_pb2.EntryHeader, origin: Member, key: PublicKey) -> HeadAt | None:
    if log.cut is not None and header.index < log.cut.size:
        return log.cut
    active = {each.key_id for each in origin.active_keys}
    return None if key.key_id in active else log.covered


def confirmed(run: Sequence[VerifiedEntry]) -> int:
    """How many of these consecutive entries may be kept on their own evidence.

    Those up to the last one that rests on nothing, as its prev_root covers all before it, or that reaches the very
    head it rests on. The rest takes a proof, see reaches.
    """
    certain = [at + 1 for at, entry in enumerate(run) if entry.rests_on in (None, _head_after(entry))]
    return max(certain, default=0)


def reaches(last: VerifiedEntry, proof: Sequence[bytes]) -> bool:
    """Whether a consistency proof shows that the head an entry rests on continues the log up to that entry."""
    bound, after = last.rests_on, _head_after(last)
    return bound is None or merkle.check_consistency(after.size, bound.size, after.root, bound.root, proof)


def _head_after(entry: VerifiedEntry) -> HeadAt:
    return HeadAt(entry.header.index + 1, entry.root)


def _check_size(signed: SignedEntry, limits: Limits) -> None:
    for what, found, limit in (
        ("the header", len(signed.envelope.payload), limits.max_header_bytes),
        ("the body", len(signed.body or b""), limits.max_body_bytes),
    ):
        if found > limit:
            raise XinqiaoError("ENTRY_SIZE", what=what, found=f"{found} bytes", limit=limit)


def _check_standing(log: Log, signed: SignedEntry, origin: Member | None, limits: Limits) -> Member:
    check_channel_name(signed.channel, limits)
    writer = origin_of(signed.channel)
    if origin is None or origin.id != writer:
        raise XinqiaoError("ENTRY_ORIGIN", origin=writer, channel=signed.channel, detail="it is not a member")
    if (signed.channel, signed.epoch) != (log.channel, log.epoch) or signed.epoch > origin.open_epoch:
        raise XinqiaoError(
            "ENTRY_EPOCH", channel=signed.channel, epoch=signed.epoch, detail=f"epoch {origin.open_epoch} is open"
        )
    if _is_closed(log, origin):
        _check_cut(log, signed, origin)
    return origin


def _is_closed(log: Log, origin: Member) -> bool:
    return log.quarantined or origin.standing is not Standing.ACTIVE or log.epoch < origin.open_epoch


def awaits_cut(log: Log, origin: Member) -> bool:
    """Whether nothing of a log is taken before its cut is found."""
    return log.cut is None and _is_closed(log, origin)


def _check_cut(log: Log, signed: SignedEntry, origin: Member) -> None:
    """At or below the cut an entry is accepted from any holder; above it, or while none is known, refused."""
    if log.cut is not None and signed.index < log.cut.size:
        return
    if log.quarantined and origin.cut is None:
        raise XinqiaoError("EQUIVOCATION", origin=origin.id, channel=log.channel, epoch=log.epoch, index=signed.index)
    if log.cut is None:
        raise XinqiaoError("ENTRY_TOO_EARLY", channel=log.channel, origin=origin.id, status=origin.standing.value)
    raise XinqiaoError(
        "ENTRY_ABOVE_CUT",
        channel=log.channel,
        epoch=log.epoch,
        size=log.cut.size,
        index=signed.index,
        origin=origin.id,
    )


def open_header(
    signed: SignedEntry, origin: Member, network: str, log: Log, limits: Limits = DEFAULT_LIMITS
) -> tuple[channel_pb2.EntryHeader, PublicKey, envelope_pb2.Envelope]:
    """Verify the signature of an entry's header and read it; the envelope is what of it may be kept.

    Raises ENTRY_SIGNATURE, ENTRY_HEADER, ENTRY_NETWORK.
    """
    by_id = {key.public.key_id: key for key in origin.descriptor.signing_keys}
    signers, bare = envelopes.verify(signed.envelope, envelopes.ENTRY_HEADER, origin.all_keys, limits)
    for found in signers:
        header = envelopes.parse(channel_pb2.EntryHeader, signed.envelope.payload)
        if _is_accepted(by_id[found.key_id], header, log):
            _check_header(signed, header, network, limits)
            return header, found, bare
    raise XinqiaoError(
        "ENTRY_SIGNATURE", channel=signed.channel, epoch=signed.epoch, index=signed.index, origin=origin.id
    )


def _is_accepted(key: MemberKey, header: channel_pb2.EntryHeader, log: Log) -> bool:
    below_cut = log.cut is not None and header.index < log.cut.size
    if key.state == registry_pb2.KEY_STATE_ACTIVE:
        return key.not_before_ms <= header.issued_at_unix_ms or below_cut
    if key.state == registry_pb2.KEY_STATE_RETIRED:
        covered = log.covered is not None and header.index < log.covered.size
        return covered or below_cut
    return key.state == registry_pb2.KEY_STATE_REVOKED and below_cut


def _check_header(signed: SignedEntry, header: channel_pb2.EntryHeader, network: str, limits: Limits) -> None:
    if header.network != network:
        raise XinqiaoError("ENTRY_NETWORK", found=header.network[:80], network=network)
    detail = ""
    if (header.channel, header.epoch, header.index) != (signed.channel, signed.epoch, signed.index):
        detail = f"it says {header.channel} {header.epoch}/{header.index}"
    elif len(header.prev_root) != merkle.HASH_BYTES or len(header.records_root) != merkle.HASH_BYTES:
        detail = "prev_root and records_root are 32 bytes each"
    elif header.record_count > limits.max_records_per_entry:
        detail = f"more than {limits.max_records_per_entry} records"
    elif header.issued_at_unix_ms <= 0:
        detail = "issued_at is missing"
    if detail:
        raise XinqiaoError(
            "ENTRY_HEADER",
            channel=signed.channel,
            epoch=signed.epoch,
            index=signed.index,
            origin=origin_of(signed.channel),
            detail=detail,
        )


def _check_continuity(log: Log, header: channel_pb2.EntryHeader) -> None:
    if header.index != log.size:
        raise XinqiaoError("ENTRY_INDEX", channel=log.channel, epoch=log.epoch, index=header.index, size=log.size)
    if header.prev_root != log.root:
        origin = origin_of(log.channel)
        raise XinqiaoError("ENTRY_PREV_ROOT", channel=log.channel, epoch=log.epoch, index=header.index, origin=origin)


def _append(log: Log, payload: bytes) -> tuple[list[bytes], tuple[bytes, ...], bytes]:
    hashes, frontier = merkle.hashes_to_append(log.size, log.frontier, merkle.leaf_hash(payload))
    return hashes, frontier, merkle.frontier_root(frontier)


def _check_bounds(log: Log, after: HeadAt) -> None:
    """A log that reaches its cut, or without one a signed head, must reach exactly that root."""
    bound = log.cut or log.covered
    if bound is not None and bound.size == after.size and bound.root != after.root:
        origin = origin_of(log.channel)
        raise XinqiaoError("ENTRY_OTHER_HEAD", channel=log.channel, epoch=log.epoch, size=bound.size, origin=origin)


def conflict(held: envelope_pb2.Envelope, other: envelope_pb2.Envelope) -> channel_pb2.Equivocation | None:
    """The proof that two authentic payloads claim one index, None where they are the same bytes."""
    if held.payload == other.payload:
        return None
    return channel_pb2.Equivocation(first=held, second=other)


def broken_continuation(
    last: envelope_pb2.Envelope, frontier: Iterable[bytes], following: envelope_pb2.Envelope
) -> channel_pb2.Equivocation:
    """The proof that an authentic entry does not continue the authentic entry before it.

    frontier stands over the entries before last.
    """
    return channel_pb2.Equivocation(first=last, second=following, frontier=list(frontier))


def check_equivocation(
    proof: channel_pb2.Equivocation, origin: Member, network: str, limits: Limits = DEFAULT_LIMITS
) -> TwoHistories:
    """Verify a proof of two histories; raises EQUIVOCATION_UNPROVEN, ENVELOPE_*.

    Only payloads signed by keys the origin may sign with now are compared, so nobody else can frame it, not even
    who got hold of a key that was retired or revoked.
    """
    first, first_kept = _authentic(proof.first, origin, network, limits)
    second, second_kept = _authentic(proof.second, origin, network, limits)
    kept = channel_pb2.Equivocation(first=first_kept, second=second_kept)
    if (first.channel, first.epoch) != (second.channel, second.epoch) or origin_of(first.channel) != origin.id:
        raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="the headers belong to different logs")
    if first.index == second.index:
        if proof.first.payload == proof.second.payload:
            raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="both headers are the same")
    elif not _breaks(proof, first, second):
        raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="the second header continues the first")
    else:
        kept.frontier.extend(proof.frontier)
    return TwoHistories(first.channel, first.epoch, second.index, kept)


def _authentic(
    envelope: envelope_pb2.Envelope, origin: Member, network: str, limits: Limits
) -> tuple[channel_pb2.EntryHeader, envelope_pb2.Envelope]:
    if len(envelope.payload) > limits.max_header_bytes:
        raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="a header is too large")
    signers, bare = envelopes.verify(envelope, envelopes.ENTRY_HEADER, origin.active_keys, limits)
    if not signers:
        raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail=f"a header is not signed by an active key of {origin.id}")
    header = envelopes.parse(channel_pb2.EntryHeader, envelope.payload)
    if header.network != network:
        raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="a header belongs to another network")
    if not is_channel_name(header.channel, limits) or max(header.epoch, header.index) >= NUMBERS_END:
        raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="a header names a log that cannot be")
    return header, bare


def _breaks(proof: channel_pb2.Equivocation, first: channel_pb2.EntryHeader, second: channel_pb2.EntryHeader) -> bool:
    frontier = tuple(proof.frontier)
    shape_fits = len(frontier) == first.index.bit_count() and all(len(item) == merkle.HASH_BYTES for item in frontier)
    if second.index != first.index + 1 or not shape_fits or merkle.frontier_root(frontier) != first.prev_root:
        return False
    _, after = merkle.hashes_to_append(first.index, frontier, merkle.leaf_hash(proof.first.payload))
    return merkle.frontier_root(after) != second.prev_root
