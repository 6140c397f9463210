"""Listings: who stands on a joint list, by the operations of the list's own channel and nothing else.

A listing is named by the place of the operation that entered it. How it stands is a function of the set of its
operations, taken in the order of their places: an earlier epoch may arrive after a later one, and nothing depends on
it. Exit, repair and annulment end a listing for good; a later decision is another listing.

    element of a live member = SHA-256 input of node.core.muhash:
        "xinqiao/list-member/v1\\n" epoch "/" index "/" position "\\n" state "\\n" until "\\n" measures "\\n"

The element holds no subject: digests stay true when a subject is erased.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from node.core import envelope as envelopes
from node.core.entry import VerifiedBody
from node.core.errors import XinqiaoError
from node.core.identifiers import iso_date
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.state import Place
from node.core.workdays import china_day
from node.pb import channel_pb2, listing_pb2, record_pb2

ENTER: int = listing_pb2.LIST_ACT_ENTER
AMEND: int = listing_pb2.LIST_ACT_AMEND
SUSPEND: int = listing_pb2.LIST_ACT_SUSPEND
RESUME: int = listing_pb2.LIST_ACT_RESUME
EXIT: int = listing_pb2.LIST_ACT_EXIT

CONDITIONS_MET: int = listing_pb2.EXIT_GROUND_CONDITIONS_MET
GROUND_REPAIRED: int = listing_pb2.EXIT_GROUND_REPAIRED
GROUND_ANNULLED: int = listing_pb2.EXIT_GROUND_ANNULLED

BURDENING = frozenset({ENTER, AMEND, RESUME})
"""The acts that are not in the subject's favour: none has effect before its date, nor above a cut."""

NARROWING = frozenset({SUSPEND, EXIT})
"""The acts in the subject's favour: they hold from the moment their entry is stored, also above a cut."""


class ListState(StrEnum):
    """How a listing stands."""

    LISTED = "listed"
    SUSPENDED = "suspended"
    EXITED = "exited"
    REPAIRED = "repaired"
    ANNULLED = "annulled"


LIVE = frozenset({ListState.LISTED, ListState.SUSPENDED})
"""The states in which a listing is a member of its list."""

ENDS: Mapping[int, ListState] = {
    CONDITIONS_MET: ListState.EXITED,
    GROUND_REPAIRED: ListState.REPAIRED,
    GROUND_ANNULLED: ListState.ANNULLED,
}
"""What a listing becomes by an exit, by its ground."""

TRANSITIONS: Mapping[tuple[ListState | None, int, int], ListState] = {
    (None, ENTER, 0): ListState.LISTED,
    (ListState.LISTED, AMEND, 0): ListState.LISTED,
    (ListState.LISTED, SUSPEND, 0): ListState.SUSPENDED,
    (ListState.LISTED, EXIT, CONDITIONS_MET): ListState.EXITED,
    (ListState.LISTED, EXIT, GROUND_REPAIRED): ListState.REPAIRED,
    (ListState.LISTED, EXIT, GROUND_ANNULLED): ListState.ANNULLED,
    (ListState.SUSPENDED, AMEND, 0): ListState.SUSPENDED,
    (ListState.SUSPENDED, RESUME, 0): ListState.LISTED,
    (ListState.SUSPENDED, EXIT, CONDITIONS_MET): ListState.EXITED,
    (ListState.SUSPENDED, EXIT, GROUND_REPAIRED): ListState.REPAIRED,
    (ListState.SUSPENDED, EXIT, GROUND_ANNULLED): ListState.ANNULLED,
    # A decision may be annulled after its end; what has ended never comes back.
    (ListState.EXITED, EXIT, GROUND_ANNULLED): ListState.ANNULLED,
    (ListState.REPAIRED, EXIT, GROUND_ANNULLED): ListState.ANNULLED,
}
"""What a listing becomes by an operation of an act and ground; what is not here may not follow."""


@dataclass(frozen=True, slots=True, order=True)
class ListOperation:
    """What one operation does to a listing; place is its own, target that of the listing, the same where it enters.

    at_ms is when its entry was issued, Unix ms. decided_on and until are days, YYYY-MM-DD, until empty but where a
    listing is entered or amended. particulars is the position of the words, in the same entry.
    """

    place: Place
    act: int
    target: Place
    at_ms: int
    decided_on: str
    until: str
    measures: tuple[str, ...]
    ground: int
    particulars: int


@dataclass(frozen=True, slots=True)
class Listing:
    """How a listing stands. until and measures are those in force, last the place of the last operation with effect.

    operations are those that had effect, oldest first.
    """

    place: Place
    state: ListState
    until: str
    measures: tuple[str, ...]
    decided_on: str
    at_ms: int
    last: Place
    operations: tuple[ListOperation, ...]

    @property
    def is_live(self) -> bool:
        """Whether it is a member of its list."""
        return self.state in LIVE

    def binds(self, now_ms: int) -> bool:
        """Whether it has effect at a time: listed, begun, and not past its last day (China Standard Time)."""
        today = china_day(now_ms).isoformat()
        return self.state is ListState.LISTED and self.at_ms <= now_ms and self.decided_on <= today <= self.until


def listing_of(operations: Iterable[ListOperation], latest_ms: int | None = None) -> Listing | None:
    """How a listing stands by its operations, in whatever order they are given; None where none has entered it.

    latest_ms leaves burdening operations that are dated later out of account.
    """
    listing: Listing | None = None
    for operation in sorted(operations):
        is_early = latest_ms is not None and operation.act in BURDENING and operation.at_ms > latest_ms
        if not is_early:
            listing = following(listing, operation) or listing
    return listing


def following(listing: Listing | None, operation: ListOperation) -> Listing | None:
    """How a listing stands after one more operation, which is later than all before; None where it may not follow."""
    state = TRANSITIONS.get((listing.state if listing is not None else None, operation.act, operation.ground))
    if state is None:
        return None
    renewed = operation if operation.act in (ENTER, AMEND) or listing is None else listing
    entered = operation if listing is None else listing
    return Listing(
        place=operation.target,
        state=state,
        until=renewed.until,
        measures=renewed.measures,
        decided_on=entered.decided_on,
        at_ms=entered.at_ms,
        last=operation.place,
        operations=(*(listing.operations if listing is not None else ()), operation),
    )


def member_element(listing: Listing | None) -> bytes | None:
    """What a listing adds to the digest of its list; None where it is no member."""
    if listing is None or not listing.is_live:
        return None
    place = f"{listing.place.epoch}/{listing.place.index}/{listing.place.position}"
    measures = ",".join(listing.measures)
    return f"xinqiao/list-member/v1\n{place}\n{listing.state}\n{listing.until}\n{measures}\n".encode()


# --- Operations as they arrive ------------------------------------------------------------------------------


def list_slot(content: bytes) -> listing_pb2.ListSlot | None:
    """What a slot of a list's entry holds; None where that cannot be read."""
    try:
        slot = envelopes.parse(listing_pb2.ListSlot, content)
    except XinqiaoError:
        return None
    return slot if slot.WhichOneof("content") else None


def operations_in(
    header: channel_pb2.EntryHeader, body: VerifiedBody | None, limits: Limits = DEFAULT_LIMITS
) -> list[ListOperation]:
    """The well-formed operations of an authentic entry of a list, in the order of its slots; nothing else is judged."""
    if header.kind != channel_pb2.ENTRY_KIND_LIST or body is None:
        return []
    slots = [list_slot(slot[1]) if slot is not None else None for slot in body.records]
    ops = [(at, slot.op) for at, slot in enumerate(slots) if slot is not None and slot.HasField("op")]
    found = [operation_of(header, at, op, limits) for at, op in ops]
    return [operation for operation in found if operation is not None]


def operation_of(
    header: channel_pb2.EntryHeader, position: int, op: listing_pb2.ListOp, limits: Limits = DEFAULT_LIMITS
) -> ListOperation | None:
    """What one operation at a position of an entry does; None where its parts contradict each other."""
    place = Place(header.epoch, header.index, position)
    target = place if op.act == ENTER else _earlier(header, op.entry)
    has_particulars = 0 < op.particulars_slot <= header.record_count and op.particulars_slot - 1 != position
    if target is None or not has_particulars or not 0 < header.issued_at_unix_ms <= limits.max_time_unix_ms:
        return None
    if not _is_shaped(op) or not _are_ordered(op.measures, limits):
        return None
    return ListOperation(
        place=place,
        act=op.act,
        target=target,
        at_ms=header.issued_at_unix_ms,
        decided_on=op.decided_on,
        until=op.until,
        measures=tuple(op.measures),
        ground=op.ground,
        particulars=op.particulars_slot - 1,
    )


def _is_shaped(op: listing_pb2.ListOp) -> bool:
    """Whether exactly what an act needs is set, and its days are days."""
    enters, renews = op.act == ENTER, op.act in (ENTER, AMEND)
    days = [op.decided_on, *([op.until] if renews else []), *([op.notice_served] if enters else [])]
    return (
        op.act in (BURDENING | NARROWING)
        and op.HasField("entry") != enters
        and bool(op.notice_served) == enters
        and bool(op.until) == renews
        and (renews or not op.measures)
        and (op.ground in ENDS if op.act == EXIT else op.ground == 0)
        and all(iso_date(day) is not None for day in days)
    )


def _are_ordered(measures: Sequence[str], limits: Limits) -> bool:
    """Whether measure codes are few, short, ascending and each there once."""
    is_bounded = len(measures) <= limits.max_list_measures and all(
        0 < len(code) <= limits.max_measure_code_chars and code.isprintable() and "," not in code for code in measures
    )
    return is_bounded and all(one < other for one, other in pairwise(measures))


def _earlier(header: channel_pb2.EntryHeader, ref: record_pb2.RecordRef) -> Place | None:
    """The place of a listing that was entered in the same channel before this entry; None for any other."""
    if ref.channel != header.channel or (ref.epoch, ref.index) >= (header.epoch, header.index):
        return None
    return Place(ref.epoch, ref.index, ref.position) if ref.index < NUMBERS_END else None
