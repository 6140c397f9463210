"""The disk of one simulated node: its database, its sidecar, their backups, and everything that goes wrong with them.

The files are real, and a killed process leaves exactly what it had committed.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from random import Random

from node.core.channel import HeadAt
from node.core.limits import DEFAULT_LIMITS, Limits
from node.simulator.disk_faults import DiskFault, DiskFaults, Life, failure
from node.simulator.observing import SIDECAR_WRITE, Write
from node.simulator.scenario import DiskOptions
from node.simulator.watched_store import WatchedStore
from node.simulator.writer import SimulatedWriter
from node.storage.sidecar import FileSidecar
from node.storage.sqlite import SqliteStore

Watch = Callable[[str, Sequence[Write]], None]
Kill = Callable[[], None]

_HEADS = "heads.json"
_DATABASE = ("xinqiao.db", "xinqiao.db-wal")  # a third one, -shm, is made anew from these
_INCARNATION_BITS = 128


class SimulatedDisk:
    """The directory of one node; open() gives a process what it works with, until close().

    watch is called with (node, writes) right after each commit and each writing of the sidecar, kill when the disk
    decides that the process dies.
    """

    def __init__(
        self,
        directory: Path,
        node: str,
        options: DiskOptions,
        random: Random,
        watch: Watch,
        kill: Kill,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._random = random
        self._watch = partial(watch, node)
        self._kill = kill
        self._limits = limits
        self._faults = DiskFaults(options, random)
        self._store: WatchedStore | None = None
        self._backups: dict[str, Mapping[str, bytes]] = {}

    # -- switches

    @property
    def full(self) -> bool:
        """Whether every transaction fails with DISK_FULL."""
        return self._faults.full

    @full.setter
    def full(self, full: bool) -> None:
        self._faults.full = full

    @property
    def quiet(self) -> bool:
        """Whether no further fault is drawn; a full disk stays full."""
        return self._faults.quiet

    @quiet.setter
    def quiet(self, quiet: bool) -> None:
        self._faults.quiet = quiet

    # -- a process

    def open(self) -> tuple[WatchedStore, SimulatedWriter]:
        """The store and the writer of a new process; a database is made where there is none."""
        if self._store is not None:
            raise RuntimeError("another process has this disk open")
        database = self._directory / _DATABASE[0]
        if not database.exists():
            _make_database(database, f"{self._random.getrandbits(_INCARNATION_BITS):032x}")
            # As a new home is made: the sidecar is there before anything was signed.
            FileSidecar(self._directory / _HEADS).write("", {})
        store = WatchedStore.open(database, create=False, limits=self._limits)
        store.keep_log_short()
        store.watch = self._watch
        self._store = store
        return store, SimulatedWriter(store, self._faults, self._kill)

    def sidecar(self) -> "SimulatedSidecar":
        """The sidecar of the process that has the disk open."""
        if self._store is None:
            raise RuntimeError("no process has this disk open")
        file = FileSidecar(self._directory / _HEADS)
        return SimulatedSidecar(file, self._faults, self._store.life, self._kill, self._watch)

    def close(self) -> None:
        """Take the disk from its process, as a kill does: what it still calls raises ProcessKilled.

        Its files stay as they are: the write-ahead log is not emptied, and the next start recovers from it.
        """
        if self._store is not None:
            left = self._database()
            self._store.life.end()
            self._store.close()
            self._store = None
            self._put(left)

    # -- backups

    def backup(self, name: str) -> None:
        """Keep the database as it is committed now, under a name; the sidecar is no part of it."""
        self._backups[name] = self._database()

    def restore(self, name: str) -> bool:
        """Put a backup in the database's place; False, and nothing done, when there is none of that name."""
        if self._store is not None:
            raise RuntimeError("a process has this disk open")
        if name not in self._backups:
            return False
        self._put(self._backups[name])
        return True

    def lose_sidecar(self) -> None:
        """Remove the sidecar."""
        (self._directory / _HEADS).unlink(missing_ok=True)

    def image(self) -> Mapping[str, bytes]:
        """All files by name, as they are now; whole, because no transaction is ever under way between two steps."""
        paths = [self._directory / name for name in (*_DATABASE, _HEADS)]
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def put_image(self, image: Mapping[str, bytes]) -> None:
        """Hold what another disk held, its sidecar included."""
        if self._store is not None:
            raise RuntimeError("a process has this disk open")
        self._put(image)
        self.lose_sidecar()
        if _HEADS in image:
            (self._directory / _HEADS).write_bytes(image[_HEADS])

    def _database(self) -> Mapping[str, bytes]:
        return {name: content for name, content in self.image().items() if name in _DATABASE}

    def _put(self, files: Mapping[str, bytes]) -> None:
        (self._directory / f"{_DATABASE[0]}-shm").unlink(missing_ok=True)
        for name in _DATABASE:
            (self._directory / name).unlink(missing_ok=True)
            if name in files:
                (self._directory / name).write_bytes(files[name])


class SimulatedSidecar:
    """The HeadsSidecar in its real file, which fails and crashes as often as the database does."""

    def __init__(
        self, file: FileSidecar, faults: DiskFaults, life: Life, kill: Kill, watch: Callable[[Sequence[Write]], None]
    ) -> None:
        self._file = file
        self._faults = faults
        self._life = life
        self._kill = kill
        self._watch = watch

    def read(self) -> tuple[str, Mapping[tuple[str, int], HeadAt]] | None:
        """(incarnation, heads by (channel, epoch)), None when it is missing."""
        self._life.check()
        return self._file.read()

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        """Replace it; raises DISK_FULL, DATABASE, ProcessKilled after a crash."""
        self._life.check()
        fault = self._faults.draw()
        if fault in (DiskFault.NONE, DiskFault.FAILS_PERSISTED, DiskFault.CRASHES_AFTER):
            self._file.write(incarnation, heads)
            self._watch([Write(SIDECAR_WRITE, (incarnation, dict(heads)), None)])
        if fault in (DiskFault.CRASHES_BEFORE, DiskFault.CRASHES_AFTER):
            self._kill()
            self._life.check()
        elif fault != DiskFault.NONE:
            raise failure(fault)


def _make_database(path: Path, incarnation: str) -> None:
    path.write_bytes(_template())
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE database SET incarnation = ?", (incarnation,))


@cache
def _template() -> bytes:
    """A database as the migrations make it, made once a process."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "template.db"
        SqliteStore.open(path, create=True, incarnation="template").close()
        return path.read_bytes()
