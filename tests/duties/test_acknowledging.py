"""Acknowledging: who brings a log hears that it is here as soon as it is, and not at every run of its entries."""

import asyncio

import pytest

from node import transfers
from node.core.receipt import claim_of
from node.links import RECEIPTS_EVERY_S, Link
from node.node import Node
from node.pb import envelope_pb2
from tests.duties.delivering import eventually, live, run, running, size_at
from tests.duties.rows import manifest, row
from tests.wire import Network

BASE = "310000/base"
ORIGIN, READER = "310000", "310115"
ENTRIES = 24


async def with_a_log() -> Network:
    """Two nodes that compare every half a minute, of which one has published; nobody has brought it."""
    network = live(ORIGIN, READER, interval_s=30)
    await network[ORIGIN].publishing.create_channel("base", manifest("everyone"))
    for serial in range(1, ENTRIES):
        await network[ORIGIN].publishing.publish(BASE, [row(serial)])
    return network


def applied_of(origin: Node) -> int:
    """How much the reader has applied, as the origin knows."""
    held = origin.world.store.receipt(BASE, READER)
    return held.receipt.message.applied_size if held is not None else 0


def test_what_was_fetched_in_the_bulk_is_acknowledged_before_the_next_comparison() -> None:
    async def scenario() -> None:
        network = await with_a_log()
        async with running(network[READER]):  # the origin itself brings nothing
            await eventually(lambda: applied_of(network[ORIGIN]) == ENTRIES)

    run(scenario())


def test_a_log_that_comes_in_many_runs_is_acknowledged_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "RUN_ENTRIES", 2)

    async def scenario() -> None:
        network = await with_a_log()
        origin, told = network[ORIGIN], list[int]()
        take = origin.take_receipts

        async def noted(receipts: list[envelope_pb2.Envelope]) -> list[envelope_pb2.Refusal]:
            told.extend(claim_of(each).size for each in receipts)
            return await take(receipts)

        monkeypatch.setattr(origin, "take_receipts", noted)
        async with running(network[READER]):
            await eventually(lambda: applied_of(origin) == ENTRIES)
            # Nothing is left to say: another turn of the link would say it.
            await asyncio.sleep(0.1)
        # The first entry comes with the comparison, which tells its receipt.
        assert told == [1, ENTRIES]
        assert size_at(network[READER]) == ENTRIES

    run(scenario())


def test_while_a_long_log_comes_its_receipts_are_told_every_so_often() -> None:
    link = Link(ORIGIN)
    link.want_receipts()
    assert not link.receipts_due
    link.has_come(100.0)
    link.has_come(100.0 + RECEIPTS_EVERY_S * 0.9)
    assert not link.receipts_due
    link.has_come(100.0 + RECEIPTS_EVERY_S)
    assert link.receipts_due
    assert link.control_wanted.is_set()
