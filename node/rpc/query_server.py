"""The query service: checks and the query log, over a node and whatever port it is served on."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio

from node.checking import LOOKS, Asking, Checked, Swept
from node.core.answer import Answer, AnsweredEntry, ConsultedList, ListAnswer, Verdict, check_subject
from node.core.errors import XinqiaoError
from node.core.membership import Members
from node.core.query_log import Head, LoggedQuery
from node.node import Node
from node.pb import query_service_pb2 as pb
from node.pb import query_service_pb2_grpc, record_pb2
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]
PAGE = 1_000
MAX_PAGE = 10_000
VERDICTS = {
    Verdict.CLEAR: pb.QUERY_VERDICT_CLEAR,
    Verdict.LISTED: pb.QUERY_VERDICT_LISTED,
    Verdict.UNCONFIRMED: pb.QUERY_VERDICT_UNCONFIRMED,
}


class QueryServicer(query_service_pb2_grpc.QueryServiceServicer):
    """QueryService over a node; every refusal travels with its code."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._kept: dict[str, tuple[ConsultedList, Members, pb.ListVerdict]] = {}

    async def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:  # noqa: N802
        """Answer for one subject."""
        try:
            found = await self._node.checking.check(asking(request.question), request.subject)
            return pb.CheckResponse(answer=self._answer(found))
        except XinqiaoError as error:
            await refuse(context, error)

    async def CheckBatch(  # noqa: N802
        self, requests: AsyncIterator[pb.CheckBatchRequest], context: Context
    ) -> AsyncIterator[pb.CheckBatchResponse]:
        """Answer for many subjects, when all of them are here."""
        try:
            question, subjects = await self._taken(requests)
            answers: list[pb.SubjectAnswer] = []
            async for found in self._node.checking.check_batch(asking(question), subjects):
                answers.append(self._answer(found))
                if len(answers) == LOOKS:
                    yield pb.CheckBatchResponse(answers=answers)
                    answers = []
            if answers:
                yield pb.CheckBatchResponse(answers=answers)
        except XinqiaoError as error:
            await refuse(context, error)

    async def Sweep(  # noqa: N802
        self, requests: AsyncIterator[pb.SweepRequest], context: Context
    ) -> AsyncIterator[pb.SweepResponse]:
        """Answer for any number of subjects, while they come."""
        try:
            first = await anext(requests, pb.SweepRequest())
            chunks = (list(request.subjects) async for request in requests)
            async with aclosing(self._node.checking.sweep(asking(first.question), chunks)) as answers:
                async for found in answers:
                    yield self._swept(found)
        except XinqiaoError as error:
            await refuse(context, error)

    async def _taken(self, requests: AsyncIterator[pb.CheckBatchRequest]) -> tuple[pb.QueryQuestion, list[str]]:
        """The question and all subjects; raises QUERY_BATCH as soon as there are too many."""
        question, limit = pb.QueryQuestion(), self._node.checking.most_subjects
        subjects: list[str] = []
        async for request in requests:
            if request.HasField("question"):
                question = request.question
            subjects += request.subjects
            if len(subjects) > limit:
                raise XinqiaoError("QUERY_BATCH", count=len(subjects), limit=limit)
        return question, subjects

    async def ListQueries(  # noqa: N802
        self, request: pb.ListQueriesRequest, context: Context
    ) -> pb.ListQueriesResponse:
        """Who has asked, about one subject or anybody."""
        querying = self._node.querying
        if not request.subject:
            limit = min(request.limit or PAGE, MAX_PAGE)
            after = max(querying.head.sequence - limit, 0) if request.newest else request.after
            page = querying.entries(after, limit)
            return pb.ListQueriesResponse(queries=map(_line, page))
        try:
            check_subject(request.subject)
            found = await querying.about(request.subject)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ListQueriesResponse(queries=map(_line, found), unsearchable=querying.unsearchable())

    async def VerifyQueries(  # noqa: N802
        self, request: pb.VerifyQueriesRequest, context: Context
    ) -> pb.VerifyQueriesResponse:
        """How far the chain is sound."""
        del context
        noted = [Head(request.noted_sequence, request.noted_hash)] if request.noted_sequence else []
        found = await self._node.querying.verify(noted)
        fault = found.fault.value if found.fault is not None else ""
        return pb.VerifyQueriesResponse(sequence=found.head.sequence, entry_hash=found.head.entry_hash, fault=fault)

    # -- messages -------------------------------------------------------------------------------------

    def _swept(self, found: Swept) -> pb.SweepResponse:
        others = [
            pb.SweptSubject(position=position, answer=self._message(answer, found))
            for position, answer in found.others.items()
        ]
        return pb.SweepResponse(count=found.count, common=self._message(found.common, found), others=others)

    def _answer(self, found: Checked) -> pb.SubjectAnswer:
        return self._message(found.answer, found)

    def _message(self, answer: Answer, found: Checked | Swept) -> pb.SubjectAnswer:
        return pb.SubjectAnswer(
            subject=answer.subject,
            verdict=VERDICTS[answer.verdict],
            lists=map(self._list, answer.lists),
            answered_at_unix_ms=answer.at_ms,
            query=found.logged.sequence,
            matters_version=found.logged.query.question.matters_version,
            measures_version=found.measures_version,
        )

    def _list(self, found: ListAnswer) -> pb.ListVerdict:
        """What one list answers; what it answers to all whom it does not hold is put into words once."""
        consulted, members = found.consulted, self._node.membership.members
        if found.entries:
            return self._worded(found, members)
        kept = self._kept.get(consulted.channel)
        if kept is None or kept[0] is not consulted or kept[1] is not members:
            kept = self._kept[consulted.channel] = consulted, members, self._worded(found, members)
        return kept[2]

    def _worded(self, found: ListAnswer, members: Members) -> pb.ListVerdict:
        consulted = found.consulted
        origin = members.get(consulted.origin)
        return pb.ListVerdict(
            channel=consulted.channel,
            verdict=VERDICTS[found.verdict],
            doubts=[doubt.value for doubt in consulted.doubts],
            advice=found.advice,
            list=consulted.list_type,
            origin=consulted.origin,
            origin_name=origin.name if origin is not None else "",
            fresh_at_unix_ms=consulted.fresh_at_ms,
            staleness_limit_s=consulted.staleness_limit_ms // 1000,
            entries=[_entry(consulted.channel, entry) for entry in found.entries],
        )


def asking(question: pb.QueryQuestion) -> Asking:
    """A question as it came."""
    return Asking(question.officer, question.unit, question.matter, question.ground)


def _entry(channel: str, entry: AnsweredEntry) -> pb.ListedEntry:
    place = entry.place
    return pb.ListedEntry(
        entry=record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position),
        since=entry.since,
        until=entry.until,
        measures=[
            pb.ListedMeasure(
                code=each.measure.code,
                title_zh=each.measure.title_zh,
                title_en=each.measure.title_en,
                basis=each.measure.cited,
                applies=each.applies,
            )
            for each in entry.measures
        ],
        unpublished=entry.unpublished,
        applicable=entry.is_applicable,
    )


def _line(entry: LoggedQuery) -> pb.QueryLine:
    query, asked = entry.query, entry.query.question
    return pb.QueryLine(
        sequence=entry.sequence,
        asked_at_unix_ms=asked.at_ms,
        officer=asked.officer,
        unit=asked.unit,
        matter=asked.matter,
        matters_version=asked.matters_version,
        ground=asked.ground,
        subject=query.subject,
        subjects=query.count,
        entry_hash=entry.entry_hash,
    )
