"""The scheduler: one tick a duty, on the event loop; what is due lives in our tables, not in the scheduler's.

APScheduler plans by the wall clock. A step of the wall clock, forwards or backwards, plans every tick anew, so
that intervals are those of the monotonic clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from node.ports import Clock

STEP_CHECK_S = 1.0
STEP_MS = 1000

Tick = Callable[[], Awaitable[None]]


class Scheduler:
    """Calls the ticks of a node at their intervals, each at most once at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._intervals: dict[str, float] = {}
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def every(self, seconds: float, name: str, tick: Tick) -> None:
        """Call a tick now and then at an interval, a little off the beat so that nodes do not march in step."""
        self._intervals[name] = seconds
        trigger = IntervalTrigger(seconds=seconds, jitter=seconds / 10, timezone=UTC)
        self._scheduler.add_job(tick, trigger, id=name, next_run_time=self._now())

    async def run(self) -> None:
        """Tick until cancelled."""
        self._scheduler.start()
        try:
            await self._watch_steps()
        finally:
            self._scheduler.shutdown(wait=False)

    async def _watch_steps(self) -> None:
        offset_ms = self._offset_ms()
        while True:
            await asyncio.sleep(STEP_CHECK_S)
            current_ms = self._offset_ms()
            if abs(current_ms - offset_ms) > STEP_MS:
                self._plan_anew()
            offset_ms = current_ms

    def _offset_ms(self) -> float:
        return self._clock.now_ms() - self._clock.monotonic_s() * 1000

    def _plan_anew(self) -> None:
        for name, seconds in self._intervals.items():
            self._scheduler.modify_job(name, next_run_time=self._now() + timedelta(seconds=min(seconds, 1.0)))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, tz=UTC)
