"""The deterministic loop: virtual time, seeded order, tasks that end with their owner."""

import asyncio
import gc
from random import Random
from typing import Any

import pytest

from node.simulator.loop import Owner, SimulatedLoop, run
from node.simulator.world import SeededEntropy, SimulatedClock


def test_a_day_of_sleep_takes_no_time() -> None:
    async def main(loop: SimulatedLoop) -> float:
        await asyncio.sleep(86_400)
        return loop.time()

    assert run(main, Random(1)) == 86_400


def _order(seed: int) -> list[int]:
    async def main(_: SimulatedLoop) -> list[int]:
        found: list[int] = []

        async def work(number: int) -> None:
            for _ in range(3):
                await asyncio.sleep(0)
                found.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(work(number))
        return found

    return run(main, Random(seed))


def test_the_seed_decides_the_order_and_nothing_else_does() -> None:
    assert _order(1) == _order(1)
    assert len({tuple(_order(seed)) for seed in range(20)}) > 15


def test_a_deadline_passes_in_virtual_time() -> None:
    async def main(loop: SimulatedLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return loop.time()

    assert run(main, Random(1)) == 30


def test_the_tasks_of_an_owner_end_with_it_and_so_do_those_that_they_started() -> None:
    async def main(_: SimulatedLoop) -> tuple[int, int, list[str]]:
        owner, ended = Owner(), []

        async def child() -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append("child")

        async def parent() -> None:
            task = asyncio.create_task(child())
            await task

        with owner.acting():
            asyncio.create_task(parent())  # noqa: RUF006 - the owner keeps it
        await asyncio.sleep(1)
        before = owner.tasks
        owner.cancel()
        await asyncio.sleep(1)
        return before, owner.tasks, ended

    assert run(main, Random(1)) == (2, 0, ["child"])


def test_an_exception_that_nobody_waits_for_is_told() -> None:
    told: list[str] = []

    async def main(_: SimulatedLoop) -> None:
        async def fail() -> None:
            raise ValueError("nobody waits for it")

        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task

    run(main, Random(1), lambda context: told.append(str(context["exception"])))
    assert told == ["nobody waits for it"]


def test_a_run_in_which_nothing_can_happen_any_more_says_so() -> None:
    async def main(_: SimulatedLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="never end"):
        run(main, Random(1))


def test_a_run_in_which_time_stands_still_for_ever_says_so() -> None:
    async def main(loop: SimulatedLoop) -> None:
        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="time stands still"):
        run(main, Random(1))


def test_a_clock_is_off_drifts_and_jumps() -> None:
    async def main(_: SimulatedLoop) -> list[int]:
        clock = SimulatedClock(1_000_000, skew_ms=500, drift_ppm=100_000)
        found = [clock.now_ms()]
        await asyncio.sleep(10)
        found.append(clock.now_ms())
        clock.step(-60_000)
        return [*found, clock.now_ms()]

    assert run(main, Random(1)) == [1_000_500, 1_011_500, 951_500]


def test_randomness_follows_from_the_seed() -> None:
    assert SeededEntropy(Random("a")).bytes(8) == SeededEntropy(Random("a")).bytes(8)
    assert SeededEntropy(Random("a")).bytes(8) != SeededEntropy(Random("b")).bytes(8)


def test_what_a_task_begins_at_its_end_is_ended_as_well() -> None:
    complaints: list[dict[str, Any]] = []
    ends: list[str] = []

    async def stays(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append(name)
            if len(ends) < 3:
                keep.append(asyncio.get_running_loop().create_task(stays(f"{name}'")))
                await asyncio.sleep(0)

    keep: list[asyncio.Task[None]] = []

    async def main(loop: SimulatedLoop) -> None:
        keep.append(loop.create_task(stays("one")))
        await asyncio.sleep(1)

    run(main, Random("ends"), complaints.append)
    assert ends == ["one", "one'", "one''"]
    keep.clear()
    gc.collect()
    assert complaints == []
