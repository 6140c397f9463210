"""The oracle in the moments that show a mistake long before its consequences do."""

from dataclasses import replace
from pathlib import Path

from node.core.audience import parse_audience
from node.core.membership import Members
from node.core.record import Outcome, OutcomeKind
from node.simulator.observing import SIDECAR_WRITE
from tests.duties.hostile import BASE
from tests.duties.rows import row
from tests.simulator.violations import A, B, C, commit, published, run, violated
from tests.simulator.watching import entry_frames
from tests.wire import MemorySidecar


def test_g7_an_own_entry_leaves_before_the_sidecar_has_it(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        held = network[A].world.store.channel(BASE)
        assert held is not None
        last = next(entry_frames(network, A, BASE, held.log.size - 1))
        network.cross(5, "Push", (A, B), last)
        commit(network, A, SIDECAR_WRITE, "incarnation", {})
        with violated("G7", "leaves before"):
            network.cross(6, "Push", (A, B), last)
        network.cross(7, "Push", (B, C), last)

    run(body())


def test_g7_what_peers_gave_back_to_an_origin_without_sidecar_may_leave_at_once(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        backup = network.backup(A)
        await network.publish(BASE, [row(4)])
        await network.settle()
        network.restore(A, backup, MemorySidecar(lost=True))
        await network.settle()
        held = network[A].world.store.channel(BASE)
        assert held is not None
        network.cross(5, "Push", (A, B), next(entry_frames(network, A, BASE, held.log.size - 1)))

    run(body())


def test_g8_who_leaves_keeps_no_body(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G8", "with 1 bodies of 310000/base 0 still there"):
            commit(network, C, "set_left", BASE, 0, 1)
        await network[A].publishing.set_audience(BASE, parse_audience(B))
        await network.settle()
        assert network.reasons() == []

    run(body())


def test_g3_a_row_is_told_as_accepted_twice(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        for kind in (OutcomeKind.ACCEPTED, OutcomeKind.REVISED):
            with violated("G3", "and was written before"):
                network.oracle.published(A, BASE, [row(1)], [Outcome(1, kind)])
        network.oracle.published(A, BASE, [row(1)], [Outcome(1, OutcomeKind.DUPLICATE)])

    run(body())


def test_g10_members_are_forgotten_without_a_word_of_the_registry(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        membership = network[B].membership
        known = membership.members.by_id
        fewer = Members(membership.network, {node: known[node] for node in (A, B)})
        membership._state = replace(membership.state, members=fewer)
        with violated("G10", f"it forgets {C}"):
            network.oracle.check(network.now_ms)

    run(body())


def test_a_forker_is_held_to_nothing_when_it_starts_again(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        network.oracle.happened("equivocate", A, {})
        await network.publish(BASE, [row(4)])
        network.start(A, network[A].world.store, cause="crash")

    run(body())


def test_a_liar_signs_what_receipts_it_likes_and_keeps_none_for_more_than_it_has(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        receipt = network[A].world.store.receipt(BASE, B)
        assert receipt is not None
        message = type(receipt.receipt.message)()
        message.CopyFrom(receipt.receipt.message)
        message.size += 1
        envelope = network.signing[B].seal(message.SerializeToString(), receipt.receipt.envelope.payload_type)
        more = replace(receipt.receipt, message=message, envelope=envelope)
        with violated("G1", f"a receipt of {B} is kept that it has not signed"):
            commit(network, A, "put_receipt", more)
        network.oracle.happened("lie", B, {"how": "forge"})
        commit(network, A, "put_receipt", more)
        with violated("G2", "a receipt for 310000/base 0 is signed for 3"):
            commit(network, B, "put_receipt", more)

    run(body())
