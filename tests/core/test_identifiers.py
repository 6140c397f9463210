"""Codes: published examples, the check digits against every single slip, and what spreadsheets do to them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.identifiers import (
    NATION_DIVISIONS,
    PROVINCES,
    USCC_ALPHABET,
    USCC_PLACEHOLDER,
    division_fault,
    fold_document_number,
    is_node_id,
    is_uscc,
    iso_date,
    org_code_check_character,
    org_code_fault,
    resident_birth_date,
    resident_id_fault,
    spreadsheet_damage,
    uscc_check_character,
    uscc_fault,
)

# Codes printed in public samples of the exchange format, and the examples of the standards.
SOUND_USCCS = ["91230500MA1B3N1N2M", "11230500001755309F"]
SOUND_RESIDENT_IDS = ["11010519491231002X", "360426199101010071"]

_alphabet = st.sampled_from(USCC_ALPHABET)
_digit = st.sampled_from("0123456789")


@st.composite
def usccs(draw: st.DrawFn) -> str:
    """Sound codes of every registering authority, kind and division."""
    authority = draw(st.sampled_from(USCC_ALPHABET[1:]))
    division = draw(st.sampled_from(sorted(PROVINCES))) + "".join(draw(st.lists(_digit, min_size=4, max_size=4)))
    rest = "".join(draw(st.lists(_alphabet, min_size=9, max_size=9)))
    first_17 = authority + draw(_alphabet) + division + rest
    return first_17 + uscc_check_character(first_17)


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    """Sound numbers of persons born since 1900, found by trying the eleven check characters."""
    born = draw(st.dates(min_value=date(1900, 1, 1), max_value=date(2025, 12, 31)))
    first_17 = f"{draw(st.integers(110000, 659999))}{born:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    (code,) = [first_17 + check for check in "0123456789X" if resident_id_fault(first_17 + check) is None]
    return code


@pytest.mark.parametrize("code", SOUND_USCCS)
def test_published_usccs_are_sound(code: str) -> None:
    assert uscc_fault(code) is None
    assert is_uscc(code)


@pytest.mark.parametrize("first", ["A1", "N1", "Y1", "91", "92", "93", "51", "G1"])
def test_every_registering_authority_is_accepted(first: str) -> None:
    first_17 = f"{first}319900MX000001X"
    assert uscc_fault(first_17 + uscc_check_character(first_17)) is None


def test_the_first_character_is_never_zero() -> None:
    first_17 = "01319900MX000001X"
    assert uscc_fault(first_17 + uscc_check_character(first_17)) == "FIELD_USCC_SHAPE"


@given(usccs())
def test_a_made_uscc_is_sound(code: str) -> None:
    # A code that is also a person's number is refused on purpose; it must then really be one.
    fault = uscc_fault(code)
    assert fault is None or (fault == "FIELD_USCC_RESIDENT_ID" and resident_id_fault(code) is None)


@given(usccs(), st.integers(0, 17), _alphabet)
def test_every_change_of_one_character_of_a_uscc_is_detected(code: str, place: int, character: str) -> None:
    changed = code[:place] + character + code[place + 1 :]
    assert changed == code or not is_uscc(changed)


@given(usccs(), st.integers(0, 16))
def test_every_swap_of_neighbours_in_a_uscc_is_detected(code: str, place: int) -> None:
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or not is_uscc(swapped)


@given(usccs(), st.integers(0, 17), st.sampled_from("IOSVZiosvza１Ａ 中\x00-"))
def test_characters_outside_the_alphabet_are_refused(code: str, place: int, character: str) -> None:
    assert uscc_fault(code[:place] + character + code[place + 1 :]) == "FIELD_USCC_SHAPE"


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    for fault in (uscc_fault, org_code_fault, resident_id_fault, division_fault):
        answer = fault(text)
        assert answer is None or answer.startswith("FIELD_")


def test_the_placeholder_is_named_and_never_sound() -> None:
    assert uscc_fault(USCC_PLACEHOLDER) == "FIELD_USCC_PLACEHOLDER"
    assert not is_uscc(USCC_PLACEHOLDER)


def test_a_check_character_needs_17_characters_of_the_alphabet() -> None:
    for wrong in ("9" * 16, "9" * 18, "9" * 16 + "I"):
        with pytest.raises(ValueError, match=r"17 characters|substring not found"):
            uscc_check_character(wrong)


@pytest.mark.parametrize("code", ["913199001234568000", "9.13302E+17", "9.1E+17", "9E17", "913199001234568000.0"])
def test_damage_by_a_spreadsheet_is_recognised(code: str) -> None:
    assert spreadsheet_damage(code)
    assert uscc_fault(code) == "FIELD_CODE_SPREADSHEET"


def test_a_sound_code_that_ends_in_000_is_no_damage() -> None:
    sound = [f"9131990012345{number:02d}000" for number in range(100) if is_uscc(f"9131990012345{number:02d}000")]
    assert sound
    assert not any(map(spreadsheet_damage, sound))


def test_a_resident_id_rounded_by_a_spreadsheet_is_recognised() -> None:
    assert resident_id_fault("360426199101010000") == "FIELD_CODE_SPREADSHEET"
    assert resident_id_fault("3.60426E+17") == "FIELD_CODE_SPREADSHEET"


def test_letters_are_no_damage_of_a_spreadsheet() -> None:
    assert uscc_fault("91230500MA1B3N1000") == "FIELD_USCC_CHECK_DIGIT"


def test_a_resident_id_that_sums_up_as_a_uscc_is_refused() -> None:
    found = [
        code
        for sequence in range(1000)
        for check in "0123456789X"
        if resident_id_fault(code := f"33010619900101{sequence:03d}{check}") is None
        and uscc_fault(code) != "FIELD_USCC_CHECK_DIGIT"
    ]
    assert found
    assert {uscc_fault(code) for code in found} == {"FIELD_USCC_RESIDENT_ID"}


# D2143569-X is the example that GB 11714 prints.
def test_the_organisation_code_of_the_standard_is_sound() -> None:
    assert org_code_check_character("D2143569") == "X"
    assert org_code_fault("D2143569X") is None


@pytest.mark.parametrize("code", SOUND_USCCS)
def test_the_organisation_code_within_a_uscc_checks_too(code: str) -> None:
    assert org_code_fault(code[8:17]) is None


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("D21435690", "FIELD_ORG_CODE_CHECK_DIGIT"),
        ("D2143569-X", "FIELD_ORG_CODE_SHAPE"),
        ("d2143569X", "FIELD_ORG_CODE_SHAPE"),
        ("", "FIELD_ORG_CODE_SHAPE"),
    ],
)
def test_wrong_organisation_codes_say_why(code: str, fault: str) -> None:
    assert org_code_fault(code) == fault


def test_an_organisation_code_is_made_of_8_characters() -> None:
    with pytest.raises(ValueError, match="8 digits or capital letters"):
        org_code_check_character("D214356")


@pytest.mark.parametrize("code", SOUND_RESIDENT_IDS)
def test_published_resident_ids_are_sound(code: str) -> None:
    assert resident_id_fault(code) is None


@given(resident_ids(), st.integers(0, 17), _digit)
def test_every_change_of_one_digit_of_a_resident_id_is_detected(code: str, place: int, digit: str) -> None:
    changed = code[:place] + digit + code[place + 1 :]
    assert changed == code or resident_id_fault(changed) is not None


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("110105491231002", "FIELD_RESIDENT_ID_15"),
        ("110105194913310020", "FIELD_RESIDENT_ID_DATE"),
        ("110105194902300020", "FIELD_RESIDENT_ID_DATE"),
        ("110105194912310021", "FIELD_RESIDENT_ID_CHECK_DIGIT"),
        ("11010519491231002x", "FIELD_RESIDENT_ID_SHAPE"),
        ("01010519491231002X", "FIELD_RESIDENT_ID_SHAPE"),
        ("１10105194912310021", "FIELD_RESIDENT_ID_SHAPE"),
        ("", "FIELD_RESIDENT_ID_SHAPE"),
    ],
)
def test_wrong_resident_ids_say_why(code: str, fault: str) -> None:
    assert resident_id_fault(code) == fault


@pytest.mark.parametrize("division", ["330113", "330114", "310103", "999"])
def test_a_resident_id_keeps_the_division_it_was_issued_in(division: str) -> None:
    """Districts come and go; only the shape of the first six digits counts (a real trap of other validators)."""
    first_17 = f"{division}20000101001"
    faults = {resident_id_fault(first_17 + check) for check in "0123456789X"}
    assert (None in faults) == (len(division) == 6)


def test_a_birth_date_is_read_from_the_number() -> None:
    assert resident_birth_date("11010519491231002X") == date(1949, 12, 31)
    assert resident_birth_date("110105194913310020") is None


def test_there_are_34_provinces() -> None:
    assert len(PROVINCES) == 34


@pytest.mark.parametrize("code", ["310000", "330114", "370300", "820000", *sorted(NATION_DIVISIONS)])
def test_divisions_under_a_province_and_the_nation_are_sound(code: str) -> None:
    assert division_fault(code) is None


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("990000", "FIELD_DIVISION_PROVINCE"),
        ("160000", "FIELD_DIVISION_PROVINCE"),
        ("31", "FIELD_DIVISION_SHAPE"),
        ("31000０", "FIELD_DIVISION_SHAPE"),
    ],
)
def test_wrong_divisions_say_why(code: str, fault: str) -> None:
    assert division_fault(code) == fault


@pytest.mark.parametrize("text", ["310000", "yrd", "national", "zone-37", "a1", "a" * 31])
def test_node_ids_are_divisions_or_words(text: str) -> None:
    assert is_node_id(text)


@pytest.mark.parametrize(
    "text", ["", "a", "A1", "31000", "3100000", "1a", "-a", "a_b", "a" * 32, "yrd\n", "３１００００"]
)
def test_other_texts_name_no_node(text: str) -> None:
    assert not is_node_id(text)


BRACKET_STYLES = [
    "沪监罚〔2024〕12号",
    "沪监罚[2024]12号",
    "沪监罚【2024】12号",
    "沪监罚（2024）12号",
    "沪监罚(2024)12号",
]


@pytest.mark.parametrize("text", [*BRACKET_STYLES, " 沪监罚 〔 2024 〕１２号\u3000", "沪监罚［2024］\u200b12号"])
def test_one_document_number_folds_to_one_form(text: str) -> None:
    assert fold_document_number(text) == "沪监罚〔2024〕12号"


def test_different_document_numbers_stay_different() -> None:
    assert fold_document_number("沪监罚〔2024〕12号") != fold_document_number("沪监罚〔2024〕21号")


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold_document_number(text)
    assert fold_document_number(once) == once


@given(st.dates())
def test_dates_are_read_as_written(day: date) -> None:
    assert iso_date(day.isoformat()) == day


@pytest.mark.parametrize(
    "text", ["", "2024-2-1", "20240201", "2024-02-30", "2024/02/01", "２０２４-02-01", "2024-W01-1", "0000-01-01"]
)
def test_anything_else_is_no_date(text: str) -> None:
    assert iso_date(text) is None
