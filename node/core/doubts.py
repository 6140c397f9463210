"""What is worth a look in a sound record: codes whose division this version does not know.

A doubt refuses nothing and travels nowhere: it is told to whoever publishes. The table of divisions comes with a
release, so that two nodes may well differ in it, and both must take the same records.
"""

from collections.abc import Callable, Mapping

from node.core.catalogue import Field, Item
from node.core.divisions import division_doubt, resident_id_doubt, uscc_doubt
from node.core.errors import XinqiaoError
from node.core.identifiers import division_fault, resident_id_fault, uscc_fault
from node.core.record import Defect

Values = Mapping[int, str]
Doubt = Callable[[str], str | None]
Doubts = Callable[[Values], tuple[Defect, ...]]

_BY_TYPE: dict[str, tuple[Doubt, Doubt]] = {
    "uscc": (uscc_fault, uscc_doubt),
    "division": (division_fault, division_doubt),
}
_IDENTITIES = (("person_id_type", "person_id_no"), ("legal_rep_id_type", "legal_rep_id_no"))


def compile_doubts(item: Item) -> Doubts:
    """Return the function that doubts the values of a record of an item; what is no sound code is none of its business.

    The answers look like defects: code, column and the parameters of the text, never the value. `summed` makes one of
    each kind for a whole file.
    """
    coded = [(field, *_BY_TYPE[field.type]) for field in item.fields if field.type in _BY_TYPE]
    persons = [(item.by_number[item.numbers[name]], _says_resident_id(item, kind)) for kind, name in _identities(item)]

    def doubt(values: Values) -> tuple[Defect, ...]:
        found = [_found(field, values.get(field.number), fault, doubted) for field, fault, doubted in coded]
        found += [
            _found(field, values.get(field.number), resident_id_fault, resident_id_doubt)
            for field, is_resident_id in persons
            if is_resident_id(values)
        ]
        return tuple(defect for defect in found if defect is not None)

    return doubt


def summed(doubts: Mapping[tuple[str, str], int]) -> list[XinqiaoError]:
    """Return one note for each kind of doubt about a file, by code and title of the field, with the number of rows."""
    return [XinqiaoError(code, title=title, rows=rows) for (code, title), rows in sorted(doubts.items())]


def _found(field: Field, text: str | None, fault: Doubt, doubted: Doubt) -> Defect | None:
    if text is None or fault(text) is not None:
        return None
    code = doubted(text)
    return Defect(code, field.code, {"title": field.title_zh, "rows": 1}) if code is not None else None


def _identities(item: Item) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in _IDENTITIES if item.numbers[kind] and item.numbers[name]]


def _says_resident_id(item: Item, kind: str) -> Callable[[Values], bool]:
    number = item.numbers[kind]
    texts = item.by_number[number].texts_that_mean("resident_id")
    return lambda values: values.get(number) in texts
