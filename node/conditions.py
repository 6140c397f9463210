"""Conditions: how the records that this node holds stand by the acts on them, and what their decisions say."""

from collections.abc import Iterable, Mapping

from node.core import envelope as envelopes
from node.core.acts import BURDENING, Condition, condition
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.state import Act, Place
from node.pb import channel_pb2, record_pb2
from node.ports import Clock, Store


class Conditions:
    """Reads acts out of the store and applies the table of node.core.acts to them, as of now."""

    def __init__(self, store: Store, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    def of(self, channel: str, place: Place) -> Condition:
        """How the values at a place stand."""
        return self._condition(channel, place, self._store.acts(channel, place))

    def in_force(self, channel: str) -> Mapping[Place, Condition]:
        """How those records in force stand on which there are acts; every other one is answered."""
        found = self._store.acts_in_force(channel)
        return {place: self._condition(channel, place, acts) for place, acts in found.items()}

    def stopped_count(self, channel: str) -> int:
        """How many records in force are not answered."""
        return sum(not found.is_answered for found in self.in_force(channel).values())

    def particulars(self, channel: str, act: Act) -> record_pb2.StatusParticulars:
        """Decision and reason of an act, empty where they are erased."""
        entry = self._store.entry(channel, act.place.epoch, act.place.index)
        slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots if entry is not None else ()
        if act.particulars >= len(slots):
            return record_pb2.StatusParticulars()
        try:
            return envelopes.parse(record_pb2.StatusSlot, slots[act.particulars].record).particulars
        except XinqiaoError:
            return record_pb2.StatusParticulars()

    def _condition(self, channel: str, place: Place, acts: Iterable[Act]) -> Condition:
        counted = [act for act in acts if act.kind not in BURDENING or not self._is_above_cut(channel, act)]
        return condition(place, counted, self._clock.now_ms() + self._limits.max_clock_skew_ms)

    def _is_above_cut(self, channel: str, act: Act) -> bool:
        cut = self._store.log(channel, act.place.epoch).cut
        return cut is not None and act.place.index >= cut.size
