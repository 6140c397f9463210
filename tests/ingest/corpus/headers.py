"""Files whose headers are written in every way that is met."""

from node.core.limits import DEFAULT_LIMITS
from tests.ingest.corpus.case import CODES, PENALTY, Case, Fields, Outcome, accepted, csv_file, sound

TITLES = [one.title_zh for one in PENALTY.fields]
OLD_NAMES = {
    "CF_XDR_MC": "CF_XDR",
    "CF_FRDB": "CF_FR",
    "CF_XDR_ZZJG": "CF_XDR_ZDM",
    "CF_XDR_GSZC": "CF_XDR_GSDJ",
    "CF_XDR_ZJHM": "CF_XDR_SFZ",
    "CF_FR_ZJHM": "CF_FR_SFZH",
    "CF_NR": "CF_JG",
    "CF_CFJG": "CF_XZJG",
}


def _camel(code: str) -> str:
    first, *others = code.lower().split("_")
    return first + "".join(word.capitalize() for word in others)


def _headed(name: str, what: str, header: list[str], **settings: object) -> Case:
    rows = sound(3)
    return Case(name, what, lambda: csv_file(rows, header, **settings), accepted(3))  # type: ignore[arg-type]


def _replaced(old: str, new: str) -> list[str]:
    return [new if code == old else code for code in CODES]


def _with(column: str, *texts: str) -> tuple[list[str], list[Fields]]:
    """Return a header with one more column and a row for each text in it."""
    return [*CODES, column], [{**row, column: text} for row, text in zip(sound(len(texts)), texts, strict=True)]


def _added(name: str, what: str, column: str, *texts: str, refused: str = "", outcomes: object = None) -> Case:
    header, rows = _with(column, *texts)
    found = accepted(len(texts)) if outcomes is None and not refused else outcomes or ()
    return Case(name, what, lambda: csv_file(rows, header, fields=header), found, refused)  # type: ignore[arg-type]


def _two_kinds() -> Case:
    header = [code for code in CODES if code != "CF_CFLB"] + ["CF_CFLB1", "CF_CFLB2"]
    rows = [{**row, "CF_CFLB1": "警告", "CF_CFLB2": "罚款"} for row in sound(2)]
    outcomes = [Outcome(number, values={"CF_CFLB": "警告;罚款"}) for number in (2, 3)]
    return Case(
        "two-kind-columns.csv", "two columns of one list", lambda: csv_file(rows, header, fields=header), outcomes
    )


def _above(name: str, what: str, titles: list[list[str]], first: int) -> Case:
    rows = sound(3)
    return Case(name, what, lambda: csv_file(rows, TITLES, titles=titles), accepted(3, first))


def _repeated() -> Case:
    first, second = sound(1), sound(3)[1:]
    again = dict(zip(CODES, CODES, strict=True))
    outcomes = [Outcome(2), Outcome(4), Outcome(5)]
    return Case(
        "header-again.csv", "the header on every printed page", lambda: csv_file([*first, again, *second]), outcomes
    )


def _two_headers() -> Case:
    names = dict(zip(CODES, TITLES, strict=True))
    rows = sound(2)
    return Case(
        "two-headers.csv", "codes, and below them their names", lambda: csv_file([names, *rows]), accepted(2, 3)
    )


CASES = (
    _headed("codes.csv", "column codes", CODES),
    _headed("codes-gb18030.csv", "as Chinese Windows writes CSV", CODES, encoding="gb18030"),
    _headed("lower-case.csv", "province portals", [code.lower() for code in CODES]),
    _headed("camel-case.csv", "city portals", [_camel(code) for code in CODES]),
    _headed("chinese.csv", "the names of the fields", TITLES),
    _headed("chinese-gb18030.csv", "the names of the fields, from Chinese Windows", TITLES, encoding="gb18030"),
    _headed("chinese-without-unit.csv", "names without what is in brackets", [t.split("(")[0] for t in TITLES]),
    _headed("chinese-wide.csv", "full-width brackets", [t.replace("(", "（").replace(")", "）") for t in TITLES]),
    _headed("chinese-marked.csv", "spaces, line ends and marks", [f" *{t[:2]}\n{t[2:]}\u00a0" for t in TITLES]),
    _headed("chinese-remarks.csv", "whether a column must be filled in", [f"{t}（必填）" for t in TITLES]),
    _headed("names-of-2016.csv", "the field names of 2016", [OLD_NAMES.get(code, code) for code in CODES]),
    _headed("aliases.csv", "other names that the catalogue lists", _replaced("CF_XDR_SHXYM", "统一社会信用代码")),
    _headed("unit-told.csv", "the unit as 单位：万元", _replaced("CF_NR_FK", "罚款金额（单位：万元）")),
    _two_kinds(),
    _above("title.csv", "a title above the header", [["行政处罚信息公示表"], []], 4),
    _above("title-and-unit.csv", "title, unit and date above", [["公示表"], ["填报单位：示例局"], ["2026年"]], 5),
    _above("blank-above.csv", "blank lines above the header", [[], ["", ""], []], 5),
    _repeated(),
    _two_headers(),
    _added("place-and-time-stamp.csv", "columns of 2016 that have no place", "DFBM", "310115", "310115"),
    _added(
        "state-of-2016.csv",
        "a revoked decision must not come in as one in force",
        "CF_ZT",
        "0",
        "1",
        "正常",
        outcomes=[Outcome(2), Outcome(3, "CELL_PASSED_OVER", "", "3"), Outcome(4)],
    ),
    _added("own-column.csv", "a column of ours", "xq_reason", "wrong", ""),
    _added("unknown-column.csv", "a column nobody knows", "部门", "x", refused="FILE_COLUMNS_UNKNOWN"),
    _added("same-field-twice.csv", "two names of one field", "cfXdrMc", "x", refused="FILE_COLUMNS_REPEATED"),
    Case(
        "unknown-unit.csv",
        "thousands of yuan",
        lambda: csv_file(sound(2), _replaced("CF_NR_FK", "罚款金额（千元）")),
        refused="FILE_COLUMNS_UNKNOWN",
    ),
    Case(
        "missing-column.csv",
        "no document number",
        lambda: csv_file(sound(2), CODES[:13], fields=CODES[:13]),
        refused="FILE_COLUMNS_MISSING",
    ),
    Case("no-header.csv", "rows only", lambda: csv_file(sound(2)).split(b"\r\n", 1)[1], refused="FILE_HEADER"),
    Case(
        "header-too-low.csv",
        "a header below a page of text",
        lambda: csv_file(sound(1), titles=[["说明"]] * DEFAULT_LIMITS.max_title_rows),
        refused="FILE_HEADER",
    ),
)
