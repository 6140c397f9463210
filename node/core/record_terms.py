"""Terms: 64 bits of a hash, by which an index finds records (node.storage.record_index).

A record has two: the beginning of its natural key, and of SHA-256 of what stands for its subject. They are found and
put in order beside the node where it can be, together with what else is found out of an entry before its turn.

The loops over many of them are compiled where there is a compiler (term_bits.pyx).
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

try:
    from node.core import term_bits
except ImportError:  # nothing compiled it
    term_bits = None  # type: ignore[assignment]

TERM_CODE, POSITION_CODE = "q", "I"
_TERM = Struct(">q")
_SUBJECTS_REMEMBERED = 4096
_SINGLY = 32
"""So many terms are looked for one by one."""


class SortedTerms(NamedTuple):
    """The terms of some records of one entry in ascending order, and the position of each one's record."""

    terms: "array[int]"
    positions: "array[int]"


def key_term(natural_key: bytes) -> int:
    """The term of a natural key, which is a hash itself."""
    term: int = _TERM.unpack_from(natural_key)[0]
    return term


def key_terms(natural_keys: Sequence[bytes]) -> "array[int]":
    """The terms of natural keys, all at once."""
    if term_bits is not None:
        return term_bits.key_terms(natural_keys)
    return array(TERM_CODE, map(key_term, natural_keys))


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


def add_bits(bits: bytearray, to_bit: int, terms: "array[int]") -> None:
    """Set the bit of each term: as many of its bits as bits has, a power of two, from one of them on, tell which."""
    if term_bits is not None:
        term_bits.add_bits(bits, to_bit, terms)
        return
    to_byte, last = to_bit + 3, len(bits) - 1
    for term in terms:
        bits[term >> to_byte & last] |= 1 << (term >> to_bit & 7)


def with_bits(bits: bytearray, to_bit: int, terms: "array[int]") -> list[int]:
    """The terms whose bits are set."""
    if term_bits is not None:
        return term_bits.with_bits(bits, to_bit, terms)
    to_byte, last = to_bit + 3, len(bits) - 1
    return [term for term in terms if bits[term >> to_byte & last] >> (term >> to_bit & 7) & 1]


def places_of(terms: "array[int]", wanted: "array[int]") -> list[int]:
    """Where in terms those stand that are wanted, each of them once; both are in ascending order."""
    if term_bits is not None:
        return term_bits.places_of(terms, wanted)
    found: list[int] = []
    for term in wanted if len(wanted) <= _SINGLY else sorted(set(wanted).intersection(terms)):
        at = bisect_left(terms, term)
        while at < len(terms) and terms[at] == term:
            found.append(at)
            at += 1
    return found


def first_from(terms: "array[int]", low: int, start: int = 0) -> int:
    """The place of the first term from start on that is not below low; they are in ascending order."""
    if term_bits is not None:
        return term_bits.first_from(terms, low, start)
    return bisect_left(terms, low, start)


def order_of(terms: "array[int]") -> list[int]:
    """The places of the terms in ascending order of the terms."""
    if term_bits is not None:
        return term_bits.order_of(terms)
    return sorted(range(len(terms)), key=terms.__getitem__)
