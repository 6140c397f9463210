"""Streams have no deadline of their own, as a log may be long; what is bounded is how long nothing moves."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from node.core.errors import XinqiaoError

T = TypeVar("T")


class IdleLimit:
    """Ends a wait when nothing has moved on the stream for a time; raises WIRE_IDLE."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._waiting: asyncio.Timeout | None = None

    async def wait(self, step: Awaitable[T]) -> T:
        """The result of the step; what moved() notes meanwhile gives it the whole time again."""
        try:
            async with asyncio.timeout(self._limit_s) as self._waiting:
                return await step
        except TimeoutError as error:
            raise XinqiaoError("WIRE_IDLE", limit_s=f"{self._limit_s:g}") from error
        finally:
            self._waiting = None

    def moved(self) -> None:
        """Note that something moved in the other direction."""
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time() + self._limit_s)
