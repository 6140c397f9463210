"""The oracle on erasures and control entries: what is erased stays so, and what removes comes in time."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.core.entry import SignedEntry
from node.core.state import Erasure, Place
from node.pb import channel_pb2
from node.ports import HeldEntry, LinkState
from node.storage.sql_reading import SqlReader
from tests.builders import erasure_of
from tests.duties.hostile import BASE
from tests.duties.rows import manifest, row
from tests.simulator.violations import A, B, commit, forged, pb, published, run, violated
from tests.simulator.watching import Watched, entry_frames


def size_of(entry: HeldEntry) -> int:
    """What has to travel for an entry, without signatures and frames."""
    slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
    return len(entry.envelope.payload) + sum(len(slot.salt) + len(slot.record) for slot in slots)


# --- G4 and G9 --------------------------------------------------------------------------------------------------


def test_g4_erased_content_is_given_again(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        frames = list(entry_frames(network, B, BASE, 1))
        await network.erase(BASE, 1)
        await network.settle()
        network.later(60)
        with violated("G4", "leaves after its erasure"):
            for frame in frames:
                network.cross(7, "Push", (B, A), frame)

    run(body())


def test_g4_a_control_entry_comes_too_late_while_all_is_well(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        await network[A].publishing.create_channel("lists", urgent)
        await network.settle()
        await network.publish("310000/lists", [row(1)])
        network.oracle.check(network.now_ms)
        network.later(59)
        network.oracle.check(network.now_ms)
        network.oracle.reaches = lambda _one, _other: False
        network.later(2)
        network.oracle.check(network.now_ms)
        network.oracle.reaches = lambda _one, _other: True
        network.later(600)
        network.oracle.check(network.now_ms)
        network.cross(1, "Hello", (B, A), pb.HelloResponse(), is_answer=True)
        network.later(61)
        with violated("G4", "not applied after 61 s"):
            network.oracle.check(network.now_ms)
        await network.settle()
        network.oracle.check(network.now_ms)

    run(body())


def test_g4_a_control_entry_is_granted_what_its_road_needs_for_it_and_for_those_before_it(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        await network[A].publishing.create_channel("lists", urgent)
        await network.settle()
        asked: list[tuple[str, str, int]] = []

        def travel_s(one: str, other: str, size: int) -> float:
            asked.append((one, other, size))
            return size / 10

        network.oracle.travel_s = travel_s
        await network.publish("310000/lists", [row(1)])
        await network.publish("310000/lists", [row(2)])
        network.later(60)
        network.oracle.check(network.now_ms)
        entries = [network[A].world.store.entry("310000/lists", 0, index) for index in (1, 2)]
        first, second = (size_of(entry) for entry in entries if entry is not None)
        assert asked == [(A, B, first)]
        # (1) what the road needs for the first one is granted, and no more
        network.later(first / 10)
        network.oracle.check(network.now_ms)
        network.later(1)
        with violated("G4", "310000/lists 0/1 is not applied after"):
            network.oracle.check(network.now_ms)
        # (2) the second one was written while the first one was under way
        assert entries[0] is not None
        await network[B].receive([SignedEntry("310000/lists", 0, 1, entries[0].envelope, entries[0].body)])
        asked.clear()
        network.oracle.check(network.now_ms)
        assert asked == [(A, B, first + second)]

    run(body())


def test_g4_a_call_that_fails_stops_the_time_of_a_control_entry_and_does_not_set_it_back(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A, B)
        urgent = manifest()
        urgent.priority = channel_pb2.PRIORITY_CONTROL
        await network[A].publishing.create_channel("lists", urgent)
        await network.settle()
        await network.publish("310000/lists", [row(1)])
        for caller, called in ((A, B), (B, A)):
            network.later(29)
            commit(network, caller, "put_link", LinkState(called, failures=1, retry_at_ms=network.now_ms + 1000))
            network.later(600)
            network.oracle.check(network.now_ms)
            network.cross(1, "Hello", (B, A), pb.HelloResponse(), is_answer=True)
        network.later(2)
        network.oracle.check(network.now_ms)
        network.later(1)
        with violated("G4", "not applied after 61 s in which all was well"):
            network.oracle.check(network.now_ms)

    run(body())


def test_g9_an_erasure_without_its_origins_word(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G9", "without its origin's word"):
            commit(network, B, "put_erasures", BASE, [Erasure(Place(0, 1, 0), bytes(32))])

    run(body())


def test_g9_a_bare_commitment_is_taken_for_an_erasure(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        with violated("G9", "its origin erased nothing"), pytest.MonkeyPatch.context() as patch:
            patch.setattr("node.admission._is_complete", lambda *_: True)
            await network.publish(BASE, [row(4)])
            network.tamper = lambda _from, _to, signed: replace(signed, body=None)
            await network.sync(B, A)

    run(body())


def test_g9_erased_content_is_still_in_a_store_at_the_end(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        kept = network.backup(B)
        await network.erase(BASE, 1)
        await network.settle()
        stores = dict(network.stores())
        network.oracle.check_end(stores)
        stores[B] = network._database(B, kept.stem)
        with violated("G2", "is stored as"):
            network.oracle.check_end(stores)

    run(body())


# --- G10, G12 and the end ---------------------------------------------------------------------------------------


def test_g9_a_record_is_erased_and_its_older_version_is_not(tmp_path: Path) -> None:
    async def body() -> None:
        network = await published(tmp_path)
        await network.publish(BASE, [row(1, "改名有限公司")])
        await network.publish(BASE, [row(2, "改名有限公司")])
        await network.settle()
        await network.erase(BASE, 2)
        await network.settle()
        assert network.reasons() == []
        with violated("G9", "its revision 0/1/1 is still there"), pytest.MonkeyPatch.context() as patch:
            patch.setattr(SqlReader, "revisions", lambda _self, _channel, place: [place])
            await network.erase(BASE, 3)
        # What is left of it is the same everywhere, as whoever comes late knows of nothing else.
        await network.settle()
        assert network.reasons() == []
        network.change(B, "UPDATE records SET in_force = NULL WHERE entry_index = 1 AND position = 1")
        assert network.reasons() == [f"{B} does not answer {BASE} 0/1/1"]

    run(body())


def test_g9_erasing_what_an_entry_holds_needs_its_commitment(tmp_path: Path) -> None:
    async def body() -> None:
        network = Watched(tmp_path, A)
        writer = forged(network)
        for entry in writer.entries:
            commit(network, A, "append", entry, network.now_ms, True)
        erasure = erasure_of(writer.entries[1], 0)
        with violated("G9"):
            commit(network, A, "put_erasures", BASE, [erasure])
        commit(network, A, "append", writer.erase(erasure), network.now_ms, True)
        commit(network, A, "put_erasures", BASE, [erasure])

    run(body())
