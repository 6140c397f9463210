"""The file of rejected rows: complete, never written over, and an input again once corrected."""

import csv
import zipfile
from pathlib import Path

import pytest
from openpyxl import load_workbook

from node.core.errors import XinqiaoError
from node.core.record import Row
from node.ingest.batching import batches
from node.ingest.reading import read_rows
from node.ingest.rejections import OUR_COLUMNS, RejectionFile
from scripts.xq_generate import Plan, generate, load_edition, write_file
from tests.ingest.returned import sheets_of, write

PENALTY = load_edition().item("penalty.2018")
TODAY = "2026-05-01"


def publish(file: Path) -> tuple[list[Row], RejectionFile]:
    """Read a file, write its rejected rows beside it, and return the accepted ones."""
    accepted = []
    with file.open("rb") as stream:
        rows = read_rows(stream, file.name, PENALTY)
        by_number = {row.number: row for row in rows}
        with RejectionFile(file, rows.columns) as out:
            for batch in batches(by_number.values(), PENALTY, "C", 100, 1 << 20, TODAY):
                accepted += [by_number[candidate.row] for candidate in batch.candidates]
                for one in batch.rejections:
                    columns = [defect.field_code for defect in one.defects]
                    out.write(one.row, one.code, columns, one.reason, one.remedy, one.values)
    return accepted, out


def cells_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_rejected_rows_are_written_with_reason_and_remedy(tmp_path: Path) -> None:
    file = tmp_path / "penalties.csv"
    planted = write_file(Plan("penalty.2018", 300, 5, defects=0.2), file)
    accepted, out = publish(file)
    assert out.path == tmp_path / "penalties.rejected.csv"
    rejected = cells_of(out.path)
    assert len(rejected) == out.count == planted == 300 - len(accepted)
    originals = cells_of(file)
    expected = {row["row"]: row for row in cells_of(tmp_path / "penalties.expected.csv")}
    for row in rejected:
        assert (row["xq_code"], row["xq_column"]) == (
            expected[row["xq_row"]]["code"],
            expected[row["xq_row"]]["column"],
        )
        assert row["原因"]
        assert row["怎么改"]
        original = originals[int(row["xq_row"]) - 2]
        assert {code: row[code] for code in original} == original


def test_a_corrected_file_of_rejected_rows_is_an_input(tmp_path: Path) -> None:
    file = tmp_path / "penalties.csv"
    write_file(Plan("penalty.2018", 200, 5), file)
    content = file.read_bytes()
    file.write_bytes(content.replace(b",02,\r\n", b",99,\r\n"))
    accepted, out = publish(file)
    assert (len(accepted), out.count) == (0, 200)
    assert out.path is not None
    corrected = tmp_path / "corrected.csv"
    corrected.write_bytes(out.path.read_bytes().replace(b",99,", b",02,"))
    accepted, again = publish(corrected)
    assert (len(accepted), again.count, again.path) == (200, 0, None)
    file.write_bytes(content)
    assert [row.values for row in accepted] == [row.values for row in publish(file)[0]]


def test_a_file_of_sound_rows_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "penalties.csv"
    write_file(Plan("penalty.2018", 20, 5), file)
    publish(file)
    assert [path.name for path in tmp_path.iterdir()] == ["penalties.csv"]


def test_a_file_somebody_may_be_correcting_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "penalties.csv"
    write_file(Plan("penalty.2018", 20, 5, defects=1.0), file)
    names = []
    for _ in range(3):
        path = publish(file)[1].path
        assert path is not None
        names.append(path.name)
        path.write_bytes(path.read_bytes() + b"mine")
    assert names == ["penalties.rejected.csv", "penalties.rejected-2.csv", "penalties.rejected-3.csv"]
    assert all((tmp_path / name).read_bytes().endswith(b"mine") for name in names)


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    with RejectionFile(tmp_path / "in.csv", ["CF_XDR_MC"]) as out:
        out.write(2, "FIELD_DATE", ["CF_JDRQ"], "not a date", "write one", {"CF_XDR_MC": "示例"})
    assert out.path is not None
    assert out.path.stat().st_mode & 0o777 == 0o600


def test_a_row_without_columns_stands_there_as_it_was(tmp_path: Path) -> None:
    with RejectionFile(tmp_path / "in.jsonl", ["CF_XDR_MC", "CF_NR"]) as out:
        out.write(7, "ROW_JSON", [], "not JSON", "write one object", {"xq_line": '{"CF_XDR_MC": "示例",\n'})
        out.write(8, "FIELD_DATE", ["CF_JDRQ"], "not a date", "write one", {"CF_NR": '警告,"一"\r\n次'})
    assert out.path == tmp_path / "in.rejected.csv"
    first, second = cells_of(out.path)
    others = [name for name in OUR_COLUMNS if name not in ("xq_reason", "xq_remedy")]
    assert list(first) == ["原因", "怎么改", "CF_XDR_MC", "CF_NR", *others]
    assert first["xq_line"] == '{"CF_XDR_MC": "示例",\n'
    assert (first["CF_XDR_MC"], first["xq_row"], first["xq_code"]) == ("", "7", "ROW_JSON")
    assert (second["CF_NR"], second["xq_line"]) == ('警告,"一"\r\n次', "")


# -- back as a workbook --------------------------------------------------------------------------------------


def returned(source: Path, language: str = "zh", **values: str) -> Path:
    """The file of one rejected row."""
    with RejectionFile(source, ["CF_XDR_MC", "CF_XDR_SHXYM"], language=language) as out:
        out.write(7, "FIELD_USCC_SHAPE", ["CF_XDR_SHXYM"], "wrong", "write it again", values, ["x!B7"])
    assert out.path is not None
    return out.path


def test_what_came_as_a_workbook_goes_back_as_one_whatever_its_name(tmp_path: Path) -> None:
    path = returned(write(tmp_path / "in.csv", a=[["x"]]))
    assert path == tmp_path / "in.rejected.xlsx"
    assert path.stat().st_mode & 0o777 == 0o600
    assert returned(tmp_path / "in.csv").name == "in.rejected-2.xlsx"


def test_the_reasons_stand_first_in_the_language_of_the_reader(tmp_path: Path) -> None:
    source = write(tmp_path / "in.xlsx", a=[["x"]])
    for language, heads in (("zh", ["原因", "怎么改"]), ("en", ["Reason", "What to do"])):
        ((titles, codes, row),) = sheets_of(returned(source, language, CF_XDR_MC="示例")).values()
        assert titles == [*heads, "CF_XDR_MC", "CF_XDR_SHXYM", "xq_row", "xq_cell", "xq_code", "xq_column", "xq_line"]
        assert codes[:2] == ["xq_reason", "xq_remedy"]
        assert row == ["wrong", "write it again", "示例", "", "7", "x!B7", "FIELD_USCC_SHAPE", "CF_XDR_SHXYM"]


def test_every_cell_is_a_text_as_it_stood(tmp_path: Path) -> None:
    odd = {"CF_XDR_MC": "=1+1\x07_x0041_ <&> \ttwo\nlines ", "CF_XDR_SHXYM": "000123456789012345"}
    path = returned(write(tmp_path / "in.xlsx", a=[["x"]]), **odd)
    row = sheets_of(path)["rejected 1"][2]
    assert row[2:4] == list(odd.values())
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<v>" not in sheet
    assert sheet.count("<c ") == sheet.count('t="inlineStr"')


def test_a_column_named_reason_is_ours_only_where_we_have_returned_the_file(tmp_path: Path) -> None:
    codes = [field.code for field in PENALTY.fields]
    plain = write(tmp_path / "plain.xlsx", a=[["原因", *codes], ["x", "示例"]])
    with pytest.raises(XinqiaoError) as refused, plain.open("rb") as stream:
        read_rows(stream, plain.name, PENALTY)
    assert refused.value.code == "FILE_COLUMNS_UNKNOWN"
    ours = write(tmp_path / "ours.xlsx", a=[["原因", *codes, "xq_code"], ["x", "示例"]])
    with ours.open("rb") as stream:
        (row,) = read_rows(stream, ours.name, PENALTY)
    assert row.values == {codes[0]: "示例"}


def test_a_full_sheet_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.ingest.sheet_writing.MAX_ROWS", 5)
    source = write(tmp_path / "in.xlsx", a=[["x"]])
    with RejectionFile(source, ["CF_XDR_MC"]) as out:
        for number in range(7):
            out.write(number + 2, "FIELD_EMPTY", [], "wrong", "right", {"CF_XDR_MC": f"示例{number}"})
    assert out.path is not None
    sheets = sheets_of(out.path)
    assert list(map(len, sheets.values())) == [5, 5, 3]
    assert [row[2] for rows in sheets.values() for row in rows[2:]] == [f"示例{number}" for number in range(7)]


# -- all that is wrong with a row ----------------------------------------------------------------------------


def test_a_row_names_every_cell_that_is_wrong_whoever_found_it(tmp_path: Path) -> None:
    plan = Plan("penalty.2018", 1, 5)
    (sound,) = (one.row for one in generate(plan))
    # A date that reading refuses, one that is before another one, an unknown value, a damaged code and a missing name.
    wrong = {"CF_JDRQ": "2026-13-45", "CF_YXQ": "1890-01-01", "CF_XDR_LB": "公司", "CF_XDR_SHXYM": "9.1E+17"}
    row = sound | wrong | {"CF_CFJG": ""}
    path = write(tmp_path / "in.xlsx", a=[list(row), list(row.values())])
    with path.open("rb") as stream:
        rows = read_rows(stream, path.name, PENALTY)
        (batch,) = batches(rows, PENALTY, "C", 100, 1 << 20, TODAY)
    (found,) = batch.rejections
    named = {(defect.field_code, defect.code) for defect in found.defects}
    assert named == {
        ("CF_XDR_SHXYM", "FIELD_CODE_SPREADSHEET"),
        ("CF_JDRQ", "FIELD_DATE"),
        ("CF_YXQ", "FIELD_DATE_RANGE"),
        ("CF_XDR_LB", "FIELD_ENUM"),
        ("CF_CFJG", "FIELD_MISSING"),
    }
    assert all(PENALTY.by_code[code].title_zh in found.reason for code, _ in named)
    assert len(named) == len(found.defects), "a cell is told once"


def test_all_cells_at_fault_are_marked_and_addressed(tmp_path: Path) -> None:
    source = write(tmp_path / "in.xlsx", a=[["x"]])
    with RejectionFile(source, ["CF_XDR_MC", "CF_XDR_SHXYM", "CF_NR"]) as out:
        columns = ["CF_XDR_SHXYM", "", "CF_NR", "CF_NR"]
        out.write(
            7, "FIELD_USCC_SHAPE", columns, "wrong", "right", {"CF_XDR_MC": "示例"}, ["a!B7", "a!7", "a!C7", "a!C7"]
        )
    assert out.path is not None
    ((_, codes, row),) = sheets_of(out.path).values()
    told = dict(zip(codes, row, strict=False))
    assert (told["xq_cell"], told["xq_column"]) == ("a!B7, a!7, a!C7", "CF_XDR_SHXYM")
    sheet = load_workbook(out.path).worksheets[0]
    marked = {codes[(cell.column or 0) - 1] for cell in sheet[3] if cell.fill.fill_type}
    assert marked == {"CF_XDR_SHXYM", "CF_NR"}


@pytest.mark.parametrize("heads", [("xq_reason", "xq_remedy"), ("原因", "怎么改"), ("Reason", "What to do")])
def test_a_returned_csv_is_an_input_whichever_version_and_language_wrote_it(
    heads: tuple[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "penalties.csv"
    write_file(Plan("penalty.2018", 1, 5), file)
    (sound,) = cells_of(file)
    with (tmp_path / "back.csv").open("w", encoding="utf-8-sig", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow([*heads, *sound, "xq_row", "xq_cell", "xq_code", "xq_column", "xq_line"])
        rows.writerow(["日期不对，改", "写成 2026-03-01", *sound.values(), "2", "A2", "FIELD_DATE", "CF_JDRQ", ""])
    accepted, out = publish(tmp_path / "back.csv")
    assert (len(accepted), out.count) == (1, 0)
    assert accepted[0].values == {code: text for code, text in sound.items() if text}
