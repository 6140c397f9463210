"""Committing: a long run is taken in steps; where one of them fails, those before it stay taken, and no other one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from node import committing
from node.committing import STEPS_AT_ONCE, in_steps
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.ports import Lane, Writer
from node.receiving import Receiving
from tests.duties.delivering import run, size_at
from tests.duties.test_acknowledging import BASE, ENTRIES, ORIGIN, READER, with_a_log
from tests.wire import Network


class SlowWriter:
    """The writer of a node, which takes its time, and at one step fails before or after its commit."""

    def __init__(self, writer: Writer, fails_at: int = -1, *, is_persisted: bool = False) -> None:
        self._inner = writer
        self._fails_at = fails_at
        self._is_persisted = is_persisted
        self._turn = asyncio.Lock()
        self.steps = self.waiting = self.most_waiting = 0

    async def run(self, lane: Lane, step: Callable[[Any], Any]) -> Any:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            async with self._turn:
                await asyncio.sleep(0.001)
                self.steps += 1
                fails = self.steps == self._fails_at
                if fails and not self._is_persisted:
                    raise XinqiaoError("DISK_FULL", path="/", free_mib=0)
                found = await self._inner.run(lane, step)
                if fails:
                    raise XinqiaoError("DISK_FULL", path="/", free_mib=0)
                return found
        finally:
            self.waiting -= 1

    async def run_last(self, lane: Lane, step: Callable[[Any], Any]) -> Any:
        return await self._inner.run_last(lane, step)


def slowed(receiving: Receiving, fails_at: int = -1, *, is_persisted: bool = False) -> SlowWriter:
    slow = SlowWriter(receiving._writer, fails_at, is_persisted=is_persisted)
    receiving._writer = slow
    return slow


async def entries_of(network: Network) -> list[SignedEntry]:
    return list(network[ORIGIN].sharing.entries(READER, BASE, 0, 0, None))


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "STEP_BYTES", 1)


def test_a_run_is_parted_where_a_step_is_full_and_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        entries = await entries_of(await with_a_log())
        sizes, parts = [len(each.body or b"") for each in entries], list[Sequence[SignedEntry]]()
        for most in (1, max(sizes), 2 * max(sizes) + 1, sum(sizes), 10**9):
            monkeypatch.setattr(committing, "STEP_BYTES", most)
            parts = list(in_steps(entries))
            assert [each for part in parts for each in part] == entries
            assert all(sum(len(each.body or b"") for each in part[:-1]) < most for part in parts)
        assert len(parts) == 1
        assert list(in_steps([])) == []

    run(scenario())


def test_the_next_step_is_verified_and_waits_while_one_is_committed() -> None:
    async def scenario() -> None:
        network = await with_a_log()
        receiving = network[READER].receiving
        slow = slowed(receiving)
        taken = await receiving.receive(await entries_of(network))
        assert (taken.size, taken.applied_size) == (ENTRIES, ENTRIES)
        assert slow.steps > ENTRIES // 2
        assert slow.most_waiting == STEPS_AT_ONCE

    run(scenario())


@pytest.mark.parametrize("is_persisted", [False, True])
@pytest.mark.parametrize("fails_at", [1, 2, 5, ENTRIES - 1])
def test_where_a_step_fails_the_run_ends_with_its_error_and_can_be_taken_again(
    fails_at: int, is_persisted: bool
) -> None:
    async def scenario() -> None:
        network = await with_a_log()
        receiving, entries = network[READER].receiving, await entries_of(network)
        inner = receiving._writer
        slowed(receiving, fails_at, is_persisted=is_persisted)
        with pytest.raises(XinqiaoError) as raised:
            await receiving.receive(entries)
        assert raised.value.code == "DISK_FULL"
        await asyncio.sleep(0.01)
        held = network[READER].world.store.channel(BASE, 0)
        size = held.log.size if held is not None else 0
        assert size >= fails_at - 1 if is_persisted else size < ENTRIES
        receiving._writer = inner
        taken = await receiving.receive(entries)
        assert (taken.size, taken.applied_size) == (ENTRIES, ENTRIES)

    run(scenario())


def test_who_is_cancelled_leaves_a_log_that_can_be_taken_further() -> None:
    async def scenario() -> None:
        for pause in range(8):
            network = await with_a_log()
            receiving, entries = network[READER].receiving, await entries_of(network)
            slowed(receiving)
            taking = asyncio.ensure_future(receiving.receive(entries))
            await asyncio.sleep(0.002 * pause)
            taking.cancel()
            await asyncio.wait([taking])
            await asyncio.sleep(0.01)
            assert (await receiving.receive(entries)).applied_size == ENTRIES

    run(scenario())


def test_entries_before_one_that_is_refused_stay_taken() -> None:
    async def scenario() -> None:
        network = await with_a_log()
        receiving, entries = network[READER].receiving, await entries_of(network)
        slowed(receiving)
        broken = SignedEntry(BASE, 0, 9, entries[9].envelope, (entries[9].body or b"") + b"\x00")
        with pytest.raises(XinqiaoError) as raised:
            await receiving.receive([*entries[:9], broken, *entries[10:]])
        assert raised.value.code == "ENTRY_BODY"
        assert size_at(network[READER]) == 9

    run(scenario())
