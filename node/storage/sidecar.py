"""The sidecar: which heads this node has signed, in a small file that no backup of the database brings back.

{"incarnation": "...", "heads": [{"channel": "...", "epoch": 0, "size": 7, "root": "<hex>"}, ...]}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node import files
from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.merkle import HASH_BYTES


class FileSidecar:
    """The HeadsSidecar in one file, replaced whole: a crash leaves the old heads or the new ones."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[str, Mapping[tuple[str, int], HeadAt]] | None:
        """(incarnation, heads), None when the file is missing or says anything else."""
        try:
            content = json.loads(self._path.read_bytes())
            return _text(content["incarnation"]), dict(_head(each) for each in content["heads"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        """Replace the file durably; raises DISK_FULL, DATABASE."""
        written = [
            {"channel": channel, "epoch": epoch, "size": head.size, "root": head.root.hex()}
            for (channel, epoch), head in sorted(heads.items())
        ]
        content = json.dumps({"incarnation": incarnation, "heads": written}, ensure_ascii=False, indent=1)
        try:
            files.replace(self._path, content.encode())
        except OSError as error:
            raise XinqiaoError("DATABASE", detail=f"{self._path}: {error.strerror}") from error


def _head(item: dict[str, Any]) -> tuple[tuple[str, int], HeadAt]:
    root = bytes.fromhex(item["root"])
    if len(root) != HASH_BYTES:
        raise ValueError("a root is not a hash")
    return (_text(item["channel"]), _whole(item["epoch"])), HeadAt(_whole(item["size"]), root)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a whole number")
    return value
