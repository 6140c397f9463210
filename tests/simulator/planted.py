"""Planted bugs: mistakes put into production code for the length of a with block. A simulator must catch each.

    with planted("skip-signature"):
        assert simulate(swarm(seed), seed).violation is not None

A bug is a few lines of production source changed: the text a function is compiled from, or a statement of the
store; tests/simulator/bugs.py lists them. A function that was renamed, or a line that reads otherwise now, ends in
an error, never in a bug that is not there.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pkgutil import resolve_name
from types import CodeType, FunctionType
from unittest.mock import patch

from node.simulator.observing import Violation
from tests.simulator.bugs import BUGS, Change, PlantedBug, Rewording


@dataclass(frozen=True, slots=True)
class Catch:
    """Where a planted bug was caught: at the seed, after so many, by which guarantee, at which node."""

    bug: str
    seed: int
    tried: int
    guarantee: str
    node: str
    found: str


# -- planting ------------------------------------------------------------------------------------------------


@contextmanager
def planted(name: str) -> Iterator[PlantedBug]:
    """Run production code with one mistake in it; raises LookupError or AttributeError where the code has changed."""
    bug = BUGS[name]
    with ExitStack() as edits:
        for edit in bug.edits:
            edits.enter_context(_changed(edit) if isinstance(edit, Change) else _reworded(edit))
        yield bug


@contextmanager
def _changed(change: Change) -> Iterator[None]:
    """Give a function the code of another text; the object stays, so that whoever has imported it runs it, too."""
    found = resolve_name(change.target)
    if not isinstance(found, FunctionType):
        raise LookupError(f"{change.target} is not a function")
    right = found.__code__
    found.__code__ = _compiled(found, change)
    try:
        yield
    finally:
        found.__code__ = right


@contextmanager
def _reworded(rewording: Rewording) -> Iterator[None]:
    module, _, name = rewording.target.partition(":")
    statement = resolve_name(rewording.target)
    if not isinstance(statement, str):
        raise LookupError(f"{rewording.target} is not a statement")
    for before, after in rewording.swaps:
        _check_once(statement.count(before), rewording.target, before)
        statement = statement.replace(before, after)
    with patch.object(import_module(module), name, statement):
        yield


def _compiled(function: FunctionType, change: Change) -> CodeType:
    """The code of a function with its text changed, under the same file and line."""
    right = function.__code__
    lines = inspect.getsource(function).splitlines()
    for before, after in _hunks(change):
        lines = _replaced(lines, before, after, change.target)
    # A method's text is indented: the line above makes it a whole program.
    program = "\n ".join(["if True:", *lines])
    tree = ast.increment_lineno(ast.parse(program), right.co_firstlineno - 2)
    module = compile(tree, right.co_filename, "exec")
    code = next(item for item in module.co_consts if isinstance(item, CodeType) and item.co_name == right.co_name)
    assert code.co_freevars == right.co_freevars, "a planted bug changes lines, not what a function closes over"
    return code


def _hunks(change: Change) -> list[tuple[list[str], list[str]]]:
    """The lines that go and the lines that come, hunk by hunk; an empty line stands between two hunks."""
    hunks = [hunk.splitlines() for hunk in textwrap.dedent(change.diff).strip().split("\n\n")]
    return [tuple([line[2:] for line in hunk if line[0] == mark] for mark in "-+") for hunk in hunks]  # type: ignore[misc]


def _replaced(lines: list[str], before: list[str], after: list[str], target: str) -> list[str]:
    places = [at for at in range(len(lines)) if lines[at : at + len(before)] == _indented(before, lines[at])]
    _check_once(len(places), target, "\n".join(before))
    at = places[0]
    return lines[:at] + _indented(after, lines[at]) + lines[at + len(before) :]


def _indented(block: list[str], like: str) -> list[str]:
    indent = like[: len(like) - len(like.lstrip())]
    return [indent + line for line in block]


def _check_once(found: int, target: str, what: str) -> None:
    if found != 1:
        raise LookupError(f"{target} has {found} times what a planted bug changes: {what}")


# -- hunting -------------------------------------------------------------------------------------------------


def run_seed(seed: int) -> Violation | None:
    """What a swarm seed finds in the code as it stands."""
    swarm = resolve_name("node.simulator.swarm:swarm")
    violation: Violation | None = resolve_name("node.simulator.simulation:simulate")(swarm(seed), seed).violation
    return violation


def caught(name: str, seeds: Iterable[int], run: Callable[[int], Violation | None] = run_seed) -> Catch | None:
    """The first of these seeds in which a planted bug is noticed, None where none of them does."""
    with planted(name):
        for tried, seed in enumerate(seeds, start=1):
            violation = run(seed)
            if violation is not None:
                return Catch(name, seed, tried, violation.guarantee, violation.node, violation.found)
    return None
