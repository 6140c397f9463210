"""A link that waits can always be ended, also in the moment in which it is woken."""

import asyncio

import pytest

from node.links import wait


@pytest.mark.parametrize("turns", range(6))
def test_a_wait_that_is_woken_and_cancelled_at_once_ends(turns: int) -> None:
    async def scenario() -> None:
        event = asyncio.Event()

        async def link() -> None:
            while True:
                await wait(event, 60)
                event.clear()

        task = asyncio.create_task(link())
        for _ in range(4):
            await asyncio.sleep(0)
        event.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        assert done == {task}
        assert task.cancelled()

    asyncio.run(scenario())


def test_a_wait_ends_after_its_time() -> None:
    asyncio.run(asyncio.wait_for(wait(asyncio.Event(), 0.01), 5))
