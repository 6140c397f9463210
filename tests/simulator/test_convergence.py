"""Convergence: what a network at rest owes to whom, around cuts, erasures, restores and audiences."""

from pathlib import Path

from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.membership import Cut, Standing
from node.ports import HeldChannel
from tests.duties.hostile import BASE
from tests.duties.rows import manifest, row
from tests.simulator.violations import A, B, C, published, run
from tests.simulator.watching import Watched


def test_a_reader_that_lacks_something_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        network.down.add(C)
        await network.publish(BASE, [row(4)])
        await network.settle()
        assert network.reasons() == [f"{C} holds 2 of 3 entries of {BASE} 0"]
        network.down.clear()
        await network.settle()
        assert network.reasons() == []

    run(body())


def test_a_record_that_was_erased_above_a_cut_stays_away_where_it_was_erased(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B, C)
        await network[A].publishing.create_channel("base", manifest("everyone"))
        await network.publish(BASE, [row(1), row(2)])
        await network.settle()
        held = base_held(network)
        network.down = {C}
        await network.erase(BASE, 1)
        await network.settle()
        network.down = set()
        await network.relist(A, standing=Standing.SUSPENDED, reason="测试", cut=cut_at(held))
        await network.settle()
        assert [len(list(network[node].world.store.records(channel=BASE))) for node in (A, B, C)] == [1, 1, 2]
        assert network.reasons() == []

    run(body())


def test_an_epoch_that_was_closed_before_anybody_held_it_stands_until_the_next_one_cites_its_cut(
    tmp_path: Path,
) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        await network[A].publishing.create_channel("base", manifest("everyone"))
        await network.publish(BASE, [row(1)])
        await network.settle()
        held = base_held(network)
        cut = cut_at(held)
        await network.relist(A, standing=Standing.SUSPENDED, reason="测试", cut=cut)
        await network.relist(A, standing=Standing.ACTIVE, open_epoch=1)
        await network.publish(BASE, [row(2)])
        await network.relist(A, standing=Standing.ACTIVE, open_epoch=2)
        await network.settle()
        assert [len(list(network[node].world.store.records(channel=BASE))) for node in (A, B)] == [2, 1]
        assert network.reasons() == []

    run(body())


def test_who_a_later_epoch_has_dropped_need_not_learn_what_that_epoch_erases_of_an_earlier_one(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B, C)
        network.down = {C}
        await network[A].publishing.create_channel("base", manifest("everyone"))
        await network.publish(BASE, [row(1), row(2)])
        await network.settle()
        held = base_held(network)
        await network.erase(BASE, 1)
        await network.relist(A, standing=Standing.SUSPENDED, reason="测试", cut=cut_at(held))
        await network.relist(A, standing=Standing.ACTIVE, open_epoch=1)
        await network.publish(BASE, [row(4)])
        await network[A].publishing.set_audience(BASE, parse_audience(B))
        # It comes when the epoch that says why the record is bare is not for it any more.
        network.down = set()
        await network.publish_registry()
        await network.settle(4)
        assert network.reasons() == []

    run(body())


def test_a_manifest_above_a_cut_drops_who_has_nothing_of_the_channel_yet(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B, C)
        nothing_yet = network.backup(C)
        await network[A].publishing.create_channel("base", manifest("everyone"))
        await network.publish(BASE, [row(1), row(2)])
        await network.settle()
        cut = cut_at(base_held(network))
        network.down = {B, C}
        await network[A].publishing.set_audience(BASE, parse_audience(B))
        # Restored to when it had nothing, it meets an origin that has dropped it in a word nobody has heard.
        network.restore(C, nothing_yet)
        await network.relist(A, standing=Standing.SUSPENDED, reason="测试", cut=cut)
        await network.relist(A, standing=Standing.ACTIVE, open_epoch=1)
        network.down = {B}
        await network.settle(4)
        assert network[C].world.store.channel(BASE) is None
        assert network.reasons() == []

    run(body())


def test_a_restored_reader_knows_which_of_the_records_that_came_bare_are_erased_already(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        network.down = {B}
        await network[A].publishing.create_channel("base", manifest("everyone"))
        await network.publish(BASE, [row(1), row(2)])
        await network.erase(BASE, 1)
        await network.erase(BASE, 1, 1)
        # It has read why the first record is bare, and not yet why the second one is.
        await network[B].receive(list(network[A].sharing.entries(B, BASE, 0, 0, 3)))
        network.restore(B, network.backup(B))
        network.down = set()
        await network.settle(4)
        assert network.reasons() == []

    run(body())


def base_held(network: Watched) -> HeldChannel:
    held = network[A].world.store.channel(BASE)
    assert held is not None
    return held


def cut_at(held: HeldChannel) -> Cut:
    """A cut at the head that is held."""
    return Cut(frozenset({head_leaf(held.log.channel, held.log.epoch, HeadAt(held.log.size, held.log.root))}))
