"""Is a record what its catalogue item says? The one judgement that sender and receiver both make.

`compile_validator` turns an item, a disclosure class and a date into one closure. It answers with everything
that is wrong, in this order:

    (1) rules bar the record: they alone, for nothing can be corrected in it
    (2) fields the item does not have (R-INC-6)
    (3) fields that must be there, always or under a condition
    (4) each value by its type and length
    (5) blank texts, characters no text may hold, and in class A identity numbers in a text
    (6) dates against each other, and an identity number against its type

Conditions are named functions in the table below, rules in rules.py; an edition only names them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from node.core.catalogue import CATALOGUE_BASIS, Basis, Field, Item, is_natural_person, value_means
from node.core.errors import XinqiaoError
from node.core.identifiers import (
    USCC_PLACEHOLDER,
    division_fault,
    holds_resident_id,
    iso_date,
    org_code_fault,
    resident_id_fault,
    uscc_fault,
)
from node.core.record import Defect
from node.core.rules import VERSION_1, Judge, compile_rules

Values = Mapping[int, str]
Validator = Callable[[Values], tuple[Defect, ...]]
Predicate = Callable[[Values], bool]
Check = Callable[[str], str | None]
Relation = Callable[[Values], Defect | None]

SUBJECT_CODE = Basis("R-INC-10", "上海市公共信用信息归集和使用管理办法 art. 5; 杭政办函〔2016〕117号 三(一)1(1)")

# Control characters but tab and line ends, direction overrides that make a text read as another one, surrogates,
# and the mark that a converter leaves in place of what it lost.
LOST = "\ufffd"
UNCLEAN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]")
_DIGITS = re.compile(r"[0-9]+")
_ANY_EDGE = "|"  # between two texts, so that the end of one and the beginning of the next make no number
_AMOUNTS = {
    "amount_yuan": (2, re.compile(r"(0|[1-9][0-9]{0,15})(\.[0-9]{1,2}0*)?")),
    "amount_wan_yuan": (6, re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6}0*)?")),
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is asked of the records of an item in one class, on one day, compiled.

    told has for each field its longest text and its check; texts are the numbers of fields whose text may hold no
    identity number, unwanted those of fields that may not be there. orders are dates that follow each other, (later,
    earlier); identities and placeholders the relations of identity numbers, and of the placeholder of a code.
    """

    bars: Judge
    fields: Mapping[int, Field]
    required: frozenset[int]
    conditional: Sequence[tuple[Field, Predicate]]
    told: Mapping[int, tuple[int, Check | None]]
    texts: frozenset[int]
    unwanted: frozenset[int]
    orders: Sequence[tuple[Field, Field]]
    identities: Sequence[Relation]
    placeholders: Sequence[Relation]

    @property
    def relations(self) -> Sequence[Relation]:
        """All that is asked of values against each other."""
        dates = [_not_before(later, earlier) for later, earlier in self.orders]
        return [*dates, *self.identities, *self.placeholders]


def compile_conditions(item: Item, disclosure: str, as_of: str = "", rules: Judge | None = None) -> Conditions:
    """Compile what is asked of a record of an item; parameters and errors are those of compile_validator."""
    if disclosure not in item.disclosure:
        allowed = ", ".join(item.disclosure)
        raise XinqiaoError("CATALOGUE_DISCLOSURE", item=item.id, disclosure=disclosure, allowed=allowed)
    public = disclosure == "A"
    wanted = [field for field in item.fields if not (public and field.never_public)]
    checks = _checks(item, public, as_of)
    return Conditions(
        bars=rules or compile_rules(VERSION_1, item, disclosure, as_of),
        fields=item.by_number,
        required=frozenset(field.number for field in wanted if field.required == "yes"),
        conditional=[(field, CONDITIONS[field.condition](item)) for field in wanted if field.condition],
        told={field.number: (field.max_chars, checks.get(field.number)) for field in item.fields},
        texts=frozenset(field.number for field in wanted if field.type == "text" and public),
        unwanted=item.never_public_numbers if public else frozenset(),
        orders=[(field, item.by_code[field.not_before]) for field in item.fields if field.not_before],
        identities=_identity_relations(item),
        placeholders=_placeholder_relations(item),
    )


def compile_validator(item: Item, disclosure: str, as_of: str = "", rules: Judge | None = None) -> Validator:
    """Return the function that judges the values of a record of an item.

    disclosure is "A", "B" or "C"; as_of (YYYY-MM-DD) is the day after which no decision can be dated: the sender's
    today, the receiver's day of the entry's issued_at; empty skips that check. rules are those of `compile_rules`
    that bar a record, the three of version "1" where none are given. Raises XinqiaoError CATALOGUE_DISCLOSURE where
    the item may not be published in that class.
    """
    asked = compile_conditions(item, disclosure, as_of, rules)
    bars, fields, required, told = asked.bars, asked.fields, asked.required, asked.told
    conditional, texts, relations = asked.conditional, asked.texts, asked.relations

    def validate(values: Values) -> tuple[Defect, ...]:
        if barred := bars(values):  # (1)
            return tuple(verdict.defect for verdict in barred)
        found: list[Defect] = []
        if not values.keys() <= told.keys():  # (2)
            found += (_unknown(item, number) for number in sorted(values.keys() - told.keys()))
            values = {number: text for number, text in values.items() if number in told}
        if not values.keys() >= required:  # (3)
            found += (_missing(fields[number]) for number in sorted(required - values.keys()))
        for field, applies in conditional:
            if field.number not in values and applies(values):
                found.append(_missing(field))
        for number, text in values.items():  # (4)
            longest, check = told[number]
            if len(text) > longest:
                found.append(_defect(fields[number], "FIELD_TOO_LONG"))
            elif check is not None and (code := check(text)) is not None:
                found.append(_defect(fields[number], code, as_of))
        if any(map(str.isspace, values.values())):  # (5): one scan each settles the usual record
            found += (_defect(fields[number], "FIELD_BLANK") for number, text in values.items() if text.isspace())
        joined = "".join(values.values())
        if not joined.isprintable() or LOST in joined:
            found += (_defect(fields[number], "FIELD_CHARACTERS") for number in _unclean(values))
        if texts and holds_resident_id(_ANY_EDGE.join([text for number, text in values.items() if number in texts])):
            found += (_defect(fields[number], "FIELD_RESIDENT_ID_PUBLIC") for number in _with_ids(values, texts))
        for relation in relations:  # (6)
            defect = relation(values)
            if defect is not None:
                found.append(defect)
        return tuple(found)

    return validate


# --- Defects ------------------------------------------------------------------------------------------------


def _defect(field: Field, code: str, as_of: str = "") -> Defect:
    """Return the defect of a field; parameters describe the field, never the value."""
    params: dict[str, object] = {"title": field.title_zh}
    if code == "FIELD_TOO_LONG":
        params["max_chars"] = field.max_chars
    elif code == "FIELD_ENUM":
        params["values"] = ", ".join(f"{value.text}-…" if value.prefix else value.text for value in field.values)
    elif code == "FIELD_AMOUNT":
        params["places"] = _AMOUNTS[field.type][0]
    elif code == "FIELD_FUTURE":
        params["as_of"] = as_of
    elif code == "FIELD_USCC_PLACEHOLDER":
        params |= {"rule": SUBJECT_CODE.rule, "article": SUBJECT_CODE.article}
    return Defect(code, field.code, params)


def _missing(field: Field) -> Defect:
    params: dict[str, object] = {"title": field.title_zh, "field": field.code, "because": ""}
    if field.basis:
        because = f" ({field.basis.rule}; {field.basis.article})"
        params |= {"rule": field.basis.rule, "article": field.basis.article, "because": because}
    return Defect("FIELD_MISSING", field.code, params)


def _unknown(item: Item, number: int) -> Defect:
    basis = CATALOGUE_BASIS
    return Defect(
        "RECORD_FIELD_UNKNOWN",
        params={"item": item.id, "number": number, "rule": basis.rule, "article": basis.article},
    )


def _with_ids(values: Values, texts: frozenset[int]) -> list[int]:
    return [number for number, text in values.items() if number in texts and holds_resident_id(text)]


def _unclean(values: Values) -> list[int]:
    return [number for number, text in values.items() if UNCLEAN.search(text)]


# --- (3) Conditions -----------------------------------------------------------------------------------------


def _is_given(item: Item, name: str) -> Predicate:
    number = item.numbers[name]
    return lambda values: number in values


def _subject_is_a_natural_person(item: Item) -> Predicate:
    return value_means(item, "subject_category", "natural_person")


def _subject_is_not_a_natural_person(item: Item) -> Predicate:
    return lambda values: not is_natural_person(item, values)


def _uscc_is_the_placeholder(item: Item) -> Predicate:
    number = item.numbers["uscc"]
    return lambda values: values.get(number) == USCC_PLACEHOLDER


ABOUT_THE_PLACEHOLDER = "uscc_is_the_placeholder"
CONDITIONS: dict[str, Callable[[Item], Predicate]] = {
    "subject_is_not_a_natural_person": _subject_is_not_a_natural_person,
    "subject_is_a_natural_person": _subject_is_a_natural_person,
    "subject_is_an_organisation": partial(value_means, name="subject_category", meaning="organisation"),
    ABOUT_THE_PLACEHOLDER: _uscc_is_the_placeholder,
    "legal_rep_id_type_is_given": partial(_is_given, name="legal_rep_id_type"),
    "legal_rep_id_no_is_given": partial(_is_given, name="legal_rep_id_no"),
    "penalty_includes_a_fine": partial(value_means, name="penalty_category", meaning="fine"),
    "penalty_includes_a_confiscation": partial(value_means, name="penalty_category", meaning="confiscation"),
    "penalty_includes_a_licence_action": partial(value_means, name="penalty_category", meaning="licence_action"),
}
"""What an edition may name as a condition: when a conditional field must be there."""


# --- (4) One value ------------------------------------------------------------------------------------------


def _checks(item: Item, public: bool, as_of: str) -> dict[int, Check]:
    """Return the check of each field that has one beyond its length."""
    checks = {field.number: _TYPES[field.type](item, field, as_of) for field in item.fields if field.type != "text"}
    if public:
        checks |= dict.fromkeys(item.never_public_numbers, lambda _: "FIELD_NEVER_PUBLIC")
    return checks


def _enum_check(_item: Item, field: Field, _as_of: str) -> Check:
    exact = frozenset(text for value in field.values if not value.prefix for text in (value.text, value.code) if text)
    prefixes = [f"{value.text}-" for value in field.values if value.prefix]

    def is_known(part: str) -> bool:
        return part in exact or any(part.startswith(prefix) and part != prefix for prefix in prefixes)

    if field.separators:
        return lambda text: None if text in exact or all(map(is_known, field.parts(text))) else "FIELD_ENUM"
    return lambda text: None if is_known(text) else "FIELD_ENUM"


def _date_check(_item: Item, field: Field, as_of: str) -> Check:
    last = as_of if as_of and field.not_future else "9999-12-31"

    def check(text: str) -> str | None:
        if iso_date(text) is None:
            return "FIELD_DATE"
        if not "1900" <= text < "2100":
            return "FIELD_DATE_RANGE"
        return "FIELD_FUTURE" if text > last else None

    return check


def _amount_check(_item: Item, field: Field, _as_of: str) -> Check:
    matches = _AMOUNTS[field.type][1].fullmatch
    return lambda text: None if matches(text) else "FIELD_AMOUNT"


def _uscc_check(item: Item, field: Field, _as_of: str) -> Check:
    """Accept the placeholder only for the subject of an item that has a registration number in its stead."""
    if field.name != "uscc" or not item.numbers["biz_reg_no"]:
        return uscc_fault
    return lambda text: None if text == USCC_PLACEHOLDER else uscc_fault(text)


def _digits_check(_item: Item, _field: Field, _as_of: str) -> Check:
    return lambda text: None if _DIGITS.fullmatch(text) else "FIELD_DIGITS"


def _division_check(_item: Item, _field: Field, _as_of: str) -> Check:
    return division_fault


def _org_code_check(_item: Item, _field: Field, _as_of: str) -> Check:
    return org_code_fault


_TYPES: dict[str, Callable[[Item, Field, str], Check]] = {
    "date": _date_check,
    "enum": _enum_check,
    "amount_wan_yuan": _amount_check,
    "amount_yuan": _amount_check,
    "uscc": _uscc_check,
    "division": _division_check,
    "org_code": _org_code_check,
    "digits": _digits_check,
}


# --- (6) Values against each other --------------------------------------------------------------------------


def _not_before(field: Field, other: Field) -> Relation:
    defect = Defect("FIELD_BEFORE", field.code, {"title": field.title_zh, "other": other.title_zh})

    def relation(values: Values) -> Defect | None:
        text, earliest = values.get(field.number), values.get(other.number)
        if text is None or earliest is None or text >= earliest:
            return None
        # Only two real dates compare; what is no date has its own defect.
        return defect if iso_date(text) and iso_date(earliest) else None

    return relation


def _identity_relations(item: Item) -> list[Relation]:
    """Return the checks of identity numbers whose type says resident id."""
    pairs = [("person_id_type", "person_id_no"), ("legal_rep_id_type", "legal_rep_id_no")]
    return [_resident_id(item, kind, number) for kind, number in pairs if item.numbers[number]]


def _placeholder_relations(item: Item) -> list[Relation]:
    """Return the check of who may use the placeholder, where a code of the item may be one."""
    return [_placeholder_owner(item)] if item.numbers["biz_reg_no"] else []


def _resident_id(item: Item, kind: str, name: str) -> Relation:
    is_resident_id = value_means(item, kind, "resident_id")
    field = item.by_number[item.numbers[name]]

    def relation(values: Values) -> Defect | None:
        text = values.get(field.number)
        if text is None or not is_resident_id(values):
            return None
        code = resident_id_fault(text)
        return _defect(field, code) if code else None

    return relation


def _placeholder_owner(item: Item) -> Relation:
    """Refuse the placeholder for anybody but a sole trader (R-INC-10)."""
    is_sole_trader = value_means(item, "subject_category", "sole_trader")
    field = item.by_number[item.numbers["uscc"]]
    defect = _defect(field, "FIELD_USCC_PLACEHOLDER")
    return lambda values: (
        defect if values.get(field.number) == USCC_PLACEHOLDER and not is_sole_trader(values) else None
    )
