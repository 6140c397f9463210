"""Merkle trees of RFC 6962 over SHA-256: roots, inclusion, consistency and subset proofs.

A tree is the list of its LEAF HASHES; `leaf_hash` makes one from a payload. The words used here:

    frontier   the roots of the perfect subtrees that make up a tree, largest first, one per 1 bit of its
               size: all that is needed to append and to know the root
    stored     every hash of a perfect subtree, in the order in which appending completes them (Crosby and
               Wallach, 2009): level L's n'th hash comes right after level L-1's (2n+1)'th. Stored hashes are
               never rewritten, so any append-only array can be a `HashReader`
    proving    compute the leaf ranges wanted -> read their stored hashes once -> fold each range to its root
    checking   rebuild the root from the proof (RFC 9162) and compare

`prove_*` and the append functions take our own arguments: wrong ones raise ValueError. `check_*` and
`subset_root` take what others sent: whatever is wrong with it, the answer is False or None.

A root alone does not fix the SIZE of its tree, nor therefore the place of a leaf: one proof can check at two
sizes. The signature that covers a root must always cover its size too.

    >>> tree = HashList(leaf_hash(b"%d" % i) for i in range(5))
    >>> proof = prove_inclusion(3, 5, tree)
    >>> check_inclusion(leaf_hash(b"3"), 3, 5, proof, read_root(5, tree))
    True
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Protocol

HASH_BYTES = 32
MAX_PROOF_HASHES = 63  # the path of a leaf in the largest tree we reason about, 2**63 leaves
MAX_SIZE = 1 << MAX_PROOF_HASHES
EMPTY_ROOT = sha256(b"").digest()  # RFC 6962 2.1: the hash of an empty list is the hash of an empty string

_Range = tuple[int, int]  # leaves [begin, end)


class HashReader(Protocol):
    """The stored hashes of a tree, wherever they are kept."""

    def read_hashes(self, indexes: Sequence[int]) -> Sequence[bytes]:
        """Return the hashes at these storage indexes, in the order asked."""
        ...


# --- Hashes -------------------------------------------------------------------------------------------------


def leaf_hash(payload: bytes) -> bytes:
    """Return the leaf hash of a payload, SHA-256(0x00 || payload) (RFC 6962 2.1)."""
    return sha256(b"\x00" + payload).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node, SHA-256(0x01 || left || right) (RFC 6962 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of a list of leaf hashes (RFC 6962 2.1); raises ValueError for what is no hash."""
    if not leaves:
        return EMPTY_ROOT
    if not all(map(_is_hash, leaves)):
        raise ValueError(f"a leaf hash has {HASH_BYTES} bytes")
    # Level by level: a hash without a neighbour goes up as it is, which splits where RFC 6962 does. Written out, as a
    # call for each node costs more than its hash.
    level = list(leaves)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + level[len(level) & ~1 :]
    return level[0]


# --- Storage order ------------------------------------------------------------------------------------------


def stored_hash_count(size: int) -> int:
    """Return how many hashes are stored for a tree of `size` leaves."""
    # A perfect subtree of k leaves stores 2k - 1 hashes, and there is one such subtree per 1 bit of the size.
    return 2 * size - size.bit_count()


def stored_hash_index(level: int, n: int) -> int:
    """Return the storage index of the n'th hash of a level (level 0: the leaf hashes)."""
    # The hash is written while its last leaf is appended, after that leaf's hash and its lower levels.
    last_leaf = ((n + 1) << level) - 1
    return stored_hash_count(last_leaf) + level


# --- Appending ----------------------------------------------------------------------------------------------


def hashes_to_append(size: int, frontier: Sequence[bytes], leaf: bytes) -> tuple[list[bytes], tuple[bytes, ...]]:
    """Return the hashes to store for the leaf hash at index `size`, itself first, and the new frontier.

    Raises ValueError if the frontier is not that of a tree of `size` leaves, or the leaf is not a hash.
    """
    if size < 0 or len(frontier) != size.bit_count():
        raise ValueError(f"a frontier of {len(frontier)} hashes does not belong to a tree of {size} leaves")
    if not _is_hash(leaf):
        raise ValueError(f"a leaf hash has {HASH_BYTES} bytes, this one has {len(leaf)}")
    stored, left = [leaf], list(frontier)
    while size & 1:  # a 1 bit from the right: a perfect subtree as large as the one just completed
        stored.append(node_hash(left.pop(), stored[-1]))
        size >>= 1
    return stored, (*left, stored[-1])


def frontier_append(frontier: Sequence[bytes], size: int, leaf: bytes) -> tuple[bytes, ...]:
    """Return the frontier after appending the leaf hash at index `size`; raises as `hashes_to_append`."""
    return hashes_to_append(size, frontier, leaf)[1]


def frontier_root(frontier: Sequence[bytes]) -> bytes:
    """Return the root of the tree with this frontier, EMPTY_ROOT for none."""
    if not frontier:
        return EMPTY_ROOT
    folded = frontier[-1]
    for left in reversed(frontier[:-1]):
        folded = node_hash(left, folded)
    return folded


class HashList:
    """A tree kept in memory: a HashReader one can append to."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._hashes: list[bytes] = []
        self._frontier: tuple[bytes, ...] = ()
        self._size = 0
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash; raises as `hashes_to_append`."""
        stored, self._frontier = hashes_to_append(self._size, self._frontier, leaf)
        self._hashes += stored
        self._size += 1

    def root(self) -> bytes:
        """Return the root of the tree."""
        return frontier_root(self._frontier)

    def read_hashes(self, indexes: Sequence[int]) -> Sequence[bytes]:
        """Return the hashes at these storage indexes; raises ValueError for one not stored."""
        if any(not 0 <= index < len(self._hashes) for index in indexes):
            raise ValueError(f"a tree of {self._size} leaves does not store all of the hashes asked for")
        return [self._hashes[index] for index in indexes]


# --- Reading ------------------------------------------------------------------------------------------------


def read_frontier(size: int, reader: HashReader) -> tuple[bytes, ...]:
    """Read the frontier of the tree of the first `size` leaves; raises ValueError if the size is negative."""
    if size < 0:
        raise ValueError(f"no tree has {size} leaves")
    return tuple(_read(_perfect_indexes(0, size), reader))


def read_root(size: int, reader: HashReader) -> bytes:
    """Read the root of the tree of the first `size` leaves; raises as `read_frontier`."""
    return frontier_root(read_frontier(size, reader))


# --- Inclusion ----------------------------------------------------------------------------------------------


def prove_inclusion(index: int, size: int, reader: HashReader) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves (RFC 6962 2.1.1).

    Raises ValueError if there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size} leaves")
    begin, end, siblings = 0, size, []
    while end - begin > 1:
        middle = _middle(begin, end)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    return _read_roots(siblings[::-1], reader)


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether the proof shows the leaf hash at `index` of the tree of this root (RFC 9162 2.1.3.2)."""
    return _is_hash(root) and root_by_inclusion(leaf, index, size, proof) == root


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to from the leaf hash at `index`; None where it cannot be (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(leaf, proof=proof):
        return None
    place, last, folded = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            folded = node_hash(sibling, folded)
            place, last = _climb_to_right_child(place, last)
        else:
            folded = node_hash(folded, sibling)
        place, last = place >> 1, last >> 1
    return folded if last == 0 else None


# --- Consistency --------------------------------------------------------------------------------------------


def prove_consistency(old: int, new: int, reader: HashReader) -> list[bytes]:
    """Return the proof that the tree of `new` leaves begins with the one of `old` leaves (RFC 6962 2.1.2).

    Raises ValueError unless 1 <= old <= new: every tree begins with the empty one, there is nothing to prove.
    """
    if not 1 <= old <= new:
        raise ValueError(f"no consistency proof from {old} to {new} leaves")
    begin, end, ranges = 0, new, []
    while end != old:
        middle = _middle(begin, end)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    if begin > 0:  # otherwise the last range is the whole old tree, whose root the checker has
        ranges.append((begin, end))
    return _read_roots(ranges[::-1], reader)


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the proof shows that the new tree begins with the old one (RFC 9162 2.1.4.2).

    False from size 0: the empty tree needs no proof, and a caller who accepts it must say so itself.
    """
    if not 1 <= old <= new or not _are_hashes(old_root, new_root, proof=proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if not proof:
        return False
    return _fold_consistency(old, new, old_root, proof) == (old_root, new_root)


def _fold_consistency(old: int, new: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return the old and the new root a proof leads to, None if its length is wrong (RFC 9162 2.1.4.2)."""
    path = [old_root, *proof] if old.bit_count() == 1 else list(proof)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    folded_old = folded_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            folded_old, folded_new = node_hash(sibling, folded_old), node_hash(sibling, folded_new)
            place, last = _climb_to_right_child(place, last)
        else:
            folded_new = node_hash(folded_new, sibling)
        place, last = place >> 1, last >> 1
    return (folded_old, folded_new) if last == 0 else None


# --- Subsets ------------------------------------------------------------------------------------------------


def prove_subset(leaves: Sequence[bytes], positions: Collection[int]) -> list[bytes]:
    """Return the hashes that, with the leaves at these positions, rebuild the root of all leaves.

    They are the roots of the largest subtrees (of the split of RFC 6962 2.1) without any of the positions,
    from left to right: the root itself for no position, nothing for all of them.
    Raises ValueError if a position is not in the tree, or a leaf is not a hash.
    """
    return narrow_subset(len(leaves), dict(enumerate(leaves)), [], positions)


def subset_root(size: int, known: Mapping[int, bytes], hashes: Sequence[bytes]) -> bytes | None:
    """Return the root of a tree rebuilt from known leaf hashes and the hashes of `prove_subset`.

    None if the shape is wrong: too few or too many hashes, a position outside the tree, a hash not of 32
    bytes. Work and hashes accepted are at most 63 per known leaf, which the caller limits.
    """
    if size == 0 and not known and not hashes:
        return EMPTY_ROOT
    roots = _subtree_roots(size, known, hashes)
    return None if roots is None else roots[0, size]


def narrow_subset(size: int, known: Mapping[int, bytes], hashes: Sequence[bytes], keep: Collection[int]) -> list[bytes]:
    """Return the hashes that prove only the positions in `keep`, from a proof that also covers others.

    They equal what `prove_subset` gives for these positions: who holds a subset can pass on a part of it.
    Raises ValueError if a position in `keep` is not known, or the shape is one `subset_root` refuses.
    """
    if unknown := set(keep) - known.keys():
        raise ValueError(f"positions {sorted(unknown)} are not among the known leaves")
    if size == 0 and not known and not hashes:
        return []
    roots = _subtree_roots(size, known, hashes)
    if roots is None:
        raise ValueError(f"not the shape of a subset proof of {len(known)} leaves in a tree of {size}")
    # A subtree without a kept position lies below one with a kept, hence known, position: it was rebuilt.
    return [roots[wanted] for wanted in _ranges_without(sorted(set(keep)), 0, size)]


def _subtree_roots(size: int, known: Mapping[int, bytes], hashes: Sequence[bytes]) -> dict[_Range, bytes] | None:
    """Return the root of every subtree that known leaves and hashes reach, None if the shape is wrong."""
    positions = sorted(known)
    if not 1 <= size <= MAX_SIZE or any(not 0 <= position < size for position in positions):
        return None
    given = list(_ranges_without(positions, 0, size))
    if len(given) != len(hashes) or not all(map(_is_hash, [*hashes, *known.values()])):
        return None
    roots = dict(zip(given, hashes, strict=True))
    roots.update({(position, position + 1): known[position] for position in positions})
    _join(roots, 0, size)
    return roots


def _ranges_without(positions: Sequence[int], begin: int, end: int) -> Iterator[_Range]:
    """Yield the largest subtrees of [begin, end) with none of the sorted positions, from left to right."""
    if not positions and begin < end:
        yield begin, end
    elif end - begin > 1:
        middle = _middle(begin, end)
        cut = bisect_left(positions, middle)
        yield from _ranges_without(positions[:cut], begin, middle)
        yield from _ranges_without(positions[cut:], middle, end)


def _join(roots: dict[_Range, bytes], begin: int, end: int) -> bytes:
    """Add to `roots` those of [begin, end) and of all subtrees down to the ones already there."""
    if (begin, end) not in roots:
        middle = _middle(begin, end)
        roots[begin, end] = node_hash(_join(roots, begin, middle), _join(roots, middle, end))
    return roots[begin, end]


# --- Shared steps -------------------------------------------------------------------------------------------


def _middle(begin: int, end: int) -> int:
    """Return where RFC 6962 2.1 splits [begin, end): after the largest power of two below its length."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def _perfect_indexes(begin: int, end: int) -> list[int]:
    """Return the storage indexes of the perfect subtrees of a subtree [begin, end), largest first."""
    indexes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        indexes.append(stored_hash_index(level, begin >> level))
        begin += 1 << level
    return indexes


def _read(indexes: Sequence[int], reader: HashReader) -> Sequence[bytes]:
    """Read stored hashes; raises ValueError if the reader does not return one 32-byte hash per index."""
    hashes = reader.read_hashes(indexes)
    if len(hashes) != len(indexes) or not all(map(_is_hash, hashes)):
        raise ValueError(f"the reader did not return the {len(indexes)} hashes asked for")
    return hashes


def _read_roots(ranges: Sequence[_Range], reader: HashReader) -> list[bytes]:
    """Read the roots of several subtrees at once."""
    wanted = [_perfect_indexes(begin, end) for begin, end in ranges]
    hashes = iter(_read([index for indexes in wanted for index in indexes], reader))
    return [frontier_root([next(hashes) for _ in indexes]) for indexes in wanted]


def _climb_to_right_child(place: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the last subtree has no sibling (RFC 9162 2.1.3.2 and 2.1.4.2)."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == HASH_BYTES


def _are_hashes(*hashes: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the proof is no longer than the deepest tree needs, and all are hashes."""
    return len(proof) <= MAX_PROOF_HASHES and all(map(_is_hash, hashes)) and all(map(_is_hash, proof))
