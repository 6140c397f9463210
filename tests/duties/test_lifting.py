"""G4: what a list's origin has lifted stays lifted at everybody, though the entry that lifted it stands above a cut."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from node.core.channel import HeadAt, head_leaf
from node.core.listing import AMEND, EXIT, SUSPEND, ListState
from node.core.membership import Cut, Standing
from node.core.state import Place
from node.pb import channel_pb2
from tests.duties.listing import CHANNEL, ORIGIN, READER, Town

LATE = "320500"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def open_next_epoch(town: Town, size: int) -> None:
    """Suspend the origin with a cut at a size of its list, and let it come back."""
    entry = town.node.world.store.entry(CHANNEL, 0, size)
    root = channel_pb2.EntryHeader.FromString(entry.envelope.payload).prev_root
    cut = Cut(frozenset({head_leaf(CHANNEL, 0, HeadAt(size, root))}))
    await town.network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="整改", cut=cut)
    await town.network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)


def standings(town: Town, node: str) -> dict[Place, tuple[str, str]]:
    """How each entry is asserted and answered."""
    held = town.network[node].world.store.listings(CHANNEL, None, 9)
    return {each.listing.place: (each.listing.state.value, each.answered.value) for each in held}


async def lifted_above_a_cut() -> tuple[Town, list[Place]]:
    """A list of four entries; above its cut one has ended, one is suspended, one was amended."""
    town = await Town(READER, LATE).open()
    town.network.down.add(LATE)
    places = [place for serial in range(4) for place in await town.enter({"decision": f"税稽罚〔2026〕{serial}号"})]
    size = town.node.world.store.channel(CHANNEL).log.size
    await town.decide(await town.draft_change(places[0]))
    await town.decide(await town.draft_change(places[1], SUSPEND))
    await town.decide(await town.draft_change(places[2], AMEND, until="2027-06-30"))
    await town.network.settle()
    await open_next_epoch(town, size)
    return town, places


def test_g4_what_was_lifted_above_a_cut_is_lifted_again_in_the_next_epoch() -> None:
    async def scenario() -> None:
        town, (ended, suspended, amended, other) = await lifted_above_a_cut()
        assert standings(town, READER)[ended] == ("listed", "exited")
        town.network.down.clear()
        await town.network.settle()
        await town.node.publishing.erase_again_above_cuts()
        town.network.start(LATE)
        await town.network.settle()
        expected = {
            ended: ("exited", "exited"),
            suspended: ("suspended", "suspended"),
            amended: ("listed", "listed"),
            other: ("listed", "listed"),
        }
        for node in (ORIGIN, READER, LATE):
            assert standings(town, node) == expected
            assert town.digests(node)[1] == "match"
        newest = town.node.world.store.channel(CHANNEL)
        assert (newest.log.epoch, newest.log.size) == (1, 3)  # its manifest, the exit and the suspension
        listing = town.node.world.store.listing(CHANNEL, amended)
        assert listing.listing.until != "2027-06-30"

    run(scenario())


def test_what_is_lifted_again_is_lifted_once() -> None:
    async def scenario() -> None:
        town, (ended, *_) = await lifted_above_a_cut()
        await town.network.settle()
        for _ in range(2):
            await town.node.publishing.erase_again_above_cuts()
            await town.network.settle()
        store = town.node.world.store
        acts = [each.operation.act for each in store.list_operations(CHANNEL, ended)]
        assert acts.count(EXIT) == 2  # the one above the cut, and the one in the next epoch
        assert store.listing(CHANNEL, ended).listing.state is ListState.EXITED
        assert store.channel(CHANNEL).log.size == 3

    run(scenario())


def test_a_list_without_anything_lifted_above_its_cut_begins_no_epoch_by_itself() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        size = town.node.world.store.channel(CHANNEL).log.size
        await town.decide(await town.draft_change(place, AMEND, until="2027-06-30"))
        await open_next_epoch(town, size)
        await town.network.settle()
        await town.node.publishing.erase_again_above_cuts()
        assert town.node.world.store.channel(CHANNEL).log.epoch == 0
        assert standings(town, ORIGIN) == {place: ("listed", "listed")}

    run(scenario())
