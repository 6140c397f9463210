"""What several nodes make of each other's entries: the production duties over a wire of method calls."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry, commitment
from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing
from node.core.state import APPLIED, ERASED, Place
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from node.ports import HeldChannel, Lane
from node.storage.memory import MemoryStore
from tests.builders import SigningNode, list_keys, make_node
from tests.duties.rows import code_of, manifest, row
from tests.wire import FakeClock, MemorySidecar, Network

BASE = "310000/base"
Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


async def network_with_rows(count: int = 10, audience: str = "everyone", *more: str) -> Network:
    network = Network("310000", "310115", "330100", *more)
    await network["310000"].publishing.create_channel("base", manifest(audience))
    await network["310000"].publishing.publish(BASE, [row(serial) for serial in range(1, count + 1)])
    return network


def held_at(network: Network, node: str) -> HeldChannel:
    return network[node].answering.channel(BASE)


def names_at(node: Node, serial: int) -> list[str]:
    return [answer.values["comp_nm"] for answer in node.answering.records(code_of(serial), "", 0)]


def test_records_reach_every_reader_with_the_same_root_and_receipts_come_back() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        assert {held_at(network, node).log.root for node in network.nodes} == {held_at(network, "310000").log.root}
        for node in network.nodes.values():
            held = node.answering.channel(BASE)
            assert (held.records, held.applied_size, held.fresh_at_ms) == (10, 2, network.clock.time_ms)
            assert names_at(node, 7) == ["示例有限公司"]
        deliveries = network["310000"].answering.deliveries(held_at(network, "310000"))
        assert [(node, item and item.receipt.message.applied_size) for node, item in deliveries] == [
            ("310115", 2),
            ("330100", 2),
        ]

    run(scenario())


def test_every_record_has_exactly_one_outcome_and_the_counts_add_up() -> None:
    async def scenario() -> None:
        network = await network_with_rows(3)
        publishing = network["310000"].publishing
        outcomes = await publishing.publish(BASE, [row(1), row(2, "改名"), row(4), row(4, "再改", 5)])
        assert [outcome.kind.value for outcome in outcomes] == ["duplicate", "revised", "accepted", "revised"]
        await network.settle()
        for node in network.nodes.values():
            counts = node.answering.outcomes(node.answering.channel(BASE))
            assert sum(counts.values()) == 3 + 3
            assert names_at(node, 2) == ["改名"]
            assert names_at(node, 4) == ["再改"]

    run(scenario())


def test_g3_a_retry_storm_applies_nothing_twice() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        entries = list(network["310000"].sharing.entries("310115", BASE, 0, 0, None))
        for _ in range(20):
            for entry in entries:
                taken = await network["310115"].receive([entry])
                assert taken.size == 2
        counts = network["310115"].answering.outcomes(held_at(network, "310115"))
        assert counts == {(APPLIED, ""): 10}

    run(scenario())


def test_g8_a_channel_is_unknown_outside_its_audience() -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "310115")
        await network.settle()
        assert held_at(network, "310115").records == 5
        with pytest.raises(XinqiaoError, match="CHANNEL_UNKNOWN"):
            held_at(network, "330100")
        for node in ("310000", "310115"):
            assert network[node].sharing.heads("330100") == []
            assert network[node].sharing.heartbeats_since("330100", 0)[0] == []
            assert network[node].sharing.receipts_since("330100", 0)[0] == []
        with pytest.raises(XinqiaoError, match="AUDIENCE"):
            await network["330100"].receive(list(network["310000"].sharing.entries("310115", BASE, 0, 0, None)))

    run(scenario())


def test_an_entry_arrives_by_a_relay_when_its_origin_cannot_be_reached() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network["310000"].beat()
        await network.sync("310115", "310000")
        network.down.add("310000")
        await network.settle()
        assert held_at(network, "330100").records == 10
        assert held_at(network, "330100").fresh_at_ms > 0

    run(scenario())


def test_a_reader_added_later_gets_the_history_and_one_that_is_dropped_erases_its_copy() -> None:
    async def scenario() -> None:
        network = await network_with_rows(5, "310115")
        await network.settle()
        await network["310000"].publishing.set_audience(BASE, parse_audience("330100"))
        await network["310000"].publishing.publish(BASE, [row(9)])
        await network.settle()
        assert held_at(network, "330100").records == 6
        left = held_at(network, "310115")
        assert (left.records, left.log.size, network["310115"].answering.state_of(left)) == (0, 3, "left")
        assert list(network["310115"].answering.records(code_of(1), "", 0)) == []
        await network["310000"].publishing.set_audience(BASE, parse_audience("330100,310115"))
        await network.settle()
        assert held_at(network, "310115").records == 6
        assert held_at(network, "310115").log.root == held_at(network, "310000").log.root

    run(scenario())


def test_a_withheld_body_blocks_no_later_entry_and_is_fetched_elsewhere() -> None:
    def strip(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        return replace(signed, body=None) if (sender, receiver, signed.index) == ("310000", "310115", 1) else signed

    async def scenario() -> None:
        network = await network_with_rows()
        network.tamper = strip
        await network.sync("310115", "310000")
        await network["310000"].publishing.set_audience(BASE, parse_audience("everyone"))
        await network.sync("310115", "310000")
        held = held_at(network, "310115")
        assert (held.log.size, held.applied_size, held.incomplete_bodies) == (3, 1, 1)
        receipt = network["310115"].world.store.receipt(BASE, "310115")
        assert receipt is not None
        assert list(receipt.receipt.message.withheld) == [1]
        await network.settle()
        held = held_at(network, "310115")
        assert (held.applied_size, held.records, held.incomplete_bodies) == (3, 10, 0)

    run(scenario())


def test_g9_a_bare_commitment_is_not_taken_for_an_erasure_without_the_origins_word() -> None:
    def fake_erasure(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        if sender != "310115" or signed.body is None or signed.index != 1:
            return signed
        body = channel_pb2.EntryBody.FromString(signed.body)
        slot = body.slots[0]
        slot.CopyFrom(channel_pb2.Slot(commitment=commitment(slot.salt, slot.record)))
        return replace(signed, body=body.SerializeToString())

    async def scenario() -> None:
        network = await network_with_rows()
        await network.sync("310115", "310000")
        network.tamper = fake_erasure
        await network.sync("330100", "310115")
        held = held_at(network, "330100")
        assert (held.log.size, held.applied_size, held.incomplete_bodies) == (2, 1, 1)
        await network.settle()
        assert held_at(network, "330100").records == 10

    run(scenario())


def test_g9_erasure_reaches_every_holder_and_breaks_no_proof() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        await network["310000"].publishing.erase(BASE, Place(0, 1, 3), "沪更〔2026〕1号", "数据有误")
        await network.settle()
        late = network.start("310115")
        await network.settle()
        for node in network.nodes.values():
            assert names_at(node, 4) == []
            held = node.answering.channel(BASE)
            assert (held.records, held.applied_size, held.incomplete_bodies) == (9, 3, 0)
            assert held.log.root == held_at(network, "310000").log.root
        assert late.answering.outcomes(late.answering.channel(BASE))[ERASED, ""] == 1

    run(scenario())


def forked(network: Network, origin: SigningNode) -> SignedEntry:
    """Another entry 1 over the same history, signed by the origin itself."""
    first = next(network["310000"].sharing.entries("310115", BASE, 0, 1, None))
    header = channel_pb2.EntryHeader.FromString(first.envelope.payload)
    header.issued_at_unix_ms += 1
    envelope = origin.seal(header.SerializeToString(), first.envelope.payload_type)
    return replace(first, envelope=envelope)


def test_g6_two_histories_are_found_by_any_two_holders_and_close_the_origin() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.sync("310115", "310000")
        first = next(network["310000"].sharing.entries("330100", BASE, 0, 0, None))
        await network["330100"].receive([first])
        await network["330100"].receive([forked(network, network.signing["310000"])])
        with pytest.raises(XinqiaoError, match="EQUIVOCATION"):
            await network["330100"].receive(list(network["310115"].sharing.entries("330100", BASE, 0, 1, None)))
        await network.settle()
        for node in ("310115", "330100"):
            assert network[node].world.store.equivocations_since(0)
            assert held_at(network, node).log.quarantined
        network.tamper = None
        log = held_at(network, "310115").log
        header = channel_pb2.EntryHeader.FromString(first.envelope.payload)
        header.index, header.prev_root, header.kind = 2, log.root, channel_pb2.ENTRY_KIND_RECORDS
        header.ClearField("manifest")
        sealed = network.signing["310000"].seal(header.SerializeToString(), first.envelope.payload_type)
        with pytest.raises(XinqiaoError, match="EQUIVOCATION"):
            await network["310115"].receive([replace(first, index=2, envelope=sealed)])
        with pytest.raises(XinqiaoError, match="EQUIVOCATION"):
            await network["310000"].publishing.publish(BASE, [row(50)])

    run(scenario())


def test_g6_a_continuation_of_another_history_is_proof_too() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        first = next(network["310000"].sharing.entries("330100", BASE, 0, 0, None))
        second = next(network["310000"].sharing.entries("330100", BASE, 0, 1, None))
        await network["330100"].receive([first])
        header = channel_pb2.EntryHeader.FromString(second.envelope.payload)
        header.prev_root = b"\x07" * 32
        sealed = network.signing["310000"].seal(header.SerializeToString(), second.envelope.payload_type)
        with pytest.raises(XinqiaoError, match="EQUIVOCATION"):
            await network["330100"].receive([replace(second, envelope=sealed)])
        assert network["330100"].world.store.equivocations_since(0)[0].index == 1

    run(scenario())


def test_g6_an_honest_origin_is_not_framed() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        stranger = make_node("999999")
        entry = next(network["310000"].sharing.entries("310115", BASE, 0, 1, None))
        reencoded = envelope_pb2.Envelope.FromString(entry.envelope.SerializeToString())
        reencoded.signatures.append(stranger.seal(entry.envelope.payload, entry.envelope.payload_type).signatures[0])
        assert (await network["310115"].receive([replace(entry, envelope=reencoded)])).size == 2
        header = channel_pb2.EntryHeader.FromString(entry.envelope.payload)
        header.issued_at_unix_ms += 1
        foreign = stranger.seal(header.SerializeToString(), entry.envelope.payload_type)
        foreign.signatures[0].keyid = network.signing["310000"].signer.key_id
        with pytest.raises(XinqiaoError, match="ENTRY_SIGNATURE"):
            await network["310115"].receive([replace(entry, envelope=foreign)])
        for node in network.nodes.values():
            assert not node.world.store.equivocations_since(0)
            assert not node.answering.channel(BASE).log.quarantined

    run(scenario())


def test_g2_one_senseless_entry_does_not_stop_the_next() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        publishing = network["310000"].publishing
        log = held_at(network, "310000").log
        header = publishing._header(log, channel_pb2.ENTRY_KIND_LIST)
        body = publishing._body(header, [b"nonsense"])
        await publishing._append(log, header, body, Lane.BULK)
        await publishing.publish(BASE, [row(11)])
        await network.settle()
        for node in network.nodes.values():
            held = node.answering.channel(BASE)
            assert (held.applied_size, held.records) == (4, 11)

    run(scenario())


def suspended(network: Network, node: str, *heads: tuple[str, int, HeadAt]) -> dict[str, object]:
    leaves = frozenset(head_leaf(channel, epoch, head) for channel, epoch, head in heads)
    return {"standing": Standing.SUSPENDED, "reason": "测试", "cut": Cut(leaves)}


def test_a_suspended_origin_is_valid_up_to_its_cut_and_refused_above_it() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.sync("310115", "310000")
        log = held_at(network, "310000").log
        await network["310000"].publishing.publish(BASE, [row(11)])
        await network.sync("310115", "310000")
        await network.relist("310000", **suspended(network, "310000", (BASE, 0, HeadAt(log.size, log.root))))
        held = held_at(network, "310115")
        assert (held.log.size, held.log.cut, held.records) == (3, HeadAt(2, log.root), 10)
        assert names_at(network["310115"], 11) == []
        with pytest.raises(XinqiaoError, match="MEMBER_SUSPENDED"):
            await network.sync("310000", "310115")
        # 330100 held nothing: it gets what lies below the cut from 310115, and nothing above it.
        await network.sync("330100", "310115")
        await network.sync("330100", "310115")
        held = held_at(network, "330100")
        assert (held.log.size, held.records, network["330100"].answering.state_of(held)) == (2, 10, "cut")

    run(scenario())


def test_a_reinstated_origin_goes_on_in_a_new_epoch_that_cites_the_cut() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        log = held_at(network, "310000").log
        await network.relist("310000", **suspended(network, "310000", (BASE, 0, HeadAt(log.size, log.root))))
        await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
        outcomes = await network["310000"].publishing.publish(BASE, [row(1), row(12)])
        assert [outcome.kind.value for outcome in outcomes] == ["duplicate", "accepted"]
        await network.settle()
        for node in network.nodes.values():
            held = node.answering.channel(BASE)
            assert (held.log.epoch, held.log.size) == (1, 2)
            assert held.manifest.resumes.size == 2
            assert node.answering.record_count(BASE) == 11

    run(scenario())


def test_g7_a_node_restored_from_a_backup_appends_nothing_until_its_peers_gave_its_history_back() -> None:
    async def scenario() -> None:
        network = await network_with_rows(3)
        await network.settle()
        store = network["310000"].world.store
        assert isinstance(store, MemoryStore)
        backup = store.copy()
        await network["310000"].publishing.publish(BASE, [row(4)])
        await network.settle()
        root = held_at(network, "310000").log.root
        restored = network.start("310000", backup, network.sidecars["310000"])
        with pytest.raises(XinqiaoError, match="RESTORED"):
            await restored.publishing.publish(BASE, [row(5)])
        await network.sync("310000", "310115")
        assert held_at(network, "310000").log.root == root
        await restored.publishing.publish(BASE, [row(5)])
        await network.settle()
        assert {held_at(network, node).records for node in network.nodes} == {5}
        assert not any(node.world.store.equivocations_since(0) for node in network.nodes.values())

    run(scenario())


def test_g7_without_its_sidecar_a_node_asks_every_member_before_it_appends() -> None:
    async def scenario() -> None:
        network = await network_with_rows(3)
        await network.settle()
        store = network["310000"].world.store
        assert isinstance(store, MemoryStore)
        restored = network.start("310000", store, MemorySidecar(lost=True))
        await restored.refresh_registry()
        for peer in ("310115", "330100"):
            with pytest.raises(XinqiaoError, match="RESTORED"):
                await restored.publishing.publish(BASE, [row(5)])
            await network.sync("310000", peer)
        await restored.publishing.publish(BASE, [row(5)])

    run(scenario())


def test_g5_freshness_follows_only_what_is_applied() -> None:
    def strip(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        return replace(signed, body=None) if signed.index == 1 and receiver == "310115" else signed

    async def scenario() -> None:
        network = await network_with_rows()
        network.tamper = strip
        await network["310000"].beat()
        await network.sync("310115", "310000")
        assert held_at(network, "310115").fresh_at_ms == 0
        network.tamper = None
        await network.settle()
        assert held_at(network, "310115").fresh_at_ms == network.clock.time_ms

    run(scenario())


def test_a_clock_off_by_an_hour_is_refused_by_name() -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        slow = network["330100"]
        late = FakeClock()
        late.time_ms = network.clock.time_ms - 3_600_000
        slow.delivery._clock = late
        with pytest.raises(XinqiaoError, match="CLOCK_SKEW") as caught:
            await network.sync("330100", "310000")
        assert caught.value.parameters["skew_s"] in ("3600", "-3600")

    run(scenario())


def test_a_key_rotation_interrupts_nothing_and_old_entries_stay_valid() -> None:
    async def scenario() -> None:
        network = await network_with_rows(3, "310115,330100")
        await network.sync("310115", "310000")
        before, after = network.signing["310000"], make_node("310000")
        old = before.member.descriptor.message.signing_keys[0]
        new = after.member.descriptor.message.signing_keys[0]
        network.signing["310000"] = list_keys(after, [old, new], before, after)
        await network.publish_registry()
        await network["310000"].publishing.publish(BASE, [row(4)])
        retired = registry_pb2.SigningKey()
        retired.CopyFrom(old)
        retired.state = registry_pb2.KEY_STATE_RETIRED
        network.signing["310000"] = list_keys(after, [retired, new], after)
        await network.publish_registry()
        await network["310000"].beat()
        # 330100 starts now: the entries by the retired key are covered by a heartbeat of the new one.
        await network.settle()
        assert held_at(network, "330100").records == 4
        assert held_at(network, "310115").records == 4

    run(scenario())


def test_a_no_op_sync_of_twenty_shared_channels_stays_under_8_kib() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        for number in range(20):
            await network["310000"].publishing.create_channel(f"base-{number}", manifest())
            await network["310000"].publishing.publish(f"310000/base-{number}", [row(number + 1)])
        await network.settle(4)
        before = network.bytes_moved
        await network.sync("310115", "310000")
        idle = network.bytes_moved - before
        await network["310000"].beat()
        before = network.bytes_moved
        await network.sync("310000", "310115")
        with_heartbeat = network.bytes_moved - before
        print("no-op", idle, "with a heartbeat", with_heartbeat)
        assert idle < 1024
        assert with_heartbeat < 8 * 1024

    run(scenario())
