"""The oracle: a run that is right passes, and each guarantee that is broken is named at the very step."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Cut, Standing
from node.core.merkle import EMPTY_ROOT
from node.core.record import Outcome, OutcomeKind
from node.core.state import APPLIED, SUPERSEDED, Applied, Erasure, Place
from node.novelty import Novelty
from node.pb import channel_pb2, exchange_service_pb2, registry_pb2, registry_service_pb2
from node.ports import HeldEntry, LinkState
from node.simulator.observing import Violation, Write
from node.storage.sql_reading import SqlReader
from tests.builders import ChannelWriter, as_signed, erasure_of, make_heartbeat, make_receipt
from tests.duties.hostile import BASE, base_of
from tests.duties.rows import manifest, row
from tests.simulator.watching import Watched, entry_frames
from tests.wire import MemorySidecar

A, B, C = "310000", "310115", "330100"
Body = Coroutine[Any, Any, None]
pb = exchange_service_pb2


def run(body: Body) -> None:
    asyncio.run(body)


@contextmanager
def violated(guarantee: str, found: str = "") -> Iterator[None]:
    """The block breaks this guarantee, and no other."""
    with pytest.raises(Violation, match=found or None) as raised:
        yield
    assert raised.value.guarantee == guarantee, raised.value


async def published(directory: Path, audience: str = "everyone", **options: Any) -> Watched:
    """A network in which 310000 has published three rows, known to all that may read them."""
    network = Watched(directory, A, B, C, **options)
    await network[A].publishing.create_channel("base", manifest(audience))
    await network.publish(BASE, [row(serial) for serial in (1, 2, 3)])
    await network.settle()
    return network


def commit(network: Watched, node: str, method: str, *arguments: Any, result: Any = None) -> None:
    """Let the oracle see a write that the node never made."""
    network.oracle.committed(node, [Write(method, arguments, result)])


def size_of(entry: HeldEntry) -> int:
    """What has to travel for an entry, without signatures and frames."""
    slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
    return len(entry.envelope.payload) + sum(len(slot.salt) + len(slot.record) for slot in slots)


def forged(network: Watched, count: int = 2) -> ChannelWriter:
    """Another history of the base channel, validly signed."""
    return base_of(network, rows=count)


# --- A run that is right ----------------------------------------------------------------------------------------


def test_a_run_that_is_right_converges_and_violates_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        await network.publish(BASE, [row(1, "改名有限公司"), row(2), row(4)])
        await network.settle()
        await network.erase(BASE, 2, 1)
        await network.settle()
        await network[A].publishing.set_audience(BASE, parse_audience(B))
        await network.publish(BASE, [row(5)])
        await network.settle()
        await network[A].publishing.set_audience(BASE, parse_audience(f"{B},{C}"))
        await network.settle(5)
        assert network.reasons() == []
        network.oracle.check_end(network.stores())

    run(body())


def test_a_restored_reader_and_a_restored_origin_come_back_without_a_violation(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        backups = {node: network.backup(node) for node in (A, B)}
        await network.publish(BASE, [row(4)])
        await network.settle()
        network.restore(B, backups[B])
        network.restore(A, backups[A])
        assert network.reasons() != []
        await network.settle(4)
        await network.publish(BASE, [row(5)])
        await network.settle()
        assert network.reasons() == []
        network.oracle.check_end(network.stores())

    run(body())


def test_a_suspended_origin_is_cut_and_goes_on_in_a_new_epoch_without_a_violation(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        held = network[A].world.store.channel(BASE)
        assert held is not None
        leaf = head_leaf(BASE, 0, HeadAt(held.log.size, held.log.root))
        await network.relist(A, standing=Standing.SUSPENDED, reason="测试", cut=Cut(frozenset({leaf})))
        network.later(30)
        await network.relist(A, standing=Standing.ACTIVE, open_epoch=1)
        await network.publish(BASE, [row(4)])
        await network.settle(4)
        assert network.reasons() == []
        network.oracle.check_end(network.stores())

    run(body())


# --- G1 ---------------------------------------------------------------------------------------------------------


def test_g1_an_entry_that_its_origin_has_not_written(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        writer = forged(network)
        with violated("G1", "has not written"):
            commit(network, B, "append", writer.entries[0], network.now_ms, True)

    run(body())


def test_g1_a_receipt_and_a_heartbeat_that_nobody_has_signed(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        writer = forged(network)
        with violated("G1", "a receipt of 310115"):
            commit(network, A, "put_receipt", make_receipt(network.signing[B], writer.log), result=True)
        with violated("G1", "a heartbeat of 310000"):
            beat = make_heartbeat(network.signing[A], {(BASE, 0): writer.head})
            commit(network, B, "put_heartbeat", beat, result=True)
        with violated("G1", "is covered"):
            commit(network, B, "set_covered", BASE, 0, HeadAt(99, writer.head.root))

    run(body())


def test_g1_an_entry_above_the_cut(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        commit(network, B, "set_cut", BASE, 0, HeadAt(0, EMPTY_ROOT))
        network.later(60)
        await network.publish(BASE, [row(4)])
        entry = network[A].world.store.entry(BASE, 0, 2)
        assert entry is not None
        with violated("G1", "above the cut"), pytest.MonkeyPatch.context() as patch:
            patch.setattr("node.core.channel._check_standing", lambda _log, _signed, origin, _limits: origin)
            patch.setattr("node.core.channel._rests_on", lambda *_: None)
            await network[B].receive([SignedEntry(BASE, 0, 2, entry.envelope, entry.body)])

    run(body())


# --- G2 ---------------------------------------------------------------------------------------------------------


def test_g2_an_entry_is_left_out(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        with violated("G2", "where entry 0 is due"):
            commit(network, A, "append", forged(network).entries[1], network.now_ms, True)

    run(body())


def test_g2_an_operator_is_told_before_it_is_durable(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G2", "nowhere written"):
            network.oracle.published(A, BASE, [row(9)], [Outcome(9, OutcomeKind.ACCEPTED)])
        with violated("G2", "counts as erased"):
            network.oracle.erased(A, BASE, "0/1/0")

    run(body())


def test_g2_what_was_acknowledged_is_gone_after_a_crash(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        backup = network.backup(B)
        await network.publish(BASE, [row(4)])
        await network.settle()
        with violated("G2", "2 of 3 entries"):
            network.start(B, network._database(B, backup.stem), None, "crash")

    run(body())


def test_g2_a_receipt_and_a_head_leave_for_more_than_is_durable(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        receipt = make_receipt(network.signing[B], replace(forged(network).log, size=9), applied_size=9)
        with violated("G2", "a receipt for"):
            network.cross(1, "PutReceipts", (B, A), pb.PutReceiptsRequest(receipts=[receipt.envelope]))
        head = channel_pb2.Head(channel=BASE, epoch=0, size=9, root=bytes(32))
        with violated("G2", "it claims 9"):
            network.cross(2, "Hello", (B, A), pb.HelloResponse(heads=[head]), is_answer=True)

    run(body())


# --- G3 ---------------------------------------------------------------------------------------------------------


def test_g3_an_entry_is_applied_twice_or_miscounted(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G3", "where entry 2 is due"):
            commit(network, B, "apply", Applied(BASE, 0, 1, counts={(APPLIED, ""): 3}))
        await network.publish(BASE, [row(4)])
        await network.sync(B, A)

    run(body())


def test_g3_a_duplicate_is_counted_as_applied(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G3", "in force already"), pytest.MonkeyPatch.context() as patch:
            patch.setattr(Novelty, "_split_by_novelty", lambda _self, _channel, rows, _passed: (rows, _accepted(rows)))
            await network.publish(BASE, [row(1)])

    run(body())


def _accepted(rows: Any) -> list[Outcome]:
    return [Outcome(each.row, OutcomeKind.ACCEPTED) for each in rows]


def test_g3_a_fold_that_counts_otherwise_than_it_ought_to(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G3", "is counted"), pytest.MonkeyPatch.context() as patch:
            patch.setattr("node.admission.fold", _counting_all_as_superseded)
            await network.publish(BASE, [row(4)])

    run(body())


def _counting_all_as_superseded(unfolded: Any, _find_keys: Any, _limits: Any) -> Applied:
    header = unfolded.header
    counts = {(SUPERSEDED, ""): header.record_count}
    return Applied(header.channel, header.epoch, header.index, counts=counts)


# --- G4 and G9 --------------------------------------------------------------------------------------------------


def test_g4_erased_content_is_given_again(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        frames = list(entry_frames(network, B, BASE, 1))
        await network.erase(BASE, 1)
        await network.settle()
        network.later(60)
        with violated("G4", "leaves after its erasure"):
            for frame in frames:
                network.cross(7, "Push", (B, A), frame)

    run(body())


def test_g4_a_control_entry_comes_too_late_while_all_is_well(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        await network[A].publishing.create_channel("lists", urgent)
        await network.settle()
        await network.publish("310000/lists", [row(1)])
        network.oracle.check(network.now_ms)
        network.later(59)
        network.oracle.check(network.now_ms)
        network.oracle.reaches = lambda _one, _other: False
        network.later(2)
        network.oracle.check(network.now_ms)
        network.oracle.reaches = lambda _one, _other: True
        network.later(600)
        network.oracle.check(network.now_ms)
        network.cross(1, "Hello", (B, A), pb.HelloResponse(), is_answer=True)
        network.later(61)
        with violated("G4", "not applied after 61 s"):
            network.oracle.check(network.now_ms)
        await network.settle()
        network.oracle.check(network.now_ms)

    run(body())


def test_g4_a_control_entry_is_granted_what_its_road_needs_for_it_and_for_those_before_it(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        await network[A].publishing.create_channel("lists", urgent)
        await network.settle()
        asked: list[tuple[str, str, int]] = []

        def travel_s(one: str, other: str, size: int) -> float:
            asked.append((one, other, size))
            return size / 10

        network.oracle.travel_s = travel_s
        await network.publish("310000/lists", [row(1)])
        await network.publish("310000/lists", [row(2)])
        network.later(60)
        network.oracle.check(network.now_ms)
        entries = [network[A].world.store.entry("310000/lists", 0, index) for index in (1, 2)]
        first, second = (size_of(entry) for entry in entries if entry is not None)
        assert asked == [(A, B, first)]
        # (1) what the road needs for the first one is granted, and no more
        network.later(first / 10)
        network.oracle.check(network.now_ms)
        network.later(1)
        with violated("G4", "310000/lists 0/1 is not applied after"):
            network.oracle.check(network.now_ms)
        # (2) the second one was written while the first one was under way
        assert entries[0] is not None
        await network[B].receive([SignedEntry("310000/lists", 0, 1, entries[0].envelope, entries[0].body)])
        asked.clear()
        network.oracle.check(network.now_ms)
        assert asked == [(A, B, first + second)]

    run(body())


def test_g4_a_call_that_fails_stops_the_time_of_a_control_entry_and_does_not_set_it_back(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        await network[A].publishing.create_channel("lists", urgent)
        await network.settle()
        await network.publish("310000/lists", [row(1)])
        for caller, called in ((A, B), (B, A)):
            network.later(29)
            commit(network, caller, "put_link", LinkState(called, failures=1, retry_at_ms=network.now_ms + 1000))
            network.later(600)
            network.oracle.check(network.now_ms)
            network.cross(1, "Hello", (B, A), pb.HelloResponse(), is_answer=True)
        network.later(2)
        network.oracle.check(network.now_ms)
        network.later(1)
        with violated("G4", "not applied after 61 s in which all was well"):
            network.oracle.check(network.now_ms)

    run(body())


def test_g9_an_erasure_without_its_origins_word(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G9", "without its origin's word"):
            commit(network, B, "put_erasures", BASE, [Erasure(Place(0, 1, 0), bytes(32))])

    run(body())


def test_g9_a_bare_commitment_is_taken_for_an_erasure(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G9", "its origin erased nothing"), pytest.MonkeyPatch.context() as patch:
            patch.setattr("node.admission._is_complete", lambda *_: True)
            await network.publish(BASE, [row(4)])
            network.tamper = lambda _from, _to, signed: replace(signed, body=None)
            await network.sync(B, A)

    run(body())


def test_g9_erased_content_is_still_in_a_store_at_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        kept = network.backup(B)
        await network.erase(BASE, 1)
        await network.settle()
        stores = dict(network.stores())
        network.oracle.check_end(stores)
        stores[B] = network._database(B, kept.stem)
        with violated("G2", "is stored as"):
            network.oracle.check_end(stores)

    run(body())


# --- G5, G6, G7 -------------------------------------------------------------------------------------------------


def test_g5_freshness_beyond_what_is_applied(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        await network.publish(BASE, [row(4)])
        network.later(60)
        await network[A].beat()
        beat = network[A].world.store.heartbeat(A)
        assert beat is not None
        with violated("G5", "with 2 applied"):
            commit(network, B, "set_fresh", BASE, 0, beat.time_ms)
        with violated("G5", "counts as fresh"):
            commit(network, B, "set_fresh", BASE, 0, beat.time_ms + 1)

    run(body())


def test_g6_an_honest_origin_is_accused(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G6", "is accused"):
            commit(network, B, "put_equivocation", BASE, 0, 1, channel_pb2.Equivocation(), result=True)
        with violated("G6", "two histories"):
            commit(network, B, "set_quarantined", A, True)

    run(body())


def test_g6_two_histories_are_not_known_where_they_are_held(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B, C)
        network.oracle.happened("equivocate", A, {})
        histories = {B: base_of(network, rows=1), C: base_of(network, audience=f"{B},{C}", rows=1)}
        for node, writer in histories.items():
            for entry in writer.entries:
                await network[node].receive([as_signed(entry)])
        with violated("G6", "has written 310000/base 0 twice"):
            network.oracle.check_end(network.stores())
        await network.settle()
        network.oracle.check_end(network.stores())

    run(body())


@pytest.mark.parametrize("sidecar", [None, MemorySidecar()])
def test_g7_a_restored_origin_writes_a_second_entry(tmp_path: Path, sidecar: MemorySidecar | None) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        backup = network.backup(A)
        await network.publish(BASE, [row(4)])
        await network.settle()
        network.restore(A, backup, sidecar)
        with violated("G7", "a second 310000/base 0/2"):
            network[A].publishing._recovery = None
            await network.publish(BASE, [row(5)])

    run(body())


def test_g7_what_never_left_may_be_written_otherwise_after_a_restore(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        backup = network.backup(A)
        await network.publish(BASE, [row(4)])
        network.restore(A, backup, MemorySidecar())
        network[A].publishing._recovery = None
        await network.publish(BASE, [row(5)])
        await network.settle()
        assert network.reasons() == []
        network.oracle.check_end(network.stores())

    run(body())


# --- G8 ---------------------------------------------------------------------------------------------------------


def test_g8_entry_head_heartbeat_receipt_and_name_stay_in_the_audience(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path, audience=B)
        held, beat = network[A].world.store.channel(BASE), network[A].world.store.heartbeat(A)
        receipt = network[A].world.store.receipt(BASE, B)
        assert held is not None
        assert beat is not None
        assert receipt is not None
        head = channel_pb2.Head(channel=BASE, epoch=0, size=held.log.size, root=held.log.root)
        for message in (
            next(entry_frames(network, A, BASE, 1)),
            pb.HelloResponse(heads=[head]),
            pb.HelloRequest(heartbeats=[beat.view]),
            pb.PutReceiptsRequest(receipts=[receipt.receipt.envelope]),
            pb.PullRequest(channel=BASE),
        ):
            with violated("G8"):
                network.cross(5, "any", (B, C), message)
            network.cross(6, "any", (B, A), message)

    run(body())


def test_g8_who_was_dropped_gets_the_header_that_drops_it_and_no_body(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        await network[A].publishing.set_audience(BASE, parse_audience(B))
        await network.settle()
        await network.publish(BASE, [row(4)])
        network.later(60)
        header_only = next(entry_frames(network, A, BASE, 2))
        network.cross(5, "Push", (A, C), header_only)
        with violated("G8", "the body of"):
            network.cross(6, "Push", (A, C), next(entry_frames(network, A, BASE, 1)))
        with violated("G8", "0/3 goes to 330100"):
            network.cross(7, "Push", (A, C), next(entry_frames(network, A, BASE, 3)))

    run(body())


def test_g8_the_registry_hears_no_name(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        origins = [registry_pb2.OriginHeads(origin=BASE, head_leaves=[bytes(32)])]
        call = registry_service_pb2.ReportHeadsRequest()
        call.report.payload = registry_pb2.HeadReport(reporter=B, origins=origins).SerializeToString()
        with violated("G8", "is told the name"):
            network.cross(5, "ReportHeads", (B, "registry"), call)

    run(body())


# --- G10, G12 and the end ---------------------------------------------------------------------------------------


def test_g10_the_registrys_word_goes_back(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        await network.publish_registry()
        network.oracle.check(network.now_ms)
        network.registry_version -= 2
        with violated("G10", "goes back"):
            await network.publish_registry()
            network.oracle.check(network.now_ms)

    run(body())


def test_g12_too_much_leaves_in_one_message(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        frame = next(entry_frames(network, A, BASE, 1))
        frame.frame.data = bytes(DEFAULT_LIMITS.max_frame_bytes + 1)
        with violated("G12", "bytes of a frame"):
            network.cross(5, "Push", (A, B), frame)
        many = pb.PutReceiptsRequest()
        for _ in range(DEFAULT_LIMITS.max_receipts_per_call + 1):
            many.receipts.add()
        with violated("G12", "receipts leave"):
            network.cross(6, "PutReceipts", (A, B), many)

    run(body())


def test_g9_a_record_is_erased_and_its_older_version_is_not(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        await network.publish(BASE, [row(1, "改名有限公司")])
        await network.publish(BASE, [row(2, "改名有限公司")])
        await network.settle()
        await network.erase(BASE, 2)
        await network.settle()
        assert network.reasons() == []
        with violated("G9", "its revision 0/1/1 is still there"), pytest.MonkeyPatch.context() as patch:
            patch.setattr(SqlReader, "revisions", lambda _self, _channel, place: [place])
            await network.erase(BASE, 3)
        # What is left of it is the same everywhere, as whoever comes late knows of nothing else.
        await network.settle()
        assert network.reasons() == []
        network.change(B, "UPDATE records SET in_force = NULL WHERE entry_index = 1 AND position = 1")
        assert network.reasons() == [f"{B} does not answer {BASE} 0/1/1"]

    run(body())


def test_what_differs_from_what_was_followed_is_found_at_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        network.oracle.check_end(network.stores())
        network.change(B, "UPDATE outcomes SET count = count + 1")
        with violated("G3", "outcomes for"):
            network.oracle.check_end({B: network.reopened(B)})

    run(body())


def test_g9_erasing_what_an_entry_holds_needs_its_commitment(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A)
        writer = forged(network)
        for entry in writer.entries:
            commit(network, A, "append", entry, network.now_ms, True)
        erasure = erasure_of(writer.entries[1], 0)
        with violated("G9"):
            commit(network, A, "put_erasures", BASE, [erasure])
        commit(network, A, "append", writer.erase(erasure), network.now_ms, True)
        commit(network, A, "put_erasures", BASE, [erasure])

    run(body())
