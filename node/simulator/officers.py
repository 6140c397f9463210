"""The officers of simulated nodes: their keys come from the seed, and what they sign is signed."""

import hashlib
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.core import envelope as envelopes
from node.core.officers import ADD, OfficerBook, build_statement, new_officer
from node.core.suites import ED25519
from node.keys import SoftwareSigner
from node.node import Node
from node.pb import envelope_pb2

PROPOSER, APPROVER = "jingban", "fuhe"
"""Who handles a matter (经办) and who reviews it (复核)."""


class Officers:
    """Two officers of every node; a node that has lost them with its database appoints them again."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    async def appoint(self, node: Node) -> None:
        """See that both officers are in a node's book; raises what its officers would be told."""
        deciding = node.deciding
        for name in (PROPOSER, APPROVER):
            book = deciding.book()
            if name not in book.officers:
                content = new_officer(name, self._key(node, name).public)
                signed = self._signed(node, book, ADD, name, hashlib.sha256(content).digest(), name)
                await deciding.submit(signed, content)

    def sign(self, node: Node, name: str, act: str, subject: str, decided_sha256: bytes) -> envelope_pb2.Envelope:
        """An officer's statement; the node's own clock dates it."""
        return self._signed(node, node.deciding.book(), act, subject, decided_sha256, name)

    def _signed(
        self, node: Node, book: OfficerBook, act: str, subject: str, digest: bytes, name: str
    ) -> envelope_pb2.Envelope:
        payload = build_statement(book, act, subject, digest, "", node.world.clock.now_ms())
        signers = [self._key(node, name), *([node.world.signer()] if act == ADD else [])]
        return envelopes.seal(payload, envelopes.OFFICER_STATEMENT, *signers)

    def _key(self, node: Node, name: str) -> SoftwareSigner:
        return _key_of(f"{self._seed} {node.settings.id} officer {name}")


@lru_cache(maxsize=4096)
def _key_of(secret: str) -> SoftwareSigner:
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest())
    return SoftwareSigner(ED25519, private)
