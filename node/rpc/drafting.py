"""Entries of a list on their way into a draft: rows of a file, or one, each judged before anybody signs.

Where a row is wrong, all wrong ones are told and nothing is drafted, unless they are to be left out.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from node.core.errors import XinqiaoError, to_refusal
from node.core.identifiers import fold_document_number
from node.core.list_change import Operation
from node.core.list_entry import Judge
from node.core.listing import ENTER
from node.core.record import Defect, Rejection, Row
from node.list_changes import Draft
from node.node import Node
from node.pb import list_service_pb2 as pb
from node.ports import HeldChannel
from node.rpc.publication import Pieces, row_outcome

ROWS_AT_A_TIME = 250
Columns = Sequence[str]
ReadRows = Callable[[Iterable[bytes], str], tuple[Columns, Sequence[XinqiaoError], Iterator[Row]]]


class Drafting:
    """Drafts changes that enter subjects on lists of a node."""

    def __init__(self, node: Node, read_rows: ReadRows) -> None:
        self._node = node
        self._read_rows = read_rows

    async def run(
        self, first: pb.DraftEntriesRequest, requests: AsyncIterator[pb.DraftEntriesRequest]
    ) -> AsyncGenerator[pb.DraftEntriesResponse, None]:
        """Take entries and yield what becomes of them; the last message names the change."""
        listing = self._node.listing
        held = listing.own_list(first.list)
        judgement = _Judgement(self._node, held, listing.judge(held), first.values)
        pieces = Pieces(first.data)
        feeding = asyncio.create_task(pieces.feed(requests))
        draft: Draft | None = None
        try:
            head, rows = await self._rows(first, pieces)
            yield head
            draft = await listing.changes.draft(held, ENTER, source=first.file_name)
            async for answer in _judged(rows, judgement, draft, first):
                answer.read_bytes = pieces.read_bytes
                yield answer
            is_whole = draft.count > 0 and (first.skip_wrong or not judgement.wrong)
            change = await draft.close() if is_whole else None
            draft = None if is_whole else draft
            yield pb.DraftEntriesResponse(
                rows=judgement.rows,
                wrong=judgement.wrong,
                read_bytes=pieces.read_bytes,
                done=True,
                change=change.id if change is not None else "",
            )
        finally:
            pieces.close()
            feeding.cancel()
            if draft is not None:
                await draft.drop()

    async def _rows(
        self, first: pb.DraftEntriesRequest, pieces: Pieces
    ) -> tuple[pb.DraftEntriesResponse, Iterator[Row]]:
        if not first.file_name:
            return pb.DraftEntriesResponse(columns=sorted(first.values)), iter([Row(1, {})])
        columns, notes, rows = await asyncio.to_thread(self._read_rows, pieces, first.file_name)
        return pb.DraftEntriesResponse(columns=columns, notes=map(to_refusal, notes)), rows


async def _judged(
    rows: Iterator[Row], judgement: "_Judgement", draft: Draft, first: pb.DraftEntriesRequest
) -> AsyncIterator[pb.DraftEntriesResponse]:
    """Judge rows, keep the sound ones and yield the others; what nothing will come of is judged all the same."""
    while some := await asyncio.to_thread(lambda: list(islice(rows, ROWS_AT_A_TIME))):
        answer = pb.DraftEntriesResponse()
        for row in some:
            outcome = judgement(row)
            if isinstance(outcome, Operation):
                await draft.add([outcome] if first.skip_wrong or not judgement.wrong else [])
            elif not first.file_name:
                raise outcome.defects[0].error
            else:
                answer.rejected.append(row_outcome(outcome, row.sheet))
        answer.rows, answer.wrong = judgement.rows, judgement.wrong
        yield answer


class _Judgement:
    """Turns rows into operations or rejections, and counts them."""

    def __init__(self, node: Node, held: HeldChannel, judge: Judge, given: Mapping[str, str]) -> None:
        self._node = node
        self._held = held
        self._judge = judge
        self._given = dict(given)
        self._seen: dict[tuple[str, str], int] = {}
        self.rows = 0
        self.wrong = 0

    def __call__(self, row: Row) -> Operation | Rejection:
        operation = self._judge.entry(self._given | dict(row.values))
        unread = {defect.field_code for defect in row.defects}
        found = self._node.listing.entry_defects(self._judge, self._held, operation)
        defects = [*row.defects, *(_defect(column, error) for column, error in found if column not in unread)]
        defects += self._again(row, operation)
        self.rows += 1
        if not defects:
            return operation
        self.wrong += 1
        return Rejection(row.number, tuple(defects), row.values)

    def _again(self, row: Row, operation: Operation) -> Iterator[Defect]:
        """Yield what is wrong with a row whose subject and decision have come before."""
        words = operation.words
        key = words.subject, fold_document_number(words.decision)
        if words.subject and self._seen.setdefault(key, row.number) != row.number:
            yield _defect("subject", XinqiaoError("LIST_ROW_TWICE", row=self._seen[key]))


def _defect(column: str, error: XinqiaoError) -> Defect:
    return Defect(error.code, column, error.parameters)
