"""Runs by the seed: in order, no further than somebody listens, and whatever breaks one is a failure with a seed."""

from collections.abc import Iterator

import pytest

from node.simulator import simulation
from node.simulator.running import BROKEN, BUILT_IN, Ran, Source, run_once, run_seeds, scenario_for
from node.simulator.scenario import NodeTemplate, Scenario, Workload

ALONE = Scenario(name="alone", nodes=[NodeTemplate(id="aa")], minutes=0.5, workload=Workload(batches=60))


def ran(source: Source, seed: int) -> Ran:
    """A run that takes no time, to be carried out in another process, too."""
    assert isinstance(source, Scenario)
    return Ran(seed, None, f"trace {seed}", source.name, {}, 1.0, 0.0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_are_told_in_the_order_of_their_seeds(jobs: int) -> None:
    found = list(run_seeds(ALONE, range(5, 17), jobs, ran))
    assert [each.seed for each in found] == list(range(5, 17))
    assert {each.contents_digest for each in found} == {"alone"}


@pytest.mark.parametrize(("jobs", "most"), [(1, 3), (2, 3 + 2 * 2)])
def test_no_seed_is_taken_long_after_somebody_stops_listening(jobs: int, most: int) -> None:
    taken = []

    def endless() -> Iterator[int]:
        for seed in range(10_000):
            taken.append(seed)
            yield seed

    runs = run_seeds(ALONE, endless(), jobs, ran)
    assert [next(runs).seed for _ in range(3)] == [0, 1, 2]
    runs.close()  # type: ignore[attr-defined]
    assert len(taken) <= most


def test_a_run_keeps_its_timeline_only_where_it_is_asked_for() -> None:
    brief, whole = run_once(ALONE, 1), run_once(ALONE, 1, keep_trace=True)
    assert (brief.failure, whole.failure) == (None, None)
    assert brief.trace_digest == whole.trace_digest
    assert brief.contents_digest == whole.contents_digest
    assert list(brief.timeline) == []
    assert whole.timeline


def test_whatever_breaks_a_run_is_a_failure_that_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> simulation.Result:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(simulation, "simulate", broken)
    found = run_once(ALONE, 4).failure
    assert found is not None
    assert (found.seed, found.guarantee, found.found) == (4, BROKEN, "KeyError: 'nobody thought of this' in broken")
    assert found.plan


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_is_a_scenario(name: str) -> None:
    assert scenario_for(name, 1).nodes
