"""Framing: how one entry travels as frames and is put together again. Sans-IO.

    start   channel, epoch, index (claims), the signed header, and how large the body is
    data    pieces of at most 256 KiB, until encoded_bytes are there; the first may travel with the start

A body travels as it is or as one zstd frame (node.core.packing). Nothing here is signed: the header's records_root
covers the body as it was before compression. What a frame announces is checked before anything is kept, and a body is
never decoded to more than it announces.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from node.core.entry import Continuation, SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.merkle import HASH_BYTES
from node.core.packing import pack, unpack_received
from node.pb import exchange_service_pb2 as pb

# An origin's id of at most 31 characters and a slash go before the channel's own name.
MAX_ORIGIN_CHARS = 32
MAX_KEY_ID_BYTES = 1024
# Whatever keeps an entry keeps its numbers as signed 64-bit integers.
NUMBERS_END = 1 << 63


def frames(signed: SignedEntry, limits: Limits = DEFAULT_LIMITS) -> Iterator[pb.EntryFrame]:
    """The frames of one entry; the first piece of its body travels with the start."""
    encoding, encoded = _encode(signed.body)
    start = pb.EntryStart(
        channel=signed.channel,
        epoch=signed.epoch,
        index=signed.index,
        envelope=signed.envelope,
        encoding=encoding,
        encoded_bytes=len(encoded),
        body_bytes=len(signed.body or b""),
        invitation=signed.invitation,
        leads_to_size=signed.leads_to.size if signed.leads_to is not None else 0,
        leads_to_hashes=signed.leads_to.hashes if signed.leads_to is not None else (),
        inclusion_hashes=signed.inclusion,
    )
    step = limits.max_frame_bytes
    yield pb.EntryFrame(start=start, data=encoded[:step])
    for at in range(step, len(encoded), step):
        yield pb.EntryFrame(data=encoded[at : at + step])


def _encode(body: bytes | None) -> tuple[pb.BodyEncoding, bytes]:
    if body is None:
        return pb.BODY_ENCODING_UNSPECIFIED, b""
    packed = pack(body)
    return (pb.BODY_ENCODING_ZSTD if len(packed) < len(body) else pb.BODY_ENCODING_IDENTITY), packed


@dataclass(slots=True)
class _Open:
    """The entry whose data is arriving."""

    start: pb.EntryStart
    data: bytearray


class EntryReader:
    """Puts entries together from frames that a peer sends.

    Raises FRAME or ENTRY_SIZE where the frames cannot be followed: then the stream is lost. Raises ENTRY_BODY
    where one body cannot be decoded: the next frame may start another entry.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._open: _Open | None = None
        self._lost = False

    @property
    def buffered_bytes(self) -> int:
        """What is kept of the entry that is not complete yet."""
        return len(self._open.data) if self._open is not None else 0

    def feed(self, frame: pb.EntryFrame) -> SignedEntry | None:
        """Take one frame; the entry when this frame completes it."""
        if self._lost:
            raise XinqiaoError("FRAME", detail="an earlier frame of this stream could not be followed")
        self._lost = True
        current = self._begun(frame) if frame.HasField("start") else self._continued(frame)
        self._append(current, frame.data)
        self._lost = False
        if len(current.data) < current.start.encoded_bytes:
            return None
        self._open = None
        return _complete(current, self._limits)

    def finish(self) -> None:
        """Note the end of the stream; raises FRAME when an entry is not complete."""
        if self._open is not None:
            found, due = len(self._open.data), self._open.start.encoded_bytes
            raise XinqiaoError("FRAME", detail=f"the stream ends after {found} of {due} bytes of an entry")

    def _begun(self, frame: pb.EntryFrame) -> _Open:
        if self._open is not None:
            raise XinqiaoError("FRAME", detail="an entry starts before the one before it is complete")
        _check_start(frame.start, self._limits)
        # What no field of ours names would be stored and sent on.
        frame.start.envelope.DiscardUnknownFields()
        self._open = _Open(frame.start, bytearray())
        return self._open

    def _continued(self, frame: pb.EntryFrame) -> _Open:
        if self._open is None:
            raise XinqiaoError("FRAME", detail="data arrives before an entry has started")
        if not frame.data:
            raise XinqiaoError("FRAME", detail="a frame carries nothing")
        return self._open

    def _append(self, current: _Open, data: bytes) -> None:
        if len(data) > self._limits.max_frame_bytes:
            raise _too_large("a frame", len(data), self._limits.max_frame_bytes)
        if len(current.data) + len(data) > current.start.encoded_bytes:
            raise XinqiaoError("FRAME", detail="more data arrives than the start of the entry announced")
        current.data += data


def _check_start(start: pb.EntryStart, limits: Limits) -> None:
    """Refuse what is too large or contradicts itself before anything of it is kept."""
    signatures = limits.max_signatures_per_envelope * (limits.max_signature_bytes + MAX_KEY_ID_BYTES)
    for what, found, limit in (
        ("the header", len(start.envelope.payload), limits.max_header_bytes),
        ("the envelope", start.envelope.ByteSize(), limits.max_header_bytes + signatures),
        ("the invitation", start.invitation.ByteSize(), limits.max_header_bytes + signatures),
        ("the encoded body", start.encoded_bytes, limits.max_body_bytes),
        ("the body", start.body_bytes, limits.max_body_bytes),
    ):
        if found > limit:
            raise _too_large(what, found, limit)
    if len(start.envelope.signatures) > limits.max_signatures_per_envelope:
        raise XinqiaoError("FRAME", detail=f"more than {limits.max_signatures_per_envelope} signatures")
    if len(start.channel) > limits.max_channel_name_chars + MAX_ORIGIN_CHARS:
        raise XinqiaoError("FRAME", detail="the channel's name is too long")
    if max(start.epoch, start.index, start.leads_to_size) >= NUMBERS_END:
        raise XinqiaoError("FRAME", detail="epoch, index or the size it leads to is out of range")
    for hashes in (start.leads_to_hashes, start.inclusion_hashes):
        if len(hashes) > limits.max_proof_hashes or any(len(each) != HASH_BYTES for each in hashes):
            raise XinqiaoError("FRAME", detail="the proof that comes with the entry cannot be one")
    if not _sizes_agree(start):
        raise XinqiaoError("FRAME", detail="encoding, encoded_bytes and body_bytes contradict each other")


def _sizes_agree(start: pb.EntryStart) -> bool:
    if start.encoding == pb.BODY_ENCODING_UNSPECIFIED:
        return start.encoded_bytes == start.body_bytes == 0
    if start.encoding == pb.BODY_ENCODING_IDENTITY:
        return start.encoded_bytes == start.body_bytes
    return start.encoding == pb.BODY_ENCODING_ZSTD and start.encoded_bytes > 0


def _complete(current: _Open, limits: Limits) -> SignedEntry:
    start = current.start
    body: bytes | None = None
    if start.encoding == pb.BODY_ENCODING_IDENTITY:
        body = bytes(current.data)
    elif start.encoding == pb.BODY_ENCODING_ZSTD:
        body = _unpack(start, bytes(current.data), limits)
    invitation = start.invitation if start.HasField("invitation") else None
    leads_to = Continuation(start.leads_to_size, tuple(start.leads_to_hashes)) if start.leads_to_size else None
    inclusion = tuple(start.inclusion_hashes)
    return SignedEntry(start.channel, start.epoch, start.index, start.envelope, body, invitation, leads_to, inclusion)


def _unpack(start: pb.EntryStart, packed: bytes, limits: Limits) -> bytes:
    try:
        return unpack_received(packed, start.body_bytes, limits.max_body_bytes)
    except ValueError as error:
        raise XinqiaoError(
            "ENTRY_BODY", channel=start.channel, epoch=start.epoch, index=start.index, detail=str(error)
        ) from error


def _too_large(what: str, found: int, limit: int) -> XinqiaoError:
    return XinqiaoError("ENTRY_SIZE", what=what, found=f"{found} bytes", limit=limit)
