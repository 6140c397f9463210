"""From rows to records: every row one outcome, values byte for byte, memory that does not grow with the file."""

import csv
import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.core.catalogue import natural_key, subject_of
from node.core.limits import Limits
from node.core.record import Batch, Candidate, Rejection, Row, build_record, content_hash, parse_record
from node.core.validation import compile_validator
from node.ingest import batching
from node.ingest.batching import batches
from node.ingest.reading import read_rows
from scripts.xq_generate import RESIDENT_ID, Generated, Plan, columns, generate, load_edition, write_file

ROOT = Path(__file__).resolve().parents[2]
REGISTRATIONS = ROOT.parent / "shared" / "data" / "registrations.csv"
EDITION = load_edition()
PENALTY = EDITION.item("penalty.2018")
REGISTRATION = EDITION.item("registration.base")
TODAY = "2026-05-01"


def rows_of(generated: list[Generated]) -> list[Row]:
    return [Row(one.number, {code: text for code, text in one.row.items() if text}) for one in generated]


def batched(rows: list[Row], disclosure: str = "C", records: int = 1000, size: int = 1 << 20) -> list[Batch]:
    return list(batches(rows, PENALTY, disclosure, records, size, TODAY))


def candidates(found: list[Batch]) -> list[Candidate]:
    return [candidate for batch in found for candidate in batch.candidates]


def rejections(found: list[Batch]) -> list[Rejection]:
    return [rejection for batch in found for rejection in batch.rejections]


@pytest.mark.skipif(not REGISTRATIONS.exists(), reason="the shared register of enterprises is not here")
def test_real_registrations_arrive_byte_for_byte() -> None:
    with REGISTRATIONS.open("rb") as file:
        found = list(batches(read_rows(file, "registrations.csv", REGISTRATION), REGISTRATION, "A", 50, 1 << 20, TODAY))
    text = REGISTRATIONS.read_bytes().decode()
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [batch.rows for batch in found] == [50, 50, 41]
    assert rejections(found) == []
    # What a receiver parses out of the bytes is what stands between the commas of the file.
    received = [parse_record(candidate.record) for candidate in candidates(found)]
    by_number = REGISTRATION.by_number
    texts = [{by_number[number].code: text for number, text in record.values.items()} for record in received]
    assert texts == [{code: cell for code, cell in row.items() if cell} for row in cells]
    assert {"300000.0", "0.0"} <= {row["reg_capt"] for row in texts}
    assert {candidate.subject for candidate in candidates(found)} == {row["uni_social_crd_cd"] for row in cells}
    assert len({candidate.key for candidate in candidates(found)}) == 141


def test_a_candidate_carries_what_the_publishing_duty_needs() -> None:
    (row,) = rows_of(list(generate(Plan("penalty.2018", 1, 4))))
    (batch,) = batched([row])
    (candidate,) = batch.candidates
    values = {PENALTY.by_code[code].number: text for code, text in row.values.items()}
    assert candidate.row == 2
    assert candidate.record == build_record("penalty.2018", values)
    assert candidate.key == natural_key(PENALTY, values)
    assert candidate.content_hash == content_hash(candidate.record)
    assert (candidate.subject, candidate.authority) == (subject_of(PENALTY, values), row.values["CF_CFJGDM"])


def test_ten_thousand_wrong_rows_have_ten_thousand_outcomes() -> None:
    generated = list(generate(Plan("penalty.2018", 10_000, 6, defects=1.0)))
    found = batched(rows_of(generated))
    assert candidates(found) == []
    told = [(rejection.row, rejection.code, rejection.column) for rejection in rejections(found)]
    assert told == [(one.number, one.code, one.column) for one in generated]
    assert all(rejection.reason and rejection.remedy for rejection in rejections(found))


def test_counts_add_up_whatever_is_wrong(tmp_path: Path) -> None:
    plan = Plan("penalty.2018", 3000, 8, defects=0.3)
    file = tmp_path / "penalties.csv"
    planted = write_file(plan, file)
    content = file.read_bytes().splitlines(keepends=True)
    content[100:100] = [b"a,b\r\n", b',"open\r\n', b"\xff\xff\xff\r\n", b"," * 31 + b"\r\n"]
    found = list(batches(read_rows(content, file.name, PENALTY), PENALTY, "C", 256, 1 << 20, TODAY))
    broken = {"ROW_COLUMN_COUNT", "ROW_QUOTES", "ROW_ENCODING", "ROW_EMPTY"}
    codes = Counter(rejection.code for rejection in rejections(found))
    assert {code for code in codes if code.startswith("ROW_")} == broken
    assert len(candidates(found)) == 3000 - planted
    assert codes.total() == planted + 4
    numbers = sorted([one.row for one in candidates(found)] + [one.row for one in rejections(found)])
    assert numbers == list(range(2, 3006))
    assert sum(batch.rows for batch in found) == 3004


def test_the_expected_list_beside_a_generated_file_is_what_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "penalties.csv"
    planted = write_file(Plan("penalty.2018", 500, 9, defects=0.4), file)
    with file.open("rb") as stream:
        found = list(batches(read_rows(stream, file.name, PENALTY), PENALTY, "C", 100, 1 << 20, TODAY))
    with file.with_name("penalties.expected.csv").open(encoding="utf-8", newline="") as expected:
        rows = [(int(row["row"]), row["code"], row["column"]) for row in csv.DictReader(expected)]
    assert [(one.row, one.code, one.column) for one in rejections(found)] == rows
    assert len(rows) == planted > 100


def test_batches_keep_to_both_limits_and_to_the_order() -> None:
    rows = rows_of(list(generate(Plan("penalty.2018", 300, 2, defects=0.2))))
    for records, size in ((7, 1 << 20), (1000, 5000), (1, 1), (1000, 1 << 30)):
        found = batched(rows, records=records, size=size)
        assert all(1 <= batch.rows <= records for batch in found)
        for batch in found:
            assert sum(len(one.record) for one in batch.candidates) <= size or batch.rows == 1
        order = [
            sorted([one.row for one in batch.candidates] + [one.row for one in batch.rejections]) for batch in found
        ]
        assert [number for numbers in order for number in numbers] == list(range(2, 302))
        assert [one.row for one in candidates(found)] == sorted(one.row for one in candidates(found))


def test_rejected_rows_fill_a_batch_too() -> None:
    long = {"CF_SY": "长" * 8001}
    found = batched([Row(number, long) for number in range(2, 12)], size=20_000)
    assert [batch.rows for batch in found] == [2] * 5


def test_class_a_signs_nothing_that_may_never_be_public() -> None:
    (row,) = rows_of(list(generate(Plan("penalty.2018", 1, 4))))
    values = dict(row.values) | {"CF_FR_ZJLX": "身份证", "CF_FR_ZJHM": RESIDENT_ID, "CF_XDR_ZJHM": RESIDENT_ID}
    for disclosure, held in (("A", False), ("B", True)):
        (candidate,) = candidates(batched([Row(2, values)], disclosure))
        assert (RESIDENT_ID.encode() in candidate.record) is held
        receiver = compile_validator(PENALTY, disclosure, TODAY)
        assert receiver(parse_record(candidate.record).values) == ()


def test_natural_persons_are_turned_back_from_class_a_with_the_rule() -> None:
    (row,) = rows_of(list(generate(Plan("penalty.2018", 1, 4))))
    values = dict(row.values) | {"CF_XDR_LB": "自然人", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": RESIDENT_ID}
    (rejection,) = rejections(batched([Row(2, values)], "A"))
    assert rejection.code == "RULE_NATURAL_PERSON_PUBLIC"
    assert "R-DIS-3" in rejection.reason
    assert RESIDENT_ID not in rejection.reason + rejection.remedy


def test_a_record_over_the_limit_is_turned_back() -> None:
    rows = rows_of(list(generate(Plan("penalty.2018", 1, 4))))
    (batch,) = batches(rows, PENALTY, "C", 10, 1 << 20, TODAY, Limits(max_record_bytes=100))
    assert [rejection.code for rejection in batch.rejections] == ["RECORD_TOO_LARGE"]
    assert "at most 100" in batch.rejections[0].reason


def test_the_longest_record_the_catalogue_allows_fits_the_limit_of_the_wire() -> None:
    """Else a row could be sound by its item and still be turned back."""
    for item in EDITION.items.values():
        longest = {field.number: "\U00020000" * field.max_chars for field in item.fields}
        assert len(build_record(item.id, longest)) <= Limits().max_record_bytes


# --- Memory -------------------------------------------------------------------------------------------------

_MEASURE = """
import sys
from tests.ingest.memory import peak_kibibytes
from tests.ingest.test_batching import PENALTY, TODAY, pieces_of_a_file
from node.ingest import batching
from node.ingest.batching import batches
from node.ingest.reading import read_rows
count, defects = int(sys.argv[1]), float(sys.argv[2])
rows = read_rows(pieces_of_a_file(count, defects), "in.csv", PENALTY)
seen = sum(batch.rows for batch in batches(rows, PENALTY, "C", 1000, 4 << 20, TODAY))
print(seen, peak_kibibytes())
"""


def pieces_of_a_file(count: int, defects: float) -> Iterator[bytes]:
    """A file of that many rows, made while it is read: 1000 rows again and again under other document numbers."""
    header = columns(PENALTY)
    place = header.index("CF_WSH")
    block = [
        [one.row.get(code, "") for code in header] for one in generate(Plan("penalty.2018", 1000, 3, defects=defects))
    ]
    yield (",".join(header) + "\r\n").encode()
    for first in range(0, count, len(block)):
        out = io.StringIO()
        rows = block[: count - first]
        csv.writer(out).writerows([*row[:place], f"{row[place]}-{first}", *row[place + 1 :]] for row in rows)
        yield out.getvalue().encode()


def peak_bytes(count: int, defects: float) -> int:
    """Return the peak resident memory of a process that reads a file of that many rows."""
    command = [sys.executable, "-c", _MEASURE, str(count), str(defects)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen, kibibytes = map(int, finished.stdout.split())
    assert seen == count
    return kibibytes * 1024


@pytest.mark.parametrize("defects", [0.0, 1.0])
def test_memory_does_not_grow_with_the_file(defects: float) -> None:
    # The text of these 45,000 more rows alone is about 20 MB.
    assert peak_bytes(50_000, defects) - peak_bytes(5_000, defects) < 10_000_000


@pytest.mark.long
@pytest.mark.parametrize("defects", [0.0, 0.5])
def test_half_a_million_rows_stay_within_20_mb_of_five_thousand(defects: float) -> None:
    assert peak_bytes(500_000, defects) - peak_bytes(5_000, defects) < 20_000_000


@pytest.mark.parametrize("disclosure", ["C", "A"])
def test_rows_are_judged_alike_where_nothing_is_compiled(disclosure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(list(generate(Plan("penalty.2018", 1500, 11, defects=0.1, persons=0.2))))
    found = batched(rows, disclosure)
    monkeypatch.setattr(batching, "compile_slot_reader", lambda *_: None)
    assert batched(rows, disclosure) == found
    assert len(candidates(found)) > 900
    assert rejections(found)
