"""The examiner: a process of its own that opens and judges entries, so that a second processor does it.

The node starts it when it is needed first and ends it by closing the socket between them. It has neither files nor
network, and no more than the bytes it is sent. What it answers is read as plain values only.

    request   4 bytes of length, then a pickle of (number of the standard, the standard where it is new, header, body,
              whether that is the frame it came in)
    answer    4 bytes of length, then a pickle of what core.examination.examine has found
"""

import asyncio
import contextlib
import pickle
import socket
import sys
from collections import deque
from subprocess import DEVNULL
from typing import BinaryIO

import structlog

from node import side_process
from node.core.examination import Packed, examine
from node.core.limits import Limits
from node.core.packing import PackedBytes, content_of
from node.core.state import Standard
from node.side_process import LENGTH_BYTES

ENDS_WITHIN_S = 5.0
STANDARDS_KNOWN = 64
"""A process that knows so many is replaced: there is one for each day on which entries were issued."""

log = structlog.get_logger("xinqiao.examiner")


class ProcessExaminer:
    """examining.Examiner over a process, which is started when it is asked first, and again where it has ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[Packed | None]] = deque()
        self._standards: dict[Standard, int] = {}
        self._turn = asyncio.Lock()

    async def examine(self, header: bytes, body: bytes, standard: Standard) -> Packed | None:
        """What is found of these bytes; None where the process cannot be asked."""
        answer: asyncio.Future[Packed | None] = asyncio.get_running_loop().create_future()
        try:
            async with self._turn:
                writer = await self._started()
                self._waiting.append(answer)
                _write(writer, self._request(header, body, standard))
                await writer.drain()
        except OSError as error:
            log.warning("examiner.failed", detail=str(error))
            return None
        return await answer

    def _request(self, header: bytes, body: bytes, standard: Standard) -> bytes:
        number = self._standards.get(standard)
        is_new = number is None
        if number is None:
            number = self._standards[standard] = len(self._standards)
        told = (standard, self._limits) if is_new else None
        sent = (body.packed, True) if isinstance(body, PackedBytes) else (body, False)
        return pickle.dumps((number, told, header, *sent), protocol=5)

    async def _started(self) -> asyncio.StreamWriter:
        if self._writer is not None and len(self._standards) < STANDARDS_KNOWN:
            return self._writer
        await self.close()
        ours, theirs = side_process.ends()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *side_process.command(__name__),
                stdin=theirs.fileno(),
                stdout=DEVNULL,
                env=side_process.environment(),
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=side_process.SOCKET_BYTES)
        self._reading = asyncio.create_task(self._read(reader))
        return self._writer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Hand each answer to whoever waits for it; nobody waits when the process ends, or says what is none."""
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
                found = side_process.read_plain(await reader.readexactly(size))
                _answer(self._waiting.popleft(), found)
        except (asyncio.IncompleteReadError, OSError):
            log.debug("examiner.ended")
        except (pickle.UnpicklingError, EOFError, LookupError, ValueError) as error:
            log.warning("examiner.failed", detail=f"no answer: {error}")
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._standards.clear()
        while self._waiting:
            _answer(self._waiting.popleft(), None)

    async def close(self) -> None:
        """End the process; who waits for an answer gets none."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None
        if self._process is not None:
            await _ended(self._process)
            self._process = None


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Return when a process has ended whose socket was closed; one that cannot even notice that is killed."""
    try:
        await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _write(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(len(message).to_bytes(LENGTH_BYTES, "big"))
    writer.write(message)


def _answer(waiting: "asyncio.Future[Packed | None]", found: Packed | None) -> None:
    if not waiting.done():  # whoever asked may have been cancelled
        waiting.set_result(found)


# --- The process itself -------------------------------------------------------------------------------------------


def serve(stream: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests in order until there are no more."""
    standards: dict[int, tuple[Standard, Limits]] = {}
    while len(head := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
        request = pickle.loads(stream.read(int.from_bytes(head, "big")))  # noqa: S301 - our node
        number, is_new, header, body, is_packed = request
        if is_new is not None:
            standards[number] = is_new
        standard, limits = standards[number]
        found = examine(header, content_of(body) if is_packed else body, standard, limits)
        side_process.write(answers, pickle.dumps(found, protocol=5))


def main() -> None:
    """Serve the node at the other end of standard input, which ends this process by closing it."""
    side_process.stand_back()
    with socket.socket(fileno=sys.stdin.fileno()) as end, contextlib.suppress(ConnectionError):
        serve(end.makefile("rb"), end.makefile("wb"))


if __name__ == "__main__":
    main()
