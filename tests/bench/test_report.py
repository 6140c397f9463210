"""What is made of measurements: quantiles by nearest rank, and the median, smallest and largest of the rounds."""

import pytest

from node.bench.figures import Spread, machine, quantile, spread
from node.bench.removal import Round, Sample
from node.bench.report import report


@pytest.mark.parametrize(("share", "found"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)])
def test_a_quantile_is_a_sample_that_was_measured(share: float, found: float) -> None:
    assert quantile([float(each) for each in range(100, 0, -1)], share) == found


def test_the_median_of_rounds_stands_between_the_smallest_and_the_largest() -> None:
    assert spread([0.3, 0.1, 0.2]) == Spread(0.2, 0.1, 0.3)
    assert str(spread([0.25])) == "0.250 (0.250-0.250)"


def measured(*lasts: float) -> list[Sample]:
    return [Sample(published_s=last / 4, first_s=last / 2, last_s=last, busy_s=0.02) for last in lasts]


def test_a_report_tells_both_phases_apart() -> None:
    rounds = [Round(measured(0.1, 0.2), measured(0.3, 0.9), 10.0), Round(measured(0.3, 0.1), measured(0.5, 0.7), 30.0)]
    found = report(rounds)
    assert (found.idle.samples, found.loaded.samples) == (4, 4)
    assert found.idle.p99_s == Spread(0.25, 0.2, 0.3)
    assert found.loaded.p50_s == Spread(0.4, 0.3, 0.5)
    assert found.loaded.slowest_s == Spread(0.8, 0.7, 0.9)
    assert found.loaded.published_s == spread([0.15, 0.15])
    assert found.idle.busy_s == Spread(0.02, 0.02, 0.02)
    assert found.load_s == Spread(20.0, 10.0, 30.0)


@pytest.mark.parametrize(
    ("lasts", "is_held", "is_reached"),
    [((0.1, 0.5), True, True), ((0.1, 0.6), True, False), ((0.1, 2.0), False, False), ((0.5, 0.5), False, True)],
)
def test_floor_and_aim_are_those_of_removals_under_load(
    lasts: tuple[float, ...], is_held: bool, is_reached: bool
) -> None:
    found = report([Round(measured(9.0), measured(*lasts), 1.0)])
    assert (found.is_floor_held, found.is_aim_reached) == (is_held, is_reached)


def test_figures_come_with_the_machine_they_were_measured_on() -> None:
    found = machine()
    assert found["processors"] >= 1
    assert {"xinqiao", "grpcio"} <= found["versions"].keys()
