"""What officers do with joint lists in a simulated network: define, change, erase, and check subjects."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Any

from node.checking import Asking
from node.core.audience import parse_audience
from node.core.list_change import ChangeState, Operation
from node.core.list_entry import Terms
from node.core.list_type import SERIOUS
from node.core.list_warrant import APPROVE, PROPOSE
from node.core.listing import ENTER, EXIT
from node.core.workdays import china_day
from node.held_changes import HeldChange
from node.held_lists import HeldListing
from node.node import Node
from node.pb import channel_pb2, listing_pb2
from node.simulator.list_drawing import SUBJECTS, DrawnOperation, draw_operations
from node.simulator.measures import MATTER, MEASURES, UNIT
from node.simulator.officers import APPROVER, PROPOSER, Officers
from node.simulator.plan import PlannedEvent
from node.simulator.process import Process
from node.simulator.town import Town
from node.simulator.workload import authority_code, subject_code, subject_name

Ask = Callable[[str, Callable[[Process], Awaitable[Any]]], Awaitable[tuple[Any, str]]]
"""Lets somebody at a node do something: what came of it, or why nothing did."""

KINDS = {
    "serious": listing_pb2.LIST_KIND_SERIOUS,
    "red": listing_pb2.LIST_KIND_RED,
    "watch": listing_pb2.LIST_KIND_WATCH,
}
ALLOWED = {"serious": MEASURES[1:], "red": MEASURES[:1], "watch": ()}
TERM_MONTHS = 36
_LIVE_CHECKED, _HELD_CHECKED = 0.6, 0.9
_ENDED_CHECKED, _JUST_ENDED = 0.4, 3
PAGE = 500


class ListWork:
    """Carries out what a plan says of joint lists. lists are the channels of those that are defined."""

    def __init__(self, town: Town, ask: Ask) -> None:
        self._town = town
        self._ask = ask
        self._officers: Officers = town.officers
        self.lists: set[str] = set()
        self._checks = 0
        # By list: the subjects that were taken off it, the last one at the end.
        self._ended: dict[str, list[str]] = {}

    async def define(self, event: PlannedEvent) -> str:
        """Define a list; why it is not there, empty when it is."""
        channel, manifest = str(event.arguments["channel"]), manifest_of(event)
        _, why = await self._ask(event.node, lambda at: at.instance.listing.define(manifest))
        if not why:
            self.lists.add(channel)
        return why

    # -- changing -----------------------------------------------------------------------------------------

    async def change(self, label: str, channel: str, random: Random, operations: int, exits: int) -> None:
        """Let officers enter subjects in one change, and change single listings in others."""
        process = self._town.process_of(label)
        if process is None or process.instance.world.store.channel(channel) is None:
            return
        drawn = self._drawn(process.instance, channel, random, operations, exits)
        entering = [each for each in drawn if each.act == ENTER]
        if entering:
            numbers = [random.getrandbits(32) for _ in entering]
            await self._decide(label, channel, partial(self._enter, channel, entering, numbers))
        for each in drawn:
            if each.act != ENTER:
                number = random.getrandbits(32)
                held = process.instance.world.store.listing(channel, each.entry) if each.entry is not None else None
                is_done = await self._decide(label, channel, partial(self._follow, channel, each, number))
                if is_done and each.act == EXIT and held is not None and held.subject:
                    self._ended.setdefault(channel, []).append(held.subject)

    def _drawn(self, node: Node, channel: str, random: Random, operations: int, exits: int) -> Sequence[DrawnOperation]:
        held = node.world.store.channel(channel)
        assert held is not None
        today = china_day(node.world.clock.now_ms())
        return draw_operations(listings(node, channel), random, operations, exits, held.manifest.list.measures, today)

    async def _decide(self, label: str, channel: str, draft: Callable[[Node], Awaitable[HeldChange | None]]) -> bool:
        """Let one officer draft and propose a change, and another one approve it where the list asks for that.

        Returns whether it is published.
        """

        async def decide(at: Process) -> ChangeState | None:
            node = at.instance
            await self._officers.appoint(node)
            change = await draft(node)
            if change is None:
                return None
            held = node.listing.own_list(channel)
            acts = [(PROPOSER, PROPOSE), *([(APPROVER, APPROVE)] if held.manifest.list.kind == SERIOUS else [])]
            for name, act in acts:
                await node.deciding.submit(self._officers.sign(node, name, act, change.id, change.digest))
            state, fault = await node.listing.changes.finish(change.id)
            if fault is not None:
                raise fault
            return state

        state, why = await self._ask(label, decide)
        self._town.trace.note("list changed", label, channel=channel, state=state or "-", refused=why or "-")
        return state is ChangeState.PUBLISHED

    async def _enter(
        self, channel: str, drawn: Sequence[DrawnOperation], numbers: Sequence[int], node: Node
    ) -> HeldChange | None:
        listing = node.listing
        held = listing.own_list(channel)
        judge = listing.judge(held)
        today = judge.today.isoformat()
        draft = await listing.changes.draft(held, ENTER)
        for each, number in zip(drawn, numbers, strict=True):
            values = _words(number) | {
                "subject": subject_code(each.serial),
                "subject_name": subject_name(each.serial),
                "decided_on": today,
                "notice_served": today,
                "until": each.until,
                "measures": ",".join(each.measures),
            }
            operation: Operation = judge.entry(values)
            if not list(listing.entry_defects(judge, held, operation)):
                await draft.add([operation])
        if draft.count:
            return await draft.close()
        await draft.drop()
        return None

    async def _follow(self, channel: str, drawn: DrawnOperation, number: int, node: Node) -> HeldChange:
        assert drawn.entry is not None
        measures = ",".join(drawn.measures) if drawn.until else None
        terms = Terms(ground=drawn.ground, until=drawn.until, measures=measures)
        words = listing_pb2.ListParticulars(**_words(number))
        return await node.listing.draft_change(channel, drawn.entry, drawn.act, words, terms)

    # -- checking -----------------------------------------------------------------------------------------

    async def check(self, label: str, channel: str, random: Random) -> None:
        """Let an officer check somebody whom a list has held, or anybody."""
        process = self._town.process_of(label)
        if process is None:
            return
        self._checks += 1
        subject, ground = self._somebody(process.instance, channel, random), f"check {self._checks}"
        asking = Asking(officer=PROPOSER, unit=UNIT, matter=MATTER, ground=ground)

        async def check(at: Process) -> str:
            await self._officers.appoint(at.instance)
            checked = await at.instance.checking.check(asking, subject)
            self._town.watcher.checked(label, at.instance.world.clock.now_ms(), ground, checked.answer)
            return str(checked.answer.verdict)

        verdict, why = await self._ask(label, check)
        self._town.trace.note("checked", label, channel=channel, verdict=verdict or "-", refused=why or "-")

    def _somebody(self, node: Node, channel: str, random: Random) -> str:
        """Somebody who was taken off the list just now, stands on it here, did so once, or anybody."""
        ended = self._ended.get(channel, [])[-_JUST_ENDED:]
        if ended and random.random() < _ENDED_CHECKED:
            return random.choice(ended)
        held = [each for each in listings(node, channel) if each.subject]
        live = [each for each in held if each.listing.is_live]
        draw = random.random()
        among = live if draw < _LIVE_CHECKED else held if draw < _HELD_CHECKED else []
        found = random.choice(among).subject if among else None
        return found or subject_code(random.randrange(SUBJECTS))


def _words(number: int) -> dict[str, str]:
    return {"decision": f"模决字〔2026〕{number}号", "reason": "模拟"}


def listings(node: Node, channel: str) -> list[HeldListing]:
    """Every listing of a list that a node holds."""
    found: list[HeldListing] = []
    while page := node.world.store.listings(channel, found[-1].listing.place if found else None, PAGE):
        found += page
    return found


def manifest_of(event: PlannedEvent) -> channel_pb2.Manifest:
    """The manifest of a list that a plan creates."""
    origin, _, code = str(event.arguments["channel"]).partition("/lists/")
    kind = str(event.arguments["list_kind"])
    list_type = listing_pb2.ListType(
        code=code,
        title_zh="模拟名单",
        title_en="A simulated list",
        kind=KINDS[kind],
        authority=authority_code(origin),
        legal_basis=[listing_pb2.LegalBasis(title="模拟条例", article="第一条")],
        entry_conditions="模拟列入条件",
        exit_conditions="模拟移出条件",
        remedy="可以申请行政复议",
        measures=ALLOWED[kind],
        term_months=TERM_MONTHS,
    )
    return channel_pb2.Manifest(
        title=list_type.title_zh,
        audience=parse_audience(str(event.arguments["audience"])),
        disclosure=channel_pb2.DISCLOSURE_CLASS_A,
        priority=channel_pb2.PRIORITY_CONTROL,
        staleness_limit_s=int(str(event.arguments["staleness_limit_s"])),
        list=list_type,
    )
