"""CSV and JSON lines whose cells are written in every way that is met, and files that are broken."""

import json

from node.core.identifiers import USCC_PLACEHOLDER
from scripts.xq_generate import RESIDENT_ID, example_uscc
from tests.ingest.corpus.case import CODES, LICENCE, Case, Outcome, Variant, accepted, csv_file, sound, variants

CODE = example_uscc("91", "310000", 4711)
WIDE = str.maketrans({chr(point): chr(point + 0xFEE0) for point in range(0x21, 0x7F)})
DATES = (
    "2024-01-05",
    "2024-1-5",
    "2024/1/5",
    "2024/01/05",
    "2024.01.05",
    "2024.1.5",
    "2024年1月5日",
    "2024年01月05日",
    "2024 年 1 月 5 日",
    "20240105",
    "二〇二四年一月五日",
    "二○二四年元月五日",
    "２０２４年１月５日",
    "２０２４－０１－０５",
    "2024-01-05 00:00:00",
    "2024-01-05T00:00:00",
    "2024-01-05T00:00:00+08:00",
    "2024/1/5 8:30",
    "20240105083000",
    "2024年1月5日15时30分",
    "2024年1月5日下午3时",
    "\u00a02024-01-05\u3000",
    "\u200e2024-01-05\u200e",
    "'2024-01-05",
)
NO_DATES = (
    "05/01/2024",
    "1/5/2024",
    "24-1-5",
    "2024-01",
    "2024年1月",
    "2024",
    "45296",
    "2024-02-30",
    "2024-13-01",
    "2024-1/5",
    "2024-01-05T16:00:00Z",
    "二〇二四年正月初五",
    "Jan 5, 2024",
    "昨天",
)
DAMAGED = "FIELD_CODE_SPREADSHEET"


def _fine(written: str, text: str = "", refused: str = "") -> Variant:
    return Variant(written, text, refused)


def _persons() -> Case:
    rows = []
    writings = (
        RESIDENT_ID,
        RESIDENT_ID.translate(WIDE),
        f" {RESIDENT_ID}\u00a0",
        "110105 19491231 002X",
        "110105491231002",
    )
    for row, number in zip(sound(len(writings)), writings, strict=True):
        person = {"CF_XDR_LB": "自然人", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": number, "CF_XDR_SHXYM": ""}
        rows.append({**row, **person})
    outcomes = [Outcome(number, values={"CF_XDR_ZJHM": RESIDENT_ID}) for number in range(2, 6)]
    outcomes.append(Outcome(6, "FIELD_RESIDENT_ID_15", "CF_XDR_ZJHM", "M6"))
    return Case("persons.csv", "identity numbers of natural persons", lambda: csv_file(rows), outcomes)


def _placeholder() -> Case:
    traders = [
        {**row, "CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": code, "CF_XDR_GSZC": number}
        for row, code, number in zip(
            sound(4),
            (USCC_PLACEHOLDER, USCC_PLACEHOLDER.translate(WIDE), USCC_PLACEHOLDER, "0"),
            ("319900000000001", "３１９９００００００００００２", "", "319900000000004"),
            strict=True,
        )
    ]
    outcomes = [
        Outcome(2, values={"CF_XDR_SHXYM": USCC_PLACEHOLDER}),
        Outcome(
            3, values={"CF_XDR_SHXYM": USCC_PLACEHOLDER, "CF_XDR_GSZC": "31990000000000２".translate({0xFF12: "2"})}
        ),
        Outcome(4, "FIELD_MISSING", "CF_XDR_GSZC", "D4"),
        Outcome(5, "FIELD_USCC_SHAPE", "CF_XDR_SHXYM", "C5"),
    ]
    return Case("placeholder.csv", "sole traders without a code", lambda: csv_file(traders), outcomes)


def _yuan() -> Case:
    writings = (
        ("2000", "0.2"),
        ("2,000.00", "0.2"),
        ("0.01", "0.000001"),
        ("0.2万元", "0.2"),
        ("2000.123", ""),
        ("两千", ""),
    )
    rows = [{**row, "CF_NR_FK": text} for row, (text, _) in zip(sound(len(writings)), writings, strict=True)]
    header = ["罚款金额（元）" if code == "CF_NR_FK" else code for code in CODES]
    outcomes = [
        Outcome(number, values={"CF_NR_FK": text}) if text else Outcome(number, "CELL_AMOUNT", "CF_NR_FK", f"T{number}")
        for number, (_, text) in enumerate(writings, start=2)
    ]
    return Case("yuan-by-heading.csv", "the heading says yuan", lambda: csv_file(rows, header), outcomes)


def _broken_rows() -> Case:
    lines = csv_file(sound(6), encoding="utf-8").split(b"\r\n")
    lines[2] = lines[2][:30] + b"\xff" + lines[2][30:]
    lines[3] = b'"' + lines[3]
    lines[4] += b",x"
    lines[5] = b"," * (len(CODES) - 1)
    outcomes = [
        Outcome(2),
        Outcome(3, "ROW_ENCODING"),
        Outcome(4, "ROW_QUOTES"),
        Outcome(5, "ROW_COLUMN_COUNT", "", "5"),
        Outcome(6, "ROW_EMPTY", "", "6"),
        Outcome(7),
    ]
    return Case("broken-rows.csv", "each row broken in another way", lambda: b"\r\n".join(lines), outcomes)


def _json(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def _object(row: object, **more: object) -> str:
    content = {code: text for code, text in dict(row).items() if text}  # type: ignore[call-overload]
    return json.dumps(content | more, ensure_ascii=False)


def _json_cases() -> list[Case]:
    first, second, third = sound(3)
    camel = {code.lower().replace("cf_", "cf", 1).replace("_", ""): text for code, text in first.items()}
    floats = [
        json.dumps({**row, "CF_NR_FK": "@"}, ensure_ascii=False).replace('"@"', digits)
        for row, digits in zip(sound(4), ("0.2", "0.30000000000000004", "2e-4", "0.33333333333333331"), strict=True)
    ]
    told = [Outcome(number, values={"CF_NR_FK": text}) for number, text in ((1, "0.2"), (2, "0.3"), (3, "0.0002"))]
    return [
        Case(
            "lines.jsonl",
            "one object a line",
            lambda: _json(_object(first), "", _object(second)),
            [Outcome(1), Outcome(3)],
        ),
        Case("names.jsonl", "names of a portal", lambda: _json(_object(camel)), [Outcome(1)]),
        Case(
            "numbers.jsonl",
            "what binary floats do",
            lambda: _json(*floats),
            [*told, Outcome(4, "CELL_AMOUNT", "CF_NR_FK")],
        ),
        Case(
            "broken.jsonl",
            "a line cut off, an unknown name, two names of one field",
            lambda: _json(_object(first)[:-5], _object(second, x="1"), _object(third, cfXdrMc="x"), _object(third)),
            [Outcome(1, "ROW_JSON"), Outcome(2, "ROW_COLUMN_UNKNOWN"), Outcome(3, "ROW_JSON"), Outcome(4)],
        ),
        Case("array.json", "one array", f"[{_object(first)}]".encode, refused="FILE_FORMAT"),
    ]


CASES = (
    variants("dates.csv", "every form of a date", "CF_JDRQ", [_fine(text, "2024-01-05") for text in DATES]),
    variants(
        "no-dates.csv", "what may mean two days, or none", "CF_JDRQ", [_fine(t, refused="FIELD_DATE") for t in NO_DATES]
    ),
    variants(
        "long-term.csv",
        "a validity without end",
        "XK_YXQZI",
        [_fine(text, "2099-12-31") for text in ("长期", "长期有效", " 永久 ", "无固定期限", "2099年12月31日")],
        item=LICENCE,
    ),
    variants(
        "long-term-begin.csv",
        "which no validity begins with",
        "XK_YXQZ",
        [_fine("长期", refused="FIELD_DATE")],
        item=LICENCE,
    ),
    variants(
        "codes-wide.csv",
        "widths, spaces and marks around a code",
        "CF_XDR_SHXYM",
        [
            _fine(text, CODE)
            for text in (
                CODE.translate(WIDE),
                f"\u3000{CODE}\u00a0",
                f"{CODE[:6]} {CODE[6:]}",
                f'="{CODE}"',
                f"'{CODE}",
                f"\ufeff{CODE}\u200b",
                f"\t{CODE}\n",
                f"\u202d{CODE}\u202c",
            )
        ],
    ),
    variants(
        "codes-wrong.csv",
        "what is wrong is not repaired",
        "CF_XDR_SHXYM",
        [
            _fine("9.13199E+17", refused=DAMAGED),
            _fine("9.13199001234568E+17", refused=DAMAGED),
            _fine("913199001234568000", refused=DAMAGED),
            _fine("９.１３１９９Ｅ＋１７", refused=DAMAGED),
            _fine(CODE.lower(), refused="FIELD_USCC_SHAPE"),
            _fine(CODE.replace("0", "O"), refused="FIELD_USCC_SHAPE"),
            _fine(CODE[:-1] + ("1" if CODE[-1] == "0" else "0"), refused="FIELD_USCC_CHECK_DIGIT"),
            _fine(CODE[:-1], refused="FIELD_USCC_SHAPE"),
            _fine(RESIDENT_ID, refused="FIELD_USCC_CHECK_DIGIT"),
        ],
    ),
    variants(
        "tax-number.csv", "damage where no check digit tells it", "CF_XDR_SWDJ", [_fine("3.10115E+14", refused=DAMAGED)]
    ),
    variants(
        "amounts.csv",
        "separators and units",
        "CF_NR_FK",
        [
            _fine("0.2", "0.2"),
            _fine("0.200000", "0.200000"),
            _fine(" ０．２ ", "0.2"),
            _fine("1,234.5", "1234.5"),
            _fine("１，２３４．５", "1234.5"),
            _fine("0.2万元", "0.2"),
            _fine("0.2万", "0.2"),
            _fine("2000元", "0.2"),
            _fine("2,000.00 元", "0.2"),
            _fine("人民币2000元整", "0.2"),
            _fine("0.01元", "0.000001"),
            _fine("0", "0"),
        ],
    ),
    variants(
        "no-amounts.csv",
        "what is not certain to 0.01 yuan",
        "CF_NR_FK",
        [
            _fine(text, refused="FIELD_AMOUNT")
            for text in (
                "0.2000005",
                "-0.2",
                "1,20",
                "12,34.5",
                "¥0.2",
                "2000美元",
                "2千元",
                "贰仟元整",
                "0.001元",
                "约0.2",
                "无",
                "1e-3",
                "0.2/0.3",
            )
        ],
    ),
    _yuan(),
    variants(
        "document-numbers.csv",
        "brackets are kept as they are written",
        "CF_WSH",
        [
            _fine(text, text)
            for text in (
                "示罚字〔2024〕1号",
                "示罚字[2024]2号",
                "示罚字【2024】3号",
                "示罚字（2024）4号",
                "示罚字(2024)5号",
            )
        ],
    ),
    variants(
        "names.csv",
        "spaces around a name go, those within stay",
        "CF_XDR_MC",
        [
            _fine(" 示例 一公司\u3000", "示例 一公司"),
            _fine("\u00a0示例（上海）公司", "示例（上海）公司"),
            _fine("\ufeff示例公司", "示例公司"),
        ],
    ),
    variants(
        "lost-text.csv",
        "characters lost in a conversion",
        "CF_XDR_MC",
        [_fine("示例\ufffd公司", refused="FIELD_CHARACTERS")],
    ),
    variants(
        "procedure.csv",
        "codes of a list, wide and as text",
        "CF_AJCXLB",
        [_fine("０２", "02"), _fine("'02", refused="FIELD_ENUM")],
    ),
    _persons(),
    _placeholder(),
    _broken_rows(),
    *_json_cases(),
    Case(
        "utf-16.csv",
        "Unicode text of a spreadsheet",
        lambda: csv_file(sound(2), encoding="utf-16"),
        refused="FILE_ENCODING",
    ),
    Case("empty.csv", "nothing", lambda: b"", refused="FILE_EMPTY"),
    Case("header-only.csv", "a header without rows", lambda: csv_file([]), refused="FILE_EMPTY"),
    Case("semicolons.csv", "cut by semicolons", lambda: csv_file(sound(2)).replace(b",", b";"), refused="FILE_HEADER"),
    Case("page.pdf", "a PDF document", lambda: b"%PDF-1.7\n", refused="FILE_FORMAT"),
    Case(
        "trailing-columns.csv",
        "empty columns at the end",
        lambda: csv_file(sound(2), [*CODES, "", ""], fields=[*CODES, "-", "-"]),
        accepted(2),
    ),
)
