"""Decision and reason of a status operation: what they must be, and what may not stand in them.

They are the only words of a person that an operation carries, so they are the only ones that can say too much. A
channel of class A is public: nobody's identity number may stand there, as in its records (FIELD_RESIDENT_ID_PUBLIC).
"""

from node.core.identifiers import holds_resident_id
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import record_pb2

_IDEOGRAPHIC_SPACE = "\u3000"


def fault_of(text: str, max_chars: int) -> str:
    """What is wrong with a decision's number or a reason; empty where nothing is."""
    if not text.strip():
        return "it is missing"
    if len(text) > max_chars:
        return f"it has {len(text)} characters, at most {max_chars} are allowed"
    if not all(each.isprintable() or each == _IDEOGRAPHIC_SPACE for each in text):
        return "it holds a line break or another character that cannot be shown"
    return ""


def are_complete(particulars: record_pb2.StatusParticulars, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether decision and reason are both there, within the limits and readable."""
    decision, reason = limits.max_decision_chars, limits.max_reason_chars
    return not fault_of(particulars.decision, decision) and not fault_of(particulars.reason, reason)


def name_a_person(particulars: record_pb2.StatusParticulars) -> bool:
    """Whether decision or reason hold the identity number of a natural person, however it is written."""
    return any(holds_resident_id(text) for text in (particulars.decision, particulars.reason))
