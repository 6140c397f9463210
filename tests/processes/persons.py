"""Rows about example persons: sound ones, and damaged in every way in which a file brings a person's number where it
does not belong."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from node.core.catalogue import Item, natural_key
from node.core.record import build_record
from scripts.xq_generate import Person, Plan, Row, columns, example_person, generate, load_edition
from tests.ingest.workbooks import Book, number

EDITION = load_edition()
PENALTY, LICENCE = EDITION.item("penalty.2018"), EDITION.item("licence.2018")
DIVISION = "310000"


def person(serial: int) -> Person:
    """One of the persons that all rows here are about."""
    return example_person(DIVISION, serial)


def rows(item: Item, serials: Sequence[int], authority: str, persons: float = 1.0) -> list[Row]:
    """One sound row about each person; without persons, about companies."""
    plan = Plan(
        item.id, len(serials), 5, division=DIVISION, authority=authority, persons=persons, first_person=serials[0]
    )
    found = [each.row for each in generate(plan)]
    prefix = "XK" if item is LICENCE else "CF"
    for serial, row in zip(serials, found, strict=True):
        row[f"{prefix}_WSH"] = f"示示字〔2024〕{serial:06d}号"
    return found


def companies(serials: Sequence[int], authority: str) -> list[Row]:
    """Penalties of companies which, being fines, may be published to everybody."""
    fined = {"CF_CFLB": "罚款", "CF_NR": "罚款人民币2000元", "CF_NR_FK": "0.200000", "CF_NR_WFFF": ""}
    return [row | fined for row in rows(PENALTY, serials, authority, persons=0.0)]


def record_of(item: Item, row: Row) -> bytes:
    """A row as the record that it becomes."""
    return build_record(item.id, {item.by_code[code].number: text for code, text in row.items() if text})


def digests(item: Item, row: Row) -> list[bytes]:
    """The hashes without a salt that a holder of the record has of it: its key and its content."""
    values = {item.by_code[code].number: text for code, text in row.items() if text}
    return [natural_key(item, values), sha256(record_of(item, row)).digest()]


# --- Files ------------------------------------------------------------------------------------------------------


def csv_text(item: Item, table: Iterable[Row], header: bool = True) -> str:
    """A CSV file of rows."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns(item), restval="")
    if header:
        writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def csv_file(path: Path, item: Item, table: Iterable[Row]) -> Path:
    """Write it."""
    path.write_text(csv_text(item, table), "utf-8")
    return path


def workbook(path: Path, item: Item, table: Sequence[Row], *, ids_are_numbers: bool = False) -> Path:
    """Write a workbook, where wanted with identity numbers as a spreadsheet's numbers."""
    names = columns(item)
    cells = [[row.get(name, "") for name in names] for row in table]
    place = names.index("CF_XDR_ZJHM")
    sheet = [
        [number(cell[:17] + "0") if ids_are_numbers and at == place else cell for at, cell in enumerate(row)]
        for row in cells
    ]
    path.write_bytes(Book({"处罚": [names, *sheet]}, shared=True).to_bytes())
    return path


def json_lines(path: Path, table: Iterable[Row]) -> Path:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table), "utf-8")
    return path


# --- What goes wrong ------------------------------------------------------------------------------------------------


def _moved_to(column: str) -> Callable[[Row, Person], None]:
    return lambda row, who: row.update({column: who.id_no})


def _wrong_check_digit(row: Row, who: Person) -> None:
    row["CF_XDR_ZJHM"] = who.id_no[:-1] + ("1" if who.id_no[-1] == "0" else "0")


def _fifteen_digits(row: Row, who: Person) -> None:
    row["CF_XDR_ZJHM"] = who.id_no[:6] + who.id_no[8:17]


def _a_child(row: Row, _who: Person) -> None:
    row["CF_JDRQ"] = "1960-01-04"


def _too_long(row: Row, who: Person) -> None:
    row["BZ"] = f"{who.id_no}，" * 100


def _control_character(row: Row, who: Person) -> None:
    row["CF_SY"] = f"当事人{who.name}\x07（{who.id_no}）"


MISTAKES: tuple[Callable[[Row, Person], None], ...] = (
    _wrong_check_digit,
    _fifteen_digits,
    _a_child,
    _too_long,
    _control_character,
    *map(
        _moved_to,
        ("CF_XDR_LB", "CF_XDR_SHXYM", "CF_XDR_ZZJG", "CF_JDRQ", "CF_NR_FK", "CF_CFLB", "CF_CFJGDM", "CF_AJCXLB"),
    ),
)
"""Changes to a row after each of which it is refused, with a person's number in the column at fault."""


def mistaken(serials: Sequence[int], authority: str) -> list[Row]:
    """One row a mistake."""
    found = rows(PENALTY, serials, authority)
    for change, serial, row in zip(MISTAKES, serials, found, strict=True):
        change(row, person(serial))
    return found


def broken_lines(serials: Sequence[int], authority: str) -> bytes:
    """A CSV file whose lines themselves are damaged: quotes, encoding, too many cells, half a line."""
    header, *lines = csv_text(PENALTY, rows(PENALTY, serials, authority)).encode().splitlines(keepends=True)
    lines[0] = b'"' + lines[0]
    lines[1] = lines[1].decode().encode("gb18030")
    lines[2] = lines[2].rstrip() + b',"' + person(serials[2]).id_no.encode() + b'"\r\n'
    lines[3] = lines[3][: len(lines[3]) // 2] + b"\r\n"
    return b"".join([header, *lines])


def broken_objects(serials: Sequence[int], authority: str) -> str:
    """JSON lines that are damaged: a number for a key, half an object, a list, a value that is no text."""
    one, two, three, four = rows(PENALTY, serials, authority)
    one[person(serials[0]).id_no] = person(serials[0]).name
    lines = [json.dumps(one, ensure_ascii=False), json.dumps(two, ensure_ascii=False)[:-40]]
    lines.append(json.dumps([three], ensure_ascii=False))
    lines.append(json.dumps(four | {"BZ": {person(serials[3]).id_no: 1}}, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def wrong_files(serial: int, authority: str) -> dict[str, bytes]:
    """Files that are refused as a whole, by name: what was taken for their header holds a person's number."""
    table = rows(PENALTY, [serial], authority)
    who = person(serial)
    header, line = csv_text(PENALTY, table).splitlines()
    return {
        "no-header.csv": csv_text(PENALTY, table, header=False).encode(),
        "joined.csv": (header + line + "\r\n").encode(),
        "one-column-more.csv": f"{header},{who.id_no}\r\n{line},\r\n".encode(),
        "a-title.csv": f"CF_XDR_MC,CF_WSH,{who.name}{who.id_no},{who.telephone}\r\n".encode(),
        "twice.csv": f"{header},CF_XDR_MC\r\n{line},{who.name}\r\n".encode(),
        "utf-16.csv": csv_text(PENALTY, table).encode("utf-16"),
    }


ANYWHERE: dict[str, Callable[[str], str]] = {
    "CF_SY": lambda id_no: f"经查，当事人（身份证号{id_no}）未按规定公示",
    "CF_NR": lambda id_no: f"对{id_no[:6]} {id_no[6:14]} {id_no[14:]}处以罚款",
    "CF_XDR_SWDJ": lambda id_no: f"{id_no}01",
    "CF_XDR_GSZC": lambda id_no: id_no,
    "BZ": lambda id_no: "号码" + "".join(chr(ord(digit) + 0xFEE0) for digit in id_no),
    "CF_NR_ZKDX": lambda id_no: f"许可证：{id_no}",
    "CF_XDR_SHXYM": lambda id_no: id_no,
}
"""Columns of a row about a company, and how a clerk writes a person's number there."""
