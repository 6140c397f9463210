"""Comparing: what is to move after a peer has named its heads; they are claims, and say only what to fetch."""

from node.admission import root_at
from node.core.channel import HeadAt, is_channel_name
from node.core.entry import origin_of
from node.core.heartbeat import ChannelEpoch
from node.core.limits import NUMBERS_END, Limits
from node.core.membership import Members
from node.core.merkle import HASH_BYTES
from node.links import Work
from node.pb import channel_pb2
from node.ports import Store


def can_be(head: channel_pb2.Head, members: Members, limits: Limits) -> bool:
    """Whether a claim names a log that a member may have written."""
    origin = members.get(origin_of(head.channel))
    numbers_fit = head.size < NUMBERS_END and len(head.root) == HASH_BYTES
    return (
        origin is not None and numbers_fit and head.epoch <= origin.open_epoch and is_channel_name(head.channel, limits)
    )


def compare(store: Store, key: ChannelEpoch, ours: HeadAt | None, theirs: HeadAt | None) -> Work | None:
    """What to do about one log by our head and the one that is claimed; None where there is nothing."""
    if theirs is None:
        return Work(pulls=False, start=0)
    if ours is None:
        held = store.channel(*key)
        size = held.log.size if held is not None else 0
        return Work(pulls=True, start=size, theirs=theirs) if theirs.size > size else None
    if theirs == ours:
        return None
    if theirs.size > ours.size:
        return Work(pulls=True, start=ours.size, theirs=theirs)
    held = store.channel(*key)
    if held is not None and root_at(store, held.log, theirs.size) == theirs.root:
        return Work(pulls=False, start=theirs.size)
    return Work(pulls=True, start=max(theirs.size - 1, 0), probes=True, theirs=theirs)
