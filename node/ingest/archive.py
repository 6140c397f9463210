"""The zip archive of a workbook: opened only where it is small enough, plain, and nothing but a workbook.

Everything is judged before it is spent: the size of the archive's directory before the directory is read, the
number of parts and what they unpack to before any is unpacked. zipfile unpacks no more of a part than its directory
entry says, so that what is checked there holds.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from node.core.errors import XinqiaoError
from node.core.limits import Limits

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_END = b"PK\x05\x06"
_END_BYTES = 22
_MOST_COMMENT_BYTES = 65_535
_LOCATOR = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_END_64_BYTES = 56
_ENCRYPTED_FLAG = 0x1
_RATIO_FROM_BYTES = 1024 * 1024  # a small part may be as empty as it likes

# What a part's name tells: (beginning or end of the name in small letters, code of the refusal).
_BARRED = (
    ("vbaproject.bin", "FILE_MACROS"),
    ("xl/macrosheets/", "FILE_MACROS"),
    ("xl/externallinks/", "FILE_EXTERNAL_LINKS"),
    ("xl/connections.xml", "FILE_EXTERNAL_LINKS"),
    ("xl/querytables/", "FILE_EXTERNAL_LINKS"),
)


def open_archive(file: IO[bytes], name: str, limits: Limits) -> zipfile.ZipFile:
    """Return the archive of a workbook in a file that can be read in any order.

    Raises FILE_TOO_LARGE, FILE_ENCRYPTED, FILE_MACROS, FILE_EXTERNAL_LINKS, FILE_FORMAT or FILE_WORKBOOK.
    """
    size = file.seek(0, 2)
    # (1) the directory, by its size
    with damage(name, "the archive"):
        directory_bytes = max(_directory_bytes(file, size))
        if directory_bytes > limits.max_workbook_directory_bytes:
            raise _too_large(name, f"its list of parts has {directory_bytes} bytes")
        file.seek(0)
        archive = zipfile.ZipFile(file)
    parts = archive.infolist()
    # (2) what it would unpack to
    _check_sizes(parts, size, name, limits)
    # (3) what it holds
    _check_kinds(parts, name)
    return archive


@contextmanager
def damage(name: str, where: str) -> Iterator[None]:
    """Turn what a damaged archive raises into FILE_WORKBOOK; where says which part was read."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, ValueError, KeyError) as why:
        raise XinqiaoError("FILE_WORKBOOK", name=name, detail=f"{where} is damaged") from why


def _directory_bytes(file: IO[bytes], size: int) -> Iterator[int]:
    """Yield what the archive's ends say of the size of its directory: the plain one, and that of large archives."""
    tail_bytes = min(size, _END_BYTES + _MOST_COMMENT_BYTES + _LOCATOR_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    # zipfile takes the last end record, or one at the very end; whichever it is, none may be too large.
    place = tail.find(_END)
    if place < 0:
        raise zipfile.BadZipFile
    while place >= 0:
        if len(tail) - place >= _END_BYTES:
            yield struct.unpack_from("<L", tail, place + 12)[0] % 0xFFFFFFFF
        if tail[max(place - _LOCATOR_BYTES, 0) : place].startswith(_LOCATOR):
            (offset,) = struct.unpack_from("<Q", tail, place - _LOCATOR_BYTES + 8)
            file.seek(min(offset, size))
            yield struct.unpack_from("<Q", file.read(_END_64_BYTES), 40)[0]
        place = tail.find(_END, place + 1)


def _check_sizes(parts: list[zipfile.ZipInfo], size: int, name: str, limits: Limits) -> None:
    if len(parts) > limits.max_workbook_parts:
        raise _too_large(name, f"{len(parts)} parts, at most {limits.max_workbook_parts} are read")
    unpacked = sum(part.file_size for part in parts)
    if unpacked > limits.max_workbook_unpacked_bytes:
        raise _too_large(name, f"it unpacks to {unpacked} bytes, at most {limits.max_workbook_unpacked_bytes} are read")
    for part in parts:
        if part.file_size > max(_RATIO_FROM_BYTES, limits.max_workbook_ratio * part.compress_size):
            detail = f"a part unpacks to more than {limits.max_workbook_ratio} times its size, as in a zip bomb"
            raise _too_large(name, detail)
    # Parts that lie over each other would unpack the same bytes again and again.
    if sum(part.compress_size for part in parts) > size or len({part.filename for part in parts}) < len(parts):
        raise XinqiaoError("FILE_WORKBOOK", name=name, detail="its parts lie over each other")


def _check_kinds(parts: list[zipfile.ZipInfo], name: str) -> None:
    names = {part.filename for part in parts}
    if any(part.flag_bits & _ENCRYPTED_FLAG for part in parts):
        raise XinqiaoError("FILE_ENCRYPTED", name=name)
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise XinqiaoError("FILE_WORKBOOK", name=name, detail="it is packed in a way that spreadsheets do not use")
    if "[Content_Types].xml" not in names:
        found = "an OpenDocument file (ods)" if "mimetype" in names else "a zip archive"
        raise XinqiaoError("FILE_FORMAT", name=name, found=found)
    for part in sorted(names):
        small = part.lower()
        for mark, code in _BARRED:
            if small.startswith(mark) or small.endswith(mark):
                raise XinqiaoError(code, name=name, detail=part[:80])


def _too_large(name: str, detail: str) -> XinqiaoError:
    return XinqiaoError("FILE_TOO_LARGE", name=name, detail=detail)
