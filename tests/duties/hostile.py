"""What the tests of the duties share: members that do what they must not, and what must hold whatever they do."""
# ruff: noqa: ARG002 - a scripted peer answers whatever it is asked

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from node.core import envelope as envelopes
from node.core import merkle
from node.core.catalogue import natural_key, parse_edition, subject_of
from node.core.entry import SignedEntry, open_body
from node.core.errors import XinqiaoError
from node.core.record import Candidate, build_record, content_hash
from node.node import Node
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_service_pb2
from node.ports import HeldChannel, Lane, PushAnswer, Store, StoreTransaction
from node.storage.writer import InlineWriter
from scripts.xq_generate import Plan, example_division, example_uscc, generate
from tests.builders import NOW_MS, ChannelWriter
from tests.duties.rows import manifest, row
from tests.wire import EDITION, FakeClock, Network

T = TypeVar("T")
BASE = "310000/base"
PENALTY = parse_edition(EDITION.read_bytes()).item("penalty.2018")


def base_of(network: Network, origin: str = "310000", audience: str = "everyone", rows: int = 3) -> ChannelWriter:
    """A log of a member that signs whatever a test wants, begun with a manifest and rows."""
    writer = ChannelWriter(network.signing[origin], f"{origin}/base")
    writer.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=manifest(audience))
    for serial in range(1, rows + 1):
        write_row(writer, serial)
    return writer


def write_row(writer: ChannelWriter, serial: int, name: str = "示例有限公司", version: str = "2026.1") -> SignedEntry:
    """One more entry of one row."""
    return signed_of(writer, writer.records([row(serial, name).record], catalogue_version=version).header.index)


def signed_of(writer: ChannelWriter, start: int = 0) -> SignedEntry:
    """An entry of a log as it travels."""
    return run_of(writer, start, start + 1)[0]


def run_of(writer: ChannelWriter, start: int = 0, end: int | None = None) -> list[SignedEntry]:
    """Entries of a log as they travel."""
    return [
        SignedEntry(
            entry.channel,
            entry.header.epoch,
            entry.header.index,
            entry.envelope,
            entry.body.serialized if entry.body else None,
        )
        for entry in writer.entries[start:end]
    ]


async def refused(call: object) -> str:
    """The code with which a call is refused, empty where it is not."""
    found = None
    try:
        await call  # type: ignore[misc]
    except XinqiaoError as error:
        found = error
    assert found is None or "<" not in found.text + found.who + found.next, f"{found.code} lacks a parameter"
    return found.code if found is not None else ""


def penalty(serial: int, authority: str) -> Candidate:
    """A penalty that an authority decided."""
    values_by_code = next(iter(generate(Plan("penalty.2018", 1, serial, authority=authority)))).row
    values = {PENALTY.by_code[code].number: text for code, text in values_by_code.items() if text}
    record = build_record(PENALTY.id, values)
    key = natural_key(PENALTY, values)
    return Candidate(serial, record, key, content_hash(record), subject_of(PENALTY, values), authority)


def authority_of_example(serial: int = 1) -> str:
    """The code of an authority that no registrar can issue."""
    return example_uscc("11", example_division("310000"), serial)


# --- What must hold ---------------------------------------------------------------------------------------------


def assert_sound(node: Node) -> None:
    """Everything a node holds is verified, gapless and adds up, and every alarm can be read."""
    store, members = node.world.store, node.membership.members
    for held in store.channels():
        origin = members.get(held.origin)
        assert origin is not None
        tree = merkle.HashList()
        for index, entry in enumerate(store.entries(*held.key, 0)):
            header = channel_pb2.EntryHeader.FromString(entry.envelope.payload)
            assert (entry.index, header.index, header.channel, header.epoch) == (index, index, *held.key)
            assert envelopes.signers(entry.envelope, envelopes.ENTRY_HEADER, origin.all_keys)
            assert header.prev_root == tree.root()
            assert entry.body is None or len(open_body(header, entry.body).records) == header.record_count
            tree.append(merkle.leaf_hash(entry.envelope.payload))
        assert (tree.size, tree.root()) == (held.log.size, held.log.root)
        assert held.applied_size <= held.log.size
        assert sum(store.outcomes(*held.key).values()) == records_below(store, held)
    for alarm in store.alarms():
        error = XinqiaoError(alarm.code)
        error.parameters = dict(alarm.parameters)
        assert "<" not in error.text + error.who + error.next, f"{alarm.code} lacks a parameter"


def records_below(store: Store, held: HeldChannel) -> int:
    """How many records the applied entries of a log have."""
    applied = store.entries(*held.key, 0, held.applied_size, with_bodies=False)
    return sum(channel_pb2.EntryHeader.FromString(entry.envelope.payload).record_count for entry in applied)


# --- Worlds ------------------------------------------------------------------------------------------------------


class YieldingWriter(InlineWriter):
    """A writer that lets others run before and after each of its steps, in an order that a seed decides."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        super().__init__(store)
        self._random = random.Random(seed)
        self.steps = 0

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        result = await super().run(lane, step)
        self.steps += 1
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        return result


class RunningClock(FakeClock):
    """A clock that runs, from the time at which all tests begin."""

    def __init__(self, ahead_ms: int = 0) -> None:
        super().__init__()
        self._ahead_ms = ahead_ms

    def now_ms(self) -> int:
        return NOW_MS + self._ahead_ms + int(time.monotonic() * 1000) % 1_000_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))


class ScriptedPeer:
    """A member that answers what a test tells it to; satisfies ports.Peer."""

    def __init__(self) -> None:
        self.response = exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS)
        self.entries: list[SignedEntry] = []
        self.ahead: list[SignedEntry] = []
        self.answers: Sequence[PushAnswer] = ()
        self.failure: Exception | None = None
        self.pull_failure: Exception | None = None
        self.proof: Sequence[bytes] = ()
        self.explanation = registry_service_pb2.ExplainResponse()
        self.calls: list[str] = []

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.failure is not None:
            raise self.failure

    async def hello(self, request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
        self._called("hello")
        await asyncio.sleep(0)
        return self.response

    async def pull(
        self, lane: Lane, channel: str, epoch: int, start: int, end: int | None = None
    ) -> AsyncIterator[SignedEntry]:
        self._called(f"pull {channel} {epoch}/{start}")
        for signed in self.entries:
            if end is None or signed.index < end:
                yield signed
        if self.pull_failure is not None:
            raise self.pull_failure

    async def pull_acts(
        self, channel: str, epoch: int, start: int, end: int, size: int
    ) -> AsyncGenerator[SignedEntry, None]:
        self._called(f"pull_acts {channel} {epoch}/{start}")
        for signed in self.ahead:
            yield signed

    async def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:
        self._called("push")
        for answer in self.answers:
            yield answer

    async def put_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> Sequence[envelope_pb2.Refusal]:
        self._called("put_receipts")
        return ()

    async def prove_consistency(self, channel: str, epoch: int, old_size: int, new_size: int) -> Sequence[bytes]:
        self._called("prove")
        return self.proof

    async def explain(self, node: str) -> registry_service_pb2.ExplainResponse:
        self.calls.append("explain")
        return self.explanation


class OnePeer:
    """The members as a node can call them, all of them one peer."""

    def __init__(self, peer: ScriptedPeer) -> None:
        self._peer = peer

    def peer(self, node: str) -> ScriptedPeer:
        return self._peer


def without_body(signed: SignedEntry) -> SignedEntry:
    """The header alone."""
    return replace(signed, body=None)
