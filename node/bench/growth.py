"""What a record costs as there are more of them: the same exchange with few and with many."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.bench import supply
from node.bench.exchange import Exchange
from node.bench.figures import Spread, spread
from node.bench.network import Network
from node.bench.stores import database
from node.core.errors import XinqiaoError
from node.home import Home
from node.texts import words

SIZES = (10_000, 100_000, 300_000, 2_000_000)
LARGE, LARGE_FREE_BYTES = 10_000_000, 60 * 10**9
BASE, MANY, COST_FLOOR, COST_AIM = 100_000, 2_000_000, 1.5, 1.15
"""What is asked of the cost of a record with MANY of them, as a multiple of that with BASE."""
FEW, PEAK_FLOOR = 300_000, 1.1
"""What is asked of the largest process with MANY records, as a multiple of that with FEW."""


@dataclass(frozen=True, slots=True)
class Grown:
    """So many records exchanged: what one of them costs, and what both processes and the reader's database take.

    cost_us is microseconds of time, reader_us of processor time of the reader.
    """

    records: int
    cost_us: Spread
    reader_us: Spread
    owner_peak_mb: Spread
    reader_peak_mb: Spread
    database_bytes: Spread


@dataclass(frozen=True, slots=True)
class Growth:
    """The ratios, None where the sizes that they compare were not measured."""

    sizes: list[Grown]
    cost_ratio: float | None
    is_cost_floor_held: bool | None
    is_cost_aim_reached: bool | None
    peak_ratio: float | None
    is_peak_floor_held: bool | None


def check_space(folder: Path) -> None:
    """Raise BENCH_SPACE where the large size does not fit."""
    free = shutil.disk_usage(folder).free
    if free < LARGE_FREE_BYTES:
        needed = LARGE_FREE_BYTES // 10**9
        raise XinqiaoError("BENCH_SPACE", folder=folder, needed=needed, found=free // 10**9)


def measured(network: Network, records: int, seed: int, tell: Callable[[str], None]) -> Grown:
    """Publish so many records at the owner, and let one reader after another have them."""
    for reader in network.readers:
        network.programs.end(reader)
    tell(words("publishing {count} records", count=records))
    exchange, rounds, bytes_each = Exchange(network, supply.publish(network, records, seed)), [], []
    for number, reader in enumerate(network.readers, 1):
        tell(words("round {number}: exchange", number=number))
        rounds.append(exchange.measure(reader))
        bytes_each.append(database(Home(network.home(reader))).size_bytes() / records)
    return Grown(
        records=records,
        cost_us=spread([each.seconds / records * 1e6 for each in rounds]),
        reader_us=spread([each.reader.busy_s / records * 1e6 for each in rounds]),
        owner_peak_mb=spread([each.owner.peak_mb for each in rounds]),
        reader_peak_mb=spread([each.reader.peak_mb for each in rounds]),
        database_bytes=spread(bytes_each),
    )


def report(sizes: Sequence[Grown]) -> Growth:
    """Compare the sizes that are to be compared."""
    by_records = {each.records: each for each in sizes}
    base, few, many = (by_records.get(each) for each in (BASE, FEW, MANY))
    cost = round(many.cost_us.median / base.cost_us.median, 3) if many and base else None
    peak = round(max(_peaks(many)) / max(_peaks(few)), 3) if many and few else None
    return Growth(
        sizes=list(sizes),
        cost_ratio=cost,
        is_cost_floor_held=None if cost is None else cost <= COST_FLOOR,
        is_cost_aim_reached=None if cost is None else cost <= COST_AIM,
        peak_ratio=peak,
        is_peak_floor_held=None if peak is None else peak <= PEAK_FLOOR,
    )


def _peaks(grown: Grown) -> tuple[float, float]:
    return grown.owner_peak_mb.max, grown.reader_peak_mb.max
