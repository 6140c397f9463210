"""The deterministic event loop: virtual time, and an order of callbacks that a seed decides.

Time stands still while anything is ready and then jumps to the next timer. What is ready at the same moment runs in
an order drawn from the seed, so that no code can lean on the order in which things happened to be scheduled.
"""

import asyncio
import gc
import heapq
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from itertools import count
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

BATCHES_IN_A_MOMENT = 100_000
"""How often the loop may turn without time going on: far more than any honest work needs."""

Failure = Callable[[dict[str, Any]], None]

_OWNER: ContextVar["Owner | None"] = ContextVar("owner", default=None)


class Owner:
    """Whose tasks can be ended together: those created by it, by its tasks, and by theirs."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Tasks created in here belong to this owner."""
        token = _OWNER.set(self)
        try:
            yield
        finally:
            _OWNER.reset(token)

    def take(self, task: "asyncio.Task[Any]") -> None:
        """Count a task among those of this owner until it is done."""
        self._tasks[task] = None
        task.add_done_callback(self._let_go)

    def cancel(self) -> None:
        """Cancel every task, in the order in which they were created, except the one that runs now."""
        current = asyncio.current_task()
        for task in list(self._tasks):
            if task is not current:
                task.cancel()

    @property
    def tasks(self) -> int:
        """How many tasks are not done."""
        return len(self._tasks)

    def _let_go(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """An asyncio loop without threads, sockets or signals; time() is virtual seconds from 0.

    failed is called with what asyncio calls a context: an exception that nobody waited for.
    """

    def __init__(self, random: Random, failed: Failure | None = None) -> None:
        self._random = random
        self._failed = failed
        self._now = 0.0
        self._ready: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        self._running = False
        self._closed = False
        self._stopping = False
        self._generators: dict[int, AsyncGenerator[Any, Any]] = {}
        self._batches = 0
        self._counted_at = 0.0
        self.callbacks = 0

    # -- time and order -----------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual seconds from 0."""
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback at this moment, in an order that the seed decides."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback after so many virtual seconds."""
        return self.call_at(self._now + max(delay, 0.0), callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a virtual time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """asyncio tells of a cancelled timer; it is passed over when its time comes."""

    def _run_moment(self) -> None:
        if not self._ready:
            self._next_moment()
        self._count_batch()
        while self._timers and self._timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(self._timers)[2])
        batch, self._ready = self._ready, []
        if len(batch) > 1:
            self._random.shuffle(batch)
        for at, handle in enumerate(batch):
            if self._stopping:
                self._ready = batch[at:] + self._ready
                return
            if not handle.cancelled():
                self.callbacks += 1
                handle._run()  # noqa: SLF001 - what every event loop calls

    def _count_batch(self) -> None:
        """Raise RuntimeError where callbacks call each other without end and time stands still for ever."""
        self._batches = self._batches + 1 if self._now == self._counted_at else 1
        self._counted_at = self._now
        if self._batches > BATCHES_IN_A_MOMENT:
            raise RuntimeError(f"at {self._now:.3f} s time stands still: {BATCHES_IN_A_MOMENT} turns of the loop")

    def _next_moment(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise RuntimeError("nothing is ready and nothing will be: the run would never end")
        self._now = max(self._now, self._timers[0][0])

    # -- running ------------------------------------------------------------------------------------

    def run_forever(self) -> None:
        """Run until stop()."""
        hooks = sys.get_asyncgen_hooks()
        self._running = True
        self._stopping = False
        self._batches = 0
        asyncio._set_running_loop(self)  # noqa: SLF001 - documented for those who write event loops
        sys.set_asyncgen_hooks(firstiter=self._generator_begins, finalizer=self._generator_is_dropped)
        try:
            while not self._stopping:
                self._run_moment()
        finally:
            self._running = False
            asyncio._set_running_loop(None)  # noqa: SLF001
            sys.set_asyncgen_hooks(*hooks)

    def run_until_complete(self, future: Any) -> Any:
        """Run until a coroutine or future is done, and give its result."""
        awaited = asyncio.ensure_future(future, loop=self)
        awaited.add_done_callback(self._stop_after)
        try:
            self.run_forever()
        finally:
            awaited.remove_done_callback(self._stop_after)
        return awaited.result()

    def _stop_after(self, _: "asyncio.Future[Any]") -> None:
        self.stop()

    def stop(self) -> None:
        """Return from run_forever before the next callback."""
        self._stopping = True

    def is_running(self) -> bool:
        """Whether run_forever is under way."""
        return self._running

    def is_closed(self) -> bool:
        """Whether close() was called."""
        return self._closed

    def close(self) -> None:
        """Drop everything that waits."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def _generator_begins(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators[id(generator)] = generator

    def _generator_is_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators.pop(id(generator), None)
        if not self._closed:
            self.call_soon(self.create_task, generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        """Close what async generators are left."""
        generators, self._generators = list(self._generators.values()), {}
        for generator in generators:
            with suppress(Exception):
                await generator.aclose()

    # -- what asyncio asks of a loop -----------------------------------------------------------------

    def create_future(self) -> "asyncio.Future[Any]":
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Task[T]":
        """A task of this loop, which belongs to whoever acts now."""
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, name=name, context=context)
        owner = _OWNER.get()
        if owner is not None:
            owner.take(task)
        return task

    def get_debug(self) -> bool:
        """Never: asyncio's debugging reads the clock."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Hand an exception that nobody waited for to whoever watches."""
        if self._failed is not None:
            self._failed(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """The same."""
        self.call_exception_handler(context)


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep the garbage collector from running at moments that differ from run to run."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def run(main: Callable[[SimulatedLoop], Coroutine[Any, Any, T]], random: Random, failed: Failure | None = None) -> T:
    """Run a coroutine on a loop of its own, in an order that only the seed decides, and give its result."""
    loop = SimulatedLoop(random, failed)  # type: ignore[abstract]  # no sockets, no signals, no sub-processes
    with no_collection():
        try:
            found: T = loop.run_until_complete(main(loop))
            return found
        finally:
            loop.run_until_complete(_end(loop))
            loop.close()


async def _end(loop: SimulatedLoop) -> None:
    await end_tasks()
    await loop.shutdown_asyncgens()
    # A generator that ends may begin something as well: the closing of the connection it held.
    await end_tasks()


async def end_tasks() -> None:
    """Cancel every other task of the loop, and those that they begin at their end, until none is left."""
    while tasks := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
