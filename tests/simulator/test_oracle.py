"""The oracle: a run that is right passes, and each guarantee that is broken is named at the very step."""

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
from node.core.state import APPLIED, SUPERSEDED, Applied
from node.novelty import Novelty
from node.pb import channel_pb2, registry_pb2, registry_service_pb2
from tests.builders import as_signed, make_heartbeat, make_receipt
from tests.duties.hostile import BASE, base_of
from tests.duties.rows import row
from tests.simulator.violations import A, B, C, commit, forged, pb, published, run, violated
from tests.simulator.watching import Watched, entry_frames
from tests.wire import MemorySidecar

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
            network[A].publishing._heads.known = {}
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


def test_what_differs_from_what_was_followed_is_found_at_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        network.oracle.check_end(network.stores())
        network.change(B, "UPDATE outcomes SET count = count + 1")
        with violated("G3", "outcomes for"):
            network.oracle.check_end({B: network.reopened(B)})

    run(body())
