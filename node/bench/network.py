"""A network to measure: a registry and nodes as processes on loopback, founded by the commands that people use."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

from node.bench.programs import Document, Programs, StageError, demand, edit_settings, free_ports
from node.bench.rows import example_uscc
from node.home import Home
from node.rpc.admin_client import AdminClient
from node.rpc.list_client import ListClient
from node.texts import words

# Provinces, whose ids every registry of divisions has; the first is the owner of what is measured.
NODES = (
    *("310000", "320000", "330000", "340000", "110000", "120000", "130000", "140000", "150000", "210000"),
    *("220000", "230000", "350000", "360000", "370000", "410000", "420000", "430000", "440000", "450000"),
    "460000",
)
LOOPBACK = "127.0.0.1"
REGISTRY = "registry"
# What would only make founding slower; everything else is as it comes.
SETTINGS = {"heartbeat_interval_s": "15", "registry_refresh_s": "5", "key_settle_s": "20", "log_level": '"warning"'}
AT_A_TIME = 3
LINK_LIMIT_S = 60.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Network:
    """Nodes that serve, each linked with every other one."""

    programs: Programs
    nodes: tuple[str, ...]

    @property
    def owner(self) -> str:
        """The node whose lists are measured."""
        return self.nodes[0]

    @property
    def readers(self) -> tuple[str, ...]:
        """All others."""
        return self.nodes[1:]

    def home(self, node: str) -> Path:
        """The folder of a node."""
        return self.programs.work / node

    def run(self, node: str, *arguments: str) -> Document:
        """Run a command on a node's home."""
        return self.programs.run(*arguments, "--home", str(self.home(node)))

    def do(self, node: str, *arguments: str) -> None:
        """Run a command on a node's home as people do, without a document."""
        self.programs.do(*arguments, "--home", str(self.home(node)))

    def admin(self, node: str) -> AdminClient:
        """The admin service of a node, as the commands call it."""
        return AdminClient(self.home(node), Home(self.home(node)).socket())

    def lists(self, node: str) -> ListClient:
        """The admin service of a node together with what officers decide there, and its lists."""
        return ListClient(self.home(node), Home(self.home(node)).socket())

    def process(self, node: str) -> int:
        """The process that serves a node."""
        return self.programs.servers[node].process.pid


def found(
    programs: Programs,
    count: int,
    tell: Callable[[str], None],
    databases: Mapping[str, str] | None = None,
    *,
    meets: bool = True,
) -> Network:
    """Found a network of so many nodes; where it meets, wait until each has exchanged with every other one.

    Without channels a node keeps links with a few others only: of a larger network they do not all meet. databases has
    the addresses of those that keep their data on a server.
    """
    network = Network(programs, NODES[:count])
    ports = iter(free_ports(2 * count + 1))
    address = f"{LOOPBACK}:{next(ports)}"
    with ThreadPoolExecutor(AT_A_TIME) as crew:
        tell(words("founding the registry"))
        root = _found_registry(programs, address)
        tell(words("creating nodes"))
        given = databases or {}
        made = list(
            crew.map(lambda node: _create(network, node, [next(ports), next(ports)], given.get(node)), network.nodes)
        )
        joining = ["join", "--registry", address, "--root-fingerprint", root]
        list(crew.map(lambda node: network.run(node, *joining, "--wait", "0"), network.nodes))
        tell(words("admitting nodes"))
        _admit(programs, root, dict(zip(network.nodes, made, strict=True)))
        joined = crew.map(lambda node: network.run(node, *joining, "--wait", "30"), network.nodes)
        demand(all(each["member"] for each in joined), "an approved node is not a member")
        tell(words("starting nodes"))
        list(crew.map(lambda node: programs.serve(node, "serve", "--home", str(network.home(node))), network.nodes))
    if meets:
        wait_until(lambda: _is_linked(network), "every node has exchanged with every other one", LINK_LIMIT_S)
    return network


def _found_registry(programs: Programs, address: str) -> str:
    """One officer's key, a registry that one signature decides for; returns the root fingerprint."""
    (programs.work / "registrar").mkdir(mode=0o700)
    key = programs.run("registry", "officer", "keygen", "-o", _key(programs))["officer_key"]
    made = programs.run(
        *("registry", "init", "--home", REGISTRY, "--network", "bench", "--threshold", "1", "--officer-key", key)
    )
    _decide(programs, made["root_fingerprint"], programs.work / made["founding"])
    programs.serve(REGISTRY, "registry", "serve", "--home", REGISTRY, "--listen", address)
    return str(made["root_fingerprint"])


def publish_decision(network: Network, *arguments: str) -> None:
    """Propose something to the registry, sign it and submit it."""
    proposal = network.programs.work / f"{arguments[0]}.proposal"
    network.programs.run("registry", "propose", *arguments, "--home", REGISTRY, "-o", str(proposal))
    root = Home(network.home(network.owner)).load().root_fingerprint
    _decide(network.programs, root, proposal)


def _key(programs: Programs) -> str:
    return str(programs.work / "registrar" / "officer.pem")


def _decide(programs: Programs, root: str, proposal: Path) -> None:
    """Sign a proposal and submit it."""
    copy = programs.work / "registrar" / proposal.name
    shutil.copyfile(proposal, copy)
    programs.run("registry", "sign", str(copy), "--key", _key(programs), "--yes", "--root-fingerprint", root)
    found = programs.run("registry", "submit", "--home", REGISTRY, str(copy))
    demand(all(each["published"] for each in found["proposals"]), "a proposal was not published", found)


def _create(network: Network, node: str, ports: Sequence[int], database: str | None) -> str:
    """Make a node's home; returns its fingerprint."""
    listen, registry_listen = (f"{LOOPBACK}:{port}" for port in ports)
    made = network.run(
        *(node, "init", "--id", node, "--name", f"示例平台 {node}", "--level", "province"),
        *("--authority", example_uscc("11", node, 1), "--listen", listen, "--registry-listen", registry_listen),
    )
    server = {"database": f'"{database}"'} if database else {}
    edit_settings(network.home(node) / "xinqiao.toml", SETTINGS | server)
    return str(made["fingerprint"])


def _admit(programs: Programs, root: str, fingerprints: dict[str, str]) -> None:
    """One proposal that admits all of them: each is made with those before it."""
    earlier: list[str] = []
    for node, fingerprint in fingerprints.items():
        output = str(programs.work / f"{node}.proposal")
        approve = ("registry", "propose", "approve", node, "--fingerprint", fingerprint, "--home", REGISTRY)
        programs.run(*approve, "-o", output, *earlier)
        earlier = ["--with", output]
    _decide(programs, root, Path(earlier[1]))


def _is_linked(network: Network) -> bool:
    for node in network.nodes:
        with network.admin(node) as asked:
            others = [peer for peer in asked.peers().peers if peer.node in network.nodes]
        if len(others) < len(network.nodes) - 1 or not all(peer.last_success_unix_ms for peer in others):
            return False
    return True


def wait_until(holds: Callable[[], bool], what: str, limit_s: float) -> None:
    """Ask until it holds; raises StageError after the limit."""
    limit = perf_counter() + limit_s
    while not holds():
        if perf_counter() > limit:
            raise StageError(f"after {limit_s:.0f} s still not: {what}")
        sleep(POLL_S)
