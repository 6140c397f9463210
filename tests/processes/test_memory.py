"""Memory is bounded by configuration, not by the size of a file (G12)."""

import time
from pathlib import Path

import pytest

from node.bench.figures import family
from tests.processes.commands import Command
from tests.processes.files import registrations
from tests.processes.network import PUDONG, SHANGHAI, Town

MIB = 1024
BOUND_MIB = 30
"""What few rows do not fill: the terms that wait (10 MiB), entries read ahead, what a run of entries takes."""


def peak_mib(pid: int) -> float:
    """The largest resident set of a process so far, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) / MIB for line in lines if line.startswith("VmHWM:")), default=0.0)


def publish(town: Town, file: Path) -> tuple[float, float, Command]:
    """Publish by the installed program; its peak, and that of the process in which the node reads the file."""
    argv = ("publish", "310000/base", file, "--home", town.home(SHANGHAI.id), "--json")
    command = town.commands.start_program(*argv)
    peak = reading = 0.0
    node = town.serving[SHANGHAI.id].pid
    while command.running:
        peak = max(peak, peak_mib(command.pid))
        reading = max(reading, *(peak_mib(child) for child in family(node) if child != node), 0.0)
        time.sleep(0.01)
    assert command.wait() == 0, command.stderr
    return peak, reading, command


def peaks(town: Town, folder: Path, rows: int) -> dict[str, float]:
    """The peaks in MiB of everybody who takes part when that many rows are published."""
    copy = town.copy(folder)
    try:
        for node in (SHANGHAI.id, PUDONG.id):
            copy.serve_program(node)
        copy.create("310000/base", "registration.base", PUDONG.id)
        file = registrations(folder / "rows.csv", range(1, rows + 1))
        began = time.monotonic()
        publishing, reading, _ = publish(copy, file)
        copy.wait_for_agreement("310000/base", [PUDONG.id], 300)
        took = time.monotonic() - began
        found = {"publish": publishing, "the file's reader": reading}
        found |= {f"serve {node}": peak_mib(copy.serving[node].pid) for node in (SHANGHAI.id, PUDONG.id)}
        print(f"{rows} rows in {took:.1f} s:", {name: round(peak, 1) for name, peak in found.items()})
        return found
    finally:
        copy.close()


def check_bounded(town: Town, tmp_path: Path, few: int, many: int) -> None:
    small, large = peaks(town, tmp_path / "few", few), peaks(town, tmp_path / "many", many)
    assert all(large[name] > 20 for name in large), "no process was measured"
    assert {name: large[name] - small[name] for name in large if large[name] - small[name] > BOUND_MIB} == {}


def test_g12_50000_rows_need_no_more_memory_than_5000(founded: Town, tmp_path: Path) -> None:
    check_bounded(founded, tmp_path, 5_000, 50_000)


@pytest.mark.long
def test_g12_500000_rows_need_no_more_memory_than_5000(founded: Town, tmp_path: Path) -> None:
    check_bounded(founded, tmp_path, 5_000, 500_000)
