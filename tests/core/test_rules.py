"""Every rule: its predicate, its effect, in its region and time, on a row that it finds and on one that it leaves."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from node.core.catalogue import Item, parse_edition
from node.core.deadlines import Due, due_days
from node.core.errors import CODES
from node.core.rules import VERSION_1, Verdict, blocking, compile_rules, in_force, weekdays_only
from node.core.rules_edition import Effect, RulesEdition, parse_rules
from node.core.validation import compile_validator
from node.core.workdays import Calendar, Year
from scripts.xq_generate import RESIDENT_ID, Plan, generate

EDITIONS = Path(__file__).resolve().parents[2] / "registry" / "editions"
CATALOGUE = (EDITIONS / "catalogue-2026.1.json").read_bytes()
RULES = (EDITIONS / "rules-2026.1.json").read_bytes()
EDITION = parse_rules(RULES)
PENALTY = parse_edition(CATALOGUE).item("penalty.2018")
LICENCE = parse_edition(CATALOGUE).item("licence.2018")
TODAY = "2026-05-06"  # a Wednesday
SHANGHAI, HANGZHOU, TIANJIN = "310115", "330106", "120101"

Row = dict[str, str]


def row_of(item: str = "penalty.2018", /, **changes: str | None) -> Row:
    """A sound row of a company, decided yesterday, with some columns changed, or taken out by None."""
    prefix = "XK" if item == "licence.2018" else "CF"
    rows = (one.row for one in generate(Plan(item, 40, 1)))
    row = next(row for row in rows if row[f"{prefix}_XDR_LB"] == "法人及非法人组织" and row.get("CF_CFLB") != "警告")
    return {code: text for code, text in (row | {f"{prefix}_JDRQ": "2026-05-05"} | changes).items() if text is not None}


def person(**changes: str | None) -> dict[str, str | None]:
    """The changes that make a penalty one of a natural person."""
    columns = {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": None, "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID}
    return columns | changes


def numbered(item: Item, row: Mapping[str, str]) -> dict[int, str]:
    return {item.by_code[code].number: text for code, text in row.items()}


def verdicts(
    row: Mapping[str, str],
    *divisions: str,
    item: Item = PENALTY,
    disclosure: str = "C",
    as_of: str = TODAY,
    edition: RulesEdition = EDITION,
) -> tuple[Verdict, ...]:
    return compile_rules(edition, item, disclosure, as_of, divisions or (TIANJIN,))(numbered(item, row))


def found(row: Mapping[str, str], *divisions: str, **case: Any) -> list[tuple[str, str, str]]:
    return [(each.rule, each.effect.value, each.code) for each in verdicts(row, *divisions, **case)]


def with_fields(
    names: Iterable[tuple[str, str]], item_id: str = "penalty.2018", renamed: str = "", values: Any = None
) -> Item:
    """An item with further optional text fields (name, Chinese title), their codes being X1, X2 ..."""
    content = json.loads(CATALOGUE)
    item = next(each for each in content["items"] if each["id"] == item_id)
    item["id"] = renamed or item_id
    for place, (name, title) in enumerate(names, start=1):
        base = {"number": 900 + place, "code": f"X{place}", "name": name, "title_zh": title, "title_en": name}
        item["fields"].append(base | {"type": "text", "max_chars": 200, "required": "no"} | (values or {}))
    content["items"] = [item]
    return parse_edition(json.dumps(content).encode()).items[item["id"]]


def test_a_sound_row_of_a_company_meets_no_rule() -> None:
    for disclosure in ("A", "B", "C"):
        for division in (SHANGHAI, TIANJIN, ""):
            assert found(row_of(), division, disclosure=disclosure) == []
            licence = row_of("licence.2018")
            assert found(licence, division, item=LICENCE, disclosure=disclosure) == []


# --- R-INC-1 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decided", "barred"), [("1967-12-30", True), ("1967-12-31", False), ("2026-05-05", False)])
def test_r_inc_1_a_minor_at_the_decision_is_rejected(decided: str, barred: bool) -> None:
    # Born on 1949-12-31, so of age on 1967-12-31; an old decision is late besides.
    told = found(row_of(**person(CF_JDRQ=decided)))
    assert (("R-INC-1", "reject", "RULE_MINOR") in told) is barred


def test_r_inc_1_the_date_of_the_act_counts_where_the_record_has_one() -> None:
    item = with_fields([("act_date", "违法行为发生日期")])
    grown = row_of(**person(CF_JDRQ="1968-01-05"))
    assert "R-INC-1" not in {rule for rule, *_ in found(grown, item=item)}
    assert ("R-INC-1", "reject", "RULE_MINOR") in found(grown | {"X1": "1967-06-01"}, item=item)


def test_r_inc_1_asks_only_a_resident_id_that_holds_a_date() -> None:
    for changes in ({"CF_XDR_ZJLX": "护照", "CF_XDR_ZJHM": "E12345678"}, {"CF_XDR_ZJHM": "x"}, {"CF_JDRQ": "?"}):
        row = row_of(**(person(CF_JDRQ="1967-01-01") | changes))
        assert "R-INC-1" not in {rule for rule, *_ in found(row)}
    # A company's row may name its young representative: it is not the subject.
    assert found(row_of(CF_XDR_ZJLX="身份证", CF_XDR_ZJHM=RESIDENT_ID)) == []


# --- R-INC-2 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["宗教信仰", "血型", "既往病史", "指纹编号"])
def test_r_inc_2_an_item_with_a_prohibited_column_takes_no_natural_person(title: str) -> None:
    item = with_fields([("more", title)])
    assert ("R-INC-2", "reject", "RULE_PROHIBITED_FIELD") in found(row_of(**person()), item=item)
    assert found(row_of(), item=item) == []


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("CF_SY", "当事人患有精神病，在公共场所滋事"),
        ("CF_SY", "当事人系某教徒"),
        ("CF_WFXW", "隐瞒血 型"),
        ("CF_NR", "罚款100元，当事人确诊糖尿病"),
        ("BZ", "在区疾病预防控制中心工作，患有肝炎"),
    ],
)
def test_r_inc_2_prohibited_words_about_a_person_are_held(column: str, text: str) -> None:
    (verdict,) = verdicts(row_of(**person(**{column: text})))
    assert (verdict.rule, verdict.effect, verdict.field_code) == ("R-INC-2", Effect.HOLD, column)
    # What was found stays in the row: no parameter repeats it.
    assert not any(text in str(value) for value in verdict.params.values())


@pytest.mark.parametrize(
    "text",
    [
        "未经批准占用区疾病预防控制中心门前道路",
        "在市民族宗教事务局办公场所扰乱秩序",
        "违反《宗教事务条例》第四十条",
        "违反《中华人民共和国传染病防治法》第五十三条",
        "在血站门口违法停车",
        "在某精神病院外无证经营",
        "未按规定书写病历",
        "销售转基因食品未标注",
    ],
)
def test_r_inc_2_names_of_institutions_and_laws_are_no_prohibited_words(text: str) -> None:
    assert found(row_of(**person(CF_SY=text))) == []


def test_r_inc_2_companies_are_never_screened() -> None:
    for name in ("疾病预防控制中心", "宗教事务局", "中心血站", "基因检测有限公司", "肿瘤医院", "指纹锁厂"):
        row = row_of(CF_XDR_MC=f"示例{name}", CF_SY=f"示例{name}患有疾病，教徒，血型，指纹，基因", BZ="病史")
        assert found(row) == []


# --- R-INC-3 ------------------------------------------------------------------------------------------------

CONSENT = ["consent_scope", "consent_purpose", "consent_given_on", "consent_informed", "consent_evidence_hash"]


@pytest.mark.parametrize("title", ["年度收入", "存款余额", "商业保险", "不动产登记", "纳税数额"])
def test_r_inc_3_a_value_that_needs_consent_needs_all_of_its_proof(title: str) -> None:
    item = with_fields([("asked", title), *((name, name) for name in CONSENT)])
    proof = {f"X{place}": "x" for place in range(2, 7)}
    with_value = row_of(**person()) | {"X1": "100000"}
    assert found(with_value, item=item) == [("R-INC-3", "reject", "RULE_CONSENT_MISSING")]
    assert found(with_value | proof, item=item) == []
    for missing in proof:
        partly = {code: text for code, text in proof.items() if code != missing}
        assert found(with_value | partly, item=item) == [("R-INC-3", "reject", "RULE_CONSENT_MISSING")]
    assert found(row_of(**person()), item=item) == []
    assert found(row_of() | {"X1": "100000"}, item=item) == []


def test_r_inc_3_an_item_without_columns_for_the_proof_takes_no_such_value() -> None:
    item = with_fields([("asked", "年度收入")])
    assert found(row_of(**person()) | {"X1": "1"}, item=item) == [("R-INC-3", "reject", "RULE_CONSENT_MISSING")]


# --- R-INC-4 and 5 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("简易程序", [("R-INC-4", "reject", "RULE_SIMPLE_PROCEDURE")]),
        ("01", [("R-INC-4", "reject", "RULE_SIMPLE_PROCEDURE")]),
        (None, [("R-INC-4", "flag", "RULE_PROCEDURE_UNSTATED")]),
        ("普通程序", []),
        ("一般程序", []),
    ],
)
def test_r_inc_4_the_simple_procedure_is_rejected_and_an_unstated_one_flagged(text: str | None, told: object) -> None:
    assert found(row_of(CF_AJCXLB=text)) == told


def test_r_inc_4_a_decision_that_imposes_nothing_is_rejected() -> None:
    assert found(row_of(CF_CFLB="其他-不予行政处罚")) == [("R-INC-4", "reject", "RULE_NOT_IMPOSED")]
    assert found(row_of(CF_CFLB="警告;其他-不予行政处罚")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("否", [("R-INC-5", "reject", "RULE_NOT_FINAL")]),
        ("0", [("R-INC-5", "reject", "RULE_NOT_FINAL")]),
        (None, [("R-INC-5", "flag", "RULE_FINALITY_UNSTATED")]),
        ("是", []),
    ],
)
def test_r_inc_5_zhejiang_takes_only_what_is_final(text: str | None, told: object) -> None:
    assert found(row_of(CF_SFQD=text), HANGZHOU) == told
    assert found(row_of(CF_SFQD=text), SHANGHAI) == []


# --- R-INC-6 to 10: what validation and the catalogue hold --------------------------------------------------


def test_r_inc_8_a_penalty_item_must_demand_the_document() -> None:
    content = json.loads(CATALOGUE)
    (item,) = (each for each in content["items"] if each["id"] == "penalty.2018")
    next(field for field in item["fields"] if field["code"] == "CF_WSH")["required"] = "no"
    lax = parse_edition(json.dumps(content).encode()).item("penalty.2018")
    assert found(row_of(), item=lax) == [("R-INC-8", "reject", "RULE_DOCUMENT_NOT_REQUIRED")]
    assert found(row_of()) == []


ARREARS = [("arrears_since", "欠费起始日期"), ("dunned_on", "催告日期")]


@pytest.mark.parametrize(
    ("since", "dunned", "barred"),
    [
        ("2025-11-05", "2026-01-05", False),
        ("2025-11-06", "2026-01-05", True),  # six months are not more than six months
        ("2026-05-01", "2026-05-02", True),
        ("2020-01-01", None, True),
        (None, "2026-01-05", True),
    ],
)
def test_r_inc_9_arrears_count_after_a_dunning_and_more_than_six_months(
    since: str | None, dunned: str | None, barred: bool
) -> None:
    item = with_fields(ARREARS, "registration.base", "arrears.utility")
    columns = {"X1": since, "X2": dunned}
    row = {code: text for code, text in columns.items() if text is not None}
    told = [("R-INC-9", "reject", "RULE_ARREARS_NOT_DUE")] if barred else []
    assert found(row, SHANGHAI, item=item) == told
    assert found(row, TIANJIN, item=item) == []


def test_r_inc_9_an_item_of_arrears_without_their_dates_takes_nothing() -> None:
    item = with_fields([], "registration.base", "arrears.utility")
    assert found({}, SHANGHAI, item=item) == [("R-INC-9", "reject", "RULE_ARREARS_NOT_DUE")]


# --- R-INC-12 and the terms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("decided", "is_late"), [("2026-04-27", False), ("2026-04-24", True), ("2026-05-06", False)])
def test_r_inc_12_a_publication_after_seven_working_days_is_flagged(decided: str, is_late: bool) -> None:
    # Seven days from Monday to Friday after Monday 27 April are over with Wednesday 6 May.
    told = [("R-INC-12", "flag", "RULE_LATE")] if is_late else []
    assert found(row_of(CF_JDRQ=decided)) == told
    assert found(row_of("licence.2018", XK_JDRQ=decided), item=LICENCE) == told


def test_r_inc_12_the_calendar_decides_what_a_working_day_is() -> None:
    holidays = frozenset(date(2026, 5, day) for day in range(1, 6))
    workdays = Calendar("x", "2025-11-01", "x", {2026: Year(holidays, frozenset())}).add_working_days
    judge = compile_rules(EDITION, PENALTY, "C", TODAY, [TIANJIN], workdays)
    assert judge(numbered(PENALTY, row_of(CF_JDRQ="2026-04-22"))) == ()
    assert [each.code for each in judge(numbered(PENALTY, row_of(CF_JDRQ="2026-04-21")))] == ["RULE_LATE"]


def dues(row: Row, *divisions: str, **events: date) -> list[tuple[str, str, date]]:
    told = due_days(EDITION, PENALTY, numbered(PENALTY, row), "C", TODAY, divisions, events, weekdays_only)
    assert all(due.provisional or "months" in due.provision.parameters for due in told)
    return [(due.provision.rule.id, due.provision.parameters["duty_en"], due.day) for due in told]


def test_r_inc_11_a_channel_is_written_again_within_a_month() -> None:
    row = row_of(CF_CFJG="示例税务局")
    assert dues(row, SHANGHAI, publication=date(2026, 1, 31)) == [("R-INC-11", "publish again", date(2026, 2, 28))]
    assert dues(row, TIANJIN, publication=date(2026, 1, 31)) == []


def test_r_inc_13_zhejiang_merges_within_five_working_days_of_receipt() -> None:
    row = row_of(CF_CFJG="示例税务局")
    assert dues(row, TIANJIN, HANGZHOU, receipt=date(2026, 5, 6)) == [
        ("R-INC-13", "compare and merge", date(2026, 5, 13))
    ]
    assert dues(row, TIANJIN, receipt=date(2026, 5, 6)) == []


def test_r_inc_14_market_supervision_publishes_in_20_days_and_hands_over_in_10() -> None:
    row = row_of(CF_CFJG="示例市场监督管理局")  # of a company registered in Shanghai
    assert dues(row, SHANGHAI) == [("R-INC-14", "publish", date(2026, 6, 2))]
    assert dues(row, HANGZHOU, receipt=date(2026, 5, 7))[1:] == [
        ("R-INC-14", "hand over to the province of registration", date(2026, 5, 19)),
        ("R-INC-14", "publish in the province of registration", date(2026, 5, 21)),
    ]
    assert dues(row_of(CF_CFJG="示例税务局"), SHANGHAI) == []


def test_a_term_names_its_provision_and_start() -> None:
    told: tuple[Due, ...] = due_days(
        EDITION, PENALTY, numbered(PENALTY, row_of()), "C", TODAY, [SHANGHAI], {}, weekdays_only
    )
    assert [(due.start, due.provision.effect, due.provisional) for due in told] == [
        (date(2026, 5, 5), Effect.TIMER, True)
    ]


# --- R-INC-15 -----------------------------------------------------------------------------------------------


def test_r_inc_15_a_sole_warning_of_market_supervision_is_not_published() -> None:
    warning = row_of(CF_CFLB="警告")
    assert found(warning, disclosure="A") == [("R-INC-15", "reject", "RULE_ONLY_PENALTY")]
    assert found(warning, disclosure="C") == []
    assert found(row_of(CF_CFLB="警告;罚款"), disclosure="A") == []


def test_r_inc_15_what_other_authorities_do_was_and_is_flagged() -> None:
    row = row_of(CF_CFLB="警告;通报批评", CF_CFJG="示例城市管理局", CF_JDRQ="2026-03-30")
    for day in ("2026-03-31", "2026-04-01"):
        assert found(row, disclosure="A", as_of=day) == [("R-INC-15", "flag", "RULE_ONLY_PENALTY")]
    assert found(row | {"CF_JDRQ": "2023-04-27"}, disclosure="A", as_of="2023-04-28") == []


# --- R-DIS --------------------------------------------------------------------------------------------------

LEVEL = [("disclosure_level", "公开程度")]


@pytest.mark.parametrize(
    ("level", "widest"),
    [("公开", "A"), ("社会公开", "A"), ("非公开", "B"), ("授权查询", "B"), ("部门共享", "C"), ("?", "C"), (None, "C")],
)
def test_r_dis_4_a_record_enters_no_wider_class_than_its_level(level: str | None, widest: str) -> None:
    item = with_fields(LEVEL)
    row = row_of() | ({"X1": level} if level else {})
    for disclosure in ("A", "B", "C"):
        told = [("R-DIS-4", "reject", "RULE_DISCLOSURE_EXCEEDED")] if disclosure < widest else []
        assert found(row, item=item, disclosure=disclosure) == told


def test_r_dis_1_r_dis_2_a_region_has_its_own_levels() -> None:
    item = with_fields(LEVEL)

    def rules(level: str, division: str, disclosure: str) -> set[str]:
        told = found(row_of(CF_SFQD="是") | {"X1": level}, division, item=item, disclosure=disclosure)
        return {rule for rule, *_ in told} - {"R-DIS-4"}

    assert rules("非公开", SHANGHAI, "A") == {"R-DIS-1"}
    assert rules("非公开", TIANJIN, "A") == set()
    assert rules("部门共享", HANGZHOU, "B") == {"R-DIS-2"}
    assert rules("部门共享", "330200", "B") == set()
    assert rules("授权查询", HANGZHOU, "B") == set()


def test_r_dis_3_natural_persons_never_enter_class_a() -> None:
    row = row_of(**person())
    assert found(row, disclosure="A") == [("R-DIS-3", "reject", "RULE_NATURAL_PERSON_PUBLIC")]
    assert found(row, disclosure="B") == found(row, disclosure="C") == []


# --- Several rules, several regions -------------------------------------------------------------------------


def test_a_verdict_names_every_rule_that_has_effect_the_strongest_first() -> None:
    row = row_of(**person(CF_JDRQ="1967-01-04", CF_AJCXLB="01", CF_SFQD=None, CF_SY="患有肝炎"))
    told = found(row, HANGZHOU, disclosure="A")
    assert {rule for rule, *_ in told} == {"R-INC-1", "R-DIS-3", "R-INC-4", "R-INC-2", "R-INC-5", "R-INC-12"}
    effects = [effect for _, effect, _ in told]
    assert effects == sorted(effects, key=["reject", "hold", "flag"].index)
    assert len(blocking(verdicts(row, HANGZHOU, disclosure="A"))) == 4


def test_the_regions_of_origin_and_receiver_both_count_and_the_stronger_stands() -> None:
    row = row_of(CF_SFQD="否")
    assert found(row, SHANGHAI) == []
    for divisions in ((SHANGHAI, HANGZHOU), (HANGZHOU, SHANGHAI)):
        assert found(row, *divisions) == [("R-INC-5", "reject", "RULE_NOT_FINAL")]


def test_a_rule_that_two_provisions_hold_has_one_verdict_the_stronger() -> None:
    content = json.loads(RULES)
    flag = next(each for each in content["provisions"] if each["predicate"] == "procedure_unstated")
    content["provisions"].append(flag | {"effect": "reject", "jurisdictions": ["32"]})
    edition = parse_rules(json.dumps(content).encode())
    row = row_of(CF_AJCXLB=None)
    assert found(row, SHANGHAI, edition=edition) == [("R-INC-4", "flag", "RULE_PROCEDURE_UNSTATED")]
    assert found(row, SHANGHAI, "320500", edition=edition) == [("R-INC-4", "reject", "RULE_PROCEDURE_UNSTATED")]


def test_what_a_smaller_region_says_again_is_cited_from_there() -> None:
    content = json.loads(RULES)
    bar = next(each for each in content["provisions"] if each["predicate"] == "simple_procedure")
    own = {"source": "示例市条例", "article": "art. 1", "since": "2020-01-01", "read": "full text"}
    content["provisions"].append(bar | {"jurisdictions": ["1201"], "valid_from": "2020-01-01", "articles": [own]})
    edition = parse_rules(json.dumps(content).encode())
    (verdict,) = verdicts(row_of(CF_AJCXLB="01"), "120101", edition=edition)
    assert verdict.params["article"] == "示例市条例 art. 1"
    assert len([each for each in in_force(edition, PENALTY, "C", TODAY, ["120101"]) if each.rule.id == "R-INC-4"]) == 3


def test_a_refusal_cites_only_what_was_in_force_on_the_day() -> None:
    def cited(day: str) -> str:
        (verdict,) = verdicts(row_of(CF_AJCXLB="01", CF_JDRQ=day), SHANGHAI, as_of=day)
        return str(verdict.params["article"])

    assert cited("2016-03-01") == "上海市公共信用信息归集和使用管理办法 art. 12(4)"
    assert "浙江省公共信用信息管理条例 art. 11(2)" not in cited("2017-12-31")
    assert cited("2026-05-06").count("; ") == 3


def test_the_same_record_on_the_same_day_has_the_same_verdict_again() -> None:
    row = row_of(CF_SFQD="否", CF_JDRQ="2018-01-02")
    assert "R-INC-5" in {rule for rule, *_ in found(row, HANGZHOU, as_of="2018-01-03")}
    assert "R-INC-5" not in {rule for rule, *_ in found(row | {"CF_JDRQ": "2017-12-29"}, HANGZHOU, as_of="2017-12-30")}


def test_every_verdict_has_a_complete_text() -> None:
    rows = [row_of(CF_AJCXLB=None, CF_JDRQ="2020-01-02"), row_of(CF_AJCXLB="01"), row_of(**person(BZ="病史"))]
    rows += [row_of(CF_SFQD=text) for text in ("否", None)]
    for row in rows:
        for verdict in verdicts(row, HANGZHOU, disclosure="A"):
            error = verdict.defect.error
            assert verdict.code in CODES
            assert verdict.rule in error.text
            assert "<" not in error.text + error.next


# --- Version 1, and the validator ---------------------------------------------------------------------------


def test_version_1_is_the_three_rules_that_always_held() -> None:
    assert set(VERSION_1.rules) == {"R-INC-1", "R-INC-4", "R-DIS-3"}
    row = row_of(**person(CF_JDRQ="1967-01-04", CF_AJCXLB="01"))
    told = {rule for rule, *_ in found(row, edition=VERSION_1, disclosure="A", as_of="")}
    assert told == {"R-INC-1", "R-INC-4", "R-DIS-3"}


def test_a_validator_refuses_for_the_rules_it_is_given() -> None:
    row = numbered(PENALTY, row_of(CF_SFQD="否", CF_YXQ="2027-05-05", CF_GSJZQ=None))
    assert compile_validator(PENALTY, "C", TODAY)(row) == ()
    bars = compile_rules(EDITION, PENALTY, "C", TODAY, [HANGZHOU], effects={Effect.REJECT})
    (defect,) = compile_validator(PENALTY, "C", TODAY, bars)(row)
    assert (defect.code, defect.params["rule"], defect.params["article"]) == (
        "RULE_NOT_FINAL",
        "R-INC-5",
        "浙江省公共信用信息管理条例 art. 11(2)",
    )
