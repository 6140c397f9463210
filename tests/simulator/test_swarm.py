"""Swarm: what is drawn is small, valid and varied; scenario files say which guarantee or pain they are about."""

import hashlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from node.simulator.drawing import draw
from node.simulator.places import CITIES, DISTRICTS, PROVINCES
from node.simulator.reading import mistakes, read_scenario
from node.simulator.scenario import FAULTS, Scenario
from node.simulator.swarm import ABOVE, LEVELS, swarm, thirty, yangtze_delta
from tests.simulator.elsewhere import printed_elsewhere

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests" / "scenarios").glob("*.yaml"))
DIVISIONS = ROOT / ".." / "shared" / "data" / "divisions.json"
SEEDS = range(500)
WORK = ("publish", "erase", "set_audience")


@cache
def drawn(seed: int) -> Scenario:
    return swarm(seed)


def share(is_so: object) -> float:
    """How often something is so among the seeds."""
    return sum(bool(is_so(drawn(seed))) for seed in SEEDS) / len(SEEDS)  # type: ignore[operator]


# -- a swarm ---------------------------------------------------------------------------------------------------


def test_every_swarm_is_a_scenario_without_mistakes() -> None:
    assert {seed: mistakes(drawn(seed)) for seed in SEEDS if mistakes(drawn(seed))} == {}


def test_a_swarm_is_small() -> None:
    sizes = [len(drawn(seed).nodes) for seed in SEEDS]
    assert (min(sizes), max(sizes)) == (3, 7)
    assert 4.5 < sum(sizes) / len(sizes) < 5.5
    work = [sum(event.kind in WORK for event in draw(drawn(seed), seed)) for seed in SEEDS]
    assert min(work) >= 15
    assert max(work) <= 125
    assert all(5 <= drawn(seed).minutes <= 20 and 20 <= drawn(seed).settings.heartbeat_s <= 120 for seed in SEEDS)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_of_fault_is_there_in_many_runs_and_absent_in_many(kind: str) -> None:
    assert 0.1 < share(lambda scenario: any(fault.kind == kind for fault in scenario.faults)) < 0.6


def test_some_runs_have_hardly_a_fault_and_some_have_most() -> None:
    counts = Counter(len(drawn(seed).faults) for seed in SEEDS)
    assert sum(counts[few] for few in (0, 1)) > 50
    assert sum(counts[many] for many in range(7, 13)) > 50


def test_roads_and_disks_are_bad_in_many_runs_and_good_in_others() -> None:
    assert 0.6 < share(lambda one: one.network.reset or one.network.lost_answer or one.network.duplicate) < 0.9
    for option in ("reset", "lost_answer", "duplicate", "stall"):
        assert 0.1 < share(lambda one, option=option: getattr(one.network, option)) < 0.7
    for option in ("fail", "fail_persisted", "crash_before", "crash_after"):
        assert 0.1 < share(lambda one, option=option: getattr(one.disk, option)) < 0.5


def test_loaded_runs_have_one_origin_with_bulk_and_control_for_everyone() -> None:
    loaded = [drawn(seed) for seed in SEEDS if drawn(seed).network.bytes_per_s]
    assert 0.2 < len(loaded) / len(SEEDS) < 0.4
    for scenario in loaded:
        both = {(channel.origin, channel.priority) for channel in scenario.channels if channel.audience == "everyone"}
        assert any({(origin, "bulk"), (origin, "control")} <= both for origin, _ in both)


def test_joint_lists_are_in_half_of_the_runs_of_every_kind_and_age() -> None:
    lists = [joint for seed in SEEDS for joint in drawn(seed).lists]
    assert 0.4 < share(lambda scenario: scenario.lists) < 0.6
    assert {joint.kind for joint in lists} == {"serious", "red", "watch"}
    beats = {seed: drawn(seed).settings.heartbeat_s for seed in SEEDS}
    ages = [joint.staleness_limit_s / beats[seed] for seed in SEEDS for joint in drawn(seed).lists]
    assert min(ages) == 0
    assert 0.2 < sum(0 < age <= 5 for age in ages) / len(ages) < 0.8
    assert share(lambda scenario: scenario.lists and scenario.network.bytes_per_s) > 0.05


def test_no_more_than_one_node_is_dishonest() -> None:
    for seed in SEEDS:
        rules = [fault for fault in drawn(seed).faults if fault.kind in ("lie", "equivocate")]
        assert len({node for fault in rules for node in fault.nodes}) == bool(rules)


def test_a_seed_is_the_same_scenario_in_every_process() -> None:
    program = "from node.simulator.swarm import swarm\nfor seed in range(20): print(swarm(seed).model_dump_json())"
    here = "\n".join(swarm(seed).model_dump_json() for seed in range(20))
    texts = [*printed_elsewhere(program), here]
    assert len({hashlib.sha256(text.encode()).hexdigest() for text in texts}) == 1


def test_a_swarm_survives_its_way_through_a_failure_file() -> None:
    for seed in SEEDS:
        assert Scenario.model_validate_json(drawn(seed).model_dump_json(), strict=True) == drawn(seed)


# -- real places -----------------------------------------------------------------------------------------------


def test_the_delta_has_130_nodes_of_five_levels_and_every_node_above_is_there() -> None:
    scenario = yangtze_delta()
    assert mistakes(scenario) == []
    levels = Counter(node.level for node in scenario.nodes)
    assert levels == {"national": 1, "region": 1, "province": 4, "city": 40, "district": 84}
    assert len(scenario.nodes) == len({node.id for node in scenario.nodes}) == 130
    assert sum(node.parent == "310000" for node in scenario.nodes) == 16
    assert [node.id for node in scenario.nodes if not node.parent] == ["national"]


def test_thirty_nodes_meet_every_kind_of_fault_within_an_hour() -> None:
    scenario = thirty()
    assert mistakes(scenario) == []
    assert (len(scenario.nodes), scenario.minutes) == (30, 60)
    assert {fault.kind for fault in scenario.faults} == set(FAULTS)
    assert {event.kind for event in draw(scenario, 1)} >= set(FAULTS) - {"lost_on_crash"}


def test_every_code_is_a_place_below_the_one_above_it() -> None:
    if not DIVISIONS.exists():
        pytest.skip("the list of divisions is not here")
    known = json.loads(DIVISIONS.read_text(encoding="utf-8"))
    codes = [node for node in LEVELS if node.isdigit()]
    assert [code for code in codes if code not in known] == []
    for province, cities in CITIES.items():
        assert [city for city in known if city[:2] == province[:2] and re.fullmatch("..(?!00)..00", city)] == [*cities]
    for above, districts in DISTRICTS.items():
        prefix = above[:2] if above in PROVINCES else above[:4]
        assert [code for code in known if code.startswith(prefix) and not code.endswith("00")] == [*districts]
    assert set(ABOVE) <= set(LEVELS)


# -- files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_file_is_read_and_its_first_comment_says_what_it_is_about(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    scenario = read_scenario(text, path.name)
    about = re.fullmatch(r"(g|pain-)(\d+)-[a-z0-9-]+", path.stem)
    assert about is not None
    named = f"# G{about[2]}: " if about[1] == "g" else f"# Pain {int(about[2])}, "
    assert text.startswith(named)
    assert draw(scenario, 1)


def test_there_is_a_file_for_every_guarantee_and_every_pain_that_applies() -> None:
    names = {re.match(r"g\d+|pain-\d+", path.stem)[0] for path in FILES}  # type: ignore[index]
    guarantees = {f"g{number}" for number in (*range(1, 11), 12)}
    pains = {f"pain-{number:02}" for number in range(1, 18)} & names
    assert names == guarantees | pains
    readme = (ROOT / "tests" / "scenarios" / "README.md").read_text(encoding="utf-8").partition("Pains without")[2]
    for number in range(1, 18):
        assert f"pain-{number:02}" in pains or re.search(rf"\b{number}, ", readme), f"pain {number} is nowhere"
