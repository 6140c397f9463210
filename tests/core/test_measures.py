"""The measures that lists may attach: which are published, and what an edition may say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.editions import latest
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.measures import MeasureKind, MeasuresEdition, is_measure_code, parse_measures

FILE = Path(__file__).resolve().parents[2] / "registry" / "editions" / "measures-2026.1.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_bytes())
EDITION = parse_measures(FILE.read_bytes())
ARTICLES = {"S1-22": 3, "SHR-29": 4, "SDR-26": 6, "SHR-30": 5, "S1-23": 8, "SHR-31": 7, "ZJR-26": 9, "SDR-30": 7}
LAWS = {
    "S1": "上海市公共信用信息归集和使用管理办法",
    "SHR": "上海市社会信用条例",
    "ZJR": "浙江省公共信用信息管理条例",
    "SDR": "山东省社会信用条例",
}


def encoded(**changes: Any) -> bytes:
    return json.dumps(DOCUMENT | changes).encode()


def with_measure(**changes: Any) -> bytes:
    changed = {key: value for key, value in (DOCUMENT["measures"][0] | changes).items() if value is not None}
    return encoded(measures=[changed])


def test_the_built_in_edition_has_every_item_of_the_articles_and_nothing_else() -> None:
    assert list(EDITION.measures) == [
        f"{article}-{item}" for article, n in ARTICLES.items() for item in range(1, n + 1)
    ]
    for code, measure in EDITION.measures.items():
        law, article, item = code.split("-")
        assert (measure.code, measure.cited) == (code, f"{LAWS[law]} art. {article}({item})")


def test_the_built_in_edition_tells_incentives_from_ordinary_and_serious_discipline() -> None:
    kinds = {article: {EDITION.measures[f"{article}-{n}"].kind for n in (1, 2, 3)} for article in ARTICLES}
    assert {article for article, found in kinds.items() if found == {MeasureKind.INCENTIVE}} == {
        "S1-22",
        "SHR-29",
        "SDR-26",
    }
    assert {article for article, found in kinds.items() if found == {MeasureKind.DISCIPLINE}} == {"SHR-30", "S1-23"}
    assert {article for article, found in kinds.items() if found == {MeasureKind.SERIOUS}} == {
        "SHR-31",
        "ZJR-26",
        "SDR-30",
    }


def test_r_msr_1_what_no_published_edition_has_is_told_apart() -> None:
    codes = ["SHR-31-1", "SHR-31-8", "SHR-31-2", "XYZ-1-1"]
    assert EDITION.published(codes) == ("SHR-31-1", "SHR-31-2")
    assert EDITION.unpublished(codes) == ("SHR-31-8", "XYZ-1-1")


def test_r_msr_3_zhejiang_says_which_measures_need_a_law() -> None:
    found = [EDITION.measures[f"ZJR-26-{item}"].requires for item in range(1, 10)]
    assert found == ["law"] * 5 + ["law or rules"] * 3 + [""]
    assert {each.requires for each in EDITION.measures.values() if not each.code.startswith("ZJR-26")} == {""}


@pytest.mark.parametrize("key", ["relatives", "applies_to", "binds"])
def test_r_msr_4_a_measure_has_no_place_for_anybody_but_the_listed(key: str) -> None:
    with pytest.raises(XinqiaoError, match=f"unknown keys: {key}"):
        parse_measures(with_measure(**{key: "children"}))


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (b"[]", "edition is no object"),
        (b"{", "not JSON"),
        (encoded(format=2), "its format is not 1"),
        (encoded(version=" "), "edition.version is empty"),
        (encoded(in_force_from="2026-13-01"), "is no date"),
        (encoded(measures=[]), "it has no measures"),
        (encoded(measures=DOCUMENT["measures"][:1] * 2), "measures has a code twice: S1-22-1"),
        (encoded(measures=[{}] * (DEFAULT_LIMITS.max_measures + 1)), "entries, at most 1000 are allowed"),
        (encoded(note="x"), "unknown keys: note"),
        (with_measure(code="shr-31-1"), "is no code of a measure"),
        (with_measure(code="SHR"), "is no code of a measure"),
        (with_measure(code="SHR-31-01"), "is no code of a measure"),
        (with_measure(kind="punishment"), "'punishment' is not one of discipline, incentive, serious"),
        (with_measure(requires="custom"), "'custom' is not one of law, law or rules"),
        (with_measure(title_zh=None), "S1-22-1 lacks title_zh"),
        (with_measure(title_zh="一\n二"), "S1-22-1.title_zh is not one line"),
        (with_measure(title_en="x" * (DEFAULT_LIMITS.max_title_chars + 1)), "not one line of at most 120 characters"),
        (with_measure(basis=" "), "S1-22-1.basis is empty"),
        (with_measure(article=31), "S1-22-1.article is no str"),
    ],
)
def test_an_edition_that_is_not_exactly_right_is_refused_whole(payload: bytes, detail: str) -> None:
    with pytest.raises(XinqiaoError, match=re.escape(detail)) as refused:
        parse_measures(payload)
    assert refused.value.code == "REGISTRY_INVALID"
    assert refused.value.parameters["detail"].startswith("the measures: ")


def test_a_file_beyond_its_size_is_refused_before_it_is_read() -> None:
    with pytest.raises(XinqiaoError, match="2097153 bytes, at most 2097152 are allowed"):
        parse_measures(b" " * (DEFAULT_LIMITS.max_registry_file_bytes + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def version_in(payload: bytes) -> str:
    """The version of an edition that can be read, or the code of its refusal."""
    try:
        return parse_measures(payload).version
    except XinqiaoError as refused:
        return refused.code


@given(key=st.sampled_from([*DOCUMENT, "more"]), value=JSON)
def test_whatever_stands_in_an_edition_it_is_read_or_refused_by_its_code(key: str, value: Any) -> None:
    found = version_in(encoded(**{key: value}))
    assert found == "REGISTRY_INVALID" or (key, found) in {("version", value), *((each, "2026.1") for each in DOCUMENT)}


@given(st.text(max_size=24))
def test_a_code_is_law_article_and_item_and_nothing_that_needs_escaping(text: str) -> None:
    assert is_measure_code(text) == bool(re.fullmatch(r"[A-Z][A-Z0-9]{0,15}(-[1-9][0-9]{0,3}){1,3}", text))


def test_the_edition_in_force_is_the_one_whose_day_came_last() -> None:
    def edition(version: str, day: str) -> MeasuresEdition:
        return MeasuresEdition(version, day, {})

    first, same_day, later = edition("a", "2026-01-01"), edition("b", "2026-01-01"), edition("0", "2026-07-01")
    assert latest([later, first, same_day], "2026-06-30") is same_day
    assert latest([later, first, same_day], "2026-07-01") is later
    assert latest([later, first, same_day], "2025-12-31") is None
    assert latest([], "2026-07-01") is None
