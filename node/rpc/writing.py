"""Writing to a stream that the peer may end at any time, without losing what it said.

The write() of grpc.aio turns the call into a failed one as soon as a write fails: answers that have arrived are no
longer read and the peer's status is replaced by INTERNAL (github.com/grpc/grpc/issues/36066). So the message goes
to the call underneath, and the failure of a write only ends the writing. A test holds grpcio to it.
"""

import asyncio
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message


async def write(call: Any, message: Message) -> bool:
    """Send one message; False when the peer has ended the call, whose status tells why."""
    try:
        await call.wait_for_connection()
        if call.done():
            return False
        await call._cython_call.send_serialized_message(message.SerializeToString())  # noqa: SLF001
    except (grpc.RpcError, grpc.aio.InternalError):
        return False
    return True


async def finish(call: Any) -> None:
    """Say that nothing more comes."""
    try:
        await call.done_writing()
    except (grpc.RpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
        return
