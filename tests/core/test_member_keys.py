"""Whose key is whose: the TLS key that a caller shows, and the keys that may still speak for a member."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.membership import open_descriptor, spki_hash
from node.core.receipt import open_receipt
from node.core.suites import ECDSA_P256
from node.keys.certificate import make_certificate
from node.keys.signer import SoftwareSigner, generate
from node.pb import registry_pb2
from tests.builders import (
    NETWORK,
    NOW_MS,
    ChannelWriter,
    SigningNode,
    list_keys,
    make_members,
    make_node,
    make_receipt,
    signing_key,
)


def with_certificates(node_id: str, certificates: Sequence[bytes]) -> SigningNode:
    """A member that lists these certificates, whoever they belong to."""
    node = make_node(node_id)
    descriptor = registry_pb2.NodeDescriptor()
    descriptor.CopyFrom(node.member.descriptor.message)
    del descriptor.tls_certificates[:]
    descriptor.tls_certificates.extend(registry_pb2.TlsCertificate(certificate=each) for each in certificates)
    envelope = envelopes.seal(descriptor.SerializeToString(), envelopes.NODE_DESCRIPTOR, node.signer)
    return replace(node, member=replace(node.member, descriptor=open_descriptor(envelope)))


def in_my_name(theirs: bytes, mine: bytes, signer: SoftwareSigner) -> bytes:
    """A certificate over their public key in my name, which only I can sign."""
    template, named = x509.load_der_x509_certificate(theirs), x509.load_der_x509_certificate(mine)
    builder = x509.CertificateBuilder().subject_name(named.subject).issuer_name(named.subject)
    builder = builder.public_key(template.public_key()).serial_number(7)
    builder = builder.not_valid_before(template.not_valid_before_utc).not_valid_after(template.not_valid_after_utc)
    return builder.sign(signer._private, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_member_that_lists_the_certificate_of_another_is_not_taken_for_it() -> None:
    certificate = make_certificate("330100", NETWORK, generate(ECDSA_P256), NOW_MS)
    own = make_certificate("310000", NETWORK, generate(ECDSA_P256), NOW_MS)
    # 310000 comes first in any order by id.
    members = make_members(with_certificates("310000", [own, certificate]), with_certificates("330100", [certificate]))
    found = members.by_tls_spki(spki_hash(certificate))
    assert found is not None
    assert found.id == "330100"


def test_a_certificate_over_the_key_of_another_in_ones_own_name_shows_no_possession() -> None:
    key = generate(ECDSA_P256)
    certificate = make_certificate("330100", NETWORK, generate(ECDSA_P256), NOW_MS)
    own = make_certificate("310000", NETWORK, key, NOW_MS)
    forged = in_my_name(certificate, own, key)
    assert spki_hash(forged) == spki_hash(certificate)
    members = make_members(with_certificates("310000", [own, forged]), with_certificates("330100", [certificate]))
    found = members.by_tls_spki(spki_hash(certificate))
    assert found is not None
    assert found.id == "330100"


def test_a_retired_key_still_speaks_for_its_receipts_and_a_revoked_one_does_not() -> None:
    node, successor = make_node("310115"), make_node("310115")
    writer = ChannelWriter(make_node("310000"), "310000/base")
    writer.manifest()
    receipt = make_receipt(node, writer.log)
    states = (registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_REVOKED)
    keys = [[signing_key(node.signer, state), signing_key(successor.signer)] for state in states]
    retired, revoked = (list_keys(node, listed, successor).member for listed in keys)
    assert open_receipt(receipt.envelope, retired, NETWORK).message.size == 1
    with pytest.raises(XinqiaoError, match="SIGNATURE"):
        open_receipt(receipt.envelope, revoked, NETWORK)
