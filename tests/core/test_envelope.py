"""Envelopes: exactly the bytes of DSSE are signed, and only trusted keys of the right type count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import envelope as envelopes
from node.core.envelope import pae, parse, seal, signers, verify
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.suites import ECDSA_P256, ED25519
from node.keys.signer import generate
from node.pb import channel_pb2, envelope_pb2
from tests.core.signed import code_of, refusal, stuffed, tampered

KEYS = {suite: generate(suite) for suite in (ED25519, ECDSA_P256)}
BOTH = pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])


def test_the_published_vector_of_dsse() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_count_bytes_and_not_characters() -> None:
    assert pae("类型", b"") == b"DSSEv1 6 " + "类型".encode() + b" 0 "


@given(st.tuples(st.text(max_size=20), st.binary(max_size=40)), st.tuples(st.text(max_size=20), st.binary(max_size=40)))
def test_no_two_messages_are_signed_as_the_same_bytes(one: tuple[str, bytes], other: tuple[str, bytes]) -> None:
    assert (pae(*one) == pae(*other)) == (one == other)


@BOTH
def test_what_is_sealed_verifies_and_says_who_signed(suite: str) -> None:
    key = KEYS[suite]
    envelope = seal(b"payload", envelopes.RECEIPT, key)
    assert [found.key_id for found in signers(envelope, envelopes.RECEIPT, [key.public])] == [key.key_id]


@BOTH
def test_every_single_bit_of_an_envelope_counts(suite: str) -> None:
    key = KEYS[suite]
    for changed in tampered(seal(b"payload", envelopes.RECEIPT, key)):
        if changed.payload_type == envelopes.RECEIPT:
            assert signers(changed, envelopes.RECEIPT, [key.public]) == []
        else:
            assert code_of(signers, changed, envelopes.RECEIPT, [key.public]) == "ENVELOPE_TYPE"


def test_a_signature_for_one_type_says_nothing_of_another() -> None:
    key = KEYS[ED25519]
    envelope = seal(b"payload", envelopes.RECEIPT, key)
    envelope.payload_type = envelopes.HEARTBEAT
    assert signers(envelope, envelopes.HEARTBEAT, [key.public]) == []


def test_unknown_keys_are_ignored_and_each_key_counts_once() -> None:
    one, two = KEYS[ED25519], KEYS[ECDSA_P256]
    envelope = seal(b"payload", envelopes.RECEIPT, one, one, two, generate(ED25519))
    assert [key.key_id for key in signers(envelope, envelopes.RECEIPT, [two.public, one.public])] == [
        one.key_id,
        two.key_id,
    ]


def test_a_false_signature_before_a_true_one_of_the_same_key_does_not_hide_it() -> None:
    key = KEYS[ED25519]
    envelope = seal(b"payload", envelopes.RECEIPT, key)
    forged = envelope_pb2.Signature(sig=b"\x00" * 64, keyid=key.key_id)
    doubled = envelope_pb2.Envelope(
        payload=b"payload", payload_type=envelopes.RECEIPT, signatures=[forged, envelope.signatures[0]]
    )
    assert len(signers(doubled, envelopes.RECEIPT, [key.public])) == 1


@BOTH
def test_g12_of_an_envelope_only_what_is_signed_is_kept(suite: str) -> None:
    key = KEYS[suite]
    envelope = seal(b"payload", envelopes.RECEIPT, key)
    assert len(stuffed(envelope).SerializeToString()) > 10_000
    assert verify(stuffed(envelope), envelopes.RECEIPT, [key.public]) == ([key.public], envelope)
    nobody, empty = verify(stuffed(envelope), envelopes.RECEIPT, [generate(suite).public])
    assert (nobody, list(empty.signatures)) == ([], [])


def test_too_many_or_too_long_signatures_are_refused_before_any_is_verified() -> None:
    key, limits = KEYS[ED25519], Limits(max_signatures_per_envelope=2, max_signature_bytes=64)
    many = seal(b"", envelopes.RECEIPT, key, key, key)
    assert code_of(signers, many, envelopes.RECEIPT, [key.public], limits) == "ENVELOPE_SHAPE"
    long = seal(b"", envelopes.RECEIPT, key)
    long.signatures[0].sig += b"\x00"
    assert code_of(signers, long, envelopes.RECEIPT, [key.public], limits) == "ENVELOPE_SHAPE"
    assert signers(seal(b"", envelopes.RECEIPT, key, key), envelopes.RECEIPT, [key.public], limits)


def test_a_huge_type_is_not_repeated_in_the_refusal() -> None:
    envelope = envelope_pb2.Envelope(payload_type="x" * 1_000_000)
    error = refusal(signers, envelope, envelopes.RECEIPT, [])
    assert (error.code, len(error.text) < 300) == ("ENVELOPE_TYPE", True)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_refusal(payload: bytes) -> None:
    refused = None
    try:
        parse(channel_pb2.EntryHeader, payload)
    except XinqiaoError as error:
        refused = error
    assert refused is None or (refused.code, "EntryHeader" in refused.text) == ("ENVELOPE_SHAPE", True)
