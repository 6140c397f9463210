"""Clocks that were ahead, or behind, for a while: what was dated then, and what comes of it once they are right."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import pytest

from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Standing
from node.dates import Dates
from node.node import Node
from node.pb import channel_pb2, registry_pb2
from node.ports import HeldHeartbeat, Store, Writer
from tests.builders import ChannelWriter, as_signed, list_keys, make_heartbeat, make_node, signing_key
from tests.duties.rows import manifest, row
from tests.wire import FakeClock, Network

ORIGIN, READER, RELAY = "310000", "310115", "330100"
BASE = "310000/base"
MINUTE_MS, YEAR_MS = 60_000, 365 * 86_400_000
SKEW_MS = DEFAULT_LIMITS.max_clock_skew_ms
Scenario = Coroutine[Any, Any, None]


class OwnClock(FakeClock):
    """The clock of one node, off by what a test says."""

    def __init__(self, right: FakeClock, ahead_ms: Callable[[], int]) -> None:
        super().__init__()
        self._right = right
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return self._right.now_ms() + self._ahead_ms()

    def monotonic_s(self) -> float:
        return self._right.monotonic_s()


class Clocks(Network):
    """A network in which each node has a clock of its own; a node may be started again on what it held."""

    def __init__(self, *ids: str) -> None:
        self.ahead_ms = dict.fromkeys(ids, 0)
        super().__init__(*ids)

    def start(self, node: str, store: Store | None = None, sidecar: Any = None) -> Node:
        right, self.clock = self.clock, OwnClock(self.clock, lambda: self.ahead_ms[node])
        try:
            return super().start(node, store, sidecar)
        finally:
            self.clock = right

    def restart(self, node: str) -> None:
        """Start a node again on its database."""
        self.start(node, self[node].world.store)

    def put_right(self) -> None:
        """All clocks are right again, a minute later."""
        self.ahead_ms = dict.fromkeys(self.ahead_ms, 0)
        self.clock.time_ms += MINUTE_MS

    def beat_of(self, node: str, at: str) -> HeldHeartbeat | None:
        """The heartbeat that one node holds of another."""
        return self[at].world.store.heartbeat(node)

    def date_of(self, node: str, at: str) -> int:
        """The date of the heartbeat that one node holds of another."""
        held = self.beat_of(node, at)
        assert held is not None
        return held.time_ms

    def fresh_at(self, node: str) -> int:
        """How fresh the origin's channel is at a node."""
        return self[node].answering.channel(BASE).fresh_at_ms


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


async def published(ahead_ms: int, *ahead: str, readers: str = "everyone") -> Clocks:
    """A network whose channel everybody holds; then the clocks of some go ahead, they compare, and the origin beats."""
    network = Clocks(ORIGIN, READER, RELAY)
    await network[ORIGIN].publishing.create_channel("base", manifest(readers))
    await network[ORIGIN].publishing.publish(BASE, [row(1)])
    await network.settle()
    network.ahead_ms |= dict.fromkeys(ahead, ahead_ms)
    await network[ORIGIN].beat()
    for node in ahead:
        if node != ORIGIN:
            await network.sync(node, ORIGIN)
    return network


async def rotate_key(network: Network) -> None:
    """Let the origin go on with another key; the one before is retired."""
    before, after = network.signing[ORIGIN], make_node(ORIGIN)
    keys = [signing_key(before.signer, registry_pb2.KEY_STATE_RETIRED), signing_key(after.signer)]
    network.signing[ORIGIN] = list_keys(after, keys, after)
    await network.publish_registry()


@pytest.mark.parametrize("ahead_ms", [SKEW_MS + 2 * MINUTE_MS, YEAR_MS])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_node_whose_clock_was_ahead_beats_again_once_it_is_right(ahead_ms: int, restarts: bool) -> None:
    async def scenario() -> None:
        network = await published(ahead_ms, ORIGIN)
        assert network.date_of(ORIGIN, at=ORIGIN) == network.fresh_at(ORIGIN) == network.clock.time_ms + ahead_ms
        with pytest.raises(XinqiaoError, match="CLOCK_SKEW"):
            await network.sync(READER, ORIGIN)
        network.put_right()
        if restarts:
            network.restart(ORIGIN)
        await network[ORIGIN].beat()
        assert network.date_of(ORIGIN, at=ORIGIN) == network.fresh_at(ORIGIN) == network.clock.time_ms
        await network.sync(READER, ORIGIN)
        await network.sync(RELAY, READER)
        for node in (READER, RELAY):
            assert network.date_of(ORIGIN, at=node) == network.fresh_at(node) == network.clock.time_ms

    run(scenario())


def test_what_a_key_retired_since_has_signed_is_confirmed_once_the_clock_is_right() -> None:
    async def scenario() -> None:
        network = await published(YEAR_MS, ORIGIN)
        network.put_right()
        await network[ORIGIN].publishing.publish(BASE, [row(2)])
        await rotate_key(network)
        await network.settle()
        assert [network[node].answering.record_count(BASE) for node in (READER, RELAY)] == [2, 2]

    run(scenario())


@pytest.mark.parametrize("first", ["the origin's clock", "the reader's clock"])
def test_peers_that_took_a_heartbeat_of_the_future_take_the_next_one(first: str) -> None:
    async def scenario() -> None:
        network = await published(SKEW_MS + 2 * MINUTE_MS, ORIGIN, READER)
        future_ms = network.clock.time_ms + SKEW_MS + 2 * MINUTE_MS
        assert network.date_of(ORIGIN, at=READER) == network.fresh_at(READER) == future_ms
        assert network.date_of(ORIGIN, at=RELAY) < future_ms
        network.ahead_ms[ORIGIN if first == "the origin's clock" else READER] = 0
        for node in (ORIGIN, READER):
            await network[node].beat()
        with pytest.raises(XinqiaoError, match="CLOCK_SKEW"):
            await network.sync(READER, ORIGIN)
        network.put_right()
        await network[ORIGIN].beat()
        # Whoever never had it brings the next one as well as the origin itself does.
        await network.sync(RELAY, ORIGIN)
        await network.sync(READER, RELAY)
        assert network.date_of(ORIGIN, at=READER) == network.fresh_at(READER) == network.clock.time_ms
        told = network.beat_of(ORIGIN, at=READER)
        await network.sync(READER, ORIGIN)
        assert network.beat_of(ORIGIN, at=READER) == told

    run(scenario())


def test_a_peer_that_was_told_of_the_future_date_is_told_of_what_takes_its_place() -> None:
    async def scenario() -> None:
        # READER brings to RELAY what the origin signs: both of their links have told all there is.
        network = await published(SKEW_MS + 2 * MINUTE_MS, ORIGIN, READER, RELAY)
        await network.sync(READER, RELAY)
        await network.sync(RELAY, READER)
        network.put_right()
        await network[ORIGIN].beat()
        await network.sync(READER, ORIGIN)
        await network.sync(READER, RELAY)
        assert network.date_of(ORIGIN, at=RELAY) == network.clock.time_ms
        await network.sync(RELAY, READER)
        assert network.fresh_at(RELAY) == network.clock.time_ms

    run(scenario())


@pytest.mark.parametrize("standing", [Standing.ACTIVE, Standing.SUSPENDED])
def test_g5_no_copy_stays_fresh_by_a_date_in_the_future_though_its_origin_is_silent(standing: Standing) -> None:
    async def scenario() -> None:
        network = await published(YEAR_MS, ORIGIN, READER)
        network.down.add(ORIGIN)
        network.put_right()
        await network.relist(READER, standing=standing)
        await network[READER].beat()
        assert (network.date_of(ORIGIN, at=READER), network.fresh_at(READER)) == (0, 0)
        # Nor does it become fresh by itself when that time has come, or by more of the log.
        network.clock.time_ms += YEAR_MS
        await network[READER].beat()
        await network[READER].receiving.fold_waiting()
        assert network.fresh_at(READER) == 0
        assert network[READER].answering.record_count(BASE) == 1

    run(scenario())


def test_a_heartbeat_without_a_date_goes_to_nobody_and_makes_nothing_fresh() -> None:
    async def scenario() -> None:
        network = await published(YEAR_MS, ORIGIN, READER)
        reader = network[READER]
        assert [beat for beat, _ in [reader.sharing.heartbeats_since(RELAY, 0)] if beat]
        network.put_right()
        await network[READER].beat()
        assert reader.sharing.heartbeats_since(RELAY, 0)[0] == []
        with reader.world.store.transaction() as tx:
            reader.receiving._admission.fold_on(tx, BASE, 0)
        assert network.fresh_at(READER) == 0

    run(scenario())


def log_of(network: Network, rows: int) -> ChannelWriter:
    """A log of the origin that nobody holds yet."""
    writer = ChannelWriter(network.signing[ORIGIN], BASE)
    writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest())
    for serial in range(1, rows + 1):
        writer.write(channel_pb2.ENTRY_KIND_RECORDS, [row(serial).record], catalogue_version="2026.1")
    return writer


@pytest.mark.parametrize("begins", ["before the heartbeat", "after it", "never"])
@pytest.mark.parametrize(("future", "next_one"), [(4, 1), (1, 4)])
def test_how_far_a_log_reaches_stays_known_whatever_takes_the_place(begins: str, future: int, next_one: int) -> None:
    async def scenario() -> None:
        network = Clocks(ORIGIN, READER)
        reader, writers = network[READER], {size: log_of(network, size - 1) for size in (1, 4)}
        entries = [as_signed(entry) for entry in writers[4].entries]
        if begins == "before the heartbeat":
            await reader.receive(entries[:1])

        async def hear(size: int, time_ms: int) -> None:
            beat = make_heartbeat(network.signing[ORIGIN], {(BASE, 0): writers[size].head}, time_ms)
            await reader.receiving.take_heartbeat(beat.view)
            assert network.date_of(ORIGIN, at=READER) == time_ms

        network.ahead_ms[READER] = YEAR_MS
        await hear(future, network.clock.time_ms + YEAR_MS)
        if begins == "after it":
            await reader.receive(entries[:1])
        network.put_right()
        await hear(next_one, network.clock.time_ms)
        # What the key signed before it was retired is taken, up to there.
        await rotate_key(network)
        kept = reader.world.store.log(BASE, 0).covered
        assert kept is not None
        assert kept.size == (future if begins == "never" else 4)
        if kept.size == 4:
            assert (await reader.receive(entries)).size == 4

    run(scenario())


def test_of_two_heads_known_of_a_log_that_has_not_begun_the_larger_counts() -> None:
    async def scenario() -> None:
        network = Clocks(ORIGIN, READER)
        reader, writer = network[READER], log_of(network, 3)
        with reader.world.store.transaction() as tx:
            tx.set_covered(BASE, 0, HeadAt(1, log_of(network, 0).log.root))
        await rotate_key(network)
        beat = make_heartbeat(network.signing[ORIGIN], {(BASE, 0): writer.head})
        await reader.receiving.take_heartbeat(beat.view)
        assert (await reader.receive([as_signed(entry) for entry in writer.entries])).size == 4

    run(scenario())


def test_heads_under_a_key_that_is_not_active_any_more_are_not_noted() -> None:
    async def scenario() -> None:
        network = Clocks(ORIGIN, READER)
        reader = network[READER]
        network.ahead_ms[READER] = YEAR_MS
        beat = make_heartbeat(
            network.signing[ORIGIN], {(BASE, 0): HeadAt(7, b"7" * 32)}, network.clock.time_ms + YEAR_MS
        )
        await reader.receiving.take_heartbeat(beat.view)
        network.put_right()
        await rotate_key(network)
        await reader.beat()
        assert (network.date_of(ORIGIN, at=READER), reader.world.store.log(BASE, 0).covered) == (0, None)

    run(scenario())


def test_a_clock_behind_for_a_while_forgets_what_was_right_until_it_is_told_again() -> None:
    async def scenario() -> None:
        network = await published(0)
        before = network.beat_of(ORIGIN, at=READER)
        assert before is not None
        network.down.add(ORIGIN)
        network.ahead_ms[READER] = -2 * SKEW_MS
        await network[READER].beat()
        assert (network.date_of(ORIGIN, at=READER), network.fresh_at(READER)) == (0, 0)
        with pytest.raises(XinqiaoError, match="CLOCK_SKEW"):
            await network.sync(READER, RELAY)
        network.put_right()
        await network[READER].beat()
        # Its own heartbeats have right dates at once, and grow from there.
        assert network.date_of(READER, at=READER) == network.clock.time_ms
        await network.sync(READER, RELAY)
        assert network.date_of(ORIGIN, at=READER) == network.fresh_at(READER) == before.time_ms

    run(scenario())


def test_dates_that_peers_accept_are_kept_and_grow_on() -> None:
    async def scenario() -> None:
        network = await published(SKEW_MS - MINUTE_MS, ORIGIN)
        await network.sync(READER, ORIGIN)
        ahead = network.date_of(ORIGIN, at=READER)
        network.ahead_ms[ORIGIN] = 0
        for later in (1, 2, 3):
            await network[ORIGIN].beat()
            await network[READER].beat()
            await network.sync(READER, ORIGIN)
            assert network.date_of(ORIGIN, at=READER) == network.fresh_at(READER) == ahead + later

    run(scenario())


def test_where_every_date_can_be_nothing_is_written() -> None:
    class NoWriter(Writer):
        async def run(self, *_: object) -> NoReturn:
            raise AssertionError("it writes")

    async def scenario() -> None:
        network = await published(SKEW_MS - MINUTE_MS, ORIGIN)
        await network.sync(READER, ORIGIN)
        reader = network[READER]
        dates = Dates(reader.membership, reader.world.store, NoWriter(), network.clock, reader.delivery.hear_again)
        await dates.forget_future()
        network.clock.time_ms -= 2 * MINUTE_MS
        with pytest.raises(AssertionError, match="it writes"):
            await dates.forget_future()

    run(scenario())
