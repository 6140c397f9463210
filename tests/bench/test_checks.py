"""`xinqiao bench lookup` and `sweep` measure a real node that is asked, and say whether the floors hold."""

import json
import subprocess
from pathlib import Path

import pytest

from node.bench import lookup, sweep
from node.bench.figures import Spread
from node.bench.programs import XINQIAO


def checks(*ms: float) -> lookup.Round:
    return lookup.Round(tuple(sorted(each / 1000 for each in ms)), 2.0, 0.01 * len(ms), 120.0)


def a_sweep(seconds: float) -> sweep.Round:
    return sweep.Round(seconds, seconds, seconds / 2, 150.0)


def test_a_report_of_checks_has_times_rate_and_what_the_node_used() -> None:
    found = lookup.report([checks(*range(1, 101)), checks(*([3.0] * 100)), checks(*([5.0] * 100))])
    assert found.p50_ms == Spread(5.0, 3.0, 50.0)
    assert (found.p99_ms.max, found.slowest_ms.max) == (99.0, 100.0)
    assert (found.checks, found.checks_per_s.median, found.node_busy_ms.median) == (300, 50.0, 10.0)


@pytest.mark.parametrize(("ms", "is_held", "is_reached"), [(8.0, True, False), (8.1, False, False), (3.0, True, True)])
def test_floor_and_aim_of_a_check_are_those_of_the_median(ms: float, is_held: bool, is_reached: bool) -> None:
    found = lookup.report([checks(*([ms] * 60), *([500.0] * 40))])
    assert (found.is_floor_held, found.is_aim_reached) == (is_held, is_reached)


@pytest.mark.parametrize(
    ("seconds", "is_held", "is_reached"), [(2.0, True, False), (2.01, False, False), (1.0, True, True)]
)
def test_floor_and_aim_of_a_sweep_are_in_subjects_a_second(seconds: float, is_held: bool, is_reached: bool) -> None:
    found = sweep.report(60_000, [a_sweep(seconds)])
    assert (found.is_floor_held, found.is_aim_reached) == (is_held, is_reached)
    assert found.seconds == Spread(seconds, seconds, seconds)


def measured(tmp_path: Path, *argv: str) -> dict[str, object]:
    command = ("bench", *argv, "--entries", "30", "--rounds", "1", "--dir", str(tmp_path / "work"), "--json")
    done = subprocess.run([str(XINQIAO), *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


@pytest.mark.long
def test_a_real_node_answers_systems_over_mutual_tls(tmp_path: Path) -> None:
    found = measured(tmp_path, "lookup", "--clients", "3", "--checks", "40", "--records", "300")
    assert (found["checks"], found["clients"]) == (120, 3)
    assert 0 < found["p50_ms"]["median"] <= found["slowest_ms"]["median"]  # type: ignore[index]


@pytest.mark.long
def test_a_real_node_answers_a_file_of_subjects(tmp_path: Path) -> None:
    found = measured(tmp_path, "sweep", "--subjects", "25000")
    assert found["subjects_per_s"]["median"] > 0  # type: ignore[index]
    assert found["peak_mb"]["median"] > 20  # type: ignore[index]
