"""The records of a supply as plain rows between two PostgreSQL servers: by logical replication, and by a signed file.

Both servers have one table, with a primary key and one more index, and 16 columns of text: those of the records that
hold most of their bytes. What the rows mean is nobody's concern there: nothing is judged, and who may write them is a
matter of the servers' passwords.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, BinaryIO, Self

import zstandard
from psycopg import Connection

from node.bench.clusters import Cluster, clusters
from node.bench.network import Network
from node.bench.programs import demand
from node.bench.stores import opened
from node.bench.supply import Supply
from node.core.catalogue import Item
from node.core.envelope import SigningKey
from node.core.record import parse_record
from node.core.suites import PublicKey
from node.home import Home
from node.pb import channel_pb2

COLUMNS = 16
SUBJECT = "cf_xdr_shxym"
POLL_S = 0.01
LEAST_LIMIT_S, FEWEST_PER_S = 60.0, 1000
PIECE_BYTES = 1 << 20
ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Tables:
    """Two servers with an empty table each, and the rows in a file as COPY reads them."""

    source: Cluster
    target: Cluster
    rows: Path
    names: tuple[str, ...]
    count: int

    @classmethod
    def prepare(cls, network: Network, supply: Supply, stack: ExitStack) -> Self:
        """Start the servers until the stack ends; raises BENCH_POSTGRESQL where there are none to be started."""
        source, target = stack.enter_context(clusters("source", "target"))
        rows = network.programs.work / "bench-rows"
        names = _write_rows(Home(network.home(network.owner)), supply, rows)
        made = cls(source, target, rows, names, supply.volume.records)
        for server in (source, target):
            made.create(server, "records")
        return made

    def create(self, server: Cluster, table: str) -> None:
        """Make an empty table."""
        columns = ", ".join(f"{name} text" for name in self.names)
        with server.connect() as session:
            session.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, {columns})".encode())
            session.execute(f"CREATE INDEX ON {table} ({SUBJECT})".encode())

    def fill(self, session: Connection[Any], table: str) -> None:
        """Put all rows into a table, in one transaction."""
        with self.rows.open("rb") as file:
            copy_in(session, table, pieces(file))

    def check(self, session: Connection[Any]) -> None:
        """See that the target has every row."""
        (found,) = session.execute("SELECT count(*) FROM records").fetchone() or (0,)
        demand(found == self.count, f"{found} of {self.count} rows have arrived")


def copy_in(session: Connection[Any], table: str, content: Iterable[bytes]) -> None:
    """Fill a table from what COPY writes."""
    with session.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
        for piece in content:
            copy.write(piece)


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The content of a file, piece by piece."""
    return iter(lambda: file.read(PIECE_BYTES), b"")


def _write_rows(home: Home, supply: Supply, file: Path) -> tuple[str, ...]:
    """Write the rows as COPY reads them, each with its number before it; returns the names of their columns."""
    numbers: tuple[int, ...] = ()
    with opened(home) as store, file.open("wb") as out:
        count = 0
        for entry in store.entries(supply.channel, 0, 0):
            slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
            records = [parse_record(slot.record).values for slot in slots]
            numbers = numbers or _largest(supply.item, records)
            for number, values in enumerate(records, count + 1):
                texts = (_escaped(values.get(each, "")) for each in numbers)
                out.write("\t".join([str(number), *texts]).encode() + b"\n")
            count += len(records)
    names = {field.number: field.code.lower() for field in supply.item.fields}
    return tuple(names[number] for number in numbers)


def _largest(item: Item, records: Sequence[Mapping[int, str]]) -> tuple[int, ...]:
    """The fields that hold most of these records, that of the subject among them, in their order; empty without any."""
    sizes = Counter[int]()
    for values in records:
        sizes.update({number: len(text.encode()) for number, text in values.items()})
    subject = item.by_code[SUBJECT.upper()].number
    others = [number for number, _ in sizes.most_common() if number != subject]
    return tuple(sorted([subject, *others[: COLUMNS - 1]])) if records else ()


def _escaped(text: str) -> str:
    return text.translate({ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"})


# -- logical replication -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogicalReplication:
    """A subscription of the target to the table of the source, which follows what is done there.

    The clock runs from the moment before the rows are put into the table of the source, in one transaction, to the
    moment when a session of the target sees the last one. With copies, the rows are there before the clock starts, and
    it runs while a new subscription copies the table: the way to begin with, which tells nothing of single changes.
    """

    tables: Tables
    copies: bool = False

    @classmethod
    def prepare(cls, tables: Tables, *, copies: bool) -> Self:
        """Say what is replicated."""
        with tables.source.connect() as session:
            session.execute("DROP PUBLICATION IF EXISTS bench")
            session.execute("CREATE PUBLICATION bench FOR TABLE records")
        return cls(tables, copies)

    def measure(self) -> float:
        """Replicate all rows into an empty table."""
        with self.tables.source.connect() as source, self.tables.target.connect() as target:
            for session in (source, target):
                session.execute("TRUNCATE records")
            first, second = (self._fill, self._subscribe) if self.copies else (self._subscribe, self._fill)
            first(source, target)
            for session in (source, target):
                session.execute("CHECKPOINT")
            began = perf_counter()
            second(source, target)
            self._wait(target, began)
            seconds = perf_counter() - began
            self.tables.check(target)
            target.execute("DROP SUBSCRIPTION bench")
        return round(seconds, 4)

    def _fill(self, source: Connection[Any], _target: Connection[Any]) -> None:
        self.tables.fill(source, "records")

    def _subscribe(self, _source: Connection[Any], target: Connection[Any]) -> None:
        options = f"CONNECTION '{self.tables.source.keywords}' PUBLICATION bench WITH (copy_data = {self.copies})"
        target.execute(f"CREATE SUBSCRIPTION bench {options}".encode())

    def _wait(self, target: Connection[Any], began: float) -> None:
        limit_s = LEAST_LIMIT_S + self.tables.count / FEWEST_PER_S
        while target.execute("SELECT FROM records WHERE id = %s", [self.tables.count]).rowcount == 0:
            demand(perf_counter() - began < limit_s, "the replication takes too long")
            sleep(POLL_S)


# -- a signed file -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SignedFile:
    """The table of the source as a file that is packed, signed, brought over, verified and read into the target."""

    tables: Tables
    signer: SigningKey
    verifier: PublicKey
    work: Path

    @classmethod
    def prepare(cls, tables: Tables, network: Network) -> Self:
        """Fill the table that is exported; the file is signed with the key of the owner."""
        tables.create(tables.source, "exported")
        with tables.source.connect() as session:
            tables.fill(session, "exported")
        home = Home(network.home(network.owner))
        ring = home.open_keys(home.load(), {})
        return cls(tables, ring.signer, ring.signer.public, network.programs.work)

    def measure(self) -> float:
        """From the export to the last row in an empty table."""
        with self.tables.source.connect() as source, self.tables.target.connect() as target:
            target.execute("TRUNCATE records")
            target.execute("CHECKPOINT")
            began = perf_counter()
            self._bring(source, target)
            seconds = perf_counter() - began
            self.tables.check(target)
        return round(seconds, 4)

    def _bring(self, source: Connection[Any], target: Connection[Any]) -> None:
        plain, packed, brought = (self.work / f"bench-signed{suffix}" for suffix in ("", ".zst", ".brought"))
        # (1) export
        with plain.open("wb") as out, source.cursor() as cursor, cursor.copy("COPY exported TO STDOUT") as copy:
            out.writelines(copy)
        # (2) pack
        with plain.open("rb") as file, packed.open("wb") as out:
            zstandard.ZstdCompressor(ZSTD_LEVEL).copy_stream(file, out)
        # (3) sign
        signature = self.signer.sign(_digest(packed))
        # (4) copy, on the disk
        with packed.open("rb") as file, brought.open("wb") as out:
            shutil.copyfileobj(file, out, PIECE_BYTES)
            out.flush()
            os.fsync(out.fileno())
        # (5) verify
        demand(self.verifier.verifies(signature, _digest(brought)), "the file is not what was signed")
        # (6) unpack and load
        with brought.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as unpacked:
            copy_in(target, "records", pieces(unpacked))


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").digest()
