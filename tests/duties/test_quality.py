"""Quality figures of a node's channels: counted once, entry by entry, at whoever writes and at whoever reads them."""

import asyncio
import json
from collections.abc import Coroutine, Sequence

import pytest

from node import quality
from node.core.errors import XinqiaoError
from node.core.quality import Rows
from node.core.state import Place
from node.metrics import NodeCollector
from node.node import Node
from node.quality import Quality
from tests.builders import make_node
from tests.duties.hostile import authority_of_example, penalty
from tests.duties.rows import manifest, row
from tests.duties.test_judging import published, town
from tests.wire import Network

CHANNEL = "310115/base"


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def counted(node: Node, channel: str = CHANNEL) -> Quality:
    while await node.measuring.count(channel):
        pass
    return node.measuring.quality(channel)


def ratio(found: Quality, name: str) -> float | None:
    (figure,) = (each for each in found.figures if each.name == name)
    return figure.ratio


async def with_base(network: Network, serials: Sequence[int]) -> None:
    await network["310115"].publishing.create_channel("base", manifest())
    await network["310115"].publishing.publish(CHANNEL, [row(serial) for serial in serials])


def test_writer_and_reader_count_the_same() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        await with_base(network, range(1, 11))
        await network["310115"].publishing.publish(CHANNEL, [row(1, "示例改名有限公司"), row(11)])
        await network.settle()
        own, other = [await counted(network[node]) for node in ("310115", "330100")]
        assert own.figures == other.figures
        assert (own.tally.records, own.corrections.revised) == (12, 1)
        assert ratio(own, "accuracy") == 11 / 12
        # Nine of its ten optional fields are left out by every row, and nothing else is wrong.
        assert ratio(own, "completeness") == 0
        assert ratio(own, "standardisation") == 1
        assert ratio(own, "timeliness") is None
        assert (own.counted, own.entries) == (3, 3)

    run(scenario())


def test_what_was_counted_is_not_counted_again() -> None:
    async def scenario() -> None:
        network = await town("310115")
        await with_base(network, range(1, 6))
        node = network["310115"]
        await counted(node)
        kept = node.world.store.setting(f"quality.tally {CHANNEL}")
        assert kept is not None
        # Had it read the first entries again, it would have counted them twice; a marked count shows it.
        marked = json.loads(kept)
        next(iter(marked["months"].values()))["records"] += 100
        with node.world.store.transaction() as tx:
            tx.set_setting(f"quality.tally {CHANNEL}", json.dumps(marked))
        assert (await counted(node)).tally.records == 105
        await node.publishing.publish(CHANNEL, [row(6)])
        assert (await counted(node)).tally.records == 106

    run(scenario())


def test_another_calendar_or_edition_of_the_rules_begins_anew() -> None:
    async def scenario() -> None:
        network = await town("310115")
        await with_base(network, range(1, 6))
        node = network["310115"]
        await counted(node)
        with node.world.store.transaction() as tx:
            kept = json.loads(tx.setting(f"quality.tally {CHANNEL}") or "")
            kept["basis"] = "older"
            next(iter(kept["months"].values()))["records"] += 100
            tx.set_setting(f"quality.tally {CHANNEL}", json.dumps(kept))
        assert (await counted(node)).tally.records == 5

    run(scenario())


def test_an_erased_record_is_a_correction_wherever_it_was_read() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        await with_base(network, range(1, 5))
        await network.settle()
        before = await counted(network["330100"])
        assert ratio(before, "accuracy") == 1
        await network["310115"].publishing.erase(CHANNEL, Place(0, 1, 2), "示例决定", "示例")
        await network.settle()
        for node in ("310115", "330100"):
            found = await counted(network[node])
            assert (found.corrections.erased, ratio(found, "accuracy")) == (1, 3 / 4)
        # Whoever counts for the first time has nothing to read of it, and counts it all the same.
        late = network["330100"].measuring
        with network["330100"].world.store.transaction() as tx:
            tx.set_setting(f"quality.tally {CHANNEL}", json.dumps({"basis": "older"}))
        while await late.count(CHANNEL):
            pass
        again = late.quality(CHANNEL)
        assert (again.tally.records, again.tally.unreadable, ratio(again, "accuracy")) == (4, 1, 3 / 4)

    run(scenario())


def test_the_term_of_the_rules_is_counted_from_the_decision() -> None:
    async def scenario() -> None:
        network = await town("310115")
        authority = authority_of_example()
        network.signing["310115"] = make_node("310115", authorities=[{"uscc": authority}])
        await network.publish_registry()
        ref = await published(network, "310115", penalty(3, authority), "penalty.2018")
        found = await counted(network["310115"], ref.channel)
        assert (found.duty_days, found.tally.timed, found.tally.late) == (7, 1, 1)
        assert ratio(found, "timeliness") == 0

    run(scenario())


def test_a_month_is_one_of_the_channel_and_another_is_empty() -> None:
    async def scenario() -> None:
        network = await town("310115")
        await with_base(network, range(1, 4))
        node = network["310115"]
        found = await counted(node)
        (month,) = found.months
        assert node.measuring.quality(CHANNEL, month).figures == found.figures
        assert node.measuring.quality(CHANNEL, "2001-01").tally.records == 0
        for channel, wrong, code in (("310115/x", "", "CHANNEL_UNKNOWN"), (CHANNEL, "2026-13", "ARGUMENT_INVALID")):
            with pytest.raises(XinqiaoError, match=code):
                await node.measuring.counted(channel, wrong, 1.0)

    run(scenario())


def test_rows_offered_are_counted_by_month_and_add_up() -> None:
    async def scenario() -> None:
        network = await town("310115")
        await with_base(network, range(1, 4))
        measuring = network["310115"].measuring
        for rows in (Rows(10, 2, 1), Rows(), Rows(10, 0, 0)):
            await measuring.offered(CHANNEL, rows)
        found = await counted(network["310115"])
        assert found.rows == Rows(20, 2, 1)
        assert ratio(found, "standardisation") == 17 / 20
        assert measuring.quality(CHANNEL, "2001-01").rows == Rows()

    run(scenario())


def test_metrics_show_what_was_counted_last_and_count_nothing() -> None:
    async def scenario() -> None:
        network = await town("310115")
        await with_base(network, range(1, 4))
        node = network["310115"]

        def shown() -> dict[tuple[str, ...], float]:
            families = {each.name: each for each in NodeCollector(node, list, "1").collect()}
            samples = families["xinqiao_channel_quality"].samples
            return {tuple(each.labels.values()): each.value for each in samples}

        assert shown() == {}
        await node.measuring.count_all()
        assert shown()[CHANNEL, "accuracy", "all"] == 1
        assert {labels[2] for labels in shown()} == {"all", "month"}
        await node.publishing.publish(CHANNEL, [row(1, "示例改名有限公司")])
        assert shown()[CHANNEL, "accuracy", "all"] == 1
        await node.measuring.count_all()
        assert shown()[CHANNEL, "accuracy", "all"] == 3 / 4

    run(scenario())


def test_counting_stands_back_while_a_log_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "SLICE_RECORDS", 1)

    async def scenario() -> None:
        network = await town("310115", "330100")
        await network.clock.sleep(quality.STILL_S)
        await with_base(network, range(1, 4))
        node, clock = network["310115"], network.clock
        await network.sync("310115", "330100")

        async def counting_s(*serials: int) -> float:
            for serial in serials:
                await node.publishing.publish(CHANNEL, [row(serial)])
            before_s = clock.monotonic_s()
            await node.measuring.count_all()
            return clock.monotonic_s() - before_s

        with node.delivery.taking("330100", (CHANNEL, 0)):
            assert await counting_s(4, 5) >= quality.STAND_BACK_S
        # It may not have arrived.
        assert await counting_s(6, 7) >= quality.STILL_S / 2
        await clock.sleep(quality.STILL_S)
        assert await counting_s(8, 9) < quality.STAND_BACK_S
        assert node.measuring.quality(CHANNEL).tally.records == 9
        # From a peer, likewise.
        link = node.delivery._links["330100"]
        with node.delivery.sources.bringing(link, ("330100/x", 0)):
            assert await counting_s(10, 11) >= quality.STAND_BACK_S

    run(scenario())
