"""Sharing: what a member may be given, of everything this node holds.

A member in a channel's audience may read all of it, history included. A member that was dropped may read
headers, no bodies, up to the manifest that dropped it: that is its order to erase its copy. Everybody else
is not even told that the channel exists. Nothing above a cut and nothing of a channel this node left is given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from node.admission import header_of, heartbeat_head, is_own, root_at
from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core import merkle
from node.core.channel import HeadAt
from node.core.entry import Continuation, SignedEntry, origin_of
from node.core.errors import XinqiaoError
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Members, Standing
from node.pb import channel_pb2, envelope_pb2
from node.ports import HeldChannel, HeldHeartbeat, HeldReceipt, Signer, Store, View


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a log a member may be given: the first `size` entries, with bodies or headers only."""

    size: int
    with_bodies: bool


NOTHING = Extent(0, False)
HEADERS_AT_ONCE = 256
"""So many entries are looked through for acts in one turn of the loop."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A heartbeat as a member may know of it: the positions of the heads that it may be shown."""

    sequence: int
    node: str
    time_ms: int
    payload: bytes
    positions: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, int]:
        """When it was signed, and how many heads the member may be shown: the larger one is news."""
        return self.time_ms, len(self.positions)


class Sharing:
    """Decides, for every member and every log, what may leave this node."""

    def __init__(
        self,
        view: View,
        store: Store,
        released: Callable[[ChannelEpoch], int | None],
        signer: Callable[[], Signer],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._released = released
        self._signer = signer
        self._limits = limits
        self._readers: dict[tuple[str, ChannelEpoch], tuple[int, bool]] = {}
        self._readers_among: Members | None = None

    def extent(self, peer: str, held: HeldChannel) -> Extent:
        """How much of a log a member may be given now."""
        member = self._view.members.get(peer)
        if held.left_at is not None or member is None or member.standing is not Standing.ACTIVE:
            return NOTHING
        if self._reads(peer, held):
            return Extent(self._open_size(held), True)
        return self._farewell(peer, held)

    def _reads(self, peer: str, held: HeldChannel) -> bool:
        """Whether the manifest in force names a member; asked of every log at every Hello, so it is remembered."""
        if self._readers_among is not self._view.members:
            self._readers_among = self._view.members
            self._readers.clear()
        index, reads = self._readers.get((peer, held.key), (-1, False))
        if index != held.manifest_index:
            reads = self._view.members.reads(peer, held.origin, held.manifest.audience)
            self._readers[peer, held.key] = (held.manifest_index, reads)
        return reads

    def _open_size(self, held: HeldChannel) -> int:
        """Up to the cut; of a log of our own up to what the sidecar knows, so that no signature leaves before."""
        released = self._released(held.key) if is_own(self._view, held.log.channel) else None
        bounds = [held.log.size, held.log.cut.size if held.log.cut is not None else None, released]
        return min(bound for bound in bounds if bound is not None)

    def _farewell(self, peer: str, held: HeldChannel) -> Extent:
        """The headers up to the manifest that dropped a member which has not confirmed it yet."""
        known = self._store.receipt(held.log.channel, peer)
        if known is None or known.receipt.message.epoch != held.log.epoch:
            return NOTHING
        start = max(known.receipt.message.size - 1, 0)
        for entry in self._store.entries(*held.key, start, held.manifest_index + 1, with_bodies=False):
            header = header_of(entry)
            if not header.HasField("manifest"):
                continue
            if not self._view.members.reads(peer, held.origin, header.manifest.audience):
                # Above the cut it does not count, and one that the sidecar does not know yet must not leave.
                confirmed = known.receipt.message.size > entry.index
                may_leave = entry.index < self._open_size(held)
                return Extent(entry.index + 1, False) if may_leave and not confirmed else NOTHING
        return NOTHING

    def heads(self, peer: str) -> list[tuple[ChannelEpoch, HeadAt]]:
        """The heads of all logs a member may be given, by (channel, epoch)."""
        found = []
        for held in self._store.channels():
            size = self.extent(peer, held).size
            root = root_at(self._store, held.log, size) if size else None
            if root is not None:
                found.append((held.key, HeadAt(size, root)))
        return found

    def entries(self, peer: str, channel: str, epoch: int, start: int, end: int | None) -> Iterator[SignedEntry]:
        """Entries a member may be given; the right to each is checked when it is its turn."""
        while True:
            held = self._store.channel(channel, epoch)
            extent = self.extent(peer, held) if held is not None else NOTHING
            if start >= min(extent.size, end if end is not None else extent.size):
                return
            assert held is not None
            for entry in self._store.entries(channel, epoch, start, start + 1, with_bodies=extent.with_bodies):
                envelope = entry.envelope if extent.with_bodies else self._countersigned(held, entry.envelope)
                yield SignedEntry(
                    channel, epoch, entry.index, envelope, entry.body, self._invitation(held, entry.index)
                )
            start += 1

    def acts(
        self, peer: str, channel: str, epoch: int, start: int, end: int | None, size: int
    ) -> Iterator[SignedEntry | None]:
        """The whole status entries of start..end-1, each with the proof that it stands in the log of a size.

        None now and then between them: a long log is looked through, and others want their turn. Raises AUDIENCE
        where that log is not the peer's to read, or not held so far.
        """
        hashes, end = self._store.hashes(channel, epoch), min(size, end if end is not None else size)
        for index in range(start, end, HEADERS_AT_ONCE):
            held = self._store.channel(channel, epoch)
            extent = self.extent(peer, held) if held is not None else NOTHING
            if size > extent.size or not extent.with_bodies:
                raise XinqiaoError("AUDIENCE", node=peer)
            step = min(index + HEADERS_AT_ONCE, end)
            looked = list(self._store.entries(channel, epoch, index, step, with_bodies=False))
            for found in (each for each in looked if header_of(each).kind == channel_pb2.ENTRY_KIND_STATUS):
                entry = self._store.entry(channel, epoch, found.index)
                if entry is not None and entry.body is not None:
                    proof = tuple(merkle.prove_inclusion(entry.index, size, hashes))
                    yield SignedEntry(channel, epoch, entry.index, entry.envelope, entry.body, inclusion=proof)
            yield None

    def _countersigned(self, held: HeldChannel, envelope: envelope_pb2.Envelope) -> envelope_pb2.Envelope:
        """A header of ours under a key that is active now: who was dropped is shown no later head to believe it by."""
        if not is_own(self._view, held.log.channel) or self._is_signed_by_active(held.origin, envelope):
            return envelope
        return envelopes.seal(envelope.payload, envelopes.ENTRY_HEADER, self._signer())

    def _is_signed_by_active(self, origin: str, envelope: envelope_pb2.Envelope) -> bool:
        member = self._view.members.get(origin)
        active = [key.key_id for key in member.active_keys] if member is not None else []
        return any(signature.keyid in active for signature in envelope.signatures)

    def _invitation(self, held: HeldChannel, index: int) -> envelope_pb2.Envelope | None:
        """The manifest in force goes along with entry 0, whose own manifest may not name a later reader."""
        if index > 0 or held.manifest_index == 0:
            return None
        entry = self._store.entry(*held.key, held.manifest_index)
        return entry.envelope if entry is not None else None

    def leading(self, peer: str, signed: SignedEntry, asked_size: int | None) -> SignedEntry:
        """An entry together with the proof that it belongs to a later head, where nobody would believe it without.

        asked_size is the head that the peer has named when it refused it, None where it has not.
        """
        held = self._store.channel(signed.channel, signed.epoch)
        size = asked_size if asked_size is not None or held is None else self._rests_on(held, signed)
        if held is None or size is None or not signed.index + 1 < size <= self.extent(peer, held).size:
            return signed
        hashes = merkle.prove_consistency(signed.index + 1, size, self._store.hashes(signed.channel, signed.epoch))
        return replace(signed, leads_to=Continuation(size, tuple(hashes)))

    def _rests_on(self, held: HeldChannel, signed: SignedEntry) -> int | None:
        """The size of the head by which an entry is believed: of the cut, or of a heartbeat over a key that is gone."""
        if held.log.cut is not None:
            return held.log.cut.size
        beat = self._store.heartbeat(held.origin)
        if beat is None or self._is_signed_by_active(held.origin, signed.envelope):
            return None
        head = heartbeat_head(beat.view, held.key)
        return head.size if head is not None else None

    def _readable(self, peer: str) -> set[str]:
        """The channels held here that a member may know of."""
        newest = {held.log.channel: held for held in self._store.channels()}
        return {channel for channel, held in newest.items() if self.extent(peer, held).with_bodies}

    def may_read(self, peer: str, channel: str) -> bool:
        """Whether a member may know of a channel held here."""
        held = self._store.channel(channel)
        return held is not None and self.extent(peer, held).with_bodies

    # -- what travels beside the logs -----------------------------------------------------------------

    def heartbeats_since(self, peer: str, sequence: int) -> tuple[list[channel_pb2.HeartbeatView], int]:
        """Heartbeats with a date changed after a sequence number, each narrowed to what the member may read.

        From the beginning also the member's own, first: by it alone a restored database may learn of what it lost.
        """
        held_of_peer = self._store.heartbeat(peer) if sequence == 0 else None
        own = [held_of_peer.view] if held_of_peer is not None else []
        changed = self._store.heartbeats_since(sequence)[: self._limits.max_heartbeats_per_hello - len(own)]
        return [*own, *self._narrowed(peer, changed)], changed[-1].sequence if changed else sequence

    def heartbeats_of(self, peer: str, nodes: Sequence[str]) -> list[channel_pb2.HeartbeatView]:
        """The heartbeats of some nodes with a date, narrowed likewise."""
        found = [held for held in map(self._store.heartbeat, nodes) if held is not None]
        return self._narrowed(peer, found[: self._limits.max_heartbeats_per_hello])

    def _narrowed(self, peer: str, found: Sequence[HeldHeartbeat]) -> list[channel_pb2.HeartbeatView]:
        readable = self._readable(peer) if found else set()
        return [
            heartbeats.narrow_view(held.view, readable.__contains__)
            for held in found
            if held.time_ms and held.node != peer and any(item.head.channel in readable for item in held.view.heads)
        ]

    def heartbeats_held(self, peer: str) -> list[Shown]:
        """Every heartbeat with a date that a member may know of, its own as well, by node."""
        readable, held = self._readable(peer), self._store.heartbeats_since(0)
        return [
            Shown(each.sequence, each.node, each.time_ms, each.view.heartbeat.payload, tuple(positions))
            for each in sorted(held, key=lambda each: each.node)
            if each.time_ms
            and (positions := [item.position for item in each.view.heads if item.head.channel in readable])
        ]

    def addresses_since(self, peer: str, sequence: int) -> tuple[list[envelope_pb2.Envelope], int]:
        """Address records of others changed after a sequence number."""
        changed = self._store.addresses_since(sequence)[: self._limits.max_addresses_per_hello]
        found = [held.envelope for held in changed if held.record.node != peer]
        return found, changed[-1].sequence if changed else sequence

    def receipts_since(self, peer: str, sequence: int) -> tuple[list[envelope_pb2.Envelope], int]:
        """Receipts of others changed after a sequence number, for channels the member may read."""
        changed = self._store.receipts_since(sequence, self._limits.max_receipts_per_call)
        found = [held.receipt.envelope for held in changed if self._is_receipt_for(peer, held)]
        return found, changed[-1].sequence if changed else sequence

    def _is_receipt_for(self, peer: str, held: HeldReceipt) -> bool:
        message = held.receipt.message
        if message.subscriber == self._view.me and origin_of(message.channel) == peer:
            # Also the last one, by which the origin learns that this node has left and erased.
            return True
        return message.subscriber != peer and self.may_read(peer, message.channel)

    def equivocations_since(self, peer: str, sequence: int) -> tuple[list[channel_pb2.Equivocation], int]:
        """Proofs of two histories found after a sequence number, for channels the member may read."""
        changed = self._store.equivocations_since(sequence)[: self._limits.max_equivocations_per_hello]
        found = [held.proof for held in changed if self.may_read(peer, held.channel)]
        return found, changed[-1].sequence if changed else sequence

    def receipts_of(self, peer: str) -> list[envelope_pb2.Envelope]:
        """The largest receipts held of a member, for channels it may read."""
        held = self._store.receipts_of(peer)
        return [item.receipt.envelope for item in held if self.may_read(peer, item.receipt.message.channel)]


def head_messages(heads: Sequence[tuple[ChannelEpoch, HeadAt]]) -> list[channel_pb2.Head]:
    """Heads as they travel: claims, until entries prove them."""
    return [
        channel_pb2.Head(channel=channel, epoch=epoch, size=head.size, root=head.root)
        for (channel, epoch), head in heads
    ]
