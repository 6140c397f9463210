"""What the acts of a plan do to real nodes on simulated machines, seen through the driver that tests use."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from node.core.errors import XinqiaoError
from node.simulator.driving import DrivenNetwork, scenario_of_nodes
from node.simulator.observing import Violation
from node.simulator.process import Process
from node.simulator.pytest_plugin import SimulateNetwork

SHANGHAI, PUDONG, HANGZHOU = "310000", "310115", "330100"
CHANNEL = f"{SHANGHAI}/registrations"
QUICK: dict[str, Any] = {"settings": {"heartbeat_s": 20, "registry_refresh_s": 30, "retry_cap_s": 30}}


def test_a_node_that_was_killed_has_what_it_had_acknowledged(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, **QUICK)
    network.publish(CHANNEL, records=4)
    network.do("crash", SHANGHAI, down_ms=5_000)
    assert network[SHANGHAI].world.store.record_count(CHANNEL) == 4
    network.publish(CHANNEL, records=1)
    network.settle()
    assert network[PUDONG].world.store.record_count(CHANNEL) == 5


def test_a_node_that_is_down_cannot_be_looked_at_nor_publish(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, **QUICK)
    network.begin("crash", SHANGHAI, down_ms=60_000)
    with pytest.raises(KeyError):
        network[SHANGHAI]
    with pytest.raises(RuntimeError, match="it is down"):
        network.publish(CHANNEL)


def test_a_restored_node_publishes_again_once_peers_have_given_its_own_entries_back(
    simulated_network: SimulateNetwork,
) -> None:
    network = simulated_network(SHANGHAI, PUDONG, HANGZHOU, **QUICK)
    network.do("backup", SHANGHAI, name="yesterday")
    network.publish(CHANNEL, records=2)
    network.run_for(minutes=1)
    network.do("restore", SHANGHAI, name="yesterday", down_ms=1_000, sidecar="kept")
    with pytest.raises(XinqiaoError, match="RESTORED"):
        network.publish(CHANNEL)
    network.run_for(minutes=2)
    network.publish(CHANNEL)
    network.settle()
    assert network[HANGZHOU].world.store.record_count(CHANNEL) == 3


def test_a_suspended_member_cannot_publish_and_goes_on_in_the_next_epoch(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, HANGZHOU, **QUICK)
    network.publish(CHANNEL, records=2)
    network.run_for(minutes=2)
    network.begin("suspend", SHANGHAI, for_ms=120_000)
    network.run_for(minutes=1)
    with pytest.raises(XinqiaoError, match="MEMBER_SUSPENDED"):
        network.publish(CHANNEL)
    network.run_for(minutes=2)
    network.publish(CHANNEL)
    network.settle()
    newest = network[PUDONG].world.store.channel(CHANNEL)
    assert newest is not None
    assert newest.log.epoch == 1
    assert network[PUDONG].world.store.record_count(CHANNEL) == 3


def test_a_copy_of_a_node_is_proven_to_have_written_two_histories(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, HANGZHOU, **QUICK)
    network.publish(CHANNEL, records=1)
    network.run_for(minutes=1)
    network.do("equivocate", SHANGHAI, visible_to=[HANGZHOU], for_ms=120_000)
    network.settle()
    for reader in (PUDONG, HANGZHOU):
        proofs = network[reader].world.store.equivocations_since(0)
        assert {proof.channel for proof in proofs} == {CHANNEL}


def test_a_key_is_rotated_while_entries_go_on(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, **QUICK)
    first = network[SHANGHAI].world.signer().key_id
    network.begin("rotate_key", SHANGHAI, revoke=False)
    for _ in range(6):
        network.publish(CHANNEL)
        network.run_for(minutes=1)
    assert network[SHANGHAI].world.signer().key_id != first
    network.settle()
    assert network[PUDONG].world.store.record_count(CHANNEL) == 6


def test_a_full_disk_refuses_and_loses_nothing(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, **QUICK)
    network.publish(CHANNEL)
    network.begin("disk_full", SHANGHAI, for_ms=60_000)
    with pytest.raises(XinqiaoError, match="DISK_FULL"):
        network.publish(CHANNEL)
    network.run_for(minutes=2)
    network.publish(CHANNEL)
    network.settle()
    assert network[PUDONG].world.store.record_count(CHANNEL) == 2


def test_a_clock_that_is_hours_off_stops_exchange_and_nothing_is_lost(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(SHANGHAI, PUDONG, **QUICK)
    network.run_for(minutes=1)
    network.begin("clock_step", PUDONG, by_ms=2 * 3_600_000, for_ms=120_000)
    network.run_for(minutes=1)
    network.publish(CHANNEL)
    network.run_for(seconds=30)
    assert network[PUDONG].world.store.record_count(CHANNEL) == 0
    network.settle()
    assert network[PUDONG].world.store.record_count(CHANNEL) == 1


def test_an_exception_of_the_code_under_test_ends_the_run(
    simulated_network: SimulateNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = simulated_network(SHANGHAI, PUDONG, **QUICK)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("node.sharing.Sharing.heads", fail)
    with pytest.raises(Violation, match="FAULT"):
        network.run_for(minutes=5)


@pytest.mark.filterwarnings("error")
def test_what_an_operator_wants_of_a_node_that_is_killed_before_it_begins_is_never_begun(tmp_path: Path) -> None:
    begun = []

    async def act(_: Process) -> None:
        begun.append(1)

    def killed(work: Coroutine[Any, Any, None], spawn: Callable[..., asyncio.Task[None]]) -> asyncio.Task[None]:
        task = spawn(work)
        task.cancel()
        return task

    with DrivenNetwork(scenario_of_nodes(SHANGHAI, PUDONG), 1, tmp_path) as network:
        process = network._simulation.town.process_of(SHANGHAI)
        assert process is not None
        process.spawn = partial(killed, spawn=process.spawn)  # type: ignore[method-assign, assignment]
        assert network._wait(network._simulation.acts._ask(SHANGHAI, act)) == (None, "it was killed meanwhile")
        gc.collect()
    assert begun == []
