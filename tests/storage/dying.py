"""Processes that die while they write to a store, and what must be there afterwards."""

import os
import signal
import time
from collections.abc import Callable, Sequence

from sqlalchemy import text

from node.core import merkle
from node.core.entry import VerifiedEntry
from node.core.state import Place
from node.storage.postgres import PostgresStore
from node.storage.sqlite import SqliteStore
from tests.builders import NOW_MS, put_in_force

CHANNEL = "310000/penalties"
SqlStore = SqliteStore | PostgresStore
Opened = Callable[[], SqlStore]


def keep_and_apply(store: SqlStore, *entries: VerifiedEntry, subject: str = "") -> None:
    with store.transaction() as tx:
        for entry in entries:
            tx.append(entry, NOW_MS, True)
            tx.apply(put_in_force(entry, subject=subject))


def write_until_killed(opened: Opened, entries: Sequence[VerifiedEntry], commits: int, then_s: float) -> int:
    """Go on writing entries in a process of its own and kill it a moment after it reported some commits.

    Returns how many it reported.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            store = opened()
            for entry in entries[store.log(CHANNEL, 0).size :]:
                keep_and_apply(store, entry)
                os.write(writing, b".")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        reported = len(pipe.read(commits))
        time.sleep(then_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return reported + len(pipe.read())


def check_prefix(opened: Opened, entries: Sequence[VerifiedEntry], at_least: int) -> int:
    """Check that exactly a prefix of the entries is held, whole, and return its size."""
    with opened() as store:
        log = store.log(CHANNEL, 0)
        held = store.channel(CHANNEL)
        assert at_least <= log.size <= at_least + 1  # one commit may have been on its way to its report
        assert log.root == merkle.read_root(log.size, store.hashes(CHANNEL, 0))
        assert log.root == (entries[log.size - 1].root if log.size else merkle.EMPTY_ROOT)
        assert (held.applied_size, held.records) == (log.size, 3 * log.size) if held else log.size == 0
        assert [entry.envelope for entry in store.entries(CHANNEL, 0, 0)] == [e.envelope for e in entries[: log.size]]
        places = [record.place for record in store.records()]
        assert places == [Place(0, at, position) for at in range(log.size) for position in range(3)]
        if isinstance(store, SqliteStore):
            with store._reading.connect() as connection:
                assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        return log.size
