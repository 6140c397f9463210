"""A rendered text is found again by its template, whatever a peer has put into it."""

import time

from hypothesis import given
from hypothesis import strategies as st

from node.texts.matching import Phrases, filled, pattern_of


def same(text: str) -> str:
    return text


def test_a_text_is_taken_apart_where_its_template_has_names() -> None:
    pattern = pattern_of("slot {position} has a salt of {count} bytes")
    assert pattern.values("slot 3 has a salt of 12 bytes") == {"position": "3", "count": "12"}
    assert pattern.values("slot 3 has a salt") is None
    assert pattern.values("slot 3 has a salt of 12 bytes more") is None
    assert pattern_of("it is missing").values("it is missing") == {}
    assert pattern_of("it is missing").values("it is missing it is missing") is None
    assert pattern_of("{a} is {b}").values("x is y") == {"a": "x", "b": "y"}
    assert pattern_of("{a}{b}").values("") is None


def test_the_template_with_the_most_fixed_text_counts() -> None:
    found = Phrases({"{a} is {b}": "宽 {a} {b}", "{a} is no date": "窄 {a}"})
    assert found.find("x is no date", same) == "窄 x"
    assert found.find("x is y", same) == "宽 x y"
    assert found.find("nothing", same) is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_breaks_who_takes_it_apart(first: str, second: str) -> None:
    template = "{a} of {b} at {c}"
    values = pattern_of(template).values(f"{first} of {second} at {first}")
    if values is not None:
        assert filled(template, values) == f"{first} of {second} at {first}"


def test_g12_a_text_made_to_be_slow_is_not() -> None:
    hostile = "a of " * 20_000
    begun = time.perf_counter()
    assert pattern_of("{a} of {b} of {c} of {d} of {e} of {f}, at").values(hostile) is None
    assert pattern_of("{a} of {b} of {c} of {d} of {e} of {f}").values(hostile) is not None
    assert time.perf_counter() - begun < 1
