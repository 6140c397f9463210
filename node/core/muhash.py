"""MuHash3072: the digest of a set that costs the same for every change, however many members the set has.

A member is hashed to a number below the prime P = 2^3072 - 1103717; the accumulator of a set is the product of its
members' numbers, so adding multiplies, taking away divides, and the order does not matter.

    number(m) = ChaCha20 keystream of 384 bytes, key SHA-256(m), nonce and counter 0, little-endian
    digest    = SHA-256(accumulator as 384 bytes, little-endian)

Source: Bitcoin Core, src/crypto/muhash.h, whose vectors the tests hold; Bellare and Micciancio, "A new paradigm for
collision-free hashing", 1997.
"""

import hashlib
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

ACCUMULATOR_BYTES = 384
_BITS, _EXCESS = 3072, 1103717
PRIME = (1 << _BITS) - _EXCESS
EMPTY = 1
"""The accumulator of the empty set."""

_NO_NONCE = bytes(16)
_ZEROS = bytes(ACCUMULATOR_BYTES)
_LOW = (1 << _BITS) - 1


def number(member: bytes) -> int:
    """The number that stands for a member."""
    key = hashlib.sha256(member).digest()
    keystream = Cipher(ChaCha20(key, _NO_NONCE), mode=None).encryptor().update(_ZEROS)
    return int.from_bytes(keystream, "little") % PRIME


def change(accumulator: int, added: Iterable[bytes], removed: Iterable[bytes] = ()) -> int:
    """The accumulator of a set after members were added and others taken away; one division, however many go.

    Who takes away what is not in the set gets another set's accumulator: the caller knows its members.
    """
    for member in added:
        accumulator = _product(accumulator, number(member))
    divisor = 1
    for member in removed:
        divisor = _product(divisor, number(member))
    return _product(accumulator, pow(divisor, -1, PRIME)) if divisor != 1 else accumulator


def _product(one: int, other: int) -> int:
    """The product modulo P, without a long division: 2^3072 is _EXCESS there."""
    product = one * other
    product = (product & _LOW) + (product >> _BITS) * _EXCESS
    return product % PRIME


def to_bytes(accumulator: int) -> bytes:
    """The accumulator as it is kept, 384 bytes."""
    return accumulator.to_bytes(ACCUMULATOR_BYTES, "little")


def from_bytes(kept: bytes) -> int:
    """The accumulator that was kept."""
    return int.from_bytes(kept, "little")


def digest(accumulator: int) -> bytes:
    """The digest of the set, 32 bytes."""
    return hashlib.sha256(to_bytes(accumulator)).digest()
