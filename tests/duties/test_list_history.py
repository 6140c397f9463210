"""Who is on a list, or was, and by which steps."""

import asyncio
from collections.abc import Coroutine

from node.core.listing import AMEND, RESUME, SUSPEND, ListState
from node.core.state import Place
from node.list_history import Standing, standings, steps_of
from node.pb import listing_pb2
from tests.duties.listing import CHANNEL, ORIGIN, READER, SUBJECT, Town
from tests.duties.test_list_changes import many

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


def shown(town: Town, node: str, as_of_ms: int = 0, *, everything: bool = False) -> list[Standing]:
    store, now_ms = town.network[node].world.store, town.network.clock.now_ms()
    pages = standings(store, CHANNEL, now_ms, as_of_ms, everything=everything)
    return [each for page in pages for each in page]


def told(town: Town, node: str, as_of_ms: int = 0) -> list[tuple[Place, str, str]]:
    return [(each.listing.place, each.state.value, each.listing.until) for each in shown(town, node, as_of_ms)]


def test_a_list_is_told_as_it_was_by_what_had_been_published_then() -> None:
    async def scenario() -> None:
        town = await Town().open()
        clock = town.network.clock
        times = []
        (place,) = await town.enter()
        times.append(clock.now_ms())
        for act, terms in ((AMEND, {"until": "2027-01-31"}), (SUSPEND, {}), (RESUME, {})):
            clock.time_ms += HOUR_MS
            await town.decide(await town.draft_change(place, act, **terms))
            times.append(clock.now_ms())
        clock.time_ms += HOUR_MS
        await town.decide(await town.draft_change(place))
        await town.network.settle()
        for node in (ORIGIN, READER):
            assert told(town, node) == []
            assert told(town, node, times[0] - DAY_MS) == []
            assert [told(town, node, each)[0][1:] for each in times] == [
                ("listed", "2029-09-18"),
                ("listed", "2027-01-31"),
                ("suspended", "2027-01-31"),
                ("listed", "2027-01-31"),
            ]
            assert [each.state for each in shown(town, node, everything=True)] == [ListState.EXITED]

    run(scenario())


def test_an_entry_that_has_run_out_is_on_the_list_no_more() -> None:
    async def scenario() -> None:
        town = await Town().open()
        await town.enter({"until": "2026-09-30"})
        assert len(shown(town, ORIGIN)) == 1
        town.network.clock.time_ms += 10 * DAY_MS
        assert shown(town, ORIGIN) == []
        assert [each.over for each in shown(town, ORIGIN, everything=True)] == [True]

    run(scenario())


def test_a_long_list_is_told_page_by_page() -> None:
    async def scenario() -> None:
        town = await Town().open()
        places = await town.enter(*many(1201))
        assert [each.listing.place for each in shown(town, ORIGIN)] == places

    run(scenario())


def test_the_history_of_an_entry_names_every_step_its_words_and_who_signed_it() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        await town.decide(await town.draft_change(place, ground=listing_pb2.EXIT_GROUND_REPAIRED))
        await town.network.settle()
        for node in (ORIGIN, READER):
            entered, left = steps_of(town.network[node].world.store, CHANNEL, place)
            assert (entered.effect, left.effect) == ("effective", "effective")
            assert entered.words is not None
            assert (entered.words.subject, entered.words.decision) == (SUBJECT, "税稽罚〔2026〕1号")
            assert left.words is not None
            assert (left.words.subject, left.words.reason) == ("", "已缴清")
            assert left.op.ground == listing_pb2.EXIT_GROUND_REPAIRED
            for step in (entered, left):
                assert [each.officer for each in step.signed] == ["李明", "王芳"]
                assert step.change

    run(scenario())
