"""A record that must not be applied, planted among sound ones as a program gone wrong at its origin would write it.

The entry is authentic: signed with the origin's key, over the end of its log, while its node does not run. So nothing
but the rules of the receiver stands in the way of the record. What the node finds when it starts again is what a crash
leaves between the commit of an entry and the note of its head: it folds the entry and goes on.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from node.bench.programs import demand
from node.bench.stores import opened
from node.core import envelope as envelopes
from node.core.channel import advance
from node.core.entry import SALT_BYTES, SignedEntry, build_body
from node.home import Home
from node.pb import channel_pb2
from node.rpc import registry_source


@dataclass(frozen=True, slots=True)
class Versions:
    """What an entry says of the time it was written: the editions in force, and its date in Unix ms."""

    catalogue: str
    rules: str
    now_ms: int


def plant(home: Home, channel: str, records: Sequence[bytes], versions: Versions) -> int:
    """Append records to a channel of a node that does not run, whatever they hold; returns the index of their entry."""
    config = home.load()
    signer = home.open_keys(config, {}).signer
    with home.lock(), opened(home) as store:
        state = registry_source.load({record.name: record.content for record in store.registry_files()})
        held = store.channel(channel)
        demand(held is not None, f"{channel} is not there")
        assert held is not None
        salts = [secrets.token_bytes(SALT_BYTES) for _ in records]
        body, root = build_body(records, salts)
        header = channel_pb2.EntryHeader(
            network=state.network,
            channel=channel,
            epoch=held.log.epoch,
            index=held.log.size,
            prev_root=held.log.root,
            kind=channel_pb2.ENTRY_KIND_RECORDS,
            records_root=root,
            record_count=len(records),
            uncompressed_bytes_max=len(body),
            issued_at_unix_ms=versions.now_ms,
            catalogue_version=versions.catalogue,
            rules_version=versions.rules,
        )
        envelope = envelopes.seal(header.SerializeToString(), envelopes.ENTRY_HEADER, signer)
        signed = SignedEntry(channel, header.epoch, header.index, envelope, body)
        verified = advance(held.log, signed, state.members.get(config.id), state.network)
        with store.transaction() as tx:
            tx.append(verified, versions.now_ms, complete=True)
        return int(header.index)
