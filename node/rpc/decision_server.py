"""The decision service, beside the admin service on its socket: what officers have signed, and for whom it waits."""

from typing import Any

import grpc.aio

from node.core.errors import XinqiaoError
from node.core.officers import Officer
from node.node import Node
from node.pb import decision_service_pb2 as pb
from node.pb import decision_service_pb2_grpc
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]


class DecisionServicer(decision_service_pb2_grpc.DecisionServiceServicer):
    """DecisionService over a node; every refusal travels with its code."""

    def __init__(self, node: Node) -> None:
        self._node = node

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
        return pb.SubmitStatementResponse(sequence=taken.sequence, state=taken.state)


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
