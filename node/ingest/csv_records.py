"""Records of a CSV file, each on its own: a broken quote costs the line it stands in and not what follows."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from node.core.identifiers import is_uscc
from node.core.limits import Limits
from node.ingest.lines import Line


class _BadLineError(Exception):
    """A line that ends the record it would belong to."""

    def __init__(self, line: Line) -> None:
        self.line = line


class CsvRecord(NamedTuple):
    """The cells of a record and its text; with a fault, the text of what is refused."""

    cells: list[str]
    text: str
    fault: str = ""
    detail: str = ""


class CsvRecords:
    """Records of a CSV file, and lines to the csv reader, which knows where a record ends.

    An open quote would swallow all that follows. So the lines of a record are kept until it is complete; where
    that fails, its first line is refused and the others are read again on their own. Reading again is paid for
    by what was read: past four times that, a broken record is refused whole.
    """

    def __init__(self, lines: Iterator[Line], limits: Limits) -> None:
        self._lines = lines
        self._limits = limits
        self._again: deque[Line] = deque()
        self._taken: list[Line] = []
        self._size = 0
        self._read_bytes = 0
        self._again_bytes = 0
        self._reader = csv.reader(self, strict=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the next line to the csv reader."""
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        self._size += line.size
        if line.fault or self._size > self._limits.max_row_bytes:
            raise _BadLineError(line)
        return line.text

    def read(self, expected: int = 0) -> CsvRecord | None:
        """Return the next record, None at the end; expected is the number of cells it should have."""
        self._taken.clear()
        self._size = 0
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as why:
            return self._broken("ROW_QUOTES", str(why))
        except _BadLineError as why:
            alone = len(self._taken) == 1
            return self._broken(why.line.fault, "") if alone else self._broken("ROW_QUOTES", _OPEN_QUOTE)
        if expected and len(self._taken) > 1 and self._swallowed_a_row(cells, expected):
            return self._broken("ROW_QUOTES", _OPEN_QUOTE)
        self._read_bytes += self._size
        return CsvRecord(cells, "" if len(cells) == expected else self._text())

    def _text(self) -> str:
        return "".join(line.text for line in self._taken)

    def _swallowed_a_row(self, cells: list[str], expected: int) -> bool:
        """Tell whether a stray quote made one record of several rows.

        Where the count of cells is wrong, the next line tells, being a row by itself. Where it is right (a second
        stray quote closed the first), every row has the code of an organisation, which then stands inside a cell.
        """
        if len(cells) != expected:
            return _width(self._taken[1].text) == expected
        spanning = [cell for cell in cells if "\n" in cell]
        return any(is_uscc(piece) for cell in spanning for piece in _SEPARATORS.split(cell))

    def _broken(self, fault: str, detail: str) -> CsvRecord:
        """Refuse the first line and put the others back, or all of them where that has cost too much."""
        first, others = self._taken[0], self._taken[1:]
        self._read_bytes += first.size
        size = sum(line.size for line in others)
        if self._again_bytes + size > 4 * self._read_bytes + 64 * self._limits.max_row_bytes:
            self._read_bytes += size
            return CsvRecord([], self._text(), fault, detail)
        self._again_bytes += size
        self._again.extendleft(reversed(others))
        return CsvRecord([], first.text, fault, detail)


_OPEN_QUOTE = "a quote is open at the end of the line"
_SEPARATORS = re.compile(r'[,"\r\n]')


def _width(line: str) -> int:
    """Return the number of cells of a line by itself, 0 where it is no row."""
    try:
        return len(next(csv.reader([line], strict=True)))
    except csv.Error:
        return 0
