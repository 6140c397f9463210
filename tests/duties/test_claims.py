"""What peers claim to hold: no claim fills anything here, and each is asked about only as far as it can be true."""

from dataclasses import replace

import pytest

from node.core.channel import HeadAt
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2
from tests.builders import NOW_MS, make_address, make_heartbeat
from tests.duties.delivering import Head, claims, invented, meeting, run, tables_of
from tests.duties.hostile import BASE, assert_sound, base_of, refused, run_of

# --- What a peer claims ---------------------------------------------------------------------------------------------


def test_g12_claims_of_invented_logs_fill_nothing_and_leave_one_alarm() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        for round_ in range(5):
            peer.response = claims(*invented(400, round_ * 400))
            await node.delivery.sync_once("330100")
        sizes = tables_of(node)
        assert sizes.pop("alarms") == 1
        # What is known of the peer is what its last Hello said.
        assert sizes.pop("known") == 400
        assert set(sizes.values()) == {0}
        assert node.answering.alarms()[0].code == "HEAD_FALSE"
        assert_sound(node)

    run(scenario())


ABSURD = [
    Head(channel="310000/a", size=NUMBERS_END, root=b"\x01" * 32),
    Head(channel="310000/a", epoch=(1 << 64) - 1, size=1, root=b"\x01" * 32),
    Head(channel="310000/a", epoch=1, size=1, root=b"\x01" * 32),
    Head(channel="310000/a", size=1, root=b"short"),
    Head(channel="310000/" + "a" * 5000, size=1, root=b"\x01" * 32),
    Head(channel="999999/a", size=1, root=b"\x01" * 32),
    Head(channel="", size=1, root=b"\x01" * 32),
    Head(channel="../../etc/passwd", size=1, root=b"\x01" * 32),
    Head(),
]


def test_claims_that_cannot_be_are_not_even_asked_for() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        peer.response = claims(*ABSURD)
        await node.delivery.sync_once("330100")
        assert [call for call in peer.calls if call.startswith("pull")] == []
        assert node.answering.alarms() == []

    run(scenario())


def test_a_peer_that_always_claims_more_than_it_gives_costs_one_question_a_hello() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        await node.receive(run_of(base_of(network)))
        peer.response = claims(Head(channel=BASE, size=9, root=b"\x09" * 32))
        for _ in range(5):
            await node.delivery.sync_once("330100")
        assert [call for call in peer.calls if call.startswith("pull")] == [f"pull {BASE} 0/4"] * 5
        (alarm,) = node.answering.alarms()
        assert (alarm.code, alarm.subject, alarm.count) == ("HEAD_FALSE", f"{BASE} 0 from 330100", 5)

    run(scenario())


def test_a_false_root_is_asked_about_and_accuses_nobody() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        await node.receive(run_of(writer))
        peer.response = claims(Head(channel=BASE, size=3, root=b"\x09" * 32))
        peer.entries = run_of(writer, 2, 3)
        await node.delivery.sync_once("330100")
        assert f"pull {BASE} 0/2" in peer.calls
        held = node.answering.channel(BASE)
        assert (held.log.size, held.log.quarantined, node.answering.alarms()) == (4, False, [])

    run(scenario())


def test_a_peer_that_gives_other_entries_than_asked_is_refused_and_the_rest_goes_on() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer, other = base_of(network), base_of(network, "330100")
        peer.response = claims(
            Head(channel=BASE, size=4, root=writer.log.root), Head(channel="330100/base", size=4, root=other.log.root)
        )
        peer.entries = run_of(other)
        await node.delivery.sync_once("330100")
        assert [held.log.channel for held in node.world.store.channels()] == ["330100/base"]
        peer.entries = [*run_of(other), *run_of(writer)]
        await node.delivery.sync_once("330100")
        assert [alarm.code for alarm in node.answering.alarms()] == ["FRAME"]
        assert_sound(node)

    run(scenario())


# --- Hello ------------------------------------------------------------------------------------------------------------


def test_a_hello_full_of_nonsense_is_answered_and_counted() -> None:
    async def scenario() -> None:
        network, node, _ = meeting()
        bad_beat = channel_pb2.HeartbeatView(heartbeat=envelope_pb2.Envelope(payload=b"\xff"))
        good = make_heartbeat(network.signing["310000"], {("310000/a", 0): HeadAt(1, b"\x01" * 32)}, NOW_MS).view
        _, address = make_address(network.signing["330100"], 5)
        request = exchange_service_pb2.HelloRequest(
            network=node.membership.network,
            time_unix_ms=NOW_MS,
            shared_digest=b"?",
            heartbeats=[bad_beat, good, channel_pb2.HeartbeatView()],
            addresses=[envelope_pb2.Envelope(), address],
            equivocations=[channel_pb2.Equivocation()],
            cursor=exchange_service_pb2.Cursor(
                incarnation=node.world.store.incarnation(),
                heartbeats=(1 << 64) - 1,
                addresses=(1 << 64) - 1,
                receipts=(1 << 64) - 1,
                equivocations=(1 << 64) - 1,
            ),
        )
        await node.hello("330100", request)
        assert node.world.store.heartbeat("310000") is not None
        assert node.world.store.address("330100") is not None
        assert node.delivery.refused_news == 4

    run(scenario())


def test_g12_of_vectors_longer_than_the_limits_the_rest_is_passed_over() -> None:
    async def scenario() -> None:
        limits = replace(
            DEFAULT_LIMITS, max_heartbeats_per_hello=1, max_addresses_per_hello=1, max_equivocations_per_hello=1
        )
        network, node, _ = meeting(limits=limits)
        beats = [make_heartbeat(network.signing[each], {}, NOW_MS).view for each in ("310000", "330100")]
        addresses = [make_address(network.signing[each], 1)[1] for each in ("310000", "330100")]
        await node.hello(
            "330100",
            exchange_service_pb2.HelloRequest(
                network=node.membership.network,
                time_unix_ms=NOW_MS,
                heartbeats=beats,
                addresses=addresses,
                equivocations=[channel_pb2.Equivocation()] * 50,
            ),
        )
        store = node.world.store
        assert (len(store.heartbeats_since(0)), len(store.addresses_since(0))) == (1, 1)
        assert node.delivery.refused_news == 1

    run(scenario())


@pytest.mark.parametrize("time_ms", [0, 1, -(1 << 63), (1 << 63) - 1, NOW_MS + 300_001, NOW_MS - 300_001])
def test_a_clock_that_is_off_is_refused_on_both_sides_and_breaks_nothing(time_ms: int) -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        request = exchange_service_pb2.HelloRequest(network=node.membership.network, time_unix_ms=time_ms)
        assert await refused(node.hello("330100", request)) == "CLOCK_SKEW"
        peer.response = exchange_service_pb2.HelloResponse(time_unix_ms=time_ms)
        assert await refused(node.delivery.sync_once("330100")) == "CLOCK_SKEW"
        assert abs(node.world.store.link("330100").clock_skew_ms) <= 1 << 62
        wrong = exchange_service_pb2.HelloRequest(network="other" * 100, time_unix_ms=NOW_MS)
        assert await refused(node.hello("330100", wrong)) == "HELLO_NETWORK"
        assert network.nodes["310115"] is node

    run(scenario())
