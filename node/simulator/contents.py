"""The digest of what a database says, whatever its pages look like.

Everything is read through the StoreReader port, in an order that the contents alone decide, and every value goes into
the hash with its kind and its length. Names of files and directories are not part of it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from google.protobuf.message import Message

from node.core.merkle import stored_hash_count
from node.ports import HeldChannel, StoreReader

_ALL = (1 << 63) - 1
_HASHES_AT_A_TIME = 500


def contents_digest(store: StoreReader) -> str:
    """SHA-256, in hex, over all that the port can tell of a store."""
    digest = hashlib.sha256()
    for section in _sections(store):
        for piece in _pieces(section):
            digest.update(piece)
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


def _pieces(value: Any) -> Iterator[bytes]:
    """A value as bytes that no other value has."""
    if isinstance(value, Message):
        yield from _leaf(b"m", value.SerializeToString(deterministic=True))
    elif isinstance(value, bytes):
        yield from _leaf(b"b", value)
    elif isinstance(value, str):
        yield from _leaf(b"s", value.encode())
    elif value is None or isinstance(value, int):
        yield from _leaf(b"i", b"" if value is None else str(int(value)).encode())
    elif is_dataclass(value):
        yield from _list(b"d", (getattr(value, field.name) for field in fields(value)))
    elif isinstance(value, Mapping):
        yield from _list(b"o", (pair for pair in sorted(value.items())))
    else:
        yield from _list(b"l", value)


def _leaf(kind: bytes, content: bytes) -> Iterator[bytes]:
    yield kind + len(content).to_bytes(8)
    yield content


def _list(kind: bytes, items: Iterable[Any]) -> Iterator[bytes]:
    held = list(items)
    yield kind + len(held).to_bytes(8)
    for item in held:
        yield from _pieces(item)
