"""The called end of a call: the context that a servicer of the production code is given, and its task."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Never, Protocol

import grpc
import grpc.aio
from google.protobuf.message import Message

from node.simulator.grpc_call import FINE, Call, Inbox, Status, Trailing
from node.simulator.hosts import Host, Sent

REFUSED = "failed to connect to all addresses; last error: connect: Connection refused (111)"
HANDSHAKE = "Ssl handshake failed (TSI_PROTOCOL_FAILURE): certificate verify failed"
CLOSED = "Socket closed"
FINISHED = "RPC already finished."


class CallerEnd(Protocol):
    """The other end, as things arrive there."""

    @property
    def inbox(self) -> Inbox: ...
    @property
    def is_over(self) -> bool: ...

    def arrives(self, sent: Sent) -> None:
        """A message of a stream."""
        ...

    def ends(self, status: Status, answer: Sent | None = None) -> None:
        """The status, with the answer where there is a single one; messages before it are still read."""
        ...

    def breaks(self, details: str) -> None:
        """The connection is gone, and with it what is not read."""
        ...

    def reset(self) -> None:
        """Break the connection for every call on it."""
        ...


class Context:
    """grpc.aio.ServicerContext as far as this project's servicers use it.

    Without a client it is the second run of a duplicated call: it has its effects, and its answers go nowhere.
    """

    __slots__ = ("_back", "_call", "_client", "_deadline", "_host", "_is_over", "_status", "_task", "inbox")

    def __init__(self, call: Call, client: CallerEnd | None) -> None:
        self.inbox = Inbox()
        self._call = call
        self._client = client
        self._back = call.line.back()
        self._host: Host | None = None
        self._task: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._status: Status | None = None
        self._is_over = False

    # -- as things arrive -----------------------------------------------------------------------------

    def begin(self, request: Sent | None = None) -> None:
        """The call arrives, with its request where there is a single one."""
        if self._is_over:
            return None
        host = self._call.hosts.reached(self._call.caller.node, self._call.node)
        method, accepted = self._call.method, self._call.line.accepted
        if host is None:
            return self._unreached(REFUSED)
        if accepted is not None and host.certificate not in accepted:
            return self._unreached(HANDSHAKE)
        servicer = host.exchange if method.is_exchange else host.registry_port
        if servicer is None:
            return self._unreached(REFUSED)
        self._host = host
        self._call.hosts.opened(host, self)
        if self._call.timeout_s is not None:
            self._deadline = asyncio.get_running_loop().call_later(self._call.timeout_s, self.cancel)
        work = self._run(getattr(servicer, method.name), self if request is None else request.message)
        self._task = host.spawn(work, f"{method.name} {self._call.number}")
        return None

    def arrives(self, sent: Sent) -> None:
        """A message of the caller's stream."""
        self.inbox.put(sent)

    def half_close(self) -> None:
        """The caller sends nothing more."""
        self.inbox.end()

    def cancel(self) -> None:
        """The caller has given up, or cannot be reached any more: whoever works on the call is cancelled."""
        if self._is_over:
            return
        self._close()
        self._back.recall()
        if self._task is not None:
            self._task.cancel()

    def crash(self) -> None:
        """The called process is gone; the caller learns it as its connection breaks."""
        self._close()
        if self._client is not None:
            self._back.send(0, self._client.breaks, CLOSED)

    # -- the servicer's side --------------------------------------------------------------------------

    async def read(self) -> Any:
        """The next request, EOF after the last one."""
        return await self.inbox.take()

    async def write(self, message: Message) -> None:
        """Send one message of the stream; waits while the caller does not read.

        It leaves the process when it is given to the transport: from then on nobody can take it back.
        """
        self._check_open()
        if self._client is None:
            return
        sent = self._leaving(message)
        if sent is None:
            return
        await self._client.inbox.room()
        self._check_open()
        self._send(sent)

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Trailing = ()) -> Never:
        """End the call with a status."""
        self._check_open()
        self._finish(Status(code, details, tuple(trailing_metadata)))
        raise grpc.aio.AbortError("Locally aborted.")

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """What the caller's certificate says; empty where none was asked for."""
        shown = self._call.line.shown_pem
        return {"x509_pem_cert": [shown]} if shown else {}

    def peer(self) -> str:
        """The caller's address."""
        return self._call.hosts.address(self._call.caller.node)

    def invocation_metadata(self) -> grpc.aio.Metadata:
        """None is ever sent."""
        return grpc.aio.Metadata()

    def cancelled(self) -> bool:
        """Whether the caller has given up."""
        return self._is_over and self._status is None

    def done(self) -> bool:
        """Whether the call is over."""
        return self._is_over

    # -- the work -------------------------------------------------------------------------------------

    async def _run(self, method: Any, request: Any) -> None:
        try:
            answer = await self._carry_out(method, request)
        except grpc.aio.AbortError:
            return
        except asyncio.CancelledError:
            self._finish(Status(grpc.StatusCode.CANCELLED, "the call was given up"))
            raise
        except Exception as error:  # noqa: BLE001 - as gRPC does it: the caller gets its text
            self._finish(Status(grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}"))
            return
        self._finish(FINE, answer)

    async def _carry_out(self, method: Any, request: Any) -> Message | None:
        """The answer, where there is a single one; a servicer's stream is written by it, or yielded."""
        called = method(request, self)
        if not hasattr(called, "__aiter__"):
            answer: Message | None = await called
            return None if self._call.method.streams_out else answer
        async with aclosing(called):
            async for message in called:
                await self.write(message)
        return None

    def _send(self, sent: Sent) -> None:
        client = self._client
        assert client is not None
        client.inbox.sent(sent.size)
        self._back.send(sent.size, self._arrive_there, sent)

    def _arrive_there(self, sent: Sent) -> None:
        client = self._client
        assert client is not None
        if client.is_over:
            # Nobody is there: what the caller's machine says to that ends the call here as well.
            self._call.line.there().send(0, self.cancel)
        else:
            client.arrives(sent)

    def _finish(self, status: Status, answer: Message | None = None) -> None:
        host, client = self._host, self._client
        assert host is not None
        if self._is_over or not host.is_alive:
            return
        self._status = status
        self._close()
        if client is None:
            return
        if status.code is not grpc.StatusCode.OK:
            self._call.note("refuses", host, status=status.code.name, details=status.details)
        if answer is not None:
            sent = self._leaving(answer)
            if sent is not None:
                self._back.send(sent.size, client.ends, status, sent)
        elif self._call.loses_answer():
            self._lose()
        else:
            self._back.send(0, client.ends, status)

    def _leaving(self, message: Message) -> Sent | None:
        """The message as it travels; None where it does not, and then nothing after it does."""
        host, client = self._host, self._client
        assert host is not None
        assert client is not None
        sent = self._call.response(host, message.SerializeToString(deterministic=True))
        if sent is None:
            self._back.is_silent = True
        elif self._call.loses_answer():
            self._lose()
        elif self._call.is_reset(is_answer=True):
            client.reset()
            self._back.is_silent = True
        else:
            return sent
        return None

    def _lose(self) -> None:
        """The connection breaks before the answer is through."""
        host, client = self._host, self._client
        assert host is not None
        assert client is not None
        self._call.note("loses answer", host)
        self._back.send(0, client.breaks, CLOSED)
        self._back.is_silent = True
        self._call.line.there().send(0, self.cancel)

    def _unreached(self, details: str) -> None:
        self._close()
        if self._client is not None:
            self._back.send(0, self._client.breaks, details)

    def _check_open(self) -> None:
        if self._is_over:
            raise grpc.aio.UsageError(FINISHED)

    def _close(self) -> None:
        self._is_over = True
        self.inbox.end(drop=True)
        if self._client is not None:
            self._client.inbox.release()
        if self._deadline is not None:
            self._deadline.cancel()
        if self._host is not None:
            self._call.hosts.closed(self._host, self)
