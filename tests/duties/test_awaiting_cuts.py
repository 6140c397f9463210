"""Of a closed log whose cut nobody has found nothing is taken: so it does not move again at every comparison."""

import asyncio

import pytest

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.membership import Standing
from node.pb import registry_pb2
from node.ports import Lane
from tests.builders import list_keys, make_node, signing_key
from tests.duties.rows import manifest, row
from tests.duties.test_exchange import BASE, network_with_rows, suspended
from tests.wire import Network

ORIGIN, READER, HOLDER = "310000", "310115", "330100"


def carried(network: Network) -> list[tuple[str, str, int]]:
    """Collects what moves from now on, as (from, to, index)."""
    found: list[tuple[str, str, int]] = []

    def see(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        found.append((sender, receiver, signed.index))
        return signed

    network.tamper = see
    return found


async def reinstated_before_anybody_held_anything() -> Network:
    """The origin was cut while nobody held an entry of it: no head is listed, and its next epoch is open."""
    network = await network_with_rows()
    await network.relist(ORIGIN, **suspended(network, ORIGIN))
    await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
    return network


@pytest.mark.parametrize("caller", [ORIGIN, READER])
def test_a_log_without_a_cut_is_offered_once_and_not_fetched_at_all(caller: str) -> None:
    async def scenario() -> None:
        network = await reinstated_before_anybody_held_anything()
        other = READER if caller == ORIGIN else ORIGIN
        await network.sync(caller, other)
        moved = carried(network)
        for _ in range(3):
            await network.sync(caller, other)
        assert moved == []
        assert network[READER].world.store.channels() == []

    asyncio.run(scenario())


def test_a_log_without_a_cut_is_offered_with_one_entry_alone() -> None:
    async def scenario() -> None:
        network = await reinstated_before_anybody_held_anything()
        moved = carried(network)
        await network.sync(ORIGIN, READER)
        assert network[ORIGIN].world.store.log(BASE, 0).size == 2
        assert moved == [(ORIGIN, READER, 0)]

    asyncio.run(scenario())


def test_a_log_without_a_cut_is_offered_again_after_a_while_as_the_reader_may_know_a_cut_by_then() -> None:
    async def scenario() -> None:
        network = await reinstated_before_anybody_held_anything()
        await network.sync(ORIGIN, READER)
        moved = carried(network)
        network.clock.time_ms += int(network[ORIGIN].settings.heartbeat_interval_s * 1000) - 1
        await network.sync(ORIGIN, READER)
        assert moved == []
        network.clock.time_ms += 1
        await network.sync(ORIGIN, READER)
        assert moved == [(ORIGIN, READER, 0)]

    asyncio.run(scenario())


def test_a_quarantined_log_is_not_fetched_and_not_searched_for_a_second_proof() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        reader = network[READER]
        await reader.world.writer.run(Lane.CONTROL, lambda tx: tx.set_quarantined(ORIGIN, True))
        await network[ORIGIN].publishing.publish(BASE, [row(100)])
        moved = carried(network)
        await network.sync(READER, ORIGIN)
        await network.sync(READER, HOLDER)
        assert moved == []

    asyncio.run(scenario())


def test_a_reader_is_invited_to_a_log_below_its_cut_by_a_key_revoked_since() -> None:
    async def scenario() -> None:
        network = await network_with_rows(10, READER)
        await network[ORIGIN].publishing.set_audience(BASE, manifest(f"{READER},{HOLDER}").audience)
        await network.sync(ORIGIN, READER)
        log = network[READER].world.store.log(BASE, 0)
        before, after = network.signing[ORIGIN], make_node(ORIGIN)
        revoked = signing_key(before.signer, registry_pb2.KEY_STATE_REVOKED)
        network.signing[ORIGIN] = list_keys(after, [revoked, signing_key(after.signer)], after)
        cut = suspended(network, ORIGIN, (BASE, 0, HeadAt(log.size, log.root)))["cut"]
        await network.relist(ORIGIN, cut=cut, open_epoch=1)
        await network.sync(HOLDER, READER)
        assert network[HOLDER].answering.channel(BASE).applied_size == log.size == 3

    asyncio.run(scenario())
