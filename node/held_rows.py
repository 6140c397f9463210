"""Held rows: a part of publishing that keeps what a rule holds for review, where it leaves this node for nobody.

The same row again is the same hold; another row of its key takes its place. A row that two officers have refused goes
back, as long as that is remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from node.core.catalogue import Item
from node.core.errors import XinqiaoError
from node.core.holds import SALT_BYTES, WAITING, HoldState
from node.core.limits import Limits
from node.core.record import Candidate, Defect, Outcome, OutcomeKind
from node.held_decisions import HeldRow
from node.novelty import PassedRows, refusal
from node.ports import Clock, Entropy, Lane, StoreReader, StoreTransaction, Writer

ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Given:
    """What all rows of a publication share: the rules that judged them, and the name of their file."""

    rules_version: str
    source: str = ""


class HeldRows:
    """Keeps rows for the officers of this node."""

    def __init__(self, writer: Writer, clock: Clock, entropy: Entropy, limits: Limits) -> None:
        self._writer = writer
        self._clock = clock
        self._entropy = entropy
        self._limits = limits

    async def keep(
        self, channel: str, item: Item, candidates: Sequence[Candidate], outcomes: Sequence[Outcome], given: Given
    ) -> list[Outcome]:
        """Keep the rows whose outcome is to be held, and return all outcomes, now with the ids under which they wait.

        What cannot be kept is rejected.
        """
        rows = {outcome.row for outcome in outcomes if outcome.kind is OutcomeKind.HELD}
        if not rows:
            return list(outcomes)
        held = [candidate for candidate in candidates if candidate.row in rows]

        def step(tx: StoreTransaction) -> dict[int, Outcome]:
            room = self._limits.max_held_rows - len(tx.holds(HoldState.PENDING))
            found: dict[int, Outcome] = {}
            for candidate in held:
                found[candidate.row], room = self._keep(tx, channel, item, candidate, given, room)
            return found

        found = await self._writer.run(Lane.BULK, step)
        return [found.get(outcome.row, outcome) for outcome in outcomes]

    def check(
        self,
        reader: StoreReader,
        channel: str,
        item: Item,
        candidates: Sequence[Candidate],
        outcomes: Sequence[Outcome],
        passed: PassedRows,
    ) -> list[Outcome]:
        """What `keep` would return after the rows that a dry run has passed; the id of a row that is new is left out.

        Keeps nothing but, in passed, under which keys more rows would wait.
        """
        rows = {outcome.row for outcome in outcomes if outcome.kind is OutcomeKind.HELD}
        if not rows:
            return list(outcomes)
        pending = len(reader.holds(HoldState.PENDING))
        found: dict[int, Outcome] = {}
        for candidate in (each for each in candidates if each.row in rows):
            room = self._limits.max_held_rows - pending - len(passed.waiting)
            answer, before = self._judge(reader, channel, item, candidate, room + (candidate.key in passed.waiting))
            if answer is None and not before:
                passed.waiting.add(candidate.key)
            found[candidate.row] = answer or Outcome(candidate.row, OutcomeKind.HELD)
        return [found.get(outcome.row, outcome) for outcome in outcomes]

    def _judge(
        self, reader: StoreReader, channel: str, item: Item, candidate: Candidate, room: int
    ) -> tuple[Outcome | None, Sequence[HeldRow]]:
        """What becomes of a row by those held before it, None where it is to be kept; and whose place it takes then."""
        known = reader.find_holds(channel, [candidate.key])
        same = next((each for each in reversed(known) if each.content_hash == candidate.content_hash), None)
        if same is not None and same.state in WAITING:
            return Outcome(candidate.row, OutcomeKind.HELD, hold=same.id), ()
        if same is not None and same.state is HoldState.REFUSED:
            return refusal(item, candidate, Defect("HOLD_REFUSED", params={"hold": same.id})), ()
        before = [each for each in known if each.state in WAITING]
        if any(each.state is HoldState.APPROVED for each in before):
            return refusal(item, candidate, Defect("HOLD_APPROVED", params={"hold": before[-1].id})), ()
        if room + len(before) <= 0:
            return refusal(item, candidate, Defect("HOLDS_FULL", params={"limit": self._limits.max_held_rows})), ()
        return None, before

    def _keep(
        self, tx: StoreTransaction, channel: str, item: Item, candidate: Candidate, given: Given, room: int
    ) -> tuple[Outcome, int]:
        """Keep one row; returns its outcome, and for how many there is room now."""
        answer, before = self._judge(tx, channel, item, candidate, room)
        if answer is not None:
            return answer, room
        now_ms = self._clock.now_ms()
        for each in before:
            tx.change_hold(each.id, HoldState.SUPERSEDED, now_ms)
        row = self._row(channel, candidate, given, now_ms)
        tx.add_hold(row)
        return Outcome(candidate.row, OutcomeKind.HELD, hold=row.id), room + len(before) - 1

    def _row(self, channel: str, candidate: Candidate, given: Given, now_ms: int) -> HeldRow:
        return HeldRow(
            id=self._entropy.bytes(ID_BYTES).hex(),
            channel=channel,
            state=HoldState.PENDING,
            key=candidate.key,
            content_hash=candidate.content_hash,
            record=candidate.record,
            salt=self._entropy.bytes(SALT_BYTES),
            reasons=candidate.holds,
            rules_version=given.rules_version,
            source=given.source,
            row=candidate.row,
            held_at_ms=now_ms,
            until_ms=now_ms + self._limits.max_hold_age_ms,
        )


def check_latest(reader: StoreReader, row: HeldRow) -> None:
    """See that no other record of its key was published since a row is held; raises HOLD_SUPERSEDED."""
    known = reader.find_keys(row.channel, [row.key]).get(row.key)
    record = reader.record(row.channel, known.place) if known is not None else None
    is_other = known is not None and known.content_hash != row.content_hash
    if record is not None and is_other and record.issued_at_ms >= row.held_at_ms:
        raise XinqiaoError("HOLD_SUPERSEDED", hold=row.id)
