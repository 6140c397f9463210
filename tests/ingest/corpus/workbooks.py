"""Workbooks as people and programs make them, and workbooks that must not be opened."""

import io
import zipfile
from collections.abc import Callable

from tests.ingest.corpus.case import (
    CODES,
    SHEET,
    Case,
    Outcome,
    Variant,
    accepted,
    book,
    csv_file,
    sound,
    table,
    variants,
)
from tests.ingest.corpus.headers import TITLES
from tests.ingest.workbooks import MAIN, OFFICE, RELATIONS, TYPES, Book, Cell, Raw, day, formula, number

ZONE = "CF_JDRQ"
CODE_NUMBER = "CELL_CODE_NUMBER"


def _plain(name: str, what: str, **settings: object) -> Case:
    rows = table(sound(3))
    return Case(name, what, lambda: book(rows, **settings), accepted(3))


def _barred(name: str, what: str, refused: str, **settings: object) -> Case:
    return Case(name, what, lambda: book(table(sound(1)), **settings), refused=refused)


def _changed(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: change(book(table(sound(3))))


def _packed(parts: dict[str, bytes], level: int = 9) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _password_flag(content: bytes) -> bytes:
    """Set the flag of encrypted parts in every entry of the archive's directory."""
    found = bytearray(content)
    place = found.find(b"PK\x01\x02")
    while place >= 0:
        found[place + 8] |= 1
        place = found.find(b"PK\x01\x02", place + 4)
    return bytes(found)


def _overlapping(content: bytes) -> bytes:
    """Let every entry of the directory point to the first part."""
    found = bytearray(content)
    sizes = b""
    place = found.find(b"PK\x01\x02")
    while place >= 0:
        sizes = sizes or bytes(found[place + 20 : place + 24])
        found[place + 20 : place + 24] = (len(content)).to_bytes(4, "little")
        found[place + 42 : place + 46] = bytes(4)
        place = found.find(b"PK\x01\x02", place + 4)
    return bytes(found)


def _two_sheets() -> Case:
    first, second = sound(3)[:2], sound(3)[2:]
    swapped = list(reversed(CODES))
    sheets: dict[str, list[list[Cell]]] = {
        "说明": [["填表说明"]],
        "一季度": table(first),
        "二季度": [["二季度"], *table(second, swapped, swapped)],
        "码表": [["CF_WSH", "CF_NR"]],
    }
    build = Book(sheets, hidden=["码表"]).to_bytes
    outcomes = [Outcome(2), Outcome(3), Outcome(3)]
    return Case(
        "two-sheets.xlsx",
        "two sheets fit, one has no header, one is hidden",
        build,
        outcomes,
        passed_over=["说明", "码表"],
    )


def _cells_elsewhere() -> Case:
    rows = table(sound(3))
    rows[2] = [*rows[2], "", "见附件"]
    outcomes = [Outcome(2), Outcome(3, "CELL_WITHOUT_HEADING", "", f"{SHEET}!3"), Outcome(4)]
    return Case("note-beside.xlsx", "a note beside the table", lambda: book(rows), outcomes)


def _rich() -> Case:
    runs = "<is><r><t>示例</t></r><rPh sb='0' eb='1'><t>shili</t></rPh><r><t>公司_x000D_二</t></r></is>"
    rows = table([{**sound(1)[0], "CF_XDR_MC": Raw(runs, "inlineStr")}])
    outcomes = [Outcome(2, values={"CF_XDR_MC": "示例公司\r二"})]
    return Case("rich-text.xlsx", "runs, how they are pronounced, and escapes", lambda: book(rows), outcomes)


def _blank_rows() -> Case:
    first, second = table(sound(2))[1:]
    rows: list[list[Cell]] = [list(CODES), first, [Raw("", style=2)] * 5, [], second, [Raw("", style=1)] * 30]
    return Case("blank-rows.xlsx", "formatted rows without anything", lambda: book(rows), [Outcome(2), Outcome(5)])


def _long_row() -> Case:
    rows = table([sound(2)[0], {**sound(2)[1], "CF_SY": "长" * 140_000}])
    outcomes = [Outcome(2), Outcome(3, "ROW_TOO_LONG", "", f"{SHEET}!3")]
    return Case("long-row.xlsx", "a row over the limit", lambda: book(rows), outcomes)


_EXTERNAL = (
    f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Type="{OFFICE}/worksheet" '
    'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    f'Type="{OFFICE}/externalLinkPath" Target="file:///other.xlsx" TargetMode="External"/></Relationships>'
)
_ENTITIES = f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><worksheet xmlns="{MAIN}"/>'
_BACKWARDS = (
    f'<worksheet xmlns="{MAIN}"><sheetData><row r="5"><c r="A5" t="str"><v>x</v></c></row>'
    '<row r="2"><c r="A2" t="str"><v>x</v></c></row></sheetData></worksheet>'
)

CASES = (
    _plain("inline.xlsx", "texts in their cells"),
    _plain("shared.xlsx", "texts in one table", shared=True),
    _plain("prefixed.xlsx", "XML names with a prefix", prefix="x"),
    _plain("unnumbered.xlsx", "rows and cells without addresses", references=False, shared=True),
    Case(
        "merged-title.xlsx",
        "a merged title above Chinese names",
        lambda: book([["行政处罚信息公示表"], ["填报单位：示例局"], [], *table(sound(3), TITLES)], merged="A1:AE1"),
        accepted(3, 5),
    ),
    _two_sheets(),
    variants(
        "days.xlsx",
        "day numbers from 1900, shown as dates or not",
        ZONE,
        [
            Variant(day("45296"), "2024-01-05"),
            Variant(number("45296.75", 4), "2024-01-05"),
            Variant(number("45296", 5), "2024-01-05"),
            Variant(number("45296"), "2024-01-05"),
            Variant(number("20240105"), "2024-01-05"),
            Variant(Raw("<v>2024-01-05T00:00:00</v>", "d"), "2024-01-05"),
            Variant("2024年1月5日", "2024-01-05"),
            Variant(day("61"), "1900-03-01"),
            Variant(day("59"), "1900-02-28"),
            Variant(day("60"), refused="CELL_DATE"),
            Variant(number("2024"), refused="CELL_DATE"),
            Variant(number("202401"), refused="CELL_DATE"),
            Variant(day("-1"), refused="CELL_DATE"),
            Variant(day("0"), refused="CELL_DATE"),
            Variant(day("9999999"), refused="CELL_DATE"),
        ],
    ),
    variants("days-1904.xlsx", "day numbers from 1904", ZONE, [Variant(day("43834"), "2024-01-05")], since_1904=True),
    variants(
        "code-as-number.xlsx",
        "codes that a spreadsheet took for numbers",
        "CF_XDR_SHXYM",
        [
            Variant(number("9.1310000717854505E+17"), refused=CODE_NUMBER),
            Variant(number("913199001234568000"), refused=CODE_NUMBER),
            Variant("9.1E+17", refused="FIELD_CODE_SPREADSHEET"),
            Variant("913199001234568000", refused="FIELD_CODE_SPREADSHEET"),
            Variant(day("45296"), refused="CELL_DATE_IN_TEXT"),
        ],
    ),
    variants(
        "registration-number.xlsx",
        "numbers a spreadsheet keeps, and shows with zeros",
        "CF_XDR_GSZC",
        [
            Variant(number("319900000000001"), "319900000000001"),
            Variant(number("3.19900000000001E+14"), "319900000000001"),
            Variant(number("1234", 3), "001234"),
            Variant(number("3199000000000012"), refused=CODE_NUMBER),
        ],
    ),
    variants(
        "floats.xlsx",
        "what binary floats do to amounts",
        "CF_NR_FK",
        [
            Variant(number("0.30000000000000004"), "0.3"),
            Variant(number("0.2"), "0.2"),
            Variant(number("2.0000000000000001E-4"), "0.0002"),
            Variant(number("1.0000000000000001E-6"), "0.000001"),
            Variant(number("123456789.123456"), "123456789.123456"),
            Variant(number("5"), "5"),
            Variant("2000元", "0.2"),
            Variant(number("0.33333333333333331"), refused="CELL_AMOUNT"),
            Variant(number("123456789012.12346"), refused="CELL_AMOUNT"),
            Variant(number("-0.2"), refused="CELL_AMOUNT"),
            Variant(day("45296"), refused="CELL_DATE_IN_TEXT"),
        ],
    ),
    variants(
        "formulas.xlsx",
        "stored results are taken, none is computed",
        "CF_NR",
        [
            Variant(formula('A1&"元"', "罚款2000元"), "罚款2000元"),
            Variant(formula("SUM(1,1)", None, "n"), refused="CELL_FORMULA"),
            Variant(formula("VLOOKUP(1,2,3)", "#N/A", "e"), refused="CELL_ERROR"),
            Variant(Raw("<v>#REF!</v>", "e"), refused="CELL_ERROR"),
            Variant(formula('""', ""), refused="FIELD_MISSING"),
        ],
    ),
    variants(
        "number-from-date.xlsx",
        "a document number turned into a date",
        "CF_WSH",
        [Variant(day("45292"), refused="CELL_DATE_IN_TEXT")],
    ),
    variants(
        "list-as-number.xlsx",
        "a code of a list as a number",
        "CF_AJCXLB",
        [Variant("02", "02"), Variant(number("2"), refused="FIELD_ENUM")],
    ),
    _cells_elsewhere(),
    _rich(),
    _blank_rows(),
    _long_row(),
    Case(
        "no-header.xlsx",
        "no sheet has a header",
        lambda: Book({"一": [["a"]], "二": []}).to_bytes(),
        refused="FILE_HEADER",
    ),
    Case("header-only.xlsx", "a header without rows", lambda: book(table([])), refused="FILE_EMPTY"),
    Case(
        "second-sheet-unfit.xlsx",
        "a sheet whose header has a mistake is not passed over",
        lambda: Book({"一": table(sound(1)), "二": table(sound(1), [*CODES[:-1], "程序"])}).to_bytes(),
        refused="FILE_COLUMNS_UNKNOWN",
    ),
    _barred("macros.xlsm", "macros", "FILE_MACROS", more={"xl/vbaProject.bin": b"x"}),
    _barred(
        "macros-renamed.xlsx", "macros under another name", "FILE_MACROS", main=f"{TYPES}.sheet.macroEnabled.main+xml"
    ),
    _barred(
        "external-links.xlsx",
        "values of another file",
        "FILE_EXTERNAL_LINKS",
        more={"xl/externalLinks/externalLink1.xml": "<x/>"},
    ),
    _barred("connection.xlsx", "values of a database", "FILE_EXTERNAL_LINKS", more={"xl/connections.xml": "<x/>"}),
    _barred(
        "external-relation.xlsx",
        "a relation to another file",
        "FILE_EXTERNAL_LINKS",
        more={"xl/_rels/workbook.xml.rels": _EXTERNAL},
    ),
    _barred("entities.xlsx", "XML entities", "FILE_XML_ENTITIES", more={"xl/worksheets/sheet1.xml": _ENTITIES}),
    _barred(
        "broken-xml.xlsx",
        "a sheet that is no XML",
        "FILE_WORKBOOK",
        more={"xl/worksheets/sheet1.xml": "<worksheet><row>"},
    ),
    _barred("backwards.xlsx", "rows out of order", "FILE_WORKBOOK", more={"xl/worksheets/sheet1.xml": _BACKWARDS}),
    _barred("bomb.xlsx", "a part that unpacks to much", "FILE_TOO_LARGE", more={"xl/media/x": bytes(20 << 20)}),
    _barred("many-parts.xlsx", "thousands of parts", "FILE_TOO_LARGE", more={f"x/{n}": b"" for n in range(2100)}),
    Case("password-flag.xlsx", "encrypted parts", _changed(_password_flag), refused="FILE_ENCRYPTED"),
    Case(
        "password.xlsx",
        "a workbook behind a password",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        refused="FILE_ENCRYPTED",
    ),
    Case("overlapping.xlsx", "parts that lie over each other", _changed(_overlapping), refused="FILE_WORKBOOK"),
    Case(
        "cut-off.xlsx", "half a file", _changed(lambda content: content[: len(content) // 2]), refused="FILE_WORKBOOK"
    ),
    Case("archive.zip", "another archive", lambda: _packed({"a.csv": csv_file(sound(1))}), refused="FILE_FORMAT"),
    Case(
        "sheet.ods", "OpenDocument", lambda: _packed({"mimetype": b"x", "content.xml": b"<x/>"}), refused="FILE_FORMAT"
    ),
)
