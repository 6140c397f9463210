"""Quality figures: each counts what it says, in any number of slices, and holds no value of a record."""

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.catalogue import parse_edition
from node.core.identifiers import USCC_PLACEHOLDER
from node.core.quality import (
    EARLIER,
    MANY,
    MONTHS_KEPT,
    ChannelTally,
    Corrections,
    Figure,
    Rows,
    Tally,
    Yardstick,
    as_document,
    days_at,
    duty_days,
    figures,
    from_document,
    measure_entry,
)
from node.core.rules import compile_rules
from node.core.rules_edition import Effect, parse_rules
from node.core.validation import compile_validator
from node.core.workdays import WEEKENDS_ONLY, Calendar, parse_calendar
from scripts.xq_generate import Plan, example_division, example_uscc, generate

EDITIONS = Path(__file__).resolve().parents[2] / "registry" / "editions"
CATALOGUE = parse_edition((EDITIONS / "catalogue-2026.1.json").read_bytes())
PENALTY, LICENCE, BASE = (CATALOGUE.item(each) for each in ("penalty.2018", "licence.2018", "registration.base"))
RULES = parse_rules((EDITIONS / "rules-2026.1.json").read_bytes())
CALENDAR = parse_calendar((EDITIONS / "calendar-2026.1.json").read_bytes())
DAY = date(2026, 3, 2)
SHANGHAI = "310000"
AUTHORITY = example_uscc("11", example_division(SHANGHAI), 1)

NO_ROWS, UNCORRECTED = Rows(), Corrections()


def penalties(count: int, **changed: str) -> list[dict[int, str]]:
    """The values of sound penalties, with some fields changed; an empty text leaves a field out."""
    found = []
    for made in generate(Plan("penalty.2018", count, 7, authority=AUTHORITY)):
        values = {PENALTY.by_code[code].number: text for code, text in made.row.items() if text}
        lasting = {"penalty_valid_until": "2030-01-01", "publicity_end": "2029-01-01"}
        values |= {PENALTY.numbers[name]: text for name, text in (lasting | changed).items()}
        found.append({number: text for number, text in values.items() if text})
    return found


def yardstick(day: date = DAY, duty: int | None = 7) -> Yardstick:
    return Yardstick(PENALTY, "C", day, CALENDAR, duty)


def measured(records: list[dict[int, str]], stick: Yardstick, revisions: frozenset[int] = frozenset()) -> Tally:
    tally = Tally(records=len(records))
    measure_entry(tally, stick, compile_validator(PENALTY, "C"), enumerate(records), revisions)
    return tally


def figure(tally: Tally, name: str, rows: Rows = NO_ROWS, corrections: Corrections = UNCORRECTED) -> Figure:
    return next(each for each in figures(tally, rows, corrections) if each.name == name)


# -- completeness


def test_completeness_counts_optional_fields_that_the_subject_can_have() -> None:
    number = PENALTY.numbers
    (record,) = penalties(1, publicity_end="", case_procedure="", decision_final="", remark="示例", org_code="")
    assert record[number["uscc"]].startswith("9")
    tally = measured([record], yardstick())
    # Neither mandatory nor conditional fields, no remark, and no older code beside the unified one.
    assert set(tally.applicable) == {"CF_GSJZQ", "CF_AJCXLB", "CF_SFQD"}
    assert figure(tally, "completeness") == Figure("completeness", 0, 3)
    filled = {**record, number["publicity_end"]: "2027-03-02"}
    assert measured([filled], yardstick()).filled["CF_GSJZQ"] == 1


def test_older_codes_are_missed_only_of_who_has_no_unified_one() -> None:
    trader = {"subject_category": "个体工商户", "uscc": USCC_PLACEHOLDER, "biz_reg_no": "示例310000000000001"}
    (record,) = penalties(1, **trader)
    tally = measured([record], yardstick())
    assert not tally.defects
    assert {"CF_XDR_ZZJG", "CF_XDR_SWDJ"} <= tally.applicable.keys()
    assert not {"CF_XDR_SYDW", "CF_XDR_SHZZ"} & tally.applicable.keys()


def test_what_is_never_public_is_not_missed_on_a_public_channel() -> None:
    fields = {each.code for each in LICENCE.fields if each.required == "no"}
    tally = Tally()
    Yardstick(LICENCE, "A", DAY, CALENDAR, 7).measure(tally, {}, is_first=True)
    assert tally.applicable.keys() <= fields - {each.code for each in LICENCE.fields if each.never_public}


# -- timeliness


@settings(max_examples=60, deadline=None)
@given(st.dates(date(2024, 1, 1), DAY), st.integers(0, 60), st.sampled_from([CALENDAR, WEEKENDS_ONLY]))
def test_late_is_what_the_rule_says_is_late(decided: date, later: int, calendar: Calendar) -> None:
    day = decided + timedelta(days=later)
    (record,) = penalties(1, decision_date=decided.isoformat())
    tally = Tally()
    stick = Yardstick(PENALTY, "C", day, calendar, 7)
    stick.measure(tally, record, is_first=True)
    workdays = calendar.add_working_days
    flags = compile_rules(RULES, PENALTY, "C", day.isoformat(), (SHANGHAI,), workdays, {Effect.FLAG})
    said = "RULE_LATE" in {verdict.code for verdict in flags(record)}
    assert (tally.timed, bool(tally.late)) == (1, said)


def test_the_term_comes_from_the_rules_and_there_is_none_without_one() -> None:
    assert duty_days(RULES, PENALTY, "C", SHANGHAI, DAY) == 7
    assert duty_days(RULES, BASE, "C", SHANGHAI, DAY) is None
    assert duty_days(RULES, PENALTY, "C", SHANGHAI, date(2017, 1, 1)) is None
    (record,) = penalties(1, decision_date="2026-02-27")
    tally = measured([record], yardstick(duty=None))
    assert figure(tally, "timeliness").ratio is None
    # 2026-02-28 was a Saturday that was worked.
    assert tally.days == {CALENDAR.working_days_between(date(2026, 2, 27), DAY).working_days: 1} == {2: 1}


def test_a_revision_is_not_published_for_the_first_time() -> None:
    records = penalties(3, decision_date="2025-06-02")
    assert measured(records, yardstick()).late == 3
    tally = measured(records, yardstick(), frozenset({0, 2}))
    assert (tally.timed, tally.late, tally.records) == (1, 1, 3)
    # Its fields are those that people read, so they count.
    assert tally.applicable["CF_GSJZQ"] == 3


def test_days_are_told_by_share_and_capped() -> None:
    assert days_at({}, 50) is None
    assert [days_at({0: 5, 3: 4, MANY: 1}, percent) for percent in (50, 51, 90, 91, 100)] == [0, 3, 3, MANY, MANY]
    (old,) = penalties(1, decision_date="2020-01-06")
    assert measured([old], yardstick()).days == {MANY: 1}


def test_what_is_dated_after_its_publication_has_no_time() -> None:
    stick, tally = yardstick(), Tally()
    (record,) = penalties(1, decision_date="2026-03-03")
    stick.measure(tally, record, is_first=True)
    assert (tally.timed, tally.days) == (0, {})


def test_the_months_in_which_periods_end_are_counted_from_the_publication_on() -> None:
    lasting = penalties(2, decision_date="2026-02-27", publicity_end="2026-08-31")
    over = penalties(1, decision_date="2020-01-06", publicity_end="2021-01-06")
    tally = measured([*lasting, *over], yardstick())
    # Five years from the decision, as the catalogue says of a penalty.
    assert dict(tally.ends) == {"query 2031-02": 2, "publicity 2026-08": 2}


# -- standardisation and accuracy


def test_standardisation_goes_by_the_rows_offered_where_they_were_counted() -> None:
    sound, broken = penalties(3), penalties(1, decision_date="2026/3/1")
    tally = measured([*sound, *broken], yardstick())
    assert figure(tally, "standardisation") == Figure("standardisation", 3, 4)
    assert dict(tally.defects) == {"FIELD_DATE": 1}
    assert figure(tally, "standardisation", Rows(10, 2, 1)) == Figure("standardisation", 7, 10)


def test_what_cannot_be_read_as_a_record_of_the_item_does_not_conform() -> None:
    tally = Tally(records=2)
    measure_entry(tally, yardstick(), compile_validator(PENALTY, "C"), [(0, None), (1, penalties(1)[0])], ())
    assert figure(tally, "standardisation") == Figure("standardisation", 1, 2)


def test_accuracy_counts_what_was_corrected_and_never_falls_below_nothing() -> None:
    tally = Tally(records=10)
    assert figure(tally, "accuracy", corrections=Corrections(2, 1)) == Figure("accuracy", 7, 10)
    assert figure(tally, "accuracy", corrections=Corrections(20, 1)).ratio == 0
    assert figure(Tally(), "accuracy").ratio is None


# -- tallies

counts = st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(1, 9))
tallies = st.builds(
    Tally,
    records=st.integers(0, 99),
    unreadable=st.integers(0, 9),
    applicable=counts.map(Counter),
    filled=counts.map(Counter),
    timed=st.integers(0, 9),
    late=st.integers(0, 9),
    spans=st.dictionaries(st.integers(0, 2), st.tuples(st.integers(0, 5), st.integers(5, 9)), max_size=2),
)
months = st.dictionaries(st.dates(date(2020, 1, 1), date(2030, 1, 1)).map("{:%Y-%m}".format), tallies, max_size=60)


@given(months)
def test_what_is_kept_is_what_was_counted_and_no_month_is_lost(held: dict[str, Tally]) -> None:
    tally = ChannelTally("basis", {0: 7, 1: 2}, held)
    before, newest = tally.total(), sorted(held)[-MONTHS_KEPT:]
    tally.trim()
    again = from_document(json.loads(json.dumps(as_document(tally))))
    assert again == tally
    assert again.total() == before
    assert set(again.months) - {EARLIER} == set(newest)
    assert (EARLIER in again.months) == (len(held) > MONTHS_KEPT)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 11))
def test_counting_in_slices_counts_the_same(chosen: list[int], at: int) -> None:
    made = penalties(10)
    records = [made[each] for each in chosen]
    whole, first = measured(records, yardstick()), measured(records[:at], yardstick())
    first.add(measured(records[at:], yardstick()))
    assert first == whole


def test_a_tally_holds_no_value_of_a_record() -> None:
    records = penalties(20)
    kept = json.dumps(
        as_document(ChannelTally("", {}, {"2026-03": measured(records, yardstick())})), ensure_ascii=False
    )
    long_values = {text for record in records for text in record.values() if len(text) > 3}
    assert [text for text in long_values if text in kept] == []
