"""Texts in a terminal: a Chinese character is two columns wide, and a line may break beside it."""

import re
import unicodedata
from collections.abc import Iterator

# What may not begin a line, and what may not end one.
NOT_FIRST = frozenset("，。；：、！？）】》”’〕…·])")
NOT_LAST = frozenset("（【《“‘〔[(")
_FOLD = re.compile(r"(?<=[\u2e80-\u9fff\uff00-\uffef])\n(?=[\u2e80-\u9fff\uff00-\uffef])")
_PIECES = re.compile(r"\s+|[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]+|.", re.DOTALL)


def unfolded(text: str) -> str:
    """A text whose lines were folded between Chinese characters, each paragraph on one line there."""
    return _FOLD.sub("", text)


def columns(text: str) -> int:
    """How many columns a text takes."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def padded(text: str, width: int) -> str:
    """The text with spaces after it up to a number of columns."""
    return text + " " * max(0, width - columns(text))


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, broken at spaces and between Chinese characters."""
    lines: list[str] = []
    line = ""
    for piece in _unbroken(text):
        if columns(line + piece.rstrip()) <= width or not line:
            line += piece
        else:
            lines.append(line.rstrip())
            line = piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines


def _unbroken(text: str) -> Iterator[str]:
    """The pieces between which a line may break, each with the spaces after it."""
    piece = ""
    for each in _PIECES.findall(text):
        stays = not piece or each.isspace() or each[0] in NOT_FIRST or piece[-1] in NOT_LAST
        if stays:
            piece += " " if each.isspace() else each
        else:
            yield piece
            piece = each
    if piece:
        yield piece
