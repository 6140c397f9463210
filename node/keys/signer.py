"""Private keys of a node: made, kept in PKCS#8 files, used for signing."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from certs import profile
from node import files
from node.core import pkcs8
from node.core.errors import XinqiaoError
from node.core.suites import ECDSA_P256, ED25519, SUITES, PublicKey, key_id_of, load_public_key
from node.keys.passphrase import Passphrase

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

MAX_KEY_FILE_BYTES = 16 * 1024

_GENERATE: dict[str, Callable[[], PrivateKey]] = {
    ED25519: ed25519.Ed25519PrivateKey.generate,
    ECDSA_P256: lambda: ec.generate_private_key(ec.SECP256R1()),
}


class SoftwareSigner:
    """A private key held in memory, bound to its suite; satisfies ports.Signer and envelope.SigningKey."""

    __slots__ = ("_private", "_public")

    def __init__(self, suite: str, private: PrivateKey) -> None:
        spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        public = load_public_key(suite, spki)
        if public is None:
            raise ValueError(f"the key is not of the suite {suite}")
        self._public = public
        self._private = private

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    @property
    def key_id(self) -> str:
        """Lower-case hex SHA-256 of the public key's SubjectPublicKeyInfo."""
        return self._public.key_id

    @property
    def suite(self) -> str:
        """The row of SUITES it signs by."""
        return self._public.suite

    def sign(self, message: bytes) -> bytes:
        """The signature over the message."""
        return SUITES[self.suite].sign(self._private, message)

    @property
    def private(self) -> PrivateKey:
        """The private key itself, for what makes its own signatures: certificates and TLS."""
        return self._private

    def encoded(self, encoding: Encoding) -> bytes:
        """The private key as unencrypted PKCS#8 in DER or PEM."""
        return self._private.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"SoftwareSigner({self.suite}, {self.key_id[:16]})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")


def generate(suite: str) -> SoftwareSigner:
    """Make a new key; raises ARGUMENT_INVALID for a suite that is not in the table."""
    make = _GENERATE.get(suite)
    if make is None:
        raise XinqiaoError("ARGUMENT_INVALID", argument="suite", detail=f"{suite!r} is none of {', '.join(_GENERATE)}")
    return SoftwareSigner(suite, make())


def write_key(path: Path, signer: SoftwareSigner, passphrase: Passphrase | None) -> None:
    """Write a private key to a file that must not exist yet, encrypted where there is a passphrase.

    Raises KEY_FILE, DISK_FULL.
    """
    try:
        files.write_new(path, _encoded(signer, passphrase))
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=error.strerror or error) from error


def _encoded(signer: SoftwareSigner, passphrase: Passphrase | None) -> bytes:
    if passphrase is None:
        return signer.encoded(Encoding.PEM)
    file = profile("private_key_file")
    cost = pkcs8.ScryptCost(n=file["scrypt_n"], r=file["scrypt_r"], p=file["scrypt_p"])
    salt, iv = os.urandom(pkcs8.SALT_BYTES), os.urandom(pkcs8.IV_BYTES)
    return pkcs8.encrypt(signer.encoded(Encoding.DER), passphrase.reveal(), cost, salt, iv)


def read_key(path: Path, suite: str, key_id: str, passphrase: Passphrase | None) -> SoftwareSigner:
    """Open a private key and see that it is the one expected there.

    An unencrypted file opens with and without a passphrase. Raises KEY_FILE, KEY_PASSPHRASE.
    """
    pem = files.read_private(path, MAX_KEY_FILE_BYTES)
    private = _decoded(path, pem, passphrase)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key_id_of(spki) != key_id:
        detail = f"it holds the key {key_id_of(spki)[:16]}, {key_id[:16]} belongs there"
        raise XinqiaoError("KEY_FILE", file=path, detail=detail)
    try:
        return SoftwareSigner(suite, private)
    except ValueError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=str(error)) from error


def open_key(path: Path, suites: Sequence[str], passphrase: Passphrase | None) -> SoftwareSigner:
    """Open a private key of one of some suites, whichever it is; raises KEY_FILE, KEY_PASSPHRASE."""
    private = _decoded(path, files.read_private(path, MAX_KEY_FILE_BYTES), passphrase)
    for suite in suites:
        with suppress(ValueError):
            return SoftwareSigner(suite, private)
    raise XinqiaoError("KEY_FILE", file=path, detail="it is of a kind that is not known here")


def _decoded(path: Path, pem: bytes, passphrase: Passphrase | None) -> Any:
    encrypted = b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    try:
        return load_pem_private_key(pem, passphrase.reveal() if encrypted and passphrase else None)
    except UnsupportedAlgorithm as error:
        raise XinqiaoError("KEY_FILE", file=path, detail="it is of a kind that is not known here") from error
    except (TypeError, ValueError) as error:
        # A wrong passphrase and a damaged ciphertext look the same; the likelier cause is named.
        if encrypted:
            raise XinqiaoError("KEY_PASSPHRASE", file=path) from error
        raise XinqiaoError("KEY_FILE", file=path, detail="it is no PKCS#8 private key in PEM") from error
