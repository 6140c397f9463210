"""Progress: what is announced and here, since when a node is of use, what it waits for, and what came twice."""

import asyncio

from node.core.errors import XinqiaoError
from node.node import Node
from node.ports import Lane
from node.progress import Group, LogProgress
from node.transfers import proofs_brought
from tests.duties.delivering import run
from tests.duties.hostile import BASE, refused
from tests.duties.rows import manifest, row
from tests.duties.test_new_logs import control
from tests.duties.test_removals import ORIGIN, READER, keep_back_bulk, with_removals_at_the_end
from tests.wire import MemorySidecar, Network

LISTS = f"{ORIGIN}/zz-lists"


def log_of(node: Node, channel: str) -> LogProgress:
    (found,) = [log for group in node.progress.look().groups for log in group.logs if log.key[0] == channel]
    return found


def lane_of(node: Node, lane: Lane) -> Group:
    (found,) = [group for group in node.progress.look().lanes if group.lane is lane]
    return found


def test_a_node_is_of_use_once_lists_and_removals_are_here_and_long_before_the_bulk() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end(away=False)
        origin = network[ORIGIN]
        await origin.publishing.create_channel("zz-lists", control())
        await origin.publishing.publish(LISTS, [row(1)])
        await origin.beat()
        network.start(READER)
        reader = network[READER]
        seen = reader.progress.look()
        assert (seen.useful_since_ms, seen.is_complete, seen.compared, seen.groups) == (0, False, [], [])
        keep_back_bulk(network)
        assert await refused(network.sync(READER, ORIGIN)) == "WIRE_IDLE"
        network.tamper = None
        await reader.delivery.sync(ORIGIN)
        keep_back_bulk(network)
        await refused(network.sync(READER, ORIGIN))
        seen, bulk = reader.progress.look(), log_of(reader, BASE)
        assert (seen.useful_since_ms, seen.is_complete, seen.compared) == (network.clock.time_ms, True, [ORIGIN])
        assert (bulk.size, bulk.announced, bulk.removals_size) == (1, 13, 13)
        assert log_of(reader, LISTS).missing == 0
        assert bulk.waits in ("its turn", "the next comparison", "")
        useful_ms, network.clock.time_ms = seen.useful_since_ms, network.clock.time_ms + 5000
        network.tamper = None
        await network.sync(READER, ORIGIN)
        assert reader.progress.look().useful_since_ms == useful_ms
        assert lane_of(reader, Lane.BULK).logs[0].missing == 0

    run(scenario())


def test_what_heartbeats_name_and_is_not_here_counts_as_missing() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end(away=False)
        network.tamper = lambda *_: (_ for _ in ()).throw(XinqiaoError("WIRE_IDLE", limit_s=60))
        await refused(network.sync(READER, ORIGIN))
        found = log_of(network[READER], BASE)
        assert (found.size, found.announced, found.waits) == (0, 13, "the next comparison")
        assert not network[READER].progress.look().is_complete

    run(scenario())


def test_what_is_here_is_not_fetched_again_after_a_kill_and_what_comes_twice_is_counted() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, READER)
        await network[ORIGIN].publishing.create_channel("base", manifest())
        for serial in range(200):
            await network[ORIGIN].publishing.publish(BASE, [row(serial)])
        whole, broken = network.bytes_moved, [70, 140]

        def breaks(sender: str, receiver: str, signed):  # type: ignore[no-untyped-def]
            if broken and signed.index == broken[0]:
                broken.pop(0)
                raise XinqiaoError("WIRE_IDLE", limit_s=60)
            return signed

        network.tamper = breaks
        new = 0
        for _ in range(3):
            await refused(network.sync(READER, ORIGIN))
            seen = network[READER].progress.look()
            new += seen.new.entries
            assert seen.again.entries == 0
            # SIGKILL leaves what was committed and nothing else.
            network.start(READER, network[READER].world.store, MemorySidecar())
        assert (new, whole) == (201, 0)
        run_again = network[READER]
        entries = list(network[ORIGIN].sharing.entries(READER, BASE, 0, 0, 5))
        await run_again.receive(entries)
        assert (run_again.progress.look().again.entries, run_again.progress.look().new.entries) == (5, 0)

    run(scenario())


def test_two_that_bring_the_same_at_once_are_counted_once_as_new() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end(away=False)
        network.start(READER)
        entries = list(network[ORIGIN].sharing.entries(READER, BASE, 0, 0, None))
        await asyncio.gather(*(network[READER].receive(entries) for _ in range(2)))
        seen = network[READER].progress.look()
        assert (seen.new.entries, seen.again.entries) == (len(entries), len(entries))
        assert seen.new.size_bytes == seen.again.size_bytes > 0

    run(scenario())


def test_who_brings_what_another_has_just_brought_takes_nothing_from_what_that_one_is_counted() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end(away=False)
        network.start(READER)
        reader = network[READER]
        entries = list(network[ORIGIN].sharing.entries(READER, BASE, 0, 0, None))
        with reader.arrivals.taking(entries):
            await reader.receiving.receive(entries, proofs_brought(entries))
            with reader.arrivals.taking(entries):
                await reader.receiving.receive(entries, proofs_brought(entries))
        seen = reader.progress.look()
        assert (seen.new.entries, seen.again.entries) == (len(entries), len(entries))

    run(scenario())
