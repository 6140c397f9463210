"""Rows of JSON lines: one object a line, with the same names and forms of values as the other files."""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from node.core.catalogue import PassedOver
from node.core.record import Defect, Row
from node.ingest.cells import EDGES, CellError, Column, Number, Reading, reading_of
from node.ingest.headings import Headings, is_ours

Refused = Callable[[int, str, Defect], Row]


class _NoTextError(ValueError):
    """Why a JSON line is no row."""


class JsonRows:
    """The rows of a file of JSON lines."""

    def __init__(self, headings: Headings, refused: Refused) -> None:
        self._headings = headings
        self._refused = refused
        # Names repeat in every line; those of other lines are bounded by what is known.
        self._columns: dict[str, tuple[Column, Reading] | PassedOver] = {}

    def row(self, number: int, text: str) -> Row:
        """Return the row in a line."""
        try:
            content = json.loads(
                text, object_pairs_hook=_pairs, parse_float=Number, parse_int=str, parse_constant=_refuse
            )
            values = _texts(content)
            return self._row(number, values, text)
        except RecursionError:
            return self._refused(number, text, Defect("ROW_JSON", params={"detail": "objects within objects"}))
        except ValueError as why:
            # A decoding error quotes nothing of the line but its position.
            return self._refused(number, text, Defect("ROW_JSON", params={"detail": str(why)}))

    def _row(self, number: int, content: dict[str, str], text: str) -> Row:
        values: dict[str, str] = {}
        defects: list[Defect] = []
        for name, cell in content.items():
            found = self._find(name)
            if found is None:
                params = {"column": name[:40], "nearest": self._headings.nearest(name)}
                return self._refused(number, text, Defect("ROW_COLUMN_UNKNOWN", params=params))
            if isinstance(found, PassedOver):
                if found.only and cell.strip(EDGES) not in found.only:
                    params = {"title": found.heading, "values": ", ".join(found.only)}
                    defects.append(Defect("CELL_PASSED_OVER", params=params))
                continue
            column, read = found
            code = column.field.code
            if code in values:
                raise _NoTextError("a column stands twice")
            try:
                values[code] = read(cell)
            except CellError as why:
                values[code] = str(cell)
                defects.append(Defect(why.code, code, {"title": column.field.title_zh} | why.params))
        values = {code: value for code, value in values.items() if value}
        if not values and not defects:
            defects.append(Defect("ROW_EMPTY"))
        return Row(number, values, tuple(defects))

    def _find(self, name: str) -> "tuple[Column, Reading] | PassedOver | None":
        known = self._columns.get(name)
        if known is None:
            found = self._headings.find(name)
            if found is None:
                return None
            known = (found, reading_of(found)) if isinstance(found, Column) else found
            if len(self._columns) < len(self._headings.item.fields) * 4:
                self._columns[name] = known
        return known


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise _NoTextError("a column stands twice")
    return content


def _refuse(constant: str) -> None:
    raise _NoTextError(f"{constant} is no value")


def _texts(content: Any) -> dict[str, str]:
    """Return the texts of an object; numbers stay as they are written, null and blank texts are absent."""
    if not isinstance(content, dict):
        raise _NoTextError("the line is no object")
    ours = {code: text for code, text in content.items() if not is_ours(code)}
    values = {code: text for code, text in ours.items() if text is not None}
    if not all(isinstance(text, str) for text in values.values()):
        raise _NoTextError("a value is neither text nor number")
    if not "".join(chain.from_iterable(values.items())).isprintable():
        _refuse_surrogates(values)
    return {code: text for code, text in values.items() if text and not text.isspace()}


def _refuse_surrogates(values: dict[str, str]) -> None:
    """Refuse halves of characters, which JSON can write and UTF-8 cannot."""
    try:
        "".join(chain.from_iterable(values.items())).encode()
    except UnicodeEncodeError:
        raise _NoTextError("half of a character (an unpaired surrogate)") from None
