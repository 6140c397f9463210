"""Holding: the duty that keeps rows for the officers of this node, and publishes what two of them have released.

    (1) publishing keeps a row that a rule holds (node.held_rows); nobody else ever sees it
    (2) a statement of one officer proposes, that of another reviews: both are durable when they are answered
    (3) with the second signature the row is approved, in the same transaction
    (4) it is published, and a status entry tells every reader that it was reviewed
    (5) its content goes from here

A crash after (3) or (4) leaves it approved: the next tick does what is missing, and nothing twice. Why it cannot be
published yet stands with it until then.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from node.core.catalogue import authority_of, subject_of
from node.core.envelope import parse
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.holds import ACTS, REFUSE, RELEASE, WAITING, HoldState, Review, Signed, review_of
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.officers import OfficerBook, VerifiedStatement
from node.core.record import Candidate, parse_record
from node.core.state import Place, day_of, disclosure_letter, validator_for
from node.held_decisions import HeldRow, HeldStatement
from node.held_rows import check_latest
from node.pb import envelope_pb2, officer_pb2
from node.ports import Clock, Lane, Store, StoreReader, StoreTransaction, View, Writer

Publish = Callable[[HeldRow, Candidate, str, str], Awaitable[Place]]


class Holding:
    """Tells which rows wait, rules on what officers sign of them, and publishes what is approved."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        book: Callable[[StoreReader | None], OfficerBook],
        publish: Publish,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._book = book
        self._publish = publish
        self._limits = limits

    @property
    def rulings(self) -> Mapping[str, Callable[[StoreTransaction, VerifiedStatement], str]]:
        """What a statement on a held row does."""
        return dict.fromkeys(ACTS, self._rule)

    # -- what waits -----------------------------------------------------------------------------------

    def rows(self, *, everything: bool) -> Sequence[HeldRow]:
        """The rows that wait, or all that are remembered, without their contents."""
        return self._store.holds(*(() if everything else WAITING))

    def undecided(self) -> Mapping[str, Sequence[HeldRow]]:
        """The rows that wait for officers, by channel in the order of its oldest row, the oldest first."""
        found: dict[str, list[HeldRow]] = {}
        for row in self._store.holds(HoldState.PENDING):
            found.setdefault(row.channel, []).append(row)
        return found

    def row(self, hold: str) -> HeldRow:
        """One row with its content, while it waits; raises HOLD_UNKNOWN."""
        return _known(self._store, hold)

    def signatures(self, hold: str) -> Iterator[tuple[Signed, int]]:
        """The acts of officers on a row, in the order in which they were taken, each with its time in Unix ms."""
        book = self._book(None)
        for held in self._store.statements("hold", hold):
            message = parse(officer_pb2.OfficerStatement, held.envelope.payload)
            yield _signed(book, held), message.signed_at_unix_ms

    def review(self, hold: str) -> Review:
        """What the acts on a row come to."""
        return self._review(self._store, hold)

    def _review(self, reader: StoreReader, hold: str) -> Review:
        book = self._book(reader)
        return review_of(_signed(book, held) for held in reader.statements("hold", hold))

    # -- what officers sign -----------------------------------------------------------------------------

    def _rule(self, tx: StoreTransaction, statement: VerifiedStatement) -> str:
        """Do what a statement on a held row decides; it is among those held already."""
        message = statement.message
        row = _known(tx, message.subject)
        if row.state is not HoldState.PENDING:
            raise XinqiaoError("HOLD_SETTLED", hold=row.id, standing=row.state.value)
        if message.decided_sha256 != row.digest:
            raise XinqiaoError("OFFICER_STATEMENT", detail="it decides about something else than this node holds")
        if not message.reason.strip():
            raise XinqiaoError("OFFICER_STATEMENT", detail="it gives no reason")
        review = self._review(tx, row.id)
        if message.act == RELEASE:
            check_latest(tx, row)
            self._candidate(row)
        if review.decided is None:
            return "proposed" if review.proposed is not None else HoldState.PENDING.value
        state = HoldState.REFUSED if review.act == REFUSE else HoldState.APPROVED
        tx.change_hold(row.id, state, self._clock.now_ms())
        return state.value

    def _candidate(self, row: HeldRow) -> Candidate:
        """The row as it would be published today; raises HOLD_BARRED where it cannot be any more."""
        held = self._store.channel(row.channel)
        edition = self._view.edition_in_force
        if held is None or edition is None or row.record is None:
            raise XinqiaoError("HOLD_BARRED", hold=row.id, why="channel, catalogue or content are gone")
        item, record = edition.item(held.manifest.item), parse_record(row.record, self._limits)
        member = self._view.members.get(self._view.me)
        judged = (edition, item.id, disclosure_letter(held.manifest.disclosure), day_of(self._clock.now_ms()))
        division = member.division if member is not None else ""
        # The judgement of every reader, by the day and the rules that the entry will name.
        defects = validator_for(*judged, self._view.rules_in_force, division)(record.values)
        if defects:
            raise XinqiaoError("HOLD_BARRED", hold=row.id, why=defects[0].error.text)
        subject, authority = subject_of(item, record.values), authority_of(item, record.values)
        return Candidate(row.row, row.record, row.key, row.content_hash, subject, authority)

    # -- what is approved -------------------------------------------------------------------------------

    async def finish(self, hold: str) -> tuple[HoldState, XinqiaoError | None]:
        """Publish an approved row; returns where it stands, and why it is not published yet.

        A row whose place another one has taken is superseded: that is no fault.
        """
        row = self.row(hold)
        if row.state is not HoldState.APPROVED:
            return row.state, from_refusal(envelope_pb2.Refusal.FromString(row.fault)) if row.fault else None
        state, fault = HoldState.PUBLISHED, None
        try:
            await self._publish(row, self._candidate(row), self._view.rules_in_force.version, self._why(row))
        except XinqiaoError as error:
            superseded = error.code == "HOLD_SUPERSEDED"
            state, fault = HoldState.SUPERSEDED if superseded else HoldState.APPROVED, None if superseded else error
        written = to_refusal(fault).SerializeToString() if fault is not None else b""
        if state is not HoldState.APPROVED or written != row.fault:
            now_ms = self._clock.now_ms()
            await self._writer.run(Lane.CONTROL, lambda tx: tx.change_hold(hold, state, now_ms, written))
        return state, fault

    def _why(self, row: HeldRow) -> str:
        """What every reader is told: the rules that held the row, and the reason of the officer who proposed it."""
        decided = self.review(row.id).decided
        reason = f"{', '.join(row.rules)}: {decided[0].reason if decided is not None else ''}"
        return "".join(each if each.isprintable() else " " for each in reason)[: self._limits.max_reason_chars]

    async def tick(self) -> None:
        """Publish what is approved, let go of what nobody has decided in time, and forget what was settled long ago."""
        for row in self._store.holds(HoldState.APPROVED):
            await self.finish(row.id)
        now_ms = self._clock.now_ms()
        late = [row for row in self._store.holds(HoldState.PENDING) if row.until_ms <= now_ms]
        settled = [row for row in self._store.holds() if 0 < row.settled_at_ms < now_ms - self._limits.max_hold_age_ms]
        if late or settled:
            await self._writer.run(Lane.CONTROL, lambda tx: self._let_go(tx, late, now_ms))

    def _let_go(self, tx: StoreTransaction, late: Sequence[HeldRow], now_ms: int) -> None:
        for row in late:
            tx.change_hold(row.id, HoldState.EXPIRED, now_ms)
        for channel in dict.fromkeys(row.channel for row in late):
            count = sum(row.channel == channel for row in late)
            days = self._limits.max_hold_age_ms // 86_400_000
            parameters = {"channel": channel, "count": str(count), "days": str(days)}
            tx.raise_alarm("HOLDS_EXPIRED", channel, parameters, now_ms)
        tx.forget_holds(now_ms - self._limits.max_hold_age_ms)


def _known(reader: StoreReader, hold: str) -> HeldRow:
    row = reader.hold(hold)
    if row is None:
        raise XinqiaoError("HOLD_UNKNOWN", hold=hold[:64])
    return row


def _signed(book: OfficerBook, held: HeldStatement) -> Signed:
    """The act of a statement that was taken, and the officer whose key signed it."""
    message = parse(officer_pb2.OfficerStatement, held.envelope.payload)
    ids = {signature.keyid for signature in held.envelope.signatures}
    officer = next(each.name for each in book.officers.values() if each.public.key_id in ids)
    return Signed(held.act, officer, message.reason)
