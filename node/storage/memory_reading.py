"""The tables of the store in memory, and reading them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby, islice
from typing import Any, Generic, TypeVar

from node.core.channel import Log
from node.core.entry import WHOLE_ENTRY, origin_of
from node.core.listing import ListOperation
from node.core.merkle import HashReader
from node.core.quality import Corrections
from node.core.query_log import LoggedQuery
from node.core.state import CORRECT, Act, HeldKey, Place
from node.held_changes import HeldChange
from node.held_decisions import HeldRow, HeldStatement
from node.held_lists import HeldListState
from node.pb import envelope_pb2
from node.ports import (
    HeldAddress,
    HeldAlarm,
    HeldChannel,
    HeldEntry,
    HeldEquivocation,
    HeldHeartbeat,
    HeldReceipt,
    HeldRecord,
    LinkState,
    RegistryFileRecord,
)
from node.storage.list_rows import ListingRow
from node.storage.slots import pick_records

K = TypeVar("K")
V = TypeVar("V")
LogKey = tuple[str, int]
EntryKey = tuple[str, int, int]


class Table(Generic[K, V]):
    """A dictionary that is copied before its first change; a reader keeps the one it took."""

    def __init__(self, rows: dict[K, V] | None = None) -> None:
        self.rows: dict[K, V] = {} if rows is None else rows
        self._is_own = rows is None

    def edit(self) -> dict[K, V]:
        """The rows, ours to change."""
        if not self._is_own:
            self.rows, self._is_own = dict(self.rows), True
        return self.rows


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry without its body; envelope is serialized, so that nobody can change it later."""

    envelope: bytes
    complete: bool
    record_count: int
    issued_at_ms: int
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class Record:
    """Where a record stands."""

    key: bytes
    content_hash: bytes
    subject: str
    in_force: bool


@dataclass(frozen=True, slots=True)
class State:
    """All tables at one moment."""

    settings: Table[str, str] = field(default_factory=Table)
    closed_through: Table[str, int] = field(default_factory=Table)
    logs: Table[LogKey, HeldChannel] = field(default_factory=Table)
    entries: Table[EntryKey, Entry] = field(default_factory=Table)
    bodies: Table[EntryKey, bytes] = field(default_factory=Table)
    hashes: Table[LogKey, tuple[bytes, ...]] = field(default_factory=Table)
    records: Table[tuple[str, Place], Record] = field(default_factory=Table)
    keys: Table[tuple[str, bytes], Place] = field(default_factory=Table)
    erasures: Table[tuple[str, Place], bytes] = field(default_factory=Table)
    acts: Table[tuple[str, Place], Act] = field(default_factory=Table)
    barred: Table[tuple[str, Place], None] = field(default_factory=Table)
    outcomes: Table[tuple[str, int, int, str], int] = field(default_factory=Table)
    heartbeats: Table[str, tuple[HeldHeartbeat, int]] = field(default_factory=Table)
    receipts: Table[tuple[str, str], HeldReceipt] = field(default_factory=Table)
    addresses: Table[str, HeldAddress] = field(default_factory=Table)
    equivocations: Table[EntryKey, HeldEquivocation] = field(default_factory=Table)
    links: Table[str, LinkState] = field(default_factory=Table)
    alarms: Table[tuple[str, str], HeldAlarm] = field(default_factory=Table)
    holds: Table[str, HeldRow] = field(default_factory=Table)
    statements: Table[bytes, HeldStatement] = field(default_factory=Table)
    list_operations: Table[tuple[str, Place], tuple[ListOperation, bool | None]] = field(default_factory=Table)
    listings: Table[tuple[str, Place], ListingRow] = field(default_factory=Table)
    list_states: Table[str, HeldListState] = field(default_factory=Table)
    queries: Table[int, LoggedQuery] = field(default_factory=Table)
    query_leaves: Table[int, bytes] = field(default_factory=Table)
    list_changes: Table[str, HeldChange] = field(default_factory=Table)
    list_change_batches: Table[tuple[str, int], bytes] = field(default_factory=Table)
    registry_files: Table[str, bytes] = field(default_factory=Table)

    def begin(self) -> "State":
        """The same tables, to be copied where they are changed."""
        return State(*(Table(getattr(self, each.name).rows) for each in fields(self)))


class MemoryReader:
    """The StoreReader over one state."""

    def __init__(self, incarnation: str) -> None:
        self._incarnation = incarnation
        self._state = State()

    def incarnation(self) -> str:
        return self._incarnation

    def setting(self, name: str) -> str | None:
        return self._state.settings.rows.get(name)

    # -- logs

    def channels(self) -> Sequence[HeldChannel]:
        state = self._state
        return [self._counted(state, state.logs.rows[key]) for key in sorted(state.logs.rows) if has_begun(state, key)]

    def channel(self, channel: str, epoch: int | None = None) -> HeldChannel | None:
        state = self._state
        if epoch is None:
            epoch = max((key[1] for key in state.logs.rows if key[0] == channel and has_begun(state, key)), default=0)
        held = state.logs.rows.get((channel, epoch))
        return self._counted(state, held) if held is not None and held.log.size else None

    def _counted(self, state: State, held: HeldChannel) -> HeldChannel:
        incomplete = sum(not entry.complete for key, entry in state.entries.rows.items() if key[:2] == held.key)
        log = replace(held.log, quarantined=_is_closed(state, held.log))
        return replace(held, log=log, incomplete_bodies=incomplete)

    def log(self, channel: str, epoch: int) -> Log:
        state = self._state
        held = state.logs.rows.get((channel, epoch))
        log = held.log if held is not None else Log(channel, epoch)
        return replace(log, quarantined=_is_closed(state, log))

    def entries(
        self, channel: str, epoch: int, start: int, end: int | None = None, with_bodies: bool = True
    ) -> Iterator[HeldEntry]:
        held = self.channel(channel, epoch)
        size = held.log.size if held is not None else 0
        for index in range(start, size if end is None else min(end, size)):
            yield _held_entry(self._state, (channel, epoch, index), with_bodies)

    def entry(self, channel: str, epoch: int, index: int) -> HeldEntry | None:
        state, key = self._state, (channel, epoch, index)
        return _held_entry(state, key) if key in state.entries.rows else None

    def incomplete_entries(self, channel: str, epoch: int, limit: int) -> Sequence[int]:
        entries = self._state.entries.rows
        missing = [key[2] for key, entry in entries.items() if key[:2] == (channel, epoch) and not entry.complete]
        return sorted(missing)[:limit]

    def hashes(self, channel: str, epoch: int) -> HashReader:
        return _StoredHashes(self._state.hashes.rows.get((channel, epoch), ()))

    def erasures(self, channel: str, epoch: int, index: int) -> Mapping[int, bytes]:
        return positions_of(self._state.erasures.rows, (channel, epoch, index))

    # -- records

    def find_keys(self, channel: str, keys: Sequence[bytes]) -> Mapping[bytes, HeldKey]:
        state = self._state
        places = {key: state.keys.rows[channel, key] for key in keys if (channel, key) in state.keys.rows}
        return {key: HeldKey(place, state.records.rows[channel, place].content_hash) for key, place in places.items()}

    def revisions(self, channel: str, place: Place) -> Sequence[Place]:
        row = self._state.records.rows.get((channel, place))
        return self._places_of(channel, [row.key]) if row is not None else []

    def _places_of(self, channel: str, keys: Collection[bytes]) -> list[Place]:
        rows = self._state.records.rows.items()
        return sorted(at[1] for at, record in rows if at[0] == channel and record.key in keys)

    def acts(self, channel: str, place: Place) -> Sequence[Act]:
        revisions = {place, *self.revisions(channel, place)}
        return sorted(act for at, act in self._state.acts.rows.items() if at[0] == channel and act.target in revisions)

    def acts_in_force(self, channel: str) -> Mapping[Place, Sequence[Act]]:
        records = self._state.records.rows
        held = [act for at, act in sorted(self._state.acts.rows.items()) if at[0] == channel]
        found: dict[Place, list[Act]] = {}
        for act in held:
            target = records.get((channel, act.target))
            place = self._state.keys.rows.get((channel, target.key)) if target is not None else None
            if place is not None:
                found.setdefault(place, []).append(act)
        return dict(sorted(found.items()))

    def revisions_in(self, channel: str, epoch: int, index: int) -> Collection[int]:
        rows = self._state.records.rows
        own = {at[1]: record.key for at, record in rows.items() if at[:1] == (channel,)}
        here = {place: key for place, key in own.items() if (place.epoch, place.index) == (epoch, index)}
        return {
            place.position
            for place, key in here.items()
            if any(earlier < place and other == key for earlier, other in own.items())
        }

    def corrections(self, channel: str, epoch: int, start: int, end: int) -> Corrections:
        state = self._state

        def is_within(at: tuple[str, Place]) -> bool:
            return at[0] == channel and at[1].epoch == epoch and start <= at[1].index < end

        behind = (record for at, record in state.records.rows.items() if is_within(at) and not record.in_force)
        revised = sum(self._reads_otherwise(channel, record) for record in behind)
        erased = [at[1] for at in state.erasures.rows if is_within(at)]
        entries = {key: entry.record_count for key, entry in state.entries.rows.items()}
        named = [(place.position, (channel, epoch, place.index)) for place in erased]
        counts = (entries[key] if position == WHOLE_ENTRY else 1 for position, key in named if key in entries)
        return Corrections(revised + len(self._named_wrong(channel, is_within)), sum(counts))

    def _named_wrong(self, channel: str, is_within: Callable[[tuple[str, Place]], bool]) -> set[Place]:
        """The records in force that a correction names: their right values stand under another key."""
        acts = (act for at, act in self._state.acts.rows.items() if at[0] == channel and act.kind == CORRECT)
        targets = {act.target for act in acts if is_within((channel, act.target))}
        held = {place: self._state.records.rows.get((channel, place)) for place in targets}
        return {place for place, record in held.items() if record is not None and record.in_force}

    def _reads_otherwise(self, channel: str, record: Record) -> bool:
        """Whether the record in force under the key of one behind it has another content."""
        place = self._state.keys.rows.get((channel, record.key))
        current = self._state.records.rows.get((channel, place)) if place is not None else None
        return current is not None and current.content_hash != record.content_hash

    def records(
        self, subject: str | None = None, channel: str | None = None, limit: int | None = None
    ) -> Iterator[HeldRecord]:
        state = self._state
        wanted = sorted(
            at
            for at, record in state.records.rows.items()
            if record.in_force and subject in (None, record.subject) and channel in (None, at[0])
        )
        return islice(_records_at(state, wanted), limit)

    def record(self, channel: str, place: Place) -> HeldRecord | None:
        state = self._state
        record = state.records.rows.get((channel, place))
        return next(_records_at(state, [(channel, place)]), None) if record is not None and record.in_force else None

    def record_count(self, channel: str | None = None) -> int:
        return sum(held.records for key, held in self._state.logs.rows.items() if channel in (None, key[0]))

    def outcomes(self, channel: str, epoch: int) -> Mapping[tuple[int, str], int]:
        rows = sorted(self._state.outcomes.rows.items())
        return {(outcome, code): count for (*log, outcome, code), count in rows if log == [channel, epoch]}

    # -- what nodes say of themselves

    def heartbeat(self, node: str) -> HeldHeartbeat | None:
        found = self._state.heartbeats.rows.get(node)
        return found[0] if found is not None else None

    def heartbeats_since(self, sequence: int) -> Sequence[HeldHeartbeat]:
        return _since([held for held, _ in self._state.heartbeats.rows.values()], sequence)

    def receipt(self, channel: str, subscriber: str) -> HeldReceipt | None:
        return self._state.receipts.rows.get((channel, subscriber))

    def receipts(self, channel: str) -> Sequence[HeldReceipt]:
        return [held for key, held in sorted(self._state.receipts.rows.items(), key=_key_only) if key[0] == channel]

    def receipts_of(self, subscriber: str) -> Sequence[HeldReceipt]:
        return [held for key, held in sorted(self._state.receipts.rows.items(), key=_key_only) if key[1] == subscriber]

    def receipts_since(self, sequence: int, limit: int) -> Sequence[HeldReceipt]:
        return _since(self._state.receipts.rows.values(), sequence)[:limit]

    def address(self, node: str) -> HeldAddress | None:
        return self._state.addresses.rows.get(node)

    def addresses_since(self, sequence: int) -> Sequence[HeldAddress]:
        return _since(self._state.addresses.rows.values(), sequence)

    def equivocations_since(self, sequence: int) -> Sequence[HeldEquivocation]:
        return _since(self._state.equivocations.rows.values(), sequence)

    # -- links, alarms, registry files

    def link(self, node: str) -> LinkState:
        return self._state.links.rows.get(node) or LinkState(node)

    def alarms(self) -> Sequence[HeldAlarm]:
        return sorted(self._state.alarms.rows.values(), key=newest_first)

    def registry_file(self, name: str) -> bytes | None:
        return self._state.registry_files.rows.get(name)

    def registry_files(self) -> Iterator[RegistryFileRecord]:
        files = self._state.registry_files.rows
        return (RegistryFileRecord(name, files[name]) for name in sorted(files))


class _StoredHashes:
    """The HashReader over the stored hashes of one log."""

    def __init__(self, stored: Sequence[bytes]) -> None:
        self._stored = stored

    def read_hashes(self, indexes: Sequence[int]) -> Sequence[bytes]:
        """The hashes at these storage indexes; raises ValueError for one not stored."""
        if any(not 0 <= index < len(self._stored) for index in indexes):
            raise ValueError("the log does not store all of the hashes asked for")
        return [self._stored[index] for index in indexes]


def has_begun(state: State, key: LogKey) -> bool:
    return state.logs.rows[key].log.size > 0


def _is_closed(state: State, log: Log) -> bool:
    return log.epoch <= state.closed_through.rows.get(origin_of(log.channel), -1)


def _held_entry(state: State, key: EntryKey, with_body: bool = True) -> HeldEntry:
    entry = state.entries.rows[key]
    envelope = envelope_pb2.Envelope.FromString(entry.envelope)
    body = state.bodies.rows.get(key) if with_body else None
    return HeldEntry(key[2], envelope, body, entry.complete, entry.issued_at_ms, entry.received_at_ms)


def _records_at(state: State, places: Iterable[tuple[str, Place]]) -> Iterator[HeldRecord]:
    for key, group in groupby(places, key=lambda at: (at[0], at[1].epoch, at[1].index)):
        yield from pick_records(key[0], _held_entry(state, key), [place for _, place in group])


def positions_of(rows: Mapping[tuple[str, Place], V], key: EntryKey) -> dict[int, V]:
    of_entry = {at[1].position: row for at, row in rows.items() if (at[0], at[1].epoch, at[1].index) == key}
    return dict(sorted(of_entry.items()))


def _since(held: Iterable[Any], sequence: int) -> list[Any]:
    return sorted((each for each in held if each.sequence > sequence), key=lambda each: each.sequence)


def next_sequence(held: Iterable[Any]) -> int:
    return max((each.sequence for each in held), default=0) + 1


def newest_first(alarm: HeldAlarm) -> tuple[int, str, str]:
    return (-alarm.last_seen_ms, alarm.code, alarm.subject)


def _key_only(item: tuple[Any, Any]) -> Any:
    return item[0]
