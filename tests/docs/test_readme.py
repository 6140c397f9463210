"""README.md and README.zh-CN.md: three commands that work as shown, and the same promises in both languages."""

import re
from pathlib import Path

from tests.docs.replay import Replay
from tests.docs.story import README, README_ZH
from tests.docs.transcript import Names, Step, match, steps

ROOT = Path(__file__).resolve().parents[2]
GUARANTEES = [f"G{number}" for number in range(1, 13)]


def guarantees(page: Path) -> list[str]:
    return re.findall(r"^\| (G\d+) \|", page.read_text("utf-8"), re.MULTILINE)


# -- the transcripts -----------------------------------------------------------------------------------------


def test_the_three_commands_print_what_the_page_says(told: Replay) -> None:
    assert "\n".join(fault for fault in told.wrong if fault.startswith("README")) == ""


def test_joining_takes_three_commands() -> None:
    typed = [step.command for step in steps(README, "Join a network in three commands") if step.machine == "pudong"]
    assert [command.split()[1] for command in typed if command.startswith("xinqiao")] == ["init", "join", "serve"]


def test_both_languages_show_the_same_transcripts() -> None:
    english = [(step.machine, step.command, step.output) for step in steps(README)]
    chinese = [(step.machine, step.command, step.output) for step in steps(README_ZH)]
    assert english
    assert chinese == english


# -- what is promised ----------------------------------------------------------------------------------------


def test_both_languages_list_every_guarantee_once() -> None:
    assert guarantees(README) == GUARANTEES
    assert guarantees(README_ZH) == GUARANTEES


def test_the_demonstration_shown_has_the_steps_of_the_real_one() -> None:
    source = (ROOT / "scripts" / "demo.py").read_text("utf-8")
    for page in (README, README_ZH):
        titles = re.findall(r"^\d\. (.*)$", page.read_text("utf-8"), re.MULTILINE)
        assert len(titles) >= 4
        assert [title for title in titles if re.split(r"\s\d", title)[0] not in source] == []


def test_the_map_of_the_house_names_folders_that_exist() -> None:
    for page in (README, README_ZH):
        named = re.findall(r"^\| \[`([\w./-]+)`\]", page.read_text("utf-8"), re.MULTILINE)
        assert len(named) >= 10
        assert [name for name in named if not (ROOT / name).exists()] == []


# -- the comparison itself -----------------------------------------------------------------------------------


def test_what_varies_is_compared_by_shape_and_remembered() -> None:
    names = Names()
    page = ("fingerprint: " + " ".join(["00a1"] * 16), "listening on 0.0.0.0:7400", "until 2026-01-01 00:00:00 UTC")
    printed = (
        "fingerprint: " + " ".join(["ffb2"] * 16),
        "listening on 127.0.0.1:41234",
        "until 2031-12-31 23:59:59 UTC",
    )
    assert match(page, printed, names) == ""
    assert names.to_real(f"--fingerprint {'00a1' * 16} -o FILE") == f"--fingerprint {'ffb2' * 16} -o FILE"


def test_another_word_or_count_is_a_difference() -> None:
    for printed in (["496 rows"], ["500 lines"], [], ["500 rows", "and more"]):
        assert match(["500 rows"], printed, Names())
    assert match(["500 rows", "…"], ["500 rows", "and more"], Names()) == ""
    assert match(["…", "last"], ["first", "second", "last"], Names()) == ""
    assert match(["…", "last"], ["first", "second"], Names())
    assert match(["root …"], ["root of all"], Names()) == ""


def test_a_transcript_is_read_with_its_continued_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```console\none$ xinqiao a \\\n    --b c\nout\ntwo$ d\n```\n", "utf-8")
    assert steps(page) == [
        Step("page.md", 4, "one", "xinqiao a --b c", ("out",)),
        Step("page.md", 7, "two", "d", ()),
    ]
