"""The table of inclusion rules: which rule holds where, since when, with which effect and parameters.

An edition is one JSON file, the signed registry target `rules/<version>.json`. It holds parameters only; what a
predicate does is Python, in rules.py. The parser is strict, as that of the catalogue is.

    edition    {format, version, in_force_from, rules, provisions}
    rule       {id, title_zh, title_en} and, where other code holds the rule or a part of it, elsewhere;
               where nothing but other code does, articles
    provision  {rule, predicate, effect, jurisdictions, valid_from, articles} and, where they apply,
               valid_to, items, subjects, disclosure, parameters
    article    {source, article, since, read}: since when it is in force, and what of it was read

A jurisdiction is the beginning of a division code (GB/T 2260), "00" the whole network. Items are named by id or
by what stands before its dot. An article that nobody has read cannot reject a record: it may flag or time it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from node.core.catalogue import DISCLOSURES, Item
from node.core.editions import EditionError, Reader, latest, read_json, refuse_repeated
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits

FORMAT = 1
NETWORK = "00"
LAST_DAY = "9999-12-31"
READ = frozenset({"full text", "summary", "not read"})
NATURAL_PERSON, ORGANISATION = "natural_person", "organisation"
SUBJECTS = frozenset({NATURAL_PERSON, ORGANISATION})
"""Whom a provision may be confined to; an organisation is whoever is no natural person, a sole trader too."""
EVENTS = frozenset({"decision", "receipt", "publication"})
"""What a time limit may run from: the decision, its arrival here, the channel's last publication."""


class Effect(StrEnum):
    """What a provision does to a record that its predicate finds; the strongest first."""

    REJECT = "reject"
    HOLD = "hold"
    FLAG = "flag"
    TIMER = "timer"


STRENGTH: Mapping[Effect, int] = {effect: place for place, effect in enumerate(Effect)}

PREDICATES: Mapping[str, Mapping[str, str]] = {
    "arrears_not_due": {"months": "whole"},
    "consent_missing": {"words": "texts", "consent": "texts"},
    "deadline": {
        "from": "event",
        "working_days": "whole?",
        "months": "whole?",
        "duty_zh": "text",
        "duty_en": "text",
        "authorities": "texts?",
        "other_province": "whether?",
    },
    "decision_not_final": {},
    "disclosure_exceeded": {"levels": "classes", "unknown": "class?"},
    "document_not_required": {},
    "finality_unstated": {},
    "late": {"working_days": "whole"},
    "minor": {"years": "whole", "dates": "texts"},
    "natural_person": {},
    "not_imposed": {"categories": "texts"},
    "only_penalty": {"categories": "texts", "authorities": "texts?"},
    "procedure_unstated": {},
    "prohibited_field": {"words": "texts", "exceptions": "texts"},
    "prohibited_words": {"words": "texts", "exceptions": "texts", "fields": "texts"},
    "simple_procedure": {},
}
"""Names that `predicate` may have, each with its parameters; rules.py holds one function for each.

A question mark stands behind a parameter that may be left out.
"""

_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Article:
    """Where a provision stands since when, and what of it its author has read: the full text, a summary, nothing."""

    source: str
    article: str
    since: str
    read: str

    def __str__(self) -> str:
        return f"{self.source} {self.article}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; elsewhere says which part of it other code holds, or why none does."""

    id: str
    title_zh: str
    title_en: str
    elsewhere: str = ""
    articles: tuple[Article, ...] = ()


@dataclass(frozen=True, eq=False)
class Provision:
    """One rule in one jurisdiction for one time; empty items, subjects or disclosure set no condition."""

    rule: Rule
    predicate: str
    effect: Effect
    jurisdictions: tuple[str, ...]
    valid_from: str
    valid_to: str
    articles: tuple[Article, ...]
    items: tuple[str, ...]
    subjects: tuple[str, ...]
    disclosure: tuple[str, ...]
    parameters: Mapping[str, Any]

    def cited(self, as_of: str) -> str:
        """Its articles as a refusal of that day cites them."""
        return "; ".join(str(article) for article in self.articles if article.since <= (as_of or LAST_DAY))

    def holds(self, division: str, as_of: str) -> bool:
        """Tell whether it is in force for a node of a division on a day; an empty day is after every other."""
        day = as_of or LAST_DAY
        in_force = self.valid_from <= day and (not self.valid_to or day <= self.valid_to)
        return in_force and any(each == NETWORK or division.startswith(each) for each in self.jurisdictions)

    def covers(self, item: Item, disclosure: str) -> bool:
        """Tell whether records of an item in a class are in its scope."""
        kind = item.id.partition(".")[0]
        named = not self.items or item.id in self.items or kind in self.items
        return named and (not self.disclosure or disclosure in self.disclosure)


@dataclass(frozen=True, eq=False)
class RulesEdition:
    """One edition of the rules, in force from a date until a later edition."""

    version: str
    in_force_from: str
    rules: Mapping[str, Rule]
    provisions: tuple[Provision, ...]

    def of(self, rule: str) -> tuple[Provision, ...]:
        """The provisions of a rule; raises XinqiaoError RULE_UNKNOWN."""
        if rule not in self.rules:
            raise XinqiaoError("RULE_UNKNOWN", rule=rule[:64], version=self.version, known=", ".join(self.rules))
        return tuple(provision for provision in self.provisions if provision.rule.id == rule)

    def in_force(self, item: Item, disclosure: str, as_of: str, divisions: Iterable[str]) -> list[Provision]:
        """The provisions for records of an item on a day, those of every division named: the one of the origin,
        and that of whoever receives."""
        profiles = tuple(divisions)
        held = [each for each in self.provisions if any(each.holds(division, as_of) for division in profiles or ("",))]
        return [each for each in held if each.covers(item, disclosure)]


def edition_in_force(editions: Iterable[RulesEdition], as_of: str) -> RulesEdition | None:
    """The edition that came into force last by a day, then the highest version; None where none has."""
    return latest(editions, as_of)


# --- Reading an edition -------------------------------------------------------------------------------------


def parse_rules(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> RulesEdition:
    """Return the edition in a registry target's bytes; raises XinqiaoError RULES_INVALID."""
    try:
        return _edition(read_json(payload, limits))
    except EditionError as why:
        raise XinqiaoError("RULES_INVALID", detail=str(why)) from None


def _edition(reader: Reader) -> RulesEdition:
    if reader.whole("format", 1 << 31) != FORMAT:
        raise EditionError(f"its format is not {FORMAT}, which this version reads")
    version = reader.text("version")
    in_force_from = reader.date("in_force_from")
    rules = [_rule(entry) for entry in reader.objects("rules")]
    refuse_repeated("rules", "id", [rule.id for rule in rules])
    by_id = {rule.id: rule for rule in rules}
    provisions = tuple(_provision(entry, by_id) for entry in reader.objects("provisions"))
    reader.end()
    elsewhere = {rule.id for rule in rules if rule.elsewhere and rule.articles}
    idle = by_id.keys() - {each.rule.id for each in provisions} - elsewhere
    if idle:
        raise EditionError(f"nothing says how these are held: {', '.join(sorted(idle))}")
    return RulesEdition(version, in_force_from, by_id, provisions)


def _rule(reader: Reader) -> Rule:
    rule = Rule(
        id=reader.text("id"),
        title_zh=reader.text("title_zh"),
        title_en=reader.text("title_en"),
        elsewhere=reader.text("elsewhere", ""),
        articles=tuple(_article(entry) for entry in reader.objects("articles", [])),
    )
    reader.end()
    return rule


def _provision(reader: Reader, rules: Mapping[str, Rule]) -> Provision:
    rule = rules[reader.one_of("rule", frozenset(rules))]
    reader.where = f"{reader.where} ({rule.id})"
    predicate = reader.one_of("predicate", frozenset(PREDICATES))
    provision = Provision(
        rule=rule,
        predicate=predicate,
        effect=Effect(reader.one_of("effect", frozenset(Effect))),
        jurisdictions=reader.texts("jurisdictions"),
        valid_from=reader.date("valid_from"),
        valid_to=reader.date("valid_to", ""),
        articles=tuple(_article(entry) for entry in reader.objects("articles")),
        items=reader.texts("items", []),
        subjects=reader.texts("subjects", []),
        disclosure=reader.texts("disclosure", []),
        parameters=_parameters(reader, predicate),
    )
    reader.end()
    _check(provision, reader.where)
    return provision


def _article(reader: Reader) -> Article:
    article = Article(reader.text("source"), reader.text("article"), reader.date("since"), reader.one_of("read", READ))
    reader.end()
    return article


def _parameters(reader: Reader, predicate: str) -> Mapping[str, Any]:
    inner = Reader(reader.content.pop("parameters", {}), f"{reader.where}.parameters")
    found: dict[str, Any] = {}
    for name, kind in PREDICATES[predicate].items():
        if name in inner.content or not kind.endswith("?"):
            found[name] = _parameter(inner, name, kind.rstrip("?"))
    inner.end()
    return found


def _parameter(reader: Reader, name: str, kind: str) -> Any:
    if kind == "whole":
        return reader.whole(name, _MOST)
    if kind == "whether":
        return reader.flag(name)
    if kind == "texts":
        texts = reader.texts(name)
        return texts if texts else _refuse(f"{reader.where}.{name} is empty")
    if kind == "classes":
        inner = Reader(reader.content.pop(name, None), f"{reader.where}.{name}")
        return {level: inner.one_of(level, frozenset(DISCLOSURES)) for level in tuple(inner.content)}
    known = {"class": frozenset(DISCLOSURES), "event": EVENTS}.get(kind)
    return reader.one_of(name, known) if known else reader.text(name)


def _refuse(detail: str) -> None:
    raise EditionError(detail)


def _check(provision: Provision, where: str) -> None:
    """Refuse a provision that cannot be what its author meant."""
    wrong = {
        "it has no jurisdiction": not provision.jurisdictions,
        "a jurisdiction is 2, 4 or 6 digits": not all(map(_is_jurisdiction, provision.jurisdictions)),
        "none of its articles is as old as it is": not provision.cited(provision.valid_from),
        "it ends before it begins": bool(provision.valid_to) and provision.valid_to < provision.valid_from,
        f"subjects are {', '.join(sorted(SUBJECTS))}": not SUBJECTS.issuperset(provision.subjects),
        f"disclosure is a choice of {', '.join(DISCLOSURES)}": not set(DISCLOSURES).issuperset(provision.disclosure),
        "the predicate deadline has the effect timer, and no other has": (provision.predicate == "deadline")
        != (provision.effect is Effect.TIMER),
        "what rests on the calendar rejects no record": provision.predicate == "late"
        and provision.effect is Effect.REJECT,
        "articles that nobody has read reject no record": provision.effect is Effect.REJECT
        and all(article.read == "not read" for article in provision.articles),
        "a deadline is either working_days or months": provision.effect is Effect.TIMER
        and ("working_days" in provision.parameters) == ("months" in provision.parameters),
    }
    faults = [fault for fault, is_so in wrong.items() if is_so]
    if faults:
        raise EditionError(f"{where}: {'; '.join(faults)}")


def _is_jurisdiction(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) in (2, 4, 6)
