"""docs/OPERATING.md names every command, option and metric, and shows what the program really prints."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from node.cli.main import main
from scripts.gen_docs_commands import commands
from tests.docs.pages import commands_shown, fault
from tests.docs.replay import PROGRAMS, Replay
from tests.docs.story import OPERATING, OPERATING_ZH, README, README_ZH, STORIES, tell
from tests.docs.transcript import steps

ROOT = Path(__file__).resolve().parents[2]
PAGES = (README, README_ZH, OPERATING, OPERATING_ZH, ROOT / "certs" / "README.md")
ALL = list(commands())
LEAVES = [(name, command) for name, command, _ in ALL if not isinstance(command, click.Group)]


def everything_with_help() -> Iterator[tuple[str, str]]:
    """Each command, argument and option with its help."""
    for name, command, _ in ALL:
        yield name, command.help or ""
        for each in command.params:
            yield f"{name} {each.opts[-1]}", getattr(each, "help", "") or ""


# -- help ----------------------------------------------------------------------------------------------------


def test_every_command_argument_and_option_has_help() -> None:
    assert [name for name, text in everything_with_help() if len(text.strip()) < 8] == []


def test_help_is_written_in_sentences() -> None:
    assert [
        name for name, text in everything_with_help() if not re.search(r"[.?!)`]$", text.strip().split("\n")[0])
    ] == []


@pytest.mark.parametrize(("name", "command"), LEAVES)
def test_every_command_takes_home_and_json(name: str, command: click.Command) -> None:
    assert {"--home", "--json"} <= {option for each in command.params for option in each.opts}, name


def test_a_list_of_commands_shows_whole_sentences() -> None:
    context = click.Context(main, info_name="xinqiao", terminal_width=80)
    assert "..." not in main.get_help(context).split("Commands:")[1]


# -- the pages -----------------------------------------------------------------------------------------------


def test_the_page_names_every_command_and_option() -> None:
    text = OPERATING.read_text("utf-8")
    words = [name for name, _, _ in ALL]
    words += [
        option for _, command, _ in ALL for each in command.params for option in each.opts if option.startswith("-")
    ]
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_is_one_the_program_takes(page: Path) -> None:
    shown = list(commands_shown(page))
    assert shown
    assert [(" ".join(words), fault(words)) for words in shown if fault(words)] == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("channel creat penalties", "no command 'creat'"),
        ("registry propose approve 310115 --finger HEX", "no option --finger"),
        ("status now", "takes 0 arguments"),
        ("publish CHANNEL a b c", ""),
        ("--home DIR registry sign FILE --key KEY --yes", ""),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, says: str) -> None:
    found = fault(line.split())
    assert (says in found) if says else not found


def test_the_generated_blocks_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.gen_docs", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_section_of_the_story_is_replayed() -> None:
    told = {step for story in STORIES.values() for step in story.steps}
    assert told == {step for page in (README, OPERATING, OPERATING_ZH) for step in steps(page)}


def test_every_link_on_a_page_leads_somewhere() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        anchors = {
            re.sub(r"[^\w一-鿿 -]", "", line.lstrip("# ").lower()).strip().replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        for target in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
            file, anchor = target
            assert not file or (page.parent / file).exists(), f"{page.name}: {file}"
            assert file or anchor in anchors, f"{page.name}: #{anchor}"


def test_the_unit_file_is_one_that_systemd_accepts(tmp_path: Path) -> None:
    unit = re.search(r"^```ini\n(.*?)^```$", OPERATING.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert unit is not None
    path = tmp_path / "xinqiao.service"
    path.write_text(unit[1].replace("/opt/xinqiao/bin/xinqiao", str(PROGRAMS / "xinqiao")), "utf-8")
    try:
        done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this machine has no systemd-analyze")
    assert [line for line in done.stderr.splitlines() if "xinqiao.service" in line] == []


# -- the transcripts -----------------------------------------------------------------------------------------


def test_founding_and_joining_print_what_the_page_says(told: Replay) -> None:
    assert "\n".join(fault for fault in told.wrong if fault.startswith(OPERATING.name)) == ""


def test_both_manuals_describe_the_same_metrics_and_unit() -> None:
    english, chinese = (page.read_text("utf-8") for page in (OPERATING, OPERATING_ZH))
    for pattern in (r"^\| `(xinqiao_\w+)`", r"^```ini\n(.*?)^```$"):
        found = re.findall(pattern, english, re.MULTILINE | re.DOTALL)
        assert found
        assert re.findall(pattern, chinese, re.MULTILINE | re.DOTALL) == found


def test_officers_decide_about_held_rows_as_the_chinese_page_says() -> None:
    replay = Replay("zh")
    try:
        tell(replay, STORIES["zh-holds"])
        assert "\n".join(replay.wrong) == ""
    finally:
        replay.close()


def test_a_subject_is_checked_as_the_page_says() -> None:
    replay = Replay("en")
    try:
        tell(replay, STORIES["en-checks"])
        assert "\n".join(replay.wrong) == ""
    finally:
        replay.close()


@pytest.mark.long
def test_a_subject_is_checked_as_the_chinese_page_says() -> None:
    replay = Replay("zh")
    try:
        tell(replay, STORIES["zh-checks"])
        assert "\n".join(replay.wrong) == ""
    finally:
        replay.close()


@pytest.mark.long
def test_the_whole_chinese_page_prints_what_it_says() -> None:
    replay = Replay("zh")
    try:
        tell(replay, STORIES["zh"])
        assert "\n".join(replay.wrong) == ""
    finally:
        replay.close()


@pytest.mark.long
def test_the_whole_page_prints_what_it_says() -> None:
    replay = Replay()
    try:
        tell(replay, STORIES["en"])
        assert "\n".join(replay.wrong) == ""
        scraped = replay.metric_names("pudong", "7412")
        described = set(re.findall(r"^\| `(xinqiao_\w+)`", OPERATING.read_text("utf-8"), re.MULTILINE))
        assert scraped == described
    finally:
        replay.close()
