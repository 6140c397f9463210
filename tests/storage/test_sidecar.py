"""The sidecar keeps the signed heads, whole or not at all."""

import os
from pathlib import Path

import pytest

from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.storage.sidecar import FileSidecar

HEADS = {("310000/b", 0): HeadAt(3, b"b" * 32), ("310000/信", 1): HeadAt((1 << 64) - 1, bytes(32))}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    sidecar = FileSidecar(tmp_path / "heads.json")
    assert sidecar.read() is None
    for heads in (HEADS, {}):
        sidecar.write("incarnation", heads)
        assert FileSidecar(tmp_path / "heads.json").read() == ("incarnation", heads)
    assert [file.name for file in tmp_path.iterdir()] == ["heads.json"]
    assert (tmp_path / "heads.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"incarnation": "x"}',
        b'{"incarnation": 7, "heads": []}',
        b'{"incarnation": "x", "heads": [7]}',
        b'{"incarnation": "x", "heads": [{"channel": "c", "epoch": 0, "size": 1}]}',
        b'{"incarnation": "x", "heads": [{"channel": "c", "epoch": 0, "size": -1, "root": "' + b"00" * 32 + b'"}]}',
        b'{"incarnation": "x", "heads": [{"channel": "c", "epoch": true, "size": 1, "root": "' + b"00" * 32 + b'"}]}',
        b'{"incarnation": "x", "heads": [{"channel": "c", "epoch": 0, "size": 1, "root": "00"}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_anything_else_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "heads.json").write_bytes(content)
    assert FileSidecar(tmp_path / "heads.json").read() is None


@pytest.mark.parametrize("cut", range(0, 200, 7))
def test_a_part_of_the_file_counts_as_missing(tmp_path: Path, cut: int) -> None:
    sidecar = FileSidecar(tmp_path / "heads.json")
    sidecar.write("incarnation", HEADS)
    content = (tmp_path / "heads.json").read_bytes()
    (tmp_path / "heads.json").write_bytes(content[:cut])
    assert sidecar.read() is None


def test_a_write_that_fails_is_named_and_leaves_the_old_heads(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    sidecar = FileSidecar(home / "heads.json")
    sidecar.write("incarnation", HEADS)
    os.rename(home, tmp_path / "moved")
    with pytest.raises(XinqiaoError) as caught:
        sidecar.write("incarnation", {})
    assert (caught.value.code, str(home) in caught.value.text) == ("DATABASE", True)
    assert FileSidecar(tmp_path / "moved" / "heads.json").read() == ("incarnation", HEADS)
