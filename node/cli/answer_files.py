"""`xinqiao check --file`: a file of subjects, and the file of answers that grows while they come.

Rows are read, asked and answered chunk by chunk, so that a file may be of any length. What stands in the file of
answers was answered: where the sweep breaks off, another one goes on behind its last whole row.
"""

import csv
import json
import os
import sys
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO

import click

from node.cli.terminal import as_document, is_json, plain, progress, say
from node.core.answer import check_subject
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.pb import query_service_pb2 as pb
from node.pb import record_pb2
from node.rpc.query_client import QueryClient
from node.texts import joined, term, told, words

SHOWN: dict[int, str] = {
    pb.QUERY_VERDICT_CLEAR: "clear",
    pb.QUERY_VERDICT_LISTED: "listed",
    pb.QUERY_VERDICT_UNCONFIRMED: "unconfirmed",
}
HEADINGS = frozenset({"subject", "统一社会信用代码", "主体代码"})
COLUMNS = ("row", "subject", "verdict", "lists", "measures", "entries", "why")
ROWS_PER_CHUNK = DEFAULT_LIMITS.max_subjects_per_chunk

Row = tuple[int, str, XinqiaoError | None]
"""Number in the file, subject, and why it cannot be asked."""


def entry_text(ref: record_pb2.RecordRef) -> str:
    """The place of an entry, as people write it."""
    return f"{ref.channel}#{ref.epoch}/{ref.index}/{ref.position}"


def check_file(
    node: QueryClient, question: pb.QueryQuestion, source: Path, target: Path | None, *, is_resumed: bool
) -> Counter[str]:
    """Ask about every row of a file and write the answers; returns how many rows were answered how.

    Raises FILE_ACCESS, and what ends the sweep; what was answered before stands in the file of answers.
    """
    with (
        source.open(encoding="utf-8-sig", newline="", errors="strict") as opened,
        _written(target, is_resumed) as out,
        progress(source.name, source.stat().st_size) as advance,
    ):
        rows = _rows(opened, source)
        sheet = _Sheet(out, _JsonLines() if is_json() else _CsvRows())
        before = _skipped(sheet, rows) if is_resumed else 0
        sheet.begin()
        try:
            for _ in _sweeps(node, question, rows, sheet):
                advance(
                    os.lseek(opened.fileno(), 0, os.SEEK_CUR), words("{rows} rows", rows=before + sheet.counts.total())
                )
        except XinqiaoError:
            out.flush()
            done = before + sheet.counts.total()
            if target is not None:
                click.echo(words("{count} rows are answered; the same with --resume goes on", count=done), err=True)
            raise
    _say_counts(sheet.counts, before)
    return sheet.counts


def _say_counts(counts: Counter[str], before: int) -> None:
    shown = joined(f"{term(name)} {counts[name]}" for name in (*SHOWN.values(), "refused"))
    click.echo(words("{count} subjects checked: {counts}", count=counts.total(), counts=shown), err=True)
    if before:
        say(words("{count} rows were answered before", count=before))


# -- asking --------------------------------------------------------------------------------------------------


def _sweeps(node: QueryClient, question: pb.QueryQuestion, rows: Iterator[Row], sheet: "_Sheet") -> Iterator[None]:
    """Ask chunk by chunk, and write what is answered; a chunk in which nothing can be asked ends one call."""
    chunks = _Chunks(rows)
    while not chunks.is_at_end:
        for response in node.sweep(question, chunks.asked()):
            sheet.answer(chunks.answered(response.count), response)
            yield
        sheet.answer(chunks.left(), pb.SweepResponse())
        if chunks.failure is not None:
            raise chunks.failure


@dataclass
class _Chunks:
    """The rows that are read and not answered yet; those that are asked are read by another thread than is answered."""

    rows: Iterator[Row]
    is_at_end: bool = False
    failure: XinqiaoError | None = None
    _waiting: deque[Row] = field(default_factory=deque)

    def asked(self) -> Iterator[list[str]]:
        """The subjects of one chunk after the other, up to one in which none can be asked."""
        while chunk := self._read():
            self._waiting += chunk
            subjects = [subject for _, subject, fault in chunk if fault is None]
            if not subjects:
                return
            yield subjects
        self.is_at_end = True

    def _read(self) -> Sequence[Row]:
        try:
            return list(islice(self.rows, ROWS_PER_CHUNK))
        except XinqiaoError as error:  # it is raised where the answers come, after them
            self.failure = error
            return ()

    def answered(self, count: int) -> Iterator[Row]:
        """The next rows up to that many subjects."""
        while count:
            row = self._waiting.popleft()
            count -= row[2] is None
            yield row

    def left(self) -> Iterator[Row]:
        """The rows after the last one that could be asked."""
        while self._waiting:
            yield self._waiting.popleft()


def _rows(opened: TextIO, source: Path) -> Iterator[Row]:
    """The rows with a code; the column is the one with a known heading, else the first."""
    column = 0
    try:
        for number, cells in enumerate(csv.reader(opened), 1):
            if number == 1 and (named := [at for at, cell in enumerate(cells) if cell.strip() in HEADINGS]):
                column = named[0]
                continue
            subject = cells[column].strip().upper() if column < len(cells) else ""
            if subject or any(cell.strip() for cell in cells):
                yield number, subject, _fault_of(subject)
    except UnicodeDecodeError:
        raise XinqiaoError("FILE_ACCESS", file=source, detail="it is not written in UTF-8") from None
    except csv.Error as error:
        raise XinqiaoError("FILE_ACCESS", file=source, detail=error) from None


def _fault_of(subject: str) -> XinqiaoError | None:
    try:
        check_subject(subject)
    except XinqiaoError as error:
        return error
    return None


# -- writing -------------------------------------------------------------------------------------------------


class _Form(Protocol):
    """How answers are written; what many rows have in common is worked out once, as a tail."""

    @property
    def heading(self) -> str:
        """What stands above all rows."""

    def told(self, answer: pb.SubjectAnswer) -> Any:
        """The tail of rows with this answer."""

    def refused(self, fault: XinqiaoError) -> Any:
        """The tail of a row that cannot be asked."""

    def write(self, out: TextIO, rows: Sequence[tuple[int, str, Any]]) -> None:
        """Write rows: number, subject and tail."""

    def read(self, line: str) -> tuple[int, str]:
        """Number and subject of a row that was written; raises ValueError."""


@dataclass
class _Sheet:
    """The answers, written row by row; counts are of what was written here."""

    out: TextIO
    form: _Form
    counts: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """Write the heading where there is nothing yet."""
        if self.out is sys.stdout or not self.out.tell():
            self.out.write(self.form.heading)

    def answer(self, rows: Iterator[Row], response: pb.SweepResponse) -> None:
        """Write what is answered of rows, and of those among them that could not be asked why not."""
        common = self.form.told(response.common)
        others = {each.position: each.answer for each in response.others}
        tails: list[tuple[int, str, Any]] = []
        position = 0
        for number, subject, fault in rows:
            if fault is not None:
                self.counts["refused"] += 1
                tails.append((number, subject, self.form.refused(fault)))
                continue
            other = others.get(position)
            tails.append((number, subject, common if other is None else self.form.told(other)))
            position += 1
        self._count(response, others)
        self.form.write(self.out, tails)

    def _count(self, response: pb.SweepResponse, others: Mapping[int, pb.SubjectAnswer]) -> None:
        if response.count:
            self.counts[SHOWN[response.common.verdict]] += response.count - len(others)
        self.counts.update(SHOWN[each.verdict] for each in others.values())


class _CsvRows:
    """Answers as rows of a table."""

    @property
    def heading(self) -> str:
        return ",".join(map(term, COLUMNS)) + "\n"

    def told(self, answer: pb.SubjectAnswer) -> tuple[str, ...]:
        decisive = [each for each in answer.lists if each.verdict == answer.verdict != pb.QUERY_VERDICT_CLEAR]
        entries = [entry for each in decisive for entry in each.entries if entry.applicable]
        measures = sorted({measure.code for entry in entries for measure in entry.measures if measure.applies})
        doubts = sorted({term(doubt) for each in decisive for doubt in each.doubts})
        return (
            term(SHOWN.get(answer.verdict, "refused")),
            " ".join(each.channel for each in decisive),
            " ".join(measures),
            " ".join(entry_text(entry.entry) for entry in entries),
            joined(doubts),
        )

    def refused(self, fault: XinqiaoError) -> tuple[str, ...]:
        return term("refused"), "", "", "", told(fault).text

    def write(self, out: TextIO, rows: Sequence[tuple[int, str, Any]]) -> None:
        csv.writer(out, lineterminator="\n").writerows((number, subject, *tail) for number, subject, tail in rows)

    def read(self, line: str) -> tuple[int, str]:
        number, subject, *_ = next(csv.reader([line]))
        return int(number), subject


class _JsonLines:
    """Answers as one document a line."""

    @property
    def heading(self) -> str:
        return ""

    def told(self, answer: pb.SubjectAnswer) -> tuple[str, str]:
        document = plain(answer)
        document.pop("subject")
        return '"answer": {"subject": ', f", {_json(document)[1:-1]}}}}}"

    def refused(self, fault: XinqiaoError) -> tuple[str, str]:
        return '"subject": ', f', "error": {_json(as_document(fault))}}}'

    def write(self, out: TextIO, rows: Sequence[tuple[int, str, Any]]) -> None:
        out.writelines(f'{{"row": {number}, {head}{_json(subject)}{rest}\n' for number, subject, (head, rest) in rows)

    def read(self, line: str) -> tuple[int, str]:
        document = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError("it is no object")
        found = document.get("answer", document)
        return int(document["row"]), str(found["subject"])


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)


# -- where answers go ----------------------------------------------------------------------------------------


@contextmanager
def _written(target: Path | None, is_resumed: bool) -> Iterator[TextIO]:
    if target is None:
        yield sys.stdout
    elif is_resumed and target.exists():
        with target.open("r+", encoding="utf-8", newline="") as opened:
            yield opened
    else:
        with target.open("x+", encoding="utf-8", newline="") as opened:
            yield opened


def _skipped(sheet: _Sheet, rows: Iterator[Row]) -> int:
    """Pass over the rows that are answered, and put the end of the file behind the last whole one; returns how many.

    Raises ARGUMENT_INVALID for answers that are not those of these rows.
    """
    answered = end = 0
    raw = sheet.out.buffer
    for line in iter(raw.readline, b""):
        if not line.endswith(b"\n"):
            break  # the sweep before broke off while it was written
        end += len(line)
        if end == len(line) and sheet.form.heading:
            _demand(line.decode("utf-8", "replace") == sheet.form.heading)
            continue
        _demand(_is_of(sheet.form, line, next(rows, None)))
        answered += 1
    raw.seek(end)
    raw.truncate()
    sheet.out.seek(0, os.SEEK_END)
    return answered


def _is_of(form: _Form, line: bytes, row: Row | None) -> bool:
    try:
        return row is not None and form.read(line.decode()) == row[:2]
    except (ValueError, KeyError, csv.Error, StopIteration):
        return False


def _demand(holds: bool) -> None:
    if not holds:
        detail = "its rows are not the first ones of the file that is checked"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--output", detail=detail)
