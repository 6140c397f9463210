"""The calendar of working days is compiled from what the packages hold, the same at every run."""

import json
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from scripts import gen_calendar

CONSTANTS = """
import datetime
holidays = {
    datetime.date(year=2026, month=1, day=2): "x",
    datetime.date(year=2026, month=1, day=1): "x",
    datetime.date(year=2025, month=1, day=1): "x",
}
workdays = {
    datetime.date(year=2026, month=1, day=4): "x",
}
other = {}
raise RuntimeError("this module is read, never run")
"""


def packages(folder: Path, constants: str = CONSTANTS) -> Path:
    (folder / "chinese_calendar").mkdir()
    (folder / "chinese_calendar" / "constants.py").write_text(constants, encoding="utf-8")
    (folder / "chinesecalendar-9.8.7.dist-info").mkdir()
    return folder


def test_the_days_of_each_year_stand_in_order_under_it(tmp_path: Path) -> None:
    content = gen_calendar.compiled(packages(tmp_path))
    assert content == gen_calendar.compiled(tmp_path)
    document = json.loads(content)
    assert document["years"] == {
        "2025": {"holidays": ["2025-01-01"], "workdays": []},
        "2026": {"holidays": ["2026-01-01", "2026-01-02"], "workdays": ["2026-01-04"]},
    }
    assert "2025 to 2026, as in chinesecalendar 9.8.7" in document["source"]


def test_days_that_cannot_be_are_not_compiled(tmp_path: Path) -> None:
    constants = CONSTANTS.replace("month=1, day=4", "month=1, day=5")
    with pytest.raises(XinqiaoError, match="CALENDAR_INVALID"):
        gen_calendar.compiled(packages(tmp_path, constants))


def test_the_check_tells_the_committed_calendar_from_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gen_calendar.TARGET.read_bytes()
    assert gen_calendar.main(["--check", "--sources", str(packages(tmp_path))]) == 1
    assert "calendar-2026.1.json differs" in capsys.readouterr().out
    assert gen_calendar.TARGET.read_bytes() == before
