"""The fixture that integration tests of other teams use, and what they see when one fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from node.simulator.pytest_plugin import SimulateNetwork

ROOT = Path(__file__).resolve().parents[2]
SHANGHAI, PUDONG, HANGZHOU = "310000", "310115", "330100"
CHANNEL = f"{SHANGHAI}/registrations"
FILE = """
name: two nodes at work
nodes: [{id: aa}, {id: bb, parent: aa}]
minutes: 3
workload: {batches: 120, erasures: 20}
faults: [{kind: crash, at_minute: 1, nodes: [bb], lasts_s: [5, 5]}]
"""


def test_what_one_node_publishes_is_held_by_the_others_after_a_crash(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, HANGZHOU, seed=7)
    network.begin("crash", PUDONG, down_ms=60_000)
    network.publish(CHANNEL, records=3)
    network.run_for(minutes=5)
    assert network.record_count(PUDONG, CHANNEL) == 3
    network.settle()


def test_nothing_gets_through_a_partition_while_its_block_runs(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, HANGZHOU)
    with network.partition(PUDONG):
        network.publish(CHANNEL, records=2)
        network.run_for(minutes=3)
        assert network.record_count(HANGZHOU, CHANNEL) == 2
        assert network.record_count(PUDONG) == 0
    network.run_for(minutes=3)
    assert network.record_count(PUDONG, CHANNEL) == 2


def test_a_node_is_down_while_a_block_runs_and_up_after_it(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG)
    with network.down(PUDONG):
        network.run_for(minutes=10)
        with pytest.raises(KeyError):
            network.record_count(PUDONG)
    assert network.record_count(PUDONG) == 0


def test_only_what_lasts_can_last_as_long_as_a_block(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI)
    for kind in ("publish", "earthquake"):
        with pytest.raises(ValueError, match="no act that lasts"), network.during(kind, SHANGHAI):
            pass


def test_a_test_sees_what_a_node_answers(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG)
    network.publish(CHANNEL, records=2)
    network.run_for(minutes=2)
    answers = network.records(PUDONG, CHANNEL)
    assert len(answers) == 2
    assert all(answer.values and answer.fresh_at_ms > 0 for answer in answers)
    assert network.state_of(PUDONG, CHANNEL) == "open"
    assert network.alarms(PUDONG) == []
    with pytest.raises(XinqiaoError, match="CHANNEL_UNKNOWN"):
        network.state_of(PUDONG, f"{SHANGHAI}/nothing")
    with network.during("suspend", SHANGHAI):
        network.run_for(minutes=10)
        assert network.state_of(PUDONG, CHANNEL) == "cut"


def test_a_network_of_a_scenario_file_does_what_the_file_says(
    simulated_network: SimulateNetwork, tmp_path: Path
) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(FILE, "utf-8")
    network = simulated_network(scenario=file, seed=3)
    assert network.nodes == ["aa", "bb"]
    network.carry_out()
    assert 180 <= network.now_s < 200
    told = "\n".join(network.timeline)
    assert "publish" in told
    assert "is killed" in told
    network.settle()
    assert network.record_count("bb", "aa/registrations") == network.record_count("aa", "aa/registrations") > 0


def test_mistakes_are_named_before_anything_runs(simulated_network: SimulateNetwork, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(FILE + "minuts: 3\n", "utf-8")
    with pytest.raises(XinqiaoError, match="did you mean minutes"):
        simulated_network(scenario=file)
    with pytest.raises(XinqiaoError, match="did you mean minutes"):
        simulated_network(SHANGHAI, minuts=3)
    with pytest.raises(TypeError, match="or else a scenario"):
        simulated_network(SHANGHAI, scenario=file)


def test_a_test_that_fails_shows_how_it_came_to_that(tmp_path: Path) -> None:
    test = tmp_path / "test_mine.py"
    test.write_text(
        "def test_mine(simulated_network):\n"
        f"    network = simulated_network('{SHANGHAI}', '{PUDONG}', seed=5)\n"
        f"    network.publish('{CHANNEL}', records=2)\n"
        f"    assert network.record_count('{PUDONG}') == 7\n",
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path / 'temporary'}", test.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "network-1, seed 5, at 2." in done.stdout
    assert f"published channel={CHANNEL} rows=2 refused=-" in done.stdout
    (whole,) = tmp_path.rglob("network-1.timeline.txt")
    assert "starts cause=first" in whole.read_text("utf-8")
