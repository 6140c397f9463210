"""The table of divisions: lists become periods, errors in between are mended, and whatever ended leads somewhere."""

from collections.abc import Mapping

import pytest

from scripts.gen_divisions import Change, Period, Table, mended, periods

NOTHING: dict[str, Mapping[str, object]] = {"since": {}, "until": {}, "merged": {}}


def lines(by_year: dict[int, dict[str, str]], *changes: Change, **corrections: Mapping[str, object]) -> list[str]:
    return Table(by_year, list(changes), NOTHING | corrections).lines()


def test_equal_names_in_lists_that_follow_one_another_are_one_period() -> None:
    by_year = {1980: {"1": "甲"}, 1981: {"1": "甲"}, 1982: {"1": "乙"}, 1983: {}, 1984: {"1": "乙"}}
    assert periods(by_year) == [
        Period("1", "甲", 1980, 1981),
        Period("1", "乙", 1982, 1982),
        Period("1", "乙", 1984, 1984),
    ]


def test_a_short_gap_and_a_misprint_between_two_equal_names_are_mended() -> None:
    by_year = {1980: {"1": "菏泽市"}, 1981: {}, 1982: {"1": "菏泽市"}, 1983: {"1": "荷泽市"}, 1984: {"1": "菏泽市"}}
    assert {name for each in mended(by_year).values() for name in each.values()} == {"菏泽市"}
    assert all(mended(by_year).values())


def test_a_long_gap_and_a_new_name_stay() -> None:
    names = ["甲", *[None] * 7, "甲", "乙"]
    by_year: dict[int, dict[str, str]] = {1980 + at: {"1": name} if name else {} for at, name in enumerate(names)}
    assert mended(by_year) == by_year


def test_the_year_of_a_change_counts_for_both() -> None:
    by_year = {1980: {"310102": "老区"}, 1981: {"310102": "老区"}, 1982: {"310103": "新区"}}
    change = Change(1982, "310102", "老区", "310103", "新区")
    assert lines(by_year, change) == ["310102 老区 -1982 310103", "310103 新区 1982-"]


def test_without_a_record_the_name_leads_on_within_the_province() -> None:
    by_year = {1980: {"330185": "临安市"}, 1981: {"330112": "临安区", "430112": "临安县"}}
    assert lines(by_year)[1] == "330185 临安市 -1981 330112"


def test_two_of_the_same_name_lead_nowhere() -> None:
    by_year = {1980: {"330106": "郊区"}, 1981: {"330205": "郊区", "330305": "郊区"}}
    assert lines(by_year)[0] == "330106 郊区 -1981"


def test_a_code_that_goes_on_under_another_name_was_renamed() -> None:
    assert lines({1980: {"1": "旅大市"}, 1981: {"1": "大连市"}}) == ["1 旅大市 -1981 1", "1 大连市 1981-"]


def test_a_record_that_leads_to_a_district_of_a_common_name_elsewhere_is_not_believed() -> None:
    others = {"130502": "桥东区", "130702": "桥东区"}
    by_year = {1980: {"130103": "桥东区", **others}, 1981: others}
    change = Change(1981, "130103", "桥东区", "130502", "桥东区")
    assert lines(by_year, change)[0] == "130103 桥东区 -1981"
    merged = {"130103 桥东区": ["130502", "130702"]}
    assert lines(by_year, change, merged=merged)[0] == "130103 桥东区 -1981 130502 130702"


def test_a_record_that_leads_to_another_province_is_not_believed() -> None:
    by_year = {1980: {"450104": "城北区"}, 1981: {"630105": "城北区"}}
    assert lines(by_year, Change(1981, "450104", "城北区", "630105", "城北区"))[0] == "450104 城北区 -1981"


def test_what_changed_after_the_last_yearly_list_needs_a_year() -> None:
    by_year = {2018: {"330103": "下城区"}, 2026: {"330113": "临平区"}}
    years = {"until": {"330103": 2021}, "since": {"330113": 2021}}
    assert lines(by_year, **years) == ["330103 下城区 -2021", "330113 临平区 2021-"]
    recorded = [Change(2021, "330103", "下城区", "", ""), Change(2022, "", "", "330113", "临平区")]
    assert lines(by_year, *recorded) == ["330103 下城区 -2021", "330113 临平区 2022-"]
    with pytest.raises(ValueError, match="330103 下城区: until which year"):
        lines(by_year)
