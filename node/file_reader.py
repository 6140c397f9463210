"""The file reader: a process of its own that reads the rows of a long file and judges them.

What a node publishes comes in files that nobody has signed. A long one is taken apart beside the node: a second
processor does it, and what a file might do to its reader it does to a process without keys, which ends with the file.
A short one is read at once, before that process would have started.

    to it     a pickle of what is asked, then the pieces of the file; an empty one is its end
    from it   ("opened", columns, notes), then batches, then ("ended",); or ("failed", code, parameters) at any time
"""

import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from weakref import finalize

import structlog

from node import side_process
from node.core.catalogue import Item
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.record import Batch, Candidate, Defect, Rejection, Sheet
from node.core.rules import Law
from node.ingest.batching import batches
from node.ingest.reading import read_rows
from node.side_process import LENGTH_BYTES

BATCH_BYTES = 2 * 1024 * 1024
LONG_BYTES = 256 * 1024
"""A file that is longer is read by a process of its own."""
MOST_ANSWER_BYTES = 64 * 1024 * 1024
"""Of one answer: many times what a batch and the rows that it returns come to."""

Opened = tuple[Sequence[str], Sequence[XinqiaoError], Iterator[Batch]]
"""The columns of a file, what a person should know of it, and its rows."""

log = structlog.get_logger("xinqiao.file_reader")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One file: what messages call it, what its rows are judged by, and where a workbook is kept meanwhile."""

    name: str
    item: Item
    disclosure: str
    as_of: str
    law: Law
    directory: Path
    max_records: int
    limits: Limits

    def read(self, pieces: Iterable[bytes]) -> Opened:
        """Read it here."""
        rows = read_rows(pieces, self.name, self.item, self.limits, self.directory)
        judged_by = (self.item, self.disclosure, self.max_records, BATCH_BYTES, self.as_of, self.limits, self.law)
        return rows.columns, rows.notes, batches(rows, *judged_by)


class FileReader:
    """rpc.publication.ReadBatches for the files that a node is given; batches hold at most max_records rows."""

    def __init__(self, directory: Path, max_records: int, limits: Limits, long_bytes: int = LONG_BYTES) -> None:
        self._directory = directory
        self._max_records = max_records
        self._limits = limits
        self._long_bytes = long_bytes

    def __call__(self, pieces: Iterable[bytes], name: str, item: Item, disclosure: str, as_of: str, law: Law) -> Opened:
        """Open a file; raises what read_rows raises, FILE_READER where the process has ended before the file has."""
        asked = _Asked(name, item, disclosure, as_of, law, self._directory, self._max_records, self._limits)
        rest = iter(pieces)
        first = list(_up_to(rest, self._long_bytes))
        if sum(map(len, first)) < self._long_bytes:
            return asked.read(first)
        beside = _Beside(asked, chain(first, rest))
        return *beside.opened(), beside


def _up_to(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield pieces until they have at least this size."""
    while size > 0 and (piece := next(pieces, None)) is not None:
        size -= len(piece)
        yield piece


class _Beside(Iterator[Batch]):
    """The batches of a file that a process reads; the process ends with it."""

    def __init__(self, asked: _Asked, pieces: Iterator[bytes]) -> None:
        ours, theirs = side_process.ends()
        self._name = asked.name
        self._answers = ours.makefile("rb")
        try:
            self._process = _started(theirs)
        except OSError as error:
            _close(ours, self._answers)
            log.warning("file_reader.failed", detail=str(error))
            raise XinqiaoError("FILE_READER", name=asked.name) from error
        self._end = finalize(self, _end, self._process, ours, self._answers)
        threading.Thread(target=_send, args=(ours, asked, pieces), daemon=True).start()

    def opened(self) -> tuple[Sequence[str], Sequence[XinqiaoError]]:
        """The columns of the file, and what a person should know of it."""
        _, columns, notes = self._answer()
        return columns, [XinqiaoError(code, **parameters) for code, parameters in notes]

    def __next__(self) -> Batch:
        if not self._end.alive:
            raise StopIteration
        kind, *told = self._answer()
        if kind == "ended":
            self._end()
            raise StopIteration
        return _unpacked(*told)

    def _answer(self) -> tuple[Any, ...]:
        try:
            size = int.from_bytes(self._read(LENGTH_BYTES), "big")
            if size > MOST_ANSWER_BYTES:
                raise ValueError(f"an answer of {size} bytes")
            found = side_process.read_plain(self._read(size))
            if not isinstance(found, tuple) or not found:
                raise ValueError("no answer")
        except (OSError, EOFError, LookupError, ValueError, pickle.UnpicklingError) as error:
            self._end()
            log.warning("file_reader.failed", detail=str(error), status=self._process.returncode)
            raise XinqiaoError("FILE_READER", name=self._name) from error
        if found[0] == "failed":
            self._end()
            _, code, parameters = found
            raise XinqiaoError(code, **parameters)
        return found

    def _read(self, size: int) -> bytes:
        found = self._answers.read(size)
        if len(found) < size:
            raise EOFError("it has ended")
        return found


def _started(theirs: socket.socket) -> "subprocess.Popen[bytes]":
    with theirs:
        return subprocess.Popen(
            side_process.command(__name__),
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env=side_process.environment(),
            start_new_session=True,
        )


def _end(process: "subprocess.Popen[bytes]", *ends: "socket.socket | BinaryIO") -> None:
    """End the process, which keeps nothing."""
    process.kill()
    process.wait()
    _close(*ends)


def _close(*ends: "socket.socket | BinaryIO") -> None:
    for end in ends:
        end.close()


def _send(ours: socket.socket, asked: _Asked, pieces: Iterator[bytes]) -> None:
    """Send a file, as fast as it is read."""
    with suppress(OSError), ours.makefile("wb") as stream:  # it has ended: whoever waits for an answer is told
        try:
            side_process.write(stream, pickle.dumps(asked, protocol=5))
            for piece in filter(None, pieces):
                side_process.write(stream, piece)
            side_process.write(stream, b"")
        finally:
            ours.shutdown(socket.SHUT_WR)


# --- Batches as plain values ---------------------------------------------------------------------------------------

_PlainDefect = tuple[str, str, Mapping[str, str | int]]
_PlainDefects = tuple[_PlainDefect, ...]


def _packed(batch: Batch) -> tuple[Any, ...]:
    """A batch as plain values: what _unpacked() is given."""
    plain = _remembering(_plain)
    columns = [[each[at] for each in batch.candidates] for at in range(len(Candidate._fields))]
    for at in _DEFECTS:
        columns[at] = list(map(plain, columns[at]))
    rejections = [(each.row, plain(each.defects), dict(each.values)) for each in batch.rejections]
    sheet = (batch.sheet.name, dict(batch.sheet.letters)) if batch.sheet is not None else None
    return columns, rejections, sheet


def _unpacked(
    columns: list[list[Any]],
    rejections: list[tuple[int, _PlainDefects, dict[str, str]]],
    sheet: tuple[str, dict[str, str]] | None,
) -> Batch:
    defects = _remembering(_defects)
    for at in _DEFECTS:
        columns[at] = list(map(defects, columns[at]))
    return Batch(
        tuple(map(Candidate, *columns)),
        tuple(Rejection(row, defects(found), values) for row, found, values in rejections),
        Sheet(*sheet) if sheet is not None else None,
    )


_DEFECTS = tuple(Candidate._fields.index(name) for name in ("doubts", "holds"))


def _plain(defects: tuple[Defect, ...]) -> _PlainDefects:
    return tuple((each.code, each.field_code, dict(map(_plain_parameter, each.params.items()))) for each in defects)


def _plain_parameter(parameter: tuple[str, object]) -> tuple[str, str | int]:
    name, value = parameter
    return name, value if isinstance(value, int) else str(value)


def _defects(plain: _PlainDefects) -> tuple[Defect, ...]:
    return tuple(Defect(code, field_code, params) for code, field_code, params in plain)


def _remembering(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make one of each object: the same few defects stand at row after row, and stay the same few."""
    made: dict[int, tuple[Any, Any]] = {}

    def remembered(each: Any) -> Any:
        found = made.get(id(each))
        if found is None:
            # With what it was made from, so that nothing else gets its id.
            found = made[id(each)] = (each, make(each))
        return found[1]

    return remembered


# --- The process itself --------------------------------------------------------------------------------------------


def serve(stream: BinaryIO, answers: BinaryIO) -> None:
    """Read the one file that is asked about."""

    def answer(*said: Any) -> None:
        side_process.write(answers, pickle.dumps(said, protocol=5))

    asked: _Asked = pickle.loads(_message(stream))  # noqa: S301 - our node
    try:
        columns, notes, found = asked.read(iter(lambda: _message(stream), b""))
        answer("opened", tuple(columns), [(each.code, each.parameters) for each in notes])
        for batch in found:
            answer("batch", *_packed(batch))
        answer("ended")
    except XinqiaoError as error:
        answer("failed", error.code, error.parameters)


def _message(stream: BinaryIO) -> bytes:
    """The next message; raises ConnectionError where the node has not come to the end of the file."""
    head = stream.read(LENGTH_BYTES)
    found = stream.read(int.from_bytes(head, "big"))
    if len(head) < LENGTH_BYTES or len(found) < int.from_bytes(head, "big"):
        raise ConnectionError("no more of it")
    return found


def main() -> None:
    """Serve the node at the other end of standard input, which may end this process at any time."""
    side_process.stand_back()
    with socket.socket(fileno=sys.stdin.fileno()) as end, suppress(ConnectionError):
        serve(end.makefile("rb"), end.makefile("wb"))


if __name__ == "__main__":
    main()
