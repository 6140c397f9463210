"""The officers of a simulated network: what they publish is what production reads, and the same from the same seed."""

import hashlib
from random import Random

import pytest

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.matters import parse_matters
from node.core.measures import parse_measures
from node.core.membership import Standing
from node.rpc.registry_source import load
from node.simulator.authority import Authority
from node.simulator.identity import START_MS, make_identity
from node.simulator.measures import MATTER, MEASURES, UNIT, published
from node.simulator.registry_transport import Readings
from tests.simulator.elsewhere import printed_elsewhere
from tests.simulator.towns import DAY_MS, EDITION, HOUR_MS, NODES, codes, held_by, member, refresh, report, town

LEAF, OTHER, THIRD = bytes([1] * 32), bytes([2] * 32), bytes([3] * 32)


def test_a_network_is_published_without_members_from_the_start() -> None:
    authority = Authority("delta", EDITION, Random("towns"))
    state = load(authority.files())
    assert state.network == authority.network == f"delta:{authority.root_fingerprint.hex()[:16]}"
    assert not state.members.by_id
    assert sorted(state.targets) == ["catalogue/2026.1.json", "network.json"]
    assert state.versions == authority.versions


def test_measures_and_a_matter_that_meet_are_published_where_a_network_begins_with_them() -> None:
    authority = Authority("delta", EDITION, Random("towns"), also=published())
    targets = load(authority.files()).targets
    assert {path: targets[path] for path in targets if path.startswith("m")} == published()
    measures = parse_measures(targets["measures/2026.1.json"])
    matter = parse_matters(targets["matters/2026.1.json"]).matters[MATTER]
    assert tuple(measures.measures) == matter.measures == MEASURES
    assert matter.is_handled_by(UNIT)


def test_what_is_published_is_what_production_reads_and_no_more() -> None:
    authority = town()
    state = load(authority.files())
    assert state.files == authority.files()
    assert state.members == authority.members
    assert sorted(state.members.by_id) == sorted(NODES)
    assert state.versions == authority.versions
    assert state.expires_ms == START_MS + 3 * DAY_MS
    assert [name for name in state.files if "region" in name] == [
        "1.region-00.json",
        "1.region-31.json",
        "1.region-33.json",
    ]


def test_a_decision_waits_for_the_publication_and_changes_only_its_region() -> None:
    authority = town()
    before = authority.files()
    authority.suspend("310115", "a test")
    assert authority.files() is before
    assert authority.members.by_id["310115"].standing is Standing.ACTIVE
    authority.publish(START_MS + 1)
    changed = sorted(authority.files().keys() - before.keys())
    cut, listing = (each for each in changed if each.endswith(".310115.json"))
    assert (cut.split("/")[0], listing.split("/")[0]) == ("cuts", "nodes")
    assert changed[:2] == ["2.region-31.json", "3.snapshot.json"]
    assert load(authority.files()).members == authority.members


def test_a_suspension_cuts_at_what_active_members_and_the_node_itself_reported() -> None:
    authority = town()
    authority.take_report(report(authority, "310115", {"310115": [LEAF]}), START_MS)
    authority.take_report(report(authority, "hub", {"310115": [OTHER], "330100": [THIRD]}), START_MS)
    authority.suspend("310115", "a test")
    authority.suspend("330100", "a test")
    authority.publish(START_MS)
    members = load(authority.files()).members
    cut, other = members.by_id["310115"].cut, members.by_id["330100"].cut
    assert cut is not None
    assert other is not None
    assert (cut.head_leaves, other.head_leaves) == (frozenset({LEAF, OTHER}), frozenset({THIRD}))
    assert members.by_id["310115"].reason == "a test"


def test_what_a_suspended_member_said_of_others_does_not_count() -> None:
    authority = town()
    authority.take_report(report(authority, "hub", {"310115": [OTHER]}), START_MS)
    authority.suspend("hub", "a test")
    authority.suspend("310115", "a test")
    authority.publish(START_MS)
    cut = authority.members.by_id["310115"].cut
    assert cut is not None
    assert cut.head_leaves == frozenset()


def test_a_reinstated_member_goes_on_in_the_next_epoch_and_keeps_its_cut() -> None:
    authority = town()
    authority.take_report(report(authority, "310115", {"310115": [LEAF]}), START_MS)
    authority.suspend("310115", "a test")
    authority.publish(START_MS)
    authority.reinstate("310115")
    authority.publish(START_MS)
    authority.take_report(report(authority, "310115", {"310115": [OTHER]}, START_MS + 1), START_MS + 1)
    back = load(authority.files()).members.by_id["310115"]
    assert back.cut is not None
    assert (back.standing, back.open_epoch, back.reason) == (Standing.ACTIVE, 1, "")
    assert back.cut.head_leaves == {LEAF}
    with pytest.raises(XinqiaoError) as caught:
        authority.reinstate("310115")
    assert caught.value.code == "STANDING"
    authority.suspend("310115", "again")
    authority.publish(START_MS + 2)
    again = load(authority.files()).members.by_id["310115"].cut
    assert again is not None
    assert again.head_leaves == {LEAF, OTHER}


def test_a_rotated_key_is_listed_and_a_strangers_is_not() -> None:
    authority = town()
    new = member("310115").rotate(START_MS, revoke=True)
    authority.revise(new)
    authority.publish(START_MS)
    assert load(authority.files()).members.by_id["310115"].descriptor == new.descriptor
    for offered, code in (
        (make_identity("310115", "a stranger").rotate(START_MS).rotate(START_MS), "JOIN_ID_TAKEN"),
        (new, "JOIN_REQUEST"),
        (new.rotate(START_MS).rotate(START_MS), "JOIN_ID_TAKEN"),
        (make_identity("320000", "towns"), "MEMBER_UNKNOWN"),
    ):
        with pytest.raises(XinqiaoError) as caught:
            authority.revise(offered)
        assert caught.value.code == code
    with pytest.raises(XinqiaoError) as caught:
        authority.list_node(new)
    assert caught.value.code == "JOIN_ID_TAKEN"


def test_a_report_that_the_registry_would_refuse_is_refused() -> None:
    authority = town()
    other = Authority("other", EDITION, Random("other"))
    authority.take_report(report(authority, "310115", {}), START_MS)
    forged = report(authority, "310115", {}, START_MS + 1)
    forged.payload = report(authority, "hub", {}, START_MS + 1).payload
    cases = [
        (report(authority, "310115", {}), "HEAD_REPORT"),
        (report(other, "310115", {}, START_MS + 1), "HEAD_REPORT"),
        (report(authority, "hub", {"hub": [b"short"]}), "HEAD_REPORT"),
        (report(authority, "hub", {}, START_MS + HOUR_MS), "CLOCK_SKEW"),
        (report(authority, "999999", {}), "MEMBER_UNKNOWN"),
        (forged, "SIGNATURE"),
    ]
    for envelope, code in cases:
        with pytest.raises(XinqiaoError) as caught:
            authority.take_report(envelope, START_MS)
        assert caught.value.code == code


# --- Keeping fresh ------------------------------------------------------------------------------------------


def test_timestamp_and_snapshot_are_renewed_when_they_are_due() -> None:
    authority = town()
    held = held_by(authority)
    assert not authority.renew(START_MS + 12 * HOUR_MS - 1000)
    assert authority.renew(START_MS + 12 * HOUR_MS)
    assert (authority.versions.timestamp_version, authority.versions.snapshot_version) == (3, 2)
    assert not authority.renew(START_MS + 13 * HOUR_MS)
    assert authority.renew(START_MS + 4 * DAY_MS + HOUR_MS)
    assert (authority.versions.timestamp_version, authority.versions.snapshot_version) == (4, 3)
    news = refresh(held, START_MS + 4 * DAY_MS + HOUR_MS, Readings(), authority.files())
    assert codes(news) == []
    assert news.state is not None
    assert news.state.versions == authority.versions


def test_readers_of_either_face_take_the_next_publication() -> None:
    authority = town()
    before = held_by(authority)
    authority.suspend("hub", "a test")
    honest = authority.part(START_MS)
    second = authority.second_face()
    assert authority.second_face() is second
    one, other = load(honest), load(second)
    assert one.versions.snapshot_version == other.versions.snapshot_version
    assert one.versions.snapshot_hash != other.versions.snapshot_hash
    assert one.members == other.members
    assert [refresh(before, START_MS, Readings(), face).state for face in (honest, second)] == [one, other]
    split = refresh(before, START_MS, Readings(), honest, second)
    assert split.state is None
    assert {code for _, code in codes(split)} == {"REGISTRY_TWO_FACES"}
    authority.publish(START_MS + 1)
    for held in (before, one, other):
        news = refresh(held, START_MS, Readings(), authority.files())
        assert codes(news) == []
        assert news.state is not None
        assert news.state.versions == authority.versions


def test_a_renewal_after_a_second_face_is_one_that_both_take() -> None:
    authority = town()
    other = load(authority.second_face())
    assert authority.renew(START_MS + 12 * HOUR_MS)
    assert codes(refresh(other, START_MS, Readings(), authority.files())) == []


def test_the_version_of_an_expired_timestamp_is_not_used_again() -> None:
    authority = town()
    held = held_by(authority)
    expired = authority.expired_face()
    assert authority.expired_face() is expired
    assert codes(refresh(held, START_MS, Readings(), expired)) == [("the registry", "REGISTRY_EXPIRED")]
    authority.publish(START_MS)
    assert authority.versions.timestamp_version == 4
    assert codes(refresh(held, START_MS, Readings(), authority.files())) == []


# --- Determinism --------------------------------------------------------------------------------------------


def digest() -> str:
    """The hash of all that a network shows in its life."""
    authority = town("seed")
    shown = [authority.files(), authority.second_face(), authority.expired_face()]
    authority.take_report(report(authority, "hub", {"310115": [LEAF, OTHER]}), START_MS)
    authority.suspend("310115", "a test")
    authority.revise(member("hub").rotate(START_MS))
    shown.append(authority.publish(START_MS + 1))
    found = hashlib.sha256()
    for files in shown:
        for name, content in files.items():
            found.update(name.encode() + content)
    return found.hexdigest()


def test_two_processes_publish_the_same_bytes_in_the_same_order() -> None:
    script = "from tests.simulator.test_authority import digest; print(digest())"
    assert printed_elsewhere(script) == [digest()] * 2


def test_every_file_lies_where_its_name_says() -> None:
    authority = town()
    for path, content in load(authority.files()).targets.items():
        assert authority.files()[paths.published_name(path, content)] == content
