"""Decisions of officers in the store in memory."""

from collections.abc import Sequence

from node.core.officers import VerifiedStatement
from node.held_decisions import HeldStatement
from node.pb import envelope_pb2
from node.storage.memory_reading import MemoryReader, next_sequence
from node.storage.sql_decisions import taken_before


class MemoryDecisionsReader(MemoryReader):
    """The DecisionsReader."""

    def statements(self, kind: str, subject: str | None = None) -> Sequence[HeldStatement]:
        held = sorted(self._state.statements.rows.values(), key=lambda each: each.sequence)
        return [each for each in held if each.act.startswith(f"{kind}.") and subject in (None, each.subject)]


class MemoryDecisionsWriter(MemoryDecisionsReader):
    """The DecisionsWriter on tables of its own."""

    def add_statement(self, statement: VerifiedStatement) -> int:
        held = self._state.statements.edit()
        if statement.digest in held:
            raise taken_before()
        sequence, message = next_sequence(held.values()), statement.message
        envelope = envelope_pb2.Envelope.FromString(statement.envelope.SerializeToString())
        held[statement.digest] = HeldStatement(sequence, message.act, message.subject, envelope, statement.content)
        return sequence
