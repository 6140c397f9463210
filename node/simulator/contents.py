"""The digest of what a database says, whatever its pages look like.

Everything is read through the StoreReader port, in an order that the contents alone decide, and every value goes into
the hash with its kind and its length. Names of files and directories are not part of it.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from google.protobuf.message import Message

from node.core.merkle import stored_hash_count
from node.ports import HeldChannel, StoreReader

_ALL = (1 << 63) - 1
_HASHES_AT_A_TIME = 500
_LISTINGS_AT_A_TIME = 500
_FIELDS: dict[type, Callable[[Any], Any]] = {}


def contents_digest(store: StoreReader) -> str:
    """SHA-256, in hex, over all that the port can tell of a store."""
    digest = hashlib.sha256()
    for section in _sections(store):
        written = bytearray()
        _write(section, written)
        digest.update(written)
    return digest.hexdigest()


def _sections(store: StoreReader) -> Iterator[Any]:
    yield "incarnation", store.incarnation()
    for held in store.channels():
        yield "channel", held
        yield from _log(store, held)
    yield from (("record", record) for record in store.records())
    channels = sorted({held.log.channel for held in store.channels()})
    for name in channels:
        yield "records", name, store.record_count(name)
        yield "list", store.list_state(name)
        yield from (("listing", listing) for listing in _listings(store, name))
        yield from (("receipt", receipt) for receipt in store.receipts(name))
    beats, addresses = store.heartbeats_since(0), store.addresses_since(0)
    yield from (("heartbeat", beat) for beat in beats)
    yield from (("address", address) for address in addresses)
    yield from (("receipt", receipt) for receipt in store.receipts_since(0, _ALL))
    yield from (("equivocation", proof) for proof in store.equivocations_since(0))
    yield from (("alarm", alarm) for alarm in store.alarms())
    yield from (("registry file", file) for file in store.registry_files())
    known = {beat.node for beat in beats} | {address.record.node for address in addresses}
    known |= {channel.partition("/")[0] for channel in channels}
    yield from (("link", store.link(node)) for node in sorted(known))


def _listings(store: StoreReader, channel: str) -> Iterator[Any]:
    after = None
    while page := store.listings(channel, after, _LISTINGS_AT_A_TIME):
        yield from page
        after = page[-1].listing.place


def _log(store: StoreReader, held: HeldChannel) -> Iterator[Any]:
    channel, epoch = held.key
    for entry in store.entries(channel, epoch, 0):
        yield "entry", entry
        yield "erasures", store.erasures(channel, epoch, entry.index)
    yield "incomplete", store.incomplete_entries(channel, epoch, _ALL)
    yield "outcomes", store.outcomes(channel, epoch)
    reader, count = store.hashes(channel, epoch), stored_hash_count(held.log.size)
    for start in range(0, count, _HASHES_AT_A_TIME):
        yield "hashes", reader.read_hashes(range(start, min(start + _HASHES_AT_A_TIME, count)))


def _write(value: Any, to: bytearray) -> None:
    """Add a value as bytes that no other value has."""
    if isinstance(value, bytes):
        _write_leaf(b"b", value, to)
    elif isinstance(value, str):
        _write_leaf(b"s", value.encode(), to)
    elif value is None or isinstance(value, int):
        _write_leaf(b"i", b"" if value is None else b"%d" % value, to)
    elif isinstance(value, Message):
        _write_leaf(b"m", value.SerializeToString(deterministic=True), to)
    elif isinstance(value, Mapping):
        _write_all(b"o", sorted(value.items()), to)
    else:
        _write_all(b"l", value if isinstance(value, Sequence) else _values(value), to)


def _write_leaf(kind: bytes, content: bytes, to: bytearray) -> None:
    to += kind
    to += len(content).to_bytes(8)
    to += content


def _write_all(kind: bytes, items: Sequence[Any], to: bytearray) -> None:
    to += kind
    to += len(items).to_bytes(8)
    for item in items:
        _write(item, to)


def _values(value: Any) -> Sequence[Any]:
    """The values of a dataclass, in the order of its fields; all of ours have two or more."""
    kind = type(value)
    if kind not in _FIELDS:
        names = [field.name for field in fields(kind)]
        assert len(names) > 1, kind
        _FIELDS[kind] = attrgetter(*names)
    found: Sequence[Any] = _FIELDS[kind](value)
    return found
