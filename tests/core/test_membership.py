"""Members: what a descriptor proves, who is whom on the wire, and whom an audience matches."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import envelope as envelopes
from node.core.limits import Limits
from node.core.membership import LEVELS, Members, Standing, fingerprint_of, open_descriptor, spki_hash
from node.core.suites import ECDSA_P256, ED25519
from node.keys.signer import generate
from node.pb import channel_pb2, envelope_pb2, registry_pb2
from tests.builders import NETWORK, NOW_MS, list_keys, make_members, make_node, signing_key
from tests.core.signed import code_of, refusal, tampered

NODE = make_node("310000")
DESCRIPTOR = NODE.member.descriptor


def descriptor(change: Callable[[registry_pb2.NodeDescriptor], object], *signers: object) -> envelope_pb2.Envelope:
    message = registry_pb2.NodeDescriptor()
    message.CopyFrom(DESCRIPTOR.message)
    change(message)
    return envelopes.seal(message.SerializeToString(), envelopes.NODE_DESCRIPTOR, *(signers or (NODE.signer,)))  # type: ignore[arg-type]


def detail(envelope: envelope_pb2.Envelope) -> str:
    error = refusal(open_descriptor, envelope)
    assert error.code == "JOIN_REQUEST"
    return error.parameters["detail"]


# --- Descriptors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [ED25519, ECDSA_P256])
def test_every_flipped_bit_of_a_descriptor_is_refused(suite: str) -> None:
    envelope = make_node("310000", suite).member.descriptor.envelope
    codes = {code_of(open_descriptor, changed) for changed in list(tampered(envelope))[::3]}
    assert codes == {"JOIN_REQUEST", "ENVELOPE_TYPE", "ENVELOPE_SHAPE"}


def test_the_fingerprint_covers_every_byte_that_is_signed_and_no_signature() -> None:
    again = envelopes.seal(DESCRIPTOR.envelope.payload, envelopes.NODE_DESCRIPTOR, NODE.signer, generate(ED25519))
    assert fingerprint_of(again) == DESCRIPTOR.fingerprint == open_descriptor(again).fingerprint
    assert fingerprint_of(descriptor(lambda message: setattr(message, "name", "x"))) != DESCRIPTOR.fingerprint


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", "31000", "id"),
        ("id", "Upper", "id"),
        ("id", "", "id"),
        ("level", "planet", "level"),
        ("level", "", "level"),
        ("parent", "no id", "parent"),
        ("version", 0, "version"),
    ],
)
def test_a_descriptor_says_who_it_is(field: str, value: object, reason: str) -> None:
    assert reason in detail(descriptor(lambda message: setattr(message, field, value)))


def test_a_descriptor_needs_a_certificate_that_can_be_read_and_a_key_that_signs_it() -> None:
    assert "TLS certificate" in detail(descriptor(lambda message: message.ClearField("tls_certificates")))
    garbage = registry_pb2.TlsCertificate(certificate=b"garbage")
    assert "TLS certificate" in detail(descriptor(lambda message: message.tls_certificates.append(garbage)))
    assert "not signed" in detail(descriptor(lambda message: message.ClearField("signing_keys")))
    assert code_of(spki_hash, b"garbage") == "JOIN_REQUEST"


def test_every_active_key_signs_and_nobody_elses_key_can_be_listed_as_active() -> None:
    other = generate(ED25519)

    def two(message: registry_pb2.NodeDescriptor) -> None:
        message.signing_keys.append(signing_key(other))

    assert "not signed" in detail(descriptor(two))
    both = open_descriptor(descriptor(two, NODE.signer, other))
    assert len(both.signing_keys) == 2
    retired = open_descriptor(
        descriptor(lambda m: m.signing_keys.append(signing_key(other, registry_pb2.KEY_STATE_RETIRED)))
    )
    assert [key.state for key in retired.signing_keys] == [1, registry_pb2.KEY_STATE_RETIRED]


def test_a_key_is_what_its_id_and_suite_say() -> None:
    for field, value in (("key_id", "0" * 64), ("suite", "rsa"), ("suite", ECDSA_P256), ("public_key", b"x")):
        assert "cannot be read" in detail(descriptor(lambda m, f=field, v=value: setattr(m.signing_keys[0], f, v)))  # type: ignore[misc]


def test_a_descriptor_has_a_bound_and_is_parsed_within_it() -> None:
    assert "bytes" in detail(descriptor(lambda message: setattr(message, "name", "n" * 40_000)))
    assert code_of(open_descriptor, DESCRIPTOR.envelope, Limits(max_descriptor_bytes=10)) == "JOIN_REQUEST"
    assert code_of(open_descriptor, NODE.seal(b"\xff", envelopes.NODE_DESCRIPTOR)) == "ENVELOPE_SHAPE"


# --- Keys and standing --------------------------------------------------------------------------------------


def test_keys_are_active_unrevoked_or_of_the_past() -> None:
    keys = {name: make_node("310000") for name in ("active", "retired", "revoked")}
    states = [registry_pb2.KEY_STATE_ACTIVE, registry_pb2.KEY_STATE_RETIRED, registry_pb2.KEY_STATE_REVOKED]
    records = [signing_key(node.signer, state) for node, state in zip(keys.values(), states, strict=True)]
    member = list_keys(keys["active"], records, keys["active"]).member
    ids = {name: node.signer.key_id for name, node in keys.items()}
    assert [key.key_id for key in member.active_keys] == [ids["active"]]
    assert [key.key_id for key in member.unrevoked_keys] == [ids["active"], ids["retired"]]
    assert [key.key_id for key in member.all_keys] == [ids["active"], ids["retired"], ids["revoked"]]


def test_an_authority_may_be_spoken_for_from_its_first_to_before_its_last_moment() -> None:
    authorities = [
        registry_pb2.Authority(uscc="A", from_unix_ms=10, to_unix_ms=20),
        registry_pb2.Authority(uscc="A", from_unix_ms=30),
    ]
    member = make_node("310000", authorities=authorities).member
    assert [at for at in (0, 9, 10, 19, 20, 29, 30, 10**15) if member.may_speak_for("A", at)] == [10, 19, 30, 10**15]
    assert not member.may_speak_for("B", 15)
    assert not member.may_speak_for("", 15)


def test_a_call_of_a_member_is_refused_by_its_standing_with_the_reason() -> None:
    found = {}
    for standing in Standing:
        members = make_members(NODE.listed_as(standing=standing, reason="测试"))
        if standing is Standing.ACTIVE:
            assert members.active("310000").id == "310000"
        else:
            error = refusal(members.active, "310000")
            found[standing] = error.code
            assert "测试" in error.text
    assert found == {Standing.SUSPENDED: "MEMBER_SUSPENDED", Standing.REMOVED: "MEMBER_REMOVED"}
    assert code_of(make_members().active, "310000") == "MEMBER_UNKNOWN"
    assert make_members(NODE).get("310115") is None


def test_nobody_shows_a_certificate_that_no_member_lists() -> None:
    assert make_members(NODE).by_tls_spki(b"\x00" * 32) is None


# --- Audiences ----------------------------------------------------------------------------------------------

IDS = ["national", "310000", "310115", "330100"]
PLACES = dict(zip(IDS, ["national", "province", "district", "city"], strict=True))
PARENTS = {"310000": "national", "310115": "310000"}
NODES = [make_node(each, level=PLACES[each], parent=PARENTS.get(each, "")) for each in IDS]

terms = st.builds(
    channel_pb2.AudienceTerm,
    node_ids=st.lists(st.sampled_from([*IDS, "999999"]), max_size=2),
    level=st.sampled_from(["", *LEVELS, "nonsense"]),
    parent=st.sampled_from(["", "national", "310000", "nobody"]),
    region=st.sampled_from(["", "31", "3301", "n"]),
    everyone=st.booleans(),
)
audiences = st.builds(lambda found: channel_pb2.Audience(terms=found), st.lists(terms, max_size=3))


def matches(term: channel_pb2.AudienceTerm, node: str) -> bool:
    """The rule of the protocol, put down once more and differently."""
    wanted = {
        "node_ids": node in term.node_ids,
        "level": term.level == PLACES[node],
        "parent": term.parent == PARENTS.get(node, ""),
        "region": node[0].isdigit() and node.startswith(term.region),
        "everyone": True,
    }
    given = [name for name in wanted if getattr(term, name)]
    return bool(given) and all(wanted[name] for name in given)


@given(audiences, st.sampled_from(IDS), st.sampled_from(IDS))
def test_a_term_matches_members_for_which_all_its_conditions_hold(
    audience: channel_pb2.Audience, origin: str, suspended: str
) -> None:
    listed = [node.listed_as(standing=Standing.SUSPENDED) if node.id == suspended else node for node in NODES]
    members = make_members(*listed)
    expected = {
        node
        for node in IDS
        if node != suspended and (node == origin or any(matches(term, node) for term in audience.terms))
    }
    assert members.audience(origin, audience) == tuple(sorted(expected))
    assert {node for node in [*IDS, "999999"] if members.reads(node, origin, audience)} == expected


@given(audiences, terms)
def test_one_more_alternative_never_takes_a_reader_away(
    audience: channel_pb2.Audience, more: channel_pb2.AudienceTerm
) -> None:
    members: Members = make_members(*NODES)
    wider = channel_pb2.Audience(terms=[*audience.terms, more])
    assert set(members.audience("310000", audience)) <= set(members.audience("310000", wider))


def test_members_are_those_of_one_network_at_one_time() -> None:
    members = make_members(*NODES)
    assert (members.network, sorted(members.by_id)) == (NETWORK, sorted(IDS))
    assert NODE.member.descriptor.message.created_at_unix_ms == NOW_MS
