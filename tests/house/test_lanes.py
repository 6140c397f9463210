"""Tests that run in several workers are divided so that those over real processes have a core of their own."""

import pytest

from tests.lanes import lane


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/processes/test_crashes.py::test_a", "processes"),
        ("tests/docs/test_drills.py::test_b[x::y]", "processes"),
        ("tests/core/test_merkle.py::TestTree::test_c[1]", "tests/core/test_merkle.py"),
        ("tests/simulator/test_determinism.py::test_d", "tests/simulator/test_determinism.py"),
        ("tests/simulator/test_seeds.py::test_e[8]", "tests/simulator/test_seeds.py::test_e[8]"),
    ],
)
def test_a_test_runs_in_its_lane(nodeid: str, expected: str) -> None:
    assert lane(nodeid) == expected
