"""Workbooks as files: what is spent on them, what is left of them, and what is refused before it is unpacked."""

import io
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.ingest import spool
from node.ingest.headings import letters_of
from node.ingest.reading import Rows, read_rows
from node.ingest.sheets import _place_of
from tests.ingest.corpus.case import CODES, PENALTY, SHEET, book, sound, table
from tests.ingest.large_workbook import COLUMNS, write_large
from tests.ingest.workbooks import MAIN, Book

ROOT = Path(__file__).resolve().parents[2]
ROWS = sound(3)


def rows_of(content: bytes, limits: Limits | None = None, directory: Path | None = None) -> Rows:
    return read_rows(io.BytesIO(content), "in.xlsx", PENALTY, limits or Limits(), directory)


def refusal(content: bytes, limits: Limits | None = None) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as refused:
        list(rows_of(content, limits))
    return refused.value


# --- What is refused before it is spent ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "detail"),
    [
        (Limits(max_workbook_bytes=1000), "1000 bytes"),
        (Limits(max_workbook_unpacked_bytes=1000), "unpacks to"),
        (Limits(max_workbook_parts=3), "parts"),
        (Limits(max_workbook_directory_bytes=100), "list of parts"),
        (Limits(max_workbook_part_bytes=100), "unpacks to"),
        (Limits(max_workbook_sheets=0), "1 sheets"),
    ],
)
def test_every_limit_of_a_workbook_is_kept(limits: Limits, detail: str) -> None:
    error = refusal(book(table(ROWS), shared=True), limits)
    assert error.code == "FILE_TOO_LARGE"
    assert detail in error.text


def test_a_directory_that_only_the_end_of_large_archives_tells_is_counted_too() -> None:
    content = book(table(ROWS))
    end = content.rindex(b"PK\x05\x06")
    large = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    assert refusal(content[:end] + large + locator + content[end:]).code == "FILE_TOO_LARGE"


def test_no_more_of_a_part_is_unpacked_than_its_entry_says() -> None:
    """A part whose entry lies about its size ends where the entry says, and is damaged."""
    content = bytearray(book([*table(ROWS), *([["x" * 1000]] * 2000)]))
    place = content.index(b"PK\x01\x02")
    while b"sheet1" not in content[place : place + 80]:
        place = content.index(b"PK\x01\x02", place + 4)
    content[place + 24 : place + 28] = (3000).to_bytes(4, "little")
    assert refusal(bytes(content)).code == "FILE_WORKBOOK"


@pytest.mark.parametrize(
    "body",
    [f'<worksheet xmlns="{MAIN}"><!--{{}}--></worksheet>', f'<worksheet xmlns="{MAIN}" a="{{}}"></worksheet>'],
    ids=["comment", "attribute"],
)
def test_a_comment_or_attribute_without_end_is_not_kept(body: str) -> None:
    noise = "".join(chr(33 + place * 7919 % 5 + 64) for place in range(100_000))
    content = book([], more={"xl/worksheets/sheet1.xml": body.format(noise * 30)})
    error = refusal(content, Limits(max_workbook_ratio=10_000))
    assert error.code == "FILE_WORKBOOK"
    assert "without end" in error.text


def test_damage_after_some_rows_costs_what_follows_and_says_so() -> None:
    sheet = io.StringIO()
    sheet.write(f'<worksheet xmlns="{MAIN}"><sheetData>')
    for number, cells in enumerate([CODES, *([[str(row.get(code, "")) for code in CODES] for row in sound(1)] * 3000)]):
        texts = "".join(f'<c t="str"><v>{text}</v></c>' for text in cells)
        sheet.write(f'<row r="{number + 1}">{texts}</row>')
    seen: list[int] = []
    rows = rows_of(book([], more={"xl/worksheets/sheet1.xml": sheet.getvalue() + "<row"}))
    with pytest.raises(XinqiaoError) as refused:
        seen.extend(row.number for row in rows)
    assert refused.value.code == "FILE_WORKBOOK"
    assert len(seen) > 2000


# --- What is left -------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files where the system shows them")
def test_a_large_workbook_never_has_a_name_and_is_gone_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 100)
    before = descriptors()
    rows = iter(rows_of(book(table(sound(30)), shared=True), directory=tmp_path))
    next(rows)
    # The file and its shared strings.
    assert descriptors() == before + 2
    assert list(tmp_path.iterdir()) == []
    assert sum(1 for _ in rows) == 29
    assert (descriptors(), list(tmp_path.iterdir())) == (before, [])


def test_a_full_disk_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(spool, "SpooledTemporaryFile", lambda *_, **__: io.FileIO("/dev/full", "w"))
    assert refusal(book(table(ROWS))).code == "DISK_FULL"


def test_a_workbook_that_is_given_up_is_gone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 100)
    before = descriptors()
    for content in (book(table(ROWS), shared=True), book([["x"]]), b"PK\x03\x04" + bytes(100)):
        try:
            rows = rows_of(content, directory=tmp_path)
            next(iter(rows))
            del rows
        except XinqiaoError:
            pass
    assert (descriptors(), list(tmp_path.iterdir())) == (before, [])


# --- Cells and rows -----------------------------------------------------------------------------------------


@given(st.integers(0, 16_383))
def test_letters_and_places_of_columns_are_each_others_reverse(place: int) -> None:
    assert _place_of(letters_of(place)) == place
    assert letters_of(0) == "A"
    assert letters_of(26) == "AA"
    assert letters_of(16_383) == "XFD"


_texts = st.text(st.characters(blacklist_categories=("Cs", "Cc"), max_codepoint=0x2FFFF), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.lists(_texts, min_size=3, max_size=3), min_size=1, max_size=6), st.booleans(), st.booleans())
def test_whatever_texts_a_workbook_holds_are_read_back(cells: list[list[str]], shared: bool, references: bool) -> None:
    names = ["CF_SY", "CF_NR", "CF_YJ"]
    header = [*names, *[code for code in CODES if code not in names]]
    full = [[f"|{text}|".replace("_x", "-x") for text in row] + ["x"] * 28 for row in cells]
    content = Book({SHEET: [header, *full]}, shared=shared, references=references).to_bytes()
    found = [[row.values[name] for name in names] for row in rows_of(content)]
    assert found == [row[:3] for row in full]


@settings(max_examples=150)
@given(st.integers(0, 1 << 30), st.integers(1, 255))
def test_a_changed_byte_ends_in_rows_or_one_refusal(place: int, change: int) -> None:
    content = bytearray(book(table(ROWS), shared=True))
    content[place % len(content)] ^= change
    try:
        rows = list(rows_of(bytes(content)))
    except XinqiaoError as refused:
        code = refused.code
        assert code.startswith("FILE_")
    else:
        assert all(row.values or row.defect for row in rows)


# --- Memory -------------------------------------------------------------------------------------------------

_MEASURE = """
import sys
from tests.ingest.memory import peak_kibibytes
from tests.ingest.corpus.case import PENALTY, TODAY
from node.ingest.batching import batches
from node.ingest.reading import read_rows
with open(sys.argv[1], "rb") as stream:
    rows = read_rows(stream, "in.xlsx", PENALTY)
    seen = sum(len(batch.candidates) for batch in batches(rows, PENALTY, "C", 1000, 4 << 20, TODAY))
print(seen, peak_kibibytes())
"""


def peak_bytes(file: Path, rows: int) -> int:
    """Return the peak resident memory of a process that reads and judges a workbook."""
    command = [sys.executable, "-c", _MEASURE, str(file)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen, kibibytes = map(int, finished.stdout.split())
    assert seen == rows
    return kibibytes * 1024


@pytest.mark.parametrize("shared", [False, True], ids=["inline", "shared"])
def test_memory_hardly_grows_with_a_workbook(tmp_path: Path, shared: bool) -> None:
    peaks = []
    for rows in (1_000, 20_000):
        write_large(tmp_path / "in.xlsx", PENALTY, rows, shared=shared)
        peaks.append(peak_bytes(tmp_path / "in.xlsx", rows))
    assert peaks[1] - peaks[0] < 40_000_000


@pytest.mark.long
@pytest.mark.parametrize("shared", [False, True], ids=["inline", "shared"])
def test_the_largest_sheet_there_can_be_is_read_in_300_mb(tmp_path: Path, shared: bool) -> None:
    rows = Limits().max_sheet_rows - 1
    write_large(tmp_path / "in.xlsx", PENALTY, rows, shared=shared)
    assert COLUMNS == 30
    assert peak_bytes(tmp_path / "in.xlsx", rows) < 300_000_000


@pytest.mark.parametrize("make", [lambda: b"PK\x05\x06" + bytes(18), lambda: b"PK\x03\x04"], ids=["empty", "cut"])
def test_an_archive_without_parts_is_no_workbook(make: Callable[[], bytes]) -> None:
    assert refusal(make()).code in ("FILE_FORMAT", "FILE_WORKBOOK")
    assert not zipfile.is_zipfile(io.BytesIO(b"PK\x03\x04"))
