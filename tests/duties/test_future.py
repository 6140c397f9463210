"""Entries dated in the future: kept by everybody, answered by nobody before their date."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from node.core.limits import DEFAULT_LIMITS
from node.node import Node
from tests.duties.hostile import BASE
from tests.duties.rows import manifest, row
from tests.wire import Network

DAY_MS = 86_400_000
Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


def answered(node: Node) -> int:
    return len(list(node.answering.records("", BASE, 0)))


async def published_ahead(network: Network) -> None:
    """310000, whose clock is a day ahead, publishes one row; then its clock is put right."""
    await network["310000"].publishing.create_channel("base", manifest())
    network.clock.time_ms += DAY_MS
    await network["310000"].publishing.publish(BASE, [row(1)])
    network.clock.time_ms -= DAY_MS
    await network.settle()


def test_g3_a_record_dated_in_the_future_has_the_same_effect_whenever_it_arrives() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115", "330100")
        network.down.add("330100")
        await published_ahead(network)
        network.clock.time_ms += DAY_MS
        network.down.clear()
        await network.settle()
        early, late = (network[node].world.store.records(channel=BASE) for node in ("310115", "330100"))
        assert [held.place for held in early] == [held.place for held in late] != []

    run(scenario())


def test_a_record_dated_in_the_future_is_answered_from_its_date_on_and_an_alarm_names_its_origin() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await published_ahead(network)
        assert [answered(network[node]) for node in ("310000", "310115")] == [0, 0]
        assert [alarm.code for alarm in network["310115"].answering.alarms()] == ["ENTRY_FUTURE"]
        network.clock.time_ms += DAY_MS
        assert [answered(network[node]) for node in ("310000", "310115")] == [1, 1]

    run(scenario())


def test_a_row_published_by_a_clock_that_was_ahead_is_published_again_with_its_true_date() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await published_ahead(network)
        twice = await network["310000"].publishing.publish(BASE, [row(1), row(1)._replace(row=2)])
        await network.settle()
        assert [outcome.kind.name for outcome in twice] == ["REVISED", "DUPLICATE"]
        assert [answered(network[node]) for node in ("310000", "310115")] == [1, 1]
        (again,) = await network["310000"].publishing.publish(BASE, [row(1)])
        assert again.kind.name == "DUPLICATE"

    run(scenario())


def test_a_clock_within_the_accepted_skew_holds_nothing_back() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await network["310000"].publishing.create_channel("base", manifest())
        network.clock.time_ms += DEFAULT_LIMITS.max_clock_skew_ms
        await network["310000"].publishing.publish(BASE, [row(1)])
        network.clock.time_ms -= DEFAULT_LIMITS.max_clock_skew_ms
        await network.settle()
        assert answered(network["310115"]) == 1
        assert network["310115"].answering.alarms() == []

    run(scenario())
