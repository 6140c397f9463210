"""Changes of this node's lists: a part of listing that keeps them for officers and publishes what these have decided.

    (1) a draft is written batch by batch, as its entries will hold them: what is signed is what is published
    (2) a statement of one officer proposes, that of another one approves where the list is serious
    (3) the last signature that is needed approves it, in the transaction that keeps the statement
    (4) it is judged once more, then published, one entry for each batch, each with what the officers have signed
    (5) its content goes from here

A crash after (3) or between two entries of (4) leaves it approved: the next tick looks which batches stand in the log,
wherever they came from, and writes the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from node.admission import header_of
from node.core.entry import SALT_BYTES, build_body, open_body
from node.core.envelope import parse
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_change import (
    ACTS,
    WAITING,
    ChangeState,
    Operation,
    build_batch,
    check_officer,
    digest_of,
    following_state,
    read_batch,
    root_of,
    warrant_of,
    with_warrant,
)
from node.core.list_warrant import APPROVE, PROPOSE, warrant_in
from node.core.listing import NARROWING
from node.core.officers import OfficerBook, VerifiedStatement
from node.core.state import REJECTED, Place, Unfolded
from node.held_changes import HeldChange
from node.list_standing import fold_on_list
from node.pb import channel_pb2, envelope_pb2, listing_pb2, officer_pb2
from node.ports import (
    Clock,
    Entropy,
    HeldChannel,
    Lane,
    Store,
    StoreReader,
    StoreTransaction,
    View,
    Writer,
)

ID_BYTES = 8
HOUR_MS = 3_600_000
Compose = Callable[[HeldChannel, channel_pb2.EntryHeader], bytes]
Write = Callable[[str, channel_pb2.EntryKind, Compose, Lane], Awaitable[HeldChannel]]
Check = Callable[[HeldChange, Sequence[Operation]], None]


class Draft:
    """A change that is being written; whoever writes it closes or drops it."""

    def __init__(self, writer: Writer, entropy: Entropy, change: HeldChange, limits: Limits) -> None:
        self._writer = writer
        self._entropy = entropy
        self._change = change
        self._limits = limits
        self._operations: list[Operation] = []
        self._roots: list[bytes] = []

    @property
    def id(self) -> str:
        """The id of the change."""
        return self._change.id

    @property
    def count(self) -> int:
        """How many operations it has."""
        return self._change.operations + len(self._operations)

    async def add(self, operations: Iterable[Operation]) -> None:
        """Add operations; raises LIST_CHANGE_SIZE."""
        for operation in operations:
            if self.count >= self._limits.max_list_operations:
                raise XinqiaoError("LIST_CHANGE_SIZE", limit=self._limits.max_list_operations)
            self._operations.append(operation)
            if len(self._operations) >= self._limits.max_list_operations_per_entry:
                await self._flush()

    async def close(self) -> HeldChange:
        """Finish it: from now on it may be signed, and is what it is."""
        await self._flush()
        digest = digest_of(self._change.id, self._change.channel, self._roots)
        change = replace(self._change, digest=digest)
        await self._writer.run(Lane.CONTROL, lambda tx: tx.put_change(change))
        return change

    async def drop(self) -> None:
        """Forget it."""
        await self._writer.run(Lane.CONTROL, lambda tx: tx.drop_change(self._change.id))

    async def _flush(self) -> None:
        if not self._operations:
            return
        batch = build_batch(self._operations, self._entropy.bytes)
        change = replace(
            self._change, operations=self.count, batches=self._change.batches + 1, until_ms=self._change.until_ms
        )

        def step(tx: StoreTransaction) -> None:
            tx.put_change(change)
            tx.put_change_batch(change.id, self._change.batches, batch)

        await self._writer.run(Lane.BULK, step)
        self._roots.append(root_of(batch))
        self._change, self._operations = change, []


class ListChanges:
    """Keeps changes of this node's lists, rules on what officers sign of them, and publishes what is approved."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        entropy: Entropy,
        book: Callable[[StoreReader | None], OfficerBook],
        write: Write,
        check: Check,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._entropy = entropy
        self._book = book
        self._write = write
        self._check = check
        self._limits = limits
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def rulings(self) -> Mapping[str, Callable[[StoreTransaction, VerifiedStatement], str]]:
        """What a statement on a change does."""
        return dict.fromkeys(ACTS, self._rule)

    # -- what waits -----------------------------------------------------------------------------------

    def changes(self, *, everything: bool) -> Sequence[HeldChange]:
        """The changes that wait, or all that are remembered; without those that are still written."""
        return [each for each in self._store.changes(*(() if everything else WAITING)) if each.digest]

    def undecided(self) -> Mapping[str, Sequence[HeldChange]]:
        """The changes that wait for an officer or to be published, by list, the oldest first."""
        found: dict[str, list[HeldChange]] = {}
        for change in self._store.changes(ChangeState.PENDING, ChangeState.APPROVED):
            found.setdefault(change.channel, []).append(change)
        return found

    def change(self, change: str) -> HeldChange:
        """One change; raises LIST_CHANGE_UNKNOWN."""
        return _known(self._store, change)

    def batches(self, change: HeldChange) -> Iterator[bytes]:
        """The batches of a change, as long as its content is here."""
        for number in range(change.batches):
            batch = self._store.change_batch(change.id, number)
            if batch is None:
                return
            yield batch

    def statements(self, reader: StoreReader, change: str) -> Iterator[tuple[officer_pb2.OfficerStatement, str]]:
        """What officers have signed of a change, in the order in which it was taken, and who they are."""
        officers = self._book(reader).officers.values()
        for held in reader.statements("list", change):
            message = parse(officer_pb2.OfficerStatement, held.envelope.payload)
            ids = {signature.keyid for signature in held.envelope.signatures}
            yield message, next(each.name for each in officers if each.public.key_id in ids)

    # -- drafting -------------------------------------------------------------------------------------

    async def draft(
        self, held: HeldChannel, act: int, target: Place | None = None, last: Place | None = None, source: str = ""
    ) -> Draft:
        """Begin a change of a list; raises LIST_CHANGES_FULL."""
        waiting, now_ms = self._store.changes(*WAITING), self._clock.now_ms()
        room = self._limits.max_list_operations_waiting - sum(each.operations for each in waiting)
        if len(waiting) >= self._limits.max_list_changes or room <= 0:
            raise XinqiaoError("LIST_CHANGES_FULL", count=len(waiting))
        change = HeldChange(
            id=self._entropy.bytes(ID_BYTES).hex(),
            channel=held.log.channel,
            act=act,
            state=ChangeState.DRAFT,
            target=target,
            last=last,
            operations=0,
            batches=0,
            digest=b"",
            since=Place(held.log.epoch, held.log.size, 0),
            source=source,
            drafted_at_ms=now_ms,
            until_ms=now_ms + self._limits.max_statement_age_ms,
        )
        await self._writer.run(Lane.CONTROL, lambda tx: tx.put_change(change))
        return Draft(self._writer, self._entropy, change, self._limits)

    async def drop(self, change: str) -> None:
        """Forget a draft that nobody has signed; raises LIST_CHANGE_UNKNOWN, LIST_CHANGE_SETTLED."""

        def step(tx: StoreTransaction) -> None:
            held = _known(tx, change)
            if held.state is not ChangeState.DRAFT:
                raise XinqiaoError("LIST_CHANGE_SETTLED", change=held.id, standing=held.state.value)
            tx.drop_change(held.id)

        await self._writer.run(Lane.CONTROL, step)

    # -- what officers sign -----------------------------------------------------------------------------

    def _rule(self, tx: StoreTransaction, statement: VerifiedStatement) -> str:
        """Do what a statement on a change decides; it is among those held already."""
        message = statement.message
        change, now_ms = _known(tx, message.subject), self._clock.now_ms()
        held = tx.channel(change.channel)
        kind = held.manifest.list.kind if held is not None else 0
        state = following_state(change.id, change.state, message.act, kind)
        if not change.digest or message.decided_sha256 != change.digest:
            raise XinqiaoError("OFFICER_STATEMENT", detail="it decides about something else than this node holds")
        signed = list(self.statements(tx, change.id))
        check_officer(message.act, signed[-1][1], next(name for each, name in signed if each.act == PROPOSE))
        decides = message.act in (PROPOSE, APPROVE)
        if bool(message.reason.strip()) == decides:
            # What proposes and approves goes to every reader of the list, for good: reasons stand in the entry.
            raise XinqiaoError("OFFICER_STATEMENT", detail="it gives no reason" if not decides else "it gives a reason")
        if decides:
            _check_unchanged(tx, change)
        elif change.state is ChangeState.APPROVED and (
            self._is_being_published(change.id) or self.published(tx, change)
        ):
            raise XinqiaoError("LIST_CHANGE_SETTLED", change=change.id, standing="published in part")
        until_ms = now_ms + self._limits.max_hold_age_ms if message.act == PROPOSE else change.until_ms
        tx.put_change(replace(change, state=state, until_ms=until_ms, settled_at_ms=_settled_at(state, now_ms)))
        return state.value

    def _is_being_published(self, change: str) -> bool:
        lock = self._locks.get(change)
        return lock is not None and lock.locked()

    # -- what is approved -------------------------------------------------------------------------------

    async def finish(self, change_id: str) -> tuple[ChangeState, XinqiaoError | None]:
        """Publish an approved change; returns where it stands, and why it is not published yet."""
        async with self._locks.setdefault(change_id, asyncio.Lock()):
            change = self.change(change_id)
            if change.state is not ChangeState.APPROVED:
                return change.state, from_refusal(
                    envelope_pb2.Refusal.FromString(change.fault)
                ) if change.fault else None
            state, fault = ChangeState.PUBLISHED, None
            try:
                await self._publish(change)
            except XinqiaoError as error:
                is_outdated = error.code == "LIST_CHANGED"
                state, fault = ChangeState.SUPERSEDED if is_outdated else ChangeState.APPROVED, error
            written = to_refusal(fault).SerializeToString() if fault is not None else b""
            if state is not ChangeState.APPROVED or written != change.fault:
                now_ms = self._clock.now_ms()
                settled = replace(change, state=state, fault=written, settled_at_ms=_settled_at(state, now_ms))
                await self._writer.run(Lane.CONTROL, lambda tx: self._settle(tx, settled))
            return state, fault

    def _settle(self, tx: StoreTransaction, change: HeldChange) -> None:
        """Note where a change stands; others that were about the entry as it was before are superseded."""
        if _known(tx, change.id).state is not ChangeState.APPROVED:
            return
        tx.put_change(change)
        if change.state is not ChangeState.PUBLISHED or change.target is None:
            return
        for other in tx.changes(ChangeState.DRAFT, ChangeState.PENDING):
            if (other.channel, other.target) == (change.channel, change.target):
                tx.put_change(replace(other, state=ChangeState.SUPERSEDED, settled_at_ms=change.settled_at_ms))

    async def _publish(self, change: HeldChange) -> None:
        """Write the batches of a change that no entry holds yet; raises why that cannot be."""
        done = self.published(self._store, change)
        roots = [root_of(batch) for batch in self.batches(change)]
        if len(done) < change.batches and len(roots) < change.batches:
            raise XinqiaoError("LIST_CHANGE", detail="its content is gone")
        signatures = self._signatures(change)
        if not done:
            for batch in self.batches(change):
                self._check(change, read_batch(batch))
                await asyncio.sleep(0)
        # Whoever is put on a list waits for those who are taken off one, and for their suspensions.
        lane = Lane.CONTROL if change.act in NARROWING else Lane.BULK
        for number in range(change.batches):
            if number not in done:
                compose = partial(self._compose, change, number, roots, signatures)
                await self._write(change.channel, channel_pb2.ENTRY_KIND_LIST, compose, lane)
                await asyncio.sleep(0)

    def published(self, reader: StoreReader, change: HeldChange) -> Mapping[int, Place]:
        """The batches of a change that stand in the log, at or below its cut, with the places of their entries."""
        found: dict[int, Place] = {}
        newest = reader.channel(change.channel)
        for epoch in range(change.since.epoch, newest.log.epoch + 1 if newest is not None else 0):
            log = reader.log(change.channel, epoch)
            start = change.since.index if epoch == change.since.epoch else 0
            end = log.cut.size if log.cut is not None else log.size
            for entry in reader.entries(change.channel, epoch, start, end) if start < end else ():
                header = header_of(entry)
                body = open_body(header, entry.body, self._limits) if entry.body is not None else None
                warrant = warrant_in(body) if body is not None else None
                if header.kind == channel_pb2.ENTRY_KIND_LIST and warrant is not None and warrant.change == change.id:
                    found.setdefault(warrant.batch, Place(epoch, header.index, 0))
        return found

    def _signatures(self, change: HeldChange) -> list[listing_pb2.OfficerSignature]:
        """What proves who decided: raises OFFICER_DISABLED for an officer who counts no more."""
        book, found = self._book(None), []
        for held in self._store.statements("list", change.id):
            message = parse(officer_pb2.OfficerStatement, held.envelope.payload)
            if message.act not in (PROPOSE, APPROVE):
                continue
            ids = {signature.keyid for signature in held.envelope.signatures}
            name = next(each.name for each in book.officers.values() if each.public.key_id in ids)
            key = book.officer(name).public
            found.append(
                listing_pb2.OfficerSignature(
                    officer=name, suite=key.suite, public_key=key.spki, statement=held.envelope
                )
            )
        return found

    def _compose(
        self,
        change: HeldChange,
        number: int,
        roots: Sequence[bytes],
        signatures: Sequence[listing_pb2.OfficerSignature],
        held: HeldChannel,
        header: channel_pb2.EntryHeader,
    ) -> bytes:
        """The body of the entry that carries a batch, judged as every receiver will judge it."""
        if held.applied_size < held.log.size:
            raise XinqiaoError("LIST_UNFOLDED", list=change.channel)
        _check_unchanged(self._store, change)
        batch, state = self._store.change_batch(change.id, number), self.change(change.id).state
        if batch is None or state is not ChangeState.APPROVED:
            raise XinqiaoError("LIST_CHANGE_SETTLED", change=change.id, standing=state.value)
        warrant = warrant_of(change.id, number, roots, signatures)
        records, salts = with_warrant(batch, warrant, self._entropy.bytes(SALT_BYTES))
        body, header.records_root = build_body(records, salts)
        header.record_count, header.uncompressed_bytes_max = len(records), len(body)
        self._check_as_received(held, header, body)
        return body

    def _check_as_received(self, held: HeldChannel, header: channel_pb2.EntryHeader, body: bytes) -> None:
        """Judge an entry as every receiver will; raises what it would count."""
        origin = self._view.members.active(self._view.me)
        opened = open_body(header, body, self._limits)
        entry = Unfolded(header, opened, held.manifest, origin, self._view.editions, settled=True)
        folded = fold_on_list(self._store, entry, self._limits)
        assert folded is not None
        rejected = sorted(code for outcome, code in folded.applied.counts if outcome == REJECTED)
        if rejected:
            named = {"list": header.channel, "origin": origin.id, "authority": held.manifest.list.authority}
            raise XinqiaoError(rejected[0], **named)

    # -- what goes on by itself ---------------------------------------------------------------------------

    async def tick(self) -> None:
        """Publish what is approved, let go of what nobody has decided in time, and forget what was settled long ago."""
        for change in self._store.changes(ChangeState.APPROVED):
            await self.finish(change.id)
        now_ms = self._clock.now_ms()
        late = [each for each in self._store.changes(ChangeState.PENDING) if each.until_ms <= now_ms]
        dropped = [each for each in self._store.changes(ChangeState.DRAFT) if _is_left(each, now_ms)]
        before_ms = now_ms - self._limits.max_hold_age_ms
        old = [each for each in self._store.changes() if 0 < each.settled_at_ms < before_ms]
        if late or dropped or old:
            await self._writer.run(Lane.CONTROL, lambda tx: self._let_go(tx, late, dropped, now_ms))

    def _let_go(
        self, tx: StoreTransaction, late: Sequence[HeldChange], dropped: Sequence[HeldChange], now_ms: int
    ) -> None:
        for change in late:
            tx.put_change(replace(change, state=ChangeState.EXPIRED, settled_at_ms=now_ms))
            days = self._limits.max_hold_age_ms // 86_400_000
            tx.raise_alarm(
                "LIST_CHANGE_EXPIRED",
                change.id,
                {"change": change.id, "list": change.channel, "days": str(days)},
                now_ms,
            )
        for change in dropped:
            tx.drop_change(change.id)
        tx.forget_changes(now_ms - self._limits.max_hold_age_ms)


def fault_of(changes: Iterable[HeldChange]) -> XinqiaoError | None:
    """Why the first one that is decided and cannot be published is not; None where there is none."""
    faults = (envelope_pb2.Refusal.FromString(each.fault) for each in changes if each.fault)
    return next(map(from_refusal, faults), None)


def _known(reader: StoreReader, change: str) -> HeldChange:
    held = reader.change(change)
    if held is None:
        raise XinqiaoError("LIST_CHANGE_UNKNOWN", change=change[:64])
    return held


def _check_unchanged(reader: StoreReader, change: HeldChange) -> None:
    """See that nothing was done to the entry since its change was drafted; raises LIST_CHANGED."""
    if change.target is None:
        return
    held = reader.listing(change.channel, change.target)
    if held is None or held.listing.last != change.last:
        raise XinqiaoError("LIST_CHANGED", change=change.id)


def _settled_at(state: ChangeState, now_ms: int) -> int:
    return 0 if state in WAITING else now_ms


def _is_left(change: HeldChange, now_ms: int) -> bool:
    """Whether a draft is given up: its statement would be too old, or whoever wrote it has gone away."""
    return change.until_ms <= now_ms or (not change.digest and change.drafted_at_ms <= now_ms - HOUR_MS)
