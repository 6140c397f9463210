"""What is pure is done once in a run: whether a signature fits a key and a message."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from node.core.suites import SUITES

Verify = Callable[[Any, bytes, bytes], None]


@contextmanager
def verifications_remembered() -> Iterator[None]:
    """Verify each signature once in here, whichever node asks: the answer hangs on nothing but key and bytes."""
    before = dict(SUITES)
    SUITES.update({name: replace(suite, verify=_remembering(suite.verify)) for name, suite in before.items()})
    try:
        yield
    finally:
        SUITES.update(before)


def _remembering(verify: Verify) -> Verify:
    known: dict[tuple[bytes, bytes, bytes], bool] = {}

    def verify_once(key: Any, sig: bytes, message: bytes) -> None:
        asked = (key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), sig, message)
        fits = known.get(asked)
        if fits is None:
            fits = known[asked] = _fits(verify, key, sig, message)
        if not fits:
            raise InvalidSignature

    return verify_once


def _fits(verify: Verify, key: Any, sig: bytes, message: bytes) -> bool:
    try:
        verify(key, sig, message)
    except (InvalidSignature, ValueError):
        return False
    return True
