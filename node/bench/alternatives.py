"""Other ways to bring the same records over, measured in turns with ours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from node.bench import bare_stream
from node.bench.network import Network
from node.bench.programs import demand
from node.bench.supply import Supply
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


WAYS = {"limit": Limit.prepare}
"""How each is prepared: for a network whose owner has published a supply, and does not serve."""
