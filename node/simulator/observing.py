"""What the simulated world tells whoever watches over it: commits, messages, acknowledgements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.message import Message

from node.core.answer import Answer
from node.core.record import Candidate, Outcome
from node.node import Node
from node.ports import Store

SIDECAR_WRITE = "write_sidecar"


@dataclass(frozen=True, slots=True)
class Write:
    """One call of a StoreTransaction's writing method inside a committed transaction, and what it returned.

    A writing of the sidecar is told likewise, by itself: SIDECAR_WRITE with (incarnation, heads).
    """

    method: str
    arguments: tuple[Any, ...]
    result: Any


@dataclass(frozen=True, slots=True)
class Crossing:
    """One message as it leaves a process; message is parsed from the very bytes that travel.

    method is the method of the service (Hello, Push, Pull, PutReceipts, GetConsistencyProof, GetInclusionProof,
    Explain, ShareAddresses, ReportHeads), call numbers the calls of a run. is_honest: neither altered nor sent by a
    node that lies or is a copy.
    """

    call: int
    method: str
    sender: str
    receiver: str
    is_answer: bool
    message: Message
    size_bytes: int
    is_honest: bool


class Violation(AssertionError):  # noqa: N818 - what it is called everywhere
    """A guarantee that does not hold: its name, the node, and what was found."""

    def __init__(self, guarantee: str, node: str, found: str) -> None:
        super().__init__(f"{guarantee} at {node}: {found}")
        self.guarantee = guarantee
        self.node = node
        self.found = found


class Watcher(Protocol):
    """Sees every step of a run as it happens; raises Violation."""

    def started(self, node: str, instance: Node, store: Store, cause: str) -> None:
        """A process begins to serve on its store; cause is first, crash, restore, lost_on_crash or copy."""
        ...

    def committed(self, node: str, writes: Sequence[Write]) -> None:
        """A transaction of a node is durable."""
        ...

    def crossing(self, crossing: Crossing) -> None:
        """A message leaves a process."""
        ...

    def published(self, node: str, channel: str, candidates: Sequence[Candidate], outcomes: Sequence[Outcome]) -> None:
        """An operator was told that a batch is published."""
        ...

    def erased(self, node: str, channel: str, place: str) -> None:
        """An operator was told that a record is erased; place is epoch/index/position."""
        ...

    def checked(self, node: str, now_ms: int, ground: str, answer: Answer) -> None:
        """An officer was answered about a subject; now_ms is what the node's clock shows."""
        ...

    def happened(self, kind: str, node: str, arguments: Mapping[str, Any]) -> None:
        """An act of the plan has begun (kind) or ended (kind + " ends")."""
        ...
