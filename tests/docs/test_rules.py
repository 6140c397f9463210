"""docs/RULES.md has a row for every rule, and every row names tests that exist."""

import ast
import pydoc
import re
from pathlib import Path

import pytest

from node.core.errors import CODES
from node.core.rules import PREDICATES
from scripts import gen_docs

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "RULES.md"
IDS = [*(f"R-INC-{number}" for number in range(1, 16)), *(f"R-DIS-{number}" for number in range(1, 5))]
NAMED_TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| R-")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {row[0]: row for row in cells}


def test_the_generated_blocks_are_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert gen_docs.rewritten(page) == page, "run scripts/gen_docs and commit docs/"


def test_every_rule_has_a_row() -> None:
    assert list(rows()) == IDS


@pytest.mark.parametrize("rule", IDS)
def test_a_row_says_article_effect_and_tests(rule: str) -> None:
    _, title, articles, effect, tests = rows()[rule]
    page = PAGE.read_text(encoding="utf-8")
    is_elsewhere = f"- **{rule}** " in page
    assert title
    assert articles
    assert re.match(r"\*\*(reject|hold|flag|timer)\*\* in ", effect) or (
        effect.startswith("held else") and is_elsewhere
    )
    assert NAMED_TEST.search(tests)


@pytest.mark.parametrize("rule", IDS)
def test_the_tests_a_row_names_exist(rule: str) -> None:
    for file, name in NAMED_TEST.findall(rows()[rule][-1]):
        tree = ast.parse((ROOT / "tests" / "core" / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_predicate_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page and f"`{code}`" in page for name, (code, _) in PREDICATES.items())


# --- Lists, measures and queries ----------------------------------------------------------------------------

OF_LISTS = [*(f"R-LST-{at}" for at in range(1, 9)), *(f"R-MSR-{at}" for at in range(1, 6)), "R-QRY-2"]
NAMED_CODE = re.compile(r"`((?:node|registry)(?:\.\w+)+)`")
CODE = re.compile(r"`([A-Z]+(?:_[A-Z]+)+)`")


def rows_of_lists() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| **R-")]
    cells = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in lines]
    return {row[0]: row for row in cells}


def test_every_rule_of_lists_has_a_row() -> None:
    assert list(rows_of_lists()) == OF_LISTS


@pytest.mark.parametrize("rule", OF_LISTS)
def test_a_row_of_lists_names_code_that_exists_or_says_that_nobody_holds_it(rule: str) -> None:
    *_, where = rows_of_lists()[rule]
    named = NAMED_CODE.findall(where)
    assert named or where.startswith("nobody")
    assert [name for name in named if pydoc.locate(name) is None] == []
    assert set(CODE.findall(where)) <= CODES.keys()
