"""Reading editions: the JSON of registry targets that hold parameters, read strictly.

A key that is unknown, repeated or of another type refuses the whole edition, so that every node judges by the same
words or says it cannot.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from node.core.identifiers import iso_date
from node.core.limits import Limits


class EditionError(Exception):
    """What is wrong with an edition, and where."""


class Dated(Protocol):
    """An edition that is in force from a day (YYYY-MM-DD) until a later one is."""

    @property
    def version(self) -> str:
        """Its name."""

    @property
    def in_force_from(self) -> str:
        """Its first day."""


D = TypeVar("D", bound=Dated)


def latest(editions: Iterable[D], day: str) -> D | None:
    """The edition that came into force last by a day, then the highest version; None where none has."""
    begun = [edition for edition in editions if edition.in_force_from <= day]
    return max(begun, key=lambda edition: (edition.in_force_from, edition.version), default=None)


def read_json(payload: bytes, limits: Limits) -> "Reader":
    """Return a reader of the one object in these bytes; raises EditionError."""
    if len(payload) > limits.max_registry_file_bytes:
        raise EditionError(f"{len(payload)} bytes, at most {limits.max_registry_file_bytes} are allowed")
    try:
        content = json.loads(payload.decode(), object_pairs_hook=_unique, parse_float=_no_float)
    except (ValueError, RecursionError) as why:
        raise EditionError(f"not JSON: {why}") from None
    return Reader(content, "edition")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise EditionError(f"a key stands twice among {', '.join(key for key, _ in pairs)}")
    return dict(pairs)


def _no_float(text: str) -> float:
    raise EditionError(f"{text}: numbers are whole")


class Reader:
    """Takes known keys out of a JSON object; `end` refuses what is left."""

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, dict):
            raise EditionError(f"{where} is no object")
        self.content: dict[str, Any] = dict(content)
        self.where = where

    def _take(self, key: str, kind: type, default: Any) -> Any:
        value = self.content.pop(key, default)
        if value is None:
            raise EditionError(f"{self.where} lacks {key}")
        if type(value) is not kind:
            raise EditionError(f"{self.where}.{key} is no {kind.__name__}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Take a text; without a default it must be there and not be blank."""
        text: str = self._take(key, str, default)
        if default is None and not text.strip():
            raise EditionError(f"{self.where}.{key} is empty")
        return text

    def line(self, key: str, most: int) -> str:
        """Take a text of one line that has at most so many characters."""
        text = self.text(key)
        if len(text) > most or not text.isprintable():
            raise EditionError(f"{self.where}.{key} is not one line of at most {most} characters")
        return text

    def whole(self, key: str, most: int) -> int:
        """Take a whole number from 1 to most."""
        number: int = self._take(key, int, None)
        if not 1 <= number <= most:
            raise EditionError(f"{self.where}.{key} is not between 1 and {most}")
        return number

    def flag(self, key: str) -> bool:
        """Take true or false, false where it is left out."""
        flag: bool = self._take(key, bool, False)
        return flag

    def one_of(self, key: str, known: frozenset[str], default: str | None = None) -> str:
        """Take one of these texts."""
        text = self.text(key, default)
        if text != default and text not in known:
            raise EditionError(f"{self.where}.{key}: {text!r} is not one of {', '.join(sorted(known))}")
        return text

    def date(self, key: str, default: str | None = None) -> str:
        """Take a date written as YYYY-MM-DD."""
        text = self.text(key, default)
        if text != default and iso_date(text) is None:
            raise EditionError(f"{self.where}.{key}: {text!r} is no date")
        return text

    def entries(self, key: str, default: list[Any] | None = None, most: int | None = None) -> list[Any]:
        """Take a list, of at most so many entries."""
        found: list[Any] = self._take(key, list, default)
        if most is not None and len(found) > most:
            raise EditionError(f"{self.where}.{key} has {len(found)} entries, at most {most} are allowed")
        return found

    def texts(self, key: str, default: list[Any] | None = None, most: int | None = None) -> tuple[str, ...]:
        """Take a list of texts, none of them blank or twice, and at most so many."""
        found = self.entries(key, default, most)
        if not all(isinstance(text, str) and text.strip() for text in found):
            raise EditionError(f"{self.where}.{key} holds something that is no text")
        refuse_repeated(f"{self.where}.{key}", "text", found)
        return tuple(found)

    def sorted_texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts in ascending order, so that equal lists are written alike; none where it is left out."""
        found = self.entries(key, [])
        if not all(isinstance(text, str) and text.strip() for text in found) or found != sorted(set(found)):
            raise EditionError(f"{self.where}.{key} is no list of different texts in ascending order")
        return tuple(found)

    def objects(self, key: str, default: list[Any] | None = None, most: int | None = None) -> list["Reader"]:
        """Take a list of at most so many objects, each with a reader of its own."""
        found = enumerate(self.entries(key, default, most))
        return [Reader(entry, f"{self.where}.{key}[{place}]") for place, entry in found]

    def end(self) -> None:
        """Refuse keys that nothing took."""
        if self.content:
            raise EditionError(f"{self.where} has unknown keys: {', '.join(sorted(self.content))}")


def refuse_repeated(where: str, title: str, found: list[Any]) -> None:
    """Refuse a list in which something stands twice; where and title say of what."""
    repeated = sorted(str(one) for one, count in Counter(found).items() if count > 1)
    if repeated:
        raise EditionError(f"{where} has a {title} twice: {', '.join(repeated)}")
