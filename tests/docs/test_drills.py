"""Ten failures are really brought about, named by doctor as the manual shows it, and healed by the manual's commands.

They are replayed in a process of their own, which may have mounts of its own: a small disk is mounted on a machine.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.record import LEFT_OUT, alone
from tests.docs.replay import ROOT
from tests.docs.story import OPERATING, OPERATING_ZH, STORIES
from tests.docs.transcript import Names, is_well, lines_of, match, steps, subtitles

DEADLINE_S = 600
ZH = subtitles(OPERATING_ZH, "十种故障")
EN = subtitles(OPERATING, "Ten failures")
FAULT = re.compile(r"^(?P<page>\S+\.md):(?P<line>\d+): .*\n    .*$", re.MULTILINE)
PARTS_ZH = ("**现象**", "**原因**", "**由谁处理**", "**下一步**", "**恢复后**")
PARTS_EN = ("**What one sees**", "**Why**", "**Who must act**", "**Next**", "**Afterwards**")


def replayed(name: str) -> dict[int, str]:
    """What printed something else than the page, or was left out, by its line there; of the last page of a story."""
    done = subprocess.run(
        alone([name]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode in (0, 1), done.stderr
    page = STORIES[name].pages[-1].name
    return {int(found["line"]): found[0] for found in FAULT.finditer(done.stdout) if found["page"] == page}


def expect_nothing(faults: Mapping[int, str], page: Path, heading: str) -> None:
    here = [fault for line, fault in faults.items() if line in lines_of(page, heading)]
    assert "\n".join(fault for fault in here if LEFT_OUT not in fault) == ""
    if here:
        pytest.skip("this machine does not let a test mount a disk")


@pytest.fixture(scope="module")
def drilled() -> dict[int, str]:
    """The faults of the Chinese manual's drills."""
    return replayed("zh-drill")


def test_from_nothing_to_two_healthy_members(drilled: dict[int, str]) -> None:
    for _, heading in STORIES["zh-drill"].places[:-1]:
        expect_nothing(drilled, OPERATING_ZH, heading)


@pytest.mark.parametrize("title", ZH)
def test_a_failure_is_named_and_healed_as_the_chinese_manual_says(title: str, drilled: dict[int, str]) -> None:
    expect_nothing(drilled, OPERATING_ZH, title)


@pytest.mark.long
def test_every_failure_is_named_and_healed_as_the_english_manual_says() -> None:
    expect_nothing(replayed("en-drill"), OPERATING, "Ten failures")


@pytest.mark.parametrize(("page", "titles", "parts"), [(OPERATING_ZH, ZH, PARTS_ZH), (OPERATING, EN, PARTS_EN)])
def test_a_manual_says_of_each_of_ten_failures_what_to_do(
    page: Path, titles: list[str], parts: tuple[str, ...]
) -> None:
    assert len(titles) == 10
    text = page.read_text("utf-8").splitlines()
    for title in titles:
        section = [text[number - 1] for number in lines_of(page, title)]
        assert [re.split("[：:]", line)[0] for line in section if line.startswith("**")] == list(parts), title


@pytest.mark.parametrize(
    ("page", "title"), [*((OPERATING_ZH, title) for title in ZH), *((OPERATING, title) for title in EN)]
)
def test_doctor_is_asked_before_and_after(page: Path, title: str) -> None:
    before, after = [step for step in steps(page, title) if "xinqiao doctor" in step.command]
    assert [line for line in before.output if re.match(r"\[", line) and not is_well(line)]
    assert re.search("异常 0 项|, 0 failing$", after.output[-1])
    assert [line for line in after.output if line.startswith("[")] == []


def test_both_manuals_break_and_heal_the_same_in_the_same_order() -> None:
    drills = ((OPERATING_ZH, "十种故障"), (OPERATING, "Ten failures"))
    chinese, english = ([(step.machine, step.command) for step in steps(*drill)] for drill in drills)
    assert chinese == english


def test_an_ellipsis_in_an_examination_stands_for_what_is_well() -> None:
    page = ["…", "[failing] disk: DISK_LOW: 3 MiB are free", "…", "checked: 5 ok, 0 to look at, 1 failing"]
    well = ["[ok] clock 310000: 3 ms", "[warning] working days: CALENDAR_SHORT: soon", "  next: see it"]
    low = ["[failing] disk: DISK_LOW: 9 MiB are free", "[ok] database: 1 ms"]
    summary = ["checked: 7 ok, 1 to look at, 1 failing"]
    assert match(page, [*well, *low, *summary], Names(), may_skip=is_well) == ""
    other = ["[failing] keys: KEY_FILE: gone"]
    for printed in ([*other, *well, *low, *summary], [*well, *low, *other, *summary], [*well, *summary]):
        assert match(page, printed, Names(), may_skip=is_well)
