"""What waits for officers and what they signed, in the tables: statements are appended and never changed."""

# ruff: noqa: S608 - statements are put together from constants of this module

import json
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from node.core.errors import XinqiaoError
from node.core.holds import WAITING, HoldState
from node.core.officers import VerifiedStatement
from node.core.record import Defect
from node.held_decisions import HeldRow, HeldStatement
from node.pb import envelope_pb2
from node.storage.sql_reading import SqlReader

_STATEMENTS = (
    "SELECT sequence, act, subject, envelope, content FROM officer_statements"
    " WHERE act >= :low AND act < :high{of_subject} ORDER BY sequence"
)
_ALL_STATEMENTS = _STATEMENTS.format(of_subject="")
_STATEMENTS_ON = _STATEMENTS.format(of_subject=" AND subject = :subject")
_LAST_STATEMENT = "SELECT COALESCE(MAX(sequence), 0) FROM officer_statements"
_IS_TAKEN = "SELECT 1 FROM officer_statements WHERE digest = :digest"
_ADD_STATEMENT = (
    "INSERT INTO officer_statements (sequence, digest, act, subject, envelope, content)"
    " VALUES (:sequence, :digest, :act, :subject, :envelope, :content)"
)


_COLUMNS = (
    "id, channel, state, natural_key, content_hash, {content}, reasons, rules_version, source, source_row, held_at_ms,"
    " until_ms, settled_at_ms, fault"
)
_HOLD = f"SELECT {_COLUMNS.format(content='record, salt')} FROM held_rows WHERE id = :id"
_HOLDS = f"SELECT {_COLUMNS.format(content='NULL, NULL')} FROM held_rows"
_ALL_HOLDS = _HOLDS + " ORDER BY held_at_ms, id"
_HOLDS_IN = _HOLDS + " WHERE state = :state ORDER BY held_at_ms, id"
_HOLDS_OF_KEY = _HOLDS + " WHERE channel = :channel AND natural_key = :key ORDER BY held_at_ms, id"
_ADD_HOLD = (
    "INSERT INTO held_rows (id, channel, state, natural_key, content_hash, record, salt, reasons, rules_version,"
    " source, source_row, held_at_ms, until_ms, settled_at_ms, fault) VALUES (:id, :channel, :state, :key,"
    " :content_hash, :record, :salt, :reasons, :rules_version, :source, :row, :held_at_ms, :until_ms, 0, :fault)"
)
_CHANGE_HOLD = "UPDATE held_rows SET state = :state, fault = :fault WHERE id = :id"
_SETTLE_HOLD = (
    "UPDATE held_rows SET state = :state, fault = :fault, record = NULL, salt = NULL, settled_at_ms = :now_ms"
    " WHERE id = :id AND settled_at_ms = 0"
)
_FORGET_HOLDS = "DELETE FROM held_rows WHERE settled_at_ms > 0 AND settled_at_ms < :before_ms"


class SqlDecisionsReader(SqlReader):
    """The DecisionsReader."""

    def hold(self, hold: str) -> HeldRow | None:
        row = self._row(_HOLD, id=hold)
        return _held_row(row) if row is not None else None

    def holds(self, *states: HoldState) -> Sequence[HeldRow]:
        if not states:
            return [_held_row(row) for row in self._rows(_ALL_HOLDS)]
        rows = [_held_row(row) for state in states for row in self._rows(_HOLDS_IN, state=state.value)]
        return sorted(rows, key=lambda each: (each.held_at_ms, each.id))

    def find_holds(self, channel: str, keys: Sequence[bytes]) -> Sequence[HeldRow]:
        found = (row for key in dict.fromkeys(keys) for row in self._rows(_HOLDS_OF_KEY, channel=channel, key=key))
        return sorted(map(_held_row, found), key=lambda each: (each.held_at_ms, each.id))

    def statements(self, kind: str, subject: str | None = None) -> Sequence[HeldStatement]:
        # Acts are `kind.what`: those of a kind lie between `kind.` and the next character after the dot.
        bounds = {"low": f"{kind}.", "high": f"{kind}/"}
        if subject is None:
            rows = self._rows(_ALL_STATEMENTS, **bounds)
        else:
            rows = self._rows(_STATEMENTS_ON, **bounds, subject=subject)
        return [
            HeldStatement(sequence, act, about, envelope_pb2.Envelope.FromString(envelope), content)
            for sequence, act, about, envelope, content in rows
        ]


class SqlDecisionsWriter(SqlDecisionsReader):
    """The DecisionsWriter over the transaction that is open; erased tells that content was removed."""

    erased: bool

    @abstractmethod
    def _change(self, statement: str, **values: object) -> int: ...

    def add_statement(self, statement: VerifiedStatement) -> int:
        if self._row(_IS_TAKEN, digest=statement.digest) is not None:
            raise taken_before()
        sequence = int(self._value(_LAST_STATEMENT)) + 1
        self._change(
            _ADD_STATEMENT,
            sequence=sequence,
            digest=statement.digest,
            act=statement.message.act,
            subject=statement.message.subject,
            envelope=statement.envelope.SerializeToString(),
            content=statement.content,
        )
        return sequence

    def add_hold(self, row: HeldRow) -> None:
        self._change(
            _ADD_HOLD,
            id=row.id,
            channel=row.channel,
            state=row.state.value,
            key=row.key,
            content_hash=row.content_hash,
            record=row.record,
            salt=row.salt,
            reasons=_written(row.reasons),
            rules_version=row.rules_version,
            source=row.source,
            row=row.row,
            held_at_ms=row.held_at_ms,
            until_ms=row.until_ms,
            fault=row.fault,
        )

    def change_hold(self, hold: str, state: HoldState, now_ms: int, fault: bytes = b"") -> None:
        if state in WAITING:
            self._change(_CHANGE_HOLD, id=hold, state=state.value, fault=fault)
        else:
            self._change(_SETTLE_HOLD, id=hold, state=state.value, fault=fault, now_ms=now_ms)
            self.erased = True

    def forget_holds(self, before_ms: int) -> None:
        if self._change(_FORGET_HOLDS, before_ms=before_ms):
            self.erased = True


def _held_row(row: Sequence[Any]) -> HeldRow:
    hold, channel, state, key, content_hash, record, salt, reasons, *others = row
    return HeldRow(hold, channel, HoldState(state), key, content_hash, record, salt, _read(reasons), *others)


def _written(reasons: Sequence[Defect]) -> str:
    told = [{"code": each.code, "column": each.field_code, "params": dict(each.params)} for each in reasons]
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _read(reasons: str) -> tuple[Defect, ...]:
    return tuple(Defect(each["code"], each["column"], each["params"]) for each in json.loads(reasons))


def taken_before() -> XinqiaoError:
    """What whoever hands a statement over a second time is told."""
    return XinqiaoError("OFFICER_STATEMENT", detail="it was taken before")
