"""The one writer: every change of a database passes through it, one step after another.

Each step is one transaction. Steps share no commit: measured, a savepoint for each (0.05 ms) costs as much as the
commit it saves (0.08 ms, 0.02 of them fsync), and a full disk would take the steps of others with it. Who has many
entries hands them over as one step.

A control step is often followed by another one that its result leads to: an entry is taken, and its receipt is signed.
So a control step that is done keeps bulk back for a moment. Measured under a bulk load on two cores: without it the
receipt waits for a whole bulk step more, and a removal is late by that at every reader. The receipt itself leads to
nothing: keeping bulk back behind it as well took longer than the run of bulk that it was for.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from typing import Any, TypeVar

from node.core.errors import XinqiaoError
from node.ports import Lane, Store, StoreTransaction, Writer

T = TypeVar("T")
_LAST = max(Lane) + 1
TRIES = 3
"""How often a step is tried that another session of the database stands in the way of: a deadlock, a lock."""
FOLLOW_UP_S = 0.01
"""How long bulk waits for what may follow a control step: a turn of a busy event loop."""


@dataclass(order=True, slots=True)
class _Job:
    """A step that waits for its turn: by lane, then by arrival. The one without a step ends the writer.

    is_last: it leads to no other step.
    """

    lane: int
    number: int
    step: Callable[[StoreTransaction], Any] | None = field(compare=False)
    result: "Future[Any]" = field(compare=False, default_factory=Future)
    is_last: bool = field(compare=False, default=False)


class ThreadWriter(Writer):
    """The Writer with a thread of its own, so that no event loop ever waits for a disk."""

    def __init__(self, store: Store, follow_up_s: float = FOLLOW_UP_S) -> None:
        self._store = store
        self._follow_up_s = follow_up_s
        self._waiting: list[_Job] = []
        self._numbers = count()
        self._thread = Thread(target=self._work, name="xinqiao-writer")
        self._changed = Condition()
        self._is_open = False

    def start(self) -> None:
        """Begin to work; steps handed over before wait until then."""
        with self._changed:
            self._is_open = True
        self._thread.start()

    def close(self) -> None:
        """Finish every step that waits, then stop; a later step is refused with RuntimeError."""
        with self._changed:
            was_open, self._is_open = self._is_open, False
            self._put(_Job(_LAST, next(self._numbers), None))
        if was_open:
            self._thread.join()

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        """Run a step in its own transaction and return its result after the commit.

        A caller that is cancelled before its step began takes it back; one that has begun is finished.
        """
        return await asyncio.wrap_future(self._enqueue(lane, step))

    async def run_last(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        """Run a step that leads to no other one."""
        return await asyncio.wrap_future(self._enqueue(lane, step, is_last=True))

    def _enqueue(self, lane: Lane, step: Callable[[StoreTransaction], T], *, is_last: bool = False) -> "Future[T]":
        with self._changed:
            if not self._is_open:
                raise RuntimeError("the writer is not running")
            job = _Job(lane, next(self._numbers), step, is_last=is_last)
            self._put(job)
        return job.result

    def _put(self, job: _Job) -> None:
        heappush(self._waiting, job)
        self._changed.notify()

    def _work(self) -> None:
        job = self._take()
        while job.step is not None:
            if job.result.set_running_or_notify_cancel():
                self._finish(job.step, job.result)
            job = self._take(after_control=job.lane == Lane.CONTROL and not job.is_last)

    def _take(self, *, after_control: bool = False) -> _Job:
        """The most urgent step that waits; after a control step, none of bulk before its follow-up had its chance."""
        with self._changed:
            if after_control:
                self._changed.wait_for(self._must_go_on, self._follow_up_s)
            self._changed.wait_for(lambda: self._waiting)
            return heappop(self._waiting)

    def _must_go_on(self) -> bool:
        return not self._is_open or (bool(self._waiting) and self._waiting[0].lane == Lane.CONTROL)

    def _finish(self, step: Callable[[StoreTransaction], Any], result: "Future[Any]") -> None:
        try:
            found = perform(self._store, step)
        except BaseException as error:  # noqa: BLE001 - it is raised where the step came from
            result.set_exception(error)
        else:
            result.set_result(found)


class InlineWriter(Writer):
    """The Writer that runs a step at once in its caller, for tests and the simulator."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:  # noqa: ARG002 - nothing waits
        """Run a step in its own transaction and return its result after the commit."""
        return perform(self._store, step)


def perform(store: Store, step: Callable[[StoreTransaction], T]) -> T:
    """Run a step in its own transaction, once more where a session of somebody else stood in its way."""
    for _ in range(TRIES - 1):
        try:
            with store.transaction() as transaction:
                return step(transaction)
        except XinqiaoError as error:
            if error.code != "DATABASE_BUSY":
                raise
    with store.transaction() as transaction:
        return step(transaction)
