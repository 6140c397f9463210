"""Other ways to bring the same records over, measured in turns with ours."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

from node.bench import bare_stream
from node.bench.clusters import check_installed
from node.bench.network import Network
from node.bench.programs import demand
from node.bench.supply import Supply
from node.bench.tables import LogicalReplication, SignedFile, Tables
from node.home import Home

RECEIVER = "bare-stream"


class Alternative(Protocol):
    """A way that is prepared, and can be measured again and again."""

    def measure(self) -> float:
        """Bring all records over once more; how many seconds it took. Raises StageError where they do not arrive."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """The same entries as a bare stream between two processes, over mutual TLS: verified, and then forgotten."""

    network: Network
    supply: Supply
    file: Path

    @classmethod
    def prepare(cls, network: Network, supply: Supply) -> Self:
        """Write the entries into a file."""
        file = network.programs.work / "bench-entries"
        bare_stream.write(Home(network.home(network.owner)), supply.channel, file)
        return cls(network, supply, file)

    def measure(self) -> float:
        """From the first message to the answer to the last one."""
        programs, (owner, reader) = self.network.programs, map(self.network.home, self.network.nodes[:2])
        module = ("-m", bare_stream.__name__)
        serving = programs.serve(RECEIVER, *module, "receive", str(reader), str(owner))
        found = programs.run(*module, "send", str(owner), str(reader), str(self.file), serving["address"])
        programs.end(RECEIVER)
        records = self.supply.volume.records
        demand(found["records"] == records, f"{found['records']} of {records} records were verified")
        return float(found["seconds"])


def check_possible(database: str, names: Iterable[str]) -> None:
    """Raise BENCH_POSTGRESQL, before anything is done, where the nodes or an alternative need servers of ours."""
    if database == "postgresql" or set(names) - {"limit"}:
        check_installed()


@dataclass
class Ways:
    """Prepares alternatives for a network whose owner has published a supply, and does not serve.

    What they need is there until the stack ends.
    """

    network: Network
    supply: Supply
    stack: ExitStack

    @cached_property
    def tables(self) -> Tables:
        """The servers that some of them share."""
        return Tables.prepare(self.network, self.supply, self.stack)

    def prepare(self, name: str) -> Alternative:
        """Prepare one of them by its name; raises BENCH_POSTGRESQL where its servers cannot be started."""
        if name == "limit":
            return Limit.prepare(self.network, self.supply)
        if name == "signed-file":
            return SignedFile.prepare(self.tables, self.network)
        return LogicalReplication.prepare(self.tables, copies=name == "initial-sync")
