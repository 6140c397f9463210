"""A clock and a source of randomness that belong to the simulated world."""

import asyncio
from random import Random


class SimulatedClock:
    """The clock of one machine: it may be off, run too fast or too slow, and jump. Satisfies ports.Clock."""

    def __init__(self, start_ms: int, skew_ms: int = 0, drift_ppm: float = 0.0) -> None:
        self._start_ms = start_ms
        self._skew_ms = skew_ms
        self._rate = 1.0 + drift_ppm / 1e6
        self._loop: asyncio.AbstractEventLoop | None = None

    def now_ms(self) -> int:
        """Unix time in ms, as this machine believes it."""
        return self._start_ms + self._skew_ms + int(self.monotonic_s() * 1000)

    def monotonic_s(self) -> float:
        """Seconds of this machine since the run began."""
        # Whoever drives a network asks its nodes between two steps, too, when no loop runs.
        self._loop = self._loop or asyncio.get_running_loop()
        return self._loop.time() * self._rate

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this machine."""
        await asyncio.sleep(seconds / self._rate)

    def step(self, by_ms: int) -> None:
        """Set the clock forward or back."""
        self._skew_ms += by_ms


class SeededEntropy:
    """Randomness that is the same in every run of a seed. Satisfies ports.Entropy."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def bytes(self, count: int) -> bytes:
        """Bytes that nobody else gets."""
        return self._random.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        """A number between low and high."""
        return self._random.uniform(low, high)
