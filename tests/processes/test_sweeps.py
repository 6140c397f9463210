"""Sweeps by real commands at a real node: one that is killed in the middle, and one whose disk is full there."""

import json
from pathlib import Path

import pytest

from scripts.xq_generate import example_uscc
from tests.processes import officers
from tests.processes.commands import wait_until
from tests.processes.network import SHANGHAI, Town
from tests.processes.small_disk import serve_on_a_small_disk
from tests.processes.test_checks import ASKED, MATTERS, NODE, UNIT

OWN = ("--unit", SHANGHAI.authority)
ROWS, CHUNK = 100_000, 10_000

pytestmark = pytest.mark.long


@pytest.fixture
def source(town: Town, tmp_path: Path) -> Path:
    """A file of subjects; Shanghai has an officer and a matter to ask about them in."""
    town.serve(NODE)
    officers.add(town, NODE, "赵强")
    draft, file = tmp_path / "matters.yaml", tmp_path / "subjects.csv"
    draft.write_text(MATTERS.replace(UNIT, SHANGHAI.authority), "utf-8")
    town.decide("matters", draft)
    wait_until(lambda: town.run(NODE, "matters", "list")["version"] == "2026.1", "Shanghai has the matters")
    file.write_text("".join(f"{example_uscc('91', '310000', at)}\n" for at in range(1, ROWS + 1)), "utf-8")
    return file


def rows_of(target: Path) -> list[int]:
    """The numbers of the rows that are answered, whole ones alone."""
    lines = target.read_text("utf-8").split("\n")[:-1] if target.exists() else []
    return [json.loads(line)["row"] for line in lines]


def test_a_node_that_is_killed_in_the_middle_of_a_sweep_loses_no_question_and_the_sweep_goes_on(
    town: Town, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "answers.jsonl"
    sweep = ("check", "--file", source, "-o", target, *ASKED, *OWN)
    command = town.start(NODE, *sweep)
    wait_until(lambda: target.exists() and target.stat().st_size > 0, "the first answers are there")
    town.kill(NODE)
    assert command.wait() == 1
    answered = len(rows_of(target))
    assert 0 < answered < ROWS
    assert "--resume" in command.stderr
    town.serve(NODE)
    logged = sum(line["subjects"] for line in town.run(NODE, "queries")["queries"])
    assert answered <= logged
    assert town.start(NODE, *sweep, "--resume").wait() == 0
    assert rows_of(target) == list(range(1, ROWS + 1))
    asked = sum(line["subjects"] for line in town.run(NODE, "queries")["queries"])
    assert ROWS <= asked <= ROWS + 3 * CHUNK
    assert "error" not in town.run(NODE, "queries", "verify")


def test_on_a_disk_that_fills_up_in_the_middle_no_answer_of_a_chunk_that_is_not_logged_leaves(
    town: Town, source: Path, tmp_path: Path
) -> None:
    town.stop(NODE)
    node, target = serve_on_a_small_disk(town, tmp_path), tmp_path / "answers.jsonl"
    sweep = ("check", "--file", source, "-o", target, *ASKED, *OWN)
    node.fill(spare_bytes=2_000_000)
    command = node.start(*sweep)
    assert command.wait() == 1
    assert command.documents()[-1]["error"]["code"] == "DISK_FULL"
    answered = rows_of(target)
    assert answered == list(range(1, len(answered) + 1))
    assert 0 < len(answered) < ROWS
    assert len(answered) % CHUNK == 0
    node.free()
    log = node.start("queries")
    assert log.wait() == 0
    logged = sum(line["subjects"] for line in log.documents()[0]["queries"])
    assert len(answered) <= logged <= len(answered) + CHUNK
    assert node.start(*sweep, "--resume").wait() == 0
    assert rows_of(target) == list(range(1, ROWS + 1))
    sound = node.start("queries", "verify")
    assert sound.wait() == 0
