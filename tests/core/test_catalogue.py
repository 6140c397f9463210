"""The catalogue: a strict parser, the first edition, and the judgement that sender and receiver share."""

import copy
import csv
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import catalogue, validation
from node.core.catalogue import (
    Edition,
    Item,
    amount_fen,
    authority_of,
    is_natural_person,
    natural_key,
    parse_edition,
    strip_never_public,
    subject_of,
)
from node.core.errors import CODES, XinqiaoError
from node.core.identifiers import USCC_PLACEHOLDER
from node.core.limits import Limits
from node.core.record import Defect
from node.core.validation import compile_validator
from scripts.xq_generate import DEFECTS, RESIDENT_ID, Plan, example_uscc, generate

ROOT = Path(__file__).resolve().parents[2]
EDITION_FILE = ROOT / "registry" / "editions" / "catalogue-2026.1.json"
REGISTRATIONS = ROOT.parent / "shared" / "data" / "registrations.csv"
EDITION = parse_edition(EDITION_FILE.read_bytes())
LICENCE, PENALTY, REGISTRATION = (EDITION.items[name] for name in EDITION.items)
TODAY = "2026-05-01"

Row = dict[str, str]


def sound_row(item_id: str, **changes: str | None) -> Row:
    """A sound row of an organisation, with some columns changed, or taken out by None."""
    prefix = "XK" if item_id == "licence.2018" else "CF"
    rows = (one.row for one in generate(Plan(item_id, 40, 1)))
    row = next(row for row in rows if row[f"{prefix}_XDR_LB"] == "法人及非法人组织")
    changed = {code: text for code, text in (row | changes).items() if text is not None}
    return {code: text for code, text in changed.items() if text}


def numbered(item: Item, row: Row) -> dict[int, str]:
    return {item.by_code[code].number: text for code, text in row.items() if text}


def judge(item: Item, row: Row, disclosure: str = "C", as_of: str = TODAY) -> list[tuple[str, str]]:
    found = compile_validator(item, disclosure, as_of)(numbered(item, row))
    return [(defect.code, defect.field_code) for defect in found]


def person(prefix: str, **changes: str | None) -> dict[str, str | None]:
    """The changes that make a row one about a natural person."""
    columns = {"XDR_LB": "自然人", "XDR_SHXYM": None, "XDR_ZJLX": "身份证", "XDR_ZJHM": RESIDENT_ID}
    return {f"{prefix}_{name}": text for name, text in columns.items()} | changes


# --- The first edition --------------------------------------------------------------------------------------


def test_the_edition_has_its_three_items() -> None:
    assert EDITION.version == "2026.1"
    assert list(EDITION.items) == ["licence.2018", "penalty.2018", "registration.base"]
    assert [len(item.fields) for item in EDITION.items.values()] == [28, 32, 14]


def test_the_columns_stand_in_the_order_of_the_standard() -> None:
    for item in EDITION.items.values():
        assert [field.number for field in item.fields] == list(range(1, len(item.fields) + 1))
    # The naming trap: licences and penalties call the source unit differently.
    assert [LICENCE.by_number[number].code for number in (26, 27)] == ["XK_LYDW", "XK_LYDWDM"]
    assert [PENALTY.by_number[number].code for number in (28, 29)] == ["CF_SJLY", "CF_SJLYDM"]


def test_only_numbers_of_persons_documents_are_never_public() -> None:
    for item, codes in ((LICENCE, {"XK_FR_ZJHM", "XK_XDR_ZJHM"}), (PENALTY, {"CF_FR_ZJHM", "CF_XDR_ZJHM"})):
        assert {item.by_number[number].code for number in item.never_public_numbers} == codes


def test_the_edition_is_in_the_form_it_is_published_in() -> None:
    payload = EDITION_FILE.read_bytes()
    assert payload.decode("utf-8").endswith("}\n")
    assert len(payload) < Limits().max_registry_file_bytes


def test_every_name_an_edition_may_use_has_a_meaning() -> None:
    assert validation.CONDITIONS.keys() == catalogue.CONDITIONS
    used = {field.condition for item in EDITION.items.values() for field in item.fields} - {""}
    assert used == catalogue.CONDITIONS


def test_an_item_the_edition_lacks_is_refused_by_rule() -> None:
    with pytest.raises(XinqiaoError) as refused:
        EDITION.item("penalty.2016")
    assert refused.value.code == "RECORD_ITEM_UNKNOWN"
    assert refused.value.parameters["rule"] == "R-INC-6"
    assert "penalty.2018" in refused.value.next


# --- The parser ---------------------------------------------------------------------------------------------


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(EDITION_FILE.read_bytes())
    return content


def _field(content: dict[str, Any], place: int, item: int = 1) -> dict[str, Any]:
    field: dict[str, Any] = content["items"][item]["fields"][place]
    return field


_WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "unknown key of the edition": lambda c: c.update(note="x"),
    "unknown key of an item": lambda c: c["items"][0].update(score=1),
    "unknown key of a key": lambda c: c["items"][0]["key"].update(subject="x"),
    "unknown key of a field": lambda c: _field(c, 0).update(optional=True),
    "unknown key of a value": lambda c: _field(c, 1)["values"][0].update(note="x"),
    "unknown key of a basis": lambda c: _field(c, 2)["basis"].update(note="x"),
    "an item twice": lambda c: c["items"].append(copy.deepcopy(c["items"][0])),
    "a number twice": lambda c: _field(c, 1).update(number=1),
    "a code twice": lambda c: _field(c, 1).update(code="CF_XDR_MC"),
    "a name twice": lambda c: _field(c, 1).update(name="subject_name"),
    "a value twice": lambda c: _field(c, 1)["values"].append({"text": "自然人"}),
    "a code that is another value's text": lambda c: _field(c, 1)["values"].append({"text": "x", "code": "自然人"}),
    "number 0": lambda c: _field(c, 0).update(number=0),
    "a number that is a text": lambda c: _field(c, 0).update(number="1"),
    "a number that is true": lambda c: _field(c, 0).update(number=True),
    "a number with decimals": lambda c: _field(c, 0).update(number=1.5),
    "an unknown type": lambda c: _field(c, 0).update(type="varchar"),
    "an unknown requirement": lambda c: _field(c, 0).update(required="maybe"),
    "an unknown condition": lambda c: _field(c, 2).update(condition="moon_is_full"),
    "a condition on a mandatory field": lambda c: _field(c, 2).update(required="yes"),
    "a conditional field without condition": lambda c: _field(c, 0).update(required="conditional"),
    "an unknown meaning": lambda c: _field(c, 1)["values"][0].update(means="anything"),
    "an enumeration without values": lambda c: _field(c, 1).update(values=[]),
    "values of a text": lambda c: _field(c, 0).update(values=[{"text": "x"}]),
    "an empty title": lambda c: _field(c, 0).update(title_zh=" "),
    "a missing title": lambda c: _field(c, 0).pop("title_en"),
    "a missing entry rule": lambda c: c["items"][0].pop("entry_rule"),
    "a missing query period": lambda c: c["items"][0].pop("query_period_years"),
    "no disclosure class": lambda c: c["items"][0].update(disclosure=[]),
    "an unknown disclosure class": lambda c: c["items"][0].update(disclosure=["D"]),
    "a disclosure class twice": lambda c: c["items"][0].update(disclosure=["A", "A"]),
    "a key of a field that is not there": lambda c: c["items"][0]["key"].update(document="CF_WSH"),
    "a date after a field that is not there": lambda c: _field(c, 24).update(not_before="CF_X"),
    "no field of the subject's code": lambda c: _field(c, 2).update(name="code"),
    "fields that are no list": lambda c: c["items"][0].update(fields={}),
    "a field that is no object": lambda c: c["items"][0]["fields"].append("XK_X"),
    "an alias of two fields": lambda c: _field(c, 1).update(aliases=_field(c, 0)["aliases"]),
    "an alias that is another's code": lambda c: _field(c, 1).update(aliases=["cfXdrMc"]),
    "an alias that is another's name": lambda c: _field(c, 1).update(aliases=["处罚内容"]),
    "aliases out of order": lambda c: _field(c, 1).update(aliases=["B", "A"]),
    "an alias twice": lambda c: _field(c, 1).update(aliases=["A", "A"]),
    "aliases that differ in capitals": lambda c: _field(c, 1).update(aliases=["A_B", "ab"]),
    "an alias of spaces": lambda c: _field(c, 1).update(aliases=[" "]),
    "aliases that are no list": lambda c: _field(c, 1).update(aliases="A"),
    "a heading passed over that is a field's": lambda c: c["items"][1]["passed_over"].append({"heading": "CF_XDR"}),
    "an unknown key of a heading passed over": lambda c: c["items"][1]["passed_over"][0].update(note="x"),
    "a long term of a text": lambda c: _field(c, 0).update(long_term="2099-12-31"),
    "a long term that is no date": lambda c: _field(c, 23).update(long_term="长期"),
    "another format": lambda c: c.update(format=2),
    "no version": lambda c: c.pop("version"),
    "a date that is none": lambda c: c.update(in_force_from="2026-13-01"),
}


@pytest.mark.parametrize("change", _WRONG.values(), ids=_WRONG.keys())
def test_an_edition_that_is_not_exactly_right_is_refused_whole(change: Callable[[dict[str, Any]], Any]) -> None:
    content = _content()
    change(content)
    with pytest.raises(XinqiaoError) as refused:
        parse_edition(json.dumps(content).encode())
    assert refused.value.code == "CATALOGUE_INVALID"
    assert refused.value.parameters["detail"]


@pytest.mark.parametrize("what", ["content", "entry_rule", "query_period_years", "disclosure"])
def test_an_item_that_does_not_state_what_it_must_is_refused_by_r_inc_7(what: str) -> None:
    content = _content()
    del content["items"][0][what]
    with pytest.raises(XinqiaoError, match="CATALOGUE_INVALID"):
        parse_edition(json.dumps(content).encode())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff{}",
        b'{"format": 1, "format": 1}',
        b'{"format": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_edition_at_all_is_refused(payload: bytes) -> None:
    with pytest.raises(XinqiaoError) as refused:
        parse_edition(payload)
    assert refused.value.code == "CATALOGUE_INVALID"


def test_an_edition_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(XinqiaoError, match="CATALOGUE_INVALID"):
        parse_edition(EDITION_FILE.read_bytes(), Limits(max_registry_file_bytes=1000))


def test_the_content_decides_not_the_layout() -> None:
    assert parse_edition(json.dumps(_content()).encode()) == EDITION


# --- Who and what a record is about -------------------------------------------------------------------------


def test_an_organisation_is_known_by_its_uscc() -> None:
    row = sound_row("penalty.2018")
    assert subject_of(PENALTY, numbered(PENALTY, row)) == row["CF_XDR_SHXYM"]
    assert not is_natural_person(PENALTY, numbered(PENALTY, row))
    assert authority_of(PENALTY, numbered(PENALTY, row)) == row["CF_CFJGDM"]


def test_a_natural_person_is_known_by_the_id_number() -> None:
    values = numbered(PENALTY, sound_row("penalty.2018", **person("CF")))
    assert is_natural_person(PENALTY, values)
    assert subject_of(PENALTY, values) == RESIDENT_ID


def test_the_placeholder_is_never_a_key() -> None:
    changes = {"CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": USCC_PLACEHOLDER}
    first = numbered(PENALTY, sound_row("penalty.2018", CF_XDR_GSZC="310115600000001", **changes))
    second = numbered(PENALTY, sound_row("penalty.2018", CF_XDR_GSZC="310115600000002", **changes))
    assert subject_of(PENALTY, first) == "310115600000001"
    assert natural_key(PENALTY, first) != natural_key(PENALTY, second)
    assert subject_of(PENALTY, {1: "x", 2: "个体工商户", 3: USCC_PLACEHOLDER}) == ""


def test_versions_of_one_record_have_one_key() -> None:
    first = numbered(PENALTY, sound_row("penalty.2018", CF_WSH="示罚〔2024〕1号"))
    later = numbered(PENALTY, sound_row("penalty.2018", CF_WSH="示罚【2024】 1 号", CF_NR="改为警告", BZ="更正"))
    assert natural_key(PENALTY, first) == natural_key(PENALTY, later)


@pytest.mark.parametrize(
    "change",
    [
        {"CF_WSH": "示罚〔2024〕2号"},
        {"CF_XDR_SHXYM": example_uscc("91", "330000", 9)},
        {"CF_CFJGDM": example_uscc("11", "330000", 9)},
    ],
)
def test_another_document_subject_or_authority_is_another_record(change: Row) -> None:
    first = natural_key(PENALTY, numbered(PENALTY, sound_row("penalty.2018", CF_WSH="示罚〔2024〕1号")))
    other = natural_key(
        PENALTY, numbered(PENALTY, sound_row("penalty.2018", **({"CF_WSH": "示罚〔2024〕1号"} | change)))
    )
    assert first != other


def test_parts_of_a_key_cannot_run_into_each_other() -> None:
    uscc, document = LICENCE.numbers["uscc"], LICENCE.numbers["decision_doc_no"]
    assert natural_key(LICENCE, {uscc: "AB", document: "C"}) != natural_key(LICENCE, {uscc: "A", document: "BC"})
    assert natural_key(LICENCE, {uscc: "A"}) != natural_key(REGISTRATION, {1: "A"})


def test_a_registration_is_known_by_its_subject_alone() -> None:
    assert natural_key(REGISTRATION, {1: "A", 2: "甲"}) == natural_key(REGISTRATION, {1: "A", 2: "乙"})
    assert authority_of(REGISTRATION, {1: "A"}) == ""
    assert not is_natural_person(REGISTRATION, {1: "A"})


def test_the_bytes_of_a_key_do_not_change() -> None:
    values = {3: "91319900MX0001NU5K", 15: "示许字【2024】1号", 24: "11319900MX00000199"}
    hashed = b"\0\0\0\x1211319900MX00000199" + b"\0\0\0\x17" + "示许字〔2024〕1号".encode()
    hashed += b"\0\0\0\x1291319900MX0001NU5K" + b"\0\0\0\x0clicence.2018"
    assert natural_key(LICENCE, values) == sha256(hashed).digest()


@pytest.mark.parametrize(
    ("code", "text", "fen"),
    [
        ("CF_NR_FK", "0.2", 200_000),
        ("CF_NR_FK", "0.000001", 1),
        ("CF_NR_FK", "123456789012.123456", 123456789012123456),
        ("CF_NR_FK", "1.50000000", 1_500_000),
    ],
)
def test_wan_yuan_are_exact_to_the_fen(code: str, text: str, fen: int) -> None:
    assert amount_fen(PENALTY.by_code[code], text) == fen


def test_yuan_are_exact_to_the_fen() -> None:
    assert amount_fen(REGISTRATION.by_code["reg_capt"], "300000.0") == 30_000_000
    assert amount_fen(REGISTRATION.by_code["reg_capt"], "9999999999999999.99") == 999999999999999999


# --- Validation: sound rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("item", [LICENCE, PENALTY], ids=lambda item: item.id)
@pytest.mark.parametrize("disclosure", ["A", "B", "C"])
def test_generated_rows_are_sound_in_every_class(item: Item, disclosure: str) -> None:
    validate = compile_validator(item, disclosure, TODAY)
    assert {validate(numbered(item, one.row)) for one in generate(Plan(item.id, 500, 3))} == {()}


@pytest.mark.parametrize("item", [LICENCE, PENALTY], ids=lambda item: item.id)
def test_every_planted_mistake_is_found_where_it_was_planted(item: Item) -> None:
    validate = compile_validator(item, "C", TODAY)
    expected, found = [], []
    for one in generate(Plan(item.id, 2000, 5, defects=0.5)):
        defects = validate(numbered(item, one.row))
        expected.append((one.number, one.code, one.column))
        found.append((one.number, defects[0].code, defects[0].field_code) if defects else (one.number, "", ""))
    assert found == expected
    assert {code for _, code, _ in expected} == {"", *(plant.code for plant in DEFECTS if item.id in plant.items)}


@pytest.mark.skipif(not REGISTRATIONS.exists(), reason="the shared register of enterprises is not here")
@pytest.mark.parametrize("disclosure", ["A", "B", "C"])
def test_every_real_registration_is_accepted(disclosure: str) -> None:
    validate = compile_validator(REGISTRATION, disclosure, TODAY)
    with REGISTRATIONS.open(encoding="utf-8", newline="") as rows:
        found = [validate(numbered(REGISTRATION, row)) for row in csv.DictReader(rows)]
    assert found == [()] * 141


def test_a_natural_person_is_sound_outside_class_a() -> None:
    for disclosure in ("B", "C"):
        assert judge(PENALTY, sound_row("penalty.2018", **person("CF")), disclosure) == []
        assert judge(LICENCE, sound_row("licence.2018", **person("XK")), disclosure) == []


# --- Validation: what bars a record -------------------------------------------------------------------------


def only(item: Item, row: Row, disclosure: str = "C") -> Defect:
    (defect,) = compile_validator(item, disclosure, TODAY)(numbered(item, row))
    return defect


@pytest.mark.parametrize("text", ["01", "简易程序"])
def test_the_simple_procedure_is_barred_by_r_inc_4(text: str) -> None:
    # Other defects do not matter any more: nothing in the row could be corrected.
    defect = only(PENALTY, sound_row("penalty.2018", CF_AJCXLB=text, CF_JDRQ=None))
    assert (defect.code, defect.field_code, defect.params["rule"]) == ("RULE_SIMPLE_PROCEDURE", "CF_AJCXLB", "R-INC-4")
    assert "R-INC-4" in defect.error.text
    assert "art. 9(4)" in defect.error.text


@pytest.mark.parametrize("text", ["02", "普通程序", "一般程序", None])
def test_other_procedures_are_not_barred(text: str | None) -> None:
    assert judge(PENALTY, sound_row("penalty.2018", CF_AJCXLB=text)) == []


@pytest.mark.parametrize(("item", "prefix"), [(PENALTY, "CF"), (LICENCE, "XK")])
def test_natural_persons_never_enter_class_a(item: Item, prefix: str) -> None:
    row = sound_row(item.id, **person(prefix))
    for values in (row, {code: text for code, text in row.items() if not code.endswith("_ZJHM")}):
        defect = only(item, values, "A")
        assert defect.code == "RULE_NATURAL_PERSON_PUBLIC"
        assert defect.params["rule"] == "R-DIS-3"


@pytest.mark.parametrize(("decided", "barred"), [("1967-12-30", True), ("1967-12-31", False), ("2024-01-01", False)])
def test_minors_are_barred_by_r_inc_1(decided: str, barred: bool) -> None:
    # Born on 1949-12-31, so of age on 1967-12-31.
    row = sound_row("penalty.2018", **person("CF", CF_JDRQ=decided))
    assert judge(PENALTY, row) == ([("RULE_MINOR", "CF_XDR_ZJHM")] if barred else [])


def test_a_class_the_item_may_not_have_is_refused() -> None:
    with pytest.raises(XinqiaoError, match="CATALOGUE_DISCLOSURE"):
        compile_validator(PENALTY, "D")


# --- Validation: fields -------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", EDITION.items.values(), ids=lambda item: item.id)
def test_every_mandatory_field_is_missed(item: Item) -> None:
    required = [field.code for field in item.fields if field.required == "yes"]
    # The subject's category decides conditions, so its absence is more than one defect.
    assert set(required) <= {code for fault, code in judge(item, {}) if fault == "FIELD_MISSING"}


def test_a_penalty_without_document_cites_r_inc_8() -> None:
    defect = only(PENALTY, sound_row("penalty.2018", CF_WSH=None))
    assert (defect.code, defect.params["rule"]) == ("FIELD_MISSING", "R-INC-8")
    assert "上海市社会信用条例 art. 11" in defect.error.text


def test_a_subject_without_code_cites_r_inc_10() -> None:
    assert only(PENALTY, sound_row("penalty.2018", CF_XDR_SHXYM=None)).params["rule"] == "R-INC-10"
    without_id = only(PENALTY, sound_row("penalty.2018", **person("CF", CF_XDR_ZJHM=None)))
    assert (without_id.field_code, without_id.params["rule"]) == ("CF_XDR_ZJHM", "R-INC-10")


_SOLE_TRADER = {"CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": USCC_PLACEHOLDER, "CF_FRDB": None}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"CF_FRDB": None}, "CF_FRDB"),
        (_SOLE_TRADER, "CF_XDR_GSZC"),
        (person("CF", CF_XDR_ZJLX=None), "CF_XDR_ZJLX"),
        ({"CF_FR_ZJHM": RESIDENT_ID}, "CF_FR_ZJLX"),
        ({"CF_FR_ZJLX": "身份证"}, "CF_FR_ZJHM"),
        ({"CF_CFLB": "罚款", "CF_NR_FK": None}, "CF_NR_FK"),
        ({"CF_CFLB": "警告;罚款", "CF_NR_FK": None}, "CF_NR_FK"),
        ({"CF_CFLB": "没收违法所得、没收非法财物", "CF_NR_WFFF": None}, "CF_NR_WFFF"),
        ({"CF_CFLB": "警告；吊销许可证件"}, "CF_NR_ZKDX"),
    ],
)
def test_a_conditional_field_is_missed_under_its_condition(changes: dict[str, str | None], missing: str) -> None:
    assert judge(PENALTY, sound_row("penalty.2018", **changes)) == [("FIELD_MISSING", missing)]


@pytest.mark.parametrize(
    "changes",
    [
        _SOLE_TRADER | {"CF_XDR_GSZC": "310115600000001"},
        {"CF_XDR_LB": "个体工商户", "CF_FRDB": None},
        {"CF_CFLB": "警告", "CF_NR_FK": None, "CF_NR_WFFF": None},
        {"CF_CFLB": "其他-责令改正", "CF_NR_FK": None, "CF_NR_WFFF": None},
        {"CF_FR_ZJLX": "02", "CF_FR_ZJHM": "E12345678"},
        {"CF_GSJZQ": None, "BZ": None, "CF_AJCXLB": None},
    ],
)
def test_and_not_missed_otherwise(changes: dict[str, str | None]) -> None:
    assert judge(PENALTY, sound_row("penalty.2018", **changes)) == []


_ONE_WRONG_VALUE = [
    ("CF_XDR_MC", "示" * 201, "FIELD_TOO_LONG"),
    ("CF_XDR_MC", "\u3000 ", "FIELD_BLANK"),
    ("CF_XDR_MC", "示例\x00公司", "FIELD_CHARACTERS"),
    ("CF_XDR_MC", "示例\u202e司公", "FIELD_CHARACTERS"),
    ("CF_XDR_MC", "示例\ufffd公司", "FIELD_CHARACTERS"),
    ("CF_XDR_MC", "示例\ud800公司", "FIELD_CHARACTERS"),
    ("CF_XDR_LB", "企业", "FIELD_ENUM"),
    ("CF_XDR_LB", "法人及非法人组织 ", "FIELD_ENUM"),
    ("CF_CFLB", "罚金", "FIELD_ENUM"),
    ("CF_CFLB", "罚款;", "FIELD_ENUM"),
    ("CF_CFLB", "其他", "FIELD_ENUM"),
    ("CF_CFLB", "其他-", "FIELD_ENUM"),
    ("CF_XDR_SHXYM", "91230500MA1B3N1N2N", "FIELD_USCC_CHECK_DIGIT"),
    ("CF_XDR_SHXYM", "91230500ma1b3n1n2m", "FIELD_USCC_SHAPE"),
    ("CF_XDR_SHXYM", "9.13199E+17", "FIELD_CODE_SPREADSHEET"),
    ("CF_CFJGDM", USCC_PLACEHOLDER, "FIELD_USCC_PLACEHOLDER"),
    ("CF_XDR_ZZJG", "D21435690", "FIELD_ORG_CODE_CHECK_DIGIT"),
    ("CF_NR_FK", "-1", "FIELD_AMOUNT"),
    ("CF_NR_FK", "1,000", "FIELD_AMOUNT"),
    ("CF_NR_FK", "0.0000001", "FIELD_AMOUNT"),
    ("CF_NR_FK", "1e3", "FIELD_AMOUNT"),
    ("CF_NR_FK", "01", "FIELD_AMOUNT"),
    ("CF_NR_FK", "１", "FIELD_AMOUNT"),
    ("CF_NR_FK", "1.", "FIELD_AMOUNT"),
    ("CF_NR_FK", "2000元", "FIELD_AMOUNT"),
    ("CF_JDRQ", "2024-02-30", "FIELD_DATE"),
    ("CF_JDRQ", "2024/02/03", "FIELD_DATE"),
    ("CF_JDRQ", "1066-10-14", "FIELD_DATE_RANGE"),
    ("CF_YXQ", "9999-12-31", "FIELD_DATE_RANGE"),
    ("CF_AJCXLB", "03", "FIELD_ENUM"),
]


@pytest.mark.parametrize(("column", "text", "fault"), _ONE_WRONG_VALUE)
def test_a_wrong_value_is_named_with_its_fault(column: str, text: str, fault: str) -> None:
    changes = {"CF_CFLB": "罚款", "CF_NR_FK": "0.2", "CF_NR_WFFF": None} | {column: text}
    assert judge(PENALTY, sound_row("penalty.2018", **changes)) == [(fault, column)]


def test_a_date_after_the_day_of_judgement_is_refused() -> None:
    row = sound_row("penalty.2018", CF_JDRQ=TODAY, CF_YXQ="2027-01-01", CF_GSJZQ=None)
    assert judge(PENALTY, row, as_of=TODAY) == []
    assert judge(PENALTY, row, as_of="2026-04-30") == [("FIELD_FUTURE", "CF_JDRQ")]
    assert judge(PENALTY, row, as_of="") == []


def test_dates_that_end_before_they_begin_are_refused() -> None:
    assert judge(LICENCE, sound_row("licence.2018", XK_YXQZ="2024-05-02", XK_YXQZI="2024-05-01")) == [
        ("FIELD_BEFORE", "XK_YXQZI")
    ]


def test_a_number_of_a_person_is_checked_by_its_type() -> None:
    wrong = "110105194912310021"
    assert judge(PENALTY, sound_row("penalty.2018", **person("CF", CF_XDR_ZJHM=wrong))) == [
        ("FIELD_RESIDENT_ID_CHECK_DIGIT", "CF_XDR_ZJHM")
    ]
    assert judge(PENALTY, sound_row("penalty.2018", **person("CF", CF_XDR_ZJLX="护照", CF_XDR_ZJHM=wrong))) == []
    assert judge(PENALTY, sound_row("penalty.2018", CF_FR_ZJLX="01", CF_FR_ZJHM="110105491231002")) == [
        ("FIELD_RESIDENT_ID_15", "CF_FR_ZJHM")
    ]


def test_the_placeholder_is_for_sole_traders() -> None:
    row = sound_row("penalty.2018", CF_XDR_SHXYM=USCC_PLACEHOLDER, CF_XDR_GSZC="1")
    assert judge(PENALTY, row) == [("FIELD_USCC_PLACEHOLDER", "CF_XDR_SHXYM")]


def test_fields_outside_the_item_are_refused_by_r_inc_6() -> None:
    values = numbered(PENALTY, sound_row("penalty.2018")) | {33: "x", 4_000_000_000: "y"}
    found = compile_validator(PENALTY, "C", TODAY)(values)
    assert [(defect.code, defect.params["number"]) for defect in found] == [
        ("RECORD_FIELD_UNKNOWN", 33),
        ("RECORD_FIELD_UNKNOWN", 4_000_000_000),
    ]
    assert {defect.params["rule"] for defect in found} == {"R-INC-6"}


def test_everything_wrong_is_told_at_once() -> None:
    row = sound_row("penalty.2018", CF_WSH=None, CF_JDRQ="x", CF_XDR_LB="x", CF_NR_FK="x")
    assert {code for _, code in judge(PENALTY, row)} == {"CF_WSH", "CF_JDRQ", "CF_XDR_LB", "CF_NR_FK"}


# --- Class A ------------------------------------------------------------------------------------------------


def test_numbers_of_documents_are_taken_out_before_class_a() -> None:
    values = numbered(PENALTY, sound_row("penalty.2018", CF_FR_ZJLX="身份证", CF_FR_ZJHM=RESIDENT_ID))
    public = strip_never_public(PENALTY, values)
    assert values.keys() - public.keys() == {11}
    assert RESIDENT_ID not in public.values()
    # What is left is sound, although the kind of document stands there without its number.
    assert compile_validator(PENALTY, "A", TODAY)(public) == ()


def test_a_receiver_refuses_what_the_origin_should_have_taken_out() -> None:
    row = sound_row("penalty.2018", CF_FR_ZJLX="身份证", CF_FR_ZJHM=RESIDENT_ID)
    assert judge(PENALTY, row, "A") == [("FIELD_NEVER_PUBLIC", "CF_FR_ZJHM")]
    assert judge(PENALTY, row, "B") == []


# --- Whatever comes -----------------------------------------------------------------------------------------

_any_text = st.text(st.characters(), min_size=1, max_size=40)


@pytest.mark.parametrize("item", EDITION.items.values(), ids=lambda item: item.id)
@given(changes=st.dictionaries(st.integers(1, 33), _any_text, max_size=5), disclosure=st.sampled_from("ABC"))
def test_any_values_get_a_judgement_that_holds_no_value(item: Item, changes: dict[int, str], disclosure: str) -> None:
    values = ({} if item is REGISTRATION else numbered(item, sound_row(item.id))) | changes
    for defect in compile_validator(item, disclosure, TODAY)(values):
        assert defect.code in CODES
        assert "<" not in defect.error.text  # a parameter the text asks for is there
        assert not any(
            text in str(value) for text in changes.values() if len(text) > 30 for value in defect.params.values()
        )


def test_an_edition_of_one_item_judges_by_that_item() -> None:
    """Nothing about licences or penalties is built into the code: another item with the same names works."""
    content = _content()
    content["items"] = [content["items"][2]]
    content["items"][0]["id"] = "registration.other"
    edition: Edition = parse_edition(json.dumps(content).encode())
    item = edition.item("registration.other")
    values = {1: example_uscc("91", "310000", 3), 2: "示例公司", 4: "存续", 5: "示例机关"}
    assert compile_validator(item, "A")(values) == ()
    assert natural_key(item, values) != natural_key(REGISTRATION, values)
