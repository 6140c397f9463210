"""The registry's target files: what is written is what is read, and what is not that is refused."""

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing
from node.core.registry_targets import (
    MAX_REJECTIONS_KEPT,
    NodeTarget,
    Rejection,
    catalogue_path,
    cut_path,
    encode_cut,
    encode_network,
    encode_node,
    encode_rejections,
    members_from,
    network_id,
    node_path,
    parse_cut,
    parse_network,
    parse_node,
    parse_rejections,
    published_name,
    region_of,
    region_paths,
    region_role,
    rejections_path,
    root_fingerprint,
)
from node.pb import envelope_pb2
from tests.builders import NETWORK, NOW_MS, make_node
from tests.core.signed import code_of, refusal

NODE = make_node("310115")
TARGET = NodeTarget(NODE.member.descriptor, Standing.SUSPENDED, "测试", 2, NOW_MS)
PARSERS: list[Callable[[bytes], object]] = [parse_node, parse_cut, parse_rejections, parse_network, root_fingerprint]
LEAF = bytes(range(32))


def test_what_is_written_is_what_is_read() -> None:
    assert parse_node(encode_node(TARGET)) == TARGET
    assert parse_cut(encode_cut("310115", frozenset({LEAF, b"x" * 32}), NOW_MS)) == Cut(frozenset({LEAF, b"x" * 32}))
    assert parse_network(encode_network("delta", NOW_MS)) == "delta"
    rejections = [Rejection("aa", "理由", NOW_MS), Rejection("bb", "", 0)]
    assert parse_rejections(encode_rejections("310115", rejections)) == rejections


def test_the_same_content_makes_the_same_bytes_in_any_order() -> None:
    leaves = [bytes([at]) * 32 for at in range(9)]
    assert encode_cut("n1", frozenset(leaves), 1) == encode_cut("n1", frozenset(reversed(leaves)), 1)
    assert encode_node(TARGET) == encode_node(TARGET)


def test_only_the_newest_rejections_are_kept() -> None:
    many = [Rejection(str(at), "", at) for at in range(MAX_REJECTIONS_KEPT + 3)]
    assert parse_rejections(encode_rejections("n1", many)) == many[3:]


def test_paths_name_region_and_node() -> None:
    assert [region_of(node) for node in ("310115", "national", "yrd")] == ["31", "00", "00"]
    assert node_path("310115") == "nodes/31/310115.json"
    assert cut_path("yrd") == "cuts/00/yrd.json"
    assert rejections_path("330100") == "requests/33/330100.json"
    assert catalogue_path("2026.1") == "catalogue/2026.1.json"
    assert (region_role("31"), region_paths("31")) == ("region-31", ["nodes/31/*", "cuts/31/*", "requests/31/*"])
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert published_name("nodes/31/a.json", b"hello") == f"nodes/31/{digest}.a.json"
    assert published_name("network.json", b"hello") == f"{digest}.network.json"


@pytest.mark.parametrize("parse", PARSERS)
@given(content=st.one_of(st.binary(max_size=40), st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(
            ["descriptor", "standing", "reason", "open_epoch", "head_leaves", "rejections", "name", "signed", "x"]
        ), inner, max_size=4),
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_any_content_is_read_or_refused_by_code(parse: Callable[[bytes], object], content: bytes) -> None:
    code = ""
    try:
        parse(content)
    except XinqiaoError as error:
        code = error.code
    assert code in ("", "REGISTRY_INVALID", "JOIN_REQUEST", "ENVELOPE_SHAPE")


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(encode_node(TARGET)), **fields}).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"standing": "elsewhere"},
        {"standing": None},
        {"open_epoch": "two"},
        {"decided_at_unix_ms": None},
        {"descriptor": "no base64!"},
        {"descriptor": 5},
    ],
)
def test_a_node_target_with_a_broken_field_is_refused(fields: dict[str, object]) -> None:
    assert code_of(parse_node, changed(**fields)) == "REGISTRY_INVALID"


def test_a_listed_descriptor_must_show_possession_like_any_other() -> None:
    envelope = envelope_pb2.Envelope.FromString(NODE.member.descriptor.envelope.SerializeToString())
    envelope.signatures[0].sig = bytes(64)
    content = changed(descriptor=base64.b64encode(envelope.SerializeToString()).decode())
    assert code_of(parse_node, content) == "JOIN_REQUEST"


def test_members_are_what_the_targets_add_up_to() -> None:
    cut = encode_cut("310115", frozenset({LEAF}), NOW_MS)
    targets = {node_path("310115"): encode_node(TARGET), cut_path("310115"): cut, "catalogue/x.json": b"ignored"}
    members = members_from(NETWORK, targets)
    member = members.by_id["310115"]
    assert (member.standing, member.reason, member.open_epoch) == (Standing.SUSPENDED, "测试", 2)
    assert member.cut == Cut(frozenset({LEAF}))
    assert members_from(NETWORK, {node_path("310115"): encode_node(TARGET)}).by_id["310115"].cut is None


def test_a_node_listed_under_the_path_of_another_is_refused() -> None:
    for path in ("nodes/31/310116.json", "nodes/33/310115.json", "nodes/310115.json"):
        error = refusal(members_from, NETWORK, {path: encode_node(TARGET)})
        assert (error.code, path in error.text) == ("REGISTRY_INVALID", True)


# --- The root's fingerprint ---------------------------------------------------------------------------------


def test_the_fingerprint_covers_what_is_signed_whatever_its_layout_and_nothing_else() -> None:
    signed = {"_type": "root", "version": 1, "roles": {"a": [1, 2]}}
    one = json.dumps({"signed": signed, "signatures": []}).encode()
    other = json.dumps({"signatures": [{"keyid": "x"}], "signed": dict(reversed(signed.items()))}, indent=4).encode()
    assert root_fingerprint(one) == root_fingerprint(other)
    assert len(root_fingerprint(one)) == 32
    later = json.dumps({"signed": signed | {"version": 2}}).encode()
    assert root_fingerprint(one) != root_fingerprint(later)
    assert network_id("delta", LEAF) == "delta:0001020304050607"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"signed": 5}', b'{"signed": null}', b'{"signed": {"x": 1.5}}']
)
def test_what_is_no_root_has_no_fingerprint(content: bytes) -> None:
    assert code_of(root_fingerprint, content) == "REGISTRY_INVALID"


def test_a_root_nested_beyond_reason_is_refused_and_does_no_harm() -> None:
    deep = b'{"signed": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert code_of(root_fingerprint, deep) == "REGISTRY_INVALID"
