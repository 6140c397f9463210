"""The systems that may ask this node through its query port: HOME/query-clients.toml, written by `xinqiao client`.

    [clients.tax-portal]
    certificate = "-----BEGIN CERTIFICATE-----..."     its key is who it is
    unit = "..."                                       the unit it asks for, by unified social credit code
    matters = ["bidding.tender"]                       in which it may ask
    officers = ["li"]                                  for whom it may ask

The node follows the file without a restart: whoever is taken out of it gets nothing more, on connections that stand,
too. A file that cannot be read lets nobody in.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from node import files
from node.core.errors import XinqiaoError
from node.core.identifiers import is_uscc
from node.core.matters import is_matter_code
from node.core.membership import spki_hash
from node.core.officers import check_name

FILE = "query-clients.toml"
MAX_FILE_BYTES = 1024 * 1024
MAX_CLIENTS = 256
MIN_RSA_BITS = 2048
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FIELDS = ("certificate", "unit", "matters", "officers")


@dataclass(frozen=True, slots=True)
class QueryClient:
    """One system: its name here, its certificate in DER, and what it may ask."""

    name: str
    certificate: bytes
    unit: str
    matters: tuple[str, ...]
    officers: tuple[str, ...]

    @property
    def spki_sha256(self) -> bytes:
        """What it is known by."""
        return spki_hash(self.certificate)

    def why_not(self, unit: str, matter: str, officer: str) -> str:
        """Why it may not ask for a unit, in a matter, for an officer; empty where it may."""
        asked: tuple[tuple[str, tuple[str, ...], str], ...] = (
            (unit, (self.unit,), "for the unit"),
            (matter, self.matters, "in the matter"),
            (officer, self.officers, "for the officer"),
        )
        return next(
            (f"it is not registered {what} {given[:64]}" for given, known, what in asked if given not in known), ""
        )


class QueryClients:
    """The table of a home; each reading follows the file."""

    def __init__(self, home: Path) -> None:
        self.path = home / FILE
        self._known: tuple[tuple[int, ...] | None, Mapping[str, QueryClient]] = None, {}
        self._by_key: Mapping[bytes, QueryClient] = {}

    def all(self) -> Mapping[str, QueryClient]:
        """The clients by name; raises QUERY_CLIENTS."""
        seen = self._seen()
        if seen != self._known[0] or seen is None:
            found = self._read() if seen is not None else {}
            self._known = seen, found
            self._by_key = {client.spki_sha256: client for client in found.values()}
        return self._known[1]

    def by_key(self, spki_sha256: bytes) -> QueryClient | None:
        """The client with a public key; raises QUERY_CLIENTS."""
        self.all()
        return self._by_key.get(spki_sha256)

    def put(self, clients: Sequence[QueryClient]) -> None:
        """Write the table; raises DISK_FULL, QUERY_CLIENTS for what could not be read again."""
        document: dict[str, Any] = {"clients": {each.name: _as_row(each) for each in clients}}
        content = tomlkit.dumps(document).encode()
        self._parsed(content)
        files.replace(self.path, content)

    def _seen(self) -> tuple[int, ...] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> Mapping[str, QueryClient]:
        return self._parsed(files.read_private(self.path, MAX_FILE_BYTES))

    def _parsed(self, content: bytes) -> Mapping[str, QueryClient]:
        try:
            document = tomllib.loads(content.decode())
            if set(document) - {"clients"} or not isinstance(document.get("clients", {}), dict):
                raise ValueError("it has something else than clients")
            rows = document.get("clients", {})
            found = {name: _client(name, row) for name, row in rows.items()}
            _check_together(list(found.values()))
        except (ValueError, XinqiaoError) as error:
            raise XinqiaoError("QUERY_CLIENTS", file=self.path, detail=error) from None
        return found


def read_certificate(content: bytes, now_ms: int) -> bytes:
    """The one certificate in a PEM file, in DER; raises ValueError with a sentence."""
    found = x509.load_pem_x509_certificates(content)
    if len(found) != 1:
        raise ValueError(f"it holds {len(found)} certificates, and a client shows one")
    if found[0].not_valid_after_utc.timestamp() * 1000 <= now_ms:
        raise ValueError("the certificate has expired")
    return found[0].public_bytes(Encoding.DER)


def make_client(
    name: str, certificate: bytes, unit: str, matters: Sequence[str], officers: Sequence[str]
) -> QueryClient:
    """A client of these values; raises ValueError with a sentence, OFFICER_NAME."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: 1 to 32 lower-case letters, digits and '-'")
    if not is_uscc(unit):
        raise ValueError(f"{unit!r} is no unified social credit code (GB 32100)")
    if not matters or not officers:
        raise ValueError("a client asks in at least one matter, and for at least one officer")
    wrong = [matter for matter in matters if not is_matter_code(matter)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no code of a matter")
    for officer in officers:
        check_name(officer)
    _check_key(certificate)
    return QueryClient(name, certificate, unit, tuple(dict.fromkeys(matters)), tuple(dict.fromkeys(officers)))


def _client(name: str, row: Any) -> QueryClient:
    if not isinstance(row, dict) or set(row) != set(_FIELDS):
        raise ValueError(f"{name!r} does not have the fields {', '.join(_FIELDS)}")
    texts = (row["certificate"], row["unit"])
    lists = (row["matters"], row["officers"])
    if not all(isinstance(each, str) for each in texts) or not all(_is_texts(each) for each in lists):
        raise ValueError(f"{name!r} has a field of another kind")
    certificate = x509.load_pem_x509_certificate(row["certificate"].encode()).public_bytes(Encoding.DER)
    return make_client(name, certificate, row["unit"], *lists)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _check_key(certificate: bytes) -> None:
    key = x509.load_der_x509_certificate(certificate).public_key()
    is_strong = isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey)
    if not is_strong and not (isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS):
        raise ValueError(f"its key is neither of an elliptic curve nor RSA of at least {MIN_RSA_BITS} bits")


def _check_together(clients: Sequence[QueryClient]) -> None:
    """What no single client shows; of two roots with one subject, TLS tries the first alone."""
    if len(clients) > MAX_CLIENTS:
        raise ValueError(f"there are more than {MAX_CLIENTS} clients")
    if len({each.spki_sha256 for each in clients}) != len(clients):
        raise ValueError("two clients have one key")
    subjects = [x509.load_der_x509_certificate(each.certificate).subject.public_bytes() for each in clients]
    if len(set(subjects)) != len(subjects):
        raise ValueError("two certificates have one subject, and TLS would try the first alone")


def _as_row(client: QueryClient) -> dict[str, Any]:
    pem = x509.load_der_x509_certificate(client.certificate).public_bytes(Encoding.PEM).decode()
    return {
        "certificate": tomlkit.string(pem, multiline=True),
        "unit": client.unit,
        "matters": list(client.matters),
        "officers": list(client.officers),
    }
