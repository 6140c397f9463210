"""Transfers: how entries move over a link, in both directions, and what becomes of a refusal.

A refused entry ends the turn of its log, never the link; what a peer says of the link itself makes the link rest.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from node.arrivals import Arrivals
from node.core.entry import SignedEntry, origin_of
from node.core.errors import Family, XinqiaoError, from_refusal
from node.core.heartbeat import ChannelEpoch
from node.links import Link
from node.pb import envelope_pb2
from node.ports import Clock, Lane, Peer, Store, Writer
from node.sharing import Sharing

RUN_ENTRIES = 64
# Several transactions (node.committing): while one is committed the next one is verified.
RUN_BYTES = 2 * 1024 * 1024
RECEIPTS_EVERY_S = 5.0
"""While a log is being fetched its receipts are signed and told that often, and once more at its end."""
# What a peer says of itself or of us: the link rests. Anything else concerns one log only.
LINK_CODES = ("CLOCK_SKEW", "DRAINING", "HELLO_NETWORK", "MEMBER_", "PEER_FAILED", "RATE_LIMITED", "WIRE_")

Prove = Callable[[int, int], Awaitable[Sequence[bytes]]]


class EntryReceiver(Protocol):
    """What entries, and the receipts that answer them, are handed over to: the receiving duty."""

    async def receive(
        self, run: Sequence[SignedEntry], prove: "Prove | None" = None, *, acknowledges: bool = True
    ) -> "TakenEntries": ...
    async def acknowledge(self, key: ChannelEpoch) -> envelope_pb2.Envelope | None: ...
    async def take_receipts(self, envelopes_in: Sequence[envelope_pb2.Envelope]) -> list[envelope_pb2.Refusal]: ...


class TakenEntries(Protocol):
    """What the receiving duty answers."""

    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Given:
    """How many entries a peer gave; refusal is why one of them, or the call, was refused."""

    entries: int
    refusal: XinqiaoError | None = None


class Transfers:
    """Moves entries of one log at a time. reach says how a peer is called; raises WIRE_UNREACHABLE."""

    def __init__(
        self,
        *,
        store: Store,
        writer: Writer,
        receiver: EntryReceiver,
        sharing: Sharing,
        clock: Clock,
        reach: Callable[[str], Peer],
        arrivals: Arrivals,
        moved: Callable[[Link, ChannelEpoch], None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._receiver = receiver
        self._sharing = sharing
        self._clock = clock
        self._reach = reach
        self._arrivals = arrivals
        self._moved = moved

    # -- from a peer ------------------------------------------------------------------------------------

    async def pull(self, link: Link, lane: Lane, key: ChannelEpoch, start: int, end: int | None) -> Given:
        """Take entries in runs, each one transaction; a refused entry ends this log's turn, not the link.

        Nobody is told a receipt for each run, so it is signed at the end, and now and then before.
        """
        said: list[XinqiaoError] = []
        given, refusal, signed_s = 0, None, self._clock.monotonic_s()
        async with aclosing(self._runs(link, lane, key, (start, end), said)) as runs:
            async for run in runs:
                given += len(run)
                refusal = await self._hand_over(link, key, run)
                if refusal is not None:
                    break
                self._moved(link, key)
                if self._clock.monotonic_s() - signed_s >= RECEIPTS_EVERY_S:
                    await self._acknowledge(link, key)
                    link.want_receipts()
                    signed_s = self._clock.monotonic_s()
        if given:
            await self._acknowledge(link, key)
        if said and refusal is None:
            refusal = said[0]
            await self._note_refusal(link, key, refusal)
        return Given(given, refusal)

    async def _acknowledge(self, link: Link, key: ChannelEpoch) -> None:
        await self._receiver.acknowledge(key)
        link.untold = True

    async def _runs(
        self, link: Link, lane: Lane, key: ChannelEpoch, span: tuple[int, int | None], said: list[XinqiaoError]
    ) -> AsyncGenerator[list[SignedEntry], None]:
        """What a peer gives, in runs; how it ended the call, if not well, goes to said."""
        run: list[SignedEntry] = []
        held_bytes = 0
        try:
            async for signed in self._reach(link.node).pull(lane, key[0], key[1], *span):
                run.append(signed)
                held_bytes += len(signed.body or b"")
                if len(run) >= RUN_ENTRIES or held_bytes >= RUN_BYTES:
                    yield run
                    run, held_bytes = [], 0
        except XinqiaoError as error:
            said.append(error)
        if run:
            yield run

    async def _hand_over(self, link: Link, key: ChannelEpoch, run: Sequence[SignedEntry]) -> XinqiaoError | None:
        """Give a run to the receiving duty; why it refused one of the entries, if so."""

        async def prove(old_size: int, new_size: int) -> Sequence[bytes]:
            try:
                return await self._reach(link.node).prove_consistency(key[0], key[1], old_size, new_size)
            except XinqiaoError as error:
                if error.family is Family.WIRE:
                    raise
                return ()

        try:
            with self._arrivals.taking(run):
                await self._receiver.receive(run, prove, acknowledges=False)
        except XinqiaoError as error:
            if error.family in (Family.LOCAL, Family.WIRE):
                raise
            await self.alarm(link, key, error)
            return error
        return None

    async def _note_refusal(self, link: Link, key: ChannelEpoch, error: XinqiaoError) -> None:
        """What a peer says of one log is shown as its word; what it says of the link makes the link rest."""
        if error.code.startswith(LINK_CODES):
            raise error
        if error.family is Family.LOCAL:
            raise XinqiaoError("PEER_FAILED", peer=link.node, address="-", status=error.code, detail=error.text)
        if error.code != "ENTRY_UNCONFIRMED":
            said = XinqiaoError("PEER_REFUSED", peer=link.node, channel=key[0], epoch=key[1], said=str(error))
            await self.alarm(link, key, said)

    async def alarm(self, link: Link, key: ChannelEpoch, error: XinqiaoError) -> None:
        """Note what a person should look at; logs that are not here share one line a peer, however many it names."""
        held = self._store.channel(*key)
        subject = f"{key[0]} {key[1]} from {link.node}" if held is not None else f"from {link.node}"
        now_ms = self._clock.now_ms()
        await self._writer.run(Lane.CONTROL, lambda tx: tx.raise_alarm(error.code, subject, error.parameters, now_ms))

    # -- to a peer --------------------------------------------------------------------------------------

    async def push(
        self, link: Link, lane: Lane, key: ChannelEpoch, entries: AsyncIterator[SignedEntry]
    ) -> XinqiaoError | None:
        """Send entries; the answers say how far the peer holds the log. Why the peer refused one of them, if so."""
        receipts: list[envelope_pb2.Envelope] = []
        refusal: XinqiaoError | None = None
        if link.takes(key):
            return None
        async for answer in self._reach(link.node).push(lane, entries):
            if answer.refusal is not None:
                refusal = from_refusal(answer.refusal)
                await self._note_refusal(link, key, refusal)
                if refusal.code == "ENTRY_UNCONFIRMED":
                    link.ask_size(key, refusal.parameters.get("size", ""))
                link.known.pop(key, None)
                break
            link.known[key] = link.answered[key] = answer.size
            if origin_of(key[0]) == link.node:
                # It had lost its log, and refused receipts for more than it had by then.
                link.told.receipts = 0
            if answer.receipt is not None:
                receipts = [answer.receipt]
        if receipts:
            await self._receiver.take_receipts(receipts)
        return refusal

    async def put_receipts(self, link: Link) -> None:
        """Tell all receipts that have changed since the peer was told some last."""
        link.receipts_due = link.untold = False
        while True:
            receipts, cursor = self._sharing.receipts_since(link.node, link.told.receipts)
            if receipts and await self._reach(link.node).put_receipts(receipts):
                link.refused_receipts = True
            if cursor == link.told.receipts:
                return
            link.told.receipts = cursor

    async def outgoing(
        self, link: Link, key: ChannelEpoch, start: int, end: int | None = None
    ) -> AsyncIterator[SignedEntry]:
        """The entries of a push: those that the peer has meanwhile from others, or takes itself, are passed over."""
        due = start
        while not link.takes(key):
            signed = next(self._sharing.entries(link.node, key[0], key[1], due, end), None)
            if signed is None:
                return
            yield self._sharing.leading(link.node, signed, link.asked_sizes.get(key))
            due = max(due + 1, link.known.get(key, 0))


def proofs_brought(run: Sequence[SignedEntry]) -> Prove:
    """Answers from the proofs that came along with pushed entries: who pushes them may be out of reach for calls."""
    brought = {(each.index + 1, each.leads_to.size): each.leads_to.hashes for each in run if each.leads_to is not None}

    async def prove(old_size: int, new_size: int) -> Sequence[bytes]:
        return brought.get((old_size, new_size), ())

    return prove
