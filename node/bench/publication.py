"""How many records of a CSV file a node publishes in a second: from the command to signed entries on the disk.

The clock of one round runs while `xinqiao publish` does, its start included: it ends when the node has answered that
the last entry is signed and durable. Beside it stand two of its stages, done in the measuring process alone: reading
the rows of the same file, and reading and judging them by catalogue and rules; and publishing the same file once more,
when every row is a duplicate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Self

from node.bench.figures import Spread, busy_s, commands_busy_s, peak_mb, spread
from node.bench.load import ITEM, write_rows
from node.bench.network import Network
from node.bench.programs import demand
from node.bench.rows import Plan, example_uscc
from node.bench.stores import database
from node.core.catalogue import Item
from node.core.rules import VERSION_1, Law
from node.core.rules_edition import RulesEdition, parse_rules
from node.home import Home
from node.ingest.batching import batches
from node.ingest.reading import read_rows
from node.pb import admin_service_pb2 as pb
from node.rpc import registry_source

FLOOR_PER_S, AIM_PER_S = 12_000, 30_000
"""What is asked of publishing, in records a second."""
BATCH_RECORDS, BATCH_BYTES = 500, 2 * 1024 * 1024
DISCLOSURE = "C"


@dataclass(frozen=True, slots=True)
class Published:
    """One round, in seconds; those of processor time are of the node and of the command while the file was new."""

    seconds: float
    node_busy_s: float
    command_busy_s: float
    peak_mb: float
    again_s: float
    reading_s: float
    judging_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """Records a second, as they are published, published again, only read, and only read and judged."""

    records: int
    file_bytes: int
    records_per_s: Spread
    again_per_s: Spread
    reading_per_s: Spread
    judging_per_s: Spread
    node_busy_s: Spread
    command_busy_s: Spread
    peak_mb: Spread
    floor_per_s: int
    aim_per_s: int
    is_floor_held: bool
    is_aim_reached: bool


@dataclass(frozen=True, slots=True)
class Publication:
    """A file of records that a node publishes again and again, each time into a channel of its own.

    as_of is the day, YYYY-MM-DD, and law the rules by which the node judges its rows.
    """

    network: Network
    records: int
    file: Path
    item: Item
    law: Law
    as_of: str

    @classmethod
    def prepare(cls, network: Network, records: int, seed: int) -> Self:
        """Write the file."""
        node, file = network.owner, network.programs.work / "bench-publish.csv"
        with network.admin(node) as client:
            item, rules = client.catalogue().item(ITEM), client.rules(pb.ListRulesRequest())
        write_rows(item, Plan(ITEM, records, seed, f"{node[:2]}0100", example_uscc("11", node, 1)), file)
        law = Law(_rules(Home(network.home(node)), rules.version), rules.division)
        return cls(network, records, file, item, law, rules.as_of)

    def measure(self, number: int) -> Published:
        """Publish the file into a new channel; raises StageError where not every row becomes a record."""
        node, name = self.network.owner, f"bench-publish-{number}"
        audience = ("--audience", "everyone", "--disclosure", DISCLOSURE)
        self.network.run(node, "channel", "create", name, "--item", ITEM, *audience)
        process = self.network.process(node)
        before, command_before = busy_s(process), commands_busy_s()
        seconds = self._publish(f"{node}/{name}", "accepted")
        node_busy, command_busy = busy_s(process) - before, commands_busy_s() - command_before
        with self.network.admin(node) as client:
            held = client.channel(f"{node}/{name}").channel.records
        demand(held == self.records, f"{held} records are in force instead of {self.records}")
        return Published(
            seconds=seconds,
            node_busy_s=round(node_busy, 2),
            command_busy_s=round(command_busy, 2),
            peak_mb=peak_mb(process),
            again_s=self._publish(f"{node}/{name}", "duplicate"),
            reading_s=self._read(),
            judging_s=self._judge(),
        )

    def _publish(self, channel: str, outcome: str) -> float:
        began = perf_counter()
        found = self.network.run(self.network.owner, "publish", channel, str(self.file))["files"][0]["counts"]
        seconds = perf_counter() - began
        demand(found[outcome] == self.records, f"not every row is {outcome}", found)
        return round(seconds, 3)

    def _read(self) -> float:
        began = perf_counter()
        with self.file.open("rb") as stream:
            rows = sum(1 for _ in read_rows(stream, self.file.name, self.item))
        demand(rows == self.records, f"{rows} rows were read")
        return round(perf_counter() - began, 3)

    def _judge(self) -> float:
        began = perf_counter()
        with self.file.open("rb") as stream:
            rows = read_rows(stream, self.file.name, self.item)
            judged = batches(rows, self.item, DISCLOSURE, BATCH_RECORDS, BATCH_BYTES, self.as_of, law=self.law)
            records = sum(len(batch.candidates) for batch in judged)
        demand(records == self.records, f"{records} rows are sound")
        return round(perf_counter() - began, 3)


def _rules(home: Home, version: str) -> RulesEdition:
    """The edition of the rules that a home has from its registry, or the one that every node has."""
    found = registry_source.load(database(home).registry_files()).targets.get(f"rules/{version}.json")
    return parse_rules(found) if found is not None else VERSION_1


def report(records: int, file_bytes: int, rounds: Sequence[Published]) -> Report:
    """The figures of at least one round."""

    def per_s(seconds: Callable[[Published], float]) -> Spread:
        return spread([records / seconds(each) for each in rounds])

    found = per_s(lambda each: each.seconds)
    return Report(
        records=records,
        file_bytes=file_bytes,
        records_per_s=found,
        again_per_s=per_s(lambda each: each.again_s),
        reading_per_s=per_s(lambda each: each.reading_s),
        judging_per_s=per_s(lambda each: each.judging_s),
        node_busy_s=spread([each.node_busy_s for each in rounds]),
        command_busy_s=spread([each.command_busy_s for each in rounds]),
        peak_mb=spread([each.peak_mb for each in rounds]),
        floor_per_s=FLOOR_PER_S,
        aim_per_s=AIM_PER_S,
        is_floor_held=found.median >= FLOOR_PER_S,
        is_aim_reached=found.median >= AIM_PER_S,
    )
