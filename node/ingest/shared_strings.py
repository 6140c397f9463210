"""The shared strings of a workbook: kept outside of memory, since a large workbook has millions of them.

They are written to a private file in blocks of 64, of which the ones used last are kept. Spreadsheets number strings
as they first appear, so that rows in order need blocks in order.
"""

import re
from array import array
from collections import OrderedDict
from pathlib import Path
from zipfile import ZipFile

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.ingest.spool import new_spool, write
from node.ingest.xml_parts import Part

_BLOCK_BITS = 6
_BLOCK = 1 << _BLOCK_BITS
_WRITE_BYTES = 1024 * 1024
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_STRING_COST_BYTES = 60  # of a string in memory, beside its characters


def unescape(text: str) -> str:
    """Return a text with _xHHHH_ replaced by the character meant (ECMA-376 part 1, 22.9.2.19)."""
    return text if "_x" not in text else _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


class SharedStrings:
    """The strings of a workbook by number."""

    def __init__(self, directory: Path | None, limits: Limits) -> None:
        self._file = new_spool(directory)
        self._directory = directory
        self._limits = limits
        self._starts = array("Q", [0])
        self._cache: OrderedDict[int, list[str]] = OrderedDict()
        self._cached_bytes = 0
        self._block: list[str] = []
        self._unwritten = bytearray()
        self._count = 0

    def add(self, text: str) -> None:
        """Append a string."""
        self._block.append(text)
        self._count += 1
        if len(self._block) == _BLOCK:
            self._end_block()

    def _end_block(self) -> None:
        # XML cannot hold a zero character, so it separates; halves of characters, which escapes can make, survive.
        piece = "\0".join(self._block).encode("utf-8", "surrogatepass")
        self._unwritten += piece
        self._starts.append(self._starts[-1] + len(piece))
        self._block.clear()
        if len(self._unwritten) >= _WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        write(self._file, bytes(self._unwritten), self._directory)
        self._unwritten.clear()

    def end(self) -> None:
        """Write what is left; strings can be asked for from now on."""
        if self._block:
            self._end_block()
        self._flush()

    def get(self, number: int) -> str:
        """Return a string; raises IndexError for a number that none has."""
        if not 0 <= number < self._count:
            raise IndexError
        block = self._cache.get(number >> _BLOCK_BITS)
        if block is None:
            block = self._read(number >> _BLOCK_BITS)
        else:
            self._cache.move_to_end(number >> _BLOCK_BITS)
        return block[number & (_BLOCK - 1)]

    def _read(self, place: int) -> list[str]:
        start, end = self._starts[place], self._starts[place + 1]
        self._file.seek(start)
        block = self._file.read(end - start).decode("utf-8", "surrogatepass").split("\0")
        self._cache[place] = block
        self._cached_bytes += self._cost(place)
        while self._cached_bytes > self._limits.max_workbook_cache_bytes and len(self._cache) > 1:
            gone, _ = self._cache.popitem(last=False)
            self._cached_bytes -= self._cost(gone)
        return block

    def _cost(self, place: int) -> int:
        return self._starts[place + 1] - self._starts[place] + _BLOCK * _STRING_COST_BYTES

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
        self._cache.clear()


def read_shared_strings(
    archive: ZipFile, part: str, name: str, directory: Path | None, limits: Limits
) -> SharedStrings:
    """Return the strings of a part; raises FILE_WORKBOOK, FILE_XML_ENTITIES, DISK_FULL."""
    strings = SharedStrings(directory, limits)
    try:
        _parse(Part(archive, part, name, limits), strings, name, limits)
        strings.end()
    except BaseException:
        strings.close()
        raise
    return strings


def _parse(part: Part, strings: SharedStrings, name: str, limits: Limits) -> None:
    """Add every <si>: the texts <t> of its runs, without the <rPh> that says how they are pronounced."""
    parser = part.parser
    prefix: str | None = None
    texts: list[str] = []
    size = 0
    pronounced = False

    def add(text: str) -> None:
        nonlocal size
        size += len(text)
        if size > 2 * limits.max_cell_chars:
            raise XinqiaoError("FILE_WORKBOOK", name=name, detail="a cell holds more text than a spreadsheet allows")
        texts.append(text)

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal prefix, pronounced
        if prefix is None:
            prefix = tag.removesuffix("sst")
        tag = tag.removeprefix(prefix)
        if tag == "t" and not pronounced:
            parser.CharacterDataHandler = add
        elif tag == "rPh":
            pronounced = True

    def end(tag: str) -> None:
        nonlocal size, pronounced
        tag = tag.removeprefix(prefix or "")
        if tag == "t":
            parser.CharacterDataHandler = None
        elif tag == "rPh":
            pronounced = False
        elif tag == "si":
            strings.add(unescape("".join(texts)).replace("\0", "\ufffd"))
            texts.clear()
            size = 0

    parser.StartElementHandler, parser.EndElementHandler = start, end
    for _ in part.pieces():
        pass
