"""Heartbeats: one signature over all heads a node writes, shown to each reader with just its own channels.

    heads_root = RFC 6962 root over the head leaves, sorted by (channel, epoch)

A view carries the heads its reader may know of and the hashes of the subtrees without any. A holder can
narrow a view for its own readers; it can never widen one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from node.core import envelope as envelopes
from node.core import merkle
from node.core.channel import HeadAt, head_leaf, is_channel_name
from node.core.entry import origin_of
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.membership import Member
from node.pb import channel_pb2, envelope_pb2

ChannelEpoch = tuple[str, int]
VIEWS_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class VerifiedHeartbeat:
    """A heartbeat view whose signature and heads were checked; only open_view makes one.

    time_ms is the signer's clock, at most the accepted skew ahead of ours when it came.
    """

    node: str
    time_ms: int
    heads: Mapping[ChannelEpoch, HeadAt]
    view: channel_pb2.HeartbeatView


def sort_heads(heads: Mapping[ChannelEpoch, HeadAt]) -> list[tuple[ChannelEpoch, HeadAt]]:
    """The heads in the order in which a heartbeat folds them."""
    return sorted(heads.items())


def build(network: str, node: str, time_ms: int, heads: Mapping[ChannelEpoch, HeadAt]) -> channel_pb2.Heartbeat:
    """The heartbeat over all heads a node writes, unsigned."""
    return channel_pb2.Heartbeat(
        network=network,
        node=node,
        time_unix_ms=time_ms,
        head_count=len(heads),
        heads_root=merkle.root(_leaves(heads)),
    )


def full_view(envelope: envelope_pb2.Envelope, heads: Mapping[ChannelEpoch, HeadAt]) -> channel_pb2.HeartbeatView:
    """The view that shows every head; narrow_view makes the ones that leave the node."""
    view = channel_pb2.HeartbeatView(heartbeat=envelope)
    for position, ((channel, epoch), head) in enumerate(sort_heads(heads)):
        shown = channel_pb2.Head(channel=channel, epoch=epoch, size=head.size, root=head.root)
        view.heads.append(channel_pb2.PositionedHead(position=position, head=shown))
    return view


def _kept(view: channel_pb2.HeartbeatView, heartbeat: envelope_pb2.Envelope) -> channel_pb2.HeartbeatView:
    """The view with what was verified and nothing else, its heads in their order."""
    kept = channel_pb2.HeartbeatView(heartbeat=heartbeat, hashes=view.hashes)
    for item in sorted(view.heads, key=lambda item: item.position):
        head = channel_pb2.Head(
            channel=item.head.channel, epoch=item.head.epoch, size=item.head.size, root=item.head.root
        )
        kept.heads.append(channel_pb2.PositionedHead(position=item.position, head=head))
    return kept


def narrow_view(view: channel_pb2.HeartbeatView, may_read: Callable[[str], bool]) -> channel_pb2.HeartbeatView:
    """The same heartbeat with only the channels a reader may know of; the view MUST be a verified one."""
    heartbeat = envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload)
    known = {item.position: _leaf(item.head) for item in view.heads}
    kept = [item for item in view.heads if may_read(item.head.channel)]
    hashes = merkle.narrow_subset(heartbeat.head_count, known, list(view.hashes), [item.position for item in kept])
    return channel_pb2.HeartbeatView(heartbeat=view.heartbeat, heads=kept, hashes=hashes)


def open_view(
    view: channel_pb2.HeartbeatView, signer: Member | None, network: str, now_ms: int, limits: Limits = DEFAULT_LIMITS
) -> VerifiedHeartbeat:
    """Verify a heartbeat and the heads it shows; raises HEARTBEAT, SIGNATURE, ENVELOPE_TYPE, ENVELOPE_SHAPE.

    signer is the member the caller takes for its author, by node_of. Only a key active now can sign one. One
    from the future is refused: kept under an earlier time, it could be played again as news when that time comes.
    """
    if signer is None:
        raise XinqiaoError("HEARTBEAT", node="an unknown node", detail="it is not a member")
    signers, bare = envelopes.verify(view.heartbeat, envelopes.HEARTBEAT, signer.active_keys, limits)
    if not signers:
        raise XinqiaoError("SIGNATURE", signer=signer.id)
    heartbeat = envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload)
    if heartbeat.network != network or heartbeat.node != signer.id or heartbeat.time_unix_ms <= 0:
        raise XinqiaoError("HEARTBEAT", node=signer.id, detail="network, node or time do not fit")
    if heartbeat.time_unix_ms > now_ms + limits.max_clock_skew_ms:
        raise XinqiaoError("HEARTBEAT", node=signer.id, detail="it is dated in the future")
    heads = _open_heads(view, heartbeat, limits)
    return VerifiedHeartbeat(signer.id, heartbeat.time_unix_ms, heads, _kept(view, bare))


def heads_once_signed(
    view: channel_pb2.HeartbeatView, author: Member, network: str, limits: Limits = DEFAULT_LIMITS
) -> Mapping[ChannelEpoch, HeadAt]:
    """The heads in a heartbeat that comes back to its author; raises HEARTBEAT, SIGNATURE, ENVELOPE_*.

    It tells what was signed once, however long ago or ahead, and with any key that is not revoked.
    """
    if not envelopes.signers(view.heartbeat, envelopes.HEARTBEAT, author.unrevoked_keys, limits):
        raise XinqiaoError("SIGNATURE", signer=author.id)
    heartbeat = envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload)
    if (heartbeat.network, heartbeat.node) != (network, author.id):
        raise XinqiaoError("HEARTBEAT", node=author.id, detail="network or node do not fit")
    return _open_heads(view, heartbeat, limits)


def node_of(view: channel_pb2.HeartbeatView, limits: Limits = DEFAULT_LIMITS) -> str:
    """The id a heartbeat claims, to look its member up; unverified."""
    if len(view.heartbeat.payload) > limits.max_header_bytes:
        raise XinqiaoError("HEARTBEAT", node="a peer", detail="it is too large")
    return envelopes.parse(channel_pb2.Heartbeat, view.heartbeat.payload).node


def _open_heads(
    view: channel_pb2.HeartbeatView, heartbeat: channel_pb2.Heartbeat, limits: Limits
) -> dict[ChannelEpoch, HeadAt]:
    if heartbeat.head_count > limits.max_channels_per_origin or len(view.heads) > heartbeat.head_count:
        raise XinqiaoError("HEARTBEAT", node=heartbeat.node, detail="it has more heads than a node may write")
    known = {item.position: _leaf(item.head) for item in view.heads}
    rebuilt = merkle.subset_root(heartbeat.head_count, known, list(view.hashes))
    if len(known) != len(view.heads) or rebuilt != heartbeat.heads_root:
        raise XinqiaoError("HEARTBEAT", node=heartbeat.node, detail="its heads do not fold to heads_root")
    heads: dict[ChannelEpoch, HeadAt] = {}
    for item in sorted(view.heads, key=lambda item: item.position):
        defect = _head_defect(item.head, heartbeat.node, max(heads, default=("", 0)), limits)
        if defect:
            raise XinqiaoError("HEARTBEAT", node=heartbeat.node, detail=defect)
        heads[item.head.channel, item.head.epoch] = HeadAt(item.head.size, item.head.root)
    return heads


def _head_defect(head: channel_pb2.Head, node: str, before: ChannelEpoch, limits: Limits) -> str:
    """Why a head that is under heads_root makes no sense; before is the one shown before it."""
    if origin_of(head.channel) != node:
        return "it speaks for another origin"
    if not is_channel_name(head.channel, limits) or max(head.epoch, head.size) >= NUMBERS_END:
        return "it names a log that cannot be"
    if len(head.root) != merkle.HASH_BYTES or (head.channel, head.epoch) <= before:
        return "a root is not 32 bytes, or its heads are not sorted, each once"
    return ""


def _leaf(head: channel_pb2.Head) -> bytes:
    return head_leaf(head.channel, head.epoch, HeadAt(head.size, head.root))


def _leaves(heads: Mapping[ChannelEpoch, HeadAt]) -> list[bytes]:
    return [head_leaf(channel, epoch, head) for (channel, epoch), head in sort_heads(heads)]


def digest_of_views(shown: Iterable[tuple[bytes, Sequence[int]]]) -> bytes:
    """What two members compare of the heartbeats they hold, 16 bytes: payloads, each with the positions both may know.

    It only says whether there is anything to tell: whoever shows a false one is told less, or more, and nobody else.
    """
    digest = sha256()
    for payload, positions in shown:
        for part in (payload, b",".join(str(each).encode() for each in positions)):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.digest()[:VIEWS_DIGEST_BYTES]


def shared_digest(heads: Sequence[tuple[ChannelEpoch, HeadAt]]) -> bytes:
    """What two members compare first: the root over the leaves of the heads both may read, 32 bytes."""
    return merkle.root([head_leaf(channel, epoch, head) for (channel, epoch), head in sorted(heads)])


def shows_no_more(view: channel_pb2.HeartbeatView, held: channel_pb2.HeartbeatView) -> bool:
    """Whether a view of the same heartbeat has no head more than the one that is held."""
    return held.heartbeat.payload == view.heartbeat.payload and len(held.heads) >= len(view.heads)
