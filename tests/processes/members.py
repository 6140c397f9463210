"""Calls of a node by somebody with a member's certificate and nothing else of ours: plain grpcio."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node.keys import KeyRing
from tests.processes.network import Town


def certificate_of(town: Town, node: str) -> tuple[bytes, bytes]:
    """(private key, certificate) of a node in PEM."""
    identity = KeyRing.open(town.home(node) / "keys", None).tls
    return identity.private_key_pem, identity.certificate_pem


def server_name(certificate_pem: bytes) -> str:
    """The name in a node's certificate, whatever address it is called at."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(names.get_values_for_type(x509.DNSName)[0])


@contextmanager
def connection(town: Town, caller: str, node: str) -> Iterator[grpc.Channel]:
    """A connection to a node's exchange port with the certificate of another one."""
    private_key, chain = certificate_of(town, caller)
    _, pinned = certificate_of(town, node)
    credentials = grpc.ssl_channel_credentials(pinned, private_key, chain)
    options = [("grpc.ssl_target_name_override", server_name(pinned))]
    with grpc.secure_channel(town.setting(node, "listen"), credentials, options) as channel:
        yield channel


def pem_files(town: Town, caller: str, node: str, folder: Path) -> tuple[Path, Path, Path, str]:
    """(key, certificate, pinned certificate, server name) for a program that takes files."""
    private_key, chain = certificate_of(town, caller)
    _, pinned = certificate_of(town, node)
    paths = (folder / "key.pem", folder / "certificate.pem", folder / "pinned.pem")
    for path, content in zip(paths, (private_key, chain, pinned), strict=True):
        path.write_bytes(content)
        path.chmod(0o600)
    assert x509.load_pem_x509_certificate(pinned).public_bytes(Encoding.PEM) == pinned
    return (*paths, server_name(pinned))
