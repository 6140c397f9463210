"""Acts on records: what the status operations held about a record make of it.

One table says what may follow what. An act that the table does not have changes nothing, wherever it comes from: the
origin refuses to sign it, and every reader passes over it. What holds is a pure function of the acts held, in the
order of their places, so it does not matter in which order they arrived.

    in force    answered
    suspended   not used while an objection or a review is decided (暂停), until it is resumed (恢复)
    repaired    publication, sharing and use have ended early (修复): 信用修复管理办法 art. 3
    withdrawn   the act it tells of was revoked or annulled (撤回); nothing follows
    corrected   its values were wrong (更正): the record named as its replacement has the right ones

An act holds for the record, that is for all revisions of one natural key: a row that is published once more does not
bring back what was repaired. Only a correction holds for the values it names, and for those before them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from node.core.state import CORRECT, REPAIR, RESUME, REVIEW, SUSPEND, WITHDRAW, Act, Place


class RecordState(StrEnum):
    """How a record stands."""

    IN_FORCE = "in force"
    SUSPENDED = "suspended"
    REPAIRED = "repaired"
    WITHDRAWN = "withdrawn"
    CORRECTED = "corrected"


TRANSITIONS: Mapping[tuple[RecordState, int], RecordState] = {
    (RecordState.IN_FORCE, CORRECT): RecordState.IN_FORCE,
    (RecordState.IN_FORCE, REVIEW): RecordState.IN_FORCE,
    (RecordState.IN_FORCE, REPAIR): RecordState.REPAIRED,
    (RecordState.IN_FORCE, WITHDRAW): RecordState.WITHDRAWN,
    (RecordState.IN_FORCE, SUSPEND): RecordState.SUSPENDED,
    (RecordState.SUSPENDED, CORRECT): RecordState.SUSPENDED,
    (RecordState.SUSPENDED, REVIEW): RecordState.SUSPENDED,
    (RecordState.SUSPENDED, REPAIR): RecordState.REPAIRED,
    (RecordState.SUSPENDED, WITHDRAW): RecordState.WITHDRAWN,
    (RecordState.SUSPENDED, RESUME): RecordState.IN_FORCE,
    # A decision may be annulled after it was repaired; what was repaired or withdrawn never comes back.
    (RecordState.REPAIRED, WITHDRAW): RecordState.WITHDRAWN,
}
"""What a record becomes by an act; what is not here may not follow."""

BURDENING = frozenset({RESUME})
"""The acts that are not in the subject's favour: none has effect before its date, nor above a cut."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How the values at one place stand, and the acts that had effect, oldest first."""

    state: RecordState = RecordState.IN_FORCE
    acts: tuple[Act, ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether the values may be published, shared and used."""
        return self.state is RecordState.IN_FORCE


def condition(place: Place, acts: Sequence[Act], latest_ms: int) -> Condition:
    """How the values at a place stand by the acts on their record, at a time; see Act for their order."""
    state, effective = RecordState.IN_FORCE, []
    for act in sorted(acts):
        following = TRANSITIONS.get((state, act.kind))
        is_early = act.kind in BURDENING and act.at_ms > latest_ms
        if following is not None and not is_early:
            state = following
            effective.append(act)
    is_wrong = any(act.kind == CORRECT and place <= act.target for act in effective)
    if is_wrong and state in (RecordState.IN_FORCE, RecordState.SUSPENDED):
        state = RecordState.CORRECTED
    return Condition(state, tuple(effective))
