"""The list service, beside the admin service on its socket: joint lists as this node holds them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio

from node.core.errors import XinqiaoError
from node.core.list_change import ChangeState
from node.core.list_entry import Terms
from node.core.state import Place
from node.held_changes import HeldChange
from node.held_lists import DigestStatus
from node.list_history import Standing, Step, standing_of, standings, steps_of
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, list_service_pb2_grpc, listing_pb2, record_pb2
from node.pb import list_service_pb2 as pb
from node.ports import HeldChannel
from node.rpc.drafting import Drafting, ReadRows
from node.rpc.refusals import refuse

Context = grpc.aio.ServicerContext[Any, Any]


class ListServicer(list_service_pb2_grpc.ListServiceServicer):
    """ListService over a node; every refusal travels with its code."""

    def __init__(self, node: Node, read_rows: ReadRows) -> None:
        self._node = node
        self._drafting = Drafting(node, read_rows)

    async def DefineList(self, request: pb.DefineListRequest, context: Context) -> pb.DefineListResponse:  # noqa: N802
        """State what a list is."""
        manifest = channel_pb2.Manifest(
            audience=request.audience,
            disclosure=request.disclosure,
            staleness_limit_s=request.staleness_limit_s,
            list=request.list,
        )
        try:
            held, is_new = await self._node.listing.define(manifest)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.DefineListResponse(list=self._line(held), changed=is_new)

    async def ListLists(self, request: pb.ListListsRequest, context: Context) -> pb.ListListsResponse:  # noqa: N802
        """Which lists are held here."""
        listing = self._node.listing
        try:
            held = [listing.held(request.list)] if request.list else listing.lists()
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ListListsResponse(lists=[self._line(each) for each in held])

    # -- who is on a list ---------------------------------------------------------------------------

    async def ListListings(  # noqa: N802
        self, request: pb.ListListingsRequest, context: Context
    ) -> AsyncIterator[pb.ListListingsResponse]:
        """Who is on a list, or was at a time."""
        store, now_ms = self._node.world.store, self._node.world.clock.now_ms()
        try:
            channel = self._node.listing.held(request.list).log.channel
        except XinqiaoError as error:
            await refuse(context, error)
        for page in standings(store, channel, now_ms, request.as_of_unix_ms, everything=request.all):
            yield pb.ListListingsResponse(listings=map(_listing, page))

    async def GetListing(self, request: pb.GetListingRequest, context: Context) -> pb.GetListingResponse:  # noqa: N802
        """The whole history of one entry."""
        ref, store = request.entry, self._node.world.store
        try:
            held = self._node.listing.held(ref.channel)
            found = self._node.listing.entry(held.log.channel, Place(ref.epoch, ref.index, ref.position))
            steps = steps_of(store, held.log.channel, found.listing.place)
            shown = [self._step(held.log.channel, step) for step in steps]
        except XinqiaoError as error:
            await refuse(context, error)
        standing = standing_of(found, self._node.world.clock.now_ms())
        return pb.GetListingResponse(listing=_listing(standing), kind=held.manifest.list.kind, steps=shown)

    def _step(self, channel: str, step: Step) -> pb.ListingStep:
        place = step.operation.place
        ledger = self._node.ledgers.of(channel, (place.epoch, place.index))
        return pb.ListingStep(
            place=ref_of(channel, place),
            op=step.op,
            words=step.words,
            issued_at_unix_ms=step.operation.at_ms,
            effect=step.effect,
            change=step.change,
            signatures=[
                pb.StepSignature(
                    act=each.act, officer=each.officer, key_id=each.key_id, signed_at_unix_ms=each.signed_at_ms
                )
                for each in step.signed
            ],
            holders=[
                pb.StepHolder(
                    node=row.node,
                    name=row.reader.name,
                    state=row.delivery.value,
                    observed_at_unix_ms=row.observed_at_ms,
                    origin=row.reader.is_origin,
                )
                for row in ledger.rows
            ],
        )

    # -- changes --------------------------------------------------------------------------------------

    async def DraftEntries(  # noqa: N802
        self, requests: AsyncIterator[pb.DraftEntriesRequest], context: Context
    ) -> AsyncIterator[pb.DraftEntriesResponse]:
        """Draft a change that enters subjects."""
        try:
            first = await anext(aiter(requests))
            async with aclosing(self._drafting.run(first, requests)) as answers:
                async for answer in answers:
                    yield answer
        except XinqiaoError as error:
            await refuse(context, error)

    async def DraftChange(  # noqa: N802
        self, request: pb.DraftChangeRequest, context: Context
    ) -> pb.DraftChangeResponse:
        """Draft a change of one entry."""
        ref = request.entry
        words = listing_pb2.ListParticulars(decision=request.decision, reason=request.reason)
        measures = request.measures if request.HasField("measures") else None
        terms = Terms(request.decided_on, request.ground, request.until, measures)
        try:
            place = Place(ref.epoch, ref.index, ref.position)
            drafted = await self._node.listing.draft_change(ref.channel, place, request.act, words, terms)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.DraftChangeResponse(change=drafted.id)

    async def DropDraft(self, request: pb.DropDraftRequest, context: Context) -> pb.DropDraftResponse:  # noqa: N802
        """Forget a draft."""
        try:
            await self._node.listing.changes.drop(request.change)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.DropDraftResponse()

    async def ListChanges(  # noqa: N802
        self, request: pb.ListChangesRequest, context: Context
    ) -> pb.ListChangesResponse:
        """Which changes wait for officers."""
        try:
            found = self._node.listing.changes.changes(everything=request.all)
            return pb.ListChangesResponse(changes=[self._change(each) for each in found])
        except XinqiaoError as error:
            await refuse(context, error)

    async def GetChange(  # noqa: N802
        self, request: pb.GetChangeRequest, context: Context
    ) -> AsyncIterator[pb.GetChangeResponse]:
        """One change with its content, for the officer who is to decide."""
        changes = self._node.listing.changes
        try:
            change = changes.change(request.id)
            yield pb.GetChangeResponse(change=self._change(change, is_alone=True))
        except XinqiaoError as error:
            await refuse(context, error)
        for batch in () if request.head_only else changes.batches(change):
            yield pb.GetChangeResponse(batch=batch)

    def _change(self, change: HeldChange, *, is_alone: bool = False) -> pb.ChangeLine:
        listing, store = self._node.listing, self._node.world.store
        officers, target = self._node.deciding.book().officers, change.target
        manifest = listing.held(change.channel).manifest
        on = store.listing(change.channel, target) if target is not None else None
        is_written = is_alone and change.state in (ChangeState.APPROVED, ChangeState.PUBLISHED)
        written = listing.changes.published(store, change) if is_written else {}
        return pb.ChangeLine(
            id=change.id,
            channel=change.channel,
            kind=manifest.list.kind,
            act=listing_pb2.ListAct.Name(change.act),
            entry=ref_of(change.channel, target) if target is not None else None,
            state=change.state.value,
            operations=change.operations,
            batches=change.batches,
            entries=[ref_of(change.channel, place) for _, place in sorted(written.items())],
            digest=change.digest,
            source=change.source,
            drafted_at_unix_ms=change.drafted_at_ms,
            until_unix_ms=change.until_ms,
            signatures=[
                pb.ListSignature(
                    act=message.act,
                    officer=name,
                    reason=message.reason,
                    signed_at_unix_ms=message.signed_at_unix_ms,
                    disabled=not officers[name].is_active,
                )
                for message, name in listing.changes.statements(store, change.id)
            ],
            fault=envelope_pb2.Refusal.FromString(change.fault) if change.fault else None,
            disclosure=manifest.disclosure,
            subject=(on.subject or "") if on is not None else "",
        )

    def _line(self, held: HeldChannel) -> pb.ListLine:
        answering, store, channel = self._node.answering, self._node.world.store, held.log.channel
        state = store.list_state(channel)
        return pb.ListLine(
            channel=answering.summary(held),
            own=answering.is_own(held),
            live=store.live_listings(channel),
            digest=(state.status if state is not None else DigestStatus.UNKNOWN).value,
        )


def _listing(standing: Standing) -> pb.ListingLine:
    held, listing = standing.held, standing.listing
    return pb.ListingLine(
        entry=ref_of(held.channel, listing.place),
        subject=held.subject or "",
        state=standing.state.value,
        asserted=listing.state.value,
        decided_on=listing.decided_on,
        until=listing.until,
        over=standing.over,
        measures=listing.measures,
        entered_at_unix_ms=listing.at_ms,
        changed_at_unix_ms=listing.operations[-1].at_ms,
    )


def ref_of(channel: str, place: Place) -> record_pb2.RecordRef:
    """A place of a channel as it travels."""
    return record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position)
