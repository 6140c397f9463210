"""The table of rules: a strict parser, dates and jurisdictions, and the built-in edition."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.core import rules, rules_edition
from node.core.catalogue import parse_edition
from node.core.errors import CODES, XinqiaoError
from node.core.limits import Limits
from node.core.rules_edition import Effect, edition_in_force, parse_rules

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "registry" / "editions" / "rules-2026.1.json"
EDITION = parse_rules(FILE.read_bytes())
PENALTY = parse_edition((ROOT / "registry" / "editions" / "catalogue-2026.1.json").read_bytes()).item("penalty.2018")
IDS = [*(f"R-INC-{number}" for number in range(1, 16)), *(f"R-DIS-{number}" for number in range(1, 5))]

Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> bytes:
    content = json.loads(FILE.read_bytes())
    change(content)
    return json.dumps(content, ensure_ascii=False).encode()


def refusal(payload: bytes) -> str:
    with pytest.raises(XinqiaoError) as found:
        parse_rules(payload)
    assert found.value.code == "RULES_INVALID"
    return found.value.parameters["detail"]


def test_the_edition_has_every_inclusion_and_disclosure_rule() -> None:
    assert EDITION.version == "2026.1"
    assert list(EDITION.rules) == IDS


def test_every_predicate_is_one_function_with_a_code() -> None:
    assert {*rules.PREDICATES, "deadline"} == set(rules_edition.PREDICATES)
    assert all(code in CODES and predicate.__doc__ for code, predicate in rules.PREDICATES.values())


def test_every_predicate_is_used_by_the_edition() -> None:
    assert {provision.predicate for provision in EDITION.provisions} == set(rules_edition.PREDICATES)


def test_every_provision_cites_an_article_and_no_unread_one_rejects() -> None:
    for provision in EDITION.provisions:
        assert provision.cited(provision.valid_from)
        read = {article.read for article in provision.articles}
        assert provision.effect is not Effect.REJECT or read != {"not read"}


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda e: e.update(format=2), "its format is not 1"),
        (lambda e: e.pop("version"), "lacks version"),
        (lambda e: e.update(more=1), "unknown keys: more"),
        (lambda e: e["rules"].append(e["rules"][0]), "has a id twice: R-INC-1"),
        (lambda e: e["rules"].append({"id": "R-X", "title_zh": "x", "title_en": "x"}), "nothing says how"),
        (lambda e: e["provisions"][0].update(rule="R-INC-99"), "is not one of"),
        (lambda e: e["provisions"][0].update(predicate="eval"), "is not one of"),
        (lambda e: e["provisions"][0].update(effect="delete"), "is not one of"),
        (lambda e: e["provisions"][0].update(effect="timer"), "the predicate deadline"),
        (lambda e: e["provisions"][0].update(valid_from="2016-02-30"), "is no date"),
        (lambda e: e["provisions"][0].update(valid_to="2016-02-28"), "ends before it begins"),
        (lambda e: e["provisions"][0].update(jurisdictions=[]), "no jurisdiction"),
        (lambda e: e["provisions"][0].update(jurisdictions=["310"]), "2, 4 or 6 digits"),
        (lambda e: e["provisions"][0].update(subjects=["relatives"]), "subjects are"),
        (lambda e: e["provisions"][0].update(disclosure=["D"]), "disclosure is a choice"),
        (lambda e: e["provisions"][0].update(articles=[]), "none of its articles"),
        (lambda e: [each.update(read="not read") for each in e["provisions"][0]["articles"]], "reject no record"),
        (lambda e: e["provisions"][0]["parameters"].pop("years"), "lacks years"),
        (lambda e: e["provisions"][0]["parameters"].update(years="18"), "is no int"),
        (lambda e: e["provisions"][0]["parameters"].update(years=0), "not between"),
        (lambda e: e["provisions"][0]["parameters"].update(score=1), "unknown keys: score"),
        (lambda e: e["provisions"][2]["parameters"].update(words=[]), "is empty"),
        (lambda e: e["provisions"][2]["parameters"].update(words=["  "]), "no text"),
        (lambda e: e["provisions"][-1]["parameters"]["levels"].update({"公开": "Z"}), "is not one of"),
        (lambda e: late(e).update(effect="reject"), "what rests on the calendar"),
        (lambda e: timer(e)["parameters"].update(working_days=5), "either working_days or months"),
        (lambda e: timer(e)["parameters"].update({"from": "rumour"}), "is not one of"),
    ],
)
def test_an_edition_that_is_not_what_it_should_be_is_refused_whole(change: Change, detail: str) -> None:
    assert detail in refusal(changed(change))


def late(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in content["provisions"] if each["predicate"] == "late")
    return found


def timer(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        each for each in content["provisions"] if each["predicate"] == "deadline" and "months" in each["parameters"]
    )
    return found


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff", b'{"format": 1.0}', b"[" * 100_000])
def test_what_is_no_edition_is_refused(payload: bytes) -> None:
    assert refusal(payload)


def test_an_edition_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(XinqiaoError, match="RULES_INVALID"):
        parse_rules(FILE.read_bytes(), Limits(max_registry_file_bytes=100))


@pytest.mark.parametrize(
    ("rule", "division", "day", "holds"),
    [
        ("R-INC-5", "330100", "2018-01-01", True),
        ("R-INC-5", "330106", "2026-05-01", True),
        ("R-INC-5", "330106", "2017-12-31", False),
        ("R-INC-5", "310115", "2026-05-01", False),
        ("R-INC-5", "", "2026-05-01", False),
        ("R-INC-1", "", "2026-05-01", True),
        ("R-INC-1", "120101", "2016-02-29", False),
        ("R-DIS-2", "330106", "2026-05-01", True),
        ("R-DIS-2", "330200", "2026-05-01", False),
    ],
)
def test_a_provision_holds_in_its_region_and_its_time(rule: str, division: str, day: str, holds: bool) -> None:
    assert any(each.holds(division, day) for each in EDITION.of(rule)) is holds


def test_what_has_been_repealed_still_holds_for_its_time() -> None:
    def sources(day: str) -> str:
        held = EDITION.in_force(PENALTY, "A", day, ["120000"])
        return "; ".join(each.cited(day) for each in held if each.rule.id == "R-INC-15")

    assert sources("2022-01-01") == "市场监督管理行政处罚信息公示规定 art. 2"
    assert "国家发展改革委令第58号" in sources("2026-03-31")
    assert "国家发展改革委令第36号" not in sources("2026-03-31")
    assert "国家发展改革委令第58号" not in sources("2026-04-01")
    assert "国家发展改革委令第36号" in sources("2026-04-01")


def test_items_are_named_by_id_or_by_kind() -> None:
    (provision, *_) = (each for each in EDITION.of("R-INC-4") if each.items == ("penalty",))
    assert provision.covers(PENALTY, "C")
    others = parse_edition((ROOT / "registry" / "editions" / "catalogue-2026.1.json").read_bytes()).items
    assert not provision.covers(others["licence.2018"], "C")


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(XinqiaoError, match="RULE_UNKNOWN"):
        EDITION.of("R-INC-99")


def test_the_edition_in_force_is_the_latest_whose_day_has_come() -> None:
    later = parse_rules(changed(lambda e: e.update(version="2026.2", in_force_from="2026-07-01")))
    assert edition_in_force([later, EDITION], "2026-07-01") is later
    assert edition_in_force([later, EDITION], "2026-06-30") is EDITION
    assert edition_in_force([later, EDITION], "2025-12-31") is None
