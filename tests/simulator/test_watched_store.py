"""The watched store keeps the contract of every store, remembers only what is still so, and tells each commit."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.state import Place
from node.ports import LinkState, RegistryFileRecord, Store, StoreTransaction
from node.simulator.contents import contents_digest
from node.simulator.disk import SimulatedDisk
from node.simulator.disk_faults import ProcessKilled
from node.simulator.observing import Write
from node.simulator.scenario import DiskOptions
from node.simulator.watched_store import WatchedStore
from node.storage.sqlite import SqliteStore
from tests.builders import (
    NOW_MS,
    ChannelWriter,
    SigningNode,
    erasure_of,
    make_address,
    make_heartbeat,
    make_receipt,
    put_in_force,
)
from tests.storage import contract

CHANNEL = contract.CHANNEL
Step = Callable[[StoreTransaction], object]


def open_store(directory: Path, watch: Callable[[str, Sequence[Write]], None] = lambda *_: None) -> WatchedStore:
    disk = SimulatedDisk(directory, "310000", DiskOptions(), Random(1), watch, lambda: None, contract.SMALL)
    return disk.open()[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


class TestTransactions(contract.TransactionContract): ...


class TestLogs(contract.LogContract): ...


class TestBodies(contract.BodyContract): ...


class TestFold(contract.FoldContract): ...


class TestErasure(contract.ErasureContract): ...


class TestStanding(contract.StandingContract): ...


class TestStatements(contract.StatementContract): ...


class TestSurroundings(contract.SurroundingsContract): ...


def calling(method: str, *given: Any, **named: Any) -> Step:
    return lambda tx: getattr(tx, method)(*given, **named)


def steps_of(nodes: Sequence[SigningNode], random: Random) -> Iterator[Step]:
    """Steps of every writing method, in an order that the random decides where the store leaves a choice."""
    shanghai, pudong = nodes
    logs = [ChannelWriter(shanghai, CHANNEL), ChannelWriter(pudong, "310115/permits")]
    waiting: dict[int, list[Any]] = {0: [], 1: []}
    for at in range(120):
        which = random.randrange(2)
        log, unapplied = logs[which], waiting[which]
        channel = log.log.channel
        kind = random.randrange(12)
        if kind < 3 or not log.entries:
            entry = log.records([b"%d" % at, b"two"]) if log.entries else log.manifest()
            unapplied.append(entry)
            yield calling("append", entry, NOW_MS, complete=True)
        elif kind == 3 and unapplied:
            applied = put_in_force(unapplied.pop(0))
            yield calling("apply", applied)
        elif kind == 4:
            held = random.choice(log.entries)
            if held.body is not None:
                yield calling("put_erasures", channel, iter([erasure_of(held, 0)]))
        elif kind == 5:
            beat = make_heartbeat(log.node, {(channel, 0): log.head}, time_ms=NOW_MS + random.randrange(50))
            yield calling("put_heartbeat", beat)
        elif kind == 6:
            receipt = make_receipt(pudong, log.log, applied_size=random.randrange(log.log.size + 1))
            yield calling("put_receipt", receipt)
        elif kind == 7:
            record, envelope = make_address(log.node, random.randrange(9))
            yield calling("put_address", record, envelope)
        elif kind == 8:
            yield calling("put_link", LinkState(log.node.id, at))
        elif kind == 9:
            yield calling("raise_alarm", "CODE", f"subject {at % 5}", {"at": str(at)}, NOW_MS + at)
        elif kind == 10:
            yield random.choice(standing_of(channel, log, at))
        else:
            files = [RegistryFileRecord("timestamp.json", b"%d" % at)]
            yield calling("replace_registry_files", files, keep=())


def standing_of(channel: str, log: ChannelWriter, at: int) -> list[Step]:
    origin = channel.partition("/")[0]
    return [
        lambda tx: tx.set_fresh(channel, 0, NOW_MS + at),
        lambda tx: tx.forget_dates(NOW_MS + at - 7),
        lambda tx: tx.set_covered(channel, 0, log.head),
        lambda tx: tx.set_cut(channel, 0, HeadAt(at % 4, bytes(32))),
        lambda tx: tx.set_quarantined(origin, at % 2 == 0),
        lambda tx: tx.set_setting("name", str(at)),
        lambda tx: tx.clear_alarm("CODE", f"subject {at % 5}"),
        lambda tx: tx.set_covered(channel, 1, log.head),
    ]


def read_all(store: Store) -> list[object]:
    """What the duties ask for, in the forms in which they ask."""
    found: list[object] = [contents_digest(store), store.setting("name"), store.registry_file("timestamp.json")]
    for channel in (CHANNEL, "310115/permits", "310115/none"):
        found += [store.channel(channel), store.channel(channel, 0), store.channel(channel, epoch=1)]
        found += [store.log(channel, 0), store.log(channel, 1), store.entry(channel, 0, 1)]
        found += [store.receipt(channel, "310115"), list(store.receipts(channel)), store.record_count(channel)]
        found += [store.record(channel, Place(0, 1, 0)), store.erasures(channel, 0, 1)]
        found += [list(store.incomplete_entries(channel, 0, 9)), dict(store.outcomes(channel, 0))]
    for node in ("310000", "310115"):
        found += [store.link(node), store.heartbeat(node), store.address(node), list(store.receipts_of(node))]
    return [*found, store.alarms(), store.heartbeats_since(1), store.addresses_since(1)]


@pytest.mark.parametrize("seed", range(6))
def test_what_it_remembers_is_what_the_database_says(
    tmp_path: Path, seed: int, shanghai: SigningNode, pudong: SigningNode
) -> None:
    watched = open_store(tmp_path)
    with SqliteStore.open(tmp_path / "xinqiao.db", create=False, limits=contract.SMALL) as plain:
        for step in steps_of([shanghai, pudong], Random(seed)):
            with watched.transaction() as tx:
                step(tx)
            assert read_all(watched) == read_all(plain)
    watched.close()


def test_each_commit_is_told_with_its_calls_and_their_results(tmp_path: Path, writer: ChannelWriter) -> None:
    told: list[tuple[str, list[Write]]] = []
    store = open_store(tmp_path, lambda node, writes: told.append((node, list(writes))))
    first = writer.manifest()
    with store.transaction() as tx:
        held = tx.append(first, NOW_MS, complete=True)
        tx.apply(put_in_force(first))
        assert told == []
    [(node, [append, apply])] = told
    assert (node, append) == ("310000", Write("append", (first, NOW_MS, True), held))
    assert (apply.method, apply.result) == ("apply", store.channel(CHANNEL))
    with store.transaction() as tx:
        tx.put_erasures(CHANNEL, iter(()))
        tx.setting("name")
    assert told[1:] == [("310000", [Write("put_erasures", (CHANNEL, ()), None)])]
    with store.transaction() as tx:
        tx.setting("name")
    assert len(told) == 2
    store.close()


def test_a_transaction_that_is_rolled_back_is_not_told(tmp_path: Path, writer: ChannelWriter) -> None:
    told: list[Write] = []
    store = open_store(tmp_path, lambda _node, writes: told.extend(writes))
    first, second = writer.manifest(), writer.records([b"one"])
    with pytest.raises(XinqiaoError), store.transaction() as tx:  # noqa: PT012
        tx.set_setting("name", "value")
        tx.append(second, NOW_MS, True)  # the log has no first entry
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012
        tx.append(first, NOW_MS, True)
        raise ZeroDivisionError
    assert (told, store.channels(), store.setting("name")) == ([], [], None)
    store.close()


def test_an_answer_that_its_asker_changes_is_not_what_the_next_one_gets(store: Store, writer: ChannelWriter) -> None:
    contract.keep_and_apply(store, writer.manifest(), writer.records([b"one"]))
    reads: list[Callable[[], Any]] = [partial(store.outcomes, CHANNEL, 0), store.channels, partial(store.receipts, "-")]
    for read in reads:
        before = list(read())
        read().clear()
        assert list(read()) == before


def test_an_iteration_goes_on_while_others_commit(store: Store, writer: ChannelWriter) -> None:
    contract.keep_and_apply(store, writer.manifest(), *[writer.records([b"one"]) for _ in range(4)])
    reading = store.entries(CHANNEL, 0, 0)
    seen = [next(reading).index]
    contract.keep_and_apply(store, writer.records([b"later"]))
    seen += [entry.index for entry in reading]
    assert seen in ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5])
    assert [entry.index for entry in store.entries(CHANNEL, 0, 0)] == [0, 1, 2, 3, 4, 5]


def test_after_its_process_is_killed_every_call_ends_it(tmp_path: Path, writer: ChannelWriter) -> None:
    disk = SimulatedDisk(tmp_path, "310000", DiskOptions(), Random(1), lambda *_: None, lambda: None, DEFAULT_LIMITS)
    store, _ = disk.open()
    contract.keep_and_apply(store, writer.manifest())
    store.channels(), store.link("310115")
    reading = store.entries(CHANNEL, 0, 0)
    next(reading)
    disk.close()
    for call in (
        store.channels,
        lambda: store.channel(CHANNEL),
        lambda: store.link("310115"),
        store.record_count,
        lambda: next(reading),
        lambda: next(store.registry_files()),
        lambda: store.transaction().__enter__(),
    ):
        with pytest.raises(ProcessKilled):
            call()
