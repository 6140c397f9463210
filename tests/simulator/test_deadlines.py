"""How long a control entry may take where its road carries little: as long as the road needs, and no longer."""

import pytest

from node.ports import Lane
from node.simulator.driving import DrivenNetwork
from node.simulator.observing import Violation
from node.simulator.pytest_plugin import SimulateNetwork
from node.simulator.scenario import LinkOptions

ORIGIN, READER = "310000", "310115"
LISTS, BASE = f"{ORIGIN}/lists", f"{ORIGIN}/base"
KNOWN_BY_THEN_S = 120
CONTROL_DELAY_S = 60


def thin_network(simulated_network: SimulateNetwork, duplicate: float = 0.0) -> DrivenNetwork:
    """Two nodes that know each other, and whose road needs more than a minute for what one of them publishes."""
    network = simulated_network(ORIGIN, READER, seed=1, network={"bytes_per_s": 600, "duplicate": duplicate})
    network.create_channel(LISTS, "everyone", "control")
    network.create_channel(BASE)
    network.run_for(KNOWN_BY_THEN_S)
    return network


def test_what_arrives_twice_takes_its_road_twice_and_an_unlimited_road_takes_no_time() -> None:
    assert LinkOptions(bytes_per_s=600).travel_s(1_500) == 2.5
    assert LinkOptions(bytes_per_s=600, duplicate=0.01).travel_s(1_500) == 5.0
    assert LinkOptions(duplicate=0.01).travel_s(1_500) == 0.0


@pytest.mark.parametrize("duplicate", [0.0, 1.0])
def test_g4_a_list_that_fills_its_road_for_minutes_is_not_late(
    simulated_network: SimulateNetwork, duplicate: float
) -> None:
    network = thin_network(simulated_network, duplicate)
    for _ in range(8):
        network.publish(LISTS, records=4, padding=12_000)
    network.run_for(CONTROL_DELAY_S + 60)
    assert network.record_count(READER, LISTS) < 32
    network.run_for(minutes=10)
    assert network.record_count(READER, LISTS) == 32


def test_g4_a_list_that_waits_behind_the_bulk_of_a_thin_road_is_late(
    simulated_network: SimulateNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.delivery.lane_of", lambda _manifest: Lane.BULK)
    # Else the bulk that lacks least goes first, which is the list.
    monkeypatch.setattr("node.sources.Sources._amount", lambda *_: 0)
    network = thin_network(simulated_network)
    for _ in range(4):
        network.publish(BASE, records=4, padding=12_000)
    network.publish(LISTS)
    with pytest.raises(Violation, match=f"{LISTS} 0/1 is not applied after 6[0-9] s in which all was well"):
        network.run_for(minutes=5)
