"""Workbooks part by part, so that a test can write what no library would: every cell as its XML stands in the file."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from node.ingest.headings import letters_of

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# Cell styles: 0 general, 1 date, 2 text, 3 six digits with leading zeros, 4 date and time, 5 Chinese date
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="000000"/>'
    '<numFmt numFmtId="165" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;;@"/></numFmts>'
    '<cellStyleXfs count="1"><xf numFmtId="14"/></cellStyleXfs><cellXfs count="6"><xf numFmtId="0"/>'
    '<xf numFmtId="14"/><xf numFmtId="49"/><xf numFmtId="164"/><xf numFmtId="22"/><xf numFmtId="165"/></cellXfs>'
    '<cellStyles count="1"/></styleSheet>'
)


@dataclass(frozen=True)
class Raw:
    """A cell by its type, the XML in it and its style."""

    inner: str
    type: str = "n"
    style: int = 0


def number(digits: str, style: int = 0) -> Raw:
    """A number cell with these digits in the file."""
    return Raw(f"<v>{digits}</v>", "n", style)


def day(digits: str) -> Raw:
    """A number cell that is shown as a date."""
    return number(digits, 1)


def formula(text: str, result: str | None, kind: str = "str") -> Raw:
    """A formula cell with its stored result."""
    return Raw(f"<f>{escape(text)}</f>" + ("" if result is None else f"<v>{escape(result)}</v>"), kind)


Cell = str | Raw


@dataclass
class Book:
    """A workbook to be written."""

    sheets: Mapping[str, Sequence[Sequence[Cell]]]
    shared: bool = False
    hidden: Sequence[str] = ()
    since_1904: bool = False
    prefix: str = ""
    references: bool = True
    more: Mapping[str, str | bytes] = field(default_factory=dict)
    main: str = ""
    merged: str = ""

    def to_bytes(self) -> bytes:
        """Return the file."""
        self._strings: dict[str, int] = {}
        parts: dict[str, str | bytes] = {"[Content_Types].xml": self._types(), "_rels/.rels": self._root()}
        parts["xl/workbook.xml"] = self._workbook()
        parts["xl/_rels/workbook.xml.rels"] = self._relations()
        parts["xl/styles.xml"] = STYLES
        for place, rows in enumerate(self.sheets.values(), start=1):
            parts[f"xl/worksheets/sheet{place}.xml"] = self._sheet(rows)
        if self.shared:
            texts = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in self._strings)
            parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{texts}</sst>'
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (parts | dict(self.more)).items():
                # The date is part of the file: without one of its own, no two runs would write the same bytes.
                archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()

    def _types(self) -> str:
        main = self.main or f"{TYPES}.sheet.main+xml"
        return (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{main}"/></Types>'
        )

    def _root(self) -> str:
        return (
            f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Type="{OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>'
        )

    def _workbook(self) -> str:
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{place}" r:id="rId{place}"'
            + (' state="hidden"/>' if name in self.hidden else "/>")
            for place, name in enumerate(self.sheets, start=1)
        )
        days = '<workbookPr date1904="1"/>' if self.since_1904 else "<workbookPr/>"
        return f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{days}<sheets>{sheets}</sheets></workbook>'

    def _relations(self) -> str:
        found = [
            f'<Relationship Id="rId{place}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{place}.xml"/>'
            for place in range(1, len(self.sheets) + 1)
        ]
        found.append(f'<Relationship Id="rIdS" Type="{OFFICE}/styles" Target="/xl/styles.xml"/>')
        if self.shared:
            found.append(f'<Relationship Id="rIdT" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>')
        return f'<Relationships xmlns="{RELATIONS}">{"".join(found)}</Relationships>'

    def _sheet(self, rows: Sequence[Sequence[Cell]]) -> str:
        p = f"{self.prefix}:" if self.prefix else ""
        space = f'xmlns:{self.prefix}="{MAIN}"' if self.prefix else f'xmlns="{MAIN}"'
        body = "".join(
            f"<{p}row" + (f' r="{r}">' if self.references else ">") + self._cells(r, cells, p) + f"</{p}row>"
            for r, cells in enumerate(rows, start=1)
            if cells or not self.references
        )
        merged = f'<{p}mergeCells count="1"><{p}mergeCell ref="{self.merged}"/></{p}mergeCells>' if self.merged else ""
        return f"<{p}worksheet {space}><{p}sheetData>{body}</{p}sheetData>{merged}</{p}worksheet>"

    def _cells(self, row: int, cells: Sequence[Cell], p: str) -> str:
        found = []
        for place, cell in enumerate(cells):
            if cell == "" and self.references:
                continue
            raw = self._raw(cell, p)
            where = f' r="{letters_of(place)}{row}"' if self.references else ""
            style = f' s="{raw.style}"' if raw.style else ""
            found.append(f'<{p}c{where}{style} t="{raw.type}">{raw.inner}</{p}c>')
        return "".join(found)

    def _raw(self, cell: Cell, p: str) -> Raw:
        if isinstance(cell, Raw):
            return cell
        if self.shared:
            return Raw(f"<{p}v>{self._strings.setdefault(cell, len(self._strings))}</{p}v>", "s", 2)
        return Raw(f'<{p}is><{p}t xml:space="preserve">{escape(cell)}</{p}t></{p}is>', "inlineStr", 2)
