"""Ledgers of real channels: what each node of a small network tells of the others, and when it raises an alarm."""

import asyncio
from collections.abc import Coroutine

import pytest

from node.core.channel import HeadAt
from node.core.delivery import Delivery
from node.core.errors import XinqiaoError
from node.core.ledger import Lateness, Ledger, Reason, Standpoint
from node.core.membership import Standing
from node.node import Node
from node.pb import channel_pb2, listing_pb2
from tests.duties.rows import manifest, row
from tests.duties.test_exchange import suspended
from tests.wire import Network

ORIGIN, PARENT, READER, OTHER = "310115", "310000", "330100", "320500"
CHANNEL = f"{ORIGIN}/lists/serious-tax"
HOUR_MS = 3600 * 1000
ALARMS = ("LIST_LATE", "LIST_LATE_BELOW")


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def listed() -> Network:
    """A list of Pudong that its parent and two others have applied: a manifest and one entry."""
    network = Network(ORIGIN, PARENT, READER, OTHER, parent=PARENT)
    await network[ORIGIN].publishing.create_channel("lists/serious-tax", list_manifest())
    await network[ORIGIN].publishing.publish(CHANNEL, [row(1)])
    await network.settle()
    return network


def list_manifest(audience: str = "everyone") -> channel_pb2.Manifest:
    made = manifest(audience)
    made.list.CopyFrom(listing_pb2.ListType(code="serious-tax", kind=listing_pb2.LIST_KIND_SERIOUS))
    return made


async def append(network: Network, serial: int) -> None:
    await network[ORIGIN].publishing.publish(CHANNEL, [row(serial)])


def states(found: Ledger) -> dict[str, str]:
    return {row.node: row.delivery.value for row in found.rows}


def reasons(found: Ledger) -> dict[str, Reason]:
    return {row.node: row.reason for row in found.missing}


def alarms(node: Node) -> list[str]:
    return [each.code for each in node.answering.alarms() if each.code in ALARMS]


def held(network: Network, node: str = ORIGIN) -> HeadAt:
    found = network[node].world.store.channel(CHANNEL)
    assert found is not None
    return HeadAt(found.log.size, found.log.root)


# --- One entry ------------------------------------------------------------------------------------------------


def test_every_reader_computes_the_ledger_that_its_origin_does() -> None:
    async def scenario() -> None:
        network = await listed()
        for node in network.nodes.values():
            found = node.ledgers.of(CHANNEL)
            assert (found.channel, found.epoch, found.index) == (CHANNEL, 0, 1)
            assert states(found) == dict.fromkeys(sorted(network.nodes), "applied")
            assert (found.applied, len(found.counted), found.missing) == (4, 4, [])

    run(scenario())


def test_a_node_that_is_down_is_missing_since_it_was_seen_and_what_it_has_applied_stays_applied() -> None:
    async def scenario() -> None:
        network = await listed()
        network.down.add(READER)
        seen_ms = network.clock.now_ms()
        network.clock.time_ms += 30 * 60 * 1000
        await append(network, 2)
        await network.settle()
        found = network[ORIGIN].ledgers.of("serious-tax")
        assert states(found) == {PARENT: "applied", ORIGIN: "applied", OTHER: "applied", READER: "sent"}
        (row,) = found.missing
        assert (row.node, row.reason, row.lateness) == (READER, Reason.UNREACHABLE, Lateness.IN_TIME)
        assert seen_ms - 60_000 < row.since_ms <= seen_ms
        assert states(network[ORIGIN].ledgers.of(CHANNEL, (0, 1)))[READER] == "applied"
        network.down.clear()
        await network.settle()
        assert network[ORIGIN].ledgers.of(CHANNEL).missing == []

    run(scenario())


def test_a_member_that_never_answered_and_one_that_is_suspended_are_told_apart() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, PARENT, READER, OTHER)
        network.down.add(READER)
        await network[ORIGIN].publishing.create_channel("lists/serious-tax", list_manifest())
        await network.settle()
        await network.relist(OTHER, standing=Standing.SUSPENDED, reason="示例：核查中")
        found = network[ORIGIN].ledgers.of(CHANNEL)
        assert reasons(found) == {READER: Reason.NEVER_SEEN}
        assert [(row.node, row.reason) for row in found.rows if not row.counts] == [(OTHER, Reason.NONE)]
        await append(network, 1)
        found = network[ORIGIN].ledgers.of(CHANNEL)
        assert [(row.node, row.reason) for row in found.rows if not row.counts] == [(OTHER, Reason.SUSPENDED)]

    run(scenario())


def test_a_withheld_body_is_the_reason_why_an_entry_is_not_applied() -> None:
    async def scenario() -> None:
        network = await listed()
        await append(network, 2)
        store = network[ORIGIN].world.store
        entries = list(network[ORIGIN].sharing.entries(READER, CHANNEL, 0, 2, None))
        bare = [type(each)(each.channel, each.epoch, each.index, each.envelope, None) for each in entries]
        receipt = (await network[READER].receive(bare)).receipt
        assert receipt is not None
        await network[ORIGIN].take_receipts([receipt])
        (row,) = (each for each in network[ORIGIN].ledgers.of(CHANNEL).missing if each.node == READER)
        assert (row.delivery, row.reason, row.detail) == (Delivery.RECEIVED, Reason.WITHHELD, "2")
        assert store.channel(CHANNEL) is not None

    run(scenario())


def test_entries_of_an_earlier_epoch_are_not_called_applied_by_a_receipt_of_a_later_one() -> None:
    async def scenario() -> None:
        network = await listed()
        head = held(network)
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (CHANNEL, 0, head)))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        await append(network, 2)
        await network.settle()
        newest, earlier = network[ORIGIN].ledgers.of(CHANNEL), network[ORIGIN].ledgers.of(CHANNEL, (0, 1))
        assert (newest.epoch, newest.index, newest.missing) == (1, 1, [])
        # No list was folded here, so no digest proves it either.
        assert reasons(earlier) == dict.fromkeys([PARENT, OTHER, READER], Reason.LATER_EPOCH)

    run(scenario())


def test_what_lies_above_a_cut_is_owed_by_nobody() -> None:
    async def scenario() -> None:
        network = await listed()
        head = held(network)
        await append(network, 2)
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (CHANNEL, 0, head)))
        network.clock.time_ms += 48 * HOUR_MS
        found = network[ORIGIN].ledgers.of(CHANNEL, (0, 2))
        assert (found.standpoint, found.late()) == (Standpoint.VOID, [])
        assert network[ORIGIN].ledgers.of(CHANNEL).index == 1

    run(scenario())


def test_an_unknown_list_and_an_entry_that_is_not_there_are_refused() -> None:
    async def scenario() -> None:
        network = await listed()
        for name, place, code in (
            ("serious-food", None, "LIST_UNKNOWN"),
            (CHANNEL, (0, 2), "LIST_ENTRY_UNKNOWN"),
            (CHANNEL, (0, -1), "LIST_ENTRY_UNKNOWN"),
            (CHANNEL, (1, 0), "LIST_ENTRY_UNKNOWN"),
        ):
            with pytest.raises(XinqiaoError) as refused:
                network[ORIGIN].ledgers.of(name, place)
            assert refused.value.code == code

    run(scenario())


# --- Alarms ---------------------------------------------------------------------------------------------------


def test_the_origin_hears_of_a_late_reader_after_an_hour_and_its_parent_after_a_day_until_it_has_applied() -> None:
    async def scenario() -> None:
        network = await listed()
        network.down.add(READER)
        await append(network, 2)
        await network.settle()
        for hours, at_origin, at_parent in (
            (0, [], []),
            (2, ["LIST_LATE"], []),
            (25, ["LIST_LATE"], ["LIST_LATE_BELOW"]),
        ):
            network.clock.time_ms += hours * HOUR_MS
            for node in network.nodes.values():
                await node.ledgers.watch()
            assert (alarms(network[ORIGIN]), alarms(network[PARENT])) == (at_origin, at_parent)
            assert alarms(network[OTHER]) == []
        found = next(each for each in network[ORIGIN].answering.alarms() if each.code == "LIST_LATE")
        assert found.subject == CHANNEL
        expected = {"count": "1", "total": "4", "nodes": READER, "removals": "-", "list": CHANNEL, "origin": ORIGIN}
        assert expected.items() <= found.parameters.items()
        network.down.clear()
        await network.settle()
        for node in network.nodes.values():
            await node.ledgers.watch()
            assert alarms(node) == []

    run(scenario())


def test_the_alarm_names_the_removals_that_have_not_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        network = await listed()
        network.down.add(READER)
        for serial in range(2, 13):
            await append(network, serial)
        await network.settle()
        network.clock.time_ms += 2 * HOUR_MS
        monkeypatch.setattr("node.ledger.removals_in", lambda header, _: [0] if header.index != 5 else [])
        await network[ORIGIN].ledgers.watch()
        (found,) = (each for each in network[ORIGIN].answering.alarms() if each.code == "LIST_LATE")
        newest = [12, 11, 10, 9, 8, 7, 6, 4]
        assert found.parameters["removals"] == ", ".join(f"0/{index}/0" for index in newest) + " (+2)"

    run(scenario())


def test_a_reader_that_was_added_later_has_its_time_from_then_on() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, PARENT, READER)
        await network[ORIGIN].publishing.create_channel("lists/serious-tax", list_manifest(PARENT))
        await append(network, 1)
        await network.settle()
        network.down.add(READER)
        network.clock.time_ms += 30 * HOUR_MS
        await network[ORIGIN].publishing.set_audience(CHANNEL, list_manifest().audience)
        await network.settle()
        await network[ORIGIN].ledgers.watch()
        assert alarms(network[ORIGIN]) == []
        network.clock.time_ms += 2 * HOUR_MS
        await network[ORIGIN].ledgers.watch()
        assert alarms(network[ORIGIN]) == ["LIST_LATE"]

    run(scenario())


def test_a_member_that_was_listed_later_has_its_time_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        network = await listed()
        network.down.add(READER)
        await append(network, 2)
        network.clock.time_ms += 2 * HOUR_MS
        now_ms = network.clock.now_ms()
        node = network[ORIGIN]
        assert [row.node for row in node.ledgers.of(CHANNEL).late()] == [PARENT, OTHER, READER]
        monkeypatch.setattr("node.node.Membership.listed_at_ms", lambda _, node: now_ms if node == READER else 0)
        network.start(ORIGIN, node.world.store)
        assert [row.node for row in network[ORIGIN].ledgers.of(CHANNEL).late()] == [PARENT, OTHER]

    run(scenario())


def test_records_that_are_late_raise_no_alarm() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, READER)
        network.down.add(READER)
        await network[ORIGIN].publishing.create_channel("base", manifest())
        await network[ORIGIN].publishing.publish(f"{ORIGIN}/base", [row(1)])
        network.clock.time_ms += 30 * HOUR_MS
        await network[ORIGIN].ledgers.watch()
        assert alarms(network[ORIGIN]) == []
        assert [row.node for row in network[ORIGIN].ledgers.of("base").late()] == [READER]

    run(scenario())
