"""What a node costs that has nothing to do: bytes on its connections and processor time, minute by minute.

One node is measured, which has a link with each of its peers. Everything has been published, exchanged and applied
before, and all nodes have been started anew with the settings that a node comes with; then nothing is published. It
is measured from outside:

    bytes       on all TCP connections of its process, both ways, TLS and HTTP/2 included: those with its peers, and
                those with registry ports, its own and the others', which last a moment and go by way of a relay
    processor   of its process, in user and in system time

A network of one of two shapes:

    mesh        so many channels, written in turn by all nodes and read by everybody: each link carries all of them,
                and the heartbeats of everybody
    star        so many channels for each link, written in turn by its two ends and read by nobody else: the measured
                node holds so many for each of its peers, and its peers keep further links with each other

What a node does by itself it does at intervals of up to five minutes. It is the minute that costs most that counts.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from statistics import mean
from time import perf_counter, sleep
from typing import Any

from node.bench.figures import busy_s, peak_mb
from node.bench.load import ITEM, is_covered, write_rows
from node.bench.network import AT_A_TIME, LOOPBACK, SETTINGS, Network, wait_until
from node.bench.programs import demand, edit_settings
from node.bench.relay import Relay
from node.bench.rows import Plan, example_uscc
from node.bench.sockets import Meter, Traffic, connections, sockets_of
from node.config import Config
from node.core.audience import parse_audience
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2
from node.rpc.admin_client import AdminClient
from node.texts import words

MESH, STAR = "mesh", "star"
FLOOR_BYTES, AIM_BYTES = 400 * 1024, 100 * 1024
FLOOR_BUSY_S, AIM_BUSY_S = 2.0, 0.5
JUDGED_LINKS, JUDGED_CHANNELS = 20, 20
"""Floors and aims are those of a node with so many links, and of so many channels on each."""

MINUTE_S = 60.0
READ_S = 5.0
SETTLE_LIMIT_S = 600.0
SETTLE_INTERVALS = 1.25


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is measured: how many links, how many channels on each, records in each, and for how many minutes.

    heartbeat_s is the heartbeat interval of every node.
    """

    links: int
    channels: int
    shape: str
    minutes: int
    heartbeat_s: int
    records: int = 20


@dataclass(frozen=True, slots=True)
class Minute:
    """What a minute took: traffic with peers and with registry ports, seconds of processor time."""

    seconds: float
    peers: Traffic
    registry: Traffic
    busy_s: float

    @property
    def traffic(self) -> Traffic:
        """All that was moved."""
        return self.peers + self.registry


@dataclass(frozen=True, slots=True)
class Report:
    """The minutes, and the one that costs most of each; peak_mb is the largest resident size of the node."""

    minutes: Sequence[Minute]
    peak_mb: float
    mean_bytes: float = field(init=False)
    worst_bytes: int = field(init=False)
    worst_bytes_with_headers: int = field(init=False)
    mean_busy_s: float = field(init=False)
    worst_busy_s: float = field(init=False)

    def __post_init__(self) -> None:
        made = {
            "mean_bytes": round(mean(each.traffic.bytes for each in self.minutes)),
            "worst_bytes": max(each.traffic.bytes for each in self.minutes),
            "worst_bytes_with_headers": max(each.traffic.bytes_with_headers for each in self.minutes),
            "mean_busy_s": round(mean(each.busy_s for each in self.minutes), 3),
            "worst_busy_s": round(max(each.busy_s for each in self.minutes), 3),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @property
    def is_floor_held(self) -> bool:
        """Whether no minute costs more than is asked for."""
        return self.worst_bytes <= FLOOR_BYTES and self.worst_busy_s <= FLOOR_BUSY_S

    @property
    def is_aim_reached(self) -> bool:
        """Whether no minute costs more than is aimed at."""
        return self.worst_bytes <= AIM_BYTES and self.worst_busy_s <= AIM_BUSY_S


def default_heartbeat_s() -> int:
    """The heartbeat interval that nodes come with."""
    return int(_defaults()["heartbeat_interval_s"])


def settings(quiet: Quiet) -> dict[str, int]:
    """What the nodes are set to while they are measured, of what founding had set otherwise."""
    come = {name: int(value) for name, value in _defaults().items() if name in SETTINGS and isinstance(value, int)}
    return come | {"heartbeat_interval_s": quiet.heartbeat_s}


def _defaults() -> dict[str, Any]:
    return {each.name: each.default for each in fields(Config) if each.default is not MISSING}


@contextmanager
def quieted(network: Network, quiet: Quiet, tell: Callable[[str], None]) -> Iterator["Still"]:
    """Have the network exchange what there is, start it anew as nodes come, and wait until nothing moves."""
    with ExitStack() as stack:
        tell(words("creating channels"))
        _exchange(network, quiet)
        tell(words("starting nodes anew"))
        still = Still(network, stack)
        still.restart(quiet)
        tell(words("waiting until nothing moves"))
        wait_until(still.has_met_all, "every node has exchanged with every link", SETTLE_LIMIT_S)
        # What a start makes nodes tell again, page by page, is told with the comparison after that.
        sleep(SETTLE_INTERVALS * quiet.heartbeat_s)
        yield still


class Still:
    """A network in which nothing is published, and the node that is measured."""

    def __init__(self, network: Network, stack: ExitStack) -> None:
        self._network = network
        self._stack = stack
        self._relays: list[Relay] = []
        self._since_ms = 0

    def restart(self, quiet: Quiet) -> None:
        """Stop all nodes, set them as they come, let relays count what their registry ports move, and start them."""
        network, programs = self._network, self._network.programs
        with network.admin(network.owner) as asked:
            self._since_ms = asked.status().time_unix_ms
        with ThreadPoolExecutor(AT_A_TIME) as crew:
            list(crew.map(programs.end, network.nodes))
        for node in network.nodes:
            port = _port(network.home(node), "registry_listen")
            relay = self._relay(port, (lambda _: True) if node == network.owner else self._is_measured)
            edit_settings(
                network.home(node) / "xinqiao.toml",
                {name: str(value) for name, value in settings(quiet).items()}
                | {"registry_advertise": f'"{LOOPBACK}:{relay.port}"'},
            )
        registry = self._relay(_port(network.home(network.owner), "registry"), self._is_measured)
        edit_settings(network.home(network.owner) / "xinqiao.toml", {"registry": f'"{LOOPBACK}:{registry.port}"'})
        with ThreadPoolExecutor(AT_A_TIME) as crew:
            list(crew.map(lambda node: programs.serve(node, "serve", "--home", str(network.home(node))), network.nodes))

    def _relay(self, port: int, counts: Callable[[int], bool]) -> Relay:
        relay = self._stack.enter_context(Relay((LOOPBACK, port), counts))
        self._relays.append(relay)
        return relay

    def _is_measured(self, port: int) -> bool:
        """Whether it is the measured node that calls from a port."""
        mine = sockets_of(self._network.process(self._network.owner))
        return any(each.port == port and each.inode in mine for each in connections())

    def has_met_all(self) -> bool:
        """Whether every node has exchanged with each of its links since it was started."""
        for node in self._network.nodes:
            with self._network.admin(node) as asked:
                linked = [peer for peer in asked.peers().peers if peer.linked]
            if not linked or not all(peer.last_success_unix_ms > self._since_ms for peer in linked):
                return False
        return True

    @property
    def links(self) -> int:
        """How many links the measured node has."""
        with self._network.admin(self._network.owner) as asked:
            return sum(peer.linked for peer in asked.peers().peers)

    @property
    def channels(self) -> list[int]:
        """How many channels the measured node shares on each of its links."""
        with self._network.admin(self._network.owner) as asked:
            return [peer.shared_channels for peer in asked.peers().peers if peer.linked]

    def measure(self, minutes: int, tell: Callable[[str], None]) -> Report:
        """Measure so many minutes, one after another, and ask nothing of any node meanwhile."""
        process = self._network.process(self._network.owner)
        meter, found = Meter(process), list[Minute]()
        peers, registry, busy, began = meter.read(), self._registry(), busy_s(process), perf_counter()
        for number in range(1, minutes + 1):
            tell(words("minute {number}", number=number))
            limit = perf_counter() + MINUTE_S
            while (left := limit - perf_counter()) > 0:
                sleep(min(left, READ_S))
                meter.read()
            now = meter.read(), self._registry(), busy_s(process), perf_counter()
            found.append(Minute(round(now[3] - began, 3), now[0] - peers, now[1] - registry, round(now[2] - busy, 3)))
            peers, registry, busy, began = now
        return Report(found, round(peak_mb(process), 1))

    def _registry(self) -> Traffic:
        return sum((relay.read() for relay in self._relays), Traffic())


def _port(home: Path, setting: str) -> int:
    """The port that a setting names."""
    lines = (home / "xinqiao.toml").read_text("utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{setting} ="))
    return int(line.rpartition(":")[2].strip().strip('"'))


def _exchange(network: Network, quiet: Quiet) -> None:
    """Have the channels written, and wait until every reader has applied them."""
    with ExitStack() as stack:
        asked = {node: stack.enter_context(network.admin(node)) for node in network.nodes}
        written = [
            (node, _write(network, node, asked[node], audience, number, quiet), readers)
            for number, (node, audience, readers) in enumerate(plan(network.nodes, quiet))
        ]

        def is_exchanged() -> bool:
            return all(is_covered(asked[node].channel(channel), readers) for node, channel, readers in written)

        wait_until(is_exchanged, "every reader has applied every channel", SETTLE_LIMIT_S)


def plan(nodes: Sequence[str], quiet: Quiet) -> Iterator[tuple[str, str, list[str]]]:
    """The channels to be written: by whom, for what audience, and who reads it then; the first node is measured."""
    measured, peers = nodes[0], nodes[1:]
    if quiet.shape == MESH:
        for number in range(quiet.channels):
            writer = nodes[number % len(nodes)]
            yield writer, "everyone", [node for node in nodes if node != writer]
        return
    for number in range(quiet.channels):
        for peer in peers:
            writer, reader = (peer, measured) if number % 2 == 0 else (measured, peer)
            yield writer, reader, [reader]


def _write(network: Network, node: str, client: AdminClient, audience: str, number: int, quiet: Quiet) -> str:
    """Create a channel and publish records in it; returns its name."""
    created = client.create_channel(
        pb.CreateChannelRequest(
            name=f"quiet-{number}",
            item=ITEM,
            audience=parse_audience(audience),
            disclosure=channel_pb2.DISCLOSURE_CLASS_C,
        )
    )
    file = network.programs.work / f"{node}-{number}.csv"
    rows = Plan(ITEM, quiet.records, 1, f"{node[:2]}{number:04d}", example_uscc("11", node, 1))
    write_rows(client.catalogue().item(ITEM), rows, file)
    (*_, last) = client.publish(pb.PublishRequest(channel=created.head.channel), file)
    demand(last.counts.accepted == quiet.records, "not every row was accepted")
    return str(created.head.channel)
