"""Acting on records: repaired, withdrawn, suspended and resumed at the origin, and so at every reader."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest

from node.core.acts import RecordState
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry, commitment
from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing
from node.core.record import Candidate, OutcomeKind
from node.core.state import APPLIED, REJECTED, REPAIR, RESUME, SUSPEND, WITHDRAW, Place
from node.node import Node
from node.pb import channel_pb2, record_pb2
from node.storage.memory import MemoryStore
from tests.builders import ChannelWriter
from tests.duties.hostile import BASE, assert_sound, base_of, refused, run_of
from tests.duties.rows import manifest, row
from tests.wire import MemorySidecar, Network

ORIGIN, READER, LATE = "310000", "310115", "330100"
FIRST, SECOND = Place(0, 1, 0), Place(0, 1, 1)
DECISION = "沪修〔2026〕1号"
Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


async def begun(rows: int = 2) -> Network:
    network = Network(ORIGIN, READER, LATE)
    await network[ORIGIN].publishing.create_channel("base", manifest())
    await network[ORIGIN].publishing.publish(BASE, [row(serial) for serial in range(1, rows + 1)])
    await network.settle()
    return network


async def order(network: Network, kind: int, place: Place = FIRST, decision: str = DECISION) -> bool:
    """Whether the order was written."""
    return (await network[ORIGIN].publishing.act(BASE, place, kind, decision, "信用修复已完成"))[1]


def states(node: Node) -> Mapping[Place, str]:
    return {
        answer.held.place: answer.condition.state.value
        for answer in node.answering.records("", BASE, 0, everything=True)
    }


def answered(node: Node) -> list[Place]:
    found = [answer.held.place for answer in node.answering.records("", BASE, 0)]
    assert node.answering.record_count(BASE) == len(found)
    return found


@pytest.mark.parametrize(
    ("kind", "state"),
    [(REPAIR, RecordState.REPAIRED), (WITHDRAW, RecordState.WITHDRAWN), (SUSPEND, RecordState.SUSPENDED)],
)
def test_what_a_decision_stops_is_answered_by_nobody_and_its_decision_is_told_by_all(
    kind: int, state: RecordState
) -> None:
    async def scenario() -> None:
        network = await begun()
        assert await order(network, kind)
        await network.settle()
        network.start("330100")
        await network.settle()
        for node in network.nodes.values():
            assert answered(node) == [SECOND]
            assert states(node) == {FIRST: state.value, SECOND: "in force"}
            (answer, _) = node.answering.records("", BASE, 0, everything=True)
            assert (answer.values, answer.record) == ({}, record_pb2.Record())
            (act,) = answer.condition.acts
            assert node.answering.conditions.particulars(BASE, act).decision == DECISION
            assert node.answering.outcomes(node.answering.channel(BASE)) == {(APPLIED, ""): 4}
            assert_sound(node)

    run(scenario())


def test_a_suspended_record_is_answered_again_once_it_is_resumed() -> None:
    async def scenario() -> None:
        network = await begun()
        assert await order(network, SUSPEND)
        assert await order(network, RESUME, decision="沪恢〔2026〕1号")
        assert await order(network, SUSPEND)
        await network.settle()
        assert [answered(node) for node in network.nodes.values()] == [[SECOND]] * 3
        assert await order(network, RESUME, decision="沪恢〔2026〕2号")
        await network.settle()
        assert [answered(node) for node in network.nodes.values()] == [[FIRST, SECOND]] * 3

    run(scenario())


def test_the_same_decision_twice_is_one_entry() -> None:
    async def scenario() -> None:
        network = await begun()
        for kind in (SUSPEND, RESUME, REPAIR, WITHDRAW):
            assert [await order(network, kind), await order(network, kind)] == [True, False]
        assert network[ORIGIN].answering.channel(BASE).log.size == 2 + 4
        assert await refused(order(network, WITHDRAW, decision="沪撤〔2026〕2号")) == "RECORD_STATE"

    run(scenario())


def test_what_may_not_follow_is_refused_and_changes_nothing() -> None:
    async def scenario() -> None:
        network = await begun()
        await order(network, REPAIR)
        size = network[ORIGIN].answering.channel(BASE).log.size
        for kind in (SUSPEND, RESUME):
            assert await refused(order(network, kind)) == "RECORD_STATE"
        assert await refused(order(network, RESUME, SECOND)) == "RECORD_STATE"
        await order(network, WITHDRAW)
        for kind in (SUSPEND, RESUME, REPAIR):
            assert await refused(order(network, kind)) == "RECORD_STATE"
        assert network[ORIGIN].answering.channel(BASE).log.size == size + 1

    run(scenario())


def test_only_the_origin_acts_and_only_with_a_decision() -> None:
    async def scenario() -> None:
        network = await begun()
        publishing = network[ORIGIN].publishing
        reader = network[READER].publishing
        assert await refused(reader.act(BASE, FIRST, REPAIR, DECISION, "因")) == "RECORD_NOT_OURS"
        assert await refused(publishing.act("310000/none", FIRST, REPAIR, DECISION, "因")) == "RECORD_UNKNOWN"
        for place in (Place(0, 1, 9), Place(0, 0, 0), Place(7, 1, 0)):
            assert await refused(publishing.act(BASE, place, REPAIR, DECISION, "因")) == "RECORD_UNKNOWN"
        unfit = [("", "因"), (DECISION, " "), ("号" * 129, "因"), (DECISION, "因" * 501), ("1\n2", "因")]
        for decision, reason in unfit:
            assert await refused(publishing.act(BASE, FIRST, REPAIR, decision, reason)) == "ARGUMENT_INVALID"
        person = "对 11010119900307803X 的决定"
        assert await refused(publishing.act(BASE, FIRST, REPAIR, DECISION, person)) == "VERDICT_REASON"
        assert await refused(publishing.erase(BASE, FIRST, DECISION, person)) == "VERDICT_REASON"
        assert network[ORIGIN].answering.channel(BASE).log.size == 2

    run(scenario())


def test_a_superseded_place_is_refused_and_the_one_in_force_is_named() -> None:
    async def scenario() -> None:
        network = await begun()
        await network[ORIGIN].publishing.publish(BASE, [row(1, "二")])
        with pytest.raises(Exception, match=f"the revision in force is {BASE} 0/2/0"):
            await order(network, REPAIR)

    run(scenario())


def test_a_suspended_record_may_be_revised_and_stays_suspended() -> None:
    async def scenario() -> None:
        network = await begun()
        await order(network, SUSPEND)
        (outcome,) = await network[ORIGIN].publishing.publish(BASE, [row(1, "二")])
        assert outcome.kind is OutcomeKind.REVISED
        await network.settle()
        for node in network.nodes.values():
            assert states(node) == {SECOND: "in force", Place(0, 3, 0): "suspended"}
        assert await order(network, RESUME, Place(0, 3, 0))
        await network.settle()
        assert [answered(node) for node in network.nodes.values()] == [[SECOND, Place(0, 3, 0)]] * 3

    run(scenario())


def test_g2_an_act_whose_commit_is_lost_was_never_seen_and_can_be_ordered_again() -> None:
    async def scenario() -> None:
        network = await begun()
        store = network[ORIGIN].world.store
        assert isinstance(store, MemoryStore)
        before, sidecar = store.copy(), MemorySidecar()
        sidecar.kept = network.sidecars[ORIGIN].kept
        network.down.add(READER)
        assert await order(network, REPAIR)
        # The machine stops before the entry has left; both files are those of before.
        network.start(ORIGIN, before, sidecar)
        network.down.clear()
        assert await order(network, REPAIR)
        await network.settle()
        assert [answered(node) for node in network.nodes.values()] == [[SECOND]] * 3

    run(scenario())


def test_g1_the_status_of_another_members_record_is_refused_and_has_no_effect() -> None:
    async def scenario() -> None:
        network = await begun()
        # In a channel of its own, another member repairs what is not its own ...
        writer = base_of(network, LATE, rows=1)
        target = record_pb2.RecordRef(channel=BASE, index=1)
        op = record_pb2.StatusOp(kind=record_pb2.STATUS_KIND_REPAIR, target=target, particulars_slot=2)
        told = record_pb2.StatusParticulars(decision=DECISION, reason="因")
        slots = [record_pb2.StatusSlot(op=op), record_pb2.StatusSlot(particulars=told)]
        writer.write(channel_pb2.ENTRY_KIND_STATUS, [slot.SerializeToString() for slot in slots])
        await network[READER].receive(run_of(writer))
        outcomes = network[READER].answering.outcomes(network[READER].answering.channel(f"{LATE}/base"))
        assert outcomes == {(APPLIED, ""): 2, (REJECTED, "VERDICT_STATUS"): 1}
        # ... and in the channel of the origin it cannot write at all.
        log = network[READER].world.store.log(BASE, 0)
        forger = ChannelWriter(network.signing[LATE], BASE)
        forger.log = replace(log, covered=None)
        signed = forger.sign(channel_pb2.ENTRY_KIND_STATUS, [slot.SerializeToString() for slot in slots])
        assert await refused(network[READER].receive([signed])) == "ENTRY_SIGNATURE"
        assert answered(network[READER]) == [FIRST, SECOND]

    run(scenario())


def test_g1_a_reason_withheld_on_the_way_stops_the_act_until_the_origin_gives_it() -> None:
    def without_reason(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        if signed.index != 2 or signed.body is None or not is_withholding:
            return signed
        body = channel_pb2.EntryBody.FromString(signed.body)
        header = channel_pb2.EntryHeader.FromString(signed.envelope.payload)
        assert header.record_count == 2
        slot = body.slots[1]
        slot.CopyFrom(channel_pb2.Slot(commitment=commitment(slot.salt, slot.record)))
        return replace(signed, body=body.SerializeToString())

    is_withholding = True

    async def scenario() -> None:
        nonlocal is_withholding
        network = await begun()
        network.tamper = without_reason
        await order(network, REPAIR)
        await network.settle()
        held = network[READER].answering.channel(BASE)
        assert (held.log.size, held.applied_size, held.incomplete_bodies) == (3, 2, 1)
        assert answered(network[READER]) == [FIRST, SECOND]
        is_withholding = False
        network.clock.time_ms += 24 * 3600 * 1000
        await network.settle()
        assert answered(network[READER]) == [SECOND]

    run(scenario())


async def open_next_epoch(network: Network, size: int) -> None:
    """Suspend the origin with a cut at a size of its log, and let it come back."""
    entry = network[ORIGIN].world.store.entry(BASE, 0, size)
    assert entry is not None
    root = channel_pb2.EntryHeader.FromString(entry.envelope.payload).prev_root
    cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(size, root))}))
    await network.relist(ORIGIN, standing=Standing.SUSPENDED, reason="整改", cut=cut)
    await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)


def test_g4_what_was_repaired_above_a_cut_stays_so_and_is_told_again_in_the_next_epoch() -> None:
    async def scenario() -> None:
        network = await begun(3)
        network.down.add(LATE)
        await network[ORIGIN].publishing.publish(BASE, [row(2, "二")])
        await order(network, REPAIR)
        await order(network, SUSPEND, Place(0, 2, 0))
        await order(network, WITHDRAW, Place(0, 1, 2))
        await network.settle()
        await open_next_epoch(network, 2)
        # Whoever knew of it goes on as before, also of a revision above the cut.
        assert answered(network[READER]) == []
        network.down.clear()
        await network.settle()
        await network[ORIGIN].publishing.erase_again_above_cuts()
        network.start(LATE)
        await network.settle()
        for node in network.nodes.values():
            assert states(node) == {FIRST: "repaired", SECOND: "suspended", Place(0, 1, 2): "withdrawn"}
            assert_sound(node)

    run(scenario())


def test_a_resumption_above_a_cut_counts_for_nobody_until_it_is_told_again() -> None:
    async def scenario() -> None:
        network = await begun()
        await order(network, SUSPEND)
        await order(network, RESUME)
        await network.settle()
        await open_next_epoch(network, 3)
        assert answered(network[READER]) == [SECOND]
        await network.settle()
        await network[ORIGIN].publishing.erase_again_above_cuts()
        await network.settle()
        assert [answered(node) for node in network.nodes.values()] == [[FIRST, SECOND]] * 3

    run(scenario())


def test_g9_erasing_a_record_erases_what_its_decisions_say_and_leaves_that_they_were_taken() -> None:
    async def scenario() -> None:
        network = await begun()
        await order(network, SUSPEND)
        await order(network, WITHDRAW, decision="沪撤〔2026〕1号")
        await network.settle()
        await network[ORIGIN].publishing.erase(BASE, FIRST, "沪删〔2026〕1号", "依法删除")
        await network.settle()
        network.start(LATE)
        await network.settle()
        for node in network.nodes.values():
            assert (answered(node), states(node)) == ([SECOND], {SECOND: "in force"})
            for index in (2, 3):
                entry = node.world.store.entry(BASE, 0, index)
                assert entry is not None
                assert "号".encode() not in (entry.body or b"")
            assert len(node.world.store.acts(BASE, FIRST)) == 2
            assert_sound(node)

    run(scenario())


# --- Corrections --------------------------------------------------------------------------------------------


async def correct(network: Network, place: Place, right: Candidate, decision: str = "沪更〔2026〕1号") -> bool:
    """Whether the order was written."""
    found = await network[ORIGIN].publishing.correct(BASE, place, right, "1", decision, "名称登记有误")
    entry = network[ORIGIN].world.store.entry(BASE, found[2].epoch, found[2].index)
    assert entry is not None
    assert right.record in (entry.body or b"")
    return found[1]


def names(node: Node) -> list[str]:
    return [answer.values["comp_nm"] for answer in node.answering.records("", BASE, 0)]


def test_a_correction_puts_the_right_values_in_force_and_keeps_the_wrong_ones_in_history_alone() -> None:
    async def scenario() -> None:
        network = await begun()
        assert await correct(network, FIRST, row(1, "正确有限公司"))
        await network.settle()
        network.start(LATE)
        await network.settle()
        for node in network.nodes.values():
            assert names(node) == ["示例有限公司", "正确有限公司"]
            (_, answer) = node.answering.records("", BASE, 0, everything=True)
            (act,) = answer.condition.acts
            assert (act.target, act.replacement) == (FIRST, Place(0, 2, 0)) == (FIRST, answer.held.place)
            entry = node.world.store.entry(BASE, 0, 1)
            assert entry is not None
            assert row(1).record in (entry.body or b"")
            assert_sound(node)

    run(scenario())


def test_the_same_correction_twice_is_one_act_and_ends_what_a_crash_left_half_done() -> None:
    async def scenario() -> None:
        network = await begun()
        right = row(1, "正确有限公司")
        # The revision was published, and then the power was gone.
        await network[ORIGIN].publishing.publish(BASE, [right])
        assert await correct(network, FIRST, right)
        assert network[ORIGIN].answering.channel(BASE).log.size == 4
        assert not await correct(network, FIRST, right)
        assert not await correct(network, Place(0, 2, 0), right)
        assert network[ORIGIN].answering.channel(BASE).log.size == 4
        assert await refused(correct(network, Place(0, 2, 0), right, "沪更〔2026〕2号")) == "ARGUMENT_INVALID"
        assert await refused(correct(network, FIRST, row(1, "三"), "沪更〔2026〕2号")) == "RECORD_UNKNOWN"

    run(scenario())


def test_wrong_values_do_not_come_back_with_the_next_file() -> None:
    async def scenario() -> None:
        network = await begun()
        await correct(network, FIRST, row(1, "正确有限公司"))
        await order(network, WITHDRAW, SECOND)
        again = [row(1), row(1, "正确有限公司", 3), row(2), row(2, "改名", 4), row(5)]
        outcomes = await network[ORIGIN].publishing.publish(BASE, again)
        kinds = {outcome.row: outcome.rejection.code if outcome.rejection else outcome.kind for outcome in outcomes}
        assert kinds == {
            1: "RECORD_CORRECTED",
            3: OutcomeKind.DUPLICATE,
            2: OutcomeKind.DUPLICATE,
            4: "RECORD_STOPPED",
            5: OutcomeKind.ACCEPTED,
        }
        (stopped,) = [outcome.rejection for outcome in outcomes if outcome.row == 4]
        assert stopped is not None
        assert DECISION in stopped.reason
        # Another decision may find that the first values were right after all.
        assert await correct(network, Place(0, 2, 0), row(1), "沪更〔2026〕2号")
        await network.settle()
        assert [names(node)[0] for node in network.nodes.values()] == ["示例有限公司"] * 3

    run(scenario())


def test_a_correction_of_what_tells_records_apart_takes_the_wrong_record_back() -> None:
    async def scenario() -> None:
        network = await begun()
        assert await correct(network, FIRST, row(7))
        assert not await correct(network, FIRST, row(7))
        await network.settle()
        for node in network.nodes.values():
            assert states(node) == {FIRST: "corrected", SECOND: "in force", Place(0, 2, 0): "in force"}
        assert await refused(order(network, REPAIR)) == "RECORD_STATE"
        (outcome,) = await network[ORIGIN].publishing.publish(BASE, [row(1, "改名")])
        assert outcome.rejection is not None
        assert outcome.rejection.code == "RECORD_STOPPED"

    run(scenario())


def test_a_stop_is_not_lost_by_a_correction() -> None:
    async def scenario() -> None:
        network = await begun(4)
        await order(network, SUSPEND)
        assert await correct(network, FIRST, row(1, "正确有限公司"))
        await order(network, REPAIR, SECOND)
        assert await refused(correct(network, SECOND, row(2, "二"))) == "RECORD_STATE"
        # Neither does it escape into another record, nor does another record escape by it.
        assert await refused(correct(network, Place(0, 3, 0), row(9), "沪更〔2026〕2号")) == "RECORD_STATE"
        assert await refused(correct(network, Place(0, 1, 2), row(2, "二"), "沪更〔2026〕2号")) == "RECORD_STATE"
        await network.settle()
        for node in network.nodes.values():
            assert states(node) == {
                SECOND: "repaired",
                Place(0, 1, 2): "in force",
                Place(0, 1, 3): "in force",
                Place(0, 3, 0): "suspended",
            }

    run(scenario())


def test_only_a_record_of_ours_is_corrected() -> None:
    async def scenario() -> None:
        network = await begun()
        reader = network[READER].publishing
        given = (row(1, "二"), "1", DECISION, "因")
        assert await refused(reader.correct(BASE, FIRST, *given)) == "RECORD_NOT_OURS"
        assert await refused(correct(network, Place(0, 1, 9), row(1, "二"))) == "RECORD_UNKNOWN"
        assert await refused(correct(network, FIRST, row(1, "二"), " ")) == "ARGUMENT_INVALID"
        for call, code in ((reader, "RECORD_NOT_OURS"), (network[ORIGIN].publishing, "RECORD_UNKNOWN")):
            with pytest.raises(XinqiaoError, match=code):
                call.values_at(BASE, Place(0, 1, 9))
        assert network[ORIGIN].publishing.values_at(BASE, FIRST) == row(1).record

    run(scenario())
