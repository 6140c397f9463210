"""The key that stands between the query log and the numbers of persons: made once, in a file beside the other keys.

    HOME/keys/queries.pem                 0600, PKCS#8, encrypted where a passphrase is given

It is kept as an Ed25519 key so that it is guarded as the others are; it signs nothing, and no one sees its public half.
"""

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from node import files
from node.core.query_log import SubjectKey
from node.core.suites import ED25519
from node.keys.passphrase import Passphrase
from node.keys.signer import generate, open_key, write_key

FILE = "queries.pem"
_DERIVED = b"xinqiao/query-subjects/v1\n"


def open_subject_key(directory: Path, passphrase: Passphrase | None) -> SubjectKey:
    """The node's key for subjects, made where there is none; raises KEY_FILE, KEY_PASSPHRASE, DISK_FULL."""
    path = directory / FILE
    if not path.exists():
        fresh = directory / f".{FILE}"
        fresh.unlink(missing_ok=True)  # of a start that was cut short
        write_key(fresh, generate(ED25519), passphrase)
        fresh.rename(path)
        files.sync_directory(directory)
    private = open_key(path, [ED25519], passphrase).private
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return SubjectKey(sha256(_DERIVED + raw).digest())
