"""The ledger in the core: what a receipt proves of an entry, who is late, and why."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.delivery import Delivery
from node.core.ledger import (
    SILENT_AFTER_MS,
    Lateness,
    Reader,
    Reason,
    Row,
    Standpoint,
    Timers,
    delivered,
    first_lacking,
    ledger,
    rejected_beyond,
    removals_in,
)
from node.core.membership import Standing
from node.pb import channel_pb2, listing_pb2, record_pb2

NOW_MS = 1_790_000_000_000
HOUR_MS = 3600 * 1000
TIMERS = Timers()
LIST = "310000/lists/serious-tax"
REJECTED = channel_pb2.RECORD_OUTCOME_REJECTED


def receipt(epoch: int, size: int, applied_size: int, **fields: object) -> channel_pb2.Receipt:
    known = {"observed_at_unix_ms": NOW_MS - HOUR_MS}
    return channel_pb2.Receipt(epoch=epoch, size=size, applied_size=applied_size, **(known | fields))  # type: ignore[arg-type]


def reader(node: str = "330100", **known: object) -> Reader:
    return Reader(node, f"node {node}", **known)  # type: ignore[arg-type]


def row_of(one: Reader, index: int = 4, epoch: int = 0, cut_size: int | None = None) -> Row:
    (row,) = ledger((LIST, epoch, index), [one], NOW_MS, TIMERS, cut_size).rows
    return row


# --- What a receipt proves ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "expected"),
    [(2, Delivery.APPLIED), (3, Delivery.RECEIVED), (4, Delivery.RECEIVED), (5, Delivery.SENT)],
)
def test_a_receipt_of_the_same_epoch_counts_by_its_sizes(index: int, expected: Delivery) -> None:
    assert delivered(1, index, receipt(1, 5, 3), b"") is expected


def test_a_receipt_of_an_earlier_epoch_proves_nothing_of_a_later_one() -> None:
    assert delivered(1, 0, receipt(0, 50, 50), b"") is Delivery.SENT


def test_a_receipt_of_a_later_epoch_does_not_prove_that_the_earlier_one_was_ever_applied() -> None:
    assert delivered(0, 4, receipt(1, 9, 9), b"") is Delivery.SENT
    assert delivered(0, 4, receipt(1, 9, 9, state_digest=b"d" * 32), b"") is Delivery.SENT


def test_the_digest_of_a_later_epoch_proves_that_a_reader_has_the_list_of_its_origin() -> None:
    later = receipt(1, 9, 9, state_digest=b"d" * 32)
    assert delivered(0, 4, later, b"d" * 32) is Delivery.APPLIED
    assert delivered(0, 4, later, b"e" * 32) is Delivery.SENT
    assert row_of(reader(receipt=later, digest=b"e" * 32)).reason is Reason.DIGEST
    assert row_of(reader(receipt=later)).reason is Reason.LATER_EPOCH


def test_who_has_computed_another_list_has_received_the_entry_and_not_applied_it() -> None:
    other = receipt(0, 5, 5, state_digest=b"d" * 32)
    assert delivered(0, 4, other, b"d" * 32) is Delivery.APPLIED
    row = row_of(reader(receipt=other, digest=b"e" * 32))
    assert (row.delivery, row.reason) == (Delivery.RECEIVED, Reason.DIGEST)


@given(st.integers(0, 3), st.integers(0, 6), st.integers(0, 3), st.integers(0, 6), st.integers(0, 6))
def test_an_entry_is_never_called_applied_without_a_receipt_over_it(
    epoch: int, index: int, of_epoch: int, size: int, applied: int
) -> None:
    given = receipt(of_epoch, max(size, applied), min(size, applied))
    found = delivered(epoch, index, given, b"")
    covered = of_epoch == epoch and given.applied_size > index
    assert (found is Delivery.APPLIED) == covered
    assert delivered(epoch, index, None, b"d") is Delivery.SENT
    lacking = first_lacking(epoch, index, given)
    assert lacking <= index
    assert covered or delivered(epoch, lacking, given, b"") is not Delivery.APPLIED


# --- Who is late ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [
        (0, Lateness.IN_TIME),
        (HOUR_MS - 1, Lateness.IN_TIME),
        (HOUR_MS, Lateness.LATE),
        (24 * HOUR_MS - 1, Lateness.LATE),
        (24 * HOUR_MS, Lateness.REPORTED),
    ],
)
def test_a_reader_is_late_after_one_hour_and_reported_after_a_day(age_ms: int, expected: Lateness) -> None:
    row = row_of(reader(owed_since_ms=NOW_MS - age_ms, last_seen_ms=NOW_MS))
    assert row.lateness is expected


def test_who_has_applied_the_entry_is_never_late() -> None:
    row = row_of(reader(receipt=receipt(0, 5, 5), owed_since_ms=1))
    assert (row.delivery, row.lateness, row.reason) == (Delivery.APPLIED, Lateness.IN_TIME, Reason.NONE)


def test_nobody_owes_an_entry_above_a_cut() -> None:
    for cut_size, expected in ((4, Lateness.IN_TIME), (5, Lateness.REPORTED)):
        assert row_of(reader(owed_since_ms=1), index=4, cut_size=cut_size).lateness is expected
    assert ledger((LIST, 0, 4), [], NOW_MS, TIMERS, 4).standpoint is Standpoint.VOID


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REMOVED])
def test_who_is_suspended_or_removed_is_shown_and_not_waited_for(standing: Standing) -> None:
    found = ledger((LIST, 0, 4), [reader(standing=standing, owed_since_ms=1)], NOW_MS, TIMERS)
    (row,) = found.rows
    assert (row.reason, row.lateness) == (Reason(standing.value), Lateness.IN_TIME)
    assert (found.counted, found.missing, found.late()) == ([], [], [])


def test_the_origin_has_applied_what_it_signed() -> None:
    found = ledger((LIST, 0, 4), [reader("310000", is_origin=True), reader()], NOW_MS, TIMERS)
    assert (found.applied, len(found.counted)) == (1, 2)
    assert [row.node for row in found.missing] == ["330100"]


# --- Why ------------------------------------------------------------------------------------------------------


def test_each_reason_is_told_and_the_surest_one_first() -> None:
    seen, long_ago = NOW_MS - 1000, NOW_MS - 3 * HOUR_MS
    cases: list[tuple[dict[str, object], tuple[Reason, str, int]]] = [
        ({"receipt": receipt(0, 5, 2, withheld=[2, 7])}, (Reason.WITHHELD, "2", NOW_MS - HOUR_MS)),
        ({"behind_since_ms": long_ago, "failure": "WIRE_UNREACHABLE"}, (Reason.STALE_REGISTRY, "", long_ago)),
        ({}, (Reason.NEVER_SEEN, "", 0)),
        ({"failure": "WIRE_UNREACHABLE"}, (Reason.NEVER_SEEN, "WIRE_UNREACHABLE", 0)),
        (
            {"failure": "WIRE_UNREACHABLE", "last_seen_ms": long_ago},
            (Reason.UNREACHABLE, "WIRE_UNREACHABLE", long_ago),
        ),
        ({"failure": "CLOCK_SKEW", "last_seen_ms": long_ago}, (Reason.REFUSES, "CLOCK_SKEW", long_ago)),
        ({"last_seen_ms": NOW_MS - SILENT_AFTER_MS - 1}, (Reason.UNREACHABLE, "", NOW_MS - SILENT_AFTER_MS - 1)),
        ({"last_seen_ms": seen}, (Reason.WAITING, "", 0)),
    ]
    for known, expected in cases:
        row = row_of(reader("330100", **known))
        assert (row.reason, row.detail, row.since_ms) == expected, known


def test_what_is_withheld_above_the_entry_is_no_reason() -> None:
    row = row_of(reader(receipt=receipt(0, 9, 2, withheld=[7]), last_seen_ms=NOW_MS))
    assert (row.delivery, row.reason) == (Delivery.RECEIVED, Reason.WAITING)


def test_a_rule_that_a_reader_alone_rejects_by_is_named_with_its_count() -> None:
    outcomes = [
        channel_pb2.OutcomeCount(outcome=REJECTED, code=code, count=count)
        for code, count in (("VERDICT_LIST_STATE", 2), ("VERDICT_LIST_DATES", 1))
    ]
    given = receipt(0, 5, 5, outcomes=outcomes)
    own = {(int(REJECTED), "VERDICT_LIST_DATES"): 1}
    found = rejected_beyond(given, own, 0, 5)
    assert found == {"VERDICT_LIST_STATE": 2}
    row = row_of(reader(receipt=given, rejected=found))
    assert (row.delivery, row.reason, row.detail) == (Delivery.APPLIED, Reason.REJECTED, "VERDICT_LIST_STATE")
    for epoch, applied_size in product((0, 1), (4, 5)):
        compared = bool(rejected_beyond(given, own, epoch, applied_size))
        assert compared == ((epoch, applied_size) == (0, 5))


# --- Removals -------------------------------------------------------------------------------------------------


def test_removals_are_found_by_their_operations_and_anything_unreadable_is_none() -> None:
    exits = [
        listing_pb2.ListOp(act=listing_pb2.LIST_ACT_EXIT, entry=record_pb2.RecordRef(channel=LIST, index=at))
        for at in (3, 4)
    ]
    others = [listing_pb2.ListOp(act=act) for act in (listing_pb2.LIST_ACT_ENTER, listing_pb2.LIST_ACT_SUSPEND)]
    ops = [listing_pb2.ListSlot(op=op).SerializeToString() for op in (others[0], exits[0], others[1], exits[1])]
    slots = [*ops[:3], b"", b"\xff\xff", ops[3]]
    body = channel_pb2.EntryBody(slots=[channel_pb2.Slot(salt=b"s" * 16, record=each) for each in slots])
    header = channel_pb2.EntryHeader(kind=channel_pb2.ENTRY_KIND_LIST)
    assert [each.index for each in removals_in(header, body.SerializeToString())] == [3, 4]
    assert list(removals_in(header, None)) == []
    header.kind = channel_pb2.ENTRY_KIND_RECORDS
    assert list(removals_in(header, body.SerializeToString())) == []
