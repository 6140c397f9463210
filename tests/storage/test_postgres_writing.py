"""What one transaction on a server remembers and how often it asks; what it leaves behind is the store contract."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.merkle import EMPTY_ROOT
from node.ports import Store, StoreReader, StoreTransaction
from node.storage.memory import MemoryStore
from node.storage.postgres import PostgresStore
from node.storage.postgres_dialect import Contents, Numbers, Texts
from node.storage.postgres_writing import PostgresTransaction
from tests import postgres
from tests.builders import NOW_MS, ChannelWriter, SigningNode, erasure_of, key_of, put_in_force
from tests.duties.rows import manifest, row
from tests.storage.dying import keep_and_apply
from tests.wire import Network

CHANNELS = ("310000/penalties", "310000/permits")
KEYS = tuple("abcdefgh")
JOURNEYS = 8
"""BEGIN, the log, what is erased, the entry, its records, a heartbeat, how fresh that makes it, COMMIT."""


@pytest.fixture
def store() -> Iterator[PostgresStore]:
    with postgres.new_store() as opened:
        yield opened


class TestJourneys:
    @pytest.mark.parametrize("records", [20, 600])
    def test_an_entry_takes_few_of_them_however_many_records_it_has(
        self, store: PostgresStore, monkeypatch: pytest.MonkeyPatch, records: int
    ) -> None:
        taken = journeys_counted(store, monkeypatch)
        asyncio.run(exchange(store, lambda entry: [row(entry * records + at) for at in range(records)]))
        assert store.record_count() == 3 * records
        assert taken[1:] == [JOURNEYS] * 3  # the first one took the manifest

    def test_records_that_are_replaced_take_few_more(
        self, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = journeys_counted(store, monkeypatch)
        asyncio.run(exchange(store, lambda entry: [row(at, f"{entry}") for at in range(200)]))
        assert store.record_count() == 200
        assert JOURNEYS < max(taken[1:]) <= JOURNEYS + 4  # they are looked for


async def exchange(store: PostgresStore, rows: Callable[[int], Sequence[Any]]) -> None:
    """Publish three entries and bring them over, one after another."""
    network = Network("310000", "330100")
    network.start("330100", store)
    publishing = network["310000"].publishing
    await publishing.create_channel("base", manifest())
    for entry in range(3):
        await publishing.publish("310000/base", rows(entry))
        await network.settle()


def journeys_counted(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often each transaction that folds something waits for the server, from its beginning through its commit."""
    original, raw, taken = store.transaction, store._connected_writer(1).raw, list[int]()
    waits, wait = 0, raw.wait

    def counting(generator: Any, *given: Any, **named: Any) -> Any:
        nonlocal waits
        waits += 1
        return wait(generator, *given, **named)

    @contextmanager
    def transaction() -> Iterator[PostgresTransaction]:
        nonlocal waits
        folded, waits = sum(held.applied_size for held in store.channels()), 0
        with original() as found:
            yield found
        if sum(held.applied_size for held in store.channels()) > folded:
            taken.append(waits)

    monkeypatch.setattr(raw, "wait", counting)
    monkeypatch.setattr(store, "transaction", transaction)
    return taken


class TestMemory:
    @pytest.mark.parametrize("seed", range(8))
    def test_a_transaction_reads_at_each_moment_what_it_would_find_had_it_forgotten_all(
        self, store: PostgresStore, shanghai: SigningNode, seed: int
    ) -> None:
        draw, reference = random.Random(seed), MemoryStore()
        writers = [ChannelWriter(shanghai, name) for name in CHANNELS]
        for writer in writers:
            writer.manifest()
            for _ in range(12):
                writer.records([draw.randbytes(8) for _ in range(4)])
        done = []
        with store.transaction() as tx:
            for _ in range(80):
                step = _drawn(draw, draw.choice(writers), tx)
                done.append(step.__name__)
                assert _outcome(tx, step) == _transacted(reference, step), done
                assert _seen(tx) == _seen(reference), done
        assert _seen(store) == _seen(reference)

    def test_what_another_transaction_left_undone_is_not_remembered(
        self, store: PostgresStore, writer: ChannelWriter
    ) -> None:
        first, second = writer.manifest(), writer.records([b"one"])
        with pytest.raises(XinqiaoError, match="HEAD_MOVED"):
            keep_and_apply(store, first, second, second)
        assert store.channel(first.channel) is None
        assert list(store.entries(first.channel, 0, 0)) == []
        with store.transaction() as tx:
            assert tx.channel(first.channel, 0) is None
            with pytest.raises(XinqiaoError, match="HEAD_MOVED"):
                tx.append(second, NOW_MS, complete=True)


Step = Callable[[StoreTransaction], object]


def _drawn(draw: random.Random, writer: ChannelWriter, tx: StoreReader) -> Step:
    """One of the things that are done to a log, with what it is done with."""
    channel = writer.log.channel
    log = tx.log(channel, 0)
    held = tx.channel(channel, 0)
    applied = held.applied_size if held is not None else 0
    ahead = min(max(0, log.size + draw.choice([0, 0, 0, 0, 0, 1, -1])), len(writer.entries) - 1)
    entry, any_entry = writer.entries[ahead], draw.choice(writer.entries)
    position = draw.randrange(4)
    cut = HeadAt(draw.randrange(len(writer.entries)), EMPTY_ROOT)

    def append(tx: StoreTransaction) -> object:
        return tx.append(entry, NOW_MS, complete=True)

    def apply(tx: StoreTransaction) -> object:
        folded = writer.entries[min(applied, len(writer.entries) - 1)]
        chosen = dict(enumerate(draw_keys)) if folded.body is not None else {}
        found = tx.find_keys(channel, [key_of(name) for name in chosen.values()])
        replaces = {at: found[key_of(name)].place for at, name in chosen.items() if key_of(name) in found}
        return tx.apply(put_in_force(folded, chosen, "S", replaces, barred=[position] if is_barred else ()))

    def erase(tx: StoreTransaction) -> None:
        tx.put_erasures(channel, [erasure_of(any_entry, position)] if any_entry.body is not None else [])

    def cut_off(tx: StoreTransaction) -> None:
        tx.set_cut(channel, 0, cut)

    def leave(tx: StoreTransaction) -> None:
        tx.erase_bodies(channel, 0)
        tx.set_left(channel, 0, log.size)

    def come_back(tx: StoreTransaction) -> None:
        tx.set_left(channel, 0, None)

    def freshen(tx: StoreTransaction) -> None:
        tx.set_fresh(channel, 0, NOW_MS + position)

    def close(tx: StoreTransaction) -> None:
        tx.set_quarantined("310000", position > 1)

    draw_keys, is_barred = draw.sample(KEYS, 4), draw.random() < 0.2
    steps = [append] * 8 + [apply] * 8 + [erase] * 3 + [cut_off, leave, come_back, freshen, close]
    return draw.choice(steps)


def _transacted(store: Store, step: Step) -> object:
    with store.transaction() as tx:
        return _outcome(tx, step)


def _outcome(tx: StoreTransaction, step: Step) -> object:
    try:
        return step(tx)
    except XinqiaoError as error:
        return error.code, error.parameters


def _seen(store: StoreReader) -> object:
    """Everything that a duty asks of a log while it takes entries."""
    return [
        (
            store.channel(channel, 0),
            store.log(channel, 0),
            list(store.entries(channel, 0, 0)),
            list(store.entries(channel, 0, 3, 6, with_bodies=False)),
            [store.erasures(channel, 0, index) for index in range(13)],
            store.find_keys(channel, [key_of(name) for name in KEYS]),
            store.outcomes(channel, 0),
        )
        for channel in CHANNELS
    ]


class TestArrays:
    @pytest.mark.parametrize(
        ("given", "kind"),
        [
            (Numbers([]), "bigint"),
            (Numbers([0, -1, None, (1 << 63) - 1]), "bigint"),
            (Contents([b"", b"\0\xff", None]), "bytea"),
            (Contents([]), "bytea"),
            (Texts(["", "信桥", "a\0b\1"]), "text"),
            (Texts([]), "text"),
        ],
    )
    def test_values_come_back_as_they_were_sent(
        self, store: PostgresStore, given: tuple[object, ...], kind: str
    ) -> None:
        with store._connected() as connection:
            statement = f"SELECT v FROM unnest(?::{kind}[]) WITH ORDINALITY AS given (v, at) ORDER BY at"
            assert [value for (value,) in connection.execute(statement, (given,)).fetchall()] == list(given)
