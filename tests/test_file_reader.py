"""A long file comes out of its reader's process as it comes out of this one, and nothing that befalls that process is
taken for the end of the file."""

import gc
import io
import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node import file_reader
from node.core.catalogue import Item, parse_edition
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.record import Batch
from node.core.rules import VERSION_1, Law
from node.core.rules_edition import parse_rules
from node.core.workdays import Calendar
from node.file_reader import FileReader, _Asked, _Beside, _packed, _unpacked
from node.side_process import LENGTH_BYTES, read_plain
from scripts.xq_generate import Plan, columns, generate
from tests.ingest.corpus.build import CASES
from tests.ingest.corpus.case import TODAY, Case, csv_file

EDITIONS = Path(__file__).resolve().parents[1] / "registry" / "editions"
PENALTY = parse_edition((EDITIONS / "catalogue-2026.1.json").read_bytes()).item("penalty.2018")
CALENDAR = Calendar("1", "2026-01-01", "a test", {})
LAW = Law(parse_rules((EDITIONS / "rules-2026.1.json").read_bytes()), "310000", CALENDAR.add_working_days)
RECORDS = 50
PIECE_BYTES = 16 * 1024

Answer = tuple[list[str], list[str], list[Batch], str]
"""Columns, codes of the notes, batches, and the code of what has ended it."""


def answer_of(
    reader: FileReader, content: bytes, item: Item = PENALTY, law: Law = LAW, name: str = "rows.csv"
) -> Answer:
    pieces = [content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)]
    found: list[Batch] = []
    try:
        heads, notes, batches = reader(pieces, name, item, "C", TODAY, law)
    except XinqiaoError as error:
        return [], [], found, error.code
    try:
        found.extend(batches)
    except XinqiaoError as error:
        return list(heads), [note.code for note in notes], found, error.code
    return list(heads), [note.code for note in notes], found, ""


def here(directory: Path) -> FileReader:
    return FileReader(directory, RECORDS, DEFAULT_LIMITS, long_bytes=1 << 40)


def beside(directory: Path) -> FileReader:
    return FileReader(directory, RECORDS, DEFAULT_LIMITS, long_bytes=1)


def many_rows(count: int) -> bytes:
    """Rows of every kind: sound, returned, flagged, held for review, with doubts."""
    rows = [one.row for one in generate(Plan("penalty.2018", count, 7, defects=0.2, persons=0.5))]
    for at, row in enumerate(rows):
        if at % 9 == 0:
            row["CF_SY"] = "涉及当事人宗教信仰"
    return csv_file(rows, columns(PENALTY), fields=columns(PENALTY))


def pid_of(batches: Iterator[Batch]) -> int:
    assert isinstance(batches, _Beside)
    return batches._process.pid


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_what_a_process_reads_is_what_is_read_here(tmp_path: Path) -> None:
    content = many_rows(400)
    expected = answer_of(here(tmp_path), content)
    assert answer_of(beside(tmp_path), content) == expected
    heads, _, found, ended_by = expected
    assert set(heads) == set(columns(PENALTY))
    assert ended_by == ""
    candidates = [each for batch in found for each in batch.candidates]
    assert len(found) == 8
    assert any(each.holds for each in candidates)
    assert any(each.doubts for each in candidates)
    assert any(batch.rejections for batch in found)


@pytest.mark.parametrize(
    "kind", ["two-sheets.xlsx", "names.jsonl", "chinese-gb18030.csv", "bomb.xlsx", "no-header.csv"]
)
def test_files_of_every_kind_come_out_of_a_process_as_they_are(kind: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == kind)
    law = Law(VERSION_1)
    expected = answer_of(here(tmp_path), case.build(), case.item, law, case.name)
    assert answer_of(beside(tmp_path), case.build(), case.item, law, case.name) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_batch_is_the_same_behind_plain_values(case: Case, tmp_path: Path) -> None:
    for batch in answer_of(here(tmp_path), case.build(), case.item, LAW, case.name)[2]:
        assert _unpacked(*read_plain(pickle.dumps(_packed(batch)))) == batch


def test_the_few_defects_of_many_rows_stay_few_objects(tmp_path: Path) -> None:
    _, _, found, _ = answer_of(beside(tmp_path), many_rows(200))
    doubts = [each.doubts for each in found[0].candidates if each.doubts]
    assert len(doubts) > len({id(each) for each in doubts})


def test_a_short_file_is_read_without_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a process for a short file")

    monkeypatch.setattr(file_reader, "_Beside", refuse)
    content = many_rows(30)
    assert len(content) < file_reader.LONG_BYTES
    assert answer_of(FileReader(tmp_path, RECORDS, DEFAULT_LIMITS), content)[3] == ""


def test_a_process_that_is_killed_is_no_end_of_the_file(tmp_path: Path) -> None:
    pieces = waiting_pieces(many_rows(2000), threading.Event())
    _, _, found = beside(tmp_path)(pieces, "rows.csv", PENALTY, "C", TODAY, LAW)
    next(found)
    os.kill(pid_of(found), signal.SIGKILL)
    with pytest.raises(XinqiaoError) as ended:
        list(found)
    assert ended.value.code == "FILE_READER"
    assert "rows.csv" in ended.value.text
    assert is_gone(pid_of(found))


def waiting_pieces(content: bytes, may_end: threading.Event) -> Iterator[bytes]:
    """A file whose end does not come before it may."""
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]
    may_end.wait(60)


def test_the_process_ends_with_the_file(tmp_path: Path) -> None:
    content = many_rows(100)
    _, _, found = beside(tmp_path)([content], "rows.csv", PENALTY, "C", TODAY, LAW)
    pid = pid_of(found)
    assert not is_gone(pid)
    assert sum(batch.rows for batch in found) == 100
    assert is_gone(pid)
    assert next(found, None) is None


def test_the_process_ends_where_nobody_wants_the_rest(tmp_path: Path) -> None:
    may_end = threading.Event()
    _, _, found = beside(tmp_path)(waiting_pieces(many_rows(2000), may_end), "r.csv", PENALTY, "C", TODAY, LAW)
    next(found)
    pid = pid_of(found)
    del found
    gc.collect()
    assert is_gone(pid)
    may_end.set()


def test_a_file_that_breaks_off_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    content = many_rows(1000)

    def broken() -> Iterator[bytes]:
        yield content[: len(content) // 2]
        raise OSError("the disk under it")

    _, _, found = beside(tmp_path)(broken(), "rows.csv", PENALTY, "C", TODAY, LAW)
    read: list[Batch] = []
    with pytest.raises(XinqiaoError, match="FILE_READER"):
        read += found
    assert 0 < sum(batch.rows for batch in read) < 1000


def test_it_is_told_nothing_that_was_told_to_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINQIAO_KEY_PASSPHRASE", "not for everybody")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "where-secrets-lie")
    may_end = threading.Event()
    _, _, found = beside(tmp_path)(waiting_pieces(many_rows(1000), may_end), "r.csv", PENALTY, "C", TODAY, LAW)
    process = Path(f"/proc/{pid_of(found)}")
    told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
    assert b"not for everybody" not in told
    assert b"where-secrets-lie" not in told
    opened = {each.name: str(each.readlink()) for each in (process / "fd").iterdir()}
    assert not [where for number, where in opened.items() if int(number) > 2 and where.startswith("/")], opened
    may_end.set()
    assert sum(batch.rows for batch in found) == 1000


class Reaching:
    """What an answer must not bring along."""

    def __reduce__(self) -> tuple[Callable[..., float], tuple[()]]:
        return time.time, ()


SAID = {
    "a number": pickle.dumps(7),
    "an empty answer": pickle.dumps(()),
    "another program's values": pickle.dumps(("batch", Reaching())),
    "no pickle": b"no pickle",
    "nothing": b"",
    "half of it": pickle.dumps(("batch", "x" * 50))[:-9],
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_what_is_no_answer_ends_the_file(said: bytes, tmp_path: Path) -> None:
    check_refused(len(said).to_bytes(LENGTH_BYTES, "big") + said, tmp_path)


@pytest.mark.parametrize("sent", [b"", b"\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x09abc"])
def test_an_answer_that_breaks_off_or_is_too_long_ends_the_file(sent: bytes, tmp_path: Path) -> None:
    check_refused(sent, tmp_path)


def test_where_no_process_can_be_started_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert answer_of(beside(tmp_path), many_rows(10)) == ([], [], [], "FILE_READER")


def check_refused(sent: bytes, tmp_path: Path) -> None:
    asked = _Asked("rows.csv", PENALTY, "C", TODAY, LAW, tmp_path, RECORDS, DEFAULT_LIMITS)
    found = _Beside(asked, waiting_pieces(many_rows(10), threading.Event()))
    found._answers = io.BytesIO(sent)  # type: ignore[assignment]
    with pytest.raises(XinqiaoError, match="FILE_READER"):
        next(found)
    assert is_gone(pid_of(found))
