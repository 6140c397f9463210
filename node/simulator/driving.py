"""A simulated network that a test drives: it says what happens next, lets time pass, and looks at the nodes.

    network = DrivenNetwork(scenario_of_nodes("310000", "310115"), seed=1, directory=...)
    network.publish("310000/registrations", records=3)
    network.run_for(minutes=2)
    network["310115"].world.store.record_count("310000/registrations")

Between two calls time stands still. Every guarantee is watched all the time: the step that breaks one raises.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

from node.core.errors import XinqiaoError
from node.core.record import Outcome
from node.node import Node
from node.simulator.loop import SimulatedLoop, end_tasks, no_collection
from node.simulator.plan import PlannedEvent, Value
from node.simulator.reading import expand_channels
from node.simulator.scenario import NodeTemplate, Scenario, Workload
from node.simulator.simulation import Simulation
from node.simulator.town import FIRST_START_S

T = TypeVar("T")

LONGEST_ACT_S = 3600.0
_MOMENT_S = 0.001
"""Until what has begun is under way."""


def scenario_of_nodes(*ids: str, **options: Any) -> Scenario:
    """A scenario of these nodes, each with the channel ID/registrations for everyone; options are keys of a file.

    The first id is the parent of the others.
    """
    nodes = [NodeTemplate(id=node, parent="" if node == ids[0] else ids[0]) for node in ids]
    return Scenario.model_validate({"name": "driven by a test", "nodes": nodes, "workload": _NOTHING, **options})


_NOTHING = Workload(batches=0, erasures=0, audience_changes=0)


class DrivenNetwork:
    """One simulated network. directory is an empty one; close() ends it, as does leaving it as a context."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path) -> None:
        self._simulation = Simulation(scenario, seed, [], directory, keep_trace=True)
        self._loop = SimulatedLoop(Random(f"{seed} order"), self._simulation.note_fault)  # type: ignore[abstract]
        self._drawn = Random(f"{seed} driven")
        self._numbers = 0
        self._has_raised = False
        self._ending = ExitStack()
        self._ending.enter_context(no_collection())
        self._wait(self._open())
        for channel in expand_channels(scenario):
            self.create_channel(f"{channel.origin}/{channel.name}", channel.audience, channel.priority)

    def __getitem__(self, node: str) -> Node:
        """A node that is up, as the production code has it; raises KeyError while it is down."""
        return self._simulation.town.instances()[node]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def now_s(self) -> float:
        """Virtual seconds from the start."""
        return self._loop.time()

    @property
    def timeline(self) -> Sequence[str]:
        """Everything that has happened, as lines."""
        return self._simulation.trace.timeline

    # -- what a test does ---------------------------------------------------------------------------

    def run_for(self, seconds: float = 0.0, *, minutes: float = 0.0) -> None:
        """Let time pass; raises Violation as soon as a guarantee does not hold."""
        self._wait(asyncio.sleep(seconds + 60 * minutes))

    def create_channel(self, channel: str, audience: str = "everyone", priority: str = "bulk") -> None:
        """Let the origin of a channel create it; returns when it is there."""
        self.do("create_channel", _origin(channel), channel=channel, audience=audience, priority=priority)

    def publish(self, channel: str, records: int = 1, padding: int = 0) -> Sequence[Outcome]:
        """Let the origin publish a batch; raises the refusal its operator would get."""
        told = {"records": records, "revised": 0, "repeated": 0, "padding": padding}
        found = self.do("publish", _origin(channel), channel=channel, seed=self._drawn.getrandbits(32), **told)
        outcomes, why = found
        if outcomes is None:
            raise XinqiaoError(why) if why.isupper() else RuntimeError(f"{_origin(channel)}: {why}")
        published: Sequence[Outcome] = outcomes
        return published

    def do(self, kind: str, node: str = "", **arguments: Value) -> Any:
        """Do an act of a plan and wait until it is over, virtual hours if need be."""
        return self._wait(self._done(kind, node, arguments))

    def begin(self, kind: str, node: str = "", **arguments: Value) -> None:
        """Begin an act of a plan, a fault that lasts for example, and go on at once."""
        self._wait(self._begun(kind, node, arguments))

    def settle(self) -> None:
        """End all faults, and see that everything comes to rest where it belongs; raises Violation."""
        self._wait(self._simulation.settle())

    def close(self) -> None:
        """End every process."""
        with self._ending:
            self._wait(self._close())

    # -- between two steps --------------------------------------------------------------------------

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        found: T = self._loop.run_until_complete(work)
        violation = self._simulation.violation
        if violation is not None and not self._has_raised:
            self._has_raised = True
            raise violation
        return found

    async def _open(self) -> None:
        self._simulation.open(self._loop)
        self._simulation.acts.writes_at_faults = False
        await asyncio.sleep(FIRST_START_S)

    async def _begun(self, kind: str, node: str, arguments: Mapping[str, Value]) -> "asyncio.Task[Any]":
        self._numbers += 1
        event = PlannedEvent(int(self._loop.time() * 1000), self._numbers, kind, node, arguments)
        act = self._simulation.acts.begin(event)
        await asyncio.sleep(_MOMENT_S)
        return act

    async def _done(self, kind: str, node: str, arguments: Mapping[str, Value]) -> Any:
        async with asyncio.timeout(LONGEST_ACT_S):
            return await (await self._begun(kind, node, arguments))

    async def _close(self) -> None:
        self._simulation.close()
        await end_tasks()


def _origin(channel: str) -> str:
    return channel.partition("/")[0]
