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

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

from node.core.editions import EditionError, Reader, read_json, refuse_repeated
from node.core.errors import XinqiaoError
from node.core.identifiers import USCC_PLACEHOLDER, fold_document_number, fold_heading
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
        "ordinary_procedure",
        "final",
        "not_final",
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
    def key_numbers(self) -> tuple[int, int]:
        """The permanent numbers of the fields of the key, authority and document; 0 for one that it has not."""
        numbers = {field.code: field.number for field in self.fields}
        return numbers.get(self.key_authority, 0), numbers.get(self.key_document, 0)

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


def in_order(editions: Iterable[Edition]) -> list[str]:
    """Return the versions of editions in the order in which they come into force, then of their versions."""
    return [edition.version for edition in sorted(editions, key=_place)]


def in_force(editions: Iterable[Edition], day: str) -> Edition | None:
    """Return the edition that has come into force last by a day (YYYY-MM-DD), then the highest version.

    Before the first one it is the first all the same, as a node publishes under none but those it has.
    """
    known = sorted(editions, key=_place)
    return next((edition for edition in reversed(known) if edition.in_force_from <= day), next(iter(known), None))


def _place(edition: Edition) -> tuple[str, str]:
    return edition.in_force_from, edition.version


CATALOGUE_BASIS = Basis("R-INC-6", "上海市社会信用条例 art. 11; 上海市公共信用信息归集和使用管理办法 art. 15")


# --- What a record says -------------------------------------------------------------------------------------


def is_natural_person(item: Item, values: Mapping[int, str]) -> bool:
    """Tell whether the subject of a record is a natural person."""
    return values.get(item.numbers["subject_category"]) in item.natural_person_texts


def value_means(item: Item, name: str, meaning: str) -> Callable[[Mapping[int, str]], bool]:
    """Return whether the field of that name has (among its values) one with that meaning."""
    field = item.by_number.get(item.numbers[name])
    if field is None:
        return lambda _: False
    number, wanted = field.number, field.texts_that_mean(meaning)
    if not field.separators:
        return lambda values: values.get(number) in wanted
    return lambda values: not wanted.isdisjoint(field.parts(values.get(number, "")))


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
    return values.get(item.key_numbers[0], "")


def natural_key(item: Item, values: Mapping[int, str]) -> bytes:
    """Return SHA-256 over (authority, folded document number, subject, item): equal for versions of one record.

    Each part is UTF-8 after its length as 4 bytes, big-endian. Parts the item has no field for are empty, so that
    a registration is identified by its subject.
    """
    authority, document = item.key_numbers
    folded = fold_document_number(values[document]) if document in values else ""
    parts = (values.get(authority, ""), folded, subject_of(item, values), item.id)
    return sha256(b"".join(map(_sized, parts))).digest()


class Identity(NamedTuple):
    """By what a record is found: its natural key, the code of its subject, the USCC of its authority."""

    key: bytes
    subject: str
    authority: str


_AUTHORITIES_REMEMBERED = 1024


def compile_identity(item: Item) -> Callable[[Mapping[int, str]], Identity]:
    """Return natural_key, subject_of and authority_of of an item in one, for many records."""
    authority_number, document_number = item.key_numbers
    end = _sized(item.id)
    sized: dict[str, bytes] = {}

    def identify(values: Mapping[int, str]) -> Identity:
        authority, subject = values.get(authority_number, ""), subject_of(item, values)
        head = sized.get(authority)
        if head is None:
            head = _sized(authority)
            if len(sized) < _AUTHORITIES_REMEMBERED:
                sized[authority] = head
        folded = fold_document_number(values[document_number]) if document_number in values else ""
        return Identity(sha256(head + _sized(folded) + _sized(subject) + end).digest(), subject, authority)

    return identify


def _sized(text: str) -> bytes:
    part = text.encode()
    return len(part).to_bytes(4, "big") + part


def key_parts(item: Item) -> Mapping[str, tuple[str, ...]]:
    """Return the codes of the fields that tell records apart, by what they stand for; a subject has one of several."""
    subject = (item.numbers[name] for name in ("uscc", "biz_reg_no", "person_id_no"))
    parts = {
        "authority": (item.key_authority,) if item.key_authority else (),
        "document": (item.key_document,) if item.key_document else (),
        "subject": tuple(item.by_number[number].code for number in subject if number),
    }
    return {role: codes for role, codes in parts.items() if codes}


def strip_never_public(item: Item, values: Mapping[int, str]) -> dict[int, str]:
    """Return the values without those that may not stand in a record of class A."""
    barred = item.never_public_numbers
    return {number: text for number, text in values.items() if number not in barred}


def amount_fen(field: Field, text: str) -> int:
    """Return a valid amount in fen (0.01 yuan)."""
    return int(Decimal(text) * _FEN_PER_UNIT[field.type])


# --- Reading an edition -------------------------------------------------------------------------------------


def parse_edition(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> Edition:
    """Return the edition in a registry target's bytes; raises XinqiaoError CATALOGUE_INVALID."""
    try:
        return _edition(read_json(payload, limits))
    except EditionError as why:
        raise XinqiaoError("CATALOGUE_INVALID", detail=str(why)) from None


def _edition(reader: Reader) -> Edition:
    if reader.whole("format", 1 << 31) != FORMAT:
        raise EditionError(f"its format is not {FORMAT}, which this version reads")
    version = reader.text("version")
    in_force_from = reader.date("in_force_from")
    items = [_item(entry) for entry in reader.objects("items")]
    reader.end()
    refuse_repeated("items", "id", [item.id for item in items])
    return Edition(version, in_force_from, {item.id: item for item in items})


def _item(reader: Reader) -> Item:
    item_id = reader.text("id")
    reader.where = item_id
    key = Reader(reader.content.pop("key", None), f"{item_id}.key")
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


def _years(reader: Reader) -> int | None:
    """Read the query period, which an item must state (R-INC-7); null means as long as the record is in force."""
    if reader.content.get("query_period_years", 0) is None:
        del reader.content["query_period_years"]
        return None
    return reader.whole("query_period_years", 100)


def _disclosure(reader: Reader) -> tuple[str, ...]:
    classes = reader.entries("disclosure")
    if not classes or [one for one in DISCLOSURES if one in classes] != classes:
        raise EditionError(f"{reader.where}.disclosure is not a choice of {', '.join(DISCLOSURES)} in that order")
    return tuple(classes)


def _field(reader: Reader) -> Field:
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
        basis=_basis(Reader(basis, f"{code}.basis")) if basis is not None else None,
        aliases=reader.sorted_texts("aliases"),
        long_term=reader.date("long_term") if "long_term" in reader.content else "",
    )
    reader.end()
    if field.long_term and field.type != "date":
        raise EditionError(f"{code}: long_term belongs to type=date, and to nothing else")
    if (field.required == "conditional") != bool(field.condition):
        raise EditionError(f"{code}: a condition belongs to required=conditional, and to nothing else")
    if (field.type == "enum") != bool(field.values):
        raise EditionError(f"{code}: values belong to type=enum, and to nothing else")
    return field


def _value(reader: Reader) -> Value:
    value = Value(
        text=reader.text("text"),
        code=reader.text("code", ""),
        means=reader.one_of("means", MEANINGS, ""),
        prefix=reader.flag("prefix"),
    )
    reader.end()
    return value


def _passed_over(reader: Reader) -> PassedOver:
    passed_over = PassedOver(reader.text("heading"), reader.sorted_texts("only"))
    reader.end()
    return passed_over


def _basis(reader: Reader) -> Basis:
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
        refuse_repeated(item.id, title, [property_of(field) for field in item.fields])
    for field in item.fields:
        texts = [text for value in field.values for text in (value.text, value.code) if text]
        refuse_repeated(field.code, "value", texts)
    references = {item.key_authority, item.key_document, *(field.not_before for field in item.fields)}
    lost = references - {""} - item.by_code.keys()
    if lost:
        raise EditionError(f"{item.id} refers to fields it lacks: {', '.join(sorted(lost))}")
    if not item.numbers["uscc"]:
        raise EditionError(f"{item.id} has no field named uscc, the key of its subjects")
    _check_headings(item)


def _check_headings(item: Item) -> None:
    """Refuse an alias or a heading passed over that folds to the name of another column."""
    added = [(field.code, alias) for field in item.fields for alias in field.aliases]
    added += [("passed_over", one.heading) for one in item.passed_over]
    refuse_repeated(item.id, "heading", [fold_heading(heading) for _, heading in added])
    names = {fold_heading(name): field.code for field in item.fields for name in (field.title_zh, field.code)}
    for owner, heading in added:
        folded = fold_heading(heading)
        if not folded or names.setdefault(folded, owner) != owner:
            raise EditionError(f"{item.id}: the heading {heading!r} of {owner} is another column's, too")
