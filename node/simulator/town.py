"""The town: every machine of a run, the network between them, and the registry's office."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from node.core.entry import origin_of
from node.node import Node
from node.ports import Store
from node.simulator.authority import Authority
from node.simulator.identity import START_MS, Identity, make_identity
from node.simulator.machine import Machine, Surroundings
from node.simulator.measures import published
from node.simulator.network import SimulatedNetwork
from node.simulator.observing import Watcher
from node.simulator.officers import Officers
from node.simulator.process import Process
from node.simulator.reading import expand_lists, expand_nodes, list_channel
from node.simulator.registry_office import RegistryOffice
from node.simulator.scenario import LinkOptions, LinkRule, NodeTemplate, Scenario
from node.simulator.trace import Trace
from node.simulator.workload import authority_code, edition
from node.simulator.world import SimulatedClock

__all__ = ["START_MS", "Town"]

FIRST_START_S = 2.0
RESTART_S = (1.0, 20.0)
RENEWED_EVERY_S = 6 * 3600.0
COPY = "'"
"""What the label of a copied node has more than its id."""


class Town:
    """Makes the machines, starts them, and knows what troubles them. machines are by label."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path, trace: Trace, watcher: Watcher) -> None:
        self._scenario = scenario
        self._seed = seed
        self.officers = Officers(f"{seed}")
        self.trace = trace
        self.watcher = watcher
        self.refresh_s = scenario.settings.registry_refresh_s
        self.machines: dict[str, Machine] = {}
        self._troubles: Counter[str] = Counter()
        self._options: dict[tuple[str, str], LinkOptions] = {}
        self._restarts: list[asyncio.Task[None]] = []
        self.peace = asyncio.Event()
        self.network = SimulatedNetwork(
            self.random("network"), self._link_options, watch=watcher.crossing, note=trace.note
        )
        self.lists = [list_channel(joint) for joint in expand_lists(scenario)]
        identities = [self._identity(spec) for spec in expand_nodes(scenario)]
        self.authority = Authority("simulated", edition(), self.random("authority"), START_MS, also=published())
        for identity in identities:
            self.authority.list_node(identity)
        self.authority.publish(START_MS)
        self.office = RegistryOffice(self.authority, self.network, self.now_ms, self._instance_of)
        self._around = Surroundings(
            network=self.network,
            office=self.office,
            trace=trace,
            watcher=watcher,
            settings=scenario.settings,
            disk=scenario.disk,
            directory=directory,
            random=self.random,
        )
        for spec, identity in zip(expand_nodes(scenario), identities, strict=True):
            self._add(identity.id, [identity], self._clock(identity.id), dials_out=spec.dials_out)

    def random(self, part: str) -> Random:
        """The generator of one part of the run: what one part draws does not change what another one draws."""
        return Random(f"{self._seed} {part}")

    def now_ms(self) -> int:
        """The true time, Unix ms."""
        return START_MS + int(asyncio.get_running_loop().time() * 1000)

    # -- machines -----------------------------------------------------------------------------------

    def _identity(self, spec: NodeTemplate) -> Identity:
        authorities = (authority_code(spec.id),) if spec.id in map(origin_of, self.lists) else ()
        return make_identity(spec.id, f"{self._seed}", level=spec.level, parent=spec.parent, authorities=authorities)

    def _clock(self, node: str) -> SimulatedClock:
        options, random = self._scenario.clocks, self.random(f"clock {node}")
        skew_ms = int(random.uniform(-options.skew_s, options.skew_s) * 1000)
        return SimulatedClock(START_MS, skew_ms, random.uniform(-options.drift_ppm, options.drift_ppm))

    def _add(
        self,
        label: str,
        keys: list[Identity],
        clock: SimulatedClock,
        *,
        dials_out: bool = False,
        visible_to: frozenset[str] | None = None,
    ) -> Machine:
        made = Machine(
            label, keys, clock, self._around, dials_out=dials_out, visible_to=visible_to, killed=self._killed_by_disk
        )
        self.machines[label] = made
        return made

    def start(self) -> None:
        """Start every machine, one after another within two seconds."""
        self.network.attach(self.office, None)
        for label in list(self.machines):
            self._later(self.random(f"start {label}").uniform(0.0, FIRST_START_S), label, "first")
        self._restarts.append(asyncio.get_running_loop().create_task(self._renew()))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            self.authority.renew(self.now_ms())

    def _later(self, seconds: float, label: str, cause: str) -> None:
        async def start() -> None:
            await asyncio.sleep(seconds)
            machine = self.machines.get(label)
            if machine is not None and machine.process is None:
                machine.start(cause)

        self._restarts.append(asyncio.get_running_loop().create_task(start()))

    def _killed_by_disk(self, machine: Machine) -> None:
        machine.kill()
        self._later(self.random(f"restart {machine.label} {self.now_ms()}").uniform(*RESTART_S), machine.label, "crash")

    def copy(self, label: str, visible_to: Sequence[str]) -> Machine | None:
        """Copy a machine, disk and keys and all, and start the copy; None while it is down or copied already."""
        original = self.machines[label]
        if original.process is None or label + COPY in self.machines:
            return None
        copied = self._add(
            label + COPY,
            original.keys,
            self._clock(label + COPY),
            visible_to=frozenset(visible_to),
        )
        copied.disk.put_image(original.disk.image())
        copied.start("copy")
        return copied

    def remove_copy(self, label: str) -> None:
        """End a copy for good."""
        copied = self.machines.pop(label + COPY, None)
        if copied is not None:
            copied.kill()

    def process_of(self, node: str) -> Process | None:
        """The process that serves under a node's own label, None while it is down."""
        machine = self.machines.get(node)
        return machine.process if machine is not None else None

    def _instance_of(self, node: str) -> Node | None:
        process = self.process_of(node)
        return process.instance if process is not None else None

    def instances(self) -> dict[str, Node]:
        """The nodes that serve, by label; no copies."""
        running = ((label, machine.process) for label, machine in sorted(self.machines.items()))
        return {label: process.instance for label, process in running if process is not None and COPY not in label}

    def stores(self) -> dict[str, Store]:
        """Their databases."""
        return {label: instance.world.store for label, instance in self.instances().items()}

    # -- trouble ------------------------------------------------------------------------------------

    def trouble(self, nodes: Sequence[str]) -> None:
        """Note that something is done to nodes."""
        self._troubles.update(nodes)

    def relieve(self, nodes: Sequence[str]) -> None:
        """Note that it is over."""
        self._troubles.subtract(nodes)

    def reaches(self, one: str, other: str) -> bool:
        """Whether two nodes are up, nothing is done to either, and no message between them is ever held up."""
        well = all(self.process_of(node) is not None and not self._troubles[node] for node in (one, other))
        options = self._link_options(one, other)
        return well and (self.network.quiet or not (options.reset or options.stall or options.lost_answer))

    def travel_s(self, one: str, other: str, size: int) -> float:
        """How long the road from one node to another needs for so many bytes of one lane, in seconds."""
        return self._link_options(one, other).travel_s(size)

    def _link_options(self, one: str, other: str) -> LinkOptions:
        known = self._options.get((one, other))
        if known is None:
            known = self._options[one, other] = self._fitting_options(one, other)
        return known

    def _fitting_options(self, one: str, other: str) -> LinkOptions:
        fitting = [rule for rule in self._scenario.links if _fits(rule, one, other) or _fits(rule, other, one)]
        return fitting[-1] if fitting else self._scenario.network

    # -- the end ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """End every fault that is left, and start what is down."""
        self.network.quiet = True
        for label, machine in list(self.machines.items()):
            machine.disk.quiet = True
            if machine.process is None:
                machine.start("crash")
            self.trace.note("is left alone", label)

    def figures(self) -> dict[str, float]:
        """What the run was like."""
        return {"nodes": len(self.instances()), "messages": self.network.messages}

    def close(self) -> None:
        """End every process."""
        for machine in list(self.machines.values()):
            machine.kill()


def _fits(rule: LinkRule, one: str, other: str) -> bool:
    return all("any" in ids or node in ids for ids, node in ((rule.between, one), (rule.and_, other)))
