"""How a node comes back that was away: when its list is right again, when it has every record, and what that took.

It had all of a list and of a channel of records when it was stopped. While it is away, the owner publishes many
records, and after them some subjects leave the list. The clock runs

    from   the moment before the node's process is started
    to     the moments when its own admin socket says that it has applied all of the list, and who is on it agrees with
           what the owner has signed; and that it has applied every record; each with up to POLL_S of not knowing it

Counted are all bytes on its connections since its start, beside the bodies of the entries that it had missed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, sleep

from node.bench.figures import busy_s, peak_mb
from node.bench.lists import Exits
from node.bench.load import ITEM, is_covered, write_rows
from node.bench.network import Network, wait_until
from node.bench.programs import StageError, demand
from node.bench.rows import Plan, example_uscc
from node.bench.sockets import Meter, Traffic
from node.bench.supply import Volume, measured
from node.home import Home
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2
from node.rpc.list_client import ListClient
from node.texts import words

NAME = "bench-catchup"
POLL_S = 0.05
BEFORE_RECORDS = 1000
LIST_ENTRIES = 1000
EXITS = 20
LEAST_LIMIT_S, FEWEST_PER_S = 120.0, 200


@dataclass(frozen=True, slots=True)
class Side:
    """What one process has used while the clock ran: seconds of processor time, and MB at most since its start."""

    busy_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Report:
    """One return: seconds until the list was right, and until every record was applied.

    serving_s is when the node began to serve, from when on records_per_s counts; missed is what it had missed of the
    records' channel.
    """

    missed: Volume
    exits: int
    serving_s: float
    list_s: float
    records_s: float
    records_per_s: float
    traffic: Traffic
    reader: Side
    owner: Side

    @property
    def bytes_per_missed_byte(self) -> float:
        """How much was moved for each byte missed."""
        return round(self.traffic.bytes / self.missed.entry_bytes, 3)


@dataclass
class Return:
    """A network of two, one of which is away while the other one publishes."""

    network: Network
    records: int
    tell: Callable[[str], None]
    channel: str = ""

    def measure(self) -> Report:
        """Do all of it once; raises StageError where the node does not come back."""
        with self.network.lists(self.network.owner) as owner:
            exits = Exits(self.network, owner, LIST_ENTRIES)
            self.tell(words("putting {count} entries on a list", count=LIST_ENTRIES))
            exits.prepare(EXITS)
            self._publish(owner, BEFORE_RECORDS, 0)
            covered = lambda: is_covered(owner.channel(self.channel), self.network.readers)  # noqa: E731
            wait_until(covered, "all receipts", LEAST_LIMIT_S)
            before = measured(Home(self.network.home(self.network.owner)), self.channel)
            self.network.programs.end(self._reader)
            self.tell(words("publishing {count} records", count=self.records))
            self._publish(owner, self.records, 1)
            for _ in range(EXITS):
                exits.order()()
            missed = _beyond(before, measured(Home(self.network.home(self.network.owner)), self.channel))
            self.tell(words("the node comes back"))
            return self._come_back(owner, exits.channel, missed)

    @property
    def _reader(self) -> str:
        return self.network.readers[0]

    def _publish(self, owner: ListClient, records: int, number: int) -> None:
        """Publish so many records, in a channel that is made with the first of them."""
        node = self.network.owner
        if not self.channel:
            request = pb.CreateChannelRequest(name=NAME, item=ITEM, disclosure=channel_pb2.DISCLOSURE_CLASS_C)
            request.audience.terms.add(everyone=True)
            self.channel = owner.create_channel(request).head.channel
        file = self.network.programs.work / f"catchup-{number}.csv"
        plan = Plan(ITEM, records, number, f"{node[:2]}{number:02d}00", example_uscc("11", node, 1))
        write_rows(owner.catalogue().item(ITEM), plan, file)
        found = self.network.run(node, "publish", self.channel, str(file))["files"][0]["counts"]
        demand(found["accepted"] == records, "not every row was accepted", found)
        file.unlink()

    def _come_back(self, owner: ListClient, listed: str, missed: Volume) -> Report:
        reader, programs = self._reader, self.network.programs
        size = owner.channel(self.channel).channel.head.size
        of_owner = self.network.process(self.network.owner)
        busy, began = busy_s(of_owner), perf_counter()
        programs.serve(reader, "serve", "--home", str(self.network.home(reader)))
        serving_s, process = perf_counter() - began, self.network.process(reader)
        meter = Meter(process, since_start=True)
        (line,) = owner.lists(listed).lists
        expected = (line.channel.head.size, line.live)
        with self.network.lists(reader) as held:
            list_s = records_s = 0.0
            while not (list_s and records_s):
                now = perf_counter() - began
                list_s = list_s or (now if _is_right(held, listed, *expected) else 0.0)
                records_s = records_s or (now if held.channel(self.channel).channel.applied_size >= size else 0.0)
                if now > LEAST_LIMIT_S + self.records / FEWEST_PER_S:
                    raise StageError(f"after {now:.0f} s the node has still not caught up")
                meter.read()
                sleep(POLL_S)
        sides = [Side(round(used, 2), peak_mb(of)) for used, of in _used((process, 0.0), (of_owner, busy))]
        return Report(
            missed=missed,
            exits=EXITS,
            serving_s=round(serving_s, 3),
            list_s=round(list_s, 3),
            records_s=round(records_s, 3),
            records_per_s=round(missed.records / (records_s - serving_s), 1),
            traffic=meter.read(),
            reader=sides[0],
            owner=sides[1],
        )


def _used(*processes: tuple[int, float]) -> Sequence[tuple[float, int]]:
    """The processor time of each process beyond what it had used before."""
    return [(busy_s(process) - before, process) for process, before in processes]


def _beyond(before: Volume, now: Volume) -> Volume:
    return Volume(
        now.records - before.records,
        now.record_bytes - before.record_bytes,
        now.entries - before.entries,
        now.entry_bytes - before.entry_bytes,
    )


def _is_right(held: ListClient, channel: str, size: int, live: int) -> bool:
    """Whether all of a list is applied, and those on it are those that its origin has signed."""
    (line,) = held.lists(channel).lists
    return line.channel.applied_size >= size and line.live == live and line.digest == "match"
