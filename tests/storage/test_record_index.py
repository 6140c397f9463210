"""The index of the embedded database finds what the memory store finds, whatever was merged, lost or taken back."""

from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from node.core.channel import HeadAt
from node.core.entry import VerifiedEntry
from node.core.state import Applied, HeldKey, Place, RecordInForce
from node.ports import Store, StoreReader
from node.storage import record_index
from node.storage.memory import MemoryStore
from node.storage.record_blocks import blocks_from
from node.storage.record_index import terms_of
from node.storage.sql_ports import Indexed
from node.storage.sqlite import SqliteStore
from node.storage.waiting_terms import Tail, Term
from tests.builders import NOW_MS, ChannelWriter, erasure_of, key_of, make_node

CHANNEL = "310000/penalties"
KEYS, SUBJECTS = [f"key {number}" for number in range(12)], [f"subject {number}" for number in range(4)]
PER_ENTRY = 3

Change = Callable[[Store], None]


class Twins:
    """The store under test and the one that needs no index, which the same happens to."""

    def __init__(self, path: Path, slices: int, limit: int) -> None:
        self.path = path
        self.size = (slices, limit)
        self.writer = ChannelWriter(make_node("310000"), CHANNEL)
        self.memory = MemoryStore()
        self.sqlite = self.opened()

    def opened(self) -> SqliteStore:
        return SqliteStore.open(self.path, create=True, tail=Tail(*self.size))

    def both(self, change: Change) -> None:
        for store in (self.memory, self.sqlite):
            change(store)

    def apply(self, names: Sequence[tuple[str, str]]) -> None:
        """One more entry; names are the key and the subject of each record, the last of a key counts."""
        contents = [f"{self.writer.log.size} {at} {key}".encode() for at, (key, _) in enumerate(names)]
        entry = self.writer.records(contents)
        self.both(lambda store: enter(store, entry, names))

    def take_back(self, names: Sequence[tuple[str, str]]) -> None:
        """An entry whose transaction does not come to its end."""
        log, entries = self.writer.log, list(self.writer.entries)
        entry = self.writer.records([name.encode() for name, _ in names])
        self.writer.log, self.writer.entries = log, entries
        with suppress(KeyError), self.sqlite.transaction() as tx:
            tx.append(entry, NOW_MS, complete=True)
            tx.apply(folded(tx, entry, names))
            raise KeyError

    def refold_and_take_back(self) -> None:
        """Everything is forgotten, one record comes anew, and none of it has happened."""
        if self.writer.log.size:
            with suppress(KeyError), self.sqlite.transaction() as tx:
                tx.set_left(CHANNEL, 0, 0)
                tx.set_left(CHANNEL, 0, None)
                tx.apply(Applied(CHANNEL, 0, 0, [RecordInForce(0, key_of("key 0"), bytes(32), "subject 0")]))
                raise KeyError

    def erase(self, number: int) -> None:
        slots = [(entry, at) for entry in self.writer.entries for at in range(entry.header.record_count)]
        if slots:
            entry, position = slots[number % len(slots)]
            erasure = erasure_of(entry, position)

            def change(store: Store) -> None:
                with store.transaction() as tx:
                    tx.put_erasures(CHANNEL, [erasure])

            self.both(change)

    def cut(self, number: int) -> None:
        size = number % (self.writer.log.size + 1)

        def change(store: Store) -> None:
            with store.transaction() as tx:
                tx.set_cut(CHANNEL, 0, HeadAt(size, bytes(32)))

        self.both(change)

    def refold(self) -> None:
        """Leave the audience and come back: everything is folded again, with what is held."""

        def change(store: Store) -> None:
            with store.transaction() as tx:
                tx.set_left(CHANNEL, 0, 0)
                tx.set_left(CHANNEL, 0, None)

        if self.writer.log.size:
            self.both(change)
            self.both(self.fold_all)

    def fold_all(self, store: Store) -> None:
        for entry in self.writer.entries:
            with store.transaction() as tx:
                tx.apply(Applied(CHANNEL, 0, entry.header.index))

    def leave(self) -> None:
        def change(store: Store) -> None:
            with store.transaction() as tx:
                tx.erase_bodies(CHANNEL, 0)

        if self.writer.log.size:
            self.both(change)

    def restart(self) -> None:
        """The process is gone, and with it all that was in memory only."""
        self.sqlite.close()
        self.sqlite = self.opened()

    def check(self) -> None:
        assert found(self.sqlite) == found(self.memory)
        assert terms_held(self.sqlite) == terms_due(self.sqlite)


def terms_held(store: SqliteStore) -> set[Term]:
    """Every term that is anywhere: one too many would tell of a record that was erased."""
    tail = store._tail
    waiting = [term for number in range(tail.slices) for term in slice_of(tail, number)]
    assert tail.count == len(waiting) == len(set(waiting))
    assert set(tail.under(array("q", [term for term, *_ in waiting]))) >= set(waiting)
    with store._connected() as connection:
        return set(waiting).union(connection.execute("SELECT * FROM record_terms").fetchall())


def slice_of(tail: Tail, number: int) -> list[Term]:
    return [(row[0], *log, *row[1:]) for log, found in tail.slice(number).items() for row in zip(*found, strict=True)]


def terms_due(store: SqliteStore) -> set[Term]:
    with store._connected() as connection:
        rows = connection.execute(
            "SELECT channel_id, epoch, natural_key, subject, entry_index, position FROM records"
        ).fetchall()
        for log in connection.execute("SELECT channel_id, epoch FROM logs").fetchall():
            for index, block in blocks_from(connection, log, 0):
                named = zip(block.keys, block.subjects, block.positions, strict=True)
                rows += [(*log, key, subject, index, position) for key, subject, position in named]
    return {term for row in rows for term in terms_of(row[:2], [Indexed(*row[2:])])}


def folded(store: StoreReader, entry: VerifiedEntry, names: Sequence[tuple[str, str]]) -> Applied:
    held = store.find_keys(CHANNEL, [key_of(key) for key, _ in names])
    last = {key: at for at, (key, _) in enumerate(names)}
    told = [
        (at, RecordInForce(at, key_of(key), bytes([at]) * 32, subject, place_of(held, key)))
        for at, (key, subject) in enumerate(names)
    ]
    in_force = [record for at, record in told if at in last.values()]
    behind = [record for at, record in told if at not in last.values()]
    return Applied(CHANNEL, 0, entry.header.index, in_force, behind=behind)


def place_of(held: Mapping[bytes, HeldKey], key: str) -> Place | None:
    known = held.get(key_of(key))
    return known.place if known is not None else None


def enter(store: Store, entry: VerifiedEntry, names: Sequence[tuple[str, str]]) -> None:
    with store.transaction() as tx:
        tx.append(entry, NOW_MS, complete=True)
        tx.apply(folded(tx, entry, names))


def found(store: Store) -> object:
    """Everything that is looked up by key or subject."""
    everything = list(store.records())
    places = [record.place for record in everything]
    return (
        everything,
        store.find_keys(CHANNEL, [key_of(key) for key in KEYS]),
        [list(store.records(subject=subject)) for subject in SUBJECTS],
        [list(store.revisions(CHANNEL, place)) for place in places],
        [sorted(store.revisions_in(CHANNEL, 0, place.index)) for place in places],
        store.record_count(CHANNEL),
    )


def rows_of(draw: Random) -> list[tuple[str, str]]:
    return [(draw.choice(KEYS), draw.choice(SUBJECTS)) for _ in range(draw.randint(1, PER_ENTRY))]


STEPS: Sequence[Callable[[Twins, Random], None]] = (
    *[lambda twins, draw: twins.apply(rows_of(draw))] * 8,
    lambda twins, draw: twins.take_back(rows_of(draw)),
    lambda twins, _draw: twins.refold_and_take_back(),
    *[lambda twins, draw: twins.erase(draw.randrange(1000))] * 2,
    lambda twins, draw: twins.cut(draw.randrange(1000)),
    *[lambda twins, _draw: twins.restart()] * 2,
    lambda twins, draw: twins.refold() if draw.random() < 0.5 else None,
    lambda twins, draw: twins.leave() if draw.random() < 0.2 else None,
)


@pytest.mark.parametrize(("at_start", "per_record"), [(1, 1), (5, 100), (100_000, 10)])
@pytest.mark.parametrize(("slices", "limit"), [(1, 0), (2, 5), (4, 0), (8, 20), (64, 1000)])
def test_what_is_found_does_not_depend_on_what_was_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slices: int, limit: int, at_start: int, per_record: int
) -> None:
    monkeypatch.setattr(record_index, "READ_AT_START", at_start)
    monkeypatch.setattr(record_index, "READ_PER_RECORD", per_record)
    twins, draw = Twins(tmp_path / "node.db", slices, limit), Random(slices * 1000 + limit)
    for _ in range(60):
        draw.choice(STEPS)(twins, draw)
        twins.check()
    twins.sqlite.close()


def test_what_was_merged_waits_no_longer(tmp_path: Path) -> None:
    twins, draw = Twins(tmp_path / "node.db", 4, 30), Random(1)
    waited = []
    for _ in range(60):
        twins.apply(rows_of(draw))
        waited.append(twins.sqlite._tail.count)
    twins.restart()
    assert max(waited) <= 30 + 2 * PER_ENTRY + 2 * PER_ENTRY
    assert twins.sqlite._tail.count <= 3 * 30
    twins.sqlite.close()


class LookedAt(Tail):
    """A tail whose every change is followed by a look from outside, as from a reader of another thread."""

    look: Callable[[], None] = staticmethod(lambda: None)

    def empty(self) -> None:
        super().empty()
        self.look()

    def drop(self, gone: Collection[Term]) -> None:
        super().drop(gone)
        self.look()


def test_a_reader_finds_what_is_held_at_every_moment_of_a_merge(tmp_path: Path) -> None:
    twins, tail = Twins(tmp_path / "node.db", 1, 4), LookedAt(1, 4)
    twins.sqlite.close()
    twins.sqlite = SqliteStore.open(twins.path, create=True, tail=tail)
    twins.apply([("key 0", "subject 0"), ("key 1", "subject 0")])
    seen = []
    tail.look = lambda: seen.append(len(list(twins.sqlite.records(subject="subject 0"))))
    for at in (2, 3):
        twins.apply([(f"key {at}", "subject 1")])
    assert seen
    assert set(seen) == {2}
    twins.sqlite.close()
