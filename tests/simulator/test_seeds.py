"""The swarm in every test run: seeds that never change, for variety, and some that are new every day.

A seed that fails is a violation, and the one command that replays it. A new one that does not converge or come to rest
is told of and stops nobody, as long as such faults are known to be left; any other violation fails.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.simulator.failure import write_failure
from node.simulator.running import SWARM, Ran, run_once
from node.simulator.scenario import FAULTS
from node.simulator.swarm import swarm

FIXED = (8, 9, 12, 14, 15, 16, 17, 24, 25, 26, 28, 29, 33, 35, 40, 79, 182, 1940)
TODAY = int(f"{datetime.now(UTC):%Y%m%d}")
FRESH = tuple(TODAY * 10 + number for number in range(3))


def complaint(ran: Ran, folder: Path) -> str:
    """What a failed run tells, with its replay; empty where all holds."""
    failure = ran.failure
    if failure is None:
        return ""
    file = folder / f"failure-swarm-{ran.seed}.json"
    file.write_text(write_failure(failure), encoding="utf-8")
    return (
        f"{failure.guarantee} at {failure.node or 'no node'}: {failure.found}\n"
        f"replay it: xinqiao simulate --replay {file}\n"
        f"(elsewhere: xinqiao simulate swarm --seed {ran.seed})"
    )


@pytest.mark.parametrize("seed", FIXED)
def test_every_guarantee_holds_in_a_swarm(seed: int, tmp_path: Path) -> None:
    assert complaint(run_once(SWARM, seed), tmp_path) == ""


@pytest.mark.parametrize("seed", FRESH)
def test_every_guarantee_holds_in_a_swarm_of_today(seed: int, tmp_path: Path) -> None:
    assert complaint(run_once(SWARM, seed), tmp_path) == ""


def test_the_fixed_seeds_meet_every_kind_of_fault_and_calm() -> None:
    scenarios = [swarm(seed) for seed in FIXED]
    kinds: Counter[str] = Counter(fault.kind for scenario in scenarios for fault in scenario.faults)
    assert {kind: kinds[kind] for kind in FAULTS if kinds[kind] < 3} == {}
    assert any(not scenario.network.reset and not scenario.network.lost_answer for scenario in scenarios)
    assert any(node.dials_out for scenario in scenarios for node in scenario.nodes)
    assert any(scenario.network.bytes_per_s for scenario in scenarios)
    assert any(scenario.disk.fail or scenario.disk.fail_persisted for scenario in scenarios)
    assert any(scenario.disk.crash_before or scenario.disk.crash_after for scenario in scenarios)


def test_a_failure_ends_with_the_command_that_replays_it(tmp_path: Path) -> None:
    ran = run_once(swarm(12).model_copy(update={"expect": swarm(12).expect.model_copy(update={"idle_bytes": 0})}), 12)
    told = complaint(ran, tmp_path)
    assert told.startswith("IDLE at ")
    assert f"xinqiao simulate --replay {tmp_path / 'failure-swarm-12.json'}\n" in told
    assert (tmp_path / "failure-swarm-12.json").is_file()
