"""Identities of simulated nodes: the same from the same seed everywhere, and good enough for the real checks."""

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.membership import open_descriptor, spki_hash
from node.pb import registry_pb2
from node.simulator.identity import START_MS, Identity, make_identity
from tests.simulator.elsewhere import printed_elsewhere

LATER_MS = START_MS + 600_000


def states(identity: Identity) -> list[str]:
    """The states of the signing keys in the descriptor, oldest first."""
    keys = identity.descriptor.message.signing_keys
    return [registry_pb2.KeyState.Name(key.state).removeprefix("KEY_STATE_").lower() for key in keys]


def listed_signers(listed: Identity, offered: Identity) -> int:
    """How many active keys of the listed descriptor have signed the offered one."""
    active = [key.public for key in listed.descriptor.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
    return len(envelopes.signers(offered.envelope, envelopes.NODE_DESCRIPTOR, active))


def test_every_simulation_begins_on_a_monday_at_midnight() -> None:
    assert datetime.fromtimestamp(START_MS / 1000, UTC).isoformat() == "2026-01-05T00:00:00+00:00"


def test_a_descriptor_passes_the_check_for_strangers_and_says_what_was_asked_for() -> None:
    made = make_identity("310115", "seed", level="district", parent="310000", authorities=("A", "B", "A"))
    opened = open_descriptor(made.envelope)
    assert opened == made.descriptor
    assert (made.id, made.level, made.parent, made.authorities) == ("310115", "district", "310000", ("A", "B"))
    assert (made.version, opened.message.division, states(made)) == (1, "310115", ["active"])
    assert make_identity("hub", "seed").descriptor.message.division == ""


def test_what_is_no_node_is_refused_as_anywhere() -> None:
    for node, level in (("31", "city"), ("310115", "village")):
        with pytest.raises(XinqiaoError) as caught:
            make_identity(node, "seed", level=level)
        assert caught.value.code == "JOIN_REQUEST"


def test_the_certificate_is_the_nodes_own_and_has_its_key() -> None:
    made = make_identity("310115", "seed")
    assert made.descriptor.own_spki_hashes == {made.tls.spki_sha256}
    private, certificate = made.tls.pair
    assert x509.load_pem_x509_certificate(certificate) == x509.load_der_x509_certificate(made.certificate)
    assert load_pem_private_key(private, None).public_key() == x509.load_pem_x509_certificate(certificate).public_key()
    assert spki_hash(made.certificate) == made.tls.spki_sha256


def test_other_seeds_and_other_nodes_have_other_keys() -> None:
    made = [make_identity(node, seed) for node in ("310115", "310116") for seed in ("one", "two")]
    assert len({each.signer.key_id for each in made}) == len({each.tls.spki_sha256 for each in made}) == 4


def test_a_private_key_is_not_shown() -> None:
    made = make_identity("310115", "seed")
    secret = made.signer.private.private_bytes_raw()  # type: ignore[union-attr]
    assert secret.hex() not in repr(made)
    assert repr(secret)[2:-1] not in repr(made)


def test_a_signature_verifies_under_the_listed_key() -> None:
    made = make_identity("310115", "seed").rotate(LATER_MS)
    assert made.descriptor.signing_keys[-1].public.verifies(made.signer.sign(b"entry"), b"entry")
    assert not made.descriptor.signing_keys[0].public.verifies(made.signer.sign(b"entry"), b"entry")


# --- Rotation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("revoke", "ended"), [(False, "retired"), (True, "revoked")])
def test_a_rotation_ends_the_old_key_and_is_signed_by_it(revoke: bool, ended: str) -> None:
    old = make_identity("310115", "seed")
    new = old.rotate(LATER_MS, revoke=revoke)
    assert (new.version, states(new), states(old)) == (2, [ended, "active"], ["active"])
    assert new.signer.key_id == new.descriptor.message.signing_keys[1].key_id
    assert listed_signers(old, new) == 1
    assert new.descriptor.message.signing_keys[0].not_after_unix_ms == LATER_MS
    assert new.certificate == old.certificate
    third = new.rotate(LATER_MS + 1)
    assert states(third) == [ended, "retired", "active"]
    assert third.descriptor.message.signing_keys[0] == new.descriptor.message.signing_keys[0]


def test_a_rotation_in_steps_names_both_keys_before_the_new_one_signs() -> None:
    old = make_identity("310115", "seed")
    both = old.introduce(LATER_MS)
    assert (both.version, states(both), both.signer) == (2, ["active", "active"], old.signer)
    switched = both.switch()
    assert (switched.version, switched.envelope) == (2, both.envelope)
    assert switched.signer.key_id == both.descriptor.message.signing_keys[1].key_id
    new = switched.end_others(LATER_MS, revoke=True)
    assert (new.version, states(new), new.signer) == (3, ["revoked", "active"], switched.signer)
    assert listed_signers(both, new) == 1


# --- Determinism --------------------------------------------------------------------------------------------

SCRIPT = """
import hashlib
from tests.simulator.test_identity import digest
print(digest())
"""


def digest() -> str:
    """The hash of all that two identities and their rotations show."""
    found = hashlib.sha256()
    for node in ("310115", "hub"):
        made = make_identity(node, "seed", parent="310000", authorities=("A", "B"))
        for each in (made, made.rotate(LATER_MS), made.introduce(LATER_MS).switch().end_others(LATER_MS)):
            found.update(each.envelope.SerializeToString(deterministic=True) + each.tls.pair[0])
    return found.hexdigest()


def test_two_processes_make_the_same_bytes() -> None:
    assert printed_elsewhere(SCRIPT) == [digest()] * 2


def test_the_bytes_are_those_of_every_machine() -> None:
    assert digest() == "8fe79a04c2b36528c418769e28a89594aa03204d095f37a346fad0d52d1d7076"
