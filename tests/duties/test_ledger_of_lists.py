"""Ledgers of joint lists: a removal is followed to every reader, named where it is late, and proven."""

import asyncio
from collections.abc import Coroutine

import pytest

from node.core.audience import parse_audience
from node.core.channel import HeadAt
from node.core.delivery import Delivery
from node.core.errors import XinqiaoError
from node.core.ledger import Reason
from node.core.listing import EXIT
from node.core.membership import Standing
from node.core.state import Place
from scripts.xq_generate import example_uscc
from tests.duties.listing import CHANNEL, ORIGIN, OTHER, READER, Town
from tests.duties.test_exchange import suspended

HOUR_MS = 3600 * 1000
SECOND = example_uscc("91", ORIGIN, 8)


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def listed() -> tuple[Town, Place]:
    """Somebody whom every reader has on the list."""
    town = await Town(READER, OTHER).open()
    (place,) = await town.enter()
    await town.network.settle()
    return town, place


async def lift(town: Town, place: Place) -> None:
    await town.decide(await town.draft_change(place, EXIT))


def test_the_last_change_of_an_entry_is_what_is_asked_for() -> None:
    async def scenario() -> None:
        town, place = await listed()
        ledgers = town.node.ledgers
        assert ledgers.last_change("serious-tax", place) == (place.epoch, place.index)
        await lift(town, place)
        lifted = ledgers.last_change(CHANNEL, place)
        assert lifted == (0, place.index + 1)
        assert {row.node for row in ledgers.of(CHANNEL, lifted).missing} == {READER, OTHER}
        assert ledgers.of(CHANNEL, (place.epoch, place.index)).missing == []
        await town.network.settle()
        for node in (ORIGIN, READER, OTHER):
            found = town.network[node].ledgers.of(CHANNEL, lifted)
            assert (found.applied, len(found.counted)) == (3, 3)
        with pytest.raises(XinqiaoError) as refused:
            ledgers.last_change(CHANNEL, Place(0, 9, 0))
        assert refused.value.parameters["entry"] == f"{CHANNEL}#0/9/0"

    run(scenario())


def test_the_alarm_names_the_removals_that_a_reader_lacks_and_goes_once_it_has_them() -> None:
    async def scenario() -> None:
        town, first = await listed()
        (second,) = await town.enter({"decision": "税稽罚〔2026〕2号", "subject": SECOND})
        await town.network.settle()
        town.network.down.add(READER)
        await lift(town, first)
        await lift(town, second)
        await town.network.settle()
        town.network.clock.time_ms += 2 * HOUR_MS
        await town.node.ledgers.watch()
        (alarm,) = (each for each in town.node.answering.alarms() if each.code == "LIST_LATE")
        assert (alarm.parameters["nodes"], alarm.parameters["count"], alarm.parameters["total"]) == (READER, "1", "3")
        assert alarm.parameters["removals"] == ", ".join(f"0/{each.index}/0" for each in (second, first))
        town.network.down.clear()
        await town.network.settle()
        await town.node.ledgers.watch()
        assert [each for each in town.node.answering.alarms() if each.code == "LIST_LATE"] == []

    run(scenario())


def test_a_reader_that_computes_another_list_is_missing_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        town, place = await listed()
        monkeypatch.setattr("node.acknowledging.receipt_digest", lambda _, __: b"wrong".ljust(32))
        await lift(town, place)
        await town.network.settle()
        found = town.node.ledgers.of(CHANNEL)
        assert {row.node: (row.delivery, row.reason) for row in found.missing} == {
            READER: (Delivery.RECEIVED, Reason.DIGEST),
            OTHER: (Delivery.RECEIVED, Reason.DIGEST),
        }

    run(scenario())


def test_who_left_the_audience_and_is_named_again_is_not_taken_for_one_that_computes_another_list() -> None:
    async def scenario() -> None:
        town, _ = await listed()
        await town.node.publishing.set_audience(CHANNEL, parse_audience(OTHER))
        await town.network.settle()
        town.network.down.add(READER)
        await town.node.publishing.set_audience(CHANNEL, parse_audience("everyone"))
        reasons = {row.node: row.reason for row in town.node.ledgers.of(CHANNEL).missing}
        assert READER in reasons
        assert Reason.DIGEST not in reasons.values()

    run(scenario())


def test_in_a_later_epoch_the_digest_shows_that_what_was_decided_before_the_cut_is_applied() -> None:
    async def scenario() -> None:
        town, place = await listed()
        held = town.node.world.store.channel(CHANNEL)
        head = (CHANNEL, 0, HeadAt(held.log.size, held.log.root))
        await town.network.relist(ORIGIN, **suspended(town.network, ORIGIN, head))
        await town.network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        await lift(town, place)
        await town.network.settle()
        for node in (ORIGIN, READER, OTHER):
            ledgers = town.network[node].ledgers
            assert ledgers.last_change(CHANNEL, place)[0] == 1
            assert ledgers.of(CHANNEL).missing == []
            assert ledgers.of(CHANNEL, (place.epoch, place.index)).missing == []

    run(scenario())
