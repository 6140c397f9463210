"""The table of suites: a key is of one suite, and only its own signature over the same bytes verifies."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from node.core.suites import ECDSA_P256, ED25519, SUITES, key_id_of, load_public_key
from node.keys.signer import generate
from tests.core.signed import flips

KEYS = {suite: generate(suite) for suite in SUITES}
BOTH = pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])


def spki_of(key: object) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


@BOTH
@given(message=st.binary(max_size=200), other=st.binary(max_size=200))
def test_a_signature_verifies_over_its_own_message_only(suite: str, message: bytes, other: bytes) -> None:
    signer = KEYS[suite]
    sig = signer.sign(message)
    assert signer.public.verifies(sig, message)
    assert signer.public.verifies(sig, other) == (message == other)


@BOTH
def test_every_flipped_bit_of_a_signature_is_refused(suite: str) -> None:
    signer = KEYS[suite]
    sig = signer.sign(b"message")
    assert not any(signer.public.verifies(changed, b"message") for changed in flips(sig))


@BOTH
@given(sig=st.binary(max_size=200))
def test_bytes_that_are_no_signature_are_refused_without_a_fault(suite: str, sig: bytes) -> None:
    assert not KEYS[suite].public.verifies(sig, b"message")


@BOTH
def test_the_signature_of_another_key_or_suite_is_refused(suite: str) -> None:
    for signer in (generate(ED25519), generate(ECDSA_P256)):
        assert not KEYS[suite].public.verifies(signer.sign(b"message"), b"message")


@BOTH
def test_a_key_is_loaded_for_its_own_suite_only(suite: str) -> None:
    spki = KEYS[suite].public.spki
    loaded = load_public_key(suite, spki)
    assert loaded is not None
    assert (loaded.key_id, loaded.suite, loaded.spki) == (key_id_of(spki), suite, spki)
    assert [name for name in SUITES if load_public_key(name, spki) is not None] == [suite]


def test_an_unknown_suite_has_no_keys() -> None:
    spki = KEYS[ED25519].public.spki
    assert [load_public_key(name, spki) for name in ("", "ED25519", "rsa", "ed25519 ")] == [None] * 4


def test_a_key_of_another_algorithm_or_curve_is_none_of_ours() -> None:
    foreign = [
        rsa.generate_private_key(65537, 2048),
        ed448.Ed448PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ]
    assert [load_public_key(suite, spki_of(key)) for suite in SUITES for key in foreign] == [None] * 8


@BOTH
@given(garbage=st.binary(max_size=120))
def test_bytes_that_are_no_key_are_none(suite: str, garbage: bytes) -> None:
    assert load_public_key(suite, garbage) is None


@BOTH
def test_a_truncated_or_padded_key_is_none(suite: str) -> None:
    spki = KEYS[suite].public.spki
    assert [load_public_key(suite, spki[:length]) for length in range(len(spki))] == [None] * len(spki)
    assert load_public_key(suite, spki + b"\x00") is None
