"""`xinqiao simulate`: what it prints, writes and returns, with real runs of small networks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.cli.main import main
from node.simulator.failure import read_failure, write_failure
from tests.cli.test_main import names

HOLDS = "name: two nodes\nnodes: [{id: aa}, {id: bb, parent: aa}]\nminutes: 1\nworkload: {batches: 60}\n"
FAILS = (
    "name: an alarm that nobody raises\nnodes: [{id: aa}, {id: bb, parent: aa}, {id: cc}]\nminutes: 1\n"
    "workload: {batches: 120}\nnetwork: {duplicate: 0.01}\nexpect: {alarms: [EQUIVOCATION]}\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with one scenario that holds and one that fails."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "holds.yaml").write_text(HOLDS, "utf-8")
    (tmp_path / "fails.yaml").write_text(FAILS, "utf-8")
    return tmp_path


def simulate(*words: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *words])


def document(*words: str) -> tuple[int, dict[str, Any]]:
    done = simulate(*words, "--json")
    return done.exit_code, json.loads(done.stdout)


def digests(runs: Sequence[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(run["seed"], run["trace_digest"], run["contents_digest"]) for run in runs]


def test_help_waits_neither_for_the_simulator_nor_for_the_app() -> None:
    assert names(["simulate", "--help"]) == set()


def test_runs_that_hold_are_shown_with_their_digests(folder: Path) -> None:
    done = simulate("holds.yaml", "--seed", "5", "--runs", "2")
    assert done.exit_code == 0
    assert "2 runs, 2 held, 0 failed" in done.stdout
    assert done.stdout.count(" holds ") == 2
    assert [path.name for path in folder.iterdir() if path.suffix == ".json"] == []


def test_the_same_seeds_make_the_same_runs_in_other_processes(folder: Path) -> None:
    status, here = document("holds.yaml", "--seed", "7", "--runs", "3")
    assert status == 0
    _, elsewhere = document("holds.yaml", "--seed", "7", "--runs", "3", "--jobs", "2")
    assert digests(here["seeds"]) == digests(elsewhere["seeds"])
    assert [run["seed"] for run in here["seeds"]] == [7, 8, 9]
    assert len(set(digests(here["seeds"]))) == 3


def test_a_failure_ends_with_the_one_command_that_replays_it(folder: Path) -> None:
    done = simulate("fails.yaml", "--runs", "2", "--failures", "found here")
    assert done.exit_code == 1
    assert "2 runs, 0 held, 2 failed" in done.stdout
    assert done.stderr.count("xinqiao simulate") == 1
    assert "xinqiao simulate --replay 'found here/failure-fails-1.json'" in done.stderr
    assert sorted(path.name for path in (folder / "found here").iterdir()) == [
        "failure-fails-1.json",
        "failure-fails-2.json",
    ]


def test_the_timeline_of_a_run_that_holds_is_shown_where_it_is_asked_for(folder: Path) -> None:
    assert "starts cause=first" not in simulate("holds.yaml").stdout
    assert "starts cause=first" in simulate("holds.yaml", "--timeline").stdout
    _, told = document("holds.yaml", "--timeline", "--runs", "2", "--jobs", "2")
    assert [len(run["timeline"]) > 20 for run in told["seeds"]] == [True, True]


def test_until_failure_stops_at_the_first(folder: Path) -> None:
    status, told = document("fails.yaml", "--until-failure", "--seed", "3")
    assert status == 1
    assert [run["seed"] for run in told["seeds"]] == [3]
    assert told["seeds"][0]["violation"]["found"] == "no node has raised EQUIVOCATION"
    assert told["error"]["code"] == "SIMULATION_FAILED"
    assert told["error"]["next"] == "`xinqiao simulate --replay failure-fails-3.json`"


def test_until_failure_ends_with_the_runs_where_none_fails(folder: Path) -> None:
    status, told = document("holds.yaml", "--until-failure", "--runs", "2")
    assert (status, told["runs"], told["failed"]) == (0, 2, 0)


def test_a_replay_is_the_run_of_the_file_with_its_timeline(folder: Path) -> None:
    _, first = document("fails.yaml")
    done = simulate("--replay", "failure-fails-1.json")
    assert done.exit_code == 1
    assert "this is the run of the file\n" in done.stdout
    assert "publish" in done.stdout
    assert "xinqiao simulate --shrink failure-fails-1.json" in done.stderr
    status, again = document("--replay", "failure-fails-1.json")
    assert status == 1
    assert again["same_run"] is True
    assert digests([again]) == digests(first["seeds"])
    assert len(again["timeline"]) > 50


def test_a_replay_says_that_it_holds_now_and_that_the_run_is_another(folder: Path) -> None:
    simulate("fails.yaml")
    file = folder / "failure-fails-1.json"
    file.write_text(file.read_text("utf-8").replace('["EQUIVOCATION"]', "[]"), "utf-8")
    assert simulate("--replay", file.name).exit_code == 0
    before = read_failure(file.read_text("utf-8"), file.name)
    file.write_text(write_failure(before).replace(before.trace_digest, "00" * 32), "utf-8")
    done = simulate("--replay", file.name)
    assert done.exit_code == 0
    assert "holds now" in done.stdout
    assert "this is not the run of the file any more" in done.stdout


def test_a_failure_is_made_smaller_and_still_fails(folder: Path) -> None:
    simulate("fails.yaml")
    status, told = document("--shrink", "failure-fails-1.json", "--runs", "30")
    assert status == 0
    assert (told["failure_file"], told["nodes"], told["acts"]) == ("failure-fails-1.small.json", 1, 0)
    assert simulate("--replay", "failure-fails-1.small.json").exit_code == 1


def test_what_does_not_fail_is_not_made_smaller(folder: Path) -> None:
    simulate("fails.yaml")
    file = folder / "failure-fails-1.json"
    file.write_text(file.read_text("utf-8").replace('["EQUIVOCATION"]', "[]"), "utf-8")
    status, told = document("--shrink", file.name, "--runs", "3")
    assert status == 1
    assert told["error"]["code"] == "FAILURE_FILE"
    assert not (folder / "failure-fails-1.small.json").exists()


def test_mistakes_in_a_scenario_are_told_and_nothing_runs(folder: Path) -> None:
    (folder / "holds.yaml").write_text(HOLDS + "minuts: 3\n", "utf-8")
    status, told = document("holds.yaml")
    assert status == 1
    assert told["error"]["code"] == "SCENARIO"
    assert "minuts: there is no such key; did you mean minutes?" in told["error"]["text"]
    assert told["error"]["next"] == "correct it; `xinqiao simulate --keys` explains every key"


def test_files_that_are_no_text_or_not_there_are_told(folder: Path) -> None:
    (folder / "holds.yaml").write_bytes(b"\xff\xfe")
    assert document("holds.yaml")[1]["error"]["code"] == "SCENARIO"
    assert document("--replay", "holds.yaml")[1]["error"]["code"] == "FAILURE_FILE"
    assert simulate("--replay", ".").exit_code == 2
    error = document("swram")[1]["error"]
    assert error["code"] == "SCENARIO"
    assert "built in are swarm, thirty, yangtze-delta; did you mean swarm?" in error["text"]


def test_every_key_is_shown_with_its_meaning() -> None:
    status, told = document("--keys")
    assert status == 0
    keys = {(row["part"], row["key"]): row for row in told["keys"]}
    assert keys["links", "and"]["meaning"] == 'the ids on the other side; "any" for all'
    assert keys["workload", "records"]["values"] == "[least, largest], each a whole number from 0 to 100,000"
    assert keys["nodes", "id"]["default"] == ""
    shown = simulate("--keys").stdout
    assert "[least, largest], each" in shown
    assert "faults, kind: registry" in shown


@pytest.mark.parametrize(
    "words", [[], ["swarm", "--keys"], ["--keys", "--replay", "holds.yaml"], ["swarm", "--runs", "0"]]
)
def test_one_thing_is_done_at_a_time(folder: Path, words: list[str]) -> None:
    assert simulate(*words).exit_code == 2
