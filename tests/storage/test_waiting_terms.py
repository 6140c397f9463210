"""Terms wait in few runs, and each is found until it is let go."""

from array import array
from collections.abc import Iterable
from random import Random

import pytest

from node.core.record_terms import key_term, sorted_terms
from node.storage.waiting_terms import Run, Tail, Term, TermFilter

LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1


def rows(count: int, index: int, draw: Random) -> list[Term]:
    return [(draw.randint(LOWEST, HIGHEST), 1, 0, index, position) for position in range(count)]


def names(terms: Iterable[Term]) -> "array[int]":
    return array("q", [row[0] for row in terms])


def slice_of(tail: Tail, number: int) -> set[Term]:
    found = tail.slice(number)
    assert all(columns[0] == sorted(columns[0]) for columns in found.values())
    return {(row[0], *log, *row[1:]) for log, columns in found.items() for row in zip(*columns, strict=True)}


@pytest.mark.parametrize("together", [1, 20, 200])
def test_every_term_is_found_until_its_slice_is_merged(together: int) -> None:
    tail, draw, waiting = Tail(slices=8, limit=0), Random(together), set[Term]()
    for index in range(120):
        added = [*rows(together, index, draw), (LOWEST, 1, 0, index, 900), (HIGHEST, 1, 0, index, 901)]
        tail.add(Run.of_rows(added, 0))
        waiting.update(added)
        if draw.random() < 0.4:
            merged = slice_of(tail, tail.next_slice)
            assert merged == {row for row in waiting if (row[0] - LOWEST) >> 61 == tail.next_slice}
            tail.empty()
            waiting -= merged
        gone = draw.sample(sorted(waiting), min(len(waiting), draw.choice([0, 1, 50])))
        tail.drop(gone)
        waiting.difference_update(gone)
        assert set(tail.under(names(waiting))) >= waiting
        assert not set(tail.under(names(gone))) & set(gone)
        assert tail.count == len(waiting)
    assert set().union(*(slice_of(tail, number) for number in range(8))) == waiting


def test_terms_that_come_one_by_one_make_few_runs() -> None:
    tail, draw = Tail(slices=8, limit=0), Random(1)
    for index in range(3_000):
        tail.add(Run.of_rows(rows(2, index, draw), 0))
        if index % 500 == 499:
            tail.empty()
    assert len(tail._waiting.runs) < 120
    assert tail.count == sum(len(slice_of(tail, number)) for number in range(8))


def test_a_run_of_one_entry_gives_the_rows_of_its_records() -> None:
    keys, subjects = [bytes([each]) * 32 for each in (7, 3, 200)], ["b", "a", "b"]
    run = Run(sorted_terms([4, 5, 9], keys, subjects), [(1, 2, 3)])
    told = run.rows()
    assert told == sorted(told)
    assert [row[1:] for row in run.under(array("q", [key_term(keys[2])]))] == [(1, 2, 3, 9)]
    assert Run.of_rows(reversed(told), 0).rows() == told


@pytest.mark.parametrize("to_bit", [0, 41])
def test_a_filter_knows_what_it_was_told_and_little_else(to_bit: int) -> None:
    known, draw = TermFilter(23, to_bit), Random(5)
    terms = [draw.randint(LOWEST, HIGHEST) for _ in range(20_000)] + [LOWEST, HIGHEST, 0, -1]
    known.add(array("q", terms))
    assert known.may_hold(array("q", terms)) == terms
    others = [draw.randint(LOWEST, HIGHEST) for _ in range(20_000)]
    assert len(known.may_hold(array("q", others))) < 120
