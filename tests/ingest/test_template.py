"""The template: whoever fills it in has an input, and nothing of its explanations is published."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from node.core.catalogue import CONDITIONS, TYPES, Item
from node.core.divisions import uscc_doubt
from node.core.identifiers import is_uscc
from node.core.record import Row
from node.core.validation import compile_validator
from node.ingest.batching import batches
from node.ingest.examples import example_of
from node.ingest.field_texts import CONDITION_TEXTS, FORMAT_TEXTS
from node.ingest.headings import NOTES_MARK
from node.ingest.reading import read_rows
from node.ingest.rejections import RejectionFile
from node.ingest.template import write_template
from node.texts import LANGUAGES, chinese, speaking
from scripts.xq_generate import Plan, generate, load_edition
from tests.ingest.returned import sheets_of, write

EDITION = load_edition()
ITEMS = tuple(EDITION.items.values())
PENALTY = EDITION.item("penalty.2018")
TODAY = "2026-05-01"


def template_of(item: Item, path: Path, lang: str = "zh") -> Path:
    with speaking(lang), path.open("xb") as file:
        write_template(file, item, EDITION.version)
    return path


def filled(template: Path, *records: Mapping[str, str]) -> Path:
    """The template with records in it and its explanations beside them, as a spreadsheet would save it."""
    (data, rows), (_, notes) = sheets_of(template).items()
    codes = rows[1]
    return write(template, **{data: [*rows, *([one.get(code, "") for code in codes] for one in records)], "b": notes})


def publish(path: Path, item: Item = PENALTY) -> tuple[list[Row], RejectionFile]:
    """Read a file, write its rejected rows beside it, and return the accepted ones."""
    with path.open("rb") as stream:
        rows = read_rows(stream, path.name, item)
        assert not rows.notes
        by_number = {row.number: row for row in rows}
        accepted: list[Row] = []
        with RejectionFile(path, rows.columns, lambda code: item.by_code[code].title_zh) as out:
            for batch in batches(by_number.values(), item, "C", 100, 1 << 20, TODAY):
                accepted += [by_number[candidate.row] for candidate in batch.candidates]
                for one in batch.rejections:
                    columns = [defect.field_code for defect in one.defects]
                    out.write(one.row, one.code, columns, one.reason, one.remedy, one.values)
    return accepted, out


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.id))
def test_a_template_filled_with_its_own_example_is_an_input(item: Item, lang: str, tmp_path: Path) -> None:
    path = template_of(item, tmp_path / "t.xlsx", lang)
    notes = list(sheets_of(path).values())[1]
    head = next(place for place, row in enumerate(notes) if len(row) > 1)
    example = {row[2]: row[7] for row in notes[head + 1 :] if len(row) > 7 and row[2]}
    assert {code: text for code, text in example.items() if text} == example_of(item)
    accepted, out = publish(filled(path, example), item)
    assert (len(accepted), out.count) == (1, 0)
    assert accepted[0].values == example_of(item)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item.id))
def test_an_example_is_sound_and_its_codes_cannot_be_issued(item: Item) -> None:
    example = example_of(item)
    values = {item.by_code[code].number: text for code, text in example.items()}
    assert compile_validator(item, "C", TODAY)(values) == ()
    codes = [text for code, text in example.items() if item.by_code[code].type == "uscc"]
    assert codes
    for code in codes:
        assert is_uscc(code)
        assert uscc_doubt(code) is not None


def test_every_column_is_a_text_and_every_enumeration_has_its_list(tmp_path: Path) -> None:
    path = template_of(PENALTY, tmp_path / "t.xlsx")
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        styles = archive.read("xl/styles.xml").decode()
    forms = re.findall(r'<xf numFmtId="(\d+)"', styles.partition("<cellXfs")[2])
    columns = re.findall(r'<col min="(\d+)" max="(\d+)"[^>]* style="(\d+)"', sheet)
    covered = {place for first, last, _ in columns for place in range(int(first), int(last) + 1)}
    assert covered == set(range(1, len(PENALTY.fields) + 1))
    assert {forms[int(style)] for _, _, style in columns} == {"49"}
    rule = r'<dataValidation type="list"[^>]*sqref="([A-Z]+)3:[A-Z]+1048576"[^>]*><formula1>([^<]*)<'
    lists = re.findall(rule, sheet)
    notes = sheets_of(path)["填写说明"]
    assert len(lists) == sum(field.type == "enum" for field in PENALTY.fields)
    for _, source in lists:
        assert re.fullmatch(r"'填写说明'!\$[A-Z]+\$9:\$[A-Z]+\$\d+", source)
    assert "警告" in {cell for row in notes for cell in row}
    assert "其他-" in {cell for row in notes for cell in row}


def test_the_explanations_are_in_the_language_of_the_reader(tmp_path: Path) -> None:
    english = sheets_of(template_of(PENALTY, tmp_path / "e.xlsx", "en"))
    chinese_ones = sheets_of(template_of(PENALTY, tmp_path / "c.xlsx", "zh"))
    assert [list(english)[1], list(chinese_ones)[1]] == ["Notes", "填写说明"]
    assert next(iter(english)) == next(iter(chinese_ones)) == "行政处罚"
    for sheets, words in ((english, "never public"), (chinese_ones, "不得公开")):
        notes = list(sheets.values())[1]
        assert notes[0][0].startswith(NOTES_MARK)
        row = next(row for row in notes if len(row) > 2 and row[2] == "CF_XDR_ZJHM")
        assert words in row[5]


def test_every_condition_and_type_is_explained_in_both_languages() -> None:
    assert CONDITION_TEXTS.keys() == CONDITIONS
    assert FORMAT_TEXTS.keys() == TYPES
    assert {*CONDITION_TEXTS.values(), *FORMAT_TEXTS.values()} <= chinese().terms.keys()


def test_rows_returned_from_a_template_are_corrected_and_accepted_once(tmp_path: Path) -> None:
    sound = [one.row for one in generate(Plan("penalty.2018", 12, 5))]
    spoiled = [row | ({"CF_JDRQ": "2025-02-30"} if place % 3 == 0 else {}) for place, row in enumerate(sound)]
    path = filled(template_of(PENALTY, tmp_path / "t.xlsx"), *spoiled)
    accepted, out = publish(path)
    assert (len(accepted), out.count, out.path) == (8, 4, tmp_path / "t.rejected.xlsx")
    assert out.path is not None
    (name, (titles, codes, *rows)), *others = sheets_of(out.path).items()
    assert not others
    assert titles[:3] == ["原因", "怎么改", "行政相对人名称"]
    assert codes[:3] == ["xq_reason", "xq_remedy", "CF_XDR_MC"]
    place, number = codes.index("CF_JDRQ"), codes.index("xq_row")
    for row in rows:
        assert row[0]
        assert row[1]
        row[place] = sound[int(row[number]) - 3]["CF_JDRQ"]
    again, left = publish(write(tmp_path / "corrected.xlsx", **{name: [titles, codes, *rows]}))
    assert (len(again), left.count, left.path) == (4, 0, None)
    documents = [row.values["CF_WSH"] for row in (*accepted, *again)]
    assert sorted(documents) == sorted(row["CF_WSH"] for row in sound)
    by_document = {row["CF_WSH"]: {code: text for code, text in row.items() if text} for row in sound}
    assert all(row.values == by_document[row.values["CF_WSH"]] for row in (*accepted, *again))
