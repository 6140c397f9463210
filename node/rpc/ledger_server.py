"""The ledger service, beside the admin service on its socket: where entries stand with their readers, live.

A change is seen by the sequence of the receipts and by the head of the log, which cost next to nothing to look at. The
rest (who is late, unreachable, suspended) changes with time, and is looked at again every few seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio

from node.core.delivery import Delivery
from node.core.errors import XinqiaoError
from node.core.ledger import Lateness, Ledger, Row, Standpoint, removals_in
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2, ledger_service_pb2_grpc
from node.pb import ledger_service_pb2 as pb
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]

Asked = pb.WatchDeliveryRequest | pb.ReportDeliveryRequest

LOOK_S = 0.05
LOOK_AT_ALL_EVERY = 40
RECEIPTS_AT_ONCE = 256


class LedgerServicer(ledger_service_pb2_grpc.LedgerServiceServicer):
    """LedgerService over a node; every refusal travels with its code. A node that stops ends what is watched."""

    def __init__(
        self, node: Node, is_stopping: Callable[[], bool], build_report: Callable[[tuple[str, int, int]], bytes]
    ) -> None:
        self._node = node
        self._is_stopping = is_stopping
        self._build_report = build_report

    async def WatchDelivery(  # noqa: N802
        self, request: pb.WatchDeliveryRequest, context: Context
    ) -> AsyncIterator[pb.WatchDeliveryResponse]:
        """Tell where an entry stands, now and at every change."""
        try:
            channel = self._node.ledgers.channel_of(request.list)
            async for found in self._ledgers(channel, request):
                yield pb.WatchDeliveryResponse(ledger=found)
        except XinqiaoError as error:
            await refuse(context, error)

    async def ReportDelivery(  # noqa: N802
        self, request: pb.ReportDeliveryRequest, context: Context
    ) -> pb.ReportDeliveryResponse:
        """Make a signed report of where an entry stands."""
        try:
            found = self._node.ledgers.of(request.list, self._place(request.list, request))
            key = (found.channel, found.epoch, found.index)
            return pb.ReportDeliveryResponse(report=await self._node.world.aside(self._build_report, key))
        except XinqiaoError as error:
            await refuse(context, error)

    async def _ledgers(self, channel: str, request: pb.WatchDeliveryRequest) -> AsyncIterator[pb.DeliveryLedger]:
        news = _News(self._node, channel)
        shown = await self._message(channel, request)
        yield shown
        while request.watch and not self._is_stopping():
            await asyncio.sleep(LOOK_S)
            if not news.has_come():
                continue
            found = await self._message(channel, request)
            if _lasting(found) != _lasting(shown):
                yield found
                shown = found

    async def _message(self, channel: str, request: Asked) -> pb.DeliveryLedger:
        return await self._node.world.aside(self._read, channel, request)

    def _place(self, channel: str, request: Asked) -> tuple[int, int] | None:
        entry = request.entry
        if request.listing:
            return self._node.ledgers.last_change(channel, Place(entry.epoch, entry.index, entry.position))
        return (entry.epoch, entry.index) if request.HasField("entry") else None

    def _read(self, channel: str, request: Asked) -> pb.DeliveryLedger:
        found = self._node.ledgers.of(channel, self._place(channel, request))
        entry = self._node.world.store.entry(channel, found.epoch, found.index)
        assert entry is not None
        header = channel_pb2.EntryHeader.FromString(entry.envelope.payload)
        return ledger_message(found, header, entry.body)


class _News:
    """Whether anything may have changed since it was asked last."""

    def __init__(self, node: Node, channel: str) -> None:
        self._store = node.world.store
        self._channel = channel
        self._sequence = max((each.sequence for each in self._store.receipts(channel)), default=0)
        self._head = self._head_now()
        self._asked = 0

    def has_come(self) -> bool:
        """A receipt for the channel, an entry in it, or some time."""
        self._asked += 1
        receipts = self._store.receipts_since(self._sequence, RECEIPTS_AT_ONCE)
        self._sequence = receipts[-1].sequence if receipts else self._sequence
        head, self._head = self._head, self._head_now()
        is_ours = any(each.receipt.message.channel == self._channel for each in receipts)
        return is_ours or head != self._head or self._asked % LOOK_AT_ALL_EVERY == 0

    def _head_now(self) -> tuple[int, int]:
        held = self._store.channel(self._channel)
        return (held.log.epoch, held.log.size) if held is not None else (0, 0)


def ledger_message(found: Ledger, header: channel_pb2.EntryHeader, body: bytes | None) -> pb.DeliveryLedger:
    """A ledger as it travels."""
    return pb.DeliveryLedger(
        channel=found.channel,
        epoch=found.epoch,
        index=found.index,
        kind=header.kind,
        issued_at_unix_ms=header.issued_at_unix_ms,
        void=found.standpoint is Standpoint.VOID,
        applied=found.applied,
        total=len(found.counted),
        missing=[row.node for row in found.missing],
        rows=map(_row, found.rows),
        removals=removals_in(header, body),
        time_unix_ms=found.now_ms,
    )


def _row(row: Row) -> pb.LedgerRow:
    reader, receipt = row.reader, row.reader.receipt or channel_pb2.Receipt()
    return pb.LedgerRow(
        node=row.node,
        name=reader.name,
        state=row.delivery.value,
        late=row.lateness >= Lateness.LATE,
        reported=row.lateness >= Lateness.REPORTED,
        counts=row.counts,
        reason=row.reason.value,
        detail=row.detail,
        since_unix_ms=row.since_ms,
        owed_since_unix_ms=reader.owed_since_ms if row.delivery is not Delivery.APPLIED else 0,
        observed_at_unix_ms=row.observed_at_ms,
        last_seen_unix_ms=reader.last_seen_ms,
        epoch=receipt.epoch,
        size=receipt.size,
        applied_size=receipt.applied_size,
        origin=reader.is_origin,
    )


def _lasting(found: pb.DeliveryLedger) -> pb.DeliveryLedger:
    """A ledger without what changes all the time."""
    kept = pb.DeliveryLedger()
    kept.CopyFrom(found)
    kept.ClearField("time_unix_ms")
    for row in kept.rows:
        row.ClearField("last_seen_unix_ms")
    return kept
