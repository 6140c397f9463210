"""Entries are examined ahead where that is worth it, and what becomes of them is the same as without."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from node import examining
from node.core.entry import SignedEntry
from node.core.examination import Packed, examine
from node.core.state import APPLIED, Standard
from node.node import Node
from node.pb import registry_pb2
from node.ports import HeldChannel
from tests.builders import ChannelWriter
from tests.duties.hostile import BASE, assert_sound, base_of, refused, run_of
from tests.duties.receiving import network_of, rotated_network
from tests.duties.rows import row
from tests.wire import Network

READER = "310115"
ROWS = 40


class Examiner:
    """Examines when it is told to; counts what it was asked."""

    def __init__(self, answers: bool = True) -> None:
        self.asked: list[bytes] = []
        self.may_answer = asyncio.Event()
        self._answers = answers

    async def examine(self, header: bytes, body: bytes, standard: Standard) -> Packed | None:
        self.asked.append(header)
        await self.may_answer.wait()
        return examine(header, body, standard) if self._answers else None


@pytest.fixture(autouse=True)
def short_bodies_are_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "SHORTEST_BYTES", 1000)


def node_with(network: Network, examiner: Examiner) -> Node:
    node = network[READER]
    node._examining._examiner = examiner
    return node


def written(writer: ChannelWriter, entries: int) -> list[SignedEntry]:
    """Entries of some rows each, one of which in each is nobody's record."""
    for number in range(entries):
        serials = range(number * ROWS + 100, (number + 1) * ROWS + 100)
        records = [row(serial).record for serial in serials]
        writer.records([*records[:-1], b"no record"], catalogue_version="2026.1")
    return run_of(writer, len(run_of(writer)) - entries)


def held(node: Node) -> HeldChannel:
    found = node.world.store.channel(BASE, 0)
    assert found is not None
    return found


async def received(
    entries: int, examiner: Examiner | None, expect: Callable[[Node, list[SignedEntry]], Awaitable[None]] | None = None
) -> tuple[Node, list[SignedEntry]]:
    network = network_of()
    writer = base_of(network, rows=1)
    node = node_with(network, examiner) if examiner is not None else network[READER]
    await node.receive(run_of(writer))
    run = written(writer, entries)
    if expect is not None:
        await expect(node, run)
    await node.receive(run)
    assert_sound(node)
    return node, run


async def _expected(node: Node, run: list[SignedEntry]) -> None:
    for signed in run:
        node.expect(signed)


def test_what_was_examined_ahead_becomes_what_it_would_have_become() -> None:
    async def scenario() -> None:
        examiner = Examiner()
        examiner.may_answer.set()
        node, run = await received(3, examiner, _expected)
        plain, _ = await received(3, None)
        assert examiner.asked == [signed.envelope.payload for signed in run]
        outcomes = node.world.store.outcomes(BASE, 0)
        assert outcomes == plain.world.store.outcomes(BASE, 0)
        assert outcomes[APPLIED, ""] == 3 * (ROWS - 1) + 1
        assert held(node).records == held(plain).records

    asyncio.run(scenario())


def test_an_entry_waits_for_its_examination_and_not_for_those_behind_it() -> None:
    async def scenario() -> None:
        examiner = Examiner()
        network = network_of()
        writer = base_of(network, rows=1)
        node = node_with(network, examiner)
        await node.receive(run_of(writer))
        run = written(writer, 2)
        await _expected(node, run)
        taking = asyncio.ensure_future(node.receive(run[:1]))
        await asyncio.sleep(0.01)
        assert len(examiner.asked) == 2
        assert not taking.done()
        examiner.may_answer.set()
        assert (await taking).size == run[0].index + 1

    asyncio.run(scenario())


def test_who_gets_no_answer_opens_and_judges_by_himself() -> None:
    async def scenario() -> None:
        examiner = Examiner(answers=False)
        examiner.may_answer.set()
        node, _run = await received(2, examiner, _expected)
        assert len(examiner.asked) == 2
        assert node.world.store.outcomes(BASE, 0)[APPLIED, ""] == 2 * (ROWS - 1) + 1

    asyncio.run(scenario())


def test_what_was_found_of_other_bytes_for_the_same_place_counts_for_nothing() -> None:
    async def scenario() -> None:
        examiner = Examiner()
        examiner.may_answer.set()
        network = network_of()
        writer = base_of(network, rows=1)
        node = node_with(network, examiner)
        await node.receive(run_of(writer))
        (signed,) = written(writer, 1)
        node.expect(signed)
        changed = replace(signed, body=(signed.body or b"")[:-1] + b"X")
        assert await refused(node.receive([changed])) == "ENTRY_BODY"
        assert (await node.receive([signed])).size == signed.index + 1

    asyncio.run(scenario())


def test_only_what_a_key_active_now_has_signed_is_examined_ahead() -> None:
    async def scenario() -> None:
        network, old = await rotated_network(2, registry_pb2.KEY_STATE_RETIRED)
        examiner = Examiner()
        node = node_with(network, examiner)
        for signed in written(old, 2):
            node.expect(signed)
            forged = replace(signed, envelope=type(signed.envelope).FromString(signed.envelope.SerializeToString()))
            forged.envelope.payload += b"\x00"
            node.expect(forged)
        await asyncio.sleep(0.01)
        assert examiner.asked == []

    asyncio.run(scenario())


def test_the_same_entry_by_two_roads_is_examined_once() -> None:
    async def scenario() -> None:
        examiner = Examiner()
        examiner.may_answer.set()

        async def twice(node: Node, run: list[SignedEntry]) -> None:
            for signed in run:
                node.expect(signed)
                node.expect(replace(signed))

        _, run = await received(2, examiner, twice)
        assert len(examiner.asked) == len(run)

    asyncio.run(scenario())


def test_short_bodies_and_logs_that_are_not_held_are_left_to_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        examiner = Examiner()
        network = network_of()
        node = node_with(network, examiner)
        writer = base_of(network, rows=1)
        for signed in [*run_of(writer), *written(writer, 1)]:
            node.expect(signed)  # the log has not begun here
        await node.receive(run_of(writer))
        monkeypatch.setattr(examining, "SHORTEST_BYTES", 1_000_000)
        for signed in written(writer, 1):
            node.expect(signed)
        await asyncio.sleep(0.01)
        assert examiner.asked == []

    asyncio.run(scenario())


def test_bodies_that_nobody_comes_for_take_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        examiner = Examiner()
        network = network_of()
        node = node_with(network, examiner)
        writer = base_of(network, rows=1)
        await node.receive(run_of(writer))
        run = written(writer, 12)
        size = len(run[0].body or b"")
        monkeypatch.setattr(examining, "MOST_BYTES", 4 * size + size // 2)
        for signed in run:
            node.expect(signed)
        await asyncio.sleep(0.01)
        waiting = node._examining._ahead
        assert [index for _, _, index in waiting] == [signed.index for signed in run[-4:]]
        examiner.may_answer.set()
        assert (await node.receive(run)).size == run[-1].index + 1
        assert not waiting
        assert node._examining._bytes == 0

    asyncio.run(scenario())
