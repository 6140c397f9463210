"""TLS certificates of a node: self-signed after the profile node_tls, trusted because the registry lists them."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import profile
from node.core.membership import spki_hash
from node.keys.signer import SoftwareSigner

_KEY_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
_EXTENDED_KEY_USAGES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
}


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A certificate in DER with its private key, as gRPC's credentials take them."""

    key_id: str
    certificate: bytes
    private_key_pem: bytes = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM."""
        return x509.load_der_x509_certificate(self.certificate).public_bytes(Encoding.PEM)

    @property
    def spki_sha256(self) -> bytes:
        """What a peer looks this node up by."""
        return spki_hash(self.certificate)


def target_name(node_id: str) -> str:
    """The DNS name in a node's certificates: the target-name override of a channel to it."""
    name: str = profile("node_tls")["dns_name"].format(id=node_id)
    return name


def make_certificate(node_id: str, network: str, signer: SoftwareSigner, now_ms: int) -> bytes:
    """A self-signed certificate in DER for the key, after the profile; network is empty before the node joins."""
    row = profile("node_tls")
    start = datetime.fromtimestamp(now_ms // 1000, UTC) - timedelta(seconds=row["backdate_s"])
    subject = _subject(node_id)
    uri = row["uri"].format(id=node_id, network=network.replace(":", ".") or row["network_before_join"])
    names = [x509.DNSName(target_name(node_id)), x509.UniformResourceIdentifier(uri)]
    certificate = (
        x509.CertificateBuilder(subject, subject, signer.private.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=row["validity_days"]))
        .add_extension(x509.BasicConstraints(ca=row["ca"], path_length=None), critical=True)
        .add_extension(_key_usage(row["key_usage"]), critical=True)
        .add_extension(_extended_key_usage(row["extended_key_usage"]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer.private, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.DER)


def expires_ms(certificate: bytes) -> int:
    """When a certificate in DER ends, in Unix ms."""
    return int(x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()) * 1000


def _subject(node_id: str) -> x509.Name:
    row = profile("node_tls")
    unique = secrets.token_hex(row["serial_number_attribute_hex_digits"] // 2)
    common_name = row["common_name"].format(id=node_id)
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common_name), x509.NameAttribute(NameOID.SERIAL_NUMBER, unique)]
    )


def _key_usage(named: list[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in named for usage in _KEY_USAGES})


def _extended_key_usage(named: list[str]) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([_EXTENDED_KEY_USAGES[usage] for usage in named])
