"""The registry port of a node: the verified files under their published names, and Explain. No client certificate.

Nodes take no membership requests and no head reports; they name the registry that does.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from math import ceil
from typing import Any, Never

import grpc
import grpc.aio

from node.core.errors import XinqiaoError, to_refusal
from node.core.identifiers import is_node_id
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import envelope_pb2, registry_pb2, registry_service_pb2_grpc
from node.pb import registry_service_pb2 as pb
from node.ports import Clock
from node.rpc.refusals import refuse
from node.rpc.registry_rates import TokenBuckets, address_of

Context = grpc.aio.ServicerContext[Any, Any]

# What the registry publishes: metadata, and targets with their hash before the file name. Nothing else is looked up.
_HASHED = r"(?:[a-z]{1,32}/)?(?:[0-9]{2}/)?[0-9a-f]{64}\.[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NAME = re.compile(rf"timestamp\.json|[1-9][0-9]{{0,9}}\.[a-z0-9-]{{1,64}}\.json|{_HASHED}")
MAX_NAME_SHOWN = 100


class RegistryPort(registry_service_pb2_grpc.RegistryServiceServicer):
    """RegistryService of a node.

    files gives a held file by its published name; versions what they add up to; registry the endpoint of the
    configured registry; explain the refusal that a call of a node would get, None where it would be accepted;
    share takes a member's address and gives those held of others.
    """

    def __init__(
        self,
        *,
        node: str,
        network: Callable[[], str],
        registry: Callable[[], str],
        files: Callable[[str], bytes | None],
        versions: Callable[[], registry_pb2.RegistryVersions],
        explain: Callable[[str], XinqiaoError | None],
        share: Callable[[envelope_pb2.Envelope, bytes], Awaitable[Sequence[envelope_pb2.Envelope]]],
        clock: Clock,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._node = node
        self._network = network
        self._registry = registry
        self._files = files
        self._versions = versions
        self._explain = explain
        self._share = share
        self._clock = clock
        self._limits = limits
        self._buckets = TokenBuckets(
            limits.registry_port_burst_calls, limits.registry_port_calls_per_s, limits.max_callers_counted
        )

    async def GetFile(  # noqa: N802 - named by the protocol
        self, request: pb.GetFileRequest, context: Context
    ) -> AsyncIterator[pb.GetFileResponse]:
        """Stream one held file in pieces of at most 64 KiB."""
        await self._admit(context)
        content = self._files(request.name) if _NAME.fullmatch(request.name) else None
        if content is None:
            await refuse(context, XinqiaoError("FILE_UNKNOWN", name=request.name[:MAX_NAME_SHOWN]))
        size = self._limits.max_registry_chunk_bytes
        # An empty file is one empty piece, so that it differs from a broken stream.
        for start in range(0, len(content), size) or (0,):
            yield pb.GetFileResponse(data=content[start : start + size])

    async def RequestMembership(  # noqa: N802
        self, _: pb.RequestMembershipRequest, context: Context
    ) -> pb.RequestMembershipResponse:
        """Refuse, and name the registry."""
        await self._send_on(context)

    async def GetRequestState(  # noqa: N802
        self, _: pb.GetRequestStateRequest, context: Context
    ) -> pb.GetRequestStateResponse:
        """Refuse, and name the registry."""
        await self._send_on(context)

    async def ReportHeads(  # noqa: N802
        self, _: pb.ReportHeadsRequest, context: Context
    ) -> pb.ReportHeadsResponse:
        """Refuse: head reports are for the registry alone."""
        await self._admit(context)
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{self._node} is a node and takes no head reports")

    async def ShareAddresses(  # noqa: N802
        self, request: pb.ShareAddressesRequest, context: Context
    ) -> pb.ShareAddressesResponse:
        """Take a member's address and hand out the others'."""
        await self._admit(context)
        try:
            found = await self._share(request.address, request.known_digest)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ShareAddressesResponse(addresses=found)

    async def Explain(  # noqa: N802
        self, request: pb.ExplainRequest, context: Context
    ) -> pb.ExplainResponse:
        """How this node sees another."""
        await self._admit(context)
        if not is_node_id(request.node_id):
            await refuse(context, XinqiaoError("ARGUMENT_INVALID", argument="node_id", detail="it is no node id"))
        refusal = self._explain(request.node_id)
        return pb.ExplainResponse(
            refusal=None if refusal is None else to_refusal(refusal),
            registry=self._versions(),
            time_unix_ms=self._clock.now_ms(),
        )

    async def _send_on(self, context: Context) -> Never:
        await self._admit(context)
        elsewhere = {"node": self._node, "network": self._network(), "registry": self._registry()}
        await refuse(context, XinqiaoError("REGISTRY_ELSEWHERE", **elsewhere))

    async def _admit(self, context: Context) -> None:
        wait_s = self._buckets.take(address_of(context.peer()), self._clock.monotonic_s())
        if wait_s:
            what = "from this address at this registry port"
            await refuse(context, XinqiaoError("RATE_LIMITED", what=what, retry_s=ceil(wait_s)))
