"""Which language is spoken: asked for, set, or that of the locale."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from node.cli.main import main
from node.texts import language, reader_language, speaking
from node.texts.commands import asked_language


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "XINQIAO_LANG": "en"}, "en"),
        ({"LANG": "C", "XINQIAO_LANG": "zh"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "XINQIAO_LANG": "fr"}, "zh"),
    ],
)
def test_what_is_set_counts_before_the_locale(environment: Mapping[str, str], spoken: str) -> None:
    assert reader_language(environment) == spoken


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("status --lang zh", "zh"),
        ("--lang=en status", "en"),
        ("status", ""),
        ("status --lang", ""),
        ("status --lang fr", ""),
        ("status -- --lang zh", ""),
    ],
)
def test_the_language_is_read_off_the_whole_line(line: str, asked: str) -> None:
    assert asked_language(line.split()) == asked


def test_a_language_is_spoken_for_a_while_and_leaves_no_trace() -> None:
    before = (language(), os.environ.get("LANGUAGE"))
    with speaking("zh"):
        assert language() == "zh"
        with speaking("en"):
            assert language() == "en"
        assert language() == "zh"
    assert (language(), os.environ.get("LANGUAGE")) == before


@pytest.mark.parametrize("line", ["--lang zh --home {} status", "--home {} status --lang zh", "--home {} status"])
def test_every_command_takes_the_language_before_and_after_its_own_words(line: str, tmp_path: Path) -> None:
    given = [word.format(tmp_path) for word in line.split()]
    environment = {"XINQIAO_LANG": "en" if "--lang" in given else "zh", "XINQIAO_HOME": None}
    ran = CliRunner().invoke(main, given, env=environment)
    assert ran.stderr.splitlines() == [
        f"HOME_MISSING: {tmp_path} 中没有节点",
        "  由谁处理：您",
        f"  下一步：请执行 `xinqiao --home {tmp_path} init` 创建节点",
    ]


def test_another_language_is_refused_as_usage() -> None:
    ran = CliRunner().invoke(main, ["status", "--lang", "fr"])
    assert ran.exit_code == 2


def test_json_keeps_code_and_parameters_and_gives_the_texts_in_the_language_asked_for(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["--home", str(tmp_path), "status", "--json", "--lang", "zh"])
    error = json.loads(ran.stdout)["error"]
    assert (error["code"], error["parameters"]) == ("HOME_MISSING", {"home": str(tmp_path)})
    assert error["text"] == f"{tmp_path} 中没有节点"
