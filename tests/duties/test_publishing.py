"""Publishing: a log of ours has one history, whatever breaks, returns or happens at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest

from node.core.audience import parse_audience
from node.core.channel import HeadAt, head_leaf
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Cut, Standing
from node.core.merkle import EMPTY_ROOT
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2
from node.ports import Lane, StoreTransaction
from node.recovery import OFFICERS_MS
from node.storage.memory import MemoryStore
from tests.builders import make_heartbeat, make_node
from tests.duties.hostile import BASE, YieldingWriter, assert_sound, authority_of_example, penalty, refused
from tests.duties.rows import code_of, manifest, row
from tests.wire import MemorySidecar, Network

Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


async def published(rows: int = 3, *more: str) -> Network:
    """A network whose 310000 has published rows, known to everybody."""
    network = Network("310000", "310115", "330100", *more)
    await network["310000"].publishing.create_channel("base", manifest())
    await network["310000"].publishing.publish(BASE, [row(serial) for serial in range(1, rows + 1)])
    await network.settle()
    return network


def size_of(node: Node, channel: str = BASE) -> int:
    held = node.world.store.channel(channel)
    return held.log.size if held is not None else 0


def memory_of(node: Node) -> MemoryStore:
    assert isinstance(node.world.store, MemoryStore)
    return node.world.store


# --- What is refused --------------------------------------------------------------------------------------------


def test_what_cannot_be_published_is_refused_by_name_and_changes_nothing() -> None:
    async def scenario() -> None:
        network = await published()
        publishing, store = network["310000"].publishing, network["310000"].world.store
        before = store.channels()
        long = manifest()
        long.title = "题" * 121
        wide = manifest()
        wide.audience.terms.extend([channel_pb2.AudienceTerm(everyone=True)] * 65)
        unknown, secret, unclassed = manifest(), manifest(), manifest()
        unknown.item, secret.disclosure, unclassed.disclosure = "no.such", 99, 0  # type: ignore[assignment]
        assert await refused(publishing.create_channel("Base", manifest())) == "CHANNEL_NAME"
        assert await refused(publishing.create_channel("", manifest())) == "CHANNEL_NAME"
        assert await refused(publishing.create_channel("base", manifest())) == "CHANNEL_EXISTS"
        assert await refused(publishing.create_channel("new", unknown)) == "RECORD_ITEM_UNKNOWN"
        assert await refused(publishing.create_channel("new", secret)) == "CATALOGUE_DISCLOSURE"
        assert await refused(publishing.create_channel("new", unclassed)) == "CATALOGUE_DISCLOSURE"
        assert await refused(publishing.create_channel("new", long)) == "ARGUMENT_INVALID"
        assert await refused(publishing.create_channel("new", wide)) == "ARGUMENT_INVALID"
        assert await refused(publishing.publish("310000/none", [row(1)])) == "CHANNEL_UNKNOWN"
        assert await refused(publishing.set_audience("310000/none", parse_audience("everyone"))) == "CHANNEL_UNKNOWN"
        assert await refused(network["310115"].publishing.publish(BASE, [row(1)])) == "CHANNEL_NOT_OURS"
        assert await refused(network["310115"].publishing.erase(BASE, Place(0, 1, 0), "x", "y")) == "RECORD_NOT_OURS"
        for place in (Place(0, 1, 9), Place(0, 9, 0), Place(1, 0, 0), Place(0, 0, 0)):
            assert await refused(publishing.erase(BASE, place, "x", "y")) == "RECORD_UNKNOWN"
        assert await refused(publishing.erase(BASE, Place(0, 1, 0), "x", "因" * 70_000)) == "ARGUMENT_INVALID"
        too_many = [row(1, f"名{number}") for number in range(DEFAULT_LIMITS.max_records_per_entry + 1)]
        assert await refused(publishing.publish(BASE, too_many)) == "ENTRY_HEADER"
        assert store.channels() == before
        with pytest.raises(XinqiaoError, match="CHANNEL_UNKNOWN"):
            publishing.channel_to_publish("310000/none")
        with pytest.raises(XinqiaoError, match="CHANNEL_NOT_OURS"):
            network["310115"].publishing.channel_to_publish(BASE)

    run(scenario())


def test_a_member_that_is_suspended_or_not_listed_publishes_nothing() -> None:
    async def scenario() -> None:
        network = await published()
        publishing = network["310000"].publishing
        beats = network["310000"].world.store.heartbeats_since(0)
        await network.relist("310000", standing=Standing.SUSPENDED, reason="测试")
        assert await refused(publishing.publish(BASE, [row(9)])) == "MEMBER_SUSPENDED"
        await network.relist("310000", standing=Standing.REMOVED, reason="测试")
        assert await refused(publishing.create_channel("new", manifest())) == "MEMBER_REMOVED"
        await publishing.beat()
        assert network["310000"].world.store.heartbeats_since(0) == beats
        del network.signing["310000"]
        await network.publish_registry()
        assert await refused(publishing.publish(BASE, [row(9)])) == "NOT_A_MEMBER"
        assert size_of(network["310000"]) == 2

    run(scenario())


def test_rows_of_an_authority_that_this_node_may_not_speak_for_go_back_and_the_others_go_on() -> None:
    async def scenario() -> None:
        network = Network("310000")
        item = manifest()
        item.item, item.disclosure = "penalty.2018", channel_pb2.DISCLOSURE_CLASS_C
        ours, theirs = authority_of_example(1), authority_of_example(2)
        node = make_node("310000", authorities=[{"uscc": ours}])
        network.signing["310000"] = node
        await network.publish_registry()
        publishing = network["310000"].publishing
        await publishing.create_channel("penalties", item)
        outcomes = await publishing.publish("310000/penalties", [penalty(1, ours), penalty(2, theirs)])
        assert [outcome.kind.value for outcome in outcomes] == ["accepted", "rejected"]
        assert outcomes[1].rejection is not None
        assert outcomes[1].rejection.defects[0].code == "VERDICT_AUTHORITY"
        # Rows that all go back make no entry.
        assert len(await publishing.publish("310000/penalties", [penalty(3, theirs)])) == 1
        assert size_of(network["310000"], "310000/penalties") == 2

    run(scenario())


def test_g12_this_node_begins_no_more_logs_than_its_peers_take() -> None:
    async def scenario() -> None:
        network = Network("310115")
        network.signing["310000"] = make_node("310000")
        network.limits = replace(DEFAULT_LIMITS, max_channels_per_origin=2)
        node = network.start("310000")
        for name in ("a", "b"):
            await node.publishing.create_channel(name, manifest())
        assert await refused(node.publishing.create_channel("c", manifest())) == "CHANNELS_LIMIT"
        await node.beat()
        assert len(node.world.store.heartbeats_since(0)) == 1

    run(scenario())


# --- At the same time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_g2_what_is_published_at_once_stands_one_after_another_and_all_of_it(seed: int) -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        network.make_writer = lambda store: YieldingWriter(store, seed)
        node = network.start("310000")
        await node.publishing.create_channel("base", manifest())
        jobs: list[Coroutine[Any, Any, Any]] = [node.publishing.publish(BASE, [row(serial)]) for serial in range(1, 9)]
        jobs.insert(3, node.publishing.set_audience(BASE, parse_audience("310115")))
        jobs.insert(6, node.publishing.set_audience(BASE, parse_audience("everyone")))
        jobs += [node.beat(), node.publishing.publish(BASE, [row(1)]), node.publishing.create_channel("b", manifest())]
        await asyncio.gather(*jobs)
        held = node.answering.channel(BASE)
        assert (held.log.size, held.applied_size, held.records) == (11, 11, 8)
        assert node.publishing.released((BASE, 0)) == 11
        assert_sound(node)
        await network.settle()
        assert network["310115"].answering.channel(BASE).log.root == held.log.root

    run(scenario())


def test_of_two_channels_created_at_once_under_one_name_one_is_refused() -> None:
    async def scenario() -> None:
        network = Network("310000")
        network.make_writer = YieldingWriter
        publishing = network.start("310000").publishing
        codes = await asyncio.gather(*(refused(publishing.create_channel("base", manifest())) for _ in range(3)))
        assert sorted(codes) == ["", "CHANNEL_EXISTS", "CHANNEL_EXISTS"]

    run(scenario())


def test_a_signature_that_lost_the_race_for_its_place_never_leaves() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        lost = node.answering.channel(BASE)
        await node.publishing.publish(BASE, [row(8)])
        header = node.publishing._header(lost.log, channel_pb2.ENTRY_KIND_RECORDS)
        body = node.publishing._body(header, [row(9).record])
        assert await refused(node.publishing._append(lost.log, header, body, Lane.BULK)) == "HEAD_MOVED"
        await network.settle()
        for each in network.nodes.values():
            assert (size_of(each), each.world.store.equivocations_since(0)) == (3, [])

    run(scenario())


# --- The sidecar --------------------------------------------------------------------------------------------------


class FailingSidecar(MemorySidecar):
    """A sidecar on a disk that is full for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        if self.full:
            raise XinqiaoError("DATABASE", detail="No space left on device")
        super().write(incarnation, heads)


def test_g7_no_signature_leaves_before_the_sidecar_has_it_and_none_is_lost() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        sidecar = FailingSidecar()
        node = network.start("310000", sidecar=sidecar)
        await node.publishing.create_channel("base", manifest())
        await node.publishing.publish(BASE, [row(1)])
        await network.settle()
        sidecar.full = True
        assert await refused(node.publishing.publish(BASE, [row(2)])) == "DATABASE"
        await network.sync("310115", "310000")
        assert (size_of(node), size_of(network["310115"])) == (3, 2)
        assert [key for key, head in node.sharing.heads("310115") if head.size > 2] == []
        # Nor does a heartbeat say what the sidecar does not know.
        assert await refused(node.beat()) == "DATABASE"
        sidecar.full = False
        await node.beat()
        await network.sync("310115", "310000")
        assert size_of(network["310115"]) == 3
        outcomes = await node.publishing.publish(BASE, [row(2)])
        assert [outcome.kind.value for outcome in outcomes] == ["duplicate"]

    run(scenario())


def test_g7_a_crash_between_commit_and_sidecar_leaves_one_history() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        sidecar = FailingSidecar()
        node = network.start("310000", sidecar=sidecar)
        await node.publishing.create_channel("base", manifest())
        sidecar.full = True
        await refused(node.publishing.publish(BASE, [row(1)]))
        sidecar.full = False
        again = network.start("310000", memory_of(node), sidecar)
        assert again.publishing.blocked is None
        assert sidecar.kept is not None
        assert sidecar.kept[1][BASE, 0].size == 2
        await again.publishing.publish(BASE, [row(2)])
        await network.settle()
        assert network["310115"].answering.channel(BASE).records == 2

    run(scenario())


# --- Restore -------------------------------------------------------------------------------------------------------


async def restored(network: Network) -> Node:
    """310000 started from a backup made before its last entry; its peers hold the rest."""
    backup = memory_of(network["310000"]).copy()
    await network["310000"].publishing.publish(BASE, [row(20)])
    await network.settle()
    return network.start("310000", backup, network.sidecars["310000"])


def test_g7_a_restored_node_neither_publishes_nor_beats_before_it_has_its_history_back() -> None:
    async def scenario() -> None:
        network = await published()
        node = await restored(network)
        beat = node.world.store.heartbeat("310000")
        for job in (
            node.publishing.publish(BASE, [row(30)]),
            node.publishing.set_audience(BASE, parse_audience("310115")),
            node.publishing.create_channel("new", manifest()),
            node.publishing.erase(BASE, Place(0, 1, 0), "x", "y"),
        ):
            assert await refused(job) == "RESTORED"
        await node.publishing.beat()
        assert node.world.store.heartbeat("310000") == beat
        blocked = node.publishing.blocked
        assert blocked is not None
        assert "holds 2 of 3" in blocked.text
        await network.sync("310000", "330100")
        assert node.publishing.blocked is None
        await node.publishing.publish(BASE, [row(30)])
        await network.settle()
        assert {size_of(each) for each in network.nodes.values()} == {4}

    run(scenario())


def test_g7_the_history_also_comes_back_by_a_peer_that_calls() -> None:
    async def scenario() -> None:
        network = await published()
        node = await restored(network)
        await network.sync("310115", "310000")
        assert (size_of(node), node.publishing.blocked) == (3, None)

    run(scenario())


async def beaten_and_lost(network: Network) -> Node:
    """310000 without its sidecar, on a backup made before an entry of which its peers hold a heartbeat alone."""
    backup = memory_of(network["310000"]).copy()
    network.tamper = refuse_entries
    await network["310000"].publishing.publish(BASE, [row(20)])
    await network.settle()
    network.tamper = None
    return network.start("310000", backup, MemorySidecar(lost=True))


def refuse_entries(_sender: str, receiver: str, _signed: SignedEntry) -> SignedEntry:
    raise XinqiaoError("WIRE_UNREACHABLE", peer=receiver, address="-", detail="test")


@pytest.mark.parametrize("calls", [True, False])
def test_g7_a_heartbeat_over_what_nobody_holds_keeps_a_restored_node_from_writing_it_otherwise(calls: bool) -> None:
    async def scenario() -> None:
        network = await published()
        node = await beaten_and_lost(network)
        for peer in ("310115", "330100") * 3:
            await network.sync("310000", peer) if calls else await network.sync(peer, "310000")
        assert [size_of(each) for each in network.nodes.values()] == [2, 2, 2]
        assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
        assert node.publishing.blocked is not None
        assert "holds 2 of 3" in node.publishing.blocked.text

    run(scenario())


def test_g7_a_peer_that_has_not_told_all_it_holds_again_does_not_end_a_recovery() -> None:
    async def scenario() -> None:
        network = await published()
        node = network.start("310000", memory_of(network["310000"]).copy(), MemorySidecar(lost=True))
        await node.refresh_registry()
        for peer in ("310115", "330100"):
            await network.sync(peer, "310000")
        assert node.publishing.blocked is not None
        for peer in ("310115", "330100"):
            await network.sync(peer, "310000")
        assert node.publishing.blocked is None

    run(scenario())


def test_a_heartbeat_by_a_key_that_is_not_ours_comes_back_in_vain() -> None:
    async def scenario() -> None:
        network = await published()
        publishing = network["310000"].publishing
        beat = make_heartbeat(make_node("310000"), {(BASE, 0): HeadAt(99, b"\x01" * 32)})
        with pytest.raises(XinqiaoError, match="SIGNATURE"):
            publishing.heartbeat_returned(beat.view)
        assert publishing.blocked is None

    run(scenario())


def test_g7_a_lost_database_and_an_intact_sidecar_give_nothing_away() -> None:
    async def scenario() -> None:
        network = await published()
        node = network.start("310000", MemoryStore(), network.sidecars["310000"])
        await node.refresh_registry()
        assert await refused(node.publishing.create_channel("base", manifest())) == "RESTORED"
        await network.sync("310115", "310000")
        blocked = node.publishing.blocked
        assert blocked is not None
        assert "330100" in blocked.text
        await network.sync("330100", "310000")
        await network.sync("330100", "310000")
        await network.sync("310115", "310000")
        assert node.publishing.blocked is None
        await node.publishing.publish(BASE, [row(30)])
        await network.settle()
        assert {size_of(each) for each in network.nodes.values()} == {3}
        assert not any(each.world.store.equivocations_since(0) for each in network.nodes.values())

    run(scenario())


def test_g7_a_home_that_lost_everything_but_its_keys_does_not_begin_its_channels_again() -> None:
    async def scenario() -> None:
        network = await published()
        node = network.start("310000", MemoryStore(), MemorySidecar(lost=True))
        await node.refresh_registry()
        assert await refused(node.publishing.create_channel("base", manifest())) == "RESTORED"
        for peer in ("310115", "330100"):
            await network.sync("310000", peer)
        assert node.publishing.blocked is None
        assert await refused(node.publishing.create_channel("base", manifest())) == "CHANNEL_EXISTS"
        await node.publishing.publish(BASE, [row(30)])
        await network.settle()
        assert {each.answering.channel(BASE).records for each in network.nodes.values()} == {4}
        assert not any(each.world.store.equivocations_since(0) for each in network.nodes.values())

    run(scenario())


def test_g7_an_entry_of_ours_that_we_lack_stops_publishing_whoever_brings_it() -> None:
    async def scenario() -> None:
        network = await published()
        backup = memory_of(network["310000"]).copy()
        await network["310000"].publishing.publish(BASE, [row(20)])
        await network.settle()
        # Sidecar and database were both put back: only what a peer holds tells.
        kept = MemorySidecar()
        kept.write(backup.incarnation(), {(BASE, 0): HeadAt(2, backup.log(BASE, 0).root)})
        node = network.start("310000", backup, kept)
        await node.refresh_registry()
        assert node.publishing.blocked is None
        returned = list(network["310115"].sharing.entries("310000", BASE, 0, 2, None))
        await node.receive(returned)
        assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
        for peer in ("310115", "330100"):
            await network.sync("310000", peer)
        await node.publishing.publish(BASE, [row(30)])

    run(scenario())


def beating_after_commits(node: Node) -> None:
    """Let what ends a recovery, and a heartbeat, come between each commit and whoever waits for it."""
    writer, beats = node.world.writer, [False]
    run = writer.run

    async def run_and_beat(lane: Lane, step: Callable[[StoreTransaction], Any]) -> Any:
        found = await run(lane, step)
        if not beats[0]:
            beats[0] = True
            await node.publishing.beat()
            beats[0] = False
        return found

    writer.run = run_and_beat  # type: ignore[method-assign]


def test_the_entry_that_ends_a_recovery_does_not_begin_another_one() -> None:
    async def scenario() -> None:
        network = await published()
        node = await restored(network)
        beating_after_commits(node)
        await node.receive(list(network["310115"].sharing.entries("310000", BASE, 0, 2, None)))
        assert node.publishing.blocked is None

    run(scenario())


def test_g7_a_heartbeat_does_not_take_an_entry_that_comes_back_for_one_that_was_written_here() -> None:
    async def scenario() -> None:
        network = await published()
        backup = memory_of(network["310000"]).copy()
        await network["310000"].publishing.publish(BASE, [row(20)])
        await network.settle()
        kept = MemorySidecar()
        kept.write(backup.incarnation(), {(BASE, 0): HeadAt(2, backup.log(BASE, 0).root)})
        node = network.start("310000", backup, kept)
        await node.refresh_registry()
        beating_after_commits(node)
        await node.receive(list(network["310115"].sharing.entries("310000", BASE, 0, 2, None)))
        assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
        assert node.publishing.unanswered == ["310115", "330100"]

    run(scenario())


async def put_back_under(network: Network, older: MemoryStore) -> Node:
    """310000 goes on serving, on what its database held before: nobody has told it."""
    node = network["310000"]
    await node.publishing.publish(BASE, [row(20)])
    await network.settle()
    memory_of(node)._state = older._state
    memory_of(node)._generation += 1
    return node


@pytest.mark.parametrize("beats", [True, False])
def test_g7_a_database_that_is_put_back_under_a_node_makes_it_write_nothing_twice(beats: bool) -> None:
    async def scenario() -> None:
        network = await published()
        node = await put_back_under(network, memory_of(network["310000"]).copy())
        assert size_of(node) == 2
        before = network.sidecars["310000"].read()
        if beats:
            await node.publishing.beat()
            assert node.publishing.blocked is not None
        assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
        assert network.sidecars["310000"].read() == before
        await network.sync("310000", "330100")
        assert (size_of(node), node.publishing.blocked) == (3, None)
        await node.publishing.publish(BASE, [row(30)])
        await network.settle()
        assert {size_of(each) for each in network.nodes.values()} == {4}
        assert not any(each.world.store.equivocations_since(0) for each in network.nodes.values())

    run(scenario())


def test_g7_a_database_that_is_empty_under_a_node_makes_it_begin_no_channel_twice() -> None:
    async def scenario() -> None:
        network = await published()
        node = await put_back_under(network, MemoryStore(incarnation=network["310000"].world.store.incarnation()))
        assert await refused(node.publishing.create_channel("base", manifest())) == "RESTORED"
        await network.sync("310000", "310115")
        assert (size_of(node), node.publishing.blocked) == (3, None)

    run(scenario())


def test_a_recovery_asks_every_member_and_links_to_them_all() -> None:
    async def scenario() -> None:
        network = await published(3, *(f"3205{number:02}" for number in range(20)))
        network.settings = {"links_further": 0}
        node = network.start("310000", memory_of(network["310000"]), MemorySidecar(lost=True))
        assert set(node.delivery._choose()) == set(network.nodes) - {"310000"}
        await network.sync("310000", "320500")
        assert len(node.publishing.unanswered) == 21
        blocked = node.publishing.blocked
        assert blocked is not None
        assert "310115" in blocked.text
        assert "16 more" in blocked.text

    run(scenario())


def test_a_member_that_claims_entries_of_ours_and_gives_none_does_not_stop_a_recovery() -> None:
    async def scenario() -> None:
        network = await published()
        node = network.start("310000", memory_of(network["310000"]), MemorySidecar(lost=True))
        await node.refresh_registry()
        liar = network["330100"]
        true_heads = liar.sharing.heads

        def lie(peer: str) -> Any:
            return [(key, HeadAt(head.size + 5, b"\x05" * 32)) for key, head in true_heads(peer)]

        liar.sharing.heads = lie  # type: ignore[method-assign]
        await network.sync("310000", "330100")
        await network.sync("310000", "310115")
        assert node.publishing.blocked is None
        assert {alarm.code for alarm in node.answering.alarms()} == {"HEAD_FALSE"}
        assert_sound(node)

    run(scenario())


async def reopened(later_ms: int) -> Node:
    """310000 without its sidecar and with a member gone for good; the officers open its next epoch some time later."""
    network = await published()
    node = network.start("310000", memory_of(network["310000"]), MemorySidecar(lost=True))
    network.down |= {"330100"}
    await node.refresh_registry()
    await network.settle()
    assert await refused(node.publishing.publish(BASE, [row(30)])) == "RESTORED"
    log = node.answering.channel(BASE).log
    cut = Cut(frozenset({head_leaf(BASE, 0, HeadAt(log.size, log.root))}))
    network.clock.time_ms += later_ms
    await network.relist("310000", standing=Standing.SUSPENDED, reason="恢复", cut=cut)
    await network.relist("310000", standing=Standing.ACTIVE, reason="", open_epoch=1)
    return node


def test_g7_an_epoch_that_was_open_before_the_restore_is_no_answer_of_the_officers() -> None:
    async def scenario() -> None:
        node = await reopened(later_ms=OFFICERS_MS // 2)
        assert await refused(node.publishing.publish(BASE, [row(1)])) == "RESTORED"

    run(scenario())


def test_officers_end_a_recovery_that_waits_for_members_gone_for_good() -> None:
    async def scenario() -> None:
        node = await reopened(later_ms=OFFICERS_MS)
        outcomes = await node.publishing.publish(BASE, [row(1), row(30)])
        assert [outcome.kind.value for outcome in outcomes] == ["duplicate", "accepted"]
        assert node.answering.channel(BASE).log.epoch == 1
        assert_sound(node)

    run(scenario())


def test_a_single_node_without_a_sidecar_waits_for_nobody() -> None:
    async def scenario() -> None:
        network = Network("310000")
        await network["310000"].publishing.create_channel("base", manifest())
        node = network.start("310000", memory_of(network["310000"]), MemorySidecar(lost=True))
        await node.refresh_registry()
        await node.publishing.publish(BASE, [row(1)])
        assert size_of(node) == 2

    run(scenario())


# --- Epochs and heartbeats ----------------------------------------------------------------------------------------


def test_a_channel_created_in_a_later_epoch_cites_that_there_was_nothing_before() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        await network.relist("310000", open_epoch=2)
        held = await network["310000"].publishing.create_channel("late", manifest())
        resumes = held.manifest.resumes
        assert (held.log.epoch, resumes.epoch, resumes.size, resumes.root) == (2, 1, 0, EMPTY_ROOT)
        await network.settle()
        assert size_of(network["310115"], "310000/late") == 1

    run(scenario())


def test_heartbeats_grow_also_when_the_clock_is_set_back() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        times = []
        for step in (0, 10, -5000, 0, 7):
            network.clock.time_ms += step
            await node.beat()
            held = node.world.store.heartbeat("310000")
            assert held is not None
            times.append(held.time_ms)
        assert times == sorted(set(times))

    run(scenario())


def test_g9_an_erased_record_leaves_no_trace_at_its_origin() -> None:
    async def scenario() -> None:
        network = await published()
        node = network["310000"]
        await node.publishing.erase(BASE, Place(0, 1, 1), "沪更〔2026〕1号", "数据有误")
        entry = node.world.store.entry(BASE, 0, 1)
        assert entry is not None
        assert code_of(2).encode() not in (entry.body or b"")
        assert code_of(1).encode() in (entry.body or b"")
        assert await refused(node.publishing.erase(BASE, Place(0, 1, 1), "x", "y")) == "RECORD_UNKNOWN"
        # The same row can be published again, as a new record.
        assert [outcome.kind.value for outcome in await node.publishing.publish(BASE, [row(2)])] == ["accepted"]
        assert_sound(node)

    run(scenario())
