"""Addresses: a member's own word on where it is, newer over older, and nobody else's."""

from node.core import envelope as envelopes
from node.core.address import VerifiedAddress, book_digest, open_address
from node.core.limits import NUMBERS_END, Limits
from node.core.suites import ECDSA_P256, ED25519
from node.pb import envelope_pb2, registry_pb2
from tests.builders import NETWORK, SigningNode, list_keys, make_address, make_members, make_node, signing_key
from tests.core.signed import code_of, refusal, stuffed, tampered

NODE = make_node("310000")
MEMBERS = make_members(NODE, make_node("310115"))


def address(by: SigningNode = NODE, **changes: object) -> envelope_pb2.Envelope:
    fields = {"network": NETWORK, "node": by.id, "sequence": 1, "exchange_endpoint": "127.0.0.1:7443"}
    record = registry_pb2.AddressRecord(**(fields | changes))  # type: ignore[arg-type]
    return by.seal(record.SerializeToString(), envelopes.ADDRESS)


def test_a_members_own_address_is_taken() -> None:
    record, envelope = make_address(NODE, 7)
    assert open_address(envelope, MEMBERS) == VerifiedAddress(record, envelope)


def test_g12_of_an_addresss_envelope_only_what_is_signed_is_kept() -> None:
    record, envelope = make_address(NODE, 7)
    assert open_address(stuffed(envelope), MEMBERS) == VerifiedAddress(record, envelope)


def test_every_flipped_bit_of_an_address_is_refused() -> None:
    for suite in (ED25519, ECDSA_P256):
        node = make_node("310000", suite)
        members = make_members(node)
        for changed in tampered(address(node)):
            assert code_of(open_address, changed, members) in (
                "SIGNATURE",
                "ADDRESS",
                "ENVELOPE_TYPE",
                "ENVELOPE_SHAPE",
            )


def test_nobody_says_where_another_is() -> None:
    assert code_of(open_address, address(make_node("310115"), node="310000"), MEMBERS) == "SIGNATURE"
    assert code_of(open_address, address(make_node("310000")), MEMBERS) == "SIGNATURE"
    assert code_of(open_address, address(node="999999"), MEMBERS) == "ADDRESS"
    assert code_of(open_address, address(network="other:0"), MEMBERS) == "ADDRESS"


def test_a_key_that_is_no_longer_active_says_nothing_of_addresses() -> None:
    before, after = make_node("310000"), make_node("310000")
    for state in (registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_REVOKED):
        listed = list_keys(after, [signing_key(before.signer, state), signing_key(after.signer)], after)
        assert code_of(open_address, address(before), make_members(listed)) == "SIGNATURE"
        assert open_address(address(after), make_members(listed)).record.node == "310000"


def test_an_address_has_bounds() -> None:
    assert code_of(open_address, address(exchange_endpoint="h" * 5000), MEMBERS) == "ADDRESS"
    assert code_of(open_address, address(), MEMBERS, Limits(max_address_bytes=10)) == "ADDRESS"
    assert refusal(open_address, address(sequence=NUMBERS_END), MEMBERS).code == "ADDRESS"
    assert open_address(address(sequence=NUMBERS_END - 1), MEMBERS).record.sequence == NUMBERS_END - 1
    unknown = address(node="x" * 4000)
    assert len(refusal(open_address, unknown, MEMBERS).text) < 300
    assert code_of(open_address, NODE.seal(b"\xff", envelopes.ADDRESS), MEMBERS) == "ENVELOPE_SHAPE"


def test_a_book_of_addresses_has_one_digest_in_any_order_and_another_for_any_change() -> None:
    records = [make_address(node, sequence)[0] for sequence, node in enumerate((NODE, make_node("310115")))]
    assert book_digest(records) == book_digest(reversed(records))
    assert len({book_digest([]), book_digest(records), book_digest(records[:1])}) == 3
    records[0].sequence += 1
    assert book_digest(records) != book_digest([make_address(NODE, 0)[0], records[1]])
