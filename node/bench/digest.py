"""How long it takes to work out anew who is on a list: on a copy of the database of a node that holds it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from node.bench.figures import Spread, spread
from node.bench.programs import demand
from node.storage.sqlite import SqliteStore


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """The live entries of a list, and how long working out its members took: seconds, and those of one processor."""

    live: int
    digest: str
    seconds: Spread
    busy_s: Spread


def rebuilding(database: Path, copy: Path, channel: str, rounds: int) -> Rebuilding:
    """Copy a node's database, and rebuild a list there from its operations; each time the same digest must come out."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with closing(SqliteStore.open(copy, create=False)) as store:
        state = store.list_state(channel)
        assert state is not None
        seconds, busy = zip(*_rebuilt(store, channel, state.digest, rounds), strict=True)
        return Rebuilding(store.live_listings(channel), state.digest.hex(), spread(seconds), spread(busy))


def _rebuilt(store: SqliteStore, channel: str, digest: bytes, rounds: int) -> Iterator[tuple[float, float]]:
    for number in range(rounds):
        began, busy = perf_counter(), process_time()
        with store.transaction() as tx:
            tx.rebuild_list(channel, f"bench {number}")
        yield perf_counter() - began, process_time() - busy
        found = store.list_state(channel)
        demand(found is not None and found.digest == digest, "a list that was rebuilt has another digest")
