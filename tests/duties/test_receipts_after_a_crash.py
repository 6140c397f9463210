"""A receipt that a crash kept from being signed, or whose key was revoked, is signed later without a further entry."""

import asyncio

import pytest

from node.links import Link
from node.node import Node
from node.pb import envelope_pb2, registry_pb2
from node.ports import HeldChannel
from node.storage.memory import MemoryStore
from tests.builders import list_keys, make_node, signing_key
from tests.duties.rows import manifest, row
from tests.wire import MemorySidecar, Network

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


def test_what_a_revoked_key_acknowledged_is_acknowledged_by_the_next_key() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        origin, reader = network["310000"], network["310115"]
        await origin.publishing.create_channel("base", manifest("everyone"))
        await network.settle()
        before, after = network.signing["310115"], make_node("310115")
        revoked = signing_key(before.signer, registry_pb2.KEY_STATE_REVOKED)
        network.signing["310115"] = list_keys(after, [revoked, signing_key(after.signer)], after)
        network.clock.time_ms += 1
        restarted = network.start("310115", reader.world.store)
        await network.publish_registry()
        await restarted.receiving.fold_waiting()
        await network.settle()
        again = await restarted.receiving._receipt((BASE, 0))
        for store in (restarted.world.store, origin.world.store):
            held = store.receipt(BASE, "310115")
            assert held is not None
            assert [signature.keyid for signature in held.receipt.envelope.signatures] == [after.signer.key_id]
            # The same extent is signed once by each key.
            assert held.receipt.envelope == again

    asyncio.run(scenario())


def test_receipts_that_came_before_a_restored_origin_had_its_log_back_are_heard_again() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await network["310000"].publishing.create_channel("base", manifest("everyone"))
        await network["310000"].publishing.publish(BASE, [row(1)])
        await network.settle()
        origin = network.start("310000", sidecar=MemorySidecar(lost=True))
        # All that readers know of this log is told first: it is for more than the origin has.
        link = origin.delivery._links["310115"] = Link("310115")
        answer = await network["310115"].hello("310000", origin.delivery._hellos.request(link, [])[0])
        await origin.receiving.take_receipts(answer.receipts)
        link.heard = answer.cursor
        assert origin.world.store.receipts(BASE) == []
        for _ in range(3):
            await network.sync("310000", "310115")
        ((_, receipt),) = origin.answering.deliveries(origin.answering.channel(BASE))
        assert receipt is not None
        assert (receipt.receipt.message.size, receipt.receipt.message.applied_size) == (2, 2)

    asyncio.run(scenario())


def test_g2_a_restored_reader_does_not_take_its_own_receipt_for_what_it_has_lost() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        origin, reader = network["310000"], network["310115"]
        await origin.publishing.create_channel("base", manifest("everyone"))
        await network.settle()
        assert isinstance(reader.world.store, MemoryStore)
        backup = reader.world.store.copy()
        await origin.publishing.publish(BASE, [row(1)])
        await network.settle()
        signed = origin.world.store.receipt(BASE, "310115")
        assert signed is not None
        restored = network.start("310115", backup)
        assert await restored.take_receipts([signed.receipt.envelope]) == []
        held = backup.receipt(BASE, "310115")
        assert held is not None
        assert held.receipt.message.size == 1

    asyncio.run(scenario())


def test_a_receipt_refused_for_a_key_that_its_reader_had_not_read_of_is_told_again() -> None:
    """Found by seed 9 of the swarm: only the reader dials, so nobody asks it for what was refused."""

    async def scenario() -> None:
        network = Network("310000", "310115")
        origin = network["310000"]
        await origin.publishing.create_channel("base", manifest("everyone"))
        await network.settle()
        before, after = network.signing["310115"], make_node("310115")
        retired = signing_key(before.signer, registry_pb2.KEY_STATE_RETIRED)
        network.signing["310115"] = list_keys(after, [retired, signing_key(after.signer)], after)
        network.down.add("310000")
        await network.publish_registry()
        network.down.clear()
        await origin.publishing.publish(BASE, [row(1)])
        for _ in range(2):
            await network.sync("310115", "310000")
        assert applied_at(origin) == 1
        await origin.refresh_registry()
        await network.sync("310115", "310000")
        assert applied_at(origin) == 2

    asyncio.run(scenario())


def applied_at(origin: Node) -> int:
    """How much the reader has applied as the origin knows."""
    held = origin.world.store.receipt(BASE, "310115")
    return held.receipt.message.applied_size if held is not None else 0
