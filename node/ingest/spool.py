"""Private files without a name, for what needs to be read in any order: the system removes them, however it ends."""

import errno
from collections.abc import Iterable
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from node.core.errors import XinqiaoError
from node.core.limits import Limits

IN_MEMORY_BYTES = 4 * 1024 * 1024
Spool = IO[bytes]


def new_spool(directory: Path | None) -> Spool:
    """Return a file that lives in memory while it is small, and then in a directory, where it never has a name.

    directory None means the system's place for temporary files; a node gives its home, which only its owner enters.
    """
    return SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(directory) if directory is not None else None)


def spool(pieces: Iterable[bytes], directory: Path | None, name: str, limits: Limits) -> Spool:
    """Return a file's bytes as one that can be read in any order; raises FILE_TOO_LARGE, DISK_FULL."""
    kept = new_spool(directory)
    try:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > limits.max_workbook_bytes:
                detail = f"more than {limits.max_workbook_bytes} bytes"
                raise XinqiaoError("FILE_TOO_LARGE", name=name, detail=detail)
            write(kept, piece, directory)
    except BaseException:
        kept.close()
        raise
    kept.seek(0)
    return kept


def write(kept: Spool, piece: bytes, directory: Path | None) -> None:
    """Append to a spooled file; raises DISK_FULL."""
    try:
        kept.write(piece)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise XinqiaoError("DISK_FULL", home=directory or "the temporary directory") from error
        raise
