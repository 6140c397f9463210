"""A corpus of dirty files: every row of every file has exactly the outcome that is written down for it."""

import hashlib
import io
from pathlib import Path

import pytest

from node.core.errors import CODES, XinqiaoError
from node.core.record import Batch, parse_record
from node.ingest.batching import batches
from node.ingest.reading import Rows, read_rows
from tests.ingest.corpus.build import CASES, write
from tests.ingest.corpus.case import ACCEPTED, TODAY, Case, Outcome

Found = tuple[int, str, str, str]


def read(case: Case) -> Rows:
    return read_rows(io.BytesIO(case.build()), case.name, case.item)


def judged(case: Case, rows: Rows) -> list[Batch]:
    return list(batches(rows, case.item, "C", 1000, 1 << 22, TODAY))


def told(batch: Batch) -> list[Found]:
    found: list[Found] = [(one.row, ACCEPTED, "", "") for one in batch.candidates]
    for one in batch.rejections:
        cell = batch.sheet.cell(one.row, one.column) if batch.sheet is not None else ""
        found.append((one.row, one.code, one.column, cell))
        assert one.reason
        assert one.remedy
        assert "<" not in one.reason + one.remedy
    return sorted(found)


def values_of(case: Case, batch: Batch) -> dict[int, dict[str, str]]:
    by_number = case.item.by_number
    return {
        one.row: {by_number[number].code: text for number, text in parse_record(one.record).values.items()}
        for one in batch.candidates
    }


@pytest.mark.parametrize("case", [case for case in CASES if not case.refused], ids=lambda case: case.name)
def test_every_row_has_the_outcome_written_down(case: Case) -> None:
    rows = read(case)
    assert [note.parameters["sheet"] for note in rows.notes] == list(case.passed_over)
    found = judged(case, rows)
    expected = [(one.row, one.outcome, one.column, one.cell) for one in case.outcomes]
    assert [line for batch in found for line in told(batch)] == expected
    read_values = [(batch, values_of(case, batch)) for batch in found]
    places = iter(case.outcomes)
    for batch, values in read_values:
        for one in [next(places) for _ in range(batch.rows)]:
            if one.outcome == ACCEPTED:
                assert {code: values[one.row].get(code) for code in one.values} == dict(one.values)


@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=lambda case: case.name)
def test_a_file_that_cannot_be_read_is_refused_by_name(case: Case) -> None:
    with pytest.raises(XinqiaoError) as refused:
        list(read(case))
    assert refused.value.code == case.refused
    assert refused.value.code in CODES
    assert case.name in refused.value.text
    assert "<" not in refused.value.text + refused.value.next.replace("`", "")


def test_the_corpus_is_large_and_every_file_has_its_own_name() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.what and bool(case.refused) != bool(case.outcomes) for case in CASES)


def test_two_hundred_lawful_rows_pass_whole() -> None:
    for case in (case for case in CASES if case.name.startswith("lawful")):
        assert [one.outcome for one in case.outcomes] == [ACCEPTED] * 200
        assert sum(len(batch.candidates) for batch in judged(case, read(case))) == 200


def test_the_corpus_is_written_the_same_each_time(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        write(tmp_path / name)
        files = sorted((tmp_path / name).iterdir())
        digests.append([(file.name, hashlib.sha256(file.read_bytes()).digest()) for file in files])
    assert digests[0] == digests[1]
    assert len(digests[0]) == len(CASES) + 1


def test_keys_fold_the_brackets_that_records_keep() -> None:
    (case,) = [case for case in CASES if case.name == "codes.csv"]
    (batch,) = judged(case, read(case))
    bracketed = [
        case.build().replace("〔".encode(), left.encode()).replace("〕".encode(), right.encode())
        for left, right in ("[]", "【】", "（）", "()")
    ]
    assert "〔".encode() in case.build()
    for content in bracketed:
        (other,) = batches(read_rows(io.BytesIO(content), "x.csv", case.item), case.item, "C", 100, 1 << 22, TODAY)
        assert [one.key for one in other.candidates] == [one.key for one in batch.candidates]
        assert [one.record for one in other.candidates] != [one.record for one in batch.candidates]


def test_no_reason_holds_what_a_cell_holds() -> None:
    """A refusal is logged and travels: the cell may hold a person's number."""
    (case,) = [case for case in CASES if case.name == "persons.csv"]
    (batch,) = judged(case, read(case))
    (rejection,) = batch.rejections
    assert rejection.values["CF_XDR_ZJHM"] == "110105491231002"
    assert "1101054912" not in rejection.reason + rejection.remedy
    assert isinstance(case.outcomes[-1], Outcome)
