"""What the source says to people, read off its syntax trees."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HAN = r"[\u4e00-\u9fff]"
BLANK = "{}"


def text_of(node: ast.AST) -> str | None:
    """The text of a constant or an f-string, a blank for each value; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else BLANK for part in parts)
    return None


def blanked(template: str) -> str:
    """A template with a blank for each of its {names}."""
    return re.sub(r"\{[A-Za-z_][^{}]*\}", BLANK, template)


@cache
def modules(*folders: str) -> tuple[tuple[str, ast.Module], ...]:
    """Every module a person wrote in these folders, by its path."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    kept = [path for path in paths if "_pb2" not in path.name]
    return tuple((path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))) for path in kept)


def calls(*folders: str) -> Iterator[tuple[str, str, ast.Call]]:
    """(place, name of what is called, the call) of every call in these folders."""
    for path, tree in modules(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield f"{path}:{node.lineno}", ast.unparse(node.func).rpartition(".")[2], node


@cache
def all_texts(*folders: str) -> frozenset[str]:
    """Every text in these folders, a blank for each value."""
    found = (text_of(node) for _, tree in modules(*folders) for node in ast.walk(tree))
    return frozenset(text for text in found if text is not None)
