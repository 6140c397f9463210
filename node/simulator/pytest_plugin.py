"""The pytest plugin: the fixture `simulated_network`, for integration tests of whoever builds on nodes.

It comes with the package; a test only names the fixture. A test that fails shows the end of the timeline of each of
its networks. docs/SIMULATOR.md has a complete example.
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from node.simulator.driving import DrivenNetwork
    from node.simulator.scenario import Scenario

LINES_SHOWN = 40
_NETWORKS: pytest.StashKey[dict[Path, "DrivenNetwork"]] = pytest.StashKey()


class SimulateNetwork(Protocol):
    """Makes a simulated network: of these nodes, with options that are the keys of a scenario file; or of a scenario.

    scenario is a file, the name of one that is built in, or a Scenario; its workload and faults wait for carry_out().
    """

    def __call__(
        self, *ids: str, seed: int = 1, scenario: "str | Path | Scenario | None" = None, **options: Any
    ) -> "DrivenNetwork": ...


@pytest.fixture
def simulated_network(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimulateNetwork]:
    """Makes simulated networks that live as long as the test."""
    # Imported here: the plugin is loaded into every pytest of an environment in which the package is installed.
    from node.simulator.driving import DrivenNetwork, scenario_named, scenario_of_nodes

    numbers, networks = count(1), request.node.stash.setdefault(_NETWORKS, {})
    with ExitStack() as ending:

        def make(
            *ids: str, seed: int = 1, scenario: "str | Path | Scenario | None" = None, **options: Any
        ) -> DrivenNetwork:
            if bool(ids or options) == (scenario is not None):
                raise TypeError("give the ids of nodes, with options if need be, or else a scenario")
            directory = tmp_path / f"network-{next(numbers)}"
            directory.mkdir()
            wanted = scenario_of_nodes(*ids, **options) if scenario is None else scenario_named(scenario, seed)
            made = ending.enter_context(DrivenNetwork(wanted, seed, directory))
            networks[directory] = made
            return made

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show how the networks of a test that has failed came to where they are."""
    report = yield
    if call.when == "call" and report.failed:
        for directory, network in item.stash.get(_NETWORKS, {}).items():
            timeline = list(network.timeline)
            whole = directory.with_suffix(".timeline.txt")
            whole.write_text("".join(f"{line}\n" for line in timeline), encoding="utf-8")
            title = f"{directory.name}, seed {network.seed}, at {network.now_s:.3f} s; all of it in {whole}"
            report.sections.append((title, "\n".join(timeline[-LINES_SHOWN:])))
    return report
