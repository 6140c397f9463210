"""What the rounds of `xinqiao bench removal` say: the median of the rounds, and the smallest and largest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from node.bench.figures import Spread, quantile, spread
from node.bench.removal import Round, Sample

FLOOR_P50_S, FLOOR_P99_S, AIM_P99_S = 0.5, 2.0, 0.5
"""What is asked of removals under load."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Removals without a load, or under it; seconds. The times of publishing and of the first receipt are medians.

    busy_s is the mean processor time of all nodes while one was under way.
    """

    samples: int
    published_s: Spread
    first_s: Spread
    p50_s: Spread
    p99_s: Spread
    slowest_s: Spread
    busy_s: Spread


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; floors and aims are those of p50 and p99 under load, in seconds.

    few is without a load while little was there to be removed, None where that was not measured.
    """

    few: Phase | None
    idle: Phase
    loaded: Phase
    load_s: Spread
    floor_p50_s: float
    floor_p99_s: float
    aim_p99_s: float
    is_floor_held: bool
    is_aim_reached: bool


def report(rounds: Sequence[Round], few: Sequence[Sample] = ()) -> Report:
    """The figures of at least one round."""
    idle, loaded = _phase([each.idle for each in rounds]), _phase([each.loaded for each in rounds])
    p50_s, p99_s = loaded.p50_s.median, loaded.p99_s.median
    return Report(
        few=_phase([few]) if few else None,
        idle=idle,
        loaded=loaded,
        load_s=spread([each.load_s for each in rounds]),
        floor_p50_s=FLOOR_P50_S,
        floor_p99_s=FLOOR_P99_S,
        aim_p99_s=AIM_P99_S,
        is_floor_held=p50_s < FLOOR_P50_S and p99_s < FLOOR_P99_S,
        is_aim_reached=p99_s <= AIM_P99_S,
    )


def _phase(rounds: Sequence[Sequence[Sample]]) -> Phase:
    lasts = [[sample.last_s for sample in samples] for samples in rounds]
    return Phase(
        samples=sum(map(len, rounds)),
        published_s=spread([median(sample.published_s for sample in samples) for samples in rounds]),
        first_s=spread([median(sample.first_s for sample in samples) for samples in rounds]),
        p50_s=spread([quantile(seconds, 0.5) for seconds in lasts]),
        p99_s=spread([quantile(seconds, 0.99) for seconds in lasts]),
        slowest_s=spread([max(seconds) for seconds in lasts]),
        busy_s=spread([mean(sample.busy_s for sample in samples) for samples in rounds]),
    )
