"""Files that are wrong in part or as a whole: outcomes and exit statuses of `xinqiao publish`."""

import csv
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from signal import SIGKILL

import pytest

from node.bench.figures import family
from tests.ingest.returned import sheets_of, write
from tests.ingest.workbooks import Book
from tests.processes.commands import wait_until
from tests.processes.files import COLUMNS, penalties, registrations
from tests.processes.network import SHANGHAI, Town, done, outcomes

CHANNEL = "310000/base"


@pytest.fixture
def node(town: Town) -> Town:
    """One node with a channel of registrations."""
    town.serve(SHANGHAI.id)
    town.create(CHANNEL, "registration.base", "everyone")
    return town


def size_of(town: Town) -> int:
    head = town.head(SHANGHAI.id, CHANNEL)
    assert head is not None
    return head[1]


def test_10000_wrong_rows_are_each_returned_with_code_column_and_remedy(node: Town, tmp_path: Path) -> None:
    wrong = [(f"{serial:018d}", f"示例{serial}", "存续", "示例登记机关", "示例路") for serial in range(10_000)]
    file = written(tmp_path / "wrong.csv", wrong)
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, file)
    document = done(publishing)["files"][0]
    assert document["counts"] == outcomes(rejected=10_000)
    with Path(document["rejected_file"]).open(encoding="utf-8-sig", newline="") as opened:
        returned = list(csv.DictReader(opened))
    assert [row["uni_social_crd_cd"] for row in returned] == [row[0] for row in wrong]
    assert [int(row["xq_row"]) for row in returned] == list(range(2, 10_002))
    assert all(row["xq_code"].startswith("FIELD_USCC") for row in returned)
    assert all(row["xq_column"] == "uni_social_crd_cd" for row in returned)
    assert all(row["Reason"] and row["What to do"] for row in returned)
    assert size_of(node) == 1, "an entry without a record was published"


def written(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([COLUMNS, *rows])
    return path


def test_planted_mistakes_are_returned_and_what_is_corrected_is_published(node: Town, tmp_path: Path) -> None:
    node.create("310000/penalties", "penalty.2018", "everyone")
    file = tmp_path / "decisions.csv"
    planted = penalties(file, 500, SHANGHAI.authority, defects=0.2)
    document = node.run(SHANGHAI.id, "publish", "310000/penalties", file)["files"][0]
    assert document["counts"] == outcomes(accepted=500 - planted, rejected=planted)
    with (tmp_path / "decisions.expected.csv").open(encoding="utf-8", newline="") as opened:
        expected = [(row["row"], row["code"], row["column"]) for row in csv.DictReader(opened)]
    with Path(document["rejected_file"]).open(encoding="utf-8-sig", newline="") as opened:
        found = [(row["xq_row"], row["xq_code"], row["xq_column"]) for row in csv.DictReader(opened)]
    assert found == expected
    # The rejected rows are an input themselves: uncorrected they are rejected again, and nothing else happens.
    again = node.publish("310000/penalties", Path(document["rejected_file"]))
    assert again == outcomes(rejected=planted)


def test_rows_of_an_authority_of_another_node_are_rejected_at_the_door(node: Town, tmp_path: Path) -> None:
    node.create("310000/penalties", "penalty.2018", "everyone")
    file = tmp_path / "decisions.csv"
    penalties(file, 20, node.plans["330100"].authority)
    document = node.run(SHANGHAI.id, "publish", "310000/penalties", file)["files"][0]
    assert document["counts"] == outcomes(rejected=20)
    with Path(document["rejected_file"]).open(encoding="utf-8-sig", newline="") as opened:
        assert {row["xq_code"] for row in csv.DictReader(opened)} == {"VERDICT_AUTHORITY"}


WRONG_FILES = [
    (b"", "FILE_EMPTY"),
    (b"\xef\xbb\xbf", "FILE_EMPTY"),
    (",".join(COLUMNS).encode() + b"\n", "FILE_EMPTY"),
    ("一,二\n".encode("utf-16"), "FILE_ENCODING"),
    (b"\xff\xfe\x00\x01\x80\x81" * 100, "FILE_ENCODING"),
    (b"PK\x03\x04" + bytes(2000), "FILE_WORKBOOK"),
    (Book({"一": [COLUMNS]}, more={"xl/vbaProject.bin": b"x"}).to_bytes(), "FILE_MACROS"),
    (Book({"一": [COLUMNS]}, more={"xl/media/x": bytes(20 << 20)}).to_bytes(), "FILE_TOO_LARGE"),
    (b"uni_social_crd_cd,comp_nm\n1,2\n", "FILE_COLUMNS_MISSING"),
    (",".join((*COLUMNS, "comp_name")).encode() + b"\n1,2,3,4,5,6\n", "FILE_COLUMNS_UNKNOWN"),
]


def test_a_file_that_is_wrong_as_a_whole_publishes_nothing(node: Town, tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    for content, code in WRONG_FILES:
        file.write_bytes(content)
        error = node.refused(SHANGHAI.id, "publish", CHANNEL, file)
        assert error["code"] == code, content[:40]
        assert "file.csv" in error["text"]
        assert [path.name for path in tmp_path.glob("file*")] == ["file.csv"]
    assert size_of(node) == 1


def test_a_wrong_encoding_in_the_middle_rejects_those_rows_alone(node: Town, tmp_path: Path) -> None:
    lines = registrations(tmp_path / "rows.csv", range(1, 2001)).read_bytes().splitlines(keepends=True)
    for number in (700, 1500):
        lines[number] = lines[number].decode().encode("gb18030")
    (tmp_path / "rows.csv").write_bytes(b"".join(lines))
    document = node.run(SHANGHAI.id, "publish", CHANNEL, tmp_path / "rows.csv")["files"][0]
    assert document["counts"] == outcomes(accepted=1998, rejected=2)
    with Path(document["rejected_file"]).open(encoding="utf-8-sig", newline="") as opened:
        found = [(row["xq_row"], row["xq_code"]) for row in csv.DictReader(opened)]
    assert found == [("701", "ROW_ENCODING"), ("1501", "ROW_ENCODING")]


def test_gb18030_and_json_lines_hold_the_same_records_as_utf_8(node: Town, tmp_path: Path) -> None:
    rows = registrations(tmp_path / "utf-8.csv", range(1, 51))
    (tmp_path / "gb18030.csv").write_bytes(rows.read_text("utf-8").encode("gb18030"))
    assert node.publish(CHANNEL, rows) == outcomes(accepted=50)
    assert node.publish(CHANNEL, tmp_path / "gb18030.csv") == outcomes(duplicate=50)


def test_a_workbook_is_published_sheet_by_sheet_and_leaves_no_trace(node: Town, tmp_path: Path) -> None:
    with registrations(tmp_path / "rows.csv", range(1, 2001)).open(encoding="utf-8", newline="") as opened:
        _, *rows = csv.reader(opened)
    names = ["统一社会信用代码", "企业名称", "登记状态", "登记机关", "住所"]
    rows[1500][0] = "9.1E+17"
    sheets = {"说明": [["说明"]], "上半年": [["登记信息"], names, *rows[:1000]], "下半年": [names, *rows[1000:]]}
    (tmp_path / "rows.xlsx").write_bytes(Book(sheets, shared=True).to_bytes())
    home = Path(node.home(SHANGHAI.id))
    before = {path.name for path in home.iterdir()}
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, tmp_path / "rows.xlsx")
    document = done(publishing)["files"][0]
    assert document["counts"] == outcomes(accepted=1999, rejected=1)
    assert "'说明' has been passed over" in publishing.stderr
    rejected = Path(document["rejected_file"])
    ((titles, codes, *returned),) = sheets_of(rejected).values()
    assert titles[2:7] == names
    (row,) = (dict(zip(codes, cells, strict=False)) for cells in returned)
    assert (row["xq_row"], row["xq_cell"], row["xq_code"]) == ("502", "下半年!A502", "FIELD_CODE_SPREADSHEET")
    assert {path.name for path in home.iterdir()} == before
    # Corrected, the returned row is an input; the workbook again is all duplicates but for that row.
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as opened:
        code = list(csv.reader(opened))[1501][0]
    corrected = [code if cell == "9.1E+17" else cell for cell in returned[0]]
    assert node.publish(CHANNEL, write(rejected, a=[titles, codes, corrected])) == outcomes(accepted=1)
    assert node.publish(CHANNEL, tmp_path / "rows.xlsx") == outcomes(duplicate=1999, rejected=1)


def test_a_template_is_filled_in_published_and_returned_in_the_clerks_language(node: Town, tmp_path: Path) -> None:
    form = tmp_path / "form.xlsx"
    assert node.run(SHANGHAI.id, "template", "registration.base", "-o", form)["edition"]
    assert node.refused(SHANGHAI.id, "template", "registration.base", "-o", form)["code"] == "FILE_ACCESS"
    assert node.refused(SHANGHAI.id, "template", "nothing", "-o", tmp_path / "x")["code"] == "RECORD_ITEM_UNKNOWN"
    (data, rows), (_, notes) = sheets_of(form).items()
    example = {row[2]: row[7] for row in notes if len(row) > 7}
    sound = [example.get(code, "") for code in rows[1]]
    wrong = ["91319900MX00000190" if cell == example["uni_social_crd_cd"] else cell for cell in sound]
    write(form, **{data: [*rows, sound, wrong], "notes": notes})
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, form, "--lang", "zh")
    document = done(publishing)["files"][0]
    assert document["counts"] == outcomes(accepted=1, rejected=1)
    assert "notes" not in publishing.stderr
    ((titles, _, row),) = sheets_of(Path(document["rejected_file"])).values()
    assert titles[:3] == ["原因", "怎么改", "统一社会信用代码"]
    assert "校验" in row[0]
    assert row[2] == "91319900MX00000190"


def test_one_wrong_file_holds_up_no_other_and_the_exit_status_tells(node: Town, tmp_path: Path) -> None:
    good = registrations(tmp_path / "good.csv", range(1, 11))
    (tmp_path / "empty.csv").write_bytes(b"")
    more = registrations(tmp_path / "more.csv", range(11, 31))
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, good, tmp_path / "empty.csv", more)
    assert publishing.wait() == 1
    (document,) = publishing.documents()
    assert [each["counts"]["accepted"] for each in document["files"]] == [10, 0, 20]
    assert [each["error"]["code"] if each["error"] else "" for each in document["files"]] == ["", "FILE_EMPTY", ""]
    assert document["error"]["code"] == "FILE_EMPTY"
    assert "good.csv: 10 rows" in publishing.stderr
    assert "FILE_EMPTY" in publishing.stderr


def test_a_publication_that_breaks_off_tells_what_was_acknowledged(node: Town, tmp_path: Path) -> None:
    node.stop(SHANGHAI.id)
    node.set(SHANGHAI.id, max_records_per_entry=5)
    node.serve(SHANGHAI.id)
    file = registrations(tmp_path / "rows.csv", range(1, 1201))
    second = registrations(tmp_path / "second.csv", range(4001, 4011))
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, file, second)
    wait_until(lambda: node.status(SHANGHAI.id)["records"] >= 50, "the publication is under way")
    node.kill(SHANGHAI.id)
    assert publishing.wait() == 1
    (document,) = publishing.documents()
    assert document["error"]["code"] == "ADMIN_UNREACHABLE"
    (told,) = document["files"]  # the second file is not tried where nobody serves
    assert 0 < told["counts"]["accepted"] < 1200
    assert "broke off" in publishing.stderr
    node.serve(SHANGHAI.id)
    kept = node.status(SHANGHAI.id)["records"]
    assert kept >= told["counts"]["accepted"]
    assert node.publish(CHANNEL, file) == outcomes(accepted=1200 - kept, duplicate=kept)


@pytest.mark.parametrize("victim", ["reader", "command", "node"])
def test_no_process_of_a_long_file_outlives_it(victim: str, node: Town, tmp_path: Path) -> None:
    node.stop(SHANGHAI.id)
    node.set(SHANGHAI.id, max_records_per_entry=50)
    node.serve(SHANGHAI.id)
    file = registrations(tmp_path / "rows.csv", range(1, 12_001))
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, file)
    wait_until(lambda: node.status(SHANGHAI.id)["records"] >= 500, "the publication is under way")
    (reader,) = readers_of(node.serving[SHANGHAI.id].pid)
    os.kill({"reader": reader, "command": publishing.pid, "node": node.serving[SHANGHAI.id].pid}[victim], SIGKILL)
    wait_until(lambda: not Path(f"/proc/{reader}").exists(), "the process has ended")
    if victim == "reader":
        assert publishing.wait() == 1
        (document,) = publishing.documents()
        assert document["error"]["code"] == "FILE_READER"
        assert 0 < document["files"][0]["counts"]["accepted"] < 12_000
    if victim == "node":
        node.kill(SHANGHAI.id)
        node.serve(SHANGHAI.id)
    again = node.publish(CHANNEL, file)
    assert again == outcomes(accepted=again["accepted"], duplicate=12_000 - again["accepted"])
    assert 0 < again["accepted"] <= 11_500


def readers_of(node: int) -> list[int]:
    """The processes in which a node reads files."""
    return [pid for pid in family(node) if b"node.file_reader" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_file_that_is_missing_is_a_usage_error(node: Town, tmp_path: Path) -> None:
    publishing = node.start(SHANGHAI.id, "publish", CHANNEL, tmp_path / "missing.csv")
    assert publishing.wait() == 2
    assert node.start(SHANGHAI.id, "publish", CHANNEL).wait() == 2
    assert node.refused(SHANGHAI.id, "publish", "310000/unknown", __file__)["code"] == "CHANNEL_UNKNOWN"


# -- dry runs ------------------------------------------------------------------------------------------------


def kept_by(node: Town) -> list[str]:
    """Every row of every table of the node that serves, as its database has them."""
    with closing(sqlite3.connect(node.home(SHANGHAI.id) / "xinqiao.db")) as database:
        return list(database.iterdump())


def test_a_dry_run_over_several_files_tells_what_publishing_them_does_and_writes_nothing(
    node: Town, tmp_path: Path
) -> None:
    node.publish(CHANNEL, registrations(tmp_path / "before.csv", range(1, 11)))
    first = registrations(tmp_path / "first.csv", range(6, 16))  # 5 duplicates, 5 new ones
    second = registrations(tmp_path / "second.csv", range(9, 21), state="注销")  # 2 held, 5 of the first file, 5 new
    spoiled = second.read_text("utf-8").replace("91310115MA", "91310115M0", 1)
    second.write_text(spoiled.replace("示例登记机关", "", 1), encoding="utf-8")
    home, before = node.home(SHANGHAI.id), kept_by(node)
    names = {path.name for path in home.iterdir()}
    trying = node.start(SHANGHAI.id, "publish", CHANNEL, first, second, "--check", "--lang", "zh")
    tried = done(trying)["files"]
    assert kept_by(node) == before
    assert {path.name for path in home.iterdir()} == names
    assert "试运行，共 10 行：将接受 5 行，更新 0 行，重复 5 行，拒收 0 行" in trying.stderr
    assert "未发布任何内容：310000/base 仍为 2 个条目" in trying.stderr
    # Where a row would revise a record, its columns are named; a row of the first file is not held yet.
    assert [each["columns"] for each in tried[1]["revisions"]] == [["reg_state"], *([[]] * 5)]
    assert "第 B3 行" not in trying.stderr
    returned = Path(tried[1]["rejected_file"])
    assert returned.read_bytes().startswith("\ufeff原因,怎么改,".encode())
    published = done(node.start(SHANGHAI.id, "publish", CHANNEL, first, second))["files"]
    assert [each["counts"] for each in tried] == [each["counts"] for each in published]
    assert published[1]["counts"] == outcomes(accepted=5, revised=6, rejected=1)
    assert tried[0]["head"] == tried[1]["head"] != published[1]["head"]


def test_a_dry_run_is_refused_where_publishing_is_and_one_file_holds_up_no_other(node: Town, tmp_path: Path) -> None:
    good = registrations(tmp_path / "good.csv", range(1, 11))
    (tmp_path / "empty.csv").write_bytes(b"")
    assert node.refused(SHANGHAI.id, "publish", "310000/unknown", good, "--check")["code"] == "CHANNEL_UNKNOWN"
    trying = node.start(SHANGHAI.id, "publish", CHANNEL, good, tmp_path / "empty.csv", good, "--check")
    assert trying.wait() == 1
    (document,) = trying.documents()
    assert [each["counts"]["accepted"] for each in document["files"]] == [10, 0, 0]
    assert [each["counts"]["duplicate"] for each in document["files"]] == [0, 0, 10]
    assert size_of(node) == 1
