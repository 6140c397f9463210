"""The one writer: order, results, errors, cancellation and a close that loses nothing."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from node.ports import Lane, StoreTransaction
from node.storage.memory import MemoryStore
from node.storage.writer import FOLLOW_UP_S, InlineWriter, ThreadWriter


@contextmanager
def running(store: MemoryStore, follow_up_s: float = FOLLOW_UP_S) -> Iterator[ThreadWriter]:
    writer = ThreadWriter(store, follow_up_s)
    writer.start()
    try:
        yield writer
    finally:
        writer.close()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario; one that would wait for ever fails."""
    asyncio.run(asyncio.wait_for(scenario, 30))


def note(name: str) -> Callable[[StoreTransaction], str]:
    """A step that adds its name to a setting and returns it."""

    def step(tx: StoreTransaction) -> str:
        tx.set_setting("order", (tx.setting("order") or "") + name)
        return name

    return step


class Block:
    """A step that holds the writer until it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, _tx: StoreTransaction) -> None:
        self.began.set()
        assert self.go.wait(30)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_step_returns_its_result_after_the_commit(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store) as writer:
            assert await writer.run(Lane.BULK, note("a")) == "a"
            assert store.setting("order") == "a"

    run(scenario())


def test_the_control_lane_goes_first_and_each_lane_in_order(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store) as writer:
            block = Block()
            first = asyncio.create_task(writer.run(Lane.BULK, block))
            await asyncio.to_thread(block.began.wait, 30)
            waiting = [asyncio.create_task(writer.run(Lane.BULK, note(name))) for name in "abc"]
            waiting += [asyncio.create_task(writer.run(Lane.CONTROL, note(name))) for name in "xyz"]
            await asyncio.sleep(0)  # the tasks hand their steps over
            block.go.set()
            await asyncio.gather(first, *waiting)
        assert store.setting("order") == "xyzabc"

    run(scenario())


def test_what_follows_a_control_step_goes_before_bulk_that_waited(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store, follow_up_s=30) as writer:
            block = Block()
            first = asyncio.create_task(writer.run(Lane.CONTROL, block))
            await asyncio.to_thread(block.began.wait, 30)
            bulk = asyncio.create_task(writer.run(Lane.BULK, note("b")))
            await asyncio.sleep(0)
            block.go.set()
            await first
            await asyncio.sleep(0.05)
            await writer.run(Lane.CONTROL, note("x"))
        # Closing ends the wait.
        await bulk
        assert store.setting("order") == "xb"

    run(scenario())


def test_bulk_goes_on_when_nothing_follows_a_control_step(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store) as writer:
            await asyncio.gather(writer.run(Lane.CONTROL, note("x")), writer.run(Lane.BULK, note("b")))
        assert store.setting("order") == "xb"

    run(scenario())


def test_bulk_goes_on_at_once_behind_a_step_that_leads_to_no_other(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store, follow_up_s=30) as writer:
            for number in range(3):
                await writer.run_last(Lane.CONTROL, note(f"r{number}"))
                async with asyncio.timeout(10):
                    await writer.run(Lane.BULK, note("b"))
        assert store.setting("order") == "r0br1br2b"

    run(scenario())


def test_an_error_reaches_the_caller_and_leaves_nothing(store: MemoryStore) -> None:
    def fail(tx: StoreTransaction) -> None:
        tx.set_setting("order", "wrong")
        raise LookupError("gone")

    async def scenario() -> None:
        with running(store) as writer:
            with pytest.raises(LookupError, match="gone"):
                await writer.run(Lane.BULK, fail)
            assert store.setting("order") is None
            assert await writer.run(Lane.BULK, note("a")) == "a"

    run(scenario())


def test_a_step_taken_back_before_its_turn_is_not_run(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store) as writer:
            block = Block()
            first = asyncio.create_task(writer.run(Lane.BULK, block))
            await asyncio.to_thread(block.began.wait, 30)
            taken_back = asyncio.create_task(writer.run(Lane.BULK, note("a")))
            last = asyncio.create_task(writer.run(Lane.BULK, note("b")))
            await asyncio.sleep(0)
            taken_back.cancel()
            await asyncio.sleep(0)
            block.go.set()
            await asyncio.gather(first, last)
        assert store.setting("order") == "b"

    run(scenario())


def test_closing_finishes_what_waits_and_refuses_what_comes_later(store: MemoryStore) -> None:
    async def scenario() -> None:
        writer = ThreadWriter(store)
        writer.start()
        block = Block()
        steps = [asyncio.create_task(writer.run(Lane.BULK, step)) for step in (block, note("a"), note("b"))]
        await asyncio.to_thread(block.began.wait, 30)
        closing = asyncio.create_task(asyncio.to_thread(writer.close))
        await asyncio.sleep(0.01)
        block.go.set()
        await asyncio.gather(closing, *steps)
        assert store.setting("order") == "ab"
        with pytest.raises(RuntimeError, match="not running"):
            await writer.run(Lane.BULK, note("c"))
        writer.close()  # once more does no harm

    run(scenario())


def test_the_event_loop_goes_on_while_a_step_waits_for_the_disk(store: MemoryStore) -> None:
    async def scenario() -> None:
        with running(store) as writer:
            block = Block()
            step = asyncio.create_task(writer.run(Lane.BULK, block))
            ticks = 0
            while not block.began.is_set() or ticks < 10:
                await asyncio.sleep(0.001)
                ticks += 1
            assert not step.done()
            block.go.set()
            await step

    run(scenario())


def test_the_inline_writer_runs_at_once(store: MemoryStore) -> None:
    def fail(tx: StoreTransaction) -> None:
        tx.set_setting("order", "wrong")
        raise LookupError

    async def scenario() -> None:
        writer = InlineWriter(store)
        assert await writer.run(Lane.BULK, note("a")) == "a"
        with pytest.raises(LookupError):
            await writer.run(Lane.CONTROL, fail)
        assert store.setting("order") == "a"

    run(scenario())
