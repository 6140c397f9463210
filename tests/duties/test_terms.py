"""Terms that rules set for a whole channel: known from what happened, an alarm once run out, gone once kept."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import date

import pytest

from node.core.forecast import DAY_MS, Ending
from node.core.rules import months_later
from node.core.workdays import china_day, end_of_day_ms
from node.node import Node
from tests.duties.rows import manifest, row
from tests.duties.test_judging import town
from tests.wire import Network

CHANNEL = "310115/base"


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def published(network: Network) -> date:
    """A channel of Pudong with one record, read by the others; the day of it."""
    await network["310115"].publishing.create_channel("base", manifest())
    await network["310115"].publishing.publish(CHANNEL, [row(1)])
    await network.settle()
    for node in network.nodes.values():
        await node.measuring.count_all()
    return china_day(network.clock.now_ms())


def told(node: Node) -> list[tuple[str, str, str]]:
    return [(each.error.code, each.node, each.error.parameters["rule"]) for each in node.terms.endings()]


def alarms(node: Node) -> set[tuple[str, str]]:
    return {(each.code, each.subject) for each in node.answering.alarms()}


def test_shanghai_is_to_publish_again_within_a_month_and_both_ends_know() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        day = await published(network)
        for node in network.nodes.values():
            (found,) = node.terms.endings()
            assert (found.error.code, found.node, found.subject) == ("TERM_ENDS", "310115", f"{CHANNEL} R-INC-11")
            assert found.ends_ms == end_of_day_ms(months_later(day, 1))

    run(scenario())


def test_a_term_that_ran_out_is_an_alarm_of_who_owes_it_until_it_is_kept() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        await published(network)
        network.clock.time_ms += 32 * DAY_MS
        for node in network.nodes.values():
            await node.terms.watch()
            assert told(node) == [("TERM_OVER", "310115", "R-INC-11")]
        over = ("TERM_OVER", f"{CHANNEL} R-INC-11")
        assert over in alarms(network["310115"])
        assert over not in alarms(network["330100"])
        await network["310115"].publishing.publish(CHANNEL, [row(2)])
        await network["310115"].measuring.count_all()
        await network["310115"].terms.watch()
        assert over not in alarms(network["310115"])
        assert told(network["310115"]) == [("TERM_ENDS", "310115", "R-INC-11")]

    run(scenario())


def test_a_channel_in_which_nothing_was_published_and_one_of_another_region_owe_nothing() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        await network["310115"].publishing.create_channel("base", manifest())
        await network["330100"].publishing.create_channel("base", manifest())
        await network["330100"].publishing.publish("330100/base", [row(1)])
        await network.settle()
        for node in network.nodes.values():
            await node.measuring.count_all()
            assert node.terms.endings() == []

    run(scenario())


def test_what_zhejiang_received_and_has_not_applied_is_timed_from_its_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        day = await published(network)
        node = network["330100"]
        held = list(node.world.store.channels())
        # As while a body is missing: the entry is here and has no effect yet.
        waiting = [replace(each, applied_size=each.log.size - 1) for each in held]
        monkeypatch.setattr(node.world.store, "channels", lambda: waiting)

        def merging() -> list[Ending]:
            return [each for each in node.terms.endings() if each.error.parameters["rule"] == "R-INC-13"]

        (found,) = merging()
        last = node.membership.calendar.add_working_days(day, 5).day
        assert (found.node, found.ends_ms, found.error.code) == ("330100", end_of_day_ms(last), "TERM_ENDS")
        network.clock.time_ms += 20 * DAY_MS
        assert [each.error.code for each in merging()] == ["TERM_OVER"]
        monkeypatch.setattr(node.world.store, "channels", lambda: held)
        assert merging() == []

    run(scenario())
