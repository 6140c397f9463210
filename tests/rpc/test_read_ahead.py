"""Entries are read while those before them are taken: in order, within a bound, to the end or to what ended them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from node.core.entry import SignedEntry
from node.pb import envelope_pb2
from node.rpc.read_ahead import read_ahead

BODY = bytes(1000)


class Source:
    """Gives entries without end, or fails after some; counts what was read of it."""

    def __init__(self, fails_after: int = 10**9, ends_after: int = 10**9) -> None:
        self.read = 0
        self.closed = False
        self._fails_after = fails_after
        self._ends_after = ends_after

    async def entries(self) -> AsyncGenerator[SignedEntry, None]:
        try:
            while self.read < self._ends_after:
                if self.read == self._fails_after:
                    raise ConnectionError("gone")
                self.read += 1
                yield SignedEntry("310000/a", 0, self.read - 1, envelope_pb2.Envelope(), BODY)
                await asyncio.sleep(0)
        finally:
            self.closed = True


def test_all_entries_come_in_order() -> None:
    async def scenario() -> None:
        source = Source(ends_after=50)
        assert [each.index async for each in read_ahead(source.entries(), 5_000)] == list(range(50))
        assert source.closed

    asyncio.run(scenario())


def test_what_was_read_before_a_failure_comes_first() -> None:
    async def scenario() -> None:
        entries = read_ahead(Source(fails_after=7).entries(), 3_000)
        assert [(await anext(entries)).index for _ in range(7)] == list(range(7))
        with pytest.raises(ConnectionError):
            await anext(entries)

    asyncio.run(scenario())


def test_no_more_is_read_than_may_wait() -> None:
    async def scenario() -> None:
        source = Source()
        async with aclosing(read_ahead(source.entries(), 5_000)) as entries:
            taken = 0
            async for _ in entries:
                taken += 1
                await asyncio.sleep(0.005)
                assert source.read <= taken + 5
                if taken == 10:
                    break
        assert source.read >= 14
        assert source.closed, "whoever stops early leaves nobody reading"
        before = source.read
        await asyncio.sleep(0.01)
        assert source.read == before

    asyncio.run(scenario())
