"""Blocks: records of an entry that stand together in one row, as long as nothing has happened to any of them.

A row for each record costs the embedded database more than all else that is kept of it. Most records come in entries of
hundreds, all of which take effect, and stay as they are: so BLOCK_RECORDS of them share a row of record_blocks, which
fits a page, by columns. Block n of an entry has the positions from n * BLOCK_RECORDS on, without a gap, all of them in
force. Whoever changes one of them opens the block first: each gets a row of records, and the block goes. What does not
fit a block (a rejected record stands between, or a later one of the entry has the same key) has rows from the start.

A record stands in one of the two tables. Every statement that looks for one looks into both at once, so that it sees
one state. A database on a server has rows only, which its own indexes need: its table of blocks stays empty.
"""
# ruff: noqa: S608 - statements are put together from constants of this module

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from node.core.state import Place
from node.storage.column_inserts import insert_columns
from node.storage.record_rows import RecordColumns
from node.storage.sql_ports import SqlConnection, SqlReads

BLOCK_RECORDS = 90
"""With subjects of 18 characters they fill a page of 8 KiB."""
_HASH_BYTES = 32
"""Of natural keys and of hashes of contents."""

_ENTRY = "channel_id = :id AND epoch = :epoch AND entry_index = :index"
_BLOCK = _ENTRY + " AND number = :number"


def _part(column: str, offset: str) -> str:
    """The hash at an offset of a column of a block, for both kinds of databases."""
    return f"substr({column}, CAST(({offset}) * {_HASH_BYTES} + 1 AS INTEGER), {_HASH_BYTES})"


RECORD_AT = (
    "SELECT natural_key, in_force, subject, -1 FROM records WHERE " + _ENTRY + " AND position = :position UNION ALL"
    f" SELECT {_part('natural_keys', ':place')}, 1, subjects, :place FROM record_blocks"
    f" WHERE {_BLOCK} AND count > :place"
)
"""The key of a record, whether it is in force, its subject or those of its block, and its place in the block or -1."""
KEYS_IN = (
    f"SELECT position, 1, natural_key FROM records WHERE {_ENTRY} UNION ALL"
    f" SELECT number * {BLOCK_RECORDS}, count, natural_keys FROM record_blocks WHERE {_ENTRY}"
)
"""The records of an entry: the position of the first one of those that stand together, how many, and their keys."""
PAGE_OF_PLACES = (
    "SELECT epoch, entry_index, position, 1 FROM records WHERE channel_id = :id AND in_force = 1"
    " AND (epoch, entry_index, position) > (:epoch, :index, :position) UNION ALL"
    f" SELECT epoch, entry_index, number * {BLOCK_RECORDS}, count FROM record_blocks WHERE channel_id = :id"
    " AND (epoch, entry_index, number) > (:epoch, :index, :number) ORDER BY 1, 2, 3 LIMIT :limit"
)
"""Places of records in force behind a place that is the last of its block, if it is in one: the first, and how many."""
IN_FORCE_OF_LOGS = (
    "(SELECT COUNT(*) FROM records r WHERE r.channel_id = logs.channel_id AND r.epoch = logs.epoch AND r.in_force = 1)"
    " + (SELECT COALESCE(SUM(count), 0) FROM record_blocks b"
    " WHERE b.channel_id = logs.channel_id AND b.epoch = logs.epoch)"
)
"""How many records of each log are in force, counted."""
DROP_BLOCKS = "DELETE FROM record_blocks WHERE channel_id = :id AND epoch = :epoch"

_AT_TARGET = (
    "{0}.channel_id = a.channel_id AND {0}.epoch = a.target_epoch AND {0}.entry_index = a.target_index AND {0}."
)
_PLACE_OF_TARGET = f"a.target_position - b.number * {BLOCK_RECORDS}"
TARGETS = (
    f" LEFT JOIN records t ON {_AT_TARGET.format('t')}position = a.target_position"
    f" LEFT JOIN record_blocks b ON {_AT_TARGET.format('b')}number = a.target_position / {BLOCK_RECORDS}"
    f" AND b.count > {_PLACE_OF_TARGET} "
)
"""Joins acts a with the record that each of them names: one of t and b, if it is here."""
KEY_OF_TARGET = f"COALESCE(t.natural_key, {_part('b.natural_keys', _PLACE_OF_TARGET)})"
IS_TARGET_IN_FORCE = "(t.in_force = 1 OR b.number IS NOT NULL)"

_OF_TERMS = (
    "SELECT {0} t.epoch, t.entry_index, t.position, CASE WHEN b.number IS NULL THEN r.in_force ELSE 1 END, {1}"
    " FROM record_terms t LEFT JOIN records r ON r.channel_id = t.channel_id AND r.epoch = t.epoch"
    " AND r.entry_index = t.entry_index AND r.position = t.position"
    " LEFT JOIN record_blocks b ON r.position IS NULL AND b.channel_id = t.channel_id AND b.epoch = t.epoch"
    f" AND b.entry_index = t.entry_index AND b.number = t.position / {BLOCK_RECORDS}"
    " WHERE t.channel_id = ? AND t.term IN ({{}})"
)
_PLACE_OF_TERM = f"t.position - b.number * {BLOCK_RECORDS}"
UNDER_TERMS = _OF_TERMS.format(
    f"COALESCE(r.natural_key, {_part('b.natural_keys', _PLACE_OF_TERM)}),",
    f"CASE WHEN b.number IS NULL THEN r.content_hash ELSE {_part('b.content_hashes', _PLACE_OF_TERM)} END",
)
"""Key, place, standing and hash of the records that terms of a channel lead to; marks of the terms are to be put in."""
_BETWEEN = (
    "SELECT position, 1, natural_key, in_force, content_hash FROM records WHERE channel_id = ?1 AND epoch = ?2"
    " AND entry_index = ?3 AND position BETWEEN ?4 AND ?5 UNION ALL"
    f" SELECT number * {BLOCK_RECORDS}, count, natural_keys, 1, content_hashes FROM record_blocks"
    " WHERE channel_id = ?1 AND epoch = ?2 AND entry_index = ?3"
    f" AND number BETWEEN ?4 / {BLOCK_RECORDS} AND ?5 / {BLOCK_RECORDS}"
)
_OF_BLOCK = "SELECT count, natural_keys, content_hashes, subjects FROM record_blocks WHERE " + _BLOCK
_FROM = (
    "SELECT entry_index, number, count, natural_keys, content_hashes, subjects FROM record_blocks"
    " WHERE channel_id = :id AND epoch = :epoch AND (entry_index, number) > (:index, :number)"
    " AND entry_index < :end ORDER BY entry_index, number LIMIT :limit"
)
_ADD = (
    "INSERT INTO record_blocks (channel_id, epoch, entry_index, number, count, natural_keys, content_hashes, subjects)"
    " VALUES"
)
_DROP = f"DELETE FROM record_blocks WHERE {_BLOCK}"
ADD_RECORDS = (
    "INSERT INTO records (channel_id, epoch, entry_index, position, in_force, natural_key, content_hash, subject)"
    " VALUES"
)
_BLOCKS_AT_A_TIME = 20

_Entry = tuple[int, int, int]
"""(channel_id, epoch, entry_index)."""


class Block(NamedTuple):
    """One row of record_blocks, without its entry."""

    number: int
    size: int
    natural_keys: bytes
    content_hashes: bytes
    subjects: str

    @property
    def columns(self) -> RecordColumns:
        """Its records."""
        start = self.number * BLOCK_RECORDS
        return RecordColumns(
            range(start, start + self.size),
            [1] * self.size,
            _pieces(self.natural_keys, 0, self.size),
            _pieces(self.content_hashes, 0, self.size),
            json.loads(self.subjects),
        )


def in_block(place: Place) -> dict[str, int]:
    """Where a place stands as the statements of this module call it."""
    number, at = divmod(place.position, BLOCK_RECORDS)
    return {"epoch": place.epoch, "index": place.index, "position": place.position, "number": number, "place": at}


def subject_at(subjects: str, place: int) -> str:
    """The subject of what RECORD_AT has found."""
    return subjects if place < 0 else str(json.loads(subjects)[place])


def _pieces(hashes: bytes, start: int, end: int) -> list[bytes]:
    """The hashes from one place in a block to another."""
    return [hashes[at : at + _HASH_BYTES] for at in range(start * _HASH_BYTES, end * _HASH_BYTES, _HASH_BYTES)]


def keys_at(rows: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[bytes, int]]:
    """The key and position of each record that KEYS_IN has found."""
    for start, count, keys in rows:
        if count == 1:
            yield keys, start
        else:
            yield from zip(_pieces(keys, 0, count), range(start, start + count), strict=True)


def between(connection: SqlReads, entry: _Entry, low: int, high: int) -> Iterator[tuple[Any, ...]]:
    """Key, epoch, index, position, standing and hash of the records of an entry from one position to another."""
    for start, count, keys, in_force, contents in connection.execute(_BETWEEN, (*entry, low, high)).fetchall():
        if count == 1:
            if low <= start <= high:
                yield keys, *entry[1:], start, in_force, contents
        else:
            first, last = max(low - start, 0), min(high + 1 - start, count)
            found = zip(_pieces(keys, first, last), _pieces(contents, first, last), strict=True)
            for position, (key, content) in enumerate(found, start + first):
                yield key, *entry[1:], position, in_force, content


def add_records(connection: SqlConnection, entry: _Entry, columns: RecordColumns) -> None:
    """Store the records of an entry, which is new: in blocks what fits one, all others in rows."""
    blocks, others = _divided(columns)
    if blocks:
        insert_columns(connection, _ADD, entry, list(zip(*blocks, strict=True)))
    if others.positions:
        insert_columns(connection, ADD_RECORDS, entry, others.stored)


def _divided(columns: RecordColumns) -> tuple[list[Block], RecordColumns]:
    """What fits into blocks, and the rest."""
    positions = columns.positions
    blocks: list[Block] = []
    rest: list[int] = []
    end = 0
    while end < len(positions):
        start, number = end, positions[end] // BLOCK_RECORDS
        end = bisect_left(positions, (number + 1) * BLOCK_RECORDS, start)
        block = _block(columns, number, start, end)
        if block is not None:
            blocks.append(block)
        else:
            rest.extend(range(start, end))
    return blocks, columns if not blocks else _some(columns, rest)


def _block(columns: RecordColumns, number: int, start: int, end: int) -> Block | None:
    """The records from one place to another as a block; None where a position is left out or one is not in force."""
    first, count = number * BLOCK_RECORDS, end - start
    is_whole = columns.positions[start] == first and columns.positions[end - 1] == first + count - 1
    if not is_whole or any(mark != 1 for mark in columns.marks[start:end]):
        return None
    keys, contents = columns.keys[start:end], columns.content_hashes[start:end]
    if {*map(len, keys), *map(len, contents)} != {_HASH_BYTES}:
        return None
    subjects = json.dumps(list(columns.subjects[start:end]), ensure_ascii=False, separators=(",", ":"))
    return Block(number, count, b"".join(keys), b"".join(contents), subjects)


def _some(columns: RecordColumns, at: Sequence[int]) -> RecordColumns:
    positions, marks, keys, contents, subjects = columns[:5]
    return RecordColumns(
        [positions[each] for each in at],
        [marks[each] for each in at],
        [keys[each] for each in at],
        [contents[each] for each in at],
        [subjects[each] for each in at],
    )


def open_blocks(connection: SqlConnection, channel_id: int, places: Iterable[Place]) -> None:
    """Give each record of the blocks in which these places are a row of its own."""
    for epoch, index, number in {(place.epoch, place.index, place.position // BLOCK_RECORDS) for place in places}:
        at = {"id": channel_id, "epoch": epoch, "index": index, "number": number}
        for row in connection.execute(_OF_BLOCK, at).fetchall():
            _open(connection, at, Block(number, *row))


def open_blocks_between(connection: SqlConnection, channel_id: int, epoch: int, low: int, high: int) -> None:
    """Give each record of the blocks of these entries a row of its own."""
    for index, block in _blocks(connection, (channel_id, epoch), low, high):
        _open(connection, {"id": channel_id, "epoch": epoch, "index": index, "number": block.number}, block)


def _open(connection: SqlConnection, at: dict[str, int], block: Block) -> None:
    connection.execute(_DROP, at)
    insert_columns(connection, ADD_RECORDS, (at["id"], at["epoch"], at["index"]), block.columns.stored)


def blocks_from(connection: SqlReads, log: tuple[int, int], low: int) -> Iterator[tuple[int, RecordColumns]]:
    """The index and the records of each block of a log from an entry on."""
    for index, block in _blocks(connection, log, low, (1 << 63) - 1):
        yield index, block.columns


def _blocks(connection: SqlReads, log: tuple[int, int], low: int, high: int) -> Iterator[tuple[int, Block]]:
    at = {"id": log[0], "epoch": log[1], "index": low, "number": -1, "end": high, "limit": _BLOCKS_AT_A_TIME}
    while rows := connection.execute(_FROM, at).fetchall():
        for index, *row in rows:
            yield index, Block(*row)
        at |= {"index": rows[-1][0], "number": rows[-1][1]}
