"""What a dirty file is: how it is built, and the exact outcome of every row of it, written down by hand."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from node.core.catalogue import Item
from node.ingest.headings import letters_of
from scripts.xq_generate import Plan, columns, generate, load_edition
from tests.ingest.workbooks import Book, Cell, Raw

EDITION = load_edition()
PENALTY = EDITION.item("penalty.2018")
LICENCE = EDITION.item("licence.2018")
CODES = columns(PENALTY)
TODAY = "2026-05-01"
ACCEPTED = "accepted"
SHEET = "行政处罚"

Fields = Mapping[str, Cell]


@dataclass(frozen=True)
class Outcome:
    """What becomes of one row: accepted with these texts in the record, or the code, column and cell of a refusal."""

    row: int
    outcome: str = ACCEPTED
    column: str = ""
    cell: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One file: its name says the defect or dialect; refused is the code for the file as a whole."""

    name: str
    what: str
    build: Callable[[], bytes]
    outcomes: Sequence[Outcome] = ()
    refused: str = ""
    item: Item = PENALTY
    passed_over: Sequence[str] = ()


def sound(count: int, item: str = "penalty.2018", seed: int = 41) -> list[dict[str, Cell]]:
    """Return sound rows of companies that were fined; every date lies far enough apart for any of them to move."""
    found: list[dict[str, Cell]] = []
    prefix = "XK" if item == "licence.2018" else "CF"
    for one in generate(Plan(item, 40 * count + 40, seed)):
        row = one.row
        fined = prefix == "XK" or row["CF_CFLB"] == "罚款"
        if fined and row[f"{prefix}_XDR_LB"] == "法人及非法人组织" and len(found) < count:
            late = {"XK_YXQZI": "2060-01-01"} if prefix == "XK" else {"CF_YXQ": "2060-01-01", "CF_GSJZQ": "2060-01-01"}
            found.append({**row, **late})
    return found


def csv_file(
    rows: Sequence[Fields],
    header: Sequence[str] = CODES,
    *,
    fields: Sequence[str] = CODES,
    titles: Sequence[Sequence[str]] = (),
    encoding: str = "utf-8-sig",
) -> bytes:
    """Return a CSV file; header is what is written above the columns of fields."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows(titles)
    writer.writerow(header)
    writer.writerows([row.get(code, "") for code in fields] for row in rows)
    return out.getvalue().encode(encoding)


def table(rows: Sequence[Fields], header: Sequence[str] = CODES, fields: Sequence[str] = CODES) -> list[list[Cell]]:
    """Return the cells of a sheet."""
    return [list(header), *([row.get(code, "") for code in fields] for row in rows)]


def book(rows: Sequence[Sequence[Cell]], **settings: object) -> bytes:
    """Return a workbook of one sheet; settings are those of Book."""
    return Book({SHEET: rows}, **settings).to_bytes()  # type: ignore[arg-type]


def accepted(count: int, first: int = 2) -> list[Outcome]:
    """Return that all rows are accepted."""
    return [Outcome(number) for number in range(first, first + count)]


@dataclass(frozen=True)
class Variant:
    """One way to write a value: the cell, and the text it is in the record or the code of its refusal."""

    cell: Cell
    text: str = ""
    refused: str = ""
    more: Fields = field(default_factory=dict)


def variants(
    name: str, what: str, column: str, found: Sequence[Variant], *, item: Item = PENALTY, **settings: object
) -> Case:
    """Return a case in which each row writes one column in another way; name ends in .csv or .xlsx."""
    codes = columns(item)
    rows = [{**row, column: one.cell, **one.more} for row, one in zip(sound(len(found), item.id), found, strict=True)]
    is_workbook = name.endswith(".xlsx")
    letter = letters_of(codes.index(column))
    place = f"{SHEET}!{letter}" if is_workbook else letter
    outcomes = [
        Outcome(number, one.refused, column, f"{place}{number}")
        if one.refused
        else Outcome(number, values={column: one.text} if one.text else {})
        for number, one in enumerate(found, start=2)
    ]

    def build() -> bytes:
        if is_workbook:
            return book(table(rows, codes, codes), **settings)
        assert not any(isinstance(one.cell, Raw) for one in found)
        return csv_file(rows, codes, fields=codes)

    return Case(name, what, build, outcomes, item=item)
