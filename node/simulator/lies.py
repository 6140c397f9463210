"""Lies: what a member can do to what it relays, one class each. None of them needs a key of somebody else."""

from collections import deque
from collections.abc import Callable, MutableSequence, Sequence
from hashlib import sha256
from random import Random
from typing import TypeVar

from google.protobuf.message import Message

from node.core import envelope as envelopes
from node.core.entry import commitment, origin_of
from node.core.envelope import SigningKey
from node.core.merkle import HASH_BYTES
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2
from node.simulator import recoding

T = TypeVar("T")
M = TypeVar("M", bound=Message)
Hello = exchange_service_pb2.HelloRequest | exchange_service_pb2.HelloResponse

KEPT = 64
LATER_MS = 60_000
FALSE_SIZES = (0, 1, 1_000_000, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def node_of(view: channel_pb2.HeartbeatView) -> str:
    """The node that signed a heartbeat."""
    return recoding.read(channel_pb2.Heartbeat, view.heartbeat.payload).node


def receipt_of(envelope: envelope_pb2.Envelope) -> channel_pb2.Receipt:
    """What a receipt says."""
    return recoding.read(channel_pb2.Receipt, envelope.payload)


class Seen:
    """What a liar keeps of what it relayed and was told, the last KEPT pieces of each kind."""

    def __init__(self) -> None:
        self.frames: deque[exchange_service_pb2.EntryFrame] = deque(maxlen=KEPT)
        self.beats: deque[channel_pb2.HeartbeatView] = deque(maxlen=KEPT)
        self.receipts: deque[envelope_pb2.Envelope] = deque(maxlen=KEPT)
        self.origins: dict[str, None] = {}

    def note(self, message: Message) -> None:
        """Keep the pieces of one message."""
        if isinstance(message, exchange_service_pb2.PushRequest | exchange_service_pb2.PullResponse):
            self._note_frame(message.frame)
        elif isinstance(message, exchange_service_pb2.HelloRequest | exchange_service_pb2.HelloResponse):
            _keep(self.beats, message.heartbeats)
        if isinstance(message, exchange_service_pb2.HelloResponse | exchange_service_pb2.PutReceiptsRequest):
            _keep(self.receipts, message.receipts)

    def _note_frame(self, frame: exchange_service_pb2.EntryFrame) -> None:
        if frame.HasField("start") and len(frame.data) == frame.start.encoded_bytes:
            _keep(self.frames, [frame])
            self.origins[origin_of(frame.start.channel)] = None


def _keep(kept: deque[M], items: Sequence[M]) -> None:
    for item in items:
        copy = type(item)()
        copy.CopyFrom(item)
        kept.append(copy)


class Truth:
    """Passes everything on as it is. A lie overrides what it is about, and changes messages in place."""

    def __init__(self, node: str, random: Random, seen: Seen, signer: SigningKey | None) -> None:
        self.node = node
        self.random = random
        self.seen = seen
        self.signer = signer

    def entry(self, frame: exchange_service_pb2.EntryFrame) -> bool:
        """The first frame of another origin's entry; False where it does not travel at all."""
        return frame.HasField("start")

    def hello(self, hello: Hello) -> None:
        """Either side of a comparison."""

    def receipts(self, receipts: MutableSequence[envelope_pb2.Envelope]) -> None:
        """Receipts that are handed over."""

    def pushed(self, answer: exchange_service_pb2.PushResponse) -> None:
        """The answer to another origin's entry."""

    def proof(self, hashes: MutableSequence[bytes]) -> None:
        """A proof over a log."""

    def is_own(self, channel: str) -> bool:
        """Whether the liar writes the channel itself; those are left alone."""
        return origin_of(channel) == self.node

    def is_own_receipt(self, envelope: envelope_pb2.Envelope) -> bool:
        """Whether a receipt is for one of the liar's own channels."""
        return self.is_own(receipt_of(envelope).channel)

    def each(self, items: Sequence[T], is_left_alone: Callable[[T], bool], lie: Callable[[T], None]) -> None:
        """Lie about half of the items."""
        for item in items:
            if not is_left_alone(item) and self.random.random() < 0.5:
                lie(item)

    def beats(self, hello: Hello, lie: Callable[[channel_pb2.HeartbeatView], None]) -> None:
        """Lie about half of the other nodes' heartbeats."""
        self.each(hello.heartbeats, lambda view: node_of(view) == self.node, lie)


# -- withholding ---------------------------------------------------------------------------------------------


class Withhold(Truth):
    """Gives nothing, headers alone, or commitments where records are."""

    def entry(self, frame: exchange_service_pb2.EntryFrame) -> bool:
        """Nothing, or less than there is."""
        what = self.random.choice(("nothing", "header", "header", "commitments", "commitments"))
        body = recoding.whole_body(frame)
        if what == "commitments" and body is not None:
            strip(body, range(len(body.slots)))
            recoding.put_body(frame, body.SerializeToString())
        elif what != "nothing":
            recoding.drop_body(frame)
        return what != "nothing"

    def hello(self, hello: Hello) -> None:
        """Silent about what others have written, signed and found."""
        _leave_out(hello.heartbeats, lambda view: node_of(view) != self.node)
        _leave_out(hello.equivocations, lambda _: True)
        if isinstance(hello, exchange_service_pb2.HelloResponse):
            self._heads(hello)
            self.receipts(hello.receipts)
            self.receipts(hello.held_receipts)

    def _heads(self, hello: exchange_service_pb2.HelloResponse) -> None:
        """No head of another, and where it has none of its own to show, now and then that nothing differs."""
        _leave_out(hello.heads, lambda head: not self.is_own(head.channel))
        hello.in_step = hello.in_step or (not hello.heads and self.random.random() < 0.5)

    def receipts(self, receipts: MutableSequence[envelope_pb2.Envelope]) -> None:
        """Silent about what others have confirmed to others."""
        _leave_out(receipts, lambda envelope: not self.is_own_receipt(envelope))

    def proof(self, hashes: MutableSequence[bytes]) -> None:
        """No proof."""
        del hashes[:]


def _leave_out(items: MutableSequence[T], is_left_out: Callable[[T], bool]) -> None:
    for at in range(len(items) - 1, -1, -1):
        if is_left_out(items[at]):
            del items[at]


def strip(body: channel_pb2.EntryBody, positions: Sequence[int]) -> None:
    """Leave the commitments alone at these positions."""
    for position in positions:
        slot = body.slots[position]
        if not slot.commitment:
            bare = commitment(slot.salt, slot.record)
            slot.Clear()
            slot.commitment = bare


class FakeErasure(Truth):
    """Shows a commitment for some records of an entry, as if they were erased."""

    def entry(self, frame: exchange_service_pb2.EntryFrame) -> bool:
        """With some slots bare."""
        body = recoding.whole_body(frame)
        if body is not None and body.slots:
            count = self.random.randint(1, len(body.slots))
            strip(body, self.random.sample(range(len(body.slots)), count))
            recoding.put_body(frame, body.SerializeToString())
        return True


# -- other bytes ---------------------------------------------------------------------------------------------


class ReEncode(Truth):
    """Says the same in other bytes: fields reordered, fields nobody knows, further signatures."""

    def entry(self, frame: exchange_service_pb2.EntryFrame) -> bool:
        """In another encoding of its header, its envelope or its body."""
        change = self.random.choice((self._header, self._envelope, self._envelope, self._body, recoding.recompress))
        change(frame)
        return True

    def _header(self, frame: exchange_service_pb2.EntryFrame) -> None:
        self._payload(frame.start.envelope, channel_pb2.EntryHeader)

    def _envelope(self, frame: exchange_service_pb2.EntryFrame) -> None:
        recoding.recode_envelope(frame.start.envelope, self.random)

    def _body(self, frame: exchange_service_pb2.EntryFrame) -> None:
        body = recoding.whole_body(frame)
        if body is not None:
            recoding.put_body(frame, recoding.recoded_body(body, self.random))

    def _payload(self, envelope: envelope_pb2.Envelope, kind: type[Message]) -> None:
        if self.random.random() < 0.5:
            envelope.payload = recoding.reordered(recoding.read(kind, envelope.payload))
        else:
            envelope.payload += recoding.unknown_field(self.random.randbytes(4))

    def hello(self, hello: Hello) -> None:
        """Heartbeats, receipts and proofs in other bytes."""
        self.beats(hello, self._beat)
        for proof in hello.equivocations:
            recoding.recode_envelope(self.random.choice((proof.first, proof.second)), self.random)
        if isinstance(hello, exchange_service_pb2.HelloResponse):
            self.receipts(hello.receipts)
            self.receipts(hello.held_receipts)

    def _beat(self, view: channel_pb2.HeartbeatView) -> None:
        change = self.random.randrange(3)
        if change == 0:
            recoding.recode_envelope(view.heartbeat, self.random)
        elif change == 1:
            self._payload(view.heartbeat, channel_pb2.Heartbeat)
        else:
            _reverse(view.heads)

    def receipts(self, receipts: MutableSequence[envelope_pb2.Envelope]) -> None:
        """Receipts in other bytes."""
        self.each(receipts, self.is_own_receipt, self._receipt)

    def _receipt(self, envelope: envelope_pb2.Envelope) -> None:
        if self.random.random() < 0.5:
            recoding.recode_envelope(envelope, self.random)
        else:
            self._payload(envelope, channel_pb2.Receipt)


def _reverse(heads: MutableSequence[channel_pb2.PositionedHead]) -> None:
    copies = [channel_pb2.PositionedHead(position=item.position, head=item.head) for item in reversed(heads)]
    del heads[:]
    heads.extend(copies)


# -- what was true once --------------------------------------------------------------------------------------


class Replay(Truth):
    """Plays again what was signed earlier, to whoever it is."""

    def entry(self, frame: exchange_service_pb2.EntryFrame) -> bool:
        """Another entry in its place, of this log or of another."""
        old = [kept for kept in self.seen.frames if not self.is_own(kept.start.channel)]
        if old:
            frame.CopyFrom(self.random.choice(old))
        return True

    def hello(self, hello: Hello) -> None:
        """Old heartbeats and receipts in the place of new ones."""
        self.beats(hello, self._beat)
        if isinstance(hello, exchange_service_pb2.HelloResponse):
            self.receipts(hello.receipts)
            self.receipts(hello.held_receipts)

    def _beat(self, view: channel_pb2.HeartbeatView) -> None:
        node = node_of(view)
        view.CopyFrom(self.random.choice([old for old in self.seen.beats if node_of(old) == node] or [view]))

    def receipts(self, receipts: MutableSequence[envelope_pb2.Envelope]) -> None:
        """Old receipts, some of them besides."""
        self.each(receipts, self.is_own_receipt, self._receipt)
        old = [envelope for envelope in self.seen.receipts if not self.is_own_receipt(envelope)]
        if old and self.random.random() < 0.5:
            receipts.append(self.random.choice(old))

    def _receipt(self, envelope: envelope_pb2.Envelope) -> None:
        new = receipt_of(envelope)
        old = [kept for kept in self.seen.receipts if _is_same_ledger(receipt_of(kept), new)]
        envelope.CopyFrom(self.random.choice(old or [envelope]))


def _is_same_ledger(one: channel_pb2.Receipt, other: channel_pb2.Receipt) -> bool:
    return (one.subscriber, one.channel) == (other.subscriber, other.channel)


# -- unsigned claims -----------------------------------------------------------------------------------------


class FalseHeads(Truth):
    """Claims heads that are not there, and to hold what it does not."""

    def hello(self, hello: Hello) -> None:
        """Heads of other sizes and roots, and of logs that nobody writes."""
        if not isinstance(hello, exchange_service_pb2.HelloResponse):
            return
        self.each(hello.heads, lambda head: self.is_own(head.channel), self._head)
        others = [origin for origin in self.seen.origins if origin != self.node]
        if others:
            hello.in_step = False
            name = f"{self.random.choice(others)}/invented-{self.random.randrange(1000)}"
            self._head(hello.heads.add(channel=name, epoch=self.random.randrange(3)))

    def _head(self, head: channel_pb2.Head) -> None:
        if self.random.random() < 0.3:
            head.epoch += 1
        if self.random.random() < 0.8:
            head.size = self.random.choice((head.size + 1, head.size // 2, *FALSE_SIZES))
        # Now and then with a root that is no hash.
        head.root = self.random.randbytes(HASH_BYTES if self.random.random() < 0.9 else 7)

    def pushed(self, answer: exchange_service_pb2.PushResponse) -> None:
        """A size that it does not hold."""
        answer.size = self.random.choice((answer.size + 1, answer.size // 2, *FALSE_SIZES))


# -- forgery -------------------------------------------------------------------------------------------------


class Forge(Truth):
    """Changes what others have signed; signs it with its own key, where it is given one, or not at all."""

    def entry(self, frame: exchange_service_pb2.EntryFrame) -> bool:
        """With another record, header, place or signature."""
        kinds = (self._record, self._record, self._header, self._header, self._place, self._invitation)
        change = self.random.choice(kinds)
        change(frame)
        return True

    def _record(self, frame: exchange_service_pb2.EntryFrame) -> None:
        body = recoding.whole_body(frame)
        full = [slot for slot in body.slots if slot.record] if body is not None else []
        if body is None or not full:
            self._header(frame)
            return
        slot = self.random.choice(full)
        slot.record = self._flipped(slot.record)
        recoding.put_body(frame, body.SerializeToString())

    def _header(self, frame: exchange_service_pb2.EntryFrame) -> None:
        self._sign(frame.start.envelope, self._other_header(frame.start.envelope))

    def _other_header(self, envelope: envelope_pb2.Envelope) -> bytes:
        header = recoding.read(channel_pb2.EntryHeader, envelope.payload)
        change = self.random.randrange(4)
        if change == 0:
            header.issued_at_unix_ms += 1
        elif change == 1:
            header.records_root = sha256(header.records_root).digest()
        elif change == 2:
            header.prev_root = sha256(header.prev_root).digest()
        else:
            del header.manifest.audience.terms[:]
            header.manifest.audience.terms.add(everyone=True)
        return header.SerializeToString()

    def _place(self, frame: exchange_service_pb2.EntryFrame) -> None:
        place = self.random.choice(("epoch", "index"))
        setattr(frame.start, place, getattr(frame.start, place) + 1)

    def _invitation(self, frame: exchange_service_pb2.EntryFrame) -> None:
        """An invitation that names everyone, into the log of another."""
        header = recoding.read(channel_pb2.EntryHeader, frame.start.envelope.payload)
        header.kind = channel_pb2.ENTRY_KIND_MANIFEST
        header.manifest.disclosure = channel_pb2.DISCLOSURE_CLASS_C
        header.manifest.audience.terms.add(everyone=True)
        frame.start.invitation.payload_type = envelopes.ENTRY_HEADER
        frame.start.invitation.signatures.extend(frame.start.envelope.signatures)
        self._sign(frame.start.invitation, header.SerializeToString())

    def _sign(self, envelope: envelope_pb2.Envelope, payload: bytes) -> None:
        """Put another payload under the old signatures, under its own, or under its own in another's name."""
        names = [signature.keyid for signature in envelope.signatures]
        way = self.random.randrange(3)
        if self.signer is not None and way > 0:
            envelope.CopyFrom(envelopes.seal(payload, envelope.payload_type, self.signer))
            if way == 2 and names:
                envelope.signatures[0].keyid = names[0]
        envelope.payload = payload

    def _flipped(self, content: bytes) -> bytes:
        at = self.random.randrange(len(content))
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    def hello(self, hello: Hello) -> None:
        """False heartbeats, addresses and receipts, and an accusation of an origin that did nothing."""
        self.beats(hello, self._beat)
        self.each(hello.addresses, self._is_own_address, self._address)
        framed = [kept.start.envelope for kept in self.seen.frames if not self.is_own(kept.start.channel)]
        if framed:
            accused = self.random.choice(framed)
            second = envelope_pb2.Envelope()
            second.CopyFrom(accused)
            self._sign(second, self._other_header(accused))
            hello.equivocations.add(first=accused, second=second)
        if isinstance(hello, exchange_service_pb2.HelloResponse):
            self.receipts(hello.receipts)
            self.receipts(hello.held_receipts)

    def _beat(self, view: channel_pb2.HeartbeatView) -> None:
        heartbeat = recoding.read(channel_pb2.Heartbeat, view.heartbeat.payload)
        if view.heads and self.random.random() < 0.5:
            view.heads[0].head.size += 1
            return
        heartbeat.time_unix_ms += LATER_MS
        self._sign(view.heartbeat, heartbeat.SerializeToString())

    def _is_own_address(self, envelope: envelope_pb2.Envelope) -> bool:
        return recoding.read(registry_pb2.AddressRecord, envelope.payload).node == self.node

    def _address(self, envelope: envelope_pb2.Envelope) -> None:
        record = recoding.read(registry_pb2.AddressRecord, envelope.payload)
        record.sequence += 1
        record.exchange_endpoint = "nowhere.invalid:1"
        self._sign(envelope, record.SerializeToString())

    def receipts(self, receipts: MutableSequence[envelope_pb2.Envelope]) -> None:
        """Receipts for more than was confirmed."""
        self.each(receipts, self.is_own_receipt, self._receipt)

    def _receipt(self, envelope: envelope_pb2.Envelope) -> None:
        receipt = receipt_of(envelope)
        receipt.size += 1
        receipt.root = sha256(receipt.root).digest()
        self._sign(envelope, receipt.SerializeToString())

    def proof(self, hashes: MutableSequence[bytes]) -> None:
        """Hashes that prove nothing."""
        for at, item in enumerate(hashes):
            hashes[at] = sha256(item).digest()
