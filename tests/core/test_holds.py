"""Held rows: what the acts of officers come to, and what exactly they sign."""

import pytest

from node.core.errors import XinqiaoError
from node.core.holds import ACTS, REFUSE, RELEASE, WITHDRAW, Review, Signed, hold_digest, review_of


def come_to(*acts: tuple[str, str]) -> Review:
    return review_of(Signed(act, officer) for act, officer in acts)


def refused(*acts: tuple[str, str]) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        come_to(*acts)
    return caught.value


@pytest.mark.parametrize("act", [RELEASE, REFUSE])
def test_r_inc_2_a_held_row_is_decided_by_two_different_officers_and_by_nobody_alone(act: str) -> None:
    assert come_to().act == ""
    first = come_to((act, "li"))
    assert (first.proposed, first.act) == (Signed(act, "li"), "")
    assert refused((act, "li"), (act, "li")).code == "HOLD_SAME_OFFICER"
    both = come_to((act, "li"), (act, "wang"))
    assert (both.act, both.decided) == (act, (Signed(act, "li"), Signed(act, "wang")))


def test_who_disagrees_withdraws_and_does_not_decide_otherwise_alone() -> None:
    for one, other in ((RELEASE, REFUSE), (REFUSE, RELEASE)):
        error = refused((one, "li"), (other, "wang"))
        assert (error.code, error.parameters["officer"]) == ("HOLD_PROPOSED", "li")
        assert error.parameters["action"] == one.removeprefix("hold.")
        for who in ("li", "wang"):
            assert come_to((one, "li"), (WITHDRAW, who)) == Review()
            assert come_to((one, "li"), (WITHDRAW, who), (other, "wang"), (other, "li")).act == other
    assert refused((WITHDRAW, "li")).code == "HOLD_NOTHING_PROPOSED"


def test_the_digest_is_of_everything_that_is_decided() -> None:
    given = ("1", "310000/penalties", "2026.1", ["R-INC-2"], b"record", b"salt")
    others = ("2", "310000/other", "2026.2", ["R-INC-3"], b"other", b"pepper")
    digests = {hold_digest(*given[:at], other, *given[at + 1 :]) for at, other in enumerate(others)}  # type: ignore[arg-type, call-arg]
    assert len(digests | {hold_digest(*given)}) == 7
    assert len(ACTS) == 3
