"""Receiving: of whatever members send only what is authentic is kept, has its effect once, and takes bounded room."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from node.core.channel import HeadAt
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END
from node.core.state import APPLIED
from node.node import Node
from node.pb import envelope_pb2, registry_pb2
from node.ports import Lane, Writer
from node.storage.memory import MemoryStore
from tests.builders import NOW_MS, ChannelWriter, make_heartbeat, make_node
from tests.duties.hostile import (
    BASE,
    YieldingWriter,
    assert_sound,
    base_of,
    refused,
    run_of,
    signed_of,
    without_body,
    write_row,
)
from tests.duties.receiving import RECORDS, network_of, rotated_network, run
from tests.duties.rows import row


def size_at(node: Node, channel: str = BASE, epoch: int = 0) -> int:
    held = node.world.store.channel(channel, epoch)
    return held.log.size if held is not None else 0


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


# --- Entries as no honest member sends them --------------------------------------------------------------------


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

        class Moving(Writer):
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
