"""Sharing: nobody is given, or told of, what is not for it, whatever it asks."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2, exchange_service_pb2, registry_pb2
from node.sharing import NOTHING, Extent
from tests.builders import NETWORK, ChannelWriter, list_keys, make_node, signing_key
from tests.duties.hostile import BASE, base_of, refused, run_of, write_row
from tests.duties.rows import code_of, manifest, row
from tests.wire import Network

Scenario = Coroutine[Any, Any, None]
SECRET = "310000/lists-unannounced"


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


async def published(audience: str = "310115", rows: int = 4) -> Network:
    network = Network("310000", "310115", "330100")
    await network["310000"].publishing.create_channel("base", manifest(audience))
    for serial in range(1, rows + 1):
        await network["310000"].publishing.publish(BASE, [row(serial)])
    await network.settle()
    return network


def extent_of(node: Node, peer: str, channel: str = BASE) -> Extent:
    held = node.world.store.channel(channel)
    assert held is not None
    return node.sharing.extent(peer, held)


async def pulled(
    node: Node, peer: str, start: int = 0, end: int = 0, channel: str = BASE, epoch: int = 0
) -> list[SignedEntry]:
    request = exchange_service_pb2.PullRequest(
        network=NETWORK, channel=channel, epoch=epoch, start_index=start, end_index=end
    )
    entries: AsyncIterator[SignedEntry] = node.pull(peer, request)
    return [signed async for signed in entries]


def test_g8_a_stranger_and_a_channel_that_does_not_exist_get_the_same_answer() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        answers = set()
        for channel in (BASE, "310000/none"):
            for call in (
                pulled(node, "330100", channel=channel),
                as_call(node.consistency_proof, "330100", channel, 0, 1, 2),
                as_call(node.inclusion_proof, "330100", channel, 0, 0, 1),
            ):
                with pytest.raises(XinqiaoError) as caught:
                    await call
                answers.add((caught.value.code, caught.value.text, tuple(caught.value.parameters.items())))
        assert answers == {("AUDIENCE", "no such channel for 330100", (("node", "330100"),))}

    async def as_call(prove: Any, *args: Any) -> Any:
        return prove(*args)

    run(scenario())


def test_g8_nothing_that_travels_beside_the_logs_names_a_channel_to_a_stranger() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115", "330100")
        await network["310000"].publishing.create_channel("lists-unannounced", manifest("310115"))
        await network["310000"].publishing.create_channel("open", manifest("everyone"))
        await network["310000"].publishing.publish(SECRET, [row(1)])
        await network.settle()
        log = network["310000"].answering.channel(SECRET).log
        for node in ("310000", "310115"):
            answer = await network[node].hello(
                "330100",
                exchange_service_pb2.HelloRequest(network=NETWORK, time_unix_ms=network.clock.time_ms),
            )
            assert b"unannounced" not in answer.SerializeToString()
            assert {head.channel for head in answer.heads} == {"310000/open"}
            assert {each.head.channel for beat in answer.heartbeats for each in beat.heads} == {"310000/open"}
            assert log.root not in answer.SerializeToString()
        # Not by a request of this node either.
        reader = network["310115"]
        request, _ = reader.delivery._hellos.request(reader.delivery._links["330100"], reader.sharing.heads("330100"))
        assert b"unannounced" not in request.SerializeToString()
        assert network["330100"].world.store.channel(SECRET) is None

    run(scenario())


def test_g8_a_proof_of_two_histories_of_a_channel_is_shown_to_its_readers_only() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115", "330100")
        one, other = (base_of(network, audience="310115", rows=0) for _ in range(2))
        write_row(one, 1)
        write_row(other, 2)
        node = network["310115"]
        await node.receive(run_of(one))
        assert await refused(node.receive(run_of(other, 1))) == "EQUIVOCATION"
        assert len(node.sharing.equivocations_since("310000", 0)[0]) == 1
        proofs, cursor = node.sharing.equivocations_since("330100", 0)
        assert (proofs, cursor) == ([], 1)

    run(scenario())


def test_a_reader_is_given_everything_up_to_the_end_and_from_where_it_asks() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        assert extent_of(node, "310115") == Extent(5, True)
        assert [signed.index for signed in await pulled(node, "310115")] == [0, 1, 2, 3, 4]
        assert [signed.index for signed in await pulled(node, "310115", 3)] == [3, 4]
        assert [signed.index for signed in await pulled(node, "310115", 1, 3)] == [1, 2]
        assert await pulled(node, "310115", 5) == []
        assert await pulled(node, "310115", (1 << 64) - 1) == []
        assert await refused(pulled(node, "310115", epoch=1)) == "AUDIENCE"
        assert extent_of(node, "999999") == NOTHING

    run(scenario())


def test_the_right_to_each_entry_is_looked_at_when_it_is_its_turn() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        request = exchange_service_pb2.PullRequest(network=NETWORK, channel=BASE)
        stream = node.pull("310115", request)
        assert (await anext(stream)).index == 0
        await network.relist("310115", standing=Standing.SUSPENDED, reason="测试")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(scenario())


def test_a_member_that_was_dropped_gets_headers_up_to_its_farewell_and_nothing_once_it_has_confirmed() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        await node.publishing.publish(BASE, [row(8)])
        await node.publishing.set_audience(BASE, parse_audience("330100"))
        await node.publishing.publish(BASE, [row(9)])
        assert extent_of(node, "310115") == Extent(7, False)
        given = await pulled(node, "310115", 5)
        assert [(signed.index, signed.body) for signed in given] == [(5, None), (6, None)]
        headers = [channel_pb2.EntryHeader.FromString(signed.envelope.payload) for signed in given]
        assert [header.kind for header in headers] == [2, 1]
        # What it may have, it may have proven; nothing beyond.
        assert node.consistency_proof("310115", BASE, 0, 5, 7)
        with pytest.raises(XinqiaoError, match="AUDIENCE"):
            node.consistency_proof("310115", BASE, 0, 5, 8)
        assert node.sharing.heartbeats_since("310115", 0)[0] == []
        await network.sync("310115", "310000")
        await network.sync("310115", "310000")
        assert extent_of(node, "310115") == NOTHING
        assert extent_of(network["310115"], "310000") == NOTHING
        assert list(network["310115"].answering.records(code_of(1), "", 0)) == []

    run(scenario())


def test_g8_a_member_dropped_by_a_key_retired_since_believes_its_farewell_and_erases_its_copy() -> None:
    async def scenario() -> None:
        network = await published()
        network.down.add("310115")
        await network["310000"].publishing.publish(BASE, [row(8)])
        await network["310000"].publishing.set_audience(BASE, parse_audience("330100"))
        await network.settle()
        before, after = network.signing["310000"], make_node("310000")
        retired = signing_key(before.signer, registry_pb2.KEY_STATE_RETIRED)
        network.signing["310000"] = list_keys(after, [retired, signing_key(after.signer)], after)
        network.down.clear()
        await network.publish_registry()
        await network.settle()
        held = network["310115"].world.store.channel(BASE)
        assert held is not None
        assert held.left_at == held.log.size - 1 == 6
        assert list(network["310115"].answering.records("", BASE, 0)) == []

    run(scenario())


def test_g1_a_farewell_above_the_cut_is_not_given() -> None:
    async def scenario() -> None:
        network = await published("310115,330100")
        node = network["310000"]
        await node.publishing.set_audience(BASE, parse_audience("330100"))
        assert extent_of(node, "310115") == Extent(6, False)
        held = node.answering.channel(BASE)
        root = channel_pb2.EntryHeader.FromString(next(node.world.store.entries(BASE, 0, 5)).envelope.payload).prev_root
        cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(5, root))}))
        await network.relist("310000", open_epoch=1, cut=cut)
        assert (held.log.size, extent_of(node, "310115")) == (6, NOTHING)
        with pytest.raises(XinqiaoError, match="AUDIENCE"):
            await pulled(node, "310115")

    run(scenario())


def test_g7_a_farewell_does_not_leave_before_the_sidecar_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        network = await published("310115,330100")
        node = network["310000"]
        with monkeypatch.context() as broken:
            broken.setattr(node.publishing._heads, "trust", _refuse_to_note)
            with pytest.raises(OSError, match="full"):
                await node.publishing.set_audience(BASE, parse_audience("330100"))
        assert node.answering.channel(BASE).log.size == 6
        assert extent_of(node, "310115") == NOTHING
        await node.publishing.beat()
        assert extent_of(node, "310115") == Extent(6, False)

    run(scenario())


def _refuse_to_note(heads: object) -> None:
    raise OSError("the disk is full")


def test_a_member_that_never_had_a_channel_gets_no_farewell() -> None:
    async def scenario() -> None:
        network = await published("310115")
        await network["310000"].publishing.set_audience(BASE, parse_audience("310115,level=sector"))
        assert extent_of(network["310000"], "330100") == NOTHING

    run(scenario())


def test_nothing_above_a_cut_is_given_or_proven_to_anybody() -> None:
    async def scenario() -> None:
        network = await published("everyone")
        node = network["310115"]
        held = node.answering.channel(BASE)
        root = channel_pb2.EntryHeader.FromString(next(node.world.store.entries(BASE, 0, 3)).envelope.payload).prev_root
        cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(3, root))}))
        await network.relist("310000", standing=Standing.SUSPENDED, cut=cut)
        assert (held.log.size, extent_of(node, "330100")) == (5, Extent(3, True))
        assert [signed.index for signed in await pulled(node, "330100")] == [0, 1, 2]
        assert node.sharing.heads("330100") == [((BASE, 0), HeadAt(3, root))]
        assert node.consistency_proof("330100", BASE, 0, 1, 3)
        with pytest.raises(XinqiaoError, match="AUDIENCE"):
            node.consistency_proof("330100", BASE, 0, 1, 4)
        with pytest.raises(XinqiaoError, match="AUDIENCE"):
            node.inclusion_proof("330100", BASE, 0, 3, 5)
        assert extent_of(node, "310000") == NOTHING

    run(scenario())


def test_a_later_reader_is_invited_with_the_first_entry_only() -> None:
    async def scenario() -> None:
        network = await published("310115")
        node = network["310000"]
        assert [signed.invitation for signed in await pulled(node, "310115")] == [None] * 5
        await node.publishing.set_audience(BASE, parse_audience("310115,330100"))
        invitations = [signed.invitation for signed in await pulled(node, "330100")]
        assert invitations[0] is not None
        assert invitations[1:] == [None] * 5
        invited = channel_pb2.EntryHeader.FromString(invitations[0].payload)
        assert network["310000"].membership.members.reads("330100", "310000", invited.manifest.audience)

    run(scenario())


def test_receipts_go_to_readers_and_ones_own_to_the_origin_and_a_member_is_not_told_its_own() -> None:
    async def scenario() -> None:
        network = await published("everyone")

        def told(node: str, peer: str) -> set[str]:
            receipts, _ = network[node].sharing.receipts_since(peer, 0)
            return {channel_pb2.Receipt.FromString(receipt.payload).subscriber for receipt in receipts}

        assert told("310115", "310000") == {"310115", "330100"}
        assert told("310115", "330100") == {"310115"}
        assert told("310000", "330100") == {"310115"}
        assert len(network["310000"].sharing.receipts_of("310115")) == 1

    run(scenario())


def test_g12_what_is_told_at_once_stays_within_the_limits_and_the_rest_comes_next() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        node = network["310115"]
        for number in range(300):
            writer = ChannelWriter(network.signing["310000"], f"310000/log-{number:03}")
            writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest())
            await node.receive(run_of(writer))
        first, cursor = node.sharing.receipts_since("310000", 0)
        rest, end = node.sharing.receipts_since("310000", cursor)
        assert (len(first), len(rest)) == (256, 44)
        assert node.sharing.receipts_since("310000", end) == ([], end)

    run(scenario())


def test_g9_an_erased_slot_is_given_to_nobody() -> None:
    async def scenario() -> None:
        network = await published("everyone")
        await network["310000"].publishing.erase(BASE, Place(0, 2, 0), "沪更〔2026〕1号", "数据有误")
        await network.settle()
        for node in network.nodes.values():
            for peer in network.nodes:
                given = [signed.body or b"" for signed in node.sharing.entries(peer, BASE, 0, 0, None)]
                assert not any(code_of(2).encode() in body for body in given)
                assert any(code_of(1).encode() in body for body in given)

    run(scenario())
