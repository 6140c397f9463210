"""The entries of one push stream, put together from frames and grouped into runs, read ahead within limits."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.pb import exchange_service_pb2 as pb
from node.rpc.exchange_callers import Caller, Context
from node.rpc.framing import EntryReader
from node.rpc.idle import IdleLimit

RUN_ENTRIES = 64
# One transaction: a removal that comes meanwhile waits until it is over.
RUN_BYTES = 512 * 1024
READ_AHEAD_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive entries of one log, or the failure of one entry that could not be put together."""

    key: tuple[str, int]
    entries: tuple[SignedEntry, ...] = ()
    failure: XinqiaoError | None = None


class PushInbox:
    """fill() reads frames in a task of its own; take() gives what is complete. arrived is told of each entry."""

    def __init__(
        self, context: Context, caller: Caller, limits: Limits, arrived: Callable[[SignedEntry], None]
    ) -> None:
        self._context = context
        self._arrived_whole = arrived
        self._caller = caller
        self._reader = EntryReader(limits)
        self._idle = IdleLimit(limits.stream_idle_deadline_s)
        self._waiting: deque[SignedEntry | Run] = deque()
        self._waiting_bytes = 0
        self._taken_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self._failure: Exception | None = None

    async def fill(self) -> None:
        """Read frames until the stream ends or fails; what came before is still given out."""
        try:
            while (request := await self._idle.wait(self._context.read())) is not grpc.aio.EOF:
                self._caller.check()
                self._feed(request.frame)
                await self._room.wait()
            self._reader.finish()
        except Exception as error:  # noqa: BLE001 - it is raised where the entries are taken
            self._failure = error
        finally:
            self._ended = True
            self._arrived.set()

    async def take(self) -> Run | None:
        """The next run, of what is there already; None at the end. Raises what ended the stream."""
        self._taken_bytes = 0
        while not self._waiting:
            if self._ended:
                if self._failure is not None:
                    raise self._failure
                return None
            self._arrived.clear()
            await self._arrived.wait()
        first = self._waiting.popleft()
        run = first if isinstance(first, Run) else self._gathered(first)
        self._count()
        return run

    def _gathered(self, first: SignedEntry) -> Run:
        """The entry, and those that follow it in the same log as far as they are there."""
        run = [first]
        self._move(first)
        while self._waiting and len(run) < RUN_ENTRIES and self._taken_bytes < RUN_BYTES:
            following = self._waiting[0]
            if isinstance(following, Run) or not _follows(run[-1], following):
                break
            run.append(following)
            self._waiting.popleft()
            self._move(following)
        return Run((first.channel, first.epoch), tuple(run))

    def _move(self, signed: SignedEntry) -> None:
        self._waiting_bytes -= _size(signed)
        self._taken_bytes += _size(signed)

    def _feed(self, frame: pb.EntryFrame) -> None:
        try:
            signed = self._reader.feed(frame)
        except XinqiaoError as error:
            if error.code != "ENTRY_BODY":
                raise
            key = (error.parameters["channel"], int(error.parameters["epoch"]))
            self._waiting.append(Run(key, failure=error))
            self._arrived.set()
        else:
            if signed is not None:
                self._arrived_whole(signed)
                self._waiting.append(signed)
                self._waiting_bytes += _size(signed)
                self._arrived.set()
        self._count()

    def _count(self) -> None:
        """Say what is held, and stop reading while enough waits."""
        self._caller.hold(self._taken_bytes + self._waiting_bytes + self._reader.buffered_bytes)
        if self._waiting_bytes >= READ_AHEAD_BYTES or len(self._waiting) >= RUN_ENTRIES:
            self._room.clear()
        else:
            self._room.set()


def _follows(before: SignedEntry, after: SignedEntry) -> bool:
    place = (before.channel, before.epoch, before.index + 1)
    return (after.channel, after.epoch, after.index) == place


def _size(signed: SignedEntry) -> int:
    return len(signed.envelope.payload) + len(signed.body or b"")
