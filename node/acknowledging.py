"""Acknowledging: a part of receiving that finds what a receipt says of a log.

It takes several readings, and between two of them the log may go on, be cut or be left. The extent of one moment with
the digest or the outcomes of another is nothing that was ever applied, and tells the origin of a wrong reducer. So the
log is looked at again after the last reading; one that moves all the time is read in the writer's turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.core.limits import Limits
from node.core.receipt import outcome_counts
from node.list_standing import receipt_digest
from node.pb import channel_pb2
from node.ports import HeldChannel, Lane, Store, StoreReader, Writer

READ_TRIES = 3


@dataclass(frozen=True, slots=True)
class Said:
    """What can be said of a log at one moment."""

    held: HeldChannel
    digest: bytes
    withheld: Sequence[int]
    outcomes: Mapping[tuple[int, str], int]

    def receipt(self, network: str, subscriber: str, now_ms: int, limits: Limits) -> channel_pb2.Receipt:
        """The receipt that says so, not signed yet."""
        return channel_pb2.Receipt(
            network=network,
            subscriber=subscriber,
            channel=self.held.log.channel,
            epoch=self.held.log.epoch,
            size=self.held.log.size,
            root=self.held.log.root,
            applied_size=self.held.applied_size,
            state_digest=self.digest,
            withheld=self.withheld,
            outcomes=outcome_counts(self.outcomes, limits.max_outcome_codes_per_receipt),
            observed_at_unix_ms=now_ms,
        )


async def said_of(store: Store, writer: Writer, held: HeldChannel, limits: Limits) -> Said:
    """What can be said of a log at one moment, that of held or a later one."""
    for _ in range(READ_TRIES):
        found, now = _read(store, held, limits), _now(store, held)
        if now == held:
            return found
        held = now
    return await writer.run(Lane.CONTROL, lambda tx: _read(tx, _now(tx, held), limits))


def _read(store: StoreReader, held: HeldChannel, limits: Limits) -> Said:
    withheld = store.incomplete_entries(*held.key, limits.max_withheld_per_receipt)
    return Said(held, receipt_digest(store, held), withheld, store.outcomes(*held.key))


def _now(store: StoreReader, held: HeldChannel) -> HeldChannel:
    now = store.channel(*held.key)
    assert now is not None
    return now
