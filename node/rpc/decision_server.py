"""The decision service, beside the admin service on its socket: what officers have signed, and for whom it waits."""

import asyncio
from enum import StrEnum
from typing import Any

import grpc.aio

from node.core.errors import XinqiaoError, to_refusal
from node.core.holds import HoldState
from node.core.officers import Officer, read_statement
from node.core.record import parse_record
from node.held_decisions import HeldRow
from node.node import Node
from node.pb import admin_service_pb2, decision_service_pb2_grpc, envelope_pb2, officer_pb2
from node.pb import decision_service_pb2 as pb
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]
PATIENCE_S = 20.0
"""So long the command of an officer waits for what it has decided to be published."""


class DecisionServicer(decision_service_pb2_grpc.DecisionServiceServicer):
    """DecisionService over a node; every refusal travels with its code."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._finishing: set[asyncio.Task[tuple[StrEnum, XinqiaoError | None]]] = set()

    async def ListOfficers(  # noqa: N802
        self,
        _: pb.ListOfficersRequest,
        context: Context,
    ) -> pb.ListOfficersResponse:
        """Who may decide here, and who could once."""
        try:
            book = self._node.deciding.book()
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ListOfficersResponse(
            officers=map(_line, book.officers.values()),
            network=book.network,
            node=book.node,
            time_unix_ms=self._node.world.clock.now_ms(),
        )

    async def SubmitStatement(  # noqa: N802
        self, request: pb.SubmitStatementRequest, context: Context
    ) -> pb.SubmitStatementResponse:
        """Take what an officer has signed."""
        try:
            taken = await self._node.deciding.submit(request.statement, request.content)
        except XinqiaoError as error:
            await refuse(context, error)
        fault: XinqiaoError | None = None
        state = taken.state
        if state == HoldState.APPROVED:
            # The decision is durable whatever becomes of the entry now: the node goes on with it by itself.
            state, fault = await self._finish(read_statement(request.statement))
        refusal = to_refusal(fault) if fault is not None else None
        return pb.SubmitStatementResponse(sequence=taken.sequence, state=state, fault=refusal)

    async def _finish(self, message: officer_pb2.OfficerStatement) -> tuple[str, XinqiaoError | None]:
        """Publish what a statement has approved; where that takes long, the caller hears that it is approved."""
        is_change = message.act.startswith("list.")
        finish = self._node.listing.changes.finish if is_change else self._node.holding.finish
        finishing = asyncio.create_task(finish(message.subject))
        self._finishing.add(finishing)
        finishing.add_done_callback(self._finishing.discard)
        done, _ = await asyncio.wait({finishing}, timeout=PATIENCE_S)
        if not done:
            return HoldState.APPROVED.value, None
        state, fault = finishing.result()
        return state.value, fault

    async def ListHolds(self, request: pb.ListHoldsRequest, context: Context) -> pb.ListHoldsResponse:  # noqa: N802
        """Which rows wait for review, without what stands in them."""
        try:
            rows = self._node.holding.rows(everything=request.all)
            return pb.ListHoldsResponse(holds=[self._hold(row) for row in rows])
        except XinqiaoError as error:
            await refuse(context, error)

    async def GetHold(self, request: pb.GetHoldRequest, context: Context) -> pb.GetHoldResponse:  # noqa: N802
        """One held row with its content, for the officer who is to decide."""
        try:
            row = self._node.holding.row(request.id)
            found = self._hold(row)
        except XinqiaoError as error:
            await refuse(context, error)
        record = parse_record(row.record) if row.record is not None else None
        values = self._node.answering.named(record) if record is not None else {}
        return pb.GetHoldResponse(
            hold=found,
            values=[admin_service_pb2.ColumnValue(column=code, text=text) for code, text in values.items()],
            record=row.record or b"",
            salt=row.salt or b"",
            rules_version=row.rules_version,
            item=record.item if record is not None else "",
        )

    def _hold(self, row: HeldRow) -> pb.HoldLine:
        officers = self._node.deciding.book().officers
        proposed = self._node.holding.review(row.id).proposed
        return pb.HoldLine(
            id=row.id,
            channel=row.channel,
            state=row.state.value,
            reasons=[pb.HoldReason(column=each.field_code, why=to_refusal(each.error)) for each in row.reasons],
            source=row.source,
            row=row.row,
            held_at_unix_ms=row.held_at_ms,
            until_unix_ms=row.until_ms,
            signatures=[
                pb.HoldSignature(
                    act=signed.act,
                    officer=signed.officer,
                    reason=signed.reason,
                    signed_at_unix_ms=at_ms,
                    disabled=not officers[signed.officer].is_active,
                )
                for signed, at_ms in self._node.holding.signatures(row.id)
            ],
            proposed=proposed.act if proposed is not None and row.state is HoldState.PENDING else "",
            fault=envelope_pb2.Refusal.FromString(row.fault) if row.fault else None,
        )


def _line(officer: Officer) -> pb.OfficerLine:
    return pb.OfficerLine(
        name=officer.name,
        state="active" if officer.is_active else "disabled",
        suite=officer.public.suite,
        key_id=officer.public.key_id,
        added_at_unix_ms=officer.added_at_ms,
        added_by=officer.added_by,
        disabled_at_unix_ms=officer.disabled_at_ms,
        disabled_by=officer.disabled_by,
        disabled_because=officer.disabled_because,
    )
