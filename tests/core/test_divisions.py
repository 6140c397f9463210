"""Divisions in time: what a code named on a day, where its area is today, and what is merely doubted."""

import csv
import json
import re
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from node.core.division_table import TABLE
from node.core.divisions import (
    Division,
    division_doubt,
    division_on,
    divisions_of,
    existed,
    names_on,
    resident_id_doubt,
    today,
    uscc_doubt,
)
from node.core.identifiers import NATION_DIVISIONS, PROVINCES, uscc_fault

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NOW = date(2026, 9, 30)
ALL = [division for code in dict.fromkeys(line[:6] for line in TABLE.splitlines()) for division in divisions_of(code)]
IN_FORCE = [division for division in ALL if division.last_year is None]


def day(year: int) -> date:
    return date(year, 7, 1)


def names_today(code: str) -> list[str]:
    return [f"{each.code} {each.name}" for each in today(divisions_of(code)[-1])]


# --- The table ----------------------------------------------------------------------------------------------


def test_the_table_holds_all_provinces_cities_and_counties_and_what_they_were() -> None:
    assert {each.code[:2] for each in IN_FORCE} == PROVINCES
    levels = [sum(each.code.endswith(ending) for each in IN_FORCE) for ending in ("0000", "00", "")]
    # 34 provinces; 333 prefectures; 2,847 counties: those of the mainland, as the ministry counts them in 2026.
    assert levels == [34, 34 + 333, 3214]
    assert len(ALL) > 6900


def test_every_line_is_one_division_in_order() -> None:
    line = re.compile(r"[1-8]\d{5} [\u4e00-\u9fff]+ (?:19\d\d|20\d\d)?-(?:(?:19\d\d|20\d\d)(?: \d{6})*)?")
    assert [text for text in TABLE.splitlines() if not line.fullmatch(text)] == []
    keys = [(each.code, each.first_year or 0) for each in ALL]
    assert keys == sorted(keys)


def test_a_code_has_one_name_at_a_time_but_for_the_year_of_a_change() -> None:
    for code in {each.code for each in ALL}:
        periods = divisions_of(code)
        for earlier, later in pairwise(periods):
            assert earlier.last_year is not None
            assert later.first_year is not None
            assert earlier.last_year <= later.first_year, code
            assert earlier.name != later.name or earlier.last_year < later.first_year, code


def test_a_division_ends_after_it_began() -> None:
    assert [each for each in ALL if (each.last_year or 9999) < (each.first_year or 0)] == []


def test_only_what_has_ended_has_successors_and_they_were_in_force_then() -> None:
    assert [each for each in IN_FORCE if each.successors] == []
    for each in ALL:
        for code in each.successors:
            # 1 year: the year in which a list was closed and the year of the decision may differ.
            years = [(found.first_year or 0, found.last_year or 9999) for found in divisions_of(code)]
            assert any(first <= (each.last_year or 0) + 1 and last >= (each.last_year or 0) for first, last in years), (
                each
            )


def test_nearly_everything_that_ended_leads_to_what_is_in_force() -> None:
    ended = [each for each in ALL if each.last_year is not None]
    lost = [each for each in ended if not today(each)]
    assert len(lost) / len(ended) < 0.06
    # Those without an heir since 1995 are suburbs that were divided among all their neighbours, and the like.
    assert sum(each.last_year is not None and each.last_year >= 1995 for each in lost) < 35


@pytest.mark.skipif(not SHARED.exists(), reason="the shared list of divisions is not here")
def test_the_shared_list_of_the_delta_is_in_the_table() -> None:
    listed = json.loads((SHARED / "divisions.json").read_text("utf-8"))
    found = {code: division_on(code, NOW) for code in listed}
    assert {code: each.name if each else None for code, each in found.items()} == listed


# --- Known changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "name", "first", "last", "now"),
    [
        ("310102", "南市区", None, 2000, ["310101 黄浦区"]),
        ("310103", "卢湾区", None, 2011, ["310101 黄浦区"]),
        ("310108", "闸北区", None, 2015, ["310106 静安区"]),
        ("310119", "南汇区", 2001, 2009, ["310115 浦东新区"]),
        ("310230", "崇明县", None, 2016, ["310151 崇明区"]),
        ("330103", "下城区", None, 2021, ["330105 拱墅区"]),
        ("330104", "江干区", None, 2021, ["330102 上城区", "330114 钱塘区"]),
        ("330113", "临平区", 2021, None, ["330113 临平区"]),
        ("330114", "钱塘区", 2021, None, ["330114 钱塘区"]),
        ("330185", "临安市", 1996, 2017, ["330112 临安区"]),
        ("330225", "象山县", 1983, None, ["330225 象山县"]),
        ("371202", "莱城区", 1992, 2018, ["370116 莱芜区"]),
        ("510200", "重庆市", None, 1997, ["500000 重庆市"]),
        ("130103", "桥东区", None, 2015, ["130102 长安区", "130104 桥西区"]),
    ],
)
def test_known_changes_are_dated_and_lead_to_today(
    code: str, name: str, first: int | None, last: int | None, now: list[str]
) -> None:
    (found,) = divisions_of(code)
    assert (found.name, found.first_year, found.last_year) == (name, first, last)
    assert names_today(code) == now


def test_a_chain_of_changes_leads_to_today() -> None:
    # 锡山市 was 无锡县 until 1995, and two districts since 2000.
    assert names_today("320222") == ["320205 锡山区", "320206 惠山区"]
    # 定安县 had four codes.
    assert names_today("460025") == ["469021 定安县"]


def test_a_code_given_to_another_place_leads_to_where_the_former_place_went() -> None:
    former, present = divisions_of("130123")
    assert (former.name, present.name) == ("栾城县", "正定县")
    assert [each.name for each in today(former)] == ["栾城区"]
    assert today(present) == (present,)


def test_divisions_that_name_each_other_do_not_go_round_for_ever() -> None:
    first = Division("990001", "甲", None, 1990, ("990001",))
    assert today(first) == ()


# --- As of a day --------------------------------------------------------------------------------------------


def test_a_code_is_looked_up_as_of_a_day() -> None:
    assert division_on("330113", day(2020)) is None
    assert division_on("310103", day(2012)) is None
    for year, name in [(1999, "万州区"), (1998, "万州区"), (1997, "万县区")]:
        found = division_on("500101", day(year))
        assert found is not None
        assert found.name == name


def test_in_the_year_of_a_change_both_are_good() -> None:
    assert division_on("310103", date(2011, 12, 31)) is not None
    assert division_on("330114", date(2021, 1, 1)) is not None
    assert division_on("330104", date(2021, 12, 31)) is not None


@pytest.mark.parametrize(
    ("code", "year", "names"),
    [
        ("330110", 2016, ("浙江省", "杭州市", "余杭区")),
        ("330185", 2016, ("浙江省", "杭州市", "临安市")),
        ("330185", 2019, ()),
        ("330100", 2026, ("浙江省", "杭州市")),
        ("330000", 2026, ("浙江省",)),
        ("310101", 2026, ("上海市", "黄浦区")),
        ("419001", 2026, ("河南省", "济源市")),
        ("341402", 2005, ("安徽省", "巢湖市", "居巢区")),
        ("100000", 2026, ("中华人民共和国",)),
        ("999999", 2026, ()),
        ("", 2026, ()),
    ],
)
def test_the_names_of_a_path_are_those_of_its_day(code: str, year: int, names: tuple[str, ...]) -> None:
    assert names_on(code, day(year)) == names


# --- Doubts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["310103", "330113", "330185", "332121", *sorted(NATION_DIVISIONS)])
def test_a_code_that_was_ever_in_force_is_not_doubted(code: str) -> None:
    assert existed(code)
    assert division_doubt(code) is None


def test_a_code_nobody_ever_had_is_doubted_and_nothing_worse() -> None:
    assert not existed("310199")
    assert division_doubt("310199") == "DOUBT_DIVISION"


@pytest.mark.parametrize(
    ("number", "doubt"),
    [
        ("11010519491231002X", None),
        ("330113200001010017", None),  # a check that python-stdnum 2.2 fails with KeyError
        ("310103197001010000", None),
        ("329999197001010000", "DOUBT_RESIDENT_ID_DIVISION"),
        ("", "DOUBT_RESIDENT_ID_DIVISION"),
    ],
)
def test_a_resident_id_of_an_unknown_district_is_doubted_never_refused(number: str, doubt: str | None) -> None:
    assert resident_id_doubt(number) == doubt


@pytest.mark.parametrize("division", ["330203", "310141", "440101", "320594", "310000", "100000", "000000", "659099"])
def test_a_uscc_may_bear_a_historic_code_and_numbers_that_only_a_registering_authority_has(division: str) -> None:
    assert uscc_doubt(f"91{division}MA1B3N1N2M") is None


def test_a_uscc_of_a_city_nobody_knows_is_doubted() -> None:
    assert uscc_doubt("91318000MA1B3N1N2M") == "DOUBT_USCC_DIVISION"


@pytest.mark.skipif(not SHARED.exists(), reason="the shared register of enterprises is not here")
def test_no_registered_enterprise_is_doubted() -> None:
    with (SHARED / "registrations.csv").open(encoding="utf-8-sig", newline="") as file:
        codes = {text for row in csv.DictReader(file) for text in row.values() if text and uscc_fault(text) is None}
    assert len(codes) > 100
    assert {code for code in codes if uscc_doubt(code)} == set()
