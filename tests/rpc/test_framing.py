"""Entries as frames: split anywhere, put together exactly, and nothing a sender does costs more than it announced."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
import zstandard
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.entry import Continuation, SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import envelope_pb2
from node.pb import exchange_service_pb2 as pb
from node.rpc.framing import EntryReader, frames

SMALL = replace(DEFAULT_LIMITS, max_frame_bytes=64, max_body_bytes=64 * 1024, max_header_bytes=512)


def entry(body: bytes | None, index: int = 0, channel: str = "310000/penalties") -> SignedEntry:
    envelope = envelope_pb2.Envelope(payload=b"header", payload_type="t")
    envelope.signatures.add(sig=b"s" * 64, keyid="k" * 64)
    return SignedEntry(channel, 2, index, envelope, body)


def read(found: list[pb.EntryFrame], limits: Limits = DEFAULT_LIMITS) -> list[SignedEntry]:
    reader = EntryReader(limits)
    complete = [signed for frame in found if (signed := reader.feed(frame)) is not None]
    reader.finish()
    return complete


def refused(found: list[pb.EntryFrame], limits: Limits = SMALL) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        read(found, limits)
    return caught.value


def start(
    body: bytes, encoding: int = pb.BODY_ENCODING_ZSTD, encoded: bytes | None = None, size: int | None = None
) -> pb.EntryFrame:
    """One frame with whatever it claims of its body."""
    signed = entry(b"")
    data = zstandard.ZstdCompressor(level=1).compress(body) if encoded is None else encoded
    opening = pb.EntryStart(
        channel=signed.channel,
        epoch=signed.epoch,
        index=signed.index,
        envelope=signed.envelope,
        encoding=pb.BodyEncoding.Name(encoding),
        encoded_bytes=len(data),
        body_bytes=len(body) if size is None else size,
    )
    return pb.EntryFrame(start=opening, data=data)


ROOMY = replace(SMALL, max_frame_bytes=64 * 1024)

bodies = st.one_of(st.none(), st.binary(max_size=3000), st.binary(max_size=40).map(lambda piece: piece * 100))


@given(st.lists(bodies, min_size=1, max_size=4), st.integers(1, 5000))
@settings(deadline=None, max_examples=150)
def test_entries_arrive_as_they_were_sent_whatever_the_frame_size(sent: list[bytes | None], frame_bytes: int) -> None:
    limits = replace(DEFAULT_LIMITS, max_frame_bytes=frame_bytes)
    entries = [entry(body, index) for index, body in enumerate(sent)]
    found = [frame for signed in entries for frame in frames(signed, limits)]
    assert all(len(frame.data) <= frame_bytes for frame in found)
    assert [frame.HasField("start") for frame in found].count(True) == len(sent)
    assert read(found, limits) == entries


@pytest.mark.parametrize("hashes", [(), (b"\x01" * 32,), (b"\x01" * 32,) * DEFAULT_LIMITS.max_proof_hashes])
def test_the_proof_of_where_an_entry_leads_arrives_with_it(hashes: tuple[bytes, ...]) -> None:
    signed = replace(entry(b"x"), leads_to=Continuation(9, hashes))
    assert read(list(frames(signed)), DEFAULT_LIMITS) == [signed]


@pytest.mark.parametrize("hashes", [(b"\x01" * 31,), (b"\x01" * 32,) * (DEFAULT_LIMITS.max_proof_hashes + 1)])
def test_what_cannot_be_a_proof_of_where_an_entry_leads_is_refused(hashes: tuple[bytes, ...]) -> None:
    frame = start(b"abcd", pb.BODY_ENCODING_IDENTITY, b"abcd")
    frame.start.leads_to_hashes.extend(hashes)
    assert refused([frame]).code == "FRAME"


@given(bodies.filter(bool), st.data())
@settings(deadline=None, max_examples=100)
def test_data_may_be_split_anywhere(body: bytes, data: st.DataObject) -> None:
    [whole] = list(frames(entry(body), replace(DEFAULT_LIMITS, max_frame_bytes=1 << 20)))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole.data)), max_size=5)) | {0, len(whole.data)})
    pieces = [whole.data[low:high] for low, high in pairwise(cuts)]
    found = [pb.EntryFrame(start=whole.start), *(pb.EntryFrame(data=piece) for piece in pieces)]
    assert read(found) == [entry(body)]


def test_a_header_without_a_body_is_told_from_an_empty_body() -> None:
    assert [signed.body for signed in read([*frames(entry(None)), *frames(entry(b""))])] == [None, b""]


def test_a_large_body_is_compressed_and_a_small_or_dense_one_is_not() -> None:
    def encoding(body: bytes | None) -> pb.BodyEncoding:
        return next(frames(entry(body))).start.encoding

    assert encoding(b"record" * 1000) == pb.BODY_ENCODING_ZSTD
    assert encoding(b"record" * 10) == pb.BODY_ENCODING_IDENTITY
    assert encoding(Random(1).randbytes(4000)) == pb.BODY_ENCODING_IDENTITY
    assert encoding(None) == pb.BODY_ENCODING_UNSPECIFIED


# -- what a sender may get wrong ----------------------------------------------------------------------


def test_an_oversized_frame_is_refused() -> None:
    found = list(frames(entry(b"x" * 900), replace(SMALL, max_frame_bytes=65)))
    assert (refused(found).code, refused(found).parameters["what"]) == ("ENTRY_SIZE", "a frame")


@pytest.mark.parametrize(
    ("encoded", "size", "what"), [(10, 64 * 1024 + 1, "the body"), (64 * 1024 + 1, 10, "the encoded body")]
)
def test_a_body_is_refused_by_what_its_start_announces(encoded: int, size: int, what: str) -> None:
    frame = start(b"", size=size)
    frame.start.encoded_bytes = encoded
    error = refused([frame])
    assert (error.code, error.parameters["what"]) == ("ENTRY_SIZE", what)


def test_an_oversized_header_is_refused() -> None:
    signed = entry(None)
    signed.envelope.payload = b"h" * 513
    assert refused(list(frames(signed))).parameters["what"] == "the header"


def test_an_envelope_padded_beside_its_header_is_refused() -> None:
    signed = entry(None)
    signed.envelope.payload_type = "t" * 200_000
    assert refused(list(frames(signed))).parameters["what"] == "the envelope"


def test_what_no_field_names_is_not_taken_over() -> None:
    [frame] = frames(entry(None))
    sent = frame.SerializeToString()
    padded = pb.EntryFrame.FromString(sent)
    padded.start.envelope.MergeFromString(b"\xfa\x3f\x04junk")
    assert b"junk" in padded.SerializeToString()
    assert read([padded]) == [entry(None)]
    assert b"junk" not in read([padded])[0].envelope.SerializeToString()


def test_a_start_inside_another_entry_is_refused() -> None:
    first = list(frames(entry(b"x" * 200), SMALL))
    assert "before the one before" in refused([first[0], *frames(entry(None))]).parameters["detail"]


def test_data_without_a_start_is_refused() -> None:
    assert "before an entry has started" in refused([pb.EntryFrame(data=b"x")]).parameters["detail"]


def test_more_data_than_announced_is_refused() -> None:
    found = list(frames(entry(b"x" * 200), SMALL))
    assert refused([*found[:-1], pb.EntryFrame(data=b"y" * 64)]).code == "FRAME"


def test_a_truncated_end_is_refused() -> None:
    found = list(frames(entry(b"x" * 200), SMALL))
    assert "the stream ends after 192 of 200 bytes" in refused(found[:-1]).parameters["detail"]


def test_frames_that_carry_nothing_do_not_keep_a_stream_open() -> None:
    found = list(frames(entry(b"x" * 200), SMALL))
    assert "carries nothing" in refused([found[0], pb.EntryFrame()]).parameters["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epoch", 1 << 63),
        ("index", (1 << 64) - 1),
        ("channel", "c" * 97),
        ("encoding", 9),
        ("body_bytes", 3),
        ("leads_to_size", 1 << 63),
    ],
)
def test_a_start_that_no_node_could_keep_is_refused(name: str, value: int | str) -> None:
    frame = start(b"abcd", pb.BODY_ENCODING_IDENTITY, b"abcd")
    setattr(frame.start, name, value)
    assert refused([frame]).code == "FRAME"


def test_after_a_frame_that_cannot_be_followed_nothing_more_is_read() -> None:
    reader = EntryReader()
    with pytest.raises(XinqiaoError):
        reader.feed(pb.EntryFrame(data=b"x"))
    with pytest.raises(XinqiaoError, match="FRAME"):
        reader.feed(next(frames(entry(None))))


# -- bodies that do not unpack to what they announce --------------------------------------------------


def test_a_decompression_bomb_that_says_its_size_is_never_unpacked() -> None:
    error = refused([start(bytes(500_000_000), size=1000)], ROOMY)
    assert (error.code, error.parameters["index"]) == ("ENTRY_BODY", "0")
    assert "unpacks to 500000000 bytes" in error.parameters["detail"]


def test_a_decompression_bomb_that_hides_its_size_stops_at_what_it_announced() -> None:
    packer = zstandard.ZstdCompressor(level=1, write_content_size=False).compressobj()
    hidden = packer.compress(bytes(50_000_000)) + packer.flush()
    assert refused([start(b"", encoded=hidden, size=1000)], ROOMY).code == "ENTRY_BODY"


@pytest.mark.parametrize("size", [0, 1, 1999, 2001])
def test_a_body_of_another_size_than_announced_is_refused(size: int) -> None:
    assert refused([start(b"r" * 2000, size=size)], ROOMY).code == "ENTRY_BODY"


def test_an_empty_body_may_be_compressed() -> None:
    assert read([start(b"")])[0].body == b""


def test_only_one_zstd_frame_makes_a_body() -> None:
    one = zstandard.ZstdCompressor(level=1).compress(b"r" * 2000)
    skippable = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello"
    for encoded in (one + one, one + b"x", skippable + one, one[:-1], b"", b"not zstd", skippable):
        expected = "FRAME" if encoded == b"" else "ENTRY_BODY"
        assert refused([start(b"r" * 2000, encoded=encoded)], ROOMY).code == expected


def test_a_body_that_cannot_be_unpacked_does_not_lose_the_entry_after_it() -> None:
    reader = EntryReader()
    with pytest.raises(XinqiaoError, match="ENTRY_BODY"):
        reader.feed(start(b"r" * 2000, encoded=b"not zstd"))
    [frame] = frames(entry(b"whole", 1))
    assert reader.feed(frame) == entry(b"whole", 1)
    reader.finish()


@given(st.lists(bodies, min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=500)
def test_mutated_frames_are_read_or_refused_and_nothing_else(sent: list[bytes | None], random: Random) -> None:
    found = [frame for index, body in enumerate(sent) for frame in frames(entry(body, index), SMALL)]
    found = [mutated for frame in found for mutated in _mutated(frame, random)]
    assert _outcome(found) in ("", "FRAME", "ENTRY_SIZE", "ENTRY_BODY")


def _outcome(found: list[pb.EntryFrame]) -> str:
    """The code that refuses the frames, nothing where they are read; any other exception passes through."""
    try:
        complete = read(found, SMALL)
    except XinqiaoError as error:
        return error.code
    assert max((len(signed.body or b"") for signed in complete), default=0) <= SMALL.max_body_bytes
    return ""


def _mutated(frame: pb.EntryFrame, random: Random) -> list[pb.EntryFrame]:
    """The frame, mostly as it is; otherwise with a byte changed, dropped or doubled."""
    what = random.randrange(12)
    if what == 0:
        return []
    if what == 1:
        return [frame, frame]
    serialized = bytearray(frame.SerializeToString())
    if what < 5 and serialized:
        serialized[random.randrange(len(serialized))] ^= 1 << random.randrange(8)
    try:
        return [pb.EntryFrame.FromString(bytes(serialized))]
    except DecodeError:
        return [frame]
