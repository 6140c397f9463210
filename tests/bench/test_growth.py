"""`xinqiao bench growth` compares sizes, and says nothing of those that were not measured."""

import json
import subprocess
from pathlib import Path

import pytest

from node.bench import growth
from node.bench.figures import spread
from node.bench.growth import Grown, report
from node.bench.programs import XINQIAO
from node.core.errors import XinqiaoError


def grown(records: int, cost_us: float = 50.0, reader_peak_mb: float = 150.0) -> Grown:
    figures = (cost_us, cost_us / 2, 110.0, reader_peak_mb, 1200.0)
    return Grown(records, *(spread([each]) for each in figures))


@pytest.mark.parametrize(
    ("cost_us", "held", "reached"), [(75.0, True, False), (75.2, False, False), (57.0, True, True)]
)
def test_the_cost_of_a_record_is_compared_between_two_millions_and_a_hundred_thousand(
    cost_us: float, held: bool, reached: bool
) -> None:
    found = report([grown(10_000, 10.0), grown(100_000), grown(2_000_000, cost_us)])
    assert found.cost_ratio == pytest.approx(cost_us / 50, abs=1e-3)
    assert (found.is_cost_floor_held, found.is_cost_aim_reached, found.peak_ratio) == (held, reached, None)


@pytest.mark.parametrize(("peak_mb", "held"), [(165.0, True), (166.0, False)])
def test_memory_is_compared_between_two_millions_and_three_hundred_thousand(peak_mb: float, held: bool) -> None:
    found = report([grown(300_000), grown(2_000_000, reader_peak_mb=peak_mb)])
    assert (found.is_peak_floor_held, found.cost_ratio) == (held, None)


def test_a_large_run_wants_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "LARGE_FREE_BYTES", 10**18)
    with pytest.raises(XinqiaoError, match="BENCH_SPACE"):
        growth.check_space(tmp_path)


@pytest.mark.long
def test_sizes_are_really_exchanged_and_one_of_them_sampled(tmp_path: Path) -> None:
    sizes = ("--records", "600", "--records", "1500", "--dir", str(tmp_path / "growth"), "--json")
    grew = subprocess.run([str(XINQIAO), "bench", "growth", *sizes], capture_output=True, text=True, check=True)
    document = json.loads(grew.stdout)
    assert [each["records"] for each in document["sizes"]] == [600, 1500]
    assert all(each["database_bytes"]["median"] > 700 for each in document["sizes"])
    command = ("bench", "exchange", "--records", "3000", "--rounds", "1", "--profile", str(tmp_path / "profile"))
    sampled = subprocess.run([str(XINQIAO), *command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(sampled.stdout)["profile"].keys() == {"owner", "reader"}
    assert (tmp_path / "profile" / "reader.svg").stat().st_size > 1000
