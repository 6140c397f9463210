"""Token buckets: what one caller may do, and that callers cost bounded memory."""

import doctest

import pytest

from registry import rates
from registry.rates import Buckets, Rate, caller_of


def test_a_burst_is_allowed_and_then_the_long_run_rate() -> None:
    buckets = Buckets(Rate(burst=3, per_second=2))
    assert [buckets.take("a", 0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("a", 400) == pytest.approx(0.1)
    assert buckets.take("a", 500) == 0
    assert buckets.take("a", 500) == pytest.approx(0.5)
    assert [buckets.take("a", 1_000_000) for _ in range(4)] == [0, 0, 0, 0.5]


def test_callers_do_not_share_a_bucket() -> None:
    buckets = Buckets(Rate(burst=1, per_second=1))
    assert (buckets.take("a", 0), buckets.take("b", 0)) == (0, 0)
    assert buckets.take("a", 0) > 0


def test_a_clock_set_back_neither_fills_nor_drains() -> None:
    buckets = Buckets(Rate(burst=2, per_second=1))
    assert buckets.take("a", 10_000) == 0
    assert buckets.take("a", 5_000) == 0
    assert buckets.take("a", 5_000) == pytest.approx(1)
    assert buckets.take("a", 6_000) == 0


def test_the_longest_unseen_callers_are_forgotten() -> None:
    buckets = Buckets(Rate(burst=1, per_second=0.001), callers_max=2)
    for caller in ("a", "b", "a", "c"):
        buckets.take(caller, 0)
    assert len(buckets._buckets) == 2
    assert buckets.take("a", 0) > 0
    assert buckets.take("b", 0) == 0


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        ("ipv4:10.0.0.1:1", "10.0.0.1"),
        ("ipv6:[::1]:40112", "::"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "fe80::"),
        ("ipv6:[2001:db8:1:2:ffff::]:2", "2001:db8:1:2::"),
        ("unix:/run/x", "unix:/run/x"),
    ],
)
def test_a_caller_is_its_address_without_the_port(peer: str, caller: str) -> None:
    assert caller_of(peer) == caller


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(rates).failed == 0
