"""What is made of measurements: quantiles, medians of rounds, and the machine that they come from."""

import math
import os
import platform
import resource
import sqlite3
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from node.core.slot_reading import IS_COMPILED

LIBRARIES = ("xinqiao", "grpcio", "protobuf", "cryptography", "sqlalchemy")


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least this share of all do not exceed (nearest rank)."""
    return sorted(samples)[max(math.ceil(share * len(samples)), 1) - 1]


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure of several rounds."""

    median: float
    min: float
    max: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.min:.3f}-{self.max:.3f})"


def spread(figures: Sequence[float]) -> Spread:
    """The median of the rounds with the smallest and the largest."""
    return Spread(*(round(each, 4) for each in (statistics.median(figures), min(figures), max(figures))))


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, system, versions, and how busy the machine was."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_mib": _memory_mib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "slot_reader": "compiled" if IS_COMPILED else "not compiled",
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text("utf-8").splitlines() if told.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def busy_s(process: int) -> float:
    """Seconds of processor time that a process and those that it has started have used; 0 where nobody says."""
    return sum(map(_alone_busy_s, family(process)))


def family(process: int) -> list[int]:
    """A process and those that it has started and that still run."""
    found = [process]
    for told in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may have ended since
            found += map(int, told.read_text("utf-8").split())
    return found


def _alone_busy_s(process: int) -> float:
    status = Path(f"/proc/{process}/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text("utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # with those of its own that have ended


def commands_busy_s() -> float:
    """Seconds of processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_mib(process: int) -> float:
    """The largest resident sizes that a process and those it has started have had, together; 0 where nobody says."""
    return sum(map(_alone_peak_mib, family(process)))


def _alone_peak_mib(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    lines = status.read_text("utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def peak_mb(process: int) -> float:
    """The same in MB of 10^6 bytes."""
    return round(peak_mib(process) * 2**20 / 1e6, 1)
