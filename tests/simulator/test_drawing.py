"""Plans: the same from the same seed, within the scenario's bounds, and no rule moves what another draws."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import pytest

from node.simulator.drawing import draw
from node.simulator.failure import ARGUMENTS
from node.simulator.plan import PlannedEvent
from node.simulator.reading import read_scenario
from node.simulator.scenario import Channel, Crash, Equivocate, Lie, Scenario, Slow, Workload
from tests.simulator.elsewhere import printed_elsewhere

TEXT = """
name: all at once
nodes:
  - {id: 330000, level: province}
  - {id: "c{n:02}", count: 6, parent: 330000}
channels:
  - {origin: each, audience: drawn}
  - {origin: 330000, name: lists, audience: level=city, priority: control}
lists:
  - {origin: 330000}
  - {origin: c01, kind: red, audience: drawn, staleness_limit_s: 0}
minutes: 60
workload: {list_audience_changes: 5, batches: 40, erasures: 10, audience_changes: 20, key_rotations: 5, suspensions: 5}
faults:
  - {kind: crash, each_hour: 6}
  - {kind: restore, each_hour: 3, sidecar: lost}
  - {kind: lost_on_crash, each_hour: 3}
  - {kind: disk_full, each_hour: 3}
  - {kind: partition, each_hour: 5}
  - {kind: partition, each_hour: 3, nodes: [c01], others: [c02], one_way: true}
  - {kind: slow, each_hour: 3, nodes: [c03, c04]}
  - {kind: clock_step, each_hour: 3}
  - {kind: suspend, each_hour: 2}
  - {kind: rotate_key, at_minute: 30, revoke: true}
  - {kind: equivocate, each_hour: 4, nodes: [c05]}
  - {kind: lie, each_hour: 8}
  - {kind: registry, each_hour: 5}
"""
SCENARIO = read_scenario(TEXT, "all.yaml")
SEEDS = range(1, 21)
END_MS = 60 * 60_000


def acts(plan: Iterable[PlannedEvent], *kinds: str) -> list[tuple[int, str, str, str]]:
    """What a plan does, without the places in it."""
    return [
        (act.at_ms, act.kind, act.node, json.dumps(act.arguments)) for act in plan if not kinds or act.kind in kinds
    ]


def without(scenario: Scenario, number: int) -> Scenario:
    """The scenario whose rule of that number never happens."""
    never = Slow(kind="slow", each_hour=0)
    return scenario.model_copy(
        update={"faults": [never if at == number else fault for at, fault in enumerate(scenario.faults)]}
    )


def test_a_plan_hangs_on_scenario_and_seed_alone() -> None:
    code = (
        "import dataclasses, json\nfrom node.simulator.drawing import draw\n"
        "from node.simulator.reading import read_scenario\nfrom tests.simulator.test_drawing import TEXT\n"
        "print(json.dumps([dataclasses.asdict(act) for act in draw(read_scenario(TEXT, ''), 7)]))"
    )
    printed = printed_elsewhere(code)
    assert printed[0] == printed[1]
    assert json.loads(printed[0]) == [asdict(act) for act in draw(SCENARIO, 7)]
    assert acts(draw(SCENARIO, 7)) != acts(draw(SCENARIO, 8))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_is_in_order_and_within_its_minutes(seed: int) -> None:
    plan = draw(SCENARIO, seed)
    assert [act.number for act in plan] == list(range(len(plan)))
    assert plan == sorted(plan)
    for act in plan:
        lasts = act.arguments.get("for_ms", act.arguments.get("down_ms", 0))
        assert isinstance(lasts, int)
        assert 0 <= act.at_ms <= END_MS
        assert act.at_ms + lasts <= END_MS


@pytest.mark.parametrize("seed", SEEDS)
def test_every_act_has_the_arguments_of_its_kind(seed: int) -> None:
    for act in draw(SCENARIO, seed):
        assert {name: type(value) for name, value in act.arguments.items()} == ARGUMENTS[act.kind]


def test_every_kind_of_act_is_drawn() -> None:
    drawn = {act.kind for seed in SEEDS for act in draw(SCENARIO, seed)}
    assert drawn == set(ARGUMENTS)


@pytest.mark.parametrize("seed", SEEDS)
def test_channels_come_first_and_have_readers(seed: int) -> None:
    plan = draw(SCENARIO, seed)
    created = [act for act in plan if act.kind in ("create_channel", "create_list")]
    assert [act.kind for act in created] == 8 * ["create_channel"] + 2 * ["create_list"]
    assert created == plan[:10]
    assert [act.arguments["staleness_limit_s"] for act in created[8:]] == [600, 0]
    for act in (*created[:7], created[9]):
        readers = str(act.arguments["audience"]).split(",")
        assert readers
        assert act.node not in readers


@pytest.mark.parametrize("seed", SEEDS)
def test_operators_work_in_channels_of_their_own_node(seed: int) -> None:
    for act in draw(SCENARIO, seed):
        if "channel" in act.arguments and act.kind != "check":
            assert str(act.arguments["channel"]).partition("/")[0] == act.node
        if act.kind == "publish":
            counts = [act.arguments[name] for name in ("records", "revised", "repeated")]
            assert counts[0] >= counts[1] + counts[2]  # type: ignore[operator]
        if act.kind == "change_list":
            assert 1 <= act.arguments["operations"] <= 4  # type: ignore[operator]
            assert 0 <= act.arguments["exits"] <= act.arguments["operations"]  # type: ignore[operator]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_change_of_audience_drops_one_reader_or_adds_one(seed: int) -> None:
    readers: dict[object, set[str]] = {}
    cities = {f"c{number:02}" for number in range(1, 7)}
    everyone = cities  # of the list that 330000 determines
    for act in draw(SCENARIO, seed):
        if act.kind in ("create_channel", "create_list", "set_audience") and act.arguments["audience"] != "everyone":
            channel, audience = act.arguments["channel"], str(act.arguments["audience"])
            now = cities if audience == "level=city" else set(audience.split(","))
            if act.kind == "set_audience":
                assert len(now ^ readers.get(channel, everyone)) == 1
            assert now
            readers[channel] = now


def test_nothing_is_changed_where_the_only_reader_would_go() -> None:
    pair = read_scenario("name: x\nnodes: [{id: aa}, {id: bb}]\nworkload: {audience_changes: 100}", "a.yaml")
    assert acts(draw(pair, 1), "set_audience") == []


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_a_third_lies_or_equivocates(seed: int) -> None:
    plan = draw(SCENARIO, seed)
    equivocating = {act.node for act in plan if act.kind == "equivocate"}
    assert equivocating <= {"c05"}
    assert len(equivocating | {act.node for act in plan if act.kind == "lie"}) <= 2
    for act in plan:
        if act.kind == "equivocate":
            assert act.node not in act.arguments["visible_to"]  # type: ignore[operator]


def test_liars_that_no_rule_names_are_drawn_from_the_seed() -> None:
    rules = [Lie(kind="lie", each_hour=20), Equivocate(kind="equivocate", each_hour=20)]
    scenario = SCENARIO.model_copy(update={"faults": rules})
    found = [{act.node for act in draw(scenario, seed) if act.kind in ("lie", "equivocate")} for seed in SEEDS]
    assert {len(nodes) for nodes in found} == {2}
    assert len(set.union(*found)) == 7


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restore_has_its_backup(seed: int) -> None:
    made: dict[object, str] = {}
    for act in draw(SCENARIO, seed):
        if act.kind == "backup":
            assert made.setdefault(act.arguments["name"], act.node) == act.node
        elif act.kind == "restore":
            assert made.pop(act.arguments["name"]) == act.node
    assert made == {}


@pytest.mark.parametrize("number", range(len(SCENARIO.faults)))
def test_taking_out_one_rule_moves_no_other(number: int) -> None:
    whole, rest = Counter(acts(draw(SCENARIO, 3))), Counter(acts(draw(without(SCENARIO, number), 3)))
    if SCENARIO.faults[number].kind != "equivocate":  # whoever else may lie hangs on whom that rule names
        assert rest < whole


def test_taking_out_one_kind_of_work_moves_no_other() -> None:
    quiet = SCENARIO.model_copy(update={"workload": SCENARIO.workload.model_copy(update={"batches": 0})})
    assert acts(draw(quiet, 3)) == [act for act in acts(draw(SCENARIO, 3)) if act[1] != "publish"]


def test_rates_are_met_on_average() -> None:
    scenario = SCENARIO.model_copy(
        update={"faults": [Crash(kind="crash", each_hour=0.5)], "workload": Workload(batches=20, erasures=0)}
    )
    drawn = Counter(act.kind for seed in range(400) for act in draw(scenario, seed))
    assert 150 < drawn["crash"] < 250
    assert drawn["publish"] == pytest.approx(400 * 20, rel=0.02)


def test_taking_out_the_lists_moves_no_other_work() -> None:
    plain = SCENARIO.model_copy(update={"lists": []})
    kinds = ("publish", "erase", "rotate_key")
    assert [act[1:] for act in acts(draw(plain, 3), *kinds)] == [act[1:] for act in acts(draw(SCENARIO, 3), *kinds)]
    assert acts(draw(plain, 3), "create_list", "change_list", "check") == []


def test_no_channel_means_no_work_in_channels() -> None:
    scenario = SCENARIO.model_copy(update={"channels": [], "lists": []})
    assert acts(draw(scenario, 1), "publish", "erase", "set_audience") == []


def test_a_lone_node_publishes_for_everyone() -> None:
    scenario = read_scenario("name: x\nnodes: [{id: aa}]\nminutes: 0.01", "a.yaml")
    scenario = scenario.model_copy(update={"channels": [Channel(origin="aa", audience="drawn")]})
    assert [act.arguments["audience"] for act in draw(scenario, 1) if act.kind == "create_channel"] == ["everyone"]
