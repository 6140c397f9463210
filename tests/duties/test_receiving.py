"""Receiving: of whatever members send only what is authentic is kept, has its effect once, and takes bounded room."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.admission import FOLD_ENTRY_WEIGHT, FOLD_STEP_RECORDS
from node.core import envelope as envelopes
from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.heartbeat import VerifiedHeartbeat
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END
from node.core.membership import Cut, Standing
from node.core.merkle import EMPTY_ROOT
from node.core.state import APPLIED, REJECTED, Erasure, Place
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from node.ports import Lane
from node.storage.memory import MemoryStore
from node.storage.sqlite import SqliteStore
from tests.builders import (
    NETWORK,
    NOW_MS,
    ChannelWriter,
    make_address,
    make_heartbeat,
    make_manifest,
    make_node,
    make_receipt,
    signing_key,
)
from tests.builders import list_keys as listed_with
from tests.duties.hostile import (
    BASE,
    YieldingWriter,
    assert_sound,
    authority_of_example,
    base_of,
    penalty,
    refused,
    run_of,
    signed_of,
    without_body,
    write_row,
)
from tests.duties.rows import code_of, manifest, row
from tests.wire import Network

RECORDS = channel_pb2.ENTRY_KIND_RECORDS
Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


def network_of(*more: str) -> Network:
    return Network("310000", "310115", "330100", *more)


def size_at(node: Node, channel: str = BASE, epoch: int = 0) -> int:
    held = node.world.store.channel(channel, epoch)
    return held.log.size if held is not None else 0


# --- Entries as no honest member sends them --------------------------------------------------------------------


def oversized_header(writer: ChannelWriter) -> SignedEntry:
    return writer.sign(RECORDS, [row(9).record], state_digest=b"x" * 70_000)


def oversized_body(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record]), body=bytes(9_000_000))


def oversized_record(writer: ChannelWriter) -> SignedEntry:
    return writer.sign(RECORDS, [bytes(70_000)])


def too_many_records(writer: ChannelWriter) -> SignedEntry:
    return writer.sign(RECORDS, [b""] * 4097)


def unsigned(writer: ChannelWriter) -> SignedEntry:
    signed = writer.sign(RECORDS, [row(9).record])
    return replace(signed, envelope=envelope_pb2.Envelope(payload=signed.envelope.payload))


def signed_by_a_stranger(writer: ChannelWriter) -> SignedEntry:
    signed = writer.sign(RECORDS, [row(9).record])
    return replace(signed, envelope=make_node("310000").seal(signed.envelope.payload, signed.envelope.payload_type))


def of_another_network(writer: ChannelWriter) -> SignedEntry:
    return writer.sign(RECORDS, [row(9).record], network="other:0123456789abcdef")


def too_far_ahead(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record], index=9), index=9)


def of_an_epoch_nobody_opened(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record], epoch=1), epoch=1)


def with_numbers_no_log_reaches(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record], index=NUMBERS_END), index=NUMBERS_END)


def with_another_body(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record]), body=writer.sign(RECORDS, [row(8).record]).body)


def of_nobody(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record]), channel="999999/base")


def nameless(writer: ChannelWriter) -> SignedEntry:
    return replace(writer.sign(RECORDS, [row(9).record]), channel="310000/../etc")


REFUSED = [
    (oversized_header, "ENTRY_SIZE"),
    (oversized_body, "ENTRY_SIZE"),
    (oversized_record, "ENTRY_SIZE"),
    (too_many_records, "ENTRY_HEADER"),
    (unsigned, "ENVELOPE_TYPE"),
    (signed_by_a_stranger, "ENTRY_SIGNATURE"),
    (of_another_network, "ENTRY_NETWORK"),
    (too_far_ahead, "ENTRY_INDEX"),
    (of_an_epoch_nobody_opened, "ENTRY_EPOCH"),
    (with_numbers_no_log_reaches, "ENTRY_INDEX"),
    (with_another_body, "ENTRY_BODY"),
    (of_nobody, "ENTRY_ORIGIN"),
    (nameless, "CHANNEL_NAME"),
]


@pytest.mark.parametrize(("bad", "code"), REFUSED, ids=[each.__name__ for each, _ in REFUSED])
def test_g1_nothing_unverified_is_kept_and_the_next_entry_is_taken_all_the_same(bad: Any, code: str) -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        before = node.world.store.channels()
        assert await refused(node.receive([bad(writer)])) == code
        assert node.world.store.channels() == before
        taken = await node.receive([write_row(writer, 5)])
        assert (taken.size, taken.applied_size) == (5, 5)
        assert_sound(node)

    run(scenario())


def test_g2_runs_out_of_order_or_of_two_logs_are_refused_whole() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        entries = run_of(writer)
        for wrong in (entries[::-1], [entries[0], entries[2]], [entries[0], entries[0]]):
            assert await refused(node.receive(wrong)) == "FRAME"
        other = replace(entries[1], channel="310000/other")
        assert await refused(node.receive([entries[0], other])) == "FRAME"
        assert node.world.store.channels() == []
        await node.receive(entries[:2])
        # What is known already may come again, together with what is new.
        assert (await node.receive(entries)).size == 4
        assert_sound(node)

    run(scenario())


def test_g2_what_came_before_a_refused_entry_of_a_run_stays_taken() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        bad = replace(signed_of(writer, 3), body=b"?")
        assert await refused(node.receive([*run_of(writer, 0, 3), bad])) == "ENTRY_BODY"
        assert size_at(node) == 3
        other = base_of(network, rows=0)
        write_row(other, 7)
        write_row(other, 8)
        # The same at the end of a run that turns out to be another history: the proof is kept, and what was good.
        fresh = network["330100"]
        mixed = [*run_of(writer, 0, 2), signed_of(other, 2)]
        assert await refused(fresh.receive(mixed)) == "EQUIVOCATION"
        assert size_at(fresh) == 2
        assert len(fresh.world.store.equivocations_since(0)) == 1

    run(scenario())


def test_g3_entries_sent_again_in_any_pieces_take_effect_once() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network, rows=6)
        entries = run_of(writer)
        for start, end in [(0, 3), (1, 5), (0, 7), (3, 4), (0, 7), (6, 7)]:
            await node.receive(entries[start:end])
        assert node.answering.outcomes(node.answering.channel(BASE)) == {(APPLIED, ""): 6}
        assert_sound(node)

    run(scenario())


@pytest.mark.parametrize("seed", range(8))
def test_g3_copies_that_arrive_at_once_from_many_peers_take_effect_once(seed: int) -> None:
    async def scenario() -> None:
        network = network_of()
        network.make_writer = lambda store: YieldingWriter(store, seed)
        node, writer = network.start("310115"), base_of(network, rows=5)
        entries = run_of(writer)
        bare = [without_body(each) for each in entries]
        copies = [entries, bare, entries[:3], bare[:4], entries, bare]
        results = await asyncio.gather(*(node.receive(copy) for copy in copies), return_exceptions=True)
        assert not [each for each in results if isinstance(each, BaseException)]
        held = node.answering.channel(BASE)
        assert (held.log.size, held.applied_size, held.incomplete_bodies, held.records) == (6, 6, 0, 5)
        assert node.answering.outcomes(held) == {(APPLIED, ""): 5}
        assert_sound(node)

    run(scenario())


def test_a_head_that_moved_meanwhile_is_read_again_and_then_reported() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        inner, failures = node.receiving._writer, 2

        class Moving:
            async def run(self, lane: Lane, step: Any) -> Any:
                nonlocal failures
                if failures:
                    failures -= 1
                    raise XinqiaoError("HEAD_MOVED", channel=BASE, expected=0, found=1)
                return await inner.run(lane, step)

        node.receiving._writer = Moving()
        assert (await node.receive(run_of(writer))).size == 4
        failures = 99
        assert await refused(node.receive([write_row(writer, 9)])) == "HEAD_MOVED"
        failures = 0
        assert (await node.receive([signed_of(writer, 4)])).size == 5

    run(scenario())


# --- Entries that make no sense ---------------------------------------------------------------------------------


def test_g2_no_authentic_entry_wedges_a_channel_whatever_it_holds() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        far = NOW_MS + 10 * 365 * 86_400_000
        writer.records([b"\xff", b"", b"nonsense"], catalogue_version="2026.1")
        writer.records([row(1).record], catalogue_version="2026.1", issued_at_unix_ms=far)
        writer.records([row(1).record], catalogue_version="2026.1", issued_at_unix_ms=(1 << 63) - 1)
        writer.write(99, [b"?"])
        writer.write(channel_pb2.ENTRY_KIND_LIST, [b"?"])
        writer.write(channel_pb2.ENTRY_KIND_STATUS, [b"\xff", b""])
        writer.write(channel_pb2.ENTRY_KIND_MANIFEST, [b"?"], manifest=make_manifest())
        writer.manifest(disclosure=0)
        writer.manifest(title="题" * 500)
        writer.write(channel_pb2.ENTRY_KIND_MANIFEST)
        writer.records([], catalogue_version="2026.1")
        write_row(writer, 4)
        await node.receive(run_of(writer))
        held = node.answering.channel(BASE)
        assert held.applied_size == held.log.size == len(writer.entries)
        assert held.records == 4
        assert held.manifest == manifest()
        counts = node.answering.outcomes(held)
        assert {code for outcome, code in counts if outcome == REJECTED} == {
            "VERDICT_RECORD",
            "VERDICT_FUTURE",
            "VERDICT_KIND",
            "VERDICT_STATUS",
            "VERDICT_MANIFEST",
        }
        assert_sound(node)

    run(scenario())


def test_records_of_an_authority_bound_to_another_node_have_no_effect() -> None:
    async def scenario() -> None:
        ours, theirs = authority_of_example(1), authority_of_example(2)
        network = network_of()
        listed = make_node("310000", authorities=[registry_pb2.Authority(uscc=ours)])
        network.signing["310000"] = listed
        await network.publish_registry()
        writer = ChannelWriter(listed, "310000/penalties")
        writer.manifest(disclosure=channel_pb2.DISCLOSURE_CLASS_C)
        records = [penalty(1, ours).record, penalty(2, theirs).record]
        writer.records(records, catalogue_version="2026.1")
        await network["310115"].receive(run_of(writer))
        held = network["310115"].answering.channel("310000/penalties")
        assert network["310115"].answering.outcomes(held) == {(APPLIED, ""): 1, (REJECTED, "VERDICT_AUTHORITY"): 1}
        assert held.records == 1
        assert_sound(network["310115"])

    run(scenario())


def test_an_unknown_edition_is_deferred_and_settled_by_the_next_word_of_the_registry() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network, rows=1)
        write_row(writer, 2, version="2027.1")
        write_row(writer, 3)
        await node.receive(run_of(writer))
        held = node.answering.channel(BASE)
        assert (held.log.size, held.applied_size, held.records) == (4, 2, 1)
        network.clock.time_ms += 1000
        await node.refresh_registry()
        held = node.answering.channel(BASE)
        assert (held.applied_size, held.records) == (4, 2)
        assert node.answering.outcomes(held)[REJECTED, "VERDICT_CATALOGUE"] == 1
        own = node.world.store.receipt(BASE, "310115")
        assert own is not None
        assert own.receipt.message.applied_size == 4

    run(scenario())


def test_entries_of_an_origin_that_the_registry_no_longer_lists_wait_and_stop_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network, rows=1)
        write_row(writer, 2, version="2027.1")
        await node.receive(run_of(writer))
        listed = network.signing.pop("310000")
        network.down.add("310000")
        await network.publish_registry()
        assert node.answering.channel(BASE).applied_size == 2
        assert await refused(node.receive([write_row(writer, 3)])) == "ENTRY_ORIGIN"
        network.signing["310000"] = listed
        await network.publish_registry()
        network.clock.time_ms += 1000
        await node.refresh_registry()
        assert node.answering.channel(BASE).applied_size == 3

    run(scenario())


def test_each_entry_is_judged_under_the_manifest_in_force_at_it_however_late_it_is_folded() -> None:
    async def scenario() -> None:
        network = network_of()
        prompt, late = network["310115"], network["330100"]
        writer = base_of(network, rows=0)
        write_row(writer, 1)
        writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=make_manifest(item="licence.2018"))
        write_row(writer, 2)
        for signed in run_of(writer):
            await prompt.receive([signed])
        entries = run_of(writer)
        # Here the first records come last: everything behind them is folded when the later manifest is known.
        await late.receive([entries[0], without_body(entries[1]), *entries[2:]])
        assert late.answering.channel(BASE).applied_size == 1
        await late.receive([entries[1]])
        outcomes = [node.answering.outcomes(node.answering.channel(BASE)) for node in (prompt, late)]
        assert outcomes[0] == outcomes[1] == {(APPLIED, ""): 1, (REJECTED, "VERDICT_RECORD"): 1}

    run(scenario())


def test_folding_5000_entries_that_waited_lets_others_write_in_between(tmp_path: Path) -> None:
    async def scenario() -> None:
        network = network_of()
        store = SqliteStore.open(tmp_path / "node.db", create=True)
        node = network.start("310115", store)
        writer = base_of(network, rows=0)
        for serial in range(5000):
            write_row(writer, serial % 50, version="2027.1")
        entries = run_of(writer)
        await node.receive([entries[0]])
        for start in range(1, 5001, 1000):
            await node.receive(entries[start : start + 1000])
        assert node.answering.channel(BASE).applied_size == 1
        steps: list[int] = []
        inner = node.receiving._writer

        class Watching:
            async def run(self, lane: Lane, step: Any) -> Any:
                before = size_applied(node)
                result = await inner.run(lane, step)
                steps.append(size_applied(node) - before)
                return result

        node.receiving._writer = Watching()
        network.clock.time_ms += 1000
        await node.refresh_registry()
        assert size_applied(node) == 5001
        largest = FOLD_STEP_RECORDS // (FOLD_ENTRY_WEIGHT + 1) + 1
        assert max(steps) <= largest < 500
        assert len([step for step in steps if step]) >= 5000 // largest

    def size_applied(node: Node) -> int:
        held = node.world.store.channel(BASE, 0)
        assert held is not None
        return held.applied_size

    run(scenario())


# --- Audience -----------------------------------------------------------------------------------------------------


def test_g8_a_log_that_names_others_is_not_begun_and_an_invitation_must_be_the_origins() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["330100"], base_of(network, audience="310115")
        first = signed_of(writer)
        assert await refused(node.receive([first])) == "AUDIENCE"
        invited = ChannelWriter(network.signing["310000"], BASE)
        invitation = invited.sign(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest("330100")).envelope
        forged = make_node("310000").seal(invitation.payload, invitation.payload_type)
        elsewhere = ChannelWriter(network.signing["310000"], "310000/other")
        other = elsewhere.sign(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest("330100")).envelope
        for wrong in (forged, other, first.envelope, envelope_pb2.Envelope()):
            assert await refused(node.receive([replace(first, invitation=wrong)])) in ("AUDIENCE", "ENVELOPE_TYPE")
        assert node.world.store.channels() == []
        assert (await node.receive([replace(first, invitation=invitation)])).size == 1

    run(scenario())


def test_a_member_that_is_dropped_keeps_no_content_and_tells_the_origin_even_if_only_it_dials() -> None:
    async def scenario() -> None:
        network = network_of()
        origin = network["310000"].publishing
        await origin.create_channel("base", manifest("310115"))
        await origin.publish(BASE, [row(1)])
        await network.sync("310115", "310000")
        await network.sync("310115", "310000")
        await origin.set_audience(BASE, parse_audience("330100"))
        # The origin never reaches 310115: it must hear of the erasure when 310115 calls.
        await network.sync("310115", "310000")
        held = network["310115"].answering.channel(BASE)
        assert (held.records, network["310115"].answering.state_of(held)) == (0, "left")
        receipt = network["310000"].world.store.receipt(BASE, "310115")
        assert receipt is not None
        assert receipt.receipt.message.size == 3
        assert network["310000"].sharing.heads("310115") == []

    run(scenario())


def test_g8_a_member_that_has_left_keeps_no_body_whoever_still_hands_one_over() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network, rows=2)
        writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest("330100"))
        write_row(writer, 7)
        # The first rows came as headers; their bodies were on the way as the member left, and so was a later entry.
        await node.receive([run_of(writer)[0], *map(without_body, run_of(writer, 1, 3)), signed_of(writer, 3)])
        for _ in range(2):
            await node.receive(run_of(writer))
        held = node.answering.channel(BASE)
        assert (held.log.size, held.left_at) == (5, 3)
        assert [entry.body for entry in node.world.store.entries(BASE, 0, 0)] == [None] * 5
        # Nothing is missing at a member that may not read it.
        assert (held.incomplete_bodies, node.world.store.incomplete_entries(BASE, 0, 9)) == (0, [])
        # Who belongs to the audience again is given everything.
        writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest("310115"))
        await node.receive([signed_of(writer, 5)])
        assert node.world.store.incomplete_entries(BASE, 0, 9) == [1, 2, 4]
        await node.receive(run_of(writer))
        held = node.answering.channel(BASE)
        assert (held.applied_size, held.records, held.incomplete_bodies) == (6, 3, 0)
        assert_sound(node)

    run(scenario())


# --- Old keys -------------------------------------------------------------------------------------------------------


async def rotated_network(entries: int, state: registry_pb2.KeyState) -> tuple[Network, ChannelWriter]:
    """A network whose origin wrote entries with a key that has since got that state; 310115 holds them all."""
    network = network_of()
    before, after = network.signing["310000"], make_node("310000")
    writer = base_of(network, rows=entries - 1)
    await network["310115"].receive(run_of(writer))
    await network["310000"].receive(run_of(writer))
    network.signing["310000"] = listed_with(
        after, [signing_key(before.signer, state), signing_key(after.signer)], after
    )
    await network.publish_registry()
    return network, writer


def forged_from(network: Network, writer: ChannelWriter, at: int) -> list[SignedEntry]:
    """What somebody with the old key signs for the places from an index on."""
    forger = ChannelWriter(writer.node, BASE)
    for entry in run_of(writer, 0, at):
        forger.take(entry)
    for serial in range(3):
        write_row(forger, 900 + serial, "伪造")
    return run_of(forger, at)


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


# --- Room -------------------------------------------------------------------------------------------------------------


def test_g12_an_origin_begins_no_more_logs_than_the_limit_and_others_still_can() -> None:
    async def scenario() -> None:
        network = network_of()
        network.limits = replace(DEFAULT_LIMITS, max_channels_per_origin=3)
        node = network.start("310115")
        codes = []
        for number in range(6):
            writer = ChannelWriter(network.signing["310000"], f"310000/log-{number}")
            writer.manifest()
            codes.append(await refused(node.receive(run_of(writer))))
        assert codes == ["", "", "", "CHANNELS_LIMIT", "CHANNELS_LIMIT", "CHANNELS_LIMIT"]
        await node.receive(run_of(base_of(network, "330100")))
        assert len(node.world.store.channels()) == 4

    run(scenario())


def test_g12_invented_names_leave_nothing_behind() -> None:
    async def scenario() -> None:
        network = network_of()
        node = network["310115"]
        store = node.world.store
        assert isinstance(store, MemoryStore)
        signed = signed_of(base_of(network))
        for number in range(300):
            await refused(node.receive([replace(signed, channel=f"310000/x-{number}", epoch=number)]))
        heads = {(f"310000/x-{number:04}", 0): HeadAt(7, b"\x07" * 32) for number in range(3000)}
        for round_ in range(3):
            view = make_heartbeat(network.signing["310000"], heads, NOW_MS + round_).view
            await node.receiving.take_heartbeat(view)
        assert (len(node.receiving._locks), len(store._state.logs.rows)) == (0, 0)
        assert len(store.heartbeats_since(0)) == 1

    run(scenario())


def test_before_its_first_entry_the_newest_heartbeat_says_how_far_a_log_reaches() -> None:
    async def scenario() -> None:
        network, writer = await rotated_network(3, registry_pb2.KEY_STATE_RETIRED)
        node = network["330100"]
        assert await refused(node.receive(run_of(writer))) == "ENTRY_SIGNATURE"
        beat = make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head}, network.clock.time_ms)
        await node.receiving.take_heartbeat(beat.view)
        assert (await node.receive(run_of(writer))).size == 3

    run(scenario())


# --- Heartbeats, receipts, addresses ------------------------------------------------------------------------------


def test_heartbeats_of_others_from_the_future_or_with_forged_heads_change_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        origin, head = network.signing["310000"], {(BASE, 0): writer.head}
        stranger = make_heartbeat(make_node("310000"), head, NOW_MS).view
        assert await refused(node.receiving.take_heartbeat(stranger)) == "SIGNATURE"
        unlisted = make_heartbeat(make_node("999999"), {("999999/base", 0): writer.head}, NOW_MS).view
        assert await refused(node.receiving.take_heartbeat(unlisted)) == "HEARTBEAT"
        future = make_heartbeat(origin, head, NOW_MS + 200_000).view
        network.clock.time_ms -= 200_000
        assert await refused(node.receiving.take_heartbeat(future)) == "HEARTBEAT"
        network.clock.time_ms += 200_000
        forged = channel_pb2.HeartbeatView.FromString(future.SerializeToString())
        forged.heads[0].head.size = 2
        assert await refused(node.receiving.take_heartbeat(forged)) == "HEARTBEAT"
        assert (node.world.store.heartbeats_since(0), node.answering.channel(BASE).fresh_at_ms) == ([], 0)
        await node.receiving.take_heartbeat(future)
        assert node.answering.channel(BASE).fresh_at_ms == NOW_MS + 200_000
        await node.receiving.take_heartbeat(make_heartbeat(origin, head, NOW_MS).view)
        assert node.answering.channel(BASE).fresh_at_ms == NOW_MS + 200_000

    run(scenario())


def test_g6_a_heartbeat_over_another_history_is_an_alarm_and_freshens_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        lie = {(BASE, 0): HeadAt(2, b"\x02" * 32)}
        await node.receiving.take_heartbeat(make_heartbeat(network.signing["310000"], lie, NOW_MS).view)
        held = node.answering.channel(BASE)
        assert (held.fresh_at_ms, held.log.covered) == (0, None)
        assert [alarm.code for alarm in node.answering.alarms()] == ["HEARTBEAT"]
        assert_sound(node)

    run(scenario())


def test_g5_a_silent_origin_does_not_stay_fresh_by_old_heartbeats_played_again() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network)
        await node.receive(run_of(writer))
        beats = [
            make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head}, NOW_MS + at * 1000) for at in range(3)
        ]
        for beat in beats:
            await node.receiving.take_heartbeat(beat.view)
        network.clock.time_ms += 86_400_000
        for beat in [*beats, *beats]:
            await node.receiving.take_heartbeat(beat.view)
        assert node.answering.channel(BASE).fresh_at_ms == NOW_MS + 2000

    run(scenario())


def test_receipts_beyond_what_exists_over_other_histories_or_of_strangers_are_not_kept() -> None:
    async def scenario() -> None:
        network = network_of()
        origin = network["310000"]
        await origin.publishing.create_channel("base", manifest("310115"))
        await origin.publishing.publish(BASE, [row(1)])
        log = origin.answering.channel(BASE).log

        async def offered(node: str, **changes: Any) -> list[str]:
            receipt = make_receipt(network.signing[node], replace(log, **changes), applied_size=0)
            refusals = await origin.take_receipts([receipt.envelope])
            return [refusal.code for refusal in refusals]

        assert await offered("310115", size=3) == ["RECEIPT"]
        assert await offered("310115", size=NUMBERS_END - 1) == ["RECEIPT"]
        assert await offered("310115", root=b"\x01" * 32) == ["RECEIPT"]
        assert await offered("310115", epoch=1) == []
        assert await offered("330100") == []
        assert await offered("310115", channel="310000/other") == []
        assert origin.world.store.receipts_of("310115") == []
        assert origin.world.store.receipts_of("330100") == []
        assert await offered("310115") == []
        assert len(origin.world.store.receipts_of("310115")) == 1
        huge = channel_pb2.Receipt(
            network=NETWORK, subscriber="310115", channel=BASE, epoch=NUMBERS_END, size=NUMBERS_END, root=log.root
        )
        sealed = network.signing["310115"].seal(huge.SerializeToString(), envelopes.RECEIPT)
        assert [refusal.code for refusal in await origin.take_receipts([sealed, envelope_pb2.Envelope()])] == [
            "RECEIPT",
            "RECEIPT",
        ]

    run(scenario())


def test_nobody_moves_the_address_of_another_and_an_older_one_does_not_come_back() -> None:
    async def scenario() -> None:
        network = network_of()
        node = network["310115"]
        _, first = make_address(network.signing["310000"], 5, "127.0.0.1:1")
        await node.receiving.take_address(first)
        _, older = make_address(network.signing["310000"], 4, "127.0.0.1:2")
        await node.receiving.take_address(older)
        _, forged = make_address(make_node("310000"), 9, "127.0.0.1:3")
        assert await refused(node.receiving.take_address(forged)) == "SIGNATURE"
        _, huge = make_address(network.signing["310000"], (1 << 64) - 1, "127.0.0.1:4")
        assert await refused(node.receiving.take_address(huge)) == "ADDRESS"
        held = node.world.store.address("310000")
        assert held is not None
        assert held.record.exchange_endpoint == "127.0.0.1:1"

    run(scenario())


def test_g9_an_erasure_that_comes_before_its_target_holds_when_the_body_arrives() -> None:
    async def scenario() -> None:
        network = network_of()
        origin = network["310000"].publishing
        await origin.create_channel("base", manifest())
        await origin.publish(BASE, [row(1), row(2)])
        whole = list(network["310000"].sharing.entries("310115", BASE, 0, 0, None))
        await origin.erase(BASE, Place(0, 1, 0), "沪更〔2026〕1号", "数据有误")
        erasure = list(network["310000"].sharing.entries("310115", BASE, 0, 2, None))
        node = network["310115"]
        await node.receive([whole[0], without_body(whole[1]), *erasure])
        # Somebody still has the old copy, and hands it over.
        await node.receive([whole[1]])
        held = node.answering.channel(BASE)
        assert (held.applied_size, held.records, held.incomplete_bodies) == (3, 1, 0)
        assert list(node.answering.records(code_of(1), "", 0)) == []
        stored = node.world.store.entry(BASE, 0, 1)
        assert stored is not None
        assert code_of(1).encode() not in (stored.body or b"")
        assert_sound(node)

    run(scenario())


def test_g9_an_erasure_that_names_another_commitment_hides_nothing() -> None:
    async def scenario() -> None:
        network = network_of()
        node, writer = network["310115"], base_of(network, rows=1)
        writer.erase(Erasure(Place(0, 1, 0), b"\x01" * 32))
        entries = run_of(writer)
        await node.receive([entries[0], without_body(entries[1]), entries[2]])
        assert node.answering.channel(BASE).incomplete_bodies == 1
        await node.receive([entries[1]])
        held = node.answering.channel(BASE)
        assert (held.records, held.applied_size, held.incomplete_bodies) == (1, 3, 0)

    run(scenario())
