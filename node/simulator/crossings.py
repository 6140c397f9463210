"""What may leave an honest process: to whom, how large, and only what is committed there.

Between the moment in which something is read from the store and the one in which it leaves, a manifest, an erasure or
the registry's word may change: what was right RACE_MS ago may still be on its way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import zstandard
from google.protobuf.message import Message

from node.core import envelope as envelopes
from node.core.channel import HeadAt
from node.core.entry import origin_of
from node.core.limits import DEFAULT_LIMITS
from node.core.state import Place
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2, registry_service_pb2
from node.simulator.holdings import RACE_MS, Holder, Holding, is_active
from node.simulator.observing import Crossing, Violation
from node.simulator.truth import LogKey, Truth

_MESSAGE_FRAME_BYTES = 64 * 1024
_NAMING = (
    exchange_service_pb2.PullRequest,
    exchange_service_pb2.GetConsistencyProofRequest,
    exchange_service_pb2.GetInclusionProofRequest,
)


@dataclass(slots=True)
class _Body:
    """A body of which frames are still to come."""

    start: exchange_service_pb2.EntryStart
    data: bytearray


class Crossings:
    """Looks at every message as it leaves; raises Violation at the first that must not."""

    def __init__(self, truth: Truth, holders: Mapping[str, Holder]) -> None:
        self._truth = truth
        self._holders = holders
        self._now_ms = 0
        self._told: dict[tuple[str, str], set[str]] = {}
        self._asked: dict[int, str] = {}
        # Receipts that liars have made up for themselves; they may get them back.
        self._words: set[bytes] = set()
        self._bodies: dict[tuple[int, str], _Body] = {}
        self._receipts: dict[bytes, channel_pb2.Receipt] = {}
        self._checks: Mapping[type[Message], Callable[[Holder, Crossing, Any], None]] = {
            exchange_service_pb2.HelloRequest: self._check_hello,
            exchange_service_pb2.HelloResponse: self._check_hello_answer,
            exchange_service_pb2.PullRequest: self._check_naming,
            exchange_service_pb2.PullResponse: self._check_frame,
            exchange_service_pb2.PushRequest: self._check_frame,
            exchange_service_pb2.PushResponse: self._check_push_answer,
            exchange_service_pb2.PutReceiptsRequest: self._check_receipts,
            exchange_service_pb2.GetConsistencyProofRequest: self._check_naming,
            exchange_service_pb2.GetInclusionProofRequest: self._check_naming,
            exchange_service_pb2.GetConsistencyProofResponse: self._check_proof,
            exchange_service_pb2.GetInclusionProofResponse: self._check_proof,
            registry_service_pb2.ReportHeadsRequest: self._check_report,
        }

    def crossing(self, crossing: Crossing, now_ms: int) -> None:
        """Take one message."""
        self._now_ms = now_ms
        message = crossing.message
        at = self._holders.get(crossing.sender)
        if crossing.is_honest and at is not None and crossing.sender not in self._truth.dishonest:
            check = self._checks.get(type(message))
            if crossing.size_bytes > DEFAULT_LIMITS.max_message_bytes + _MESSAGE_FRAME_BYTES:
                raise Violation("G12", at.label, f"a message of {crossing.size_bytes} bytes leaves")
            if check is not None:
                check(at, crossing, message)
        if at is not None and not crossing.is_honest:
            self._note_word(at, message)
        if isinstance(message, _NAMING):
            self._asked[crossing.call] = message.channel
        elif crossing.is_answer and not isinstance(message, exchange_service_pb2.PullResponse):
            self._asked.pop(crossing.call, None)
        # Whoever has named a channel learns nothing from hearing its name.
        told = self._told.setdefault((crossing.sender, crossing.receiver), set())
        told.update(_channels_in(message))

    def _note_word(self, at: Holder, message: Message) -> None:
        """What a liar says of itself under its own key is its word: nobody else can tell that it is not so."""
        member = at.member(at.node)
        keys = member.unrevoked_keys if member is not None else ()
        for envelope in _receipts_in(message):
            said = self._receipt(envelope)
            if said.subscriber == at.node and envelopes.signers(envelope, envelopes.RECEIPT, keys):
                self._truth.sign_receipt(at.node, envelope.payload)
                self._words.add(envelope.payload)

    # -- who may be told what -----------------------------------------------------------------------------

    def _check_reader(self, at: Holder, crossing: Crossing, channel: str, what: str) -> None:
        """Only a reader of the newest epoch, as this node knows it, gets anything of a channel."""
        held = at.newest(channel)
        if held is None or not self._reads(at, crossing.receiver, held):
            raise Violation("G8", at.label, f"{what} of {channel} goes to {crossing.receiver}, which does not read it")

    def _reads(self, at: Holder, node: str, held: Holding) -> bool:
        if node == origin_of(held.key[0]):
            return True
        is_member = is_active(at.member(node)) or not at.is_settled(self._now_ms)
        return is_member and at.reads_now(node, held, self._now_ms)

    def _check_may_know(self, at: Holder, crossing: Crossing, channel: str, what: str) -> None:
        """A name is told to whom any manifest has ever named, to the origin, and to who has said it before."""
        receiver = crossing.receiver
        if channel in self._told.get((receiver, crossing.sender), ()) or receiver == origin_of(channel):
            return
        if not at.ever_named(receiver, channel):
            raise Violation("G8", at.label, f"{what} names {channel} to {receiver}, which no manifest names")

    def _check_extent(self, at: Holder, crossing: Crossing, key: LogKey, size: int, *, has_body: bool) -> None:
        """A reader gets a log up to its cut; who was dropped, headers up to the manifest that dropped it."""
        held = at.logs[key]
        cut, known_ms = at.cuts.get(key, (None, 0))
        if cut is not None and size > cut.size and known_ms < self._now_ms - RACE_MS:
            raise Violation("G1", at.label, f"{key[0]} {key[1]} is given up to {size}, above its cut at {cut.size}")
        if self._reads(at, crossing.receiver, held):
            return
        dropped_at = at.dropped_at(crossing.receiver, held)
        if dropped_at is None or size > dropped_at + 1 or has_body:
            what = "the body" if has_body else "the header"
            found = f"{what} of {key[0]} {key[1]}/{size - 1} goes to {crossing.receiver}, which does not read it"
            raise Violation("G8", at.label, found)

    # -- Hello --------------------------------------------------------------------------------------------

    def _check_hello(self, at: Holder, crossing: Crossing, hello: exchange_service_pb2.HelloRequest) -> None:
        self._check_news(at, crossing, hello.heartbeats, hello.equivocations, len(hello.addresses))

    def _check_hello_answer(self, at: Holder, crossing: Crossing, hello: exchange_service_pb2.HelloResponse) -> None:
        self._check_news(at, crossing, hello.heartbeats, hello.equivocations, len(hello.addresses))
        self._check_count(at, "receipts", len(hello.receipts), DEFAULT_LIMITS.max_receipts_per_call)
        for head in hello.heads:
            self._check_head(at, crossing, head)
        for envelope in chain(hello.receipts, hello.held_receipts):
            self._check_receipt(at, crossing, envelope)

    def _check_news(
        self,
        at: Holder,
        crossing: Crossing,
        beats: Iterable[channel_pb2.HeartbeatView],
        proofs: Iterable[channel_pb2.Equivocation],
        addresses: int,
    ) -> None:
        views, found = list(beats), list(proofs)
        self._check_count(at, "heartbeats", len(views), DEFAULT_LIMITS.max_heartbeats_per_hello)
        self._check_count(at, "proofs", len(found), DEFAULT_LIMITS.max_equivocations_per_hello)
        self._check_count(at, "addresses", addresses, DEFAULT_LIMITS.max_addresses_per_hello)
        for view in views:
            self._check_beat(at, crossing, view)
        for proof in found:
            header = channel_pb2.EntryHeader.FromString(proof.first.payload)
            self._check_reader(at, crossing, header.channel, "a proof")

    def _check_count(self, at: Holder, what: str, count: int, limit: int) -> None:
        if count > limit:
            raise Violation("G12", at.label, f"{count} {what} leave in one message, at most {limit} may")

    def _check_head(self, at: Holder, crossing: Crossing, head: channel_pb2.Head) -> None:
        key = (head.channel, head.epoch)
        held = at.logs.get(key)
        if held is None or head.size > held.size or held.roots[head.size] != head.root:
            found = held.size if held is not None else 0
            raise Violation("G2", at.label, f"it claims {head.size} entries of {key[0]} {key[1]} and holds {found}")
        self._check_extent(at, crossing, key, head.size, has_body=False)

    def _check_beat(self, at: Holder, crossing: Crossing, view: channel_pb2.HeartbeatView) -> None:
        for item in view.heads:
            channel = item.head.channel
            if origin_of(channel) != crossing.receiver:  # its author is given back its own
                self._check_reader(at, crossing, channel, "a heartbeat")
            if not self._truth.is_true(channel):
                continue
            signed = self._truth.heads_in(origin_of(channel), view.heartbeat.payload)
            if signed is None or signed.get((channel, item.head.epoch)) != HeadAt(item.head.size, item.head.root):
                raise Violation("G1", at.label, f"a heartbeat over {channel} leaves that its origin has not signed")

    # -- receipts and proofs --------------------------------------------------------------------------------

    def _check_receipts(self, at: Holder, crossing: Crossing, call: exchange_service_pb2.PutReceiptsRequest) -> None:
        self._check_count(at, "receipts", len(call.receipts), DEFAULT_LIMITS.max_receipts_per_call)
        for envelope in call.receipts:
            self._check_receipt(at, crossing, envelope)

    def _receipt(self, envelope: envelope_pb2.Envelope) -> channel_pb2.Receipt:
        """What a receipt says; each is told many times and parsed once."""
        known = self._receipts.get(envelope.payload)
        if known is None:
            known = self._receipts[envelope.payload] = channel_pb2.Receipt.FromString(envelope.payload)
        return known

    def _check_receipt(self, at: Holder, crossing: Crossing, envelope: envelope_pb2.Envelope) -> None:
        message = self._receipt(envelope)
        # The origin also gets the last one, by which it learns that this node has left and erased.
        if (message.subscriber, origin_of(message.channel)) != (at.node, crossing.receiver):
            self._check_reader(at, crossing, message.channel, "a receipt")
        self._check_signed(at, message, envelope)

    def _check_signed(self, at: Holder, message: channel_pb2.Receipt, envelope: envelope_pb2.Envelope) -> None:
        if message.subscriber == at.node and envelope.payload not in self._words:
            held = at.logs.get((message.channel, message.epoch))
            durable = (held.size, held.most_applied) if held is not None else (0, 0)
            if message.size > durable[0] or message.applied_size > durable[1]:
                found = f"{message.size} and {message.applied_size}, where {durable[0]} and {durable[1]} are durable"
                raise Violation("G2", at.label, f"a receipt for {message.channel} {message.epoch} leaves for {found}")
        if message.subscriber in self._truth.dishonest | self._truth.liars:
            return
        if not self._truth.has_signed_receipt(message.subscriber, envelope.payload):
            raise Violation("G1", at.label, f"a receipt of {message.subscriber} leaves that it has not signed")

    def _check_push_answer(self, at: Holder, crossing: Crossing, answer: exchange_service_pb2.PushResponse) -> None:
        self._check_may_know(at, crossing, answer.channel, "an answer")
        held = at.logs.get((answer.channel, answer.epoch))
        if not answer.HasField("refusal") and answer.size > (held.size if held is not None else 0):
            raise Violation("G2", at.label, f"{answer.channel} {answer.epoch} is confirmed up to {answer.size}")
        if answer.HasField("receipt"):
            message = self._receipt(answer.receipt)
            if held is None or not self._reads(at, crossing.receiver, held):
                raise Violation("G8", at.label, f"a receipt for {message.channel} goes to {crossing.receiver}")
            self._check_signed(at, message, answer.receipt)

    def _check_naming(self, at: Holder, crossing: Crossing, request: exchange_service_pb2.PullRequest) -> None:
        self._check_may_know(at, crossing, request.channel, crossing.method)

    def _check_proof(self, at: Holder, crossing: Crossing, _answer: Message) -> None:
        channel = self._asked.get(crossing.call, "")
        if channel:
            logs = [at.logs[channel, epoch] for epoch in at.epochs.get(channel, ())]
            if not any(self._reads(at, crossing.receiver, held) for held in logs) and not any(
                at.dropped_at(crossing.receiver, held) is not None for held in logs
            ):
                raise Violation("G8", at.label, f"a proof over {channel} goes to {crossing.receiver}")

    def _check_report(self, at: Holder, _crossing: Crossing, call: registry_service_pb2.ReportHeadsRequest) -> None:
        """The registry is public: it hears of no channel by its name."""
        payload = call.report.payload
        named = next((name for name in self._truth.epochs if name.encode() in payload), None)
        if named is not None:
            raise Violation("G8", at.label, f"the registry is told the name {named}")
        if len(payload) > DEFAULT_LIMITS.max_head_report_bytes:
            raise Violation("G12", at.label, f"a head report of {len(payload)} bytes leaves")
        for heads in registry_pb2.HeadReport.FromString(payload).origins:
            if any(len(leaf) != 32 for leaf in heads.head_leaves):
                raise Violation("G8", at.label, f"the registry is told more of {heads.origin} than head leaves")

    # -- entries --------------------------------------------------------------------------------------------

    def _check_frame(
        self,
        at: Holder,
        crossing: Crossing,
        message: exchange_service_pb2.PushRequest | exchange_service_pb2.PullResponse,
    ) -> None:
        frame, stream = message.frame, (crossing.call, crossing.sender)
        self._check_count(at, "bytes of a frame", len(frame.data), DEFAULT_LIMITS.max_frame_bytes)
        if frame.HasField("start"):
            self._check_start(at, crossing, frame.start)
            if self._may_be_erased(at, frame.start):
                self._bodies[stream] = _Body(frame.start, bytearray())
        body = self._bodies.get(stream)
        if body is None:
            return
        body.data += frame.data
        if len(body.data) >= body.start.encoded_bytes:
            del self._bodies[stream]
            self._check_erased(at, body)

    def _check_start(self, at: Holder, crossing: Crossing, start: exchange_service_pb2.EntryStart) -> None:
        key, index, payload = (start.channel, start.epoch), start.index, start.envelope.payload
        held = at.logs.get(key)
        if held is None or index >= held.size:
            raise Violation("G2", at.label, f"{key[0]} {key[1]}/{index} leaves before it is durable")
        if held.payloads[index] != payload:
            raise Violation("G1", at.label, f"{key[0]} {key[1]}/{index} leaves with other bytes than are held")
        self._check_count(at, "bytes of a header", len(payload), DEFAULT_LIMITS.max_header_bytes)
        self._check_count(at, "bytes of a body", start.body_bytes, DEFAULT_LIMITS.max_body_bytes)
        self._check_extent(at, crossing, key, index + 1, has_body=start.encoded_bytes > 0)
        if start.HasField("invitation") and start.invitation.payload not in held.payloads:
            raise Violation("G1", at.label, f"{key[0]} {key[1]} leaves with an invitation that is not held")
        if at.node == origin_of(key[0]) and key in self._truth.logs:
            if not at.may_release(key, index + 1):
                raise Violation(
                    "G7", at.label, f"{key[0]} {key[1]}/{index} leaves before it is noted that it is signed"
                )
            log = self._truth.logs[key]
            log.left_size = max(log.left_size, index + 1)

    def _may_be_erased(self, at: Holder, start: exchange_service_pb2.EntryStart) -> bool:
        at_entry = (start.epoch, start.index)
        return any((place.epoch, place.index) == at_entry for place in at.erased.get(start.channel, ()))

    def _check_erased(self, at: Holder, body: _Body) -> None:
        """Once an erasure is stored, the content is given to nobody any more."""
        start, erased = body.start, at.erased.get(body.start.channel, {})
        slots = channel_pb2.EntryBody.FromString(_decoded(body)).slots
        for position, slot in enumerate(slots):
            since_ms = erased.get(Place(start.epoch, start.index, position), self._now_ms)
            if not slot.commitment and since_ms < self._now_ms - RACE_MS:
                found = f"{start.channel} {start.epoch}/{start.index}/{position}"
                raise Violation("G4", at.label, f"the content of {found} leaves after its erasure")


def _decoded(body: _Body) -> bytes:
    if body.start.encoding == exchange_service_pb2.BODY_ENCODING_ZSTD:
        return zstandard.ZstdDecompressor().decompress(bytes(body.data), max_output_size=body.start.body_bytes)
    return bytes(body.data)


def _receipts_in(message: Message) -> Iterator[envelope_pb2.Envelope]:
    """The receipts that a message carries."""
    if isinstance(message, exchange_service_pb2.HelloResponse):
        yield from chain(message.receipts, message.held_receipts)
    elif isinstance(message, exchange_service_pb2.PutReceiptsRequest):
        yield from message.receipts
    elif isinstance(message, exchange_service_pb2.PushResponse) and message.HasField("receipt"):
        yield message.receipt


def _channels_in(message: Message) -> Iterator[str]:
    """The channels that a message names."""
    if isinstance(message, exchange_service_pb2.PushRequest | exchange_service_pb2.PullResponse):
        if message.frame.HasField("start"):
            yield message.frame.start.channel
    elif isinstance(message, _NAMING):
        yield message.channel
    elif isinstance(message, exchange_service_pb2.HelloResponse | exchange_service_pb2.HelloRequest):
        yield from (item.head.channel for view in message.heartbeats for item in view.heads)
        if isinstance(message, exchange_service_pb2.HelloResponse):
            yield from (head.channel for head in message.heads)
