"""The admin service: what the operator's own commands call, on a unix socket that only its owner can open."""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import grpc.aio

from node.answering import Answer
from node.core.catalogue import Item, in_order
from node.core.diagnosis import Finding
from node.core.doubts import Tally
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.forecast import FORESEEN_DAYS, MAX_DAYS, Ending
from node.core.membership import Standing
from node.core.record import Batch, Outcome, Rejection, Sheet
from node.core.registry_targets import catalogue_path
from node.core.rules import Law
from node.core.state import ACTING, CORRECT, Act, Place, day_of, disclosure_letter
from node.core.workdays import china_day
from node.node import Node
from node.pb import admin_service_pb2 as pb
from node.pb import admin_service_pb2_grpc, channel_pb2, envelope_pb2, record_pb2
from node.ports import HeldAlarm, HeldChannel, HeldReceipt, Stage
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]
QUEUED_PIECES = 4
RECORDS_PER_MESSAGE = 200
STATUS_DUTIES = ("publishing", "receiving", "delivery", "membership", "answering")


class ReadBatches(Protocol):
    """How a file becomes batches: the columns of its header, notes on it, then its rows judged and built."""

    def __call__(
        self, pieces: Iterable[bytes], name: str, item: Item, disclosure: str, as_of: str, law: Law
    ) -> tuple[Sequence[str], Sequence[XinqiaoError], Iterator[Batch]]: ...


class Rotation(Protocol):
    """How this node's keys are replaced."""

    def lines(self) -> list[pb.KeyLine]: ...
    async def rotate(self, kind: str) -> pb.RotateKeyResponse: ...


@dataclass(frozen=True, slots=True)
class AdminTools:
    """What the admin service needs beside the node."""

    read_batches: ReadBatches
    build_evidence: Callable[[str, Place], bytes]
    rotation: Rotation
    foresee: Callable[[int], list[Ending]]
    diagnose: Callable[[str], AsyncIterator[Finding]]
    stop: Callable[[], None]
    endpoint: Callable[[str], str]
    software_version: str


class AdminServicer(admin_service_pb2_grpc.AdminServiceServicer):
    """AdminService over a node; every refusal travels with its code."""

    def __init__(self, node: Node, tools: AdminTools) -> None:
        self._node = node
        self._tools = tools

    # -- state ----------------------------------------------------------------------------------------

    async def GetStatus(self, _: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:  # noqa: N802, ARG002
        """How each duty stands."""
        membership = self._node.membership
        member = membership.members.get(membership.me)
        blocked = self._node.publishing.blocked
        return pb.GetStatusResponse(
            network=membership.network,
            node=membership.me,
            name=member.name if member else "",
            fingerprint=member.descriptor.fingerprint if member else "",
            membership=member.standing.value if member else "unlisted",
            registry_stage=membership.stage.name,
            registry=membership.versions,
            registry_expires_unix_ms=membership.state.expires_ms,
            duties=self.duties(),
            alarms=[_alarm(held) for held in self._node.answering.alarms()],
            channels=len(self._node.answering.channels()),
            records=self._node.answering.record_count(),
            software_version=self._tools.software_version,
            time_unix_ms=self._node.world.clock.now_ms(),
            waiting_for=blocked.next if blocked is not None else "",
            working_days_known_until=str(membership.calendar.last_day or ""),
            calendar=self._calendar_fault(),
        )

    def _calendar_fault(self) -> envelope_pb2.Refusal | None:
        """What is wrong with the calendar of working days, None while it covers the days that are told about today."""
        unknown = self._node.membership.calendar.unknown_within(china_day(self._node.world.clock.now_ms()))
        return to_refusal(XinqiaoError("CALENDAR_SHORT", day=unknown)) if unknown is not None else None

    def duties(self) -> list[pb.Duty]:
        """How each duty stands, in fixed order."""
        blocked = self._node.publishing.blocked
        stage = self._node.membership.stage
        reasons: dict[str, tuple[pb.DutyState, XinqiaoError] | None] = dict.fromkeys(STATUS_DUTIES)
        if blocked is not None:
            reasons["publishing"] = (pb.DUTY_STATE_BLOCKED, blocked)
        if stage is not Stage.FRESH:
            state = pb.DUTY_STATE_DEGRADED if stage is Stage.STALE else pb.DUTY_STATE_BLOCKED
            expires = str(self._node.membership.state.expires_ms)
            reasons["membership"] = (state, XinqiaoError("REGISTRY_EXPIRED", role="state", expires=expires))
        failing = self._failing_links()
        if failing:
            reasons["delivery"] = (pb.DUTY_STATE_DEGRADED, failing[0])
        return [_duty(name, reason) for name, reason in reasons.items()]

    def _failing_links(self) -> list[XinqiaoError]:
        states = [self._node.world.store.link(node) for node in self._node.delivery.linked]
        failed = [envelope_pb2.Refusal.FromString(state.failure) for state in states if state.failure]
        return [from_refusal(refusal) for refusal in failed]

    async def ListPeers(self, _: pb.ListPeersRequest, context: Context) -> pb.ListPeersResponse:  # noqa: N802, ARG002
        """How each link stands."""
        members = self._node.membership.members
        return pb.ListPeersResponse(
            peers=[self._peer(node) for node in sorted(members.by_id) if node != self._node.membership.me]
        )

    def _peer(self, node: str) -> pb.Peer:
        member = self._node.membership.members.by_id[node]
        link = self._node.world.store.link(node)
        active = member.standing is Standing.ACTIVE
        return pb.Peer(
            node=node,
            name=member.name,
            level=member.descriptor.message.level,
            membership=member.standing.value,
            linked=node in self._node.delivery.linked,
            exchange_endpoint=self._tools.endpoint(node),
            last_success_unix_ms=link.last_success_ms,
            retry_at_unix_ms=link.retry_at_ms,
            failure=envelope_pb2.Refusal.FromString(link.failure) if link.failure else None,
            clock_skew_ms=link.clock_skew_ms,
            shared_channels=len(self._node.sharing.heads(node)) if active else 0,
        )

    # -- channels -------------------------------------------------------------------------------------

    async def CreateChannel(  # noqa: N802
        self, request: pb.CreateChannelRequest, context: Context
    ) -> pb.CreateChannelResponse:
        """Write entry 0 of a new channel."""
        manifest = channel_pb2.Manifest(
            title=request.title,
            item=request.item,
            audience=request.audience,
            disclosure=request.disclosure,
            priority=channel_pb2.PRIORITY_BULK,
            staleness_limit_s=request.staleness_limit_s,
        )
        try:
            held = await self._node.publishing.create_channel(request.name, manifest)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.CreateChannelResponse(channel=self._node.answering.summary(held))

    async def SetAudience(  # noqa: N802
        self, request: pb.SetAudienceRequest, context: Context
    ) -> pb.SetAudienceResponse:
        """Write a manifest with another audience."""
        try:
            held = await self._node.publishing.set_audience(request.channel, request.audience)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.SetAudienceResponse(channel=self._node.answering.summary(held))

    async def ListChannels(  # noqa: N802
        self,
        _: pb.ListChannelsRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.ListChannelsResponse:
        """The channels held."""
        answering = self._node.answering
        return pb.ListChannelsResponse(channels=[answering.summary(held) for held in answering.channels()])

    async def GetChannel(self, request: pb.GetChannelRequest, context: Context) -> pb.GetChannelResponse:  # noqa: N802
        """One channel with the receipts of its readers."""
        try:
            held = self._node.answering.channel(request.channel)
        except XinqiaoError as error:
            await refuse(context, error)
        lines = [_delivery(node, item) for node, item in self._node.answering.deliveries(held)]
        return pb.GetChannelResponse(channel=self._node.answering.summary(held), deliveries=lines)

    # -- publishing -----------------------------------------------------------------------------------

    async def Publish(  # noqa: N802
        self, requests: AsyncIterator[pb.PublishRequest], context: Context
    ) -> AsyncIterator[pb.PublishResponse]:
        """Publish one file; what is counted accepted or revised is durable when it is counted."""
        first = await anext(requests, None)
        if first is None:
            await refuse(context, XinqiaoError("ARGUMENT_INVALID", argument="file", detail="nothing was sent"))
        pieces = Pieces(first.data)
        feeding = asyncio.create_task(pieces.feed(requests))
        try:
            held = self._node.publishing.channel_to_publish(first.channel)
            async for response in self._publish(held, first, pieces):
                yield response
        except XinqiaoError as error:
            await refuse(context, error)
        finally:
            pieces.close()
            feeding.cancel()

    async def GetCatalogue(  # noqa: N802
        self, request: pb.GetCatalogueRequest, context: Context
    ) -> pb.GetCatalogueResponse:
        """An edition of the catalogue as the registry signed it, that in force unless another one is named."""
        membership = self._node.membership
        in_force, known = membership.edition_in_force, in_order(membership.editions.values())
        if in_force is None:
            await refuse(context, XinqiaoError("VERDICT_CATALOGUE", version="in force"))
        version = request.version or in_force.version
        if version not in known:
            await refuse(context, XinqiaoError("CATALOGUE_UNKNOWN", version=version[:64], known=", ".join(known)))
        return pb.GetCatalogueResponse(
            version=version,
            edition=membership.state.targets[catalogue_path(version)],
            known_versions=known,
            version_in_force=in_force.version,
        )

    async def _publish(
        self, held: HeldChannel, first: pb.PublishRequest, pieces: "Pieces"
    ) -> AsyncIterator[pb.PublishResponse]:
        edition = self._node.membership.edition_in_force
        if edition is None:
            raise XinqiaoError("VERDICT_CATALOGUE", version="in force")
        item = edition.item(held.manifest.item)
        letter = disclosure_letter(held.manifest.disclosure)
        as_of = day_of(self._node.world.clock.now_ms())
        law = self._node.judging.law(first.declared)
        columns, notes, batches = await asyncio.to_thread(
            self._tools.read_batches, pieces, first.file_name, item, letter, as_of, law
        )
        counts, doubts = pb.PublishCounts(), Tally()
        yield pb.PublishResponse(columns=columns, notes=[to_refusal(note) for note in notes])
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            outcomes = await self._node.publishing.publish(held.log.channel, batch.candidates, law.edition.version)
            rejected = [*batch.rejections, *(o.rejection for o in outcomes if o.rejection is not None)]
            _count(counts, outcomes, len(batch.rejections))
            for candidate in batch.candidates:
                doubts.add(candidate.doubts)
            yield pb.PublishResponse(
                counts=counts,
                rejected=[_row(rejection, batch.sheet) for rejection in rejected],
                read_bytes=pieces.read_bytes,
            )
        head = self._node.answering.summary(self._node.answering.channel(held.log.channel)).head
        told = [to_refusal(note) for note in doubts.notes()]
        yield pb.PublishResponse(counts=counts, read_bytes=pieces.read_bytes, head=head, done=True, notes=told)

    # -- records and proofs ---------------------------------------------------------------------------

    async def ListRecords(  # noqa: N802
        self, request: pb.ListRecordsRequest, context: Context
    ) -> AsyncIterator[pb.ListRecordsResponse]:
        """Records in force, some hundred a message."""
        try:
            answering = self._node.answering
            answers = answering.records(request.subject, request.channel, request.limit, everything=request.all)
            piece = pb.ListRecordsResponse()
            for answer in answers:
                piece.records.append(self._held_record(answer))
                if len(piece.records) >= RECORDS_PER_MESSAGE:
                    yield piece
                    piece = pb.ListRecordsResponse()
            yield piece
        except XinqiaoError as error:
            await refuse(context, error)

    def _held_record(self, answer: Answer) -> pb.HeldRecord:
        channel = answer.held.channel
        return pb.HeldRecord(
            ref=_ref(channel, answer.held.place),
            record=answer.record if answer.condition.is_answered else None,
            issued_at_unix_ms=answer.held.issued_at_ms,
            received_at_unix_ms=answer.held.received_at_ms,
            fresh_at_unix_ms=answer.fresh_at_ms,
            values=[pb.ColumnValue(column=code, text=text) for code, text in answer.values.items()],
            state=answer.condition.state.value,
            acts=[self._record_act(channel, act) for act in answer.condition.acts],
        )

    def _record_act(self, channel: str, act: Act) -> pb.RecordAct:
        told = self._node.answering.conditions.particulars(channel, act)
        return pb.RecordAct(
            kind=record_pb2.StatusKind.Name(act.kind),
            decision=told.decision,
            reason=told.reason,
            at_unix_ms=act.at_ms,
            operation=_ref(channel, act.place),
            replacement=_ref(channel, act.replacement) if act.replacement is not None else None,
        )

    async def ListRules(self, request: pb.ListRulesRequest, context: Context) -> pb.ListRulesResponse:  # noqa: N802
        """The rules of an edition."""
        try:
            return self._node.judging.rules(request.rule, request.version)
        except XinqiaoError as error:
            await refuse(context, error)

    async def ExplainRecord(  # noqa: N802
        self, request: pb.ExplainRecordRequest, context: Context
    ) -> pb.ExplainRecordResponse:
        """By which rules a record was judged."""
        try:
            return self._node.judging.explain(request.ref, request.version)
        except XinqiaoError as error:
            await refuse(context, error)

    async def EraseRecord(  # noqa: N802
        self, request: pb.EraseRecordRequest, context: Context
    ) -> pb.EraseRecordResponse:
        """Write the status entry that erases one record."""
        ref = request.ref
        place = Place(ref.epoch, ref.index, ref.position)
        try:
            held = await self._node.publishing.erase(ref.channel, place, request.decision, request.reason)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.EraseRecordResponse(head=self._node.answering.summary(held).head)

    async def ActOnRecord(  # noqa: N802
        self, request: pb.ActOnRecordRequest, context: Context
    ) -> pb.ActOnRecordResponse:
        """Write the status entry that changes how one record stands."""
        ref = request.ref
        place = Place(ref.epoch, ref.index, ref.position)
        order = (request.kind, request.decision, request.reason)
        try:
            if request.kind not in ACTING - {CORRECT}:
                raise XinqiaoError("ARGUMENT_INVALID", argument="kind", detail="it is none that can be ordered")
            held, is_written = await self._node.publishing.act(ref.channel, place, *order)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ActOnRecordResponse(head=self._node.answering.summary(held).head, is_written=is_written)

    async def Prove(self, request: pb.ProveRequest, context: Context) -> pb.ProveResponse:  # noqa: N802
        """The evidence bundle of one record."""
        ref = request.ref
        try:
            place = Place(ref.epoch, ref.index, ref.position)
            bundle = await asyncio.to_thread(self._tools.build_evidence, ref.channel, place)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ProveResponse(bundle=bundle)

    # -- keys and the process -------------------------------------------------------------------------

    async def ListKeys(self, _: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:  # noqa: N802, ARG002
        """This node's keys and certificates."""
        return pb.ListKeysResponse(keys=self._tools.rotation.lines())

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Context) -> pb.RotateKeyResponse:  # noqa: N802
        """Start or continue a rotation."""
        try:
            return await self._tools.rotation.rotate(request.kind)
        except XinqiaoError as error:
            await refuse(context, error)

    async def Diagnose(  # noqa: N802
        self, request: pb.DiagnoseRequest, context: Context
    ) -> AsyncIterator[pb.DiagnoseResponse]:
        """Try what the node lives on, one finding after another."""
        try:
            async for finding in self._tools.diagnose(request.peer):
                yield pb.DiagnoseResponse(finding=as_message(finding))
        except XinqiaoError as error:
            await refuse(context, error)

    async def Forecast(self, request: pb.ForecastRequest, context: Context) -> pb.ForecastResponse:  # noqa: N802
        """What ends or fills up."""
        days = request.days or FORESEEN_DAYS
        try:
            if days > MAX_DAYS:
                raise XinqiaoError("ARGUMENT_INVALID", argument="days", detail=f"1 to {MAX_DAYS} days")
            found = self._tools.foresee(days)
        except XinqiaoError as error:
            await refuse(context, error)
        now_ms = self._node.world.clock.now_ms()
        return pb.ForecastResponse(endings=map(_ending, found), time_unix_ms=now_ms, days=days)

    async def Shutdown(self, _: pb.ShutdownRequest, context: Context) -> pb.ShutdownResponse:  # noqa: N802, ARG002
        """Begin to drain."""
        self._tools.stop()
        return pb.ShutdownResponse()


class Pieces:
    """The pieces of a file on their way from the stream to the thread that reads rows, a bounded few at a time."""

    def __init__(self, first: bytes) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(QUEUED_PIECES)
        self._queue.put(first)
        self._closed = False
        self.read_bytes = 0

    async def feed(self, requests: AsyncIterator[pb.PublishRequest]) -> None:
        """Hand every piece over, then the end."""
        async for request in requests:
            await self._put(request.data)
        await self._put(None)

    async def _put(self, piece: bytes | None) -> None:
        while not self._closed:
            try:
                self._queue.put_nowait(piece)
                return
            except queue.Full:
                await asyncio.sleep(0.005)

    def close(self) -> None:
        """Release a reader that still waits."""
        self._closed = True
        while True:
            try:
                self._queue.put_nowait(None)
                return
            except queue.Full:
                self._queue.get_nowait()

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._queue.get()) is not None:
            self.read_bytes += len(piece)
            yield piece


def _count(counts: pb.PublishCounts, outcomes: Sequence[Outcome], rejected: int) -> None:
    for outcome in outcomes:
        name = outcome.kind.value
        setattr(counts, name, getattr(counts, name) + 1)
    counts.rejected += rejected
    counts.rows += len(outcomes) + rejected


def _row(rejection: Rejection, sheet: Sheet | None) -> pb.RowOutcome:
    columns = [defect.field_code for defect in rejection.defects]
    cells = [sheet.cell(rejection.row, column) if sheet is not None else "" for column in columns]
    return pb.RowOutcome(
        row=rejection.row,
        column=rejection.column,
        reason=to_refusal(rejection.defects[0].error),
        message=rejection.reason,
        remedy=rejection.remedy,
        values=rejection.values,
        cell=cells[0],
        defects=[to_refusal(defect.error) for defect in rejection.defects],
        columns=columns,
        cells=cells,
    )


def as_message(finding: Finding) -> pb.Finding:
    """A finding as it travels."""
    return pb.Finding(
        check=finding.check.value,
        subject=finding.subject,
        severity=f"FINDING_SEVERITY_{finding.severity.name}",
        what=to_refusal(finding.error) if finding.error is not None else None,
        figures={name: str(value) for name, value in finding.figures.items()},
    )


def _ending(found: Ending) -> pb.Ending:
    return pb.Ending(
        what=found.what,
        node=found.node,
        subject=found.subject,
        ends_unix_ms=found.ends_ms,
        why=to_refusal(found.error),
        is_estimate=found.is_estimate,
    )


def _duty(name: str, reason: "tuple[pb.DutyState, XinqiaoError] | None") -> pb.Duty:
    if reason is None:
        return pb.Duty(name=name, state=pb.DUTY_STATE_READY)
    return pb.Duty(name=name, state=reason[0], reason=to_refusal(reason[1]))


def _alarm(held: HeldAlarm) -> pb.Alarm:
    return pb.Alarm(
        what=envelope_pb2.Refusal(code=held.code, parameters=held.parameters),
        first_seen_unix_ms=held.first_seen_ms,
        last_seen_unix_ms=held.last_seen_ms,
        count=held.count,
    )


def _delivery(node: str, held: HeldReceipt | None) -> pb.DeliveryLine:
    if held is None:
        return pb.DeliveryLine(node=node)
    message = held.receipt.message
    return pb.DeliveryLine(
        node=node,
        size=message.size,
        applied_size=message.applied_size,
        observed_at_unix_ms=message.observed_at_unix_ms,
        outcomes=message.outcomes,
        withheld=message.withheld,
    )


def _ref(channel: str, place: Place) -> record_pb2.RecordRef:
    return record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position)
