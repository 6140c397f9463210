"""Changes of joint lists: drafted, signed by officers, published, and what is refused on the way."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from node.admission import header_of
from node.core import envelope as envelopes
from node.core.entry import open_body
from node.core.errors import XinqiaoError
from node.core.identifiers import resident_id_check_character
from node.core.list_change import REFUSE, WITHDRAW, ChangeState, read_batch
from node.core.list_entry import Terms
from node.core.list_warrant import APPROVE, PROPOSE, signatures_on
from node.core.listing import AMEND, EXIT, RESUME, SUSPEND, ListState
from node.core.membership import Standing, open_descriptor
from node.core.registry_targets import measures_path
from node.core.state import Place
from node.held_lists import HeldListing
from node.list_changes import fault_of
from node.metrics import NodeCollector
from node.pb import channel_pb2, listing_pb2, registry_pb2
from scripts.xq_generate import RESIDENT_ID, example_uscc
from tests.builders import SigningNode, make_measures
from tests.duties.listing import CHANNEL, LI, ORIGIN, OTHER, READER, SUBJECT, TODAY, WANG, Town, red
from tests.lists import make_list_manifest, make_list_type

MINOR = "11010520150307002" + resident_id_check_character("11010520150307002")
DAY_MS = 24 * 3600 * 1000


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def refused(awaited: Coroutine[object, object, object]) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        await awaited
    return caught.value


def states(town: Town, node: str, subject: str = SUBJECT) -> list[ListState]:
    return [each.answered for each in town.network[node].world.store.listings_of(subject)]


# -- two officers ----------------------------------------------------------------------------------------------


def test_a_subject_is_listed_by_two_officers_and_every_reader_holds_the_same_members() -> None:
    async def scenario() -> None:
        town = await Town(READER, OTHER).open()
        change = await town.draft()
        assert await town.sign(PROPOSE, change, LI) == "pending"
        assert states(town, ORIGIN) == []
        assert await town.sign(APPROVE, change, WANG) == "approved"
        assert await town.changes.finish(change.id) == (ChangeState.PUBLISHED, None)
        await town.network.settle()
        for node in (ORIGIN, READER, OTHER):
            assert states(town, node) == [ListState.LISTED]
            assert town.digests(node) == (town.digests(ORIGIN)[0], "match")
        assert town.changes.change(change.id).settled_at_ms > 0
        assert list(town.changes.batches(town.changes.change(change.id))) == []

    run(scenario())


def test_the_entry_carries_what_both_officers_have_signed() -> None:
    async def scenario() -> None:
        town = await Town().open()
        await town.enter()
        entry = town.node.world.store.entry(CHANNEL, 0, 1)
        assert entry is not None

        signed = signatures_on(header_of(entry), open_body(header_of(entry), entry.body))
        assert [(each.act, each.officer) for each in signed] == [(PROPOSE, "李明"), (APPROVE, "王芳")]

    run(scenario())


def test_approval_by_the_proposer_is_refused() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        error = await refused(town.sign(APPROVE, change, LI))
        assert (error.code, error.who) == ("LIST_SAME_OFFICER", "another officer")
        assert (await refused(town.sign(REFUSE, change, LI, "不妥"))).code == "LIST_SAME_OFFICER"
        assert town.changes.change(change.id).state is ChangeState.PENDING

    run(scenario())


def test_red_and_watch_lists_stand_by_one_officer() -> None:
    async def scenario() -> None:
        town = await Town().open(red())
        change = await town.draft({"measures": "SHR-29-1"}, name="red-a")
        assert await town.sign(PROPOSE, change, LI) == "approved"
        assert await town.changes.finish(change.id) == (ChangeState.PUBLISHED, None)
        await town.network.settle()
        assert states(town, READER) == [ListState.LISTED]

    run(scenario())


def test_nothing_is_signed_about_another_change_and_no_reason_travels_with_a_decision() -> None:
    async def scenario() -> None:
        town = await Town().open()
        one, other = await town.draft(), await town.draft({"reason": "虚开发票"})
        assert (await refused(town.sign(PROPOSE, replace(one, digest=other.digest), LI))).code == "OFFICER_STATEMENT"
        assert (await refused(town.sign(PROPOSE, one, LI, "原因"))).code == "OFFICER_STATEMENT"
        assert (await refused(town.sign(APPROVE, one, LI))).code == "LIST_CHANGE_SETTLED"
        unknown = replace(one, id="0" * 16)
        assert (await refused(town.sign(PROPOSE, unknown, LI))).code == "LIST_CHANGE_UNKNOWN"

    run(scenario())


def test_another_officer_refuses_and_the_author_withdraws_and_the_content_is_gone() -> None:
    async def scenario() -> None:
        town = await Town().open()
        one, other = await town.draft(), await town.draft()
        await town.sign(PROPOSE, one, LI)
        await town.sign(PROPOSE, other, LI)
        assert (await refused(town.sign(REFUSE, one, WANG))).code == "OFFICER_STATEMENT"
        assert await town.sign(REFUSE, one, WANG, "证据不足") == "refused"
        assert (await refused(town.sign(WITHDRAW, other, WANG, "有误"))).code == "LIST_OTHER_OFFICER"
        assert await town.sign(WITHDRAW, other, LI, "有误") == "withdrawn"
        for change in (one, other):
            assert list(town.changes.batches(town.changes.change(change.id))) == []
            assert (await refused(town.sign(APPROVE, change, WANG))).code == "LIST_CHANGE_SETTLED"
        assert town.changes.changes(everything=False) == []
        assert len(town.changes.changes(everything=True)) == 2

    run(scenario())


def test_an_officer_who_is_disabled_before_it_is_published_counts_no_more() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        await town.sign(APPROVE, change, WANG)
        await town.disable("李明", LI)
        state, fault = await town.changes.finish(change.id)
        assert (state, fault.code) == (ChangeState.APPROVED, "OFFICER_DISABLED")
        assert states(town, ORIGIN) == []
        # what is decided and cannot be published can be taken back
        assert await town.sign(REFUSE, change, WANG, "须重新决定") == "refused"

    run(scenario())


# -- who may be entered ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"decision": ""}, [("decision", "LIST_DECISION")]),
        ({"reason": " "}, [("reason", "LIST_DECISION")]),
        ({"decided_on": ""}, [("decided_on", "LIST_DECISION"), ("until", "FIELD_DATE")][:1]),
        ({"notice_served": ""}, [("notice_served", "LIST_NOTICE")]),
        ({"notice_served": "2026-09-19"}, [("notice_served", "LIST_NOTICE")]),
        ({"notice_served": "gestern"}, [("notice_served", "FIELD_DATE")]),
        ({"decided_on": "2026-09-22"}, [("decided_on", "LIST_DATES")]),
        ({"until": "2026-09-01"}, [("until", "LIST_DATES")]),
        ({"until": "2029-09-18"}, []),
        ({"until": "2029-09-19"}, [("until", "LIST_DATES")]),
        ({"decided_on": "2022-01-01", "notice_served": "2021-12-01"}, [("until", "LIST_DATES")]),
        ({"measures": "SHR-31-1；SHR-31-2"}, []),
        ({"measures": "SHR-30-1"}, [("measures", "LIST_MEASURE")]),
        ({"subject": ""}, [("subject", "FIELD_MISSING")]),
        ({"subject": SUBJECT[:-1]}, [("subject", "FIELD_USCC_SHAPE")]),
        ({"subject": SUBJECT[:-1] + ("1" if SUBJECT[-1] != "1" else "2")}, [("subject", "FIELD_USCC_CHECK_DIGIT")]),
        ({"subject": "00000000000000000X"}, [("subject", "FIELD_USCC_SHAPE")]),
        ({"subject": RESIDENT_ID}, [("subject", "LIST_PERSON")]),
        ({"subject": MINOR}, [("subject", "LIST_MINOR"), ("subject", "LIST_PERSON")]),
        ({"reason": f"与{RESIDENT_ID}串通"}, [("reason", "VERDICT_REASON")]),
    ],
)
def test_what_keeps_a_subject_from_a_public_list_is_named_with_its_column(
    values: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    async def scenario() -> None:
        assert (await Town().open()).errors(**values) == expected

    run(scenario())


def test_an_adult_person_may_stand_on_a_list_that_is_not_public_and_a_minor_on_none() -> None:
    async def scenario() -> None:
        town = await Town().open(make_list_manifest(disclosure=channel_pb2.DISCLOSURE_CLASS_C))
        assert town.errors(subject=RESIDENT_ID) == []
        assert town.errors(subject=MINOR) == [("subject", "LIST_MINOR")]
        await town.enter({"subject": RESIDENT_ID})
        await town.network.settle()
        assert states(town, READER, RESIDENT_ID) == [ListState.LISTED]

    run(scenario())


def test_r_msr_1_a_measure_that_is_no_longer_published_is_not_attached() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        await town.sign(APPROVE, change, WANG)
        town.network.editions[measures_path("2026.1")] = make_measures("SHR-30-1")
        await town.network.publish_registry()
        assert town.errors() == [("measures", "LIST_MEASURE_UNPUBLISHED")]
        state, fault = await town.changes.finish(change.id)
        assert (state, fault.code) == (ChangeState.APPROVED, "LIST_MEASURE_UNPUBLISHED")
        manifest = make_list_manifest(list=make_list_type(code="other"))
        assert (await refused(town.define(manifest))).code == "LIST_MEASURE_UNPUBLISHED"

    run(scenario())


def test_r_lst_8_nobody_on_a_serious_list_is_put_on_a_red_one() -> None:
    async def scenario() -> None:
        town = await Town().open()
        await town.define(red())
        before = await town.draft({"measures": "SHR-29-1"}, name="red-a")
        (place,) = await town.enter()
        assert town.errors("red-a", measures="SHR-29-1") == [("subject", "LIST_CONFLICT")]
        # what was drafted before is judged again before it is published
        error = await refused(town.decide(before))
        assert (error.code, error.parameters["rule"]) == ("LIST_CONFLICT", "R-LST-8")
        await town.decide(await town.draft_change(place))
        assert town.errors("red-a", measures="SHR-29-1") == []
        assert await town.changes.finish(before.id) == (ChangeState.PUBLISHED, None)

    run(scenario())


def test_the_same_decision_lists_a_subject_once() -> None:
    async def scenario() -> None:
        town = await Town().open()
        again = await town.draft()
        await town.enter()
        assert town.errors(decision="税稽罚[2026]1号") == [("subject", "LIST_DUPLICATE")]
        assert town.errors(decision="税稽罚〔2026〕2号") == []
        assert (await refused(town.decide(again))).code == "LIST_DUPLICATE"

    run(scenario())


# -- entries change --------------------------------------------------------------------------------------------


def test_an_exit_reaches_every_reader_and_is_for_good() -> None:
    async def scenario() -> None:
        town = await Town(READER, OTHER).open()
        (place,) = await town.enter()
        await town.decide(await town.draft_change(place))
        await town.network.settle()
        for node in (ORIGIN, READER, OTHER):
            assert states(town, node) == [ListState.EXITED]
            assert town.digests(node) == (town.digests(ORIGIN)[0], "match")
        error = await refused(town.draft_change(place))
        assert (error.code, error.parameters["standing"]) == ("LIST_STATE", "exited")
        assert (await refused(town.draft_change(place, RESUME))).code == "LIST_STATE"
        # a later decision is another entry
        (later,) = await town.enter({"decision": "税稽罚〔2026〕2号"})
        assert later > place

    run(scenario())


def test_an_entry_is_suspended_resumed_amended_and_annulled() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()

        def listing() -> HeldListing:
            found: HeldListing = town.node.world.store.listing(CHANNEL, place)
            return found

        await town.decide(await town.draft_change(place, SUSPEND))
        assert listing().answered is ListState.SUSPENDED
        assert (await refused(town.draft_change(place, SUSPEND))).code == "LIST_STATE"
        await town.decide(await town.draft_change(place, RESUME))
        assert listing().answered is ListState.LISTED
        await town.decide(await town.draft_change(place, AMEND, measures="SHR-31-2", until="2027-01-31"))
        assert (listing().listing.measures, listing().listing.until) == (("SHR-31-2",), "2027-01-31")
        await town.decide(await town.draft_change(place, AMEND, until="2027-02-28"))
        assert (listing().listing.measures, listing().listing.until) == (("SHR-31-2",), "2027-02-28")
        await town.decide(await town.draft_change(place, ground=listing_pb2.EXIT_GROUND_REPAIRED))
        assert listing().answered is ListState.REPAIRED
        await town.decide(await town.draft_change(place, ground=listing_pb2.EXIT_GROUND_ANNULLED))
        assert listing().answered is ListState.ANNULLED
        await town.network.settle()
        assert town.digests(READER) == (town.digests(ORIGIN)[0], "match")

    run(scenario())


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"until": "2029-09-19"}, "LIST_DATES"),
        ({"measures": "SHR-30-1"}, "LIST_MEASURE"),
        ({"until": "2027-01-01", "decided_on": "2026-09-17"}, "LIST_DATES"),
        ({"until": "2027-01-01", "decided_on": "2026-09-22"}, "LIST_DATES"),
    ],
)
def test_an_amendment_stays_within_the_list_and_its_term(terms: dict[str, str], code: str) -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        assert (await refused(town.draft_change(place, AMEND, **terms))).code == code

    run(scenario())


def test_exit_of_an_unknown_entry_and_by_a_node_that_may_not() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        error = await refused(town.draft_change(Place(0, 7, 0)))
        assert (error.code, error.parameters["entry"]) == ("LIST_ENTRY_UNKNOWN", f"{CHANNEL}#0/7/0")
        await town.network.settle()
        words = listing_pb2.ListParticulars(decision="某文", reason="某故")
        listing = town.network[READER].listing
        error = await refused(listing.draft_change(CHANNEL, place, EXIT, words, Terms(ground=1)))
        assert (error.code, error.parameters["rule"], error.who) == ("LIST_NOT_OURS", "R-LST-2", ORIGIN)

    run(scenario())


def test_of_two_exits_at_once_the_second_is_told_that_the_entry_has_changed() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        one, other = await town.draft_change(place), await town.draft_change(place)
        await town.sign(PROPOSE, one, LI)
        await town.sign(PROPOSE, other, LI)
        await town.sign(APPROVE, one, WANG)
        assert await town.changes.finish(one.id) == (ChangeState.PUBLISHED, None)
        assert town.changes.change(other.id).state is ChangeState.SUPERSEDED
        assert (await refused(town.sign(APPROVE, other, WANG))).code == "LIST_CHANGED"

    run(scenario())


def test_approval_after_the_entry_has_changed_publishes_nothing() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        exit_, suspend = await town.draft_change(place), await town.draft_change(place, SUSPEND)
        for change in (exit_, suspend):
            await town.sign(PROPOSE, change, LI)
            await town.sign(APPROVE, change, WANG)
        await town.changes.finish(suspend.id)
        size = town.node.listing.held(CHANNEL).log.size
        state, fault = await town.changes.finish(exit_.id)
        assert (state, fault.code) == (ChangeState.SUPERSEDED, "LIST_CHANGED")
        assert town.node.listing.held(CHANNEL).log.size == size

    run(scenario())


# -- many at once, and crashes ---------------------------------------------------------------------------------


def many(count: int) -> list[dict[str, str]]:
    return [
        {"subject": example_uscc("91", "310000", 1000 + at), "decision": f"税稽罚〔2026〕{at}号"} for at in range(count)
    ]


def test_a_large_change_stands_in_several_entries_under_one_pair_of_signatures() -> None:
    async def scenario() -> None:
        town = await Town().open()
        places = await town.enter(*many(1201))
        assert [place.index for place in places[::250]] == [1, 2, 3, 4, 5]
        await town.network.settle()
        assert town.digests(READER) == (town.digests(ORIGIN)[0], "match")
        assert len(town.network[READER].world.store.listings(CHANNEL, None, 5000)) == 1201

    run(scenario())


def test_publication_that_broke_off_writes_only_what_is_missing() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft(*many(1201))
        await town.sign(PROPOSE, change, LI)
        await town.sign(APPROVE, change, WANG)
        write = town.changes._write
        written: list[object] = []

        async def breaking(*given: object) -> object:
            if len(written) == 1:
                raise XinqiaoError("DISK_FULL", detail="示例")
            written.append(await write(*given))
            return written[-1]

        town.changes._write = breaking
        state, fault = await town.changes.finish(change.id)
        assert (state, fault.code) == (ChangeState.APPROVED, "DISK_FULL")
        assert sorted(town.changes.published(town.node.world.store, change)) == [0]
        # half of it is out: nobody takes the rest back alone
        assert (await refused(town.sign(REFUSE, change, WANG, "不妥"))).code == "LIST_CHANGE_SETTLED"
        # a new process knows nothing but what is stored
        town.network.start(ORIGIN, town.node.world.store, town.network.sidecars[ORIGIN])
        await town.changes.tick()
        assert town.changes.change(change.id).state is ChangeState.PUBLISHED
        assert town.node.listing.held(CHANNEL).log.size == 6
        await town.changes.tick()
        assert town.node.listing.held(CHANNEL).log.size == 6
        await town.network.settle()
        assert town.digests(READER) == (town.digests(ORIGIN)[0], "match")

    run(scenario())


def test_a_suspended_node_publishes_what_was_approved_when_it_is_back() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        await town.sign(APPROVE, change, WANG)
        await town.network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="示例")
        state, fault = await town.changes.finish(change.id)
        assert (state, fault.code) == (ChangeState.APPROVED, "MEMBER_SUSPENDED")
        await town.network.relist(ORIGIN, standing=Standing.ACTIVE, reason="")
        await town.changes.tick()
        assert town.changes.change(change.id).state is ChangeState.PUBLISHED

    run(scenario())


def test_what_nobody_decides_goes_by_itself() -> None:
    async def scenario() -> None:
        town = await Town().open()
        draft, pending = await town.draft(), await town.draft()
        await town.sign(PROPOSE, pending, LI)
        town.network.clock.time_ms += 8 * DAY_MS
        await town.changes.tick()
        assert (await refused(_change(town, draft.id))).code == "LIST_CHANGE_UNKNOWN"
        town.network.clock.time_ms += 23 * DAY_MS
        await town.changes.tick()
        assert town.changes.change(pending.id).state is ChangeState.EXPIRED
        assert [each.code for each in town.node.answering.alarms()] == ["LIST_CHANGE_EXPIRED"]
        town.network.clock.time_ms += 31 * DAY_MS
        await town.changes.tick()
        assert town.changes.changes(everything=True) == []

    run(scenario())


async def _change(town: Town, change: str) -> object:
    return town.changes.change(change)


def test_what_waits_is_bounded() -> None:
    async def scenario() -> None:
        town = await Town().open()
        town.changes._limits = replace(town.changes._limits, max_list_changes=2, max_list_operations=3)
        await town.draft()
        assert (await refused(town.draft(*many(4)))).code == "LIST_CHANGE_SIZE"
        assert (await refused(town.draft())).code == "LIST_CHANGES_FULL"

    run(scenario())


def test_a_draft_holds_exactly_what_its_entries_will() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft({}, {"decision": "税稽罚〔2026〕2号"})
        (batch,) = town.changes.batches(change)
        assert [each.words.decision for each in read_batch(batch)] == ["税稽罚〔2026〕1号", "税稽罚〔2026〕2号"]
        await town.changes.drop(change.id)
        assert town.changes.changes(everything=True) == []

    run(scenario())


def test_a_node_that_speaks_for_the_authority_no_more_lists_nobody_and_still_lifts() -> None:
    async def scenario() -> None:
        town = await Town().open()
        (place,) = await town.enter()
        town.network.clock.time_ms += DAY_MS
        town.network.signing[ORIGIN] = speaking_no_more(town.network.signing[ORIGIN], town.network.clock.time_ms)
        await town.network.publish_registry()
        with pytest.raises(XinqiaoError) as caught:
            town.errors()
        assert (caught.value.code, caught.value.parameters["rule"]) == ("LIST_AUTHORITY", "R-LST-2")
        assert (await refused(town.draft_change(place, AMEND, until="2027-01-01"))).code == "LIST_AUTHORITY"
        await town.decide(await town.draft_change(place))
        await town.network.settle()
        assert states(town, READER) == [ListState.EXITED]
        assert town.digests(READER) == (town.digests(ORIGIN)[0], "match")

    run(scenario())


def speaking_no_more(node: SigningNode, end_ms: int) -> SigningNode:
    """The same node, which speaks for its authorities up to a time."""
    descriptor = registry_pb2.NodeDescriptor()
    descriptor.CopyFrom(node.member.descriptor.message)
    descriptor.version += 1
    for each in descriptor.authorities:
        each.to_unix_ms = end_ms
    envelope = envelopes.seal(descriptor.SerializeToString(), envelopes.NODE_DESCRIPTOR, node.signer)
    return replace(node, member=replace(node.member, descriptor=open_descriptor(envelope)))


def test_a_clock_that_jumps_a_day_back_delays_and_loses_nothing() -> None:
    async def scenario() -> None:
        town = await Town(READER, OTHER).open()
        clock = town.network.clock
        change = await town.draft({"decided_on": TODAY})
        await town.sign(PROPOSE, change, LI)
        clock.time_ms -= DAY_MS
        # what is signed now is signed: the times in statements prove nothing alone
        await town.sign(APPROVE, change, WANG)
        state, fault = await town.changes.finish(change.id)
        assert (state, fault.code) == (ChangeState.APPROVED, "LIST_DATES")
        clock.time_ms += DAY_MS
        await town.changes.tick()
        assert town.changes.change(change.id).state is ChangeState.PUBLISHED
        await town.network.settle()
        assert states(town, READER) == [ListState.LISTED]

    run(scenario())


def test_a_clock_that_jumps_a_day_ahead_lets_nothing_go() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        town.network.clock.time_ms += DAY_MS
        await town.changes.tick()
        await town.sign(APPROVE, change, WANG)
        assert await town.changes.finish(change.id) == (ChangeState.PUBLISHED, None)

    run(scenario())


def test_what_waits_is_counted_and_what_is_decided_and_stuck_says_why() -> None:
    async def scenario() -> None:
        town = await Town().open()

        def counted() -> dict[tuple[str, ...], float]:
            families = {each.name: each for each in NodeCollector(town.node, list, "").collect()}
            return {tuple(each.labels.values()): each.value for each in families["xinqiao_list_changes"].samples}

        assert counted() == {(CHANNEL,): 0}
        await town.draft()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        assert counted() == {(CHANNEL,): 1}
        await town.sign(APPROVE, change, WANG)
        await town.disable("李明", LI)
        await town.changes.finish(change.id)
        (waiting,) = town.changes.undecided()[CHANNEL]
        assert (waiting.state, counted()) == (ChangeState.APPROVED, {(CHANNEL,): 1})
        fault = fault_of([waiting])
        assert fault is not None
        assert fault.code == "OFFICER_DISABLED"

    run(scenario())


def test_what_is_withdrawn_while_it_is_published_is_not_published() -> None:
    async def scenario() -> None:
        town = await Town().open()
        change = await town.draft()
        await town.sign(PROPOSE, change, LI)
        await town.sign(APPROVE, change, WANG)
        publish = town.changes._publish

        async def overtaken(given: object) -> None:
            assert (await refused(town.sign(WITHDRAW, change, LI, "有误"))).code == "LIST_CHANGE_SETTLED"
            with town.node.world.store.transaction() as tx:
                tx.put_change(replace(change, state=ChangeState.WITHDRAWN, settled_at_ms=1))
            await publish(given)

        town.changes._publish = overtaken
        await town.changes.finish(change.id)
        assert town.changes.change(change.id).state is ChangeState.WITHDRAWN
        assert states(town, ORIGIN) == []

    run(scenario())
