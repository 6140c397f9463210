"""Pace: how fast something arrives, and how long the rest takes, as a range.

What arrived in the last minute is cut into slices. The rest takes as long as by the fastest of them at best and by the
slowest at worst; where nothing came in one of them, nobody knows the worst.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

WINDOW_S = 60
SLICE_S = 10


@dataclass(frozen=True, slots=True)
class Amount:
    """Entries of logs, their records, and their bytes before compression."""

    entries: int = 0
    records: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.entries + other.entries, self.records + other.records, self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True)
class Pace:
    """What came in the last minute, or since it began to come, over so many seconds; slices are entries a second."""

    amount: Amount = Amount()
    span_s: float = 0.0
    slices: Sequence[float] = ()

    @property
    def entries_per_s(self) -> float:
        """Entries a second."""
        return self.amount.entries / self.span_s if self.span_s else 0.0

    def left_s(self, missing: int) -> tuple[int | None, int | None]:
        """How many seconds so many entries take, at best and at worst; None where that cannot be told."""
        if not missing:
            return 0, 0
        fastest, slowest = max(self.slices, default=0.0), min(self.slices, default=0.0)
        return ceil(missing / fastest) if fastest else None, ceil(missing / slowest) if slowest else None


def pace_of(arrived: Iterable[tuple[float, Amount]], now_s: float) -> Pace:
    """The pace of what arrived at times, in seconds of any clock that never goes back."""
    recent = [(at_s, amount) for at_s, amount in arrived if now_s - at_s < WINDOW_S]
    if not recent:
        return Pace()
    span_s = min(float(WINDOW_S), max(now_s - min(at_s for at_s, _ in recent), 1.0))
    count = max(1, int(span_s // SLICE_S))
    length_s, sums = span_s / count, [0] * count
    for at_s, amount in recent:
        sums[min(int((now_s - at_s) / length_s), count - 1)] += amount.entries
    total = sum((amount for _, amount in recent), Amount())
    return Pace(total, span_s, [each / length_s for each in sums])
