"""Listings: every transition, order that does not matter, and operations whose parts contradict each other."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.identifiers import iso_date
from node.core.listing import (
    AMEND,
    BURDENING,
    CONDITIONS_MET,
    ENDS,
    ENTER,
    EXIT,
    GROUND_ANNULLED,
    GROUND_REPAIRED,
    LIVE,
    NARROWING,
    RESUME,
    SUSPEND,
    TRANSITIONS,
    ListOperation,
    ListState,
    following,
    listing_of,
    member_element,
    operation_of,
)
from node.core.state import Place
from node.core.workdays import end_of_day_ms
from node.pb import channel_pb2, listing_pb2, record_pb2

CHANNEL = "310000/lists/serious-tax"
ENTERED = Place(0, 3, 0)
AT_MS = 1_767_225_600_000  # 2026-01-01 08:00 in China
DAY_MS = 86_400_000


def operation(index: int, act: int, ground: int = 0, **changes: object) -> ListOperation:
    renews = act in (ENTER, AMEND)
    found = ListOperation(
        place=Place(0, index, 0),
        act=act,
        target=ENTERED,
        at_ms=AT_MS,
        decided_on="2026-01-01",
        until="2028-12-31" if renews else "",
        measures=("SHR-31-1",) if renews else (),
        ground=ground,
        particulars=1,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


ENTRY = operation(3, ENTER)
STEPS = [(AMEND, 0), (SUSPEND, 0), (RESUME, 0), *((EXIT, ground) for ground in ENDS)]


@pytest.mark.parametrize("state", list(ListState))
@pytest.mark.parametrize(("act", "ground"), [(ENTER, 0), *STEPS])
def test_an_operation_follows_where_the_table_says_so_and_nowhere_else(state: ListState, act: int, ground: int) -> None:
    paths = {
        ListState.LISTED: [],
        ListState.SUSPENDED: [(SUSPEND, 0)],
        ListState.EXITED: [(EXIT, CONDITIONS_MET)],
        ListState.REPAIRED: [(EXIT, GROUND_REPAIRED)],
        ListState.ANNULLED: [(EXIT, GROUND_ANNULLED)],
    }
    held = [ENTRY, *(operation(4 + at, *step) for at, step in enumerate(paths[state]))]
    before = listing_of(held)
    assert before is not None
    assert before.state is state
    after = following(before, operation(9, act, ground))
    assert (after.state if after is not None else None) == TRANSITIONS.get((state, act, ground))


def test_what_has_ended_never_comes_back() -> None:
    ended = set(ListState) - LIVE
    assert {after for (before, _, _), after in TRANSITIONS.items() if before in ended} == {ListState.ANNULLED}


def test_every_act_either_burdens_or_favours_the_subject() -> None:
    acts = {act for _, act, _ in TRANSITIONS}
    assert acts == BURDENING | NARROWING
    assert not BURDENING & NARROWING


@given(st.lists(st.sampled_from(STEPS), max_size=8), st.randoms(use_true_random=False))
def test_order_of_arrival_and_repetition_change_nothing(steps: list[tuple[int, int]], random: Random) -> None:
    operations = [ENTRY, *(operation(4 + at, *step) for at, step in enumerate(steps))]
    arrived = random.sample(operations, len(operations))
    assert listing_of(arrived) == listing_of(operations)


def test_an_operation_without_the_one_that_entered_it_makes_no_listing() -> None:
    assert listing_of([operation(5, EXIT, CONDITIONS_MET)]) is None


def test_an_amendment_renews_measures_and_last_day_and_keeps_the_rest() -> None:
    amended = listing_of([ENTRY, operation(5, AMEND, until="2027-06-30", measures=())])
    assert amended is not None
    assert (amended.until, amended.measures, amended.decided_on) == ("2027-06-30", (), "2026-01-01")
    assert amended.last == Place(0, 5, 0)


def test_a_burden_of_later_date_waits_and_a_relief_does_not() -> None:
    later = AT_MS + DAY_MS
    resumed = [ENTRY, operation(4, SUSPEND, at_ms=later), operation(5, RESUME, at_ms=later)]
    now = listing_of(resumed, AT_MS)
    assert now is not None
    assert now.state is ListState.SUSPENDED
    then = listing_of(resumed, later)
    assert then is not None
    assert then.state is ListState.LISTED


def test_a_listing_binds_from_its_decision_to_the_end_of_its_last_day_in_china() -> None:
    listing = listing_of([ENTRY])
    assert listing is not None
    last_day = iso_date(listing.until)
    assert last_day is not None
    end_ms = end_of_day_ms(last_day)
    assert listing.binds(AT_MS)
    assert listing.binds(end_ms - 1)
    assert not listing.binds(end_ms)
    assert not listing.binds(AT_MS - 1)


def test_a_listing_decided_tomorrow_does_not_bind_today() -> None:
    listing = listing_of([operation(3, ENTER, decided_on="2026-01-02")])
    assert listing is not None
    assert not listing.binds(AT_MS)
    assert listing.binds(AT_MS + DAY_MS)


def test_a_member_of_the_digest_is_told_by_structure_alone() -> None:
    listing = listing_of([ENTRY])
    assert member_element(listing) == b"xinqiao/list-member/v1\n0/3/0\nlisted\n2028-12-31\nSHR-31-1\n"
    assert member_element(listing_of([ENTRY, operation(4, EXIT, CONDITIONS_MET)])) is None
    assert member_element(None) is None


# --- Operations as they arrive ------------------------------------------------------------------------------


def header(index: int = 7) -> channel_pb2.EntryHeader:
    return channel_pb2.EntryHeader(
        channel=CHANNEL,
        epoch=0,
        index=index,
        kind=channel_pb2.ENTRY_KIND_LIST,
        record_count=3,
        issued_at_unix_ms=AT_MS,
    )


def reference(index: int = 3, channel: str = CHANNEL) -> record_pb2.RecordRef:
    return record_pb2.RecordRef(channel=channel, epoch=0, index=index, position=0)


def entering(**changes: object) -> listing_pb2.ListOp:
    op = listing_pb2.ListOp(
        act=listing_pb2.LIST_ACT_ENTER,
        decided_on="2026-01-01",
        notice_served="2025-12-20",
        until="2028-12-31",
        measures=["SHR-31-1", "SHR-31-2"],
        particulars_slot=2,
    )
    for name, value in changes.items():
        op.ClearField(name)
        if isinstance(value, list):
            getattr(op, name).extend(value)
        elif value is not None:
            setattr(op, name, value)
    return op


def leaving(**changes: object) -> listing_pb2.ListOp:
    op = listing_pb2.ListOp(
        act=listing_pb2.LIST_ACT_EXIT,
        entry=reference(),
        decided_on="2026-03-01",
        ground=listing_pb2.EXIT_GROUND_REPAIRED,
        particulars_slot=2,
    )
    for name, value in changes.items():
        setattr(op, name, value)
    return op


def test_well_formed_operations_are_read() -> None:
    entered = operation_of(header(), 0, entering())
    assert entered is not None
    assert (entered.place, entered.target, entered.until) == (Place(0, 7, 0), Place(0, 7, 0), "2028-12-31")
    exited = operation_of(header(), 0, leaving())
    assert exited is not None
    assert (exited.target, exited.ground, exited.at_ms) == (ENTERED, GROUND_REPAIRED, AT_MS)


@pytest.mark.parametrize(
    "changes",
    [
        {"act": 0},
        {"act": 99},
        {"decided_on": ""},
        {"decided_on": "2026-02-30"},
        {"notice_served": None},
        {"until": None},
        {"until": "forever"},
        {"measures": ["SHR-31-2", "SHR-31-1"]},
        {"measures": ["SHR-31-1", "SHR-31-1"]},
        {"measures": [f"M-{number:04}" for number in range(100)]},
        {"measures": ["x" * 100]},
        {"measures": ["one,two"]},
        {"ground": listing_pb2.EXIT_GROUND_REPAIRED},
        {"particulars_slot": 0},
        {"particulars_slot": 1},
        {"particulars_slot": 4},
    ],
)
def test_an_entering_operation_whose_parts_contradict_each_other_is_none(changes: dict[str, object]) -> None:
    assert operation_of(header(), 0, entering(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ground": 0},
        {"ground": 42},
        {"until": "2028-12-31"},
        {"notice_served": "2026-01-01"},
        {"measures_added": True},
        {"later": True},
        {"foreign": True},
        {"unnamed": True},
    ],
)
def test_a_leaving_operation_whose_parts_contradict_each_other_is_none(changes: dict[str, object]) -> None:
    op = leaving(**{name: value for name, value in changes.items() if name in ("ground", "until", "notice_served")})
    if "measures_added" in changes:
        op.measures.append("SHR-31-1")
    if "later" in changes:
        op.entry.CopyFrom(reference(index=7))
    if "foreign" in changes:
        op.entry.CopyFrom(reference(channel="320000/lists/serious-tax"))
    if "unnamed" in changes:
        op.ClearField("entry")
    assert operation_of(header(), 0, op) is None


def test_an_entry_issued_at_no_possible_time_has_no_operations() -> None:
    impossible = header()
    impossible.issued_at_unix_ms = 1 << 60
    assert operation_of(impossible, 0, entering()) is None
