"""DSSE envelopes: sign the bytes you send, verify before you parse, keep exactly those bytes.

Source: secure-systems-lab/dsse, protocol.md. The pre-authentication encoding is

    PAE(type, body) = "DSSEv1" SP len(type) SP type SP len(body) SP body        lengths in ASCII decimal

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.suites import PublicKey
from node.pb import envelope_pb2

_TYPE = "application/vnd.xinqiao.{}.v1+protobuf"
ENTRY_HEADER = _TYPE.format("entry-header")
HEARTBEAT = _TYPE.format("heartbeat")
RECEIPT = _TYPE.format("receipt")
NODE_DESCRIPTOR = _TYPE.format("node-descriptor")
ADDRESS = _TYPE.format("address")
HEAD_REPORT = _TYPE.format("head-report")
OFFICER_STATEMENT = _TYPE.format("officer-statement")
DELIVERY_STATEMENT = _TYPE.format("delivery-statement")

HEADERS_REMEMBERED = 128
"""An entry that is examined before its turn comes to be verified twice. Nothing of a person stands in a header."""

M = TypeVar("M", bound=Message)


class SigningKey(Protocol):
    """What sealing needs of a private key: its id and its signature over bytes."""

    @property
    def key_id(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes a DSSE signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, payload_type: str, *keys: SigningKey) -> envelope_pb2.Envelope:
    """Sign the payload with each key."""
    message = pae(payload_type, payload)
    return envelope_pb2.Envelope(
        payload=payload,
        payload_type=payload_type,
        signatures=[envelope_pb2.Signature(sig=key.sign(message), keyid=key.key_id) for key in keys],
    )


def signers(
    envelope: envelope_pb2.Envelope,
    payload_type: str,
    trusted: Iterable[PublicKey],
    limits: Limits = DEFAULT_LIMITS,
) -> list[PublicKey]:
    """The trusted keys whose signatures over the envelope verify, each once.

    Unknown keyids are ignored. Raises ENVELOPE_TYPE and ENVELOPE_SHAPE before anything is parsed.
    """
    return verify(envelope, payload_type, trusted, limits)[0]


def verify(
    envelope: envelope_pb2.Envelope,
    payload_type: str,
    trusted: Iterable[PublicKey],
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[list[PublicKey], envelope_pb2.Envelope]:
    """The signers, and the envelope with their signatures and nothing else: what is kept and passed on.

    Nobody has signed what else stands in an envelope: whoever relays it can put anything there. Raises as signers.
    """
    _check_shape(envelope, payload_type, limits)
    keys = {key.key_id: key for key in trusted}
    message = pae(payload_type, envelope.payload)
    found: list[PublicKey] = []
    bare = envelope_pb2.Envelope(payload=envelope.payload, payload_type=payload_type)
    for signature in envelope.signatures:
        key = keys.get(signature.keyid)
        if key is not None and _has_signed(key, signature.sig, message, payload_type):
            del keys[key.key_id]
            found.append(key)
            bare.signatures.add(sig=signature.sig, keyid=key.key_id)
    return found, bare


def _has_signed(key: PublicKey, sig: bytes, message: bytes, payload_type: str) -> bool:
    return _has_signed_header(key, sig, message) if payload_type == ENTRY_HEADER else key.verifies(sig, message)


@lru_cache(maxsize=HEADERS_REMEMBERED)
def _has_signed_header(key: PublicKey, sig: bytes, message: bytes) -> bool:
    return key.verifies(sig, message)


def parse(kind: type[M], payload: bytes) -> M:
    """Parse verified bytes; raises ENVELOPE_SHAPE."""
    try:
        message = kind()
        message.ParseFromString(payload)
    except DecodeError as error:
        raise XinqiaoError("ENVELOPE_SHAPE", detail=f"not a {kind.__name__}") from error
    return message


def _check_shape(envelope: envelope_pb2.Envelope, payload_type: str, limits: Limits) -> None:
    if envelope.payload_type != payload_type:
        raise XinqiaoError("ENVELOPE_TYPE", found=envelope.payload_type[:100], expected=payload_type)
    if len(envelope.signatures) > limits.max_signatures_per_envelope:
        raise XinqiaoError("ENVELOPE_SHAPE", detail=f"more than {limits.max_signatures_per_envelope} signatures")
    if any(len(signature.sig) > limits.max_signature_bytes for signature in envelope.signatures):
        raise XinqiaoError("ENVELOPE_SHAPE", detail=f"a signature of more than {limits.max_signature_bytes} bytes")
