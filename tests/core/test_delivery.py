"""Delivery in the core: how far an entry is, whom to link to, how long to wait."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from node.core.delivery import TRANSITIONS, Delivery, choose_links, delivery_of, retry_delay_s
from node.core.membership import Members, Standing
from node.pb import channel_pb2
from tests.builders import make_members, make_node

NODES = [
    make_node("national", level="national"),
    make_node("310000", level="province", parent="national"),
    make_node("310115", level="district", parent="310000"),
    make_node("310116", level="district", parent="310000"),
    *(make_node(f"3301{number:02d}") for number in range(20)),
]
MEMBERS = make_members(*NODES)


def test_an_entry_is_sent_then_received_then_applied_as_receipts_say() -> None:
    receipt = channel_pb2.Receipt(size=5, applied_size=3)
    found = [delivery_of(index, receipt) for index in (2, 3, 4, 5)]
    assert found == [Delivery.APPLIED, Delivery.RECEIVED, Delivery.RECEIVED, Delivery.SENT]
    assert delivery_of(0, None) is Delivery.SENT


@given(st.integers(0, 9), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=6))
def test_growing_receipts_move_an_entry_only_along_the_transitions(index: int, sizes: list[tuple[int, int]]) -> None:
    grown = sorted((max(size), min(size)) for size in sizes)
    applied = 0
    seen = []
    for size, candidate in grown:
        applied = max(applied, candidate)
        seen.append(delivery_of(index, channel_pb2.Receipt(size=size, applied_size=applied)))
    for before, after in pairwise(seen):
        assert before is after or after in TRANSITIONS[before]


def test_links_go_to_parent_children_origins_and_readers_and_a_few_more() -> None:
    assert choose_links(MEMBERS, "310000", ["330105"], ["330107"], 0) == (
        "310115", "310116", "330105", "330107", "national",
    )  # fmt: skip
    assert len(choose_links(MEMBERS, "310000", [], [], 8)) == 3 + 8
    assert "310000" not in choose_links(MEMBERS, "310000", ["310000"], ["310000"], 99)


def test_no_link_goes_to_a_member_that_is_not_active_or_not_known() -> None:
    suspended = make_node("310115", parent="310000").listed_as(standing=Standing.SUSPENDED)
    members = make_members(make_node("310000"), suspended, make_node("330100"))
    assert choose_links(members, "310000", ["310115", "999999"], ["310115", ""], 9) == ("330100",)
    assert choose_links(Members("n", {}), "310000", [], [], 9) == ()


@given(st.integers(0, 8), st.randoms())
def test_the_same_further_links_are_chosen_in_whatever_order_members_come(further: int, random: object) -> None:
    nodes = list(NODES)
    random.shuffle(nodes)  # type: ignore[attr-defined]
    shuffled = make_members(*nodes)
    chosen = choose_links(MEMBERS, "330101", [], [], further)
    assert choose_links(shuffled, "330101", [], [], further) == chosen
    assert len(chosen) == further
    fewer = choose_links(MEMBERS, "330101", [], [], max(further - 1, 0))
    assert set(fewer) <= set(chosen)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(1, 1800))
def test_a_pause_doubles_up_to_the_cap_and_is_never_nothing(failures: int, jitter: float, cap_s: float) -> None:
    delay = retry_delay_s(failures, jitter, cap_s)
    assert 0.5 <= delay <= cap_s
    assert delay <= retry_delay_s(failures + 1, jitter, cap_s)
    assert retry_delay_s(failures, 0.0, cap_s) <= delay <= retry_delay_s(failures, 1.0, cap_s)


def test_the_pauses_of_an_unreachable_peer() -> None:
    assert [retry_delay_s(failures, 1.0, 1800) for failures in (1, 2, 3, 11, 12, 1000)] == [1, 2, 4, 1024, 1800, 1800]
