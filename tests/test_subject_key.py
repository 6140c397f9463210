"""The key between the query log and the numbers of persons: made once, kept as the other keys are."""

import stat
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from node.keys import Passphrase, open_subject_key

SECRET = Passphrase(b"correct horse")


@pytest.mark.parametrize("passphrase", [None, SECRET])
def test_the_key_is_made_once_and_is_private(tmp_path: Path, passphrase: Passphrase | None) -> None:
    first, second = open_subject_key(tmp_path, passphrase), open_subject_key(tmp_path, passphrase)
    (file,) = tmp_path.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("queries.pem", 0o600)
    assert (first.id, first.leaf("x")) == (second.id, second.leaf("x"))
    assert (b"ENCRYPTED" in file.read_bytes()) is (passphrase is not None)


def test_two_nodes_make_two_keys(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert open_subject_key(tmp_path, None).id != open_subject_key(tmp_path / "other", None).id


def test_an_encrypted_key_opens_with_its_passphrase_alone_and_is_never_replaced(tmp_path: Path) -> None:
    made = open_subject_key(tmp_path, SECRET)
    for wrong in (None, Passphrase(b"wrong")):
        with pytest.raises(XinqiaoError, match="KEY_PASSPHRASE"):
            open_subject_key(tmp_path, wrong)
    assert open_subject_key(tmp_path, SECRET).id == made.id


def test_a_start_that_was_cut_short_leaves_no_half_a_key(tmp_path: Path) -> None:
    (tmp_path / ".queries.pem").write_bytes(b"-----BEGIN PRIV")
    assert open_subject_key(tmp_path, None).id == open_subject_key(tmp_path, None).id
    assert [each.name for each in tmp_path.iterdir()] == ["queries.pem"]
