"""What an epoch that nobody reported, and a reader that never confirmed, leave behind: nothing, in the end."""

import asyncio

import pytest

from node.core import envelope as envelopes
from node.core.audience import parse_audience
from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.core.merkle import EMPTY_ROOT
from node.pb import channel_pb2, envelope_pb2
from node.storage.memory import MemoryStore
from tests.builders import NETWORK, NOW_MS
from tests.duties.rows import code_of, manifest, row
from tests.duties.test_exchange import BASE, held_at, names_at, network_with_rows, suspended
from tests.wire import Network


def receipt_of(network: Network, node: str, size: int, root: bytes) -> envelope_pb2.Envelope:
    """What a member signs about a channel that it never read."""
    message = channel_pb2.Receipt(
        network=NETWORK, subscriber=node, channel=BASE, size=size, root=root, observed_at_unix_ms=NOW_MS
    )
    return network.signing[node].seal(message.SerializeToString(), envelopes.RECEIPT)


def test_a_channel_that_no_cut_lists_goes_on_in_the_next_epoch_as_cut_at_nothing() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        await network.relist("310000", **suspended(network, "310000"))
        await network.settle()
        await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
        outcomes = await network["310000"].publishing.publish(BASE, [row(1), row(12)])
        # What lay above the cut is no longer in force, so the same row is news.
        assert [outcome.kind.value for outcome in outcomes] == ["accepted", "accepted"]
        await network.settle()
        for node in network.nodes.values():
            held = node.answering.channel(BASE)
            assert (held.log.epoch, held.log.size) == (1, 2)
            before = node.world.store.channel(BASE, 0)
            assert before is not None
            assert before.log.cut == HeadAt(0, EMPTY_ROOT)
            assert node.answering.record_count(BASE) == 2
            assert names_at(node, 2) == []

    asyncio.run(scenario())


def test_a_citation_of_nothing_does_not_lower_a_cut_that_the_officers_list() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        log = held_at(network, "310000").log
        await network.relist("310000", **suspended(network, "310000", (BASE, 0, HeadAt(log.size, log.root))))
        await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
        # The origin lost its log and all it knows of the cut: it begins again from nothing.
        network.start("310000")
        network.sidecars["310000"].kept = None
        await network["310000"].refresh_registry()
        await network.settle()
        await network["310000"].publishing.publish(BASE, [row(12)])
        await network.settle()
        before = network["310115"].world.store.channel(BASE, 0)
        assert before is not None
        assert before.log.cut == HeadAt(log.size, log.root)
        assert network["310115"].answering.record_count(BASE) == 11

    asyncio.run(scenario())


def test_g9_a_reader_dropped_before_its_receipt_arrived_erases_its_copy_too() -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "310115")
        await network["310115"].receive(list(network["310000"].sharing.entries("310115", BASE, 0, 0, None)))
        assert held_at(network, "310115").records == 5
        await network["310000"].publishing.set_audience(BASE, parse_audience("330100"))
        await network.settle()
        left = held_at(network, "310115")
        assert (left.records, left.log.size, network["310115"].answering.state_of(left)) == (0, 3, "left")
        assert list(network["310115"].answering.records(code_of(1), "", 0)) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("held_before", [0, 2, 3])
def test_g2_who_is_dropped_and_named_again_at_once_keeps_what_came_though_its_origin_is_gone(held_before: int) -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "310115")
        publishing = network["310000"].publishing
        await publishing.set_audience(BASE, parse_audience("330100"))
        await publishing.publish(BASE, [row(11)])
        await publishing.set_audience(BASE, parse_audience("310115,330100"))
        entries = list(network["310000"].sharing.entries("310115", BASE, 0, 0, None))
        if held_before:
            await network["310115"].receive(entries[:held_before])
        network.down.add("310000")
        await network["310115"].receive(entries)
        held = held_at(network, "310115")
        assert (held.log.size, held.left_at, held.incomplete_bodies) == (5, None, 1 if held_before == 3 else 0)
        # Who had left has erased its copy, and must ask for that; what came with its return is there.
        entry = network["310115"].world.store.entry(BASE, 0, 3)
        assert entry is not None
        assert entry.complete
        assert (held.applied_size, held.records) == ((1, 0) if held_before == 3 else (5, 6))

    asyncio.run(scenario())


def test_g8_who_is_named_and_dropped_again_at_once_keeps_nothing() -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "310115")
        publishing = network["310000"].publishing
        entries = list(network["310000"].sharing.entries("310115", BASE, 0, 0, None))
        await network["310115"].receive(entries)
        for audience in ("330100", "310115,330100", "330100"):
            await publishing.publish(BASE, [row(11, audience)])
            await publishing.set_audience(BASE, parse_audience(audience))
        await network["310115"].receive(list(network["310000"].sharing.entries("330100", BASE, 0, 2, None)))
        held = held_at(network, "310115")
        assert (held.log.size, held.records, network["310115"].answering.state_of(held)) == (8, 0, "left")
        bodies = [entry.body for entry in network["310115"].world.store.entries(BASE, 0, 0)]
        assert bodies == [None] * 8

    asyncio.run(scenario())


def test_a_suspended_reader_keeps_its_copy_where_a_manifest_that_names_it_still_arrives() -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "everyone")
        await network.settle()
        await network["310000"].publishing.set_audience(BASE, parse_audience("everyone"))
        late = list(network["310000"].sharing.entries("310115", BASE, 0, 2, None))
        await network.relist("310115", **suspended(network, "310115"))
        await network["310115"].receive(late)
        held = held_at(network, "310115")
        assert (held.log.size, held.left_at, held.records) == (3, None, 5)

    asyncio.run(scenario())


def test_g8_the_receipt_of_a_stranger_is_not_kept_and_tells_it_nothing() -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "310115")
        await network.settle()
        await network["310000"].publishing.set_audience(BASE, parse_audience("310115,level=sector"))
        await network.settle()
        log = held_at(network, "310115").log
        guesses = [(log.size, log.root), (log.size, EMPTY_ROOT), (0, EMPTY_ROOT), (99, log.root)]
        for size, root in guesses:
            refusals = await network["310000"].take_receipts([receipt_of(network, "330100", size, root)])
            assert refusals == []
            assert network["310000"].world.store.receipt(BASE, "330100") is None
            assert network["310000"].sharing.heads("330100") == []

    asyncio.run(scenario())


def test_g7_what_nobody_can_give_back_blocks_a_restored_node_until_the_officers_open_a_new_epoch() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        log = held_at(network, "310000").log
        backup = network["310000"].world.store
        assert isinstance(backup, MemoryStore)
        backup = backup.copy()
        network.down.update(("310115", "330100"))
        await network["310000"].publishing.publish(BASE, [row(11)])
        network.start("310000", backup)
        network.down.clear()
        await network.settle()
        with pytest.raises(XinqiaoError, match="RESTORED"):
            await network["310000"].publishing.publish(BASE, [row(12)])
        await network.relist("310000", **suspended(network, "310000", (BASE, 0, HeadAt(log.size, log.root))))
        await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
        await network.settle()
        await network["310000"].publishing.publish(BASE, [row(12)])
        await network.settle()
        for node in network.nodes.values():
            assert node.answering.record_count(BASE) == 11

    asyncio.run(scenario())


def test_a_restored_node_is_told_again_what_it_has_forgotten() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await network["310000"].publishing.create_channel("base", manifest())
        await network["310000"].publishing.publish("310000/base", [row(1)])
        await network.settle()
        store = network["310000"].world.store
        assert isinstance(store, MemoryStore)
        backup = store.copy()
        await network["310000"].publishing.publish("310000/base", [row(2)])
        await network.settle()
        restored = network.start("310000", backup, network.sidecars["310000"])
        await network.settle()
        ((_, receipt),) = restored.answering.deliveries(restored.answering.channel("310000/base"))
        assert receipt is not None
        assert receipt.receipt.message.size == 3

    asyncio.run(scenario())
