"""Heartbeats, receipts, addresses and erasures as members send them: only what can be true is kept."""

from dataclasses import replace
from typing import Any

from node.core import envelope as envelopes
from node.core.channel import HeadAt
from node.core.limits import NUMBERS_END
from node.core.state import Erasure, Place
from node.pb import channel_pb2, envelope_pb2
from tests.builders import NETWORK, NOW_MS, make_address, make_heartbeat, make_node, make_receipt
from tests.duties.hostile import BASE, assert_sound, base_of, refused, run_of, without_body
from tests.duties.receiving import network_of, run
from tests.duties.rows import code_of, manifest, row


def test_heartbeats_of_others_from_the_future_or_with_forged_heads_change_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        origin, head = network.signing["310000"], {(BASE, 0): writer.head}
        stranger = make_heartbeat(make_node("310000"), head, NOW_MS).view
        assert await refused(node.receiving.take_heartbeat(stranger)) == "SIGNATURE"
        unlisted = make_heartbeat(make_node("999999"), {("999999/base", 0): writer.head}, NOW_MS).view
        assert await refused(node.receiving.take_heartbeat(unlisted)) == "HEARTBEAT"
        future = make_heartbeat(origin, head, NOW_MS + 200_000).view
        network.clock.time_ms -= 200_000
        assert await refused(node.receiving.take_heartbeat(future)) == "HEARTBEAT"
        network.clock.time_ms += 200_000
        forged = channel_pb2.HeartbeatView.FromString(future.SerializeToString())
        forged.heads[0].head.size = 2
        assert await refused(node.receiving.take_heartbeat(forged)) == "HEARTBEAT"
        assert (node.world.store.heartbeats_since(0), node.answering.channel(BASE).fresh_at_ms) == ([], 0)
        await node.receiving.take_heartbeat(future)
        assert node.answering.channel(BASE).fresh_at_ms == NOW_MS + 200_000
        await node.receiving.take_heartbeat(make_heartbeat(origin, head, NOW_MS).view)
        assert node.answering.channel(BASE).fresh_at_ms == NOW_MS + 200_000

    run(scenario())


def test_g6_a_heartbeat_over_another_history_is_an_alarm_and_freshens_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        lie = {(BASE, 0): HeadAt(2, b"\x02" * 32)}
        await node.receiving.take_heartbeat(make_heartbeat(network.signing["310000"], lie, NOW_MS).view)
        held = node.answering.channel(BASE)
        assert (held.fresh_at_ms, held.log.covered) == (0, None)
        assert [alarm.code for alarm in node.answering.alarms()] == ["HEARTBEAT"]
        assert_sound(node)

    run(scenario())


def test_g5_a_silent_origin_does_not_stay_fresh_by_old_heartbeats_played_again() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        beats = [
            make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head}, NOW_MS + at * 1000) for at in range(3)
        ]
        for beat in beats:
            await node.receiving.take_heartbeat(beat.view)
        network.clock.time_ms += 86_400_000
        for beat in [*beats, *beats]:
            await node.receiving.take_heartbeat(beat.view)
        assert node.answering.channel(BASE).fresh_at_ms == NOW_MS + 2000

    run(scenario())


def test_receipts_beyond_what_exists_over_other_histories_or_of_strangers_are_not_kept() -> None:
    async def scenario() -> None:
        network = network_of()
        origin = network["310000"]
        await origin.publishing.create_channel("base", manifest("310115"))
        await origin.publishing.publish(BASE, [row(1)])
        log = origin.answering.channel(BASE).log

        async def offered(node: str, **changes: Any) -> list[str]:
            receipt = make_receipt(network.signing[node], replace(log, **changes), applied_size=0)
            refusals = await origin.take_receipts([receipt.envelope])
            return [refusal.code for refusal in refusals]

        assert await offered("310115", size=3) == ["RECEIPT"]
        assert await offered("310115", size=NUMBERS_END - 1) == ["RECEIPT"]
        assert await offered("310115", root=b"\x01" * 32) == ["RECEIPT"]
        assert await offered("310115", epoch=1) == []
        assert await offered("330100") == []
        assert await offered("310115", channel="310000/other") == []
        assert origin.world.store.receipts_of("310115") == []
        assert origin.world.store.receipts_of("330100") == []
        assert await offered("310115") == []
        assert len(origin.world.store.receipts_of("310115")) == 1
        huge = channel_pb2.Receipt(
            network=NETWORK, subscriber="310115", channel=BASE, epoch=NUMBERS_END, size=NUMBERS_END, root=log.root
        )
        sealed = network.signing["310115"].seal(huge.SerializeToString(), envelopes.RECEIPT)
        assert [refusal.code for refusal in await origin.take_receipts([sealed, envelope_pb2.Envelope()])] == [
            "RECEIPT",
            "RECEIPT",
        ]

    run(scenario())


def test_nobody_moves_the_address_of_another_and_an_older_one_does_not_come_back() -> None:
    async def scenario() -> None:
        network = network_of()
        node = network["310115"]
        _, first = make_address(network.signing["310000"], 5, "127.0.0.1:1")
        await node.receiving.take_address(first)
        _, older = make_address(network.signing["310000"], 4, "127.0.0.1:2")
        await node.receiving.take_address(older)
        _, forged = make_address(make_node("310000"), 9, "127.0.0.1:3")
        assert await refused(node.receiving.take_address(forged)) == "SIGNATURE"
        _, huge = make_address(network.signing["310000"], (1 << 64) - 1, "127.0.0.1:4")
        assert await refused(node.receiving.take_address(huge)) == "ADDRESS"
        held = node.world.store.address("310000")
        assert held is not None
        assert held.record.exchange_endpoint == "127.0.0.1:1"

    run(scenario())


def test_g9_an_erasure_that_comes_before_its_target_holds_when_the_body_arrives() -> None:
    async def scenario() -> None:
        network = network_of()
        origin = network["310000"].publishing
        await origin.create_channel("base", manifest())
        await origin.publish(BASE, [row(1), row(2)])
        whole = list(network["310000"].sharing.entries("310115", BASE, 0, 0, None))
        await origin.erase(BASE, Place(0, 1, 0), "沪更〔2026〕1号", "数据有误")
        erasure = list(network["310000"].sharing.entries("310115", BASE, 0, 2, None))
        node = network["310115"]
        await node.receive([whole[0], without_body(whole[1]), *erasure])
        # Somebody still has the old copy, and hands it over.
        await node.receive([whole[1]])
        held = node.answering.channel(BASE)
        assert (held.applied_size, held.records, held.incomplete_bodies) == (3, 1, 0)
        assert list(node.answering.records(code_of(1), "", 0)) == []
        stored = node.world.store.entry(BASE, 0, 1)
        assert stored is not None
        assert code_of(1).encode() not in (stored.body or b"")
        assert_sound(node)

    run(scenario())


def test_g9_an_erasure_that_names_another_commitment_hides_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network, rows=1)
        writer.erase(Erasure(Place(0, 1, 0), b"\x01" * 32))
        entries = run_of(writer)
        await node.receive([entries[0], without_body(entries[1]), entries[2]])
        assert node.answering.channel(BASE).incomplete_bodies == 1
        await node.receive([entries[1]])
        held = node.answering.channel(BASE)
        assert (held.records, held.applied_size, held.incomplete_bodies) == (1, 3, 0)

    run(scenario())
