"""The stream that ours is compared with: it stores nothing, and still lets nothing through that was not signed."""

import pytest

from node.bench.bare_stream import Verifier, message_of
from node.bench.programs import StageError
from node.core.record import build_record
from tests.builders import ChannelWriter, make_node

ORIGIN = make_node("310000")
RECORDS = [build_record("penalty.2018", {1: text}) for text in ("first", "second", "third")]


def written(*records: bytes) -> bytes:
    writer = ChannelWriter(ORIGIN, "310000/penalties")
    writer.manifest()
    entry = writer.records(records)
    assert entry.body is not None
    return message_of(entry.envelope, entry.body.serialized)


def test_records_are_counted_when_all_of_their_entry_is_verified() -> None:
    assert Verifier(ORIGIN.member.active_keys).records(written(*RECORDS)) == len(RECORDS)


def test_a_record_that_was_not_signed_ends_the_stream() -> None:
    with pytest.raises(StageError, match="other records"):
        Verifier(ORIGIN.member.active_keys).records(written(*RECORDS).replace(b"second", b"SECOND"))


def test_an_entry_of_somebody_else_ends_the_stream() -> None:
    with pytest.raises(StageError, match="not signed"):
        Verifier(make_node("310000").member.active_keys).records(written(*RECORDS))
