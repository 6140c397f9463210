"""The passphrase of a node's private keys: a file, the environment or a systemd credential; never an argument."""

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from node import files
from node.core.errors import XinqiaoError

VARIABLE = "XINQIAO_KEY_PASSPHRASE"
CREDENTIAL = "xinqiao-key-passphrase"
MAX_PASSPHRASE_BYTES = 4096


class Passphrase:
    """A passphrase that shows itself in no repr, log or pickle."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def reveal(self) -> bytes:
        """The bytes themselves, for the one call that needs them."""
        return self._secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Passphrase) and hmac.compare_digest(self._secret, other._secret)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Passphrase(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a passphrase is not pickled")


def find_passphrase(setting: Path | None, environ: Mapping[str, str]) -> Passphrase | None:
    """The passphrase from the file of the setting, else from the environment, else from systemd; None without any.

    An operator who named a source means it: an empty or unreadable one is an error. Raises KEY_FILE.
    """
    # (1) the file named by key_passphrase_file
    if setting is not None:
        return _of_file(setting, files.read_private(setting, MAX_PASSPHRASE_BYTES))
    # (2) the environment
    if VARIABLE in environ:
        return _checked(VARIABLE, environ[VARIABLE].encode())
    # (3) a systemd credential; systemd guards its directory, the file's own mode says nothing
    directory = environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory) / CREDENTIAL if directory else None
    if credential is not None and credential.exists():
        return _of_file(credential, _read(credential))
    return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PASSPHRASE_BYTES)
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=error.strerror or error) from error


def _of_file(path: Path, content: bytes) -> Passphrase:
    # Editors and `echo` end a file with a line break, which is no part of the passphrase.
    return _checked(path, content.removesuffix(b"\n").removesuffix(b"\r"))


def _checked(source: Path | str, secret: bytes) -> Passphrase:
    if not secret:
        raise XinqiaoError("KEY_FILE", file=source, detail="it holds no passphrase")
    return Passphrase(secret)
