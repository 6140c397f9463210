"""What a run remembers changes nothing: it goes the same way when all is read and verified anew each time."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from node.core.suites import ED25519, SUITES, Suite, load_public_key
from node.keys import SoftwareSigner
from node.simulator import simulation
from node.simulator.remembered import verifications_remembered
from node.simulator.simulation import Result, simulate
from node.simulator.swarm import swarm
from node.simulator.watched_store import WatchedStore
from node.storage.sqlite import SqliteStore

SEEDS = (1, 5)
NOT_READING = ("transaction", "_connected")
SIGNER = SoftwareSigner(ED25519, ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def told(result: Result) -> tuple[object, ...]:
    return result.trace_digest, result.contents, result.violation, result.figures


def remember_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read everything from the database, and verify every signature each time it is seen."""
    reads = [name for name in vars(WatchedStore) if hasattr(SqliteStore, name) and not name.startswith("__")]
    for name in reads:
        if name not in NOT_READING and callable(getattr(SqliteStore, name)):
            monkeypatch.setattr(WatchedStore, name, getattr(SqliteStore, name))
    monkeypatch.setattr(simulation, "verifications_remembered", nullcontext)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_goes_the_same_way_when_nothing_is_remembered(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remembering = told(simulate(swarm(seed), seed))
    remember_nothing(monkeypatch)
    assert told(simulate(swarm(seed), seed)) == remembering


class Counted:
    """A suite's verification, and how often it was asked."""

    def __init__(self, suite: Suite) -> None:
        self.calls = 0
        self._verify: Callable[[object, bytes, bytes], None] = suite.verify

    def __call__(self, key: object, sig: bytes, message: bytes) -> None:
        self.calls += 1
        self._verify(key, sig, message)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    row = SUITES[ED25519]
    counting = Counted(row)
    monkeypatch.setitem(SUITES, ED25519, Suite(row.public_key_type, row.sign, counting))
    return counting


def test_a_signature_is_verified_once_however_often_its_key_was_parsed(counted: Counted) -> None:
    sig = SIGNER.sign(b"payload")
    with verifications_remembered():
        for _ in range(3):
            key = load_public_key(ED25519, SIGNER.public.spki)
            assert key is not None
            assert key.verifies(sig, b"payload")
    assert counted.calls == 1


def test_what_does_not_fit_is_remembered_as_such_and_for_these_bytes_alone(counted: Counted) -> None:
    sig = SIGNER.sign(b"payload")
    with verifications_remembered():
        assert [SIGNER.public.verifies(sig, b"another") for _ in range(2)] == [False, False]
        assert SIGNER.public.verifies(sig, b"payload")
        with pytest.raises(InvalidSignature):
            SUITES[ED25519].verify(SIGNER.public.key, sig[:-1], b"payload")
    assert counted.calls == 3


def test_after_the_run_nothing_is_remembered(counted: Counted) -> None:
    sig = SIGNER.sign(b"payload")
    with verifications_remembered():
        assert SIGNER.public.verifies(sig, b"payload")
    assert SIGNER.public.verifies(sig, b"payload")
    assert counted.calls == 2
