"""The fold of a list: what makes an operation void, what only names nobody, and one outcome for every slot."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from node.core.entry import VerifiedEntry, erase_slots
from node.core.identifiers import resident_id_check_character
from node.core.list_fold import FoldedList, fold_list, is_list, is_minor, narrowing_in, term_end
from node.core.listing import EXIT, SUSPEND, ListOperation
from node.core.state import APPLIED, ERASED, REJECTED, Place, Unfolded
from node.pb import channel_pb2, listing_pb2
from tests.builders import ChannelWriter, make_node
from tests.list_writer import ListWriter, Said, amend, enter, leave, listing_node, resume, subject_of, suspend
from tests.lists import make_list_manifest, make_list_type

GOOD, GONE = (APPLIED, ""), (ERASED, "")
# Born in 1949 and on 7 March 2015, in a division that there is not.
PERSON, MINOR = (f"{first}{resident_id_check_character(first)}" for first in ("31999919491231002", "31999920150307001"))


def folded(
    entry: VerifiedEntry,
    held: Sequence[ListOperation] = (),
    *,
    settled: bool = True,
    gone: Sequence[int] = (),
    **seen: Any,
) -> FoldedList | None:
    """What an entry does where some operations are held; gone are the slots that were erased before it was folded."""
    body = erase_slots(entry.body, gone) if entry.body is not None and gone else entry.body
    fields: dict[str, Any] = {"manifest": make_list_manifest(), "origin": listing_node().member} | seen
    unfolded = Unfolded(header=entry.header, body=body, editions={}, settled=settled, **fields)
    return fold_list(unfolded, lambda places: {place: [o for o in held if o.target == place] for place in places})


def outcomes(entry: VerifiedEntry, held: Sequence[ListOperation] = (), **seen: Any) -> dict[tuple[int, str], int]:
    found = folded(entry, held, **seen)
    assert found is not None
    assert sum(found.applied.counts.values()) == entry.header.record_count
    return dict(found.applied.counts)


def rejected(code: str, others: int) -> dict[tuple[int, str], int]:
    return {(REJECTED, code): 1, GOOD: others}


def entered(*said: Said, **header: Any) -> VerifiedEntry:
    entry, _ = ListWriter().change(*said, **header)
    return entry


def in_class(disclosure: int) -> channel_pb2.Manifest:
    return make_list_manifest(disclosure=disclosure)


PUBLIC, SHARED = in_class(channel_pb2.DISCLOSURE_CLASS_A), in_class(channel_pb2.DISCLOSURE_CLASS_C)


# --- Operations ------------------------------------------------------------------------------------------------


def test_an_entry_lists_whom_it_names() -> None:
    found = folded(entered(enter(1), enter(2)))
    assert found is not None
    assert found.applied.counts == {GOOD: 5}
    assert [(each.is_valid, each.subject) for each in found.operations] == [
        (True, subject_of(1)),
        (True, subject_of(2)),
    ]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (enter(1, measures=["NOT-THEIRS"]), "VERDICT_LIST_MEASURE"),
        (enter(1, until="2029-01-06"), "VERDICT_LIST_DATES"),  # three years and a day
        (enter(1, until="2026-01-04"), "VERDICT_LIST_DATES"),  # before the decision
        (enter(1).but(notice_served="2099-01-01"), "VERDICT_LIST_DATES"),
        (enter(1).but(notice_served=None), "VERDICT_LIST"),
        (enter(1).but(decided_on="2026-02-30"), "VERDICT_LIST"),
        (enter(1).but(measures=["SHR-31-2", "SHR-31-1"]), "VERDICT_LIST"),
        (enter(1).but(particulars_slot=1), "VERDICT_LIST"),  # itself
        (enter(1).but(particulars_slot=3), "VERDICT_LIST"),  # the warrant
    ],
)
def test_what_is_wrong_in_itself_is_void(said: Said, code: str) -> None:
    entry, _ = ListWriter().change(said, void=[0])
    found = folded(entry)
    assert found is not None
    assert found.applied.counts[REJECTED, code] >= 1
    assert [each for each in found.operations if each.is_valid] == []


def test_the_last_day_of_the_term_is_within_it() -> None:
    assert outcomes(entered(enter(1, until="2029-01-05"))) == {GOOD: 3}


@pytest.mark.parametrize(
    ("kind", "warrant", "expected"),
    [("SERIOUS", True, GOOD), ("SERIOUS", False, None), ("RED", False, GOOD), ("WATCH", False, GOOD)],
)
def test_only_serious_lists_need_two_officers(kind: str, warrant: bool, expected: tuple[int, str] | None) -> None:
    manifest = make_list_manifest(list=make_list_type(kind=f"LIST_KIND_{kind}"))
    entry, _ = ListWriter().change(enter(1), warrant=warrant)
    counts = outcomes(entry, manifest=manifest)
    assert counts == ({GOOD: 3} if expected else {(REJECTED, "VERDICT_LIST_WARRANT"): 2, GOOD: 1})


def test_who_does_not_speak_for_the_authority_may_only_lift() -> None:
    writer, stranger = ListWriter(), make_node("310000").member
    entry, (place,) = writer.change(enter(1))
    assert outcomes(entry, origin=stranger) == rejected("VERDICT_LIST_AUTHORITY", 2)
    assert folded(entry, origin=stranger, settled=False) is None
    first = folded(entry)
    assert first is not None
    held = [each.operation for each in first.operations]
    lifting, _ = writer.change(leave(place))
    assert outcomes(lifting, held, origin=stranger, settled=False) == {GOOD: 3}
    raising, _ = writer.change(amend(place))
    assert outcomes(raising, held, origin=stranger) == rejected("VERDICT_LIST_AUTHORITY", 2)


def test_where_no_list_is_nothing_of_one_counts() -> None:
    entry = entered(enter(1))
    manifest = make_list_manifest()
    manifest.ClearField("list")
    assert outcomes(entry, manifest=manifest) == {(REJECTED, "VERDICT_LIST"): 2, GOOD: 1}
    elsewhere = ChannelWriter(listing_node(), "310000/penalties")
    slots = [slot[1] for slot in entry.body.records if slot is not None] if entry.body is not None else []
    other = elsewhere.write(channel_pb2.ENTRY_KIND_LIST, slots)
    assert (REJECTED, "VERDICT_LIST") in outcomes(other)
    assert narrowing_in(other.header, other.body) == []
    assert not is_list("310000/penalties")
    assert is_list("310000/lists/red")


@pytest.mark.parametrize("slots", [[b"\xff"], [b""], [b"", b"nonsense"]])
def test_what_cannot_be_read_is_rejected(slots: list[bytes]) -> None:
    entry = ListWriter().write(channel_pb2.ENTRY_KIND_LIST, slots)
    found = outcomes(entry)
    assert found == {(REJECTED, "VERDICT_LIST"): len(slots)}


def test_an_entry_beyond_every_calendar_does_nothing() -> None:
    entry, _ = ListWriter().change(enter(1), void=[0], issued_at_unix_ms=1 << 60)
    assert outcomes(entry) == {(REJECTED, "VERDICT_FUTURE"): 3}


# --- In order ----------------------------------------------------------------------------------------------------


def history() -> tuple[ListWriter, Place, list[ListOperation]]:
    writer = ListWriter()
    entry, (place,) = writer.change(enter(1))
    found = folded(entry)
    assert found is not None
    return writer, place, [each.operation for each in found.operations]


def test_an_operation_that_may_not_follow_is_valid_and_does_nothing() -> None:
    writer, place, held = history()
    entry, _ = writer.change(resume(place))
    found = folded(entry, held)
    assert found is not None
    assert found.applied.counts == rejected("VERDICT_LIST_STATE", 2)
    assert [each.is_valid for each in found.operations] == [True]


def test_of_two_exits_in_one_entry_the_second_does_nothing() -> None:
    writer, place, held = history()
    entry, _ = writer.change(leave(place), leave(place))
    assert outcomes(entry, held) == rejected("VERDICT_LIST_STATE", 4)


def test_what_is_on_nobody_is_rejected_as_such() -> None:
    writer, _, held = history()
    entry, _ = writer.change(suspend(Place(0, 0, 2)))
    assert outcomes(entry, held) == rejected("VERDICT_LIST_TARGET", 2)


def test_what_came_later_in_the_list_changes_no_outcome() -> None:
    writer, place, held = history()
    early, _ = writer.change(suspend(place))
    late, _ = writer.change(leave(place))
    found = folded(late, held)
    assert found is not None
    assert outcomes(early, [*held, *(each.operation for each in found.operations)]) == {GOOD: 3}


def test_only_what_lifts_is_kept_before_it_is_folded() -> None:
    writer, place, _ = history()
    entry, _ = writer.change(suspend(place), amend(place), leave(place), resume(place), enter(2), warrant=False)
    kept = narrowing_in(entry.header, entry.body)
    assert [each.operation.act for each in kept] == [SUSPEND, EXIT]
    assert all(each.is_valid is None for each in kept)


# --- Words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "manifest", "code", "barred"),
    [
        (enter(1, subject=PERSON), PUBLIC, "VERDICT_LIST_PERSON", True),
        (enter(1, subject=MINOR), PUBLIC, "VERDICT_LIST_MINOR", True),
        (enter(1, subject=MINOR), SHARED, "VERDICT_LIST_MINOR", True),
        (enter(1).but(reason=f"法定代表人 {PERSON}"), PUBLIC, "VERDICT_REASON", True),
        (enter(1).but(subject_name=PERSON), PUBLIC, "VERDICT_REASON", True),
        (enter(1, subject="913100000000000000"), PUBLIC, "VERDICT_LIST_SUBJECT", False),
        (enter(1).but(subject=None), PUBLIC, "VERDICT_LIST_SUBJECT", False),
        (enter(1).but(decision=None), PUBLIC, "VERDICT_LIST", False),
        (enter(1).but(reason="一\n二"), PUBLIC, "VERDICT_LIST", False),
        (enter(1).but(subject_name="名" * 201), PUBLIC, "VERDICT_LIST", False),
    ],
)
def test_wrong_words_name_nobody_and_change_no_member(
    said: Said, manifest: channel_pb2.Manifest, code: str, barred: bool
) -> None:
    found = folded(entered(said), manifest=manifest)
    assert found is not None
    assert found.applied.counts == rejected(code, 2)
    assert list(found.applied.barred) == ([1] if barred else [])
    assert [(each.is_valid, each.subject) for each in found.operations] == [(True, None)]


def test_a_natural_person_of_age_may_stand_on_a_list_that_is_not_public() -> None:
    found = folded(entered(enter(1, subject=PERSON)), manifest=SHARED)
    assert found is not None
    assert [each.subject for each in found.operations] == [PERSON]


def test_an_operation_on_a_listing_names_no_subject() -> None:
    writer, place, held = history()
    entry, _ = writer.change(suspend(place).but(subject=subject_of(1)))
    assert outcomes(entry, held) == rejected("VERDICT_LIST_SUBJECT", 2)


def test_words_of_no_operation_are_rejected() -> None:
    words = listing_pb2.ListSlot(particulars=enter(1).words).SerializeToString()
    entry = ListWriter().write(channel_pb2.ENTRY_KIND_LIST, [words])
    assert outcomes(entry) == {(REJECTED, "VERDICT_LIST"): 1}


# --- Erased slots ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "counts", "operations"),
    [
        ([1], {GOOD: 2, GONE: 1}, [(True, None)]),
        ([0], {GONE: 1, GOOD: 1, (REJECTED, "VERDICT_LIST"): 1}, []),
        ([2], {(REJECTED, "VERDICT_LIST_WARRANT"): 1, GOOD: 1, GONE: 1}, []),
        ([0, 1, 2], {GONE: 3}, []),
    ],
)
def test_what_was_erased_counts_as_that(
    gone: list[int], counts: dict[tuple[int, str], int], operations: list[tuple[bool, str | None]]
) -> None:
    found = folded(entered(enter(1)), gone=gone)
    assert found is not None
    assert found.applied.counts == counts
    assert [(each.is_valid, each.subject) for each in found.operations] == operations


def test_without_its_warrant_an_exit_is_not_judged_and_still_held() -> None:
    writer, place, held = history()
    entry, _ = writer.change(leave(place), amend(place))
    found = folded(entry, held, gone=[4])
    assert found is not None
    assert [(each.operation.act, each.is_valid) for each in found.operations] == [(EXIT, None)]


def test_an_entry_without_its_body_was_erased_whole() -> None:
    entry = entered(enter(1))
    assert outcomes(replace(entry, body=None)) == {GONE: 3}


# --- Days --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decided", "months", "end"),
    [
        ("2026-01-05", 36, "2029-01-05"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2025-12-31", 2, "2026-02-28"),
        ("2026-11-30", 1, "2026-12-30"),
        ("9999-12-01", 4_294_967_295, "9999-12-31"),
    ],
)
def test_a_term_ends_on_the_same_day_of_the_month_or_the_last(decided: str, months: int, end: str) -> None:
    assert term_end(date.fromisoformat(decided), months) == date.fromisoformat(end)


@pytest.mark.parametrize(("day", "minor"), [("2033-03-06", True), ("2033-03-07", False), ("nonsense", False)])
def test_a_person_is_of_age_on_the_eighteenth_birthday(day: str, minor: bool) -> None:
    assert is_minor(MINOR, day) is minor
