"""What was refused does not move again as things stand, and moves at once when they change."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, from_refusal
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Standing
from node.links import Link, Work
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2
from node.ports import Lane, PushAnswer
from node.refusals import ASK_AGAIN_MS, CONTROL_AGAIN_MS, Extent, Refusals
from tests.builders import NOW_MS, ChannelWriter, list_keys, make_heartbeat, make_node, signing_key
from tests.duties.hostile import OnePeer, ScriptedPeer, base_of, refused, run_of, signed_of, write_row
from tests.duties.rows import manifest, row
from tests.duties.test_awaiting_cuts import carried
from tests.duties.test_exchange import BASE, network_with_rows, suspended
from tests.wire import Network

ORIGIN, READER, HOLDER = "310000", "310115", "330100"
INTERVAL_MS = 60_000
Moved = list[tuple[str, str, int]]
Change = Callable[[Network], Awaitable[None]]
both_ways = pytest.mark.parametrize("caller", [ORIGIN, READER])


def size_at(network: Network, node: str, channel: str = BASE) -> int:
    held = network[node].world.store.channel(channel)
    return held.log.size if held is not None else 0


async def meet(network: Network, caller: str) -> None:
    await network.sync(caller, READER if caller == ORIGIN else ORIGIN)


async def without_room(count: int = 10, priority: channel_pb2.Priority = channel_pb2.PRIORITY_BULK) -> Network:
    """The reader has no room for another log of the origin, whatever it is sent; neither side can see that change."""
    network = Network(ORIGIN, READER, HOLDER)
    chosen = manifest()
    chosen.priority = priority
    await network[ORIGIN].publishing.create_channel("base", chosen)
    for serial in range(1, count + 1):
        await network[ORIGIN].publishing.publish(BASE, [row(serial)])
    make_room(network, 0)
    return network


def make_room(network: Network, logs: int) -> None:
    network[READER].receiving._limits = replace(DEFAULT_LIMITS, max_channels_per_origin=logs)


# --- What stays refused ---------------------------------------------------------------------------------------------


@both_ways
def test_what_was_refused_moves_again_with_one_entry_and_after_twice_as_long_each_time(caller: str) -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await meet(network, READER)
        for serial in range(100, 110):
            await network[ORIGIN].publishing.publish(BASE, [row(serial)])
        moved, tried_s = forging(network), []
        for second in range(0, 3600, 10):
            network.clock.time_ms = NOW_MS + second * 1000
            moved.clear()
            await meet(network, caller)
            if second == 0:
                assert moved
            elif moved:
                tried_s.append(second)
                assert moved == [(ORIGIN, READER, 2)]
        assert tried_s == [60, 180, 420, 900, 1500, 2100, 2700, 3300]
        assert ASK_AGAIN_MS == 600_000

    asyncio.run(scenario())


def forging(network: Network) -> Moved:
    """Every entry loses its signature from now on, whichever moves."""
    moved = carried(network)
    see = network.tamper
    assert see is not None
    network.tamper = lambda sender, receiver, signed: forged(see(sender, receiver, signed))
    return moved


@both_ways
def test_g4_a_log_that_is_new_here_is_asked_for_every_minute_as_it_may_be_a_list(caller: str) -> None:
    async def scenario() -> None:
        network = await without_room()
        await meet(network, caller)
        moved = carried(network)
        for _ in range(10):
            network.clock.time_ms += CONTROL_AGAIN_MS
            await meet(network, READER)
        assert moved == [(ORIGIN, READER, 0)] * 10

    asyncio.run(scenario())


@both_ways
def test_g4_a_control_log_that_was_refused_never_waits_for_more_than_a_minute(caller: str) -> None:
    async def scenario() -> None:
        network = await without_room(3, channel_pb2.PRIORITY_CONTROL)
        await meet(network, caller)
        make_room(network, 1)
        network.clock.time_ms += INTERVAL_MS
        await meet(network, caller)
        assert size_at(network, READER) == 4
        forging(network)
        await network[ORIGIN].publishing.publish(BASE, [row(100)])
        for _ in range(20):
            network.clock.time_ms += INTERVAL_MS
            await meet(network, caller)
        moved = carried(network)
        network.clock.time_ms += CONTROL_AGAIN_MS - 1
        await meet(network, caller)
        assert moved == []
        network.clock.time_ms += 1
        await meet(network, caller)
        assert size_at(network, READER) == 5

    asyncio.run(scenario())


@pytest.mark.parametrize(("is_quarantined", "extent"), [(False, Extent.ONE), (True, Extent.NOTHING)])
def test_a_control_log_with_two_histories_waits_as_long_as_any_other(is_quarantined: bool, extent: Extent) -> None:
    """Nothing new of it is taken, a removal neither, before the registry says more; and that moves it at once."""

    async def scenario() -> None:
        network = await network_with_rows()
        world, link = network[ORIGIN].world, Link(READER)
        await world.writer.run(Lane.CONTROL, lambda tx: tx.set_quarantined(ORIGIN, is_quarantined))
        refusals = Refusals(
            view=network[ORIGIN].membership, store=world.store, clock=network.clock, first_ms=INTERVAL_MS
        )
        standing = refusals.standing(link, (BASE, 0), Work(pulls=False, start=1))
        for _ in range(5):
            refusals.note(link, (BASE, 0), standing)
        network.clock.time_ms += CONTROL_AGAIN_MS
        assert refusals.extent(link, Lane.CONTROL, (BASE, 0), standing) is extent
        network.clock.time_ms += ASK_AGAIN_MS
        assert refusals.extent(link, Lane.CONTROL, (BASE, 0), standing) is Extent.ONE

    asyncio.run(scenario())


def forged(signed: SignedEntry) -> SignedEntry:
    """The same entry under a signature that is nobody's."""
    signature = envelope_pb2.Signature(keyid="ab" * 32, sig=bytes(64))
    return replace(
        signed,
        envelope=envelope_pb2.Envelope(
            payload=signed.envelope.payload, payload_type=signed.envelope.payload_type, signatures=[signature]
        ),
    )


@both_ways
def test_an_entry_that_is_taken_after_all_brings_all_others_in_the_same_round(caller: str) -> None:
    async def scenario() -> None:
        network = await without_room(70)
        await meet(network, caller)
        make_room(network, 1)
        await meet(network, caller)
        assert size_at(network, READER) == 0
        network.clock.time_ms += INTERVAL_MS
        moved = carried(network)
        await meet(network, caller)
        assert size_at(network, READER) == 71
        assert [index for _, _, index in moved] == list(range(71))

    asyncio.run(scenario())


@both_ways
def test_a_log_that_one_side_has_closed_and_the_other_has_not_costs_a_comparison(caller: str) -> None:
    """The reader knows of two histories, the holder has no proof of them that counts today."""

    async def scenario() -> None:
        network = await network_with_rows()
        await network[ORIGIN].publishing.publish(BASE, [row(100)])
        await network.sync(HOLDER, ORIGIN)
        network.down.add(ORIGIN)
        await network[READER].world.writer.run(Lane.CONTROL, lambda tx: tx.set_quarantined(ORIGIN, True))
        ends = (READER, HOLDER) if caller == READER else (HOLDER, READER)
        await network.sync(*ends)
        moved, bytes_before = carried(network), network.bytes_moved
        for _ in range(5):
            await network.sync(*ends)
        assert moved == []
        assert network.bytes_moved - bytes_before < 5 * 2048
        assert size_at(network, READER) == 0

    asyncio.run(scenario())


# --- What changes it ------------------------------------------------------------------------------------------------


async def with_a_key_that_the_reader_does_not_know() -> tuple[Network, Change]:
    network = await network_with_rows()
    await network.settle()
    network.down.add(READER)
    network.signing[ORIGIN] = make_node(ORIGIN)
    await network.publish_registry()
    network.down.clear()
    await network[ORIGIN].publishing.publish(BASE, [row(100)])

    async def change(network: Network) -> None:
        await network[READER].refresh_registry()

    return network, change


async def with_a_retired_key_and_no_heartbeat_by_the_next() -> tuple[Network, Change]:
    network = await network_with_rows()
    await rotate(network)

    async def change(network: Network) -> None:
        await network[ORIGIN].beat()

    return network, change


async def rotate(network: Network, state: int = registry_pb2.KEY_STATE_RETIRED) -> None:
    """Give the origin another key, as everybody reads in the registry."""
    before, after = network.signing[ORIGIN], make_node(ORIGIN)
    retired = signing_key(before.signer, state)
    network.signing[ORIGIN] = list_keys(after, [retired, signing_key(after.signer)], after)
    await network.publish_registry()


async def without_a_cut() -> tuple[Network, Change]:
    network = await network_with_rows()
    await network.relist(ORIGIN, **suspended(network, ORIGIN))
    await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
    log = network[ORIGIN].world.store.log(BASE, 0)

    async def change(network: Network) -> None:
        cut = suspended(network, ORIGIN, (BASE, 0, HeadAt(log.size, log.root)))["cut"]
        await network.relist(ORIGIN, cut=cut)

    return network, change


async def with_a_log_that_grows() -> tuple[Network, Change]:
    network = await without_room()

    async def change(network: Network) -> None:
        make_room(network, 1)
        await network[ORIGIN].publishing.publish(BASE, [row(100)])

    return network, change


async def with_a_peer_that_starts_anew() -> tuple[Network, Change]:
    network = await without_room()

    async def change(network: Network) -> None:
        for node in (ORIGIN, READER):
            network.start(node, network[node].world.store)

    return network, change


CHANGES = [
    with_a_key_that_the_reader_does_not_know,
    with_a_retired_key_and_no_heartbeat_by_the_next,
    without_a_cut,
    with_a_log_that_grows,
    with_a_peer_that_starts_anew,
]


@both_ways
@pytest.mark.parametrize("situation", CHANGES)
def test_what_was_refused_moves_at_once_when_something_has_changed(
    situation: Callable[[], Awaitable[tuple[Network, Change]]], caller: str
) -> None:
    async def scenario() -> None:
        network, change = await situation()
        before = size_at(network, READER)
        # Often enough that it would wait for long.
        for _ in range(8):
            await meet(network, caller)
            network.clock.time_ms += ASK_AGAIN_MS
            assert size_at(network, READER) == before
        await meet(network, caller)
        moved = carried(network)
        await meet(network, caller)
        assert moved == []
        await change(network)
        await meet(network, caller)
        assert (ORIGIN, READER, before) in moved
        assert size_at(network, READER) == size_at(network, ORIGIN) > before

    asyncio.run(scenario())


def test_a_reader_that_has_started_anew_is_offered_again_what_it_had_refused() -> None:
    async def scenario() -> None:
        network = await without_room()
        await meet(network, ORIGIN)
        network.start(READER, network[READER].world.store)
        await meet(network, ORIGIN)
        assert size_at(network, READER) == 11

    asyncio.run(scenario())


KNOWN = {
    "the cut of the epoch before": (1, lambda tx: tx.set_cut(BASE, 0, HeadAt(1, b"\x01" * 32))),
    "its own cut": (1, lambda tx: tx.set_cut(BASE, 1, HeadAt(1, b"\x01" * 32))),
    "two histories": (0, lambda tx: tx.set_quarantined(ORIGIN, True)),
    "a larger head that is signed": (0, lambda tx: tx.set_covered(BASE, 0, HeadAt(9, b"\x01" * 32))),
}


@pytest.mark.parametrize(("epoch", "learn"), KNOWN.values(), ids=KNOWN.keys())
def test_what_was_refused_stands_otherwise_when_this_becomes_known(epoch: int, learn: Callable[[Any], None]) -> None:
    async def scenario() -> None:
        network = await network_with_rows()
        await network.settle()
        reader, key, work = network[READER], (BASE, epoch), Work(pulls=True, start=0)
        link, standing = Link(ORIGIN), reader.delivery._refusals.standing
        before = standing(link, key, work)
        assert standing(link, key, work) == before
        with reader.world.store.transaction() as tx:
            learn(tx)
        assert standing(link, key, work) != before

    asyncio.run(scenario())


def test_what_a_peer_refused_stands_otherwise_when_it_holds_more_or_wants_another_proof() -> None:
    network = Network(ORIGIN, READER)
    link, standing = Link(READER), network[ORIGIN].delivery._refusals.standing
    found = [standing(link, (BASE, 0), Work(pulls=False, start=0))]
    link.ask_size((BASE, 0), "9")
    found.append(standing(link, (BASE, 0), Work(pulls=False, start=0)))
    link.known[BASE, 0] = 1
    found.append(standing(link, (BASE, 0), Work(pulls=False, start=0)))
    assert len(set(found)) == 3


def test_what_follows_may_confirm_an_entry_that_is_unconfirmed_alone() -> None:
    """The peer has not come as far as the head that is signed, so it proves nothing, but it has come to a new key."""

    async def scenario() -> None:
        network, node, peer = scripted()
        writer = base_of(network, rows=1)
        await rotate(network)
        writer.node = network.signing[ORIGIN]
        write_row(writer, 2)
        peer.response, peer.entries = claims(head_of(writer)), run_of(writer)
        await node.delivery.sync_once(HOLDER)
        assert node.world.store.channel(BASE) is None
        write_row(writer, 3)
        beat = make_heartbeat(writer.node, {(BASE, 0): HeadAt(writer.log.size, writer.log.root)}, NOW_MS)
        await node.receiving.take_heartbeat(beat.view)
        await node.delivery.sync_once(HOLDER)
        assert calls_of(peer, "pull") == ["pull 310000/base 0/0"] * 3
        assert node.answering.channel(BASE).log.size == 3

    asyncio.run(scenario())


def test_what_stays_unconfirmed_is_tried_with_one_entry_alone() -> None:
    async def scenario() -> None:
        network, node, peer = scripted()
        writer = base_of(network, rows=3)
        await rotate(network)
        beat = make_heartbeat(network.signing[ORIGIN], {(BASE, 0): HeadAt(9, b"\x09" * 32)}, NOW_MS)
        await node.receiving.take_heartbeat(beat.view)
        peer.response, peer.entries = claims(head_of(writer)), run_of(writer)
        await node.delivery.sync_once(HOLDER)
        peer.response.time_unix_ms = network.clock.time_ms = NOW_MS + INTERVAL_MS
        await node.delivery.sync_once(HOLDER)
        # Alone, with all others, and after a while alone.
        assert calls_of(peer, "pull", "prove") == ["pull 310000/base 0/0", "prove"] * 3
        assert node.world.store.channels() == []

    asyncio.run(scenario())


# --- What is no refusal, and what it costs --------------------------------------------------------------------------


def scripted(limits: Limits = DEFAULT_LIMITS) -> tuple[Network, Node, ScriptedPeer]:
    """A reader all of whose peers are one that answers what a test tells it to."""
    network = Network(ORIGIN, READER, HOLDER)
    network.limits = limits
    node, peer = network.start(READER), ScriptedPeer()
    node.delivery._peers = OnePeer(peer)
    return network, node, peer


def claims(*heads: channel_pb2.Head) -> exchange_service_pb2.HelloResponse:
    return exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS, heads=heads)


def calls_of(peer: ScriptedPeer, *names: str) -> list[str]:
    """The calls of these kinds since it was asked last."""
    found = [call for call in peer.calls if call.startswith(names)]
    peer.calls.clear()
    return found


@pytest.mark.parametrize("code", ["DISK_FULL", "RATE_LIMITED", "DRAINING", "DATABASE"])
def test_a_peer_that_has_no_room_or_no_time_just_now_has_refused_nothing(code: str) -> None:
    async def scenario() -> None:
        network, node, peer = scripted()
        await node.receive(run_of(base_of(network)))
        peer.response = claims()
        failing = envelope_pb2.Refusal(code=code, parameters=dict.fromkeys(("home", "what", "retry_s", "detail"), "1"))
        peer.answers = [PushAnswer(BASE, 0, 0, failing, None)]
        for _ in range(3):
            assert await refused(node.delivery.sync_once(HOLDER)) in (code, "PEER_FAILED")
            assert calls_of(peer, "push") == ["push"]
        peer.answers = [PushAnswer(BASE, 0, 4, None, None)]
        await node.delivery.sync_once(HOLDER)
        assert node.delivery._links[HOLDER].known == {(BASE, 0): 4}

    asyncio.run(scenario())


def test_a_disk_that_is_full_here_holds_up_nothing_when_it_has_room_again() -> None:
    async def scenario() -> None:
        network, node, peer = scripted()
        writer = base_of(network)
        peer.response, peer.entries = claims(head_of(writer)), run_of(writer)
        inner = node.receiving._writer

        class Full:
            async def run(self, _lane: object, _step: object) -> object:
                raise XinqiaoError("DISK_FULL", home="here")

        node.receiving._writer = Full()  # type: ignore[assignment]
        for _ in range(5):
            assert await refused(node.delivery.sync_once(HOLDER)) == "DISK_FULL"
        node.receiving._writer = inner
        await node.delivery.sync_once(HOLDER)
        assert node.answering.channel(BASE).log.size == 4

    asyncio.run(scenario())


def head_of(writer: ChannelWriter) -> channel_pb2.Head:
    return channel_pb2.Head(channel=writer.log.channel, size=writer.log.size, root=writer.log.root)


def test_a_peer_that_lied_is_believed_again_after_no_longer_than_it_has_lied() -> None:
    async def scenario() -> None:
        network, node, peer = scripted()
        writer, lied_s = base_of(network), 300
        peer.response = claims(head_of(writer))
        peer.entries = [forged(each) for each in run_of(writer)]
        for second in range(0, 2 * lied_s + 10, 10):
            if second == lied_s:
                assert node.world.store.channel(BASE) is None
                peer.entries = run_of(writer)
            peer.response.time_unix_ms = network.clock.time_ms = NOW_MS + second * 1000
            await node.delivery.sync_once(HOLDER)
        assert node.answering.channel(BASE).log.size == 4

    asyncio.run(scenario())


def test_g12_what_is_kept_of_refusals_is_no_more_than_the_peer_claims_now() -> None:
    async def scenario() -> None:
        _, node, peer = scripted()
        peer.pull_failure = from_refusal(envelope_pb2.Refusal(code="MADE_UP"))
        for round_ in range(5):
            names = [f"{ORIGIN}/x-{number}" for number in range(round_ * 300, round_ * 300 + 300)]
            peer.response = claims(*[channel_pb2.Head(channel=name, size=3, root=bytes(32)) for name in names])
            await node.delivery.sync_once(HOLDER)
            assert len(calls_of(peer, "pull")) == 300
            await node.delivery.sync_once(HOLDER)
            assert calls_of(peer, "pull") == []
            assert len(node.delivery._links[HOLDER].refused) == 300
        assert len(node.delivery._refusals._words) <= 3
        peer.response = exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS, in_step=True)
        await node.delivery.sync_once(HOLDER)
        assert node.delivery._links[HOLDER].refused == {}

    asyncio.run(scenario())


def log_of(network: Network, origin: str, priority: channel_pb2.Priority) -> ChannelWriter:
    """A log of three entries, as its origin may have written it."""
    writer, begun = ChannelWriter(network.signing[origin], f"{origin}/base"), manifest()
    begun.priority = priority
    writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=begun)
    write_row(writer, 1)
    write_row(writer, 2)
    return writer


@pytest.mark.parametrize(
    ("origin", "priority", "answered"),
    [
        (ORIGIN, channel_pb2.PRIORITY_CONTROL, True),
        (ORIGIN, channel_pb2.PRIORITY_BULK, True),
        (READER, channel_pb2.PRIORITY_CONTROL, False),
        (READER, channel_pb2.PRIORITY_BULK, False),
    ],
)
def test_a_restored_node_waits_for_its_own_logs_and_for_no_others_that_it_refuses(
    origin: str, priority: channel_pb2.Priority, answered: bool
) -> None:
    async def scenario() -> None:
        network, node, peer = scripted()
        writer, peers = log_of(network, origin, priority), list[str]()
        node.delivery._peer_answered = peers.append
        await node.receive(run_of(writer, 0, 2))
        peer.response, peer.entries = claims(head_of(writer)), [forged(signed_of(writer, 2))]
        for _ in range(3):
            await node.delivery.sync_once(HOLDER)
        assert peers == [HOLDER] * 3 * answered
        assert len(calls_of(peer, "pull")) == 1

    asyncio.run(scenario())
