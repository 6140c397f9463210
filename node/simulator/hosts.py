"""The processes on the simulated network, who reaches which of them, and every message as it leaves one."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any, Protocol
from zlib import crc32

from google.protobuf.message import Message

from node.simulator.observing import Crossing
from node.simulator.roads import Note, Roads
from node.simulator.scenario import LinkOptions

Alter = Callable[[Crossing], Message | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as it travels: content, and what it says."""

    message: Message
    content: bytes

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content)

    def again(self) -> "Sent":
        """The same bytes, parsed anew."""
        return Sent(type(self.message).FromString(self.content), self.content)


class Host(Protocol):
    """One process: label tells a copy from the node itself; exchange and registry_port are its servicers or None."""

    @property
    def label(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def is_alive(self) -> bool: ...
    @property
    def certificate(self) -> bytes: ...
    @property
    def exchange(self) -> Any: ...
    @property
    def registry_port(self) -> Any: ...

    def spawn(self, work: Coroutine[Any, Any, Any], name: str | None = None) -> "asyncio.Task[Any]":
        """Run a task that dies with the process."""
        ...


class End(Protocol):
    """One end of a call under way."""

    def crash(self) -> None:
        """The process at this end is gone."""
        ...


class Hosts(Roads):
    """Who is up. dishonest names the labels whose messages are not those of an honest node; copies always are.

    A node in discreet never calls from a copy whom the copy is not visible to, nor from the original whom one is.
    """

    def __init__(
        self,
        random: Random,
        options: Callable[[str, str], LinkOptions],
        watch: Callable[[Crossing], None],
        note: Note,
    ) -> None:
        super().__init__(random, options, note)
        self.alter: Alter | None = None
        self.dishonest: set[str] = set()
        self.discreet: set[str] = set()
        self.messages = 0
        self.numbers = count(1)
        self._watch = watch
        self._plain: dict[str, Host] = {}
        self._copies: dict[str, list[tuple[frozenset[str], Host]]] = {}
        self._ends: dict[Host, dict[End, None]] = {}
        self._addresses: dict[str, int] = {}

    def attach(self, host: Host, visible_to: frozenset[str] | None = None) -> None:
        """Let a process be reached under its node's id: a copy by those in visible_to, the plain one by the rest."""
        if visible_to is not None:
            self._copies.setdefault(host.node, []).append((visible_to, host))
            self.dishonest.add(host.label)
        elif host.node in self._plain:
            raise ValueError(f"{host.node} is attached already")
        else:
            self._plain[host.node] = host
        self._addresses.setdefault(host.node, len(self._addresses) + 1)
        self._ends[host] = {}

    def detach(self, host: Host) -> None:
        """The process is gone: its calls break off, and those that reach for it are refused a connection."""
        if self._plain.get(host.node) is host:
            del self._plain[host.node]
        copies = self._copies.get(host.node, [])
        self._copies[host.node] = [pair for pair in copies if pair[1] is not host]
        for end in self._ends.pop(host, {}):
            end.crash()

    def reached(self, caller: str, node: str) -> Host | None:
        """The process that a caller reaches under a node's id; None where nothing listens."""
        copies = (host for callers, host in self._copies.get(node, ()) if caller in callers)
        host = next(copies, None) or self._plain.get(node)
        return host if host is not None and host.is_alive else None

    def address(self, node: str) -> str:
        """The peer name gRPC would give for a node, the same for as long as the run lasts."""
        number = self._addresses.setdefault(node, len(self._addresses) + 1)
        return f"ipv4:10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:40000"

    # -- calls and messages ---------------------------------------------------------------------------

    def opened(self, host: Host, end: End) -> None:
        """Count the end of a call at a process, so that it breaks off with the process."""
        ends = self._ends.get(host)
        if ends is not None:
            ends[end] = None

    def closed(self, host: Host, end: End) -> None:
        """Forget the end of a call."""
        ends = self._ends.get(host)
        if ends is not None:
            ends.pop(end, None)

    def _is_for_the_other_face(self, sender: Host, receiver: str) -> bool:
        """Whether a discreet node would show a member, who is no registry, two of its processes."""
        to = self._plain.get(receiver)
        is_member = to is None or to.exchange is not None
        return is_member and sender.node in self.discreet and self.reached(receiver, sender.node) is not sender

    def leaving(self, sender: Host, crossing: Crossing, content: bytes) -> Sent | None:
        """What leaves a process, once it has been seen; None where it is swallowed."""
        message = crossing.message
        if self._is_for_the_other_face(sender, crossing.receiver):
            self.note("keeps quiet", sender.label, call=crossing.call, method=crossing.method)
            return None
        if self.alter is not None:
            altered = self.alter(crossing)
            if altered is None:
                self.note("swallowed", sender.label, call=crossing.call, method=crossing.method)
                return None
            if altered is not message:
                content = altered.SerializeToString(deterministic=True)
                message = type(message).FromString(content)
                crossing = replace(crossing, message=message, size_bytes=len(content), is_honest=False)
        self.messages += 1
        self.carry(crossing.sender, crossing.receiver, len(content))
        self.note(
            "answers" if crossing.is_answer else "sends",
            sender.label,
            to=crossing.receiver,
            call=crossing.call,
            method=crossing.method,
            bytes=len(content),
            crc=crc32(content),
        )
        self._watch(crossing)
        return Sent(message, content)
