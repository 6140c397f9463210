"""The calling end of a call: what a stub gives to the production code, like the calls of grpc.aio."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Protocol

import grpc
import grpc.aio
from google.protobuf.message import Message

from node.simulator.grpc_call import FINE, Call, Inbox, Status
from node.simulator.grpc_context import Context
from node.simulator.hosts import Sent
from node.simulator.roads import Course

CANCELLED = Status(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
LATE = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class Connection(Protocol):
    """What a call belongs to."""

    def reset(self) -> None:
        """Break the connection for every call on it."""
        ...

    def forget(self, call: "ClientCall") -> None:
        """The call is over."""
        ...


class ClientCall:
    """A call as its caller holds it; the request of a unary call is sent with begin()."""

    def __init__(self, call: Call, connection: Connection) -> None:
        self.inbox = Inbox()
        self._call = call
        self._connection = connection
        self._status: Status | None = None
        self._context: Context | None = Context(call, self)
        self._there = call.line.there()
        self._duplicate: tuple[Course, Context] | None = None
        if call.is_duplicated():
            call.note("arrives twice", call.caller)
            self._duplicate = (call.line.there(), Context(call, None))
        self._deadline: asyncio.TimerHandle | None = None
        if call.timeout_s is not None:
            self._deadline = asyncio.get_running_loop().call_later(call.timeout_s, self._expire)
        call.hosts.opened(call.caller, self)

    # -- sending --------------------------------------------------------------------------------------

    def begin(self, request: Message | None) -> None:
        """Let the call arrive at the other side, with its request where there is a single one."""
        if request is None:
            self._tell(Context.begin)
            return
        sent = self._leaving(request.SerializeToString(deterministic=True))
        if sent is not None:
            self._tell(Context.begin, sent)

    async def send_serialized_message(self, content: bytes) -> None:
        """Send one message of a stream; waits while the other side does not read.

        It leaves the process when it is given to the transport: from then on nobody can take it back.
        """
        if self._context is None:
            raise grpc.aio.InternalError("the call is over")
        sent = self._leaving(content)
        if self._context is not None:
            await self._context.inbox.room()
        if self._context is None:
            raise grpc.aio.InternalError("the call is over")
        self._context.inbox.sent(len(content))
        if sent is not None:
            self._tell(Context.arrives, sent)

    @property
    def _cython_call(self) -> "ClientCall":
        """Where node.rpc.writing finds send_serialized_message."""
        return self

    async def done_writing(self) -> None:
        """Say that nothing more comes."""
        self._tell(Context.half_close)

    async def wait_for_connection(self) -> None:
        """Raises what ended the call, where it is over."""
        if self.done():
            self._raise_for_status()

    def _tell(self, event: Callable[..., None], sent: Sent | None = None) -> None:
        """Let something arrive at the other side, of a duplicated call twice."""
        if self._context is None:
            return
        size = 0 if sent is None else sent.size
        self._there.send(size, event, self._context, *(() if sent is None else (sent,)))
        if self._duplicate is not None:
            course, context = self._duplicate
            course.send(size, event, context, *(() if sent is None else (sent.again(),)))

    def _leaving(self, content: bytes) -> Sent | None:
        """The message as it travels; None where it does not, and then nothing after it does."""
        sent = self._call.request(content)
        if sent is not None and self._call.is_reset(is_answer=False):
            self.reset()
            sent = None
        if sent is None:
            self._there.is_silent = True
        return sent

    # -- as things arrive -----------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether a status is there, read or not."""
        return self._status is not None

    def arrives(self, sent: Sent) -> None:
        """A message of the stream."""
        self.inbox.put(sent)

    def ends(self, status: Status, answer: Sent | None = None) -> None:  # noqa: ARG002 - streams have none
        """The status; messages before it are still read."""
        self._finish(status)

    def breaks(self, details: str) -> None:
        """The connection is gone, and with it what is not read."""
        self._finish(Status(grpc.StatusCode.UNAVAILABLE, details), drop=True)

    def reset(self) -> None:
        """Break the connection for every call on it."""
        self._connection.reset()

    def break_off(self, details: str) -> None:
        """The connection is reset: both ends know."""
        if self._context is not None:
            self._context.cancel()
        self.breaks(details)

    def crash(self) -> None:
        """The calling process is gone; the other side is told by its machine."""
        self._give_up(CANCELLED)

    def _expire(self) -> None:
        self._give_up(LATE)

    def _give_up(self, status: Status) -> None:
        self._there.recall()
        self._tell(Context.cancel)
        self._finish(status, drop=True)

    def _finish(self, status: Status, *, drop: bool = False) -> None:
        if self._context is None:
            return
        self._status = status
        if status.code is not grpc.StatusCode.OK:
            self._call.note("fails", self._call.caller, status=status.code.name)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._duplicate is not None and self._call.method.streams_in:
            course, context = self._duplicate
            course.send(0, context.half_close)
        self.inbox.end(drop=drop)
        self._context.inbox.release()
        # The ends know each other; nothing may be left to the garbage collector, which is off in a run.
        self._context = self._duplicate = None
        self._connection.forget(self)
        self._call.hosts.closed(self._call.caller, self)

    # -- what grpc.aio offers -------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the call is over and everything that came before its status is read."""
        return self._status is not None and self.inbox.is_empty

    def cancelled(self) -> bool:
        """Whether the caller has given up."""
        return self._status is CANCELLED

    def cancel(self) -> bool:
        """Give up; whether there was anything to give up."""
        if self.done():
            return False
        self._give_up(CANCELLED)
        # A status that is there already counts no more either, nor what came before it and is not read.
        self._status = CANCELLED
        self.inbox.end(drop=True)
        return True

    def _raise_for_status(self) -> None:
        status = self._status or FINE
        if status is CANCELLED:
            raise asyncio.CancelledError
        if status.code is not grpc.StatusCode.OK:
            raise status.error()


class StreamCall(ClientCall):
    """A call that is answered by a stream."""

    async def read(self) -> Any:
        """The next answer, EOF after the last one; raises grpc.aio.AioRpcError."""
        try:
            message = await self.inbox.take()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if message is grpc.aio.EOF:
            self._raise_for_status()
        return message

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message


class UnaryCall(ClientCall):
    """A call with one answer."""

    def __init__(self, call: Call, connection: Connection) -> None:
        super().__init__(call, connection)
        self._answer: Sent | None = None
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ends(self, status: Status, answer: Sent | None = None) -> None:
        """The status and the answer."""
        self._answer = answer
        super().ends(status)

    def _finish(self, status: Status, *, drop: bool = False) -> None:
        super()._finish(status, drop=drop)
        if not self._over.done():
            self._over.set_result(None)

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            yield from self._over
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for_status()
        assert self._answer is not None, "a call that went well has an answer"
        return self._answer.message
