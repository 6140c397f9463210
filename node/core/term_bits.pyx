# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The loops of node.core.record_terms over the terms of many keys, at the speed of a compiler.

They do what the functions of the same names there do; tests/core/test_record_terms.py compares them. What is read are
keys of this process and its arrays.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc, qsort

import array

cdef enum:
    TERM_BYTES = 8
    SPARSE = 8  # of terms where one in so many is wanted, each is searched for

cdef array.array _TERMS = array.array("q")
if _TERMS.itemsize != TERM_BYTES:
    raise ImportError("numbers of another width")


cdef struct Place:
    int64_t term
    Py_ssize_t at


cdef int _compare(const void *one, const void *other) noexcept nogil:
    cdef const Place *left = <const Place *>one
    cdef const Place *right = <const Place *>other
    if left.term != right.term:
        return -1 if left.term < right.term else 1
    return -1 if left.at < right.at else 1


cdef inline int64_t _term(const unsigned char *start) noexcept nogil:
    """Eight bytes, the first one the highest."""
    cdef uint64_t found = 0
    cdef int at
    for at in range(TERM_BYTES):
        found = found << 8 | start[at]
    return <int64_t>found


def key_terms(natural_keys):
    """The terms of natural keys."""
    cdef array.array found = array.clone(_TERMS, len(natural_keys), zero=False)
    cdef Py_ssize_t at = 0, size = len(natural_keys)
    cdef bytes key
    for key in natural_keys:
        if key is None or PyBytes_GET_SIZE(key) < TERM_BYTES or at == size:
            raise ValueError("a natural key is a hash")
        found.data.as_longlongs[at] = _term(<const unsigned char *>PyBytes_AS_STRING(key))
        at += 1
    return found


def add_bits(unsigned char[::1] bits, int to_bit, array.array terms not None):
    """Set the bit of each term; the size of bits is a power of two."""
    cdef uint64_t last = bits.shape[0] - 1, place
    cdef Py_ssize_t at
    for at in range(len(terms)):
        place = <uint64_t>terms.data.as_longlongs[at] >> to_bit
        bits[<Py_ssize_t>(place >> 3 & last)] |= 1 << (place & 7)


def with_bits(unsigned char[::1] bits, int to_bit, array.array terms not None):
    """The terms whose bits are set."""
    cdef uint64_t last = bits.shape[0] - 1, place
    cdef Py_ssize_t at
    cdef list found = []
    for at in range(len(terms)):
        place = <uint64_t>terms.data.as_longlongs[at] >> to_bit
        if bits[<Py_ssize_t>(place >> 3 & last)] >> (place & 7) & 1:
            found.append(terms.data.as_longlongs[at])
    return found


cdef inline Py_ssize_t _first_from(const long long *held, long long low, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    cdef Py_ssize_t middle
    while start < end:
        middle = (start + end) >> 1
        if held[middle] < low:
            start = middle + 1
        else:
            end = middle
    return start


def places_of(array.array terms not None, array.array wanted not None):
    """Where in terms those stand that are wanted; both are in ascending order."""
    cdef const long long *held = terms.data.as_longlongs
    cdef Py_ssize_t size = len(terms), low = 0, at
    cdef long long name
    cdef bint is_sparse = len(wanted) * SPARSE < size
    cdef list found = []
    for at in range(len(wanted)):
        name = wanted.data.as_longlongs[at]
        if is_sparse:
            low = _first_from(held, name, low, size)
        else:
            while low < size and held[low] < name:
                low += 1
        while low < size and held[low] == name:
            found.append(low)
            low += 1
    return found


def first_from(array.array terms not None, long long low, Py_ssize_t start):
    """The place of the first term from start on that is not below low; they are in ascending order."""
    return _first_from(terms.data.as_longlongs, low, start, len(terms))


def order_of(array.array terms not None):
    """The places of the terms in ascending order of the terms."""
    cdef Py_ssize_t count = len(terms), at
    cdef Place *places = <Place *>malloc((count or 1) * sizeof(Place))
    if places == NULL:
        raise MemoryError("no room for the terms")
    try:
        for at in range(count):
            places[at] = Place(terms.data.as_longlongs[at], at)
        qsort(places, count, sizeof(Place), _compare)
        return [places[at].at for at in range(count)]
    finally:
        free(places)
