"""The generated blocks of docs/OPERATING.md and docs/REFERENCE.zh-CN.md: settings, commands, and errors in Chinese."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping

import click

from node.cli.main import main
from node.config import document
from node.core.errors import CODES, Family
from node.texts import chinese, is_chinese, setting, speaking
from node.texts.commands import full_name, help_of, parameter_help

# These are the same everywhere and are explained once, above all commands.
EVERYWHERE = ("home", "json", "lang")
PROGRAM = "xinqiao"

# What these pages say themselves.
OWN_WORDS: Mapping[str, str] = {
    "Every command takes these, before or after its own:": "每条命令都可使用以下选项，写在命令自身选项之前或之后均可：",
    "`xinqiao --version` shows the version, and `--help` explains any command.": "`xinqiao --version` 显示版本，"
    "`--help` 显示任一命令的用法。",
    "| Argument or option | Meaning |": "| 参数或选项 | 说明 |",
    " Must be given.": "必填。",
    " Repeatable.": "可重复。",
    " Default: {}.": "默认：{}。",
}
FAMILIES: Mapping[Family, str] = {
    Family.OPERATOR: "本机的输入或配置有误：未作任何改动",
    Family.PEER: "其他节点或登记中心发来的内容有误：拒绝，并指明来源",
    Family.WIRE: "联系不上：自动重试",
    Family.LOCAL: "本机故障：未确认任何内容",
    Family.RULE: "记录、行或条目被规则禁止，或没有意义：计入结果，不影响其他内容",
}


def commands(
    command: click.Command = main, name: str = PROGRAM, parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command with its full name, groups before what is in them."""
    context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent)
    yield name, command, context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None, f"{name} lists {each} and does not have it"
            yield from commands(found, f"{name} {each}", context)


def commands_reference() -> str:
    """Every command in Markdown."""
    lines = [
        _own("Every command takes these, before or after its own:"),
        "",
        *_table(main, click.Context(main), EVERYWHERE),
        "",
        _own("`xinqiao --version` shows the version, and `--help` explains any command."),
    ]
    for name, command, context in commands():
        if name != PROGRAM:
            lines += _entry(name, command, context)
    return "\n".join(lines) + "\n"


def _entry(name: str, command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"### {name}", "")
    if not isinstance(command, click.Group):
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        yield from ("```text", usage, "```", "")
    yield from _help(help_of(command, full_name(context)))
    others = [each.name or "" for each in command.params if each.name not in EVERYWHERE]
    if others:
        yield from ("", *_table(command, context, others))


def _own(text: str) -> str:
    return OWN_WORDS[text] if is_chinese() else text


def _help(text: str) -> Iterator[str]:
    """Its paragraphs; what click shows as it stands becomes a block."""
    for place, paragraph in enumerate(text.split("\n\n")):
        if place:
            yield ""
        if paragraph.startswith("\b"):
            yield from ("```text", *paragraph.removeprefix("\b\n").splitlines(), "```")
        else:
            yield _cell(paragraph)


def _table(command: click.Command, context: click.Context, names: Collection[str]) -> Iterator[str]:
    yield from (_own("| Argument or option | Meaning |"), "|---|---|")
    for each in command.params:
        if each.name in names:
            yield f"| {_spelling(each, context)} | {_meaning(each)} |"


def _spelling(parameter: click.Parameter, context: click.Context) -> str:
    metavar = parameter.make_metavar(context).replace("|", "\\|")
    if isinstance(parameter, click.Option):
        names = ", ".join(f"`{name}`" for name in parameter.opts)
        return names if parameter.is_flag else f"{names} `{metavar}`"
    return f"`{metavar}`"


def _meaning(parameter: click.Parameter) -> str:
    text = _cell(parameter_help(parameter))
    if isinstance(parameter, click.Option):
        text += _own(" Must be given.") if parameter.required else ""
        text += _own(" Repeatable.") if parameter.multiple and not re.search("repeatable|可重复", text) else ""
        text += _own(" Default: {}.").format(parameter.default) if parameter.show_default else ""
    return text


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).replace("|", "\\|")


def settings_reference() -> str:
    """Every setting in Markdown."""
    return document(setting)


def errors_reference() -> str:
    """Every code in Chinese, by family."""
    return "\n".join(_family(family, meaning) for family, meaning in FAMILIES.items())


def _family(family: Family, meaning: str) -> str:
    known = chinese()
    lines = [f"**{family.value.upper()}**：{meaning}。", "", "| 代码 | 含义 | 由谁处理 | 下一步 |", "|---|---|---|---|"]
    for code, spec in sorted(CODES.items()):
        if spec.family is family:
            row = known.errors[code]
            cells = (f"`{code}`", *map(_cell, (row.text, known.who[spec.who], row.next)))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _in(language: str, block: Callable[[], str]) -> Callable[[], str]:
    def spoken() -> str:
        with speaking(language):
            return block()

    return spoken


BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": _in("en", commands_reference),
    "commands-zh": _in("zh", commands_reference),
    "errors-zh": _in("zh", errors_reference),
    "settings": _in("en", settings_reference),
    "settings-zh": _in("zh", settings_reference),
}
