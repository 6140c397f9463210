"""Decisions of officers in the store in memory."""

from collections.abc import Sequence
from dataclasses import replace

from node.core.holds import WAITING, HoldState
from node.core.officers import VerifiedStatement
from node.held_decisions import HeldRow, HeldStatement
from node.pb import envelope_pb2
from node.storage.memory_reading import MemoryReader, next_sequence
from node.storage.sql_decisions import taken_before


class MemoryDecisionsReader(MemoryReader):
    """The DecisionsReader."""

    def hold(self, hold: str) -> HeldRow | None:
        return self._state.holds.rows.get(hold)

    def holds(self, *states: HoldState) -> Sequence[HeldRow]:
        held = sorted(self._state.holds.rows.values(), key=lambda each: (each.held_at_ms, each.id))
        return [replace(each, record=None, salt=None) for each in held if not states or each.state in states]

    def find_holds(self, channel: str, keys: Sequence[bytes]) -> Sequence[HeldRow]:
        return [each for each in self.holds() if each.channel == channel and each.key in keys]

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

    def add_hold(self, row: HeldRow) -> None:
        self._state.holds.edit()[row.id] = row

    def change_hold(self, hold: str, state: HoldState, now_ms: int, fault: bytes = b"") -> None:
        held = self._state.holds.edit()
        if state in WAITING:
            held[hold] = replace(held[hold], state=state, fault=fault)
        elif not held[hold].settled_at_ms:
            settled = replace(held[hold], state=state, fault=fault, settled_at_ms=now_ms)
            held[hold] = replace(settled, record=None, salt=None)

    def forget_holds(self, before_ms: int) -> None:
        held = self._state.holds.edit()
        for old in [each.id for each in held.values() if 0 < each.settled_at_ms < before_ms]:
            del held[old]
