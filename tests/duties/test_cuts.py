"""Up to where a closed log is cut is learnt from whoever has more of it, whichever side calls."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from node.admission import raise_cut
from node.core import envelope as envelopes
from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.links import Link
from node.pb import exchange_service_pb2, registry_pb2
from node.ports import Lane
from tests.builders import make_receipt
from tests.duties.rows import row
from tests.duties.test_exchange import BASE, network_with_rows, suspended
from tests.wire import MemorySidecar, Network

ORIGIN, BEHIND, AHEAD = "310000", "310115", "330100"


def head_at(network: Network, node: str, size: int) -> HeadAt:
    """The head that a node had when its log was of a size."""
    for held in network[node].receiving._own_roots(network[node].world.store.log(BASE, 0)):
        if held.size == size:
            return held
    raise AssertionError(size)


async def cut_twice(more: int) -> Network:
    """The officers list two heads of one log; one reader holds it to the smaller one only, and both have looked."""
    network = await network_with_rows()
    await network.settle()
    size = network[ORIGIN].world.store.log(BASE, 0).size
    network.down.add(BEHIND)
    for serial in range(100, 100 + more):
        await network[ORIGIN].publishing.publish(BASE, [row(serial)])
    await network.settle()
    network.down = {ORIGIN}
    listed = [(BASE, 0, head_at(network, AHEAD, each)) for each in (size, size + more)]
    await network.relist(ORIGIN, **suspended(network, ORIGIN, *listed))
    assert cut_at(network, BEHIND) == size
    assert cut_at(network, AHEAD) == size + more
    return network


def cut_at(network: Network, node: str) -> int:
    cut = network[node].world.store.log(BASE, 0).cut
    return cut.size if cut is not None else -1


@pytest.mark.parametrize(
    ("caller", "more"), [(BEHIND, 1), (BEHIND, 2), (BEHIND, 70), (AHEAD, 1), (AHEAD, 2), (AHEAD, 70)]
)
def test_the_largest_listed_head_is_reached_whichever_side_calls(caller: str, more: int) -> None:
    async def scenario() -> None:
        network = await cut_twice(more)
        other = AHEAD if caller == BEHIND else BEHIND
        await network.sync(caller, other)
        await network.sync(caller, other)
        logs = [network[node].world.store.log(BASE, 0) for node in (BEHIND, AHEAD)]
        assert logs[0] == logs[1]
        assert (await network[caller].delivery._reach(other).hello(_opening(network, caller, other))).in_step

    asyncio.run(scenario())


def _opening(network: Network, caller: str, other: str) -> exchange_service_pb2.HelloRequest:
    delivery = network[caller].delivery
    return delivery._hellos.request(delivery._links[other], network[caller].sharing.heads(other))[0]


def test_of_two_heads_found_at_the_same_time_the_larger_one_counts() -> None:
    async def scenario() -> None:
        network = await cut_twice(2)
        node, channel = network[BEHIND], (BASE, 0)
        smaller, larger = cut_at(network, BEHIND), cut_at(network, AHEAD)
        found = [HeadAt(size, head_at(network, AHEAD, size).root) for size in (larger, smaller)]
        for head in found:
            await node.world.writer.run(Lane.CONTROL, partial(raise_cut, key=channel, cut=head))
        assert cut_at(network, BEHIND) == larger

    asyncio.run(scenario())


def test_a_claim_that_no_cut_lists_moves_nothing() -> None:
    async def scenario() -> None:
        network = await cut_twice(2)
        before = network[BEHIND].world.store.log(BASE, 0)
        request = _opening_of_claims(network, HeadAt(before.size + 1, b"\x07" * 32), HeadAt(1 << 62, b"\x07" * 32))
        await network[BEHIND].hello(AHEAD, request)
        assert network[BEHIND].world.store.log(BASE, 0) == before

    asyncio.run(scenario())


def _opening_of_claims(network: Network, *heads: HeadAt) -> exchange_service_pb2.HelloRequest:
    closed = [((BASE, 0), head) for head in heads]
    return network[AHEAD].delivery._hellos.claims(Link(BEHIND), [], closed)


def test_above_the_head_that_was_found_nothing_is_taken() -> None:
    async def scenario() -> None:
        network = await cut_twice(2)
        store = network[AHEAD].world.store
        above = [
            SignedEntry(BASE, 0, entry.index, entry.envelope, entry.body)
            for entry in store.entries(BASE, 0, store.log(BASE, 0).size - 1)
        ]
        with pytest.raises(XinqiaoError, match="ENTRY_ABOVE_CUT"):
            await network[BEHIND].receive(above)

    asyncio.run(scenario())


def test_a_later_cut_that_lists_a_larger_head_is_followed_by_whoever_holds_it() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        sizes = [2, network[BEHIND].world.store.log(BASE, 0).size]
        small, large = [(BASE, 0, head_at(network, BEHIND, size)) for size in sizes]
        await network.relist(ORIGIN, **suspended(network, ORIGIN, small))
        assert [cut_at(network, node) for node in network.nodes] == [2, 2, 2]
        await network.relist(ORIGIN, **suspended(network, ORIGIN, small, large))
        assert [cut_at(network, node) for node in network.nodes] == [sizes[1]] * 3

    asyncio.run(scenario())


def test_what_lies_above_a_cut_is_not_reported_to_the_officers() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        listed = head_at(network, BEHIND, 2)
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (BASE, 0, listed)))
        await network[BEHIND].report_heads()
        report = envelopes.parse(registry_pb2.HeadReport, network.registries[BEHIND].reports[-1].payload)
        assert [list(heads.head_leaves) for heads in report.origins] == [[head_leaf(BASE, 0, listed)]]

    asyncio.run(scenario())


def test_an_origin_without_its_sidecar_keeps_receipts_of_readers_that_hold_more_than_the_cut_gave_back() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network[ORIGIN].publishing.publish(BASE, [row(100)])
        await network.settle()
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (BASE, 0, head_at(network, BEHIND, 2))))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        origin = network.start(ORIGIN, sidecar=MemorySidecar(lost=True))
        await network.settle()
        held = origin.answering.channel(BASE)
        receipts = {node: item and item.receipt.extent[:3] for node, item in origin.answering.deliveries(held)}
        assert held.log.size == 2
        assert receipts == {BEHIND: (0, 3, 3), AHEAD: (0, 3, 3)}

    asyncio.run(scenario())


def test_a_receipt_for_more_than_was_written_is_refused_while_the_log_is_open() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        log = replace(network[ORIGIN].world.store.log(BASE, 0), size=7)
        receipt = make_receipt(network.signing[BEHIND], log)
        (refusal,) = await network[ORIGIN].take_receipts([receipt.envelope])
        assert refusal.code == "RECEIPT"

    asyncio.run(scenario())


def test_what_a_peer_answers_that_it_holds_is_not_sent_again_though_it_names_no_head() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        network.down = {AHEAD}
        # Above the cut, where only its origin knows that the reader was dropped.
        await network[ORIGIN].publishing.set_audience(BASE, parse_audience(BEHIND))
        network.down = set()
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (BASE, 0, head_at(network, ORIGIN, 2))))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        sent: list[int] = []

        def noted(sender: str, _receiver: str, signed: SignedEntry) -> SignedEntry:
            sent.extend([signed.index] if sender == AHEAD else [])
            return signed

        network.tamper = noted
        for _ in range(3):
            await network.sync(AHEAD, ORIGIN)
        assert sent == [0]
        # Who starts again may have been put back to an earlier state, and is sent it once more.
        network.start(ORIGIN, network[ORIGIN].world.store)
        for _ in range(2):
            await network.sync(AHEAD, ORIGIN)
        assert sent == [0, 0]

    asyncio.run(scenario())
