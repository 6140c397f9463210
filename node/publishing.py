"""Publishing: the duty that writes this node's own channels.

Every entry of ours takes the same way:

    (1) build the header over the head we hold, and sign it
    (2) core.channel.advance, the same door as for a stranger
    (3) one transaction: append (compare-and-swap), erase, fold
    (4) the sidecar is written and fsynced
    (5) only now may the signature leave: the links are woken

A crash before (3) leaves nothing, and the signature was never seen. A crash between (3) and (4) leaves the
database ahead of the sidecar, which is read as such at the next start. A database BEHIND the sidecar was
restored from a backup, perhaps while we serve: nothing is appended until our peers have given our history back.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from weakref import WeakValueDictionary

from node.admission import Admission, is_own, lane_of, raise_cut
from node.conditions import Conditions
from node.core import envelope as envelopes
from node.core import heartbeat as heartbeats
from node.core.audience import manifest_defect
from node.core.catalogue import Edition
from node.core.channel import HeadAt, Log, advance, check_channel_name
from node.core.entry import SALT_BYTES, SignedEntry, VerifiedBody, VerifiedEntry, build_body
from node.core.errors import XinqiaoError
from node.core.examination import NOTHING_FOUND, Examined, examine_own
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_fold import is_list
from node.core.membership import Standing
from node.core.record import Candidate, Outcome
from node.core.rules import VERSION_1
from node.core.state import CORRECT, REVIEW, Place, disclosure_letter
from node.dates import Dates
from node.held_decisions import HeldRow
from node.held_rows import Given, HeldRows, check_latest
from node.lifting import lifted_above
from node.losses import REASON, Loss, Losses, tell_losses
from node.novelty import Novelty, PassedRows, Revision
from node.orders import Orders, act_op
from node.pb import channel_pb2, record_pb2
from node.ports import Clock, Entropy, HeadsSidecar, HeldChannel, Lane, Signer, Store, StoreTransaction, View, Writer
from node.recovery import Recovery
from node.signed_heads import SignedHeads

Compose = Callable[[HeldChannel, channel_pb2.EntryHeader], bytes]


class Publishing:
    """Creates and writes this node's channels and signs its heartbeats."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        writer: Writer,
        sidecar: HeadsSidecar,
        signer: Callable[[], Signer],
        clock: Clock,
        entropy: Entropy,
        dates: Dates,
        limits: Limits = DEFAULT_LIMITS,
        wake: Callable[[str, int], None],
        has_answered: Callable[[str, ChannelEpoch, int], bool],
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._heads = SignedHeads(view, store, sidecar)
        self._signer = signer
        self._clock = clock
        self._entropy = entropy
        self._limits = limits
        self._wake = wake
        self._admission = Admission(view, limits)
        self._dates = dates
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._recovery: Recovery | None = None
        self._orders = Orders(view, store, Conditions(store, clock, limits), limits)
        self._novelty = Novelty(view, store, clock, self._orders.stopped, limits)
        self._held_rows = HeldRows(writer, clock, entropy, limits)
        self._losses = Losses(view, store, has_answered, limits)
        self.is_set_back = False

    # -- start and restore --------------------------------------------------------------------------

    def start(self) -> None:
        """Compare the database with the sidecar; a database that is behind closes the duty until it is not.

        Every home is made with a sidecar. Where there is none, even an empty database may once have signed.
        """
        held = self._heads.held()
        kept = self._heads.read()
        if kept is None:
            self._recovery = self._recover({}, ask_all=True)
        elif kept[0] != self._store.incarnation():
            self._recovery = self._recover(kept[1], ask_all=True) if kept[1] else None
        elif self._heads.is_behind(kept[1]):
            self._heads.known, self._recovery = dict(kept[1]), self._recover(kept[1], ask_all=False)
        if self._recovery is None:
            self._heads.trust(held)
        else:
            self._end_recovery()

    def _recover(self, floor: Mapping[ChannelEpoch, HeadAt], *, ask_all: bool) -> Recovery:
        self._losses.excused = ()
        return Recovery(floor, self._epoch_listed(), ask_all=ask_all)

    @property
    def blocked(self) -> XinqiaoError | None:
        """Why nothing can be published, None when something can."""
        member = self._view.members.get(self._view.me)
        if member is None:
            return XinqiaoError("NOT_A_MEMBER", detail="the registry does not list it")
        if member.standing is not Standing.ACTIVE:
            return XinqiaoError(f"MEMBER_{member.standing.name}", node=member.id, reason=member.reason)
        if self._recovery is not None:
            return XinqiaoError("RESTORED", detail=self._recovery.detail(self._heads.held(), self._holders()))
        return None

    @property
    def unanswered(self) -> Sequence[str]:
        """The members whose answer a recovery waits for, ascending."""
        return () if self._recovery is None else self._recovery.unanswered(self._holders())

    def released(self, key: ChannelEpoch) -> int | None:
        """How much of a log of ours may leave this node: what the sidecar knows. None while all are asked for it."""
        if self._recovery is not None and self._recovery.ask_all:
            return None
        return self._heads.size_of(key)

    def registry_changed(self) -> None:
        """See whether the officers have ended a recovery: nothing was signed yet in an epoch they open now."""
        if self._recovery is not None:
            self._end_recovery()

    def peer_answered(self, peer: str) -> None:
        """Note that a peer holds nothing of ours that we lack, and end the recovery when nothing is missing."""
        if self._recovery is not None:
            self._recovery.answered.add(peer)
            self._end_recovery()

    def heartbeat_returned(self, view: channel_pb2.HeartbeatView) -> None:
        """Note the heads that this node once signed; what it does not hold of them, it has lost.

        A peer may hold nothing of a log but a heartbeat over it. Raises HEARTBEAT, SIGNATURE.
        """
        member, known = self._view.members.get(self._view.me), self._store.heartbeat(self._view.me)
        if member is None or (known is not None and known.view.heartbeat.payload == view.heartbeat.payload):
            return
        heads = heartbeats.heads_once_signed(view, member, self._view.network, self._limits)
        lost = {key: head for key, head in heads.items() if self._heads.is_behind({key: head})}
        if lost and self._recovery is None:
            self._recovery = self._recover(self._heads.held() | lost, ask_all=True)
        elif self._recovery is not None:
            self._recovery.raise_floor(lost)

    def own_entry_found(self) -> None:
        """Note that a peer gives back an entry of ours that we do not hold: we have lost data.

        It is noted before the entry is stored: whoever looks in between would take it for one that was written here.
        """
        if self._recovery is None:
            self._recovery = self._recover(self._heads.held(), ask_all=True)

    def own_entry_returned(self) -> None:
        """Note that an entry that was found is stored, and end the recovery when nothing is missing."""
        if self._recovery is not None:
            self._end_recovery()

    def _end_recovery(self) -> None:
        assert self._recovery is not None
        answered = self._recovery.is_answered(self._holders(), self._view.read_at_ms)
        reopened = self._recovery.is_reopened(self._epoch_listed(), self._view.read_at_ms)
        if not self._heads.is_behind(self._recovery.floor) and (answered or reopened):
            if reopened:
                self._losses.excused = [node for node in self._active_others() if node not in self._recovery.answered]
            self._recovery = None
            self._heads.trust(self._heads.held())

    def _holders(self) -> list[str]:
        """The members that may hold what this node has signed; a suspended one may be taken back, with all it holds."""
        me, members = self._view.me, self._view.members.by_id.items()
        return sorted(node for node, member in members if node != me and member.standing is not Standing.REMOVED)

    def _active_others(self) -> list[str]:
        members = self._view.members.by_id
        return sorted(
            node for node, member in members.items() if node != self._view.me and member.standing is Standing.ACTIVE
        )

    def _epoch_listed(self) -> int:
        member = self._view.members.get(self._view.me)
        return member.open_epoch if member is not None else 0

    def _set_back_under_us(self) -> bool:
        """Whether the database has lost what this node has signed since the start; is_set_back says so from then on."""
        is_behind = self._recovery is None and self._heads.is_behind(self._heads.known)
        if is_behind:
            self._recovery, self.is_set_back = self._recover(self._heads.known, ask_all=False), True
        return is_behind

    # -- channels -----------------------------------------------------------------------------------

    def _lock(self, channel: str) -> asyncio.Lock:
        return self._locks.setdefault(channel, asyncio.Lock())

    async def create_channel(self, name: str, manifest: channel_pb2.Manifest) -> HeldChannel:
        """Write entry 0 of a new channel; raises CHANNEL_NAME, CHANNEL_EXISTS, CATALOGUE_DISCLOSURE and more."""
        channel = f"{self._view.me}/{name}"
        check_channel_name(channel, self._limits)
        self._check_open()
        item = self._edition().item(manifest.item)
        letter = disclosure_letter(manifest.disclosure)
        if letter not in item.disclosure:
            allowed = ", ".join(item.disclosure)
            raise XinqiaoError("CATALOGUE_DISCLOSURE", item=item.id, disclosure=letter or "none", allowed=allowed)
        manifest.title = manifest.title or item.title_zh
        async with self._lock(channel):
            if self._store.channel(channel) is not None:
                raise XinqiaoError("CHANNEL_EXISTS", channel=channel)
            return await self._create(channel, manifest)

    async def declare(self, channel: str, manifest: channel_pb2.Manifest) -> tuple[HeldChannel, bool]:
        """Write the manifest of a list, entry 0 where the channel is new; False where it is in force already."""
        check_channel_name(channel, self._limits)
        self._check_open()
        async with self._lock(channel):
            if self._store.channel(channel) is None:
                return await self._create(channel, manifest), True
            held = await self._open_channel(channel)
            if held.manifest.HasField("resumes"):
                manifest.resumes.CopyFrom(held.manifest.resumes)
            is_new = held.manifest != manifest
            return (await self._append_manifest(held.log, manifest) if is_new else held), is_new

    async def write(self, channel: str, kind: channel_pb2.EntryKind, compose: Compose, lane: Lane) -> HeldChannel:
        """Write the entry whose header and body compose completes, over the channel as it stands."""
        async with self._lock(channel):
            held = await self._open_channel(channel)
            header = self._header(held.log, kind)
            return await self._append(held.log, header, compose(held, header), lane)

    async def _create(self, channel: str, manifest: channel_pb2.Manifest) -> HeldChannel:
        epoch = self._open_epoch()
        if epoch > 0:
            nothing = channel_pb2.CutReference(epoch=epoch - 1, size=0, root=Log(channel, 0).root)
            manifest.resumes.CopyFrom(nothing)
        return await self._begin(Log(channel, epoch), manifest)

    async def _begin(self, log: Log, manifest: channel_pb2.Manifest) -> HeldChannel:
        """Write entry 0 of a log; raises CHANNELS_LIMIT before peers would."""
        limit = self._limits.max_channels_per_origin
        if len(self._heads.held()) >= limit:
            raise XinqiaoError("CHANNELS_LIMIT", origin=self._view.me, channel=log.channel, limit=limit)
        return await self._append_manifest(log, manifest)

    async def set_audience(self, channel: str, audience: channel_pb2.Audience) -> HeldChannel:
        """Write a manifest with another audience; raises CHANNEL_UNKNOWN, CHANNEL_NOT_OURS."""
        async with self._lock(channel):
            held = await self._open_channel(channel)
            manifest = channel_pb2.Manifest()
            manifest.CopyFrom(held.manifest)
            manifest.audience.CopyFrom(audience)
            return await self._append_manifest(held.log, manifest)

    async def _append_manifest(self, log: Log, manifest: channel_pb2.Manifest) -> HeldChannel:
        header = self._header(log, channel_pb2.ENTRY_KIND_MANIFEST)
        header.manifest.CopyFrom(manifest)
        defect = manifest_defect(header, self._limits)
        if defect:
            raise XinqiaoError("ARGUMENT_INVALID", argument="manifest", detail=defect)
        return await self._append(log, header, None, lane_of(manifest))

    async def _open_channel(self, channel: str) -> HeldChannel:
        """The open epoch of a channel of ours; after a cut the next epoch begins here, citing it."""
        self._check_open()
        held = self._store.channel(channel)
        if held is None:
            raise XinqiaoError("CHANNEL_UNKNOWN", channel=channel)
        if not is_own(self._view, channel):
            raise XinqiaoError("CHANNEL_NOT_OURS", channel=channel, origin=held.origin, node=self._view.me)
        if held.log.epoch == self._open_epoch():
            return await self._erase_again(held)
        manifest = channel_pb2.Manifest()
        manifest.CopyFrom(held.manifest)
        cut = await self._closed_at(held)
        manifest.resumes.CopyFrom(channel_pb2.CutReference(epoch=held.log.epoch, size=cut.size, root=cut.root))
        return await self._erase_again(await self._begin(Log(channel, self._open_epoch()), manifest))

    async def _erase_again(self, held: HeldChannel) -> HeldChannel:
        """Erase in an epoch that has just begun what entries above the cut had erased, and lift what they had lifted.

        Who never had them is given the erased records without content, and could not tell whether they are withheld.
        """
        if held.log.size == 1 and held.manifest.HasField("resumes"):
            for ops, particulars in self._orders.above(held.log.channel, held.manifest.resumes):
                held = await self._append_status(held.log, ops, particulars)
            for lifted in lifted_above(self._store, held.log.channel, held.manifest.resumes, self._limits):
                header = lifted.again(self._header(held.log, channel_pb2.ENTRY_KIND_LIST))
                held = await self._append(held.log, header, lifted.body, Lane.CONTROL)
        return held

    async def _closed_at(self, held: HeldChannel) -> HeadAt:
        """The cut of a log of ours; size 0 where the officers list no head of it, as nobody had reported any."""
        if held.log.cut is not None:
            return held.log.cut
        nothing = HeadAt(0, Log(held.log.channel, held.log.epoch).root)
        await self._writer.run(Lane.CONTROL, lambda tx: raise_cut(tx, held.key, nothing))
        return nothing

    # -- records ------------------------------------------------------------------------------------

    def channel_to_publish(self, channel: str) -> HeldChannel:
        """The channel as it stands, after checking that rows may be published into it."""
        self._check_open()
        held = self._store.channel(channel)
        if held is None:
            raise XinqiaoError("CHANNEL_UNKNOWN", channel=channel)
        if not is_own(self._view, channel):
            raise XinqiaoError("CHANNEL_NOT_OURS", channel=channel, origin=held.origin, node=self._view.me)
        return held

    async def publish(
        self, channel: str, candidates: Sequence[Candidate], rules_version: str = "", source: str = ""
    ) -> list[Outcome]:
        """Publish records as one entry; each candidate gets one outcome, durable when this returns.

        What a rule holds for review is kept here and published by nobody before two officers have released it.

        At most limits.max_records_per_entry candidates, at most limits.max_body_bytes together. rules_version is the
        edition they were judged by, version 1 where it is left out: every reader judges them by it again.
        """
        async with self._lock(channel):
            held = await self._open_channel(channel)
            item = self._edition().item(held.manifest.item)
            fresh, outcomes = self._novelty.sort(channel, item, candidates)
            if fresh:
                records = [candidate.record for candidate in fresh]
                await self._append_records(held.log, records, held.manifest, rules_version or VERSION_1.version)
            given = Given(rules_version or VERSION_1.version, source)
            return await self._held_rows.keep(channel, item, candidates, outcomes, given)

    async def publish_reviewed(self, row: HeldRow, candidate: Candidate, rules_version: str, reason: str) -> Place:
        """Publish a row that two officers have released, then the status entry that tells every reader of it.

        Run again after a crash, it writes only what is missing. Returns the place of the record. Raises why it cannot
        be published, HOLD_SUPERSEDED where a later row of its key was.
        """
        async with self._lock(row.channel):
            held = await self._open_channel(row.channel)
            item = self._edition().item(held.manifest.item)
            check_latest(self._store, row)
            fresh, (outcome,) = self._novelty.sort(row.channel, item, [candidate])
            if outcome.rejection is not None:
                raise outcome.rejection.defects[0].error
            if fresh:
                held = await self._append_records(held.log, [candidate.record], held.manifest, rules_version)
            place = self._store.find_keys(row.channel, [row.key])[row.key].place
            if not any(act.kind == REVIEW and act.target == place for act in self._store.acts(row.channel, place)):
                particulars = record_pb2.StatusParticulars(decision=row.id, reason=reason)
                await self._append_status(held.log, [act_op(row.channel, place, REVIEW)], particulars)
            return place

    def check(
        self, channel: str, candidates: Sequence[Candidate], passed: PassedRows
    ) -> tuple[list[Outcome], Iterator[Revision]]:
        """What `publish` would answer after the rows that a dry run has passed, and what it would revise.

        Writes nothing. The revisions are looked up as they are asked for.
        """
        item = self._edition().item(self.channel_to_publish(channel).manifest.item)
        fresh, outcomes = self._novelty.sort(channel, item, candidates, passed)
        outcomes = self._held_rows.check(self._store, channel, item, candidates, outcomes, passed)
        passed.add(fresh)
        return outcomes, self._novelty.revisions(channel, item, candidates, outcomes)

    async def _append_records(
        self, log: Log, records: Sequence[bytes], manifest: channel_pb2.Manifest, rules_version: str
    ) -> HeldChannel:
        header = self._header(log, channel_pb2.ENTRY_KIND_RECORDS)
        header.catalogue_version = self._edition().version
        header.rules_version = rules_version
        body = self._body(header, records)
        division, rules = self._view.members.active(self._view.me).division, self._view.rules.get(rules_version)
        examined = examine_own(header, body, manifest, division, self._edition(), rules, self._limits)
        return await self._append(log, header, body, lane_of(manifest), examined)

    async def erase(self, channel: str, place: Place, decision: str, reason: str) -> HeldChannel:
        """Write the status entry that erases a record in force with every revision of it; raises RECORD_UNKNOWN.

        Who comes late gets none of them, cannot tell which record they were, and must not answer an older one.
        """
        particulars = record_pb2.StatusParticulars(decision=decision, reason=reason)
        self._orders.check(channel, place, particulars)
        async with self._lock(channel):
            held = await self._open_channel(channel)
            ops = self._orders.erasing(channel, place)
            room = self._limits.max_records_per_entry - 1
            # The one in force goes with the last entry, so that nothing older is in force in between.
            for start in range(0, len(ops), room):
                held = await self._append_status(held.log, ops[start : start + room], particulars)
            return held

    async def act(self, channel: str, place: Place, kind: int, decision: str, reason: str) -> tuple[HeldChannel, bool]:
        """Write the status entry that repairs, withdraws, suspends or resumes a record in force.

        Returns the channel, and whether there is one entry more: the same decision again changes nothing. Raises
        RECORD_UNKNOWN, RECORD_NOT_OURS, RECORD_STATE, ARGUMENT_INVALID, VERDICT_REASON.
        """
        particulars = record_pb2.StatusParticulars(decision=decision, reason=reason)
        self._orders.check(channel, place, particulars)
        async with self._lock(channel):
            held = await self._open_channel(channel)
            if self._orders.find(channel, place, kind, decision) is not None:
                return held, False
            op = act_op(channel, place, kind)
            return await self._append_status(held.log, [op], particulars), True

    async def correct(
        self, channel: str, place: Place, candidate: Candidate, rules_version: str, decision: str, reason: str
    ) -> tuple[HeldChannel, bool, Place]:
        """Publish the right values of a record, then the status entry that names them and takes the wrong ones back.

        Returns as act does, and where the right values stand. A crash between the two entries leaves the revision, and
        the same order ends it. Raises what act raises, and why the values cannot be published.
        """
        particulars = record_pb2.StatusParticulars(decision=decision, reason=reason)
        self._orders.check(channel, place, particulars)
        async with self._lock(channel):
            held = await self._open_channel(channel)
            done = self._orders.find_correction(channel, place, candidate, decision)
            if done is not None:
                return held, False, done
            for defect in candidate.holds:
                # Right values are published at once or not at all.
                raise defect.error
            item = self._edition().item(held.manifest.item)
            fresh, (outcome,) = self._novelty.sort(channel, item, [candidate], corrects=True)
            if outcome.rejection is not None:
                raise outcome.rejection.defects[0].error
            if fresh:
                held = await self._append_records(held.log, [candidate.record], held.manifest, rules_version)
                replacement = Place(held.log.epoch, held.log.size - 1, 0)
            else:
                replacement = self._store.find_keys(channel, [candidate.key])[candidate.key].place
            op = act_op(channel, place, CORRECT, replacement)
            return await self._append_status(held.log, [op], particulars), True, replacement

    def values_at(self, channel: str, place: Place) -> bytes:
        """The record of ours at a place, in force or replaced, to be corrected; raises RECORD_UNKNOWN."""
        return self._orders.values_at(channel, place)

    async def _append_status(
        self, log: Log, ops: Sequence[record_pb2.StatusOp], particulars: record_pb2.StatusParticulars
    ) -> HeldChannel:
        for op in ops:
            op.particulars_slot = 1 + len(ops)
        slots = [*(record_pb2.StatusSlot(op=op) for op in ops), record_pb2.StatusSlot(particulars=particulars)]
        header = self._header(log, channel_pb2.ENTRY_KIND_STATUS)
        body = self._body(header, [slot.SerializeToString() for slot in slots])
        return await self._append(log, header, body, Lane.CONTROL)

    async def give_up_lost(self) -> None:
        """Erase what of our own entries no member can give back, and raise ENTRY_LOST; see node.losses."""
        for channel in self._losses.channels() if self.blocked is None else ():
            async with self._lock(channel):
                await self._give_up(channel, self._losses.of(channel))

    async def erase_again_above_cuts(self) -> None:
        """Begin the next epoch of each channel whose last one has erasures above its cut: else nobody hears of them."""
        for held in self._store.channels() if self.blocked is None else ():
            if is_own(self._view, held.log.channel) and self._orders.has_any_above(held, self._open_epoch()):
                async with self._lock(held.log.channel):
                    await self._open_channel(held.log.channel)

    async def _give_up(self, channel: str, losses: Sequence[Loss]) -> None:
        if not losses:
            return
        now_ms = self._clock.now_ms()
        # First the alarm: a crash after it gives up the same entries once more, and one before it nothing.
        await self._writer.run(Lane.CONTROL, lambda tx: tell_losses(tx, losses, now_ms))
        held = await self._open_channel(channel)
        ops, room = [op for loss in losses for op in loss.ops], self._limits.max_records_per_entry - 1
        for start in range(0, len(ops), room):
            particulars = record_pb2.StatusParticulars(reason=REASON)
            held = await self._append_status(held.log, ops[start : start + room], particulars)

    # -- heartbeats ---------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Sign one heartbeat over all heads of this node and keep it for the links; raises HEARTBEAT, SIGNATURE.

        Dates that cannot be are forgotten first, also where this node signs nothing: no copy stays fresh by them.
        """
        await self._dates.forget_future()
        self.registry_changed()
        member = self._view.members.get(self._view.me)
        if self._recovery is not None or member is None or member.standing is not Standing.ACTIVE:
            return
        heads = self._heads.held()
        if heads != self._heads.known:
            if self._set_back_under_us():
                return
            # The sidecar failed after an entry was stored: what waits leaves now that it is noted.
            self._heads.trust(heads)
        before = self._store.heartbeat(self._view.me)
        now_ms = self._clock.now_ms()
        time_ms = max(now_ms, before.time_ms + 1 if before is not None else 0)
        message = heartbeats.build(self._view.network, self._view.me, time_ms, heads)
        envelope = envelopes.seal(message.SerializeToString(), envelopes.HEARTBEAT, self._signer())
        view = heartbeats.full_view(envelope, heads)
        verified = heartbeats.open_view(view, member, self._view.network, now_ms, self._limits)
        await self._writer.run(Lane.CONTROL, lambda tx: self._keep_heartbeat(tx, verified))

    def _keep_heartbeat(self, tx: StoreTransaction, verified: heartbeats.VerifiedHeartbeat) -> None:
        tx.put_heartbeat(verified)
        for key, head in verified.heads.items():
            held = tx.channel(*key)
            if held is not None and held.applied_size >= head.size:
                tx.set_fresh(*key, verified.time_ms)

    # -- the one way of an entry --------------------------------------------------------------------

    def _header(self, log: Log, kind: channel_pb2.EntryKind) -> channel_pb2.EntryHeader:
        return channel_pb2.EntryHeader(
            network=self._view.network,
            channel=log.channel,
            epoch=log.epoch,
            index=log.size,
            prev_root=log.root,
            kind=kind,
            records_root=Log("", 0).root,
            issued_at_unix_ms=self._clock.now_ms(),
        )

    def _body(self, header: channel_pb2.EntryHeader, records: Sequence[bytes]) -> bytes:
        fresh = self._entropy.bytes(SALT_BYTES * len(records))
        salts = [fresh[at : at + SALT_BYTES] for at in range(0, len(fresh), SALT_BYTES)]
        body, header.records_root = build_body(records, salts)
        header.record_count = len(records)
        header.uncompressed_bytes_max = len(body)
        return body

    async def _append(
        self, log: Log, header: channel_pb2.EntryHeader, body: bytes | None, lane: Lane, found: Examined = NOTHING_FOUND
    ) -> HeldChannel:
        self._check_continues(log)
        if is_list(header.channel):  # whose members nothing may change before its header is signed
            held = await self._writer.run(lane, lambda tx: self._admit_to_list(tx, log, header, body))
        else:
            # (1) sign, (2) the same door as for a stranger
            opened, judgement = found
            verified, now_ms = self._verified(log, header, body, opened), header.issued_at_unix_ms
            # (3) one transaction
            held = await self._writer.run(lane, lambda tx: self._admission.admit(tx, verified, now_ms, judgement))
        # (4) the sidecar
        self._heads.trust({**self._heads.known, held.key: HeadAt(held.log.size, held.log.root)})
        # (5) the links
        self._wake(*held.key)
        return held

    def _check_continues(self, log: Log) -> None:
        """See that a log holds all that was signed of it; raises RESTORED."""
        if not self._heads.is_last(log) and self._set_back_under_us():
            self._check_open()

    def _admit_to_list(
        self, tx: StoreTransaction, log: Log, header: channel_pb2.EntryHeader, body: bytes | None
    ) -> HeldChannel:
        header.state_digest = self._admission.digest_after(tx, header, body)
        return self._admission.admit(tx, self._verified(log, header, body), header.issued_at_unix_ms)

    def _verified(
        self, log: Log, header: channel_pb2.EntryHeader, body: bytes | None, opened: VerifiedBody | None = None
    ) -> VerifiedEntry:
        envelope = envelopes.seal(header.SerializeToString(), envelopes.ENTRY_HEADER, self._signer())
        signed = SignedEntry(header.channel, header.epoch, header.index, envelope, body)
        member = self._view.members.get(self._view.me)
        return advance(log, signed, member, self._view.network, self._limits, opened)

    def _check_open(self) -> None:
        blocked = self.blocked
        if blocked is not None:
            raise blocked

    def _open_epoch(self) -> int:
        return self._view.members.active(self._view.me).open_epoch

    def _edition(self) -> Edition:
        edition = self._view.edition_in_force
        if edition is None:
            raise XinqiaoError("VERDICT_CATALOGUE", version="in force")
        return edition
