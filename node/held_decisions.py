"""What officers have signed at this node, as it is kept: a part of the Store that node.ports asks for.

It never leaves the node by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from node.core.officers import VerifiedStatement
from node.pb import envelope_pb2


@dataclass(frozen=True, slots=True)
class HeldStatement:
    """A statement that was taken: appended, never changed; sequence grows with each."""

    sequence: int
    act: str
    subject: str
    envelope: envelope_pb2.Envelope
    content: bytes


class DecisionsReader(Protocol):
    """What can be read of decisions."""

    def statements(self, kind: str, subject: str | None = None) -> Sequence[HeldStatement]:
        """The statements whose act is of a kind, such as `officer`, in the order in which they were taken."""
        ...


class DecisionsWriter(Protocol):
    """What can be written of decisions."""

    def add_statement(self, statement: VerifiedStatement) -> int:
        """Append a statement and return its sequence; raises OFFICER_STATEMENT for one that was taken before."""
        ...
