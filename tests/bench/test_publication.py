"""`xinqiao bench publish` measures a real node, and says whether the floor holds."""

import json
import subprocess
from pathlib import Path

import pytest

from node.bench.figures import Spread
from node.bench.programs import XINQIAO
from node.bench.publication import Published, report


def a_round(seconds: float) -> Published:
    return Published(seconds, seconds, 0.3, 120.0, again_s=seconds / 2, reading_s=seconds / 8, judging_s=seconds / 4)


def test_a_report_has_every_stage_in_records_a_second() -> None:
    found = report(12_000, 5_000_000, [a_round(1.0), a_round(2.0), a_round(0.5)])
    assert found.records_per_s == Spread(12_000, 6_000, 24_000)
    assert (found.again_per_s.median, found.reading_per_s.median, found.judging_per_s.median) == (24e3, 96e3, 48e3)


@pytest.mark.parametrize(
    ("seconds", "is_held", "is_reached"), [(1.0, True, False), (1.01, False, False), (0.4, True, True)]
)
def test_floor_and_aim_are_those_of_publishing_a_new_file(seconds: float, is_held: bool, is_reached: bool) -> None:
    found = report(12_000, 5_000_000, [a_round(seconds)])
    assert (found.is_floor_held, found.is_aim_reached) == (is_held, is_reached)


@pytest.mark.long
def test_a_real_node_publishes_every_row_once(tmp_path: Path) -> None:
    command = ("bench", "publish", "--records", "1500", "--rounds", "2", "--dir", str(tmp_path / "work"), "--json")
    measured = subprocess.run([str(XINQIAO), *command], capture_output=True, text=True, check=True)
    document = json.loads(measured.stdout)
    assert len(document["measured"]) == 2
    for each in document["measured"]:
        assert 0 < each["reading_s"] < each["judging_s"] < each["seconds"]
        assert min(each["node_busy_s"], each["command_busy_s"], each["again_s"]) > 0
