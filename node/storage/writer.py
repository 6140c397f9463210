"""The one writer: every change of a database passes through it, one step after another.

Each step is one transaction. Steps share no commit: measured, a savepoint for each (0.05 ms) costs as much as the
commit it saves (0.08 ms, 0.02 of them fsync), and a full disk would take the steps of others with it. Who has many
entries hands them over as one step.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count
from queue import PriorityQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from node.ports import Lane, Store, StoreTransaction

T = TypeVar("T")
_LAST = max(Lane) + 1


@dataclass(order=True, slots=True)
class _Job:
    """A step that waits for its turn: by lane, then by arrival. The one without a step ends the writer."""

    lane: int
    number: int
    step: Callable[[StoreTransaction], Any] | None = field(compare=False)
    result: "Future[Any]" = field(compare=False, default_factory=Future)


class ThreadWriter:
    """The Writer with a thread of its own, so that no event loop ever waits for a disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: PriorityQueue[_Job] = PriorityQueue()
        self._numbers = count()
        self._thread = Thread(target=self._work, name="xinqiao-writer")
        self._gate = Lock()
        self._is_open = False

    def start(self) -> None:
        """Begin to work; steps handed over before wait until then."""
        with self._gate:
            self._is_open = True
        self._thread.start()

    def close(self) -> None:
        """Finish every step that waits, then stop; a later step is refused with RuntimeError."""
        with self._gate:
            was_open, self._is_open = self._is_open, False
            self._queue.put(_Job(_LAST, next(self._numbers), None))
        if was_open:
            self._thread.join()

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        """Run a step in its own transaction and return its result after the commit.

        A caller that is cancelled before its step began takes it back; one that has begun is finished.
        """
        return await asyncio.wrap_future(self._enqueue(lane, step))

    def _enqueue(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> "Future[T]":
        with self._gate:
            if not self._is_open:
                raise RuntimeError("the writer is not running")
            job = _Job(lane, next(self._numbers), step)
            self._queue.put(job)
        return job.result

    def _work(self) -> None:
        while (job := self._queue.get()).step is not None:
            if job.result.set_running_or_notify_cancel():
                self._finish(job.step, job.result)

    def _finish(self, step: Callable[[StoreTransaction], Any], result: "Future[Any]") -> None:
        try:
            with self._store.transaction() as transaction:
                found = step(transaction)
        except BaseException as error:  # noqa: BLE001 - it is raised where the step came from
            result.set_exception(error)
        else:
            result.set_result(found)


class InlineWriter:
    """The Writer that runs a step at once in its caller, for tests and the simulator."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:  # noqa: ARG002 - nothing waits
        """Run a step in its own transaction and return its result after the commit."""
        with self._store.transaction() as transaction:
            return step(transaction)
