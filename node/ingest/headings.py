"""Headers as people write them: the row in which the names of columns stand, and the fields they mean.

A heading may be a field's code in any capitals, with or without underscores (CF_XDR_MC, cf_xdr_mc, cfXdrMc), its
Chinese name with or without what stands in brackets behind it, or one of the aliases that the catalogue lists. A
unit in brackets behind the name of an amount is the unit of the column. Title rows may stand above the header.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from node.core.catalogue import Field, Item, PassedOver
from node.core.errors import XinqiaoError
from node.core.identifiers import fold_heading
from node.core.limits import Limits
from node.core.record import Defect, Row, Sheet
from node.ingest.amounts import FIELD_UNITS, UNITS
from node.ingest.cells import EDGES, CellError, Column, Reading, reading_of

OUR_PREFIX = "xq_"
RETURNED_MARK = f"{OUR_PREFIX}code"
NOTES_MARK = f"{OUR_PREFIX}notes"
"""Stands in the first cell of a sheet of explanations, which holds no rows whatever else it shows."""
REASON_TITLES = {"zh": ("原因", "怎么改"), "en": ("Reason", "What to do")}
"""Headings of the two columns that tell what is wrong with a row, by language."""
_OUR_TITLES = frozenset(title for titles in REASON_TITLES.values() for title in titles)
_NOTE = re.compile(r"(.+?)(?:〔([^〔〕]*)〕|/([^/〔〕]+))")
_REMARKS = frozenset({"必填", "选填", "必选", "可选", "必填项", "选填项", "可为空", "可空"})
_UNIT_PREFIX = "单位:"
_MANY_SHOWN = 10
_LONG_NUMBER = re.compile(r"\d(?:[\s-]?\d){8}")
"""No heading has so many digits; telephone numbers, identity numbers and codes have."""


class Headings:
    """What headings mean in files of one item."""

    def __init__(self, item: Item, limits: Limits) -> None:
        self.item = item
        self._limits = limits
        self._fields = _by_heading(item)
        self._passed_over = {fold_heading(one.heading): one for one in item.passed_over}

    def find(self, heading: str) -> Column | PassedOver | None:
        """Return what a heading means, None where it means nothing of this item."""
        if len(heading) > self._limits.max_heading_chars:
            return None
        folded = fold_heading(heading)
        if folded in self._fields:
            return Column(self._fields[folded])
        if folded in self._passed_over:
            return self._passed_over[folded]
        noted = _NOTE.fullmatch(folded)
        return self._with_note(noted[1], noted[2] or noted[3]) if noted is not None else None

    def _with_note(self, name: str, note: str) -> Column | None:
        """Return the column of a name with something behind it: a unit, or that the column must be filled in."""
        found = self.find(name)
        if not isinstance(found, Column):
            return None
        if note in _REMARKS:
            return found
        unit = note.removeprefix(_UNIT_PREFIX)
        return found._replace(unit=unit) if unit in UNITS and found.field.type in FIELD_UNITS else None

    def title_of(self, code: str) -> str:
        """Return the heading of a field for people: its Chinese name, or its code where the name is not certain."""
        field = self.item.by_code.get(code)
        return field.title_zh if field is not None and self.find(field.title_zh) == Column(field) else code

    def is_header(self, cells: Sequence[str]) -> bool:
        """Tell whether a row is the header: two known headings, or one among two cells at most."""
        written = [cell for cell in cells if cell.strip(EDGES)]
        known = sum(
            is_ours(cell) or self.find(cell) is not None for cell in written[: self._limits.max_heading_columns]
        )
        return known >= 2 or (known == 1 and len(written) <= 2)

    def nearest(self, heading: str) -> str:
        """Return what to do about an unknown heading: the known one nearest to it, or to take it out."""
        by_words = {field.title_zh: field.code for field in self.item.fields}
        by_words |= {field.code.upper(): field.code for field in self.item.fields}
        near = get_close_matches(heading.upper(), by_words, n=1, cutoff=0.6)
        return f"write {by_words[near[0]]}" if near else f"remove it, or begin its name with {OUR_PREFIX}"


def is_ours(heading: str) -> bool:
    """Tell whether a heading is one that this program adds to rows it gives back."""
    return heading.strip(EDGES).lower().startswith(OUR_PREFIX)


def is_notes(cells: Sequence[str]) -> bool:
    """Tell whether a sheet that begins with these cells explains a template."""
    first = next((cell.strip(EDGES) for cell in cells if cell.strip(EDGES)), "")
    return first.lower().startswith(NOTES_MARK)


def _our_titles(written: Sequence[str]) -> frozenset[str]:
    """Return the headings without our prefix that are ours all the same: only in a file that we have returned."""
    return _OUR_TITLES if any(text.lower() == RETURNED_MARK for text in written) else frozenset()


def _by_heading(item: Item) -> dict[str, Field]:
    """Return the fields by folded heading; what would mean two of them means none, but a code means its field."""
    names = [(fold_heading(name), field) for field in item.fields for name in (field.title_zh, *field.aliases)]
    names += [(noted[1], field) for name, field in names if (noted := _NOTE.fullmatch(name)) is not None]
    owners: dict[str, set[str]] = {}
    for name, one in names:
        owners.setdefault(name, set()).add(one.code)
    return {name: one for name, one in names if len(owners[name]) == 1} | {
        fold_heading(one.code): one for one in item.fields
    }


@dataclass(frozen=True)
class Header:
    """A header that fits an item: how the cells below it become rows, by the place of their column."""

    width: int
    columns: tuple[str, ...]
    sheet: Sheet
    _readings: tuple[tuple[int, Column, Reading], ...]
    _passed_over: tuple[tuple[int, PassedOver], ...]
    _bare: tuple[int, ...]
    _first_words: frozenset[str] = field(default=frozenset())

    def row(self, number: int, cells: Sequence[str]) -> Row:
        """Return the row of cells, as many as the header has at least; what stands beyond must be empty."""
        values: dict[str, str] = {}
        defects: list[Defect] = []
        for place, column, read in self._readings:
            cell = cells[place]
            if not cell and type(cell) is str:
                continue
            code = column.field.code
            try:
                text = read(cell)
            except CellError as why:
                text = str(cell)
                defects.append(Defect(why.code, code, {"title": column.field.title_zh} | why.params))
            if text:
                values[code] = text if code not in values else f"{values[code]}{column.field.separators[0]}{text}"
        if self._bare or self._passed_over or len(cells) > self.width:
            defects += self._elsewhere(cells)
        if not values and not defects:
            defects.append(Defect("ROW_EMPTY"))
        return Row(number, values, tuple(defects), self.sheet)

    def _elsewhere(self, cells: Sequence[str]) -> Iterator[Defect]:
        """Yield what is wrong with the cells that fill no field."""
        for place, passed_over in self._passed_over:
            text = cells[place].strip(EDGES)
            if text and passed_over.only and text not in passed_over.only:
                params = {"title": passed_over.heading, "values": ", ".join(passed_over.only)}
                yield Defect("CELL_PASSED_OVER", "", params)
        beyond = [*(cells[place] for place in self._bare), *cells[self.width :]]
        if any(cell.strip(EDGES) for cell in beyond):
            yield Defect("CELL_WITHOUT_HEADING")

    def stands_again(self, cells: Sequence[str], headings: Headings) -> bool:
        """Tell whether a row repeats the header, in the same or other names, as printed pages and templates do."""
        place = self._readings[0][0]
        if cells[place].strip(EDGES) not in self._first_words:
            return False
        by_place = {place: column for place, column, _ in self._readings}
        written = [(place, cell) for place, cell in enumerate(cells) if cell.strip(EDGES) and place in by_place]
        found = [(by_place[place], headings.find(cell)) for place, cell in written]
        return len(found) > 1 and all(isinstance(one, Column) and one.field is here.field for here, one in found)


def read_header(
    cells: Sequence[str], headings: Headings, name: str, sheet: str = "", since_1904: bool = False
) -> Header:
    """Return the header in a row; name is what messages call the file, sheet that of a workbook.

    Raises FILE_COLUMNS_UNKNOWN, FILE_COLUMNS_REPEATED or FILE_COLUMNS_MISSING for one that does not fit the item.
    """
    item = headings.item
    written = [cell.strip(EDGES) for cell in cells]
    while written and not written[-1]:
        written.pop()
    ours = _our_titles(written)
    found = [None if not text or is_ours(text) or text in ours else headings.find(text) for text in written]
    _check_known([text if text not in ours else OUR_PREFIX for text in written], found, headings, name)
    columns = [(place, one) for place, one in enumerate(found) if isinstance(one, Column)]
    _check_fields([one for _, one in columns], [written[place] for place, _ in columns], item, name)
    letters = {one.field.code: letters_of(place) for place, one in reversed(columns)}
    first = columns[0][1].field if columns else None
    words = (first.code, first.title_zh, written[columns[0][0]]) if first is not None else ()
    return Header(
        width=len(written),
        columns=tuple(dict.fromkeys(one.field.code for _, one in columns)),
        sheet=Sheet(sheet, letters),
        _readings=tuple((place, one, reading_of(one, since_1904)) for place, one in columns),
        _passed_over=tuple((place, one) for place, one in enumerate(found) if isinstance(one, PassedOver)),
        _bare=tuple(place for place, text in enumerate(written) if not text),
        _first_words=frozenset(words),
    )


def _check_known(
    written: Sequence[str], found: Sequence[Column | PassedOver | None], headings: Headings, name: str
) -> None:
    pairs = enumerate(zip(written, found, strict=True))
    unknown = [(place, text) for place, (text, one) in pairs if one is None and text and not is_ours(text)]
    if unknown:
        # A row below that ran into the header: its values are not shown, which may be a person's number and name.
        is_data = any(_LONG_NUMBER.search(text) for _, text in unknown)
        shown = [(letters_of(place) if is_data else repr(text[:40]), text) for place, text in unknown[:_MANY_SHOWN]]
        nearest = "; ".join(f"{name}: {headings.nearest(text)}" for name, text in shown)
        columns = ", ".join(name for name, _ in shown)
        raise XinqiaoError("FILE_COLUMNS_UNKNOWN", name=name, item=headings.item.id, columns=columns, nearest=nearest)


def _check_fields(columns: Sequence[Column], written: Sequence[str], item: Item, name: str) -> None:
    """Refuse two columns for a field that holds one value, and columns missing although every row needs them."""
    counts = Counter(one.field.code for one in columns)
    same = Counter((one.field.code, fold_heading(text)) for one, text in zip(columns, written, strict=True))
    several = {code for code, count in counts.items() if count > 1 and not item.by_code[code].separators}
    several |= {code for (code, _), count in same.items() if count > 1}
    if several:
        raise XinqiaoError("FILE_COLUMNS_REPEATED", name=name, columns=", ".join(sorted(several)))
    missing = [one.code for one in item.fields if one.required == "yes" and one.code not in counts]
    if missing:
        raise XinqiaoError("FILE_COLUMNS_MISSING", name=name, item=item.id, columns=", ".join(missing))


def letters_of(place: int) -> str:
    """Return the letters of a column as a spreadsheet shows them: 0 is A, 26 is AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def no_header(name: str, item: Item, limits: Limits) -> XinqiaoError:
    """Return the refusal of a file without a header; not a word of its lines, which may hold a person's number."""
    example = f"{item.fields[0].code} / {item.fields[0].title_zh}"
    return XinqiaoError("FILE_HEADER", name=name, item=item.id, rows=limits.max_title_rows, example=example)
