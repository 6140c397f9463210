"""Recovery: whom an origin on a restored database waits for while officers suspend, take back or remove members."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from node.core.channel import HeadAt, head_leaf
from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing
from node.node import Node
from node.recovery import OFFICERS_MS
from node.storage.memory import MemoryStore
from tests.builders import make_node
from tests.duties.hostile import BASE, assert_sound, refused
from tests.duties.rows import manifest, row
from tests.wire import MemorySidecar, Network

HOLDER = "330100"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


class FullSidecar(MemorySidecar):
    """A sidecar whose disk a test fills."""

    is_full = False

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        if self.is_full:
            raise XinqiaoError("DATABASE", detail="disk is full")
        super().write(incarnation, heads)


def memory_of(node: Node) -> MemoryStore:
    assert isinstance(node.world.store, MemoryStore)
    return node.world.store


async def with_one_holder() -> tuple[Network, MemoryStore]:
    """A network in which one member alone has the last entry of 310000, and a backup of 310000 from before it."""
    network = Network("310000", "310115", HOLDER)
    await network["310000"].publishing.create_channel("base", manifest())
    await network["310000"].publishing.publish(BASE, [row(1)])
    await network.settle()
    backup = memory_of(network["310000"]).copy()
    await network["310000"].publishing.publish(BASE, [row(20)])
    await network.sync("310000", HOLDER)
    return network, backup


async def suspend(network: Network, node: str = HOLDER, cut: Cut | None = None) -> None:
    await network.relist(node, standing=Standing.SUSPENDED, reason="核查", cut=cut)


async def waiting_for_a_suspended_holder(*, suspended_first: bool = False) -> tuple[Network, Node]:
    """310000 on its backup, without its sidecar; who has the rest is suspended, and the other one has answered."""
    network, backup = await with_one_holder()
    if suspended_first:
        await suspend(network)
    node = network.start("310000", backup, MemorySidecar(lost=True))
    if not suspended_first:
        await suspend(network)
    await network.sync("310000", "310115")
    return network, node


@pytest.mark.parametrize("suspended_first", [True, False])
def test_g7_a_suspended_member_that_holds_an_entry_of_ours_is_waited_for(suspended_first: bool) -> None:
    async def scenario() -> None:
        network, node = await waiting_for_a_suspended_holder(suspended_first=suspended_first)
        assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
        assert node.publishing.unanswered == [HOLDER]
        await network.relist(HOLDER, standing=Standing.ACTIVE, reason="", open_epoch=1)
        await network.sync("310000", HOLDER)
        await node.publishing.publish(BASE, [row(30)])
        await network.settle()
        assert {each.answering.channel(BASE).log.size for each in network.nodes.values()} == {4}
        assert not any(each.world.store.equivocations_since(0) for each in network.nodes.values())
        assert_sound(node)

    run(scenario())


def test_g7_a_recovery_that_is_begun_again_waits_for_a_suspended_member_as_well() -> None:
    async def scenario() -> None:
        network, node = await waiting_for_a_suspended_holder()
        again = network.start("310000", memory_of(node), network.sidecars["310000"])
        await network.sync("310000", "310115")
        assert await refused(again.publishing.publish(BASE, [row(30)])) == "RESTORED"

    run(scenario())


def test_who_waits_for_a_suspended_member_is_told_whom_and_calls_it_only_once_it_is_back() -> None:
    async def scenario() -> None:
        network, node = await waiting_for_a_suspended_holder()
        assert node.publishing.blocked is not None
        assert f"waiting for what {HOLDER} hold of it" in node.publishing.blocked.text
        assert HOLDER not in node.delivery._choose()
        await network.relist(HOLDER, standing=Standing.ACTIVE, reason="", open_epoch=1)
        assert HOLDER in node.delivery._choose()

    run(scenario())


def test_a_member_that_is_removed_is_not_waited_for() -> None:
    async def scenario() -> None:
        network, node = await waiting_for_a_suspended_holder()
        assert node.publishing.blocked is not None
        await network.relist(HOLDER, standing=Standing.REMOVED, reason="撤销")
        assert node.publishing.blocked is None

    run(scenario())


def test_officers_end_a_recovery_that_waits_for_a_suspended_member_and_its_copy_forks_nothing() -> None:
    async def scenario() -> None:
        network, node = await waiting_for_a_suspended_holder()
        log = node.answering.channel(BASE).log
        network.clock.time_ms += OFFICERS_MS
        cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(log.size, log.root))}))
        await suspend(network, "310000", cut)
        await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
        await node.publishing.publish(BASE, [row(30)])
        assert node.answering.channel(BASE).log.epoch == 1
        await network.relist(HOLDER, standing=Standing.ACTIVE, reason="", open_epoch=1)
        await network.settle()
        assert {each.answering.channel(BASE).log.size for each in network.nodes.values()} == {2}
        assert not any(each.world.store.equivocations_since(0) for each in network.nodes.values())
        assert_sound(node)

    run(scenario())


def test_g7_who_was_admitted_after_the_backup_is_waited_for() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await network["310000"].publishing.create_channel("base", manifest())
        await network["310000"].publishing.publish(BASE, [row(1)])
        await network.settle()
        backup, before = memory_of(network["310000"]).copy(), network["310000"].membership.state
        network.signing[HOLDER] = make_node(HOLDER)
        network.start(HOLDER)
        await network.publish_registry()
        await network["310000"].publishing.publish(BASE, [row(20)])
        await network.sync("310000", HOLDER)
        # The database of the backup lists nobody but the one who answers first.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(network, "state", lambda: before)
            node = network.start("310000", backup, MemorySidecar(lost=True))
        network.registries["310000"].state = network.state()
        await network.sync("310000", "310115")
        assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
        await node.refresh_registry()
        assert node.publishing.unanswered == [HOLDER]
        await network.settle()
        await node.publishing.publish(BASE, [row(30)])
        await network.settle()
        assert {each.answering.channel(BASE).log.size for each in network.nodes.values()} == {4}
        assert not any(each.world.store.equivocations_since(0) for each in network.nodes.values())

    run(scenario())


def test_g7_a_recovery_gives_nobody_an_entry_that_was_stored_and_never_noted_as_signed() -> None:
    async def scenario() -> None:
        network, sidecar = Network("310000", "310115", HOLDER), FullSidecar()
        publishing = network.start("310000", sidecar=sidecar).publishing
        for name in ("base", "other"):
            await publishing.create_channel(name, manifest())
        await network.settle()
        sidecar.is_full = True
        assert await refused(publishing.publish(BASE, [row(1)])) == "DATABASE"
        sidecar.is_full = False
        backup = memory_of(network["310000"]).copy()
        await publishing.publish("310000/other", [row(2)])
        await network.sync("310000", HOLDER)
        node = network.start("310000", backup, sidecar)
        assert node.publishing.blocked is not None
        await network.sync("310115", "310000")
        assert (memory_of(node).log(BASE, 0).size, memory_of(network["310115"]).log(BASE, 0).size) == (2, 1)
        await network.sync("310000", HOLDER)
        noted = sidecar.kept[1] if sidecar.kept is not None else {}
        assert (network["310000"].publishing.blocked, noted[BASE, 0].size) == (None, 2)
        await network.settle()
        assert memory_of(network["310115"]).log(BASE, 0).size == 2

    run(scenario())
