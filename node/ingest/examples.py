"""A made-up record of any item, whose codes check and cannot be issued."""

from collections.abc import Mapping

from node.core.catalogue import Field, Item
from node.core.identifiers import org_code_check_character, uscc_check_character
from node.core.validation import compile_validator

# No registrar has this division, so that no such code is ever issued; the letters keep it from being all digits.
_DIVISION = "319900"
_BODY = "MX00000"
_DAY, _LATER = "2026-01-05", "2027-01-05"
_TEXTS = {"decision_doc_no": "示例〔2026〕1号", "legal_rep_name": "示例人", "subject_name": "示例科技有限公司"}
_OPTIONAL = frozenset({"uscc", "legal_rep_name", "case_procedure"})
_ROUNDS = 8


def example_of(item: Item) -> Mapping[str, str]:
    """Return the values of a sound record by column code: what must be filled in, for an organisation.

    What the validator still misses is added, so that a new item needs no code.
    """
    wanted = {field.number for field in item.fields if field.required == "yes" or field.name in _OPTIONAL}
    validate = compile_validator(item, "C")
    values: dict[int, str] = {}
    for _ in range(_ROUNDS):
        values = {number: _example(item.by_number[number]) for number in wanted}
        missed = {item.by_code[one.field_code].number for one in validate(values) if one.field_code} - wanted
        if not missed:
            break
        wanted |= missed
    return {item.by_number[number].code: text for number, text in values.items()}


def example_uscc(kind: str, serial: int) -> str:
    """Return a unified social credit code that checks and cannot be issued; kind is its first two characters."""
    org_code = _org_code(serial)
    return (first := f"{kind}{_DIVISION}{org_code}") + uscc_check_character(first)


def _org_code(serial: int) -> str:
    body = f"{_BODY}{serial}"
    return body + org_code_check_character(body)


def _example(field: Field) -> str:
    if field.type == "enum":
        return _value(field)
    if field.type == "uscc":
        return example_uscc("91", 1) if field.name == "uscc" else example_uscc("11", 2)
    by_type = {
        "date": _LATER if field.not_before else _DAY,
        "amount_wan_yuan": "1.5",
        "amount_yuan": "15000",
        "org_code": _org_code(1),
        "division": "310000",
        "digits": "1",
    }
    text = by_type.get(field.type) or _TEXTS.get(field.name) or f"示例{field.title_zh}"
    return text[: field.max_chars]


def _value(field: Field) -> str:
    """Return the value for an organisation, or else the first that stands for itself."""
    found = [value for value in field.values if value.means in ("organisation", "ordinary_procedure")]
    value = (found or [value for value in field.values if not value.prefix] or list(field.values))[0]
    return f"{value.text}-示例" if value.prefix else value.text
