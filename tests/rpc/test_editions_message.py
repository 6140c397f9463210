"""The measures and the matters of a node, as `xinqiao measures list` and `xinqiao matters list` read them."""

import asyncio
from collections.abc import Coroutine

import pytest

from node.core.errors import XinqiaoError
from node.rpc.editions_message import matters_message, measures_message
from tests.builders import NOW_MS, UNIT, make_matter, make_matters, make_measures
from tests.wire import Network


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


def test_what_is_in_force_is_shown_unless_another_edition_is_named() -> None:
    async def scenario() -> None:
        network = Network("310000")
        lists = ["310000/lists/watch-bidders"]
        network.editions = {
            "measures/1.json": make_measures("SHR-31-1", version="1"),
            "measures/2.json": make_measures("SHR-31-2", version="2", in_force_from="9000-01-01"),
            "matters/1.json": make_matters(make_matter(lists=lists), version="1"),
            "matters/2.json": make_matters(version="2", in_force_from="9000-01-01"),
        }
        await network.publish_registry()
        membership = network["310000"].membership
        measures, matters = measures_message(membership, "", NOW_MS), matters_message(membership, "", NOW_MS)
        assert (measures.version, measures.version_in_force, measures.in_force_from) == ("1", "1", "2000-01-01")
        assert (matters.version, matters.version_in_force, matters.in_force_from) == ("1", "1", "2000-01-01")
        assert [(each.code, each.kind, each.article) for each in measures.measures] == [
            ("SHR-31-1", "serious", "art. 31")
        ]
        (matter,) = matters.matters
        assert (matter.code, list(matter.units), list(matter.items)) == ("bidding.tender", [UNIT], ["penalty.2018"])
        assert (list(matter.measures), list(matter.lists)) == (["SHR-31-1"], lists)
        later = measures_message(membership, "2", NOW_MS)
        assert (later.version, later.version_in_force, list(later.known_versions)) == ("2", "1", ["1", "2"])
        assert list(matters_message(membership, "2", NOW_MS).matters) == []

    run(scenario())


def test_a_node_without_editions_says_so_and_an_unknown_one_is_refused() -> None:
    async def scenario() -> None:
        network = Network("310000")
        network.editions = {}
        await network.publish_registry()
        membership = network["310000"].membership
        for message, code in ((measures_message, "MEASURES_UNKNOWN"), (matters_message, "MATTERS_UNKNOWN")):
            found = message(membership, "", NOW_MS)
            assert (found.version, found.version_in_force, list(found.known_versions)) == ("", "", [])
            with pytest.raises(XinqiaoError, match=code):
                message(membership, "2099.1", NOW_MS)

    run(scenario())
