"""Texts in the language of the reader; each function gives the English source where there is no Chinese."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from node.core.errors import CODES, XinqiaoError
from node.texts.catalogue import chinese
from node.texts.language import is_chinese
from node.texts.matching import Phrases, filled

# How far a text inside a text is followed: an error may say what another node says that its registry says.
MAX_DEPTH = 4
MAX_PHRASE_CHARS = 2000
# Parameters that are prose of this program; every other one names something and is shown as it is.
PROSE = frozenset({"action", "because", "detail", "found", "reason", "said", "standing", "status", "what", "why"})
# These are names, too, but a few words of ours stand in where there is none, such as `the caller`.
NAMES = frozenset({"argument", "node", "peer", "source", "step", "version"})


@dataclass(frozen=True, slots=True)
class Told:
    """An error in words: what failed, who must act, the next step."""

    text: str
    who: str
    next: str


def words(template: str, **values: object) -> str:
    """A line of output: the English template, whose Chinese is looked up, with its {values} filled in."""
    chosen = chinese().lines.get(template, template) if is_chinese() else template
    return chosen.format(**values)


def term(word: str) -> str:
    """A word of state or outcome, such as `active` or `duplicate`."""
    return chinese().terms.get(word, word) if is_chinese() else word


def joined(texts: Iterable[str]) -> str:
    """Texts as a list within a sentence."""
    return ("、" if is_chinese() else ", ").join(texts)


def phrase(text: str) -> str:
    """A text that was made in English and arrives as a value, such as the detail of an error."""
    return _phrase(text, MAX_DEPTH) if is_chinese() else text


def _phrase(text: str, depth: int) -> str:
    known = chinese()
    word = known.terms.get(text) or known.who.get(text)
    if word is not None or not depth or len(text) > MAX_PHRASE_CHARS or " " not in text:
        return word or text
    found = _phrases().find(text, lambda value: _phrase(value, depth - 1))
    if found is None and "; " in text:
        return "；".join(_phrase(part, depth - 1) for part in text.split("; "))
    return found or text


@cache
def _phrases() -> Phrases:
    """Everything that may stand inside an error: phrases, and what another error says."""
    known = chinese()
    errors = {CODES[code].text: row.text for code, row in known.errors.items() if code in CODES}
    steps = {CODES[code].next: row.next for code, row in known.errors.items() if code in CODES}
    whole = {template: text for template, text in (errors | steps).items() if template.strip("{}").count(" ")}
    return Phrases(whole | known.phrases)


def _shown(name: str, value: str) -> str:
    is_prose = name in PROSE or (name in NAMES and " " in value)
    return phrase(value) if is_prose else value


def told(error: XinqiaoError) -> Told:
    """An error for people."""
    if not is_chinese():
        return Told(error.text, error.who, error.next)
    row = chinese().errors.get(error.code)
    if row is None:
        # A code without Chinese, or one of a later version.
        return Told(phrase(error.text), phrase(error.who), phrase(error.next))
    values = {name: _shown(name, value) for name, value in error.parameters.items()}
    who = filled(chinese().who.get(error.spec.who, error.spec.who), values)
    return Told(filled(row.text, values), who, filled(row.next, values))
