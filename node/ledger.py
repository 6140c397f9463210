"""Ledgers: the duty that tells where the entries of a channel stand with its readers, and raises alarms for lists.

    LIST_LATE        at the origin, for its own lists: a reader has owed an entry for T2 (1 h)
    LIST_LATE_BELOW  at the origin's parent, where it reads the list: a reader has owed it for T3 (24 h)

Receipts are relayed to all readers, so the parent sees for itself, no message goes upward, and who may not read a list
learns nothing of it. An alarm goes when nobody is late any more.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from node.admission import header_of, is_own
from node.core import ledger as ledgers
from node.core.delivery import Delivery
from node.core.errors import XinqiaoError
from node.core.forecast import time_of
from node.core.ledger import (
    Lateness,
    Ledger,
    Reader,
    Row,
    Timers,
    delivered,
    first_lacking,
    rejected_beyond,
    removals_in,
)
from node.core.list_fold import is_list
from node.core.list_type import FOLDER
from node.core.membership import Member, Standing
from node.core.state import Place
from node.pb import channel_pb2, envelope_pb2
from node.ports import Clock, HeldChannel, HeldEntry, Lane, Store, StoreTransaction, View, Writer

LATE, LATE_BELOW = "LIST_LATE", "LIST_LATE_BELOW"
NAMED_NODES = 8
NAMED_REMOVALS = 8
ENTRIES_SEARCHED = 1_000
NONE = "-"


@dataclass(frozen=True, slots=True)
class Contacts:
    """What the running node remembers of other members, besides its database.

    called_at_ms is when each called last; behind_registry (version, since when) for those that show an older registry;
    listed_at_ms tells when the officers decided last on a node, 0 where that is not known.
    """

    called_at_ms: Mapping[str, int] = field(default_factory=dict)
    behind_registry: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    listed_at_ms: Callable[[str], int] = lambda _: 0


class Ledgers:
    """Computes ledgers, and watches those of lists."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        aside: Callable[[Callable[[], list[XinqiaoError]]], Awaitable[list[XinqiaoError]]],
        contacts: Contacts,
        timers: Timers,
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._aside = aside
        self._contacts = contacts
        self._timers = timers

    # -- one ledger ---------------------------------------------------------------------------------

    def channel_of(self, name: str) -> str:
        """The full name of a channel that is named in full, or of an own list by its code; raises LIST_UNKNOWN."""
        me = self._view.me
        for channel in (name, f"{me}/{FOLDER}{name}", f"{me}/{name}"):
            if self._store.channel(channel) is not None:
                return channel
        raise XinqiaoError("LIST_UNKNOWN", list=name[:100])

    def of(self, name: str, place: tuple[int, int] | None = None) -> Ledger:
        """The ledger of an entry (epoch, index), of the newest one without; raises LIST_UNKNOWN, LIST_ENTRY_UNKNOWN."""
        channel = self.channel_of(name)
        newest = self._store.channel(channel)
        held = newest if place is None else self._store.channel(channel, place[0])
        if newest is None or held is None or (place is not None and not 0 <= place[1] < held.log.size):
            raise XinqiaoError("LIST_ENTRY_UNKNOWN", entry=f"{channel} {_place(place or (0, 0))}")
        index = place[1] if place is not None else max(_end(held) - 1, 0)
        return self._of(newest, held, index)

    def last_change(self, name: str, place: Place) -> tuple[int, int]:
        """(epoch, index) of the newest entry that changes what was entered at a place; of records the place itself.

        Raises LIST_UNKNOWN, LIST_ENTRY_UNKNOWN.
        """
        channel = self.channel_of(name)
        if not is_list(channel):
            return place.epoch, place.index
        places = [each.operation.place for each in self._store.list_operations(channel, place)]
        if not places:
            raise XinqiaoError(
                "LIST_ENTRY_UNKNOWN", entry=f"{channel}#{_place((place.epoch, place.index, place.position))}"
            )
        newest = max(places)
        return newest.epoch, newest.index

    def _of(self, newest: HeldChannel, held: HeldChannel, index: int, *, in_brief: bool = False) -> Ledger:
        found = _Reading(self._view, self._store, self._contacts, newest, held)
        cut_size = held.log.cut.size if held.log.cut is not None else None
        key, readers = (*held.key, index), found.readers(index, in_brief=in_brief)
        return ledgers.ledger(key, readers, self._clock.now_ms(), self._timers, cut_size)

    # -- what is late -------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Raise an alarm for every list that has not reached a reader in time, and clear those of the others."""
        now_ms = self._clock.now_ms()
        late = await self._aside(self._overdue)
        known = {(each.code, each.subject) for each in self._store.alarms() if each.code in (LATE, LATE_BELOW)}

        def note(tx: StoreTransaction) -> None:
            for error in late:
                tx.raise_alarm(error.code, error.parameters["list"], error.parameters, now_ms)
            for code, subject in sorted(known - {(error.code, error.parameters["list"]) for error in late}):
                tx.clear_alarm(code, subject)

        if late or known:
            await self._writer.run(Lane.CONTROL, note)

    def _overdue(self) -> list[XinqiaoError]:
        newest = {held.log.channel: held for held in self._store.channels() if held.manifest.HasField("list")}
        watched = [(held, self._watched_for(held)) for held in newest.values() if held.left_at is None]
        found = (self._overdue_of(held, lateness) for held, lateness in watched if lateness is not Lateness.IN_TIME)
        return [error for error in found if error is not None]

    def _watched_for(self, held: HeldChannel) -> Lateness:
        """What is this node's to say of a list: what is late of its own, what is reported of one below it."""
        origin = self._view.members.get(held.origin)
        if origin is None or origin.standing is not Standing.ACTIVE:
            return Lateness.IN_TIME
        if is_own(self._view, held.log.channel):
            return Lateness.LATE
        is_below = origin.descriptor.message.parent == self._view.me
        return Lateness.REPORTED if is_below else Lateness.IN_TIME

    def _overdue_of(self, held: HeldChannel, lateness: Lateness) -> XinqiaoError | None:
        found = self._of(held, held, max(_end(held) - 1, 0), in_brief=True)
        late = found.late(lateness)
        if not late:
            return None
        return XinqiaoError(
            LATE if lateness is Lateness.LATE else LATE_BELOW,
            list=held.log.channel,
            origin=held.origin,
            count=len(late),
            total=len(found.counted),
            nodes=_some([row.node for row in late], NAMED_NODES),
            since=time_of(min(row.reader.owed_since_ms for row in late)),
            removals=self._removals(held, late),
        )

    def _removals(self, held: HeldChannel, late: Sequence[Row]) -> str:
        """The newest removals that somebody who is late has not applied."""
        end = _end(held)
        start = min(first_lacking(held.log.epoch, end - 1, row.reader.receipt) for row in late)
        entries = self._store.entries(*held.key, max(start, end - ENTRIES_SEARCHED), end)
        places = [
            _place((each.epoch, each.index, each.position))
            for entry in entries
            for each in removals_in(header_of(entry), entry.body)
        ]
        return _some(places[::-1], NAMED_REMOVALS) or NONE


class _Reading:
    """What is known of the readers of one log: newest has the audience in force, held is the epoch asked for."""

    def __init__(self, view: View, store: Store, contacts: Contacts, newest: HeldChannel, held: HeldChannel) -> None:
        self._view = view
        self._store = store
        self._contacts = contacts
        self._newest = newest
        self._held = held
        receipts = store.receipts(held.log.channel)
        self._receipts = {each.receipt.message.subscriber: each.receipt.message for each in receipts}
        self._own = store.outcomes(*held.key)
        self._entries: dict[tuple[int, int], HeldEntry | None] = {}

    def readers(self, index: int, *, in_brief: bool) -> list[Reader]:
        """The members that the audience in force names, whatever their standing, as to one entry.

        Who was removed is named only where it has ever held the channel. in_brief: of those who have applied the entry
        nothing more is looked up.
        """
        return [self._reader(member, index, in_brief) for member in self._named()]

    def _named(self) -> Iterator[Member]:
        members, origin, audience = self._view.members, self._held.origin, self._newest.manifest.audience
        for node in sorted(members.by_id):
            member = members.by_id[node]
            was_here = member.standing is not Standing.REMOVED or node in self._receipts
            if was_here and members.names(node, origin, audience):
                yield member

    def _reader(self, member: Member, index: int, in_brief: bool) -> Reader:
        node, epoch = member.id, self._held.log.epoch
        receipt = self._receipts.get(node)
        known = Reader(
            node=node,
            name=member.name,
            standing=member.standing,
            is_origin=node == self._held.origin,
            receipt=receipt,
            digest=self._digest(receipt),
            rejected=rejected_beyond(receipt, self._own, epoch, self._held.applied_size),
        )
        is_done = known.is_origin or delivered(epoch, index, receipt, known.digest) is Delivery.APPLIED
        if is_done and in_brief:
            return known
        link = self._store.link(node)
        return replace(
            known,
            owed_since_ms=0 if is_done else self._owed_since_ms(node, first_lacking(epoch, index, receipt)),
            failure=_code(link.failure) if link.failures else "",
            last_seen_ms=self._last_seen_ms(node, link.last_success_ms),
            behind_since_ms=self._contacts.behind_registry.get(node, (0, 0))[1],
        )

    def _digest(self, receipt: channel_pb2.Receipt | None) -> bytes:
        """What the origin signed for the extent that a receipt says is applied."""
        if receipt is None or not receipt.applied_size:
            return b""
        entry = self._entry(receipt.epoch, receipt.applied_size - 1)
        return header_of(entry).state_digest if entry is not None else b""

    def _owed_since_ms(self, node: str, index: int) -> int:
        """When the entry was here that a reader lacks, and it was listed; who is new has its time from then on."""
        entry = self._entry(self._held.log.epoch, index)
        # Nobody can have written it after it came; a clock that runs ahead delays no alarm.
        since_ms = min(entry.issued_at_ms, entry.received_at_ms) if entry is not None else 0
        if node not in self._receipts:
            manifest = self._entry(self._newest.log.epoch, self._newest.manifest_index)
            since_ms = max(since_ms, manifest.received_at_ms if manifest is not None else 0)
        return max(since_ms, self._contacts.listed_at_ms(node))

    def _last_seen_ms(self, node: str, exchanged_at_ms: int) -> int:
        receipt, beat = self._receipts.get(node), self._store.heartbeat(node)
        signed_at_ms = max(
            receipt.observed_at_unix_ms if receipt is not None else 0, beat.time_ms if beat is not None else 0
        )
        return max(exchanged_at_ms, self._contacts.called_at_ms.get(node, 0), signed_at_ms)

    def _entry(self, epoch: int, index: int) -> HeldEntry | None:
        key = (epoch, index)
        if key not in self._entries:
            self._entries[key] = self._store.entry(self._held.log.channel, epoch, index)
        return self._entries[key]


def _end(held: HeldChannel) -> int:
    """How many entries of a log count."""
    return min(held.log.size, held.log.cut.size) if held.log.cut is not None else held.log.size


def _code(failure: bytes) -> str:
    return envelope_pb2.Refusal.FromString(failure).code


def _place(place: tuple[int, ...]) -> str:
    return "/".join(map(str, place))


def _some(names: Sequence[str], limit: int) -> str:
    """The first names, and how many more there are."""
    more = f" (+{len(names) - limit})" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
