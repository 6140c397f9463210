"""Reading the registry from real ports: the first contact, what is held, what is new, and whom to ask."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from node.core import ageing
from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.membership import Members, Standing
from node.pb import envelope_pb2
from node.ports import RegistryNews, RegistryState, Stage
from node.rpc.registry_fetch import HeldFiles
from node.rpc.registry_source import PEERS_PER_REFRESH, TufRegistry, bootstrap, load
from node.rpc.registry_updater import DatedUpdater
from tests.rpc.registry_authority import (
    DAY_MS,
    NOW_MS,
    Authority,
    SeededEntropy,
    faults,
    listing,
    only_fault,
    refresh,
    served,
    versions,
)

Files = Mapping[str, bytes]


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


# --- First contact ----------------------------------------------------------------------------------------------


def first_contact(files: Files, fingerprint: bytes, now_ms: int = NOW_MS) -> RegistryState:
    async def work() -> RegistryState:
        async with served(files) as endpoint:
            return await bootstrap(endpoint, fingerprint, now_ms)

    return asyncio.run(work())


def test_the_first_contact_loads_everything_below_the_root_that_was_read_out(authority: Authority) -> None:
    state = first_contact(authority.served, authority.fingerprint)
    assert state.network == f"delta:{authority.fingerprint.hex()[:16]}"
    assert sorted(state.members.by_id) == ["310115", "330100"]
    assert state.members.network == state.network
    assert state.targets == authority.files
    assert versions(state) == (1, 2, 2)
    assert state.expires_ms == NOW_MS + 3 * DAY_MS
    assert sorted(state.files) == sorted(
        [
            "1.root.json",
            "timestamp.json",
            "2.snapshot.json",
            "3.targets.json",
            "1.region-31.json",
            "1.region-33.json",
            *(paths.published_name(path, content) for path, content in authority.files.items()),
        ]
    )
    assert all(authority.served[name] == content for name, content in state.files.items())


def test_a_root_with_another_fingerprint_is_refused_and_both_are_shown(authority: Authority) -> None:
    with pytest.raises(XinqiaoError) as caught:
        first_contact(authority.served, bytes(32))
    assert caught.value.code == "REGISTRY_FINGERPRINT"
    assert caught.value.parameters["found"] == authority.fingerprint.hex()
    assert caught.value.parameters["expected"] == "00" * 32
    assert first_contact(authority.served, authority.fingerprint).versions.root_version == 1


def test_a_root_with_the_right_fingerprint_that_too_few_have_signed_is_refused(authority: Authority) -> None:
    root = Metadata[Root].from_bytes(authority.served["1.root.json"])
    root.signatures = dict(list(root.signatures.items())[:1])
    with pytest.raises(XinqiaoError) as caught:
        first_contact(authority.served | {"1.root.json": root.to_bytes()}, authority.fingerprint)
    assert caught.value.code == "REGISTRY_INVALID"
    assert "signed by 1/2 keys" in caught.value.text


def test_the_first_contact_takes_nothing_that_has_expired(authority: Authority) -> None:
    with pytest.raises(XinqiaoError) as caught:
        first_contact(authority.served, authority.fingerprint, NOW_MS + 3 * DAY_MS)
    assert caught.value.code == "REGISTRY_EXPIRED"
    assert caught.value.parameters["role"] == "timestamp"
    assert caught.value.parameters["expires"] == "2020-09-16T12:26:40Z"


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b'{"signed": {}}', b"\xff"])
def test_a_first_root_that_is_none_is_invalid(authority: Authority, content: bytes) -> None:
    with pytest.raises(XinqiaoError) as caught:
        first_contact(authority.served | {"1.root.json": content}, authority.fingerprint)
    assert caught.value.code in ("REGISTRY_INVALID", "REGISTRY_FINGERPRINT")


def test_a_port_that_serves_no_registry_is_told_apart() -> None:
    with pytest.raises(XinqiaoError) as caught:
        first_contact({}, bytes(32))
    assert caught.value.code == "REGISTRY_UNREACHABLE"
    assert "1.root.json is not served" in caught.value.text


def test_nobody_listens_where_the_registry_should_be() -> None:
    with pytest.raises(XinqiaoError) as caught:
        asyncio.run(bootstrap("127.0.0.1:1", bytes(32), NOW_MS))
    assert caught.value.code == "REGISTRY_UNREACHABLE"
    assert "127.0.0.1:1" in caught.value.text


def test_the_first_contact_walks_up_a_chain_of_roots(authority: Authority) -> None:
    for _ in range(3):
        authority.rotate_online()
    authority.publish()
    state = first_contact(authority.served, authority.fingerprint)
    assert versions(state) == (4, 3, 3)
    assert {f"{version}.root.json" for version in range(1, 5)} <= state.files.keys()


# --- Files that are held ----------------------------------------------------------------------------------------


def test_what_one_node_holds_is_all_another_needs(authority: Authority) -> None:
    state = first_contact(authority.served, authority.fingerprint)
    assert first_contact(state.files, authority.fingerprint) == state


def test_held_files_are_verified_anew_when_a_node_starts(authority: Authority) -> None:
    state = first_contact(authority.served, authority.fingerprint)
    assert load(state.files) == state
    for name in sorted(state.files):
        damaged = bytearray(state.files[name])
        damaged[len(damaged) // 2] ^= 1
        with pytest.raises(XinqiaoError) as caught:
            load({**state.files, name: bytes(damaged)})
        assert caught.value.code == "REGISTRY_INVALID", name
        without = {other: content for other, content in state.files.items() if other != name}
        with pytest.raises(XinqiaoError) as caught:
            load(without)
        assert caught.value.code in ("REGISTRY_INVALID", "REGISTRY_UNREACHABLE"), name


def test_a_node_that_starts_while_the_authority_is_long_gone_has_its_members(authority: Authority) -> None:
    state = load(authority.served)
    later = NOW_MS + 1000 * DAY_MS
    assert sorted(state.members.by_id) == ["310115", "330100"]
    assert ageing.stage(state.expires_ms, later) == Stage.EXPIRED


def test_trust_ages_in_stages() -> None:
    at = {now: ageing.stage(1000, now, 50) for now in (0, 999, 1000, 1049, 1050, 10**15)}
    assert at == {
        0: Stage.FRESH,
        999: Stage.FRESH,
        1000: Stage.STALE,
        1049: Stage.STALE,
        1050: Stage.EXPIRED,
        10**15: Stage.EXPIRED,
    }


# --- News -------------------------------------------------------------------------------------------------------


def test_a_refresh_with_nothing_new_moves_one_timestamp_and_one_404(authority: Authority, held: RegistryState) -> None:
    asked: list[str] = []
    news = refresh(held, authority.served, asked=asked)
    assert asked == ["2.root.json", "timestamp.json"]
    assert news.state is held
    assert news.faults == ()


def test_a_new_member_moves_only_what_changed(authority: Authority, held: RegistryState) -> None:
    authority.put_node("310230")
    authority.publish()
    asked: list[str] = []
    news = refresh(held, authority.served, asked=asked)
    name = paths.published_name("nodes/31/310230.json", authority.files["nodes/31/310230.json"])
    assert asked == ["2.root.json", "timestamp.json", "3.snapshot.json", "2.region-31.json", name]
    assert news.state is not None
    assert sorted(news.state.members.by_id) == ["310115", "310230", "330100"]
    assert "1.region-31.json" not in news.state.files
    assert news.state == load(news.state.files)


def test_a_suspension_and_its_cut_arrive(authority: Authority, held: RegistryState) -> None:
    authority.put_node("310115", listing("310115", Standing.SUSPENDED))
    authority.put_role("region-31", {paths.cut_path("310115"): paths.encode_cut("310115", frozenset({bytes(32)}), 1)})
    authority.publish()
    news = refresh(held, authority.served)
    assert news.state is not None
    member = news.state.members.by_id["310115"]
    assert member.standing is Standing.SUSPENDED
    assert member.cut is not None


def test_a_new_root_is_taken(authority: Authority, held: RegistryState) -> None:
    authority.rotate_online()
    authority.publish()
    news = refresh(held, authority.served)
    assert versions(news.state) == (2, 3, 3)
    assert news.faults == ()


def test_a_target_that_this_version_does_not_know_is_kept_and_served_on(
    authority: Authority, held: RegistryState
) -> None:
    authority.put_role("targets", {"rules/2027.1.json": b'{"something": "new"}'})
    authority.publish()
    news = refresh(held, authority.served)
    assert news.state is not None
    assert news.state.targets["rules/2027.1.json"] == b'{"something": "new"}'
    assert first_contact(news.state.files, authority.fingerprint) == news.state


def test_members_are_read_anew_whatever_the_held_state_was_narrowed_to(
    authority: Authority, held: RegistryState
) -> None:
    narrowed = replace(held, members=Members(held.network, {}))
    authority.publish_timestamp()
    news = refresh(narrowed, authority.served)
    assert news.state is not None
    assert sorted(news.state.members.by_id) == ["310115", "330100"]


def test_the_clock_of_the_machine_is_not_asked(authority: Authority) -> None:
    class Machine(DatedUpdater):
        def reference_time(self) -> datetime:
            return self._trusted_set.reference_time

    # Upgrading python-tuf must fail here, loudly, if it keeps the reference time elsewhere.
    when = datetime.fromisoformat("2001-02-03T04:05:06+00:00")
    with tempfile.TemporaryDirectory() as directory:
        files = HeldFiles(authority.served)
        updater = Machine(Path(directory), files, authority.served["1.root.json"], {}, when)
        assert updater.reference_time() == when
        assert updater.load().timestamp == authority.served["timestamp.json"]


# --- Sources ----------------------------------------------------------------------------------------------------


def test_a_source_that_cannot_be_reached_delays_nobody(authority: Authority, held: RegistryState) -> None:
    authority.publish()

    async def work() -> RegistryNews:
        async with served(authority.served) as endpoint:
            sources = [("the registry", "127.0.0.1:1"), ("310000", endpoint)]
            return await TufRegistry(lambda: sources, SeededEntropy()).refresh(held, NOW_MS)

    news = asyncio.run(work())
    assert versions(news.state) == (1, 3, 3)
    assert faults(news) == [("the registry", "REGISTRY_UNREACHABLE")]


def test_with_no_source_at_all_there_is_no_news(held: RegistryState) -> None:
    assert asyncio.run(TufRegistry(list, SeededEntropy()).refresh(held, NOW_MS)) == RegistryNews(None, ())


def test_the_registry_is_always_asked_and_a_few_nodes_by_lot() -> None:
    def asked(seed: int) -> list[str]:
        sources = [("the registry", "127.0.0.1:1"), *((f"node {number}", "127.0.0.1:1") for number in range(9))]
        registry = TufRegistry(lambda: sources, SeededEntropy(seed))
        return [name for name, _ in registry._choose()]

    drawn = {tuple(asked(seed)) for seed in range(50)}
    assert asked(3) == asked(3)
    assert all(names[0] == "the registry" and len(set(names)) == 1 + PEERS_PER_REFRESH for names in drawn)
    assert {name for names in drawn for name in names} == {"the registry"} | {f"node {n}" for n in range(9)}


def test_a_node_that_lost_its_files_begins_again_at_the_fingerprint_it_knows(authority: Authority) -> None:
    news = refresh(None, authority.served, root_fingerprint=authority.fingerprint)
    assert versions(news.state) == (1, 2, 2)
    assert faults(refresh(None, authority.served, root_fingerprint=bytes(32))) == [("source 0", "REGISTRY_FINGERPRINT")]
    assert faults(refresh(None, authority.served)) == [("source 0", "NOT_A_MEMBER")]


def test_a_machine_without_room_for_temporary_files_says_so(
    authority: Authority, held: RegistryState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    news = refresh(held, authority.served)
    assert only_fault(news).code == "TEMPORARY_FILES"
    monkeypatch.undo()
    assert refresh(held, authority.served).state is held


def test_a_head_report_goes_to_the_registry_and_to_no_node(authority: Authority) -> None:
    async def work(reachable: Sequence[str]) -> None:
        async with served(authority.served) as endpoint:
            sources = [("the registry", "127.0.0.1:1"), ("310000", endpoint)]
            await TufRegistry(lambda: [each for each in sources if each[0] in reachable], SeededEntropy()).report_heads(
                envelope_pb2.Envelope()
            )

    for reachable, code in ((["the registry", "310000"], "WIRE_UNREACHABLE"), ([], "WIRE_UNREACHABLE")):
        with pytest.raises(XinqiaoError) as caught:
            asyncio.run(work(reachable))
        assert caught.value.code == code
