"""How a refusal travels over gRPC: a status that every client knows, and a Refusal in the trailing metadata.

The trailing metadata key xinqiao-refusal-bin holds a serialized envelope_pb2.Refusal: code and parameters.
Whoever reads a refusal tells from its code what to do; the gRPC status serves third-party clients.
"""

from typing import Any, Never

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.pb import envelope_pb2

REFUSAL_KEY = "xinqiao-refusal-bin"
# All metadata of an answer must fit into 8 KiB, gRPC's default; a longer text is cut, never the refusal lost.
MAX_PARAMETER_CHARS = 500
MAX_REFUSAL_BYTES = 4096
NOT_ANSWERED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


async def refuse(context: grpc.aio.ServicerContext[Any, Any], error: XinqiaoError) -> Never:
    """End a call with the error's status and its refusal in the trailing metadata; never returns."""
    await context.abort(status_of(error), error.code, ((REFUSAL_KEY, _as_metadata(error)),))


def status_of(error: XinqiaoError) -> grpc.StatusCode:
    """The gRPC status of an error; FAILED_PRECONDITION for a code that is no failure of a call."""
    status = grpc.StatusCode[error.spec.status]
    return grpc.StatusCode.FAILED_PRECONDITION if status is grpc.StatusCode.OK else status


def from_rpc_error(error: grpc.RpcError, *, peer: str, address: str) -> XinqiaoError:
    """What a failed call means: the peer's refusal, WIRE_UNREACHABLE without an answer, else PEER_FAILED."""
    refusal = _refusal_in(error)
    if refusal is not None:
        return from_refusal(refusal)
    detail = (error.details() or "no detail")[:MAX_PARAMETER_CHARS]
    if error.code() in NOT_ANSWERED:
        return XinqiaoError("WIRE_UNREACHABLE", peer=peer, address=address, detail=detail)
    return XinqiaoError("PEER_FAILED", peer=peer, address=address, status=error.code().name, detail=detail)


def _as_metadata(error: XinqiaoError) -> bytes:
    refusal = to_refusal(error)
    for name, value in error.parameters.items():
        refusal.parameters[name] = value[:MAX_PARAMETER_CHARS]
    # Parameters that are still too long together go; the code alone tells a program what to do.
    if refusal.ByteSize() > MAX_REFUSAL_BYTES:
        refusal.ClearField("parameters")
    return refusal.SerializeToString()


def _refusal_in(error: grpc.RpcError) -> envelope_pb2.Refusal | None:
    # The synchronous and the asyncio error disagree on the type; both yield pairs.
    pairs: Any = error.trailing_metadata() or ()
    for key, value in pairs:
        if key == REFUSAL_KEY and isinstance(value, bytes):
            try:
                refusal = envelope_pb2.Refusal.FromString(value)
            except DecodeError:
                return None
            return refusal if refusal.code else None
    return None
