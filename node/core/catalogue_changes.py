"""What differs between two editions of the catalogue: items, their properties, their fields and the fields' lists.

A field is the same one where its permanent number is, whatever its code is called. Lists (aliases, values, headings
passed over) are compared entry by entry, so that a value that was added is one change, and its order is none.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from node.core.catalogue import Basis, Edition, Field, Item, PassedOver, Value

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_ITEM_TEXTS = ("title_zh", "title_en", "content", "entry_rule", "query_period_years", "source", "disclosure")
_FIELD_TEXTS = (
    "code",
    "name",
    "title_zh",
    "title_en",
    "type",
    "max_chars",
    "required",
    "condition",
    "separators",
    "never_public",
    "not_future",
    "not_before",
    "basis",
    "long_term",
)
KEY_NAMES = {"authority": "key_authority", "document": "key_document"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what of which item and field ("" for the item itself) was what, and is what now.

    kind is ADDED, REMOVED or CHANGED; aspect is the key of the edition's JSON, "" for the item or field as a whole.
    """

    kind: str
    item: str
    field: str
    aspect: str
    before: str
    after: str


def changes(before: Edition, after: Edition) -> list[Change]:
    """Return what an edition changes of another one, in the order of the items and fields of the later one."""
    found: list[Change] = []
    for item_id in dict.fromkeys([*after.items, *before.items]):
        old, new = before.items.get(item_id), after.items.get(item_id)
        if old is not None and new is not None:
            found += _of_item(old, new)
        elif old is not None:
            found.append(Change(REMOVED, item_id, "", "", old.title_zh, ""))
        elif new is not None:
            found.append(Change(ADDED, item_id, "", "", "", new.title_zh))
    return found


def _of_item(old: Item, new: Item) -> Iterator[Change]:
    yield from _properties(new.id, "", _item_properties(old), _item_properties(new))
    yield from _entries(new.id, "", "passed_over", map(_heading, old.passed_over), map(_heading, new.passed_over))
    for number in dict.fromkeys([*new.by_number, *old.by_number]):
        was, is_now = old.by_number.get(number), new.by_number.get(number)
        if was is not None and is_now is not None:
            yield from _of_field(new.id, was, is_now)
        elif was is not None:
            yield Change(REMOVED, new.id, was.code, "", was.title_zh, "")
        elif is_now is not None:
            yield Change(ADDED, new.id, is_now.code, "", "", is_now.title_zh)


def _item_properties(item: Item) -> Mapping[str, str]:
    keys = {f"key.{name}": _text(getattr(item, attribute)) for name, attribute in KEY_NAMES.items()}
    return {name: _text(getattr(item, name)) for name in _ITEM_TEXTS} | keys


def _of_field(item: str, old: Field, new: Field) -> Iterator[Change]:
    was, is_now = ({name: _text(getattr(field, name)) for name in _FIELD_TEXTS} for field in (old, new))
    yield from _properties(item, new.code, was, is_now)
    yield from _entries(item, new.code, "aliases", old.aliases, new.aliases)
    yield from _entries(item, new.code, "values", map(_value, old.values), map(_value, new.values))


def _properties(item: str, field: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name, text in new.items():
        if old[name] != text:
            yield Change(CHANGED, item, field, name, old[name], text)


def _entries(item: str, field: str, aspect: str, old: Iterable[str], new: Iterable[str]) -> Iterator[Change]:
    was, is_now = dict.fromkeys(old), dict.fromkeys(new)
    yield from (Change(REMOVED, item, field, aspect, text, "") for text in was if text not in is_now)
    yield from (Change(ADDED, item, field, aspect, "", text) for text in is_now if text not in was)


def _text(value: object) -> str:
    """Return a property as one text; empty where it is left out."""
    if value is None or value is False:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Basis):
        return f"{value.rule}; {value.article}"
    return "true" if value is True else str(value)


def _value(value: Value) -> str:
    code = f" ({value.code})" if value.code else ""
    means = f" [{value.means}]" if value.means else ""
    return f"{value.text}{'-…' if value.prefix else ''}{code}{means}"


def _heading(passed_over: PassedOver) -> str:
    only = f" ({', '.join(passed_over.only)})" if passed_over.only else ""
    return f"{passed_over.heading}{only}"
