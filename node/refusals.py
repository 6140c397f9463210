"""Refusals: what was refused is not moved again as things stand.

Whether entries are taken depends on what both sides hold and on what they know of the log. So a log that was refused,
here or by the peer, moves again as soon as any of that has changed:

    our log       its head, its cut, the head its origin stands for, two histories of it; the epoch held before it
    the peer's    the head it claims, or how far it said that it holds the log and which head it wants a proof for;
                  and whether it has started anew
    the origin    which keys sign its heartbeats, and which heads these name
    the registry  as read here, and as the peer says that it has read it

A peer may have learned more than it shows, or have lied and stopped. So it is tried again all the same, each time after
twice as long. Whatever was refused before is tried with one entry; when that is taken, all others follow at once. A
failure of a disk or of the wire, at either end, is no refusal.
"""

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from node.core.channel import awaits_cut
from node.core.entry import origin_of
from node.core.envelope import parse
from node.core.heartbeat import ChannelEpoch
from node.links import Link, Refused, Work
from node.pb import channel_pb2, registry_pb2
from node.ports import Clock, HeldHeartbeat, Lane, Store, View

ASK_AGAIN_MS = 600_000
# Removals travel in the control lane: whatever was refused there waits no longer than this, but where two histories
# are known: nothing new is taken of these, removals included, before the registry says more.
CONTROL_AGAIN_MS = 60_000


class Extent(Enum):
    """How much of a log may move: one entry shows whether it is still refused, and if not, all others follow.

    ONE_FIRST: things have changed, or nothing was tried yet, so that the others may confirm what is unconfirmed alone.
    """

    ALL = "all"
    ONE_FIRST = "one entry first"
    ONE = "one entry"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Word:
    """Which keys sign the newest heartbeat of an origin, and the root over the heads that it names."""

    keys: tuple[str, ...] = ()
    heads_root: bytes = b""


class Refusals:
    """Says what would be refused again. first_ms is how long the same waits after it was refused once."""

    def __init__(self, *, view: View, store: Store, clock: Clock, first_ms: int) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._first_ms = first_ms
        self._words: dict[str, Word] = {}
        self._heard = 0

    def standing(self, link: Link, key: ChannelEpoch, work: Work) -> bytes:
        """A digest of all that decides, as far as it is known here, whether a transfer is refused."""
        log, newest, word = self._store.log(*key), self._store.channel(key[0]), self._word(origin_of(key[0]))
        return _digest(
            (work.theirs, work.probes) if work.pulls else (link.known.get(key, work.start), link.asked_sizes.get(key)),
            (log.size, log.root, log.covered, log.cut, log.quarantined),
            (newest.log.epoch, newest.log.size, newest.log.cut) if newest is not None else None,
            # Of a log that is held, covered says what the heartbeats say of it.
            (word.keys, word.heads_root if not log.size else b""),
            (registry_seen(self._view.versions), self._view.stage, link.registry, link.heard.incarnation),
        )

    def extent(self, link: Link, lane: Lane, key: ChannelEpoch, standing: bytes) -> Extent:
        """How much of a log may move now: nothing of one that was refused as things stand not long ago."""
        refused = link.refused.get(key)
        if refused is None:
            return Extent.ONE_FIRST if self.awaits_cut(key) else Extent.ALL
        if refused.standing != standing:
            return Extent.ONE_FIRST
        is_urgent = lane is Lane.CONTROL and not self._store.log(*key).quarantined
        cap_ms = CONTROL_AGAIN_MS if is_urgent else ASK_AGAIN_MS
        wait_ms = min(self._first_ms << min(refused.times - 1, 20), cap_ms)
        return Extent.NOTHING if abs(self._clock.now_ms() - refused.at_ms) < wait_ms else Extent.ONE

    def awaits_cut(self, key: ChannelEpoch) -> bool:
        """Whether this node takes nothing of a log before its cut is found; nor will a peer that knows no more."""
        origin = self._view.members.get(origin_of(key[0]))
        return origin is not None and awaits_cut(self._store.log(*key), origin)

    def note(self, link: Link, key: ChannelEpoch, standing: bytes) -> None:
        """A transfer was refused; standing is how things stood before it."""
        before = link.refused.get(key)
        times = before.times + 1 if before is not None and before.standing == standing else 1
        link.refused[key] = Refused(standing, times, self._clock.now_ms())

    def _word(self, origin: str) -> Word:
        for beat in self._store.heartbeats_since(self._heard):
            self._words[beat.node] = _word_of(beat)
            self._heard = beat.sequence
        return self._words.get(origin, Word())


def registry_seen(versions: registry_pb2.RegistryVersions) -> tuple[int, int, bytes]:
    """Which files of the registry somebody has read; whatever is newer in a timestamp changes nothing."""
    return versions.root_version, versions.snapshot_version, versions.snapshot_hash[:32]


def _word_of(beat: HeldHeartbeat) -> Word:
    keys = tuple(signature.keyid for signature in beat.view.heartbeat.signatures)
    return Word(keys, parse(channel_pb2.Heartbeat, beat.view.heartbeat.payload).heads_root)


def _digest(*parts: object) -> bytes:
    return sha256(repr(parts).encode()).digest()
