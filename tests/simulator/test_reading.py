"""Scenario files: what is read, and how each mistake is named."""

import json
from typing import Any

import pytest

from node.core.errors import XinqiaoError
from node.simulator.reading import (
    expand_channels,
    expand_lists,
    expand_nodes,
    list_channel,
    options_between,
    read_scenario,
    scenario_of,
)
from node.simulator.scenario import FAULTS, Crash, LinkRule, NodeTemplate, Scenario

NODES = 'name: small\nnodes: [{id: 330000, level: province}, {id: "c{n:02}", count: 3, parent: 330000}]\n'


def refused(text: str) -> str:
    with pytest.raises(XinqiaoError) as caught:
        read_scenario(text, "bad.yaml")
    assert caught.value.code == "SCENARIO"
    assert caught.value.text.startswith("bad.yaml is no scenario: ")
    return caught.value.text.removeprefix("bad.yaml is no scenario: ")


def test_a_file_with_a_name_and_one_node_is_enough() -> None:
    scenario = read_scenario("name: alone\nnodes: [{id: '010000'}]", "a.yaml")
    assert scenario == Scenario(name="alone", nodes=[NodeTemplate(id="010000")])


def test_a_template_stands_for_numbered_nodes() -> None:
    scenario = read_scenario(NODES, "a.yaml")
    assert [(node.id, node.parent, node.count) for node in expand_nodes(scenario)] == [
        ("330000", "", 0),
        ("c01", "330000", 0),
        ("c02", "330000", 0),
        ("c03", "330000", 0),
    ]


def test_each_gives_a_channel_to_every_node() -> None:
    scenario = read_scenario(NODES + "channels: [{origin: each}, {origin: c02, name: lists}]", "a.yaml")
    found = [f"{channel.origin}/{channel.name}" for channel in expand_channels(scenario)]
    assert found == [*(f"{node}/registrations" for node in ("330000", "c01", "c02", "c03")), "c02/lists"]


def test_each_gives_a_joint_list_to_every_node() -> None:
    scenario = read_scenario(NODES + "lists: [{origin: each}, {origin: c02, code: red, kind: red}]", "a.yaml")
    found = [list_channel(joint) for joint in expand_lists(scenario)]
    assert found == [*(f"{node}/lists/dishonest" for node in ("330000", "c01", "c02", "c03")), "c02/lists/red"]


def test_six_digits_are_an_id_with_quotes_and_without() -> None:
    plain = read_scenario(NODES + "faults: [{kind: crash, at_minute: 1, nodes: [330000]}]", "a.yaml")
    quoted = read_scenario(NODES + 'faults: [{kind: crash, at_minute: 1.0, nodes: ["330000"]}]', "a.yaml")
    assert plain == quoted


def test_the_last_rule_that_fits_a_link_counts_in_both_directions() -> None:
    rules = "links: [{between: [any], and: [c01], stall: 0.5}, {between: [c02], and: [c01, c03], reset: 0.5}]"
    scenario = read_scenario(NODES + rules, "a.yaml")
    assert options_between(scenario, "330000", "c01").stall == 0.5
    assert options_between(scenario, "c01", "330000").stall == 0.5
    assert options_between(scenario, "c01", "c02").reset == 0.5
    assert options_between(scenario, "c02", "c01").stall == 0.0
    assert options_between(scenario, "330000", "c03") is scenario.network


def test_a_scenario_comes_back_from_json_as_it_was() -> None:
    faults: list[dict[str, Any]] = [{"kind": kind, "each_hour": 1} for kind in FAULTS]
    text = NODES + "links: [{between: [any], and: [c01], latency_ms: [1, 2]}]\nfaults: " + json.dumps(faults)
    scenario = read_scenario(text, "a.yaml")
    document = json.loads(scenario.model_dump_json())
    assert document["links"][0]["and"] == ["c01"]
    assert scenario_of(document, "a.json") == scenario
    assert {type(fault) for fault in scenario.faults} == set(FAULTS.values())


def test_code_writes_the_other_side_of_a_link_as_and_() -> None:
    rule = LinkRule(between=["any"], and_=["c01"])
    assert rule.model_dump()["and"] == ["c01"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file: it should be an object"),
        ("name: [", "line 1: expected the node content"),
        ("name: x\nname: y", "line 2: the key 'name' stands twice"),
        ("name: &a x\nnodes: *a", "line 2: references (*name) are not taken"),
        ("? [a]\n: 3", "line 1: a key is a text"),
        ("name: !!binary eA==", "line 1: could not determine a constructor"),
        ("name: x\x00", "it is no YAML"),
        ("[" * 5000, "it is no YAML"),
        ("a" * (1024 * 1024 + 1), "it has 1048577 characters"),
        ('name: "\\ud800"\nnodes: [{id: aa}]', "the file: "),
        ("name: x\nnodes: []", "nodes: "),
        ("nodes: [{id: aa}]", "name: it must be given"),
        ("name: x\nnodes: [{id: aa}]\nminuts: 3", "minuts: there is no such key; did you mean minutes?"),
        ("name: x\nnodes: [{id: aa, zzz: 1}]", "nodes[0].zzz: there is no such key; the keys are id, level"),
        ("name: x\nnodes: [{id: aa}]\nminutes: yes", 'minutes: it should be a valid number; it is "yes"'),
        ("name: x\nnodes: [{id: aa}]\nminutes: true", "minutes: it should be a valid number; it is true"),
        ("name: x\nnodes: [{id: aa}]\nminutes: '3'", 'minutes: it should be a valid number; it is "3"'),
        ("name: x\nnodes: [{id: aa}]\nminutes: 1e999", "minutes: it should be a finite number"),
        ("name: x\nnodes: [{id: aa}]\nminutes: 0", "minutes: it should be greater than 0; it is 0"),
        ("name: 2026-01-01x\nnodes: [{id: AA}]", "nodes[0].id: 'AA' is no id"),
        ("name: x\nnodes: [{id: each}]", "nodes[0].id: 'each' is no id"),
        ("name: x\nnodes: [{id: aa, count: 2}]", 'nodes[0].id: "{n}"'),
        ('name: x\nnodes: [{id: "a{n}"}]', 'nodes[0].id: "{n}"'),
        ('name: x\nnodes: [{id: "a{n}", count: 2}, {id: a2}]', "nodes: a2 stands twice"),
        ("name: x\nnodes: [{id: aa, parent: bb}]", "nodes: the parent 'bb' of aa is none of the nodes"),
        ("name: x\nnodes: [{id: aa, parent: aa}]", "nodes: aa stands above itself"),
        ("name: x\nnodes: [{id: aa, parent: bb}, {id: bb, parent: aa}]", "nodes: aa stands above itself"),
        (NODES + "channels: [{origin: c1}]", "channels[0].origin: 'c1' is none of the nodes; did you mean c01?"),
        (NODES + "channels: [{origin: each, name: Lists}]", "channels[0].name: 'Lists' is no name"),
        (NODES + "channels: [{origin: each, name: lists/a}]", "channels[0].name: 'lists/a' is that of a joint list"),
        (NODES + "lists: [{origin: c9}]", "lists[0].origin: 'c9' is none of the nodes"),
        (NODES + "lists: [{origin: c01, code: A b}]", "lists[0].code: 'A b' is no code"),
        (NODES + "lists: [{origin: each, audience: c09}]", "lists[0].audience: 'c09' is none"),
        (NODES + "lists: [{origin: each}, {origin: c01}]", "lists: c01/lists/dishonest stands twice"),
        (NODES + "workload: {list_operations: [0, 3]}", "workload.list_operations: a batch has at least one record"),
        (NODES + "channels: [{origin: each}, {origin: c01}]", "channels: c01/registrations stands twice"),
        (NODES + "channels: [{origin: each, audience: level=town}]", "channels[0].audience: the audience"),
        (NODES + "channels: [{origin: each, audience: c09}]", "channels[0].audience: 'c09' is none"),
        (NODES + "links: [{between: [any], and: [c9]}]", "links[0].and: 'c9' is none of the nodes"),
        (NODES + "links: [{between: [], and: [any]}]", "links[0].between: "),
        (NODES + "faults: [{kind: krash}]", "faults[0].kind: it is one of crash, restore"),
        (NODES + "faults: [{at_minute: 1}]", "faults[0].kind: it must be given"),
        (NODES + "faults: [{kind: crash}]", "faults[0]: give at_minute or each_hour"),
        (NODES + "faults: [{kind: crash, at_minute: 1, each_hour: 1}]", "faults[0]: give at_minute or each_hour"),
        (NODES + "faults: [{kind: crash, at_minute: 21}]", "faults[0].at_minute: 21 lies after the 20 minutes"),
        (NODES + "faults: [{kind: crash, at_minute: 1, lasts_s: [5, 1]}]", "faults[0].lasts_s: the least stands"),
        (NODES + "faults: [{kind: crash, at_minute: 1, lasts_s: [5]}]", "faults[0].lasts_s[1]: it must be given"),
        (
            NODES + "faults: [{kind: crash, at_minute: 1, lats_s: [5, 6]}]",
            "faults[0].lats_s: there is no such key; did",
        ),
        (NODES + "faults: [{kind: slow, at_minute: 1, nodes: [x1]}]", "faults[0].nodes: 'x1' is none"),
        (NODES + "faults: [{kind: partition, at_minute: 1, nodes: [c01], others: [c01]}]", "faults[0].others: a node"),
        (NODES + "faults: [{kind: lie, at_minute: 1, nodes: [c01, c02]}]", "faults: at most a third"),
        ("name: x\nnodes: [{id: aa}, {id: bb}]\nfaults: [{kind: lie, at_minute: 1}]", "faults: at most a third"),
        (NODES + "workload: {revised: 0.7, repeated: 0.7}", "workload: revised and repeated are shares"),
        (NODES + "workload: {records: [0, 3]}", "workload.records: a batch has at least one record"),
        (NODES + "network: {reset: 2}", "network.reset: it should be less than or equal to 1; it is 2"),
        (NODES + "expect: {alarms: [EQUIVOCATON]}", "expect.alarms: 'EQUIVOCATON' is no code of an alarm"),
    ],
)
def test_a_mistake_is_named_with_its_key(text: str, told: str) -> None:
    assert refused(text).startswith(told)


def test_all_mistakes_are_named_at_once() -> None:
    told = refused("nodes: [{id: aa, cout: 3}]\nminutes: -1\nfaults: [{kind: crash}, {kind: slow, each_hour: -1}]")
    for key in ("name: ", "nodes[0].cout: ", "minutes: ", "faults[0]: ", "faults[1].each_hour: "):
        assert key in told


def test_a_fault_in_code_has_one_kind_of_time_too() -> None:
    with pytest.raises(ValueError, match="at_minute or each_hour"):
        Crash(kind="crash")
