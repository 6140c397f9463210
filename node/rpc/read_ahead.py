"""Reading ahead: entries are read while those before them are taken, as many as may wait."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from node.core.entry import SignedEntry
from node.links import ended


class _Ahead:
    """What was read and is not taken yet."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting: deque[SignedEntry] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._ended = False

    async def fill(self, entries: AsyncGenerator[SignedEntry, None]) -> None:
        """Read until there are no more; what was read before a failure is given first."""
        try:
            async with aclosing(entries):
                async for signed in entries:
                    await self._put(signed)
        finally:
            async with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def _put(self, signed: SignedEntry) -> None:
        async with self._changed:
            self._waiting.append(signed)
            self._bytes += _size(signed)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._bytes < self._most_bytes)

    async def take(self) -> SignedEntry | None:
        """The next entry; None after the last."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting) or self._ended)
            if not self._waiting:
                return None
            signed = self._waiting.popleft()
            self._bytes -= _size(signed)
            self._changed.notify_all()
            return signed


async def read_ahead(entries: AsyncGenerator[SignedEntry, None], most_bytes: int) -> AsyncGenerator[SignedEntry, None]:
    """Give the same entries, read by a task of their own; raises what ended them, after the last that was read."""
    ahead = _Ahead(most_bytes)
    reading = asyncio.create_task(ahead.fill(entries))
    try:
        while (signed := await ahead.take()) is not None:
            yield signed
        await reading
    finally:
        reading.cancel()
        await ended(reading)


def _size(signed: SignedEntry) -> int:
    return len(signed.envelope.payload) + len(signed.body or b"")
