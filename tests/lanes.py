"""What runs beside what when tests run in several workers: `pytest -n 2 --dist loadfile`, as scripts/test does."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

ALONE = ("tests/bench/", "tests/docs/", "tests/processes/", "tests/scripts/")
"""Tests over real processes: their waits and deadlines count on a core of their own, and they share what they start."""

APART = ("tests/scenarios/", "tests/simulator/test_seeds.py")
"""Tests of seconds each, which share nothing: the last of them would keep one worker while the others are idle."""


def lane(nodeid: str) -> str:
    """What is run by one worker, one test after another, together with all that has the same name."""
    if nodeid.startswith(ALONE):
        return "processes"
    return nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0]


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """Gives every free worker the next lane, in the order in which the tests are collected."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)
