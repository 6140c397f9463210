"""The generated blocks of docs/OPERATING.md: the settings, and every command with its arguments and options."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping

import click

from node.cli.main import main
from node.config import document

# These are the same everywhere and are explained once, above all commands.
EVERYWHERE = ("home", "json", "lang")
PROGRAM = "xinqiao"


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
        "Every command takes these, before or after its own:",
        "",
        *_table(main, click.Context(main), EVERYWHERE),
        "",
        "`xinqiao --version` shows the version, and `--help` explains any command.",
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
    yield from _help(command)
    others = [each.name or "" for each in command.params if each.name not in EVERYWHERE]
    if others:
        yield from ("", *_table(command, context, others))


def _help(command: click.Command) -> Iterator[str]:
    """Its paragraphs; what click shows as it stands becomes a block."""
    paragraphs = (command.help or "").split("\n\n")
    for place, paragraph in enumerate(paragraphs):
        if place:
            yield ""
        if paragraph.startswith("\b"):
            yield from ("```text", *paragraph.removeprefix("\b\n").splitlines(), "```")
        else:
            yield _cell(paragraph)


def _table(command: click.Command, context: click.Context, names: Collection[str]) -> Iterator[str]:
    yield from ("| Argument or option | Meaning |", "|---|---|")
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
    text = _cell(getattr(parameter, "help", "") or "")
    if isinstance(parameter, click.Option):
        text += " Must be given." if parameter.required else ""
        text += " Repeatable." if parameter.multiple and "repeatable" not in text else ""
        text += f" Default: {parameter.default}." if parameter.show_default else ""
    return text


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).replace("|", "\\|")


BLOCKS: Mapping[str, Callable[[], str]] = {"commands": commands_reference, "settings": document}
