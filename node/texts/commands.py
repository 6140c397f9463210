"""Commands (click) in the language of the reader: their help, the option --lang, and lines as wide as they look."""

import copy
import os
import re
import sys
from collections.abc import Iterable, Sequence
from gettext import gettext
from typing import Any, TypeVar

import click

from node.texts.catalogue import chinese
from node.texts.columns import columns, padded, unfolded, wrapped
from node.texts.language import LANGUAGES, is_chinese, reader_language, speaking

PROGRAM = "xinqiao"
LANG_HELP = "Language of texts; or set XINQIAO_LANG. That of the locale unless given."
_VERBATIM = "\b\n"

C = TypeVar("C", bound=click.Command)

lang_option = click.option("--lang", type=click.Choice(LANGUAGES), expose_value=False, help=LANG_HELP)
"""Add --lang to a command. It is read before all other words of the command line, so that it counts for help, too."""


def asked_language(words: Sequence[str]) -> str:
    """The language that the words of a command line ask for, empty where they do not."""
    for place, word in enumerate(words):
        name, _, value = word.partition("=")
        if word == "--":
            break
        if name == "--lang":
            found = value or next(iter(words[place + 1 :]), "")
            return found if found in LANGUAGES else ""
    return ""


# -- what stands in the catalogue ------------------------------------------------------------------------------


def full_name(context: click.Context) -> str:
    """The name of a command without that of the program, which is the name of the outermost group."""
    names: list[str] = []
    at: click.Context | None = context
    while at is not None and not (at.parent is None and at.command.name == "main"):
        names.append(at.command.name or "")
        at = at.parent
    return " ".join(reversed(names)) or PROGRAM


def help_of(command: click.Command, name: str) -> str:
    """What a command says of itself."""
    english = command.help or ""
    return unfolded(chinese().commands.get(name, english).strip()) if is_chinese() else english


def parameter_help(parameter: click.Parameter) -> str:
    """What an argument or option says of itself."""
    english = getattr(parameter, "help", None) or ""
    return chinese().parameters.get(english, english) if is_chinese() else english


def first_sentence(text: str) -> str:
    """What a list of commands says of one."""
    paragraph = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    return re.split(r"(?<=\.)\s|(?<=。)", paragraph)[0]


def translated(command: C, context: click.Context) -> C:
    """The command as it is shown; parsing goes on with the command itself."""
    if not is_chinese():
        return command
    shown = copy.copy(command)
    shown.help = help_of(command, full_name(context))
    shown.params = [_translated_parameter(each) for each in command.params]
    return shown


def _translated_parameter(parameter: click.Parameter) -> click.Parameter:
    shown = copy.copy(parameter)
    if hasattr(shown, "help"):
        # click looks up the few texts of its own options itself.
        shown.help = parameter_help(parameter) if parameter.name != "version" else gettext(parameter_help(parameter))
    return shown


# -- showing ---------------------------------------------------------------------------------------------------


class Formatter(click.HelpFormatter):
    """Breaks Chinese lines where the terminal ends; English ones are left to click."""

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        if is_chinese():
            self.write(f"{'':>{self.current_indent}}{heading}：\n")
        else:
            super().write_heading(heading)

    def write_text(self, text: str) -> None:
        """Write paragraphs; one that begins with a backspace character is left as it stands."""
        if not is_chinese():
            super().write_text(text)
            return
        indent = " " * self.current_indent
        for place, paragraph in enumerate(text.split("\n\n")):
            self.write("\n" if place else "")
            self.write("".join(f"{indent}{line}\n" for line in self._lines(paragraph)))

    def _lines(self, paragraph: str) -> list[str]:
        if paragraph.startswith(_VERBATIM):
            return paragraph.removeprefix(_VERBATIM).splitlines()
        return wrapped(" ".join(paragraph.split()), self.width - self.current_indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names with their meanings beside or below them."""
        if not is_chinese():
            super().write_dl(rows, col_max, col_spacing)
            return
        kept = list(rows)
        first = min(max((columns(name) for name, _ in kept), default=0), col_max) + col_spacing
        indent = " " * self.current_indent
        for name, meaning in kept:
            lines = wrapped(meaning, max(self.width - first - self.current_indent, 20))
            if columns(name) > first - col_spacing or not lines:
                self.write(f"{indent}{name}\n")
            else:
                self.write(f"{indent}{padded(name, first)}{lines.pop(0)}\n")
            self.write("".join(f"{indent}{'':<{first}}{line}\n" for line in lines))


class Context(click.Context):
    """The context of a command that knows languages."""

    formatter_class = Formatter


class SpokenCommand(click.Command):
    """A command whose help and messages are in the language of the reader."""

    context_class = Context

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run it as a program."""
        given = list(sys.argv[1:] if args is None else args)
        with speaking(asked_language(given) or reader_language(os.environ)):
            return super().main(args, *rest, **extra)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show its help."""
        click.Command.format_help(translated(self, ctx), ctx, formatter)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Give the option --help, explained in the language of now."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = gettext("Show this message and exit.")
        return found

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - the list of commands is wrapped, never cut
        """The first sentence of its help."""
        return first_sentence(self.help or "")


class SpokenGroup(SpokenCommand, click.Group):
    """A group of such commands."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List its commands with the first sentence of each."""
        own = full_name(ctx)
        before = "" if own == PROGRAM else f"{own} "
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, first_sentence(help_of(each, before + name))) for name, each in found.items() if each]
        with formatter.section(gettext("Commands")):
            formatter.write_dl(rows)
