"""Scenarios: every file holds; the id of a test names the guarantee or the pain that its file makes hard to keep."""

from pathlib import Path

import pytest

from node.simulator.reading import read_scenario
from node.simulator.simulation import simulate

FILES = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}
SEED = 1
# Whole days, whole evenings, or more of what the others show: with a second seed, and only in scripts/test --long.
LONG = (
    "g3-the-same-members-everywhere",
    "g10-no-authority-for-72-hours",
    "pain-01-trust-state-stuck",
    "pain-04-removal-does-not-travel",
    "pain-06-silent-incompleteness",
    "pain-07-cursors-by-time",
    "pain-08-backoff-cliff",
    "pain-09-scope-misfires",
    "pain-10-the-disk-is-full",
    "pain-13-duplicates-on-retry",
    "pain-14-restore",
    "pain-15-the-mesh-configures-itself",
)


def holds(name: str, seed: int) -> None:
    """Run a file with a seed; a failure says how it is run again."""
    scenario = read_scenario(FILES[name].read_text(encoding="utf-8"), FILES[name].name)
    result = simulate(scenario, seed)
    again = f"xinqiao simulate tests/scenarios/{FILES[name].name} --seed {seed}"
    assert result.violation is None, f"{result.violation}; run it again with: {again}"
    assert result.figures["messages"] > 0


@pytest.mark.parametrize("name", [name for name in FILES if name not in LONG])
def test_a_scenario_holds(name: str) -> None:
    holds(name, SEED)


@pytest.mark.long
@pytest.mark.parametrize("seed", [SEED, SEED + 1])
@pytest.mark.parametrize("name", LONG)
def test_a_long_scenario_holds(name: str, seed: int) -> None:
    holds(name, seed)


def test_each_guarantee_that_a_network_can_break_has_a_file() -> None:
    guarantees = {name.partition("-")[0] for name in FILES if not name.startswith("pain-")}
    assert guarantees >= {"g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8", "g10", "g12"}
    assert set(LONG) <= set(FILES)
