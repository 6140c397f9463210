"""The file of rejected rows: complete, never written over, and an input again once corrected."""

import csv
from pathlib import Path

from node.core.record import Row
from node.ingest.batching import batches
from node.ingest.reading import read_rows
from node.ingest.rejections import OUR_COLUMNS, RejectionFile
from scripts.xq_generate import Plan, load_edition, write_file

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
                    out.write(one.row, one.code, one.column, one.reason, one.remedy, one.values)
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
        assert row["xq_reason"]
        assert row["xq_remedy"]
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
        out.write(2, "FIELD_DATE", "CF_JDRQ", "not a date", "write one", {"CF_XDR_MC": "示例"})
    assert out.path is not None
    assert out.path.stat().st_mode & 0o777 == 0o600


def test_a_row_without_columns_stands_there_as_it_was(tmp_path: Path) -> None:
    with RejectionFile(tmp_path / "in.jsonl", ["CF_XDR_MC", "CF_NR"]) as out:
        out.write(7, "ROW_JSON", "", "not JSON", "write one object", {"xq_line": '{"CF_XDR_MC": "示例",\n'})
        out.write(8, "FIELD_DATE", "CF_JDRQ", "not a date", "write one", {"CF_NR": '警告,"一"\r\n次'})
    assert out.path == tmp_path / "in.rejected.csv"
    first, second = cells_of(out.path)
    assert list(first) == ["CF_XDR_MC", "CF_NR", *OUR_COLUMNS]
    assert first["xq_line"] == '{"CF_XDR_MC": "示例",\n'
    assert (first["CF_XDR_MC"], first["xq_row"], first["xq_code"]) == ("", "7", "ROW_JSON")
    assert (second["CF_NR"], second["xq_line"]) == ('警告,"一"\r\n次', "")
