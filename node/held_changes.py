"""Changes of joint lists that wait for officers of this node, as they are kept: a part of the Store of node.ports.

They never leave the node by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from node.core.list_change import ChangeState
from node.core.state import Place


@dataclass(frozen=True, slots=True)
class HeldChange:
    """A change of a list; times in Unix ms, settled_at_ms 0 while it waits.

    act is what its operations do. target is the entry that is changed, None where subjects are entered, and last the
    place of the last operation on it when the change was drafted. operations and batches count what it holds, digest is
    what officers sign, empty while it is still written. since is the end of the list's log when it was drafted.
    source is the file it came from. fault (a serialized Refusal or b"") says why it is not published though decided.
    """

    id: str
    channel: str
    act: int
    state: ChangeState
    target: Place | None
    last: Place | None
    operations: int
    batches: int
    digest: bytes
    since: Place
    source: str
    drafted_at_ms: int
    until_ms: int
    settled_at_ms: int = 0
    fault: bytes = b""


class ChangesReader(Protocol):
    """What can be read of changes."""

    def change(self, change: str) -> HeldChange | None:
        """One change."""
        ...

    def changes(self, *states: ChangeState) -> Sequence[HeldChange]:
        """The changes in some states, all without any, the oldest first."""
        ...

    def change_batch(self, change: str, batch: int) -> bytes | None:
        """One batch of a change, as its entry will hold it; None once its content is gone."""
        ...


class ChangesWriter(Protocol):
    """What can be written of changes."""

    def put_change(self, change: HeldChange) -> None:
        """Keep a change, or what it has become; its content goes with the first state in which it does not wait."""
        ...

    def put_change_batch(self, change: str, batch: int, content: bytes) -> None:
        """Keep one batch of a change."""
        ...

    def forget_changes(self, before_ms: int) -> None:
        """Forget the changes that were settled before a time; statements about them stay."""
        ...

    def drop_change(self, change: str) -> None:
        """Forget a change that nobody has signed, with its content."""
        ...
