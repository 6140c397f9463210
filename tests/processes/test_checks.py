"""`xinqiao check` against real nodes: a listing reaches a reader, ages with its origin, is lifted; questions stay."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scripts.xq_generate import example_resident_id, example_uscc
from tests.lists import DEFINITION
from tests.processes import officers
from tests.processes.commands import wait_until
from tests.processes.network import HANGZHOU, SHANGHAI, Town, done
from tests.processes.small_disk import serve_on_a_small_disk
from tests.processes.test_lists import CHANNEL, DATES, DECISION, decided

NODE, READER = SHANGHAI.id, HANGZHOU.id
SUBJECT, OTHER = example_uscc("91", "310000", 7), example_uscc("91", "310000", 8)
UNIT = HANGZHOU.authority
ASKED = ("--matter", "bidding.tender", "--unit", UNIT, "--officer", "赵强", "--ground", "招标投标法第三十三条")
STALE_S = 6
MATTERS = f"""\
version: "2026.1"
in_force_from: "2026-01-01"
matters:
  - code: bidding.tender
    title_zh: 招标投标资格审查
    title_en: qualification of bidders
    units: ["{UNIT}"]
    measures: [SHR-31-1]
"""
STATUS = {0: "QUERY_VERDICT_CLEAR", 3: "QUERY_VERDICT_LISTED", 4: "QUERY_VERDICT_UNCONFIRMED"}


@pytest.fixture
def asking(town: Town, tmp_path: Path) -> Town:
    """Shanghai keeps a serious list, Hangzhou reads it and has an officer; the matters are published."""
    town.serve(NODE, READER)
    officers.add(town, NODE, "李明", "王芳")
    officers.add(town, READER, "赵强")
    definition, draft = tmp_path / "serious-tax.yaml", tmp_path / "matters.yaml"
    definition.write_text(DEFINITION.replace("staleness_limit_s: 3600", f"staleness_limit_s: {STALE_S}"), "utf-8")
    town.run(NODE, "list", "define", definition)
    draft.write_text(MATTERS, "utf-8")
    town.decide("matters", draft)
    wait_until(lambda: town.run(READER, "matters", "list")["version"] == "2026.1", "Hangzhou has the matters")
    return town


def check(town: Town, subject: str = SUBJECT) -> dict[str, Any]:
    """What Hangzhou answers; the exit status says the same."""
    command = town.start(READER, "check", "--subject", subject, *ASKED)
    status = command.wait()
    found: dict[str, Any] = command.documents()[0]
    assert STATUS.get(status) == found["verdict"], command.stderr
    return found


def wait_for(town: Town, verdict: str, subject: str = SUBJECT) -> dict[str, Any]:
    """Ask until the answer is that."""
    found: list[dict[str, Any]] = []

    def asked() -> bool:
        found.append(check(town, subject))
        return bool(found[-1]["verdict"] == f"QUERY_VERDICT_{verdict}")

    wait_until(asked, f"the answer is {verdict}")
    return found[-1]


def doubts(found: dict[str, Any]) -> Sequence[str]:
    (one,) = found["lists"]
    return list(one["doubts"])


def test_g5_a_listing_is_answered_while_its_origin_is_heard_and_no_longer_once_it_is_lifted(asking: Town) -> None:
    town = asking
    wait_for(town, "CLEAR")
    decided(town, "add", "serious-tax", "--subject", SUBJECT, *DECISION, *DATES, "--measures", "SHR-31-1")
    (one,) = wait_for(town, "LISTED")["lists"]
    (entry,) = one["entries"]
    assert (one["channel"], entry["entry"]["index"], entry["since"]) == (CHANNEL, 1, "2026-01-15")
    assert [(measure["code"], measure["applies"]) for measure in entry["measures"]] == [("SHR-31-1", True)]
    assert check(town, OTHER)["verdict"] == "QUERY_VERDICT_CLEAR"
    # An origin that is silent past the limit stops its measures.
    town.stop(NODE)
    found = wait_for(town, "UNCONFIRMED")
    assert (doubts(found), found["lists"][0]["entries"]) == (["stale"], [])
    assert check(town, OTHER)["verdict"] == "QUERY_VERDICT_UNCONFIRMED"
    town.serve(NODE)
    wait_for(town, "LISTED")
    decided(town, "exit", "serious-tax", f"{CHANNEL}#0/1/0", "--decision", "税稽撤〔2026〕9号", "--reason", "已缴清")
    wait_for(town, "CLEAR")


def test_g4_a_reader_that_starts_again_tells_nothing_before_it_has_heard_the_origin(asking: Town) -> None:
    town = asking
    decided(town, "add", "serious-tax", "--subject", SUBJECT, *DECISION, *DATES, "--measures", "SHR-31-1")
    wait_for(town, "LISTED")
    town.kill(NODE, READER)
    town.serve(READER)
    assert "restored" in doubts(check(town))
    town.serve(NODE)
    wait_for(town, "LISTED")


def test_every_question_is_in_the_log_through_a_crash_and_a_changed_row_is_found(asking: Town, tmp_path: Path) -> None:
    town = asking
    person, file = example_resident_id("310000", 9), tmp_path / "subjects.csv"
    file.write_text(f"subject\n{SUBJECT}\n{person}\nnobody\n", "utf-8")
    check(town)
    check(town, person)
    command = town.start(READER, "check", "--file", file, *ASKED)
    assert command.wait() == 1
    lines = command.documents()
    assert [line["row"] for line in lines] == [2, 3, 4]
    assert [line.get("error", {}).get("code", "") for line in lines] == ["", "", "QUERY_SUBJECT"]
    town.kill(READER)
    home = town.home(READER)
    assert person.encode() not in b"".join(path.read_bytes() for path in home.glob("xinqiao.db*"))
    town.serve(READER)
    found = town.run(READER, "queries", "--subject", person)["queries"]
    assert [(line["sequence"], line["officer"], line["subjects"]) for line in found] == [(2, "赵强", 1), (3, "赵强", 2)]
    sound = town.run(READER, "queries", "verify")
    assert sound["sequence"] == 3
    head = f"3:{sound['entry_hash']}"
    assert town.run(READER, "queries", "verify", "--head", head)["sequence"] == 3
    for argv, code in (
        (("--matter", "other"), "QUERY_MATTER"),
        (("--unit", SUBJECT), "QUERY_UNIT"),
        (("--officer", "李明"), "QUERY_OFFICER"),
        (("--ground", " "), "QUERY_GROUND"),
    ):
        assert town.refused(READER, "check", "--subject", SUBJECT, *ASKED, *argv)["code"] == code
    town.stop(READER)
    with closing(sqlite3.connect(home / "xinqiao.db")) as raw, raw:
        raw.execute("UPDATE queries SET officer = '李明' WHERE sequence = 2")
    town.serve(READER)
    error = town.refused(READER, "queries", "verify")
    assert (error["code"], error["parameters"]["sequence"]) == ("QUERY_LOG", "2")  # type: ignore[index]


def test_on_a_full_disk_no_answer_leaves_and_with_space_again_the_log_is_whole(town: Town, tmp_path: Path) -> None:
    town.serve(NODE)
    officers.add(town, NODE, "赵强")
    draft = tmp_path / "matters.yaml"
    draft.write_text(MATTERS.replace(UNIT, SHANGHAI.authority), "utf-8")
    town.decide("matters", draft)
    wait_until(lambda: town.run(NODE, "matters", "list")["version"] == "2026.1", "Shanghai has the matters")
    town.stop(NODE)
    node = serve_on_a_small_disk(town, tmp_path)
    question = ("check", "--subject", SUBJECT, *ASKED, "--unit", SHANGHAI.authority)
    assert done(node.start(*question))["query"] == 1
    node.fill(spare_bytes=0)
    answered, told = 1, dict[str, Any]()
    while "error" not in told and answered < 200:
        command = node.start(*question)
        command.wait()
        told = command.documents()[0]
        answered = told.get("query", answered)
    assert told["error"]["code"] == "DISK_FULL"
    assert set(told) == {"error"}
    assert done(node.start("queries", "verify"))["sequence"] == answered
    node.free()
    assert done(node.start(*question))["query"] == answered + 1
    assert done(node.start("queries", "verify"))["sequence"] == answered + 1
