"""Entries: a body is what its header commits to, slot by slot, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.entry import (
    SALT_BYTES,
    VerifiedBody,
    VerifiedEntry,
    build_body,
    commitment,
    erase_slots,
    fill_slots,
    open_body,
    origin_of,
    records_root,
)
from node.core.limits import Limits
from node.core.merkle import leaf_hash, root
from node.pb import channel_pb2
from tests.builders import ChannelWriter, make_node
from tests.core.signed import UNKNOWN, code_of, flips, refusal

RECORDS = [b"one", b"two", "三".encode(), b""]
SALTS = [bytes([at]) * SALT_BYTES for at in range(4)]
BODY, ROOT = build_body(RECORDS, SALTS)


def header(**changes: object) -> channel_pb2.EntryHeader:
    fields = {
        "channel": "310000/base",
        "record_count": 4,
        "records_root": ROOT,
        "uncompressed_bytes_max": len(BODY),
    }
    return channel_pb2.EntryHeader(**(fields | changes))  # type: ignore[arg-type]


def slots(*changed: channel_pb2.Slot) -> bytes:
    return channel_pb2.EntryBody(slots=changed).SerializeToString()


def test_a_commitment_is_the_leaf_hash_of_salt_and_record_and_their_root_is_signed() -> None:
    assert commitment(SALTS[0], b"one") == leaf_hash(SALTS[0] + b"one")
    assert records_root([commitment(*pair) for pair in zip(SALTS, RECORDS, strict=True)]) == ROOT
    assert records_root([]) == root([])


def test_an_opened_body_holds_salts_records_and_commitments() -> None:
    body = open_body(header(), BODY)
    assert body.records == tuple(zip(SALTS, RECORDS, strict=True))
    assert (body.bare, body.serialized) == ((), BODY)


def test_every_flipped_bit_of_a_body_is_refused() -> None:
    opened = 0
    for changed in flips(BODY):
        code = code_of(open_body, header(), changed)
        assert code in ("ENTRY_BODY", "ENTRY_SIZE")
        opened += 1
    assert opened == len(BODY) * 8


@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_any_slots_erased_and_filled_again_are_the_same_body(records: list[bytes], data: st.DataObject) -> None:
    salts = [bytes([at]) * SALT_BYTES for at in range(len(records))]
    serialized, signed = build_body(records, salts)
    head = header(record_count=len(records), records_root=signed, uncompressed_bytes_max=len(serialized))
    body = open_body(head, serialized)
    gone = data.draw(st.lists(st.sampled_from(range(len(records))), unique=True)) if records else []
    erased = erase_slots(body, gone)
    assert erased.bare == tuple(sorted(gone))
    assert open_body(head, erased.serialized) == erased
    assert erased.commitments == body.commitments
    assert fill_slots(erased, body, []).serialized == serialized
    assert fill_slots(erased, body, gone).serialized == erased.serialized


def test_an_erased_slot_still_fits_into_the_size_that_was_signed() -> None:
    serialized, signed = build_body([b""], [SALTS[0]])
    head = header(record_count=1, records_root=signed, uncompressed_bytes_max=len(serialized))
    erased = erase_slots(open_body(head, serialized), [0])
    assert len(erased.serialized) > len(serialized)
    assert open_body(head, erased.serialized).bare == (0,)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"\xff", "cannot be read"),
        (slots(), "0 slots, the header says 4"),
        (slots(*[channel_pb2.Slot(salt=SALTS[0], record=b"x")] * 4), "do not fold"),
        (slots(*[channel_pb2.Slot(salt=b"short", record=b"x")] * 4), "salt of 5 bytes"),
        (slots(*[channel_pb2.Slot(record=b"x")] * 4), "salt of 0 bytes"),
        (slots(*[channel_pb2.Slot(commitment=b"c" * 31)] * 4), "neither"),
        (slots(*[channel_pb2.Slot(commitment=b"c" * 32, salt=SALTS[0])] * 4), "neither"),
        (slots(*[channel_pb2.Slot(commitment=b"c" * 32, record=b"x")] * 4), "neither"),
        (slots(*[channel_pb2.Slot(commitment=b"c" * 32)] * 4), "do not fold"),
    ],
)
def test_a_body_that_is_not_the_signed_one_says_why(body: bytes, detail: str) -> None:
    error = refusal(open_body, header(uncompressed_bytes_max=1000), body)
    assert error.code == "ENTRY_BODY"
    assert detail in error.text


def recoded(content: bytes) -> bytes:
    """BODY with another encoding of its first slot."""
    rest = channel_pb2.EntryBody.FromString(BODY).slots[1:]
    return b"\x0a" + bytes([len(content)]) + content + slots(*rest)


FIRST = channel_pb2.EntryBody.FromString(BODY).slots[0].SerializeToString()


@pytest.mark.parametrize(
    "body",
    [
        BODY + UNKNOWN,
        UNKNOWN + BODY,
        recoded(FIRST + UNKNOWN),
        recoded(b"\x12\x03two" + FIRST),
        recoded(FIRST + b"\x1a\x00"),
        recoded(FIRST)[:1] + bytes([len(FIRST) | 0x80, 0]) + recoded(FIRST)[2:],
    ],
    ids=["after", "before", "in a slot", "a field twice", "an empty field", "a longer length"],
)
def test_g12_nothing_travels_in_a_body_beside_its_slots(body: bytes) -> None:
    assert recoded(FIRST) == BODY
    parsed = channel_pb2.EntryBody.FromString(body)
    assert [(slot.salt, slot.record) for slot in parsed.slots] == list(zip(SALTS, RECORDS, strict=True))
    error = refusal(open_body, header(), body)
    assert (error.code, "more in it than its slots" in error.text) == ("ENTRY_BODY", True)


def test_slots_in_another_order_are_another_body() -> None:
    swapped = slots(*list(reversed(channel_pb2.EntryBody.FromString(BODY).slots)))
    assert code_of(open_body, header(), swapped) == "ENTRY_BODY"


def test_a_body_above_a_limit_is_refused_before_it_is_parsed() -> None:
    assert code_of(open_body, header(), BODY + bytes(300)) == "ENTRY_SIZE"
    assert code_of(open_body, header(), BODY, Limits(max_body_bytes=len(BODY) - 1)) == "ENTRY_SIZE"
    assert code_of(open_body, header(), BODY, Limits(max_record_bytes=2)) == "ENTRY_SIZE"
    assert open_body(header(uncompressed_bytes_max=(1 << 64) - 1), BODY).bare == ()


def test_nobody_but_the_verifiers_makes_a_verified_value() -> None:
    with pytest.raises(TypeError, match="verifiers"):
        VerifiedBody((), (), b"", object())
    entry = ChannelWriter(make_node("310000"), "310000/base").manifest()
    fields = {name: getattr(entry, name) for name in VerifiedEntry.__slots__}
    assert VerifiedEntry(**fields) == entry
    with pytest.raises(TypeError, match="verifiers"):
        VerifiedEntry(**(fields | {"seal": object()}))


def test_the_origin_is_what_stands_before_the_first_slash() -> None:
    assert [origin_of(name) for name in ("310000/a/b", "310000", "/a", "")] == ["310000", "310000", "", ""]


def test_a_verified_entry_puts_only_a_sensible_manifest_in_force() -> None:
    writer = ChannelWriter(make_node("310000"), "310000/base")
    assert writer.manifest().manifest is not None
    assert writer.manifest(disclosure=0).manifest is None
    assert writer.records([b"x"]).manifest is None
    assert (writer.entries[0].origin, writer.entries[0].channel) == ("310000", "310000/base")
