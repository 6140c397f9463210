"""What the doubts about lists rest on is read once, and again after whatever may have changed it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.core.answer import Doubt, Verdict
from node.core.list_type import SERIOUS
from node.ports import HeldChannel
from node.storage.sqlite import SqliteStore
from tests.duties.test_answers import CAUSES, FIRST, LIMIT_S, NOT_ON_IT, ON_IT, READER, Town, asking
from tests.list_writer import leave


class CountingStore(SqliteStore):
    """Counts how often all logs are read."""

    readings = 0

    def channels(self) -> Sequence[HeldChannel]:
        """All logs."""
        self.readings += 1
        return super().channels()


async def opened(tmp_path: Path) -> tuple[Town, CountingStore]:
    """A town whose reader has a store that counts."""
    store = CountingStore.open(tmp_path / "node.db", create=True)
    town = Town(SERIOUS)
    town.network.start(READER, store)
    await town.open()
    assert (await town.ask()).verdict is Verdict.LISTED
    store.readings = 0
    return town, store


def test_many_checks_read_the_logs_once_and_a_commit_has_them_read_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        town, store = await opened(tmp_path)
        for number in range(50):
            assert (await town.ask(ON_IT)).verdict is Verdict.LISTED
            assert (await town.ask(NOT_ON_IT)).verdict is Verdict.CLEAR
            await asyncio.sleep(0)
            assert store.readings <= 1, number
        assert len(store.queries()) == 101
        with store.transaction() as tx:
            tx.raise_alarm("CODE", "subject", {}, 1)
        before = store.readings
        await town.ask()
        assert store.readings == before + 1
        store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("doubt", [each for each in Doubt if each is not Doubt.NEVER_RECEIVED])
def test_g5_every_doubt_is_seen_by_the_next_check_whatever_was_kept(doubt: Doubt, tmp_path: Path) -> None:
    async def scenario() -> None:
        town, store = await opened(tmp_path)
        assert (await town.ask()).verdict is Verdict.LISTED
        await CAUSES[doubt](town)
        found = await town.ask()
        assert found.verdict is Verdict.UNCONFIRMED
        assert doubt in found.lists[0].consulted.doubts
        store.close()

    asyncio.run(scenario())


def test_g4_an_exit_is_seen_by_the_next_check_and_so_is_the_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        town, store = await opened(tmp_path)
        town.writers[SERIOUS].change(leave(FIRST))
        await town.bring()
        assert (await town.ask()).verdict is Verdict.CLEAR
        town.network.clock.time_ms += LIMIT_S * 1000 + 1
        assert (await town.ask()).verdict is Verdict.UNCONFIRMED
        found = [each async for each in town.node.checking.check_batch(asking(), [ON_IT, NOT_ON_IT])]
        assert {each.answer.verdict for each in found} == {Verdict.UNCONFIRMED}
        store.close()

    asyncio.run(scenario())
