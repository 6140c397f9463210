"""Mutual TLS between members: certificates are pinned by the registry, and identity is the public key.

Roots are the members' own self-signed certificates. A server takes every certificate the registry lists, those
of suspended and removed members too: they get a coded refusal, where a closed handshake would say nothing. A
client takes only the certificates of the one peer it dials.
"""

import hashlib
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from certs import profile
from node.core.errors import XinqiaoError
from node.core.membership import Members

Identity = Callable[[], tuple[bytes, bytes]]


def server_credentials(identity: Identity, roots: Callable[[], bytes]) -> grpc.ServerCredentials:
    """Credentials that ask for a client certificate and follow identity and roots without a restart.

    identity gives (private key, certificate chain) and roots the accepted certificates, all in PEM. Both are
    called at every handshake, in a thread of gRPC; connections that stand are not touched by what they say.
    """
    current = _read(identity, roots)

    def follow() -> Any:
        # None keeps what is in force: reading a thousand roots again for each handshake would be costly.
        nonlocal current
        before, current = current, _read(identity, roots)
        return None if current == before else _configuration(current)

    return grpc.dynamic_ssl_server_credentials(_configuration(current), follow, require_client_authentication=True)


def _read(identity: Identity, roots: Callable[[], bytes]) -> tuple[tuple[bytes, bytes], bytes]:
    return identity(), roots()


def _configuration(current: tuple[tuple[bytes, bytes], bytes]) -> Any:
    pair, roots = current
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)


def member_roots(members: Members) -> bytes:
    """The certificates of every listed member, whatever its standing, in PEM.

    A certificate that bears another node's name is left out: among roots of one subject only the first one
    works, so that a member could shut out another by listing a certificate in its name.
    """
    listed = ((member.id, cert) for member in members.by_id.values() for cert in member.descriptor.tls_certificates)
    return as_pem(certificate for node, certificate in listed if _names(certificate, node))


@lru_cache(maxsize=4096)
def _names(certificate: bytes, node: str) -> bool:
    try:
        attributes = x509.load_der_x509_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return False
    return [attribute.value for attribute in attributes] == [profile("node_tls")["common_name"].format(id=node)]


def channel_credentials(
    peer_certificates: Iterable[bytes], private_key_pem: bytes, chain_pem: bytes
) -> grpc.ChannelCredentials:
    """Credentials for one peer: any of its certificates (DER) will do, no other."""
    return grpc.ssl_channel_credentials(as_pem(peer_certificates), private_key_pem, chain_pem)


def as_pem(certificates: Iterable[bytes]) -> bytes:
    """Certificates in DER as one PEM bundle, each once."""
    return b"".join(_pem(certificate) for certificate in dict.fromkeys(certificates))


@lru_cache(maxsize=4096)
def _pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


@lru_cache(maxsize=1024)
def peer_name(certificate: bytes) -> str:
    """The first DNS name of a certificate (DER): the target-name override of a channel to its owner.

    Raises WIRE_REFUSED for a certificate without one.
    """
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        found = []
    if not found:
        raise XinqiaoError("WIRE_REFUSED", peer="the peer", detail="its listed certificate bears no DNS name")
    return found[0]


def shown_certificate(endpoint: str, timeout_s: float) -> x509.Certificate | None:
    """The certificate that whoever listens at HOST:PORT shows, verified by nothing; None where none is shown."""
    host, _, port = endpoint.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection,
            context.wrap_socket(connection) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(shown) if shown else None
    except (OSError, ValueError):
        return None


def spki_of(context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    """The SHA-256 of the caller's public key, which is who it is; raises MEMBER_UNKNOWN without a certificate."""
    shown = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    if shown is None:
        raise XinqiaoError("MEMBER_UNKNOWN", node="the caller")
    return _spki(bytes(shown))


@lru_cache(maxsize=4096)
def _spki(certificate_pem: bytes) -> bytes:
    public_key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    return hashlib.sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
