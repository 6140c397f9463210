"""Every code has words for what failed, who must act and what comes next, and whoever raises it fills them."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.errors import CODES, MAX_PARAMETER_CHARS, MAX_PARAMETERS, Family, XinqiaoError, from_refusal, to_refusal
from node.pb import envelope_pb2

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("node", "registry") for path in (ROOT / folder).rglob("*.py"))
FORMAT = string.Formatter()


def names_in(template: str) -> set[str]:
    return {name for _, name, _, _ in FORMAT.parse(template) if name is not None}


def needed(code: str) -> set[str]:
    spec = CODES[code]
    return names_in(spec.text) | names_in(spec.who) | names_in(spec.next)


def raised() -> Iterator[tuple[str, str, set[str], bool]]:
    """(place, code, parameters, whether more come by **) of every XinqiaoError that the source makes."""
    for path in SOURCES:
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "XinqiaoError" or not call.args:
                continue
            given_names = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
            more = any(keyword.arg is None for keyword in call.keywords)
            for code in codes_in(call.args[0]):
                yield f"{path.relative_to(ROOT)}:{call.lineno}", code, given_names, more


def codes_in(argument: ast.expr) -> list[str]:
    """The codes that a first argument can be; a name that a check has set elsewhere is none we can read here."""
    match argument:
        case ast.Constant(value=str(code)):
            return [code]
        case ast.IfExp(body=body, orelse=orelse):
            return [*codes_in(body), *codes_in(orelse)]
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            return [code for code in CODES if code.startswith(start)]
    return []


FOUND = list(raised())


def test_g11_every_code_says_what_failed_who_must_act_and_what_comes_next() -> None:
    for code, spec in CODES.items():
        assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", code)
        assert spec.text.strip(), code
        assert spec.who.strip(), code
        assert spec.next.strip(), code
        assert isinstance(spec.family, Family)
        assert spec.status in grpc.StatusCode.__members__


def test_g11_every_error_that_the_source_raises_has_a_code_and_all_its_parameters() -> None:
    assert len(FOUND) > 150
    unknown = [(place, code) for place, code, _, _ in FOUND if code not in CODES]
    assert unknown == []
    missing = {
        (place, code): needed(code) - names
        for place, code, names, more in FOUND
        if not more and needed(code) - names and code != "MEMBER_ACTIVE"
    }
    assert missing == {}


@pytest.mark.parametrize("code", sorted(CODES))
def test_g11_a_filled_error_reads_without_gaps(code: str) -> None:
    error = XinqiaoError(code, **dict.fromkeys(needed(code), "X"))
    for words in (error.text, error.who, error.next, str(error)):
        assert "<" not in words
        assert "{" not in words


def test_a_missing_parameter_shows_its_name_and_breaks_nothing() -> None:
    error = XinqiaoError("CHANNEL_UNKNOWN")
    assert "<channel>" in error.text


def test_a_code_of_a_later_version_stays_readable() -> None:
    error = from_refusal(envelope_pb2.Refusal(code="LATER_CODE", parameters={"a": "b"}))
    assert (error.code, error.spec.status, bool(error.next)) == ("LATER_CODE", "UNKNOWN", True)
    assert str(error).startswith("LATER_CODE: ")


@given(st.sampled_from(sorted(CODES)), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5))
def test_a_refusal_travels_with_code_and_parameters_whatever_their_names(code: str, parameters: dict[str, str]) -> None:
    sent = envelope_pb2.Refusal(code=code, parameters=parameters)
    error = from_refusal(sent)
    assert (error.code, error.parameters) == (code, dict(sorted(parameters.items())))
    assert to_refusal(error) == sent
    assert all(isinstance(words, str) for words in (error.text, error.who, error.next))


@pytest.mark.parametrize("name", ["code", "self", "args", "__class__", "0", "", "a.b", "a[0]"])
def test_no_name_of_a_parameter_can_break_who_reads_a_refusal(name: str) -> None:
    error = from_refusal(envelope_pb2.Refusal(code="AUDIENCE", parameters={name: "x", "node": "310115"}))
    assert error.text == "no such channel for 310115"


@given(st.text(max_size=20))
def test_braces_in_a_value_are_shown_and_never_followed(value: str) -> None:
    for text in (value, "{0.__class__}", "{node}"):
        assert text in XinqiaoError("AUDIENCE", node=text).text


def test_g12_what_is_too_long_in_a_refusal_is_cut() -> None:
    many = {f"p{number:03}": "x" * 10_000 for number in range(500)}
    error = from_refusal(envelope_pb2.Refusal(code="C" * 100_000, parameters=many | {"n" * 10_000: ""}))
    assert len(error.code) == MAX_PARAMETER_CHARS
    assert len(error.parameters) == MAX_PARAMETERS
    assert max(map(len, [*error.parameters, *error.parameters.values()])) <= MAX_PARAMETER_CHARS
