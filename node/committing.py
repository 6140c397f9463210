"""Committing: the steps of a long run, of which one is verified while those before it are committed.

A part of receiving. Each step is a transaction of its own and continues the log that the one before it leaves, which
its compare-and-swap checks: where a step fails, those behind it find another head and do nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from node.core.channel import Log
from node.core.entry import SignedEntry, VerifiedEntry
from node.core.errors import XinqiaoError
from node.core.state import Judgement
from node.pb import envelope_pb2
from node.ports import HeldChannel, Lane, StoreTransaction, Writer

STEP_BYTES = 512 * 1024
"""One transaction: a removal that comes meanwhile waits until it is over."""
STEPS_AT_ONCE = 2

Step = Callable[[StoreTransaction], HeldChannel]


def in_steps(run: Sequence[SignedEntry]) -> Iterator[Sequence[SignedEntry]]:
    """The entries of a run in parts, each of which ends with the entry that fills it."""
    start = size = 0
    for number, signed in enumerate(run, 1):
        size += len(signed.body or b"")
        if size >= STEP_BYTES or number == len(run):
            yield run[start:number]
            start, size = number, 0


@dataclass(slots=True)
class Advancing:
    """How far a run has been verified: the log behind it, and what of it is not handed over yet.

    last is the envelope of the last entry and the log's frontier before it; failure is why one was refused.
    """

    log: Log
    verified: list[VerifiedEntry] = field(default_factory=list)
    judgements: dict[int, Judgement] = field(default_factory=dict)
    last: tuple[envelope_pb2.Envelope, tuple[bytes, ...]] | None = None
    failure: XinqiaoError | None = None
    is_over: bool = False

    def add(self, entry: VerifiedEntry, judgement: Judgement | None) -> None:
        """One entry more continues the log."""
        self.verified.append(entry)
        if judgement is not None:
            self.judgements[entry.header.index] = judgement
        self.last = (entry.envelope, self.log.frontier)
        self.log = replace(self.log, size=self.log.size + 1, root=entry.root, frontier=entry.frontier)

    def take(self) -> tuple[list[VerifiedEntry], dict[int, Judgement]]:
        """Hand over what was verified."""
        found = self.verified, self.judgements
        self.verified, self.judgements = [], {}
        return found


class Committing:
    """Hands the steps of a run over to the writer, in order; held is the log as the last committed one left it."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: deque[asyncio.Future[HeldChannel]] = deque()
        self.held: HeldChannel | None = None

    async def add(self, lane: Lane, step: Step, *, is_last: bool) -> None:
        """Hand over a step; the last one is committed then, and all others. Raises why the first one failed."""
        await self.wait(0 if is_last else STEPS_AT_ONCE - 1)
        if is_last:
            self.held = await self._writer.run(lane, step)
        else:
            begun = asyncio.ensure_future(self._writer.run(lane, step))
            # Behind one that failed it fails, too, and nobody asks why.
            begun.add_done_callback(lambda each: each.cancelled() or each.exception())
            self._waiting.append(begun)

    async def wait(self, left: int = 0) -> None:
        """Wait until no more steps than these are left; raises why the first one failed."""
        while len(self._waiting) > left:
            self.held = await self._waiting.popleft()

    def give_up(self) -> None:
        """Take back what has not begun."""
        while self._waiting:
            self._waiting.popleft().cancel()
