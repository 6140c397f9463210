"""Which rules hold at a node, and what they said of a record that it holds."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli.main import main
from node.cli.rules import parse_ref
from node.core.audience import parse_audience
from node.core.errors import XinqiaoError
from node.core.record import Candidate
from node.pb import channel_pb2, record_pb2
from tests.builders import make_node
from tests.duties.hostile import authority_of_example, penalty
from tests.duties.rows import manifest, row
from tests.wire import Network

RULES = Path(__file__).resolve().parents[2] / "registry" / "editions" / "rules-2026.1.json"


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def town(*ids: str) -> Network:
    """Nodes of which the registry also publishes the rules; each has its id for a division."""
    network = Network(*ids)
    plain = network.state
    rules = {"rules/2026.1.json": RULES.read_bytes()}
    network.state = lambda: replace(plain(), targets={**plain().targets, **rules})  # type: ignore[method-assign]
    await network.publish_registry()
    return network


async def published(network: Network, node: str, candidate: Candidate, item: str) -> record_pb2.RecordRef:
    """Publish one record on a channel of class C for everybody, and tell its place."""
    made = channel_pb2.Manifest(
        title="示例", item=item, audience=parse_audience("everyone"), disclosure=channel_pb2.DISCLOSURE_CLASS_C
    )
    held = await network[node].publishing.create_channel("more", made)
    await network[node].publishing.publish(held.log.channel, [candidate])
    return record_pb2.RecordRef(channel=held.log.channel, index=1)


def test_the_rules_in_force_are_listed_with_where_they_hold() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        found = {node: network[node].judging.rules("", "") for node in ("310115", "330100")}
        assert {each.version for each in found.values()} == {"2026.1"}
        assert list(found["310115"].known_versions) == ["1", "2026.1"]

        def holds(node: str, rule: str) -> bool:
            (one,) = (each for each in found[node].rules if each.id == rule)
            return any(provision.holds_here for provision in one.provisions)

        assert [holds(node, "R-INC-5") for node in found] == [False, True]
        assert [holds(node, "R-INC-1") for node in found] == [True, True]
        (minors,) = network["310115"].judging.rules("R-INC-1", "").rules
        assert json.loads(minors.provisions[0].parameters_json)["years"] == 18

    run(scenario())


def test_version_1_is_what_a_node_without_an_edition_has() -> None:
    async def scenario() -> None:
        judging = Network("310115")["310115"].judging
        assert [each.id for each in judging.rules("", "").rules] == ["R-INC-1", "R-INC-4", "R-DIS-3"]
        for rule, version, code in (("R-X", "", "RULE_UNKNOWN"), ("", "2099.1", "RULES_UNKNOWN")):
            with pytest.raises(XinqiaoError, match=code):
                judging.rules(rule, version)

    run(scenario())


def test_a_record_is_explained_by_the_edition_its_entry_names_and_again_by_another() -> None:
    async def scenario() -> None:
        network = await town("310115", "330100")
        authority = authority_of_example()
        network.signing["310115"] = make_node("310115", authorities=[{"uscc": authority}])
        await network.publish_registry()
        ref = await published(network, "310115", penalty(3, authority), "penalty.2018")
        await network.settle()
        found = network["330100"].judging.explain(ref, "")
        assert (found.item, found.disclosure, found.version) == ("penalty.2018", "C", found.entry_version)
        again = network["330100"].judging.explain(ref, "2026.1")
        assert (again.origin_division, again.division, again.version) == ("310115", "330100", "2026.1")
        rules = {(each.rule, each.predicate): each for each in again.rules}
        # Zhejiang's law is that of the receiver, and the record does not say that it is final.
        final = rules["R-INC-5", "finality_unstated"]
        assert (final.of_origin, final.of_receiver, final.verdict.code) == (False, True, "RULE_FINALITY_UNSTATED")
        simple = rules["R-INC-4", "simple_procedure"]
        assert (simple.of_origin, simple.of_receiver, simple.HasField("verdict")) == (True, True, False)
        assert "R-INC-13" in {due.rule for due in again.due}
        assert all(due.provisional for due in again.due if due.rule != "R-INC-11")

    run(scenario())


def test_a_record_that_is_not_here_is_said_to_be_unknown() -> None:
    async def scenario() -> None:
        network = await town("310115")
        await network["310115"].publishing.create_channel("base", manifest())
        await network["310115"].publishing.publish("310115/base", [row(1)])
        for index, position in ((1, 5), (7, 0), (0, 0)):
            ref = record_pb2.RecordRef(channel="310115/base", index=index, position=position)
            with pytest.raises(XinqiaoError, match="RECORD_UNKNOWN"):
                network["310115"].judging.explain(ref, "")
        known = network["310115"].judging.explain(record_pb2.RecordRef(channel="310115/base", index=1), "2026.1")
        assert [each for each in known.rules if each.HasField("verdict")] == []

    run(scenario())


@pytest.mark.parametrize("text", ["310000/penalties 0/3/5", "310000/penalties/0/3/5", " 310000/penalties  0/3/5 "])
def test_a_place_is_read_as_it_is_printed(text: str) -> None:
    ref = parse_ref(text)
    assert (ref.channel, ref.epoch, ref.index, ref.position) == ("310000/penalties", 0, 3, 5)


@pytest.mark.parametrize("text", ["", "310000/penalties", "310000 0/3/5", "310000/penalties 0/3", "x/y 0/-1/0"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        parse_ref(text)


def test_the_commands_say_that_no_node_runs(tmp_path: Path) -> None:
    for words in (["list"], ["show", "R-INC-1"], ["explain", "310000/a", "0/1/0"]):
        ran = CliRunner().invoke(main, ["rules", *words, "--home", str(tmp_path)])
        assert ran.exit_code == 1
        assert "HOME_MISSING" in ran.stderr
