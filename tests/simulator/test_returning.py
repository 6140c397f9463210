"""A node that returns on a thin road: what was erased meanwhile is answered no more, long before the bulk has come."""

import pytest

from node.simulator.driving import DrivenNetwork
from node.simulator.pytest_plugin import SimulateNetwork

ORIGIN, READER = "310000", "310115"
BASE, LISTS = f"{ORIGIN}/base", f"{ORIGIN}/lists"
BATCHES, PADDING = 20, 12_000
AT_FIRST = 4
SOON_S = 90


def returned(simulated_network: SimulateNetwork) -> DrivenNetwork:
    """A reader that was away while its origin wrote what the road needs long for, and erased at last."""
    network = simulated_network(ORIGIN, READER, seed=1, network={"bytes_per_s": 1_000})
    network.create_channel(BASE)
    network.create_channel(LISTS, "everyone", "control")
    network.publish(BASE, records=AT_FIRST)
    network.run_for(minutes=2)
    assert network.record_count(READER, BASE) == AT_FIRST
    with network.partition(READER):
        for _ in range(BATCHES):
            network.publish(BASE, records=4, padding=PADDING)
        network.do("erase", ORIGIN, channel=BASE, pick=0)
        network.publish(LISTS, records=2)
        network.run_for(minutes=1)
    return network


def bulk_entries(network: DrivenNetwork) -> int:
    return network[READER].answering.channel(BASE).log.size


def test_g4_who_returns_has_lists_and_removals_within_moments_and_the_bulk_after_them(
    simulated_network: SimulateNetwork,
) -> None:
    network = returned(simulated_network)
    network.run_for(SOON_S)
    assert bulk_entries(network) < BATCHES
    assert network.record_count(READER, LISTS) == 2
    first = [record.held.place.index for record in network.records(READER, BASE) if record.held.place.index == 1]
    assert len(first) == AT_FIRST - 1
    assert network[READER].progress.look().is_complete
    network.settle()
    assert network.record_count(READER, BASE) == AT_FIRST - 1 + 4 * BATCHES


def test_without_what_travels_ahead_a_removal_waits_behind_the_bulk(
    simulated_network: SimulateNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.removals.LACKED_ENTRIES", 1_000)
    network = returned(simulated_network)
    network.run_for(SOON_S)
    assert bulk_entries(network) < BATCHES
    assert network.record_count(READER, BASE) >= AT_FIRST


def test_a_node_that_two_others_bring_the_same_to_takes_little_of_it_twice(simulated_network: SimulateNetwork) -> None:
    network = simulated_network(ORIGIN, READER, "330100", seed=1)
    network.create_channel(BASE)
    with network.down("330100"):
        for _ in range(60):
            network.publish(BASE, records=4, padding=4_000)
        network.run_for(minutes=2)
    network.settle()
    seen = network["330100"].progress.look()
    # Each of the two others has a log of its own, of one entry, beside this one.
    assert seen.new.entries == 63
    assert seen.again.entries <= 3


def test_a_restart_between_an_erasure_and_its_entry_is_no_loss_of_content(
    simulated_network: SimulateNetwork,
) -> None:
    network = simulated_network(ORIGIN, READER, "330100", seed=1, network={"bytes_per_s": 1_000})
    network.create_channel(BASE)
    network.run_for(minutes=2)
    with network.partition(READER):
        for _ in range(BATCHES):
            network.publish(BASE, records=4, padding=PADDING)
        for _ in range(4):
            network.do("erase", ORIGIN, channel=BASE, pick=4 * BATCHES - 8)
        network.run_for(minutes=1)
    network.run_for(SOON_S)
    assert bulk_entries(network) < BATCHES
    # Put back as it was a moment ago: what is known of the node is read from its database again.
    network.do("backup", READER, name="before")
    network.do("restore", READER, name="before", down_ms=1_000, sidecar="kept")
    network.settle()
    assert network.record_count(READER, BASE) == 4 * (BATCHES - 1)
