"""Packing: a body as one zstd frame (RFC 8878), in which it travels and in which it is kept.

Nothing of a frame is signed: records_root covers the body as it was before. A reader keeps the frame that a body came
in, and sends it on as it is. What is kept tells by itself which of the two it is: a serialized EntryBody begins with
the tag of a slot, a frame with a number that no tag begins with.
"""

from typing import Self

import zstandard

PACKED_FROM_BYTES = 1024
LEVEL = 1


class PackedBytes(bytes):
    """A body that knows the frame it can be unpacked from; whatever is made of it does not."""

    packed: bytes

    @classmethod
    def of(cls, content: bytes, packed: bytes) -> Self:
        """The content of a frame, with the frame."""
        made = cls(content)
        made.packed = packed
        return made


def pack(body: bytes) -> bytes:
    """The frame of a body, the one it came in where there was one; the body itself where that is no longer."""
    if isinstance(body, PackedBytes):
        return body.packed
    if len(body) < PACKED_FROM_BYTES:
        return body
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(body)
    return packed if len(packed) < len(body) else body


def unpack(kept: bytes) -> bytes:
    """The body that pack() was given; raises ValueError where neither it nor its frame was kept."""
    return PackedBytes.of(content_of(kept), kept) if kept.startswith(zstandard.FRAME_HEADER) else kept


def content_of(packed: bytes) -> bytes:
    """The content of a frame that pack() has made or unpack_received() has read; else ValueError."""
    try:
        return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError("it cannot be unpacked") from error


def unpack_received(packed: bytes, size: int, most: int) -> bytes:
    """The content of the one frame that a peer has sent, of exactly `size` bytes, and with windows of at most `most`.

    The frame's own header is read first: a size that stands there overrides max_output_size. A frame without one is
    not kept: whoever reads it later would have to be told. Raises ValueError with what is wrong.
    """
    window = 1 << max(most.bit_length(), zstandard.WINDOWLOG_MIN)
    try:
        content = zstandard.get_frame_parameters(packed).content_size
        if content not in (size, zstandard.CONTENTSIZE_UNKNOWN):
            raise ValueError(f"it unpacks to {content} bytes, {size} were announced")
        decompressor = zstandard.ZstdDecompressor(max_window_size=window)
        # 0 would mean no limit.
        body = decompressor.decompress(packed, max_output_size=max(size, 1), allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError("it cannot be unpacked to what was announced") from error
    if len(body) != size:
        raise ValueError(f"it unpacks to {len(body)} bytes, {size} were announced")
    return PackedBytes.of(body, packed) if content == size and len(packed) < size else body
