"""Joint lists on simulated nodes: any interleaving ends in the same members, and who was lifted stays lifted."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from node.core.answer import Doubt
from node.simulator.driving import DrivenNetwork, scenario_of_nodes
from node.simulator.list_work import listings
from node.simulator.reading import scenario_of
from node.simulator.scenario import Scenario
from node.simulator.simulation import simulate

A, B, C = "310000", "310115", "330100"
LIST = f"{A}/lists/dishonest"
FIVE = ("national", A, B, "320500", C)
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "crash": {"each_hour": 20, "lasts_s": [0.5, 60]},
    "restore": {"each_hour": 8, "age_s": [5, 240], "lasts_s": [1, 20]},
    "lost_on_crash": {"each_hour": 8},
    "partition": {"each_hour": 10, "lasts_s": [5, 120]},
    "suspend": {"each_hour": 3, "lasts_s": [60, 150]},
    "slow": {"each_hour": 6},
}


def five_nodes(seed: int) -> Scenario:
    """Five nodes, lists of two origins, duplicates and reorderings, and some of the faults, drawn from a seed."""
    random = Random(f"five nodes {seed}")
    kinds = random.sample(sorted(FAULTS), random.randint(1, len(FAULTS)))
    lists = [
        {"origin": A, "code": "serious", "staleness_limit_s": random.choice((60, 600))},
        {"origin": A, "code": "red", "kind": "red", "audience": "drawn"},
        {"origin": C, "code": "watch", "kind": "watch", "audience": "drawn"},
    ]
    document = {
        "name": "five nodes and three lists",
        "nodes": [{"id": node, "parent": "" if node == "national" else "national"} for node in FIVE],
        "channels": [],
        "lists": lists,
        "minutes": 8,
        "settle_minutes": 60,
        "settings": {"heartbeat_s": 20, "registry_refresh_s": 40, "retry_cap_s": 60},
        "workload": {
            "list_changes": 240,
            "list_operations": [1, random.choice((2, 8))],
            "list_audience_changes": random.choice((0, 20)),
            "checks": 300,
        },
        "network": {"lost_answer": 0.02, "duplicate": 0.05, "reset": 0.003, "slow_share": 0.05},
        "faults": [{"kind": kind, **FAULTS[kind]} for kind in kinds],
        "expect": {"no_alarms": ["EQUIVOCATION"], "control_delay_s": 120},
    }
    return scenario_of(document, "five nodes")


def holds(seed: int) -> None:
    result = simulate(five_nodes(seed), seed, keep_trace=True)
    assert result.violation is None, f"{result.violation}; seed {seed}"
    acts = Counter(" ".join(line.split()[2:4]) for line in result.timeline)
    assert acts["list changed"] > 10
    assert sum(count for act, count in acts.items() if act.startswith("checked ")) > 10


@pytest.mark.parametrize("seed", range(3))
def test_g3_g4_g5_any_interleaving_on_five_nodes_ends_in_the_same_members(seed: int) -> None:
    holds(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3, 40))
def test_g3_g4_g5_many_more_interleavings_do(seed: int) -> None:
    holds(seed)


# -- one by one ------------------------------------------------------------------------------------------------


def driven(directory: Path) -> DrivenNetwork:
    """Three nodes; the first determines a serious list, and somebody is on it."""
    network = DrivenNetwork(scenario_of_nodes(A, B, C, lists=[{"origin": A}]), 1, directory)
    network.run_for(minutes=2)
    network.do("change_list", A, channel=LIST, operations=3, exits=0, seed=7)
    network.run_for(minutes=1)
    return network


def states(network: DrivenNetwork, node: str) -> dict[str, int]:
    return dict(Counter(str(each.answered) for each in listings(network[node], LIST)))


def doubts(network: DrivenNetwork, node: str) -> tuple[Doubt, ...]:
    now_ms = network[node].world.clock.now_ms()
    return network[node].checking.lists(now_ms)[LIST].doubts


def test_a_listing_by_two_officers_reaches_everybody_and_so_does_its_end(tmp_path: Path) -> None:
    with driven(tmp_path) as network:
        assert states(network, B) == states(network, C) == {"listed": 3}
        network.do("change_list", A, channel=LIST, operations=1, exits=1, seed=8)
        network.run_for(seconds=10)
        assert sum(count for state, count in states(network, B).items() if state != "listed") == 1
        assert states(network, B) == states(network, C)
        network.settle()


def test_a_reader_that_was_put_back_tells_nothing_of_a_list_until_its_origin_has_shown_its_head(tmp_path: Path) -> None:
    with driven(tmp_path) as network:
        network.do("backup", B, name="before")
        network.do("change_list", A, channel=LIST, operations=1, exits=1, seed=8)
        network.run_for(seconds=10)
        with network.partition(B):
            network.do("restore", B, name="before", down_ms=1000, sidecar="kept")
            assert states(network, B) == {"listed": 3}
            assert doubts(network, B) == (Doubt.RESTORED,)
        network.run_for(minutes=3)
        assert doubts(network, B) == ()
        assert states(network, B) == states(network, A)
        network.settle()


def test_a_copy_that_ages_tells_nothing_and_tells_again_when_it_is_fresh(tmp_path: Path) -> None:
    with driven(tmp_path) as network:
        with network.partition(C):
            network.run_for(minutes=11)
            assert doubts(network, C) == (Doubt.STALE,)
            network.do("check", C, channel=LIST, pick=1)
        network.run_for(minutes=2)
        assert doubts(network, C) == ()
        network.settle()
