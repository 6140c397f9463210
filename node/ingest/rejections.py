"""The file of rejected rows: beside the input, with the reason and remedy of each, and itself an input.

原因 and 怎么改 stand first. They and our columns that begin with xq_ are passed over when the file is read: whoever
corrects a cell publishes the same file again. What came as a workbook goes back as one, with every cell a text and
those at fault marked; anything else goes back as CSV. Files of earlier versions have xq_reason and xq_remedy.
A row that could not be told apart into columns stands as it was in xq_line.
"""

import csv
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from io import TextIOWrapper
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from node.ingest.archive import ZIP_MAGIC
from node.ingest.headings import OUR_PREFIX, REASON_TITLES
from node.ingest.reading import LINE_COLUMN

OUR_COLUMNS = (*(f"{OUR_PREFIX}{name}" for name in ("row", "cell", "code", "column", "reason", "remedy")), LINE_COLUMN)
_REASON, _REMEDY = f"{OUR_PREFIX}reason", f"{OUR_PREFIX}remedy"


class _Out(Protocol):
    """Where rejected rows go; at_fault are the places of the cells that are wrong, none for the row as a whole."""

    def write(self, cells: Sequence[str], at_fault: Collection[int]) -> None: ...
    def close(self) -> None: ...


class RejectionFile:
    """Writes NAME.rejected.csv or .xlsx beside NAME, row by row; there is no file as long as no row is rejected.

    A file that is there already is never written over, for somebody may be correcting it: the next one is
    NAME.rejected-2.csv. Readable by its owner only, since rows may hold numbers of persons. title_of gives the
    headings for people in a workbook by column code, asked only when it is needed; language that of the two reasons.
    """

    def __init__(
        self,
        source: Path,
        columns: Sequence[str],
        title_of: Callable[[str], str] = str,
        language: str = "zh",
    ) -> None:
        self.path: Path | None = None
        self.count = 0
        self._source = source
        self._title_of = title_of
        self._language = language
        self._is_workbook = is_workbook(source)
        ours = [name for name in OUR_COLUMNS if name not in (_REASON, _REMEDY)]
        self._columns = [_REASON, _REMEDY, *columns, *ours]
        self._out: _Out | None = None

    def write(
        self,
        row: int,
        code: str,
        columns: Sequence[str],
        reason: str,
        remedy: str,
        values: Mapping[str, str],
        cells: Sequence[str] = (),
    ) -> None:
        """Add a rejected row; values are its texts by column code, and the row itself under xq_line if need be.

        columns are those at fault, the first of which xq_column names, and cells their addresses, which tell rows of
        several sheets apart.
        """
        if self._out is None:
            self._out = self._open()
        named = ", ".join(dict.fromkeys(filter(None, cells)))
        column = next(iter(columns), "")
        ours = dict(zip(OUR_COLUMNS, (str(row), named, code, column, reason, remedy), strict=False))
        texts = [ours.get(name) or values.get(name, "") for name in self._columns]
        self._out.write(texts, {self._columns.index(name) for name in columns if name in self._columns})
        self.count += 1

    def close(self) -> None:
        """Finish the file."""
        if self._out is not None:
            self._out.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> _Out:
        titles = dict(zip((_REASON, _REMEDY), REASON_TITLES[self._language], strict=True))
        if not self._is_workbook:
            return _Csv(self._create("csv"), [titles.get(name, name) for name in self._columns])
        headings = [
            titles.get(name) or (name if name in OUR_COLUMNS else self._title_of(name)) for name in self._columns
        ]
        return _Sheets(self._create("xlsx"), self._source.parent, headings, self._columns)

    def _create(self, ending: str) -> int:
        for attempt in count(1):
            mark = "" if attempt == 1 else f"-{attempt}"
            self.path = self._source.with_name(f"{self._source.stem}.rejected{mark}.{ending}")
            try:
                return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
        raise AssertionError("count() does not end")


def is_workbook(source: Path) -> bool:
    """Tell whether a file is a workbook, by its content as reading does; False where there is none."""
    try:
        with source.open("rb") as file:
            return file.read(len(ZIP_MAGIC[0])) in ZIP_MAGIC
    except OSError:
        return False


class _Csv:
    """UTF-8 with a byte order mark, as spreadsheets expect."""

    def __init__(self, descriptor: int, columns: Sequence[str]) -> None:
        self._file: TextIOWrapper = os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="", errors="replace")
        self._rows = csv.writer(self._file)
        self._rows.writerow(columns)

    def write(self, cells: Sequence[str], _at_fault: Collection[int]) -> None:
        self._rows.writerow(cells)

    def close(self) -> None:
        self._file.close()


class _Sheets:
    """A workbook with the headings for people, the codes below them, and a further sheet where one is full."""

    def __init__(self, descriptor: int, directory: Path, headings: Sequence[str], columns: Sequence[str]) -> None:
        from node.ingest.sheet_writing import MAX_ROWS, TextBook

        self._max_rows = MAX_ROWS
        self._file: IO[bytes] = os.fdopen(descriptor, "w+b")
        self._book = TextBook(self._file, directory)
        self._head = (headings, columns)
        self._sheets = 0
        self._begin()

    def _begin(self) -> None:
        self._sheets += 1
        headings, columns = self._head
        self._book.begin(f"rejected {self._sheets}", len(columns))
        for cells in (headings, columns):
            self._book.write(cells, is_heading=True)

    def write(self, cells: Sequence[str], at_fault: Collection[int]) -> None:
        if self._book.rows >= self._max_rows:
            self._begin()
        self._book.write(cells, at_fault=at_fault)

    def close(self) -> None:
        self._book.close()
        self._file.close()
