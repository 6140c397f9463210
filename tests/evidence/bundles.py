"""A sound bundle, and the step at which an altered one is refused."""

from collections.abc import Callable
from functools import cache

import pytest

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.suites import ED25519
from node.evidence.bundle import serialize
from node.evidence.verify import STEPS, verify
from node.pb import evidence_pb2
from tests.evidence.network import WITNESS, Network

Bundle = evidence_pb2.EvidenceBundle
Change = Callable[[Bundle], object]


@cache
def network_of(suite: str) -> Network:
    made = Network(suite=suite)
    for rows in (3, 1, 2, 1, 3):
        made.publish(rows)
    return made


@cache
def sound_of(suite: str) -> bytes:
    return serialize(network_of(suite).bundle(index=3, position=1, at=WITNESS))


def network() -> Network:
    """Six entries, each with a few records; no test changes it."""
    return network_of(ED25519)


def sound() -> bytes:
    """The evidence of the witness for record 1 of entry 3."""
    return sound_of(ED25519)


def sound_bundle() -> Bundle:
    return Bundle.FromString(sound())


def refusal(content: bytes, fingerprint: bytes | None = None, limits: Limits | None = None) -> tuple[int, str]:
    """The step that refuses these bytes, and why."""
    with pytest.raises(XinqiaoError) as refused:
        verify(content, network().fingerprint if fingerprint is None else fingerprint, limits or Limits())
    assert refused.value.code == "EVIDENCE_INVALID"
    step = refused.value.parameters["step"]
    number = int(step.partition(" ")[0])
    assert step == f"{number} ({STEPS[number]})"
    return number, refused.value.parameters["detail"]


def step_of(change: Change) -> int:
    """The step that refuses the sound bundle after a change."""
    bundle = sound_bundle()
    change(bundle)
    assert serialize(bundle) != sound()
    return refusal(serialize(bundle))[0]
