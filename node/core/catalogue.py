"""The catalogue: which items may be exchanged, and what a record of each holds.

An edition is one JSON file, the signed registry target `catalogue/<version>.json`. It holds parameters only:
field numbers and codes, types, lengths, enumerations, names of conditions. What the names mean is Python, here
and in validation.py. The parser is strict: an unknown or repeated key, a name without meaning or a reference to
a field that is not there refuses the whole edition, so that every node judges by the same words or says it
cannot.

    edition     {format, version, in_force_from, items}
    item        {id, title_zh, title_en, content, entry_rule, query_period_years, source, disclosure, key, fields}
                and, where it applies, passed_over
    key         {authority, document}: codes of the fields that, with subject and item, identify a record
    field       {number, code, name, title_zh, title_en, type, max_chars, required} and, where they apply,
                condition, values, separators, never_public, not_future, not_before, basis, aliases, long_term
    value       {text} and, where they apply, code, means, prefix
    passed_over {heading} and, where it applies, only: a column of other formats that has no place in the item

aliases are other headings of a field's column, in ascending order: names of earlier standards, of portals and of
people. long_term is the date that stands for 长期. Neither is part of a record: they help to read files.

A field's number is permanent and its `name` is what code asks for: uscc, subject_category, decision_date ...
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import Any

from node.core.errors import XinqiaoError
from node.core.identifiers import USCC_PLACEHOLDER, fold_document_number, fold_heading, iso_date
from node.core.limits import DEFAULT_LIMITS, Limits

FORMAT = 1
DISCLOSURES = ("A", "B", "C")
TYPES = frozenset({"text", "date", "enum", "amount_wan_yuan", "amount_yuan", "uscc", "division", "org_code", "digits"})
REQUIRED = frozenset({"yes", "no", "conditional"})
CONDITIONS = frozenset(
    {
        "subject_is_not_a_natural_person",
        "subject_is_a_natural_person",
        "subject_is_an_organisation",
        "uscc_is_the_placeholder",
        "legal_rep_id_type_is_given",
        "legal_rep_id_no_is_given",
        "penalty_includes_a_fine",
        "penalty_includes_a_confiscation",
        "penalty_includes_a_licence_action",
    }
)
"""Names that `condition` may have; validation.py holds one function for each."""
MEANINGS = frozenset(
    {
        "organisation",
        "natural_person",
        "sole_trader",
        "resident_id",
        "simple_procedure",
        "fine",
        "confiscation",
        "licence_action",
    }
)
"""Names that `means` may have: what a predicate asks an enumerated value."""

_FEN_PER_UNIT = {"amount_wan_yuan": 1_000_000, "amount_yuan": 100}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an enumeration: its text, a code that may stand for it, its meaning to predicates.

    A value with `prefix` is completed by the publisher, e.g. "其他-" and words of their own.
    """

    text: str
    code: str
    means: str
    prefix: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """The rule and article that make a field mandatory."""

    rule: str
    article: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an item; max_chars counts Unicode code points."""

    number: int
    code: str
    name: str
    title_zh: str
    title_en: str
    type: str
    max_chars: int
    required: str
    condition: str
    values: tuple[Value, ...]
    separators: str
    never_public: bool
    not_future: bool
    not_before: str
    basis: Basis | None
    aliases: tuple[str, ...] = ()
    long_term: str = ""

    def parts(self, text: str) -> list[str]:
        """Return the values in a text: one, or several where the field has separators."""
        for separator in self.separators[1:]:
            text = text.replace(separator, self.separators[0])
        return text.split(self.separators[0]) if self.separators else [text]

    def texts_that_mean(self, meaning: str) -> frozenset[str]:
        """Return the texts and codes of the values with a meaning."""
        found = [value for value in self.values if value.means == meaning]
        return frozenset(text for value in found for text in (value.text, value.code) if text)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A heading whose column is not published; with `only`, just where its cells hold one of these texts."""

    heading: str
    only: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """One catalogue item: what it is, who may see it, how its records are told apart, its fields by number."""

    id: str
    title_zh: str
    title_en: str
    content: str
    entry_rule: str
    query_period_years: int | None
    source: str
    disclosure: tuple[str, ...]
    key_authority: str
    key_document: str
    fields: tuple[Field, ...]
    passed_over: tuple[PassedOver, ...] = ()

    def __hash__(self) -> int:
        # Validators are remembered by item: hashing every field at each look-up would cost more than judging.
        return hash(self.id)

    @cached_property
    def by_code(self) -> Mapping[str, Field]:
        """The fields by column code."""
        return {field.code: field for field in self.fields}

    @cached_property
    def by_number(self) -> Mapping[int, Field]:
        """The fields by permanent number."""
        return {field.number: field for field in self.fields}

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The permanent numbers by field name; 0, which no field has, stands for a name the item lacks."""
        return _Numbers({field.name: field.number for field in self.fields})

    @cached_property
    def natural_person_texts(self) -> frozenset[str]:
        """The subject categories that are natural persons."""
        category = self.by_number.get(self.numbers["subject_category"])
        return category.texts_that_mean("natural_person") if category else frozenset()

    @cached_property
    def never_public_numbers(self) -> frozenset[int]:
        """The fields that leave a record before it is signed for class A."""
        return frozenset(field.number for field in self.fields if field.never_public)


class _Numbers(dict[str, int]):
    def __missing__(self, name: str) -> int:
        return 0


@dataclass(frozen=True)
class Edition:
    """One edition of the catalogue, in force from a date until a later edition."""

    version: str
    in_force_from: str
    items: Mapping[str, Item]

    def item(self, item_id: str) -> Item:
        """Return an item; raises XinqiaoError RECORD_ITEM_UNKNOWN for one the edition lacks (R-INC-6)."""
        found = self.items.get(item_id)
        if found is None:
            raise XinqiaoError(
                "RECORD_ITEM_UNKNOWN",
                item=item_id[:64],
                version=self.version,
                known=", ".join(self.items),
                rule=CATALOGUE_BASIS.rule,
                article=CATALOGUE_BASIS.article,
            )
        return found


CATALOGUE_BASIS = Basis("R-INC-6", "上海市社会信用条例 art. 11; 上海市公共信用信息归集和使用管理办法 art. 15")


# --- What a record says -------------------------------------------------------------------------------------


def is_natural_person(item: Item, values: Mapping[int, str]) -> bool:
    """Tell whether the subject of a record is a natural person."""
    return values.get(item.numbers["subject_category"]) in item.natural_person_texts


def subject_of(item: Item, values: Mapping[int, str]) -> str:
    """Return the code of a record's subject: id number, USCC, or registration number where the USCC is a placeholder.

    Empty where a record lacks it, which validation refuses (R-INC-10).
    """
    if is_natural_person(item, values):
        return values.get(item.numbers["person_id_no"], "")
    uscc = values.get(item.numbers["uscc"], "")
    return values.get(item.numbers["biz_reg_no"], "") if uscc == USCC_PLACEHOLDER else uscc


def authority_of(item: Item, values: Mapping[int, str]) -> str:
    """Return the USCC of the authority that decided, empty where the item has none."""
    field = item.by_code.get(item.key_authority)
    return values.get(field.number, "") if field else ""


def natural_key(item: Item, values: Mapping[int, str]) -> bytes:
    """Return SHA-256 over (authority, folded document number, subject, item): equal for versions of one record.

    Each part is UTF-8 after its length as 4 bytes, big-endian. Parts the item has no field for are empty, so that
    a registration is identified by its subject.
    """
    field = item.by_code.get(item.key_document)
    document = fold_document_number(values.get(field.number, "")) if field else ""
    parts = (authority_of(item, values), document, subject_of(item, values), item.id)
    encoded = [part.encode() for part in parts]
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in encoded)).digest()


def strip_never_public(item: Item, values: Mapping[int, str]) -> dict[int, str]:
    """Return the values without those that may not stand in a record of class A."""
    barred = item.never_public_numbers
    return {number: text for number, text in values.items() if number not in barred}


def amount_fen(field: Field, text: str) -> int:
    """Return a valid amount in fen (0.01 yuan)."""
    return int(Decimal(text) * _FEN_PER_UNIT[field.type])


# --- Reading an edition -------------------------------------------------------------------------------------


class _EditionError(Exception):
    """What is wrong with an edition, and where."""


def parse_edition(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> Edition:
    """Return the edition in a registry target's bytes; raises XinqiaoError CATALOGUE_INVALID."""
    try:
        return _edition(_json(payload, limits))
    except _EditionError as why:
        raise XinqiaoError("CATALOGUE_INVALID", detail=str(why)) from None


def _json(payload: bytes, limits: Limits) -> "_Reader":
    if len(payload) > limits.max_registry_file_bytes:
        raise _EditionError(f"{len(payload)} bytes, at most {limits.max_registry_file_bytes} are allowed")
    try:
        content = json.loads(payload.decode(), object_pairs_hook=_unique, parse_float=_no_float)
    except (ValueError, RecursionError) as why:
        raise _EditionError(f"not JSON: {why}") from None
    return _Reader(content, "edition")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _EditionError(f"a key stands twice among {', '.join(key for key, _ in pairs)}")
    return dict(pairs)


def _no_float(text: str) -> float:
    raise _EditionError(f"{text}: numbers are whole")


class _Reader:
    """Takes known keys out of a JSON object; `end` refuses what is left."""

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, dict):
            raise _EditionError(f"{where} is no object")
        self.content: dict[str, Any] = dict(content)
        self.where = where

    def _take(self, key: str, kind: type, default: Any) -> Any:
        value = self.content.pop(key, default)
        if value is None:
            raise _EditionError(f"{self.where} lacks {key}")
        if type(value) is not kind:
            raise _EditionError(f"{self.where}.{key} is no {kind.__name__}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        text: str = self._take(key, str, default)
        if default is None and not text.strip():
            raise _EditionError(f"{self.where}.{key} is empty")
        return text

    def whole(self, key: str, most: int) -> int:
        number: int = self._take(key, int, None)
        if not 1 <= number <= most:
            raise _EditionError(f"{self.where}.{key} is not between 1 and {most}")
        return number

    def flag(self, key: str) -> bool:
        flag: bool = self._take(key, bool, False)
        return flag

    def one_of(self, key: str, known: frozenset[str], default: str | None = None) -> str:
        text = self.text(key, default)
        if text != default and text not in known:
            raise _EditionError(f"{self.where}.{key}: {text!r} is not one of {', '.join(sorted(known))}")
        return text

    def date(self, key: str) -> str:
        text = self.text(key)
        if iso_date(text) is None:
            raise _EditionError(f"{self.where}.{key}: {text!r} is no date")
        return text

    def entries(self, key: str, default: list[Any] | None = None) -> list[Any]:
        found: list[Any] = self._take(key, list, default)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts that stands in ascending order, so that equal lists are written alike."""
        found = self.entries(key, [])
        if not all(isinstance(text, str) and text.strip() for text in found) or found != sorted(set(found)):
            raise _EditionError(f"{self.where}.{key} is no list of different texts in ascending order")
        return tuple(found)

    def objects(self, key: str, default: list[Any] | None = None) -> list["_Reader"]:
        found = enumerate(self.entries(key, default))
        return [_Reader(entry, f"{self.where}.{key}[{place}]") for place, entry in found]

    def end(self) -> None:
        if self.content:
            raise _EditionError(f"{self.where} has unknown keys: {', '.join(sorted(self.content))}")


def _edition(reader: _Reader) -> Edition:
    if reader.whole("format", 1 << 31) != FORMAT:
        raise _EditionError(f"its format is not {FORMAT}, which this version reads")
    version = reader.text("version")
    in_force_from = reader.date("in_force_from")
    items = [_item(entry) for entry in reader.objects("items")]
    reader.end()
    _refuse_repeated("items", "id", [item.id for item in items])
    return Edition(version, in_force_from, {item.id: item for item in items})


def _item(reader: _Reader) -> Item:
    item_id = reader.text("id")
    reader.where = item_id
    key = _Reader(reader.content.pop("key", None), f"{item_id}.key")
    item = Item(
        id=item_id,
        title_zh=reader.text("title_zh"),
        title_en=reader.text("title_en"),
        content=reader.text("content"),
        entry_rule=reader.text("entry_rule"),
        query_period_years=_years(reader),
        source=reader.text("source"),
        disclosure=_disclosure(reader),
        key_authority=key.text("authority", ""),
        key_document=key.text("document", ""),
        fields=tuple(_field(entry) for entry in reader.objects("fields")),
        passed_over=tuple(_passed_over(entry) for entry in reader.objects("passed_over", [])),
    )
    key.end()
    reader.end()
    _check_item(item)
    return item


def _years(reader: _Reader) -> int | None:
    """Read the query period, which an item must state (R-INC-7); null means as long as the record is in force."""
    if reader.content.get("query_period_years", 0) is None:
        del reader.content["query_period_years"]
        return None
    return reader.whole("query_period_years", 100)


def _disclosure(reader: _Reader) -> tuple[str, ...]:
    classes = reader.entries("disclosure")
    if not classes or [one for one in DISCLOSURES if one in classes] != classes:
        raise _EditionError(f"{reader.where}.disclosure is not a choice of {', '.join(DISCLOSURES)} in that order")
    return tuple(classes)


def _field(reader: _Reader) -> Field:
    code = reader.text("code")
    reader.where = code
    basis = reader.content.pop("basis", None)
    field = Field(
        number=reader.whole("number", 9999),
        code=code,
        name=reader.text("name"),
        title_zh=reader.text("title_zh"),
        title_en=reader.text("title_en"),
        type=reader.one_of("type", TYPES),
        max_chars=reader.whole("max_chars", 20_000),
        required=reader.one_of("required", REQUIRED),
        condition=reader.one_of("condition", CONDITIONS, ""),
        values=tuple(_value(entry) for entry in reader.objects("values", [])),
        separators=reader.text("separators", ""),
        never_public=reader.flag("never_public"),
        not_future=reader.flag("not_future"),
        not_before=reader.text("not_before", ""),
        basis=_basis(_Reader(basis, f"{code}.basis")) if basis is not None else None,
        aliases=reader.texts("aliases"),
        long_term=reader.date("long_term") if "long_term" in reader.content else "",
    )
    reader.end()
    if field.long_term and field.type != "date":
        raise _EditionError(f"{code}: long_term belongs to type=date, and to nothing else")
    if (field.required == "conditional") != bool(field.condition):
        raise _EditionError(f"{code}: a condition belongs to required=conditional, and to nothing else")
    if (field.type == "enum") != bool(field.values):
        raise _EditionError(f"{code}: values belong to type=enum, and to nothing else")
    return field


def _value(reader: _Reader) -> Value:
    value = Value(
        text=reader.text("text"),
        code=reader.text("code", ""),
        means=reader.one_of("means", MEANINGS, ""),
        prefix=reader.flag("prefix"),
    )
    reader.end()
    return value


def _passed_over(reader: _Reader) -> PassedOver:
    passed_over = PassedOver(reader.text("heading"), reader.texts("only"))
    reader.end()
    return passed_over


def _basis(reader: _Reader) -> Basis:
    basis = Basis(reader.text("rule"), reader.text("article"))
    reader.end()
    return basis


def _check_item(item: Item) -> None:
    """Refuse repeated numbers, codes, names and values, and references to fields the item lacks."""
    properties: dict[str, Callable[[Field], Any]] = {
        "number": lambda field: field.number,
        "code": lambda field: field.code,
        "name": lambda field: field.name,
    }
    for title, property_of in properties.items():
        _refuse_repeated(item.id, title, [property_of(field) for field in item.fields])
    for field in item.fields:
        texts = [text for value in field.values for text in (value.text, value.code) if text]
        _refuse_repeated(field.code, "value", texts)
    references = {item.key_authority, item.key_document, *(field.not_before for field in item.fields)}
    lost = references - {""} - item.by_code.keys()
    if lost:
        raise _EditionError(f"{item.id} refers to fields it lacks: {', '.join(sorted(lost))}")
    if not item.numbers["uscc"]:
        raise _EditionError(f"{item.id} has no field named uscc, the key of its subjects")
    _check_headings(item)


def _check_headings(item: Item) -> None:
    """Refuse an alias or a heading passed over that folds to the name of another column."""
    added = [(field.code, alias) for field in item.fields for alias in field.aliases]
    added += [("passed_over", one.heading) for one in item.passed_over]
    _refuse_repeated(item.id, "heading", [fold_heading(heading) for _, heading in added])
    names = {fold_heading(name): field.code for field in item.fields for name in (field.title_zh, field.code)}
    for owner, heading in added:
        folded = fold_heading(heading)
        if not folded or names.setdefault(folded, owner) != owner:
            raise _EditionError(f"{item.id}: the heading {heading!r} of {owner} is another column's, too")


def _refuse_repeated(where: str, title: str, found: list[Any]) -> None:
    repeated = sorted(str(one) for one, count in Counter(found).items() if count > 1)
    if repeated:
        raise _EditionError(f"{where} has a {title} twice: {', '.join(repeated)}")
