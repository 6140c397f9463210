"""Every command, argument and option explains itself in Chinese, and no line of it is wider than the terminal."""

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from node.cli.main import main
from node.texts import chinese, speaking
from node.texts.columns import columns, padded, wrapped
from node.texts.commands import full_name
from scripts.gen_docs_commands import commands
from tests.texts.sources import HAN

WHERE = "add it to node/texts/zh/*.toml"
# What --help shows of click's own.
CLICK_WORDS = ("Usage", "Options:", "Commands:", "Arguments:", "Show this message", "required", "default:")


def explained() -> Iterator[tuple[str, click.Command]]:
    """(name, command) of all commands."""
    for _, command, context in commands():
        yield full_name(context), command


def parameters() -> Iterator[tuple[str, str]]:
    """(where it stands, English help) of all arguments and options."""
    for name, command in explained():
        for parameter in command.params:
            yield f"{name} {parameter.opts[0]}", getattr(parameter, "help", None) or ""


def paragraphs(text: str) -> int:
    return len(text.strip().split("\n\n"))


NAMES = sorted(name for name, _ in explained())


def test_every_command_has_a_chinese_help() -> None:
    missing = [f"[commands] {name!r}: {WHERE}" for name in NAMES if name not in chinese().commands]
    assert missing == []


def test_every_argument_and_option_has_a_help_in_both_languages() -> None:
    missing = [(where, english) for where, english in parameters() if english not in chinese().parameters]
    assert [f"[parameters] {english!r} ({where}): {WHERE}" for where, english in missing] == []


def test_no_chinese_help_is_left_of_a_command_or_option_that_is_gone() -> None:
    assert sorted(chinese().commands.keys() - set(NAMES)) == []
    assert sorted(chinese().parameters.keys() - {english for _, english in parameters()}) == []


@pytest.mark.parametrize(
    ("name", "command"), sorted(explained()), ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_chinese_help_has_the_paragraphs_of_the_english_one(name: str, command: click.Command) -> None:
    other = chinese().commands[name]
    assert re.search(HAN, other)
    assert paragraphs(other) == paragraphs(command.help or "")
    # The commands that a help names are the same.
    named = re.compile(r"`([a-z][a-z .]*[a-z])(?: [A-Z/.]+)*`")
    assert set(named.findall(other)) == set(named.findall(" ".join((command.help or "").split())))


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_is_chinese_throughout_and_fits_the_terminal(name: str) -> None:
    given = [] if name == "xinqiao" else name.split()
    ran = CliRunner().invoke(main, [*given, "--help", "--lang", "zh"], terminal_width=110)
    assert ran.exit_code == 0
    assert [word for word in CLICK_WORDS if word in ran.stdout] == []
    # A usage line and what a help shows as it stands are as long as they are.
    prose = [line for line in ran.stdout.splitlines() if "：    " not in line and "用法" not in line]
    assert [line for line in prose if columns(line) > 110] == []
    described = [line for line in ran.stdout.splitlines() if line.startswith("  --") and not re.search(HAN, line)]
    assert [line for line in described if len(line.split()) > 3] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_english_help_is_what_the_source_says(name: str) -> None:
    given = [] if name == "xinqiao" else name.split()
    ran = CliRunner().invoke(main, [*given, "--help", "--lang", "en"], terminal_width=110)
    assert "Show this message and exit." in ran.stdout
    assert re.search(HAN, ran.stdout.replace("浦东新区", "")) is None


def test_wrong_usage_is_told_in_chinese() -> None:
    with speaking("zh"):
        missing = CliRunner().invoke(main, ["prove", "a/b", "--lang", "zh"]).stderr
        unknown = CliRunner().invoke(main, ["chanel", "--lang", "zh"]).stderr
        number = CliRunner().invoke(main, ["prove", "a/b", "x", "0", "-o", "y", "--lang", "zh"]).stderr
    assert "错误：缺少参数" in missing
    assert "没有命令“chanel”" in unknown
    assert "“x”不是有效的数值" in number
    assert "用法：" in missing


def test_a_chinese_character_is_two_columns_wide() -> None:
    assert columns("通道 a/b") == 8
    assert padded("通道", 6) == "通道  "
    assert wrapped("本节点没有通道，请查看。", 14) == ["本节点没有通", "道，请查看。"]
    assert wrapped("请执行 `xinqiao channel list` 查看", 14) == ["请执行", "`xinqiao", "channel list`", "查看"]
    assert wrapped("", 10) == []
    assert all(columns(line) <= 12 for line in wrapped("（一）二三四五，六七八九十“一二”三四", 12))
