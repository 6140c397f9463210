"""Deciding: the duty that takes what officers of this node have signed, and nothing that they have not.

(1) the book of officers, from the statements held, each verified again
(2) core.officers: place, signatures, what the act needs
(3) one transaction: what the act decides, and the statement itself, which is never changed or taken away
"""

from collections.abc import Callable
from dataclasses import dataclass

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.officers import ADD, DISABLE, OfficerBook, VerifiedStatement, check_time
from node.pb import envelope_pb2
from node.ports import Clock, Lane, Store, StoreReader, StoreTransaction, View, Writer

Ruling = Callable[[StoreTransaction, VerifiedStatement], str]
"""Does what a statement decides, within the transaction that keeps it, and tells how its subject stands then."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A statement that is durable: its sequence, and how its subject stands after it."""

    sequence: int
    state: str


class Deciding:
    """Keeps the officers of this node and takes their statements; rulings adds acts to those on officers."""

    def __init__(self, view: View, store: Store, writer: Writer, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._limits = limits
        self._known: tuple[object, OfficerBook] | None = None
        self.rulings: dict[str, Ruling] = {ADD: self._add, DISABLE: self._disable}

    def book(self, reader: StoreReader | None = None) -> OfficerBook:
        """Who is an officer here now; raises OFFICER_* where what is held was changed by somebody else."""
        held = (reader or self._store).statements("officer")
        member = self._view.members.get(self._view.me)
        keys = member.all_keys if member is not None else ()
        read = [(each.envelope.SerializeToString(), each.content) for each in held]
        asked = (tuple(read), tuple(key.key_id for key in keys), self._view.network)
        if self._known is None or self._known[0] != asked:
            blank = OfficerBook(self._view.network, self._view.me)
            self._known = asked, blank.replayed([(each.envelope, each.content) for each in held], keys)
        return self._known[1]

    async def submit(self, envelope: envelope_pb2.Envelope, content: bytes = b"") -> Taken:
        """Take a signed statement and do what it decides; raises OFFICER_* and what the act refuses."""
        return await self._writer.run(Lane.CONTROL, lambda tx: self._take(tx, envelope, content))

    def _take(self, tx: StoreTransaction, envelope: envelope_pb2.Envelope, content: bytes) -> Taken:
        member = self._view.members.active(self._view.me)
        statement = self.book(tx).verified(envelope, content, member.active_keys, self._limits)
        check_time(statement.message, self._clock.now_ms(), self._limits)
        ruling = self.rulings.get(statement.message.act)
        if ruling is None:
            raise XinqiaoError("OFFICER_STATEMENT", detail="this version knows no such act")
        sequence = tx.add_statement(statement)
        return Taken(sequence, ruling(tx, statement))

    def _add(self, tx: StoreTransaction, statement: VerifiedStatement) -> str:  # noqa: ARG002
        # The statement is in the book already.
        if len(self.book(tx).officers) > self._limits.max_officers:
            detail = f"this node has {self._limits.max_officers} officers, and no room for more"
            raise XinqiaoError("OFFICER_STATEMENT", detail=detail)
        return "active"

    def _disable(self, tx: StoreTransaction, statement: VerifiedStatement) -> str:  # noqa: ARG002
        return "disabled"
