"""A whole network as processes on loopback: registry, officers in separate folders, nodes over mutual TLS and SQLite.

town = Town(folder, commands).found()
town.admit(SHANGHAI, PUDONG)              # init, join, one proposal for all, signed by two of three officers
town.serve_registry(); town.serve("310000", "310115")
town.run("310000", "channel", "create", ...)        # the JSON document that the command printed
"""

import random
import re
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from node.cli.terminal import plain
from node.rpc.admin_client import AdminClient
from scripts.xq_generate import example_uscc
from tests.processes.commands import Command, Commands, wait_until

LOOPBACK = "127.0.0.1"
OFFICERS, THRESHOLD = 3, 2
# Below the ports that systems hand out by themselves, so that nobody is given one of ours while a node is down.
PORTS = range(20_000, 32_000)
_handed_out: set[int] = set()

QUICK = {"heartbeat_interval_s": 1, "registry_refresh_s": 1, "retry_cap_s": 1, "key_settle_s": 2, "log_format": "json"}


@dataclass(frozen=True)
class Plan:
    """A node to be."""

    id: str
    name: str
    level: str
    parent: str = ""

    @property
    def authority(self) -> str:
        """The example authority that it speaks for."""
        return example_uscc("11", self.id, 1)


SHANGHAI = Plan("310000", "上海市", "province")
PUDONG = Plan("310115", "浦东新区", "district", "310000")
HANGZHOU = Plan("330100", "杭州市", "city")
SUZHOU = Plan("320500", "苏州市", "city")
PLANS = (SHANGHAI, PUDONG, HANGZHOU, SUZHOU)


class Town:
    """One network: its folders, its running processes, its ceremony."""

    def __init__(self, folder: Path, commands: Commands) -> None:
        self.folder = folder
        self.commands = commands
        self.root_fingerprint = ""
        self.network = ""
        self.registry_port = free_port()
        self.plans: dict[str, Plan] = {}
        self.serving: dict[str, Command] = {}
        self.log: list[tuple[str, Command]] = []
        self.secrets: list[str] = []
        self._proposals = 0

    # -- places

    @property
    def registry_home(self) -> Path:
        return self.folder / "registry"

    @property
    def registry_address(self) -> str:
        return f"{LOOPBACK}:{self.registry_port}"

    def home(self, node: str) -> Path:
        return self.folder / node

    def officer_key(self, number: int) -> Path:
        return self.folder / f"officer-{number}" / "key.pem"

    # -- commands

    def run(self, node: str, *argv: object) -> dict[str, Any]:
        """Run a command on a node's home, and return the document it printed."""
        return done(self.start(node, *argv))

    def refused(self, node: str, *argv: object) -> dict[str, str]:
        """Run a command that must be refused with exit status 1, and return the refusal."""
        return refusal(self.start(node, *argv))

    def start(self, node: str, *argv: object, **options: Any) -> Command:
        """Start a command on a node's home."""
        return self.commands.start(*argv, "--home", self.home(node), "--json", **options)

    def registry(self, *argv: object) -> dict[str, Any]:
        """Run a registry command on the registry's home."""
        return done(self.commands.start("registry", *argv, "--home", self.registry_home, "--json"))

    # -- the ceremony: only files pass between the folders

    def found(self) -> "Town":
        """Make the officers' keys and the registry, and publish its beginning."""
        publics = []
        for number in range(1, OFFICERS + 1):
            self.officer_key(number).parent.mkdir(parents=True)
            made = self.commands.start("registry", "officer", "keygen", "-o", self.officer_key(number), "--json")
            publics.append(done(made)["officer_key"])
        given = [part for public in publics for part in ("--officer-key", public)]
        founded = self.registry("init", "--network", "delta", *given, "--threshold", THRESHOLD)
        self.root_fingerprint, self.network = founded["root_fingerprint"], founded["network"]
        self._sign_and_submit(Path(founded["founding"]))
        return self

    def propose(self, *argv: object, earlier: Path | None = None) -> Path:
        """Make a proposal file."""
        self._proposals += 1
        path = self.folder / f"proposal-{self._proposals}"
        together = ["--with", earlier] if earlier else []
        self.registry("propose", *argv, *together, "-o", path)
        return path

    def decide(self, *argv: object) -> None:
        """Propose, have two officers sign, submit."""
        self._sign_and_submit(self.propose(*argv))

    def _sign_and_submit(self, proposal: Path) -> None:
        copies = [self._signed_by(number, proposal) for number in range(1, THRESHOLD + 1)]
        found = self.registry("submit", *copies)
        assert [each["published"] for each in found["proposals"]] == [True]

    def _signed_by(self, number: int, proposal: Path) -> Path:
        key = self.officer_key(number)
        copy = Path(shutil.copy(proposal, key.parent))
        arguments = ("--key", key, "--yes", "--root-fingerprint", self.root_fingerprint, "--json")
        done(self.commands.start("registry", "sign", copy, *arguments))
        return copy

    # -- nodes

    def admit(self, *plans: Plan, **settings: object) -> None:
        """Make nodes and have them listed by one proposal; the registry must be serving."""
        proposal: Path | None = None
        for plan in plans:
            fingerprint = self.init(plan, **settings)
            assert not self.join(plan.id)["member"]
            proposal = self.propose("approve", plan.id, "--fingerprint", fingerprint, earlier=proposal)
        assert proposal is not None
        self._sign_and_submit(proposal)
        for plan in plans:
            assert self.join(plan.id)["member"]

    def init(self, plan: Plan, **settings: object) -> str:
        """Make a node's home; its fingerprint."""
        self.plans[plan.id] = plan
        made = self.run(plan.id, "init", *self.init_arguments(plan))
        self.set(plan.id, **QUICK, **settings)
        return str(made["fingerprint"])

    def init_arguments(self, plan: Plan) -> list[str]:
        """What `xinqiao init` is told of a node."""
        parent = ["--parent", plan.parent] if plan.parent else []
        ports = ["--listen", f"{LOOPBACK}:{free_port()}", "--registry-listen", f"{LOOPBACK}:{free_port()}"]
        told = ["--id", plan.id, "--name", plan.name, "--level", plan.level, "--authority", plan.authority]
        return [*told, *parent, *ports]

    def join(self, node: str, *argv: object) -> dict[str, Any]:
        """Apply, or see how far the application is; waits for nobody unless told to."""
        given = ("--registry", self.registry_address, "--root-fingerprint", self.root_fingerprint, "--wait", 0)
        return self.run(node, "join", *given, *argv)

    def set(self, node: str, **settings: object) -> None:
        """Change settings in a node's file."""
        path = self.home(node) / "xinqiao.toml"
        content = tomlkit.parse(path.read_text("utf-8"))
        content.update(settings)
        path.write_text(tomlkit.dumps(content), "utf-8")

    def setting(self, node: str, name: str) -> Any:
        """A setting of a node."""
        return self.run(node, "config", "show")[name]

    # -- processes

    def serve_registry(self) -> None:
        """Start the registry and wait until it listens."""
        argv = ("registry", "serve", "--listen", self.registry_address, "--home", self.registry_home, "--json")
        self._note("registry", self.commands.start(*argv))
        _said(self.serving["registry"])

    def serve(self, *nodes: str, environment: Mapping[str, str] | None = None) -> None:
        """Start nodes and wait until each listens."""
        for node in nodes:
            self._note(node, self.start(node, "serve", environment=environment))
        for node in nodes:
            _said(self.serving[node])

    def serve_program(self, node: str, **options: Any) -> None:
        """Start a node by the installed program, in an interpreter of its own."""
        command = self.commands.start_program("serve", "--home", self.home(node), "--json", **options)
        self._note(node, command)
        _said(command)

    def _note(self, node: str, command: Command) -> None:
        assert node not in self.serving or not self.serving[node].running, f"{node} is serving"
        self.serving[node] = command
        self.log.append((node, command))

    def kill(self, *nodes: str) -> None:
        """End processes as a loss of power does, as far as a process can tell."""
        for node in nodes:
            self.serving[node].send(signal.SIGKILL)
        for node in nodes:
            assert self.serving[node].wait() == -signal.SIGKILL

    def stop(self, *nodes: str) -> None:
        """Ask processes to drain, and wait for their clean end."""
        for node in nodes:
            self.serving[node].send(signal.SIGTERM)
        for node in nodes:
            assert self.serving[node].wait() == 0, self.serving[node].stderr

    def close(self) -> None:
        """End all processes of this network."""
        for command in self.serving.values():
            command.send(signal.SIGKILL)
        for command in self.serving.values():
            command.wait()

    def copy(self, folder: Path) -> "Town":
        """The same network, with its keys and members, in another folder and on other ports, its registry serving.

        Nothing may be serving here.
        """
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("serve.lock"))
        town = Town(folder, self.commands)
        town.root_fingerprint, town.network, town._proposals = self.root_fingerprint, self.network, self._proposals
        town.plans = dict(self.plans)
        for node in town.plans:
            ports = {name: f"{LOOPBACK}:{free_port()}" for name in ("listen", "registry_listen")}
            town.set(node, registry=town.registry_address, **ports)
        town.serve_registry()
        return town

    def tails(self, lines: int = 60) -> list[tuple[str, str]]:
        """The last lines of every process's log, for a test that failed."""
        return [(node, "\n".join(command.stderr.splitlines()[-lines:])) for node, command in self.log]

    def leaks(self) -> list[str]:
        """Lines of any log that hold what no log may hold: keys, passphrases, codes of subjects."""
        secret = re.compile("|".join(["PRIVATE KEY", *map(re.escape, self.secrets)]))
        lines = [(node, line) for node, command in self.log for line in command.stderr.splitlines()]
        return [f"{node}: {line}" for node, line in lines if secret.search(line)]

    # -- what nodes hold, asked of the service behind the commands, so that waiting for something costs little

    def admin(self, node: str) -> AdminClient:
        """The admin service of a node that serves, as the commands call it."""
        return AdminClient(self.home(node), self.home(node) / "admin.sock")

    def status(self, node: str) -> dict[str, Any]:
        """What `xinqiao status` shows."""
        with self.admin(node) as asked:
            return plain(asked.status())

    def peers(self, node: str) -> dict[str, dict[str, Any]]:
        """What `xinqiao peers` shows, by node."""
        with self.admin(node) as asked:
            return {line["node"]: line for line in plain(asked.peers())["peers"]}

    def deliveries(self, node: str, channel: str) -> dict[str, dict[str, Any]]:
        """The newest receipts that a node holds for a channel, by subscriber."""
        with self.admin(node) as asked:
            return {line["node"]: line for line in plain(asked.channel(channel))["deliveries"]}

    def duty(self, node: str, name: str) -> dict[str, Any]:
        """How one duty of a node stands."""
        return next(duty for duty in self.status(node)["duties"] if duty["name"] == name)

    def alarms(self, node: str) -> list[str]:
        """The codes of a node's alarms."""
        return [alarm["what"]["code"] for alarm in self.status(node)["alarms"]]

    def create(self, channel: str, item: str, audience: str, disclosure: str = "C") -> None:
        """Create a channel of the node it names."""
        node, _, name = channel.partition("/")
        given = ("--item", item, "--audience", audience, "--disclosure", disclosure)
        self.run(node, "channel", "create", name, *given)

    def publish(self, channel: str, file: Path) -> dict[str, int]:
        """Publish a file; the counts of the outcomes."""
        published = self.run(channel.partition("/")[0], "publish", channel, file)
        return dict(published["files"][0]["counts"])

    def channel(self, node: str, channel: str) -> dict[str, Any] | None:
        """A channel as a node holds it in its newest epoch, None where it does not."""
        with self.admin(node) as asked:
            held = plain(asked.channels())["channels"]
        found = [each for each in held if each["head"]["channel"] == channel]
        return max(found, key=lambda each: int(each["head"]["epoch"]), default=None)

    def head(self, node: str, channel: str) -> tuple[int, int, str, int] | None:
        """(epoch, size, root, applied size) of a channel at a node, None where it holds none."""
        held = self.channel(node, channel)
        if held is None:
            return None
        return held["head"]["epoch"], held["head"]["size"], held["head"]["root"], held["applied_size"]

    def wait_for_agreement(self, channel: str, nodes: Sequence[str], deadline_s: float = 30.0) -> tuple[int, str]:
        """Wait until nodes hold and have applied exactly what the origin holds; (size, root)."""
        origin = channel.partition("/")[0]

        def agreed() -> tuple[int, int, str, int] | None:
            whole = self.head(origin, channel)
            return whole if all(self.head(node, channel) == whole for node in nodes) else None

        found = wait_until(agreed, f"{channel} is the same at {', '.join(nodes)}", deadline_s)
        assert found is not None
        assert found[1] == found[3]
        return found[1], found[2]

    def records(self, node: str, *argv: object) -> list[dict[str, Any]]:
        """Records in force at a node."""
        return list(self.run(node, "records", *argv)["records"])


def done(command: Command) -> dict[str, Any]:
    """The document of a command that must succeed."""
    assert command.wait() == 0, f"{command}\n{command.stdout}\n{command.stderr}"
    documents = command.documents()
    assert len(documents) == 1, f"{command} printed {len(documents)} documents"
    return documents[0]


def refusal(command: Command) -> dict[str, str]:
    """What a command that must be refused says: on stdout for programs, on stderr for people."""
    assert command.wait() == 1, f"{command}\n{command.stdout}\n{command.stderr}"
    error: dict[str, str] = command.documents()[-1]["error"]
    assert f"next: {error['next']}" in command.stderr
    return error


def outcomes(**counts: int) -> dict[str, int]:
    """The counts of a publication, those not given being 0."""
    found = dict.fromkeys(("accepted", "revised", "duplicate", "rejected", "held"), 0) | counts
    return {"rows": sum(found.values()), **found}


def free_port() -> int:
    """A port of loopback that nobody listens on and that this run has not handed out."""
    while True:
        port = random.choice(PORTS)
        if port not in _handed_out and _is_free(port):
            _handed_out.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _said(command: Command) -> dict[str, Any]:
    """The first line of a process that serves: where it listens."""
    wait_until(lambda: "\n" in command.stdout or not command.running, f"{command} serves", 60.0)
    assert "\n" in command.stdout, f"{command} ended with {command.status}\n{command.stdout}\n{command.stderr}"
    assert command.running, command.stderr
    return command.documents()[0]
