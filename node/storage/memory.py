"""The store in memory: the same contract in plain dictionaries, for tests and the simulator.

A transaction works on a copy of every table it touches and swaps them in when it commits, so that a reader keeps
the state it began with. Right and small, not fast: a commit costs as much as the tables it touched.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock

from node.core.channel import HeadAt, Log
from node.core.entry import WHOLE_ENTRY, VerifiedBody, VerifiedEntry, erased_in, origin_of
from node.core.errors import XinqiaoError
from node.core.heartbeat import VerifiedHeartbeat
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.merkle import stored_hash_count
from node.core.receipt import VerifiedReceipt
from node.core.state import Act, Applied, Erasure, Place
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from node.ports import (
    HeldAddress,
    HeldAlarm,
    HeldChannel,
    HeldEquivocation,
    HeldHeartbeat,
    HeldReceipt,
    LinkState,
    RegistryFileRecord,
)
from node.storage.memory_changes import MemoryChangesReader, MemoryChangesWriter
from node.storage.memory_lists import MemoryListsReader, MemoryListsWriter
from node.storage.memory_queries import MemoryQueriesReader, MemoryQueriesWriter
from node.storage.memory_reading import (
    Entry,
    EntryKey,
    Record,
    State,
    has_begun,
    newest_first,
    next_sequence,
    positions_of,
)
from node.storage.slots import open_held, root_of, settle


class MemoryTransaction(MemoryListsWriter, MemoryChangesWriter, MemoryQueriesWriter):
    """The StoreTransaction on tables of its own."""

    def __init__(self, incarnation: str, state: State, limits: Limits) -> None:
        super().__init__(incarnation)
        self._state = state.begin()
        self._limits = limits

    @property
    def state(self) -> State:
        """The tables as the transaction leaves them."""
        return self._state

    def set_setting(self, name: str, value: str) -> None:
        self._state.settings.edit()[name] = value

    # -- entries

    def append(self, entry: VerifiedEntry, received_at_ms: int, complete: bool) -> HeldChannel:
        header = entry.header
        key = (header.channel, header.epoch)
        held = self._row(*key)
        if (held.log.size, held.log.root) != (header.index, header.prev_root):
            raise _head_moved(header.channel, header.index, held.log.size)
        log = replace(held.log, size=header.index + 1, root=entry.root, frontier=entry.frontier)
        held = replace(held, log=log)
        if entry.manifest is not None:
            manifest = channel_pb2.Manifest.FromString(entry.manifest.SerializeToString())
            held = replace(held, manifest=manifest, manifest_index=header.index)
        self._state.logs.edit()[key] = held
        self._state.entries.edit()[*key, header.index] = Entry(
            entry.envelope.SerializeToString(), complete, header.record_count, header.issued_at_unix_ms, received_at_ms
        )
        stored = self._state.hashes.rows.get(key, ())
        assert len(stored) == stored_hash_count(header.index)
        self._state.hashes.edit()[key] = (*stored, *entry.hashes)
        if entry.body is not None:
            self._store_body((*key, header.index), entry.body, complete)
        else:
            self._void_whole((*key, header.index), header.records_root)
        return self._counted(self._state, held)

    def _void_whole(self, key: EntryKey, root: bytes) -> None:
        """Forget an erasure of an entry as a whole that came before it and names another one."""
        place = (key[0], Place(*key[1:], WHOLE_ENTRY))
        if self._state.erasures.rows.get(place, root) != root:
            del self._state.erasures.edit()[place]

    def put_body(self, channel: str, epoch: int, index: int, body: VerifiedBody, complete: bool) -> None:
        if (channel, epoch, index) not in self._state.entries.rows:
            raise ValueError(f"no entry {epoch}/{index} of {channel} is held")
        self._store_body((channel, epoch, index), body, complete)

    def _store_body(self, key: EntryKey, body: VerifiedBody, complete: bool) -> None:
        settled = settle(body, self.erasures(*key), positions_of(self._state.barred.rows, key))
        for position in settled.void:
            del self._state.erasures.edit()[key[0], Place(*key[1:], position)]
        self._state.bodies.edit()[key] = settled.body.serialized
        entry = self._state.entries.rows[key]
        self._state.entries.edit()[key] = replace(entry, complete=complete or settled.complete)

    def _row(self, channel: str, epoch: int) -> HeldChannel:
        """The row of a log, a new one where nothing of it is known yet."""
        blank = HeldChannel(Log(channel, epoch), origin_of(channel), 0, channel_pb2.Manifest(), 0)
        return self._state.logs.rows.get((channel, epoch), blank)

    def _change_log(self, channel: str, epoch: int, change: Callable[[HeldChannel], HeldChannel]) -> None:
        """Change the row of a log; nothing where there is none."""
        if (channel, epoch) in self._state.logs.rows:
            self._state.logs.edit()[channel, epoch] = change(self._row(channel, epoch))

    # -- the fold

    def apply(self, applied: Applied) -> HeldChannel:
        channel, epoch, index = applied.channel, applied.epoch, applied.index
        held = self._row(channel, epoch)
        if held.applied_size != index or index >= held.log.size:
            raise _head_moved(channel, index, held.applied_size)
        self._change_log(channel, epoch, lambda held: replace(held, applied_size=index + 1))
        self._put_records(applied, in_force=held.log.cut is None or index < held.log.cut.size)
        for (outcome, code), count in applied.counts.items():
            counts = self._state.outcomes.edit()
            counts[channel, epoch, outcome, code] = counts.get((channel, epoch, outcome, code), 0) + count
        self._state.barred.edit().update(
            {(channel, Place(epoch, index, position)): None for position in applied.barred}
        )
        self._strip((channel, epoch, index))
        return self._counted(self._state, self._row(channel, epoch))

    def _put_records(self, applied: Applied, in_force: bool) -> None:
        for record in applied.in_force:
            if in_force and record.replaces is not None:
                self._put_behind(applied.channel, record.replaces)
        for record in (*applied.in_force, *applied.behind):
            place = Place(applied.epoch, applied.index, record.position)
            row = Record(record.key, record.content_hash, record.subject, in_force=False)
            self._state.records.edit()[applied.channel, place] = row
        if in_force:
            for record in applied.in_force:
                self._put_in_force(applied.channel, Place(applied.epoch, applied.index, record.position))

    def _put_in_force(self, channel: str, place: Place) -> None:
        row = self._state.records.rows[channel, place]
        if (channel, row.key) in self._state.keys.rows:
            raise XinqiaoError("DATABASE", detail="a second record would be in force under one key")
        self._state.keys.edit()[channel, row.key] = place
        self._state.records.edit()[channel, place] = replace(row, in_force=True)
        self._change_log(channel, place.epoch, lambda held: replace(held, records=held.records + 1))

    def _put_behind(self, channel: str, place: Place) -> None:
        row = self._state.records.rows.get((channel, place))
        if row is not None and row.in_force:
            del self._state.keys.edit()[channel, row.key]
            self._state.records.edit()[channel, place] = replace(row, in_force=False)
            self._change_log(channel, place.epoch, lambda held: replace(held, records=held.records - 1))

    def _strip(self, key: EntryKey) -> None:
        """Store a held body again, without what may no longer be kept."""
        body = self._state.bodies.rows.get(key)
        if body is not None:
            entry = self._state.entries.rows[key]
            self._store_body(key, open_held(entry.envelope, body), entry.complete)

    # -- erasure

    def put_erasures(self, channel: str, erasures: Iterable[Erasure]) -> None:
        for erasure in erasures:
            key = (channel, erasure.place.epoch, erasure.place.index)
            body = self._state.bodies.rows.get(key)
            if body is None:
                self._erase_missing(key, erasure)
                continue
            verified = open_held(self._state.entries.rows[key].envelope, body)
            named = {erasure.place.position: erasure.commitment}
            gone = erased_in(verified, named)
            if gone:
                self._state.erasures.edit()[channel, erasure.place] = erasure.commitment
                self._strip(key)
                for position in sorted(gone):
                    self._erase_record(channel, Place(*key[1:], position))
                self._erase_list_slots(*key, gone, len(verified.commitments))

    def _erase_missing(self, key: EntryKey, erasure: Erasure) -> None:
        """Remember an erasure of what is not here; as a whole an entry can be erased without its body."""
        entry = self._state.entries.rows.get(key)
        if erasure.place.position == WHOLE_ENTRY and entry is not None:
            if root_of(entry.envelope) != erasure.commitment:
                return
            self._state.entries.edit()[key] = replace(entry, complete=True)
        self._state.erasures.edit()[key[0], erasure.place] = erasure.commitment

    def _erase_record(self, channel: str, place: Place) -> None:
        row = self._state.records.rows.get((channel, place))
        if row is not None:
            self._put_behind(channel, place)
            del self._state.records.edit()[channel, place]
            if row.in_force:
                self._settle(channel, [row.key])

    def put_acts(self, channel: str, acts: Iterable[Act]) -> None:
        for act in acts:
            self._state.acts.edit().setdefault((channel, act.place), act)

    def erase_bodies(self, channel: str, epoch: int) -> None:
        self._drop_records(channel, epoch)
        for key in [key for key in self._state.entries.rows if key[:2] == (channel, epoch)]:
            self._state.bodies.edit().pop(key, None)
            self._state.entries.edit()[key] = replace(self._state.entries.rows[key], complete=True)

    def _drop_records(self, channel: str, epoch: int) -> None:
        for at in [at for at in self._state.records.rows if at[0] == channel and at[1].epoch == epoch]:
            self._put_behind(*at)
            del self._state.records.edit()[at]
        self._drop_list(channel, epoch)

    # -- standing of logs

    def set_left(self, channel: str, epoch: int, left_at: int | None) -> None:
        was_left = self._row(channel, epoch).left_at is not None
        self._change_log(channel, epoch, lambda held: replace(held, left_at=left_at))
        if left_at is None and was_left:
            self._refold(channel, epoch)

    def _refold(self, channel: str, epoch: int) -> None:
        self._drop_records(channel, epoch)
        self._change_log(channel, epoch, lambda held: replace(held, applied_size=0))
        for key in [key for key in self._state.outcomes.rows if key[:2] == (channel, epoch)]:
            del self._state.outcomes.edit()[key]
        for index in range(self._row(channel, epoch).log.size):
            at = (channel, epoch, index)
            entry = self._state.entries.rows[at]
            is_erased = (channel, Place(epoch, index, WHOLE_ENTRY)) in self._state.erasures.rows
            if entry.record_count and at not in self._state.bodies.rows and not is_erased:
                self._state.entries.edit()[at] = replace(entry, complete=False)

    def set_quarantined(self, origin: str, quarantined: bool) -> None:
        state = self._state
        if quarantined:
            held = [key[1] for key in state.logs.rows if origin_of(key[0]) == origin and has_begun(state, key)]
            state.closed_through.edit()[origin] = max(held, default=0)
        else:
            state.closed_through.edit().pop(origin, None)

    def set_cut(self, channel: str, epoch: int, cut: HeadAt) -> None:
        held = self._row(channel, epoch)
        before = held.log.cut.size if held.log.cut is not None else None
        self._state.logs.edit()[channel, epoch] = replace(held, log=replace(held.log, cut=cut))
        low, high = (cut.size, before) if before is None or before > cut.size else (before, cut.size)
        keys = {
            record.key
            for at, record in self._state.records.rows.items()
            if at[0] == channel and at[1].epoch == epoch and at[1].index >= low and (high is None or at[1].index < high)
        }
        self._settle(channel, keys)
        self._cut_list(channel, epoch, low, NUMBERS_END if high is None else high)

    def _settle(self, channel: str, keys: Collection[bytes]) -> None:
        """Of each key, put in force the latest record at or below its cut."""
        places = self._places_of(channel, keys)
        for place in places:
            self._put_behind(channel, place)
        valid = [place for place in places if self._is_below_cut(channel, place)]
        latest = {self._state.records.rows[channel, place].key: place for place in valid}
        for place in latest.values():
            self._put_in_force(channel, place)

    def _is_below_cut(self, channel: str, place: Place) -> bool:
        cut = self._row(channel, place.epoch).log.cut
        return cut is None or place.index < cut.size

    def set_covered(self, channel: str, epoch: int, covered: HeadAt) -> None:
        held = self._row(channel, epoch)
        if held.log.covered is None or held.log.covered.size < covered.size:
            self._state.logs.edit()[channel, epoch] = replace(held, log=replace(held.log, covered=covered))

    def set_fresh(self, channel: str, epoch: int, fresh_at_ms: int) -> None:
        self._change_log(channel, epoch, lambda held: replace(held, fresh_at_ms=max(held.fresh_at_ms, fresh_at_ms)))

    # -- what nodes say of themselves

    def put_heartbeat(self, heartbeat: VerifiedHeartbeat) -> bool:
        held = self._state.heartbeats.rows.get(heartbeat.node)
        extent = (heartbeat.time_ms, len(heartbeat.heads))
        if held is not None and extent <= (held[0].time_ms, held[1]):
            return False
        sequence = next_sequence(held for held, _ in self._state.heartbeats.rows.values())
        kept = HeldHeartbeat(sequence, heartbeat.node, heartbeat.time_ms, heartbeat.view)
        self._state.heartbeats.edit()[heartbeat.node] = (kept, len(heartbeat.heads))
        return True

    def forget_dates(self, latest_ms: int) -> None:
        for node, (beat, heads) in list(self._state.heartbeats.rows.items()):
            if beat.time_ms > latest_ms:
                self._state.heartbeats.edit()[node] = (replace(beat, time_ms=0), heads)
        for key, held in list(self._state.logs.rows.items()):
            if held.fresh_at_ms > latest_ms:
                self._state.logs.edit()[key] = replace(held, fresh_at_ms=0)

    def put_receipt(self, receipt: VerifiedReceipt) -> bool:
        key = (receipt.message.channel, receipt.message.subscriber)
        held = self._state.receipts.rows.get(key)
        if held is not None and receipt.extent <= held.receipt.extent:
            return False
        self._state.receipts.edit()[key] = HeldReceipt(next_sequence(self._state.receipts.rows.values()), receipt)
        return True

    def put_address(self, record: registry_pb2.AddressRecord, envelope: envelope_pb2.Envelope) -> bool:
        held = self._state.addresses.rows.get(record.node)
        if held is not None and record.sequence <= held.record.sequence:
            return False
        sequence = next_sequence(self._state.addresses.rows.values())
        self._state.addresses.edit()[record.node] = HeldAddress(sequence, record, envelope)
        return True

    def put_equivocation(self, channel: str, epoch: int, index: int, proof: channel_pb2.Equivocation) -> bool:
        held = self._state.equivocations.rows
        if (channel, epoch, index) in held or len(held) >= self._limits.max_equivocations_kept:
            return False
        kept = HeldEquivocation(next_sequence(held.values()), channel, epoch, index, proof)
        self._state.equivocations.edit()[channel, epoch, index] = kept
        return True

    # -- links, alarms, registry files

    def put_link(self, state: LinkState) -> None:
        self._state.links.edit()[state.node] = state

    def raise_alarm(self, code: str, subject: str, parameters: Mapping[str, str], now_ms: int) -> None:
        held = self._state.alarms.rows.get((code, subject))
        first, count = (held.first_seen_ms, held.count + 1) if held is not None else (now_ms, 1)
        alarms = self._state.alarms.edit()
        alarms[code, subject] = HeldAlarm(code, subject, dict(parameters), first, now_ms, count)
        for old in sorted(alarms.values(), key=newest_first)[self._limits.max_alarms_kept :]:
            del alarms[old.code, old.subject]

    def clear_alarm(self, code: str, subject: str) -> None:
        self._state.alarms.edit().pop((code, subject), None)

    def replace_registry_files(self, files: Iterable[RegistryFileRecord], keep: Iterable[str]) -> None:
        held = self._state.registry_files.edit()
        contents = {file.name: file.content for file in files}
        for name in held.keys() - contents.keys() - set(keep):
            del held[name]
        held.update(contents)


class MemoryStore(MemoryListsReader, MemoryChangesReader, MemoryQueriesReader):
    """The Store in memory; it is gone with the process."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, incarnation: str = "") -> None:
        super().__init__(incarnation or secrets.token_hex(16))
        self._limits = limits
        self._turn = Lock()
        self._generation = 0

    def generation(self) -> int:
        """Another number after each commit."""
        return self._generation

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """Swap the tables in on leaving; leave nothing when the block raises."""
        with self._turn:
            transaction = MemoryTransaction(self._incarnation, self._state, self._limits)
            try:
                yield transaction
                self._state = transaction.state
            finally:
                self._generation += 1

    def copy(self) -> "MemoryStore":
        """A backup: the same database as it stands now, which goes its own way from here on."""
        twin = MemoryStore(limits=self._limits, incarnation=self._incarnation)
        twin._state = self._state
        return twin

    def close(self) -> None:
        """Nothing is held that would have to be released."""


def _head_moved(channel: str, expected: int, found: int) -> XinqiaoError:
    return XinqiaoError("HEAD_MOVED", channel=channel, expected=expected, found=found)
