"""The generated blocks of docs/SIMULATOR.md: every key of a scenario file, and the acts a plan is made of."""

from collections.abc import Callable, Iterator, Mapping

from node.simulator.failure import ARGUMENTS
from node.simulator.keys import KeyRow, key_rows


def keys_reference() -> str:
    """Every key in Markdown, a table for each part of a scenario file."""
    rows = list(key_rows())
    parts = dict.fromkeys((row.part, row.about) for row in rows)
    return "\n".join(_part(part, about, [row for row in rows if row.part == part]) for part, about in parts)


def _part(part: str, about: str, rows: list[KeyRow]) -> str:
    lines = [
        f"**{part}**: {_cell(about)}",
        "",
        "| Key | Values | Default | Meaning |",
        "|---|---|---|---|",
        *map(_row, rows),
    ]
    return "\n".join(lines) + "\n"


def _row(row: KeyRow) -> str:
    key, values, default, meaning = map(_cell, row.cells)
    return f"| {_code(key)} | {values} | {_code(default) if row.default else default} | {meaning} |"


def _code(text: str) -> str:
    return text if text in ("…", "-", "none", "its own") else f"`{text}`"


def acts_reference() -> str:
    """The kinds of acts in a plan, with their arguments."""
    return "\n".join(["| Kind | Arguments |", "|---|---|", *_acts()]) + "\n"


def _acts() -> Iterator[str]:
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", list: "list of ids"}
    for kind, arguments in ARGUMENTS.items():
        yield f"| `{kind}` | {', '.join(f'`{name}` ({names[each]})' for name, each in arguments.items())} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


BLOCKS: Mapping[str, Callable[[], str]] = {"scenario-keys": keys_reference, "plan-acts": acts_reference}
