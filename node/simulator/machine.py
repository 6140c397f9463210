"""One machine of a simulated network: what is there before a process starts and after it is killed."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from node.core.errors import XinqiaoError
from node.core.query_log import SubjectKey
from node.node import Settings, World
from node.ports import RegistryFileRecord, RegistryState, Signer
from node.simulator.disk import SimulatedDisk
from node.simulator.disk_faults import ProcessKilled
from node.simulator.identity import Identity
from node.simulator.network import SimulatedNetwork
from node.simulator.observing import Watcher
from node.simulator.process import Intervals, Process
from node.simulator.registry_office import RegistryOffice
from node.simulator.scenario import DiskOptions, NodeSettings
from node.simulator.trace import Trace
from node.simulator.world import SeededEntropy, SimulatedClock


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all machines of a run share. random makes the generator of one part of the run."""

    network: SimulatedNetwork
    office: RegistryOffice
    trace: Trace
    watcher: Watcher
    settings: NodeSettings
    disk: DiskOptions
    directory: Path
    random: Callable[[str], Random]


class Machine:
    """A disk, a clock, keys, and at most one process. keys are the identities of its node, the oldest first.

    visible_to: who reaches this machine under the node's id; None for all that no other one is visible to.
    """

    def __init__(
        self,
        label: str,
        keys: list[Identity],
        clock: SimulatedClock,
        around: Surroundings,
        *,
        dials_out: bool = False,
        visible_to: frozenset[str] | None = None,
        killed: Callable[["Machine"], None],
    ) -> None:
        self.label = label
        self.node = keys[0].id
        self.keys = keys
        self.clock = clock
        self.process: Process | None = None
        self.visible_to = visible_to
        self._around = around
        self._dials_out = dials_out
        self._starts = 0
        self._cause = ""
        self._killed = killed
        self._state: RegistryState | None = None
        self.disk = SimulatedDisk(
            around.directory / label,
            label,
            around.disk,
            around.random(f"disk {label}"),
            around.watcher.committed,
            lambda: killed(self),
        )

    # -- starting and ending --------------------------------------------------------------------------

    def start(self, cause: str) -> None:
        """Start a process on what the disk holds; where the disk lets it die at once, whoever was told starts it again.

        Why a process was started is kept until one serves, and that its disk was put back above all.
        """
        self._cause = cause if cause == "restore" else self._cause or cause
        try:
            self._serve(self._cause)
        except ProcessKilled:
            return
        except XinqiaoError as error:
            self._around.trace.note("cannot start", self.label, code=error.code)
            self._killed(self)
            return
        self._cause = ""

    def _serve(self, cause: str) -> None:
        around = self._around
        self._starts += 1
        self._store, self._writer = self.disk.open()
        self._state = self._registry_state()
        settings = Settings(
            id=self.node,
            heartbeat_interval_s=around.settings.heartbeat_s,
            links_further=around.settings.links_further,
            retry_cap_s=around.settings.retry_cap_s,
            grace_ms=int(around.settings.grace_hours * 3_600_000),
        )
        process = self.process = Process(self.label, settings, self, around.trace.note)
        around.trace.note("starts", self.label, cause=cause)
        around.watcher.started(self.label, process.instance, self._store, cause)
        around.network.attach(process, self.visible_to)
        exchange, registry = around.network.endpoints(self.node)
        endpoints = ("", "") if self._dials_out else (exchange, registry)
        process.serve(endpoints, Intervals(around.settings.heartbeat_s, around.settings.registry_refresh_s))

    def kill(self) -> None:
        """End the process at whatever it awaits, or before it has come to serve."""
        process, self.process = self.process, None
        if process is not None:
            self._around.trace.note("is killed", self.label)
            self._around.network.detach(process)
            process.kill()
        self.disk.close()

    def _registry_state(self) -> RegistryState:
        """The state that the files in the database add up to; a new machine has just joined."""
        office = self._around.office
        files = {record.name: record.content for record in self._store.registry_files()}
        if not files:
            files = dict(office.joining_files())
            with self._store.transaction() as tx:
                tx.replace_registry_files([RegistryFileRecord(*each) for each in sorted(files.items())], keep=())
        return office.load(files)

    # -- what a process is given ------------------------------------------------------------------------

    @property
    def state(self) -> RegistryState:
        """The registry's word as the database held it when the process started."""
        assert self._state is not None
        return self._state

    def certificate(self) -> bytes:
        """The TLS certificate in use, in DER."""
        return self.keys[0].certificate

    def world(self, process: Process) -> World:
        """The adapters the node lives on."""
        around, store = self._around, self._store
        entropy = SeededEntropy(around.random(f"entropy {self.label} {self._starts}"))

        def endpoints(node: str) -> tuple[str, str]:
            held = store.address(node)
            return (held.record.exchange_endpoint, held.record.registry_endpoint) if held is not None else ("", "")

        def certificates(node: str) -> tuple[bytes, ...]:
            member = process.instance.membership.members.get(node)
            return member.descriptor.tls_certificates if member is not None else ()

        return World(
            store=store,
            writer=self._writer,
            sidecar=self.disk.sidecar(),
            peers=around.network.peers_of(
                process,
                network=lambda: self.state.network,
                identity=lambda: self.keys[0].tls.pair,
                endpoints=endpoints,
                certificates=certificates,
            ),
            registry=around.office.registry_of(process, store, entropy, around.settings.grace_hours),
            signer=lambda: self._signer(process),
            clock=self.clock,
            entropy=entropy,
            query_key=SubjectKey(sha256(f"query key {self.node}".encode()).digest()),
        )

    def _signer(self, process: Process) -> Signer:
        """The newest key that the registry, as this node knows it, lists as active."""
        member = process.instance.membership.members.get(self.node)
        active = {key.key_id for key in member.active_keys} if member is not None else set()
        known = [identity.signer for identity in reversed(self.keys) if identity.signer.key_id in active]
        return known[0] if known else self.keys[0].signer
