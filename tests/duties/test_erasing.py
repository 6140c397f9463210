"""Erasing: a record goes with all of its revisions, so that whoever comes, whenever, answers the same."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from node.admission import header_of
from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry, commitment
from node.core.limits import Limits
from node.core.membership import Cut, Standing
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2, record_pb2
from node.storage.memory import MemoryStore
from tests.duties.hostile import BASE, assert_sound, refused
from tests.duties.rows import code_of, manifest, row
from tests.wire import MemorySidecar, Network

ORIGIN, READERS = "310000", ("310115", "330100", "320500")
Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


async def begun() -> Network:
    network = Network(ORIGIN, *READERS)
    await network[ORIGIN].publishing.create_channel("base", manifest())
    return network


def memory_of(node: Node) -> MemoryStore:
    assert isinstance(node.world.store, MemoryStore)
    return node.world.store


def answers(node: Node) -> list[tuple[Place, bytes]]:
    return [(held.place, held.record) for held in node.world.store.records(channel=BASE)]


def places(node: Node) -> list[Place]:
    return [place for place, _ in answers(node)]


def ops_at(node: Node, index: int, epoch: int = 0) -> Sequence[record_pb2.StatusSlot]:
    entry = node.world.store.entry(BASE, epoch, index)
    assert entry is not None
    assert entry.body is not None
    slots = channel_pb2.EntryBody.FromString(entry.body).slots
    return [record_pb2.StatusSlot.FromString(slot.record) for slot in slots]


async def erase_one(network: Network, place: Place) -> None:
    await network[ORIGIN].publishing.erase(BASE, place, "沪更〔2026〕1号", "数据有误")


async def open_next_epoch(network: Network, cut_size: int | None = None) -> None:
    """Suspend the origin with a cut at a size of its newest log, the end of it when None, and let it come back."""
    store = network[ORIGIN].world.store
    *closed, newest = [held for held in store.channels() if held.log.channel == BASE]
    following = next(store.entries(*newest.key, newest.log.size if cut_size is None else cut_size), None)
    end = HeadAt(newest.log.size, newest.log.root)
    if following is not None:
        end = HeadAt(following.index, header_of(following).prev_root)
    heads = {newest.key: end} | {held.key: held.log.cut for held in closed if held.log.cut is not None}
    cut = Cut(frozenset(head_leaf(*key, head) for key, head in heads.items()))
    await network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="整改", cut=cut)
    await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=newest.log.epoch + 1)


def test_g9_a_record_is_erased_with_all_of_its_revisions_whenever_a_reader_comes() -> None:
    async def scenario() -> None:
        network = await begun()
        publishing = network[ORIGIN].publishing
        await publishing.publish(BASE, [row(1), row(2)])
        await publishing.publish(BASE, [row(1, "二"), row(1, "三", 5)])
        await publishing.publish(BASE, [row(1, "四")])
        await network.settle()
        backup = memory_of(network["330100"]).copy()
        await erase_one(network, Place(0, 3, 0))
        await network.settle()
        network.start("310115")
        network.start("330100", backup)
        await network.settle()
        for node in network.nodes.values():
            assert places(node) == [Place(0, 1, 1)]
            for index in (1, 2, 3):
                entry = node.world.store.entry(BASE, 0, index)
                assert entry is not None
                assert code_of(1).encode() not in (entry.body or b"")
            assert_sound(node)
        *ops, last = ops_at(network[ORIGIN], 4)
        assert [(slot.op.target.index, slot.op.target.position) for slot in ops] == [(1, 0), (2, 0), (2, 1), (3, 0)]
        assert (last.particulars.reason, {slot.op.particulars_slot for slot in ops}) == ("数据有误", {5})

    run(scenario())


def test_g9_a_record_is_erased_with_its_revisions_of_earlier_epochs_also_above_their_cut() -> None:
    async def scenario() -> None:
        network = await begun()
        await network[ORIGIN].publishing.publish(BASE, [row(1)])
        await network[ORIGIN].publishing.publish(BASE, [row(1, "二")])
        await network.settle()
        await open_next_epoch(network, cut_size=2)
        assert places(network[ORIGIN]) == [Place(0, 1, 0)]
        await network[ORIGIN].publishing.publish(BASE, [row(1, "三")])
        await erase_one(network, Place(1, 1, 0))
        targets = [slot.op.target for slot in ops_at(network[ORIGIN], 2, epoch=1)[:-1]]
        assert [(target.epoch, target.index) for target in targets] == [(0, 1), (0, 2), (1, 1)]
        await network.settle()
        network.start("310115")
        await network.settle()
        assert [answers(node) for node in network.nodes.values()] == [[]] * 4
        # The row can be published again, as a new record.
        await network[ORIGIN].publishing.publish(BASE, [row(1)])
        await network.settle()
        assert [places(node) for node in network.nodes.values()] == [[Place(1, 3, 0)]] * 4

    run(scenario())


def test_g9_what_was_erased_above_a_cut_is_erased_again_in_the_next_epoch() -> None:
    async def scenario() -> None:
        network = await begun()
        await network[ORIGIN].publishing.publish(BASE, [row(1), row(2)])
        await erase_one(network, Place(0, 1, 0))
        await network[ORIGIN].publishing.publish(BASE, [row(3)])
        await erase_one(network, Place(0, 3, 0))
        await network.settle()
        # The officers know of the first two entries only.
        await open_next_epoch(network, cut_size=2)
        network.start("310115")
        await network[ORIGIN].publishing.publish(BASE, [row(4)])
        await network.settle()
        assert [places(node) for node in network.nodes.values()] == [[Place(0, 1, 1), Place(1, 2, 0)]] * 4
        *ops, told = ops_at(network[ORIGIN], 1, epoch=1)
        assert [(op.op.target.epoch, op.op.target.index, op.op.target.position) for op in ops] == [(0, 1, 0)]
        assert told.particulars.decision == "沪更〔2026〕1号"
        assert network["310115"].answering.alarms() == []

    run(scenario())


def test_g9_an_erasure_above_a_cut_is_repeated_though_nothing_more_is_published() -> None:
    async def scenario() -> None:
        network = await begun()
        await network[ORIGIN].publishing.publish(BASE, [row(1), row(2)])
        await erase_one(network, Place(0, 1, 0))
        await network.settle()
        await open_next_epoch(network, cut_size=2)
        network.start("310115")
        await network.settle()
        assert [places(node) for node in network.nodes.values()] == [[Place(0, 1, 1)]] * 4
        held = network[ORIGIN].answering.channel(BASE)
        assert (held.log.epoch, held.log.size) == (1, 2)

    run(scenario())


def without_first(_sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
    """The first record published, withheld from one reader."""
    if receiver != "310115" or (signed.epoch, signed.index) != (0, 1) or signed.body is None:
        return signed
    body = channel_pb2.EntryBody.FromString(signed.body)
    if not body.slots[0].commitment:
        hidden = channel_pb2.Slot(commitment=commitment(body.slots[0].salt, body.slots[0].record))
        body.slots[0].CopyFrom(hidden)
    return replace(signed, body=body.SerializeToString())


def test_an_erasure_in_a_later_epoch_lets_the_fold_of_an_earlier_one_go_on() -> None:
    async def scenario() -> None:
        network = await begun()
        network.tamper = without_first
        await network[ORIGIN].publishing.publish(BASE, [row(1), row(2)])
        await network[ORIGIN].publishing.publish(BASE, [row(3)])
        await network.settle()
        await open_next_epoch(network)
        await network.settle()
        assert places(network["310115"]) == []
        await erase_one(network, Place(0, 1, 0))
        await network.settle()
        assert [places(node) for node in network.nodes.values()] == [[Place(0, 1, 1), Place(0, 2, 0)]] * 4

    run(scenario())


def test_more_revisions_than_an_entry_holds_are_erased_in_several_the_one_in_force_last() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, *READERS)
        network.limits = Limits(max_records_per_entry=4)
        node = network.start(ORIGIN)
        await node.publishing.create_channel("base", manifest())
        for name in "一二三四五六七":
            await node.publishing.publish(BASE, [row(1, name)])
        await network.settle()
        held = await node.publishing.erase(BASE, Place(0, 7, 0), "x", "y")
        assert held.log.size == 8 + 3
        found = [[slot.op.target.index for slot in ops_at(node, index)[:-1]] for index in (8, 9, 10)]
        assert found == [[1, 2, 3], [4, 5, 6], [7]]
        # Whoever has only the first of them answers the record in force, not an older one.
        for index in (8, 9):
            await network["310115"].receive(list(node.sharing.entries("310115", BASE, 0, index, index + 1)))
            assert places(network["310115"]) == [Place(0, 7, 0)]
        await network.settle()
        assert [answers(each) for each in network.nodes.values()] == [[]] * 4

    run(scenario())


def test_only_what_is_in_force_can_be_erased() -> None:
    async def scenario() -> None:
        network = await begun()
        await network[ORIGIN].publishing.publish(BASE, [row(1)])
        await network[ORIGIN].publishing.publish(BASE, [row(1, "二")])
        publishing = network[ORIGIN].publishing
        assert await refused(publishing.erase(BASE, Place(0, 1, 0), "x", "y")) == "RECORD_UNKNOWN"
        assert places(network[ORIGIN]) == [Place(0, 2, 0)]

    run(scenario())


def test_a_record_of_a_lost_epoch_that_is_published_again_is_answered_at_one_place_by_all() -> None:
    async def scenario() -> None:
        network = await begun()
        empty = memory_of(network[ORIGIN]).copy()
        await network[ORIGIN].publishing.publish(BASE, [row(1), row(2)])
        await network.settle()
        # The origin has lost the entry, and all that know it are away until the next epoch is open.
        network.down |= set(READERS)
        leaf = head_leaf(BASE, 0, HeadAt(2, memory_of(network[ORIGIN]).log(BASE, 0).root))
        network.start(ORIGIN, empty, MemorySidecar(lost=True))
        await network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="恢复", cut=Cut(frozenset({leaf})))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        network.down.clear()
        await network.settle()
        await network.publish_registry()
        await network.settle()
        await network[ORIGIN].publishing.publish(BASE, [row(1), row(2, "二")])
        await network.settle()
        assert len({tuple(answers(node)) for node in network.nodes.values()}) == 1
        await erase_one(network, places(network[ORIGIN])[-1])
        await network.settle()
        network.start("310115")
        await network.settle()
        assert {len(answers(node)) for node in network.nodes.values()} == {1}

    run(scenario())


STEPS = ("publish", "publish", "publish", "erase", "erase", "settle", "late", "back", "drop", "epoch")


class Play:
    """Random acts of an origin and of what befalls its readers."""

    def __init__(self, network: Network, random: Random) -> None:
        self._network = network
        self._random = random
        self._backups = {reader: MemoryStore() for reader in READERS}

    async def act(self, step: str) -> None:
        await getattr(self, f"_{step}")()

    async def _publish(self) -> None:
        random = self._random
        rows = [row(random.randint(1, 3), random.choice("甲乙丙"), number) for number in range(random.randint(1, 4))]
        await self._network[ORIGIN].publishing.publish(BASE, rows)

    async def _erase(self) -> None:
        found = places(self._network[ORIGIN])
        if found:
            await erase_one(self._network, self._random.choice(found))

    async def _settle(self) -> None:
        reader = self._random.choice(READERS)
        self._backups[reader] = memory_of(self._network[reader]).copy()
        await self._network.sync_quietly(self._random.choice(READERS), ORIGIN)

    async def _late(self) -> None:
        self._network.start(self._random.choice(READERS))

    async def _back(self) -> None:
        reader = self._random.choice(READERS)
        self._network.start(reader, self._backups[reader].copy())

    async def _drop(self) -> None:
        publishing = self._network[ORIGIN].publishing
        await publishing.set_audience(BASE, parse_audience(self._random.choice(READERS)))
        await self._network.settle(1)
        await publishing.set_audience(BASE, parse_audience("everyone"))

    async def _epoch(self) -> None:
        await self._network.settle(2)
        await open_next_epoch(self._network)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_published_revised_and_erased_every_reader_answers_what_the_origin_answers(seed: int) -> None:
    async def scenario() -> None:
        network, random = await begun(), Random(seed)
        play = Play(network, random)
        for _ in range(12):
            await play.act(random.choice(STEPS))
        network.start(READERS[0])
        await network.settle(4)
        for reader in READERS:
            assert answers(network[reader]) == answers(network[ORIGIN])

    run(scenario())
