"""What can be read of the acts on records: a part of the Store that node.ports asks for."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from node.core.state import Act, Place


class ActsReader(Protocol):
    """The acts that verified status entries hold, the ones above a cut too; node.core.acts tells what they make."""

    def acts(self, channel: str, place: Place) -> Sequence[Act]:
        """The acts on the record there or on any revision of it, by place; those on the place alone without one."""
        ...

    def acts_in_force(self, channel: str) -> Mapping[Place, Sequence[Act]]:
        """The acts on each record in force that has any, by its place and by theirs."""
        ...
