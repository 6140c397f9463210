"""Calls of a registry port: ask for membership, see where a request stands, report heads, have a refusal explained.

Each call opens its own connection; they are rare. Each raises the refusal that the other side gives,
WIRE_UNREACHABLE where it does not answer and PEER_FAILED where it breaks down.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
import grpc.aio

from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import envelope_pb2
from node.pb import registry_service_pb2 as pb
from node.pb.registry_service_pb2_grpc import RegistryServiceStub
from node.rpc.refusals import from_rpc_error
from node.rpc.registry_fetch import channel_options

T = TypeVar("T")
OpenChannel = Callable[[str, Limits], grpc.aio.Channel]
"""Opens a connection to the registry port at an endpoint."""


def open_channel(endpoint: str, limits: Limits) -> grpc.aio.Channel:
    """A connection without TLS: what a registry port hands out is signed."""
    return grpc.aio.insecure_channel(endpoint, channel_options(limits))


async def request_membership(
    endpoint: str, descriptor: envelope_pb2.Envelope, *, limits: Limits = DEFAULT_LIMITS
) -> pb.RequestMembershipResponse:
    """File a signed descriptor for the officers; the same one again changes nothing."""
    request = pb.RequestMembershipRequest()
    request.request.descriptor.CopyFrom(descriptor)
    return await _call(endpoint, limits, lambda stub: stub.RequestMembership(request, timeout=limits.call_deadline_s))


async def request_state(
    endpoint: str, node: str, fingerprint: bytes, *, limits: Limits = DEFAULT_LIMITS
) -> pb.GetRequestStateResponse:
    """Where a request stands; fingerprint is the SHA-256 of the descriptor's payload, 32 bytes. A hint, unsigned."""
    request = pb.GetRequestStateRequest(node_id=node, fingerprint=fingerprint)
    return await _call(endpoint, limits, lambda stub: stub.GetRequestState(request, timeout=limits.call_deadline_s))


async def report_heads(
    endpoint: str,
    report: envelope_pb2.Envelope,
    *,
    limits: Limits = DEFAULT_LIMITS,
    opens: OpenChannel = open_channel,
) -> pb.ReportHeadsResponse:
    """Hand a signed head report to the registry."""
    request = pb.ReportHeadsRequest(report=report)
    return await _call(endpoint, limits, lambda stub: stub.ReportHeads(request, timeout=limits.call_deadline_s), opens)


async def share_addresses(
    endpoint: str,
    address: envelope_pb2.Envelope,
    known_digest: bytes,
    *,
    limits: Limits = DEFAULT_LIMITS,
    opens: OpenChannel = open_channel,
) -> pb.ShareAddressesResponse:
    """Introduce this node and learn the addresses of others."""
    request = pb.ShareAddressesRequest(address=address, known_digest=known_digest)
    return await _call(
        endpoint, limits, lambda stub: stub.ShareAddresses(request, timeout=limits.call_deadline_s), opens
    )


async def explain(
    endpoint: str, node: str, *, limits: Limits = DEFAULT_LIMITS, opens: OpenChannel = open_channel
) -> pb.ExplainResponse:
    """How the node or registry behind the endpoint sees a node. A hint, unsigned."""
    request = pb.ExplainRequest(node_id=node)
    return await _call(endpoint, limits, lambda stub: stub.Explain(request, timeout=limits.call_deadline_s), opens)


async def _call(
    endpoint: str,
    limits: Limits,
    call: Callable[[RegistryServiceStub], Awaitable[T]],
    opens: OpenChannel = open_channel,
) -> T:
    async with opens(endpoint, limits) as channel:
        try:
            return await call(RegistryServiceStub(channel))
        except grpc.RpcError as error:
            raise from_rpc_error(error, peer="the registry port", address=endpoint) from error
