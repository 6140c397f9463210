"""Who is reached under an id, and what leaves a node that has two processes."""

from random import Random

from node.pb import exchange_service_pb2 as pb
from node.simulator.network import SimulatedNetwork
from node.simulator.observing import Crossing
from tests.simulator.lines import CALM, Host, Rogue

FORKER, ONE, OTHER, OFFICE = "310000", "310115", "330100", "registry"


def host(node: str, label: str = "") -> Host:
    made = Host(node, label or node, b"")
    made.exchange = Rogue() if node != OFFICE else None
    return made


def test_a_discreet_forker_shows_each_member_one_of_its_faces() -> None:
    crossings: list[Crossing] = []
    wire = SimulatedNetwork(Random(1), lambda *_: CALM, crossings.append, lambda *_, **__: None)
    original, copy = host(FORKER), host(FORKER, f"{FORKER}'")
    for each in (original, host(ONE), host(OTHER), host(OFFICE)):
        wire.attach(each)
    wire.attach(copy, frozenset({ONE}))

    def heard(sender: Host) -> list[str]:
        crossings.clear()
        for receiver in (ONE, OTHER, OFFICE):
            said = Crossing(1, "Hello", FORKER, receiver, False, pb.HelloRequest(), 0, is_honest=False)
            wire.leaving(sender, said, b"")
        return [crossing.receiver for crossing in crossings]

    assert heard(original) == heard(copy) == [ONE, OTHER, OFFICE]
    wire.discreet.add(FORKER)
    assert heard(original) == [OTHER, OFFICE]
    assert heard(copy) == [ONE, OFFICE]
