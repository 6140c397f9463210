"""Every fixed line of output, table heading and word of state has its Chinese, and no Chinese is left over."""

import ast
import re
from collections.abc import Iterator

import pytest

from node.core.membership import LEVELS, Standing
from node.core.record import OutcomeKind
from node.core.rules_edition import Effect
from node.pb import admin_service_pb2, channel_pb2
from node.ports import Stage
from node.rpc.admin_server import STATUS_DUTIES
from node.texts import chinese, joined, phrase, speaking, term, words
from node.texts.matching import names_in
from tests.texts.sources import HAN, all_texts, blanked, calls, modules, text_of

WHERE = "add it to node/texts/zh/*.toml"
SPEAKERS = ("node/cli", "registry")
# What shows its first argument, or all of them, to a person.
SHOWS = frozenset({"say", "warn", "echo", "secho", "confirm", "UsageError", "progress"})
SOURCE = ("node", "registry")
# What makes an error of the text it is given.
FILLS = frozenset(
    {
        "check",
        "_check",
        "_invalid",
        "_unavailable",
        "_unknown",
        "_unreachable",
        "_body_error",
        "_bad_body",
        "_too_large",
    }
)
# As the admin service's schema lists them.
CHANNEL_STATES = frozenset({"open", "awaiting cut", "cut", "quarantined", "left"})
KEY_STATES = frozenset({"active", "next", "waiting for the registry", "retired", "revoked"})


def constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module gives a name."""
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                found[name] = text
    return found


def templates_in(argument: ast.expr, named: dict[str, str]) -> list[str]:
    """The templates that a first argument can be."""
    match argument:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            return [*templates_in(body, named), *templates_in(orelse, named)]
        case ast.Name(id=name) if name in named:
            return [named[name]]
    return []


def spoken() -> Iterator[tuple[str, list[str]]]:
    """(place, templates) of every call of words()."""
    names = {name: text for _, tree in modules(*SOURCE) for name, text in constants(tree).items()}
    for place, name, call in calls(*SOURCE):
        if name == "words" and "node/texts/" not in place:
            yield place, templates_in(call.args[0], names)


def headings() -> Iterator[str]:
    """The fixed titles and columns of tables, and the words given to term()."""
    for place, name, call in calls(*SOURCE):
        is_table = name in ("table", "_table") and place.startswith(SPEAKERS)
        if is_table or (name == "term" and "node/texts/" not in place):
            parts = [part for each in call.args[:2] for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
            yield from (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def states() -> set[str]:
    """Every word that stands for a state or an outcome."""
    outcomes = {name.removeprefix("RECORD_OUTCOME_").lower() for name in channel_pb2.RecordOutcome.keys()}  # noqa: SIM118
    duties = {name.removeprefix("DUTY_STATE_").lower() for name in admin_service_pb2.DutyState.keys()}  # noqa: SIM118
    enums = {each.value for kind in (Standing, OutcomeKind, Effect) for each in kind}
    stages = {each.name for each in Stage}
    return (outcomes | duties | enums | stages | CHANNEL_STATES | KEY_STATES | set(LEVELS) | set(STATUS_DUTIES)) - {
        "unspecified"
    }


def test_every_call_of_words_names_its_line() -> None:
    assert [place for place, templates in spoken() if not templates] == []


def test_every_line_of_output_has_its_chinese() -> None:
    needed = {template: place for place, templates in spoken() for template in templates}
    missing = sorted(needed.keys() - chinese().lines.keys())
    assert [f"[lines] {template!r} ({needed[template]}): {WHERE}" for template in missing] == []


def test_no_chinese_line_is_left_of_one_that_is_gone() -> None:
    needed = {template for _, templates in spoken() for template in templates}
    assert sorted(chinese().lines.keys() - needed) == []


@pytest.mark.parametrize(("english", "other"), sorted(chinese().lines.items()))
def test_a_line_has_the_same_values_in_both_languages(english: str, other: str) -> None:
    assert names_in([other]) == names_in([english])
    # What is nothing but values stands in another order at most.
    assert re.search(HAN, other) or not re.search("[a-z]", re.sub(r"\{[^}]*\}", "", english))


def test_no_command_speaks_english_past_the_catalogue() -> None:
    found = []
    for place, name, call in calls(*SPEAKERS):
        texts = [text_of(argument) for argument in call.args]
        if name in SHOWS and any(text and re.search("[A-Za-z]{2}", text.replace("{}", "")) for text in texts):
            found.append(f"{place}: {name}({texts}): put its English into words(...)")
    assert found == []


def test_what_officers_read_before_they_sign_has_its_chinese() -> None:
    known = {blanked(template) for template in chinese().phrases}
    found = []
    for place, name, call in calls("registry"):
        target = ast.unparse(call.func) if name == "append" else ""
        text = text_of(call.args[0]) if target else None
        if target.endswith("lines.append") and text and re.search("[A-Za-z]{2}", text.replace("{}", "")):
            found.append(f"{place}: {text!r}: put its English into words(...)")
        if target.endswith("unexplained.append") and text and text not in known:
            found.append(f"[phrases] {text!r} ({place}): {WHERE}")
    assert found == []


def test_every_word_of_state_and_every_heading_has_its_chinese() -> None:
    missing = sorted({*states(), *headings()} - chinese().terms.keys())
    assert [f"[terms] {word!r}: {WHERE}" for word in missing] == []


def test_no_chinese_word_is_left_of_one_that_is_gone() -> None:
    texts = all_texts(*SOURCE)
    used = {*states(), *headings()}
    gone = [word for word in chinese().terms if word not in used and word not in texts]
    assert gone == []


def test_every_phrase_stands_in_the_source_with_the_same_values() -> None:
    texts = all_texts(*SOURCE)
    gone = [phrase for phrase in chinese().phrases if blanked(phrase) not in texts]
    assert gone == []
    for english, other in chinese().phrases.items():
        assert names_in([other]) <= names_in([english]), english


def test_what_stands_in_an_error_as_prose_has_its_chinese() -> None:
    known = {blanked(text) for text in (*chinese().phrases, *chinese().terms, *chinese().lines)}
    missing = []
    for place, name, call in calls(*SOURCE):
        said = [keyword.value for keyword in call.keywords] if name == "XinqiaoError" else []
        said += call.args if name in FILLS else []
        prose = [text for text in filter(None, map(text_of, said)) if re.search("[a-z]{2} [a-z]{2}", text)]
        if "node/simulator/" not in place:
            missing += [f"[phrases] {text!r} ({place}): {WHERE}" for text in prose if text not in known]
    assert missing == []


def test_words_terms_and_lists_are_spoken_in_the_language_of_the_reader() -> None:
    with speaking("zh"):
        assert words("records in force: {count}", count=3) == "有效记录：3 条"
        assert words("a line nobody has translated {count}", count=3) == "a line nobody has translated 3"
        assert (term("suspended"), term("nothing like it")) == ("已暂停", "nothing like it")
        assert joined(["310000", "310115"]) == "310000、310115"
        assert phrase("it is missing") == "未填写"
    with speaking("en"):
        assert words("records in force: {count}", count=3) == "records in force: 3"
        assert (term("suspended"), joined(["a", "b"]), phrase("it is missing")) == (
            "suspended",
            "a, b",
            "it is missing",
        )
