"""What waits for officers of this node and what they have signed, as it is kept: a part of the Store of node.ports.

It never leaves the node by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from node.core.holds import HoldState, hold_digest
from node.core.officers import VerifiedStatement
from node.core.record import Defect
from node.pb import envelope_pb2


@dataclass(frozen=True, slots=True)
class HeldStatement:
    """A statement that was taken: appended, never changed; sequence grows with each."""

    sequence: int
    act: str
    subject: str
    envelope: envelope_pb2.Envelope
    content: bytes


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A row that a rule holds for review; times in Unix ms, settled_at_ms 0 while it waits.

    record and salt are None once it waits no more, and where rows are listed. reasons are why it is held, without any
    value of the row. source and row say where it came from, fault (a serialized Refusal or b"") why it is not
    published although it is approved.
    """

    id: str
    channel: str
    state: HoldState
    key: bytes
    content_hash: bytes
    record: bytes | None
    salt: bytes | None
    reasons: tuple[Defect, ...]
    rules_version: str
    source: str
    row: int
    held_at_ms: int
    until_ms: int
    settled_at_ms: int = 0
    fault: bytes = b""

    @property
    def rules(self) -> list[str]:
        """The ids of the rules that hold it, each once."""
        return list(dict.fromkeys(str(reason.params.get("rule", "")) for reason in self.reasons))

    @property
    def digest(self) -> bytes:
        """What officers sign of it; raises ValueError once its content is gone."""
        if self.record is None or self.salt is None:
            raise ValueError(f"the content of the held row {self.id} is gone")
        return hold_digest(self.id, self.channel, self.rules_version, self.rules, self.record, self.salt)


class DecisionsReader(Protocol):
    """What can be read of decisions."""

    def hold(self, hold: str) -> HeldRow | None:
        """One held row, with its content while it waits."""
        ...

    def holds(self, *states: HoldState) -> Sequence[HeldRow]:
        """The held rows in some states, all without any, the oldest first, without their contents."""
        ...

    def find_holds(self, channel: str, keys: Sequence[bytes]) -> Sequence[HeldRow]:
        """The held rows of a channel under natural keys, the oldest first, without their contents."""
        ...

    def statements(self, kind: str, subject: str | None = None) -> Sequence[HeldStatement]:
        """The statements whose act is of a kind, such as `officer`, in the order in which they were taken."""
        ...


class DecisionsWriter(Protocol):
    """What can be written of decisions."""

    def add_statement(self, statement: VerifiedStatement) -> int:
        """Append a statement and return its sequence; raises OFFICER_STATEMENT for one that was taken before."""
        ...

    def add_hold(self, row: HeldRow) -> None:
        """Keep a row that a rule holds."""
        ...

    def change_hold(self, hold: str, state: HoldState, now_ms: int, fault: bytes = b"") -> None:
        """Note where a held row stands; its content goes with the first state in which it does not wait."""
        ...

    def forget_holds(self, before_ms: int) -> None:
        """Forget the rows that were settled before a time; statements about them stay."""
        ...
