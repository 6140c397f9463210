"""What a node of ours has lifted of its lists above a cut: it is written again in the next epoch.

Whoever holds it goes by it all the same (node.held_lists), but who comes late is given nothing above a cut, and would
go on punishing. The officers' warrant covers the slots and not their place, so the same body serves once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from node.core.entry import VerifiedBody, open_body
from node.core.envelope import parse
from node.core.limits import Limits
from node.core.listing import NARROWING, following, operations_in
from node.pb import channel_pb2
from node.ports import Store


@dataclass(frozen=True, slots=True)
class Lifted:
    """The body of an entry above a cut, to be written again."""

    header: channel_pb2.EntryHeader
    body: bytes

    def again(self, header: channel_pb2.EntryHeader) -> channel_pb2.EntryHeader:
        """A header of our open epoch, completed for the same body."""
        header.record_count = self.header.record_count
        header.records_root = self.header.records_root
        header.uncompressed_bytes_max = self.header.uncompressed_bytes_max
        return header


def lifted_above(store: Store, channel: str, cut: channel_pb2.CutReference, limits: Limits) -> Iterator[Lifted]:
    """Yield the entries above a cut that only lift, and lift a listing that its channel now asserts below."""
    for entry in store.entries(channel, cut.epoch, cut.size):
        header = parse(channel_pb2.EntryHeader, entry.envelope.payload)
        body = open_body(header, entry.body, limits) if entry.body is not None else None
        if body is not None and not body.bare and _lifts(store, header, body, limits):
            yield Lifted(header, body.serialized)


def _lifts(store: Store, header: channel_pb2.EntryHeader, body: VerifiedBody, limits: Limits) -> bool:
    operations = operations_in(header, body, limits)
    if any(operation.act not in NARROWING for operation in operations):
        return False
    held = {operation: store.listing(header.channel, operation.target) for operation in operations}
    return any(found is not None and following(found.listing, each) is not None for each, found in held.items())
