"""Authentic entries that make no sense are stored without effect; content stays with the audience."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from node.admission import FOLD_ENTRY_WEIGHT, FOLD_STEP_RECORDS
from node.core.audience import parse_audience
from node.core.state import APPLIED, REJECTED
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from node.ports import Lane, Writer
from node.storage.sqlite import SqliteStore
from tests.builders import NOW_MS, ChannelWriter, make_manifest, make_node
from tests.duties.hostile import (
    BASE,
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
from tests.duties.receiving import network_of, run
from tests.duties.rows import manifest, row

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
            "VERDICT_LIST",
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

        class Watching(Writer):
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
