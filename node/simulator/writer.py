"""The one writer of a simulated process: production steps, in turn, on virtual time and a disk that may fail.

Its turns are timers of the loop, not tasks: no kill can cancel half a transaction, as it could not on a thread.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from node.ports import Lane, StoreTransaction, Writer
from node.simulator.disk_faults import DiskFault, DiskFaults, failure
from node.simulator.observing import Violation
from node.simulator.watched_store import WatchedStore

T = TypeVar("T")
_Step = Callable[[StoreTransaction], Any]
_UNDONE = (DiskFault.FAILS, DiskFault.FULL)
_CRASHES = (DiskFault.CRASHES_BEFORE, DiskFault.CRASHES_AFTER)


class SimulatedWriter(Writer):
    """The Writer: steps wait by (lane, arrival), take their time before and after the commit, and may fail.

    kill is called at a crash of the disk's choosing; the step's caller is then never answered.
    """

    def __init__(self, store: WatchedStore, faults: DiskFaults, kill: Callable[[], None]) -> None:
        self._store = store
        self._faults = faults
        self._kill = kill
        self._waiting: list[tuple[int, int, _Step, asyncio.Future[Any]]] = []
        self._numbers = count()
        self._is_busy = False

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        """Run a step in its own transaction and return its result after the commit.

        A caller that is cancelled before its step began takes it back; one that has begun is finished.
        """
        self._store.life.check()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (int(lane), next(self._numbers), step, answer))
        if not self._is_busy:
            self._begin_next(answer.get_loop())
        return await answer

    def _begin_next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_busy = False
        while self._waiting and not self._is_busy:
            _, _, step, answer = heapq.heappop(self._waiting)
            if not answer.done():  # else it was taken back
                self._is_busy = True
                whole_s = self._faults.latency_s()
                before_s = whole_s * self._faults.part()
                loop.call_later(before_s, self._commit, step, answer, whole_s - before_s)

    def _commit(self, step: _Step, answer: "asyncio.Future[Any]", after_s: float) -> None:
        if self._store.life.has_ended:
            return
        fault = self._faults.draw()
        result: Any = None
        error: Exception | None = None
        try:
            if fault != DiskFault.CRASHES_BEFORE:
                result = self._run(step, fault)
        except Violation:
            raise  # it is for whoever watches the run, and no duty may take it for a failure of its own
        except Exception as raised:  # noqa: BLE001 - it is raised where the step came from
            error = raised
        if fault in _CRASHES:
            self._kill()
        else:
            answer.get_loop().call_later(after_s, self._answer, answer, result, error)

    def _run(self, step: _Step, fault: DiskFault) -> Any:
        with self._store.transaction() as transaction:
            result = step(transaction)
            if fault in _UNDONE:
                raise failure(fault)
        if fault == DiskFault.FAILS_PERSISTED:
            raise failure(fault)
        return result

    def _answer(self, answer: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
        if self._store.life.has_ended:
            return
        if answer.done():  # its caller was cancelled meanwhile
            pass
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)
        self._begin_next(answer.get_loop())
