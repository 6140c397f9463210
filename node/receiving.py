"""Receiving: the duty that takes entries, heartbeats, receipts and proofs from whoever holds them.

It does not matter who brings an entry: its signature, its place in the log and its audience decide. It goes through
core.channel.advance into one transaction, and only after the commit a receipt is signed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakValueDictionary

from node.acknowledging import said_of
from node.admission import Admission, header_of, heartbeat_head, is_own, lane_of, note_cut, raise_cut, root_at, says_all
from node.committing import Advancing, Committing, Step, in_steps
from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core import merkle
from node.core.address import open_address
from node.core.audience import manifest_defect
from node.core.channel import (
    HeadAt,
    Log,
    advance,
    broken_continuation,
    check_consecutive,
    check_equivocation,
    confirmed,
    conflict,
    open_header,
    reaches,
    resolve_cut,
)
from node.core.entry import SignedEntry, VerifiedEntry, origin_of
from node.core.errors import XinqiaoError, to_refusal
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Cut, Standing
from node.core.receipt import VerifiedReceipt, claim_of, open_receipt
from node.core.state import Judgement
from node.dates import Dates
from node.examining import Examining
from node.list_standing import receipt_digest
from node.pb import channel_pb2, envelope_pb2
from node.ports import Clock, HeldChannel, Lane, Signer, Store, StoreTransaction, View, Writer

HEAD_MOVED_TRIES = 3

Prove = Callable[[int, int], Awaitable[Sequence[bytes]]]
"""Asks whoever brings entries for the proof that one size of their log is a prefix of another."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is durably held of a log after entries were taken; receipt is None for a log of our own."""

    size: int
    applied_size: int
    receipt: envelope_pb2.Envelope | None


class Receiving:
    """Verifies and stores what members send, and signs receipts for what is durable."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        writer: Writer,
        signer: Callable[[], Signer],
        clock: Clock,
        dates: Dates,
        own_entry_found: Callable[[], None],
        own_entry_returned: Callable[[], None],
        log_begun: Callable[[], None],
        examining: Examining,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._signer = signer
        self._clock = clock
        self._own_entry_found, self._own_entry_returned = own_entry_found, own_entry_returned
        self._log_begun = log_begun
        self._limits = limits
        self._admission = Admission(view, limits)
        self._examining = examining
        self._dates = dates
        self._searched: dict[tuple[str, int], tuple[int, Cut]] = {}
        # A lock lives as long as somebody holds it or waits for it, whatever names peers may invent.
        self._locks: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()

    # -- entries ------------------------------------------------------------------------------------

    async def receive(
        self, run: Sequence[SignedEntry], prove: Prove | None = None, *, acknowledges: bool = True
    ) -> Taken:
        """Take consecutive entries of one log; what was taken before a refusal stays taken.

        Whoever wants no receipt acknowledges later. Raises what core.channel.advance raises, AUDIENCE, CHANNELS_LIMIT,
        ENTRY_UNCONFIRMED, EQUIVOCATION and DISK_FULL.
        """
        check_consecutive(run)
        async with self._lock(run[0].channel, run[0].epoch):
            held = await self._take(run, prove)
            held = await self._fold_rest(held)
        receipt = await self.acknowledge(held.key) if acknowledges else None
        return Taken(held.log.size, held.applied_size, receipt)

    def _lock(self, channel: str, epoch: int) -> asyncio.Lock:
        return self._locks.setdefault((channel, epoch), asyncio.Lock())

    async def _take(self, run: Sequence[SignedEntry], prove: Prove | None) -> HeldChannel:
        """Take a run; again from the start where this node itself appended meanwhile."""
        tries = 0
        while True:
            try:
                return await self._take_once(run, prove)
            except XinqiaoError as error:
                tries += 1
                if error.code != "HEAD_MOVED" or tries == HEAD_MOVED_TRIES:
                    raise

    async def _take_once(self, run: Sequence[SignedEntry], prove: Prove | None) -> HeldChannel:
        held, rest = await self._take_known(self._store.channel(run[0].channel, run[0].epoch), run)
        held = await self._take_new(held, rest, prove) if rest else held
        assert held is not None
        return held

    async def _take_known(
        self, held: HeldChannel | None, run: Sequence[SignedEntry]
    ) -> tuple[HeldChannel | None, Sequence[SignedEntry]]:
        """Entries below our head: the same bytes bring at most a missing body, other bytes are a fork."""
        size = held.log.size if held is not None else 0
        known = [signed for signed in run if signed.index < size]
        for signed in known:
            assert held is not None
            held = await self._compare(held, signed)
        return held, run[len(known) :]

    async def _compare(self, held: HeldChannel, signed: SignedEntry) -> HeldChannel:
        entry = self._store.entry(signed.channel, signed.epoch, signed.index)
        assert entry is not None
        proof = conflict(entry.envelope, signed.envelope)
        if proof is not None:
            await self._accuse(held.log, signed, proof)
        if entry.complete or signed.body is None:
            return held
        body = signed.body
        return await self._writer.run(
            lane_of(held.manifest),
            lambda tx: self._admission.supply(tx, signed.channel, signed.epoch, signed.index, body),
        )

    async def _take_new(self, held: HeldChannel | None, run: Sequence[SignedEntry], prove: Prove | None) -> HeldChannel:
        first = run[0]
        self._check_room(held, first.channel)
        log = self._known_log(first.channel, first.epoch)
        expected = held.log.size if held is not None else 0
        if log.size != expected:
            # A call that was cancelled has let go of the lock, and its step was committed all the same.
            raise XinqiaoError("HEAD_MOVED", channel=first.channel, expected=expected, found=log.size)
        going, committing, is_ours = Advancing(log), Committing(self._writer), is_own(self._view, log.channel)
        try:
            async for lane, step in self._steps(going, run, held, prove):
                if is_ours:
                    self._own_entry_found()
                await committing.add(lane, step, is_last=going.is_over)
            await committing.wait()
        finally:
            committing.give_up()
            if committing.held is not None and (is_ours or held is None):
                (self._own_entry_returned if is_ours else self._log_begun)()
        if going.failure is not None:
            raise going.failure
        held = committing.held or held
        assert held is not None
        return held

    async def _steps(
        self, going: Advancing, run: Sequence[SignedEntry], held: HeldChannel | None, prove: Prove | None
    ) -> AsyncIterator[tuple[Lane, Step]]:
        """Verify a run in steps; while one is committed the next one is verified."""
        lane = None
        for part in in_steps(run):
            await self._advance(going, part, held)
            going.is_over = going.failure is not None or part[-1] is run[-1]
            if going.is_over:
                going.verified, going.failure = await self._confirmed(going.verified, going.failure, prove)
            elif confirmed(going.verified) < len(going.verified):
                continue  # what confirms the end of this part comes with the next one
            if going.verified:
                lane = lane or self._lane(held, going.verified[0])
                yield lane, partial(self._admit_run, *going.take(), self._clock.now_ms())
            if going.is_over:
                return

    def _check_room(self, held: HeldChannel | None, channel: str) -> None:
        """A member writes as many logs here as the limit allows, whatever names it invents."""
        origin, limit = origin_of(channel), self._limits.max_channels_per_origin
        if held is None and sum(each.origin == origin for each in self._store.channels()) >= limit:
            raise XinqiaoError("CHANNELS_LIMIT", origin=origin, channel=channel[:200], limit=limit)

    def _known_log(self, channel: str, epoch: int) -> Log:
        """The log to advance; before its first entry the newest heartbeat of its origin says how far it reaches."""
        log = self._store.log(channel, epoch)
        origin = self._view.members.get(origin_of(channel))
        beat = self._store.heartbeat(origin.id) if origin is not None and not (log.size and log.covered) else None
        head = heartbeat_head(beat.view, (channel, epoch)) if beat is not None else None
        if origin is None or beat is None or head is None or (log.covered and log.covered.size >= head.size):
            return log
        signed = envelopes.signers(beat.view.heartbeat, envelopes.HEARTBEAT, origin.active_keys, self._limits)
        return replace(log, covered=head) if signed else log

    async def _confirmed(
        self, verified: list[VerifiedEntry], failure: XinqiaoError | None, prove: Prove | None
    ) -> tuple[list[VerifiedEntry], XinqiaoError | None]:
        """Drop the end of a run that rests on a later head without a proof that its log gets there."""
        certain = confirmed(verified)
        if certain == len(verified) or await self._is_proven(verified[-1], prove):
            return verified, failure
        header, bound = verified[certain].header, verified[certain].rests_on
        assert bound is not None
        unconfirmed = XinqiaoError(
            "ENTRY_UNCONFIRMED", channel=header.channel, epoch=header.epoch, index=header.index, size=bound.size
        )
        return verified[:certain], failure or unconfirmed

    async def _is_proven(self, last: VerifiedEntry, prove: Prove | None) -> bool:
        bound = last.rests_on
        if bound is None or prove is None or bound.size <= last.header.index + 1:
            return False
        return reaches(last, await prove(last.header.index + 1, bound.size))

    async def _advance(self, going: Advancing, part: Sequence[SignedEntry], held: HeldChannel | None) -> None:
        origin = self._view.members.get(origin_of(going.log.channel))
        for signed in part:
            opened, judgement = await self._examining.of(signed)
            try:
                entry = advance(going.log, signed, origin, self._view.network, self._limits, opened)
                self._check_audience(entry, held, signed)
                await self._close_epoch_before(entry)
            except XinqiaoError as error:
                going.failure = error
                if error.code == "ENTRY_PREV_ROOT":
                    going.failure = await self._prove_broken(going.log, going.last, signed) or error
                return
            going.add(entry, judgement)

    def _admit_run(
        self, run: Sequence[VerifiedEntry], judgements: Mapping[int, Judgement], now_ms: int, tx: StoreTransaction
    ) -> HeldChannel:
        self._admission.enter_run(tx, run, now_ms)
        return self._admission.fold_on(tx, run[0].channel, run[0].header.epoch, run, judgements)

    def _lane(self, held: HeldChannel | None, first: VerifiedEntry) -> Lane:
        manifest = held.manifest if held is not None else first.manifest
        return lane_of(manifest) if manifest is not None else Lane.BULK

    def _check_audience(self, entry: VerifiedEntry, held: HeldChannel | None, signed: SignedEntry) -> None:
        """A log begins with a manifest that names us, or with an invitation by a later one that does."""
        if held is not None or entry.header.index > 0 or entry.origin == self._view.me:
            return
        if not self._names_us(entry.origin, entry.manifest) and not self._is_invited(entry, signed):
            raise XinqiaoError("AUDIENCE", node=self._view.me)

    def _names_us(self, origin: str, manifest: channel_pb2.Manifest | None) -> bool:
        return manifest is not None and self._view.members.reads(self._view.me, origin, manifest.audience)

    def _is_invited(self, entry: VerifiedEntry, signed: SignedEntry) -> bool:
        origin = self._view.members.get(entry.origin)
        if signed.invitation is None or origin is None:
            return False
        found = envelopes.signers(signed.invitation, envelopes.ENTRY_HEADER, origin.all_keys, self._limits)
        if not found:
            return False
        header = envelopes.parse(channel_pb2.EntryHeader, signed.invitation.payload)
        # Up to the cut the word of a key revoked since still counts; above, it may be a thief's.
        cut = self._store.log(entry.channel, entry.header.epoch).cut
        is_below_cut = cut is not None and header.index < cut.size
        if not is_below_cut and not any(key in origin.unrevoked_keys for key in found):
            return False
        same = (header.network, header.channel, header.epoch) == (self._view.network, entry.channel, entry.header.epoch)
        sensible = not manifest_defect(header, self._limits)
        return same and sensible and self._names_us(entry.origin, header.manifest)

    async def _close_epoch_before(self, entry: VerifiedEntry) -> None:
        """An epoch begins only where the one held before it has its cut, found here or cited by the new epoch.

        The officers list no head of a channel that nobody had reported: its origin cites size 0.
        """
        before = self._store.channel(entry.channel) if entry.header.index == 0 else None
        if before is None or before.log.epoch >= entry.header.epoch or before.log.cut is not None:
            return
        if entry.manifest is not None and entry.manifest.HasField("resumes"):
            await self._take_citation(before, entry.manifest.resumes)
        if self._store.log(*before.key).cut is None:
            detail = "the cut of the epoch before is not known"
            raise XinqiaoError("ENTRY_EPOCH", channel=entry.channel, epoch=entry.header.epoch, detail=detail)

    async def _take_citation(self, before: HeldChannel, cited: channel_pb2.CutReference) -> None:
        if cited.epoch != before.log.epoch or self._cut_of(*before.key) is None:
            return
        await self._keep_cut(*before.key, [HeadAt(cited.size, cited.root)])
        if cited.size == 0 and self._store.log(*before.key).cut is None:
            nothing = HeadAt(0, merkle.EMPTY_ROOT)
            await self._writer.run(Lane.CONTROL, lambda tx: raise_cut(tx, before.key, nothing))

    # -- two histories ------------------------------------------------------------------------------

    async def _prove_broken(
        self, log: Log, last: tuple[envelope_pb2.Envelope, tuple[bytes, ...]] | None, signed: SignedEntry
    ) -> XinqiaoError | None:
        """An authentic entry over another history, together with the one we hold, is proof of two.

        The accusation, None where the two prove nothing to others.
        """
        if last is None:
            entry = self._store.entry(log.channel, log.epoch, log.size - 1) if log.size else None
            if entry is None:
                return None
            reader = self._store.hashes(log.channel, log.epoch)
            last = (entry.envelope, tuple(merkle.read_frontier(log.size - 1, reader)))
        try:
            await self._accuse(log, signed, broken_continuation(last[0], last[1], signed.envelope))
        except XinqiaoError as error:
            return None if error.code == "EQUIVOCATION_UNPROVEN" else error
        return None

    async def _accuse(self, log: Log, signed: SignedEntry, proof: channel_pb2.Equivocation) -> None:
        """Keep a proof that holds and raise EQUIVOCATION; one that does not is the sender's fault alone."""
        origin = self._view.members.get(origin_of(log.channel))
        if origin is None:
            raise XinqiaoError("ENTRY_ORIGIN", origin=origin_of(log.channel), channel=log.channel, detail="unknown")
        open_header(signed, origin, self._view.network, log, self._limits)
        await self.take_equivocation(proof)
        raise XinqiaoError("EQUIVOCATION", origin=origin.id, channel=log.channel, epoch=log.epoch, index=signed.index)

    async def take_equivocation(self, proof: channel_pb2.Equivocation) -> None:
        """Verify and keep a proof of two histories; closes the origin until a cut. Raises EQUIVOCATION_UNPROVEN."""
        claimed = envelopes.parse(channel_pb2.EntryHeader, proof.first.payload[: self._limits.max_header_bytes])
        origin = self._view.members.get(origin_of(claimed.channel))
        if origin is None:
            raise XinqiaoError("EQUIVOCATION_UNPROVEN", detail="its origin is not a member")
        found = check_equivocation(proof, origin, self._view.network, self._limits)
        channel, epoch, index = found.channel, found.epoch, found.index
        now_ms = self._clock.now_ms()
        closes = epoch >= origin.open_epoch and origin.standing is Standing.ACTIVE

        def keep(tx: StoreTransaction) -> None:
            # One origin cannot fill the room for the proofs against others.
            kept = sum(origin_of(held.channel) == origin.id for held in tx.equivocations_since(0))
            if kept < self._limits.max_equivocations_per_origin:
                tx.put_equivocation(channel, epoch, index, found.proof)
            if closes and not tx.log(channel, epoch).quarantined:
                tx.set_quarantined(origin.id, True)
                place = {"origin": origin.id, "channel": channel, "epoch": str(epoch), "index": str(index)}
                tx.raise_alarm("EQUIVOCATION", origin.id, place, now_ms)

        await self._writer.run(Lane.CONTROL, keep)

    # -- cuts ---------------------------------------------------------------------------------------

    async def resolve_cuts(self, claimed: Sequence[channel_pb2.Head] = ()) -> None:
        """Find where closed logs are cut, from our own roots and from heads that peers claim.

        A claimed head counts only where the registry's cut lists it, so a false claim finds nothing.
        """
        for head in claimed:
            if self._cut_of(head.channel, head.epoch) is not None:
                await self._keep_cut(head.channel, head.epoch, [HeadAt(head.size, head.root)])
        for held in self._store.channels():
            cut = self._cut_of(*held.key)
            # Once more where the officers have cut again: a later cut may list a larger head of the same log.
            if cut is not None and self._searched.get(held.key) != (held.log.size, cut):
                resolved = held.log.cut.size if held.log.cut is not None else 0
                await self._keep_cut(*held.key, self._own_roots(held.log, resolved))
                self._searched[held.key] = (held.log.size, cut)

    def _cut_of(self, channel: str, epoch: int) -> Cut | None:
        """The registry's cut for a log, None while the log is open or has no cut."""
        origin = self._view.members.get(origin_of(channel))
        if origin is None or (origin.standing is Standing.ACTIVE and epoch >= origin.open_epoch):
            return None
        return origin.cut

    def _own_roots(self, log: Log, start: int = 0) -> list[HeadAt]:
        """The heads that a log held here has had, from a size on."""
        entries = self._store.entries(log.channel, log.epoch, start, with_bodies=False)
        roots = [
            HeadAt(entry.index, envelopes.parse(channel_pb2.EntryHeader, entry.envelope.payload).prev_root)
            for entry in entries
        ]
        return [*roots, HeadAt(log.size, log.root)]

    async def _keep_cut(self, channel: str, epoch: int, candidates: Sequence[HeadAt]) -> None:
        """Note the largest candidate that the registry's cut lists, also before the log's first entry is here."""
        cut = self._cut_of(channel, epoch)
        found = resolve_cut(channel, epoch, cut, candidates) if cut is not None else None
        if cut is None or found is None:
            return
        log = self._store.log(channel, epoch)
        if root_at(self._store, log, found.size) not in (None, found.root):
            # They have cut another history. Ours stands only where they list a head of it, too.
            found = resolve_cut(channel, epoch, cut, self._own_roots(log))
        if found is None:
            await self._disown(log)
        elif log.cut is None or log.cut.size < found.size:
            await self._writer.run(Lane.CONTROL, lambda tx: raise_cut(tx, (channel, epoch), found))

    async def _disown(self, log: Log) -> None:
        """Answer nothing from a copy that is another history than the one the officers have cut."""
        nothing, now_ms = HeadAt(0, merkle.EMPTY_ROOT), self._clock.now_ms()
        found = {"origin": origin_of(log.channel), "channel": log.channel, "epoch": str(log.epoch)}

        def note(tx: StoreTransaction) -> None:
            note_cut(tx, (log.channel, log.epoch), nothing)
            tx.raise_alarm("HISTORY_DISOWNED", f"{log.channel} {log.epoch}", found, now_ms)

        if log.cut != nothing:
            await self._writer.run(Lane.CONTROL, note)

    # -- bodies and editions that arrive later ------------------------------------------------------

    async def fold_waiting(self) -> None:
        """Go on folding where a catalogue edition or a cut was missing, and sign the receipts that are due.

        A crash after a commit leaves its receipt unsigned, and no further entry need ever come.
        """
        for key in await self.fold_held():
            await self.acknowledge(key)

    async def fold_held(self) -> list[ChannelEpoch]:
        """Fold every log held as far as complete entries reach, step by step; returns the logs."""
        keys = [held.key for held in self._store.channels()]
        for key in keys:
            async with self._lock(*key):
                # What was held when this round began may have grown since.
                held = self._store.channel(*key)
                if held is not None:
                    await self._fold_rest(held)
        return keys

    async def _fold_rest(self, held: HeldChannel) -> HeldChannel:
        """Fold step by step as far as complete entries reach, so that others get their turn with the writer."""
        channel, epoch = held.key
        before = -1
        while before < held.applied_size < held.log.size and held.left_at is None:
            following = self._store.entry(channel, epoch, held.applied_size)
            if following is None or not following.complete:
                break
            before = held.applied_size
            held = await self._writer.run(
                lane_of(held.manifest), lambda tx: self._admission.fold_on(tx, channel, epoch)
            )
        return held

    # -- receipts -----------------------------------------------------------------------------------

    async def acknowledge(self, key: ChannelEpoch) -> envelope_pb2.Envelope | None:
        """Sign a receipt for what is held of a log; None for one of our own, and where nothing is."""
        is_anothers = not is_own(self._view, key[0]) and self._store.channel(*key) is not None
        return await self._receipt(key) if is_anothers else None

    async def _receipt(self, key: ChannelEpoch) -> envelope_pb2.Envelope:
        """Sign how far a log is durably held and applied; the same extent is signed once, and again by the next key."""
        channel, epoch = key
        held = self._store.channel(channel, epoch)
        assert held is not None
        before, digest = self._store.receipt(channel, self._view.me), receipt_digest(self._store, held)
        if before is not None and says_all(before.receipt.message, held, digest) and not self._is_void(before.receipt):
            return before.receipt.envelope
        said = await said_of(self._store, self._writer, held, self._limits)
        message = said.receipt(self._view.network, self._view.me, self._clock.now_ms(), self._limits)
        envelope = envelopes.seal(message.SerializeToString(), envelopes.RECEIPT, self._signer())
        verified = open_receipt(envelope, self._view.members.get(self._view.me), self._view.network, self._limits)
        await self._writer.run_last(Lane.CONTROL, lambda tx: tx.put_receipt(verified))
        return envelope

    def _is_void(self, receipt: VerifiedReceipt) -> bool:
        """Whether nobody takes a receipt of ours any more, as its key was revoked, and we have the next key."""
        me = self._view.members.get(self._view.me)
        accepted = [key.key_id for key in me.unrevoked_keys] if me is not None else []
        signed = any(signature.keyid in accepted for signature in receipt.envelope.signatures)
        return not signed and self._signer().key_id in accepted

    async def take_receipts(self, envelopes_in: Sequence[envelope_pb2.Envelope]) -> list[envelope_pb2.Refusal]:
        """Keep receipts for channels held here; returns a refusal for each that is not authentic."""
        refusals: list[envelope_pb2.Refusal] = []
        taken: list[VerifiedReceipt] = []
        for envelope in envelopes_in[: self._limits.max_receipts_per_call]:
            try:
                receipt = self._open_receipt(envelope)
            except XinqiaoError as error:
                refusals.append(to_refusal(error))
                continue
            if receipt is not None:
                taken.append(receipt)
        if taken:
            await self._writer.run(Lane.CONTROL, lambda tx: [tx.put_receipt(receipt) for receipt in taken])
        return refusals

    def _open_receipt(self, envelope: envelope_pb2.Envelope) -> VerifiedReceipt | None:
        """None for a receipt that is no news, of this node, or for a channel that is not held here."""
        claim = claim_of(envelope, self._limits)
        # One of our own may be of a time before a restore: only what is durable here is said again.
        if claim.subscriber == self._view.me or self._is_kept(claim, envelope):
            return None
        receipt = open_receipt(envelope, self._view.members.get(claim.subscriber), self._view.network, self._limits)
        message = receipt.message
        held = self._store.channel(message.channel, message.epoch)
        if held is None or not self._belongs(message, held):
            return None
        # Of a closed log readers may hold more than its restored origin was given back: nothing comes from above a cut.
        is_open = held.log.cut is None
        if is_open and is_own(self._view, message.channel) and message.size > held.log.size:
            raise XinqiaoError("RECEIPT", node=message.subscriber, detail="it is for more than was written")
        before = self._store.receipt(message.channel, message.subscriber)
        if before is not None and before.receipt.extent >= receipt.extent:
            return None
        known = root_at(self._store, held.log, message.size)
        if known is not None and known != message.root:
            raise XinqiaoError("RECEIPT", node=message.subscriber, detail="it is over another history than ours")
        return receipt

    def _is_kept(self, claim: channel_pb2.Receipt, envelope: envelope_pb2.Envelope) -> bool:
        """Whether these very bytes were verified and kept: every link tells the same ones again."""
        before = self._store.receipt(claim.channel, claim.subscriber)
        return before is not None and before.receipt.envelope.payload == envelope.payload

    def _belongs(self, receipt: channel_pb2.Receipt, held: HeldChannel) -> bool:
        """Whether a receipt is kept: its signer reads the channel, or did so until a later manifest."""
        node = receipt.subscriber
        if self._view.members.reads(node, held.origin, held.manifest.audience):
            return True
        if self._store.receipt(held.log.channel, node) is not None:
            return True
        # Only who has read the log knows its roots: nobody else can make us search it.
        knows = receipt.size > 0 and root_at(self._store, held.log, receipt.size) == receipt.root
        return knows and self._once_read(node, held)

    def _once_read(self, node: str, held: HeldChannel) -> bool:
        earlier = self._store.entries(*held.key, 0, held.manifest_index, with_bodies=False)
        manifests = (header.manifest for header in map(header_of, earlier) if header.HasField("manifest"))
        return any(self._view.members.reads(node, held.origin, manifest.audience) for manifest in manifests)

    # -- heartbeats and addresses -------------------------------------------------------------------

    async def take_heartbeat(self, view: channel_pb2.HeartbeatView) -> None:
        """Verify and keep a heartbeat; raises HEARTBEAT, SIGNATURE. Older ones are passed over."""
        node = heartbeats.node_of(view, self._limits)
        if node == self._view.me:
            return
        before = await self._dates.heartbeat(node)
        if before is not None and before.time_ms and heartbeats.shows_no_more(view, before.view):
            return
        verified = heartbeats.open_view(
            view, self._view.members.get(node), self._view.network, self._clock.now_ms(), self._limits
        )
        await self._writer.run(Lane.CONTROL, lambda tx: self._keep_heartbeat(tx, verified))

    def _keep_heartbeat(self, tx: StoreTransaction, verified: heartbeats.VerifiedHeartbeat) -> None:
        if not tx.put_heartbeat(verified):
            return
        for key, head in verified.heads.items():
            held = tx.channel(*key)
            if held is None:
                # The heartbeat is kept and says it again when the log begins: a name alone takes no room.
                continue
            known = root_at(tx, held.log, head.size)
            if known is not None and known != head.root:
                found = {"node": verified.node, "detail": f"it names another history of {key[0]}"}
                tx.raise_alarm("HEARTBEAT", verified.node, found, verified.time_ms)
                continue
            tx.set_covered(*key, head)
            if known is not None and held.applied_size >= head.size:
                tx.set_fresh(*key, verified.time_ms)

    async def take_address(self, envelope: envelope_pb2.Envelope) -> None:
        """Verify and keep where a member can be reached; raises ADDRESS, SIGNATURE."""
        address = open_address(envelope, self._view.members, self._limits)
        before = self._store.address(address.record.node)
        # Every link tells the same ones: most are no news, and need no turn of the writer.
        if before is None or before.record.sequence < address.record.sequence:
            await self._writer.run(Lane.CONTROL, lambda tx: tx.put_address(address.record, address.envelope))
