"""Files that survive a power cut whole: the old content or the new one, never a part."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Disk:
    """Writes and removes files so that what was done stays done."""

    def write(self, path: Path, content: bytes) -> None:
        """Put a file in place atomically; it is on the disk when this returns."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # The same name for every attempt: a crash leaves at most one partial file beside each, overwritten next time.
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        # The rename itself is only certain once the folder is written.
        sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file while the block runs; yields whether it is held. Without `wait` it may not be.

    The lock belongs to the open file, so a killed process leaves none behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield True


def holder(path: Path) -> str:
    """The process id that a lock file names, for an error's text."""
    return path.read_text().strip() or "unknown"
