"""A search for values that must not be there: in every form they could be written in, inside whatever holds them.

search = Search({"person 7": ["319900195001019778", ...]})
search.in_bytes(content)                   what was found, [] where nothing was
search.in_file(path); search.in_folder(path)

Forms: UTF-8, GB18030, UTF-16 either way, either way round, hex, base64 at each of its three alignments, URL, JSON and
HTML escapes, numbers of 8 bytes, and the digests by which a value of so few digits is found by trying them all. Inside:
zip members, gzip and zlib streams, zstd frames, and the cells of SQLite databases beside their raw pages.
"""

import base64
import gzip
import hashlib
import io
import json
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import zstandard

ANCHOR_BYTES = 8
DEEPEST = 4
MOST_UNPACKED_BYTES = 64 << 20
SQLITE_MAGIC = b"SQLite format 3\x00"
DIGESTS = ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b")


def forms(value: str) -> Iterator[tuple[str, bytes]]:
    """Every form in which a value could stand somewhere: (name of the form, its bytes)."""
    plain = value.encode()
    for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be"):
        yield encoding, value.encode(encoding)
    yield "reversed", plain[::-1]
    yield "reversed utf-8", value[::-1].encode()
    yield from _written("", plain)
    yield from _written("utf-16 ", value.encode("utf-16-le"))
    if not value.isascii():
        yield "URL", quote(value).encode()
        yield "JSON", json.dumps(value).strip('"').encode()
        yield "HTML", "".join(f"&#{ord(character)};" for character in value).encode()
    if value.isdigit():
        for order in ("little", "big"):
            yield f"number, {order}", int(value).to_bytes(ANCHOR_BYTES, order)
    for name in DIGESTS:
        yield from digest_forms(name, hashlib.new(name, plain).digest())


def digest_forms(name: str, digest: bytes) -> Iterator[tuple[str, bytes]]:
    """A digest as its bytes, in hex and in base64."""
    yield name, digest
    yield from _written(f"{name} ", digest)


def _written(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield f"{name}hex", content.hex().encode()
    yield f"{name}HEX", content.hex().upper().encode()
    for shift in range(3):
        # Characters that hold bits of a neighbour are left out: what stands before and after it is not known.
        coded = base64.b64encode(bytes(shift) + content).rstrip(b"=")
        inner = coded[(shift * 8 + 5) // 6 : (shift + len(content)) * 8 // 6]
        yield f"{name}base64", inner
        yield f"{name}base64url", inner.translate(bytes.maketrans(b"+/", b"-_"))


class Search:
    """Looks for all forms of all values in one pass; digests adds further byte strings by name."""

    def __init__(self, values: Mapping[str, Iterable[str]], digests: Mapping[str, bytes] | None = None) -> None:
        self._by_anchor: dict[bytes, list[tuple[bytes, str]]] = {}
        self.patterns = 0
        for owner, each in values.items():
            for value in each:
                for form, pattern in forms(value):
                    self._add(pattern, f"{owner}: {value} as {form}")
        for owner, digest in (digests or {}).items():
            for form, pattern in digest_forms("digest", digest):
                self._add(pattern, f"{owner} as {form}")

    def _add(self, pattern: bytes, name: str) -> None:
        assert len(pattern) >= ANCHOR_BYTES, f"{name} is too short to be told from chance"
        self._by_anchor.setdefault(pattern[:ANCHOR_BYTES], []).append((pattern, name))
        self.patterns += 1

    def in_bytes(self, content: bytes, depth: int = 0) -> list[str]:
        """What is found in these bytes and in what is packed in them, each once."""
        found = dict.fromkeys(self._here(content))
        if depth < DEEPEST:
            for inner in _unpacked(content):
                found |= dict.fromkeys(self.in_bytes(inner, depth + 1))
        return list(found)

    def _here(self, content: bytes) -> Iterator[str]:
        anchors = self._by_anchor
        for at in range(len(content) - ANCHOR_BYTES + 1):
            candidates = anchors.get(content[at : at + ANCHOR_BYTES])
            for pattern, name in candidates or ():
                if content.startswith(pattern, at):
                    yield name

    def in_file(self, path: Path) -> list[str]:
        """What is found in a file; of a database in its raw pages and in its cells, with the log beside it."""
        content = path.read_bytes()
        found = self.in_bytes(content)
        if content.startswith(SQLITE_MAGIC):
            cells = b"\x00".join(_cells(path))
            found += [f"{each}, in a cell" for each in self.in_bytes(cells)]
        return [f"{path.name}: {each}" for each in found]

    def in_folder(self, folder: Path) -> list[str]:
        """What is found in the names and the contents of all files of a folder."""
        paths = sorted(folder.rglob("*"))
        names = self.in_bytes("\n".join(str(path.relative_to(folder)) for path in paths).encode())
        found = [f"{folder.name}/{each}" for path in paths if path.is_file() for each in self.in_file(path)]
        return [f"{folder.name}, a name: {each}" for each in names] + found


# --- What is packed in bytes ------------------------------------------------------------------------------------


def _unpacked(content: bytes) -> Iterator[bytes]:
    if content.startswith(b"PK\x03\x04"):
        yield from _zip_members(content)
        return
    for at in _places(content, b"\x1f\x8b\x08"):
        yield from _attempt(lambda at=at: gzip.GzipFile(fileobj=io.BytesIO(content[at:])).read(MOST_UNPACKED_BYTES))  # type: ignore[misc]
    for second in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
        for at in _places(content, b"\x78" + second):
            yield from _attempt(lambda at=at: zlib.decompressobj().decompress(content[at:], MOST_UNPACKED_BYTES))  # type: ignore[misc]
    for at in _places(content, zstandard.MAGIC_NUMBER.to_bytes(4, "little")):
        yield from _attempt(lambda at=at: zstandard.ZstdDecompressor().decompressobj().decompress(content[at:]))  # type: ignore[misc]


def _zip_members(content: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    except zipfile.BadZipFile:
        return


def _places(content: bytes, mark: bytes) -> Iterator[int]:
    at = content.find(mark)
    while at >= 0:
        yield at
        at = content.find(mark, at + 1)


def _attempt(unpack: Callable[[], bytes]) -> Iterator[bytes]:
    try:
        found = unpack()
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return  # it only looked like the beginning of something packed
    if found:
        yield found


def _cells(path: Path) -> Iterator[bytes]:
    """Every cell of every table, read from a copy, so that nothing changes in the file or the log beside it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for ending in ("", "-wal"):
            source = path.with_name(path.name + ending)
            if source.exists():
                copy.with_name(copy.name + ending).write_bytes(source.read_bytes())
        connection = sqlite3.connect(copy)
        connection.text_factory = bytes
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                for row in connection.execute(f'SELECT * FROM "{name.decode()}"'):
                    yield from (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
        finally:
            connection.close()
