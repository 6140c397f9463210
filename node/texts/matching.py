"""Finds the template that a rendered text was made from, in time linear in its length: it may come from a peer."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:![rs])?\}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A template taken apart: the fixed pieces, and the names of what stands between them."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]

    def values(self, text: str) -> dict[str, str] | None:
        """What stands where the names are, each as short as may be; None where the text is of another template."""
        first, *others = self.pieces
        if not text.startswith(first) or not text.endswith(self.pieces[-1]):
            return None
        if not others:
            return {} if text == first else None
        found: dict[str, str] = {}
        at, end = len(first), len(text) - len(others[-1])
        for name, piece in zip(self.names[:-1], others[:-1], strict=True):
            place = text.find(piece, at + 1, end)
            if place < 0:
                return None
            found[name] = text[at:place]
            at = place + len(piece)
        if at > end:
            return None
        found[self.names[-1]] = text[at:end]
        return found


def pattern_of(template: str) -> Pattern:
    """Take a template with {names} apart."""
    parts = PLACEHOLDER.split(template)
    return Pattern(tuple(parts[::2]), tuple(parts[1::2]))


class Phrases:
    """Templates with what each is in another language; the one with the most fixed text is tried first."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        ordered = sorted(texts.items(), key=lambda pair: -len(PLACEHOLDER.sub("", pair[0])))
        self._texts = [(pattern_of(template), other) for template, other in ordered]

    def find(self, text: str, inside: Callable[[str], str]) -> str | None:
        """The text in the other language, its values passed through `inside`; None where no template fits."""
        for pattern, other in self._texts:
            values = pattern.values(text)
            if values is not None:
                return filled(other, {name: inside(value) for name, value in values.items()})
        return None


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its {names} replaced; a name without a value stays visible, and no value is followed."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], f"<{found[1]}>"), template)


def names_in(templates: Iterable[str]) -> set[str]:
    """The names that templates have."""
    return {found[1] for template in templates for found in PLACEHOLDER.finditer(template)}
