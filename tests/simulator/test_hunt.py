"""Swarms find mistakes: some of the planted bugs at once, and each of them within 200 seeds."""

import pytest

from tests.simulator.bugs import BUGS
from tests.simulator.hunt import SEEDS, hunt
from tests.simulator.planted import caught

QUICK = {
    "acknowledge-first": range(3),
    "fresh-beyond-applied": range(3),
    "outside-the-audience": range(3),
    "retry-applies-twice": range(3),
    "sidecar-late": range(3),
}


@pytest.mark.parametrize("bug", QUICK)
def test_a_swarm_catches_a_planted_bug_within_seconds(bug: str) -> None:
    catch = caught(bug, QUICK[bug])
    assert catch is not None
    assert catch.guarantee in BUGS[bug].guarantees


@pytest.mark.long
def test_every_planted_bug_is_caught_within_200_seeds() -> None:
    lines = list(hunt(list(BUGS), range(SEEDS), jobs=2))
    assert [line for line in lines if line.catch is None] == []
