"""How long the rest takes is told as a range, and not at all where nobody can know it."""

from node.core.pace import Amount, Pace, pace_of


def arrived(*entries_by_second: tuple[float, int]) -> list[tuple[float, Amount]]:
    return [(at_s, Amount(entries, 10 * entries, 1000 * entries)) for at_s, entries in entries_by_second]


def test_of_nothing_no_time_can_be_told() -> None:
    assert pace_of([], 100.0) == Pace()
    assert Pace().left_s(5) == (None, None)
    assert Pace().left_s(0) == (0, 0)


def test_an_even_pace_has_one_answer() -> None:
    pace = pace_of(arrived(*((float(at), 2) for at in range(61, 121))), 120.5)
    assert (pace.span_s, pace.amount.entries, pace.amount.records) == (59.5, 120, 1200)
    assert 1.9 < pace.entries_per_s < 2.1
    least, most = pace.left_s(1000)
    assert least is not None
    assert most is not None
    assert 450 <= least <= most <= 560


def test_an_uneven_pace_has_a_range_from_its_fastest_to_its_slowest_slice() -> None:
    fast = [(float(at), 10) for at in range(41, 71)]
    slow = [(float(at), 1) for at in range(71, 101)]
    least, most = pace_of(arrived(*fast, *slow), 100.5).left_s(100)
    assert least is not None
    assert most is not None
    assert least <= 11
    assert 80 <= most <= 130


def test_after_a_standstill_nobody_knows_the_worst() -> None:
    least, most = pace_of(arrived((50.0, 40)), 100.0).left_s(10)
    assert (least, most) == (3, None)


def test_what_came_more_than_a_minute_ago_tells_nothing() -> None:
    assert pace_of(arrived((10.0, 40)), 100.0) == Pace()
