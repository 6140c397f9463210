"""Rows under the rules: what is refused, held, flagged and declared, with the same verdict at every reader."""

from pathlib import Path
from random import Random

import pytest

from node.core.catalogue import parse_edition
from node.core.doubts import Tally
from node.core.entry import build_body, open_body
from node.core.errors import XinqiaoError
from node.core.record import Batch, Candidate, Defect, Rejection, Row, build_record
from node.core.rules import VERSION_1, Law
from node.core.rules_edition import RulesEdition, parse_rules
from node.core.state import BARRED_CODES, REJECTED, Applied, Unfolded, fold
from node.ingest import batching
from node.ingest.batching import batches
from node.pb import channel_pb2
from scripts.xq_generate import RESIDENT_ID, Plan, generate
from tests.builders import NOW_MS, make_node
from tests.ingest.corpus.lawful import rows as lawful_rows

EDITIONS = Path(__file__).resolve().parents[2] / "registry" / "editions"
CATALOGUE = parse_edition((EDITIONS / "catalogue-2026.1.json").read_bytes())
PENALTY = CATALOGUE.item("penalty.2018")
RULES = parse_rules((EDITIONS / "rules-2026.1.json").read_bytes())
TODAY = "2026-09-21"  # the day of NOW_MS in China
CLASSES = {"A": channel_pb2.DISCLOSURE_CLASS_A, "C": channel_pb2.DISCLOSURE_CLASS_C}
AUTHORITY = Plan("penalty.2018", 1, 1).authority_uscc


def sound(**changes: str | None) -> dict[str, str]:
    rows = (one.row for one in generate(Plan("penalty.2018", 40, 1)))
    row = next(row for row in rows if row["CF_XDR_LB"] == "法人及非法人组织" and row["CF_CFLB"] != "警告")
    fresh = {"CF_JDRQ": "2026-09-18", "CF_YXQ": "2027-09-18", "CF_GSJZQ": "2027-09-18"}
    return {code: text for code, text in (row | fresh | changes).items() if text}


def judged(rows: list[dict[str, str]], law: Law, disclosure: str = "C") -> Batch:
    found = [Row(number, values) for number, values in enumerate(rows, start=2)]
    (batch,) = batches(found, PENALTY, disclosure, 4096, 1 << 22, TODAY, law=law)
    return batch


def one(law: Law, disclosure: str = "C", /, **changes: str | None) -> Candidate | Rejection:
    batch = judged([sound(**changes)], law, disclosure)
    found: list[Candidate | Rejection] = [*batch.candidates, *batch.rejections]
    return found[0]


def refused(law: Law, disclosure: str = "C", /, **changes: str | None) -> list[tuple[str, object]]:
    found = one(law, disclosure, **changes)
    assert isinstance(found, Rejection)
    return [(defect.code, defect.params["rule"]) for defect in found.defects]


HANGZHOU = Law(RULES, "330106")
SHANGHAI = Law(RULES, "310115")


def test_a_row_that_the_law_of_its_region_bars_goes_back_with_every_rule_and_article() -> None:
    assert refused(HANGZHOU, CF_SFQD="否", CF_AJCXLB="01") == [
        ("RULE_NOT_FINAL", "R-INC-5"),
        ("RULE_SIMPLE_PROCEDURE", "R-INC-4"),
    ]
    assert isinstance(one(SHANGHAI, CF_SFQD="否"), Candidate)
    found = one(HANGZHOU, CF_SFQD="否")
    assert isinstance(found, Rejection)
    assert "R-INC-5" in found.reason
    assert "浙江省公共信用信息管理条例 art. 11(2)" in found.reason


def test_r_inc_2_a_row_that_is_held_says_why_and_not_what_was_found() -> None:
    person = {"CF_XDR_LB": "自然人", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID}
    found = one(SHANGHAI, **person, CF_XDR_SHXYM=None, CF_SY="当事人患有肝炎")
    assert isinstance(found, Candidate)
    (held,) = found.holds
    assert (held.code, held.field_code, held.params["rule"]) == ("RULE_PROHIBITED_WORDS", "CF_SY", "R-INC-2")
    assert "肝炎" not in f"{held.error.text} {held.error.next} {held.params}"
    company = one(SHANGHAI, CF_SY="当事人患有肝炎")
    assert isinstance(company, Candidate)
    assert company.holds == ()
    # What the law bars as well goes back at once.
    assert refused(SHANGHAI, **person, CF_XDR_SHXYM=None, CF_SY="当事人患有肝炎", CF_AJCXLB="01")[0][1] == "R-INC-4"


def test_what_a_rule_flags_is_published_and_told_once_for_the_file() -> None:
    batch = judged([sound(CF_AJCXLB=None, CF_WSH=f"示罚字〔2026〕{number}号") for number in range(3)], SHANGHAI)
    assert len(batch.candidates) == 3
    tally = Tally()
    for candidate in batch.candidates:
        tally.add(candidate.doubts)
    (note,) = (each for each in tally.notes() if each.code == "DOUBT_RULE")
    assert note.text.startswith("3 rows: nothing says by which procedure the penalty was imposed (R-INC-4; ")
    assert note.next == "fill in the column, or declare it for the whole file"


def test_what_the_publisher_declares_for_the_file_stands_in_every_record_that_does_not_say_it() -> None:
    law = Law(RULES, "330106", declared=frozenset({"ordinary_procedure", "final"}))
    found = one(law, CF_AJCXLB=None, CF_SFQD=None)
    assert isinstance(found, Candidate)
    assert [each for each in found.doubts if each.code == "DOUBT_RULE"] == []
    said = one(HANGZHOU, CF_AJCXLB="普通程序", CF_SFQD="是")
    assert isinstance(said, Candidate)
    assert found.record == said.record
    # What a row says itself stands.
    assert refused(law, CF_AJCXLB="01") == [("RULE_SIMPLE_PROCEDURE", "R-INC-4")]


def test_a_sole_warning_of_market_supervision_stays_out_of_class_a() -> None:
    warning = {"CF_CFLB": "警告", "CF_NR": "警告", "CF_NR_FK": None, "CF_NR_WFFF": None}
    assert refused(SHANGHAI, "A", **warning) == [("RULE_ONLY_PENALTY", "R-INC-15")]
    assert isinstance(one(SHANGHAI, "C", **warning), Candidate)


@pytest.mark.parametrize("disclosure", ["A", "C"])
@pytest.mark.parametrize("law", [SHANGHAI, HANGZHOU], ids=["Shanghai", "Hangzhou"])
def test_200_lawful_rows_are_barred_by_no_rule_that_bars_the_same_words_of_persons(law: Law, disclosure: str) -> None:
    said = Law(law.edition, law.division, law.workdays, frozenset({"ordinary_procedure", "final"}))
    rows = [{code: str(text) for code, text in row.items() if text} for row in lawful_rows()]
    assert len(rows) == 200
    batch = judged(rows, said, disclosure)
    assert [(one.row, one.reason) for one in batch.rejections] == []
    assert len(batch.candidates) == 200


# --- The same verdict at every reader -----------------------------------------------------------------------


def folded(
    records: list[bytes], law: Law, disclosure: str, rules: dict[str, RulesEdition], version: str | None = None
) -> Applied:
    found = fold(unfolded(records, law, disclosure, rules, version=version), lambda _: {})
    assert found is not None
    return found


def unfolded(
    records: list[bytes],
    law: Law,
    disclosure: str,
    rules: dict[str, RulesEdition],
    settled: bool = True,
    version: str | None = None,
) -> Unfolded:
    body, root = build_body(records, [bytes([1]) * 16] * len(records))
    header = channel_pb2.EntryHeader(
        channel=f"{law.division}/penalties",
        kind=channel_pb2.ENTRY_KIND_RECORDS,
        record_count=len(records),
        records_root=root,
        uncompressed_bytes_max=len(body),
        catalogue_version="2026.1",
        rules_version=law.edition.version if version is None else version,
        issued_at_unix_ms=NOW_MS,
    )
    manifest = channel_pb2.Manifest(item="penalty.2018", disclosure=CLASSES[disclosure])
    origin = make_node(law.division, authorities=[{"uscc": AUTHORITY}]).member
    return Unfolded(header, open_body(header, body), manifest, origin, {"2026.1": CATALOGUE}, settled, rules)


def mutated(row: dict[str, str], random: Random) -> dict[str, str]:
    """A row with some of what rules look for."""
    changes: list[dict[str, str | None]] = [
        {"CF_SFQD": "否"},
        {"CF_SFQD": "是"},
        {"CF_AJCXLB": random.choice(["01", "简易程序", "普通程序"])},
        {"CF_AJCXLB": None},
        {"CF_CFLB": "其他-不予行政处罚", "CF_NR_FK": None, "CF_NR_WFFF": None},
        {"CF_CFLB": "警告", "CF_NR_FK": None, "CF_NR_WFFF": None},
        {"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": None, "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID},
        {"CF_JDRQ": random.choice(["1960-01-04", "2026-09-18", "2098-01-01", "x"])},
        {"CF_WSH": None},
    ]
    for change in random.sample(changes, random.randrange(4)):
        row = {code: text for code, text in (row | change).items() if text}
    return row


@pytest.mark.parametrize("disclosure", ["A", "C"])
@pytest.mark.parametrize(
    "law", [SHANGHAI, HANGZHOU, Law(VERSION_1, "330106")], ids=["Shanghai", "Hangzhou", "version 1"]
)
def test_sender_and_reader_come_to_the_same_verdict_on_every_row(law: Law, disclosure: str) -> None:
    rows = [mutated(one.row, Random(one.number)) for one in generate(Plan("penalty.2018", 600, 5, defects=0.2))]
    batch = judged(rows, law, disclosure)
    verdicts = {each.row: [defect.code for defect in each.defects] for each in batch.rejections}
    assert len({codes[0] for codes in verdicts.values()}) > 8
    known = {"1": VERSION_1, "2026.1": RULES}
    for number, row in enumerate(rows, start=2):
        values = {PENALTY.by_code[code].number: text for code, text in row.items() if text}
        if disclosure == "A":
            values = {each: text for each, text in values.items() if not PENALTY.by_number[each].never_public}
        counts = folded([build_record("penalty.2018", values)], law, disclosure, known).counts
        ((_, code),) = counts
        codes = verdicts.get(number, [""])
        # A reader counts the first defect in the order of fields, a source unit is told all in the order of columns.
        assert code == codes[0] if code.startswith("RULE_") else code in codes


# --- Editions that are not here, and what is kept -----------------------------------------------------------


def test_an_edition_that_is_not_here_is_waited_for_and_one_that_does_not_exist_rejects() -> None:
    record = judged([sound()], SHANGHAI).candidates[0].record
    assert fold(unfolded([record], SHANGHAI, "C", {"1": VERSION_1}, settled=False), lambda _: {}) is None
    assert folded([record], SHANGHAI, "C", {"1": VERSION_1}).counts == {(REJECTED, "VERDICT_RULES"): 1}
    # Entries of before there were editions name none.
    assert len(folded([record], SHANGHAI, "C", {"1": VERSION_1}, version="").in_force) == 1


def test_content_that_a_rule_bars_is_not_kept_whichever_rule_it_is() -> None:
    values = {PENALTY.by_code[code].number: text for code, text in sound(CF_SFQD="否").items()}
    found = folded([build_record("penalty.2018", values)], HANGZHOU, "C", {"2026.1": RULES})
    assert (dict(found.counts), list(found.barred)) == ({(REJECTED, "RULE_NOT_FINAL"): 1}, [0])
    assert {"RULE_NOT_FINAL", "RULE_ONLY_PENALTY", "RULE_CONSENT_MISSING", "FIELD_NEVER_PUBLIC"} <= BARRED_CODES


@pytest.mark.parametrize("more", [{}, {"CF_CFLB": "罚", "CF_JDRQ": "2024/3"}])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"CF_SY": f"当事人（身份证号{RESIDENT_ID}）未按规定公示"}, "FIELD_RESIDENT_ID_PUBLIC"),
        ({"CF_XDR_SWDJ": f"{RESIDENT_ID[:17]}x01"}, "FIELD_RESIDENT_ID_PUBLIC"),
        ({"CF_FR_ZJLX": "身份证", "CF_FR_ZJHM": RESIDENT_ID}, "FIELD_NEVER_PUBLIC"),
    ],
)
def test_a_persons_number_in_class_a_goes_back_and_no_reader_keeps_it_whatever_else_is_wrong(
    given: dict[str, str], code: str, more: dict[str, str]
) -> None:
    values = {PENALTY.by_code[name].number: text for name, text in sound(**given, **more).items()}
    found = folded([build_record("penalty.2018", values)], SHANGHAI, "A", {"2026.1": RULES})
    assert (dict(found.counts), list(found.barred)) == ({(REJECTED, code): 1}, [0])
    back = one(SHANGHAI, "A", **given, **more)
    if code == "FIELD_NEVER_PUBLIC":
        assert isinstance(back, Rejection) == bool(more), "the value is taken out before anything is judged"
    else:
        assert isinstance(back, Rejection)
        assert code in [each.code for each in back.defects]
        assert RESIDENT_ID[:17] not in str([each.error.text for each in back.defects])


def test_a_doubt_never_holds_a_value() -> None:
    candidate = one(SHANGHAI, CF_AJCXLB=None)
    assert isinstance(candidate, Candidate)
    (flag,) = (each for each in candidate.doubts if each.code == "DOUBT_RULE")
    assert isinstance(flag, Defect)
    assert isinstance(flag.error, XinqiaoError)
    assert not any(text in str(flag.params) for text in sound().values() if len(text) > 4)


@pytest.mark.parametrize("disclosure", ["A", "C"])
@pytest.mark.parametrize("division", ["310000", "330000", "370000"])
def test_rules_say_the_same_where_nothing_is_compiled(
    disclosure: str, division: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ((5, {"CF_SY": "涉及宗教"}), (7, {"CF_CFLB": "警告"}), (11, {"CF_AJCXLB": "01"}))
    told = []
    for at, one in enumerate(generate(Plan("penalty.2018", 800, 5, persons=0.3))):
        changed = [change for every, change in changes if at % every == 0]
        told.append({code: text for row in (one.row, *changed) for code, text in row.items() if text})
    law = Law(RULES, division, declared=frozenset({"final"}))
    found = judged(told, law, disclosure)
    monkeypatch.setattr(batching, "compile_slot_reader", lambda *_: None)
    assert judged(told, law, disclosure) == found
    assert found.candidates
    assert found.rejections
    assert any(each.doubts for each in found.candidates)
    assert disclosure == "A" or any(each.holds for each in found.candidates)
