"""What goes wrong with a disk, and the end of a process: shared by a node's store, its writer and its sidecar."""

import asyncio
from enum import IntEnum
from random import Random

from node.core.errors import XinqiaoError
from node.simulator.scenario import DiskOptions

_HOME = "the simulated disk"  # a real path would make two runs differ


class ProcessKilled(asyncio.CancelledError):
    """Raised in whatever goes on after its process was killed; a task that it reaches ends as a cancelled one."""


class Life:
    """Whether the process that opened a disk still runs; afterwards nothing that it calls has any effect."""

    __slots__ = ("has_ended",)

    def __init__(self) -> None:
        self.has_ended = False

    def end(self) -> None:
        """From now on check() raises."""
        self.has_ended = True

    def check(self) -> None:
        """Raise ProcessKilled when it has ended."""
        if self.has_ended:
            raise ProcessKilled


class DiskFault(IntEnum):
    """What happens to one transaction, or to one writing of the sidecar."""

    NONE = 0
    FULL = 1
    FAILS = 2
    FAILS_PERSISTED = 3
    CRASHES_BEFORE = 4
    CRASHES_AFTER = 5


class DiskFaults:
    """Draws what happens next; full and quiet are switches. A quiet disk has no faults but a full one."""

    def __init__(self, options: DiskOptions, random: Random) -> None:
        self._options = options
        self._random = random
        self._shares = (
            (DiskFault.FAILS, options.fail),
            (DiskFault.FAILS_PERSISTED, options.fail_persisted),
            (DiskFault.CRASHES_BEFORE, options.crash_before),
            (DiskFault.CRASHES_AFTER, options.crash_after),
        )
        self.full = False
        self.quiet = False

    def latency_s(self) -> float:
        """How long the next transaction takes."""
        low, high = self._options.latency_ms
        return self._random.uniform(low, high) / 1000

    def part(self) -> float:
        """Which part of it passes before the commit."""
        return self._random.random()

    def draw(self) -> DiskFault:
        """What happens to the next one; takes exactly one number from the random."""
        drawn = self._random.random()
        if self.full:
            return DiskFault.FULL
        for fault, share in self._shares:
            if drawn < share and not self.quiet:
                return fault
            drawn -= share
        return DiskFault.NONE


def failure(fault: DiskFault) -> XinqiaoError:
    """What the caller is told of it."""
    if fault == DiskFault.FULL:
        return XinqiaoError("DISK_FULL", home=_HOME)
    return XinqiaoError("DATABASE", detail=f"{_HOME} failed")
