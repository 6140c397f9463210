"""Receipts: a subscriber's own word, larger or smaller than another, and nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import envelope as envelopes
from node.core.limits import NUMBERS_END, Limits
from node.core.receipt import extent, open_receipt, subscriber_of
from node.core.suites import ECDSA_P256, ED25519
from node.pb import channel_pb2, envelope_pb2
from tests.builders import NETWORK, NOW_MS, ChannelWriter, SigningNode, make_node, make_receipt
from tests.core.signed import code_of, refusal, stuffed, tampered

READER = make_node("310115")


def receipt(node: SigningNode = READER, **changes: object) -> envelope_pb2.Envelope:
    fields = {
        "network": NETWORK,
        "subscriber": node.id,
        "channel": "310000/base",
        "size": 3,
        "root": b"\x03" * 32,
        "applied_size": 2,
        "observed_at_unix_ms": NOW_MS,
    }
    message = channel_pb2.Receipt(**(fields | changes))  # type: ignore[arg-type]
    return node.seal(message.SerializeToString(), envelopes.RECEIPT)


def detail(envelope: envelope_pb2.Envelope) -> str:
    error = refusal(open_receipt, envelope, READER.member, NETWORK)
    assert error.code == "RECEIPT"
    return error.parameters["detail"]


def test_a_receipt_says_how_far_its_subscriber_is() -> None:
    writer = ChannelWriter(make_node("310000"), "310000/base")
    writer.manifest()
    opened = open_receipt(make_receipt(READER, writer.log, applied_size=0).envelope, READER.member, NETWORK)
    assert opened.extent == (0, 1, 0, NOW_MS)
    assert subscriber_of(opened.envelope) == "310115"


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_every_flipped_bit_of_a_receipt_is_refused(suite: str) -> None:
    node = make_node("310115", suite)
    for changed in tampered(receipt(node)):
        assert code_of(open_receipt, changed, node.member, NETWORK) in ("SIGNATURE", "ENVELOPE_TYPE")
    assert open_receipt(receipt(node), node.member, NETWORK).message.size == 3


def test_g12_of_a_receipts_envelope_only_what_is_signed_is_kept() -> None:
    assert open_receipt(stuffed(receipt()), READER.member, NETWORK).envelope == receipt()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": "other"}, "another network"),
        ({"subscriber": "330100"}, "signed for 330100"),
        ({"applied_size": 4}, "exceeds"),
        ({"root": b"\x03" * 31}, "32 bytes"),
        ({"size": NUMBERS_END, "applied_size": 0}, "too large"),
        ({"epoch": NUMBERS_END}, "too large"),
        ({"withheld": range(65)}, "withheld"),
        ({"outcomes": [channel_pb2.OutcomeCount()] * 65}, "outcomes"),
    ],
)
def test_a_receipt_that_contradicts_itself_is_refused(changes: dict[str, object], reason: str) -> None:
    assert reason in detail(receipt(READER, **changes))


def test_only_the_subscriber_speaks_for_itself() -> None:
    assert code_of(open_receipt, receipt(make_node("330100")), READER.member, NETWORK) == "SIGNATURE"
    assert code_of(open_receipt, receipt(), None, NETWORK) == "RECEIPT"
    foreign = make_node("310115").seal(receipt().payload, envelopes.RECEIPT)
    assert code_of(open_receipt, foreign, READER.member, NETWORK) == "SIGNATURE"


def test_what_cannot_be_read_or_is_too_large_is_refused_before_a_lookup() -> None:
    assert code_of(subscriber_of, READER.seal(b"\xff", envelopes.RECEIPT)) == "ENVELOPE_SHAPE"
    assert code_of(open_receipt, READER.seal(b"\xff", envelopes.RECEIPT), READER.member, NETWORK) == "ENVELOPE_SHAPE"
    assert code_of(subscriber_of, receipt(), Limits(max_header_bytes=10)) == "RECEIPT"


sizes = st.integers(0, 3)
messages = st.builds(
    lambda epoch, size, applied, at: channel_pb2.Receipt(
        epoch=epoch, size=size, applied_size=applied, observed_at_unix_ms=at
    ),
    sizes, sizes, sizes, sizes,
)  # fmt: skip


@given(messages, messages, messages)
def test_receipts_are_in_one_order_of_epoch_then_size_then_what_is_applied(
    a: channel_pb2.Receipt, b: channel_pb2.Receipt, c: channel_pb2.Receipt
) -> None:
    assert (extent(a) <= extent(b)) or (extent(b) <= extent(a))
    if extent(a) <= extent(b) <= extent(c):
        assert extent(a) <= extent(c)
    if a.epoch > b.epoch or (a.epoch == b.epoch and a.size > b.size):
        assert extent(a) > extent(b)
