"""What the pages promise of the program: commands in code blocks, as words; and the tree of real commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from node.cli.main import main

BLOCK = re.compile(r"^```(?:console|bash|ini|text)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (xinqiao .*)$", re.MULTILINE)
INLINE = re.compile(r"`(xinqiao [^`]+)`")
GENERATED = re.compile(r"<!-- begin generated: .*?<!-- end generated -->", re.DOTALL)
TYPED = re.compile(r"(?:[a-z0-9-]+\$ |   \$ |(?=xinqiao )|ExecStart=|sudo -u [a-z]+ )")
STOPS = {"|", "||", "&&", ";", ">", ">>", "<", "2>/dev/null", "#"}
# Words that stand for something an operator puts in.
PLACEHOLDER = re.compile(r"^(?:[A-Z][A-Z0-9_-]*(?::PORT)?|…|\.\.\.|FILE\.\.\.)$")


def written(page: Path) -> str:
    """The page without what is generated from the commands themselves."""
    return GENERATED.sub("", page.read_text("utf-8"))


def commands_shown(page: Path) -> Iterator[list[str]]:
    """Every xinqiao command in blocks and in running text, as its words after `xinqiao`."""
    text = written(page)
    for block in BLOCK.findall(text):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            typed = TYPED.match(line)
            found = re.match(r"(?:/\S+/)?xinqiao((?: .*)?)$", line[typed.end() :]) if typed else None
            if found:
                yield _words(found[1])
    for line in [*INDENTED.findall(text), *INLINE.findall(text)]:
        yield _words(line.removeprefix("xinqiao"))


def _words(text: str) -> list[str]:
    words = shlex.split(text)
    ends = [place for place, word in enumerate(words) if word in STOPS]
    return words[: ends[0]] if ends else words


def fault(words: list[str]) -> str:
    """What click has against these words, empty where they parse; what must be given may be left out."""
    command: click.Command = main
    context = click.Context(main, info_name="xinqiao")
    rest = list(words)
    while isinstance(command, click.Group):
        while rest and rest[0].startswith("--"):
            rest = rest[1:] if rest[0] in ("--json", "--version", "--help") else rest[2:]
        if not rest or PLACEHOLDER.match(rest[0]):
            return ""
        found = command.get_command(context, rest[0])
        if found is None:
            return f"there is no command {rest[0]!r} in {context.command_path}"
        context = click.Context(found, info_name=rest[0], parent=context)
        command, rest = found, rest[1:]
    return _options_fault(command, context, rest)


def _options_fault(command: click.Command, context: click.Context, rest: list[str]) -> str:
    known = {name: each for each in command.get_params(context) for name in each.opts if isinstance(each, click.Option)}
    at, given = 0, []
    while at < len(rest):
        word = rest[at]
        if word.startswith("-") and len(word) > 1:
            option = known.get(word)
            if option is None:
                return f"{context.command_path} has no option {word}"
            at += 1 if option.is_flag or option.count else 1 + option.nargs
        else:
            given.append(word)
            at += 1
    limit = [each.nargs for each in command.params if isinstance(each, click.Argument)]
    if -1 not in limit and len(given) > sum(limit):
        return f"{context.command_path} takes {sum(limit)} arguments, not {given}"
    return ""
