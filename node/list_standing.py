"""How a list that is held stands beside what its origin has signed: a part of admission, inside its transactions.

    (1) operations in a subject's favour are kept as soon as their body is here
    (2) the fold judges every operation; listings and accumulator follow it
    (3) the digest after the entry is compared with the one in its header
    (4) at the end of a step the list matches, or differs, or nothing can be said yet as something is missing

A list that differs is worked out anew from its operations, once by each version of the reducer. If it differs still, it
stays so until a later entry of its origin says what we hold: an alarm names the first entry behind which they differ,
and what lifts a listing is applied all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.core.entry import VerifiedBody, origin_of
from node.core.envelope import parse
from node.core.limits import Limits
from node.core.list_fold import FoldedList, fold_list, is_list, narrowing_in
from node.core.listing import ListOperation
from node.core.state import Place, Unfolded
from node.held_lists import DigestStatus, HeldListState
from node.pb import channel_pb2
from node.ports import HeldChannel, StoreReader, StoreTransaction

LIST_DIGEST = "LIST_DIGEST"
REDUCER = "1"
"""Grows with every change of what operations make of a list."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """The digest that the origin has signed with an entry; at_ms is when the entry came in."""

    place: Place
    digest: bytes
    at_ms: int


def keep_narrowing(
    tx: StoreTransaction, header: channel_pb2.EntryHeader, body: VerifiedBody | None, limits: Limits
) -> None:
    """Keep what an authentic entry does in its subjects' favour; it does not wait for the fold."""
    operations = narrowing_in(header, body, limits)
    if operations:
        tx.put_operations(header.channel, operations)


def fold_on_list(tx: StoreReader, entry: Unfolded, limits: Limits) -> FoldedList | None:
    """What the next entry does to its list; None while it waits for the registry."""
    channel = entry.header.channel
    held = tx.channel(channel, entry.header.epoch)
    lacks = held is not None and not _are_earlier_folded(tx, held)
    return fold_list(entry, lambda places: asserted_operations(tx, channel, places), limits, lacks_earlier=lacks)


def asserted_operations(
    store: StoreReader, channel: str, places: Iterable[Place]
) -> Mapping[Place, Sequence[ListOperation]]:
    """The asserted operations on listings of a channel."""
    found = {place: store.list_operations(channel, place) for place in sorted(set(places))}
    return {place: [each.operation for each in held if each.is_asserted] for place, held in found.items()}


def compare(tx: StoreTransaction, held: HeldChannel, header: channel_pb2.EntryHeader) -> None:
    """Compare the digest after an entry that was just folded, and note where the list first differs."""
    cut = held.log.cut
    is_above_cut = cut is not None and header.index >= cut.size
    newest = tx.channel(header.channel) if is_list(header.channel) and not is_above_cut else None
    if newest is None or newest.log.epoch != header.epoch:
        return
    state = _state(tx, header.channel)
    agrees = state.digest == header.state_digest
    differs = None if agrees else state.differs or Place(header.epoch, header.index, 0)
    if differs != state.differs:
        tx.put_comparison(header.channel, state.status, differs)


def settle(tx: StoreTransaction, channel: str) -> None:
    """Say how a list stands beside what its origin has signed last, after whatever was done to it."""
    signed = _last_signed(tx, channel) if is_list(channel) else None
    if signed is None:
        return
    status = _status(tx, channel, signed)
    if status is DigestStatus.MISMATCH and _state(tx, channel).rebuilt != REDUCER:
        tx.rebuild_list(channel, REDUCER)
        status = _status(tx, channel, signed)
    before = _state(tx, channel)
    differs = None if before.digest == signed.digest else before.differs or signed.place
    if (status, differs) != (before.status, before.differs):
        tx.put_comparison(channel, status, differs)
    if status is DigestStatus.MATCH and before.status is not status:
        tx.clear_alarm(LIST_DIGEST, channel)
    elif status is DigestStatus.MISMATCH and differs is not None and before.status is not status:
        found = {"channel": channel, "origin": origin_of(channel)}
        place = {"epoch": str(differs.epoch), "index": str(differs.index)}
        tx.raise_alarm(LIST_DIGEST, channel, found | place, signed.at_ms)


def digest_of(store: StoreReader, channel: str) -> bytes:
    """The digest of the members held of a list, 32 bytes; empty for a channel that is no list."""
    return _state(store, channel).digest if is_list(channel) else b""


def is_whole(store: StoreReader, held: HeldChannel) -> bool:
    """Whether the newest epoch of a list is folded to its end, and each epoch before up to the cut it goes on from."""
    return _is_folded(held) and _are_earlier_folded(store, held)


def receipt_digest(store: StoreReader, held: HeldChannel) -> bytes:
    """What a receipt for an epoch of a list says of its members; empty where that would not be what was applied of it.

    So it is while an earlier epoch is missing, above a cut, after this node has left the audience, as all of the list
    is gone then, and where the log went on meanwhile: another receipt follows. A digest tells the origin of a wrong
    reducer, and must tell it of nothing else.
    """
    if not _is_said(store, held):
        return b""
    digest, now = digest_of(store, held.log.channel), store.channel(held.log.channel)
    if now is None or (now.key, now.applied_size) != (held.key, held.applied_size) or not _is_said(store, now):
        return b""
    return digest


def _is_said(store: StoreReader, held: HeldChannel) -> bool:
    cut = held.log.cut
    is_above_cut = cut is not None and held.applied_size > cut.size
    is_gone = held.left_at is not None or not is_list(held.log.channel)
    return not is_gone and not is_above_cut and _are_earlier_folded(store, held)


def _state(store: StoreReader, channel: str) -> HeldListState:
    return store.list_state(channel) or HeldListState(channel)


def _status(store: StoreReader, channel: str, signed: _Signed) -> DigestStatus:
    newest = store.channel(channel)
    if newest is None or not _is_folded(newest):
        return DigestStatus.UNKNOWN
    if _state(store, channel).digest == signed.digest:
        return DigestStatus.MATCH
    return DigestStatus.MISMATCH if _are_earlier_folded(store, newest) else DigestStatus.UNKNOWN


def _last_signed(store: StoreReader, channel: str) -> _Signed | None:
    """What the newest entry that is folded and not above a cut says of the list; None without one."""
    held = store.channel(channel)
    while held is not None:
        cut = held.log.cut
        size = held.applied_size if cut is None else min(held.applied_size, cut.size)
        if size:
            entry = next(store.entries(*held.key, size - 1, size, with_bodies=False))
            digest = parse(channel_pb2.EntryHeader, entry.envelope.payload).state_digest
            return _Signed(Place(held.log.epoch, size - 1, 0), digest, entry.received_at_ms)
        resumed = _resumed(store, held)
        held = store.channel(channel, resumed.epoch) if resumed is not None else None
    return None


def _is_folded(held: HeldChannel) -> bool:
    """Whether an epoch is folded as far as it is asserted."""
    end = held.log.size if held.log.cut is None else held.log.cut.size
    return held.left_at is None and held.applied_size >= end


def _are_earlier_folded(store: StoreReader, held: HeldChannel) -> bool:
    """Whether each epoch before one is here and folded, up to the very cut that its successor was written over."""
    resumed = _resumed(store, held)
    while resumed is not None:
        before = store.channel(held.log.channel, resumed.epoch)
        cut = before.log.cut if before is not None else None
        if before is None or cut is None or cut.size != resumed.size or not _is_folded(before):
            return False
        resumed = _resumed(store, before)
    return True


def _resumed(store: StoreReader, held: HeldChannel) -> channel_pb2.CutReference | None:
    """The cut that an epoch goes on from; None where the list began with it."""
    if not held.log.epoch:
        return None
    first = next(store.entries(*held.key, 0, 1, with_bodies=False), None)
    manifest = parse(channel_pb2.EntryHeader, first.envelope.payload).manifest if first is not None else None
    if manifest is None or not manifest.HasField("resumes") or not manifest.resumes.size:
        return None
    return manifest.resumes if manifest.resumes.epoch < held.log.epoch else None
