"""The production store of one simulated process, which tells every committed change and remembers what it read.

Writing is the production code on a real file, and so is the first reading of anything after it changed. What was
read is kept until a commit touches it: the duties of many nodes ask for the same rows far more often than these change.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from inspect import Signature, signature
from pathlib import Path
from typing import Any, cast

from node.core.limits import Limits
from node.ports import HeldChannel, StoreReader, StoreTransaction
from node.simulator.disk_faults import Life
from node.simulator.observing import Write
from node.storage.sql_writing import SqlTransaction
from node.storage.sqlite import SqliteStore, borrowed

_LOG_PAGES = 256
_WRITING = frozenset(vars(StoreTransaction)) - frozenset(vars(StoreReader))
_CHANNEL_READS = ("log", "entry", "erasures", "incomplete_entries", "outcomes")
_TOPIC_READS = {
    "incarnation": "incarnation",
    "setting": "settings",
    "heartbeat": "heartbeats",
    "heartbeats_since": "heartbeats",
    "receipt": "receipts",
    "receipts": "receipts",
    "receipts_of": "receipts",
    "receipts_since": "receipts",
    "address": "addresses",
    "addresses_since": "addresses",
    "equivocations_since": "equivocations",
    "link": "links",
    "alarms": "alarms",
    "registry_file": "registry files",
}
_TOPIC_WRITES = {
    "set_setting": "settings",
    "put_heartbeat": "heartbeats",
    "put_receipt": "receipts",
    "put_address": "addresses",
    "put_equivocation": "equivocations",
    "put_link": "links",
    "raise_alarm": "alarms",
    "clear_alarm": "alarms",
    "replace_registry_files": "registry files",
}
_NAMING_CHANNEL = frozenset(
    ("put_body", "put_erasures", "erase_bodies", "set_left", "set_cut", "set_covered", "set_fresh")
)


class WatchedStore(SqliteStore):
    """A SqliteStore for one thread; watch is called with the writes of each transaction right after its commit."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path, limits)
        self.life = Life()
        self.watch: Callable[[Sequence[Write]], None] = _ignore
        self._known: dict[str, dict[Any, Any]] = {}
        self._ids: dict[str, int] = {}
        self._logs = _KnownLogs(super().channels, super().channel)

    def keep_log_short(self) -> None:
        """Let the write-ahead log of this process grow to 2 MiB only: hundreds of nodes share one memory."""
        with borrowed(self._writing) as connection:
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")

    # -- writing

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """A production transaction whose writing calls are recorded; none is told unless it commits."""
        self.life.check()
        with super().transaction() as transaction:
            recording = _Recording(transaction)
            yield cast("SqlTransaction", recording)
        for write in recording.writes:
            self._forget(write)
        if recording.writes:
            self.watch(recording.writes)

    def _forget(self, write: Write) -> None:
        topic = _TOPIC_WRITES.get(write.method)
        if topic is None:
            topic = _channel_of(write)
            self._logs.touch(topic, _epoch_of(write))
        if topic is None:
            self._known.clear()
        elif write.result is not False:  # False: the one held is newer, and stays
            self._known.pop(topic, None)

    # -- reading

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        self.life.check()
        with super()._connected() as connection:
            yield connection

    def channels(self) -> Sequence[HeldChannel]:
        """All epochs of all channels, by (channel, epoch)."""
        self.life.check()
        return list(self._logs.all().values())

    def channel(self, channel: str, epoch: int | None = None) -> HeldChannel | None:
        """One epoch of a channel, the newest held when epoch is None."""
        self.life.check()
        if epoch is None:
            return self._logs.newest(channel)
        return self._logs.all().get((channel, epoch))

    def _channel_id(self, channel: str) -> int | None:
        found = self._ids.get(channel)
        if found is None and (found := super()._channel_id(channel)) is not None:
            self._ids[channel] = found  # what is committed keeps its number
        return found

    def _recall(self, topic: str, read: Callable[..., Any], key: Any, named: Mapping[str, Any]) -> Any:
        self.life.check()
        known = self._known.setdefault(topic, {})
        asked = (read.__name__, key, tuple(sorted(named.items())))
        if asked not in known:
            known[asked] = read(*key, **named)
        found = known[asked]
        return list(found) if isinstance(found, list) else dict(found) if isinstance(found, dict) else found


def _recalling_channel(name: str) -> Callable[..., Any]:
    def recall(self: WatchedStore, channel: str, *key: Any, **named: Any) -> Any:
        return self._recall(channel, getattr(super(WatchedStore, self), name), (channel, *key), named)

    return recall


def _recalling_topic(name: str, topic: str) -> Callable[..., Any]:
    def recall(self: WatchedStore, *key: Any, **named: Any) -> Any:
        return self._recall(topic, getattr(super(WatchedStore, self), name), key, named)

    return recall


for _name in _CHANNEL_READS:
    setattr(WatchedStore, _name, _recalling_channel(_name))
for _name, _topic in _TOPIC_READS.items():
    setattr(WatchedStore, _name, _recalling_topic(_name, _topic))


class _KnownLogs:
    """What channels() says, read again only for channels that a commit touched."""

    def __init__(
        self,
        read_all: Callable[[], Sequence[HeldChannel]],
        read_one: Callable[[str, int | None], HeldChannel | None],
    ) -> None:
        self._read_all = read_all
        self._read_one = read_one
        self._held: dict[tuple[str, int], HeldChannel] | None = None
        self._epochs: dict[str, dict[int, None]] = {}
        self._touched: dict[str, None] = {}

    def touch(self, channel: str | None, epoch: int | None) -> None:
        """Read every epoch of a channel again; None: every channel."""
        if channel is None or self._held is None:
            self._held = None
            return
        epochs = self._epochs.setdefault(channel, {})
        if epoch is not None:
            epochs[epoch] = None
        self._touched[channel] = None

    def all(self) -> Mapping[tuple[str, int], HeldChannel]:
        """All logs by (channel, epoch), in that order."""
        if self._held is None:
            self._take({held.key: held for held in self._read_all()})
        elif self._touched:
            self._read_touched(self._held)
        assert self._held is not None
        return self._held

    def newest(self, channel: str) -> HeldChannel | None:
        """The log of the newest epoch held."""
        logs = self.all()
        found = [epoch for epoch in self._epochs.get(channel, ()) if (channel, epoch) in logs]
        return logs[channel, max(found)] if found else None

    def _take(self, held: dict[tuple[str, int], HeldChannel]) -> None:
        self._held = held
        self._touched.clear()
        self._epochs.clear()
        for channel, epoch in held:
            self._epochs.setdefault(channel, {})[epoch] = None

    def _read_touched(self, held: dict[tuple[str, int], HeldChannel]) -> None:
        before = len(held)
        for key in [(channel, epoch) for channel in self._touched for epoch in self._epochs[channel]]:
            found = self._read_one(*key)
            if found is not None:
                held[key] = found
        self._touched.clear()
        if len(held) != before:
            self._held = dict(sorted(held.items()))


class _Recording:
    """A transaction that notes every writing call with what it returned."""

    __slots__ = ("_transaction", "writes")

    def __init__(self, transaction: SqlTransaction) -> None:
        self._transaction = transaction
        self.writes: list[Write] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._transaction, name)
        return partial(self._record, name, method) if name in _WRITING else method

    def _record(self, name: str, method: Callable[..., Any], *given: Any, **named: Any) -> Any:
        if named:
            given = _signature(name).bind(self._transaction, *given, **named).args[1:]
        arguments = tuple(tuple(each) if isinstance(each, Iterator) else each for each in given)
        result = method(*arguments)
        self.writes.append(Write(name, arguments, result))
        return result


@cache
def _signature(name: str) -> Signature:
    return signature(getattr(StoreTransaction, name))


def _channel_of(write: Write) -> str | None:
    if write.method == "append":
        return str(write.arguments[0].header.channel)
    if write.method == "apply":
        return str(write.arguments[0].channel)
    return str(write.arguments[0]) if write.method in _NAMING_CHANNEL else None


def _epoch_of(write: Write) -> int | None:
    if write.method == "append":
        return int(write.arguments[0].header.epoch)
    return None  # nothing else begins a log


def _ignore(_writes: Sequence[Write]) -> None:
    """Nobody watches yet."""
