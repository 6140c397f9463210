"""Records that share a row: whatever happens to one of them, the store tells what the memory store tells."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from node.core.state import CORRECT, WITHDRAW, Act, Place
from node.ports import Store
from node.storage import record_blocks
from node.storage.record_blocks import BLOCK_RECORDS, RECORD_AT, in_block
from node.storage.record_rows import RecordColumns
from node.storage.sqlite import SqliteStore
from tests.builders import key_of
from tests.storage.test_record_index import CHANNEL, Twins

MOST, KEYS = 2 * BLOCK_RECORDS + 40, 600


def columns(positions: Sequence[int], marks: Mapping[int, int | None] | None = None) -> RecordColumns:
    keys = [key_of(f"key {position}") for position in positions]
    told = [(marks or {}).get(position, 1) for position in positions]
    return RecordColumns(list(positions), told, keys, keys, [f"subject “{position}”" for position in positions])


def divided(found: RecordColumns) -> tuple[list[tuple[int, int]], list[int]]:
    """The number and size of each block, and the positions of the rest."""
    blocks, rest = record_blocks._divided(found)
    assert [each for block in blocks for each in block.columns.positions] + list(rest.positions)
    return [(block.number, block.size) for block in blocks], list(rest.positions)


class TestDividing:
    def test_records_without_a_gap_fill_blocks(self) -> None:
        assert divided(columns(range(2 * BLOCK_RECORDS + 1))) == ([(0, 90), (1, 90), (2, 1)], [])

    def test_a_block_has_no_gap_and_begins_where_it_begins(self) -> None:
        gap = [at for at in range(3 * BLOCK_RECORDS) if at not in (95, 180)]
        assert divided(columns(gap)) == ([(0, 90)], gap[90:])

    def test_a_block_may_end_early(self) -> None:
        early = [*range(50), *range(BLOCK_RECORDS, BLOCK_RECORDS + 7)]
        assert divided(columns(early)) == ([(0, 50), (1, 7)], [])

    def test_what_is_in_the_background_has_rows(self) -> None:
        assert divided(columns(range(100), {99: None})) == ([(0, 90)], list(range(90, 100)))

    def test_what_is_no_hash_has_rows(self) -> None:
        odd = columns(range(3))
        assert divided(odd._replace(keys=[b"short", *odd.keys[1:]])) == ([], [0, 1, 2])
        assert divided(odd._replace(content_hashes=[*odd.keys[:2], bytes(33)])) == ([], [0, 1, 2])

    def test_a_block_holds_what_was_put_in(self) -> None:
        put = columns(range(BLOCK_RECORDS))
        (block,), _ = record_blocks._divided(put)
        held = block.columns
        assert [list(column) for column in held.stored] == [list(column) for column in put.stored]


class WideTwins(Twins):
    """The same with entries of several blocks, and acts on their records."""

    def act(self, draw: Random) -> None:
        """What is corrected or withdrawn may not be here."""
        size = self.writer.log.size
        target = Place(0, draw.randrange(size + 1), draw.randrange(MOST))
        act = Act(Place(0, size + 5, draw.randrange(1000)), draw.choice([CORRECT, WITHDRAW]), target, 1, 0)

        def change(store: Store) -> None:
            with store.transaction() as tx:
                tx.put_acts(CHANNEL, [act])

        if size:
            self.both(change)

    def check(self) -> None:
        assert told(self.sqlite, self.writer.log.size) == told(self.memory, self.writer.log.size)


def told(store: Store, size: int) -> object:
    """Everything that is answered of records."""
    everything = list(store.records())
    places = [Place(0, index, position) for index in range(size) for position in (0, 1, 89, 90, 91, 179, 180, MOST)]
    return (
        everything,
        store.find_keys(CHANNEL, [key_of(f"key {number}") for number in range(KEYS)]),
        [list(store.records(subject=f"subject {number}")) for number in range(4)],
        [store.record(CHANNEL, place) for place in places],
        [list(store.revisions(CHANNEL, place)) for place in places],
        [store.acts(CHANNEL, place) for place in places],
        [sorted(store.revisions_in(CHANNEL, 0, index)) for index in range(size)],
        store.acts_in_force(CHANNEL),
        store.corrections(CHANNEL, 0, 0, size),
        store.record_count(CHANNEL),
    )


def rows_of(draw: Random) -> list[tuple[str, str]]:
    """Keys that are all new, or all from anywhere, so that some come twice."""
    count, start = draw.randint(1, MOST), draw.randrange(KEYS - MOST)
    is_run = draw.random() < 0.6
    keys = range(start, start + count) if is_run else (draw.randrange(KEYS) for _ in range(count))
    return [(f"key {number}", f"subject {draw.randrange(4)}") for number in keys]


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_is_told_does_not_depend_on_blocks(tmp_path: Path, seed: int) -> None:
    twins, draw = WideTwins(tmp_path / "node.db", 4, 500), Random(seed)
    steps: tuple[Callable[[], None], ...] = (
        *[lambda: twins.apply(rows_of(draw))] * 5,
        lambda: twins.take_back(rows_of(draw)),
        *[lambda: twins.erase(draw.randrange(10_000))] * 3,
        *[lambda: twins.act(draw)] * 3,
        lambda: twins.cut(draw.randrange(1000)),
        *[twins.restart] * 2,
        lambda: twins.refold() if draw.random() < 0.3 else None,
        lambda: twins.leave() if draw.random() < 0.1 else None,
    )
    blocks = 0
    for _ in range(30):
        draw.choice(steps)()
        twins.check()
        blocks += counted(twins.sqlite, "record_blocks")
    assert blocks
    twins.sqlite.close()


def counted(store: SqliteStore, table: str) -> int:
    with store._connected() as connection:
        ((count,),) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
    return int(count)


class TestOpening:
    def test_only_the_block_that_changes_is_opened(self, tmp_path: Path) -> None:
        twins = WideTwins(tmp_path / "node.db", 4, 500)
        twins.apply([(f"key {number}", "subject 0") for number in range(2 * BLOCK_RECORDS)])
        assert (counted(twins.sqlite, "record_blocks"), counted(twins.sqlite, "records")) == (2, 0)
        twins.apply([("key 100", "subject 1")])
        assert (counted(twins.sqlite, "record_blocks"), counted(twins.sqlite, "records")) == (2, BLOCK_RECORDS)
        twins.check()
        twins.sqlite.close()

    def test_what_is_erased_is_nowhere_in_the_files(self, tmp_path: Path) -> None:
        twins = WideTwins(tmp_path / "node.db", 4, 500)
        twins.apply([(f"key {number}", f"subject {number % 3}-of-a-person") for number in range(3)])
        twins.erase(1)
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"subject 1-of-a-person" not in files
        assert key_of("key 1") not in files
        assert b"subject 2-of-a-person" in files
        twins.sqlite.close()

    def test_a_reader_sees_a_record_before_and_after(self, tmp_path: Path) -> None:
        twins = WideTwins(tmp_path / "node.db", 4, 500)
        twins.apply([(f"key {number}", "subject 0") for number in range(BLOCK_RECORDS)])
        place, seen = Place(0, 0, 5), []
        with twins.sqlite.transaction() as tx:
            tx._open_blocks(1, [place])
            seen.append(twins.sqlite.record(CHANNEL, place))
        seen.append(twins.sqlite.record(CHANNEL, place))
        assert seen[0] == seen[1] == twins.memory.record(CHANNEL, place)
        assert seen[0] is not None
        twins.sqlite.close()


def test_a_place_beyond_all_numbers_is_found_nowhere(tmp_path: Path) -> None:
    twins = WideTwins(tmp_path / "node.db", 4, 500)
    twins.apply([("key 0", "subject 0")])
    for place in (Place(0, 0, 1 << 40), Place(0, (1 << 64) - 1, 0), Place((1 << 64) - 1, 0, 0)):
        assert twins.sqlite.record(CHANNEL, place) is None
    with sqlite3.connect(tmp_path / "node.db") as raw:
        assert raw.execute(RECORD_AT, {"id": 1, **in_block(Place(0, 0, 1))}).fetchall() == []
    twins.sqlite.close()
