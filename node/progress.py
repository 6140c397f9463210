"""Progress: how much of what is announced is here, how fast the rest comes, and since when this node is of use.

What a heartbeat of its origin names is announced: entries of a log, signed. How many records they hold, and how many
bytes, nobody has signed before they are here. A node is of use once it has compared with a peer and

    every log of the control lane, lists among them, is applied as far as it is announced, and
    of every other log at least the removals are here: see node.removals

from then on records that are missing are missing, and nothing that was taken back is answered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from node.admission import is_own, lane_of
from node.arrivals import Arrivals
from node.core.answer import ConsultedList, Doubt
from node.core.entry import origin_of
from node.core.heartbeat import ChannelEpoch
from node.core.list_fold import is_list
from node.core.pace import Amount, Pace
from node.links import Link
from node.ports import Clock, HeldChannel, Lane, LinkState, Store, View
from node.removals import Removals, told_size
from node.sources import Sources

STILL_S = 10


@dataclass(frozen=True, slots=True)
class LogProgress:
    """One log of another node. announced is 0 where no heartbeat of its origin names it; waits says why it stands."""

    key: ChannelEpoch
    lane: Lane
    size: int
    applied_size: int
    announced: int
    records: int
    removals_size: int
    source: str
    waits: str

    @property
    def missing(self) -> int:
        """How many announced entries are not applied here."""
        return max(self.announced - self.applied_size, 0)

    @property
    def to_come(self) -> int:
        """How many announced entries are not here."""
        return max(self.announced - self.size, 0)


@dataclass(frozen=True, slots=True)
class Group:
    """The logs of one origin in one lane, or of all origins in one."""

    origin: str
    lane: Lane
    logs: Sequence[LogProgress]
    pace: Pace


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything at one moment. Times in Unix ms, useful_since_ms 0 for not yet; resting are links that failed."""

    now_ms: int
    started_ms: int
    useful_since_ms: int
    is_complete: bool
    compared: Sequence[str]
    resting: Sequence[LinkState]
    groups: Sequence[Group]
    lanes: Sequence[Group]
    doubts: Mapping[str, Sequence[Doubt]]
    new: Amount
    again: Amount


class Progress:
    """Looks at what is here. links are those that are kept; lists tells how sure each list is."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        clock: Clock,
        arrivals: Arrivals,
        sources: Sources,
        removals: Removals,
        links: Callable[[], Mapping[str, Link]],
        lists: Callable[[int], Mapping[str, ConsultedList]],
    ) -> None:
        self._view, self._store, self._clock = view, store, clock
        self._arrivals, self._sources, self._removals = arrivals, sources, removals
        self._links, self._lists = links, lists
        self._started_ms = clock.now_ms()
        self._useful_since_ms = 0

    def note(self) -> None:
        """A turn of a link has ended: whether this node is of use now is seen when it happens, not when it is asked."""
        if not self._useful_since_ms and self._is_complete(self._logs()):
            self._useful_since_ms = self._clock.now_ms()

    def look(self) -> Seen:
        """How everything stands."""
        self.note()
        logs, now_ms = self._logs(), self._clock.now_ms()
        lanes = [self._group("", lane, [log for log in logs if log.lane is lane]) for lane in Lane]
        origins = sorted({(origin_of(log.key[0]), log.lane) for log in logs})
        return Seen(
            now_ms=now_ms,
            started_ms=self._started_ms,
            useful_since_ms=self._useful_since_ms,
            is_complete=self._is_complete(logs),
            compared=self._compared(),
            resting=[state for state in map(self._store.link, self._links()) if state.failure],
            groups=[self._group(*at, [log for log in logs if _at(log) == at]) for at in origins],
            lanes=lanes,
            doubts={name: each.doubts for name, each in self._lists(now_ms).items() if each.doubts},
            new=sum((each.new for each in self._arrivals.of.values()), Amount()),
            again=sum((each.again for each in self._arrivals.of.values()), Amount()),
        )

    def _group(self, origin: str, lane: Lane, logs: Sequence[LogProgress]) -> Group:
        return Group(origin, lane, logs, self._arrivals.pace([log.key for log in logs]))

    def _compared(self) -> list[str]:
        return [node for node, link in self._links().items() if link.heard.incarnation]

    def _is_complete(self, logs: Sequence[LogProgress]) -> bool:
        return bool(self._compared()) and all(map(self._is_of_use, logs))

    def _is_of_use(self, log: LogProgress) -> bool:
        if log.lane is Lane.CONTROL or not log.announced or not log.size:
            return log.announced > 0 and not log.missing
        held = self._store.channel(*log.key)
        return held is not None and self._removals.lacked(held) is None

    # -- one log --------------------------------------------------------------------------------------------

    def _logs(self) -> list[LogProgress]:
        """The logs of others that are held, and those that heartbeats name and nothing of which is here."""
        held = [each for each in self._store.channels() if self._is_followed(each)]
        found, known = [self._log(each) for each in held], {each.key for each in self._store.channels()}
        for beat in self._store.heartbeats_since(0):
            for head in (item.head for item in beat.view.heads):
                if (head.channel, head.epoch) not in known and not is_own(self._view, head.channel):
                    lane = Lane.CONTROL if is_list(head.channel) else Lane.BULK
                    waits = self._waits_for_peer()
                    found.append(LogProgress((head.channel, head.epoch), lane, 0, 0, head.size, 0, 0, "", waits))
        return sorted(found, key=lambda log: (log.lane, log.key))

    def _is_followed(self, held: HeldChannel) -> bool:
        return held.left_at is None and not is_own(self._view, held.log.channel)

    def _log(self, held: HeldChannel) -> LogProgress:
        head = self._removals.head(held)
        announced = head.size if head is not None else 0
        return LogProgress(
            key=held.key,
            lane=lane_of(held.manifest),
            size=held.log.size,
            applied_size=held.applied_size,
            announced=announced,
            records=held.records,
            removals_size=max(held.log.size, told_size(self._store, held.key)),
            source=self._sources.of(held.key),
            waits=self._waits(held, announced) if held.applied_size < max(announced, held.log.size, 1) else "",
        )

    def _waits(self, held: HeldChannel, announced: int) -> str:
        """Why a log stands, empty while it moves."""
        moved = self._arrivals.of.get(held.key)
        if moved is not None and moved.recent and self._clock.monotonic_s() - moved.recent[-1][0] < STILL_S:
            return ""
        if held.log.quarantined:
            return "the officers: its origin has signed two histories"
        following = self._store.entry(*held.key, held.applied_size) if held.applied_size < held.log.size else None
        if following is not None:
            return "the fold, or the registry" if following.complete else "content that no peer has given"
        return "a heartbeat of its origin" if not announced else self._waits_for_peer()

    def _waits_for_peer(self) -> str:
        if any(link.bulk for link in self._links().values()):
            return "its turn"
        return "the next comparison" if self._compared() else "a peer that answers"


def _at(log: LogProgress) -> tuple[str, Lane]:
    return origin_of(log.key[0]), log.lane
