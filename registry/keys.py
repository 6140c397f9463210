"""Keys of officers and of the registry itself: made, kept in files, named in text.

A public key is handed around as `suite:BASE64`, the base64 of its SubjectPublicKeyInfo in DER. A private key is
a PKCS#8 PEM file, readable by its owner only, encrypted where a passphrase is given.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from certs import profile
from node.core import pkcs8
from node.core.errors import XinqiaoError
from node.core.suites import PublicKey, from_text, load_public_key
from registry.disk import sync_folder

OFFICER_PASSPHRASE = "XINQIAO_OFFICER_PASSPHRASE"  # noqa: S105 - the name of a variable, not a passphrase
REGISTRY_PASSPHRASE = "XINQIAO_REGISTRY_PASSPHRASE"  # noqa: S105
MAX_KEY_FILE_BYTES = 16 * 1024


def generate(path: Path, passphrase: bytes | None) -> PublicKey:
    """Make an Ed25519 key and write it to a file that must not exist yet; raises KEY_FILE."""
    private = ed25519.Ed25519PrivateKey.generate()
    encoding = Encoding.DER if passphrase else Encoding.PEM
    content = private.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    if passphrase:
        file = profile("private_key_file")
        cost = pkcs8.ScryptCost(n=file["scrypt_n"], r=file["scrypt_r"], p=file["scrypt_p"])
        salt, iv = os.urandom(pkcs8.SALT_BYTES), os.urandom(pkcs8.IV_BYTES)
        content = pkcs8.encrypt(content, passphrase, cost, salt, iv)
    _write_private(path, content)
    return public_of(CryptoSigner(private))


def _write_private(path: Path, content: bytes) -> None:
    try:
        # O_EXCL: a key is never overwritten, whoever asks. 0600 from the first byte on.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=error.strerror or error) from error


def load(path: Path, passphrase: bytes | None, variable: str) -> CryptoSigner:
    """Open a private key; raises KEY_FILE, REGISTRY_PASSPHRASE."""
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=error.strerror or error) from error
    try:
        return CryptoSigner(load_pem_private_key(pem, passphrase if b"ENCRYPTED" in pem else None))
    except (TypeError, ValueError) as error:
        if b"ENCRYPTED" in pem:
            raise XinqiaoError("REGISTRY_PASSPHRASE", file=path, variable=variable) from error
        raise XinqiaoError("KEY_FILE", file=path, detail="it is no PKCS#8 private key in PEM") from error


def public_of(signer: CryptoSigner) -> PublicKey:
    """The public half of a private key."""
    return public_from_tuf(signer.public_key)


def public_from_tuf(key: Key) -> PublicKey:
    """The public key that TUF metadata names; raises REGISTRY_INVALID for a suite that officers do not use."""
    # securesystemslib keeps Ed25519 keys raw; its one way to a key object is this method.
    try:
        spki = key._crypto_key().public_bytes(  # type: ignore[attr-defined]  # noqa: SLF001
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    except (AttributeError, ValueError) as error:
        raise _unusable(key) from error
    for suite in profile("officer_key")["suites"]:
        public = load_public_key(suite, spki)
        if public is not None:
            return public
    raise _unusable(key)


def _unusable(key: Key) -> XinqiaoError:
    return XinqiaoError("REGISTRY_INVALID", source="the file", detail=f"the key {key.keyid[:16]!r} cannot be used")


def tuf_key(public: PublicKey) -> SSlibKey:
    """The key as TUF metadata holds it, under the key id that python-tuf computes by default."""
    return SSlibKey.from_crypto(public.key)


def public_key_in(text: str) -> PublicKey:
    """Read an officer's public key that people handed around; raises ARGUMENT_INVALID."""
    public = from_text(text, profile("officer_key")["suites"])
    if public is None:
        raise XinqiaoError(
            "ARGUMENT_INVALID",
            argument="--officer-key",
            detail=f"{text[:40]!r} is no key; give the line that `registry officer keygen` printed, e.g. ed25519:MCow…",
        )
    return public
