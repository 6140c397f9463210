"""Hellos: what this node says when it compares with a peer, as the caller and as the one that answers."""

from collections.abc import Sequence

from node.core.channel import HeadAt
from node.core.heartbeat import ChannelEpoch, shared_digest
from node.core.limits import NUMBERS_END
from node.links import Link
from node.pb import exchange_service_pb2
from node.ports import Clock, View
from node.sharing import Sharing, head_messages

Heads = Sequence[tuple[ChannelEpoch, HeadAt]]


class Hellos:
    """Writes both sides of a comparison. session names this start of the node: a cursor counts for one."""

    def __init__(self, view: View, sharing: Sharing, clock: Clock, session: str) -> None:
        self._view = view
        self._sharing = sharing
        self._clock = clock
        self._session = session

    def request(
        self, link: Link, heads: Heads
    ) -> tuple[exchange_service_pb2.HelloRequest, exchange_service_pb2.Cursor]:
        """What opens a comparison, and how far the peer has been told when it has answered."""
        told = exchange_service_pb2.Cursor(receipts=link.told.receipts)
        beats, told.heartbeats = self._sharing.heartbeats_since(link.node, link.told.heartbeats)
        addresses, told.addresses = self._sharing.addresses_since(link.node, link.told.addresses)
        proofs, told.equivocations = self._sharing.equivocations_since(link.node, link.told.equivocations)
        request = self._opening(link, heads)
        request.heartbeats.extend(beats)
        request.addresses.extend(addresses)
        request.equivocations.extend(proofs)
        return request, told

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
        beats, cursor.heartbeats = self._sharing.heartbeats_since(peer, after.heartbeats)
        addresses, cursor.addresses = self._sharing.addresses_since(peer, after.addresses)
        receipts, cursor.receipts = self._sharing.receipts_since(peer, after.receipts)
        proofs, cursor.equivocations = self._sharing.equivocations_since(peer, after.equivocations)
        return exchange_service_pb2.HelloResponse(
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


def _positions(cursor: exchange_service_pb2.Cursor) -> tuple[int, ...]:
    return (cursor.heartbeats, cursor.addresses, cursor.receipts, cursor.equivocations)
