"""How sure the lists are that this node may read: a part of checking, worked out once for many answers.

    facts     what the store says of each list; read again only where something may have been written since
    doubts    what view, clock and the talk of origins make of the facts; worked out anew at every look

The store's generation tells whether something may have been written. It is asked before the facts are read: what is
committed meanwhile makes another one, so facts may be newer than their generation, and are never older.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.admission import is_own
from node.core.answer import ConsultedList, Doubt, Knowledge, doubts_of
from node.core.audience import DEFAULT_STALENESS_LIMIT_S
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_fold import is_list
from node.core.list_type import KIND_NAMES
from node.core.membership import Standing
from node.held_lists import DigestStatus
from node.list_standing import is_whole
from node.ports import HeldChannel, Stage, Store, View
from node.regained import Regained


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is held of one list; held is None where nothing of it was received, or its kind is unknown."""

    held: HeldChannel | None
    differs: bool = False
    is_whole: bool = False


class ListDoubts:
    """Tells every list that may be looked at, with all doubts about it."""

    def __init__(
        self,
        view: View,
        store: Store,
        regained: Regained,
        is_recovering: Callable[[], bool],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._regained = regained
        self._is_recovering = is_recovering
        self._limits = limits
        self._known: tuple[int, Mapping[str, _Facts]] | None = None
        self._told: dict[str, ConsultedList] = {}

    def lists(self, now_ms: int) -> Mapping[str, ConsultedList]:
        """Every list that this node may read, by channel, with all doubts about it; those never received too."""
        return {
            channel: self.never_received(channel, now_ms)
            if facts.held is None
            else self._consulted(facts.held, facts, now_ms)
            for channel, facts in self._facts().items()
        }

    def never_received(self, channel: str, now_ms: int) -> ConsultedList:
        """A list of which nothing has come here."""
        return ConsultedList(channel, None, self._doubts(None, now_ms))

    # -- facts ----------------------------------------------------------------------------------------

    def _facts(self) -> Mapping[str, _Facts]:
        generation = self._store.generation()
        if self._known is None or self._known[0] != generation:
            self._known, self._told = (generation, self._read()), {}
        return self._known[1]

    def _read(self) -> Mapping[str, _Facts]:
        newest = {held.log.channel: held for held in self._store.channels() if is_list(held.log.channel)}
        named = self._named()
        found: dict[str, _Facts] = {}
        for channel in sorted(newest.keys() | named.keys()):
            held = newest.get(channel)
            if held is None or (held.left_at is None and held.manifest.list.kind not in KIND_NAMES):
                found[channel] = _Facts(None)
            elif held.left_at is None:
                found[channel] = self._facts_of(held, named.get(channel, 0))
        return found

    def _named(self) -> dict[str, int]:
        """The newest epoch of each list that a kept heartbeat names: what is shown here of one, this node may read."""
        found: dict[str, int] = {}
        for beat in self._store.heartbeats_since(0):
            for head in (item.head for item in beat.view.heads if is_list(item.head.channel)):
                found[head.channel] = max(head.epoch, found.get(head.channel, 0))
        return found

    def _facts_of(self, held: HeldChannel, named_epoch: int) -> _Facts:
        state = self._store.list_state(held.log.channel)
        differs = state is not None and state.status is DigestStatus.MISMATCH
        return _Facts(held, differs, named_epoch <= held.log.epoch and is_whole(self._store, held))

    # -- doubts ---------------------------------------------------------------------------------------

    def _consulted(self, held: HeldChannel, facts: _Facts, now_ms: int) -> ConsultedList:
        limit_ms = (held.manifest.staleness_limit_s or DEFAULT_STALENESS_LIMIT_S) * 1000
        own = is_own(self._view, held.log.channel)
        known = Knowledge(
            fresh_at_ms=held.fresh_at_ms,
            staleness_limit_ms=limit_ms,
            is_own=own,
            is_regained=not self._is_recovering() if own else self._regained.is_regained(held),
            is_quarantined=held.log.quarantined,
            origin_speaks=self._speaks(held),
            differs=facts.differs,
            is_whole=facts.is_whole,
        )
        return self._same(
            ConsultedList(held.log.channel, held.manifest.list, self._doubts(known, now_ms), held.fresh_at_ms, limit_ms)
        )

    def _same(self, found: ConsultedList) -> ConsultedList:
        """The one of the look before where nothing about it has changed: what was made of it is good still."""
        before = self._told.get(found.channel)
        if before == found:
            return before
        self._told[found.channel] = found
        return found

    def _speaks(self, held: HeldChannel) -> bool:
        """Whether the origin of a list may speak, and no cut of the list is awaited."""
        origin = self._view.members.get(held.origin)
        if origin is None or origin.standing is not Standing.ACTIVE:
            return False
        return held.log.epoch >= origin.open_epoch or held.log.cut is not None

    def _doubts(self, known: Knowledge | None, now_ms: int) -> tuple[Doubt, ...]:
        is_expired = self._view.stage is Stage.EXPIRED
        return doubts_of(known, now_ms, self._limits.max_clock_skew_ms, is_expired=is_expired)
