"""The fold of a list's entries: which operations count, and what became of each slot.

Whether an operation is valid hangs on its own entry, the manifest in force there and its origin, and on nothing that
may be erased: so all holders agree on the members, in whatever order epochs arrive. Whether it had effect hangs on the
other operations on the same listing (node.core.listing), and is only counted here.

    structural   VERDICT_LIST, _WARRANT, _AUTHORITY, _DATES, _MEASURE: the operation is void
    in order     VERDICT_LIST_TARGET, _STATE: the operation is valid, and does nothing as things stand
    content      VERDICT_LIST_SUBJECT, _PERSON, _MINOR, VERDICT_REASON: the listing stands, and names nobody
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from node.core.entry import VerifiedBody
from node.core.identifiers import (
    holds_resident_id,
    is_uscc,
    iso_date,
    resident_birth_date,
    resident_id_fault,
)
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_type import FOLDER
from node.core.list_warrant import is_sufficient, signatures_on, warrant_in
from node.core.listing import (
    AMEND,
    BURDENING,
    ENTER,
    NARROWING,
    Listing,
    ListOperation,
    following,
    list_slot,
    listing_of,
    operation_of,
)
from node.core.particulars import fault_of
from node.core.state import APPLIED, ERASED, REJECTED, Applied, OutcomeKey, Place, Unfolded, day_of
from node.pb import channel_pb2, listing_pb2

ADULT_YEARS = 18
BARRED_LIST_CODES = frozenset({"VERDICT_LIST_MINOR", "VERDICT_LIST_PERSON", "VERDICT_REASON"})
"""What a receiver keeps only the commitment of."""

FindOperations = Callable[[Iterable[Place]], Mapping[Place, Sequence[ListOperation]]]
"""The asserted operations on listings, by the place of the listing."""

_GOOD: OutcomeKey = (APPLIED, "")


@dataclass(frozen=True, slots=True)
class JudgedOperation:
    """An operation and whether it is valid, None before it is folded; subject is whom it enters, where it may be said.

    What stands under a warrant that was erased is never folded: it holds only where it is in the subject's favour.
    """

    operation: ListOperation
    is_valid: bool | None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class FoldedList:
    """What an entry of a list does: its outcomes as of any entry, and its operations."""

    applied: Applied
    operations: Sequence[JudgedOperation] = ()


def is_list(channel: str) -> bool:
    """Whether a channel is a list by its name."""
    return channel.partition("/")[2].startswith(FOLDER)


def fold_list(
    entry: Unfolded, find: FindOperations, limits: Limits = DEFAULT_LIMITS, *, lacks_earlier: bool = False
) -> FoldedList | None:
    """What the next entry does to its list; None while the registry may yet tell that its origin has the authority.

    lacks_earlier: something of an earlier epoch is not here yet, so that nobody can say that an operation on a listing
    of before does nothing.
    """
    header, judge = entry.header, _Judge(entry, limits)
    if judge.awaits_authority:
        return None
    judged = judge.judged()
    held = find(each.operation.target for each in judged if each.is_valid and each.operation.act != ENTER)
    told = _in_order(judged, held)
    if lacks_earlier:
        earlier = {each.operation.place.position for each in judged if each.operation.target.epoch < header.epoch}
        told = [(position, _GOOD if position in earlier else outcome) for position, outcome in told]
    outcomes = [*judge.outcomes(), *told]
    # Of what is said of one slot the first word counts.
    by_position = dict(reversed(outcomes))
    counts = Counter(by_position[position] for position in range(header.record_count))
    barred = [position for position, (_, code) in sorted(by_position.items()) if code in BARRED_LIST_CODES]
    return FoldedList(Applied(header.channel, header.epoch, header.index, barred=barred, counts=dict(counts)), judged)


def narrowing_in(
    header: channel_pb2.EntryHeader, body: VerifiedBody | None, limits: Limits = DEFAULT_LIMITS
) -> list[JudgedOperation]:
    """The operations of an authentic entry that are in their subjects' favour: they hold before they are folded."""
    if header.kind != channel_pb2.ENTRY_KIND_LIST or body is None or not is_list(header.channel):
        return []
    found = _operations(header, body, limits).values()
    return [JudgedOperation(operation, None) for operation in found if operation.act in NARROWING]


def _operations(header: channel_pb2.EntryHeader, body: VerifiedBody | None, limits: Limits) -> dict[int, ListOperation]:
    slots = body.records if body is not None else ()
    read = {at: list_slot(slot[1]) for at, slot in enumerate(slots) if slot is not None}
    found = {at: operation_of(header, at, slot.op, limits) for at, slot in read.items() if slot and slot.HasField("op")}
    return {at: operation for at, operation in found.items() if operation is not None}


def _in_order(
    judged: Sequence[JudgedOperation], held: Mapping[Place, Sequence[ListOperation]]
) -> list[tuple[int, OutcomeKey]]:
    """Whether each valid operation has effect, after what is held and what stands before it in its entry."""
    outcomes: list[tuple[int, OutcomeKey]] = []
    listings: dict[Place, Listing | None] = {}
    for operation in sorted(each.operation for each in judged if each.is_valid):
        target, entry = operation.target, Place(operation.place.epoch, operation.place.index, 0)
        if target not in listings:
            listings[target] = listing_of(each for each in held.get(target, ()) if each.place < entry)
        after = following(listings[target], operation)
        code = "" if after is not None else "VERDICT_LIST_STATE" if listings[target] else "VERDICT_LIST_TARGET"
        outcomes.append((operation.place.position, (REJECTED, code) if code else _GOOD))
        listings[target] = after or listings[target]
    return outcomes


class _Judge:
    """One entry, read once."""

    def __init__(self, entry: Unfolded, limits: Limits) -> None:
        self._entry, self._limits = entry, limits
        self._list = entry.manifest.list
        self._is_public = entry.manifest.disclosure == channel_pb2.DISCLOSURE_CLASS_A
        body = entry.body
        self._slots = body.records if body is not None else (None,) * entry.header.record_count
        self._read = {at: list_slot(slot[1]) for at, slot in enumerate(self._slots) if slot is not None}
        self.operations = _operations(entry.header, body, limits)
        self._warrant_fault = self._fault_of_warrant()
        self._on_words: dict[int, list[ListOperation]] = {}
        for operation in self.operations.values():
            self._on_words.setdefault(operation.particulars, []).append(operation)
        self._words = {at: self._outcome_of_words(at) for at in self._positions("particulars")}

    @property
    def awaits_authority(self) -> bool:
        """Whether only the authority is missing, and the registry may list it without our having read so."""
        burdens = any(operation.act in BURDENING for operation in self.operations.values())
        return burdens and not self._warrant_fault and not self._speaks and not self._entry.settled

    @property
    def _speaks(self) -> bool:
        """Whether the origin may speak for the authority that determines the list."""
        return self._entry.origin.may_speak_for(self._list.authority, self._entry.header.issued_at_unix_ms)

    def judged(self) -> list[JudgedOperation]:
        """The operations, each with its standing; under an erased warrant only those in the subject's favour."""
        operations = self.operations.values()
        if self._is_warrant_gone:
            return [JudgedOperation(each, None) for each in operations if each.act in NARROWING]
        return [JudgedOperation(each, not self._fault_of(each), self._subject_of(each)) for each in operations]

    def outcomes(self) -> list[tuple[int, OutcomeKey]]:
        """What became of each slot; nothing is said of operations that are valid."""
        header, last = self._entry.header, self._entry.header.record_count - 1
        outcomes: list[tuple[int, OutcomeKey]] = []
        for position in range(header.record_count):
            slot = self._read.get(position)
            if self._slots[position] is None:
                outcomes.append((position, (ERASED, "")))
            elif header.issued_at_unix_ms > self._limits.max_time_unix_ms:
                outcomes.append((position, (REJECTED, "VERDICT_FUTURE")))
            elif position in self.operations:
                fault = self._fault_of(self.operations[position])
                outcomes += [(position, (REJECTED, fault))] if fault else []
            elif position in self._words:
                outcomes.append((position, self._words[position]))
            elif slot is not None and slot.HasField("warrant") and position == last:
                outcomes.append((position, (REJECTED, self._warrant_fault) if self._warrant_fault else _GOOD))
            else:
                outcomes.append((position, (REJECTED, "VERDICT_LIST")))
        return outcomes

    # -- structure

    @property
    def _is_warrant_gone(self) -> bool:
        return bool(self._slots) and self._slots[-1] is None

    def _fault_of_warrant(self) -> str:
        entry = self._entry
        if not is_list(entry.header.channel) or not entry.manifest.HasField("list"):
            return "VERDICT_LIST"
        if entry.body is None or warrant_in(entry.body) is None:
            return "VERDICT_LIST_WARRANT"
        signed = signatures_on(entry.header, entry.body, self._limits)
        return "" if is_sufficient(signed, self._list.kind) else "VERDICT_LIST_WARRANT"

    def _fault_of(self, operation: ListOperation) -> str:
        """Why an operation is void; empty where it is valid."""
        if self._warrant_fault:
            return self._warrant_fault
        slot = self._read.get(operation.particulars)
        if slot is not None and not slot.HasField("particulars"):
            return "VERDICT_LIST"
        if operation.act not in BURDENING:
            return ""
        if not self._speaks:
            return "VERDICT_LIST_AUTHORITY"
        if not self._are_dates_sound(operation):
            return "VERDICT_LIST_DATES"
        return "" if set(operation.measures) <= set(self._list.measures) else "VERDICT_LIST_MEASURE"

    def _are_dates_sound(self, operation: ListOperation) -> bool:
        """Whether the subject was told before the entry was issued, and the last day is within the list's term."""
        slot = self._read[operation.place.position]
        assert slot is not None
        if slot.op.notice_served > day_of(operation.at_ms):
            return False
        if operation.act not in (ENTER, AMEND):
            return True
        decided, until = iso_date(operation.decided_on), iso_date(operation.until)
        assert decided is not None
        assert until is not None
        return decided <= until <= term_end(decided, self._list.term_months)

    # -- content

    def _positions(self, content: str) -> list[int]:
        return [at for at, slot in self._read.items() if slot is not None and slot.WhichOneof("content") == content]

    def _subject_of(self, operation: ListOperation) -> str | None:
        if operation.act != ENTER or self._words.get(operation.particulars) != _GOOD:
            return None
        slot = self._read[operation.particulars]
        assert slot is not None
        return slot.particulars.subject

    def _outcome_of_words(self, position: int) -> OutcomeKey:
        slot = self._read[position]
        assert slot is not None
        code = self._fault_of_words(slot.particulars, self._on_words.get(position, ()))
        return (REJECTED, code) if code else _GOOD

    def _fault_of_words(self, words: listing_pb2.ListParticulars, operations: Sequence[ListOperation]) -> str:
        """What is wrong with the words of operations; what must not be kept counts, whatever else is wrong beside."""
        is_person = resident_id_fault(words.subject) is None
        if is_person and any(is_minor(words.subject, each.decided_on) for each in operations):
            return "VERDICT_LIST_MINOR"
        if is_person and self._is_public:
            return "VERDICT_LIST_PERSON"
        texts = (words.subject_name, words.decision, words.reason)
        if self._is_public and any(holds_resident_id(text) for text in texts):
            return "VERDICT_REASON"
        if not operations or not _are_complete(words, self._limits):
            return "VERDICT_LIST"
        enters = {each.act == ENTER for each in operations}
        names = bool(words.subject or words.subject_name)
        is_sound = is_person or is_uscc(words.subject)
        return "" if enters == {names} and (is_sound or not names) else "VERDICT_LIST_SUBJECT"


def _are_complete(words: listing_pb2.ListParticulars, limits: Limits) -> bool:
    """Whether decision and reason are there, and all texts within the limits and readable."""
    name = words.subject_name
    return not (
        fault_of(words.decision, limits.max_decision_chars)
        or fault_of(words.reason, limits.max_reason_chars)
        or (name and fault_of(name, limits.max_subject_name_chars))
    )


def is_minor(resident_id: str, day: str) -> bool:
    """Whether the person with a resident identity number is under age on a day, YYYY-MM-DD (R-INC-1)."""
    born, on = resident_birth_date(resident_id), iso_date(day)
    if born is None or on is None:
        return False
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day)) < ADULT_YEARS


def within_term(listing: Listing, months: int) -> Listing:
    """The listing with no later last day than its list's term allows from the decision that entered it.

    The fold judges each operation by itself, as no order may matter: amendment after amendment could go on for ever.
    """
    decided = iso_date(listing.decided_on)
    assert decided is not None
    return replace(listing, until=min(listing.until, term_end(decided, months).isoformat()))


def term_end(decided_on: date, months: int) -> date:
    """The last day that a listing may have by its list's term: the same day of the month, or the last before it."""
    years, month = divmod(decided_on.year * 12 + decided_on.month - 1 + months, 12)
    if years > date.max.year:
        return date.max
    day = decided_on.day
    while True:
        try:
            return date(years, month + 1, day)
        except ValueError:
            day -= 1
