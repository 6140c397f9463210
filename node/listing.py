"""Listing: the duty that keeps this node's joint lists: what they are, and who is on them by whose decision.

(1) a list is defined: its manifest says what it rests on, and which measures it may attach
(2) a change is drafted: its operations, as they will be published
(3) officers sign it; nothing is decided before
(4) it is published through the one way of an entry, and carries what they have signed
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import date

from node.admission import is_own
from node.core.errors import XinqiaoError
from node.core.identifiers import fold_document_number
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_change import Operation
from node.core.list_entry import Judge, Published, Terms, changing
from node.core.list_type import (
    CONFLICT,
    DECISION,
    FOLDER,
    KIND_NAMES,
    PUBLISHED,
    RED,
    SERIOUS,
    barred,
    list_defect,
)
from node.core.listing import BURDENING, ENTER, ListState
from node.core.officers import OfficerBook
from node.core.state import Place
from node.core.workdays import china_day
from node.held_changes import HeldChange
from node.held_lists import HeldListing
from node.list_changes import ListChanges, Write
from node.list_history import entry_text, words_of
from node.pb import channel_pb2, listing_pb2
from node.ports import Clock, Entropy, HeldChannel, Store, StoreReader, View, Writer

Declare = Callable[[str, channel_pb2.Manifest], Awaitable[tuple[HeldChannel, bool]]]


class Listing:
    """Defines this node's lists."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        entropy: Entropy,
        book: Callable[[StoreReader | None], OfficerBook],
        declare: Declare,
        write: Write,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._declare = declare
        self._limits = limits
        self.changes = ListChanges(view, store, writer, clock, entropy, book, write, self._check, limits)

    def channel_of(self, name: str) -> str:
        """The channel of a list that is named by its code, or by its whole channel."""
        return name if "/" in name else f"{self._view.me}/{FOLDER}{name}"

    # -- what a list is -------------------------------------------------------------------------------

    async def define(self, manifest: channel_pb2.Manifest) -> tuple[HeldChannel, bool]:
        """Write what a list is; defined again, it is what the newest manifest says. False where nothing changes.

        Raises LIST_BASIS, LIST_CONDITIONS, LIST_FIELD, LIST_AUTHORITY, LIST_MEASURE_UNPUBLISHED, LIST_KIND, and what
        keeps this node from publishing.
        """
        defect = list_defect(manifest.list, self._limits)
        if defect is not None:
            raise defect
        self._check_authority(manifest.list)
        self._check_published(manifest.list.measures)
        channel = self.channel_of(manifest.list.code)
        before = self._store.channel(channel)
        if before is not None and before.manifest.list.kind != manifest.list.kind:
            raise XinqiaoError("LIST_KIND", list=channel, kind=KIND_NAMES.get(before.manifest.list.kind, "none"))
        manifest.title = manifest.list.title_zh
        manifest.priority = channel_pb2.PRIORITY_CONTROL
        return await self._declare(channel, manifest)

    def lists(self) -> Sequence[HeldChannel]:
        """The newest epoch of every list held here, by channel."""
        newest = {held.log.channel: held for held in self._store.channels() if held.manifest.HasField("list")}
        return [newest[channel] for channel in sorted(newest)]

    def held(self, name: str) -> HeldChannel:
        """A list that is held here; raises LIST_UNKNOWN."""
        held = self._store.channel(self.channel_of(name))
        if held is None or not held.manifest.HasField("list"):
            raise XinqiaoError("LIST_UNKNOWN", list=name[:96])
        return held

    def own_list(self, name: str) -> HeldChannel:
        """A list of this node; raises LIST_UNKNOWN, LIST_NOT_OURS."""
        held = self.held(name)
        if not is_own(self._view, held.log.channel):
            parameters = {"list": held.log.channel, "origin": held.origin, "node": self._view.me}
            raise barred("LIST_NOT_OURS", DECISION, **parameters)
        return held

    def _check_authority(self, list_type: listing_pb2.ListType) -> None:
        me = self._view.members.active(self._view.me)
        if not me.may_speak_for(list_type.authority, self._clock.now_ms()):
            raise barred("LIST_AUTHORITY", DECISION, node=me.id, authority=list_type.authority)

    def _check_published(self, measures: Iterable[str]) -> None:
        published = self._published()
        for code in measures:
            if code not in published.codes:
                raise barred("LIST_MEASURE_UNPUBLISHED", PUBLISHED, measure=code, version=published.version)

    def _published(self) -> Published:
        measures = self._view.measures_in_force(self._clock.now_ms())
        return Published(measures.version, measures.measures) if measures is not None else Published("none", ())

    # -- who is on it ---------------------------------------------------------------------------------

    def judge(self, held: HeldChannel, act: int = ENTER) -> Judge:
        """What judges entries of a list as of today; raises LIST_AUTHORITY.

        Whoever may not speak for the authority any more still takes off whom it has put on.
        """
        if act in BURDENING:
            self._check_authority(held.manifest.list)
        return Judge(held.manifest, china_day(self._clock.now_ms()), self._published(), self._limits)

    def entry_defects(
        self, judge: Judge, held: HeldChannel, operation: Operation
    ) -> Iterator[tuple[str, XinqiaoError]]:
        """Yield everything that keeps a subject from being entered, by what is asked of it and by who is on lists."""
        yield from judge.entry_defects(operation)
        subject = operation.words.subject
        if not subject:
            return
        for each in self._store.listings_of(subject):
            channel = self._store.channel(each.channel)
            if channel is None:
                continue
            is_serious = channel.manifest.list.kind == SERIOUS
            if held.manifest.list.kind == RED and is_serious and _is_listed(each, judge.today):
                yield "subject", barred("LIST_CONFLICT", CONFLICT, list=each.channel, entry=entry_name(each))
            if each.channel == held.log.channel and each.listing.is_live and self._is_same(each, operation):
                yield "subject", XinqiaoError("LIST_DUPLICATE", entry=entry_name(each))

    def _is_same(self, listed: HeldListing, operation: Operation) -> bool:
        """Whether a listing was entered by the decision that an operation names."""
        words = words_of(self._store, listed.channel, listed.listing.operations[0])
        decision = fold_document_number(operation.words.decision)
        return words is not None and fold_document_number(words.decision) == decision

    async def draft_change(
        self, name: str, place: Place, act: int, words: listing_pb2.ListParticulars, terms: Terms
    ) -> HeldChange:
        """Draft the operation that changes an entry; raises LIST_ENTRY_UNKNOWN and why it may not."""
        held = self.own_list(name)
        listing = self.entry(held.log.channel, place).listing
        judge = self.judge(held, act)
        day = terms.decided_on or judge.today.isoformat()
        op = changing(held.log.channel, listing, act, terms, day)
        for _, error in judge.change_defects(listing, Operation(op, words)):
            raise error
        draft = await self.changes.draft(held, act, place, listing.last)
        await draft.add([Operation(op, words)])
        return await draft.close()

    def entry(self, channel: str, place: Place) -> HeldListing:
        """One entry of a list; raises LIST_ENTRY_UNKNOWN."""
        found = self._store.listing(channel, place)
        if found is None:
            raise XinqiaoError("LIST_ENTRY_UNKNOWN", entry=entry_text(channel, place))
        return found

    def _check(self, change: HeldChange, operations: Sequence[Operation]) -> None:
        """Judge a batch once more before it is published; raises the first thing that is wrong."""
        held = self.own_list(change.channel)
        judge = self.judge(held, change.act)
        for operation in operations:
            if change.target is None:
                defects = self.entry_defects(judge, held, operation)
            else:
                listing = self.entry(change.channel, change.target).listing
                defects = judge.change_defects(listing, operation)
            for _, error in defects:
                raise error


def _is_listed(held: HeldListing, today: date) -> bool:
    return held.answered is ListState.LISTED and held.listing.until >= today.isoformat()


def entry_name(held: HeldListing) -> str:
    """An entry of a list as people name it."""
    return entry_text(held.channel, held.listing.place)
