"""Signed heads: a part of publishing that knows which heads of its own logs this node has signed.

They stand in the sidecar, beside the database, so that a database that was put back can be told from one that is whole.
Only what is noted there leaves this node.
"""

from collections.abc import Mapping

from node.admission import is_own, root_at
from node.core.channel import HeadAt, Log
from node.core.heartbeat import ChannelEpoch
from node.ports import HeadsSidecar, Store, View


class SignedHeads:
    """The heads this node has signed, by (channel, epoch), and those its database holds."""

    def __init__(self, view: View, store: Store, sidecar: HeadsSidecar) -> None:
        self._view = view
        self._store = store
        self._sidecar = sidecar
        self.known: Mapping[ChannelEpoch, HeadAt] = {}

    def read(self) -> tuple[str, Mapping[ChannelEpoch, HeadAt]] | None:
        """What was noted: the database it belongs to, and the heads. None where that is missing or unreadable."""
        return self._sidecar.read()

    def held(self) -> dict[ChannelEpoch, HeadAt]:
        """The heads that the database holds."""
        own = [held for held in self._store.channels() if is_own(self._view, held.log.channel)]
        return {held.key: HeadAt(held.log.size, held.log.root) for held in own}

    def trust(self, heads: Mapping[ChannelEpoch, HeadAt]) -> None:
        """Let heads leave this node: durably noted first. Raises DISK_FULL, DATABASE."""
        self._sidecar.write(self._store.incarnation(), heads)
        self.known = dict(heads)

    def size_of(self, key: ChannelEpoch) -> int:
        """How many entries of a log were signed, as far as noted."""
        head = self.known.get(key)
        return head.size if head is not None else 0

    def is_last(self, log: Log) -> bool:
        """Whether a log stands at the head that was noted last, or nothing was noted of it."""
        head = self.known.get((log.channel, log.epoch))
        return head is None or (log.size, log.root) == (head.size, head.root)

    def is_behind(self, floor: Mapping[ChannelEpoch, HeadAt]) -> bool:
        """Whether the database lacks something of these heads that this node could write otherwise."""
        return any(not self._reaches(key, head) for key, head in floor.items() if self._is_writable(key[1]))

    def _is_writable(self, epoch: int) -> bool:
        """Whether this node may still append to logs of an epoch; what it lacks of closed ones it cannot fork."""
        member = self._view.members.get(self._view.me)
        return member is None or epoch >= member.open_epoch

    def _reaches(self, key: ChannelEpoch, head: HeadAt) -> bool:
        held = self._store.channel(*key)
        return held is not None and root_at(self._store, held.log, head.size) == head.root
