"""What is compiled of terms comes to the same as what is not."""

from array import array
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from node.core import record_terms
from node.core.record_terms import (
    add_bits,
    first_from,
    key_term,
    key_terms,
    order_of,
    places_of,
    read_terms,
    sorted_terms,
    subject_term,
    with_bits,
)

SUBJECTS = ("", "91310000MA1FL0000X", "王某某|3101", "\x00", "\U0001f600" * 3)


def columns(count: int, draw: Random) -> tuple[list[int], list[bytes], list[str]]:
    positions = sorted(draw.sample(range(100_000), count))
    return positions, [draw.randbytes(32) for _ in positions], [draw.choice(SUBJECTS) for _ in positions]


def both(monkeypatch: pytest.MonkeyPatch, found: Callable[[], Any]) -> tuple[Any, Any]:
    """What is found with compiled code, where there is some, and without."""
    compiled = found()
    with monkeypatch.context() as patched:
        patched.setattr(record_terms, "term_bits", None)
        return compiled, found()


@pytest.mark.parametrize("count", [0, 1, 2, 7, 500])
def test_terms_are_in_order_with_the_positions_of_their_records(count: int) -> None:
    positions, keys, subjects = columns(count, Random(count))
    found = sorted_terms(positions, keys, subjects)
    each = [
        *zip(map(key_term, keys), positions, strict=True),
        *zip(map(subject_term, subjects), positions, strict=True),
    ]
    assert list(zip(*found, strict=True)) == sorted(each)
    assert read_terms(found.terms.tobytes(), found.positions.tobytes()) == found


def test_the_terms_of_many_keys_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (32, 20, 8):
        keys = [Random(size).randbytes(size) for _ in range(50)] + [b"\xff" * size, bytes(size)]
        compiled, plain = both(monkeypatch, lambda keys=keys: key_terms(tuple(keys)))  # type: ignore[misc]
        assert compiled == plain == array("q", [key_term(key) for key in keys])
    assert len(key_terms([])) == 0


@pytest.mark.parametrize("to_bit", [0, 41, 49])
def test_the_bits_of_terms_are_the_same(monkeypatch: pytest.MonkeyPatch, to_bit: int) -> None:
    draw = Random(to_bit)
    terms = array("q", [draw.randint(-(1 << 63), (1 << 63) - 1) for _ in range(3_000)] + [-1, 0, 1, -(1 << 63)])
    others = array("q", [draw.randint(-(1 << 63), (1 << 63) - 1) for _ in range(3_000)])

    def found() -> tuple[bytearray, list[int], list[int]]:
        bits = bytearray(1 << 12)
        add_bits(bits, to_bit, terms)
        return bits, with_bits(bits, to_bit, terms), with_bits(bits, to_bit, others)

    compiled, plain = both(monkeypatch, found)
    assert compiled == plain
    assert compiled[1] == list(terms)
    assert 0 < len(compiled[2]) < len(others) // 2


@pytest.mark.parametrize("count", [0, 1, 3, 40, 400])
def test_the_places_of_wanted_terms_are_the_same(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    draw = Random(count)
    terms = array("q", sorted(draw.choices(range(-500, 500), k=600)))
    wanted = array("q", sorted(draw.sample(range(-600, 600), count)))
    compiled, plain = both(monkeypatch, lambda: places_of(terms, wanted))
    assert compiled == plain == [at for at, term in enumerate(terms) if term in wanted]
    assert places_of(array("q"), wanted) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 600])
def test_the_first_term_from_a_number_on_is_the_same(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    draw = Random(count)
    lowest, highest = -(1 << 63), (1 << 63) - 1
    terms = array("q", sorted(draw.choices((*range(-300, 300), lowest, highest), k=count)))
    for low in (lowest, -301, *range(-300, 300, 7), 301, highest):
        for start in {0, count // 2, count}:
            compiled, plain = both(monkeypatch, lambda low=low, start=start: first_from(terms, low, start))  # type: ignore[misc]
            expected = next((at for at in range(start, count) if terms[at] >= low), count)
            assert compiled == plain == expected


@pytest.mark.parametrize("count", [0, 1, 2, 700])
def test_terms_that_are_gathered_come_into_the_same_order(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    draw = Random(count)
    terms = array("q", draw.choices((*range(-300, 300), -(1 << 63), (1 << 63) - 1), k=count))
    compiled, plain = both(monkeypatch, lambda: order_of(terms))
    assert compiled == plain == sorted(range(count), key=lambda at: (terms[at], at))


def test_what_is_no_column_of_keys_is_refused() -> None:
    for wrong in ([b"short"], ["text"], [None]):
        with pytest.raises(Exception, match=r".+"):
            key_terms(wrong)  # type: ignore[arg-type]
