"""A receipt that a crash kept from being signed is signed at the next start, though no further entry comes."""

import asyncio

import pytest

from node.pb import envelope_pb2
from node.ports import HeldChannel
from tests.duties.rows import manifest, row
from tests.wire import Network

BASE = "310000/base"


class CrashError(Exception):
    """The end of a process."""


async def crash(_: HeldChannel) -> envelope_pb2.Envelope:
    raise CrashError


def test_a_crash_between_commit_and_receipt_leaves_nothing_unacknowledged() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        origin, reader = network["310000"], network["310115"]
        await origin.publishing.create_channel("base", manifest("everyone"))
        await network.settle()
        await origin.publishing.publish(BASE, [row(1)])
        reader.receiving._receipt = crash  # type: ignore[method-assign, assignment]
        with pytest.raises(CrashError):
            await origin.delivery.sync_once("310115")
        assert reader.answering.channel(BASE).applied_size == 2
        before = reader.world.store.receipt(BASE, "310115")
        assert before is not None
        assert before.receipt.message.size == 1
        restarted = network.start("310115", reader.world.store)
        await restarted.refresh_registry()
        await network.settle()
        ((node, receipt),) = origin.answering.deliveries(origin.answering.channel(BASE))
        assert node == "310115"
        assert receipt is not None
        assert (receipt.receipt.message.size, receipt.receipt.message.applied_size) == (2, 2)

    asyncio.run(scenario())
