"""MuHash3072 against the vectors of Bitcoin Core (src/test/crypto_tests.cpp, muhash_tests) and its own laws."""

import hashlib
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from node.core import muhash

SERIALIZED_1_2 = (
    "1fa093295ea30a6a3acdc7b3f770fa538eff537528e990e2910e40bbcfd7f6696b1256901929094694b56316de342f593303"
    "dd12ac43e06dce1be1ff8301c845beb15468fff0ef002dbf80c29f26e6452bccc91b5cb9437ad410d2a67ea847887fa3c6"
    "a6553309946880fe20db2c73fe0641adbd4e86edfee0d9f8cd0ee1230898873dc13ed8ddcaf045c80faa082774279007a2"
    "253f8922ee3ef361d378a6af3ddaf180b190ac97e556888c36b3d1fb1c85aab9ccd46e3deaeb7b7cf5db067a7e9ff86b65"
    "8cf3acd6662bbcce37232daa753c48b794356c020090c831a8304416e2aa7ad633c0ddb2f11be1be316a81be7f7e472071"
    "c042cb68faef549c221ebff209273638b741aba5a81675c45a5fa92fea4ca821d7a324cb1e1a2ccd3b76c4228ec8066dad"
    "2a5df6e1bd0de45c7dd5de8070bdb46db6c554cf9aefc9b7b2bbf9f75b1864d9f95005314593905c0109b71f703d49944a"
    "e94477b51dac10a816bb6d1c700bafabc8bd86fac8df24be519a2f2836b16392e18036cb13e48c5c"
)


def _from_int(value: int) -> bytes:
    return bytes([value]) + bytes(31)


def test_the_published_digest_of_two_added_and_one_removed_is_met() -> None:
    accumulator = muhash.change(muhash.EMPTY, [_from_int(0), _from_int(1)], [_from_int(2)])
    # Core prints such a hash in reversed order.
    assert muhash.digest(accumulator)[::-1].hex() == "10d312b100cbd32ada024a6646e40d3482fcff103668d2625f10002a607d5863"


def test_the_published_accumulator_of_two_members_is_met() -> None:
    accumulator = muhash.change(muhash.EMPTY, [_from_int(1), _from_int(2)])
    assert muhash.to_bytes(accumulator).hex() == SERIALIZED_1_2


def test_the_published_digest_of_an_accumulator_above_the_prime_is_met() -> None:
    overflowing = muhash.from_bytes(b"\xff" * muhash.ACCUMULATOR_BYTES)
    digest = muhash.digest(muhash.change(overflowing, []) % muhash.PRIME)
    assert digest.hex() == "3a31e6903aff0de9f62f9a9f7f8b861de76ce2cda09822b90014319ae5dc2271"


def test_the_empty_set_has_the_digest_of_one() -> None:
    assert muhash.digest(muhash.EMPTY) == hashlib.sha256((1).to_bytes(384, "little")).digest()


@given(st.lists(st.binary(max_size=40), max_size=6), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_what_is_added_and_removed_leaves_nothing(
    members: list[bytes], random: Random
) -> None:
    shuffled = random.sample(members, len(members))
    assert muhash.change(muhash.EMPTY, members) == muhash.change(muhash.EMPTY, shuffled)
    accumulator = muhash.change(muhash.EMPTY, [b"one more"])
    assert muhash.change(muhash.change(accumulator, members), [], shuffled) == accumulator


def test_an_accumulator_is_read_back_as_it_was_kept() -> None:
    accumulator = muhash.change(muhash.EMPTY, [b"a", b"b"])
    assert muhash.from_bytes(muhash.to_bytes(accumulator)) == accumulator
