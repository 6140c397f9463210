"""What a compiled reader of slots (slot_reader.pyx) is told of a standard, and how it is asked.

An installation whose machine has a C compiler has that reader; any other one reads and judges in node.core.entry and
node.core.sound alone, to the same effect.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from node.core.catalogue import Field, Item, is_natural_person
from node.core.identifiers import fold_document_number
from node.core.rules import Judge
from node.core.sound import compile_field_reader
from node.core.validation import ABOUT_THE_PLACEHOLDER, Conditions, compile_conditions

try:
    from node.core.slot_reader import SlotReader
except ImportError:  # nothing compiled it
    SlotReader = None  # type: ignore[assignment,misc]

__all__ = ["IS_COMPILED", "NUMBERS", "Asked", "Kind", "Questioned", "SlotReader", "compile_slot_reader"]

IS_COMPILED = SlotReader is not None

Question = tuple[int, bool]
"""The number of a field, and whether it was only asked whether it is there."""

NUMBERS = 128
"""The reader knows the fields of an item whose numbers are below."""
_FOLDED_MARKS = "([【〔〖{)]】〕〗}（［｛）］｝"


class Kind(IntEnum):
    """What the reader looks at by itself in a field; what it is to ask for is remembered by its bytes."""

    ASKED = 1
    TEXT = 2
    PUBLIC_TEXT = 3
    DATE = 4
    USCC = 5
    AMOUNT_YUAN = 6
    AMOUNT_WAN_YUAN = 7


_READ_BY_ITSELF = {
    "date": Kind.DATE,
    "uscc": Kind.USCC,
    "amount_yuan": Kind.AMOUNT_YUAN,
    "amount_wan_yuan": Kind.AMOUNT_WAN_YUAN,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a record, as far as the reader looks itself.

    fields hold kind, longest text and last day by number; orders are (later, earlier) dates; folds give the UTF-8,
    three bytes, of what stands for a mark in a document number. authority, document, code (of the subject) and
    registration, which names a subject where its code is the placeholder, are numbers of fields, 0 for none.
    """

    item: str
    fields: Mapping[int, tuple[int, int, str]]
    required: frozenset[int]
    orders: tuple[tuple[int, int], ...]
    authority: int
    document: int
    code: int
    registration: int
    folds: Mapping[str, bytes]


def compile_slot_reader(
    item: Item, disclosure: str, as_of: str = "", rules: Judge | None = None
) -> "SlotReader | None":
    """Return the reader for the records of an item, None where there is none; parameters are those of
    compile_validator.

    Certainly sound, for it, is nobody but an organisation with a code.
    """
    conditions = compile_conditions(item, disclosure, as_of, rules)
    if SlotReader is None or max(item.by_number) >= NUMBERS:
        return None
    if any(each.type != "date" for pair in conditions.orders for each in pair):
        return None
    authority, document = item.key_numbers
    asked = Asked(
        item=item.id,
        fields={each.number: (_kind(conditions, each), each.max_chars, _last_day(each, as_of)) for each in item.fields},
        required=conditions.required,
        orders=tuple((later.number, earlier.number) for later, earlier in conditions.orders),
        authority=authority,
        document=document,
        code=item.numbers["uscc"],
        registration=item.numbers["biz_reg_no"],
        folds={mark: fold_document_number(mark).encode() for mark in _FOLDED_MARKS},
    )
    return SlotReader(asked, compile_field_reader(conditions), _compile_questions(item, conditions))


def _kind(conditions: Conditions, field: Field) -> Kind:
    _, check = conditions.told[field.number]
    if check is None:
        return Kind.PUBLIC_TEXT if field.number in conditions.texts else Kind.TEXT
    return Kind.ASKED if field.number in conditions.unwanted else _READ_BY_ITSELF.get(field.type, Kind.ASKED)


def _last_day(field: Field, as_of: str) -> str:
    return as_of if as_of and field.not_future else "9999-12-31"


# --- What is asked of values against each other -----------------------------------------------------------------


class _Heard(Mapping[int, str]):
    """Values that remember what they were asked for; whole where somebody looked at all of them."""

    def __init__(self, values: Mapping[int, str]) -> None:
        self._values = values
        self.questions: dict[Question, None] = {}
        self.whole = False

    def __getitem__(self, number: int) -> str:
        self.questions[number, False] = None
        return self._values[number]

    def __contains__(self, number: object) -> bool:
        if isinstance(number, int) and (number, False) not in self.questions:
            self.questions[number, True] = None
        return number in self._values

    def __iter__(self) -> Iterator[int]:
        self.whole = True
        return iter(self._values)

    def __len__(self) -> int:
        self.whole = True
        return len(self._values)


Questioned = tuple[bool, list[Question] | None]


def _compile_questions(item: Item, conditions: Conditions) -> Callable[[Mapping[int, str], bool], Questioned]:
    """Return the function that tells whether values agree with each other, and what it had to ask for it, in order.

    It is also told whether the subject's code is the placeholder; where it is not, nobody asks for the code, of which
    there are as many as subjects. Each field by itself is sound, all required ones are there, dates are in order.
    """
    with_a_code = [each for each in conditions.conditional if each[0].condition != ABOUT_THE_PLACEHOLDER]

    def agree(values: Mapping[int, str], is_placeholder: bool) -> bool:
        if is_natural_person(item, values):
            return False
        conditional = conditions.conditional if is_placeholder else with_a_code
        if any(field.number not in values and applies(values) for field, applies in conditional):
            return False
        relations = [*conditions.identities, *(conditions.placeholders if is_placeholder else ())]
        return not any(relation(values) for relation in relations) and not conditions.bars(values)

    def judge(values: Mapping[int, str], is_placeholder: bool) -> Questioned:
        heard = _Heard(values)
        found = agree(heard, is_placeholder)
        return found, None if heard.whole else list(heard.questions)

    return judge
