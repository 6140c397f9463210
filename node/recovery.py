"""Recovery: what an origin on a restored database waits for before it writes again."""

from collections.abc import Mapping, Sequence

from node.core.channel import HeadAt
from node.core.heartbeat import ChannelEpoch

NAMED = 5
"""How many members are named where more are waited for."""
OFFICERS_MS = 600_000
"""Officers reopen a member by hand; they see that it waits, and take at least so long."""


class Recovery:
    """What must be given back before this node appends again: the heads it has signed, as far as known.

    Without a sidecar every member that was not removed must say what it holds of ours; a suspended one can when it is
    back, and would fork our history then if we had not waited. Where members are gone for good, the officers end it
    with a cut and a later epoch. An epoch that is listed soon after the start is no answer of theirs:
    the database may be older than its opening, and this node may have written in it already.
    """

    def __init__(self, floor: Mapping[ChannelEpoch, HeadAt], epoch: int, *, ask_all: bool) -> None:
        self.floor = dict(floor)
        self.answered: set[str] = set()
        self._epoch = epoch
        self._first_read_ms = 0
        self.ask_all = ask_all

    def is_reopened(self, epoch: int, read_at_ms: int) -> bool:
        """Whether the officers have opened this epoch as their answer; read_at_ms is when the registry was last read,
        0 for not since the start."""
        self._first_read_ms = self._first_read_ms or read_at_ms
        if read_at_ms - self._first_read_ms < OFFICERS_MS:
            self._epoch = max(self._epoch, epoch)
        return epoch > self._epoch

    def raise_floor(self, heads: Mapping[ChannelEpoch, HeadAt]) -> None:
        """Note heads that were signed as well."""
        for key, head in heads.items():
            if key not in self.floor or self.floor[key].size < head.size:
                self.floor[key] = head

    def unanswered(self, members: Sequence[str]) -> list[str]:
        """Who has not answered yet of those that must."""
        return [node for node in members if node not in self.answered] if self.ask_all else []

    def is_answered(self, members: Sequence[str], read_at_ms: int) -> bool:
        """Whether all that must have answered.

        Who they are only the registry can say, read since the start: the database knows nobody admitted after it.
        """
        return not self.ask_all or (read_at_ms > 0 and not self.unanswered(members))

    def detail(self, held: Mapping[ChannelEpoch, HeadAt], members: Sequence[str]) -> str:
        """What is missing, for people."""
        missing = [
            f"{channel} holds {held[channel, epoch].size if (channel, epoch) in held else 0} of {head.size}"
            for (channel, epoch), head in sorted(self.floor.items())
            if (channel, epoch) not in held or held[channel, epoch].size < head.size
        ]
        waiting = self.unanswered(members)
        if waiting:
            more = f" and {len(waiting) - NAMED} more" if len(waiting) > NAMED else ""
            missing.append(f"waiting for what {', '.join(waiting[:NAMED])}{more} hold of it")
        if self.ask_all and not missing and not self._first_read_ms:
            return "the registry has not been read since the start"
        return "; ".join(missing) or "what it holds is another history than the one it signed"
