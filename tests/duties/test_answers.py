"""Checks at a reader: every doubt with its real cause, for lists of every kind; who may ask; logged before told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from node.checking import Asking
from node.core import envelope as envelopes
from node.core.answer import Answer, Doubt, Verdict
from node.core.channel import HeadAt, head_leaf
from node.core.errors import XinqiaoError
from node.core.list_type import KIND_NAMES, RED, SERIOUS, WATCH
from node.core.membership import Cut, Standing
from node.core.registry_targets import matters_path
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2
from node.ports import HeldChannel, Lane, StoreTransaction
from node.storage.writer import InlineWriter
from tests.builders import NOW_MS, UNIT, ChannelWriter, make_heartbeat, make_matter, make_matters
from tests.duties.hostile import run_of, without_body
from tests.duties.test_losses import memory_of
from tests.duties.test_querying import CountingWriter
from tests.list_writer import ListWriter, amend, enter, leave, listing_node, resume, subject_of, suspend
from tests.lists import make_list_type
from tests.officers import adding, disabling, make_keys
from tests.wire import Network

T = TypeVar("T")
ORIGIN, READER = "310000", "330100"
LI, WANG = make_keys(2)
ON_IT, NOT_ON_IT = subject_of(1), subject_of(2)
FIRST = Place(0, 1, 0)
CODES = {SERIOUS: "serious-tax", RED: "red-tax", WATCH: "watch-tax"}
LIMIT_S = 3600
DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


class Town:
    """An origin with a list of each kind, one subject on each, and a reader with an officer."""

    def __init__(self, *kinds: int) -> None:
        self.network = Network(ORIGIN, READER)
        self.network.signing[ORIGIN] = listing_node(ORIGIN)
        self.writers = {kind: self.begun(kind) for kind in kinds or KIND_NAMES}

    def begun(self, kind: int) -> ListWriter:
        """The origin of a list of one kind."""
        writer = ListWriter(self.network.signing[ORIGIN], channel=f"{ORIGIN}/lists/{CODES[kind]}")
        measures = [] if kind == WATCH else ["SHR-31-1", "SHR-31-2", "SHR-31-3"]
        list_type = make_list_type(code=CODES[kind], kind=kind, measures=measures)
        writer.manifest(list=list_type, staleness_limit_s=LIMIT_S)
        return writer

    async def open(self, *, received: bool = True) -> "Town":
        for kind, writer in self.writers.items():
            writer.change(enter(1, measures=[] if kind == WATCH else ["SHR-31-1"]))
        await self.network.publish_registry()
        await self.node.deciding.submit(*adding("李明", LI, self.network.signing[READER].signer, node=READER))
        if received:
            await self.bring()
        return self

    @property
    def node(self) -> Node:
        return self.network[READER]

    async def bring(self) -> None:
        """Everything that is written reaches origin and reader."""
        for writer in self.writers.values():
            await self.network[ORIGIN].receive(run_of(writer))
        await self.network.settle()

    async def ask(self, subject: str = ON_IT, **changes: str) -> Answer:
        return (await self.node.checking.check(asking(**changes), subject)).answer


def asking(**changes: str) -> Asking:
    return replace(Asking("李明", UNIT, "bidding.tender", "招标投标法第三十三条"), **changes)


# -- the table, cell by cell ----------------------------------------------------------------------------------


async def stale(town: Town) -> None:
    town.network.clock.time_ms += LIMIT_S * 1000 + 1


async def never_received(town: Town) -> None:
    del town  # its entries were never brought, and the matter names the lists


async def restored(town: Town) -> None:
    town.network.start(READER, town.node.world.store)


async def quarantined(town: Town) -> None:
    faces = [ChannelWriter(town.network.signing[ORIGIN], f"{ORIGIN}/other") for _ in range(2)]
    for face, title in zip(faces, "甲乙", strict=True):
        face.manifest(title=title)
    first, second = (face.entries[0].envelope for face in faces)
    await town.node.receiving.take_equivocation(channel_pb2.Equivocation(first=first, second=second))


async def origin_suspended(town: Town) -> None:
    await town.network.relist(ORIGIN, standing=Standing.SUSPENDED)


async def another_digest(town: Town) -> None:
    for writer in town.writers.values():
        writer.change(enter(7, measures=[]), state_digest=bytes(32))
    await town.bring()


async def incomplete(town: Town) -> None:
    for writer in town.writers.values():
        writer.change(enter(7, measures=[]))
        await town.node.receive([without_body(run_of(writer)[-1])])


async def registry_expired(town: Town) -> None:
    town.network.clock.time_ms += 2 * WEEK_MS
    await town.bring()


CAUSES: dict[Doubt, Callable[[Town], Awaitable[None]]] = {
    Doubt.STALE: stale,
    Doubt.NEVER_RECEIVED: never_received,
    Doubt.RESTORED: restored,
    Doubt.QUARANTINED: quarantined,
    Doubt.ORIGIN_SUSPENDED: origin_suspended,
    Doubt.DIGEST: another_digest,
    Doubt.INCOMPLETE: incomplete,
    Doubt.REGISTRY_EXPIRED: registry_expired,
}


@pytest.mark.parametrize("kind", KIND_NAMES)
@pytest.mark.parametrize("doubt", Doubt)
def test_g5_whatever_puts_a_list_in_doubt_nothing_of_it_is_told(doubt: Doubt, kind: int) -> None:
    async def scenario() -> None:
        town = Town(kind)
        channel = f"{ORIGIN}/lists/{CODES[kind]}"
        matters = make_matters(make_matter(lists=[channel]))
        town.network.editions[matters_path("2026.1")] = matters
        await town.open(received=doubt is not Doubt.NEVER_RECEIVED)
        if doubt is not Doubt.NEVER_RECEIVED:
            assert (await town.ask(ON_IT)).verdict is Verdict.LISTED
            assert (await town.ask(NOT_ON_IT)).verdict is Verdict.CLEAR
        await CAUSES[doubt](town)
        on_it, not_on_it = await town.ask(ON_IT), await town.ask(NOT_ON_IT)
        assert on_it.verdict is not_on_it.verdict is Verdict.UNCONFIRMED
        assert on_it.lists == not_on_it.lists
        (told,) = on_it.lists
        assert doubt in told.consulted.doubts
        assert (told.consulted.channel, told.entries) == (channel, ())

    run(scenario())


def test_g5_a_list_that_only_a_heartbeat_names_never_reads_clear() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open(received=False)
        log = town.writers[SERIOUS].log
        heads = {(log.channel, 0): HeadAt(log.size, log.root)}
        assert (await town.ask()).verdict is Verdict.CLEAR
        await town.node.receiving.take_heartbeat(make_heartbeat(town.network.signing[ORIGIN], heads, NOW_MS).view)
        found = await town.ask()
        assert found.verdict is Verdict.UNCONFIRMED
        assert [each.consulted.doubts for each in found.lists] == [(Doubt.NEVER_RECEIVED,)]
        await town.bring()
        assert (await town.ask()).verdict is Verdict.LISTED

    run(scenario())


# -- restored -------------------------------------------------------------------------------------------------


def test_g4_a_restarted_reader_tells_nothing_until_the_origin_has_shown_what_is_applied_here() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        town.network.start(READER, town.node.world.store)
        assert (await town.ask()).lists[0].consulted.doubts == (Doubt.RESTORED,)
        await town.network.sync(READER, ORIGIN)
        assert (await town.ask()).verdict is Verdict.LISTED
        # The same where it is the origin that calls.
        town.network.start(READER, town.node.world.store)
        await town.network.sync(ORIGIN, READER)
        assert (await town.ask()).verdict is Verdict.LISTED

    run(scenario())


def test_g4_a_heartbeat_signed_after_the_start_is_as_good_and_an_older_one_is_not() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        origin = town.network[ORIGIN]
        town.network.start(READER, town.node.world.store)
        skew_ms = town.network.limits.max_clock_skew_ms
        for after_ms, verdict in ((skew_ms - 60_000, Verdict.UNCONFIRMED), (120_000, Verdict.LISTED)):
            town.network.clock.time_ms += after_ms
            await origin.beat()
            beat = origin.world.store.heartbeat(ORIGIN)
            assert beat is not None
            await town.node.receiving.take_heartbeat(beat.view)
            assert (await town.ask()).verdict is verdict

    run(scenario())


def test_g4_a_reader_that_lost_what_it_had_acknowledged_never_tells_the_entry_that_was_lifted() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer, kept = town.writers[SERIOUS], memory_of(town.node).copy()
        _, places = writer.change(enter(3), leave(FIRST))
        await town.bring()
        assert (await town.ask()).verdict is Verdict.CLEAR
        assert (await town.ask(subject_of(3))).verdict is Verdict.LISTED
        assert len(places) == 2
        town.network.start(READER, kept)
        assert (await town.ask()).verdict is Verdict.UNCONFIRMED
        await town.network.settle()
        assert (await town.ask()).verdict is Verdict.CLEAR
        assert (await town.ask(subject_of(3))).verdict is Verdict.LISTED

    run(scenario())


def test_g4_a_receipt_of_ours_for_more_than_is_held_puts_a_list_in_doubt_until_that_is_applied() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer, kept = town.writers[SERIOUS], memory_of(town.node).copy()
        writer.change(leave(FIRST))
        await town.bring()
        own = town.node.world.store.receipt(writer.log.channel, READER)
        assert own is not None
        node = town.network.start(READER, kept)
        # The origin is restored as well, and shows what is held here.
        node.delivery._regained.shown(ORIGIN, [(held.key, _head(held)) for held in kept.channels()])
        assert (await town.ask()).verdict is Verdict.LISTED
        node.delivery._regained.given_back([own.receipt.envelope])
        assert (await town.ask()).lists[0].consulted.doubts == (Doubt.RESTORED,)
        await node.receive(run_of(writer))
        assert (await town.ask()).verdict is Verdict.CLEAR

    run(scenario())


def test_g4_an_origin_that_shows_a_later_epoch_of_a_list_confirms_no_earlier_one() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        kept = memory_of(town.node).copy()
        node = town.network.start(READER, kept)
        (held,) = kept.channels()
        later = ((held.log.channel, held.log.epoch + 1), HeadAt(1, bytes(32)))
        node.delivery._regained.shown(ORIGIN, [(held.key, _head(held)), later])
        assert (await town.ask()).lists[0].consulted.doubts == (Doubt.RESTORED,)
        node.delivery._regained.shown(ORIGIN, [(held.key, _head(held))])
        assert (await town.ask()).verdict is Verdict.LISTED

    run(scenario())


def test_g4_nothing_confirms_an_epoch_that_is_closed_to_a_node_that_may_have_been_dropped_since() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        (held,) = town.node.world.store.channels()
        cut = Cut(frozenset({head_leaf(*held.key, _head(held))}))
        await town.network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="整改", cut=cut)
        await town.network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        assert (await town.ask()).verdict is Verdict.LISTED
        node = town.network.start(READER, town.node.world.store)
        node.delivery._regained.shown(ORIGIN, [(held.key, _head(held))])
        assert (await town.ask()).lists[0].consulted.doubts == (Doubt.RESTORED,)

    run(scenario())


def test_receipts_that_this_node_did_not_sign_and_those_for_what_it_holds_put_nothing_in_doubt() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        held = town.node.world.store.receipt(f"{ORIGIN}/lists/serious-tax", READER)
        assert held is not None
        forged, foreign = channel_pb2.Receipt(), channel_pb2.Receipt()
        forged.CopyFrom(held.receipt.message)
        forged.applied_size = forged.size = 99
        foreign.CopyFrom(forged)
        foreign.subscriber = ORIGIN
        stranger = town.network.signing[ORIGIN].signer
        envelopes_given = [
            envelopes.seal(each.SerializeToString(), envelopes.RECEIPT, stranger) for each in (forged, foreign)
        ]
        town.node.delivery._regained.given_back([held.receipt.envelope, *envelopes_given])
        assert (await town.ask()).verdict is Verdict.LISTED

    run(scenario())


# -- entries --------------------------------------------------------------------------------------------------


def test_an_entry_is_in_force_to_its_last_day_inclusive_in_china() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        town.writers[SERIOUS].change(enter(3, until="2026-09-30"))
        await town.bring()
        last_ms = int(datetime(2026, 9, 30, 15, 59, 59, tzinfo=UTC).timestamp()) * 1000
        for at_ms, verdict in ((last_ms, Verdict.LISTED), (last_ms + 1000, Verdict.CLEAR)):
            town.network.clock.time_ms = at_ms - 3000
            await town.network.settle()
            town.network.clock.time_ms = at_ms
            assert (await town.ask(subject_of(3))).verdict is verdict
            assert (await town.ask()).verdict is Verdict.LISTED

    run(scenario())


def test_an_entry_has_no_effect_before_it_was_issued_and_what_lifts_it_has_at_once() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer, later = town.writers[SERIOUS], NOW_MS + DAY_MS // 2
        writer.change(enter(3), issued_at_unix_ms=later)
        await town.bring()
        assert (await town.ask(subject_of(3))).verdict is Verdict.CLEAR
        town.network.clock.time_ms = later
        await town.network.settle()
        assert (await town.ask(subject_of(3))).verdict is Verdict.LISTED
        writer.change(leave(Place(0, 2, 0)), issued_at_unix_ms=later + DAY_MS)
        await town.bring()
        assert (await town.ask(subject_of(3))).verdict is Verdict.CLEAR

    run(scenario())


def test_a_suspension_is_answered_and_its_end_too_but_no_end_before_its_time() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer = town.writers[SERIOUS]
        writer.change(suspend(FIRST))
        await town.bring()
        assert (await town.ask()).verdict is Verdict.CLEAR
        writer.change(resume(FIRST), issued_at_unix_ms=NOW_MS + DAY_MS)
        await town.bring()
        assert (await town.ask()).verdict is Verdict.CLEAR
        town.network.clock.time_ms = NOW_MS + DAY_MS
        await town.network.settle()
        assert (await town.ask()).verdict is Verdict.LISTED
        writer.change(amend(FIRST, until="2026-09-20"))
        await town.bring()
        assert (await town.ask()).verdict is Verdict.CLEAR

    run(scenario())


def test_no_amendment_holds_an_entry_longer_than_the_term_of_its_list() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer, term_ends = town.writers[SERIOUS], "2026-09-25"
        writer.change(enter(3, until=term_ends).but(decided_on="2023-09-25", notice_served="2023-09-01"))
        writer.change(amend(Place(0, 2, 0), until="2028-12-31").but(decided_on="2026-09-20"))
        await town.bring()
        last_ms = int(datetime(2026, 9, 25, 15, 59, 59, tzinfo=UTC).timestamp()) * 1000
        for at_ms, verdict in ((last_ms, Verdict.LISTED), (last_ms + 1000, Verdict.CLEAR)):
            town.network.clock.time_ms = at_ms - 3000
            await town.network.settle()
            town.network.clock.time_ms = at_ms
            assert (await town.ask(subject_of(3))).verdict is verdict

    run(scenario())


def test_who_stands_on_a_serious_list_is_told_no_red_one() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS, RED).open()
        town.writers[RED].change(enter(3))
        await town.bring()
        both, red = await town.ask(), await town.ask(subject_of(3))
        verdicts = {each.consulted.kind: each.verdict for each in both.lists}
        assert verdicts == {SERIOUS: Verdict.LISTED, RED: Verdict.CLEAR}
        (conflict,) = next(each for each in both.lists if each.consulted.kind == RED).entries
        assert not conflict.is_applicable
        assert {each.consulted.kind: each.verdict for each in red.lists} == {
            SERIOUS: Verdict.CLEAR,
            RED: Verdict.LISTED,
        }
        # A matter that does not look at the serious list minds it all the same.
        matters = make_matters(make_matter(measures=["SHR-30-1"], lists=[f"{ORIGIN}/lists/red-tax"]), version="2026.2")
        town.network.editions[matters_path("2026.2")] = matters
        await town.network.publish_registry()
        only_red = await town.ask()
        assert [each.consulted.kind for each in only_red.lists] == [RED]
        assert only_red.verdict is Verdict.CLEAR

    run(scenario())


def test_lists_whose_measures_do_not_meet_the_matter_are_not_looked_at_but_watch_lists_always_are() -> None:
    async def scenario() -> None:
        town = await Town().open()
        matters = make_matters(make_matter(measures=["SHR-30-1"]), version="2026.2")
        town.network.editions[matters_path("2026.2")] = matters
        assert {each.consulted.kind for each in (await town.ask()).lists} == {SERIOUS, RED, WATCH}
        await town.network.publish_registry()
        assert {each.consulted.kind for each in (await town.ask()).lists} == {WATCH}

    run(scenario())


# -- who may ask, and the log ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "subject", "code", "said"),
    [
        ({"matter": "bidding.other"}, ON_IT, "QUERY_MATTER", "bidding.tender"),
        ({"matter": ""}, ON_IT, "QUERY_MATTER", "R-QRY-2"),
        ({"unit": subject_of(9)}, ON_IT, "QUERY_UNIT", "art. 18"),
        ({"officer": "王芳"}, ON_IT, "QUERY_OFFICER", "李明"),
        ({"officer": "赵强"}, ON_IT, "QUERY_OFFICER", "disabled"),
        ({"ground": " "}, ON_IT, "QUERY_GROUND", "R-QRY-2"),
        ({"ground": "第一行\n第二行"}, ON_IT, "QUERY_GROUND", "one line"),
        ({"ground": "长" * 501}, ON_IT, "QUERY_GROUND", "500"),
        ({}, "示例有限公司", "QUERY_SUBJECT", "names are not"),
        ({}, "00000000000000000X", "QUERY_SUBJECT", "neither"),
    ],
)
def test_who_may_not_ask_is_told_why_and_nothing_else_and_nothing_is_logged(
    changes: dict[str, str], subject: str, code: str, said: str
) -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        own = town.network.signing[READER].signer
        await town.node.deciding.submit(*adding("赵强", WANG, own, node=READER))
        await town.node.deciding.submit(*disabling("赵强", WANG, LI, node=READER))
        with pytest.raises(XinqiaoError) as caught:
            await town.ask(subject, **changes)
        assert caught.value.code == code
        assert said in f"{caught.value.text} {caught.value.next}"
        assert town.node.world.store.last_query() is None

    run(scenario())


def test_nobody_is_checked_before_matters_are_published() -> None:
    async def scenario() -> None:
        town = Town(SERIOUS)
        del town.network.editions[matters_path("2026.1")]
        await town.open()
        with pytest.raises(XinqiaoError, match="QUERY_MATTER"):
            await town.ask()

    run(scenario())


@pytest.mark.parametrize("code", ["DISK_FULL", "DATABASE"])
@pytest.mark.parametrize("is_persisted", [False, True])
def test_a_question_that_cannot_be_kept_is_not_answered(code: str, is_persisted: bool) -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        writer = CountingWriter(town.node.world.store)
        writer.failing[0] = (code, is_persisted)
        town.node.querying._writer = writer
        with pytest.raises(XinqiaoError, match=code):
            await town.ask()
        assert (town.node.world.store.last_query() is not None) is is_persisted
        found = await town.node.checking.check(asking(), ON_IT)
        assert found.logged.sequence == (2 if is_persisted else 1)
        assert found.answer.verdict is Verdict.LISTED

    run(scenario())


def test_g4_an_exit_that_comes_while_a_question_is_logged_is_not_overtaken_by_the_answer() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        node, writer = town.node, town.writers[SERIOUS]
        writer.change(leave(FIRST))

        class Between(InlineWriter):
            async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
                done = await super().run(lane, step)
                await node.receive(run_of(writer))
                return done

        node.querying._writer = Between(node.world.store)
        assert (await town.ask()).verdict is Verdict.CLEAR

    run(scenario())


def test_a_batch_is_one_entry_of_the_log_and_answers_in_the_order_of_its_subjects() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        subjects = [NOT_ON_IT, ON_IT, *(subject_of(at) for at in range(10, 600)), ON_IT]
        found = [each async for each in town.node.checking.check_batch(asking(), subjects)]
        assert [each.answer.subject for each in found] == subjects
        assert [each.answer.verdict for each in found if each.answer.subject == ON_IT] == [Verdict.LISTED] * 2
        assert sum(each.answer.verdict is Verdict.CLEAR for each in found) == len(subjects) - 2
        (entry,) = town.node.querying.entries()
        assert (entry.query.count, entry.query.subject) == (len(subjects) - 1, "")
        assert await town.node.querying.about(ON_IT) == [entry]

    run(scenario())


def test_a_batch_with_a_subject_that_cannot_be_is_refused_whole_before_it_is_logged() -> None:
    async def scenario() -> None:
        town = await Town(SERIOUS).open()
        town.network.limits = replace(town.network.limits, max_subjects_per_check=3)
        town.network.start(READER, town.node.world.store)
        for subjects, code in (([ON_IT, "示例"], "QUERY_SUBJECT"), ([], "QUERY_BATCH"), ([ON_IT] * 4, "QUERY_BATCH")):
            with pytest.raises(XinqiaoError, match=code):
                await anext(town.node.checking.check_batch(asking(), subjects))
        assert town.node.world.store.last_query() is None

    run(scenario())


def _head(held: HeldChannel) -> HeadAt:
    return HeadAt(held.log.size, held.log.root)
