"""The rules: one named function for each predicate, and the closure that judges the records of an item.

`compile_rules` looks up which provisions hold on a day, for the divisions asked about, for an item in a class, and
makes one closure of their predicates. What no record of the item can meet is left out there, so that a judgement
costs only what it must. A verdict names every rule that has effect; where several provisions of one rule have, the
strongest stands, which is the one better for the subject.

    reject   the record is refused: for what a region's law bars there is no correction but to leave it out
    hold     it is not published before two officers have looked at it
    flag     it is published, and whoever reads it is told
    timer    something must be done by a day (deadlines.py)

No verdict holds a value of the record.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from node.core.catalogue import Field, Item, value_means
from node.core.identifiers import iso_date, resident_birth_date
from node.core.record import Defect
from node.core.rules_edition import (
    NATURAL_PERSON,
    NETWORK,
    ORGANISATION,
    STRENGTH,
    Article,
    Effect,
    Provision,
    Rule,
    RulesEdition,
)
from node.core.workdays import WEEKENDS_ONLY, Deadline

Values = Mapping[int, str]
Test = Callable[[Values], bool]
Tests = Sequence[tuple[Field | None, Test]]

RECORD_EFFECTS = frozenset({Effect.REJECT, Effect.HOLD, Effect.FLAG})
_ONE_DAY = timedelta(days=1)
_ISO_CHARS = 10


Workdays = Callable[[date, int], Deadline]
"""Returns the day on which a term of so many working days after a day ends."""
weekdays_only: Workdays = WEEKENDS_ONLY.add_working_days
"""For whoever has no calendar: Monday to Friday, always provisional."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule that has effect on a record: the provision, and the code of errors.CODES that says why."""

    provision: Provision
    code: str
    field_code: str = ""
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The id of the rule."""
        return self.provision.rule.id

    @property
    def effect(self) -> Effect:
        """What becomes of the record."""
        return self.provision.effect

    @property
    def defect(self) -> Defect:
        """The verdict as a reason to return a row."""
        return Defect(self.code, self.field_code, self.params)


Judge = Callable[[Values], tuple[Verdict, ...]]


@dataclass(frozen=True, slots=True)
class Law:
    """By what a publisher judges its rows: the edition that its entries name, its division and its calendar.

    declared is what it says of the whole file, for rows that do not say it themselves: meanings of the catalogue.
    """

    edition: RulesEdition
    division: str = ""
    workdays: Workdays = weekdays_only
    declared: frozenset[str] = frozenset()

    def judge(self, item: Item, disclosure: str, as_of: str, *effects: Effect) -> Judge:
        """Compile the rules that hold for the records of an item, those with some effects."""
        return compile_rules(self.edition, item, disclosure, as_of, (self.division,), self.workdays, effects)

    def declared_values(self, item: Item) -> dict[int, str]:
        """The values that stand in for what a row leaves out, by field number."""
        found = ((field.number, value) for field in item.fields for value in field.values)
        by_field: dict[int, str] = {}
        for number, value in found:
            if value.means in self.declared:
                by_field.setdefault(number, value.text)
        return by_field


DECLARABLE = frozenset({"ordinary_procedure", "final"})
"""What a publisher may say of a whole file."""


def compile_rules(
    edition: RulesEdition,
    item: Item,
    disclosure: str,
    as_of: str = "",
    divisions: Iterable[str] = (),
    workdays: Workdays = weekdays_only,
    effects: Collection[Effect] = RECORD_EFFECTS,
) -> Judge:
    """Return the function that tells which rules have effect on the values of a record of an item.

    disclosure is "A", "B" or "C"; as_of (YYYY-MM-DD) the day by which it is judged, the latest where it is empty;
    divisions are those of the nodes whose law counts, the origin's first. Verdicts come with the strongest first.
    """
    everybody: list[tuple[Test, Verdict]] = []
    persons: list[tuple[Test, Verdict]] = []
    others: list[tuple[Test, Verdict]] = []
    for provision in in_force(edition, item, disclosure, as_of, divisions):
        if provision.effect not in effects:
            continue
        found = list(_tests(_Case(item, disclosure, as_of, provision, workdays)))
        subjects = set(provision.subjects) or {NATURAL_PERSON, ORGANISATION}
        if subjects == {NATURAL_PERSON, ORGANISATION}:
            everybody += found
        else:
            (persons if NATURAL_PERSON in subjects else others).extend(found)
    category, person_texts = item.numbers["subject_category"], item.natural_person_texts
    # The same few rules bar or flag row after row; verdicts are made here and stay, so that they are known by id.
    ranked: dict[tuple[int, ...], tuple[Verdict, ...]] = {(): ()}

    def judge(values: Values) -> tuple[Verdict, ...]:
        found: list[Verdict] = []
        for test, verdict in everybody:
            if test(values):
                found.append(verdict)
        for test, verdict in persons if values.get(category) in person_texts else others:
            if test(values):
                found.append(verdict)
        which = tuple(map(id, found))
        if which not in ranked:
            ranked[which] = _strongest(found)
        return ranked[which]

    return judge


def in_force(
    edition: RulesEdition, item: Item, disclosure: str, as_of: str, divisions: Iterable[str]
) -> list[Provision]:
    """The provisions in force, the strongest first, then the one of the smallest region; without those that
    another one says again for a smaller region."""
    held = edition.in_force(item, disclosure, as_of, divisions)
    held.sort(key=lambda each: (STRENGTH[each.effect], -_region_digits(each)))
    said: list[Provision] = []
    for provision in held:
        if not any(_says_the_same(provision, other) for other in said):
            said.append(provision)
    return said


def _region_digits(provision: Provision) -> int:
    return max(0 if each == NETWORK else len(each) for each in provision.jurisdictions)


def _says_the_same(one: Provision, other: Provision) -> bool:
    what = ("rule", "predicate", "effect", "items", "subjects", "disclosure", "parameters")
    return all(getattr(one, name) == getattr(other, name) for name in what)


def _strongest(found: list[Verdict]) -> tuple[Verdict, ...]:
    """One verdict a rule, the strongest; at once where each has only one."""
    by_rule: dict[str, Verdict] = {}
    for verdict in sorted(found, key=lambda each: STRENGTH[each.effect]):
        by_rule.setdefault(verdict.rule, verdict)
    return tuple(by_rule.values())


def blocking(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts that keep a record from being published."""
    return tuple(verdict for verdict in verdicts if verdict.effect in (Effect.REJECT, Effect.HOLD))


# --- Predicates ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Case:
    """What a predicate is compiled for."""

    item: Item
    disclosure: str
    as_of: str
    provision: Provision
    workdays: Workdays

    def parameter(self, name: str, default: Any = None) -> Any:
        return self.provision.parameters.get(name, default)

    def field(self, name: str) -> Field | None:
        return self.item.by_number.get(self.item.numbers[name])

    @property
    def today(self) -> date | None:
        return iso_date(self.as_of)


def _tests(case: _Case) -> Iterator[tuple[Test, Verdict]]:
    code, predicate = PREDICATES[case.provision.predicate]
    for at, test in predicate(case):
        params: dict[str, object] = {"rule": case.provision.rule.id, "article": case.provision.cited(case.as_of)}
        numbers = {name: each for name, each in case.provision.parameters.items() if isinstance(each, int)}
        params |= numbers | {"title": at.title_zh if at else case.item.title_zh}
        yield test, Verdict(case.provision, code, at.code if at else "", params)


def _always(_values: Values) -> bool:
    return True


def minor(case: _Case) -> Tests:
    """A natural person was too young on the first of these dates that the record gives (R-INC-1).

    Age comes from a resident id; other documents do not tell it.
    """
    at = case.field("person_id_no")
    if at is None:
        return ()
    number = at.number
    years: int = case.parameter("years")
    dates = [case.item.numbers[name] for name in case.parameter("dates")]
    is_resident_id = value_means(case.item, "person_id_type", "resident_id")

    def test(values: Values) -> bool:
        if not is_resident_id(values):
            return False
        day = next((iso_date(values[each]) for each in dates if each in values), None)
        born = resident_birth_date(values.get(number, ""))
        if born is None or day is None:
            return False
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day)) < years

    return [(at, test)]


def natural_person(case: _Case) -> Tests:
    """The subject is a natural person (R-DIS-3): the scope of the provision says where none may be."""
    return [(case.field("subject_category"), _always)]


def prohibited_field(case: _Case) -> Tests:
    """The item itself has a column for what must not be collected (R-INC-2), whether it is filled in or not."""
    holds = _screen(case)
    return [(each, _always) for each in case.item.fields if holds(each.title_zh)]


def prohibited_words(case: _Case) -> Tests:
    """A free text seems to hold what must not be collected (R-INC-2): words, but for the phrases excepted."""
    holds = _screen(case)
    fields = [case.field(name) for name in case.parameter("fields")]
    return [(each, _text_holds(each.number, holds)) for each in fields if each is not None]


def _text_holds(number: int, holds: Callable[[str], bool]) -> Test:
    return lambda values: holds(values.get(number, ""))


def _screen(case: _Case) -> Callable[[str], bool]:
    """Tell whether a text has one of the words outside of the phrases excepted; spaces do not hide a word."""
    words = re.compile("|".join(map(re.escape, case.parameter("words"))))
    excepted = sorted(case.parameter("exceptions", ()), key=len, reverse=True)
    phrases = re.compile("|".join(map(re.escape, excepted))) if excepted else None

    def holds(text: str) -> bool:
        if not text:
            return False
        joined = "".join(text.split())
        if words.search(joined) is None:
            return False
        # What is excepted is taken out, with a mark that keeps its neighbours from making a new word.
        return phrases is None or words.search(phrases.sub("\0", joined)) is not None

    return holds


def consent_missing(case: _Case) -> Tests:
    """A value that needs the person's written consent is there, and what proves the consent is not (R-INC-3)."""
    words = case.parameter("words")
    proofs = [case.item.numbers[name] for name in case.parameter("consent")]
    asked = [each for each in case.item.fields if any(word in each.title_zh for word in words)]
    own = [each for each in asked if each.number not in proofs]
    return [(each, _given_without(each.number, proofs)) for each in own]


def _given_without(number: int, proofs: Sequence[int]) -> Test:
    return lambda values: number in values and not all(proof in values for proof in proofs)


def simple_procedure(case: _Case) -> Tests:
    """The penalty was imposed by the simple procedure (R-INC-4)."""
    return _means(case, "case_procedure", "simple_procedure")


def procedure_unstated(case: _Case) -> Tests:
    """Neither the record nor the publisher of its batch says by which procedure the penalty was imposed (R-INC-4)."""
    return _unstated(case, "case_procedure")


def not_imposed(case: _Case) -> Tests:
    """The decision imposes nothing, as the violation was minor and put right (R-INC-4)."""
    return _only(case, case.parameter("categories"))


def decision_not_final(case: _Case) -> Tests:
    """The decision can still be appealed against, or the appeal is not decided (R-INC-5)."""
    return _means(case, "decision_final", "not_final")


def finality_unstated(case: _Case) -> Tests:
    """Neither the record nor the publisher of its batch says whether the decision is final (R-INC-5)."""
    return _unstated(case, "decision_final")


def document_not_required(case: _Case) -> Tests:
    """The item does not demand the number of the effective document (R-INC-8); where it does, validation asks."""
    at = case.field("decision_doc_no")
    return () if at is not None and at.required == "yes" else [(at, _always)]


def arrears_not_due(case: _Case) -> Tests:
    """Utility arrears without a dunning, or not unpaid for longer than these months (R-INC-9)."""
    since, dunned = case.field("arrears_since"), case.field("dunned_on")
    if since is None or dunned is None:
        return [(since or dunned, _always)]
    latest = months_later(case.today, -case.parameter("months")).isoformat() if case.today else "9999"
    first, second = since.number, dunned.number
    return [(dunned, lambda values: second not in values), (since, lambda values: values.get(first, "9999") >= latest)]


def late(case: _Case) -> Tests:
    """The decision is older than the working days in which it had to be published (R-INC-12)."""
    at = case.field("decision_date")
    if at is None or case.today is None:
        return ()
    last = _last_late_day(case.today, case.parameter("working_days"), case.workdays).isoformat()
    number = at.number
    return [(at, lambda values: len(day := values.get(number, "")) == _ISO_CHARS and day <= last)]


def _last_late_day(today: date, count: int, workdays: Workdays) -> date:
    day = today
    while workdays(day, count).day >= today:
        day -= _ONE_DAY
    return day


def only_penalty(case: _Case) -> Tests:
    """The decision imposes nothing but these penalties, e.g. a warning (R-INC-15), by one of these authorities."""
    found = _only(case, case.parameter("categories"))
    words, number = case.parameter("authorities", ()), case.item.numbers["authority_name"]
    if not words:
        return found
    return [(at, _and_named(test, number, words)) for at, test in found]


def _and_named(test: Test, number: int, words: Sequence[str]) -> Test:
    return lambda values: test(values) and any(word in values.get(number, "") for word in words)


def disclosure_exceeded(case: _Case) -> Tests:
    """The record says itself that fewer may see it than read the channel (R-DIS-1, 2, 4); an unknown level is the
    narrowest that the provision names."""
    at = case.field("disclosure_level")
    if at is None:
        return ()
    levels, unknown = case.parameter("levels"), case.parameter("unknown", "A")
    number, channel = at.number, case.disclosure

    def test(values: Values) -> bool:
        level: str = levels.get(values.get(number, ""), unknown)
        return level > channel

    return [(at, test)]


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of its month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _means(case: _Case, name: str, meaning: str) -> Tests:
    at = case.field(name)
    if at is None:
        return ()
    number, texts = at.number, at.texts_that_mean(meaning)
    return [(at, lambda values: values.get(number) in texts)] if texts else ()


def _unstated(case: _Case, name: str) -> Tests:
    at = case.field(name)
    if at is None:
        return [(None, _always)]
    number = at.number
    return [(at, lambda values: number not in values)]


def _only(case: _Case, categories: Sequence[str]) -> Tests:
    """Test that a penalty's kinds are all among these; few texts occur, so they are remembered."""
    at = case.field("penalty_category")
    if at is None:
        return ()
    number, known = at.number, frozenset(categories)
    is_only = lru_cache(maxsize=256)(lambda text: bool(text) and known.issuperset(at.parts(text)))
    return [(at, lambda values: is_only(values.get(number, "")))]


Predicate = Callable[[_Case], Tests]

PREDICATES: Mapping[str, tuple[str, Predicate]] = {
    "arrears_not_due": ("RULE_ARREARS_NOT_DUE", arrears_not_due),
    "consent_missing": ("RULE_CONSENT_MISSING", consent_missing),
    "decision_not_final": ("RULE_NOT_FINAL", decision_not_final),
    "disclosure_exceeded": ("RULE_DISCLOSURE_EXCEEDED", disclosure_exceeded),
    "document_not_required": ("RULE_DOCUMENT_NOT_REQUIRED", document_not_required),
    "finality_unstated": ("RULE_FINALITY_UNSTATED", finality_unstated),
    "late": ("RULE_LATE", late),
    "minor": ("RULE_MINOR", minor),
    "natural_person": ("RULE_NATURAL_PERSON_PUBLIC", natural_person),
    "not_imposed": ("RULE_NOT_IMPOSED", not_imposed),
    "only_penalty": ("RULE_ONLY_PENALTY", only_penalty),
    "procedure_unstated": ("RULE_PROCEDURE_UNSTATED", procedure_unstated),
    "prohibited_field": ("RULE_PROHIBITED_FIELD", prohibited_field),
    "prohibited_words": ("RULE_PROHIBITED_WORDS", prohibited_words),
    "simple_procedure": ("RULE_SIMPLE_PROCEDURE", simple_procedure),
}
"""The code and the function of every predicate that judges a record; `deadline` stands in deadlines.py."""

BARRING_CODES = frozenset(code for name, (code, _) in PREDICATES.items() if name != "late")
"""The codes whose content, where the effect is to reject, the law bars."""


# --- Before there were editions -----------------------------------------------------------------------------


def _always_held(rule: Rule, predicate: str, articles: str, **scope: Any) -> Provision:
    split = [each.rpartition(" art. ") for each in articles.split("; ")]
    said = tuple(Article(source, f"art. {article}", "1900-01-01", "full text") for source, _, article in split)
    defaults: dict[str, Any] = {"items": (), "subjects": (), "disclosure": (), "parameters": {}}
    return Provision(rule, predicate, Effect.REJECT, (NETWORK,), "1900-01-01", "", said, **(defaults | scope))


_MINORS = Rule("R-INC-1", "未成年人信息不归集", "No minors")
_PROCEDURE = Rule("R-INC-4", "仅归集普通程序作出的行政处罚", "Ordinary procedure only")
_PERSONS = Rule("R-DIS-3", "自然人信息不向社会公开", "No natural persons in public")

VERSION_1 = RulesEdition(
    "1",
    "1900-01-01",
    {rule.id: rule for rule in (_MINORS, _PROCEDURE, _PERSONS)},
    (
        _always_held(
            _PERSONS,
            "natural_person",
            "浙江省公共信用信息管理条例 art. 15; 山东省社会信用条例 art. 20; 个人信息保护法 art. 25",
            subjects=(NATURAL_PERSON,),
            disclosure=("A",),
        ),
        _always_held(
            _PROCEDURE,
            "simple_procedure",
            "上海市社会信用条例 art. 9(4); 浙江省公共信用信息管理条例 art. 11(2); 山东省社会信用条例 art. 13",
        ),
        _always_held(
            _MINORS,
            "minor",
            "上海市社会信用条例 art. 2; 浙江省公共信用信息管理条例 art. 2",
            subjects=(NATURAL_PERSON,),
            parameters={"years": 18, "dates": ("decision_date",)},
        ),
    ),
)
"""What this software has always judged by; an entry that names the rules edition "1" is judged by it anywhere."""
