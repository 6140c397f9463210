"""Evidence tells how a record stands: the decisions on it go along, proven, and none can be made up or changed."""

import random
from collections.abc import Callable

import pytest

from node.core.acts import RecordState
from node.core.catalogue import natural_key, parse_edition, subject_of
from node.core.entry import commitment
from node.core.errors import XinqiaoError
from node.core.record import Candidate, build_record, content_hash, parse_record
from node.core.state import REPAIR, RESUME, SUSPEND, WITHDRAW, Place
from node.evidence.bundle import serialize
from node.evidence.explanation import explain
from node.evidence.verify import Verified, verify
from node.pb import channel_pb2, evidence_pb2
from tests.evidence.network import CHANNEL, EDITION_FILE, ITEM, ORIGIN, OTHER, WITNESS, Network

FIRST = Place(0, 1, 0)


def act(network: Network, kind: int, place: Place = FIRST, decision: str = "沪修〔2026〕1号") -> None:
    network.run(network.nodes[ORIGIN].publishing.act(CHANNEL, place, kind, decision, "信用修复已完成"))


def begun(*kinds: int) -> Network:
    network = Network((ORIGIN, WITNESS, OTHER))
    network.publish()
    for number, kind in enumerate(kinds):
        act(network, kind, decision=f"沪修〔2026〕{number}号")
    if kinds:
        network.spread()
    return network


def verified(network: Network, bundle: evidence_pb2.EvidenceBundle) -> Verified:
    return verify(serialize(bundle), network.fingerprint)


def refused(network: Network, bundle: evidence_pb2.EvidenceBundle) -> str:
    with pytest.raises(XinqiaoError) as found:
        verified(network, bundle)
    return found.value.parameters["step"]


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ((REPAIR,), RecordState.REPAIRED),
        ((SUSPEND, RESUME), RecordState.IN_FORCE),
        ((SUSPEND, REPAIR, WITHDRAW), RecordState.WITHDRAWN),
    ],
)
def test_the_decisions_on_a_record_go_along_and_say_how_it_stands(kinds: tuple[int, ...], state: RecordState) -> None:
    network = begun(*kinds)
    for at in (ORIGIN, WITNESS):
        found = verified(network, network.bundle(at=at))
        assert found.state is state
        assert [(each.decision, each.index) for each in found.decisions] == [
            (f"沪修〔2026〕{number}号", 2 + number) for number in range(len(kinds))
        ]
        text = explain(found)
        assert f"Status      {state.value}" in text
        assert "decision 沪修〔2026〕0号: 信用修复已完成 (entry 2)" in text
        # Another record of the same entry has none of it.
        other = verified(network, network.bundle(position=1, at=at))
        assert (other.state, other.decisions) == (RecordState.IN_FORCE, ())
        assert "Status " not in explain(other)


def test_there_is_no_evidence_that_leaves_a_known_decision_out() -> None:
    network = begun()
    act(network, REPAIR)
    with pytest.raises(XinqiaoError, match="no heartbeat of 310000 covers the decisions on it yet"):
        network.bundle(at=ORIGIN)
    network.spread()
    assert verified(network, network.bundle(at=ORIGIN)).state is RecordState.REPAIRED


def test_what_was_suspended_before_it_was_revised_cannot_be_shown_in_one_bundle() -> None:
    network = begun(SUSPEND)
    publishing = network.nodes[ORIGIN].publishing
    held = network.nodes[ORIGIN].world.store.record(CHANNEL, FIRST)
    assert held is not None
    item = parse_edition(EDITION_FILE.read_bytes()).item(ITEM)
    values = dict(parse_record(held.record).values) | {item.by_code["CF_SY"].number: "更正后的事由"}
    record = build_record(ITEM, values)
    one = Candidate(1, record, natural_key(item, values), content_hash(record), subject_of(item, values), "")
    network.run(publishing.publish(CHANNEL, [one]))
    network.spread()
    with pytest.raises(XinqiaoError, match="another revision"):
        network.bundle(index=3, position=0, at=ORIGIN)


def test_erased_reasons_leave_the_decision() -> None:
    network = begun(SUSPEND, RESUME)
    bundle = network.bundle(at=ORIGIN)
    particulars = bundle.acts[0].particulars
    bare = channel_pb2.Slot(commitment=commitment(particulars.salt, particulars.record))
    particulars.CopyFrom(bare)
    found = verified(network, bundle)
    assert [(each.kind, each.decision) for each in found.decisions] == [("suspend", ""), ("resume", "沪修〔2026〕1号")]


def swap_order(bundle: evidence_pb2.EvidenceBundle) -> None:
    acts = [evidence_pb2.ActEvidence.FromString(each.SerializeToString()) for each in reversed(bundle.acts)]
    del bundle.acts[:]
    bundle.acts.extend(acts)


def twice(bundle: evidence_pb2.EvidenceBundle) -> None:
    bundle.acts.append(bundle.acts[-1])


def another_position(bundle: evidence_pb2.EvidenceBundle) -> None:
    bundle.acts[0].position = 1


def without_particulars(bundle: evidence_pb2.EvidenceBundle) -> None:
    bundle.acts[0].ClearField("particulars")


def of_another_act(bundle: evidence_pb2.EvidenceBundle) -> None:
    bundle.acts[0].particulars.CopyFrom(bundle.acts[1].particulars)


def without_proof(bundle: evidence_pb2.EvidenceBundle) -> None:
    del bundle.acts[0].entry_proof[:]


def of_a_record_entry(bundle: evidence_pb2.EvidenceBundle) -> None:
    bundle.acts[0].entry.CopyFrom(bundle.entry)


@pytest.mark.parametrize(
    "change",
    [
        swap_order,
        twice,
        another_position,
        without_particulars,
        of_another_act,
        without_proof,
        of_a_record_entry,
    ],
)
def test_a_decision_cannot_be_changed(change: Callable[[evidence_pb2.EvidenceBundle], None]) -> None:
    network = begun(SUSPEND, RESUME)
    bundle = network.bundle(at=ORIGIN)
    change(bundle)
    assert refused(network, bundle) == "7 (entry in the log)"


def test_a_decision_on_another_record_proves_nothing_of_this_one() -> None:
    network = begun(REPAIR)
    bundle, other = network.bundle(at=ORIGIN), network.bundle(position=1, at=ORIGIN)
    other.acts.extend(bundle.acts)
    assert refused(network, other) == "7 (entry in the log)"


def test_no_bit_of_a_decision_is_free() -> None:
    network = begun(SUSPEND, RESUME)
    sound = serialize(network.bundle(at=ORIGIN))
    start = sound.index(evidence_pb2.EvidenceBundle.FromString(sound).acts[0].SerializeToString())
    chosen = random.Random(1)
    for at in range(start - 3, len(sound), 3):
        broken = bytearray(sound)
        broken[at] ^= 1 << chosen.randrange(8)
        with pytest.raises(XinqiaoError, match="EVIDENCE_INVALID"):
            verify(bytes(broken), network.fingerprint)
