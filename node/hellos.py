"""Hellos: what this node says when it compares with a peer, as the caller and as the one that answers."""

from collections.abc import Sequence

from node.core.channel import HeadAt
from node.core.heartbeat import ChannelEpoch, digest_of_views, shared_digest
from node.core.limits import NUMBERS_END, Limits
from node.links import Link
from node.pb import channel_pb2, exchange_service_pb2
from node.ports import Clock, View
from node.sharing import Sharing, Shown, head_messages

Heads = Sequence[tuple[ChannelEpoch, HeadAt]]


class Hellos:
    """Writes both sides of a comparison. session names this start of the node: a cursor counts for one."""

    def __init__(self, view: View, sharing: Sharing, clock: Clock, session: str, limits: Limits) -> None:
        self._view = view
        self._sharing = sharing
        self._clock = clock
        self._session = session
        self._limits = limits

    def request(
        self, link: Link, heads: Heads
    ) -> tuple[exchange_service_pb2.HelloRequest, exchange_service_pb2.Cursor]:
        """What opens a comparison, and how far the peer has been told when it has answered."""
        told = exchange_service_pb2.Cursor(receipts=link.told.receipts, heartbeats=link.told.heartbeats)
        addresses, told.addresses = self._sharing.addresses_since(link.node, link.told.addresses)
        proofs, told.equivocations = self._sharing.equivocations_since(link.node, link.told.equivocations)
        request = self._opening(link, heads)
        if link.lacks is None:
            beats, told.heartbeats = self._sharing.heartbeats_since(link.node, link.told.heartbeats)
            request.heartbeats.extend(beats)
            request.heartbeats_digest, _ = held_digest(self._held(link.node))
        else:
            self._compare_first(link, request)
        request.addresses.extend(addresses)
        request.equivocations.extend(proofs)
        return request, told

    def _compare_first(self, link: Link, request: exchange_service_pb2.HelloRequest) -> None:
        """Tell this node's own heartbeat and those that the peer lacks: mostly it has them from their authors."""
        held, wanted = self._held(link.node), {self._view.me, *(link.lacks or ())}
        untold = [each.node for each in held if each.node in wanted and link.shown.get(each.node) != each.extent]
        request.heartbeats_digest, _ = held_digest(held)
        request.heartbeats.extend(self._sharing.heartbeats_of(link.node, untold))

    def compared(
        self, link: Link, request: exchange_service_pb2.HelloRequest, answer: exchange_service_pb2.HelloResponse
    ) -> None:
        """Note whose heartbeats the peer lacks, as its answer shows once what that told has been taken."""
        held = self._held(link.node)
        self._note_told(link, request, held)
        digest, _ = held_digest(held)
        link.lacks = None
        if answer.heartbeats_digest:
            theirs = {each.node: (each.time_unix_ms, each.heads) for each in answer.heartbeats_held}
            lacking = [each.node for each in held if theirs.get(each.node, (0, 0)) < each.extent]
            is_equal = answer.heartbeats_digest in (request.heartbeats_digest, digest)
            link.lacks = frozenset() if is_equal else frozenset(lacking) - {link.node}

    def _note_told(self, link: Link, request: exchange_service_pb2.HelloRequest, held: Sequence[Shown]) -> None:
        """What the peer has been told and has not taken is not told it again."""
        told = {view.heartbeat.payload for view in request.heartbeats}
        link.shown |= {each.node: each.extent for each in held if each.payload in told}

    def _held(self, peer: str) -> list[Shown]:
        """The heartbeats that both ends may know of; one of a time to come is about to be forgotten, and none."""
        latest_ms = self._clock.now_ms() + self._limits.max_clock_skew_ms
        return [each for each in self._sharing.heartbeats_held(peer) if each.time_ms <= latest_ms]

    def rest(self, link: Link, heads: Heads) -> exchange_service_pb2.HelloRequest | None:
        """A Hello with the heartbeats that the peer lacks, None where it has been told all of them."""
        request = self._opening(link, heads)
        self._compare_first(link, request)
        return request if request.heartbeats else None

    def rest_told(self, link: Link, request: exchange_service_pb2.HelloRequest) -> None:
        """Note that it has been told."""
        self._note_told(link, request, self._held(link.node))
        link.lacks = frozenset()

    def claims(self, link: Link, heads: Heads, closed: Heads) -> exchange_service_pb2.HelloRequest:
        """A comparison that names heads of closed logs, and tells no news."""
        request = self._opening(link, heads)
        request.closed_heads.extend(head_messages(closed))
        return request

    def _opening(self, link: Link, heads: Heads) -> exchange_service_pb2.HelloRequest:
        return exchange_service_pb2.HelloRequest(
            network=self._view.network,
            time_unix_ms=self._clock.now_ms(),
            shared_digest=shared_digest(heads),
            registry=self._view.versions,
            cursor=link.heard,
        )

    def has_heard(self, request: exchange_service_pb2.HelloRequest) -> bool:
        """Whether a caller has had an answer since this node started, and so tells all its news from the beginning."""
        return request.cursor.incarnation == self._session

    def answer(self, peer: str, request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
        """What answers a comparison: all heads where the digests differ, and what is news after the cursor."""
        heads = self._sharing.heads(peer)
        in_step = shared_digest(heads) == request.shared_digest
        known = self.has_heard(request) and max(_positions(request.cursor)) < NUMBERS_END
        after = request.cursor if known else exchange_service_pb2.Cursor()
        cursor = exchange_service_pb2.Cursor(incarnation=self._session)
        beats, cursor.heartbeats, said = self._lacked(peer, after.heartbeats, request.heartbeats_digest)
        addresses, cursor.addresses = self._sharing.addresses_since(peer, after.addresses)
        receipts, cursor.receipts = self._sharing.receipts_since(peer, after.receipts)
        proofs, cursor.equivocations = self._sharing.equivocations_since(peer, after.equivocations)
        answer = exchange_service_pb2.HelloResponse(
            time_unix_ms=self._clock.now_ms(),
            in_step=in_step,
            heads=[] if in_step else head_messages(heads),
            held_receipts=[] if in_step else self._sharing.receipts_of(peer),
            heartbeats=beats,
            addresses=addresses,
            receipts=receipts,
            equivocations=proofs,
            registry=self._view.versions,
            cursor=cursor,
        )
        answer.MergeFrom(said)
        return answer

    def _lacked(
        self, peer: str, sequence: int, its_digest: bytes
    ) -> tuple[list[channel_pb2.HeartbeatView], int, exchange_service_pb2.HelloResponse]:
        """The heartbeats that a caller lacks, up to which change it then has them, and what the answer says of them."""
        held = self._held(peer)
        digest, reached = held_digest(held)
        said = exchange_service_pb2.HelloResponse(heartbeats_digest=digest)
        if its_digest == digest and sequence:
            return [], reached, said
        if its_digest and its_digest != digest:
            said.heartbeats_held.extend(
                exchange_service_pb2.HeldHeartbeat(node=each.node, time_unix_ms=each.extent[0], heads=each.extent[1])
                for each in held
            )
        return *self._sharing.heartbeats_since(peer, sequence), said


def held_digest(held: Sequence[Shown]) -> tuple[bytes, int]:
    """What two members compare of the heartbeats that both may know of, and up to which change it says so."""
    digest = digest_of_views((each.payload, each.positions) for each in held)
    return digest, max((each.sequence for each in held), default=0)


def _positions(cursor: exchange_service_pb2.Cursor) -> tuple[int, ...]:
    return (cursor.heartbeats, cursor.addresses, cursor.receipts, cursor.equivocations)
