"""What the registry shows to whom, and that the production reading answers each fault with its code."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Never

import pytest

from node.core.errors import XinqiaoError, from_refusal
from node.core.membership import Members, Standing
from node.pb import envelope_pb2
from node.ports import RegistryState
from node.rpc.registry_fetch import HeldFiles
from node.rpc.registry_source import TufRegistry, load
from node.rpc.registry_transport import read_state
from node.simulator.authority import Authority
from node.simulator.identity import START_MS
from node.simulator.registry_show import FAULTS, RegistryFaultKind, RegistryShow
from node.simulator.registry_transport import Files, Readings, SimulatedTransport
from tests.simulator.elsewhere import printed_elsewhere
from tests.simulator.towns import DAY_MS, EDITION, NODES, SeededEntropy, codes, held_by, refresh, town

START = datetime.fromtimestamp(START_MS / 1000, UTC)


def suspended(authority: Authority) -> Authority:
    """The authority after one more decision."""
    authority.suspend("hub", "a test")
    authority.publish(START_MS)
    return authority


# --- Faults -------------------------------------------------------------------------------------------------


def test_an_honest_registry_shows_everybody_what_is_published() -> None:
    authority = town()
    show = RegistryShow(authority)
    assert {show.fault_of(node) for node in NODES} == {None}
    assert all(show.files_for(node) is authority.files() for node in NODES)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("unreachable", "REGISTRY_UNREACHABLE"),
        ("rolled-back", "REGISTRY_ROLLBACK"),
        ("expired", "REGISTRY_EXPIRED"),
    ],
)
def test_a_fault_is_named_by_whom_it_concerns_and_by_nobody_else(how: RegistryFaultKind, code: str) -> None:
    authority = suspended(town())
    held, show, readings = held_by(authority), RegistryShow(authority), Readings()
    show.set_fault(how, ["310115", "330100"], START_MS)
    for node, faults in (("310115", [("the registry", code)]), ("330100", [("the registry", code)]), ("hub", [])):
        news = refresh(held, START_MS, readings, show.files_for(node))
        assert codes(news) == faults
        assert (news.state is None) == bool(faults)
    show.clear(["310115", "330100"], START_MS)
    assert codes(refresh(held, START_MS, readings, show.files_for("310115"))) == []


def test_an_expired_registry_stays_so_through_new_publications() -> None:
    authority = town()
    held, show = held_by(authority), RegistryShow(authority)
    show.set_fault("expired", ["310115"], START_MS)
    suspended(authority)
    news = refresh(held, START_MS, Readings(), show.files_for("310115"), authority.files())
    assert codes(news) == [("the registry", "REGISTRY_EXPIRED")]
    assert news.state is not None
    assert news.state.versions == authority.versions


def test_a_frozen_registry_shows_nothing_new_and_ages() -> None:
    authority = town()
    held, show, readings = held_by(authority), RegistryShow(authority), Readings()
    show.set_fault("frozen", ["310115"], START_MS)
    suspended(authority)
    assert refresh(held, START_MS, readings, show.files_for("310115")).state is held
    late = refresh(held, START_MS + 3 * DAY_MS, readings, show.files_for("310115"))
    assert (late.state, codes(late)) == (held, [("the registry", "REGISTRY_EXPIRED")])
    later = refresh(held, START_MS + 7 * DAY_MS, readings, show.files_for("310115"))
    assert (later.state, codes(later)) == (None, [("the registry", "REGISTRY_EXPIRED")])


def test_both_faces_of_a_two_faced_registry_are_taken_and_told_apart_and_left_behind() -> None:
    authority = town()
    held, show, readings = held_by(authority), RegistryShow(authority), Readings()
    show.set_fault("two-faced", ["310115"], START_MS)
    second, first = (refresh(held, START_MS, readings, show.files_for(node)).state for node in ("310115", "hub"))
    assert first is not None
    assert second is not None
    assert first.versions.snapshot_version == second.versions.snapshot_version == 3
    assert first.versions.snapshot_hash != second.versions.snapshot_hash
    for state, shown in ((first, second.files), (second, first.files)):
        assert codes(refresh(state, START_MS, readings, state.files, shown)) == [("310001", "REGISTRY_TWO_FACES")]
    suspended(authority)
    again = refresh(second, START_MS, readings, show.files_for("310115"))
    assert codes(again) == []
    assert again.state is not None
    show.clear(["310115"], START_MS)
    for state in (held, first, second, again.state):
        for node in NODES:
            news = refresh(state, START_MS, readings, show.files_for(node))
            assert codes(news) == []
            assert news.state is not None
            assert news.state.files == authority.files()


def test_a_fault_gives_way_to_the_next_one() -> None:
    authority = town()
    show = RegistryShow(authority)
    for how in FAULTS:
        show.set_fault(how, NODES, START_MS)
        assert {show.fault_of(node) for node in NODES} == {how}
    show.clear(NODES, START_MS)
    assert [show.files_for(node) for node in NODES] == [authority.files()] * 3


def test_nothing_of_this_machine_gets_into_what_is_named() -> None:
    authority = suspended(town())
    held = held_by(authority)
    damaged: dict[str, Files] = {
        name: {**authority.files(), name: content[:-20]} for name, content in authority.files().items()
    }
    missing = {name: {n: c for n, c in authority.files().items() if n != name} for name in authority.files()}
    faces = [*damaged.values(), *missing.values(), authority.expired_face(), authority.second_face()]
    texts = [
        from_refusal(refusal).text
        for owned in (held, None)
        for face in faces
        for _, refusal in refresh(owned, START_MS, Readings(), face, fingerprint=authority.root_fingerprint).faults
    ]
    assert len(texts) > 10
    assert not [text for text in texts if tempfile.gettempdir() in text or "xinqiao-registry-" in text]


# --- Readings that are done once ----------------------------------------------------------------------------


def test_nodes_that_hold_the_same_share_one_reading_and_one_state() -> None:
    authority = town()
    held, readings = held_by(authority), Readings()
    suspended(authority)
    found = [refresh(held, START_MS + number, readings, authority.files()).state for number in range(50)]
    assert readings.done == 1
    assert all(state is found[0] for state in found)
    assert found[0] is not None
    assert found[0].members.by_id["hub"].standing is Standing.SUSPENDED
    assert found[0] == load(authority.files())
    again = refresh(found[0], START_MS, readings, authority.files(), dict(found[0].files))
    assert (again.state, readings.done) == (found[0], 3)  # once for the registry, once for a node, which may be late


def test_a_node_that_holds_the_newest_keeps_its_own_object() -> None:
    authority = town()
    readings = Readings()
    one = held_by(authority)
    narrowed = replace(one, members=Members(one.network, {}))
    assert refresh(one, START_MS, readings, authority.files()).state is one
    assert refresh(narrowed, START_MS, readings, authority.files()).state is narrowed
    assert readings.done == 1


def test_a_remembered_reading_says_what_a_new_one_would_at_every_time_around_an_expiry() -> None:
    authority = town()
    old = authority.files()
    held = held_by(authority)
    authority.renew(START_MS + DAY_MS)
    readings = Readings()
    edges = [START + timedelta(days=days) for days in (0, 3, 4, 7, 8, 90, 180, 365)]
    moments = [edge + timedelta(seconds=off) for edge in edges for off in (-1, 0, 1)]
    for moment in moments * 2:
        for files, owned, late in (
            (authority.files(), held, False),
            (old, held, True),
            (authority.files(), None, False),
        ):
            shown = answer(lambda: readings.read("x", files, owned, authority.root_fingerprint, moment, late))  # noqa: B023
            fresh = answer(
                lambda: read_state("x", HeldFiles(files), owned, authority.root_fingerprint, moment, late)  # noqa: B023
            )
            assert shown == fresh, moment
    assert readings.done < len(moments) * 3


def answer(read: object) -> tuple[str, str] | RegistryState | None:
    """What a reading shows, an error as its code and text."""
    assert callable(read)
    try:
        found: RegistryState | None = read()
    except XinqiaoError as error:
        return error.code, error.text
    return found


@pytest.mark.parametrize("start", [datetime(2001, 1, 1, tzinfo=UTC), START, datetime(2090, 1, 1, tzinfo=UTC)])
def test_the_clock_of_the_machine_does_not_count(start: datetime) -> None:
    start_ms = int(start.timestamp() * 1000)
    authority = Authority("delta", EDITION, Random("towns"), start_ms)
    fingerprint, expiry = authority.root_fingerprint, start + timedelta(days=3)
    readings = Readings()
    state = readings.read("x", authority.files(), None, fingerprint, expiry - timedelta(milliseconds=1), False)
    assert state == load(authority.files())
    with pytest.raises(XinqiaoError) as caught:
        readings.read("x", authority.files(), None, fingerprint, expiry, False)
    assert caught.value.code == "REGISTRY_EXPIRED"


def test_a_remembered_refusal_names_the_source_that_is_asked() -> None:
    authority = suspended(town())
    held, readings = held_by(authority), Readings()
    for _ in range(2):
        for name in ("310001", "310002"):
            with pytest.raises(XinqiaoError) as caught:
                readings.read(name, authority.expired_face(), held, None, START, False)
            assert caught.value.parameters["source"] == name
    assert readings.done == 2


def test_files_of_a_database_are_loaded_once() -> None:
    authority, readings = town(), Readings()
    state = readings.load(dict(authority.files()))
    assert state == load(authority.files())
    assert readings.load(dict(authority.files())) is state
    assert refresh(None, START_MS, readings, authority.files(), fingerprint=authority.root_fingerprint).state is state
    damaged = {**authority.files(), "timestamp.json": b"{}"}
    for _ in range(2):
        with pytest.raises(XinqiaoError) as caught:
            readings.load(damaged)
        assert caught.value.code == "REGISTRY_INVALID"


# --- The transport ------------------------------------------------------------------------------------------


def test_a_source_that_never_answers_is_given_up_at_the_deadline() -> None:
    held = held_by(town())

    async def fetch(_: str) -> Files | None:
        await asyncio.sleep(3600)
        raise AssertionError("it was waited for")

    async def work() -> list[tuple[str, str]]:
        transport = SimulatedTransport(fetch, nobody, nobody, Readings(), deadline_s=0.01)
        registry = TufRegistry(lambda: [("the registry", "x:1")], SeededEntropy(), transport=transport)
        return codes(await registry.refresh(held, START_MS))

    assert asyncio.run(work()) == [("the registry", "REGISTRY_UNREACHABLE")]


async def nobody(*_: object) -> Never:
    """A call that fails."""
    raise XinqiaoError("WIRE_UNREACHABLE", peer="x", address="x:1", detail="it is cut off")


def test_a_cut_off_source_is_unreachable_and_the_next_one_takes_the_address() -> None:
    held = held_by(town())
    asked: list[str] = []

    async def share(name: str, *_: object) -> Sequence[envelope_pb2.Envelope]:
        asked.append(name)
        if name == "the registry":
            await nobody()
        return [envelope_pb2.Envelope(payload=b"there")]

    async def work() -> Sequence[envelope_pb2.Envelope]:
        transport = SimulatedTransport(nobody, nobody, share, Readings())
        sources = [("the registry", "x:1"), ("hub", "y:1")]
        registry = TufRegistry(lambda: sources, SeededEntropy(), transport=transport)
        assert codes(await registry.refresh(held, START_MS)) == [
            ("the registry", "REGISTRY_UNREACHABLE"),
            ("hub", "REGISTRY_UNREACHABLE"),
        ]
        with pytest.raises(XinqiaoError) as caught:
            await registry.report_heads(envelope_pb2.Envelope())
        assert caught.value.code == "WIRE_UNREACHABLE"
        return await registry.share_addresses(envelope_pb2.Envelope(), b"")

    assert asyncio.run(work()) == [envelope_pb2.Envelope(payload=b"there")]
    assert asked == ["the registry", "hub"]


# --- Determinism --------------------------------------------------------------------------------------------


def history() -> str:
    """All that is named and read in a life with every fault."""
    authority = town()
    held, show, readings = held_by(authority), RegistryShow(authority), Readings()
    lines: list[str] = []
    for number, how in enumerate(FAULTS):
        show.set_fault(how, ["310115"], START_MS + number)
        news = refresh(held, START_MS + number, readings, show.files_for("310115"), show.files_for("hub"))
        held = news.state or held
        lines += [f"{source}: {from_refusal(refusal).text}" for source, refusal in news.faults]
        lines += [f"{name} {len(content)}" for name, content in held.files.items()]
        suspended(authority)
    return "\n".join(lines)


def test_two_processes_tell_the_same_history() -> None:
    script = "from tests.simulator.test_registry_show import history; print(history())"
    assert printed_elsewhere(script) == [history()] * 2
