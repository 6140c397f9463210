"""One call over the simulated network, and what both of its ends share.

The ends are in grpc_client.py (what a stub gives) and grpc_context.py (what a servicer is given).
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf import message_factory
from google.protobuf.message import Message

from node.pb import exchange_service_pb2, registry_service_pb2
from node.ports import Lane
from node.simulator.hosts import Host, Hosts, Sent
from node.simulator.observing import Crossing
from node.simulator.roads import Course

WINDOW_BYTES = 65_536
"""How much may be under way to a reader that does not read, as HTTP/2 begins with."""

Trailing = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How a call ended."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""
    trailing: Trailing = ()

    def error(self) -> grpc.aio.AioRpcError:
        """The error that the caller gets."""
        trailing = grpc.aio.Metadata(*self.trailing)
        return grpc.aio.AioRpcError(self.code, grpc.aio.Metadata(), trailing, self.details, self.details)


FINE = Status()


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a service."""

    name: str
    is_exchange: bool
    request: type[Message]
    response: type[Message]
    streams_in: bool
    streams_out: bool


def _methods() -> dict[str, Method]:
    exchange = exchange_service_pb2.DESCRIPTOR.services_by_name["ExchangeService"]
    registry = registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"]
    found = {}
    for service in (exchange, registry):
        for method in service.methods:
            found[f"/{service.full_name}/{method.name}"] = Method(
                method.name,
                service is exchange,
                message_factory.GetMessageClass(method.input_type),
                message_factory.GetMessageClass(method.output_type),
                method.client_streaming,
                method.server_streaming,
            )
    return found


METHODS = _methods()
"""By the path that a stub names."""


class Inbox:
    """The messages that have arrived at one end and are not read yet; the other end stops at a full window."""

    __slots__ = ("_ended", "_messages", "_reader", "_unread", "_writer")

    def __init__(self) -> None:
        self._messages: deque[Sent] = deque()
        self._unread = 0
        self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything that has arrived is read."""
        return not self._messages

    async def room(self) -> None:
        """For the writer: wait until the window is not full, or the call is over."""
        while self._unread >= WINDOW_BYTES:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def sent(self, size: int) -> None:
        """For the writer: a message is on its way."""
        self._unread += size

    def put(self, sent: Sent) -> None:
        """A message arrives."""
        if not self._ended:
            self._messages.append(sent)
            _wake(self._reader)

    async def take(self) -> Any:
        """The next message; EOF after the last one."""
        while not self._messages:
            if self._ended:
                return grpc.aio.EOF
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        sent = self._messages.popleft()
        self._unread -= sent.size
        _wake(self._writer)
        return sent.message

    def end(self, *, drop: bool = False) -> None:
        """Nothing more arrives; drop also forgets what is not read."""
        self._ended = True
        if drop:
            self._messages.clear()
        _wake(self._reader)

    def release(self) -> None:
        """Let a writer go on that waits for room: the call is over."""
        self._unread = 0
        _wake(self._writer)


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


@dataclass(frozen=True, slots=True)
class Line:
    """One connection: accepted are the certificates (DER) that the caller takes, None where it asks for none."""

    hosts: Hosts
    caller: Host
    node: str
    lane: Lane | None
    accepted: tuple[bytes, ...] | None
    shown_pem: bytes

    def there(self) -> Course:
        """The way of one call from the caller."""
        return Course(self.hosts, self.caller.node, self.node, self.lane)

    def back(self) -> Course:
        """The way of one call to the caller."""
        return Course(self.hosts, self.node, self.caller.node, self.lane)


class Call:
    """What both ends of a call know: its number, its method, who calls whom on which connection."""

    __slots__ = ("_answers_left", "caller", "hosts", "line", "method", "node", "number", "timeout_s")

    def __init__(self, line: Line, method: Method, timeout_s: float | None) -> None:
        self.line = line
        self.hosts = line.hosts
        self.caller = line.caller
        self.node = line.node
        self.method = method
        self.timeout_s = timeout_s
        self.number = next(self.hosts.numbers)
        self._answers_left = self._draw_lost_answer()

    def request(self, content: bytes) -> Sent | None:
        """A message of the caller as it leaves its process; None where it does not."""
        return self._leaving(self.caller, self.node, False, self.method.request, content)

    def response(self, host: Host, content: bytes) -> Sent | None:
        """A message of the called process as it leaves it; None where it does not."""
        return self._leaving(host, self.caller.node, True, self.method.response, content)

    def is_duplicated(self) -> bool:
        """Draw whether the whole call arrives twice."""
        options = self.hosts.options_between(self.caller.node, self.node)
        return not self.hosts.quiet and self.hosts.draws(options.duplicate)

    def is_reset(self, *, is_answer: bool) -> bool:
        """Draw whether the connection is reset at this message."""
        ends = (self.node, self.caller.node) if is_answer else (self.caller.node, self.node)
        return not self.hosts.quiet and self.hosts.draws(self.hosts.options_between(*ends).reset)

    def loses_answer(self) -> bool:
        """Whether this answer, or the status that ends the call, is the one that never comes."""
        self._answers_left -= 1
        return self._answers_left == 0

    def note(self, kind: str, host: Host, **facts: object) -> None:
        """Note something about this call."""
        self.hosts.note(kind, host.label, call=self.number, method=self.method.name, **facts)

    def _draw_lost_answer(self) -> int:
        """Which answer is lost, counted from 1; 0 for none."""
        options = self.hosts.options_between(self.node, self.caller.node)
        if self.hosts.quiet or not self.hosts.draws(options.lost_answer):
            return 0
        return self.hosts.random.randint(1, 8) if self.method.streams_out else 1

    def _leaving(
        self, sender: Host, receiver: str, is_answer: bool, kind: type[Message], content: bytes
    ) -> Sent | None:
        if not sender.is_alive:
            return None
        crossing = Crossing(
            call=self.number,
            method=self.method.name,
            sender=sender.node,
            receiver=receiver,
            is_answer=is_answer,
            message=kind.FromString(content),
            size_bytes=len(content),
            is_honest=sender.label not in self.hosts.dishonest,
        )
        return self.hosts.leaving(sender, crossing, content)
