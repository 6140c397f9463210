"""Failure files come back as they were; shrinking leaves what a fault needs, and nothing that it does not."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from node.core.errors import XinqiaoError
from node.simulator.drawing import draw
from node.simulator.failure import Failure, Run, only_with, read_failure, shrink, write_failure
from node.simulator.plan import PlannedEvent
from node.simulator.reading import expand_nodes, mistakes, read_scenario
from node.simulator.scenario import Scenario
from tests.simulator.test_drawing import SCENARIO

RESTORED = "G7"
Holds = Callable[[Scenario, int, Sequence[PlannedEvent]], bool]


def failing(seed: int = 3, guarantee: str = RESTORED) -> Failure:
    return Failure(SCENARIO, seed, draw(SCENARIO, seed), guarantee, "c01", "found «this»\n", "ab" * 32)


def run_that_fails(fails: Holds, guarantee: str = RESTORED) -> Run:
    """Stands for a simulation: a rule about scenario, seed and plan says whether a run of them fails."""

    def run(scenario: Scenario, seed: int, plan: Sequence[PlannedEvent]) -> Failure | None:
        assert mistakes(scenario) == []
        if not fails(scenario, seed, plan):
            return None
        return Failure(scenario, seed, list(plan), guarantee, "c01", "found", f"{len(plan)}")

    return run


def kinds(failure: Failure) -> list[str]:
    return [act.kind for act in failure.plan]


# -- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_failure_comes_back_from_its_file_as_it_was(seed: int) -> None:
    failure = failing(seed)
    text = write_failure(failure)
    back = read_failure(text, "f.json")
    assert back == failure
    assert [dict(act.arguments) for act in back.plan] == [dict(act.arguments) for act in failure.plan]
    assert write_failure(back) == text


def test_a_failure_without_acts_has_a_file_too() -> None:
    empty = replace(failing(), plan=[])
    assert read_failure(write_failure(empty), "f.json") == empty


def test_a_file_has_a_line_for_each_act() -> None:
    failure = failing()
    lines = write_failure(failure).splitlines()
    assert sum('"at_ms"' in line for line in lines) == len(failure.plan)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(write_failure(failing()))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file: Invalid JSON"),
        ("[]", "the file: "),
        (changed(lambda file: file.pop("seed")), "seed: "),
        (changed(lambda file: file.update(version=2)), "version: "),
        (changed(lambda file: file.update(more=1)), "more: "),
        (changed(lambda file: file["plan"][0].update(at_ms=-1)), "plan.0.at_ms: "),
        (changed(lambda file: file["plan"][0].update(at_ms="1")), "plan.0.at_ms: "),
        (changed(lambda file: file["plan"][0].update(kind="krash")), "plan, number 0: the kind 'krash' is none of"),
        (changed(lambda file: file["plan"][0].update(node="c99")), "plan, number 0: 'c99' is none of the nodes"),
        (changed(lambda file: file["plan"][0]["arguments"].pop("audience")), "plan, number 0: create_channel takes"),
        (
            changed(lambda file: file["plan"][0]["arguments"].update(channel="c99/x")),
            "plan, number 0: 'c99' is none of the nodes",
        ),
        (changed(lambda file: file["plan"][0]["arguments"].update(audience=3)), "plan, number 0: create_channel takes"),
    ],
)
def test_what_is_no_failure_file_is_refused(text: str, told: str) -> None:
    with pytest.raises(XinqiaoError) as caught:
        read_failure(text, "f.json")
    assert caught.value.code == "FAILURE_FILE"
    assert caught.value.text.startswith(f"f.json is no failure of a simulation: {told}")


def test_the_scenario_in_a_failure_file_is_checked_like_any_other() -> None:
    with pytest.raises(XinqiaoError) as caught:
        read_failure(changed(lambda file: file["scenario"].update(minutes=-1)), "f.json")
    assert caught.value.code == "SCENARIO"


# -- shrinking -----------------------------------------------------------------------------------------------


def a_restore_and_a_batch_after_it(_: Scenario, __: int, plan: Sequence[PlannedEvent]) -> bool:
    """The fault: a node publishes after it was restored."""
    restored: set[str] = set()
    for act in plan:
        if act.kind == "restore":
            restored.add(act.node)
        if act.kind == "publish" and act.node in restored:
            return True
    return False


def test_shrinking_leaves_the_acts_that_it_takes() -> None:
    failure = failing()
    assert a_restore_and_a_batch_after_it(failure.scenario, 3, failure.plan)
    small = shrink(failure, run_that_fails(a_restore_and_a_batch_after_it), 2000)
    assert kinds(small) == ["create_channel", "backup", "restore", "publish"]
    assert small.plan[3].arguments["records"] == 1
    assert small.plan[3].arguments["padding"] == 0
    assert small.plan[2].arguments["down_ms"] == 1000
    assert small.guarantee == RESTORED


def test_shrinking_leaves_the_nodes_that_it_takes() -> None:
    small = shrink(failing(), run_that_fails(a_restore_and_a_batch_after_it), 2000)
    left = [node.id for node in expand_nodes(small.scenario)]
    # The origin, and a reader without which its channel would be for nobody.
    assert len(left) == 2
    assert small.plan[0].node in left
    assert small.scenario.faults == []


def test_shrinking_makes_options_harmless_but_for_those_it_takes() -> None:
    text = (
        'name: x\nnodes: [{id: "c{n}", count: 4, dials_out: true}]\nminutes: 600\n'
        "network: {reset: 0.1, duplicate: 0.1, latency_ms: [1, 2]}\ndisk: {fail: 0.1, crash_after: 0.1}\n"
        "links: [{between: [c1], and: [c2], stall: 0.1}, {between: [c1], and: [c3], stall: 0.2}]"
    )
    scenario = read_scenario(text, "a.yaml")

    def fails(scenario: Scenario, _: int, plan: Sequence[PlannedEvent]) -> bool:
        stalls = any(rule.stall == 0.2 for rule in scenario.links)
        return scenario.network.duplicate > 0 and stalls and any(act.kind == "publish" for act in plan)

    failure = Failure(scenario, 1, draw(scenario, 1), RESTORED, "c1", "found", "")
    small = shrink(failure, run_that_fails(fails), 3000)
    assert small.scenario.network.model_dump(exclude_defaults=True) == {"slow_share": 0.0, "duplicate": 0.1}
    assert small.scenario.disk.model_dump(exclude_defaults=True) == {}
    assert (small.scenario.clocks.skew_s, small.scenario.clocks.drift_ppm) == (0.0, 0.0)
    assert [rule.stall for rule in small.scenario.links] == [0.2]
    assert not any(node.dials_out for node in small.scenario.nodes)
    assert small.scenario.minutes < 600
    assert kinds(small) == ["create_channel", "publish"]


def test_shrinking_keeps_the_guarantee() -> None:
    def run(scenario: Scenario, seed: int, plan: Sequence[PlannedEvent]) -> Failure | None:
        if a_restore_and_a_batch_after_it(scenario, seed, plan):
            return Failure(scenario, seed, plan, RESTORED, "", "", "")
        return Failure(scenario, seed, plan, "G1", "", "", "")

    small = shrink(failing(), run, 1000)
    assert small.guarantee == RESTORED
    assert a_restore_and_a_batch_after_it(small.scenario, small.seed, small.plan)


def test_another_seed_is_tried_where_leaving_out_hides_the_fault() -> None:
    first = failing(3)
    run = run_that_fails(lambda _, seed, plan: seed == (3 if len(plan) == len(first.plan) else 4))
    small = shrink(first, run, 2000)
    assert small.seed == 4
    assert len(small.plan) <= 1


def test_a_failure_that_is_not_seen_again_stays_as_it_is() -> None:
    failure = failing()
    assert shrink(failure, run_that_fails(lambda *_: False), 100) is failure
    assert shrink(failure, run_that_fails(lambda *_: True, "G1"), 100) is failure


@pytest.mark.parametrize("budget", [1, 7, 40])
def test_shrinking_runs_no_more_than_it_may_and_always_the_same(budget: int) -> None:
    runs: list[str] = []
    told: list[int] = []

    def run(scenario: Scenario, seed: int, plan: Sequence[PlannedEvent]) -> Failure | None:
        runs.append(f"{scenario} {seed} {plan}")
        return run_that_fails(a_restore_and_a_batch_after_it)(scenario, seed, plan)

    found = [shrink(failing(), run, budget, lambda _, number: told.append(number)) for _ in range(2)]
    assert found[0] == found[1]
    assert len(runs) <= 2 * budget
    assert runs[: len(runs) // 2] == runs[len(runs) // 2 :]
    assert told
    assert max(told) <= budget


def test_the_same_run_is_not_tried_twice() -> None:
    runs: list[str] = []

    def run(scenario: Scenario, seed: int, plan: Sequence[PlannedEvent]) -> Failure | None:
        runs.append(f"{scenario} {seed} {plan}")
        return run_that_fails(a_restore_and_a_batch_after_it)(scenario, seed, plan)

    shrink(failing(), run, 3000)
    assert len(set(runs)) == len(runs)


def test_shrinking_never_leaves_more_than_a_third_dishonest() -> None:
    def fails(_: Scenario, __: int, plan: Sequence[PlannedEvent]) -> bool:
        return any(act.kind == "lie" for act in plan)

    failure = next(each for seed in range(20) if fails(SCENARIO, 0, (each := failing(seed)).plan))
    small = shrink(failure, run_that_fails(fails), 2000)
    assert kinds(small) == ["lie"]
    assert len(expand_nodes(small.scenario)) == 3


def test_a_scenario_without_some_nodes_names_them_nowhere() -> None:
    text = (
        'name: x\nnodes: [{id: top}, {id: mid, parent: top}, {id: "c{n}", count: 3, parent: mid}]\n'
        "channels: [{origin: each, audience: 'c1,mid'}, {origin: c1, name: up, audience: 'parent=mid&c2'}]\n"
        "links: [{between: [mid, c1], and: [any]}, {between: [mid], and: [any]}]\n"
        "faults: [{kind: crash, each_hour: 1, nodes: [mid]}]"
    )
    rest = only_with(read_scenario(text, "a.yaml"), ["top", "c1", "c2"])
    assert mistakes(rest) == []
    assert [(node.id, node.parent) for node in rest.nodes] == [("top", ""), ("c1", "top"), ("c2", "top")]
    assert {channel.audience for channel in rest.channels} == {"c1"}
    assert [rule.between for rule in rest.links] == [["c1"]]
