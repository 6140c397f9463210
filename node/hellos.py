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
Opened = tuple[exchange_service_pb2.HelloRequest, exchange_service_pb2.Cursor]
"""What opens a comparison, and how far the peer has been told when it has answered."""


class Hellos:
    """Writes both sides of a comparison. session names this start of the node: a cursor counts for one.

    Comparisons within often_s of each other follow one another, as they do while this node appends.
    """

    def __init__(
        self, view: View, sharing: Sharing, clock: Clock, session: str, often_s: float, limits: Limits
    ) -> None:
        self._view = view
        self._sharing = sharing
        self._clock = clock
        self._session = session
        self._often_s = often_s
        self._limits = limits

    def request(self, link: Link, heads: Heads) -> Opened:
        """What opens a comparison, with what is news to the peer."""
        told = exchange_service_pb2.Cursor(receipts=link.told.receipts, heartbeats=link.told.heartbeats)
        addresses, told.addresses = self._sharing.addresses_since(link.node, link.told.addresses)
        proofs, told.equivocations = self._sharing.equivocations_since(link.node, link.told.equivocations)
        request = self._opening(link, heads)
        if link.lacks and not self._compares_often(link):
            # That was long ago: this answer shows what is lacking now.
            link.lacks = frozenset()
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
        self, link: Link, heads: Heads, opened: Opened, answer: exchange_service_pb2.HelloResponse
    ) -> exchange_service_pb2.HelloRequest | None:
        """Note how far both have told their news, once that of the answer has been taken; a Hello with what is lacking.

        None where the peer lacks no heartbeat, or where the next comparison, which follows soon, tells them.
        """
        request, told = opened
        started_anew = link.heard.incarnation not in ("", answer.cursor.incarnation)
        link.hear(answer.cursor)
        is_one_of_many, link.compared_s = self._compares_often(link), self._clock.monotonic_s()
        if started_anew:
            link.told, link.lacks, link.shown = exchange_service_pb2.Cursor(), None, {}
        else:
            link.told = told
            self._note_lacking(link, request, answer)
        return self._rest(link, heads) if link.lacks and not is_one_of_many else None

    def _compares_often(self, link: Link) -> bool:
        return self._clock.monotonic_s() - link.compared_s < self._often_s

    def _note_lacking(
        self, link: Link, request: exchange_service_pb2.HelloRequest, answer: exchange_service_pb2.HelloResponse
    ) -> None:
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

    def _rest(self, link: Link, heads: Heads) -> exchange_service_pb2.HelloRequest | None:
        """A Hello with the heartbeats that the peer lacks, None where it has been told all of them."""
        request = self._opening(link, heads)
        self._compare_first(link, request)
        return request if request.heartbeats else None

    def rest_told(self, link: Link, request: exchange_service_pb2.HelloRequest) -> None:
        """Note that a Hello with what was lacking has been answered."""
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
