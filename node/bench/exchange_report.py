"""What the rounds of `xinqiao bench exchange` say: rates, what both processes used, and the floors beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.bench.exchange import Round, Side
from node.bench.figures import Spread, spread
from node.bench.supply import Volume

PEAK_FLOOR_MB, PEAK_AIM_MB = 300.0, 200.0
"""What is asked of the largest resident size of either process."""

FLOORS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("sqlite", "logical-replication"): (1.0, 1.5),
    ("sqlite", "signed-file"): (0.8, 1.3),
    ("sqlite", "limit"): (0.2, 0.4),
    ("postgresql", "logical-replication"): (0.7, 1.0),
}
"""What is asked of the rate, as a share of the alternative's: floor and aim."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast the records of a volume went, by one way of bringing them over."""

    seconds: Spread
    records_per_s: Spread
    mb_per_s: Spread


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process used: seconds of processor time, and its largest resident size in MB (10^6 bytes)."""

    busy_s: Spread
    peak_mb: Spread


@dataclass(frozen=True, slots=True)
class Ratio:
    """Our rate as a share of an alternative's in the same round; floor and aim are None where nothing is asked."""

    against: str
    ratio: Spread
    floor: float | None
    aim: float | None
    is_floor_held: bool | None
    is_aim_reached: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    volume: Volume
    record_bytes_mean: float
    exchange: Rates
    signed_s: Spread
    owner: Usage
    reader: Usage
    servers_busy_s: dict[str, Spread]
    lookup_s: Spread
    peak_floor_mb: float
    is_peak_floor_held: bool
    against: dict[str, Rates]
    ratios: list[Ratio]


def report(
    volume: Volume, rounds: Sequence[Round], database: str, alternatives: Mapping[str, Sequence[float]]
) -> Report:
    """The figures of at least one round; alternatives gives the seconds of each alternative, round by round."""
    owner, reader = _usage([each.owner for each in rounds]), _usage([each.reader for each in rounds])
    ours = [each.seconds for each in rounds]
    return Report(
        volume=volume,
        record_bytes_mean=round(volume.mean_bytes, 1),
        exchange=rates(volume, ours),
        signed_s=spread([each.signed_s for each in rounds]),
        owner=owner,
        reader=reader,
        servers_busy_s={
            name: spread([each.servers_busy_s[name] for each in rounds]) for name in rounds[0].servers_busy_s
        },
        lookup_s=spread([each.lookup_s for each in rounds]),
        peak_floor_mb=PEAK_FLOOR_MB,
        is_peak_floor_held=max(owner.peak_mb.max, reader.peak_mb.max) <= PEAK_FLOOR_MB,
        against={name: rates(volume, seconds) for name, seconds in alternatives.items()},
        ratios=[_ratio(name, database, ours, seconds) for name, seconds in alternatives.items()],
    )


def rates(volume: Volume, seconds: Sequence[float]) -> Rates:
    """The rates of several rounds; MB are those of the records as serialized."""
    return Rates(
        seconds=spread(seconds),
        records_per_s=spread([volume.records / each for each in seconds]),
        mb_per_s=spread([volume.record_bytes / each / 1e6 for each in seconds]),
    )


def _usage(sides: Sequence[Side]) -> Usage:
    return Usage(spread([each.busy_s for each in sides]), spread([each.peak_mb for each in sides]))


def _ratio(against: str, database: str, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    # Each with the one measured next to it: what else the machine did then, it did to both.
    found = spread([other / own for own, other in zip(ours, theirs, strict=True)])
    floor, aim = FLOORS.get((database, against), (None, None))
    return Ratio(
        against=against,
        ratio=found,
        floor=floor,
        aim=aim,
        is_floor_held=None if floor is None else found.median >= floor,
        is_aim_reached=None if aim is None else found.median >= aim,
    )
