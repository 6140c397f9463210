"""Terms: 64 bits of a hash, by which an index finds records (node.storage.record_index).

A record has two: the beginning of its natural key, and of SHA-256 of what stands for its subject. They are found and
put in order beside the node where it can be, together with what else is found out of an entry before its turn.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

KEY_BYTES = 32
TERM_CODE, POSITION_CODE = "q", "I"
_TERM = Struct(">q")
_SUBJECTS_REMEMBERED = 4096


class SortedTerms(NamedTuple):
    """The terms of some records of one entry in ascending order, and the position of each one's record."""

    terms: "array[int]"
    positions: "array[int]"


def key_term(natural_key: bytes) -> int:
    """The term of a natural key, which is a hash itself."""
    term: int = _TERM.unpack_from(natural_key)[0]
    return term


def key_terms(natural_keys: Sequence[bytes]) -> Sequence[int]:
    """The terms of natural keys, all at once."""
    joined = b"".join(natural_keys)
    if len(joined) != KEY_BYTES * len(natural_keys):
        return [key_term(key) for key in natural_keys]
    return _key_terms(len(natural_keys)).unpack(joined)


@lru_cache(maxsize=16)
def _key_terms(count: int) -> Struct:
    return Struct(">" + "q24x" * count)


@lru_cache(maxsize=_SUBJECTS_REMEMBERED)
def subject_term(subject: str) -> int:
    """The term of what stands for a subject; a company often has several records that come together."""
    return key_term(sha256(subject.encode()).digest())


def sorted_terms(positions: Sequence[int], keys: Sequence[bytes], subjects: Sequence[str]) -> SortedTerms:
    """Both terms of each record of an entry, in order."""
    terms, at = [*key_terms(keys), *map(subject_term, subjects)], [*positions, *positions]
    order = sorted(range(len(terms)), key=terms.__getitem__)
    return SortedTerms(
        array(TERM_CODE, [terms[number] for number in order]), array(POSITION_CODE, [at[number] for number in order])
    )


def read_terms(terms: bytes, positions: bytes) -> SortedTerms:
    """Read the bytes of both arrays, which another process of this machine has made."""
    found = SortedTerms(array(TERM_CODE), array(POSITION_CODE))
    found.terms.frombytes(terms)
    found.positions.frombytes(positions)
    return found
