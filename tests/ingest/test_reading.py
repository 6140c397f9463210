"""Files as people make them: encodings, headers, quotes, and one outcome for every row."""

import csv
import io
import json
import re
import tracemalloc
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.errors import CODES, XinqiaoError
from node.core.limits import Limits
from node.core.record import Row
from node.ingest.csv_records import CsvRecords
from node.ingest.reading import Rows, read_rows
from scripts.xq_generate import Plan, columns, generate, load_edition

ROOT = Path(__file__).resolve().parents[2]
REGISTRATIONS = ROOT.parent / "shared" / "data" / "registrations.csv"
EDITION = load_edition()
ITEM = EDITION.item("registration.base")
HEADER = "uni_social_crd_cd,comp_nm,reg_state,reg_org,opt_scop"
SOUND = "91319900MX0001NU5K,示例一公司,存续,示例机关,餐饮"


def read(content: str | bytes, encoding: str = "utf-8", limits: Limits | None = None) -> list[Row]:
    return list(rows_of(content, encoding, limits))


def rows_of(content: str | bytes, encoding: str = "utf-8", limits: Limits | None = None) -> Rows:
    payload = content.encode(encoding) if isinstance(content, str) else content
    return read_rows(io.BytesIO(payload), "in.csv", ITEM, limits or Limits())


def refusal(content: str | bytes, encoding: str = "utf-8") -> XinqiaoError:
    with pytest.raises(XinqiaoError) as refused:
        rows_of(content, encoding)
    assert refused.value.code in CODES
    assert "<" not in refused.value.text + refused.value.next.replace("`", "")
    return refused.value


def lines(*rows: str, header: str = HEADER, end: str = "\r\n") -> str:
    return end.join([header, *rows, ""])


def outcomes(rows: list[Row]) -> list[tuple[int, str]]:
    return [(row.number, row.defect.code if row.defect else "") for row in rows]


# --- Sound files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
def test_a_row_reads_the_same_in_every_encoding(encoding: str, end: str) -> None:
    (row,) = read(lines(SOUND, end=end), encoding)
    assert row == Row(2, dict(zip(HEADER.split(","), SOUND.split(","), strict=True)))


def test_the_last_line_needs_no_end() -> None:
    assert outcomes(read(lines(SOUND).rstrip())) == [(2, "")]


def test_empty_cells_are_absent_and_texts_lose_only_the_spaces_around_them() -> None:
    (row,) = read(lines('91319900MX0001NU5K, "示例"\u3000一 公司 ,\u3000,示例机关,'))
    assert row.values == {
        "uni_social_crd_cd": "91319900MX0001NU5K",
        "comp_nm": '"示例"\u3000一 公司',
        "reg_org": "示例机关",
    }


def test_quoted_cells_may_hold_commas_quotes_and_line_ends() -> None:
    first, second = read(lines('91319900MX0001NU5K,"示例,""一""公司",存续,示例机关,"餐饮\r\n\r\n零售\n"', SOUND))
    assert first.values["comp_nm"] == '示例,"一"公司'
    assert first.values["opt_scop"] == "餐饮\r\n\r\n零售"
    # Numbered as a spreadsheet numbers rows, not as an editor numbers lines.
    assert (first.number, second.number) == (2, 3)


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    assert outcomes(read("\r\n" + lines("", SOUND, "", SOUND))) == [(4, ""), (6, "")]


def test_columns_may_stand_in_any_order_and_empty_ones_may_trail() -> None:
    (row,) = read(
        lines("存续,示例一公司,91319900MX0001NU5K,示例机关,,", header="reg_state, comp_nm ,uni_social_crd_cd,reg_org,,")
    )
    assert row.values["uni_social_crd_cd"] == "91319900MX0001NU5K"
    assert row.defect is None


def test_our_own_columns_are_passed_over() -> None:
    content = lines(f"7,{SOUND},FIELD_DATE,remedy", header=f"xq_row,{HEADER},xq_code,xq_remedy")
    rows = rows_of(content)
    assert rows.columns == tuple(HEADER.split(","))
    (row,) = rows
    assert row.values == dict(zip(HEADER.split(","), SOUND.split(","), strict=True))


def test_a_stream_may_come_in_pieces_of_any_size() -> None:
    payload = lines(SOUND, '91319900MX0001NU5K,"示例\n二公司",存续,示例机关,').encode("gb18030")
    whole = list(read_rows([payload], "in.csv", ITEM))
    for size in (1, 2, 3, 7):
        pieces = [payload[place : place + size] for place in range(0, len(payload), size)]
        assert list(read_rows(iter(pieces), "in.csv", ITEM)) == whole
    assert [row.defect for row in whole] == [None, None]


@pytest.mark.skipif(not REGISTRATIONS.exists(), reason="the shared register of enterprises is not here")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_real_register_reads_as_it_stands_in_every_encoding(encoding: str) -> None:
    text = REGISTRATIONS.read_bytes().decode()
    expected = [
        {code: cell for code, cell in row.items() if cell} for row in csv.DictReader(io.StringIO(text, newline=""))
    ]
    assert [row.values for row in read(text.encode(encoding))] == expected
    assert len(expected) == 141


def test_generated_files_read_the_same_in_both_encodings() -> None:
    item = EDITION.item("penalty.2018")
    out = io.StringIO()
    writer = csv.DictWriter(out, columns(item), restval="")
    writer.writeheader()
    writer.writerows(one.row for one in generate(Plan("penalty.2018", 2000, 11)))
    read_in = [
        list(read_rows(io.BytesIO(out.getvalue().encode(encoding)), "in.csv", item))
        for encoding in ("utf-8", "utf-8-sig", "gb18030")
    ]
    assert read_in[0] == read_in[1] == read_in[2]
    assert len(read_in[0]) == 2000
    assert not any(row.defect for row in read_in[0])


# --- Encodings ----------------------------------------------------------------------------------------------


def test_the_encoding_is_found_where_it_first_matters() -> None:
    ascii_rows = [f"91319900MX0001NU5K,Example {n},ok,Registrar,x" for n in range(5000)]
    for encoding in ("utf-8", "gb18030"):
        rows = read(lines(*ascii_rows, SOUND, *ascii_rows, SOUND), encoding)
        assert len(rows) == 10_002
        assert rows[5000].values["comp_nm"] == rows[-1].values["comp_nm"] == "示例一公司"


def test_words_that_look_like_the_other_encoding_do_not_mislead() -> None:
    # These characters of GB18030 are valid two-byte sequences of UTF-8, one by one.
    assert "小".encode("gb18030").decode("utf-8") != "小"
    for rest in ("ok,Registrar,", "存续,示例机关,餐饮"):
        for encoding in ("gb18030", "utf-8"):
            (row,) = read(lines(f"91319900MX0001NU5K,小,{rest}"), encoding)
            assert row.values["comp_nm"] == "小"


@pytest.mark.parametrize(("encoding", "damage"), [("utf-8", b"\xff"), ("gb18030", b"\xff")])
def test_a_damaged_row_costs_itself_only(encoding: str, damage: bytes) -> None:
    payload = lines(*[SOUND] * 5).encode(encoding)
    cut = payload.index("一".encode(encoding), len(payload) // 2)
    rows = read(payload[:cut] + damage + payload[cut + 1 :])
    assert len(rows) == 5
    assert [row.defect.code for row in rows if row.defect] == ["ROW_ENCODING"]


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (lines(SOUND).encode("utf-16"), "UTF-16"),
        (lines(SOUND).encode("utf-16-be"), "zero bytes"),
        (HEADER.encode() + b"\n" + b"\xff\xfe\xfd" * 40 + b"\n", "neither"),
    ],
)
def test_other_encodings_are_refused_by_name(content: bytes, detail: str) -> None:
    error = refusal(content)
    assert error.code == "FILE_ENCODING"
    assert detail in error.text
    assert "UTF-8" in error.next


# --- Headers and whole files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", ["", "\ufeff", "\r\n\r\n", " \n", lines(), f"\ufeff{HEADER}", "\n\n" + HEADER + "\n\n"]
)
def test_a_file_without_rows_is_refused(content: str) -> None:
    assert refusal(content).code == "FILE_EMPTY"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "gzip"),
        (b' [{"comp_nm": "x"}]', "JSON array"),
    ],
)
def test_other_formats_are_refused_by_name(content: bytes, found: str) -> None:
    error = refusal(content)
    assert error.code == "FILE_FORMAT"
    assert found in error.text


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("comp_mn", "comp_nm"),
        ("企业的名称", "comp_nm"),
        ("opt_scope", "opt_scop"),
        ("zzz", "remove it"),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest_code(written: str, nearest: str) -> None:
    error = refusal(lines(SOUND + ",x", header=f"{HEADER},{written}"))
    assert error.code == "FILE_COLUMNS_UNKNOWN"
    assert written in error.text
    assert nearest in error.next


def test_columns_every_row_needs_are_asked_for() -> None:
    error = refusal(lines("91319900MX0001NU5K,x", header="uni_social_crd_cd,addr"))
    assert error.code == "FILE_COLUMNS_MISSING"
    assert "comp_nm, reg_state, reg_org" in error.text


def test_a_column_may_not_stand_twice() -> None:
    assert refusal(lines(SOUND + ",x", header=f"{HEADER},comp_nm")).code == "FILE_COLUMNS_REPEATED"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_a_file_without_header_is_refused_and_none_of_it_is_quoted(end: str) -> None:
    error = refusal(f"91319900MX0001NU5K,张示例,11010519491231002X{end}" * 3)
    assert error.code == "FILE_HEADER"
    assert "uni_social_crd_cd" in error.next
    assert "张" not in str(error.parameters)
    assert "1101" not in str(error.parameters)


def test_a_file_cut_by_semicolons_is_refused_at_its_header() -> None:
    assert refusal(lines(SOUND).replace(",", ";")).code == "FILE_HEADER"


# --- Rows ---------------------------------------------------------------------------------------------------


def test_a_row_of_another_width_is_refused_with_its_text() -> None:
    rows = read(lines(SOUND, "91319900MX0001NU5K,示例", SOUND + ",x", SOUND + ",,", SOUND))
    assert outcomes(rows) == [(2, ""), (3, "ROW_COLUMN_COUNT"), (4, "ROW_COLUMN_COUNT"), (5, ""), (6, "")]
    assert rows[1].values == {"xq_line": "91319900MX0001NU5K,示例"}
    assert rows[1].defect is not None
    assert rows[1].defect.params == {"found": 2, "expected": 5}


def test_a_row_of_empty_cells_is_an_outcome_too() -> None:
    assert outcomes(read(lines(SOUND, ",,,,", SOUND))) == [(2, ""), (3, "ROW_EMPTY"), (4, "")]


@pytest.mark.parametrize(
    "broken",
    [
        '91319900MX0001NU5K,"示例,存续,示例机关,餐饮',
        '91319900MX0001NU5K,"示例"一,存续,示例机关,餐饮',
        '91319900MX0001NU5K,示例,存续,示例机关,"餐饮',
        '"',
    ],
)
@pytest.mark.parametrize("after", [0, 1, 2, 500])
def test_an_open_quote_costs_its_own_row_only(broken: str, after: int) -> None:
    rows = read(lines(SOUND, broken, *[SOUND] * after))
    faults = [code for _, code in outcomes(rows)]
    assert faults == ["", "ROW_QUOTES", *[""] * after]


@pytest.mark.parametrize("between", [0, 1, 5])
def test_a_quote_that_a_later_row_closes_hides_no_row(between: int) -> None:
    """Opening and closing quote make one cell of whole rows, and the count of cells is right: still nothing is lost."""
    opening, closing = SOUND.replace("示例一", '"示例一'), SOUND.replace("示例一公司", '示例一公司"')
    rows = read(lines(SOUND, opening, *[SOUND] * between, closing, SOUND))
    # A quote within a cell that does not begin with one is text; the validator's business, not the reader's.
    assert [code for _, code in outcomes(rows)] == ["", "ROW_QUOTES", *[""] * between, "", ""]


def test_a_row_over_the_limit_costs_itself_only() -> None:
    limits = Limits(max_row_bytes=300)
    rows = read(lines(SOUND, SOUND + "长" * 200, SOUND, SOUND + "x" * 100_000, SOUND), limits=limits)
    assert outcomes(rows) == [(2, ""), (3, "ROW_TOO_LONG"), (4, ""), (5, "ROW_TOO_LONG"), (6, "")]
    assert all(len(row.values.get("xq_line", "")) <= 1000 for row in rows)


def test_a_line_without_end_is_not_kept() -> None:
    limits = Limits(max_row_bytes=10_000)
    pieces = chain([lines(SOUND).encode()], (b"x" * 65_536 for _ in range(400)), [b"\n", SOUND.encode()])
    tracemalloc.start()
    found = outcomes(list(read_rows(pieces, "in.csv", ITEM, limits)))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(2, ""), (3, "ROW_TOO_LONG"), (4, "")]
    assert peak_bytes < 1_000_000


def test_rows_that_open_quotes_again_and_again_cost_a_few_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these lines leaves a quote open, whether it begins inside of one or outside."""
    lines_read = 0
    original = CsvRecords.__next__

    def counted(records: CsvRecords) -> str:
        nonlocal lines_read
        lines_read += 1
        return original(records)

    monkeypatch.setattr(CsvRecords, "__next__", counted)
    content = HEADER.encode() + b"\n" + b'a","b\n' * 20_000
    rows = read(content, limits=Limits(max_row_bytes=600))
    assert {row.defect.code for row in rows if row.defect} == {"ROW_QUOTES"}
    # Without a bound it would be 100 readings: each row looks 100 lines ahead and puts 99 of them back.
    assert 20_000 < lines_read < 10 * 20_000
    assert len(rows) > 1000


_cells = st.text(st.sampled_from('ab示例",\r\n '), max_size=8)


@given(
    st.lists(st.lists(_cells, min_size=5, max_size=5), min_size=1, max_size=8), st.sampled_from(["utf-8", "gb18030"])
)
def test_whatever_a_csv_writer_writes_is_read_back(table: list[list[str]], encoding: str) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([HEADER.split(","), *table])
    rows = read(out.getvalue(), encoding)
    expected = [
        {code: cell.strip() for code, cell in zip(HEADER.split(","), cells, strict=True) if cell.strip()}
        for cells in ([re.sub(r"\s", "", code), *others] for code, *others in table)
    ]
    assert [row.values for row in rows] == expected
    assert [row.number for row in rows] == list(range(2, len(table) + 2))


@given(st.binary(max_size=400))
def test_any_bytes_below_a_header_end_in_rows_or_one_refusal(content: bytes) -> None:
    try:
        rows = read(HEADER.encode() + b"\n" + content, limits=Limits(max_row_bytes=100))
    except XinqiaoError as refused:
        code = refused.code
        assert code.startswith("FILE_")
    else:
        assert [row.number for row in rows] == sorted({row.number for row in rows})
        assert all(row.values or row.defect for row in rows)


# --- JSON lines ---------------------------------------------------------------------------------------------

OBJECT = {
    "uni_social_crd_cd": "91319900MX0001NU5K",
    "comp_nm": "示例一公司",
    "reg_state": "存续",
    "reg_org": "示例机关",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_json_lines_read_like_csv(encoding: str, ensure_ascii: bool) -> None:
    line = json.dumps(OBJECT, ensure_ascii=ensure_ascii)
    rows = rows_of(f"{line}\n\n{line}", encoding)
    assert rows.columns == tuple(field.code for field in ITEM.fields)
    assert list(rows) == [Row(1, OBJECT), Row(3, OBJECT)]


def test_numbers_in_json_stay_as_they_are_written() -> None:
    (row,) = read(
        '{"reg_capt": 300000.0, "comp_nm": 12345678901234567890123, "addr": null, "opt_scop": "", "xq_row": []}'
    )
    assert row.values == {"reg_capt": "300000.0", "comp_nm": "12345678901234567890123"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "ROW_JSON"),
        ("[1]", "ROW_JSON"),
        ("3", "ROW_JSON"),
        ('{"comp_nm": ["x"]}', "ROW_JSON"),
        ('{"comp_nm": true}', "ROW_JSON"),
        ('{"comp_nm": NaN}', "ROW_JSON"),
        ('{"comp_nm": "x", "comp_nm": "y"}', "ROW_JSON"),
        ('{"comp_nm": "\\ud800"}', "ROW_JSON"),
        ('{"\\ud800": "x"}', "ROW_JSON"),
        ('{"a":' * 20_000, "ROW_JSON"),
        ('{"comp_mn": "x"}', "ROW_COLUMN_UNKNOWN"),
        ("{}", "ROW_EMPTY"),
    ],
)
def test_a_line_that_is_no_row_costs_itself_only(line: str, code: str) -> None:
    rows = read("\n".join([json.dumps(OBJECT), line, json.dumps(OBJECT)]))
    assert outcomes(rows) == [(1, ""), (2, code), (3, "")]
    assert "<" not in (rows[1].defect.error.text if rows[1].defect else "<")
    json.dumps(rows[1].values, ensure_ascii=False).encode()


def test_an_unknown_name_in_json_is_told_with_the_nearest() -> None:
    (row,) = read('{"comp_mn": "x"}')
    assert row.defect is not None
    assert "comp_nm" in row.defect.error.text
