"""The habits of the house, as far as a program can tell: short functions, plain names, no leftovers."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FUNCTION_LINES_MEDIAN = 15
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 600

# Names that say nothing: each thing here has a name of its own.
EMPTY_WORDS = frozenset({"manager", "handler", "helper", "util", "misc"})
PRESCRIBED = frozenset({"call_exception_handler", "default_exception_handler"})  # by asyncio, for event loops

# Built from parts, so that this file does not find itself.
MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
MACHINE_PATHS = re.compile(r"(?<![\w.\-}])/(?:work|farm|root|opt/pypi|tmp/xq)\b(?!\.)")
PACKAGE_HOSTS = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang")
PRIVATE_KEYS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}")

PLACES = ("node", "registry", "proto", "scripts", "tests", "docs", "certs", ".ci")
TEXTS = {
    "",
    ".py",
    ".pyi",
    ".proto",
    ".md",
    ".toml",
    ".txt",
    ".yaml",
    ".json",
    ".sh",
    ".mako",
    ".ini",
    ".csv",
    ".html",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Return every module of node/ and registry/ that a person wrote."""
    paths = (path for package in ("node", "registry") for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in paths if not re.search(r"(_pb2(_grpc)?|division_table)\.py$", path.name))


def texts() -> list[Path]:
    """Return every text file of the repository, generated modules and caches left out."""
    found = [path for place in PLACES for path in (ROOT / place).rglob("*") if path.suffix in TEXTS]
    found += [path for path in ROOT.iterdir() if path.suffix in TEXTS - {""}]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in modules():
        yield shown(path), ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines of each function, its docstring counted."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def words(name: str) -> set[str]:
    """Split a snake_case or CamelCase name into its words, in lower case and singular."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return {part.lower().removesuffix("s") for part in parts}


def empty_names(name: str, tree: ast.AST) -> list[str]:
    """Return the names of the module and of its functions and classes that contain an empty word."""
    inside = [node.name for node in ast.walk(tree) if isinstance(node, Function | ast.ClassDef)]
    return [each for each in (name, *inside) if words(each) & EMPTY_WORDS and each not in PRESCRIBED]


def lines_with(pattern: re.Pattern[str], text: str) -> list[int]:
    """Return the number of the line where each match begins."""
    return [text.count("\n", 0, hit.start()) + 1 for hit in pattern.finditer(text)]


def hits(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Return file:line of each match; a file in another encoding is read as far as it is ASCII."""
    texts_by_path = ((path, path.read_bytes().decode("utf-8", "replace")) for path in paths)
    return [f"{shown(path)}:{line}" for path, text in texts_by_path for line in lines_with(pattern, text)]


def test_the_median_function_is_short() -> None:
    lengths = [lines for _, tree in parsed() for _, lines in functions(tree)]
    assert statistics.median(lengths or [0]) < FUNCTION_LINES_MEDIAN


def test_no_function_is_too_long_to_read() -> None:
    found = [(where, *each) for where, tree in parsed() for each in functions(tree)]
    assert [each for each in found if each[2] > FUNCTION_LINES_MAX] == []


def test_no_file_is_too_long_to_read() -> None:
    lengths = {shown(path): path.read_text(encoding="utf-8").count("\n") for path in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_every_name_says_what_the_thing_is() -> None:
    found = {where: empty_names(Path(where).stem, tree) for where, tree in parsed()}
    assert {where: names for where, names in found.items() if names} == {}


def test_every_public_module_says_what_it_is_for() -> None:
    public = [(where, tree) for where, tree in parsed() if not re.match(r"_[^_]", Path(where).name)]
    assert [where for where, tree in public if not ast.get_docstring(tree)] == []


def test_nothing_is_left_for_later() -> None:
    assert hits(MARKERS, texts()) == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    assert hits(MACHINE_PATHS, texts()) == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert hits(PACKAGE_HOSTS, texts()) == []


def test_no_private_key_is_in_the_repository() -> None:
    assert hits(PRIVATE_KEYS, texts()) == []


@pytest.mark.parametrize(
    ("pattern", "text", "lines"),
    [
        (MARKERS, "x = 1\n# TO" + "DO: later\n", [2]),
        (MARKERS, "a list of TO" + "DOS is no marker", []),
        (MACHINE_PATHS, "a\nopen('/wo" + "rk/main/x')", [2]),
        (MACHINE_PATHS, "cd /ro" + "ot", [1]),
        (MACHINE_PATHS, "metadata/root/1.root.json and https://example.test/root.json", []),
        (PACKAGE_HOSTS, "https://files.python" + "hosted.org/x", [1]),
        (PRIVATE_KEYS, "\n-----BEGIN PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VwBCIEIAAA", [2]),
        (PRIVATE_KEYS, "a file that begins with -----BEGIN PRIVATE KEY----- is", []),
    ],
)
def test_what_must_not_be_left_behind_is_found(pattern: re.Pattern[str], text: str, lines: list[int]) -> None:
    assert lines_with(pattern, text) == lines


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("peer_manager", "", ["peer_manager"]),
        ("utils", "", ["utils"]),
        ("peers", "class EventHandler: ...", ["EventHandler"]),
        ("peers", "class A:\n    async def misc_steps(self): ...", ["misc_steps"]),
        ("peers", "def utilise(): ...\nclass HandlerlessThing: ...", []),
    ],
)
def test_an_empty_name_is_found(name: str, source: str, found: list[str]) -> None:
    assert empty_names(name, ast.parse(source)) == found


def test_the_length_of_a_function_counts_all_its_lines() -> None:
    source = '@decorated\ndef first():\n    """Say."""\n\n    return 1\n\n\nasync def second(): ...\n'
    assert list(functions(ast.parse(source))) == [("first", 4), ("second", 1)]
