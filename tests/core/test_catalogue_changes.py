"""What one edition changes of another, and which edition is in force."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node.core.catalogue import Edition, in_force, in_order, key_parts, parse_edition
from node.core.catalogue_changes import ADDED, CHANGED, REMOVED, Change, changes

EDITION = Path(__file__).resolve().parents[2] / "registry" / "editions" / "catalogue-2026.1.json"
BUILT_IN = parse_edition(EDITION.read_bytes())


def edited(change: Callable[[dict[str, Any]], Any], version: str = "2026.2", start: str = "2026-06-01") -> Edition:
    content = json.loads(EDITION.read_bytes()) | {"version": version, "in_force_from": start}
    change({item["id"]: item for item in content["items"]} | {"all": content["items"]})
    return parse_edition(json.dumps(content).encode())


def field(items: dict[str, Any], code: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in items["penalty.2018"]["fields"] if one["code"] == code)
    return found


def penalty(kind: str, code: str, aspect: str, before: str, after: str) -> Change:
    return Change(kind, "penalty.2018", code, aspect, before, after)


def test_an_edition_changes_nothing_of_itself() -> None:
    assert changes(BUILT_IN, edited(lambda _: None)) == []


def test_a_property_of_a_field_tells_what_it_was_and_is() -> None:
    longest = BUILT_IN.item("penalty.2018").by_code["CF_WSH"].max_chars
    after = edited(lambda items: field(items, "CF_WSH").update(max_chars=7, required="no"))
    assert changes(BUILT_IN, after) == [
        penalty(CHANGED, "CF_WSH", "max_chars", str(longest), "7"),
        penalty(CHANGED, "CF_WSH", "required", "yes", "no"),
    ]


def test_a_field_is_known_by_its_number_whatever_its_code_is() -> None:
    def renamed(items: dict[str, Any]) -> None:
        field(items, "CF_SY")["code"] = "CF_SS"

    assert changes(BUILT_IN, edited(renamed)) == [penalty(CHANGED, "CF_SS", "code", "CF_SY", "CF_SS")]


def test_values_and_headings_are_compared_one_by_one_and_their_order_is_none() -> None:
    def other_values(items: dict[str, Any]) -> None:
        values = field(items, "CF_CFLB")["values"]
        values.reverse()
        values.append({"text": "通报批评二", "code": "99", "means": "fine"})

    found = changes(BUILT_IN, edited(other_values))
    assert found == [penalty(ADDED, "CF_CFLB", "values", "", "通报批评二 (99) [fine]")]
    assert changes(edited(other_values), BUILT_IN) == [
        penalty(REMOVED, "CF_CFLB", "values", "通报批评二 (99) [fine]", "")
    ]


def test_fields_and_items_come_and_go_whole() -> None:
    def without(items: dict[str, Any]) -> None:
        fields = items["penalty.2018"]["fields"]
        fields.remove(field(items, "CF_SJLY"))
        items["all"].remove(items["licence.2018"])

    title = BUILT_IN.item("penalty.2018").by_code["CF_SJLY"].title_zh
    licence = BUILT_IN.item("licence.2018").title_zh
    assert changes(BUILT_IN, edited(without)) == [
        penalty(REMOVED, "CF_SJLY", "", title, ""),
        Change(REMOVED, "licence.2018", "", "", licence, ""),
    ]
    # The items of the later edition come first, those it lacks after them.
    assert set(changes(edited(without), BUILT_IN)) == {
        penalty(ADDED, "CF_SJLY", "", "", title),
        Change(ADDED, "licence.2018", "", "", "", licence),
    }


def test_properties_of_an_item_and_its_key_are_compared() -> None:
    def other(items: dict[str, Any]) -> None:
        items["penalty.2018"].update(query_period_years=3, disclosure=["B", "C"])
        items["penalty.2018"]["key"].pop("authority")

    assert changes(BUILT_IN, edited(other)) == [
        penalty(CHANGED, "", "query_period_years", "5", "3"),
        penalty(CHANGED, "", "disclosure", "A, B, C", "B, C"),
        penalty(CHANGED, "", "key.authority", "CF_CFJGDM", ""),
    ]


def test_an_edition_is_in_force_from_its_day_on_and_not_before() -> None:
    later = edited(lambda _: None)
    editions = [later, BUILT_IN]
    assert in_force(editions, "2026-05-31") is BUILT_IN
    assert in_force(editions, "2026-06-01") is later
    assert in_force(editions, "2025-12-31") is BUILT_IN
    assert in_force([], "2026-06-01") is None
    assert in_order(editions) == ["2026.1", "2026.2"]


def test_the_key_names_the_fields_that_tell_records_apart() -> None:
    assert key_parts(BUILT_IN.item("penalty.2018")) == {
        "authority": ("CF_CFJGDM",),
        "document": ("CF_WSH",),
        "subject": ("CF_XDR_SHXYM", "CF_XDR_GSZC", "CF_XDR_ZJHM"),
    }
    assert key_parts(BUILT_IN.item("registration.base")) == {"subject": ("uni_social_crd_cd",)}
