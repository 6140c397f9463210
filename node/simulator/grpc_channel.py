"""One connection of a simulated node to another one, usable wherever a grpc.aio.Channel is."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import grpc.aio
from google.protobuf.message import Message

from node.simulator.grpc_call import METHODS, Call, Line, Method
from node.simulator.grpc_client import ClientCall, StreamCall, UnaryCall

RESET = "recvmsg: Connection reset by peer"


class SimulatedChannel:
    """Calls of one line; a reset ends them all, close() gives them all up."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._calls: dict[ClientCall, None] = {}
        self._is_closed = False

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., UnaryCall]:
        """The calls of a method with one request and one answer."""
        method = METHODS[path]
        return lambda request, timeout=None: self._begin(UnaryCall, method, request, timeout)

    def unary_stream(self, path: str, *_: Any, **__: Any) -> Callable[..., StreamCall]:
        """The calls of a method with one request and a stream of answers."""
        method = METHODS[path]
        return lambda request, timeout=None: self._begin(StreamCall, method, request, timeout)

    def stream_stream(self, path: str, *_: Any, **__: Any) -> Callable[..., StreamCall]:
        """The calls of a method with streams both ways; requests are written, never handed over as an iterator."""
        method = METHODS[path]
        return lambda timeout=None: self._begin(StreamCall, method, None, timeout)

    async def close(self, grace: float | None = None) -> None:  # noqa: ARG002 - as gRPC has it
        """Give up every call."""
        self._is_closed = True
        for call in list(self._calls):
            call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def reset(self) -> None:
        """Break the connection after the time a message takes; both ends of every call on it learn it then."""
        line = self._line
        line.hosts.note("resets", line.caller.label, to=line.node)
        arrival_s = line.hosts.arrival_s(line.caller.node, line.node, line.lane, 0)
        if arrival_s is not None:
            asyncio.get_running_loop().call_at(arrival_s, self._break)

    def forget(self, call: ClientCall) -> None:
        """The call is over."""
        self._calls.pop(call, None)

    def _break(self) -> None:
        for call in list(self._calls):
            call.break_off(RESET)

    def _begin(self, kind: Callable[..., Any], method: Method, request: Message | None, timeout: float | None) -> Any:
        if self._is_closed:
            raise grpc.aio.UsageError("Channel is closed.")
        call = kind(Call(self._line, method, timeout), self)
        self._calls[call] = None
        call.begin(request)
        return call
