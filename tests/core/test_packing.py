"""A body comes out of what is kept as it was put in, and a frame is kept as it came where that is good for all."""

import pickle
from random import Random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from node.core.entry import build_body
from node.core.packing import PACKED_FROM_BYTES, PackedBytes, content_of, pack, unpack, unpack_received

MOST = 1 << 20
BODY = b"\n" + b"record" * 500


def frame(body: bytes, level: int = 3, *, says_size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_content_size=says_size).compress(body)


@given(st.lists(st.binary(min_size=1, max_size=800), min_size=1, max_size=20))
def test_a_body_comes_out_as_it_was_put_in(records: list[bytes]) -> None:
    body, _ = build_body(records, [bytes([number]) * 16 for number in range(len(records))])
    kept = pack(body)
    assert unpack(kept) == body
    assert len(kept) <= len(body)
    assert (kept == body) is (not isinstance(unpack(kept), PackedBytes))


def test_no_body_is_taken_for_a_frame() -> None:
    body, _ = build_body([b"record"], [bytes(16)])
    assert body[0] != zstandard.FRAME_HEADER[0]
    assert build_body([], [])[0] == b""


def test_what_is_short_or_no_shorter_when_packed_is_kept_as_it_is() -> None:
    noise = b"\n" + Random(1).randbytes(PACKED_FROM_BYTES)
    for body in (b"", b"\n" * (PACKED_FROM_BYTES - 1), noise):
        assert pack(body) is body


def test_the_frame_that_a_body_came_in_is_kept_as_it_came() -> None:
    for level in (1, 3, 19):
        sent = frame(BODY, level)
        found = unpack_received(sent, len(BODY), MOST)
        assert found == BODY
        assert pack(found) == sent
        assert pack(unpack(pack(found))) == sent


def test_what_is_made_of_a_body_is_packed_anew() -> None:
    found = unpack_received(frame(BODY), len(BODY), MOST)
    for changed in (found[:-1], found + b"x", found.replace(b"record", b"other"), bytes(found[:])[1:]):
        assert not isinstance(changed, PackedBytes)
        assert unpack(pack(changed)) == changed


@pytest.mark.parametrize("sent", [frame(BODY, says_size=False), frame(b"\n" + Random(1).randbytes(90), 1)])
def test_a_frame_without_its_size_or_longer_than_its_content_is_not_kept(sent: bytes) -> None:
    content = zstandard.ZstdDecompressor().decompressobj().decompress(sent)
    found = unpack_received(sent, len(content), MOST)
    assert found == content
    assert not isinstance(found, PackedBytes)
    assert unpack(pack(found)) == content


def test_a_frame_of_a_larger_window_than_bodies_have_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=24)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    sent = packer.compress(BODY) + packer.flush()
    with pytest.raises(ValueError, match="unpacked"):
        unpack_received(sent, len(BODY), 1 << 16)


def test_what_was_kept_and_changed_since_is_told() -> None:
    kept = pack(BODY)
    for changed in (kept[:-1], kept + b"x", kept[:4], kept[:4] + b"\xff" * 40):
        with pytest.raises(ValueError, match="unpacked"):
            unpack(changed)


def test_a_packed_body_is_no_more_than_bytes_to_others() -> None:
    found = unpack(pack(BODY))
    assert (found, hash(found), len(found)) == (BODY, hash(BODY), len(BODY))
    assert pickle.loads(pickle.dumps(content_of(pack(BODY)))) == BODY
