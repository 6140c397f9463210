"""Resident identity numbers beside python-stdnum: the same verdict where that one is right, and its traps avoided."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from node.core.divisions import division_on, divisions_of, resident_id_doubt, uscc_doubt
from node.core.identifiers import holds_resident_id, resident_id_fault, uscc_fault
from tests.core.test_identifiers import resident_ids, usccs

# Districts of 2021 that python-stdnum 2.2 does not know, and one that ended before the birth date below.
UNKNOWN_THERE = ("330113", "330114")


def stdnum_says(number: str) -> bool | None:
    """What python-stdnum says; None where it cannot tell, as it does not know the division or its years."""
    try:
        ric.get_birth_place(number)
    except (KeyError, ric.InvalidComponent):
        return None
    return bool(ric.is_valid(number))


def with_division(division: str, born: date, serial: int) -> str:
    first_17 = f"{division}{born:%Y%m%d}{serial:03d}"
    (number,) = [first_17 + check for check in "0123456789X" if resident_id_fault(first_17 + check) is None]
    return number


known = st.sampled_from(["110101", "310101", "310104", "330106", "340104", "420102", "650102"])
births = st.dates(min_value=date(1985, 1, 1), max_value=date(2025, 12, 31))


@given(known, births, st.integers(0, 999))
def test_a_sound_number_of_a_known_district_is_sound_for_both(division: str, born: date, serial: int) -> None:
    number = with_division(division, born, serial)
    assert stdnum_says(number) is True
    assert resident_id_doubt(number) is None


@given(known, births, st.integers(0, 999), st.integers(6, 17), st.sampled_from("0123456789X"))
@example("310101", date(2000, 2, 28), 1, 13, "9")  # a date that becomes another day
@example("310101", date(2001, 2, 28), 1, 13, "9")  # a date that becomes none
def test_a_changed_number_is_refused_by_both_or_by_neither(
    division: str, born: date, serial: int, place: int, digit: str
) -> None:
    number = with_division(division, born, serial)
    changed = number[:place] + digit + number[place + 1 :]
    verdict = stdnum_says(changed) if changed[6:17].isdecimal() and _is_a_date(changed[6:14]) else False
    if verdict is not None:
        assert (resident_id_fault(changed) is None) == verdict


def _is_a_date(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


@given(resident_ids())
def test_no_sound_number_makes_the_check_fail_whatever_its_district(number: str) -> None:
    assert resident_id_fault(number) is None
    assert resident_id_doubt(number) in (None, "DOUBT_RESIDENT_ID_DIVISION")
    assert (resident_id_doubt(number) is None) == bool(divisions_of(number[:6]))


@given(st.text(max_size=20))
def test_nothing_makes_the_check_raise(text: str) -> None:
    assert resident_id_fault(text) is not None
    assert resident_id_doubt(text) in (None, "DOUBT_RESIDENT_ID_DIVISION")


@pytest.mark.parametrize("division", UNKNOWN_THERE)
def test_the_districts_of_2021_are_known_here(division: str) -> None:
    number = with_division(division, date(2022, 5, 6), 7)
    assert stdnum_says(number) is None
    assert (resident_id_fault(number), resident_id_doubt(number)) == (None, None)


def test_a_number_whose_district_was_not_there_in_the_year_of_birth_is_sound() -> None:
    """Numbers are given where a person is registered, which may be years after the birth."""
    number = with_division("310115", date(1950, 1, 1), 1)
    assert division_on("310115", date(1985, 1, 1)) is None
    assert stdnum_says(number) is None
    assert (resident_id_fault(number), resident_id_doubt(number)) == (None, None)


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("110105491231002", "FIELD_RESIDENT_ID_15"),
        ("360426910101007", "FIELD_RESIDENT_ID_15"),
        ("110105194912310020", "FIELD_RESIDENT_ID_CHECK_DIGIT"),
        ("110105194912320029", "FIELD_RESIDENT_ID_DATE"),
    ],
)
def test_a_number_that_is_none_says_why(number: str, fault: str) -> None:
    assert resident_id_fault(number) == fault


@given(usccs())
def test_a_uscc_that_is_sound_for_python_stdnum_is_sound_here(code: str) -> None:
    if uscc.is_valid(code):
        # A person's number that also sums up as a USCC is refused on purpose.
        assert uscc_fault(code) in (None, "FIELD_USCC_RESIDENT_ID")
    assert uscc_doubt(code) in (None, "DOUBT_USCC_DIVISION")


@pytest.mark.parametrize(
    "text",
    [
        "{0}",
        "当事人身份证号{0}，住所地",
        "{0}01",
        "税号12{0}",
        "证件 {1} {2} {3}",
        "{1}-{2}-{3}",
        "号码：{4}",
        "{5}",
    ],
)
def test_a_number_is_found_in_a_text_however_it_is_written(text: str) -> None:
    for serial in range(200):
        number = with_division("330106", date(1960 + serial % 40, 3, 5), serial)
        wide = "".join(chr(ord(each) + 0xFEE0) for each in number)
        written = text.format(number, number[:6], number[6:14], number[14:], wide, number.lower())
        assert holds_resident_id(written), written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "91330106MA27WXYZ1X",
        "罚款人民币123456789012345678元",
        "示罚字〔2024〕310115000001号",
        "2024-01-02至2025-01-01，共 365 日",
        "电话 13800000000，传真 021-50000000，邮编 200120",
        "310115000123456",
    ],
)
def test_what_is_no_number_of_a_person_is_not_taken_for_one(text: str) -> None:
    assert not holds_resident_id(text)


@given(usccs())
def test_no_code_of_an_organisation_is_taken_for_a_number_of_a_person(code: str) -> None:
    assert not holds_resident_id(f"统一社会信用代码{code}")


def test_a_number_that_sums_up_as_an_organisations_code_is_told_by_the_code_within_it() -> None:
    """Of a city whose two digits are a province's, so that the shape alone could be a registrar's division."""
    numbers = (with_division("433101", date(1970, 1, 1 + serial % 28), serial) for serial in range(999))
    faults = [uscc_fault(number) for number in numbers]
    summing = [fault for fault in faults if fault not in ("FIELD_USCC_CHECK_DIGIT", "FIELD_USCC_SHAPE")]
    assert summing.count("FIELD_USCC_RESIDENT_ID") > len(summing) / 2 > 5
