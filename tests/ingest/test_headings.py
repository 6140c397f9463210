"""Headings: what the catalogue lists is what is understood, so that a new item needs no code."""

import json
from typing import Any

import pytest

from node.core.catalogue import PassedOver, parse_edition
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.ingest.cells import Column
from node.ingest.headings import Headings
from node.ingest.reading import read_rows
from scripts.xq_generate import EDITION_FILE, load_edition

EDITION = load_edition()
PENALTY = Headings(EDITION.item("penalty.2018"), Limits())

FIELDS = [
    {"code": "hzsl", "name": "uscc", "title_zh": "获证企业代码", "type": "uscc", "max_chars": 18, "required": "yes"},
    {"code": "rq", "name": "granted_on", "title_zh": "颁发日期", "type": "date", "max_chars": 10, "required": "yes"},
    {"code": "je", "name": "prize", "title_zh": "奖金(元)", "type": "amount_yuan", "max_chars": 20, "required": "no"},
]


def new_item() -> dict[str, Any]:
    """An item that no version of this program has heard of."""
    fields = [{"number": number, "title_en": "x", **field} for number, field in enumerate(FIELDS, start=1)]
    fields[0]["aliases"] = ["QYDM", "企业代码"]
    fields[1]["long_term"] = "2098-12-31"
    return {
        "id": "award.2027",
        "title_zh": "表彰奖励",
        "title_en": "Award",
        "content": "x",
        "entry_rule": "x",
        "query_period_years": 5,
        "source": "x",
        "disclosure": ["A"],
        "key": {},
        "passed_over": [{"heading": "备用"}],
        "fields": fields,
    }


def test_a_new_edition_brings_an_item_with_its_headings_and_no_code() -> None:
    content = json.loads(EDITION_FILE.read_bytes())
    content["items"].append(new_item())
    item = parse_edition(json.dumps(content).encode()).item("award.2027")
    file = "获奖名单\n企业代码,颁发日期,奖金（万元）,备用\n91319900MX0001NU5K,2024年1月5日,1.5,x\nx,长期,x,\n"
    first, second = read_rows([file.encode()], "a.csv", item)
    assert first.values == {"hzsl": "91319900MX0001NU5K", "rq": "2024-01-05", "je": "15000"}
    assert second.values["rq"] == "2098-12-31"
    assert second.defect is not None
    assert second.defect.code == "CELL_AMOUNT"


@pytest.mark.parametrize(
    ("heading", "code", "unit"),
    [
        ("CF_XDR_MC", "CF_XDR_MC", ""),
        ("cfXdrMc", "CF_XDR_MC", ""),
        ("ＣＦ＿ＸＤＲ＿ＭＣ", "CF_XDR_MC", ""),
        (" 行政相对人\n名称* ", "CF_XDR_MC", ""),
        ("行政相对人代码_1", "CF_XDR_SHXYM", ""),
        ("行政相对人代码_1【统一社会信用代码】", "CF_XDR_SHXYM", ""),
        ("证件类型", "CF_XDR_ZJLX", ""),
        ("法定代表人证件类型", "CF_FR_ZJLX", ""),
        ("罚款金额", "CF_NR_FK", ""),
        ("罚款金额（万元）", "CF_NR_FK", ""),
        ("罚款金额（元）", "CF_NR_FK", "元"),
        ("罚款金额/元", "CF_NR_FK", "元"),
        ("罚款金额（单位:元）（必填）", "CF_NR_FK", "元"),
        ("CF_NR_FK[元]", "CF_NR_FK", "元"),
    ],
)
def test_a_heading_means_its_field(heading: str, code: str, unit: str) -> None:
    found = PENALTY.find(heading)
    assert isinstance(found, Column)
    assert (found.field.code, found.unit) == (code, unit)


@pytest.mark.parametrize(
    "heading", ["", "部门", "罚款金额（千元）", "处罚内容（元）", "CF", "行政相对人代码", "x" * 5000, "("]
)
def test_what_is_not_certain_means_nothing(heading: str) -> None:
    assert PENALTY.find(heading) is None


def test_a_row_that_ran_into_the_header_is_named_by_its_columns_and_not_shown() -> None:
    item = load_edition().item("registration.base")
    header = "uni_social_crd_cd,comp_nm,reg_state,reg_org,addr"
    for unknown in ("示例人,319900195001019778", "示例人,100 0000 0007", "319900195001019778示例人,示例路"):
        with pytest.raises(XinqiaoError) as refused:
            read_rows([f"{header},{unknown}\n1,2,3,4,5,6,7\n".encode()], "rows.csv", item)
        assert refused.value.code == "FILE_COLUMNS_UNKNOWN"
        assert refused.value.parameters["columns"] == "F, G"
        assert not any(part in refused.value.text + refused.value.next for part in ("示例人", "示例路", "3199", "0007"))


def test_headings_passed_over_say_what_may_stand_below_them() -> None:
    assert PENALTY.find("dfbm") == PassedOver("DFBM", ())
    assert PENALTY.find("CF_ZT") == PassedOver("CF_ZT", ("0", "正常"))


@pytest.mark.parametrize("item", EDITION.items.values(), ids=lambda item: str(item.id))
def test_every_name_in_the_edition_is_understood(item: Any) -> None:
    headings = Headings(item, Limits())
    for field in item.fields:
        for name in (field.code, field.code.lower(), *field.aliases):
            assert headings.find(name) == Column(field), name
    shared = [field.title_zh for field in item.fields]
    assert [headings.find(title) for title in shared] == [Column(field) for field in item.fields]
