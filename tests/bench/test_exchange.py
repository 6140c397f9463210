"""`xinqiao bench exchange` measures real processes, and believes no round in which anything is not as it should be."""

import json
import subprocess
from pathlib import Path

import pytest

from node.bench.exchange import Round, Side
from node.bench.exchange_report import report
from node.bench.figures import Spread
from node.bench.programs import XINQIAO
from node.bench.supply import Volume

VOLUME = Volume(records=1000, record_bytes=740_000, entries=4, entry_bytes=760_000)


def a_round(seconds: float, peak_mb: float = 120.0) -> Round:
    return Round(seconds, seconds - 0.1, Side(0.2, 100.0), Side(0.6, peak_mb), 100, 0.001)


def test_a_report_has_the_rates_of_the_median_round_with_the_slowest_and_the_fastest() -> None:
    found = report(VOLUME, [a_round(2.0), a_round(1.0), a_round(4.0)], "sqlite", {})
    assert found.exchange.records_per_s == Spread(500.0, 250.0, 1000.0)
    assert found.exchange.mb_per_s == Spread(0.37, 0.185, 0.74)
    assert (found.record_bytes_mean, found.reader.busy_s.median) == (740.0, 0.6)


def test_an_alternative_is_compared_with_the_round_beside_it() -> None:
    rounds, alternatives = [a_round(1.0), a_round(4.0), a_round(2.0)], {"signed-file": [1.0, 2.0, 2.0]}
    (ratio,) = report(VOLUME, rounds, "sqlite", alternatives).ratios
    assert ratio.ratio == Spread(1.0, 0.5, 1.0)
    assert (ratio.floor, ratio.is_floor_held, ratio.is_aim_reached) == (0.8, True, False)


@pytest.mark.parametrize(("seconds", "is_held"), [(5.0, True), (5.1, False)])
def test_a_floor_is_a_share_of_the_rate_of_the_alternative(seconds: float, is_held: bool) -> None:
    (ratio,) = report(VOLUME, [a_round(seconds)], "sqlite", {"limit": [1.0]}).ratios
    assert ratio.is_floor_held is is_held


def test_nothing_is_asked_beside_an_alternative_without_a_floor() -> None:
    (ratio,) = report(VOLUME, [a_round(1.0)], "postgresql", {"limit": [1.0]}).ratios
    assert (ratio.floor, ratio.is_floor_held, ratio.is_aim_reached) == (None, None, None)


@pytest.mark.parametrize(("peak_mb", "is_held"), [(300.0, True), (300.1, False)])
def test_the_largest_process_of_any_round_decides_about_memory(peak_mb: float, is_held: bool) -> None:
    assert report(VOLUME, [a_round(1.0), a_round(1.0, peak_mb)], "sqlite", {}).is_peak_floor_held is is_held


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_real_exchange_applies_all_but_the_planted_record(tmp_path: Path, database: str) -> None:
    size = ("--records", "2000", "--rounds", "2", "--database", database)
    command = ("bench", "exchange", *size, "--dir", str(tmp_path / "work"), "--json")
    measured = subprocess.run([str(XINQIAO), *command], capture_output=True, text=True, check=True)
    document = json.loads(measured.stdout)
    assert document["volume"]["records"] == 2000
    assert 700 < document["record_bytes_mean"] < 780
    assert 0 <= document["planted"]["place"] < 2000
    assert document["planted"]["code"].startswith("FIELD_")
    assert len(document["measured"]) == 2
    assert document["servers_busy_s"].keys() == (set() if database == "sqlite" else {"owner", "reader"})
    for each in document["measured"]:
        assert 0 < each["signed_s"] <= each["seconds"]
        assert min(each["owner"]["busy_s"], each["reader"]["busy_s"], each["reader"]["peak_mb"]) > 0
        assert each["found"] >= 99
