"""What is wrong with a source is named and changes nothing: rollback, freeze, two faces, expiry, damaged files.

Every fault is followed by recovery: the same node, holding the same state, takes the next sound state.
"""

from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Timestamp

from node.core import registry_targets as paths
from node.core.errors import from_refusal
from node.core.limits import Limits
from node.ports import RegistryState
from node.rpc.registry_source import load
from tests.rpc.registry_authority import (
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    Authority,
    faults,
    listing,
    meta_of,
    moment,
    only_fault,
    recovers,
    refresh,
    versions,
)


@pytest.fixture
def authority() -> Authority:
    """A registry that lists two nodes of two regions; timestamp 2, snapshot 2."""
    made = Authority()
    made.put_node("310115")
    made.put_node("330100")
    made.publish()
    return made


@pytest.fixture
def held(authority: Authority) -> RegistryState:
    """What a node holds that has read that registry."""
    return load(authority.served)


# --- Rollback and freeze ----------------------------------------------------------------------------------------


def test_a_registry_that_goes_back_to_an_older_timestamp_is_named(authority: Authority, held: RegistryState) -> None:
    older = authority.fork()
    older.timestamp_version = 0
    older.publish_timestamp()
    news = refresh(held, older.served)
    error = only_fault(news)
    assert error.code == "REGISTRY_ROLLBACK"
    assert error.parameters == {"source": "source 0", "role": "timestamp", "found": "1", "held": "2"}
    assert recovers(authority, held)


def test_a_newer_timestamp_over_an_older_snapshot_is_a_rollback(authority: Authority, held: RegistryState) -> None:
    older = authority.fork()
    older.snapshot_version = 1
    older.publish_timestamp()
    news = refresh(held, older.served)
    assert only_fault(news).text == "source 0 serves snapshot version 1, version 2 is known"
    assert recovers(authority, held)


@pytest.mark.parametrize("role", ["targets", "region-31"])
def test_a_newer_snapshot_over_an_older_role_is_a_rollback(role: str) -> None:
    authority = Authority()
    authority.put_node("310115")
    authority.put_node("310230")
    authority.publish()
    held = load(authority.served)
    older = authority.fork()
    known = older.roles[role].signed.version
    older.put_role(role, {}, version=known - 1)
    older.publish()
    news = refresh(held, older.served)
    assert only_fault(news).text == f"source 0 serves {role} version {known - 1}, version {known} is known"
    assert recovers(authority, held)


def test_a_region_that_disappears_from_the_snapshot_is_refused(authority: Authority, held: RegistryState) -> None:
    forgetful = authority.fork()
    del forgetful.roles["region-31"]
    forgetful.publish()
    news = refresh(held, forgetful.served)
    assert only_fault(news).code == "REGISTRY_INVALID"
    assert recovers(authority, held)


def test_a_frozen_registry_holds_nobody_back_while_another_source_has_news(
    authority: Authority, held: RegistryState
) -> None:
    frozen = dict(authority.served)
    authority.put_node("110105")
    authority.publish()
    news = refresh(held, frozen, authority.served)
    assert versions(news.state) == (1, 3, 3)
    assert news.faults == ()


def test_a_node_that_has_not_refreshed_yet_is_no_fault(authority: Authority) -> None:
    late = dict(authority.served)
    authority.publish()
    news = refresh(load(authority.served), authority.served, late)
    assert versions(news.state) == (1, 3, 3)
    assert news.faults == ()


def test_a_node_that_is_late_beyond_its_grace_is_named(authority: Authority) -> None:
    late = dict(authority.served)
    authority.now_ms += 6 * DAY_MS
    authority.publish()
    news = refresh(load(authority.served), authority.served, late, now_ms=authority.now_ms)
    assert faults(news) == [("source 1", "REGISTRY_ROLLBACK")]
    assert versions(news.state) == (1, 3, 3)


@pytest.mark.parametrize("stolen_version", [10**6, 3])
def test_after_the_theft_of_the_online_key_versions_may_start_again(
    stolen_version: int, authority: Authority, held: RegistryState
) -> None:
    thief = authority.fork()
    thief.now_ms += HOUR_MS
    thief.timestamp_version = thief.snapshot_version = stolen_version - 1
    thief.publish()
    stolen = refresh(held, thief.served).state
    assert versions(stolen) == (1, stolen_version, stolen_version)
    authority.rotate_online()
    authority.put_node("110105")
    authority.publish()
    news = refresh(stolen, authority.served)
    assert news.faults == ()
    assert versions(news.state) == (2, 3, 3)


def test_what_a_thief_claimed_of_a_region_that_was_not_there_accuses_no_officer(
    authority: Authority, held: RegistryState
) -> None:
    thief = authority.fork()
    thief.snapshot_version = 3
    meta = {f"{role}.json": meta_of(each.signed.version, each.to_bytes()) for role, each in thief.roles.items()}
    meta["region-11.json"] = meta_of(1, b"nothing")
    snapshot = Snapshot(3, expires=thief.expiry("snapshot"), meta=meta)
    thief.served["3.snapshot.json"] = thief.signed(snapshot, thief.online)
    stolen = refresh(held, thief.publish_timestamp()).state
    assert stolen is not None
    authority.rotate_online()
    assert recovers(authority, stolen)


def test_a_node_that_shows_an_older_snapshot_under_a_newer_timestamp_is_not_just_late(
    authority: Authority, held: RegistryState
) -> None:
    older = authority.fork()
    older.snapshot_version = 1
    older.publish_timestamp()
    news = refresh(held, authority.served, older.served)
    assert news.state is held
    assert faults(news) == [("source 1", "REGISTRY_ROLLBACK")]


# --- Two faces --------------------------------------------------------------------------------------------------


def other_timestamp(authority: Authority) -> Authority:
    other = authority.fork()
    other.now_ms += HOUR_MS
    other.sign_timestamp()
    return other


def other_snapshot(authority: Authority) -> Authority:
    other = authority.fork()
    other.now_ms += HOUR_MS
    other.sign_snapshot()
    other.publish_timestamp()
    return other


def other_role(authority: Authority, role: str) -> Authority:
    other = authority.fork()
    other.now_ms += HOUR_MS
    other.put_role(role, {}, version=other.roles[role].signed.version)
    other.publish()
    return other


def other_root(authority: Authority) -> Authority:
    # The same root version with another online key: nothing that follows it verifies under the held one.
    other = authority.fork()
    other.root.version -= 1
    other.rotate_online()
    other.publish()
    return other


FACES: dict[str, Callable[[Authority], Authority]] = {
    "timestamp": other_timestamp,
    "snapshot": other_snapshot,
    "targets": partial(other_role, role="targets"),
    "region-31": partial(other_role, role="region-31"),
    "root": other_root,
}


@pytest.mark.parametrize("role", FACES)
def test_two_files_of_one_version_raise_the_alarm_and_the_held_one_stays(role: str, authority: Authority) -> None:
    if role == "root":
        authority.rotate_online()
        authority.publish()
    held = load(authority.served)
    other = FACES[role](authority)
    # Each face alone is sound: whoever knows only the other one takes it.
    assert load(other.served).versions.root_version == authority.root.version
    news = refresh(held, other.served)
    error = only_fault(news)
    assert (error.code, error.parameters["role"]) == ("REGISTRY_TWO_FACES", role)
    assert error.parameters["source"] == "source 0"
    # The source that shows the held face is believed meanwhile.
    assert refresh(held, other.served, authority.served).state is held
    assert recovers(authority, held)


def test_a_second_root_is_found_out_by_its_successor(authority: Authority) -> None:
    authority.rotate_online()
    authority.publish()
    held = load(authority.served)
    other = authority.fork()
    # The same keys as in the root that is held, another expiry: what comes after it is signed as it has to be.
    other.now_ms += HOUR_MS
    other.sign_root()
    other.root.version += 1
    other.sign_root()
    other.publish()
    news = refresh(held, other.served)
    assert only_fault(news).text == "the registry shows two different files as root version 2"
    assert recovers(authority, held)


def test_two_sources_that_contradict_each_other_are_both_doubted(authority: Authority, held: RegistryState) -> None:
    other = authority.fork()
    authority.put_node("110105")
    authority.publish()
    other.put_node("120101")
    other.publish()
    news = refresh(held, authority.served, other.served)
    assert news.state is None
    assert faults(news) == [("source 0", "REGISTRY_TWO_FACES"), ("source 1", "REGISTRY_TWO_FACES")]
    assert from_refusal(news.faults[0][1]).parameters["source"] == "source 0, source 1"
    assert recovers(authority, held)


def test_nobody_is_accused_by_a_file_that_nobody_signed(authority: Authority, held: RegistryState) -> None:
    timestamp = Metadata[Timestamp].from_bytes(authority.served["timestamp.json"])
    timestamp.signed.expires = timestamp.signed.expires.replace(year=2021)
    news = refresh(held, authority.served | {"timestamp.json": timestamp.to_bytes()})
    assert only_fault(news).code == "REGISTRY_INVALID"
    # Another encoding and further signatures over what is held are the same face.
    same = Metadata[Timestamp].from_bytes(authority.served["timestamp.json"])
    same.sign(CryptoSigner.generate_ed25519(), append=True)
    news = refresh(held, authority.served | {"timestamp.json": same.to_bytes() + b"\n \n"})
    assert (news.state, news.faults) == (held, ())


def test_no_officer_is_accused_by_a_root_that_none_has_signed(authority: Authority) -> None:
    authority.rotate_online()
    authority.publish()
    held = load(authority.served)
    forged = authority.fork()
    forged.officers = [CryptoSigner.generate_ed25519() for _ in range(3)]
    forged.now_ms += HOUR_MS
    forged.sign_root()
    forged.online = CryptoSigner.generate_ed25519()
    forged.publish()
    assert only_fault(refresh(held, forged.served)).code == "REGISTRY_INVALID"
    assert recovers(authority, held)


# --- Expiry -----------------------------------------------------------------------------------------------------

LIFE_DAYS = {"timestamp": 3, "snapshot": 7, "region-31": 90, "targets": 180, "root": 365}


@pytest.mark.parametrize("role", LIFE_DAYS)
def test_an_expired_role_is_taken_within_the_grace_period_and_named(
    role: str, authority: Authority, held: RegistryState
) -> None:
    expires = NOW_MS + LIFE_DAYS[role] * DAY_MS
    authority.now_ms = expires - HOUR_MS
    renew_all_but(role, authority)
    fresh = refresh(held, authority.served, now_ms=expires - 1)
    assert (fresh.state is not None, fresh.faults) == (True, ())
    for now_ms in (expires, expires + 3 * DAY_MS - 1):
        stale = refresh(held, authority.served, now_ms=now_ms)
        assert stale.state is not None
        assert stale.state.expires_ms == expires
        error = from_refusal(stale.faults[0][1])
        assert (error.code, error.parameters["role"]) == ("REGISTRY_EXPIRED", role)
        assert error.parameters["expires"] == moment(expires).strftime("%Y-%m-%dT%H:%M:%SZ")
    error = only_fault(refresh(held, authority.served, now_ms=expires + 3 * DAY_MS))
    assert (error.code, error.parameters["role"]) == ("REGISTRY_EXPIRED", role)


def renew_all_but(role: str, authority: Authority) -> None:
    """Sign everything else anew; of what is signed first, everything above it goes without."""
    if role == "timestamp":
        return
    if role == "snapshot":
        authority.publish_timestamp()
        return
    if role != "root":
        authority.root.version += 1
        authority.sign_root()
    for other in sorted(authority.roles.keys() - {role}):
        authority.put_role(other, {})
    authority.publish()


def test_a_long_outage_ends_unattended(authority: Authority, held: RegistryState) -> None:
    back = NOW_MS + 300 * DAY_MS
    assert refresh(held, authority.served, now_ms=back).state is None
    authority.now_ms = back
    for role in sorted(authority.roles):
        authority.put_role(role, {})
    assert recovers(authority, held, now_ms=back)


def test_the_grace_period_is_a_setting(authority: Authority, held: RegistryState) -> None:
    now_ms = NOW_MS + 3 * DAY_MS + HOUR_MS
    assert refresh(held, authority.served, now_ms=now_ms, grace_ms=2 * HOUR_MS).state is held
    assert refresh(held, authority.served, now_ms=now_ms, grace_ms=HOUR_MS).state is None


# --- Files that are wrong ---------------------------------------------------------------------------------------


def test_metadata_that_others_signed_are_refused(authority: Authority, held: RegistryState) -> None:
    thief = authority.fork()
    thief.online = CryptoSigner.generate_ed25519()
    thief.publish()
    news = refresh(held, thief.served)
    assert only_fault(news).text == (
        "what source 0 serves as the registry is refused: timestamp.json: timestamp was signed by 0/1 keys"
    )
    assert recovers(authority, held)


def test_another_network_at_the_same_address_is_recognised(held: RegistryState, authority: Authority) -> None:
    news = refresh(held, Authority("omega").served)
    assert "its 1.root.json is not that of this network" in only_fault(news).text
    assert recovers(authority, held)


def test_a_role_that_too_few_officers_signed_is_refused(authority: Authority, held: RegistryState) -> None:
    lone = authority.fork()
    lone.put_node("110105")
    lone.sign_role("region-11", lone.roles["region-11"], lone.officers[0])
    lone.publish()
    news = refresh(held, lone.served)
    assert "region-11 was signed by 1/2 keys" in only_fault(news).text
    assert recovers(authority, held)


UNREADABLE = [b"", b"not json", b'{"descriptor": "AAAA", "standing": "active"}', b"[" * 50_000]


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_node_target_of_unknown_format_changes_nothing(
    content: bytes, authority: Authority, held: RegistryState
) -> None:
    odd = authority.fork()
    odd.put_role("region-31", {"nodes/31/310230.json": content})
    odd.publish()
    news = refresh(held, odd.served)
    assert only_fault(news).code == "REGISTRY_INVALID"
    assert recovers(authority, held)


def test_a_member_under_another_ids_path_changes_nothing(authority: Authority, held: RegistryState) -> None:
    odd = authority.fork()
    odd.put_role("region-31", {"nodes/31/310230.json": listing("310104")})
    odd.publish()
    news = refresh(held, odd.served)
    assert only_fault(news).text == (
        "what source 0 serves as the registry is refused: nodes/31/310230.json lists the node 310104"
    )
    assert recovers(authority, held)


def test_a_region_cannot_list_nodes_of_another_region(authority: Authority, held: RegistryState) -> None:
    odd = authority.fork()
    odd.put_role("region-31", {"nodes/44/440300.json": listing("440300")})
    odd.publish()
    news = refresh(held, odd.served)
    assert "nodes/44/440300.json is listed by a role that may not list it" in only_fault(news).text
    assert recovers(authority, held)


def test_a_delegation_of_a_kind_not_known_here_stops_nothing(authority: Authority, held: RegistryState) -> None:
    authority.delegate("appendix", ["[ab]/*"])
    authority.put_role("appendix", {})
    assert recovers(authority, held)


def test_a_registry_that_changes_its_name_is_refused(authority: Authority, held: RegistryState) -> None:
    odd = authority.fork()
    odd.put_role("targets", {paths.NETWORK_TARGET: paths.encode_network("omega", NOW_MS)})
    odd.publish()
    news = refresh(held, odd.served)
    assert "omega" in only_fault(news).text
    assert recovers(authority, held)


def test_files_named_without_their_hash_are_refused(authority: Authority, held: RegistryState) -> None:
    bare = authority.fork()
    bare.snapshot_version = 3
    meta = {f"{role}.json": MetaFile(each.signed.version) for role, each in bare.roles.items()}
    snapshot = Snapshot(3, expires=bare.expiry("snapshot"), meta=meta)
    bare.served["3.snapshot.json"] = bare.signed(snapshot, bare.online)
    bare.publish_timestamp()
    news = refresh(held, bare.served)
    assert "without its SHA-256" in only_fault(news).text
    assert recovers(authority, held)


def test_a_target_that_does_not_match_its_hash_is_refused(authority: Authority, held: RegistryState) -> None:
    authority.put_node("310230")
    authority.publish()
    name = paths.published_name("nodes/31/310230.json", authority.files["nodes/31/310230.json"])
    for content in (b"", authority.served[name][:-1], authority.served[name][:-1] + b"X"):
        news = refresh(held, authority.served | {name: content})
        assert only_fault(news).code == "REGISTRY_INVALID"
    assert recovers(authority, held)


@pytest.mark.parametrize("missing", ["timestamp.json", "3.snapshot.json", "2.region-31.json"])
def test_a_file_that_is_not_served_is_tried_again(missing: str, authority: Authority, held: RegistryState) -> None:
    authority.put_node("310230")
    authority.publish()
    news = refresh(held, {name: content for name, content in authority.served.items() if name != missing})
    assert only_fault(news).text == f"no registry answers (source 0: {missing} is not served)"
    assert recovers(authority, held)


def test_no_damage_to_any_file_is_taken_or_raises(authority: Authority, held: RegistryState) -> None:
    authority.rotate_online()
    authority.put_node("310230")
    sound = authority.publish()
    expected = refresh(held, sound).state
    assert expected is not None
    new = [*sorted(sound.keys() & expected.files.keys() - held.files.keys()), "timestamp.json"]
    random = Random(20)
    for _ in range(60):
        name = random.choice(new)
        content = bytearray(sound[name])
        for _ in range(random.randint(1, 4)):
            content[random.randrange(len(content))] = random.randrange(256)
        if random.random() < 0.2:
            del content[random.randrange(len(content)) :]
        news = refresh(held, sound | {name: bytes(content)})
        if bytes(content) == sound[name]:
            continue
        # What is still signed as it was (another encoding, a signature too many damaged) may be taken.
        assert news.state is None or news.state.targets == expected.targets
        if news.state is None:
            assert only_fault(news).code in ("REGISTRY_INVALID", "REGISTRY_UNREACHABLE", "REGISTRY_EXPIRED")


def test_a_longer_file_than_any_may_be_is_not_read_to_its_end(authority: Authority, held: RegistryState) -> None:
    news = refresh(held, authority.served | {"timestamp.json": b" " * 3_000_000})
    assert "sends more than a file may hold" in only_fault(news).text
    small = Limits(max_registry_file_bytes=1000)
    news = refresh(None, authority.served, root_fingerprint=authority.fingerprint, limits=small)
    assert only_fault(news).code == "REGISTRY_INVALID"
    assert recovers(authority, held)
