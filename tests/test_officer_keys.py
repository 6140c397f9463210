"""An officer's key and passphrase: from every source there is, never from an argument, and never readable by others."""

import os
import stat
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from node.core.suites import to_text
from node.keys import Passphrase, generate, write_key
from node.keys.officer import (
    VARIABLE,
    key_file,
    make_key,
    officer_passphrase,
    open_officer_key,
    public_key_in,
)

SECRET = Passphrase("correct horse 马".encode())


def given(text: bytes) -> int:
    """A descriptor from which a text can be read."""
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    return reading


def test_a_key_is_encrypted_private_and_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = key_file(tmp_path, "李明")
    signer = make_key(path, SECRET)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)] == [0o700, 0o600]
    assert open_officer_key(path, SECRET).key_id == signer.key_id
    for wrong in (None, Passphrase(b"wrong")):
        with pytest.raises(XinqiaoError, match="OFFICER_PASSPHRASE"):
            open_officer_key(path, wrong)
    with pytest.raises((XinqiaoError, FileExistsError)):
        make_key(path, SECRET)
    path.chmod(0o640)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        open_officer_key(path, SECRET)


@pytest.mark.parametrize("suite", ["ed25519", "ecdsa-p256-sha256"])
def test_an_own_key_of_any_suite_opens_where_it_lies(tmp_path: Path, suite: str) -> None:
    signer = generate(suite)
    write_key(tmp_path / "own.pem", signer, None)
    assert open_officer_key(tmp_path / "own.pem", None).key_id == signer.key_id
    assert public_key_in(to_text(signer.public)).key_id == signer.key_id


@pytest.mark.parametrize("text", ["", "ed25519", "ed25519:x", "sm2:AAAA", "ed25519:AAAA"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(XinqiaoError, match="ARGUMENT_INVALID"):
        public_key_in(text)


def test_the_first_source_that_there_is_counts(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.touch(0o600)
    file.write_bytes(SECRET.reveal() + b"\n")
    environment = {VARIABLE: "other"}
    assert officer_passphrase(file, None, environment, None) == SECRET
    assert officer_passphrase(None, given(SECRET.reveal() + b"\r\n"), environment, None) == SECRET
    assert officer_passphrase(None, None, environment, lambda: "asked") == Passphrase(b"other")
    assert officer_passphrase(None, None, {}, lambda: "asked") == Passphrase(b"asked")
    assert officer_passphrase(None, None, {}, None) is None


def test_an_empty_or_unreadable_source_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch(0o600)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        officer_passphrase(file, None, {}, None)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        officer_passphrase(None, given(b"\n"), {}, None)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        officer_passphrase(None, 987, {}, None)
    with pytest.raises(XinqiaoError, match="KEY_FILE"):
        officer_passphrase(None, None, {VARIABLE: ""}, None)
