"""Acknowledging: who brings a log hears that it is here as soon as it is, and not at every run of its entries."""

import asyncio
from dataclasses import replace

import pytest

from node import transfers
from node.core.entry import SignedEntry
from node.core.heartbeat import ChannelEpoch
from node.core.receipt import claim_of
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


async def told_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how much of a log that comes in many runs its origin is told receipts, one after another."""
    monkeypatch.setattr(transfers, "RUN_ENTRIES", 2)
    network = await with_a_log()
    origin, told = network[ORIGIN], list[int]()
    take = origin.take_receipts

    async def noted(receipts: list[envelope_pb2.Envelope]) -> list[envelope_pb2.Refusal]:
        told.extend(claim_of(each).size for each in receipts)
        return await take(receipts)

    acknowledge = network[READER].receiving.acknowledge

    async def slowly(key: ChannelEpoch) -> envelope_pb2.Envelope | None:
        await asyncio.sleep(0.01)  # others get their turn, as they do beside a disk
        return await acknowledge(key)

    monkeypatch.setattr(network[READER].receiving, "acknowledge", slowly)
    monkeypatch.setattr(origin, "take_receipts", noted)
    async with running(network[READER]):
        await eventually(lambda: applied_of(origin) == ENTRIES)
        # Nothing is left to say: another turn of the link would say it.
        await asyncio.sleep(0.1)
    assert size_at(network[READER]) == ENTRIES
    return told


def test_a_log_that_comes_in_many_runs_is_acknowledged_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        # The first entry comes with the comparison, which tells its receipt.
        assert await told_sizes(monkeypatch) == [1, ENTRIES]

    run(scenario())


def test_while_a_long_log_comes_its_receipts_are_told_every_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "RECEIPTS_EVERY_S", 0.0)

    async def scenario() -> None:
        told = await told_sizes(monkeypatch)
        assert told == sorted(set(told))
        assert (told[0], told[-1]) == (1, ENTRIES)
        assert len(told) > 2

    run(scenario())


def test_what_came_before_a_refusal_is_acknowledged() -> None:
    async def scenario() -> None:
        network = await with_a_log()

        def spoilt(_sender: str, _receiver: str, signed: SignedEntry) -> SignedEntry:
            return replace(signed, body=b"something else") if signed.index == ENTRIES - 1 else signed

        network.tamper = spoilt
        async with running(network[READER]):
            await eventually(lambda: applied_of(network[ORIGIN]) == ENTRIES - 1)

    run(scenario())
