"""Ledgers of real channels: what each node of a small network tells of the others, and when it raises an alarm."""

import asyncio
from collections.abc import Coroutine

import pytest

from node.core.audience import parse_audience
from node.core.channel import HeadAt
from node.core.delivery import Delivery
from node.core.errors import XinqiaoError
from node.core.ledger import Lateness, Ledger, Reason, Standpoint
from node.core.membership import Standing
from node.node import Node
from tests.builders import make_node
from tests.duties.rows import manifest, row
from tests.duties.test_exchange import suspended
from tests.lists import AUTHORITY, make_list_manifest
from tests.wire import Network

ORIGIN, PARENT, READER, OTHER = "310115", "310000", "330100", "320500"
CHANNEL, BASE = f"{ORIGIN}/lists/serious-tax", f"{ORIGIN}/base"
HOUR_MS = 3600 * 1000
ALARMS = ("LIST_LATE", "LIST_LATE_BELOW")


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def town(*more: str, audience: str = "everyone", down: str = "") -> Network:
    """Pudong, its parent and others, with a list of Pudong."""
    network = Network(ORIGIN, PARENT, READER, *more, parent=PARENT)
    network.signing[ORIGIN] = make_node(ORIGIN, authorities=[{"uscc": AUTHORITY}], parent=PARENT)
    await network.publish_registry()
    network.down |= {down} - {""}
    await network[ORIGIN].listing.define(make_list_manifest(audience=parse_audience(audience)))
    return network


async def listed() -> Network:
    """A list of Pudong, of two entries, that its parent and two others have applied."""
    network = await town(OTHER)
    await append(network)
    await network.settle()
    return network


async def append(network: Network, channel: str = CHANNEL) -> None:
    """Write one more manifest, for the same readers in other words."""
    publishing = network[ORIGIN].publishing
    found = network[ORIGIN].world.store.channel(channel)
    assert found is not None
    terms = "everyone" if len(found.manifest.audience.terms) > 1 else "everyone,level=city"
    await publishing.set_audience(channel, parse_audience(terms))


async def records() -> Network:
    """Records of Pudong, a manifest and one entry, that everybody has applied."""
    network = await town(OTHER)
    await network[ORIGIN].publishing.create_channel("base", manifest())
    await network[ORIGIN].publishing.publish(BASE, [row(1)])
    await network.settle()
    return network


def states(found: Ledger) -> dict[str, str]:
    return {line.node: line.delivery.value for line in found.rows}


def reasons(found: Ledger) -> dict[str, Reason]:
    return {line.node: line.reason for line in found.missing}


def alarms(node: Node) -> list[str]:
    return [each.code for each in node.answering.alarms() if each.code in ALARMS]


def held(network: Network, channel: str = CHANNEL) -> HeadAt:
    found = network[ORIGIN].world.store.channel(channel)
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
        await append(network)
        await network.settle()
        found = network[ORIGIN].ledgers.of("serious-tax")
        assert states(found) == {PARENT: "applied", ORIGIN: "applied", OTHER: "applied", READER: "sent"}
        (line,) = found.missing
        assert (line.node, line.reason, line.lateness) == (READER, Reason.UNREACHABLE, Lateness.IN_TIME)
        assert seen_ms - 60_000 < line.since_ms <= seen_ms
        assert states(network[ORIGIN].ledgers.of(CHANNEL, (0, 1)))[READER] == "applied"
        network.down.clear()
        await network.settle()
        assert network[ORIGIN].ledgers.of(CHANNEL).missing == []

    run(scenario())


def test_a_member_that_never_answered_and_one_that_is_suspended_are_told_apart() -> None:
    async def scenario() -> None:
        network = await town(OTHER, down=READER)
        await network.settle()
        await network.relist(OTHER, standing=Standing.SUSPENDED, reason="示例：核查中")
        found = network[ORIGIN].ledgers.of(CHANNEL)
        assert reasons(found) == {READER: Reason.NEVER_SEEN}
        assert [(line.node, line.reason) for line in found.rows if not line.counts] == [(OTHER, Reason.NONE)]
        await append(network)
        found = network[ORIGIN].ledgers.of(CHANNEL)
        assert [(line.node, line.reason) for line in found.rows if not line.counts] == [(OTHER, Reason.SUSPENDED)]

    run(scenario())


def test_a_withheld_body_is_the_reason_why_an_entry_is_not_applied() -> None:
    async def scenario() -> None:
        network = await records()
        await network[ORIGIN].publishing.publish(BASE, [row(2)])
        entries = list(network[ORIGIN].sharing.entries(READER, BASE, 0, 2, None))
        bare = [type(each)(each.channel, each.epoch, each.index, each.envelope, None) for each in entries]
        receipt = (await network[READER].receive(bare)).receipt
        assert receipt is not None
        await network[ORIGIN].take_receipts([receipt])
        (line,) = (each for each in network[ORIGIN].ledgers.of(BASE).missing if each.node == READER)
        assert (line.delivery, line.reason, line.detail) == (Delivery.RECEIVED, Reason.WITHHELD, "2")

    run(scenario())


def test_entries_of_an_earlier_epoch_are_not_called_applied_by_a_receipt_of_a_later_one() -> None:
    async def scenario() -> None:
        network = await records()
        head = held(network, BASE)
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (BASE, 0, head)))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        await network[ORIGIN].publishing.publish(BASE, [row(2)])
        await network.settle()
        newest, earlier = network[ORIGIN].ledgers.of(BASE), network[ORIGIN].ledgers.of(BASE, (0, 1))
        assert (newest.epoch, newest.index, newest.missing) == (1, 1, [])
        assert reasons(earlier) == dict.fromkeys([PARENT, OTHER, READER], Reason.LATER_EPOCH)

    run(scenario())


def test_what_lies_above_a_cut_is_owed_by_nobody() -> None:
    async def scenario() -> None:
        network = await listed()
        head = held(network)
        await append(network)
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
        await append(network)
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


def test_a_reader_that_was_added_later_has_its_time_from_then_on() -> None:
    async def scenario() -> None:
        network = await town(audience=PARENT)
        await network.settle()
        network.down.add(READER)
        network.clock.time_ms += 30 * HOUR_MS
        await network[ORIGIN].publishing.set_audience(CHANNEL, parse_audience("everyone"))
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
        await append(network)
        network.clock.time_ms += 2 * HOUR_MS
        now_ms = network.clock.now_ms()
        node = network[ORIGIN]
        assert [line.node for line in node.ledgers.of(CHANNEL).late()] == [PARENT, OTHER, READER]
        monkeypatch.setattr("node.node.Membership.listed_at_ms", lambda _, node: now_ms if node == READER else 0)
        network.start(ORIGIN, node.world.store)
        assert [line.node for line in network[ORIGIN].ledgers.of(CHANNEL).late()] == [PARENT, OTHER]

    run(scenario())


def test_records_that_are_late_raise_no_alarm() -> None:
    async def scenario() -> None:
        network = await records()
        network.down.add(READER)
        await network[ORIGIN].publishing.publish(BASE, [row(2)])
        network.clock.time_ms += 30 * HOUR_MS
        await network[ORIGIN].ledgers.watch()
        assert alarms(network[ORIGIN]) == []
        assert [line.node for line in network[ORIGIN].ledgers.of("base").late()] == [PARENT, OTHER, READER]

    run(scenario())
