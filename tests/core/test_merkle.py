"""Merkle trees: against the recursive definitions of RFC 6962, third-party vectors, and tampering."""

import base64
import doctest
import json
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import merkle

SIZE_MAX = 70
LEAVES = [merkle.leaf_hash(b"leaf %d" % i) for i in range(SIZE_MAX)]
TREE = merkle.HashList(LEAVES)
VECTORS = Path(__file__).resolve().parents[2] / ".." / "shared" / "vectors" / "merkle"
NO_VECTORS = "the third-party vectors (../shared/vectors/merkle) are not here"


# --- The definitions of RFC 6962, word for word, over LEAVES[begin:end] -------------------------------------


def split(n: int) -> int:
    """k: the largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


@cache
def mth(begin: int, end: int) -> bytes:
    """2.1: MTH(D[n])."""
    if begin == end:
        return sha256().digest()
    if end - begin == 1:
        return LEAVES[begin]
    k = split(end - begin)
    return sha256(b"\x01" + mth(begin, begin + k) + mth(begin + k, end)).digest()


def path(m: int, begin: int, end: int) -> list[bytes]:
    """2.1.1: PATH(m, D[n])."""
    if end - begin == 1:
        return []
    k = split(end - begin)
    if m < k:
        return [*path(m, begin, begin + k), mth(begin + k, end)]
    return [*path(m - k, begin + k, end), mth(begin, begin + k)]


def subproof(m: int, begin: int, end: int, b: bool) -> list[bytes]:
    """2.1.2: SUBPROOF(m, D[n], b)."""
    n = end - begin
    if m == n:
        return [] if b else [mth(begin, end)]
    k = split(n)
    if m <= k:
        return [*subproof(m, begin, begin + k, b), mth(begin + k, end)]
    return [*subproof(m - k, begin + k, end, False), mth(begin, begin + k)]


def subset(positions: set[int], begin: int, end: int) -> list[bytes]:
    """The roots of the largest subtrees without any of the positions, from left to right."""
    if begin == end:
        return []
    if not positions & set(range(begin, end)):
        return [mth(begin, end)]
    if end - begin == 1:
        return []
    k = split(end - begin)
    return [*subset(positions, begin, begin + k), *subset(positions, begin + k, end)]


def flip(value: bytes, bit: int) -> bytes:
    """Return the hash with one of its 256 bits inverted."""
    return (int.from_bytes(value) ^ (1 << bit % 256)).to_bytes(len(value))


def with_item(hashes: Sequence[bytes], place: int, value: bytes) -> list[bytes]:
    return [*hashes[:place], value, *hashes[place + 1 :]]


def known_at(positions: set[int]) -> dict[int, bytes]:
    return {position: LEAVES[position] for position in positions}


# --- Hashes and roots ---------------------------------------------------------------------------------------


def test_the_example_in_the_module_runs() -> None:
    results = doctest.testmod(merkle)
    assert results.attempted >= 3
    assert results.failed == 0


def test_leaves_and_nodes_are_hashed_in_separate_domains() -> None:
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.leaf_hash(b"ab") == sha256(b"\x00ab").digest()
    assert merkle.node_hash(LEAVES[0], LEAVES[1]) == sha256(b"\x01" + LEAVES[0] + LEAVES[1]).digest()


def test_the_empty_tree_has_the_hash_of_nothing_as_root() -> None:
    assert merkle.root([]) == merkle.frontier_root(()) == merkle.EMPTY_ROOT == sha256(b"").digest()
    assert merkle.read_root(0, TREE) == merkle.HashList().root() == merkle.EMPTY_ROOT
    assert merkle.read_frontier(0, TREE) == ()


def test_every_root_equals_the_definition_whichever_way_it_is_reached() -> None:
    grown = merkle.HashList()
    for size in range(1, SIZE_MAX + 1):
        grown.append(LEAVES[size - 1])
        assert grown.size == size
        roots = {merkle.root(LEAVES[:size]), grown.root(), merkle.read_root(size, TREE), mth(0, size)}
        assert len(roots) == 1


# --- Storage order and appending ----------------------------------------------------------------------------


def test_hashes_are_stored_densely_in_the_order_in_which_subtrees_become_complete() -> None:
    order: list[bytes] = []
    for size in range(SIZE_MAX):
        assert merkle.stored_hash_count(size) == len(order)
        for level in range(8):
            if (size + 1) % (1 << level) == 0:
                n = (size + 1 >> level) - 1
                assert merkle.stored_hash_index(level, n) == len(order)
                order.append(mth(n << level, (n + 1) << level))
    assert merkle.stored_hash_count(SIZE_MAX) == len(order)
    assert TREE.read_hashes(range(len(order))) == order


@given(level=st.integers(1, 40), n=st.integers(0, 2**40))
@settings(max_examples=50, deadline=None, database=None)
def test_a_node_is_stored_right_after_its_right_child(level: int, n: int) -> None:
    assert merkle.stored_hash_index(level, n) == merkle.stored_hash_index(level - 1, 2 * n + 1) + 1


def test_appending_returns_what_to_store_and_the_frontier_that_can_be_read_back() -> None:
    frontier: tuple[bytes, ...] = ()
    for size in range(SIZE_MAX):
        stored, after = merkle.hashes_to_append(size, frontier, LEAVES[size])
        first = merkle.stored_hash_count(size)
        assert stored[0] == LEAVES[size]
        assert stored == TREE.read_hashes(range(first, merkle.stored_hash_count(size + 1)))
        assert after == merkle.read_frontier(size + 1, TREE)
        assert after == merkle.frontier_append(frontier, size, LEAVES[size])
        assert merkle.frontier_root(after) == mth(0, size + 1)
        frontier = after


@pytest.mark.parametrize("size", [-1, 0, 1, 3, 4, 7])
def test_a_frontier_of_another_size_is_refused(size: int) -> None:
    frontier = merkle.read_frontier(6, TREE)
    wrong = frontier if size not in (-1, 3) else frontier[:1]
    with pytest.raises(ValueError, match="does not belong"):
        merkle.hashes_to_append(size, wrong, LEAVES[0])


@pytest.mark.parametrize("leaf", [b"", b"payload", LEAVES[0][:-1], LEAVES[0] + b"\x00"])
def test_a_leaf_that_is_not_a_hash_is_not_appended(leaf: bytes) -> None:
    tree = merkle.HashList(LEAVES[:3])
    with pytest.raises(ValueError, match="32 bytes"):
        tree.append(leaf)
    with pytest.raises(ValueError, match="32 bytes"):
        merkle.root([LEAVES[0], leaf])
    assert tree.size == 3
    assert tree.root() == mth(0, 3)


# --- Reading ------------------------------------------------------------------------------------------------


class Counting:
    """A reader that counts how often it is asked."""

    def __init__(self) -> None:
        self.reads = 0

    def read_hashes(self, indexes: Sequence[int]) -> Sequence[bytes]:
        self.reads += 1
        return TREE.read_hashes(indexes)


class Broken:
    """A reader whose storage lost or cut hashes."""

    def __init__(self, answer: list[bytes]) -> None:
        self.answer = answer

    def read_hashes(self, indexes: Sequence[int]) -> Sequence[bytes]:  # noqa: ARG002 - answers the same to all
        return self.answer


def test_every_operation_reads_storage_once() -> None:
    reader = Counting()
    merkle.prove_inclusion(20, 69, reader)
    merkle.prove_consistency(37, 69, reader)
    merkle.read_root(69, reader)
    assert reader.reads == 3


@pytest.mark.parametrize("answer", [[], LEAVES[:2], LEAVES[:4], [*LEAVES[:2], b"short"]], ids=len)
def test_storage_that_lost_hashes_is_not_proved_from(answer: list[bytes]) -> None:
    with pytest.raises(ValueError, match="did not return"):
        merkle.read_root(7, Broken(answer))


def test_a_tree_does_not_answer_for_leaves_it_does_not_have() -> None:
    tree = merkle.HashList(LEAVES[:5])
    for prove in (merkle.prove_inclusion, merkle.prove_consistency):
        with pytest.raises(ValueError, match="5 leaves"):
            prove(3, 9, tree)
    with pytest.raises(ValueError, match="5 leaves"):
        tree.read_hashes([-1])
    with pytest.raises(ValueError, match="no tree"):
        merkle.read_root(-1, tree)


# --- Inclusion ----------------------------------------------------------------------------------------------


def leaves_of_trees() -> Iterator[tuple[int, int]]:
    return ((index, size) for size in range(1, SIZE_MAX + 1) for index in range(size))


def test_every_inclusion_proof_of_every_tree_equals_the_definition_and_checks() -> None:
    for index, size in leaves_of_trees():
        proof = merkle.prove_inclusion(index, size, TREE)
        assert proof == path(index, 0, size)
        assert merkle.check_inclusion(LEAVES[index], index, size, proof, mth(0, size))


def test_no_inclusion_survives_one_changed_bit() -> None:
    for index, size in leaves_of_trees():
        proof, root, bit = path(index, 0, size), mth(0, size), 7 * index + size
        leaf = LEAVES[index]
        assert not merkle.check_inclusion(flip(leaf, bit), index, size, proof, root)
        assert not merkle.check_inclusion(leaf, index, size, proof, flip(root, bit))
        for place, value in enumerate(proof):
            tampered = with_item(proof, place, flip(value, bit + place))
            assert not merkle.check_inclusion(leaf, index, size, tampered, root)


def test_each_bit_of_an_inclusion_counts() -> None:
    proof, root = path(4, 0, 7), mth(0, 7)
    assert merkle.check_inclusion(LEAVES[4], 4, 7, proof, root)
    for bit in range(256):
        assert not merkle.check_inclusion(flip(LEAVES[4], bit), 4, 7, proof, root)
        assert not merkle.check_inclusion(LEAVES[4], 4, 7, proof, flip(root, bit))
        for place, value in enumerate(proof):
            assert not merkle.check_inclusion(LEAVES[4], 4, 7, with_item(proof, place, flip(value, bit)), root)


def test_no_inclusion_survives_another_index_or_a_longer_or_shorter_proof() -> None:
    for index, size in leaves_of_trees():
        if size > 20:
            break
        leaf, proof, root = LEAVES[index], path(index, 0, size), mth(0, size)
        wrong = [other for other in range(-2, size + 2) if other != index]
        assert not any(merkle.check_inclusion(leaf, other, size, proof, root) for other in wrong)
        for altered in ([*proof, root], [leaf, *proof], proof[1:], proof[:-1]):
            if altered != proof:
                assert not merkle.check_inclusion(leaf, index, size, altered, root)


def test_a_proof_deeper_than_the_tree_is_refused_even_if_it_leads_to_the_root() -> None:
    extra = LEAVES[50]
    proof, root = path(2, 0, 5), merkle.node_hash(extra, mth(0, 5))
    assert not merkle.check_inclusion(LEAVES[2], 2, 5, [*proof, extra], root)
    assert not merkle.check_inclusion(LEAVES[0], 0, 1, [extra], merkle.node_hash(extra, LEAVES[0]))
    proof, old_root = subproof(3, 0, 7, True), merkle.node_hash(extra, mth(0, 3))
    new_root = merkle.node_hash(extra, mth(0, 7))
    assert not merkle.check_consistency(3, 7, old_root, new_root, [*proof, extra])


def test_inclusion_refuses_hashes_that_are_not_32_bytes() -> None:
    leaf, proof, root = LEAVES[3], path(3, 0, 6), mth(0, 6)
    for cut in (b"", leaf[:31], leaf + b"\x00", "x" * 32, None):
        assert not merkle.check_inclusion(cut, 3, 6, proof, root)  # type: ignore[arg-type]
        assert not merkle.check_inclusion(leaf, 3, 6, proof, cut)  # type: ignore[arg-type]
        assert not merkle.check_inclusion(leaf, 3, 6, with_item(proof, 1, cut), root)  # type: ignore[arg-type]


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (6, 5), (-1, 5), (0, -1)])
def test_there_is_no_inclusion_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.prove_inclusion(index, size, TREE)
    assert not merkle.check_inclusion(LEAVES[0], index, size, [], LEAVES[0])
    assert not merkle.check_inclusion(LEAVES[0], index, size, [], merkle.EMPTY_ROOT)


def fold_left_spine(length: int) -> tuple[list[bytes], bytes]:
    """Return a proof of leaf 0 with this many hashes and the root it leads to."""
    proof, folded = [LEAVES[1 + place % 5] for place in range(length)], LEAVES[0]
    for sibling in proof:
        folded = merkle.node_hash(folded, sibling)
    return proof, folded


def test_proofs_as_deep_as_the_largest_tree_check_and_deeper_ones_are_refused_unread() -> None:
    proof, root = fold_left_spine(63)
    assert merkle.check_inclusion(LEAVES[0], 0, 2**63, proof, root)
    proof, root = fold_left_spine(64)
    assert not merkle.check_inclusion(LEAVES[0], 0, 2**64, proof, root)
    assert not merkle.check_inclusion(LEAVES[0], 0, 2**64, proof * 1000, root)
    assert not merkle.check_consistency(1, 2**64, LEAVES[0], root, proof)


# --- Consistency --------------------------------------------------------------------------------------------


def pairs_of_trees() -> Iterator[tuple[int, int]]:
    return ((old, new) for new in range(1, SIZE_MAX + 1) for old in range(1, new + 1))


def test_every_consistency_proof_of_every_pair_equals_the_definition_and_checks() -> None:
    for old, new in pairs_of_trees():
        proof = merkle.prove_consistency(old, new, TREE)
        assert proof == subproof(old, 0, new, True)
        assert merkle.check_consistency(old, new, mth(0, old), mth(0, new), proof)


def test_no_consistency_survives_one_changed_bit() -> None:
    for old, new in pairs_of_trees():
        proof, bit = subproof(old, 0, new, True), 5 * old + new
        old_root, new_root = mth(0, old), mth(0, new)
        assert not merkle.check_consistency(old, new, flip(old_root, bit), new_root, proof)
        assert not merkle.check_consistency(old, new, old_root, flip(new_root, bit), proof)
        for place, value in enumerate(proof):
            tampered = with_item(proof, place, flip(value, bit + place))
            assert not merkle.check_consistency(old, new, old_root, new_root, tampered)


def test_no_consistency_survives_a_longer_or_shorter_proof_or_swapped_trees() -> None:
    for old, new in pairs_of_trees():
        if new > 20:
            break
        proof, old_root, new_root = subproof(old, 0, new, True), mth(0, old), mth(0, new)
        for altered in ([*proof, new_root], [old_root, *proof], proof[1:], proof[:-1]):
            if altered != proof:
                assert not merkle.check_consistency(old, new, old_root, new_root, altered)
        if old != new:
            assert not merkle.check_consistency(new, old, new_root, old_root, proof)


def test_a_tree_with_a_rewritten_leaf_is_not_consistent_with_the_old_one() -> None:
    for old, new in ((1, 2), (4, 8), (5, 9), (21, 50)):
        for changed in range(old):
            forked = merkle.HashList(with_item(LEAVES[:new], changed, merkle.leaf_hash(b"another")))
            proof = merkle.prove_consistency(old, new, forked)
            assert not merkle.check_consistency(old, new, mth(0, old), merkle.read_root(new, forked), proof)


def test_a_tree_is_consistent_with_itself_by_an_empty_proof_only() -> None:
    root = mth(0, 6)
    assert merkle.prove_consistency(6, 6, TREE) == []
    assert merkle.check_consistency(6, 6, root, root, [])
    assert not merkle.check_consistency(6, 6, root, root, [root])
    assert not merkle.check_consistency(6, 6, root, mth(0, 7), [])


@pytest.mark.parametrize("new", [0, 1, 8])
def test_consistency_from_the_empty_tree_is_neither_proved_nor_accepted(new: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        merkle.prove_consistency(0, new, TREE)
    assert not merkle.check_consistency(0, new, merkle.EMPTY_ROOT, mth(0, new), [])
    assert not merkle.check_consistency(0, new, mth(0, new), mth(0, new), [])


@pytest.mark.parametrize(("old", "new"), [(7, 6), (-1, 5), (1, 0), (-2, -1)])
def test_consistency_runs_from_smaller_to_larger(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        merkle.prove_consistency(old, new, TREE)
    assert not merkle.check_consistency(old, new, LEAVES[0], LEAVES[0], [])


def test_consistency_refuses_hashes_that_are_not_32_bytes() -> None:
    proof, old_root, new_root = subproof(3, 0, 7, True), mth(0, 3), mth(0, 7)
    for cut in (b"", old_root[:31], old_root + b"\x00", "x" * 32, None):
        assert not merkle.check_consistency(3, 7, cut, new_root, proof)  # type: ignore[arg-type]
        assert not merkle.check_consistency(3, 7, old_root, cut, proof)  # type: ignore[arg-type]
        assert not merkle.check_consistency(3, 7, old_root, new_root, with_item(proof, 2, cut))  # type: ignore[arg-type]
        assert not merkle.check_consistency(3, 3, cut, cut, [])  # type: ignore[arg-type]


# --- Subsets ------------------------------------------------------------------------------------------------


def test_every_subset_of_every_small_tree_equals_the_definition_and_rebuilds_the_root() -> None:
    for size in range(9):
        for count in range(size + 1):
            for positions in map(set, combinations(range(size), count)):
                hashes = merkle.prove_subset(LEAVES[:size], positions)
                assert hashes == subset(positions, 0, size)
                assert merkle.subset_root(size, known_at(positions), hashes) == mth(0, size)


@st.composite
def subsets(draw: st.DrawFn, at_least: int = 0) -> tuple[int, set[int]]:
    """Draw a tree size up to 40 and some of its positions."""
    size = draw(st.integers(at_least, 40))
    return size, draw(st.sets(st.sampled_from(range(size)), min_size=at_least)) if size else set()


@given(drawn=subsets())
@settings(max_examples=300, deadline=None, database=None)
def test_a_subset_rebuilds_the_root(drawn: tuple[int, set[int]]) -> None:
    size, positions = drawn
    hashes = merkle.prove_subset(LEAVES[:size], sorted(positions, reverse=True))
    assert hashes == subset(positions, 0, size)
    assert merkle.subset_root(size, known_at(positions), hashes) == mth(0, size)


@given(drawn=subsets(), data=st.data())
@settings(max_examples=300, deadline=None, database=None)
def test_narrowing_a_subset_equals_proving_the_smaller_one(drawn: tuple[int, set[int]], data: st.DataObject) -> None:
    size, positions = drawn
    keep = {position for position in sorted(positions) if data.draw(st.booleans())}
    hashes = subset(positions, 0, size)
    narrowed = merkle.narrow_subset(size, known_at(positions), hashes, keep)
    assert narrowed == merkle.prove_subset(LEAVES[:size], keep)
    assert merkle.subset_root(size, known_at(keep), narrowed) == mth(0, size)


@given(drawn=subsets(at_least=1), data=st.data())
@settings(max_examples=300, deadline=None, database=None)
def test_no_subset_survives_one_changed_bit(drawn: tuple[int, set[int]], data: st.DataObject) -> None:
    size, positions = drawn
    known, hashes = known_at(positions), subset(positions, 0, size)
    bit = data.draw(st.integers(0, 255))
    for position in positions:
        tampered = known | {position: flip(known[position], bit)}
        assert merkle.subset_root(size, tampered, hashes) not in (None, mth(0, size))
    for place, value in enumerate(hashes):
        rebuilt = merkle.subset_root(size, known, with_item(hashes, place, flip(value, bit)))
        assert rebuilt not in (None, mth(0, size))


@given(drawn=subsets(at_least=1))
@settings(max_examples=100, deadline=None, database=None)
def test_a_subset_with_too_few_or_too_many_hashes_has_no_root(drawn: tuple[int, set[int]]) -> None:
    size, positions = drawn
    known, hashes = known_at(positions), subset(positions, 0, size)
    assert merkle.subset_root(size, known, [*hashes, LEAVES[0]]) is None
    if hashes:
        assert merkle.subset_root(size, known, hashes[:-1]) is None
        assert merkle.subset_root(size, known, hashes[1:]) is None


def test_a_subset_of_nothing_is_the_root_and_a_subset_of_everything_needs_no_hash() -> None:
    for size in range(1, 41):
        assert merkle.prove_subset(LEAVES[:size], []) == [mth(0, size)]
        assert merkle.prove_subset(LEAVES[:size], range(size)) == []
        assert merkle.subset_root(size, {}, [mth(0, size)]) == mth(0, size)


def test_a_single_position_needs_as_many_hashes_as_its_inclusion_proof() -> None:
    for index, size in leaves_of_trees():
        assert sorted(merkle.prove_subset(LEAVES[:size], [index])) == sorted(path(index, 0, size))


def test_the_empty_tree_has_only_the_empty_subset() -> None:
    assert merkle.prove_subset([], []) == []
    assert merkle.narrow_subset(0, {}, [], []) == []
    assert merkle.subset_root(0, {}, []) == merkle.EMPTY_ROOT
    assert merkle.subset_root(0, {}, [merkle.EMPTY_ROOT]) is None
    assert merkle.subset_root(0, {0: LEAVES[0]}, []) is None


@pytest.mark.parametrize("position", [-1, 5, 2**70])
def test_a_subset_with_a_position_outside_the_tree_has_no_root(position: int) -> None:
    known = known_at({1}) | {position: LEAVES[0]}
    for hashes in ([], subset({1}, 0, 5), subset({0, 1}, 0, 5), subset({1, 4}, 0, 5)):
        assert merkle.subset_root(5, known, hashes) is None
    with pytest.raises(ValueError, match="not among"):
        merkle.prove_subset(LEAVES[:5], [1, position])


@pytest.mark.parametrize("size", [-1, 2**63 + 1, 2**200])
def test_a_subset_of_an_impossible_size_has_no_root(size: int) -> None:
    assert merkle.subset_root(size, {}, [LEAVES[0]]) is None
    assert merkle.subset_root(size, {0: LEAVES[0]}, LEAVES[:64]) is None


def test_a_subset_of_the_largest_tree_is_rebuilt_and_more_hashes_than_it_can_need_are_refused() -> None:
    proof, root = fold_left_spine(63)
    assert merkle.subset_root(2**63, {0: LEAVES[0]}, proof) == root
    assert merkle.subset_root(2**63, {0: LEAVES[0]}, [*proof, LEAVES[0]]) is None


def test_a_subset_refuses_hashes_that_are_not_32_bytes() -> None:
    known, hashes = known_at({1, 4}), subset({1, 4}, 0, 6)
    assert merkle.subset_root(6, known, hashes) == mth(0, 6)
    for cut in (b"", LEAVES[1][:31], LEAVES[1] + b"\x00", "x" * 32, None):
        assert merkle.subset_root(6, known | {4: cut}, hashes) is None  # type: ignore[arg-type]
        assert merkle.subset_root(6, known, with_item(hashes, 0, cut)) is None  # type: ignore[arg-type]


def test_a_leaf_moved_to_another_position_does_not_rebuild_the_root() -> None:
    known, hashes = {2: LEAVES[3], 3: LEAVES[2]}, subset({2, 3}, 0, 7)
    assert merkle.subset_root(7, known, hashes) not in (None, mth(0, 7))


def test_narrowing_refuses_unknown_positions_and_wrong_proofs() -> None:
    known, hashes = known_at({1, 4}), subset({1, 4}, 0, 6)
    with pytest.raises(ValueError, match=r"\[2\] are not among"):
        merkle.narrow_subset(6, known, hashes, [1, 2])
    with pytest.raises(ValueError, match="shape"):
        merkle.narrow_subset(6, known, hashes[:-1], [1])
    with pytest.raises(ValueError, match="shape"):
        merkle.narrow_subset(0, {}, hashes, [])


# --- Third-party vectors ------------------------------------------------------------------------------------


def vector_files(kind: str) -> list[object]:
    """Return one test case per vector file, or one that is skipped when the vectors are not here."""
    if not VECTORS.is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason=NO_VECTORS))]
    files = sorted((VECTORS / kind).rglob("*.json"))
    return [pytest.param(file, id=file.relative_to(VECTORS / kind).with_suffix("").as_posix()) for file in files]


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "", validate=True)


@pytest.mark.skipif(not VECTORS.is_dir(), reason=NO_VECTORS)
@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_the_vectors_hold_proofs_to_accept_and_to_refuse(kind: str) -> None:
    refused = [json.loads(file.read_bytes())["wantErr"] for file in (VECTORS / kind).rglob("*.json")]
    assert set(refused) == {True, False}


@pytest.mark.parametrize("file", vector_files("inclusion"))
def test_inclusion_agrees_with_the_vector(file: Path) -> None:
    vector = json.loads(file.read_bytes())
    proof = [decoded(item) for item in vector["proof"] or ()]
    leaf, root = decoded(vector["leafHash"]), decoded(vector["root"])
    accepted = merkle.check_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof, root)
    assert accepted is not vector["wantErr"]


@pytest.mark.parametrize("file", vector_files("consistency"))
def test_consistency_agrees_with_the_vector(file: Path) -> None:
    vector = json.loads(file.read_bytes())
    proof = [decoded(item) for item in vector["proof"] or ()]
    old_root, new_root = decoded(vector["root1"]), decoded(vector["root2"])
    accepted = merkle.check_consistency(vector["size1"], vector["size2"], old_root, new_root, proof)
    assert accepted is not vector["wantErr"]
