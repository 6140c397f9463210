"""Old keys and two histories: whoever holds a retired key writes nothing and frames nobody; forks are proven."""

from dataclasses import replace

import pytest

from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.heartbeat import VerifiedHeartbeat
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Cut, Standing
from node.core.merkle import EMPTY_ROOT
from node.node import Node
from node.pb import channel_pb2, registry_pb2
from node.ports import Lane
from tests.builders import ChannelWriter, make_heartbeat
from tests.duties.hostile import BASE, assert_sound, base_of, refused, run_of, signed_of, write_row
from tests.duties.receiving import RECORDS, network_of, rotated_network, run
from tests.duties.rows import row
from tests.wire import Network


def forged_from(network: Network, writer: ChannelWriter, at: int) -> list[SignedEntry]:
    """What somebody with the old key signs for the places from an index on."""
    forger = ChannelWriter(writer.node, BASE)
    for entry in run_of(writer, 0, at):
        forger.take(entry)
    for serial in range(3):
        write_row(forger, 900 + serial, "伪造")
    return run_of(forger, at)


# --- Old keys -------------------------------------------------------------------------------------------------------


def test_entries_of_a_retired_key_are_caught_up_over_many_runs_with_a_proof_for_each() -> None:
    async def scenario() -> None:
        network, writer = await rotated_network(200, registry_pb2.KEY_STATE_RETIRED)
        node, holder = network["330100"], network["310115"]
        beat = make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head}, network.clock.time_ms)
        await holder.receiving.take_heartbeat(beat.view)
        await node.receiving.take_heartbeat(beat.view)
        # Pushed without a proof, only a run that reaches the head is taken.
        assert await refused(node.receive(run_of(writer, 0, 64))) == "ENTRY_UNCONFIRMED"
        assert node.world.store.channels() == []
        await network.sync("330100", "310115")
        held = node.answering.channel(BASE)
        assert (held.log.size, held.log.root, held.applied_size) == (200, writer.log.root, 200)
        assert_sound(node)

    run(scenario())


@pytest.mark.parametrize(("caller", "knows_the_head"), [("310115", True), ("310000", True), ("310000", False)])
def test_entries_of_a_retired_key_are_pushed_with_a_proof_for_each(caller: str, *, knows_the_head: bool) -> None:
    async def scenario() -> None:
        network, writer = await rotated_network(200, registry_pb2.KEY_STATE_RETIRED)
        node = network["330100"]
        beat = make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head}, network.clock.time_ms)
        await node.receiving.take_heartbeat(beat.view)
        if knows_the_head:
            await keep_heartbeat(network[caller], beat)
        else:
            # The refusal names the size of the head that the reader knows.
            await network.sync(caller, "330100")
            assert node.world.store.channels() == []
        await network.sync(caller, "330100")
        held = node.answering.channel(BASE)
        assert (held.log.size, held.log.root, held.applied_size) == (200, writer.log.root, 200)
        assert_sound(node)

    run(scenario())


async def keep_heartbeat(node: Node, beat: VerifiedHeartbeat) -> None:
    await node.world.writer.run(Lane.CONTROL, lambda tx: tx.put_heartbeat(beat))


@pytest.mark.parametrize("state", [registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_REVOKED])
def test_g1_a_stolen_old_key_writes_no_entry_at_a_member_that_is_behind(state: registry_pb2.KeyState) -> None:
    async def scenario() -> None:
        network, writer = await rotated_network(20, state)
        node, origin = network["330100"], network.signing["310000"]
        if state == registry_pb2.KEY_STATE_RETIRED:
            beat = make_heartbeat(origin, {(BASE, 0): writer.head}, network.clock.time_ms)
            await node.receiving.take_heartbeat(beat.view)
        else:
            cut = Cut(frozenset({head_leaf(BASE, 0, writer.head)}))
            await network.relist("310000", cut=cut, open_epoch=1)
        forged = forged_from(network, writer, 5)
        code = await refused(node.receive([*run_of(writer, 0, 5), *forged]))
        assert code in ("ENTRY_UNCONFIRMED", "ENTRY_TOO_EARLY")
        assert node.world.store.channels() == []

        # A proof over the true history does not fit the forged one.
        async def prove(old: int, new: int) -> list[bytes]:
            return network["310115"].answering.consistency_proof(BASE, 0, old, new)

        assert await refused(node.receiving.receive([*run_of(writer, 0, 5), *forged], prove)) == code
        assert node.world.store.channels() == []
        await network.sync("330100", "310115")
        await network.sync("330100", "310115")
        assert node.answering.channel(BASE).log.root == writer.log.root
        assert_sound(node)

    run(scenario())


@pytest.mark.parametrize("state", [registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_REVOKED])
def test_g6_a_stolen_old_key_frames_nobody(state: registry_pb2.KeyState) -> None:
    async def scenario() -> None:
        network, writer = await rotated_network(6, state)
        node = network["310115"]
        beat = make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head}, network.clock.time_ms)
        await node.receiving.take_heartbeat(beat.view)
        forged = forged_from(network, writer, 4)
        for signed in forged:
            assert await refused(node.receive([signed])) in (
                "EQUIVOCATION_UNPROVEN", "ENTRY_SIGNATURE", "ENTRY_PREV_ROOT",
            )  # fmt: skip
        proof = channel_pb2.Equivocation(first=writer.entries[4].envelope, second=forged[0].envelope)
        assert await refused(node.receiving.take_equivocation(proof)) == "EQUIVOCATION_UNPROVEN"
        held = node.answering.channel(BASE)
        assert not held.log.quarantined
        assert node.world.store.equivocations_since(0) == []
        following = ChannelWriter(network.signing["310000"], BASE)
        following.log = held.log
        honest = following.sign(RECORDS, [row(7).record], catalogue_version="2026.1")
        assert (await node.receive([honest])).size == 7

    run(scenario())


# --- Two histories ---------------------------------------------------------------------------------------------------


def test_g6_one_origin_cannot_fill_the_room_for_proofs_against_others() -> None:
    async def scenario() -> None:
        network = network_of()
        network.limits = replace(DEFAULT_LIMITS, max_equivocations_per_origin=2, max_equivocations_kept=4)
        node = network.start("310115")
        for number in range(6):
            await node.receiving.take_equivocation(two_faced(network, "310000", f"310000/log-{number}"))
        assert len(node.world.store.equivocations_since(0)) == 2
        await node.receiving.take_equivocation(two_faced(network, "330100", "330100/base"))
        assert {held.channel for held in node.world.store.equivocations_since(0)} >= {"330100/base"}
        assert node.world.store.log("330100/base", 0).quarantined

    def two_faced(network: Network, origin: str, channel: str) -> channel_pb2.Equivocation:
        faces = [ChannelWriter(network.signing[origin], channel) for _ in range(2)]
        for face, title in zip(faces, "甲乙", strict=True):
            face.manifest(title=title)
        first, second = (face.entries[0].envelope for face in faces)
        return channel_pb2.Equivocation(first=first, second=second)

    run(scenario())


def test_g6_a_full_table_of_proofs_does_not_keep_an_origin_open() -> None:
    async def scenario() -> None:
        network = network_of()
        network.limits = replace(DEFAULT_LIMITS, max_equivocations_kept=0)
        node, one, other = network.start("310115"), base_of(network, rows=0), base_of(network, rows=0)
        write_row(one, 1)
        write_row(other, 2)
        await node.receive(run_of(one))
        assert await refused(node.receive([signed_of(other, 1)])) == "EQUIVOCATION"
        assert node.answering.channel(BASE).log.quarantined
        assert await refused(node.receive([write_row(one, 3)])) == "EQUIVOCATION"

    run(scenario())


def test_a_copy_that_is_not_the_history_the_officers_cut_is_no_longer_answered() -> None:
    async def scenario() -> None:
        network = network_of()
        node, one, other = network["310115"], base_of(network, rows=1), base_of(network, rows=1)
        write_row(one, 2)
        write_row(other, 3)
        await node.receive(run_of(one))
        cut = Cut(frozenset({head_leaf(BASE, 0, other.head)}))
        await network.relist("310000", standing=Standing.SUSPENDED, reason="测试", cut=cut)
        assert node.answering.record_count(BASE) == 2
        claim = channel_pb2.Head(channel=BASE, epoch=0, size=other.head.size, root=other.head.root)
        await node.receiving.resolve_cuts([claim])
        held = node.answering.channel(BASE)
        assert (held.log.cut, node.answering.record_count(BASE)) == (HeadAt(0, EMPTY_ROOT), 0)
        assert [alarm.code for alarm in node.answering.alarms()] == ["HISTORY_DISOWNED"]
        await node.receiving.resolve_cuts([claim])
        assert node.answering.alarms()[0].count == 1
        assert_sound(node)

    run(scenario())
