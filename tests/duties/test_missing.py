"""A body that a reader was not given is brought by who holds it, where the reader cannot ask for it."""

import asyncio
from dataclasses import replace

import pytest

from node.core.audience import parse_audience
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.refusals import ASK_AGAIN_MS
from tests.duties.test_exchange import BASE, network_with_rows
from tests.duties.test_visiting import only_dials_out
from tests.wire import Network

ORIGIN, READER = "310000", "310115"


async def without_a_body() -> Network:
    """A reader that was given all entries of a log, one of them without its body, and whose origin calls alone."""
    network = await network_with_rows()
    withhold(network)
    await network.sync(ORIGIN, READER)
    assert applied_at(network) == 1
    return network


def withhold(network: Network) -> list[tuple[str, str]]:
    """Take the body of entry 1 away from whoever sends it; returns who sent it to whom from now on."""
    sent: list[tuple[str, str]] = []

    def bare(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        if signed.index != 1:
            return signed
        sent.append((sender, receiver))
        return replace(signed, body=None)

    network.tamper = bare
    return sent


def applied_at(network: Network) -> int:
    held = network[READER].world.store.channel(BASE)
    return held.applied_size if held is not None else 0


def test_g4_an_origin_that_nobody_can_call_brings_a_body_that_a_reader_lacks_though_both_are_in_step() -> None:
    async def scenario() -> None:
        network = await without_a_body()
        network.tamper = None
        await only_dials_out(network, ORIGIN)
        await network.sync(ORIGIN, READER)
        assert applied_at(network) == 2
        deliveries = network[ORIGIN].answering.deliveries(network[ORIGIN].answering.channel(BASE))
        receipts = {node: item.receipt.message for node, item in deliveries if item is not None}
        assert (receipts[READER].applied_size, list(receipts[READER].withheld)) == (2, [])

    asyncio.run(scenario())


def test_a_node_that_can_be_called_waits_until_it_is_asked() -> None:
    async def scenario() -> None:
        network = await without_a_body()
        sent = withhold(network)
        await network.sync(ORIGIN, READER)
        assert sent == []
        await network.sync(READER, ORIGIN)
        assert sent == [(ORIGIN, READER)]

    asyncio.run(scenario())


def test_the_same_body_is_brought_again_only_after_a_while() -> None:
    async def scenario() -> None:
        network = await without_a_body()
        await only_dials_out(network, ORIGIN)
        sent = withhold(network)
        for _ in range(3):
            await network.sync(ORIGIN, READER)
        assert len(sent) == 1
        network.clock.time_ms += ASK_AGAIN_MS
        await network[ORIGIN].beat()
        await network.sync(ORIGIN, READER)
        assert len(sent) == 2

    asyncio.run(scenario())


def break_off(network: Network) -> None:
    """Let every call end with a broken connection where entry 1 would be carried."""

    def broken(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        if signed.index != 1:
            return signed
        raise XinqiaoError("WIRE_UNREACHABLE", peer=f"{sender} or {receiver}", address="wire", detail="reset")

    network.tamper = broken


def test_g4_a_body_is_asked_for_again_at_once_where_the_call_for_it_broke_off() -> None:
    async def scenario() -> None:
        network = await without_a_body()
        break_off(network)
        for _ in range(2):
            with pytest.raises(XinqiaoError, match="WIRE_UNREACHABLE"):
                await network.sync(READER, ORIGIN)
        network.tamper = None
        await network.sync(READER, ORIGIN)
        assert applied_at(network) == 2

    asyncio.run(scenario())


def test_g4_a_body_is_brought_again_at_once_where_the_call_with_it_broke_off() -> None:
    async def scenario() -> None:
        network = await without_a_body()
        await only_dials_out(network, ORIGIN)
        break_off(network)
        for _ in range(2):
            with pytest.raises(XinqiaoError, match="WIRE_UNREACHABLE"):
                await network.sync(ORIGIN, READER)
        network.tamper = None
        await network.sync(ORIGIN, READER)
        assert applied_at(network) == 2

    asyncio.run(scenario())


def test_g8_nothing_is_brought_to_whoever_has_left_the_audience() -> None:
    async def scenario() -> None:
        network = await without_a_body()
        await only_dials_out(network, ORIGIN)
        network.down.add(READER)
        await network[ORIGIN].publishing.set_audience(BASE, parse_audience("330100"))
        network.down.clear()
        sent = withhold(network)
        await network.sync(ORIGIN, READER)
        await network.sync(ORIGIN, READER)
        assert sent == []

    asyncio.run(scenario())
