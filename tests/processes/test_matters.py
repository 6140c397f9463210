"""From what officers write to what a node goes by: the measures and the matters, over real processes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.processes.commands import wait_until
from tests.processes.network import SHANGHAI, Town

MATTERS = """\
version: {version}
in_force_from: {start}
matters:
  - code: bidding.tender
    title_zh: 招标投标资格审查
    title_en: qualification of bidders
    units: [{unit}]
    items: [penalty.2018]
    measures: [SHR-31-1, SHR-30-4]
    lists: [310000/lists/watch-bidders]
"""


def test_officers_publish_matters_and_a_running_node_goes_by_them(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id)
    node = SHANGHAI.id
    # (1) the measures came with the network, matters did not
    measures = town.run(node, "measures", "list")
    assert (measures["version"], len(measures["measures"])) == ("2026.1", 49)
    assert measures["measures"][0]["code"] == "S1-22-1"
    assert (town.run(node, "matters", "list")["version"], town.run(node, "matters", "list")["matters"]) == ("", [])
    # (2) the officers decide about a draft
    draft = tmp_path / "matters.yaml"
    draft.write_text(MATTERS.format(unit=SHANGHAI.authority, version="2026.1", start="2026-01-01"), "utf-8")
    town.decide("matters", draft)
    # (3) the node reads it while it runs
    wait_until(lambda: town.run(node, "matters", "list")["version"] == "2026.1", "the node has the matters")
    (matter,) = town.run(node, "matters", "list")["matters"]
    assert (matter["code"], matter["units"], matter["lists"]) == (
        "bidding.tender",
        [SHANGHAI.authority],
        ["310000/lists/watch-bidders"],
    )
    # (4) people read the same, and are told of an edition that is not there
    told = town.start(node, "matters", "list", "--lang", "zh")
    assert told.wait() == 0
    assert "查询事项清单版本 2026.1，自 2026-01-01 起施行" in told.stderr
    assert SHANGHAI.authority in told.stderr
    assert town.refused(node, "measures", "list", "--version", "2099.1")["code"] == "MEASURES_UNKNOWN"
    # (5) an edition of a day to come is foreseen, and changes nothing until then
    start = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    draft.write_text(MATTERS.format(unit=SHANGHAI.authority, version="2026.2", start=start), "utf-8")
    town.decide("matters", draft)
    wait_until(lambda: "2026.2" in town.run(node, "matters", "list")["known_versions"], "the node has the next matters")
    assert town.run(node, "matters", "list")["version"] == "2026.1"
    assert town.run(node, "matters", "list", "--version", "2026.2")["version_in_force"] == "2026.1"
    endings = town.run(node, "forecast")["endings"]
    assert [each["subject"] for each in endings if each["what"] == "edition"] == ["matters 2026.2"]
