"""How fast a node takes over what another one has published: from the first push to the last verified receipt.

Everything is published before: by `xinqiao publish`, but for one entry in the middle of it, which holds a record that
must not be applied; see planting. The reader, which belongs to the audience, does not run until then. The clock runs

    from   the moment when the reader has the first entry of the channel in its hands, before it commits it; this one
           travels alone, and nothing else of the channel before it
    to     the moment when the owner's admin socket answers that a receipt, signed by the reader and verified by the
           owner, says that all of it is applied; and up to POLL_S of not knowing it yet

Owner and reader are processes that have just been started. Each round has another reader, with an empty database.
"""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, sleep
from typing import Self

from node.bench.clusters import Cluster
from node.bench.figures import busy_s, peak_mb
from node.bench.network import Network
from node.bench.programs import demand
from node.bench.sampling import sampled
from node.bench.supply import Known, Supply, first_received_ms
from node.home import Home
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2
from node.rpc.admin_client import AdminClient

POLL_S = 0.02
QUIET_S = 3.0
LEAST_LIMIT_S, FEWEST_PER_S = 60.0, 200
"""A round that takes longer than this, and moves fewer records in a second, is given up."""
DOCUMENT = "CF_WSH"
"""The column of the number by which a record is told from others of its subject."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one process has used: seconds of processor time while the clock ran, and MB at most since its start."""

    busy_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Round:
    """One exchange; found is how many records were looked up as soon as the clock had stopped, each in lookup_s.

    signed_s is when the reader signed the last receipt: until then all was applied, from then on it was on its way.
    """

    seconds: float
    signed_s: float
    owner: Side
    reader: Side
    found: int
    lookup_s: float
    servers_busy_s: Mapping[str, float] = field(default_factory=dict)

    def since(self, began_s: float) -> Self:
        """The same with its moments counted from another one."""
        return replace(self, seconds=round(self.seconds - began_s, 3), signed_s=round(self.signed_s - began_s, 3))


@dataclass(frozen=True, slots=True)
class Exchange:
    """The owner of what was published, and readers that have none of it yet.

    servers are those that keep their databases, by what they are called in the figures.
    """

    network: Network
    supply: Supply
    servers: Mapping[str, Cluster] = field(default_factory=dict)

    def measure(self, reader: str, profile: Path | None = None) -> Round:
        """Let a reader have everything; raises StageError where it then holds anything else.

        Neither runs before or afterwards, so that the largest size of a process is that of this round. Where a folder
        for a profile is given both are sampled meanwhile, which slows them down.
        """
        owner = self.network.owner
        self._serve(owner)
        sleep(QUIET_S)
        before = busy_s(self.network.process(owner))
        self._serve(reader)
        sampling = sampled(self._processes(reader), profile) if profile is not None else nullcontext()
        with sampling, self.network.admin(owner) as asked, self.network.admin(reader) as held:
            measured = self._clocked(reader, before, asked, held)
        for node in (owner, reader):
            self.network.programs.end(node)
        began_ms = first_received_ms(Home(self.network.home(reader)), self.supply.channel)
        return measured.since(began_ms / 1000)

    def _processes(self, reader: str) -> dict[str, int]:
        return {"owner": self.network.process(self.network.owner), "reader": self.network.process(reader)}

    def _serve(self, node: str) -> None:
        self.network.programs.serve(node, "serve", "--home", str(self.network.home(node)))

    def _clocked(self, reader: str, owner_before: float, owner: AdminClient, held: AdminClient) -> Round:
        channel, processes = self.supply.channel, list(self._processes(reader).values())
        before, began = (owner_before, busy_s(processes[1])), perf_counter()
        servers_before = {name: server.busy_s for name, server in self.servers.items()}
        size = owner.channel(channel).channel.head.size
        while (line := _line(owner, channel, reader)).applied_size < size:
            demand(perf_counter() - began < self._limit_s, "the exchange takes too long", str(line))
            sleep(POLL_S)
        ended_ms = owner.status().time_unix_ms
        busy = [busy_s(process) - earlier for process, earlier in zip(processes, before, strict=True)]
        servers = {name: round(server.busy_s - servers_before[name], 2) for name, server in self.servers.items()}
        lookup_s = self._look_up(held)
        self._check(_outcomes(line.outcomes), held)
        owned, read = (Side(round(each, 2), peak_mb(of)) for each, of in zip(busy, processes, strict=True))
        ends = (ended_ms / 1000, line.observed_at_unix_ms / 1000)
        return Round(*ends, owned, read, len(self.supply.wanted), round(lookup_s, 6), servers)

    @property
    def _limit_s(self) -> float:
        return LEAST_LIMIT_S + self.supply.volume.records / FEWEST_PER_S

    def _look_up(self, held: AdminClient) -> float:
        """Look every wanted record up at the reader; how long one took."""
        began, wanted = perf_counter(), self.supply.wanted
        missing = [known for known in wanted if known.document not in self._documents(held, known)]
        demand(not missing, f"{len(missing)} of {len(wanted)} records are not found", str(missing[:3]))
        return (perf_counter() - began) / max(len(wanted), 1)

    def _documents(self, held: AdminClient, known: Known) -> set[str]:
        """The documents of all records that the reader answers for a subject."""
        request = pb.ListRecordsRequest(subject=known.subject, channel=self.supply.channel)
        values = (value for record in held.records(request) for value in record.values)
        return {value.text for value in values if value.column == DOCUMENT}

    def _check(self, receipt: dict[str, int], held: AdminClient) -> None:
        """All must be applied but the planted record: so says the receipt, and so does the reader."""
        planted, channel = self.supply.planted, self.supply.channel
        expected = {"applied": self.supply.volume.records - 1, f"rejected {planted.code}": 1}
        demand(receipt == expected, "the receipt tells other outcomes", {"told": receipt, "expected": expected})
        reader = _outcomes(held.channel(channel).channel.outcomes)
        demand(reader == expected, "the reader tells other outcomes", {"told": reader, "expected": expected})
        is_answered = planted.known.document in self._documents(held, planted.known)
        demand(not is_answered, "the planted record is answered", planted.known.document)


def _line(owner: AdminClient, channel: str, reader: str) -> pb.DeliveryLine:
    found = owner.channel(channel).deliveries
    return next((line for line in found if line.node == reader), pb.DeliveryLine())


def _outcomes(counts: Iterable[channel_pb2.OutcomeCount]) -> dict[str, int]:
    """Outcomes under their names, with the code where there is one."""
    name = channel_pb2.RecordOutcome.Name
    return {
        f"{name(each.outcome).removeprefix('RECORD_OUTCOME_').lower()} {each.code}".strip(): each.count
        for each in counts
    }
