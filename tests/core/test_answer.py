"""What a check answers: the whole table of doubts, kinds and standings, and what is told of an entry."""

from dataclasses import replace

import pytest

from node.core.answer import (
    ADVICE,
    DOUBTS,
    UNKNOWN_KIND,
    Answer,
    ConsultedList,
    Doubt,
    Knowledge,
    Verdict,
    answer_of,
    cells,
    doubts_of,
    together,
)
from node.core.list_type import KIND_NAMES, RED, SERIOUS, WATCH
from node.core.listing import Listing, ListState
from node.core.matters import Matter, parse_matters
from node.core.measures import parse_measures
from node.core.state import Place
from tests.builders import NOW_MS, make_matter, make_matters, make_measures
from tests.lists import make_list_type

DAY_MS = 24 * 3600 * 1000
SKEW_MS = 300_000
SOUND = Knowledge(fresh_at_ms=NOW_MS, staleness_limit_ms=3_600_000)
MEASURES = parse_measures(make_measures("SHR-31-1", "SHR-31-2"))
SUBJECT = "the subject"
PLACE = Place(0, 1, 0)


def matter(**changes: object) -> Matter:
    return parse_matters(make_matters(make_matter(**changes))).matters["bidding.tender"]  # type: ignore[arg-type]


def listing(*measures: str) -> Listing:
    return Listing(PLACE, ListState.LISTED, "2028-12-31", measures or ("SHR-31-1",), "2026-01-05", NOW_MS, PLACE, ())


def consulted(kind: int, *doubts: Doubt, channel: str = "310000/lists/a") -> ConsultedList:
    return ConsultedList(channel, make_list_type(kind=kind), doubts)


def answered(one: ConsultedList, *held: Listing, is_on_serious: bool = False) -> Answer:
    in_force = {one.channel: held}
    return answer_of(SUBJECT, NOW_MS, matter(), MEASURES, [one], in_force, is_on_serious=is_on_serious)


@pytest.mark.parametrize(("doubt", "kind", "is_on_it", "verdict"), cells())
def test_g5_every_cell_of_the_table(doubt: Doubt | None, kind: int, is_on_it: bool, verdict: Verdict) -> None:
    one = consulted(kind, *([doubt] if doubt is not None else []))
    found = answered(one, *([listing()] if is_on_it else []))
    told = found.lists[0]
    # Written out once more, so that the table cannot be wrong together with what makes it.
    expected = Verdict.UNCONFIRMED if doubt is not None else Verdict.LISTED if is_on_it else Verdict.CLEAR
    assert (found.verdict, told.verdict, verdict) == (expected, expected, expected)
    assert bool(told.entries) is (expected is Verdict.LISTED)
    assert told.advice == ADVICE[kind, expected]


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("doubt", Doubt)
def test_g5_a_list_in_doubt_tells_the_same_of_who_is_on_it_and_of_who_is_not(doubt: Doubt, kind: int) -> None:
    one = consulted(kind, doubt)
    assert answered(one, listing()) == answered(one)


def test_the_table_has_a_cell_for_every_doubt_kind_and_standing() -> None:
    assert len(cells()) == len({cell[:3] for cell in cells()}) == (1 + 8) * 3 * 2
    assert set(DOUBTS) == set(Doubt)
    assert set(ADVICE) == {(kind, verdict) for kind in KIND_NAMES for verdict in Verdict}


def test_a_list_that_was_never_received_is_unconfirmed_and_has_no_kind() -> None:
    never = ConsultedList("330100/lists/b", None, doubts_of(None, NOW_MS, SKEW_MS, is_expired=False))
    found = answered(never)
    assert found.verdict is Verdict.UNCONFIRMED
    assert (never.doubts, found.lists[0].advice) == ((Doubt.NEVER_RECEIVED,), UNKNOWN_KIND)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), Verdict.CLEAR),
        ((Verdict.CLEAR, Verdict.CLEAR), Verdict.CLEAR),
        ((Verdict.CLEAR, Verdict.UNCONFIRMED), Verdict.UNCONFIRMED),
        ((Verdict.UNCONFIRMED, Verdict.LISTED, Verdict.CLEAR), Verdict.LISTED),
    ],
)
def test_a_doubt_about_one_list_hides_no_other_and_is_hidden_by_none_that_is_clear(
    verdicts: tuple[Verdict, ...], expected: Verdict
) -> None:
    assert together(verdicts) is expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (SOUND, ()),
        (replace(SOUND, fresh_at_ms=NOW_MS - 3_600_000), ()),
        (replace(SOUND, fresh_at_ms=NOW_MS - 3_600_001), (Doubt.STALE,)),
        (replace(SOUND, fresh_at_ms=0), (Doubt.STALE,)),
        (replace(SOUND, fresh_at_ms=NOW_MS + SKEW_MS), ()),
        (replace(SOUND, fresh_at_ms=NOW_MS + SKEW_MS + 1), (Doubt.STALE,)),
        (replace(SOUND, fresh_at_ms=NOW_MS + DAY_MS), (Doubt.STALE,)),
        (replace(SOUND, fresh_at_ms=NOW_MS - DAY_MS), (Doubt.STALE,)),
        (replace(SOUND, fresh_at_ms=0, is_own=True), ()),
        (replace(SOUND, is_regained=False), (Doubt.RESTORED,)),
        (replace(SOUND, is_quarantined=True), (Doubt.QUARANTINED,)),
        (replace(SOUND, origin_speaks=False), (Doubt.ORIGIN_SUSPENDED,)),
        (replace(SOUND, differs=True), (Doubt.DIGEST,)),
        (replace(SOUND, is_whole=False), (Doubt.INCOMPLETE,)),
        (replace(SOUND, is_whole=False, fresh_at_ms=0, differs=True), (Doubt.STALE, Doubt.DIGEST, Doubt.INCOMPLETE)),
        (None, (Doubt.NEVER_RECEIVED,)),
    ],
)
def test_g5_each_doubt_has_its_cause_and_a_clock_that_jumped_a_day_is_one(
    known: Knowledge | None, expected: tuple[Doubt, ...]
) -> None:
    assert doubts_of(known, NOW_MS, SKEW_MS, is_expired=False) == expected
    assert doubts_of(known, NOW_MS, SKEW_MS, is_expired=True) == (*expected, Doubt.REGISTRY_EXPIRED)


def test_measures_that_are_not_published_are_left_out_and_those_of_other_matters_are_told_as_such() -> None:
    (told,) = answered(consulted(SERIOUS), listing("SHR-31-1", "SHR-31-2", "SHR-31-7")).lists
    (entry,) = told.entries
    assert [(each.measure.code, each.applies) for each in entry.measures] == [("SHR-31-1", True), ("SHR-31-2", False)]
    assert (entry.unpublished, entry.since, entry.until) == (1, "2026-01-05", "2028-12-31")
    nobody = answer_of(
        SUBJECT, NOW_MS, matter(), None, [told.consulted], {told.consulted.channel: [listing()]}, is_on_serious=False
    )
    assert (nobody.lists[0].entries[0].measures, nobody.lists[0].entries[0].unpublished) == ((), 1)
    assert nobody.verdict is Verdict.LISTED


def test_an_entry_of_a_red_list_is_not_applicable_to_who_stands_on_a_serious_list() -> None:
    found = answered(consulted(RED), listing(), is_on_serious=True)
    (entry,) = found.lists[0].entries
    assert found.verdict is Verdict.CLEAR
    assert not entry.is_applicable
    assert [each.applies for each in entry.measures] == [False]
    for kind in (SERIOUS, WATCH):
        assert answered(consulted(kind), listing(), is_on_serious=True).verdict is Verdict.LISTED
