"""Links: what is noted of one that fails, and waiting for tasks until they have ended, however they do."""

import asyncio
from typing import Any

import pytest

from node.core.errors import XinqiaoError
from node.links import LinkStates, ended
from node.pb import envelope_pb2
from node.storage.memory import MemoryStore
from node.storage.writer import InlineWriter
from tests.wire import FakeClock, SeededEntropy

PEER = "310115"


def test_a_failure_is_noted_in_the_same_bytes_by_every_process() -> None:
    store = MemoryStore()
    states = LinkStates(store, InlineWriter(store), FakeClock(), SeededEntropy("links"), 300.0)
    asyncio.run(states.failed(PEER, XinqiaoError("PEER_FAILED", **{f"parameter_{n}": f"{n}" for n in range(12)})))
    noted = store.link(PEER).failure
    refusal = envelope_pb2.Refusal.FromString(noted)
    assert len(refusal.parameters) == 12
    assert noted == refusal.SerializeToString(deterministic=True)


async def _returns() -> None:
    await asyncio.sleep(0)


async def _fails() -> None:
    raise XinqiaoError("DRAINING")


async def _stays() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("turns", [0, 3])
def test_tasks_are_waited_for_however_they_end(turns: int) -> None:
    complaints: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        tasks = [asyncio.create_task(work()) for work in (_returns, _fails, _stays)]
        for _ in range(turns):
            await asyncio.sleep(0)
        tasks[2].cancel()
        await ended(*tasks)
        assert all(task.done() for task in tasks)

    asyncio.run(scenario())
    assert complaints == []


def test_whoever_waits_for_tasks_can_be_cancelled() -> None:
    async def scenario() -> None:
        staying = asyncio.create_task(_stays())
        waiting = asyncio.create_task(ended(staying))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not staying.done()
        staying.cancel()

    asyncio.run(scenario())
