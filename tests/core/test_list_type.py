"""List types: what a definition file must say, and what a receiver makes of a manifest."""

from typing import Any

import pytest

from node.core.audience import manifest_defect
from node.core.errors import XinqiaoError
from node.core.list_type import RED, SERIOUS, WATCH, list_defect, read_definition
from node.core.strict_yaml import read_yaml
from node.pb import channel_pb2, listing_pb2
from tests.builders import make_manifest
from tests.lists import AUTHORITY, DEFINITION, make_list_manifest, make_list_type

HEADER: dict[str, Any] = {"network": "delta:0", "kind": channel_pb2.ENTRY_KIND_MANIFEST}


def changed(**keys: Any) -> dict[str, Any]:
    """The definition with other values; None takes a key out."""
    content = read_yaml(DEFINITION, 10_000) | keys
    return {key: value for key, value in content.items() if value is not None}


def refused(content: object) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        read_definition(content)
    return caught.value


def test_a_definition_is_read_whole() -> None:
    found = read_definition(changed())
    assert (found.audience, found.staleness_limit_s) == ("everyone", 3600)
    assert found.disclosure == channel_pb2.DISCLOSURE_CLASS_A
    assert (found.list.code, found.list.kind, found.list.authority) == ("serious-tax", SERIOUS, AUTHORITY)
    assert [(each.title, each.article) for each in found.list.legal_basis] == [("税收征收管理法", "第六十三条")]
    assert list(found.list.measures) == ["SHR-31-1", "SHR-31-2"]
    assert found.list.term_months == 36


def test_r_lst_1_a_list_without_legal_basis_is_refused() -> None:
    for basis in (None, [], [{"title": " ", "article": "第一条"}], [{"title": "税收征收管理法", "article": ""}]):
        error = refused(changed(legal_basis=basis))
        assert (error.code, error.parameters["rule"]) == ("LIST_BASIS", "R-LST-1")
        assert (bool(error.parameters["article"]), error.who) == (True, "the determining authority")


@pytest.mark.parametrize("key", ["entry_conditions", "exit_conditions", "remedy"])
def test_r_lst_3_a_list_says_how_it_is_entered_and_left_and_what_the_listed_can_do(key: str) -> None:
    for text in (None, "", "  "):
        error = refused(changed(**{key: text}))
        assert (error.code, error.parameters["rule"], error.parameters["key"]) == ("LIST_CONDITIONS", "R-LST-3", key)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"kind": "black"}, "kind"),
        ({"kind": None}, "kind"),
        ({"code": None}, "code"),
        ({"title_en": ""}, "title_en"),
        ({"title_zh": "名" * 121}, "title_zh"),
        ({"authority": "11310000MB2F30519X"}, "authority"),
        ({"authority": 11310000}, "authority"),
        ({"legal_basis": "税收征收管理法"}, "legal_basis"),
        ({"legal_basis": [{"title": "税收征收管理法"}]}, "legal_basis"),
        ({"legal_basis": [{"title": "法", "article": "第一条"}] * 33}, "legal_basis"),
        ({"remedy": "救" * 2001}, "remedy"),
        ({"measures": "SHR-31-1"}, "measures"),
        ({"measures": ["SHR-31-1", "SHR-31-1"]}, "measures"),
        ({"measures": ["SHR,31"]}, "measures"),
        ({"measures": [f"SHR-{number}" for number in range(65)]}, "measures"),
        ({"kind": "watch"}, "measures"),
        ({"term_months": None}, "term_months"),
        ({"term_months": "36"}, "term_months"),
        ({"term_months": 1201}, "term_months"),
        ({"disclosure": "D"}, "disclosure"),
        ({"staleness_limit_s": -1}, "staleness_limit_s"),
        ({"colour": "black"}, "colour"),
    ],
)
def test_what_is_wrong_with_a_definition_is_named_by_its_key(keys: dict[str, Any], key: str) -> None:
    error = refused(changed(**keys))
    assert (error.code, error.parameters["key"]) == ("LIST_FIELD", key)
    assert error.parameters["detail"]


@pytest.mark.parametrize("content", [None, [], "serious-tax", {1: "x"}])
def test_a_file_that_holds_something_else_is_refused(content: object) -> None:
    assert refused(content).code == "LIST_FIELD"


def test_red_and_watch_lists_are_lists_too() -> None:
    assert read_definition(changed(kind="red")).list.kind == RED
    assert read_definition(changed(kind="watch", measures=None)).list.kind == WATCH


# --- Manifests ----------------------------------------------------------------------------------------------


def header(channel: str, manifest: channel_pb2.Manifest) -> channel_pb2.EntryHeader:
    return channel_pb2.EntryHeader(**HEADER, channel=channel, manifest=manifest)


def test_a_receiver_takes_the_manifest_of_a_list() -> None:
    assert manifest_defect(header("310000/lists/serious-tax", make_list_manifest())) == ""


def test_a_receiver_takes_no_list_outside_its_folder_and_nothing_else_in_it() -> None:
    assert "carry lists" in manifest_defect(header("310000/penalties", make_list_manifest()))
    assert "carry lists" in manifest_defect(header("310000/lists/serious-tax", make_manifest()))
    assert "another code" in manifest_defect(header("310000/lists/other", make_list_manifest()))


def test_a_list_travels_before_records_and_has_no_item() -> None:
    for changes in ({"item": "penalty.2018"}, {"priority": channel_pb2.PRIORITY_BULK}):
        manifest = make_list_manifest()
        manifest.MergeFrom(channel_pb2.Manifest(**changes))
        assert "no catalogue item" in manifest_defect(header("310000/lists/serious-tax", manifest))


@pytest.mark.parametrize(
    "changes",
    [
        {"legal_basis": []},
        {"remedy": ""},
        {"kind": listing_pb2.LIST_KIND_UNSPECIFIED},
        {"measures": ["SHR-31-2", "SHR-31-1"]},
        {"measures": [""]},
        {"measures": ["S" * 33]},
        {"term_months": 0},
        {"authority": ""},
    ],
)
def test_a_receiver_refuses_what_the_origin_would_have_to_refuse(changes: dict[str, Any]) -> None:
    list_type = make_list_type(**changes)
    defect = list_defect(list_type)
    assert defect is not None
    assert manifest_defect(header("310000/lists/serious-tax", make_list_manifest(list=list_type))) == defect.text
