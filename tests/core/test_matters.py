"""The matters in which subjects may be checked: who may ask in them, and about what."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.matters import Matter, is_matter_code, parse_matters
from tests.builders import UNIT, make_matters

BIDDING: dict[str, Any] = {
    "code": "bidding.tender",
    "title_zh": "招标投标资格审查",
    "title_en": "qualification of bidders",
    "units": [UNIT],
    "items": ["penalty.2018"],
    "measures": ["SHR-31-1", "SHR-30-4"],
    "lists": ["310000/lists/watch-bidders"],
}


def encoded(*matters: dict[str, Any], **changes: Any) -> bytes:
    return make_matters(*matters, **changes)


def changed(**changes: Any) -> bytes:
    return encoded({key: value for key, value in (BIDDING | changes).items() if value is not None})


def test_a_matter_says_who_may_ask_and_about_what() -> None:
    edition = parse_matters(encoded(BIDDING, version="2026.1", in_force_from="2026-03-01"))
    assert (edition.version, edition.in_force_from, list(edition.matters)) == (
        "2026.1",
        "2026-03-01",
        ["bidding.tender"],
    )
    matter = edition.matters["bidding.tender"]
    assert (matter.title_zh, matter.title_en) == ("招标投标资格审查", "qualification of bidders")
    assert (matter.items, matter.lists) == (("penalty.2018",), ("310000/lists/watch-bidders",))


def test_r_qry_2_only_the_units_of_a_matter_may_ask_in_it() -> None:
    matter = parse_matters(encoded(BIDDING)).matters["bidding.tender"]
    assert matter.is_handled_by(UNIT)
    assert not matter.is_handled_by("11339900MX0000019H")


def test_a_matter_consults_lists_whose_measures_apply_in_it_and_those_it_names() -> None:
    matter = parse_matters(encoded(BIDDING)).matters["bidding.tender"]
    assert matter.consults("330000/lists/serious-tax", ["SHR-29-1", "SHR-31-1"])
    assert not matter.consults("330000/lists/serious-tax", ["SHR-29-1", "SHR-31-2"])
    assert matter.consults("310000/lists/watch-bidders", [])
    assert not matter.consults("310000/lists/watch-others", [])


def test_an_edition_without_matters_closes_every_check() -> None:
    assert parse_matters(encoded()).matters == {}


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (b"{", "not JSON"),
        (encoded(BIDDING, format=2), "its format is not 1"),
        (encoded(BIDDING, in_force_from="soon"), "is no date"),
        (encoded(BIDDING, BIDDING), "matters has a code twice: bidding.tender"),
        (encoded(*[{}] * (DEFAULT_LIMITS.max_matters + 1)), "2001 entries, at most 2000 are allowed"),
        (encoded(BIDDING, note="x"), "unknown keys: note"),
        (changed(code="Bidding"), "is no code of a matter"),
        (changed(code="bidding."), "is no code of a matter"),
        (changed(code="b" * 65), "is no code of a matter"),
        (changed(title_en=None), "bidding.tender lacks title_en"),
        (changed(title_zh="招标\u202e投标"), "bidding.tender.title_zh is not one line"),
        (changed(units=None), "bidding.tender lacks units"),
        (changed(units=[]), "bidding.tender has no units"),
        (changed(units=[UNIT, UNIT]), "bidding.tender.units has a text twice"),
        (changed(units=[UNIT[:-1] + "0"]), "is no unified social credit code"),
        (changed(units=[UNIT] * (DEFAULT_LIMITS.max_matter_units + 1)), "1001 entries, at most 1000 are allowed"),
        (changed(items=[], measures=[], lists=[]), "nothing could be asked in it"),
        (changed(items=["penalty 2018"]), "'penalty 2018' is no item of the catalogue"),
        (changed(measures=["market bar"]), "'market bar' is no code of a measure"),
        (changed(lists=["310000/penalties"]), "'310000/penalties' is no channel of a list"),
        (changed(lists=["lists/watch"]), "'lists/watch' is no channel of a list"),
        (changed(score=5), "bidding.tender has unknown keys: score"),
    ],
)
def test_an_edition_that_is_not_exactly_right_is_refused_whole(payload: bytes, detail: str) -> None:
    with pytest.raises(XinqiaoError, match=re.escape(detail)) as refused:
        parse_matters(payload)
    assert refused.value.code == "REGISTRY_INVALID"
    assert refused.value.parameters["detail"].startswith("the matters: ")


@given(st.text(max_size=70))
def test_a_code_is_words_of_lower_case(text: str) -> None:
    is_one = re.fullmatch(r"[a-z][a-z0-9]*([.-][a-z0-9]+)*", text) is not None
    assert is_matter_code(text) == (is_one and len(text) <= 64)


def matters_in(payload: bytes) -> Mapping[str, Matter] | str:
    """The matters of an edition that can be read, or the code of its refusal."""
    try:
        return parse_matters(payload).matters
    except XinqiaoError as refused:
        return refused.code


VALUES = st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=3)


@given(key=st.sampled_from(list(BIDDING)), value=VALUES)
def test_whatever_stands_in_a_matter_it_is_read_so_that_somebody_can_ask_something_or_refused(
    key: str, value: Any
) -> None:
    found = matters_in(encoded(BIDDING | {key: value}))
    if isinstance(found, str):
        assert found == "REGISTRY_INVALID"
    else:
        (matter,) = found.values()
        assert matter.units
        assert matter.items or matter.measures or matter.lists
