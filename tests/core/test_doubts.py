"""Doubts: a sound record of an unknown division is taken, and whoever publishes it is told."""

from node.core.doubts import Tally, compile_doubts
from node.core.errors import CODES
from node.core.identifiers import USCC_PLACEHOLDER, uscc_check_character
from node.core.record import Defect, Row
from node.core.validation import compile_validator
from node.ingest.batching import batches
from scripts.xq_generate import RESIDENT_ID
from tests.core.test_catalogue import PENALTY, TODAY, numbered, sound_row


def sound_uscc(first_17: str) -> str:
    return first_17 + uscc_check_character(first_17)


# The generated rows have codes of a city that there is not, so that they can be nobody's.
KNOWN = sound_uscc("91310141MX000001X")
UNKNOWN_CITY = sound_uscc("91318000MX000001X")
UNKNOWN_PERSON = "329999197001010008"


def doubts(**changes: str | None) -> list[tuple[str, str]]:
    known: dict[str, str | None] = dict.fromkeys(("CF_XDR_SHXYM", "CF_CFJGDM", "CF_SJLYDM"), KNOWN)
    values = numbered(PENALTY, sound_row("penalty.2018", **(known | changes)))
    return [(each.code, each.field_code) for each in compile_doubts(PENALTY)(values)]


def test_a_usual_record_raises_no_doubt() -> None:
    assert doubts() == []


def test_an_unknown_city_in_a_uscc_is_doubted_and_the_record_is_sound() -> None:
    row = sound_row("penalty.2018", CF_XDR_SHXYM=UNKNOWN_CITY)
    assert compile_validator(PENALTY, "C", TODAY)(numbered(PENALTY, row)) == ()
    assert doubts(CF_XDR_SHXYM=UNKNOWN_CITY) == [("DOUBT_USCC_DIVISION", "CF_XDR_SHXYM")]


def test_the_placeholder_is_not_doubted() -> None:
    assert doubts(CF_XDR_SHXYM=USCC_PLACEHOLDER) == []


def test_an_identity_number_is_doubted_where_it_is_said_to_be_one() -> None:
    number = next(UNKNOWN_PERSON[:17] + check for check in "0123456789X" if _is_sound(UNKNOWN_PERSON[:17] + check))
    known = {"CF_FR_ZJLX": "身份证", "CF_FR_ZJHM": number}
    assert doubts(**known) == [("DOUBT_RESIDENT_ID_DIVISION", "CF_FR_ZJHM")]
    assert doubts(**(known | {"CF_FR_ZJLX": "护照"})) == []
    assert doubts(**(known | {"CF_FR_ZJHM": RESIDENT_ID})) == []


def _is_sound(number: str) -> bool:
    values = numbered(PENALTY, sound_row("penalty.2018", CF_FR_ZJLX="身份证", CF_FR_ZJHM=number))
    return compile_validator(PENALTY, "C", TODAY)(values) == ()


def test_a_doubt_has_its_words_and_no_place_for_the_value() -> None:
    found, *_ = compile_doubts(PENALTY)(numbered(PENALTY, sound_row("penalty.2018", CF_XDR_SHXYM=UNKNOWN_CITY)))
    assert UNKNOWN_CITY not in f"{found.error.text} {found.error.next}"
    assert "nothing is to be done" in CODES[found.code].next


def test_the_doubts_of_a_file_are_told_once_for_each_column_with_the_number_of_rows() -> None:
    tally = Tally()
    for code, title in (("DOUBT_USCC_DIVISION", "乙"), ("DOUBT_DIVISION", "甲"), ("DOUBT_USCC_DIVISION", "乙")):
        tally.add([Defect(code, "X", {"title": title, "rows": 1})])
    told = tally.notes()
    assert [(each.code, each.parameters) for each in told] == [
        ("DOUBT_DIVISION", {"title": "甲", "rows": "1"}),
        ("DOUBT_USCC_DIVISION", {"title": "乙", "rows": "2"}),
    ]
    assert "in 2 rows" in told[1].text


def test_a_row_that_is_doubted_becomes_a_record_all_the_same() -> None:
    row = Row(2, sound_row("penalty.2018", CF_XDR_SHXYM=UNKNOWN_CITY, CF_CFJGDM=KNOWN, CF_SJLYDM=KNOWN))
    (batch,) = batches([row], PENALTY, "C", 10, 1_000_000, TODAY)
    assert batch.rejections == ()
    assert [[each.field_code for each in one.doubts] for one in batch.candidates] == [["CF_XDR_SHXYM"]]
