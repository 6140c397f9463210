"""An officer's own key: an Ed25519 key in an encrypted file, or any private key that the officer keeps elsewhere.

The passphrase comes from a file, a descriptor, the environment or a prompt; never from an argument.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from certs import profile
from node import files
from node.core.errors import XinqiaoError
from node.core.suites import ED25519, PublicKey, from_text
from node.keys.passphrase import MAX_PASSPHRASE_BYTES, Passphrase
from node.keys.signer import SoftwareSigner, generate, open_key, write_key

VARIABLE = "XINQIAO_OFFICER_PASSPHRASE"
FOLDER = "officers"


def key_file(home: Path, name: str) -> Path:
    """Where the key of an officer lies in a node's home, unless the officer keeps it elsewhere."""
    return home / FOLDER / f"{name}.pem"


def make_key(path: Path, passphrase: Passphrase) -> SoftwareSigner:
    """Make an officer's key in a new encrypted file; raises KEY_FILE, DISK_FULL, FileExistsError."""
    try:
        path.parent.mkdir(mode=files.PRIVATE_DIRECTORY, exist_ok=True)
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=error.strerror or error) from error
    signer = generate(ED25519)
    write_key(path, signer, passphrase)
    files.sync_directory(path.parent)
    return signer


def open_officer_key(path: Path, passphrase: Passphrase | None) -> SoftwareSigner:
    """Open an officer's key; raises KEY_FILE, OFFICER_PASSPHRASE."""
    try:
        return open_key(path, profile("officer_key")["suites"], passphrase)
    except XinqiaoError as error:
        if error.code == "KEY_PASSPHRASE":
            raise XinqiaoError("OFFICER_PASSPHRASE", file=path) from error
        raise


def is_encrypted(path: Path) -> bool:
    """Whether a key opens with a passphrase alone; raises KEY_FILE."""
    return b"BEGIN ENCRYPTED PRIVATE KEY" in files.read_private(path, MAX_PASSPHRASE_BYTES * 4)


def officer_passphrase(
    file: Path | None, descriptor: int | None, environ: Mapping[str, str], prompt: Callable[[], str] | None
) -> Passphrase | None:
    """The officer's passphrase from the first source there is, None without any; raises KEY_FILE for an empty one."""
    if file is not None:
        return _checked(file, files.read_private(file, MAX_PASSPHRASE_BYTES))
    if descriptor is not None:
        return _checked(f"/dev/fd/{descriptor}", _read(descriptor))
    if VARIABLE in environ:
        return _checked(VARIABLE, environ[VARIABLE].encode())
    return _checked("-", prompt().encode()) if prompt is not None else None


def _read(descriptor: int) -> bytes:
    try:
        with os.fdopen(descriptor, "rb") as opened:
            return opened.read(MAX_PASSPHRASE_BYTES)
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=f"/dev/fd/{descriptor}", detail=error.strerror or error) from error


def _checked(source: Path | str, secret: bytes) -> Passphrase:
    # Editors and `echo` end a file with a line break, which is no part of the passphrase.
    plain = secret.removesuffix(b"\n").removesuffix(b"\r")
    if not plain:
        raise XinqiaoError("KEY_FILE", file=source, detail="it holds no passphrase")
    return Passphrase(plain)


def public_key_in(text: str) -> PublicKey:
    """Read an officer's public key that people handed around; raises ARGUMENT_INVALID."""
    public = from_text(text, profile("officer_key")["suites"])
    if public is None:
        detail = f"{text[:40]!r} is no public key of the form ed25519:BASE64"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--public-key", detail=detail)
    return public
