"""The file of rejected rows: beside the input, with the reason and remedy of each, and itself an input.

Our columns begin with xq_, which reading passes over: whoever corrects a cell publishes the same file again.
A row that could not be told apart into columns stands as it was in xq_line.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from node.ingest.headings import OUR_PREFIX
from node.ingest.reading import LINE_COLUMN

OUR_COLUMNS = (*(f"{OUR_PREFIX}{name}" for name in ("row", "cell", "code", "column", "reason", "remedy")), LINE_COLUMN)


class RejectionFile:
    """Writes NAME.rejected.csv beside NAME, row by row; there is no file as long as no row is rejected.

    A file that is there already is never written over, for somebody may be correcting it: the next one is
    NAME.rejected-2.csv. UTF-8 with a byte order mark, as spreadsheets expect; readable by its owner only, since
    rows may hold numbers of persons.
    """

    def __init__(self, source: Path, columns: Sequence[str]) -> None:
        self.path: Path | None = None
        self.count = 0
        self._source = source
        self._columns = [*columns, *OUR_COLUMNS]
        self._out: TextIOWrapper | None = None

    def write(
        self, row: int, code: str, column: str, reason: str, remedy: str, values: Mapping[str, str], cell: str = ""
    ) -> None:
        """Add a rejected row; values are its texts by column code, and the row itself under xq_line if need be.

        cell is the address of what is at fault, which tells rows of several sheets apart.
        """
        if self._out is None:
            self._out = self._open()
            csv.writer(self._out).writerow(self._columns)
        ours = dict(zip(OUR_COLUMNS, (str(row), cell, code, column, reason, remedy), strict=False))
        cells = [ours.get(name) or values.get(name, "") for name in self._columns]
        csv.writer(self._out).writerow(cells)
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

    def _open(self) -> TextIOWrapper:
        for attempt in count(1):
            mark = "" if attempt == 1 else f"-{attempt}"
            self.path = self._source.with_name(f"{self._source.stem}.rejected{mark}.csv")
            try:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            return open(descriptor, "w", encoding="utf-8-sig", newline="", errors="replace")
        raise AssertionError("count() does not end")
