"""Decisions of officers in the tables: statements are appended and never changed."""

from collections.abc import Sequence

from node.core.errors import XinqiaoError
from node.core.officers import VerifiedStatement
from node.held_decisions import HeldStatement
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


class SqlDecisionsReader(SqlReader):
    """The DecisionsReader."""

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
    """The DecisionsWriter over the transaction that is open."""

    def _change(self, statement: str, **values: object) -> int:
        raise NotImplementedError

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


def taken_before() -> XinqiaoError:
    """What whoever hands a statement over a second time is told."""
    return XinqiaoError("OFFICER_STATEMENT", detail="it was taken before")
