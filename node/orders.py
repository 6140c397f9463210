"""Orders: what an operator's order on a record of this node comes to, as status operations for publishing to sign."""

from collections.abc import Iterator, Sequence

from node.admission import header_of, is_own
from node.conditions import Conditions
from node.core import envelope as envelopes
from node.core.acts import TRANSITIONS, Condition, RecordState
from node.core.entry import HeadAt, open_body
from node.core.errors import XinqiaoError
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.particulars import fault_of, name_a_person
from node.core.record import Candidate, Defect
from node.core.state import ACTING, CORRECT, ERASING, REVIEW, Act, Place
from node.lifting import lifted_above
from node.pb import channel_pb2, record_pb2
from node.ports import HeldChannel, Store, View

Ordered = tuple[list[record_pb2.StatusOp], record_pb2.StatusParticulars]
"""The operations of one status entry, and what it says of all of them."""


class Orders:
    """Reads out of the store what an order names."""

    def __init__(self, view: View, store: Store, conditions: Conditions, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._store = store
        self._conditions = conditions
        self._limits = limits
        self._looked_above: dict[ChannelEpoch, HeadAt] = {}

    # -- what every order needs -------------------------------------------------------------------------

    def check(self, channel: str, place: Place, particulars: record_pb2.StatusParticulars) -> None:
        """See that the record is ours and the decision is named; raises RECORD_UNKNOWN and more.

        RECORD_NOT_OURS, ARGUMENT_INVALID for what is missing or too long, VERDICT_REASON for what may not be public.
        """
        held = self._own(channel, place)
        bounds = {"decision": self._limits.max_decision_chars, "reason": self._limits.max_reason_chars}
        for name, limit in bounds.items():
            fault = fault_of(getattr(particulars, name), limit)
            if fault:
                raise XinqiaoError("ARGUMENT_INVALID", argument=f"--{name}", detail=fault)
        if held.manifest.disclosure == channel_pb2.DISCLOSURE_CLASS_A and name_a_person(particulars):
            raise XinqiaoError("VERDICT_REASON")

    def _own(self, channel: str, place: Place) -> HeldChannel:
        held = self._store.channel(channel)
        if held is None:
            raise self._unknown(channel, place, "no such channel is held")
        if not is_own(self._view, channel):
            raise XinqiaoError("RECORD_NOT_OURS", ref=ref_of(channel, place), origin=held.origin)
        return held

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

    def values_at(self, channel: str, place: Place) -> bytes:
        """The record of ours at a place, in force or replaced; raises RECORD_UNKNOWN, RECORD_NOT_OURS."""
        self._own(channel, place)
        content = self._content_at(channel, place) if self._store.revisions(channel, place) else None
        if content is None:
            raise self._unknown(channel, place, "no such record in force")
        return content

    def _content_at(self, channel: str, place: Place) -> bytes | None:
        entry = self._store.entry(channel, place.epoch, place.index)
        slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots if entry is not None else ()
        return slots[place.position].record or None if place.position < len(slots) else None

    def find_correction(self, channel: str, place: Place, candidate: Candidate, decision: str) -> Place | None:
        """Where this decision has put these values in place of others, None where it is still to be done.

        Raises RECORD_UNKNOWN, RECORD_STATE, ARGUMENT_INVALID where the values change nothing.
        """
        stands = self._conditions.of(channel, place)
        for act in stands.acts:
            is_it = act.kind == CORRECT and place in (act.target, act.replacement)
            if is_it and self._decision(channel, act) == decision and self._says(channel, act.replacement, candidate):
                return act.replacement
        known = self._store.find_keys(channel, [candidate.key]).get(candidate.key)
        is_begun = known is not None and known.place > place and self._says(channel, known.place, candidate)
        if self._store.record(channel, place) is None and not is_begun:
            raise self._unknown(channel, place, self._absence(channel, place))
        if (stands.state, CORRECT) not in TRANSITIONS:
            raise self._state_error(channel, place, stands, CORRECT)
        if self._says(channel, place, candidate):
            raise XinqiaoError("ARGUMENT_INVALID", argument="--set", detail="the record says so already")
        if known is None or known.place not in self._store.revisions(channel, place):
            self._check_another(channel, place, known.place if known is not None else None, stands)
        return None

    def _check_another(self, channel: str, place: Place, other: Place | None, stands: Condition) -> None:
        """The right values belong to another record: neither of the two may be stopped, or the stop would be lost."""
        if stands.state is RecordState.SUSPENDED:
            raise self._state_error(channel, place, stands, CORRECT)
        found = self._conditions.of(channel, other) if other is not None else Condition()
        if other is not None and not found.is_answered:
            raise self._state_error(channel, other, found, CORRECT)

    def _says(self, channel: str, place: Place | None, candidate: Candidate) -> bool:
        return place is not None and self._content_at(channel, place) == candidate.record

    def stopped(self, channel: str, candidates: Sequence[Candidate]) -> dict[int, Defect]:
        """By index, why a record may not be published once more: a decision has stopped it, or corrected its values."""
        conditions = self._conditions.in_force(channel)
        held = self._store.find_keys(channel, [each.key for each in candidates]) if conditions else {}
        found: dict[int, Defect] = {}
        for at, candidate in enumerate(candidates):
            known = held.get(candidate.key)
            stands = conditions.get(known.place) if known is not None else None
            # The same values once more are a duplicate, and bring nothing back.
            if known is not None and stands is not None and known.content_hash != candidate.content_hash:
                defect = self._bar(channel, stands, candidate)
                found |= {at: defect} if defect is not None else {}
        return found

    def _bar(self, channel: str, stands: Condition, candidate: Candidate) -> Defect | None:
        if stands.state not in (RecordState.IN_FORCE, RecordState.SUSPENDED):
            decision = self._decision(channel, stands.acts[-1]) or "-"
            return Defect("RECORD_STOPPED", params={"standing": stands.state.value, "decision": decision})
        wrong = (act for act in stands.acts if act.kind == CORRECT and self._says(channel, act.target, candidate))
        for act in wrong:
            return Defect("RECORD_CORRECTED", params={"decision": self._decision(channel, act) or "-"})
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

    def has_any_above(self, held: HeldChannel, open_epoch: int) -> bool:
        """Whether a log that no later epoch follows yet orders anything above its cut; looked up once for each cut."""
        cut, newest = held.log.cut, self._store.channel(held.log.channel)
        is_last = newest is not None and newest.key == held.key and held.log.epoch < open_epoch
        if cut is None or not is_last or self._looked_above.get(held.key) == cut:
            return False
        self._looked_above[held.key] = cut
        channel = held.log.channel
        reference = channel_pb2.CutReference(epoch=held.log.epoch, size=cut.size, root=cut.root)
        return bool(self.above(channel, reference)) or any(lifted_above(self._store, channel, reference, self._limits))

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
        if op.kind == REVIEW:
            # It is for the values it names, and for no others of the key.
            below = [place for place in below if place == Place(target.epoch, target.index, target.position)]
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
