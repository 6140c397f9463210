"""Sources: from whom each log is being taken, so that several peers bring several logs and none of them twice.

Every link finds out by itself what its peer has, and most peers have the same. The bulk of a log is taken from one
peer at a time; the links to the others take other logs meanwhile, and go on with this one where it breaks off. Who
brings less than a run in PATIENCE_S counts no more: then another one may bring the same.

Whoever lacks much knows best from whom to take it, and takes it as soon as it has compared. So a peer that is found to
lack much is left to fetch it, where this node can be called, for as long as it holds more at each comparison; only then
it is sent the log. Several that send the same at once would find that out by the answers, when all is on the wire. What
is being sent is not asked for beside that. And who was just given what it asked for may still have it on the way: it is
compared with before it is sent more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from node.admission import root_at
from node.core.heartbeat import ChannelEpoch
from node.links import Link, Work
from node.ports import Clock, Store

PATIENCE_S = 10.0
SENDING_S = 1.0
"""Who sends a log has so long from one run of entries to the next."""
PULL_S = 3.0
FORGOTTEN_S = 30.0
PULLED_ENTRIES = 8
"""Who lacks fewer entries is sent them at once."""
ON_THE_WAY_S = 2.0
"""What a peer was given whole on a stream is in its hands after so long."""


@dataclass(slots=True)
class _Lacking:
    """How much of a log a peer held when it was found to lack much of it, and whether it was looked at again since."""

    since_s: float
    size: int
    compared: bool = False


class Sources:
    """Notes who brings what. freed is told when a log has another source no more."""

    def __init__(self, me: str, store: Store, clock: Clock, freed: Callable[[], None]) -> None:
        self._me = me
        self._store = store
        self._clock = clock
        self._freed = freed
        self._bringing: dict[ChannelEpoch, tuple[str, float]] = {}
        self._sending: dict[ChannelEpoch, tuple[str, float]] = {}
        self._lacking: dict[tuple[str, ChannelEpoch], _Lacking] = {}
        self._given_s: dict[tuple[str, ChannelEpoch], float] = {}

    def of(self, key: ChannelEpoch) -> str:
        """The peer that a log is being taken from, empty for none."""
        return self._recent(self._bringing, key, PATIENCE_S) or self._recent(self._sending, key, SENDING_S)

    def is_moving(self) -> bool:
        """Whether any log is being taken from a peer."""
        return any(map(self.of, {*self._bringing, *self._sending}))

    def given(self, node: str, key: ChannelEpoch) -> None:
        """A peer was given all of a log that it asked for."""
        self._given_s[node, key] = self._clock.monotonic_s()

    def is_on_the_way(self, node: str, key: ChannelEpoch) -> bool:
        """Whether what a peer was given of a log may not have arrived yet."""
        given_s = self._given_s.get((node, key))
        return given_s is not None and self._clock.monotonic_s() - given_s < ON_THE_WAY_S

    def has_arrived(self, node: str, key: ChannelEpoch) -> bool:
        """Whether what a peer was given must have arrived by now; told once."""
        return not self.is_on_the_way(node, key) and self._given_s.pop((node, key), None) is not None

    def _recent(self, noted: dict[ChannelEpoch, tuple[str, float]], key: ChannelEpoch, within_s: float) -> str:
        node, moved_s = noted.get(key, ("", 0.0))
        return node if node and self._clock.monotonic_s() - moved_s < within_s else ""

    def sent(self, node: str, key: ChannelEpoch) -> None:
        """A peer has sent a run of a log that is held here."""
        self._sending[key] = (node, self._clock.monotonic_s())

    def next(self, link: Link) -> ChannelEpoch | None:
        """Which of the logs of a link moves next: the one that lacks least, of those that no other peer brings."""
        link.bulk = {key: work for key, work in link.bulk.items() if not self._is_here(key, work)}
        free = [(self._amount(link, key, work), key) for key, work in link.bulk.items() if self._is_free(link, key)]
        return min(free)[1] if free else None

    def _is_here(self, key: ChannelEpoch, work: Work) -> bool:
        """Whether another peer has meanwhile brought what a comparison found at this one."""
        held = self._store.channel(*key)
        if held is None or work.theirs is None or work.probes or held.log.size < work.theirs.size:
            return False
        return root_at(self._store, held.log, work.theirs.size) == work.theirs.root

    def _is_free(self, link: Link, key: ChannelEpoch) -> bool:
        work = link.bulk[key]
        if work.pulls:
            return not self.of(key)
        return not self.is_on_the_way(link.node, key) and not self._is_left_to(link, key, work)

    def _is_left_to(self, link: Link, key: ChannelEpoch, work: Work) -> bool:
        """Whether a peer that lacks much of a log is still given the time to fetch it."""
        own = self._store.address(self._me)
        if own is None or not own.record.exchange_endpoint or self._amount(link, key, work) < PULLED_ENTRIES:
            return False
        now_s, size, at = self._clock.monotonic_s(), link.known.get(key, work.start), (link.node, key)
        noted = self._lacking.get(at)
        if noted is None or size > noted.size or now_s - noted.since_s >= FORGOTTEN_S:
            noted = self._lacking[at] = _Lacking(now_s, size)
        return now_s - noted.since_s < PULL_S or not noted.compared

    def is_to_be_compared(self, node: str, key: ChannelEpoch) -> bool:
        """Whether a peer has had its time to fetch what it lacks; told once, so that somebody looks how it stands."""
        noted = self._lacking.get((node, key))
        if noted is None or noted.compared or self._clock.monotonic_s() - noted.since_s < PULL_S:
            return self.has_arrived(node, key)
        noted.compared = True
        return True

    def _amount(self, link: Link, key: ChannelEpoch, work: Work) -> int:
        """How many entries are to move, as far as that is known; how large they are nobody says."""
        held = self._store.channel(*key)
        size = held.log.size if held is not None else 0
        if not work.pulls:
            return size - link.known.get(key, work.start)
        return max(work.theirs.size - size, 0) if work.theirs is not None else 0

    def moved(self, link: Link, key: ChannelEpoch) -> None:
        """A whole run of a log has come from a peer."""
        if self._bringing.get(key, ("", 0.0))[0] == link.node:
            self._bringing[key] = (link.node, self._clock.monotonic_s())

    @contextmanager
    def bringing(self, link: Link, key: ChannelEpoch) -> Iterator[None]:
        """While a log is taken from a peer; afterwards the others look at what is left of it."""
        self._bringing[key] = (link.node, self._clock.monotonic_s())
        try:
            yield
        finally:
            if self._bringing.get(key, ("", 0.0))[0] == link.node:
                del self._bringing[key]
            self._freed()
