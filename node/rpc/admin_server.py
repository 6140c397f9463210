"""The admin service: what the operator's own commands call, on a unix socket that only its owner can open."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import grpc.aio

from node.answering import Answer
from node.core import diagnosis
from node.core.catalogue import in_order
from node.core.diagnosis import Finding
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.forecast import FORESEEN_DAYS, MAX_DAYS, Ending
from node.core.membership import Standing
from node.core.registry_targets import catalogue_path
from node.core.state import ACTING, CORRECT, REVIEW, Act, Place
from node.core.workdays import china_day
from node.node import Node
from node.novelty import PassedRows
from node.pb import admin_service_pb2 as pb
from node.pb import admin_service_pb2_grpc, channel_pb2, envelope_pb2, record_pb2
from node.ports import HeldAlarm, HeldReceipt, Stage
from node.rpc.correcting import right_values
from node.rpc.editions_message import matters_message, measures_message
from node.rpc.progress_message import progress_message
from node.rpc.publication import Publication, ReadBatches
from node.rpc.quality_message import quality_message
from node.rpc.refusals import refuse
from node.rpc.registry_chain import chain_of

Context = grpc.aio.ServicerContext[Any, Any]
RECORDS_PER_MESSAGE = 200
QUALITY_PATIENCE_S = 5.0
STATUS_DUTIES = ("publishing", "receiving", "delivery", "membership", "answering")


class Rotation(Protocol):
    """How this node's keys are replaced."""

    def lines(self) -> list[pb.KeyLine]: ...
    async def rotate(self, kind: str) -> pb.RotateKeyResponse: ...


@dataclass(frozen=True, slots=True)
class AdminTools:
    """What the admin service needs beside the node."""

    read_batches: ReadBatches
    new_passed_rows: Callable[[], PassedRows]
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
        self._publication = Publication(node, tools.read_batches, tools.new_passed_rows)

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
            held_rows=sum(map(len, self._node.holding.undecided().values())),
            list_changes=sum(map(len, self._node.listing.changes.undecided().values())),
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
            expiries = chain_of(self._node.membership.state.files).expiries()
            reasons["membership"] = (state, diagnosis.registry_expired(expiries))
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
        try:
            # Closed at once where the caller goes away, so that nothing waits for the rest of its file.
            async with aclosing(self._publication.run(first, requests)) as responses:
                async for response in responses:
                    yield response
        except XinqiaoError as error:
            await refuse(context, error)

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

    async def GetQuality(self, request: pb.GetQualityRequest, context: Context) -> pb.GetQualityResponse:  # noqa: N802
        """The quality figures of a channel."""
        try:
            found = await self._node.measuring.counted(request.channel, request.month, QUALITY_PATIENCE_S)
            item_id = self._node.answering.channel(request.channel).manifest.item
        except XinqiaoError as error:
            await refuse(context, error)
        edition = self._node.membership.edition_in_force
        return quality_message(found, item_id, edition.items.get(item_id) if edition is not None else None)

    async def ListRules(self, request: pb.ListRulesRequest, context: Context) -> pb.ListRulesResponse:  # noqa: N802
        """The rules of an edition."""
        try:
            return self._node.judging.rules(request.rule, request.version)
        except XinqiaoError as error:
            await refuse(context, error)

    async def ListMeasures(  # noqa: N802
        self, request: pb.ListMeasuresRequest, context: Context
    ) -> pb.ListMeasuresResponse:
        """The measures that lists may attach."""
        try:
            return measures_message(self._node.membership, request.version, self._node.world.clock.now_ms())
        except XinqiaoError as error:
            await refuse(context, error)

    async def GetProgress(  # noqa: N802
        self,
        _: pb.GetProgressRequest,
        context: Context,  # noqa: ARG002
    ) -> pb.GetProgressResponse:
        """How much of what is announced is here."""
        return progress_message(self._node.progress.look())

    async def ListMatters(  # noqa: N802
        self, request: pb.ListMattersRequest, context: Context
    ) -> pb.ListMattersResponse:
        """The matters in which subjects may be checked."""
        try:
            return matters_message(self._node.membership, request.version, self._node.world.clock.now_ms())
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
        order = (request.decision, request.reason)
        publishing, right = self._node.publishing, None
        try:
            if request.kind == CORRECT:
                candidate, rules = await right_values(self._node, self._tools.read_batches, request)
                held, is_written, right = await publishing.correct(ref.channel, place, candidate, rules, *order)
            elif request.kind in ACTING - {REVIEW}:
                held, is_written = await publishing.act(ref.channel, place, request.kind, *order)
            else:
                raise XinqiaoError("ARGUMENT_INVALID", argument="kind", detail="it is none that can be ordered")
        except XinqiaoError as error:
            await refuse(context, error)
        replacement = _ref(ref.channel, right) if right is not None else None
        head = self._node.answering.summary(held).head
        return pb.ActOnRecordResponse(head=head, is_written=is_written, replacement=replacement)

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
            found = await asyncio.to_thread(self._tools.foresee, days)
        except XinqiaoError as error:
            await refuse(context, error)
        now_ms = self._node.world.clock.now_ms()
        return pb.ForecastResponse(endings=map(_ending, found), time_unix_ms=now_ms, days=days)

    async def Shutdown(self, _: pb.ShutdownRequest, context: Context) -> pb.ShutdownResponse:  # noqa: N802, ARG002
        """Begin to drain."""
        self._tools.stop()
        return pb.ShutdownResponse()


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
