"""What a receipt says is of one moment, whatever is committed between two of the readings that it is made of."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from node.admission import note_cut
from node.core.channel import HeadAt
from node.core.receipt import claim_of
from node.node import Node
from node.pb import channel_pb2
from node.storage.memory import MemoryStore
from tests.builders import NOW_MS, as_signed
from tests.list_writer import LIST, ListWriter, enter, leave, listing_node
from tests.wire import Network

READER = "330100"
OTHERS = channel_pb2.Audience(terms=[channel_pb2.AudienceTerm(node_ids=["310115"])])
READINGS = ("channel", "receipt", "list_state", "incomplete_entries", "outcomes")
Claim = tuple[int, int, bytes, int]


class BusyStore(MemoryStore):
    """A store that something is committed to right before, or right after, one of its readings."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = ""
        self.is_behind = False
        self.commits: list[Callable[[], object]] = []

    def _between(self, name: str, reading: Callable[[], Any]) -> Any:
        is_now = name == self.reading
        if is_now and not self.is_behind:
            self._commit()
        found = reading()
        if is_now and self.is_behind:
            self._commit()
        return found

    def _commit(self) -> None:
        if self.commits:
            self.commits.pop(0)()


for _name in READINGS:

    def _reading(self: BusyStore, *given: Any, _name: str = _name, **named: Any) -> Any:
        return self._between(_name, lambda: getattr(MemoryStore, _name)(self, *given, **named))

    setattr(BusyStore, _name, _reading)


def writing() -> ListWriter:
    """A list of two, and what its origin writes next: one is lifted, another enters, and the reader is dropped."""
    writer = ListWriter(listing_node())
    writer.manifest()
    _, (first, _) = writer.change(enter(1), enter(2))
    writer.change(leave(first))
    writer.change(enter(3))
    writer.manifest(audience=OTHERS)
    return writer


def claims(writer: ListWriter) -> set[Claim]:
    """What may be said of the list: each extent with the digest after it and the outcomes of its records."""
    found = {(0, 0, b"", 0)}
    for size in range(1, len(writer.entries) + 1):
        header = writer.entries[size - 1].header
        records = sum(entry.header.record_count for entry in writer.entries[:size])
        left = header.index == len(writer.entries) - 1
        last = sum(entry.header.record_count for entry in writer.entries[: size - 1])
        found.add((size, size - 1, b"", last) if left else (size, size, header.state_digest, records))
    return found


def commit(node: Node, writer: ListWriter, index: int) -> Callable[[], object]:
    """Take an entry as another link would, in a transaction of its own."""

    def step() -> None:
        with node.world.store.transaction() as tx:
            node.receiving._admission.admit(tx, writer.entries[index], NOW_MS)

    return step


async def reader_of(writer: ListWriter) -> tuple[Node, BusyStore]:
    """A node that holds the first two entries, and has signed a receipt for one."""
    network = Network("310000", READER)
    network.signing["310000"] = listing_node()
    store = BusyStore()
    network.start(READER, store)
    await network.publish_registry()
    await network[READER].receive([as_signed(writer.entries[0])])
    commit(network[READER], writer, 1)()
    return network[READER], store


@pytest.mark.parametrize("is_behind", [False, True])
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_log_that_goes_on_while_its_receipt_is_made(reading: str, count: int, is_behind: bool) -> None:
    async def scenario() -> None:
        writer = writing()
        node, store = await reader_of(writer)
        store.commits = [commit(node, writer, 2 + each) for each in range(count)]
        store.reading, store.is_behind = reading, is_behind
        envelope = await node.receiving.acknowledge((LIST, 0))
        assert envelope is not None
        message = claim_of(envelope)
        counted = sum(each.count for each in message.outcomes)
        assert (message.size, message.applied_size, message.state_digest, counted) in claims(writer)

    asyncio.run(scenario())


@pytest.mark.parametrize("is_behind", [False, True])
@pytest.mark.parametrize("reading", READINGS)
def test_a_log_that_is_cut_while_its_receipt_is_made(reading: str, is_behind: bool) -> None:
    async def scenario() -> None:
        writer = writing()
        node, store = await reader_of(writer)
        manifest_alone = HeadAt(1, writer.entries[1].header.prev_root)

        def cut() -> None:
            with store.transaction() as tx:
                note_cut(tx, (LIST, 0), manifest_alone)

        store.commits, store.reading, store.is_behind = [cut], reading, is_behind
        envelope = await node.receiving.acknowledge((LIST, 0))
        assert envelope is not None
        assert claim_of(envelope).state_digest in (writer.entries[1].header.state_digest, b"")

    asyncio.run(scenario())
