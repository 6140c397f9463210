"""Officers for tests: keys, and everything they sign, made the way the commands make it."""

import hashlib
from collections.abc import Sequence

from node.core import envelope as envelopes
from node.core.officers import ADD, DISABLE, OfficerBook, build_statement, disabling_digest_of, new_officer
from node.core.suites import ED25519
from node.keys.signer import SoftwareSigner, generate
from node.pb import envelope_pb2
from tests.builders import NETWORK, NOW_MS

Signed = tuple[envelope_pb2.Envelope, bytes]


def statement(
    act: str,
    subject: str,
    decided: bytes,
    *keys: SoftwareSigner,
    reason: str = "",
    node: str = "310000",
    at_ms: int = NOW_MS,
) -> envelope_pb2.Envelope:
    """A statement with the signatures of some keys."""
    payload = build_statement(OfficerBook(NETWORK, node), act, subject, decided, reason, at_ms)
    return envelopes.seal(payload, envelopes.OFFICER_STATEMENT, *keys)


def adding(
    name: str, key: SoftwareSigner, *others: SoftwareSigner, node: str = "310000", at_ms: int = NOW_MS
) -> Signed:
    """What adds an officer, signed by the newcomer and others."""
    content = new_officer(name, key.public)
    digest = hashlib.sha256(content).digest()
    return statement(ADD, name, digest, key, *others, node=node, at_ms=at_ms), content


def disabling(name: str, key: SoftwareSigner, *keys: SoftwareSigner, node: str = "310000") -> Signed:
    """What disables the officer who has a key."""
    return statement(DISABLE, name, disabling_digest_of(key.key_id), *keys, reason="调离", node=node), b""


def make_keys(count: int) -> Sequence[SoftwareSigner]:
    """Keys of officers."""
    return [generate(ED25519) for _ in range(count)]
