"""The officers' ceremony in separate folders, only files passing between them, through the real command line."""

import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.matters import parse_matters
from node.core.measures import parse_measures
from node.core.membership import Members, Standing, fingerprint_of
from node.core.workdays import parse_calendar
from node.pb import registry_pb2
from registry import authority, decisions
from tests.builders import UNIT, make_matter, make_matters, make_measures
from tests.registry.client import Reader
from tests.registry.town import RETIRED, Node, NodeKey, Town, now_ms, refusal_in, serving


def members_of(reader: Reader, network: str, *nodes: str) -> Members:
    """What a node makes of the verified files."""
    wanted = [path for node in nodes for path in (paths.node_path(node), paths.cut_path(node))]
    found = {path: reader.get(path) for path in wanted}
    return paths.members_from(network, {path: content for path, content in found.items() if content is not None})


def test_a_node_joins_by_a_ceremony_and_every_client_verifies_it(town: Town) -> None:
    node = Node("310115")
    envelope = node.request()
    with serving(town.store) as caller:
        # (1) the node asks, and waits
        assert caller.join(envelope).state == registry_pb2.JOIN_STATE_PENDING
        assert caller.join(envelope).state == registry_pb2.JOIN_STATE_PENDING
        listed = town.json("requests")["requests"]
        assert [(each["id"], each["fingerprint"]) for each in listed] == [("310115", fingerprint_of(envelope))]
        # (2) the officers sign, one after the other
        proposal = town.propose("approve", "310115", "--fingerprint", fingerprint_of(envelope))
        first = town.json("submit", town.signed_by(1, proposal))["proposals"][0]
        assert (first["signatures_present"], first["signatures_needed"], first["published"]) == (1, 2, False)
        assert len(first["missing"]) == 2
        waiting = caller.state_of(envelope, "310115")
        assert (waiting.state, waiting.signatures_present, waiting.signatures_needed) == (
            registry_pb2.JOIN_STATE_PENDING,
            1,
            2,
        )
        assert town.json("submit", town.signed_by(3, proposal))["proposals"][0]["published"]
        # (3) it is listed, for everybody who knows the root
        assert caller.state_of(envelope, "310115").state == registry_pb2.JOIN_STATE_LISTED
        root = caller.file("1.root.json")
        assert root is not None
        assert paths.root_fingerprint(root).hex() == town.root_fingerprint
        reader = Reader(caller.file, root)
        members = members_of(reader, town.network, "310115")
        assert members.active("310115").descriptor.fingerprint == fingerprint_of(envelope)
        assert members.active("310115").may_speak_for("11310115MB000000X0", now_ms())
    assert town.json("requests")["requests"] == []


def test_the_founding_publishes_the_built_in_catalogue(town: Town) -> None:
    reader = town.reader()
    assert paths.parse_network(reader.get("network.json") or b"") == "delta"
    editions = sorted(each for each in town.store.founded().files if each.startswith("catalogue/"))
    assert editions != []
    assert all(reader.get(path) for path in editions)


def test_several_decisions_can_be_taken_in_one_ceremony(town: Town) -> None:
    nodes = [Node("310115"), Node("330100", "杭州市", "city"), Node("national", "国家平台", "national")]
    proposal: Path | None = None
    for node in nodes:
        envelope = node.request()
        authority.request_membership(town.store, envelope, now_ms())
        earlier = ["--with", proposal] if proposal else []
        proposal = town.propose("approve", node.id, "--fingerprint", fingerprint_of(envelope), *earlier)
    assert proposal is not None
    town.sign_and_submit(proposal)
    members = members_of(town.reader(), town.network, *(node.id for node in nodes))
    assert sorted(members.by_id) == ["310115", "330100", "national"]


def test_a_wrong_fingerprint_approves_nothing_and_shows_both(town: Town) -> None:
    envelope = Node("310115").request()
    authority.request_membership(town.store, envelope, now_ms())
    wrong = "ab" * 32
    error = town.refused("propose", "approve", "310115", "--fingerprint", wrong, "-o", town.folder / "x")
    assert error["code"] == "REQUEST_FINGERPRINT"
    assert wrong in error["text"]
    assert fingerprint_of(envelope) in error["text"]
    assert not (town.folder / "x").exists()
    error = town.refused("propose", "approve", "330100", "--fingerprint", wrong, "-o", town.folder / "x")
    assert error["code"] == "REQUEST_UNKNOWN"


def test_a_fingerprint_may_be_typed_as_it_is_read_out(town: Town) -> None:
    envelope = Node("310115").request()
    authority.request_membership(town.store, envelope, now_ms())
    digits = fingerprint_of(envelope).upper()
    spoken = " ".join(digits[place : place + 4] for place in range(0, 64, 4))
    assert town.propose("approve", "310115", "--fingerprint", spoken).exists()


def test_a_rejection_reaches_the_node_signed_and_with_its_reason(town: Town) -> None:
    envelope = Node("310115").request()
    with serving(town.store) as caller:
        caller.join(envelope)
        town.decide("reject", "310115", "--reason", "the letter of authorisation is missing")
        assert caller.state_of(envelope, "310115").state == registry_pb2.JOIN_STATE_REJECTED
        reader = Reader(caller.file, caller.file("1.root.json") or b"")
        lines = paths.parse_rejections(reader.get(paths.rejections_path("310115")) or b"")
        assert [(line.fingerprint, line.reason) for line in lines] == [
            (fingerprint_of(envelope), "the letter of authorisation is missing")
        ]
        # Asking again after the reason is cleared up is a new request, and its approval ends the rejection.
        assert caller.join(envelope).state == registry_pb2.JOIN_STATE_PENDING
        assert caller.state_of(envelope, "310115").state == registry_pb2.JOIN_STATE_PENDING
        town.decide("approve", "310115", "--fingerprint", fingerprint_of(envelope))
        assert paths.parse_rejections(reader.again().get(paths.rejections_path("310115")) or b"") == []


def test_requests_of_strangers_for_one_id_stand_beside_each_other(town: Town) -> None:
    honest, stranger = Node("310115").request(), Node("310115").request()
    for envelope in (honest, stranger):
        authority.request_membership(town.store, envelope, now_ms())
    assert len(town.json("requests")["requests"]) == 2
    error = town.refused("propose", "reject", "310115", "--reason", "no", "-o", town.folder / "x")
    assert error["code"] == "ARGUMENT_INVALID"
    town.decide("approve", "310115", "--fingerprint", fingerprint_of(honest))
    listed = members_of(town.reader(), town.network, "310115").active("310115")
    assert listed.descriptor.fingerprint == fingerprint_of(honest)
    left = town.json("requests", "--forget", "310115", fingerprint_of(stranger))
    assert left["requests"] == []


def test_an_outdated_proposal_must_be_made_again(town: Town) -> None:
    envelopes = {node: Node(node).request() for node in ("310115", "310101")}
    for envelope in envelopes.values():
        authority.request_membership(town.store, envelope, now_ms())
    first, second = (
        town.propose("approve", node, "--fingerprint", fingerprint_of(envelopes[node])) for node in envelopes
    )
    copies = [town.signed_by(3, second)]
    town.sign_and_submit(first)
    error = town.refused("submit", *copies)
    assert error["code"] == "PROPOSAL_OUTDATED"
    assert "make it again" in error["next"]
    town.decide("approve", "310101", "--fingerprint", fingerprint_of(envelopes["310101"]))
    assert sorted(members_of(town.reader(), town.network, *envelopes).by_id) == ["310101", "310115"]


def test_a_published_proposal_that_is_submitted_again_changes_nothing(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = town.propose("suspend", "310115")
    town.sign_and_submit(proposal)
    before = town.store.file("timestamp.json")
    assert town.json("submit", town.signed_by(3, proposal))["proposals"][0]["published"]
    assert town.store.file("timestamp.json") == before


def test_signatures_are_merged_from_copies_and_from_one_file_handed_on(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = town.propose("suspend", "310115")
    onward = town.signed_by(2, town.signed_by(1, proposal))
    done = town.json("submit", onward, town.signed_by(3, proposal))["proposals"]
    assert [(each["signatures_present"], each["published"]) for each in done] == [(3, True)]


def test_one_officer_signing_twice_counts_once(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = town.propose("suspend", "310115")
    once, again = town.signed_by(1, proposal), town.folder / "again"
    again.write_bytes(town.signed_by(1, town.signed_by(1, proposal)).read_bytes())
    for _ in range(2):
        done = town.json("submit", once, again)["proposals"]
        assert [(each["signatures_present"], each["published"]) for each in done] == [(1, False)]


def test_a_stranger_cannot_sign(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = town.propose("suspend", "310115")
    town.json("officer", "keygen", "-o", town.folder / "stranger.pem")
    assert town.refused("sign", proposal, "--key", town.folder / "stranger.pem", "--yes")["code"] == "OFFICER_KEY"


def test_an_officer_reads_what_is_signed_and_can_decline(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = town.propose("suspend", "310115", "--reason", "published records of minors")
    before = proposal.read_bytes()
    ran = town.run("sign", proposal, "--key", town.officers[0] / "key.pem", input="n\n")
    assert ran.exit_code == 1
    assert "Suspend 310115 浦东新区: nothing it signs after the cut (0 channel heads" in ran.stdout
    assert "published records of minors" in ran.stdout
    assert proposal.read_bytes() == before
    assert town.run("sign", proposal, "--key", town.officers[0] / "key.pem", input="y\n").exit_code == 0
    assert proposal.read_bytes() != before


def test_an_officer_can_insist_on_the_network(member: tuple[Town, Node]) -> None:
    town, _ = member
    proposal = town.propose("suspend", "310115")
    arguments = ("sign", proposal, "--key", town.officers[0] / "key.pem", "--yes", "--root-fingerprint", "00" * 32)
    assert town.refused(*arguments)["code"] == "REGISTRY_FINGERPRINT"


def test_a_key_signs_two_contents_for_one_version_only_when_told_to(member: tuple[Town, Node]) -> None:
    town, _ = member
    first = town.propose("suspend", "310115", "--reason", "one")
    second = town.propose("suspend", "310115", "--reason", "two")
    town.signed_by(1, first)
    town.signed_by(1, first)
    key = town.officers[0] / "key.pem"
    assert town.refused("sign", second, "--key", key, "--yes")["code"] == "PROPOSAL_CONFLICT"
    assert town.json("sign", second, "--key", key, "--yes", "--replace")["signatures_present"] == 1


def test_an_encrypted_key_opens_by_file_and_by_environment_only(town: Town) -> None:
    (town.folder / "words").write_text("correct horse\n")
    key = town.folder / "encrypted.pem"
    town.json("officer", "keygen", "-o", key, "--passphrase-file", town.folder / "words")
    assert b"ENCRYPTED" in key.read_bytes()
    founding = town.home / "founding.proposal"
    assert town.refused("sign", founding, "--key", key, "--yes")["code"] == "REGISTRY_PASSPHRASE"
    opened = town.refused("sign", founding, "--key", key, "--yes", "--passphrase-file", town.folder / "words")
    assert opened["code"] == "OFFICER_KEY"


# --- Suspension, reinstatement, removal ---------------------------------------------------------------------


def leaf(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_a_suspension_cuts_at_the_union_of_what_members_reported(member: tuple[Town, Node]) -> None:
    town, suspended = member
    peer = town.admit(Node("320500", "苏州市", "city"))
    with serving(town.store) as caller:
        caller.report(suspended.report(town.network, {"310115": [leaf(1), leaf(2)]}))
        caller.report(peer.report(town.network, {"310115": [leaf(2), leaf(3)], "320500": [leaf(9)]}))
        town.decide("suspend", "310115", "--reason", "forked its history")
        members = members_of(town.reader(), town.network, "310115", "320500")
        assert members.by_id["310115"].standing is Standing.SUSPENDED
        cut = members.by_id["310115"].cut
        assert cut is not None
        assert cut.head_leaves == {leaf(1), leaf(2), leaf(3)}
        # (1) the registry says so to whoever asks, and takes no further report from it
        assert caller.explain("310115").refusal.code == "MEMBER_SUSPENDED"
        assert caller.explain("310115").refusal.parameters["reason"] == "forked its history"
        assert not caller.explain("320500").HasField("refusal")
        assert caller.explain("999999").refusal.code == "MEMBER_UNKNOWN"
        with pytest.raises(grpc.RpcError) as refused:
            caller.report(suspended.report(town.network, {"310115": [leaf(66)]}))
        assert refusal_in(refused.value).code == "MEMBER_SUSPENDED"
        # (2) a head reported later extends the cut, which gives nothing up
        caller.report(peer.report(town.network, {"310115": [leaf(4)]}))
        town.decide("suspend", "310115", "--reason", "forked its history")
    extended = members_of(town.reader(), town.network, "310115").by_id["310115"].cut
    assert extended is not None
    assert extended.head_leaves == {leaf(1), leaf(2), leaf(3), leaf(4)}


def test_a_reinstated_member_goes_on_in_the_next_epoch_with_its_cut(member: tuple[Town, Node]) -> None:
    town, node = member
    authority.report_heads(town.store, node.report(town.network, {"310115": [leaf(1)]}), now_ms())
    for epoch in (1, 2):
        town.decide("suspend", "310115")
        town.decide("reinstate", "310115")
        listed = members_of(town.reader(), town.network, "310115").active("310115")
        assert listed.open_epoch == epoch
        assert listed.cut is not None
        assert listed.cut.head_leaves == {leaf(1)}
        assert listed.reason == ""
    error = town.refused("propose", "reinstate", "310115", "-o", town.folder / "x")
    assert error["code"] == "STANDING"


def test_a_removed_member_stays_listed_as_removed(member: tuple[Town, Node]) -> None:
    town, _ = member
    town.decide("remove", "310115", "--reason", "the district was merged")
    members = members_of(town.reader(), town.network, "310115")
    with pytest.raises(XinqiaoError, match="MEMBER_REMOVED"):
        members.active("310115")
    assert town.refused("propose", "suspend", "310115", "-o", town.folder / "x")["code"] == "STANDING"
    assert town.refused("propose", "remove", "320500", "-o", town.folder / "x")["code"] == "MEMBER_UNKNOWN"
    assert town.json("show")["members"][0]["standing"] == "removed"


def test_one_member_cannot_crowd_out_the_heads_that_others_hold() -> None:
    honest = [leaf(number) for number in range(3)]
    flood = [leaf(1000 + number) for number in range(25_000)]
    origin = "310115"
    reports = [
        registry_pb2.HeadReport(origins=[registry_pb2.OriginHeads(origin=origin, head_leaves=leaves)])
        for leaves in (honest, honest, flood)
    ]
    kept = decisions.reported_leaves(reports, origin)
    assert len(kept) == 20_000
    assert kept >= set(honest)


# --- Changed descriptors ------------------------------------------------------------------------------------


def test_a_member_changes_its_keys_by_a_descriptor_its_listed_key_signed(member: tuple[Town, Node]) -> None:
    town, node = member
    fresh = NodeKey()
    records = [node.key.record(RETIRED), fresh.record()]
    envelope = node.request(fresh, node.key, version=2, signing_keys=records)
    with serving(town.store) as caller:
        assert caller.join(envelope).state == registry_pb2.JOIN_STATE_PENDING
    proposal = town.propose("approve", "310115", "--fingerprint", fingerprint_of(envelope))
    lines = town.json("sign", proposal, "--key", town.officers[0] / "key.pem", "--yes")["lines"]
    assert any("Change the descriptor of 310115 from version 1 to 2" in line for line in lines)
    assert any(line.strip().startswith(f"now: signing key {fresh.key_id}") for line in lines)
    town.sign_and_submit(proposal)
    listed = members_of(town.reader(), town.network, "310115").active("310115")
    assert [key.public.key_id for key in listed.descriptor.signing_keys] == [node.key.key_id, fresh.key_id]


@pytest.mark.parametrize(
    ("case", "code"),
    [("stranger", "JOIN_ID_TAKEN"), ("version", "JOIN_REQUEST"), ("forgotten", "JOIN_REQUEST")],
)
def test_a_descriptor_that_does_not_continue_the_listed_one_is_refused(
    member: tuple[Town, Node], case: str, code: str
) -> None:
    town, node = member
    fresh = NodeKey()
    both = [node.key.record(RETIRED), fresh.record()]
    envelope = {
        "stranger": lambda: Node("310115").request(version=2),
        "version": lambda: node.request(fresh, node.key, version=3, signing_keys=both),
        "forgotten": lambda: node.request(fresh, node.key, version=2, signing_keys=[fresh.record()]),
    }[case]()
    with serving(town.store) as caller, pytest.raises(grpc.RpcError) as refused:
        caller.join(envelope)
    assert refusal_in(refused.value).code == code
    assert town.json("requests")["requests"] == []


def test_a_suspended_member_changes_its_keys_and_stays_suspended(member: tuple[Town, Node]) -> None:
    town, node = member
    town.decide("suspend", "310115")
    fresh = NodeKey()
    envelope = node.request(fresh, node.key, version=2, signing_keys=[node.key.record(RETIRED), fresh.record()])
    authority.request_membership(town.store, envelope, now_ms())
    town.decide("approve", "310115", "--fingerprint", fingerprint_of(envelope))
    assert members_of(town.reader(), town.network, "310115").by_id["310115"].standing is Standing.SUSPENDED


# --- Catalogue and renewal ----------------------------------------------------------------------------------


def test_an_edition_of_the_catalogue_is_published_once(town: Town) -> None:
    path = next(each for each in town.store.founded().files if each.startswith("catalogue/"))
    edition = json.loads(town.store.founded().files[path])
    file = town.folder / "edition.json"
    file.write_text(json.dumps(edition | {"version": "2099.1"}, ensure_ascii=False))
    town.decide("publish", file)
    assert town.reader().get("catalogue/2099.1.json") == file.read_bytes()
    file.write_text(json.dumps(edition | {"version": "2099.1", "in_force_from": "2099-01-01"}, ensure_ascii=False))
    assert town.refused("propose", "publish", file, "-o", town.folder / "x")["code"] == "ARGUMENT_INVALID"
    file.write_text('{"version": "2099.2"}')
    assert town.refused("propose", "publish", file, "-o", town.folder / "x")["code"] == "CATALOGUE_INVALID"
    file.write_text(json.dumps(edition | {"version": "../../x"}, ensure_ascii=False))
    assert town.refused("propose", "publish", file, "-o", town.folder / "x")["code"] == "ARGUMENT_INVALID"


def test_the_founding_publishes_the_built_in_calendar(town: Town) -> None:
    calendars = sorted(each for each in town.store.founded().files if each.startswith("calendar/"))
    assert [parse_calendar(town.reader().get(path) or b"").version for path in calendars] == ["2026.1"]


def test_a_calendar_of_working_days_is_published_once_and_in_words(town: Town) -> None:
    calendar = json.loads(town.store.founded().files["calendar/2026.1.json"])
    days = {"holidays": ["2027-01-01", "2027-02-06"], "workdays": ["2027-02-07"]}
    years = calendar["years"] | {"2027": days}
    following = calendar | {"version": "2027.1", "issued_on": "2026-11-05", "years": years}
    file = town.folder / "calendar.json"
    file.write_text(json.dumps(following, ensure_ascii=False))
    proposal = town.propose("calendar", file)
    lines = town.json("sign", proposal, "--key", town.officers[0] / "key.pem", "--yes")["lines"]
    assert any(line.startswith("Publish the calendar of working days 2027.1 issued 2026-11-05 (24") for line in lines)
    assert lines[-2:] == ["    2027, days off: 01-01, 02-06", "    2027, weekend days worked: 02-07"]
    town.sign_and_submit(proposal)
    assert town.reader().get("calendar/2027.1.json") == file.read_bytes()
    for changes, code in [
        ({"issued_on": "2026-11-06"}, "ARGUMENT_INVALID"),
        ({"version": "../../x"}, "ARGUMENT_INVALID"),
        ({"format": 2}, "CALENDAR_INVALID"),
    ]:
        file.write_text(json.dumps(following | changes, ensure_ascii=False))
        assert town.refused("propose", "calendar", file, "-o", town.folder / "x")["code"] == code


def test_an_edition_of_the_rules_is_published_once(town: Town) -> None:
    (path,) = (each for each in town.store.founded().files if each.startswith("rules/"))
    edition = json.loads(town.store.founded().files[path])
    file = town.folder / "rules.json"
    file.write_text(json.dumps(edition | {"version": "2099.1"}, ensure_ascii=False))
    town.decide("rules", file)
    assert town.reader().get("rules/2099.1.json") == file.read_bytes()
    for change, code in (
        ({"version": "2099.1", "in_force_from": "2099-01-01"}, "ARGUMENT_INVALID"),
        ({"version": "../../x"}, "ARGUMENT_INVALID"),
        ({"version": "1"}, "ARGUMENT_INVALID"),
        ({"version": "2099.2", "provisions": []}, "RULES_INVALID"),
    ):
        file.write_text(json.dumps(edition | change, ensure_ascii=False))
        assert town.refused("propose", "rules", file, "-o", town.folder / "x")["code"] == code


def test_the_founding_publishes_the_built_in_measures_and_no_matters(town: Town) -> None:
    files = town.store.founded().files
    assert [each for each in files if each.startswith(("measures/", "matters/"))] == ["measures/2026.1.json"]
    assert len(parse_measures(town.reader().get("measures/2026.1.json") or b"").measures) == 49


def test_an_edition_of_the_measures_is_published_once_and_in_words(town: Town) -> None:
    file = town.folder / "measures.json"
    file.write_bytes(make_measures("SHR-31-1", "SHR-31-2", version="2099.1", in_force_from="2099-01-01"))
    proposal = town.propose("measures", file)
    lines = town.json("sign", proposal, "--key", town.officers[0] / "key.pem", "--yes")["lines"]
    assert lines[-4].startswith("Publish the measures edition 2099.1 in force from 2099-01-01 (2 measures); SHA-256 of")
    assert lines[-3:] == [
        "    incentive: none",
        "    ordinary discipline: none",
        "    serious discipline: SHR-31-1, SHR-31-2",
    ]
    town.sign_and_submit(proposal)
    assert town.reader().get("measures/2099.1.json") == file.read_bytes()
    for content in (
        make_measures("SHR-31-1", version="2099.1"),
        make_measures("SHR-31-1", version="../../x"),
        make_measures("market bar", version="2099.2"),
        b"{}",
    ):
        file.write_bytes(content)
        assert town.refused("propose", "measures", file, "-o", town.folder / "x")["code"] == "ARGUMENT_INVALID"


def test_matters_are_published_once_and_officers_read_who_may_ask_about_what(town: Town) -> None:
    file = town.folder / "matters.json"
    lists = ["310000/lists/watch-bidders"]
    file.write_bytes(make_matters(make_matter(lists=lists), make_matter("licence", items=[]), version="2026.1"))
    proposal = town.propose("matters", file)
    lines = town.json("sign", proposal, "--key", town.officers[0] / "key.pem", "--yes")["lines"]
    at = next(place for place, line in enumerate(lines) if line.startswith("Publish the matters edition 2026.1 in"))
    assert lines[at + 1 :] == [
        f"    bidding.tender (招标投标资格审查 qualification of bidders): {UNIT} may ask",
        "        about records of penalty.2018",
        "        about lists with the measures SHR-31-1",
        "        about the lists 310000/lists/watch-bidders",
        f"    licence (招标投标资格审查 qualification of bidders): {UNIT} may ask",
        "        about lists with the measures SHR-31-1",
    ]
    town.sign_and_submit(proposal)
    assert town.reader().get("matters/2026.1.json") == file.read_bytes()
    file.write_bytes(make_matters(make_matter(), version="2026.1"))
    refused = town.refused("propose", "matters", file, "-o", town.folder / "x")
    assert refused["text"] == "version: matters/2026.1.json is published already"


@pytest.mark.parametrize(
    ("matter", "detail"),
    [
        (make_matter(items=["penalty.2017"]), "bidding.tender names what no published edition has: penalty.2017"),
        (make_matter(measures=["SHR-31-8"]), "bidding.tender names what no published edition has: SHR-31-8"),
        (make_matter(units=[]), "the matters: bidding.tender has no units: nobody could ask in it"),
    ],
)
def test_a_matter_that_could_not_be_answered_is_not_proposed(town: Town, matter: dict[str, Any], detail: str) -> None:
    file = town.folder / "matters.json"
    file.write_bytes(make_matters(matter))
    refused = town.refused("propose", "matters", file, "-o", town.folder / "x")
    assert (refused["code"], refused["text"]) == ("ARGUMENT_INVALID", f"MATTERS: {detail}")


def test_matters_can_be_decided_together_with_the_measures_they_name(town: Town) -> None:
    measures, matters = town.folder / "measures.json", town.folder / "matters.json"
    measures.write_bytes(make_measures("NEW-1-1", version="2099.1"))
    matters.write_bytes(make_matters(make_matter(measures=["NEW-1-1"])))
    earlier = town.propose("measures", measures)
    town.sign_and_submit(town.propose("matters", matters, "--with", earlier))
    assert {"measures/2099.1.json", "matters/2026.1.json"} <= town.store.founded().files.keys()


def test_matters_are_written_in_yaml_as_texts_without_quotes(town: Town) -> None:
    file = town.folder / "matters.yaml"
    file.write_text(
        f"""
        version: 2026.1
        in_force_from: 2026-01-01
        matters:
          - code: bidding.tender
            title_zh: 招标投标资格审查
            title_en: qualification of bidders
            units: [{UNIT}]
            measures: [SHR-31-1]
        """,
        "utf-8",
    )
    town.decide("matters", file)
    (matter,) = parse_matters(town.reader().get("matters/2026.1.json") or b"").matters.values()
    assert (matter.units, matter.measures, matter.lists) == ((UNIT,), ("SHR-31-1",), ())
    for content, detail in (
        ("version: 1\nversion: 2", "matters.yaml: line 2: the key 'version' stands twice"),
        ("- one", "matters.yaml: it holds no keys with values"),
        ("a: &a [1]\nb: *a", "matters.yaml: line 2: references (*name) are not taken"),
    ):
        file.write_text(content)
        assert town.refused("propose", "matters", file, "-o", town.folder / "x")["text"] == detail


@pytest.mark.parametrize("manual", ["OPERATING.md", "OPERATING.zh-CN.md"])
def test_the_matters_of_the_manual_can_be_published(town: Town, manual: str) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / manual).read_text("utf-8")
    (written,) = re.findall(r"^```yaml\n(version:.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = town.folder / "matters.yaml"
    file.write_text(written, "utf-8")
    town.decide("matters", file)
    assert list(parse_matters(town.reader().get("matters/2026.1.json") or b"").matters) == ["bidding.tender"]


def test_everything_officers_sign_can_be_renewed(member: tuple[Town, Node]) -> None:
    town, _ = member
    before = town.json("show")["roles"]
    town.decide("renew")
    after = town.json("show")["roles"]
    assert {role: after[role]["version"] - before[role]["version"] for role in ("root", "targets", "region-31")} == {
        "root": 1,
        "targets": 1,
        "region-31": 1,
    }
    reader = town.reader()
    assert reader.version("root") == 2
    assert sorted(members_of(reader, town.network, "310115").by_id) == ["310115"]
    error = town.refused("propose", "renew", "region-99", "-o", town.folder / "x")
    assert error["code"] == "ARGUMENT_INVALID"
