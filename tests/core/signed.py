"""What the core tests share: how a refusal is caught, and messages with one bit changed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node.core.errors import XinqiaoError
from node.pb import envelope_pb2


def refusal(call: Callable[..., Any], *args: Any, **named: Any) -> XinqiaoError:
    """The refusal of a call; the test fails where there is none."""
    with pytest.raises(XinqiaoError) as caught:
        call(*args, **named)
    return caught.value


def code_of(call: Callable[..., Any], *args: Any, **named: Any) -> str:
    """The code of the refusal of a call."""
    return refusal(call, *args, **named).code


def flips(content: bytes) -> Iterator[bytes]:
    """The content with each of its bits changed in turn."""
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def tampered(envelope: envelope_pb2.Envelope) -> Iterator[envelope_pb2.Envelope]:
    """The envelope with one bit changed in its payload, its signature, its key id and its type, each in turn."""
    first = envelope.signatures[0]
    for payload in flips(envelope.payload):
        yield envelope_pb2.Envelope(payload=payload, payload_type=envelope.payload_type, signatures=envelope.signatures)
    for sig in flips(first.sig):
        yield _signed(envelope, envelope_pb2.Signature(sig=sig, keyid=first.keyid))
    for keyid in _texts(first.keyid):
        yield _signed(envelope, envelope_pb2.Signature(sig=first.sig, keyid=keyid))
    for kind in _texts(envelope.payload_type):
        changed = _signed(envelope, first)
        changed.payload_type = kind
        yield changed


UNKNOWN = b"\xba\x3e\x05spare"
"""Field 999 of any message: bytes that nobody has signed."""


def stuffed(envelope: envelope_pb2.Envelope) -> envelope_pb2.Envelope:
    """The envelope as a relay may pass it on: unknown fields, a false signature of its key, one of nobody's."""
    false = envelope_pb2.Signature(sig=b"\x01" * 64, keyid=envelope.signatures[0].keyid)
    spare = envelope_pb2.Signature(sig=b"spare" * 50, keyid="spare" * 1000)
    true = envelope_pb2.Signature.FromString(envelope.signatures[0].SerializeToString() + UNKNOWN)
    changed = envelope_pb2.Envelope(
        payload=envelope.payload, payload_type=envelope.payload_type, signatures=[spare, false, true, spare]
    )
    return envelope_pb2.Envelope.FromString(changed.SerializeToString() + UNKNOWN)


def _signed(envelope: envelope_pb2.Envelope, signature: envelope_pb2.Signature) -> envelope_pb2.Envelope:
    return envelope_pb2.Envelope(payload=envelope.payload, payload_type=envelope.payload_type, signatures=[signature])


def _texts(text: str) -> Iterator[str]:
    return (changed.decode() for changed in flips(text.encode()) if max(changed) < 0x80)
