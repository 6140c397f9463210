"""The fixture that integration tests of other teams use."""

from node.simulator.pytest_plugin import SimulateNetwork


def test_what_one_node_publishes_is_held_by_the_others_after_a_crash(simulated_network: SimulateNetwork) -> None:
    network = simulated_network("310000", "310115", "330100", seed=7)
    network.begin("crash", "310115", down_ms=60_000)
    network.publish("310000/registrations", records=3)
    network.run_for(minutes=5)
    assert network["310115"].world.store.record_count("310000/registrations") == 3
    network.settle()
