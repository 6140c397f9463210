"""Physical lines of a file as text: bounded in length, in an encoding found while reading.

A file is read once, from front to back, so its encoding is settled where it first matters: at the first line
that is not ASCII, from a sample of the lines that follow. Lines before it read the same in either encoding.
Splitting comes before decoding, which is safe because neither UTF-8 nor GB18030 uses the byte of a line end
inside a character.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple, Protocol, runtime_checkable

from node.core.errors import XinqiaoError
from node.core.limits import Limits

PIECE_BYTES = 64 * 1024
ENCODINGS = ("utf-8", "gb18030")
_BOM = b"\xef\xbb\xbf"
_SHOWN_CHARS = 1000  # of a line that is too long to keep

_MAGIC = (
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"  # an xls, or any workbook behind a password
_OTHER_ENCODINGS = ((b"\xff\xfe", "it begins like UTF-16"), (b"\xfe\xff", "it begins like UTF-16"))


@runtime_checkable
class Readable(Protocol):
    """A binary file."""

    def read(self, size: int, /) -> bytes:
        """Return at most that many bytes, none at the end."""
        ...


class Line(NamedTuple):
    """One physical line with its line end; fault is a code where the text is not what the file holds."""

    text: str
    size: int
    fault: str = ""


def pieces_of(stream: Readable | Iterable[bytes]) -> Iterator[bytes]:
    """Yield a file's bytes in pieces."""
    if isinstance(stream, Readable):
        return iter(lambda: stream.read(PIECE_BYTES), b"")
    return iter(stream)


def sniff(pieces: Iterator[bytes], limits: Limits) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of a file, and all its pieces."""
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= limits.max_sniffed_bytes:
            break
    return head, chain([head], pieces)


def begin(head: bytes, pieces: Iterator[bytes], name: str) -> tuple[Iterator[bytes], bytes, bool]:
    """Return the pieces of a file without a byte order mark, its first character, and whether it had the mark.

    Raises XinqiaoError FILE_EMPTY, FILE_ENCRYPTED, FILE_FORMAT or FILE_ENCODING for what cannot be lines of text.
    """
    if not head.strip(_BOM + b" \t\r\n"):
        raise XinqiaoError("FILE_EMPTY", name=name)
    if head.startswith(_OLD_OFFICE):
        raise XinqiaoError("FILE_ENCRYPTED", name=name)
    for magic, found in _MAGIC:
        if head.startswith(magic):
            raise XinqiaoError("FILE_FORMAT", name=name, found=found)
    for magic, detail in (*_OTHER_ENCODINGS, (b"", "it holds zero bytes, as UTF-16 and binary files do")):
        if head.startswith(magic) and (magic or b"\x00" in head):
            raise XinqiaoError("FILE_ENCODING", name=name, detail=detail)
    marked = head.startswith(_BOM)
    first = next(pieces, b"").removeprefix(_BOM)
    return chain([first], pieces), first.lstrip()[:1], marked


def decode(pieces: Iterator[bytes], name: str, marked: bool, limits: Limits) -> Iterator[Line]:
    """Yield the lines of a file as text; marked says that a byte order mark announced UTF-8.

    Raises XinqiaoError FILE_ENCODING where the first two lines settle that it is neither encoding; damage that
    shows later costs only the rows it is in.
    """
    raw_lines = _split(pieces, limits)
    encoding = ENCODINGS[0] if marked else ""
    for number, raw in enumerate(raw_lines, start=1):
        if encoding or raw.isascii():
            yield _decode(raw, encoding or "ascii", limits)
            continue
        sample = [raw, *_take(raw_lines, limits.max_sniffed_bytes - len(raw))]
        encoding = _choose(sample)
        if not encoding:
            if number <= 2:
                raise XinqiaoError("FILE_ENCODING", name=name, detail="most lines decode as neither")
            encoding = ENCODINGS[0]
        for held in sample:
            yield _decode(held, encoding, limits)


def _split(pieces: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield lines with their ends; of a longer one only the first max_row_bytes + 1 bytes are kept."""
    most = limits.max_row_bytes + 1
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line[:most] + b"\n"
        rest = rest[:most]
    if rest:
        yield rest


def _take(raw_lines: Iterator[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (raw := next(raw_lines, None)) is not None:
        size -= len(raw)
        yield raw


def _choose(sample: list[bytes]) -> str:
    """Return the encoding in which most of the sample's lines that are not ASCII can be read, "" if in neither.

    Chinese text in GB18030 is hardly ever valid UTF-8 over a whole line, so UTF-8 is asked first, and a few
    damaged lines do not change the answer. Single words can be valid in both; read as UTF-8 they come out as
    letters of other scripts, below U+0800, which is then the less likely reading.
    """
    telling = [raw for raw in sample if not raw.isascii()]
    likely = [one for one in ENCODINGS if 2 * sum(_decodes(raw, one) for raw in telling) > len(telling)]
    if len(likely) > 1 and not any(max(raw.decode(likely[0], "ignore")) >= "\u0800" for raw in telling):
        return likely[1]
    return likely[0] if likely else ""


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _decode(raw: bytes, encoding: str, limits: Limits) -> Line:
    if len(raw) > limits.max_row_bytes:
        return Line(raw.decode(encoding, "replace")[:_SHOWN_CHARS], len(raw), "ROW_TOO_LONG")
    try:
        return Line(raw.decode(encoding), len(raw))
    except UnicodeDecodeError:
        return Line(raw.decode(encoding, "replace"), len(raw), "ROW_ENCODING")
