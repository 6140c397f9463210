"""The list service, beside the admin service on its socket: joint lists as this node holds them."""

from typing import Any

import grpc.aio

from node.core.errors import XinqiaoError
from node.node import Node
from node.pb import channel_pb2, list_service_pb2_grpc
from node.pb import list_service_pb2 as pb
from node.ports import HeldChannel
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]


class ListServicer(list_service_pb2_grpc.ListServiceServicer):
    """ListService over a node; every refusal travels with its code."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def DefineList(self, request: pb.DefineListRequest, context: Context) -> pb.DefineListResponse:  # noqa: N802
        """State what a list is."""
        manifest = channel_pb2.Manifest(
            audience=request.audience,
            disclosure=request.disclosure,
            staleness_limit_s=request.staleness_limit_s,
            list=request.list,
        )
        try:
            held, is_new = await self._node.listing.define(manifest)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.DefineListResponse(list=self._line(held), changed=is_new)

    async def ListLists(self, request: pb.ListListsRequest, context: Context) -> pb.ListListsResponse:  # noqa: N802
        """Which lists are held here."""
        listing = self._node.listing
        try:
            held = [listing.held(request.list)] if request.list else listing.lists()
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ListListsResponse(lists=[self._line(each) for each in held])

    def _line(self, held: HeldChannel) -> pb.ListLine:
        answering = self._node.answering
        return pb.ListLine(channel=answering.summary(held), own=answering.is_own(held))
