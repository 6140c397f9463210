"""Lying: what a liar changes, what it leaves alone, and that no lie gets past the production code."""
# ruff: noqa: ARG002 - one wire for both lanes

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from random import Random
from typing import TypeVar

import pytest
from google.protobuf.message import Message

from node.core.entry import SignedEntry, commitment, open_body, origin_of
from node.core.envelope import SigningKey, pae
from node.core.errors import XinqiaoError, to_refusal
from node.core.suites import ED25519
from node.keys.signer import generate
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2
from node.ports import Lane, PushAnswer
from node.rpc.framing import EntryReader, frames
from node.simulator import recoding
from node.simulator.lies import receipt_of
from node.simulator.lying import LIES, Liar
from node.simulator.observing import Crossing
from tests.builders import (
    NETWORK,
    ChannelWriter,
    SigningNode,
    as_signed,
    make_heartbeat,
    make_node,
    make_receipt,
)
from tests.duties.hostile import assert_sound
from tests.duties.rows import manifest, row
from tests.wire import Network, WirePeer

M = TypeVar("M", bound=Message)

LIAR = "310115"
ORIGINS = ("310000", "330100")
EVERYTHING = (*LIES, "any")

PushRequest = exchange_service_pb2.PushRequest
PullResponse = exchange_service_pb2.PullResponse
HelloRequest = exchange_service_pb2.HelloRequest
HelloResponse = exchange_service_pb2.HelloResponse


def crossing(message: Message, sender: str = LIAR, receiver: str = "330100", call: int = 1) -> Crossing:
    return Crossing(call, type(message).__name__, sender, receiver, True, message, message.ByteSize(), True)


@cache
def member(node: str) -> SigningNode:
    """A member that has the same key all through this file."""
    return make_node(node)


def a_log(origin: str = "310000", rows: int = 2, size: int = 20) -> ChannelWriter:
    writer = ChannelWriter(member(origin), f"{origin}/base")
    writer.manifest()
    writer.records([bytes([65 + at]) * size for at in range(rows)])
    return writer


def pull_frames(writer: ChannelWriter, index: int = 1) -> list[PullResponse]:
    return [PullResponse(frame=frame) for frame in frames(as_signed(writer.entries[index]))]


def a_hello(*logs: ChannelWriter) -> HelloResponse:
    """An answer with the heads and heartbeats of some logs, and a receipt of 340100 for each."""
    hello = HelloResponse()
    for log in logs:
        hello.heads.add(channel=log.log.channel, epoch=0, size=log.head.size, root=log.head.root)
        hello.heartbeats.append(make_heartbeat(log.node, {(log.log.channel, 0): log.head}).view)
        hello.receipts.append(make_receipt(member("340100"), log.log).envelope)
    return hello


def told(liar: Liar, message: M, times: int = 1) -> list[M | None]:
    """What becomes of copies of one message, sent in calls of their own."""
    return [liar.alter(crossing(message, call=at)) for at in range(times)]  # type: ignore[misc]


# -- what it leaves alone --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", EVERYTHING)
def test_its_own_channels_heartbeats_and_receipts_are_left_alone(how: str) -> None:
    own, other = a_log(LIAR), a_log("310000")
    liar = Liar(how, Random("1"), LIAR, generate(ED25519), share=1.0)
    for at in range(30):
        liar.alter(crossing(pull_frames(other)[0], call=at))
        for index in (0, 1):
            message = pull_frames(own, index)[0]
            assert liar.alter(crossing(message, call=at)) is message
        altered = liar.alter(crossing(a_hello(own, other), call=at))
        assert isinstance(altered, HelloResponse)
        honest = a_hello(own)
        assert [head for head in altered.heads if origin_of(head.channel) == LIAR] == list(honest.heads)
        assert honest.heartbeats[0] in altered.heartbeats
        assert [item for item in altered.receipts if receipt_of(item).channel == own.log.channel] == list(
            honest.receipts
        )


@pytest.mark.parametrize("how", EVERYTHING)
def test_what_others_say_passes_unchanged(how: str) -> None:
    liar = Liar(how, Random("1"), LIAR, share=1.0)
    for at in range(10):
        for message in (*pull_frames(a_log()), a_hello(a_log())):
            assert liar.alter(crossing(message, sender="310000", receiver=LIAR, call=at)) is message


def test_the_message_given_is_never_changed_itself() -> None:
    for how in EVERYTHING:
        liar = Liar(how, Random("1"), LIAR, share=1.0)
        for message in (*pull_frames(a_log()), a_hello(a_log())):
            before = message.SerializeToString()
            told(liar, message, 20)
            assert message.SerializeToString() == before


@pytest.mark.parametrize("how", EVERYTHING)
def test_the_same_random_numbers_tell_the_same_lies(how: str) -> None:
    def lies() -> list[bytes | None]:
        liar = Liar(how, Random("7"), LIAR)
        messages = [*pull_frames(a_log()), a_hello(a_log(), a_log("340000"))]
        answers = [answer for message in messages for answer in told(liar, message, 20)]
        return [answer.SerializeToString() if answer is not None else None for answer in answers]

    assert lies() == lies()
    assert len(set(lies())) > 3


# -- each lie --------------------------------------------------------------------------------------------------


def bodies(answers: Sequence[PullResponse | None]) -> list[channel_pb2.EntryBody | None]:
    return [recoding.whole_body(answer.frame) if answer is not None else None for answer in answers]


def test_withholding_gives_nothing_headers_or_commitments_that_still_fold() -> None:
    log = a_log()
    answers = told(Liar("withhold", Random("1"), LIAR, share=1.0), pull_frames(log)[0], 40)
    kinds: Counter[str] = Counter()
    for answer in answers:
        body = bodies([answer])[0]
        if body is not None:
            assert open_body(log.entries[1].header, body.SerializeToString()).bare == (0, 1)
        kinds["nothing" if answer is None else "header" if body is None else "bare"] += 1
    assert set(kinds) == {"nothing", "header", "bare"}


def test_withholding_says_that_nothing_differs_where_it_has_nothing_of_its_own() -> None:
    answers = told(Liar("withhold", Random("1"), LIAR, share=1.0), a_hello(a_log()), 20)
    assert {(answer.in_step, len(answer.heads), len(answer.heartbeats)) for answer in answers if answer} == {
        (True, 0, 0),
        (False, 0, 0),
    }


def test_what_is_left_of_an_entry_that_was_cut_short_does_not_travel() -> None:
    log = ChannelWriter(make_node("310000"), "310000/base")
    log.manifest()
    log.records([Random(at).randbytes(60_000) for at in range(10)])
    parts = pull_frames(log)
    assert len(parts) > 2
    liar = Liar("withhold", Random("1"), LIAR, share=1.0)
    kinds: Counter[bool] = Counter()
    for call in range(20):
        answers = [liar.alter(crossing(part, call=call)) for part in parts]
        assert answers[1:] == [None] * (len(parts) - 1)
        kinds[answers[0] is None] += 1
        following = pull_frames(a_log(LIAR))[0]
        assert liar.alter(crossing(following, call=call)) is following
    assert len(kinds) == 2


def test_a_faked_erasure_leaves_some_slots_bare_and_every_proof_holds() -> None:
    log = a_log(rows=3)
    found = set()
    for body in bodies(told(Liar("fake-erasure", Random("1"), LIAR, share=1.0), pull_frames(log)[0], 40)):
        assert body is not None
        found.add(open_body(log.entries[1].header, body.SerializeToString()).bare)
    assert {len(bare) for bare in found} == {1, 2, 3}


def test_other_bytes_mean_the_same() -> None:
    log = a_log()
    honest, variants, written = pull_frames(log)[0], set(), log.entries[1].body
    assert written is not None
    for answer in told(Liar("re-encode", Random("1"), LIAR, share=1.0), honest, 60):
        assert answer is not None
        frame = answer.frame
        header = channel_pb2.EntryHeader.FromString(frame.start.envelope.payload)
        header.DiscardUnknownFields()
        body = recoding.whole_body(frame)
        assert header == log.entries[1].header
        assert body is not None
        assert [commitment(slot.salt, slot.record) for slot in body.slots] == list(written.commitments)
        honest_keys = {item.keyid for item in honest.frame.start.envelope.signatures}
        assert honest_keys <= {item.keyid for item in frame.start.envelope.signatures}
        same_payload = frame.start.envelope.payload == honest.frame.start.envelope.payload
        variants.add((same_payload, len(frame.start.envelope.signatures), frame.start.encoding))
    assert {payload for payload, _, _ in variants} == {True, False}
    assert {signatures for _, signatures, _ in variants} == {1, 2}


def test_reordered_fields_are_other_bytes_of_an_equal_message() -> None:
    header = a_log().entries[1].header
    other = recoding.reordered(header)
    assert other != header.SerializeToString()
    assert channel_pb2.EntryHeader.FromString(other) == header


def test_a_replay_plays_entries_heartbeats_and_receipts_that_were_signed_earlier() -> None:
    log = a_log()
    early = a_hello(log)
    liar = Liar("replay", Random("1"), LIAR, share=1.0)
    liar.alter(crossing(early, sender="310000", receiver=LIAR))
    told(liar, pull_frames(log, 0)[0])
    log.records([b"more"])
    late = a_hello(log)
    late.heartbeats[0].CopyFrom(
        make_heartbeat(log.node, {(log.log.channel, 0): log.head}, time_ms=1_790_000_060_000).view
    )
    hellos = [answer for answer in told(liar, late, 20) if answer is not None]
    assert any(hello.heartbeats == early.heartbeats for hello in hellos)
    assert any(hello.receipts[0] == early.receipts[0] for hello in hellos)
    entries = [answer for answer in told(liar, pull_frames(log, 2)[0], 20) if answer is not None]
    assert {0, 1} & {entry.frame.start.index for entry in entries}


def test_false_heads_name_other_sizes_other_roots_and_logs_nobody_writes() -> None:
    log = a_log()
    liar = Liar("false-heads", Random("1"), LIAR, share=1.0)
    told(liar, pull_frames(log)[0])
    heads = [head for answer in told(liar, a_hello(log), 40) if answer is not None for head in answer.heads]
    assert any("invented" in head.channel for head in heads)
    assert max(head.size for head in heads) >= 1 << 63
    assert min(head.size for head in heads) == 0
    assert any(head.root == log.head.root for head in heads)
    sizes = told(liar, exchange_service_pb2.PushResponse(channel=log.log.channel, size=2), 20)
    assert {answer.size for answer in sizes if answer is not None} - {2}


def test_a_forger_signs_with_no_key_but_its_own() -> None:
    own = generate(ED25519)
    log = a_log()
    liar = Liar("forge", Random("1"), LIAR, own, share=1.0)
    honest, signed_by_itself = pull_frames(log)[0], 0
    for answer in told(liar, honest, 60):
        assert answer is not None
        assert answer != honest
        for envelope in (answer.frame.start.envelope, answer.frame.start.invitation):
            if envelope.payload == honest.frame.start.envelope.payload:
                continue
            verified = [item for item in envelope.signatures if item.sig in _signatures_by(own, envelope)]
            signed_by_itself += len(verified)
    assert signed_by_itself > 3


def _signatures_by(own: SigningKey, envelope: envelope_pb2.Envelope) -> list[bytes]:
    return [own.sign(pae(envelope.payload_type, envelope.payload))]


def test_an_own_logs_proof_is_left_alone_and_anothers_is_not() -> None:
    proof = exchange_service_pb2.GetConsistencyProofResponse(hashes=[b"a" * 32])
    liar = Liar("forge", Random("1"), LIAR, share=1.0)
    for call, channel in ((1, f"{LIAR}/base"), (2, "310000/base")):
        question = exchange_service_pb2.GetConsistencyProofRequest(channel=channel)
        liar.alter(crossing(question, sender="330100", receiver=LIAR, call=call))
    assert liar.alter(crossing(proof, call=1)) is proof
    assert liar.alter(crossing(proof, call=2)) != proof


# -- against the production code -------------------------------------------------------------------------------


class LyingPeer(WirePeer):
    """A node as another one calls it, every message through the liar."""

    _network: "LyingNetwork"

    def _pass(self, message: M, is_answer: bool) -> M:
        sender, receiver = (self._node, self._caller) if is_answer else (self._caller, self._node)
        return self._network.passed(sender, receiver, message)

    async def hello(self, request: HelloRequest) -> HelloResponse:
        response = await super().hello(self._pass(request, False))
        return self._pass(response, True)

    async def put_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> Sequence[envelope_pb2.Refusal]:
        handed = self._pass(exchange_service_pb2.PutReceiptsRequest(receipts=receipts), False)
        return await super().put_receipts(list(handed.receipts))

    async def pull(
        self, lane: Lane, channel: str, epoch: int, start: int, end: int | None = None
    ) -> AsyncIterator[SignedEntry]:
        request = exchange_service_pb2.PullRequest(
            network=NETWORK, channel=channel, epoch=epoch, start_index=start, end_index=end or 0
        )
        reader = EntryReader()
        async for signed in self._reach().pull(self._caller, request):
            for frame in frames(signed):
                arrived = reader.feed(self._pass(PullResponse(frame=frame), True).frame)
                if arrived is not None:
                    yield arrived

    async def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:
        target, reader = self._reach(), EntryReader()
        async for signed in entries:
            for frame in frames(signed):
                arrived = reader.feed(self._pass(PushRequest(frame=frame), False).frame)
                if arrived is not None:
                    yield await self._answer(target.receive([arrived]), arrived)

    async def _answer(self, taking: object, signed: SignedEntry) -> PushAnswer:
        try:
            taken = await taking  # type: ignore[misc]
        except XinqiaoError as error:
            self._network.refused[error.code] += 1
            return PushAnswer(signed.channel, signed.epoch, 0, to_refusal(error), None)
        answer = exchange_service_pb2.PushResponse(channel=signed.channel, epoch=signed.epoch, size=taken.size)
        return PushAnswer(signed.channel, signed.epoch, self._pass(answer, True).size, None, taken.receipt)


class LyingPeers:
    """All members as one of them can call them."""

    def __init__(self, network: "LyingNetwork", caller: str) -> None:
        self._network = network
        self._caller = caller

    def peer(self, node: str) -> LyingPeer:
        return LyingPeer(self._network, self._caller, node)


class LyingNetwork(Network):
    """Nodes among which one lies as long as liar is set."""

    def __init__(self, *ids: str) -> None:
        self.liar: Callable[[Crossing], Message | None] | None = None
        self.altered = 0
        self.refused: Counter[str] = Counter()
        super().__init__(*ids)
        for node, started in self.nodes.items():
            started.delivery._peers = LyingPeers(self, node)

    def passed(self, sender: str, receiver: str, message: M) -> M:
        """What arrives; raises WIRE_IDLE where the liar lets nothing pass."""
        if self.liar is None:
            return message
        arrives = self.liar(crossing(message, sender, receiver))
        if arrives is None:
            raise XinqiaoError("WIRE_IDLE", peer=sender, seconds="60")
        self.altered += arrives is not message
        return type(message).FromString(arrives.SerializeToString())


async def lied_to(how: str, seed: int) -> LyingNetwork:
    """Three members publish while the fourth relays between them and lies; in the end it stops."""
    network = LyingNetwork(*ORIGINS, "320100", LIAR)
    network.liar = Liar(how, Random(f"{how} {seed}"), LIAR, network.signing[LIAR].signer).alter
    for origin in (*ORIGINS, LIAR):
        await network[origin].publishing.create_channel("base", manifest())
    for serial in range(1, 5):
        for at, origin in enumerate((*ORIGINS, LIAR)):
            await network[origin].publishing.publish(f"{origin}/base", [row(10 * serial + at), row(90 + at)])
        # The origins reach each other through the liar first.
        for origin in ORIGINS:
            await network.sync_quietly(origin, LIAR)
        for node in ("320100", *ORIGINS):
            await network.sync_quietly(LIAR, node)
            await network.sync_quietly(node, LIAR)
        await network.settle(1)
    return network


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", EVERYTHING)
def test_g1_and_g6_no_lie_is_stored_and_nobody_is_framed(how: str, seed: int) -> None:
    async def scenario() -> None:
        network = await lied_to(how, seed)
        assert network.altered > 3
        honest = [network[node] for node in (*ORIGINS, "320100")]
        for node in honest:
            assert_sound(node)
            assert node.world.store.equivocations_since(0) == []
            assert not any(held.log.quarantined for held in node.world.store.channels())
            assert {held.origin for held in node.world.store.channels()} <= {*ORIGINS, LIAR}
        network.liar = None
        network.clock.time_ms += 700_000
        await network.settle()
        for origin in (*ORIGINS, LIAR):
            written = network[origin].world.store.channel(f"{origin}/base")
            assert written is not None
            for node in honest:
                held = node.world.store.channel(f"{origin}/base")
                assert held is not None
                assert (held.log.root, held.applied_size) == (written.log.root, written.applied_size)

    asyncio.run(scenario())
