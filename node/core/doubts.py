"""What is worth a look in a sound record: codes whose division this version does not know.

A doubt refuses nothing and travels nowhere: it is told to whoever publishes. The table of divisions comes with a
release, so that two nodes may well differ in it, and both must take the same records.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from node.core.catalogue import Item
from node.core.divisions import division_doubt, resident_id_doubt, uscc_doubt
from node.core.errors import XinqiaoError
from node.core.record import Defect
from node.core.rules import Verdict

Values = Mapping[int, str]
Doubt = Callable[[str], str | None]
Doubts = Callable[[Values], tuple[Defect, ...]]

RULE_DOUBT = "DOUBT_RULE"
"""The doubt that a rule has by its flag."""

_BY_TYPE: dict[str, Doubt] = {"uscc": uscc_doubt, "division": division_doubt}
_IDENTITIES = (("person_id_type", "person_id_no"), ("legal_rep_id_type", "legal_rep_id_no"))


def compile_doubts(item: Item) -> Doubts:
    """Return the function that doubts the values of a record of an item, which its validator has found sound.

    The answers look like defects: code, column and the parameters of the text, never the value. A `Tally` makes one
    of each kind for a whole file.
    """
    coded = [(field, _BY_TYPE[field.type]) for field in item.fields if field.type in _BY_TYPE]
    persons = [(item.by_number[item.numbers[name]], *_resident_id(item, kind)) for kind, name in _identities(item)]

    # A code that is new here stands in row after row: its doubt is made once.
    @cache
    def defect(number: int, code: str) -> Defect:
        field = item.by_number[number]
        return Defect(code, field.code, {"title": field.title_zh, "rows": 1})

    def doubt(values: Values) -> tuple[Defect, ...]:
        found = []
        for field, doubted in coded:
            text = values.get(field.number)
            if text is not None and (code := doubted(text)) is not None:
                found.append(defect(field.number, code))
        for field, kind, resident_ids in persons:
            text = values.get(field.number)
            if text is not None and values.get(kind) in resident_ids and (code := resident_id_doubt(text)) is not None:
                found.append(defect(field.number, code))
        return tuple(found)

    return doubt


class Tally:
    """Counts the doubts about the rows of a file, by kind: one code and the title of one field."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], tuple[int, Defect]] = {}

    def add(self, doubts: Iterable[Defect]) -> None:
        """Count the doubts about one row."""
        for each in doubts:
            kind = (each.code, str(each.params["title"]))
            rows, first = self._kinds.get(kind, (0, each))
            self._kinds[kind] = (rows + 1, first)

    def notes(self) -> list[XinqiaoError]:
        """One note for each kind, with the number of rows."""
        found = (each for _, each in sorted(self._kinds.items(), key=lambda each: each[0]))
        return [XinqiaoError(first.code, **{**first.params, "rows": rows}) for rows, first in found]


def flagged(verdict: Verdict) -> Defect:
    """A rule that flags a row, as a doubt that is told once for the whole file."""
    error = verdict.defect.error
    params = {"title": f"{verdict.field_code} {verdict.code}", "rows": 1, "said": error.text, "what": error.next}
    return Defect(RULE_DOUBT, verdict.field_code, params)


def _identities(item: Item) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in _IDENTITIES if item.numbers[kind] and item.numbers[name]]


def _resident_id(item: Item, kind: str) -> tuple[int, frozenset[str]]:
    """The number of a field for the kind of identity, and what it says of a resident identity number."""
    number = item.numbers[kind]
    return number, item.by_number[number].texts_that_mean("resident_id")
