"""Audiences: what an operator writes is who may read, and nobody else; a manifest without sense names nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.audience import format_audience, manifest_defect, parse_audience
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.membership import LEVELS
from node.pb import channel_pb2
from tests.builders import NETWORK, make_manifest, make_members, make_node
from tests.core.signed import refusal

MEMBERS = make_members(
    make_node("national", level="national"),
    make_node("yrd", level="region", parent="national"),
    make_node("310000", level="province", parent="national"),
    make_node("310115", level="district", parent="310000"),
    make_node("330100", level="city", parent="330000"),
    make_node("330200", level="city", parent="330000"),
    make_node("320500", level="city", parent="320000"),
)


def readers(expression: str) -> tuple[str, ...]:
    return MEMBERS.audience("310000", parse_audience(expression))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("everyone", tuple(sorted(MEMBERS.by_id))),
        ("310115", ("310000", "310115")),
        ("310115, 330100 ,310115", ("310000", "310115", "330100")),
        ("level=city", ("310000", "320500", "330100", "330200")),
        ("level=city&region=33", ("310000", "330100", "330200")),
        ("level=city & region=3301", ("310000", "330100")),
        ("parent=330000,national", ("310000", "330100", "330200", "national")),
        ("330100&level=district", ("310000",)),
        ("everyone&level=region", ("310000", "yrd")),
        ("region=31", ("310000", "310115")),
        ("999999", ("310000",)),
    ],
)
def test_an_expression_names_exactly_these_readers(expression: str, expected: tuple[str, ...]) -> None:
    assert readers(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " , ,",
        "Everyone",
        "everyone=",
        "everyone=false",
        "everybody&",
        "level=",
        "level=town",
        "level=city=district",
        "parent=33",
        "region=3",
        "region=331",
        "region=３３",
        "region=33010011",
        "31011",
        "310115&330100",
        "level=city&level=district",
        "parent=330000&parent=320000",
        "region=33&region=32",
        "everyone&everyone",
        "!310115",
        "310115;330100",
    ],
)
def test_what_could_reach_others_than_meant_is_refused_with_the_condition_named(expression: str) -> None:
    error = refusal(parse_audience, expression)
    assert error.code == "AUDIENCE_EXPRESSION"
    assert "<" not in error.text + error.next


def test_an_empty_audience_and_an_empty_term_are_nobody_but_the_origin() -> None:
    for audience in (channel_pb2.Audience(), channel_pb2.Audience(terms=[channel_pb2.AudienceTerm()])):
        assert MEMBERS.audience("310000", audience) == ("310000",)


ids = st.sampled_from([*MEMBERS.by_id, "999999", "xx-1"])
conditions = st.fixed_dictionaries(
    {},
    optional={
        "level": st.sampled_from(LEVELS),
        "parent": st.sampled_from(["national", "330000"]),
        "region": st.sampled_from(["31", "3301", "330100"]),
        "everyone": st.just(True),
    },
)
terms = st.builds(
    lambda nodes, others: channel_pb2.AudienceTerm(node_ids=nodes, **others), st.lists(ids, max_size=3), conditions
)
audiences = st.builds(lambda found: channel_pb2.Audience(terms=found), st.lists(terms, max_size=4))


@given(audiences)
def test_an_audience_written_out_and_read_back_has_the_same_readers(audience: channel_pb2.Audience) -> None:
    written = format_audience(audience)
    if not written.strip(","):
        assert MEMBERS.audience("310000", audience) == ("310000",)
        return
    assert MEMBERS.audience("310000", parse_audience(written)) == MEMBERS.audience("310000", audience)


@given(st.text(max_size=40))
def test_any_text_is_an_audience_or_a_refusal(text: str) -> None:
    refused = None
    try:
        assert parse_audience(text).terms
    except XinqiaoError as error:
        refused = error.code
    assert refused in (None, "AUDIENCE_EXPRESSION")


# --- Manifests ----------------------------------------------------------------------------------------------


def header(manifest: channel_pb2.Manifest | None, **fields: object) -> channel_pb2.EntryHeader:
    shape = {"network": NETWORK, "channel": "310000/penalties", "kind": channel_pb2.ENTRY_KIND_MANIFEST}
    return channel_pb2.EntryHeader(**(shape | fields), manifest=manifest)  # type: ignore[arg-type]


def test_a_sensible_manifest_has_no_defect() -> None:
    assert manifest_defect(header(make_manifest())) == ""
    assert manifest_defect(header(make_manifest(audience=channel_pb2.Audience()))) == ""


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (header(None), "not a manifest"),
        (header(make_manifest(), kind=channel_pb2.ENTRY_KIND_RECORDS), "not a manifest"),
        (header(make_manifest(), record_count=1), "no records"),
        (header(make_manifest(disclosure=channel_pb2.DISCLOSURE_CLASS_UNSPECIFIED)), "no disclosure class"),
        (header(make_manifest(disclosure=99)), "no disclosure class"),
        (header(make_manifest(title="题" * 121)), "more than 120 characters"),
    ],
)
def test_a_manifest_without_sense_says_why(bad: channel_pb2.EntryHeader, reason: str) -> None:
    assert reason in manifest_defect(bad)


def test_a_manifest_with_a_longer_audience_than_allowed_makes_no_sense() -> None:
    limits = Limits(max_audience_terms=2, max_audience_node_ids=2)
    fits = channel_pb2.Audience(terms=[channel_pb2.AudienceTerm(node_ids=["a1", "b1"])] * 2)
    terms = channel_pb2.Audience(terms=[*fits.terms, channel_pb2.AudienceTerm(everyone=True)])
    nodes = channel_pb2.Audience(terms=[channel_pb2.AudienceTerm(node_ids=["a1", "b1", "c1"])])
    defects = [manifest_defect(header(make_manifest(audience=each)), limits) for each in (fits, terms, nodes)]
    assert defects == ["", "its audience is too long", "its audience is too long"]
