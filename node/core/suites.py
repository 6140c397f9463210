"""Signature suites: one table from a suite's name to how it signs and verifies.

A key record names its suite and so fixes the algorithm; a message never does.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


@dataclass(frozen=True, slots=True)
class Suite:
    """One signature algorithm: the class of its public keys, how it signs and how it verifies."""

    public_key_type: type
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]


def _verify_ed25519(key: ed25519.Ed25519PublicKey, sig: bytes, message: bytes) -> None:
    key.verify(sig, message)


def _sign_ed25519(key: ed25519.Ed25519PrivateKey, message: bytes) -> bytes:
    return key.sign(message)


def _verify_p256(key: ec.EllipticCurvePublicKey, sig: bytes, message: bytes) -> None:
    key.verify(sig, message, ec.ECDSA(hashes.SHA256()))


def _sign_p256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    return key.sign(message, ec.ECDSA(hashes.SHA256()))


ED25519 = "ed25519"
ECDSA_P256 = "ecdsa-p256-sha256"

SUITES: dict[str, Suite] = {
    ED25519: Suite(ed25519.Ed25519PublicKey, _sign_ed25519, _verify_ed25519),
    ECDSA_P256: Suite(ec.EllipticCurvePublicKey, _sign_p256, _verify_p256),
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A parsed public key bound to its suite; key_id is the lower-case hex SHA-256 of its SPKI DER."""

    key_id: str
    suite: str
    spki: bytes
    key: Any = field(compare=False)

    def verifies(self, sig: bytes, message: bytes) -> bool:
        """Whether the signature over the message is by this key."""
        try:
            SUITES[self.suite].verify(self.key, sig, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def key_id_of(spki: bytes) -> str:
    """The lower-case hex SHA-256 of a SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(spki).hexdigest()


def load_public_key(suite: str, spki: bytes) -> PublicKey | None:
    """Parse a SubjectPublicKeyInfo for its suite; None when the suite is unknown or the key is not of it."""
    row = SUITES.get(suite)
    if row is None:
        return None
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, row.public_key_type) or not _curve_fits(suite, key):
        return None
    return PublicKey(key_id_of(spki), suite, spki, key)


def to_text(public: PublicKey) -> str:
    """A public key as people hand it around: suite:BASE64, of its SubjectPublicKeyInfo in DER."""
    return f"{public.suite}:{base64.b64encode(public.spki).decode()}"


def from_text(text: str, suites: Container[str]) -> PublicKey | None:
    """Read a key that people handed around; None when it is no key of one of these suites."""
    suite, _, encoded = text.strip().partition(":")
    try:
        spki = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None
    return load_public_key(suite, spki) if suite in suites else None


def _curve_fits(suite: str, key: Any) -> bool:
    return suite != ECDSA_P256 or isinstance(key.curve, ec.SECP256R1)
