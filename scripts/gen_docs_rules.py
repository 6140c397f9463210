"""The generated blocks of docs/RULES.md: every rule with its provisions, parameters and tests, and what is not held."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from node.core.errors import CODES
from node.core.rules import PREDICATES
from node.core.rules_edition import NETWORK, Provision, RulesEdition, parse_rules

ROOT = Path(__file__).resolve().parents[1]
EDITION = ROOT / "registry" / "editions" / "rules-2026.1.json"
TESTS = ROOT / "tests" / "core"
_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
_SHOWN_TEXTS = 5


@cache
def edition() -> RulesEdition:
    """The edition that a new network publishes."""
    return parse_rules(EDITION.read_bytes())


def tests_of(rule: str) -> list[str]:
    """The tests whose name holds the id of a rule, as pytest takes them."""
    named = re.compile(rf"(?<![a-z0-9]){rule.lower().replace('-', '_')}(?![0-9])")
    return [
        f"{path.relative_to(ROOT).as_posix()}::{name}"
        for path in sorted(TESTS.glob("test_*.py"))
        for name in _TEST.findall(path.read_text(encoding="utf-8"))
        if named.search(name)
    ]


def rules_table() -> str:
    """Every rule: where it stands, its effects with their predicates and parameters, the tests that hold it."""
    head = ("id", "rule", "articles", "effect, where, since, and by which predicate", "tests")
    rows = (
        (rule.id, f"{rule.title_en}<br>{rule.title_zh}", _articles(rule.id), _effects(rule.id), _tests(rule.id))
        for rule in edition().rules.values()
    )
    return _table(head, rows)


def _articles(rule: str) -> str:
    cited = [article for provision in edition().of(rule) for article in provision.articles]
    cited += edition().rules[rule].articles
    return "<br>".join(dict.fromkeys(f"{article}{_NOTES[article.read]}" for article in cited))


_NOTES = {"full text": "", "summary": " (known from a summary)", "not read": " (not read)"}


def _effects(rule: str) -> str:
    return "<br>".join(map(_effect, edition().of(rule))) or "held elsewhere, see below"


def _effect(provision: Provision) -> str:
    where = "the network" if provision.jurisdictions == (NETWORK,) else ", ".join(provision.jurisdictions)
    time = f"{provision.valid_from} to {provision.valid_to}" if provision.valid_to else f"from {provision.valid_from}"
    scope = [*provision.items, *provision.subjects, *(f"class {letter}" for letter in provision.disclosure)]
    parameters = ", ".join(f"{name}={_value(value)}" for name, value in provision.parameters.items())
    called = f"`{provision.predicate}({parameters})`"
    return f"**{provision.effect.value}** in {where} {time}{' of ' + ', '.join(scope) if scope else ''}: {called}"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        texts = [str(each) for each in value[:_SHOWN_TEXTS]]
        return f"[{' '.join(texts)}{f' … {len(value)} in all' if len(value) > _SHOWN_TEXTS else ''}]"
    return " ".join(f"{key}:{each}" for key, each in value.items()) if isinstance(value, dict) else str(value)


def _tests(rule: str) -> str:
    return "<br>".join(f"`{name.removeprefix('tests/core/')}`" for name in tests_of(rule))


def predicates_table() -> str:
    """Every predicate: what it finds, and the code under which it says so."""
    rows = (
        (f"`{name}`", _sentence(predicate), f"`{code}`", _sentence_of(code))
        for name, (code, predicate) in sorted(PREDICATES.items())
    )
    return _table(("predicate", "what it finds", "code", "as it is told"), rows)


def _sentence(predicate: Callable[..., object]) -> str:
    return " ".join((predicate.__doc__ or "").split())


def _sentence_of(code: str) -> str:
    return CODES[code].text


def words_lists() -> str:
    """The lists of words that a cell of the table cannot hold, whole."""
    found = [
        (provision.rule.id, provision.predicate, name, value)
        for provision in edition().provisions
        for name, value in provision.parameters.items()
        if isinstance(value, tuple) and len(value) > _SHOWN_TEXTS
    ]
    return "".join(f"- {rule}, `{predicate}`, {name}: {' '.join(texts)}\n" for rule, predicate, name, texts in found)


def elsewhere_list() -> str:
    """What of the rules other code holds, or nobody, with the reason."""
    return "".join(f"- **{rule.id}** {rule.elsewhere}\n" for rule in edition().rules.values() if rule.elsewhere)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "rules": rules_table,
    "rules-elsewhere": elsewhere_list,
    "rules-predicates": predicates_table,
    "rules-words": words_lists,
}
