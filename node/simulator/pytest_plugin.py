"""The pytest plugin: the fixture `simulated_network`, for integration tests of whoever builds on nodes.

It comes with the package; a test only names the fixture. docs/SIMULATOR.md has a complete example.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from node.simulator.driving import DrivenNetwork


class SimulateNetwork(Protocol):
    """Makes a simulated network of these nodes; options are the keys of a scenario file."""

    def __call__(self, *ids: str, seed: int = 1, **options: Any) -> "DrivenNetwork": ...


@pytest.fixture
def simulated_network(tmp_path: Path) -> Iterator[SimulateNetwork]:
    """Makes simulated networks that live as long as the test."""
    # Imported here: the plugin is loaded into every pytest of an environment in which the package is installed.
    from node.simulator.driving import DrivenNetwork, scenario_of_nodes

    numbers = count(1)
    with ExitStack() as ending:

        def make(*ids: str, seed: int = 1, **options: Any) -> DrivenNetwork:
            directory = tmp_path / f"network-{next(numbers)}"
            directory.mkdir()
            scenario = scenario_of_nodes(*ids, **options)
            return ending.enter_context(DrivenNetwork(scenario, seed, directory))

        yield make
