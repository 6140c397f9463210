"""What a restored origin says of content that nobody can give back: it is erased, and the folds of all go on."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from node.admission import header_of
from node.core.audience import parse_audience
from node.core.channel import HeadAt
from node.core.entry import SignedEntry, open_body
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.core.state import ERASED, Place
from node.node import Node
from node.pb import channel_pb2, record_pb2
from node.recovery import OFFICERS_MS
from node.refusals import ASK_AGAIN_MS
from node.storage.memory import MemoryStore
from tests.duties.hostile import assert_sound
from tests.duties.rows import code_of, manifest, row
from tests.duties.test_exchange import BASE, held_at, suspended
from tests.duties.test_visiting import only_dials_out
from tests.wire import MemorySidecar, Network

ORIGIN, NEAR, FAR = "310000", "310115", "330100"
LOST = 2
Scenario = Coroutine[Any, Any, None]
Body = Callable[[SignedEntry], bytes | None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


def memory_of(node: Node) -> MemoryStore:
    assert isinstance(node.world.store, MemoryStore)
    return node.world.store


def without(_: SignedEntry) -> None:
    """No body at all."""


def bare(signed: SignedEntry) -> bytes:
    """A body of bare slots, but for the last."""
    slots = channel_pb2.EntryBody.FromString(signed.body or b"")
    commitments = open_body(channel_pb2.EntryHeader.FromString(signed.envelope.payload), signed.body or b"").commitments
    for slot, commitment in list(zip(slots.slots, commitments, strict=True))[:-1]:
        slot.CopyFrom(channel_pb2.Slot(commitment=commitment))
    return slots.SerializeToString()


def strip(network: Network, index: int, body: Body, *receivers: str) -> None:
    """Take the content of an entry away from whatever reaches these nodes."""

    def carried(_: str, receiver: str, signed: SignedEntry) -> SignedEntry:
        is_hit = signed.index == index and signed.epoch == 0 and signed.body is not None and receiver in receivers
        return replace(signed, body=body(signed)) if is_hit else signed

    network.tamper = carried


async def restored(
    body: Body = without, *, readers: tuple[str, ...] = (NEAR, FAR), whole: tuple[str, ...] = ()
) -> Network:
    """An origin on a backup. Its readers have all its entries, but only those in whole have the content of entry 2."""
    network = Network(ORIGIN, *readers)
    publishing = network[ORIGIN].publishing
    await publishing.create_channel("base", manifest())
    await publishing.publish(BASE, [row(1)])
    await network.settle()
    backup = memory_of(network[ORIGIN]).copy()
    strip(network, LOST, body, *(node for node in readers if node not in whole))
    await publishing.publish(BASE, [row(2), row(3), row(4)])
    await publishing.publish(BASE, [row(5)])
    await network.settle()
    network.tamper = None
    network.start(ORIGIN, backup, network.sidecars[ORIGIN])
    return network


def alarms_at(network: Network, node: str, code: str) -> list[tuple[str, dict[str, str]]]:
    found = network[node].answering.alarms()
    return [(alarm.subject, dict(alarm.parameters)) for alarm in found if alarm.code == code]


def ops_at(node: Node, epoch: int, index: int) -> list[record_pb2.StatusOp]:
    entry = node.world.store.entry(BASE, epoch, index)
    assert entry is not None
    assert header_of(entry).kind == channel_pb2.ENTRY_KIND_STATUS
    slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
    return [record_pb2.StatusSlot.FromString(slot.record).op for slot in slots[:-1]]


def state_at(network: Network, node: str, epoch: int = 0) -> tuple[int, int, int]:
    """How much of a log is held and applied, and how many of its records are erased."""
    held = network[node].world.store.channel(BASE, epoch)
    assert held is not None
    return held.log.size, held.applied_size, network[node].world.store.outcomes(BASE, epoch).get((ERASED, ""), 0)


def test_g2_an_origin_erases_what_every_reader_was_asked_for_and_no_fold_stands_still() -> None:
    async def scenario() -> None:
        network = await restored()
        await network.settle(1)
        for label in network.nodes:
            assert state_at(network, label) == (4, 2, 0)
        await network.settle()
        for node in network.nodes.values():
            assert state_at(network, node.settings.id) == (5, 5, 3)
            assert [held.place for held in node.world.store.records(channel=BASE)] == [Place(0, 1, 0), Place(0, 3, 0)]
            assert_sound(node)
        (op,) = ops_at(network[ORIGIN], 0, 4)
        assert (op.kind, op.target.index, op.particulars_slot) == (record_pb2.STATUS_KIND_ERASE_ENTRY, LOST, 2)
        told = {"channel": BASE, "epoch": "0", "index": "2", "count": "3"}
        assert alarms_at(network, ORIGIN, "ENTRY_LOST") == [(f"{BASE} 0/2", told)]
        assert [alarms_at(network, node, "ENTRY_LOST") for node in (NEAR, FAR)] == [[], []]
        # Once is enough; and what is published again is new.
        outcomes = await network[ORIGIN].publishing.publish(BASE, [row(2), row(3), row(4), row(5)])
        assert [outcome.kind.value for outcome in outcomes] == ["accepted"] * 3 + ["duplicate"]
        await network.settle()
        assert [state_at(network, node) for node in network.nodes] == [(6, 6, 3)] * 3

    run(scenario())


def test_g9_of_an_entry_whose_commitments_are_left_only_the_bare_slots_are_erased() -> None:
    async def scenario() -> None:
        network = await restored(bare)
        await network.settle()
        assert [(op.kind, op.target.position) for op in ops_at(network[ORIGIN], 0, 4)] == [
            (record_pb2.STATUS_KIND_ERASE, 0),
            (record_pb2.STATUS_KIND_ERASE, 1),
        ]
        for node in network.nodes.values():
            assert state_at(network, node.settings.id) == (5, 5, 2)
            assert len(list(node.answering.records(code_of(4), "", 0))) == 1
        assert [told["count"] for _, told in alarms_at(network, ORIGIN, "ENTRY_LOST")] == ["2"]

    run(scenario())


def test_g9_what_a_reader_can_give_back_is_not_erased() -> None:
    async def scenario() -> None:
        network = await restored(whole=(FAR,))
        network.down.add(FAR)
        await network.settle()
        # The other reader has nothing of it, and this one has not been asked.
        assert [state_at(network, node) for node in (ORIGIN, NEAR)] == [(4, 2, 0)] * 2
        network.down.clear()
        network.clock.time_ms += ASK_AGAIN_MS
        await network.settle()
        for node in network.nodes:
            assert state_at(network, node) == (4, 4, 0)
        assert alarms_at(network, ORIGIN, "ENTRY_LOST") == []

    run(scenario())


def test_g9_a_call_that_failed_is_no_answer() -> None:
    async def scenario() -> None:
        network = await restored(whole=(FAR,))
        network.down.add(FAR)
        await network.settle()

        def breaks(sender: str, _: str, signed: SignedEntry) -> SignedEntry:
            if sender == FAR:
                raise XinqiaoError("WIRE_UNREACHABLE", peer=FAR, address="wire", detail="it broke off")
            return signed

        network.tamper = breaks
        network.down.clear()
        network.clock.time_ms += ASK_AGAIN_MS
        await network.settle()
        assert (ORIGIN, f"{FAR}: WIRE_UNREACHABLE") in network.calls
        assert state_at(network, ORIGIN) == (4, 2, 0)
        network.tamper = None
        network.clock.time_ms += ASK_AGAIN_MS
        await network.settle()
        assert [state_at(network, node) for node in network.nodes] == [(4, 4, 0)] * 3

    run(scenario())


@pytest.mark.parametrize("answers_first", [True, False])
def test_g9_after_the_officers_have_reopened_only_members_that_never_answered_are_not_waited_for(
    answers_first: bool,
) -> None:
    async def scenario() -> None:
        network = await restored(whole=(FAR,))
        log = network[NEAR].answering.channel(BASE).log
        # What nobody has at all keeps it from coming back by itself.
        sidecar = network.sidecars[ORIGIN]
        assert sidecar.kept is not None
        incarnation, heads = sidecar.kept
        sidecar.kept = (incarnation, {**heads, (BASE, 0): HeadAt(9, bytes(32))})
        network.start(ORIGIN, memory_of(network[ORIGIN]), sidecar)
        if answers_first:
            strip(network, LOST, without, ORIGIN)
            await network.sync(FAR, ORIGIN)
            await network.sync(FAR, ORIGIN)
            network.tamper = None
        network.down.add(FAR)
        await network.settle()
        assert network[ORIGIN].publishing.blocked is not None
        assert state_at(network, ORIGIN) == (4, 2, 0)
        await network[ORIGIN].refresh_registry()
        await network.settle(1)
        network.clock.time_ms += OFFICERS_MS
        await network.relist(ORIGIN, **suspended(network, ORIGIN, (BASE, 0, HeadAt(log.size, log.root))))
        await network.relist(ORIGIN, standing=Standing.ACTIVE, reason="", open_epoch=1)
        await network.settle()
        assert network[ORIGIN].publishing.blocked is None
        if answers_first:
            assert state_at(network, NEAR) == (4, 2, 0)
            return
        assert [state_at(network, node) for node in (ORIGIN, NEAR)] == [(4, 4, 3)] * 2
        (op,) = ops_at(network[ORIGIN], 1, 1)
        assert (op.target.epoch, op.target.index) == (0, LOST)
        # Who comes back with the content takes it out, as of any record that is erased.
        network.down.clear()
        await network.publish_registry()
        await network.settle()
        assert network[FAR].answering.record_count(BASE) == 2
        for node in network.nodes.values():
            assert_sound(node)

    run(scenario())


def test_g2_a_lost_erasure_is_given_up_too_and_its_operator_told() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, NEAR)
        publishing = network[ORIGIN].publishing
        await publishing.create_channel("base", manifest())
        await publishing.publish(BASE, [row(1)])
        await network.settle()
        backup = memory_of(network[ORIGIN]).copy()
        strip(network, LOST, without, NEAR)
        await publishing.erase(BASE, Place(0, 1, 0), "沪更〔2026〕1号", "数据有误")
        await network.settle()
        network.tamper = None
        network.start(ORIGIN, backup, network.sidecars[ORIGIN])
        await network.settle()
        assert [state_at(network, node) for node in network.nodes] == [(4, 4, 2)] * 2
        assert [subject for subject, _ in alarms_at(network, ORIGIN, "STATUS_LOST")] == [f"{BASE} 0/2"]
        # It can be ordered once more.
        await network[ORIGIN].publishing.erase(BASE, Place(0, 1, 0), "沪更〔2026〕1号", "数据有误")
        await network.settle()
        assert [node.answering.record_count(BASE) for node in network.nodes.values()] == [0, 0]

    run(scenario())


def test_g2_a_reader_that_nobody_can_call_is_believed_that_its_own_fold_waits() -> None:
    async def scenario() -> None:
        network = await restored(readers=(NEAR,))
        await only_dials_out(network, NEAR)
        for _ in range(4):
            network.clock.time_ms += 1000
            await network[ORIGIN].beat()
            await network.sync(NEAR, ORIGIN)
        assert [state_at(network, node) for node in network.nodes] == [(5, 5, 3)] * 2

    run(scenario())


def test_g2_what_was_lost_is_erased_for_readers_that_come_later_or_leave_and_come_back() -> None:
    async def scenario() -> None:
        network = await restored()
        await network.settle()
        publishing = network[ORIGIN].publishing
        await publishing.set_audience(BASE, parse_audience(FAR))
        await network.settle()
        assert network[NEAR].answering.state_of(held_at(network, NEAR)) == "left"
        await publishing.set_audience(BASE, parse_audience("everyone"))
        network.start(FAR, MemoryStore(), MemorySidecar())
        await network.settle()
        assert [state_at(network, node) for node in network.nodes] == [(7, 7, 3)] * 3

    run(scenario())


def test_g9_nobody_but_the_origin_can_say_that_an_entry_is_lost() -> None:
    async def scenario() -> None:
        network = await restored()
        before = [state_at(network, node) for node in (NEAR, FAR)]
        network.down.add(ORIGIN)
        for _ in range(3):
            await network.settle()
            for node in (NEAR, FAR):
                await network[node].publishing.give_up_lost()
        assert [state_at(network, node) for node in (NEAR, FAR)] == before == [(4, 2, 0)] * 2

    run(scenario())
