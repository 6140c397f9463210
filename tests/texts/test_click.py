"""click's own words: all that this version of click may show are Chinese, and the file it reads them in is current."""

import ast
import gettext
import inspect
from collections.abc import Iterator
from importlib import import_module

from node.texts import chinese
from node.texts.language import FOLDER
from node.texts.matching import names_in
from scripts.gen_texts import FILE, encoded

SHOWN_BY = ("core", "exceptions", "parser", "formatting", "types")
# What only a mistake of the program brings up, or what no command here asks for.
NOT_SHOWN = (
    "DeprecationWarning",
    "Value must be",
    "Could not determine",
    "No options defined",
    "Arguments take exactly",
    "Name '",
    "Boolean option",
    "Choice(",
    "Invalid start character",
    "{value!r} does not match the format",
    "{value!r} is not a valid UUID",
)


def looked_up() -> Iterator[str]:
    for name in SHOWN_BY:
        for node in ast.walk(ast.parse(inspect.getsource(import_module(f"click.{name}")))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("_", "ngettext"):
                yield from (str(each.value) for each in node.args[:1] if isinstance(each, ast.Constant))


def test_every_word_that_click_shows_has_its_chinese() -> None:
    needed = {text for text in looked_up() if not text.startswith(NOT_SHOWN)}
    assert sorted(needed - chinese().click.keys()) == []


def test_the_file_that_click_reads_is_made_from_the_catalogue() -> None:
    assert FILE.read_bytes() == encoded(chinese().click), "run scripts/gen_texts"


def test_gettext_finds_singular_and_plural_in_that_file() -> None:
    found = gettext.translation("messages", str(FOLDER), ["zh"])
    for text, other in chinese().click.items():
        assert found.gettext(text) == other
        assert found.ngettext(text, "x", 1) == found.ngettext(text, "x", 2) == other


def test_no_chinese_word_names_a_value_that_click_does_not_give() -> None:
    given_with_plural = {"possibilities", "choices", "nargs", "len", "len_type", "len_value"}
    for text, other in chinese().click.items():
        assert names_in([other]) <= names_in([text]) | given_with_plural, text
