"""Orders: what an operator's order on a record of this node comes to, as status operations for publishing to sign."""

from node.admission import header_of
from node.core import envelope as envelopes
from node.core.entry import open_body
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.state import ERASING, Place
from node.pb import channel_pb2, record_pb2
from node.ports import StoreReader

Ordered = tuple[list[record_pb2.StatusOp], record_pb2.StatusParticulars]
"""The operations of one status entry, and what it says of all of them."""


class Orders:
    """Reads out of the store what an order names."""

    def __init__(self, store: StoreReader, limits: Limits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._limits = limits

    def erasing(self, channel: str, place: Place) -> list[record_pb2.StatusOp]:
        """The operations that erase a record in force and every other one of its key; it comes last.

        Raises RECORD_UNKNOWN.
        """
        if self._store.record(channel, place) is None:
            ref = f"{channel} {place.epoch}/{place.index}/{place.position}"
            raise XinqiaoError("RECORD_UNKNOWN", ref=ref, detail="no such record in force", channel=channel)
        others = [other for other in self._store.revisions(channel, place) if other != place]
        places = [*others, place]
        commitments: dict[Place, bytes] = {}
        for epoch, index in dict.fromkeys((each.epoch, each.index) for each in places):
            commitments |= self.commitments_of(channel, epoch, index)
        return [erase_op(channel, each, commitments[each]) for each in places if each in commitments]

    def commitments_of(self, channel: str, epoch: int, index: int) -> dict[Place, bytes]:
        """The commitments of the slots of an entry, none where its body is not held."""
        entry = self._store.entry(channel, epoch, index)
        if entry is None or entry.body is None:
            return {}
        header = envelopes.parse(channel_pb2.EntryHeader, entry.envelope.payload)
        found = open_body(header, entry.body, self._limits).commitments
        return {Place(epoch, index, position): commitment for position, commitment in enumerate(found)}

    def above(self, channel: str, cut: channel_pb2.CutReference) -> list[Ordered]:
        """What entries above a cut have ordered of records below it."""
        found: list[Ordered] = []
        for entry in self._store.entries(channel, cut.epoch, cut.size):
            if header_of(entry).kind == channel_pb2.ENTRY_KIND_STATUS:
                body = channel_pb2.EntryBody.FromString(entry.body or b"")
                slots = [record_pb2.StatusSlot.FromString(slot.record) for slot in body.slots]
                ops = [slot.op for slot in slots if _erases_below(slot.op, cut)]
                told = next((slot.particulars for slot in slots if slot.HasField("particulars")), None)
                if ops and told is not None:
                    found.append((ops, told))
        return found


def _erases_below(op: record_pb2.StatusOp, cut: channel_pb2.CutReference) -> bool:
    """Whether a status operation erases something that a cut has left in force."""
    below = (op.target.epoch, op.target.index) < (cut.epoch, cut.size)
    return op.kind in ERASING and below


def erase_op(channel: str, place: Place, commitment: bytes) -> record_pb2.StatusOp:
    """The operation that erases one slot."""
    target = record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position)
    return record_pb2.StatusOp(kind=record_pb2.STATUS_KIND_ERASE, target=target, commitment=commitment)
