"""Workbooks as large as they come, written as a stream: real rows again and again under other document numbers."""

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from node.core.catalogue import Item
from node.ingest.headings import letters_of
from scripts.xq_generate import Plan, columns, generate
from tests.ingest.workbooks import MAIN, Book

COLUMNS = 30


def write_large(path: Path, item: Item, rows: int, *, shared: bool) -> None:
    """Write a workbook of a header and that many rows of 30 columns, with shared or inline strings."""
    header = columns(item)[:COLUMNS]
    place = header.index("CF_WSH")
    block = [[one.row.get(code, "") for code in header] for one in generate(Plan(item.id, 1000, 3))]
    strings: dict[str, int] = {}
    book = Book({"处罚": []}, shared=shared)
    small = zipfile.ZipFile(_file(book))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in small.namelist():
            if "sheet1" not in name and "sharedStrings" not in name:
                archive.writestr(name, small.read(name))
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as out:
            out.write(f'<worksheet xmlns="{MAIN}"><sheetData>'.encode())
            out.write(_row(1, header, strings, shared).encode())
            for first in range(0, rows, len(block)):
                texts = []
                for offset, cells in enumerate(block[: rows - first]):
                    own = [*cells[:place], f"{cells[place]}-{first}", *cells[place + 1 :]]
                    texts.append(_row(first + offset + 2, own, strings, shared))
                out.write("".join(texts).encode())
            out.write(b"</sheetData></worksheet>")
        if shared:
            with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as out:
                out.write(f'<sst xmlns="{MAIN}">'.encode())
                for text in strings:
                    out.write(f"<si><t>{escape(text)}</t></si>".encode())
                out.write(b"</sst>")


def _file(book: Book) -> io.BytesIO:
    return io.BytesIO(book.to_bytes())


def _row(number: int, cells: list[str], strings: dict[str, int], shared: bool) -> str:
    found = []
    for place, text in enumerate(cells):
        where = f"{letters_of(place)}{number}"
        if text and shared:
            found.append(f'<c r="{where}" t="s"><v>{strings.setdefault(text, len(strings))}</v></c>')
        elif text:
            found.append(f'<c r="{where}" t="inlineStr"><is><t>{escape(text)}</t></is></c>')
    return f'<row r="{number}">{"".join(found)}</row>'
