"""Files that hold what must not be lost or read by others: private from the first byte on, whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from node.core.errors import XinqiaoError

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
MEASURED_BYTES = 64 * 1024
_NOT_MINE = stat.S_IRWXG | stat.S_IRWXO


def write_new(path: Path, content: bytes) -> None:
    """Write a private file that must not exist yet, and sync it; raises FileExistsError, DISK_FULL."""
    # The mode is part of the creation: between open and a chmod others could open it.
    with (
        _full_disk_named(path),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as f,
    ):
        f.write(content)
        f.flush()
        os.fsync(f.fileno())


def replace(path: Path, content: bytes) -> None:
    """Put new content in a file's place, so that a crash leaves the old or the new one; raises DISK_FULL."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(fresh, content)
        # (1) a crash before this line leaves the old file and a hidden stray one
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    # (2) a power cut before this line may bring the old file back
    sync_directory(path.parent)


def timed_write(directory: Path, clock_s: Callable[[], float]) -> int:
    """Milliseconds that a new file takes until it would survive a power cut; raises DISK_FULL, FILE_ACCESS."""
    path, began_s = directory / f".measured.{secrets.token_hex(4)}", clock_s()
    try:
        write_new(path, bytes(MEASURED_BYTES))
        sync_directory(directory)
        return int((clock_s() - began_s) * 1000)
    except OSError as error:
        raise XinqiaoError("FILE_ACCESS", file=directory, detail=error.strerror or error) from error
    finally:
        with suppress(OSError):
            path.unlink()


def sync_directory(path: Path) -> None:
    """Make names that were created, replaced or removed in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path, max_bytes: int) -> bytes:
    """Read a file that only its owner may read; raises KEY_FILE where anybody else may."""
    try:
        # O_NONBLOCK: a pipe in its place is refused below and does not hang the node here.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise XinqiaoError("KEY_FILE", file=path, detail=error.strerror or error) from error
    with os.fdopen(descriptor, "rb") as file:
        # What is asked is the file that was opened, not the name, which could change meanwhile.
        fault = _fault(os.fstat(file.fileno()), stat.S_ISREG)
        if fault:
            raise XinqiaoError("KEY_FILE", file=path, detail=fault)
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise XinqiaoError("KEY_FILE", file=path, detail=f"it has more than {max_bytes} bytes")
    return content


def directory_fault(path: Path) -> str | None:
    """What is wrong with a directory that only its owner may enter, None where nothing is; a link is never one."""
    try:
        return _fault(path.lstat(), stat.S_ISDIR)
    except OSError as error:
        return error.strerror or str(error)


def _fault(found: os.stat_result, is_of_kind: Callable[[int], bool]) -> str | None:
    if not is_of_kind(found.st_mode):
        return "it is of another kind (link, pipe, directory or file)"
    if found.st_uid not in (os.geteuid(), 0):
        return f"it belongs to the user {found.st_uid}, this process runs as {os.geteuid()}"
    if found.st_mode & _NOT_MINE:
        return f"others may use it (mode {stat.S_IMODE(found.st_mode):04o}); take the rights of group and others away"
    return None


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise XinqiaoError("DISK_FULL", home=path.parent) from error
        raise
