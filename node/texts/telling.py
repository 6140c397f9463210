"""Texts in the language of the reader; each function gives the English source where there is no Chinese."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from node.core.errors import CODES, XinqiaoError
from node.texts.catalogue import chinese
from node.texts.language import is_chinese
from node.texts.matching import PLACEHOLDER, Phrases, filled

# How far a text inside a text is followed: an error may say what another node says that its registry says.
MAX_DEPTH = 4
MAX_PHRASE_CHARS = 2000
# Parameters that are prose of this program; every other one names something and is shown as it is.
PROSE = frozenset(
    {"action", "article", "because", "detail", "found", "reason", "said", "standing", "status", "what", "why"}
)
# These are names, too, but a few words of ours stand in where there is none, such as `the caller`.
NAMES = frozenset({"argument", "node", "peer", "source", "step", "version"})

# How catalogue and rules cite a law, after its Chinese name.
_ARTICLE = re.compile(r" art\. (\d+)")
_PART = re.compile(r" part (\d+)")


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


def law(text: str) -> str:
    """A citation as the law itself is cited: `上海市社会信用条例 art. 16` names 第16条 in Chinese."""
    if not is_chinese():
        return text
    return _PART.sub(r"第\1部分", _ARTICLE.sub(r"第\1条", text)).replace("; ", "；")


def setting(text: str) -> str:
    """What is said of a setting, its possible values included."""
    if not is_chinese():
        return text
    return Phrases(chinese().settings).find(text, phrase) or phrase(text)


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
    worded, bare = _phrases()

    def inside(value: str) -> str:
        return _phrase(value, depth - 1)

    found = worded.find(text, inside)
    if found is None and "; " in text:
        return "；".join(map(inside, text.split("; ")))
    return found or bare.find(text, inside) or law(text)


@cache
def _phrases() -> tuple[Phrases, Phrases]:
    """Everything that may stand inside an error, phrases and what another error says: with words, and without."""
    known = chinese()
    errors = {CODES[code].text: row.text for code, row in known.errors.items() if code in CODES}
    steps = {CODES[code].next: row.next for code, row in known.errors.items() if code in CODES}
    whole = {template: text for template, text in (errors | steps).items() if template.strip("{}").count(" ")}
    texts = whole | known.phrases | known.foreign
    bare = {template for template in texts if not re.search("[a-z]|; ", PLACEHOLDER.sub("", template))}
    worded = {template: text for template, text in texts.items() if template not in bare}
    return Phrases(worded), Phrases({template: texts[template] for template in bare})


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
    given = error.parameters
    # What an edition says in both languages brings its Chinese along.
    values = {name: given.get(f"{name}_zh") or _shown(name, value) for name, value in given.items()}
    who = filled(chinese().who.get(error.spec.who, error.spec.who), values)
    return Told(filled(row.text, values), who, filled(row.next, values))


def told_together(errors: Iterable[XinqiaoError]) -> tuple[str, str]:
    """What is wrong, all of it, and what to do, without repeating itself."""
    shown = [told(error) for error in errors]
    mark = "；" if is_chinese() else "; "
    return mark.join(each.text for each in shown), mark.join(dict.fromkeys(each.next for each in shown))
