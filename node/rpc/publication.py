"""One file on its way into a channel: its pieces, the outcome of every row, what a person should know of it.

A dry run takes the same way up to the entry that it does not write.
"""

import asyncio
import queue
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from node.core.catalogue import Item
from node.core.doubts import RULE_DOUBT, Tally
from node.core.errors import XinqiaoError, to_refusal
from node.core.quality import LATE_CODE, Rows
from node.core.record import Batch, Candidate, Outcome, OutcomeKind, Rejection, Sheet
from node.core.rules import Law
from node.core.state import day_of, disclosure_letter
from node.node import Node
from node.novelty import PassedRows, Revision
from node.pb import admin_service_pb2 as pb

QUEUED_PIECES = 4
REVISIONS_TOLD = 200
"""How many revisions of a file a dry run tells one by one; all are counted."""


class ReadBatches(Protocol):
    """How a file becomes batches: the columns of its header, notes on it, then its rows judged and built."""

    def __call__(
        self, pieces: Iterable[bytes], name: str, item: Item, disclosure: str, as_of: str, law: Law
    ) -> tuple[Sequence[str], Sequence[XinqiaoError], Iterator[Batch]]: ...


class Publication:
    """Publishes files, or tries what publishing them would do."""

    def __init__(self, node: Node, read_batches: ReadBatches, new_passed_rows: Callable[[], PassedRows]) -> None:
        self._node = node
        self._read_batches = read_batches
        self._new_passed_rows = new_passed_rows
        # What the files of the last unfinished dry run have come past; one at a time is kept.
        self._check = ""
        self._passed: PassedRows | None = None

    async def run(
        self, first: pb.PublishRequest, requests: AsyncIterator[pb.PublishRequest]
    ) -> AsyncGenerator[pb.PublishResponse, None]:
        """Take a file, piece by piece, and yield what becomes of its rows."""
        pieces = Pieces(first.data)
        feeding = asyncio.create_task(pieces.feed(requests))
        passed = self._take(first.check) if first.check else None
        try:
            async for response in self._responses(first, pieces, passed):
                yield response
        finally:
            pieces.close()
            feeding.cancel()
            if passed is not None:
                self._leave(first, passed)

    def _take(self, check: str) -> PassedRows:
        """What the earlier files of a dry run have come past; nobody else uses it until it is left again."""
        kept, self._passed = self._passed, None
        if kept is not None and self._check == check:
            return kept
        if kept is not None:
            kept.close()
        return self._new_passed_rows()

    def _leave(self, first: pb.PublishRequest, passed: PassedRows) -> None:
        if not first.files_left:
            passed.close()
            return
        if self._passed is not None:
            self._passed.close()
        self._check, self._passed = first.check, passed

    async def _responses(
        self, first: pb.PublishRequest, pieces: "Pieces", passed: PassedRows | None
    ) -> AsyncIterator[pb.PublishResponse]:
        publishing = self._node.publishing
        held = publishing.channel_to_publish(first.channel)
        edition = self._node.membership.edition_in_force
        if edition is None:
            raise XinqiaoError("VERDICT_CATALOGUE", version="in force")
        item = edition.item(held.manifest.item)
        letter = disclosure_letter(held.manifest.disclosure)
        as_of = day_of(self._node.world.clock.now_ms())
        law = self._node.judging.law(first.declared)
        columns, notes, batches = await asyncio.to_thread(
            self._read_batches, pieces, first.file_name, item, letter, as_of, law
        )
        counts, doubts, told, flagged = pb.PublishCounts(), Tally(), 0, 0
        yield pb.PublishResponse(columns=columns, notes=[to_refusal(note) for note in notes])
        try:
            async for batch in _ahead(batches):
                response = pb.PublishResponse(read_bytes=pieces.read_bytes)
                if passed is None:
                    outcomes = await publishing.publish(
                        held.log.channel, batch.candidates, law.edition.version, first.file_name
                    )
                else:
                    outcomes, revisions = publishing.check(held.log.channel, batch.candidates, passed)
                    some = [_revision(each, batch.sheet) for each in islice(revisions, REVISIONS_TOLD - told)]
                    told += len(some)
                    response.revisions.extend(some)
                rejected = [*batch.rejections, *(o.rejection for o in outcomes if o.rejection is not None)]
                _count(counts, outcomes, len(batch.rejections))
                flagged += _flagged(batch, len(rejected))
                for candidate in batch.candidates:
                    doubts.add(candidate.doubts)
                response.counts.CopyFrom(counts)
                response.rejected.extend(row_outcome(rejection, batch.sheet) for rejection in rejected)
                response.held.extend(_held(batch, outcomes))
                yield response
        finally:
            if passed is None:
                await self._node.measuring.offered(held.log.channel, Rows(counts.rows, counts.rejected, flagged))
        head = self._node.answering.summary(self._node.answering.channel(held.log.channel)).head
        doubted = [to_refusal(note) for note in doubts.notes()]
        yield pb.PublishResponse(counts=counts, read_bytes=pieces.read_bytes, head=head, done=True, notes=doubted)


async def _ahead(batches: Iterator[Batch]) -> AsyncIterator[Batch]:
    """Yield batches, the next of which is read and judged in a thread while one is on its way to the disk."""

    def begin() -> asyncio.Task[Batch | None]:
        task = asyncio.create_task(asyncio.to_thread(next, batches, None))
        # What went wrong with a batch that nobody waits for any more is nobody's concern.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    upcoming = begin()
    try:
        while (batch := await upcoming) is not None:
            upcoming = begin()
            yield batch
    finally:
        upcoming.cancel()


class Piece(Protocol):
    """A message that carries the next piece of a file."""

    data: bytes


class Pieces:
    """The pieces of a file on their way from the stream to the thread that reads rows, a bounded few at a time."""

    def __init__(self, first: bytes) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUED_PIECES)
        self._queue.put(first)
        self._closed = False
        self.read_bytes = 0

    async def feed(self, requests: AsyncIterator[Piece]) -> None:
        """Hand every piece over, then the end."""
        async for request in requests:
            await self._put(request.data)
        await self._put(None)

    async def _put(self, piece: bytes | None) -> None:
        while not self._closed:
            try:
                self._queue.put_nowait(piece)
                return
            except queue.Full:
                await asyncio.sleep(0.005)

    def close(self) -> None:
        """Release a reader that still waits."""
        self._closed = True
        while True:
            try:
                self._queue.put_nowait(None)
                return
            except queue.Full:
                self._queue.get_nowait()

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._queue.get()) is not None:
            self.read_bytes += len(piece)
            yield piece


def _count(counts: pb.PublishCounts, outcomes: Sequence[Outcome], rejected: int) -> None:
    for outcome in outcomes:
        name = outcome.kind.value
        setattr(counts, name, getattr(counts, name) + 1)
    counts.rejected += rejected
    counts.rows += len(outcomes) + rejected


def _flagged(batch: Batch, rejected: int) -> int:
    """The rows of a batch that a rule flags; one that is refused as well may be among those refused."""
    flagged = sum(map(_is_flagged, batch.candidates))
    return min(flagged, len(batch.candidates) - (rejected - len(batch.rejections)))


def _is_flagged(candidate: Candidate) -> bool:
    """Whether a rule flags a row, but for being late; a division that this version does not know is no fault of it."""
    rules = (str(each.params["title"]) for each in candidate.doubts if each.code == RULE_DOUBT)
    return any(not title.endswith(LATE_CODE) for title in rules)


def row_outcome(rejection: Rejection, sheet: Sheet | None) -> pb.RowOutcome:
    """A row that goes back, with everything that is wrong with it."""
    columns = [defect.field_code for defect in rejection.defects]
    cells = [sheet.cell(rejection.row, column) if sheet is not None else "" for column in columns]
    return pb.RowOutcome(
        row=rejection.row,
        column=rejection.column,
        reason=to_refusal(rejection.defects[0].error),
        message=rejection.reason,
        remedy=rejection.remedy,
        values=rejection.values,
        cell=cells[0],
        defects=[to_refusal(defect.error) for defect in rejection.defects],
        columns=columns,
        cells=cells,
    )


def _held(batch: Batch, outcomes: Sequence[Outcome]) -> Iterator[pb.HeldRow]:
    """The rows of a batch that wait for the officers; what stands in them is not told."""
    holds = {outcome.row: outcome.hold for outcome in outcomes if outcome.kind is OutcomeKind.HELD}
    for each in batch.candidates:
        if each.row in holds:
            column = each.holds[0].field_code
            cell = batch.sheet.cell(each.row, column) if batch.sheet is not None else ""
            reasons = [to_refusal(reason.error) for reason in each.holds]
            yield pb.HeldRow(row=each.row, cell=cell, hold=holds[each.row], reasons=reasons)


def _revision(revision: Revision, sheet: Sheet | None) -> pb.Revision:
    cell = sheet.cell(revision.row, "") if sheet is not None else ""
    return pb.Revision(row=revision.row, cell=cell, columns=revision.columns)
