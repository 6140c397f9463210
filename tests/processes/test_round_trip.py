"""A clerk's day: fill in the form, publish it, correct what comes back, publish that; every row arrives once.

The clerk's spreadsheet is openpyxl, so that a form and a returned workbook open in a program that is not ours.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from node.core.catalogue import Item
from scripts.xq_generate import Plan, generate, load_edition
from tests.ingest.corpus.lawful import rows as lawful_rows
from tests.processes.files import subject
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town, done, outcomes

Texts = Mapping[str, str]
READERS = (PUDONG.id, HANGZHOU.id)
ROWS = 12
AUTHORITY = {"CF_CFJGDM": SHANGHAI.authority}
# What the clerk writes instead of the right value, by the place of the row: one cell or several.
SPOILED: dict[str, dict[int, dict[str, str]]] = {
    "registration.base": {
        1: {"uni_social_crd_cd": "9.1E+17"},
        4: {"comp_nm": ""},
        7: {"est_dt": "2026年2月30日", "reg_capt": "约一百万"},
        10: {"uni_social_crd_cd": "9.1E+17", "reg_org": "", "est_dt": "去年"},
    },
    "licence.2018": {
        0: {"XK_XDR_SHXYM": "9.1E+17"},
        3: {"XK_XKJG": ""},
        6: {"XK_JDRQ": "2026年2月30日", "XK_XDR_LB": "公司"},
        11: {"XK_XDR_MC": "", "XK_XDR_SHXYM": "9.1E+17", "XK_YXQZI": "2001-01-01", "XK_LYDWDM": "123"},
    },
    "penalty.2018": {
        2: {"CF_XDR_SHXYM": "9.1E+17"},
        3: {"CF_CFJG": ""},
        5: {"CF_JDRQ": "2026年2月30日", "CF_CFLB": "坐牢"},
        9: {"CF_XDR_MC": "", "CF_XDR_SHXYM": "9.1E+17", "CF_YXQ": "2001-01-01", "CF_SJLYDM": "123"},
    },
}


def sound_rows(item: Item) -> list[dict[str, str]]:
    """Lawful rows of companies, as the clerk's own system has them."""
    if item.id == "registration.base":
        return [registration(serial) for serial in range(1, ROWS + 1)]
    prefix = "CF" if item.id == "penalty.2018" else "XK"
    found = [one.row for one in generate(Plan(item.id, 20 * ROWS, 7, authority=SHANGHAI.authority))]
    return [row for row in found if row[f"{prefix}_XDR_LB"] == "法人及非法人组织"][:ROWS]


def registration(serial: int) -> dict[str, str]:
    fixed = {"reg_state": "存续", "reg_org": "示例登记机关", "est_dt": "2020-03-01", "reg_capt": "100"}
    return fixed | {"uni_social_crd_cd": subject(serial), "comp_nm": f"示例{serial:06d}贸易有限公司"}


def written(rows: Sequence[Texts], spoiled: Mapping[int, Texts]) -> list[dict[str, str]]:
    """The rows as the clerk writes them first."""
    return [{**row, **spoiled.get(place, {})} for place, row in enumerate(rows)]


class Spreadsheet:
    """A workbook as the clerk has it open: rows by the codes in its second row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book: Workbook = load_workbook(path)
        sheet = self.book.worksheets[0]
        assert isinstance(sheet, Worksheet)
        self.sheet = sheet
        self.codes = [str(cell.value or "") for cell in sheet[2]]
        self.titles = [str(cell.value or "") for cell in sheet[1]]

    def write(self, number: int, texts: Texts) -> None:
        """Fill in cells of a row, from 1, as the clerk types them."""
        for code, text in texts.items():
            self.sheet.cell(number, self.codes.index(code) + 1, text or None)

    def rows(self) -> list[tuple[int, dict[str, str]]]:
        """The rows below the header with their numbers."""
        found = []
        for number, cells in enumerate(self.sheet.iter_rows(min_row=3, values_only=True), start=3):
            texts = {code: str(cell) for code, cell in zip(self.codes, cells, strict=False) if cell is not None}
            found += [(number, texts)] if texts else []
        return found

    def marked(self, number: int) -> set[str]:
        """The codes of the coloured cells of a row."""
        return {self.codes[(cell.column or 0) - 1] for cell in self.sheet[number] if cell.fill.fill_type}

    def save(self, path: Path) -> Path:
        """Save it under a name."""
        self.book.save(path)
        return path

    def as_csv(self) -> bytes:
        """What the spreadsheet saves as CSV: both header rows and all others, in the clerk's encoding."""
        out = io.StringIO()
        for cells in self.sheet.iter_rows(values_only=True):
            csv.writer(out).writerow(["" if cell is None else cell for cell in cells])
        return out.getvalue().encode("gb18030")


class Desk:
    """The clerk's desk: a form, a channel, and the node to publish at."""

    def __init__(self, town: Town, item: Item, folder: Path, ending: str) -> None:
        self.town, self.item, self.folder, self.ending = town, item, folder, ending
        self.channel = f"{SHANGHAI.id}/{item.id.replace('.', '-')}-{ending}"
        town.create(self.channel, item.id, "everyone")

    def filled_form(self, rows: Sequence[Texts]) -> Path:
        """The form with rows, as a workbook or saved as CSV."""
        form = self.folder / f"form-{self.ending}.xlsx"
        done(self.town.start(SHANGHAI.id, "template", self.item.id, "-o", form, "--lang", "zh"))
        sheet = Spreadsheet(form)
        for number, row in enumerate(rows, start=3):
            sheet.write(number, row)
        if self.ending == "xlsx":
            return sheet.save(self.folder / "filled.xlsx")
        (self.folder / "filled.csv").write_bytes(sheet.as_csv())
        return self.folder / "filled.csv"

    def publish(self, file: Path, *argv: str) -> dict[str, Any]:
        """The document of a publication of one file."""
        command = self.town.start(SHANGHAI.id, "publish", self.channel, file, "--lang", "zh", *argv)
        found: dict[str, Any] = done(command)["files"][0]
        return found

    def corrected(self, returned: Path, right: Mapping[str, Texts], wrong: Mapping[str, Texts]) -> Path:
        """Correct each returned row where 原因 says so, and nowhere else; right and wrong by the row's xq_row."""
        correct = self._corrected_book if self.ending == "xlsx" else self._corrected_csv
        return correct(returned, right, wrong)

    def _corrected_book(self, returned: Path, right: Mapping[str, Texts], wrong: Mapping[str, Texts]) -> Path:
        sheet = Spreadsheet(returned)
        assert sheet.titles[:2] == ["原因", "怎么改"]
        assert len(sheet.rows()) == len(wrong)
        for number, row in sheet.rows():
            faults = wrong[row["xq_row"]]
            self._check(str(sheet.sheet.cell(number, 1).value), faults)
            assert sheet.marked(number) == faults.keys()
            sheet.write(number, {code: right[row["xq_row"]].get(code, "") for code in faults})
        return sheet.save(self.folder / "corrected.xlsx")

    def _corrected_csv(self, returned: Path, right: Mapping[str, Texts], wrong: Mapping[str, Texts]) -> Path:
        assert returned.read_bytes().startswith("\ufeff原因,怎么改,".encode())
        with returned.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
        assert len(rows) == len(wrong)
        for row in rows:
            faults = wrong[row["xq_row"]]
            self._check(row["原因"], faults)
            row.update({code: right[row["xq_row"]].get(code, "") for code in faults})
        with (self.folder / "corrected.csv").open("w", encoding="utf-8-sig", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return self.folder / "corrected.csv"

    def _check(self, reason: str, faults: Texts) -> None:
        missed = [code for code in faults if self.item.by_code[code].title_zh not in reason]
        assert missed == [], reason

    def held(self, node: str) -> list[dict[str, str]]:
        """The values of every record that a node holds of the channel."""
        return [each["values"] for each in self.town.records(node, "--channel", self.channel)]


def sorted_rows(rows: Sequence[Texts]) -> list[list[tuple[str, str]]]:
    return sorted(sorted((code, text) for code, text in row.items() if text) for row in rows)


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_what_comes_back_is_corrected_and_every_row_arrives_once(town: Town, tmp_path: Path, ending: str) -> None:
    town.serve(SHANGHAI.id, *READERS)
    for item in load_edition().items.values():
        folder = tmp_path / item.id
        folder.mkdir()
        desk, rows, spoiled = Desk(town, item, folder, ending), sound_rows(item), SPOILED[item.id]
        filled = desk.filled_form(written(rows, spoiled))
        right = {str(place + 3): row for place, row in enumerate(rows)}
        wrong = {str(place + 3): faults for place, faults in spoiled.items()}
        # A dry run says what will happen, then it happens.
        tried, first = desk.publish(filled, "--check"), desk.publish(filled)
        assert tried["counts"] == first["counts"] == outcomes(accepted=ROWS - len(wrong), rejected=len(wrong))
        corrected = desk.corrected(Path(first["rejected_file"]), right, wrong)
        second = desk.publish(corrected)
        assert second["counts"] == outcomes(accepted=len(wrong))
        assert second["rejected_file"] is None
        # Both files once more: nothing is accepted a second time.
        assert desk.publish(corrected)["counts"] == outcomes(duplicate=len(wrong))
        again = desk.publish(filled)["counts"]
        assert again == outcomes(duplicate=ROWS - len(wrong), rejected=len(wrong))
        town.wait_for_agreement(desk.channel, READERS)
        for node in (SHANGHAI.id, *READERS):
            assert sorted_rows(desk.held(node)) == sorted_rows(rows), node
            summary = town.channel(node, desk.channel)
            assert summary is not None
            assert [(each["outcome"], each["count"]) for each in summary["outcomes"]] == [
                ("RECORD_OUTCOME_APPLIED", ROWS)
            ]


@pytest.mark.parametrize("disclosure", ["A", "C"])
def test_200_lawful_rows_that_name_what_is_barred_of_persons_reach_the_reader_whole(
    town: Town, tmp_path: Path, disclosure: str
) -> None:
    town.serve(SHANGHAI.id, *READERS)
    channel = f"{SHANGHAI.id}/lawful"
    town.create(channel, "penalty.2018", "everyone", disclosure)
    rows = [{code: str(text) for code, text in row.items()} | AUTHORITY for row in lawful_rows()]
    names = [row["CF_XDR_MC"] for row in rows]
    assert all(any(word in name for name in names) for word in ("疾病预防控制中心", "宗教事务局", "血站"))
    file = tmp_path / "lawful.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert town.publish(channel, file) == outcomes(accepted=200)
    town.wait_for_agreement(channel, READERS)
    for node in READERS:
        held = town.records(node, "--channel", channel)
        assert sorted(each["values"]["CF_XDR_MC"] for each in held) == sorted(names)
        assert town.channel(node, channel)["outcomes"] == [  # type: ignore[index]
            {"outcome": "RECORD_OUTCOME_APPLIED", "count": 200, "code": ""}
        ]
