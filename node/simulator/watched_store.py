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
from node.held import HeldWriter
from node.ports import HeldChannel, StoreReader, StoreTransaction
from node.simulator.disk_faults import Life
from node.simulator.observing import Write
from node.storage.sql_writing import SqlTransaction
from node.storage.sqlite import SqliteStore
from node.storage.waiting_terms import Tail


def _methods(port: type) -> frozenset[str]:
    return frozenset(name for name in dir(port) if not name.startswith("_"))


_LOG_PAGES = 256
_WRITING = _methods(StoreTransaction) - _methods(StoreReader)
_CHANNEL_READS: Mapping[str, Callable[[Any], Any] | None] = {
    "log": None,
    "entry": None,
    "erasures": dict,
    "incomplete_entries": list,
    "outcomes": dict,
}
_TOPIC_READS: Mapping[str, tuple[str, Callable[[Any], Any] | None]] = {
    "incarnation": ("incarnation", None),
    "heartbeats_since": ("heartbeats", list),
    "receipts": ("receipts", list),
    "receipts_of": ("receipts", list),
    "receipts_since": ("receipts", list),
    "addresses_since": ("addresses", list),
    "equivocations_since": ("equivocations", list),
    "alarms": ("alarms", list),
    "registry_file": ("registry files", None),
}
_ROW_READS = ("setting", "heartbeat", "receipt", "address", "link")
_TOPIC_WRITES = {
    "put_heartbeat": "heartbeats",
    "put_receipt": "receipts",
    "put_address": "addresses",
    "put_equivocation": "equivocations",
    "raise_alarm": "alarms",
    "clear_alarm": "alarms",
    "replace_registry_files": "registry files",
}
_ROW_WRITES: Mapping[str, tuple[str, Callable[..., tuple[Any, ...]]]] = {
    "set_setting": ("setting", lambda name, _value: (name,)),
    "put_heartbeat": ("heartbeat", lambda heartbeat: (heartbeat.node,)),
    "put_receipt": ("receipt", lambda receipt: (receipt.message.channel, receipt.message.subscriber)),
    "put_address": ("address", lambda record, _envelope: (record.node,)),
    "put_link": ("link", lambda state: (state.node,)),
}
_NAMING_CHANNEL = frozenset(
    ("put_body", "put_acts", "put_erasures", "erase_bodies", "set_left", "set_cut", "set_covered", "set_fresh")
)
_APART = _methods(HeldWriter)
"""What is written here is read each time it is asked for."""


class WatchedStore(SqliteStore):
    """A SqliteStore for one thread; watch is called with the writes of each transaction right after its commit."""

    def __init__(self, path: Path, limits: Limits, tail: Tail | None = None) -> None:
        super().__init__(path, limits, tail)
        self.life = Life()
        self.watch: Callable[[Sequence[Write]], None] = _ignore
        self._known: dict[str, dict[Any, Any]] = {}
        self._ids: dict[str, int] = {}
        self._logs = _KnownLogs(super().channels, super().channel)

    def keep_log_short(self) -> None:
        """Let the write-ahead log of this process grow to 2 MiB only: hundreds of nodes share one memory."""
        with self._written() as connection:
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
        if write.result is False or write.method in _APART:  # the one held is newer, and stays; or nobody keeps it
            return
        topic, row = _TOPIC_WRITES.get(write.method), _ROW_WRITES.get(write.method)
        if row is not None:
            self._known.get(row[0], {}).pop(row[1](*write.arguments), None)
        if topic is not None:
            self._known.pop(topic, None)
        elif row is None:
            self._forget_log(_channel_of(write), _epoch_of(write))

    def _forget_log(self, channel: str | None, epoch: int | None) -> None:
        self._logs.touch(channel, epoch)
        if channel is None:
            self._known.clear()
        else:
            self._known.pop(channel, None)

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
        if self.life.has_ended:
            self.life.check()
        if epoch is None:
            return self._logs.newest(channel)
        return self._logs.all().get((channel, epoch))

    def _channel_id(self, channel: str) -> int | None:
        found = self._ids.get(channel)
        if found is None and (found := super()._channel_id(channel)) is not None:
            self._ids[channel] = found  # what is committed keeps its number
        return found

    def _recall(self, topic: str, asked: tuple[Any, ...], read: Callable[[], Any]) -> Any:
        if self.life.has_ended:
            self.life.check()
        known = self._known.get(topic)
        if known is None:
            known = self._known[topic] = {}
        if asked not in known:
            known[asked] = read()
        return known[asked]


def _recalling(name: str, topic: str | None, copied: Callable[[Any], Any] | None) -> Callable[..., Any]:
    """A reading method of the store that remembers; topic None is the channel, the first argument."""
    read = getattr(SqliteStore, name)

    def recall(self: WatchedStore, *key: Any, **named: Any) -> Any:
        asked = (name, key, *sorted(named.items())) if named else (name, key)
        found = self._recall(topic or key[0], asked, lambda: read(self, *key, **named))
        return copied(found) if copied is not None else found

    return recall


def _recalling_row(name: str) -> Callable[..., Any]:
    read = getattr(SqliteStore, name)

    def recall(self: WatchedStore, *key: Any) -> Any:
        return self._recall(name, key, lambda: read(self, *key))

    return recall


for _name, _copied in _CHANNEL_READS.items():
    setattr(WatchedStore, _name, _recalling(_name, None, _copied))
for _name, (_topic, _copied) in _TOPIC_READS.items():
    setattr(WatchedStore, _name, _recalling(_name, _topic, _copied))
for _name in _ROW_READS:
    setattr(WatchedStore, _name, _recalling_row(_name))


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
