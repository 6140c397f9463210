"""Other bytes for the same message: what a relay can do to an encoding without being able to sign."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

import zstandard
from google.protobuf.message import Message

from node.core.limits import DEFAULT_LIMITS
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2

M = TypeVar("M", bound=Message)

_UNKNOWN_FIELD = 1000
_LENGTH_DELIMITED = 2


def reordered(message: Message) -> bytes:
    """The same fields in another order: the first one last."""
    fields = [descriptor.name for descriptor, _ in message.ListFields()]
    if not fields:
        return message.SerializeToString()
    head, tail = type(message)(), type(message)()
    for one, dropped in ((head, fields[1:]), (tail, fields[:1])):
        one.CopyFrom(message)
        for name in dropped:
            one.ClearField(name)
    return tail.SerializeToString() + head.SerializeToString()


def unknown_field(content: bytes) -> bytes:
    """A field that no message of ours has, as it stands on the wire."""
    return _varint(_UNKNOWN_FIELD << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def recoded_body(body: channel_pb2.EntryBody, random: Random) -> bytes:
    """The same slots in other bytes: their fields reordered, or fields nobody knows between them."""
    if random.random() < 0.5:
        return body.SerializeToString() + unknown_field(random.randbytes(4))
    slots = [reordered(slot) for slot in body.slots]
    return b"".join(_varint(1 << 3 | _LENGTH_DELIMITED) + _varint(len(slot)) + slot for slot in slots)


def recode_envelope(envelope: envelope_pb2.Envelope, random: Random) -> None:
    """Change an envelope and neither its payload nor the signatures that verify."""
    junk = envelope_pb2.Signature(sig=random.randbytes(64), keyid=random.randbytes(32).hex())
    change = random.choice(("junk first", "junk last", "twice", "unknown"))
    kept = list(envelope.signatures)[: DEFAULT_LIMITS.max_signatures_per_envelope - 1]
    if change == "unknown":
        envelope.MergeFromString(unknown_field(random.randbytes(4)))
    elif change == "twice":
        _set_signatures(envelope, [*kept, *kept[:1]])
    else:
        _set_signatures(envelope, [junk, *kept] if change == "junk first" else [*kept, junk])


def _set_signatures(envelope: envelope_pb2.Envelope, signatures: Sequence[envelope_pb2.Signature]) -> None:
    copies = [envelope_pb2.Signature(sig=item.sig, keyid=item.keyid) for item in signatures]
    del envelope.signatures[:]
    envelope.signatures.extend(copies)


def read(kind: type[M], payload: bytes) -> M:
    """Parse what an honest node signed."""
    message = kind()
    message.ParseFromString(payload)
    return message


# -- bodies in frames ----------------------------------------------------------------------------------------


def whole_body(frame: exchange_service_pb2.EntryFrame) -> channel_pb2.EntryBody | None:
    """The body of an entry that travels in this one frame; None where there is none or more of it follows."""
    start = frame.start
    if start.encoding == exchange_service_pb2.BODY_ENCODING_UNSPECIFIED or len(frame.data) < start.encoded_bytes:
        return None
    content = frame.data
    if start.encoding == exchange_service_pb2.BODY_ENCODING_ZSTD:
        content = zstandard.ZstdDecompressor().decompress(content, max_output_size=max(start.body_bytes, 1))
    return read(channel_pb2.EntryBody, content)


def put_body(frame: exchange_service_pb2.EntryFrame, serialized: bytes) -> None:
    """Let a frame carry these bytes as its entry's body, uncompressed; nothing where they need a second frame."""
    if len(serialized) > DEFAULT_LIMITS.max_frame_bytes:
        return
    frame.start.encoding = exchange_service_pb2.BODY_ENCODING_IDENTITY
    frame.start.encoded_bytes = frame.start.body_bytes = len(serialized)
    frame.data = serialized


def drop_body(frame: exchange_service_pb2.EntryFrame) -> None:
    """Leave the header alone in a frame."""
    frame.start.encoding = exchange_service_pb2.BODY_ENCODING_UNSPECIFIED
    frame.start.encoded_bytes = frame.start.body_bytes = 0
    frame.data = b""


def recompress(frame: exchange_service_pb2.EntryFrame) -> None:
    """Let the same body travel in another encoding."""
    body = whole_body(frame)
    if body is None:
        return
    serialized = body.SerializeToString()
    if frame.start.encoding == exchange_service_pb2.BODY_ENCODING_ZSTD:
        put_body(frame, serialized)
        return
    data = zstandard.ZstdCompressor(level=3).compress(serialized)
    frame.start.encoding = exchange_service_pb2.BODY_ENCODING_ZSTD
    frame.start.encoded_bytes, frame.start.body_bytes = len(data), len(serialized)
    frame.data = data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
