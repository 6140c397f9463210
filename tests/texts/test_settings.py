"""Every setting explains itself in Chinese, and so do the pages that are made from the code."""

import re

from click.testing import CliRunner

from node.cli.main import main
from node.config import document
from node.texts import chinese, setting, speaking
from scripts.gen_docs_commands import BLOCKS
from tests.texts.sources import HAN

WHERE = "add it to node/texts/zh/settings.toml"


def said() -> set[str]:
    """Everything that the table of settings says."""
    found: set[str] = set()

    def kept(text: str) -> str:
        found.add(text)
        return text

    document(kept)
    return found - {""}


def test_everything_that_is_said_of_a_setting_has_its_chinese() -> None:
    with speaking("zh"):
        missing = [text for text in sorted(said()) if setting(text) == text and text != "HOST:PORT"]
    assert [f"[settings] {text!r}: {WHERE}" for text in missing] == []


def test_no_chinese_is_left_of_what_is_said_of_no_setting() -> None:
    ranges = "{kind}, {low} to {high}"
    assert sorted(chinese().settings.keys() - said()) == [ranges]


def test_the_settings_are_shown_in_the_language_asked_for() -> None:
    shown = CliRunner().invoke(main, ["config", "show", "--keys", "--lang", "zh"]).stdout
    assert shown.startswith("| 配置项 | 取值 | 单位 | 默认值 | 含义 | 信任对象 |")
    assert "| `heartbeat_interval_s` | 整数，1 至 900 | 秒 |" in shown
    assert CliRunner().invoke(main, ["config", "show", "--keys", "--lang", "en"]).stdout.strip() == document().strip()


def test_no_line_of_a_chinese_page_is_english_prose() -> None:
    for name in ("commands-zh", "settings-zh", "errors-zh"):
        plain = re.sub(r"```.*?```|`[^`]*`|### [^\n]*", "", BLOCKS[name](), flags=re.DOTALL)
        english = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b")
        assert [line for line in plain.splitlines() if english.search(line) and not re.search(HAN, line)] == [], name


def test_the_english_pages_are_not_in_the_language_of_whoever_makes_them() -> None:
    with speaking("zh"):
        assert re.search("在本节点新建通道", BLOCKS["commands"]()) is None
        assert BLOCKS["settings"]() == document()
