"""What a transaction has found or written itself, and does not ask the database for again.

A channel keeps its number for ever. An entry that was appended is at hand until a statement may change it: the fold
that follows reads it at once, with its body.
"""

from collections.abc import Iterator
from dataclasses import replace

from node.core.entry import VerifiedBody, VerifiedEntry
from node.ports import HeldEntry
from node.storage.sql_reading import MAX_INTEGER, SqlReader


class SqlRememberer(SqlReader):
    """The StoreReader of a transaction."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._entered: dict[tuple[str, int], dict[int, HeldEntry]] = {}

    def _channel_id(self, channel: str) -> int | None:
        if channel not in self._ids:
            found = super()._channel_id(channel)
            if found is None:
                return None
            self._ids[channel] = found
        return self._ids[channel]

    def _enter(self, entry: VerifiedEntry, body: VerifiedBody | None, complete: bool, received_at_ms: int) -> None:
        """Remember an entry as it was appended."""
        header, stored = entry.header, body.serialized if body is not None else None
        issued_at_ms = min(header.issued_at_unix_ms, MAX_INTEGER)
        held = HeldEntry(header.index, entry.envelope, stored, complete, issued_at_ms, received_at_ms)
        self._entered.setdefault((header.channel, header.epoch), {})[header.index] = held

    def entries(
        self, channel: str, epoch: int, start: int, end: int | None = None, with_bodies: bool = True
    ) -> Iterator[HeldEntry]:
        last = MAX_INTEGER if end is None else end
        while start < last and (entry := self._entered.get((channel, epoch), {}).get(start)) is not None:
            yield entry if with_bodies else replace(entry, body=None)
            start += 1
        row = self._log_row(channel, epoch)
        if row is not None and start < min(last, row.size):
            yield from super().entries(channel, epoch, start, end, with_bodies)
