"""What a clerk is told of the catalogue: its items and fields, and what the next edition changes."""

import json
from pathlib import Path
from typing import Any

from tests.processes.commands import wait_until
from tests.processes.network import SHANGHAI, Town

BUILT_IN = Path(__file__).resolve().parents[2] / "registry" / "editions" / "catalogue-2026.1.json"


def next_edition(path: Path, version: str = "2026.2", start: str = "2026-02-01") -> Path:
    """An edition with a further item, a further value and a shorter document number."""
    content = json.loads(BUILT_IN.read_bytes()) | {"version": version, "in_force_from": start}
    items = {item["id"]: item for item in content["items"]}
    fields = {field["code"]: field for field in items["penalty.2018"]["fields"]}
    fields["CF_WSH"]["max_chars"] = 60
    content["items"].append(items["registration.base"] | {"id": "registration.more", "title_zh": "补充登记信息"})
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def catalogue(town: Town, *argv: object, language: str = "zh") -> tuple[dict[str, Any], str]:
    """The document and the prose of a catalogue command."""
    command = town.start(SHANGHAI.id, "catalogue", *argv, "--lang", language)
    assert command.wait() == 0, command.stderr
    return command.documents()[0], command.stderr


def test_the_catalogue_is_listed_shown_and_compared_with_the_next_edition(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id)
    document, said = catalogue(town, "list")
    assert [item["id"] for item in document["items"]] == ["licence.2018", "penalty.2018", "registration.base"]
    assert (document["version"], document["known_versions"]) == ("2026.1", ["2026.1"])
    assert "目录版本 2026.1，自 2026-01-01 起施行" in said
    document, said = catalogue(town, "show", "penalty.2018")
    assert document["item"] == next(
        item for item in json.loads(BUILT_IN.read_bytes())["items"] if item["id"] == "penalty.2018"
    )
    assert document["key_parts"]["document"] == ["CF_WSH"]
    assert all(field["code"] in said for field in document["item"]["fields"])
    assert {"CF_WSH", "行政处罚决定文书号", "必填", "区分记录的字段"} <= set(said.replace("，", " ").split())
    assert "may be queried for 5 years" in catalogue(town, "show", "penalty.2018", language="en")[1]
    # With one edition there is nothing to compare; a draft can be compared before anybody signs it.
    assert catalogue(town, "diff")[0] == {"before": None, "after": "2026.1", "changes": []}
    draft = next_edition(tmp_path / "draft.json")
    compared, said = catalogue(town, "diff", "--against", draft)
    aspects = [(each["kind"], each["item"], each["field"], each["aspect"]) for each in compared["changes"]]
    changed = ("changed", "penalty.2018", "CF_WSH", "max_chars")
    assert aspects == [changed, ("added", "registration.more", "", "")]
    assert "最大长度" in said
    # The officers publish it, and one for the future.
    later = next_edition(tmp_path / "later.json", "2099.1", "2099-01-01")
    town.decide("publish", draft)
    town.decide("publish", later)
    wait_until(lambda: len(catalogue(town, "list")[0]["known_versions"]) == 3, "the node has all three", poll_s=1)
    assert catalogue(town, "list")[0]["version"] == "2026.2"
    assert catalogue(town, "diff")[0] == compared
    assert catalogue(town, "diff", "2026.1", "2026.2")[0] == compared
    assert catalogue(town, "diff", "2026.1", "licence.2018")[0]["changes"] == []
    assert catalogue(town, "diff", "2099.1", "2026.2")[0]["changes"] == []
    assert catalogue(town, "show", "penalty.2018", "--version", "2099.1")[1].startswith("目录版本 2099.1，施行日期")


def test_what_is_not_in_the_catalogue_is_refused_with_what_is(town: Town) -> None:
    town.serve(SHANGHAI.id)
    refused = {
        ("list", "--version", "1999.1"): "CATALOGUE_UNKNOWN",
        ("show", "nothing"): "RECORD_ITEM_UNKNOWN",
        ("diff", "1999.1"): "CATALOGUE_UNKNOWN",
        ("diff", "2026.1", "2026.1", "2026.1"): "ARGUMENT_INVALID",
        ("diff", "--against", str(BUILT_IN), "nothing"): "RECORD_ITEM_UNKNOWN",
    }
    for words, code in refused.items():
        assert town.refused(SHANGHAI.id, "catalogue", *words)["code"] == code, words
