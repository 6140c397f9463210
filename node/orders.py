"""Orders: what an operator's order on a record of this node comes to, as status operations for publishing to sign."""

from collections.abc import Iterator

from node.admission import header_of, is_own
from node.conditions import Conditions
from node.core import envelope as envelopes
from node.core.acts import TRANSITIONS, Condition
from node.core.entry import open_body
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.particulars import fault_of, name_a_person
from node.core.state import ACTING, ERASING, Act, Place
from node.pb import channel_pb2, record_pb2
from node.ports import Store, View

Ordered = tuple[list[record_pb2.StatusOp], record_pb2.StatusParticulars]
"""The operations of one status entry, and what it says of all of them."""


class Orders:
    """Reads out of the store what an order names."""

    def __init__(self, view: View, store: Store, conditions: Conditions, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._store = store
        self._conditions = conditions
        self._limits = limits

    # -- what every order needs -------------------------------------------------------------------------

    def check(self, channel: str, place: Place, particulars: record_pb2.StatusParticulars) -> None:
        """See that the record is ours and the decision is named; raises RECORD_UNKNOWN and more.

        RECORD_NOT_OURS, ARGUMENT_INVALID for what is missing or too long, VERDICT_REASON for what may not be public.
        """
        held = self._store.channel(channel)
        if held is None:
            raise self._unknown(channel, place, "no such channel is held")
        if not is_own(self._view, channel):
            raise XinqiaoError("RECORD_NOT_OURS", ref=ref_of(channel, place), origin=held.origin)
        bounds = {"decision": self._limits.max_decision_chars, "reason": self._limits.max_reason_chars}
        for name, limit in bounds.items():
            fault = fault_of(getattr(particulars, name), limit)
            if fault:
                raise XinqiaoError("ARGUMENT_INVALID", argument=f"--{name}", detail=fault)
        if held.manifest.disclosure == channel_pb2.DISCLOSURE_CLASS_A and name_a_person(particulars):
            raise XinqiaoError("VERDICT_REASON")

    def _unknown(self, channel: str, place: Place, detail: str) -> XinqiaoError:
        return XinqiaoError("RECORD_UNKNOWN", ref=ref_of(channel, place), detail=detail, channel=channel)

    # -- erasure ----------------------------------------------------------------------------------------

    def erasing(self, channel: str, place: Place) -> list[record_pb2.StatusOp]:
        """The operations that erase a record in force and every other one of its key; it comes last.

        Raises RECORD_UNKNOWN.
        """
        if self._store.record(channel, place) is None:
            raise self._unknown(channel, place, "no such record in force")
        others = [other for other in self._store.revisions(channel, place) if other != place]
        # What decisions on the record say of it goes with it; that they were taken, stays.
        words = [Place(act.place.epoch, act.place.index, act.particulars) for act in self._store.acts(channel, place)]
        places = [*words, *others, place]
        commitments: dict[Place, bytes] = {}
        for epoch, index in dict.fromkeys((each.epoch, each.index) for each in places):
            commitments |= self.commitments_of(channel, epoch, index)
        return [erase_op(channel, each, commitments[each]) for each in places if each in commitments]

    def commitments_of(self, channel: str, epoch: int, index: int) -> dict[Place, bytes]:
        """The commitments of the slots of an entry, none where its body is not held."""
        entry = self._store.entry(channel, epoch, index)
        if entry is None or entry.body is None:
            return {}
        header = envelopes.parse(channel_pb2.EntryHeader, entry.envelope.payload)
        found = open_body(header, entry.body, self._limits).commitments
        return {Place(epoch, index, position): commitment for position, commitment in enumerate(found)}

    # -- acts -------------------------------------------------------------------------------------------

    def find(self, channel: str, place: Place, kind: int, decision: str) -> Act | None:
        """The act that this decision has had on a record in force, None where it is still to be written.

        Raises RECORD_UNKNOWN, RECORD_STATE for what may not follow.
        """
        if self._store.record(channel, place) is None:
            raise self._unknown(channel, place, self._absence(channel, place))
        stands = self._conditions.of(channel, place)
        if self._is_done(channel, stands, kind, decision):
            return stands.acts[-1]
        if (stands.state, kind) not in TRANSITIONS:
            raise self._state_error(channel, place, stands, kind)
        return None

    def _absence(self, channel: str, place: Place) -> str:
        revisions = self._store.revisions(channel, place)
        latest = next((each for each in reversed(revisions) if self._store.record(channel, each)), None)
        if latest is None:
            return "no such record in force"
        return f"the revision in force is {ref_of(channel, latest)}"

    def _is_done(self, channel: str, stands: Condition, kind: int, decision: str) -> bool:
        """Whether the last act on a record is this one: an order that is given twice is one act."""
        last = stands.acts[-1] if stands.acts else None
        return last is not None and last.kind == kind and self._decision(channel, last) == decision

    def _decision(self, channel: str, act: Act) -> str:
        return self._conditions.particulars(channel, act).decision

    def _state_error(self, channel: str, place: Place, stands: Condition, kind: int) -> XinqiaoError:
        decisions = [self._decision(channel, act) for act in stands.acts[-1:]]
        return XinqiaoError(
            "RECORD_STATE",
            ref=ref_of(channel, place),
            standing=stands.state.value,
            decision=next(iter(decisions), "") or "-",
            action=record_pb2.StatusKind.Name(kind).removeprefix("STATUS_KIND_").lower(),
        )

    def above(self, channel: str, cut: channel_pb2.CutReference) -> list[Ordered]:
        """What entries above a cut have ordered of records below it."""
        found: list[Ordered] = []
        for entry in self._store.entries(channel, cut.epoch, cut.size):
            header = header_of(entry)
            if header.kind == channel_pb2.ENTRY_KIND_STATUS:
                body = channel_pb2.EntryBody.FromString(entry.body or b"")
                slots = [record_pb2.StatusSlot.FromString(slot.record) for slot in body.slots]
                ops = [slot.op for slot in slots if _erases_below(slot.op, cut)]
                ops += [op for slot in slots for op in self._acting_below(slot.op, header, cut)]
                told = next((slot.particulars for slot in slots if slot.HasField("particulars")), None)
                if ops and told is not None:
                    found.append((ops, told))
        return found

    def _acting_below(
        self, op: record_pb2.StatusOp, header: channel_pb2.EntryHeader, cut: channel_pb2.CutReference
    ) -> Iterator[record_pb2.StatusOp]:
        """An act above a cut again, on the latest revision below it: readers that come late know of no other."""
        target = op.target
        revisions = self._store.revisions(header.channel, Place(target.epoch, target.index, target.position))
        below = [place for place in revisions if (place.epoch, place.index) < (cut.epoch, cut.size)]
        if op.kind in ACTING and below:
            again = record_pb2.StatusOp()
            again.CopyFrom(op)
            again.target.CopyFrom(_ref(header.channel, below[-1]))
            again.effective_at_unix_ms = op.effective_at_unix_ms or header.issued_at_unix_ms
            yield again


def _erases_below(op: record_pb2.StatusOp, cut: channel_pb2.CutReference) -> bool:
    """Whether a status operation erases something that a cut has left in force."""
    below = (op.target.epoch, op.target.index) < (cut.epoch, cut.size)
    return op.kind in ERASING and below


def erase_op(channel: str, place: Place, commitment: bytes) -> record_pb2.StatusOp:
    """The operation that erases one slot."""
    return record_pb2.StatusOp(kind=record_pb2.STATUS_KIND_ERASE, target=_ref(channel, place), commitment=commitment)


def act_op(channel: str, place: Place, kind: int, replacement: Place | None = None) -> record_pb2.StatusOp:
    """The operation that changes how a record stands."""
    op = record_pb2.StatusOp(kind=record_pb2.StatusKind.Name(kind), target=_ref(channel, place))
    if replacement is not None:
        op.replacement.CopyFrom(_ref(channel, replacement))
    return op


def ref_of(channel: str, place: Place) -> str:
    """The place of a record as people write it."""
    return f"{channel} {place.epoch}/{place.index}/{place.position}"


def _ref(channel: str, place: Place) -> record_pb2.RecordRef:
    return record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position)
