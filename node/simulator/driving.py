"""A simulated network that a test drives: it says what happens next, lets time pass, and looks at the nodes.

    network = DrivenNetwork(scenario_of_nodes("310000", "310115"), seed=1, directory=...)
    with network.partition("310115"):
        network.publish("310000/registrations", records=3)
        network.run_for(minutes=2)
    network.settle()
    assert network.record_count("310115", "310000/registrations") == 3

Between two calls time stands still. Every guarantee is watched all the time: the step that breaks one raises.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

from node.answering import Answer
from node.core.errors import XinqiaoError
from node.core.record import Outcome
from node.node import Node
from node.simulator.drawing import draw
from node.simulator.failure import ARGUMENTS
from node.simulator.loop import SimulatedLoop, end_tasks, no_collection
from node.simulator.plan import PlannedEvent, Value
from node.simulator.reading import (
    expand_channels,
    expand_lists,
    expand_nodes,
    list_channel,
    read_scenario,
    scenario_of,
)
from node.simulator.running import BUILT_IN, scenario_for
from node.simulator.scenario import Scenario
from node.simulator.simulation import Simulation
from node.simulator.town import FIRST_START_S

T = TypeVar("T")

LONGEST_ACT_S = 3600.0
_WITHOUT_END_MS = 1_000_000_000
_MOMENT_S = 0.001
"""Until what has begun is under way."""


def scenario_named(source: str | Path | Scenario, seed: int = 1) -> Scenario:
    """A scenario of a file, or one that is built in; raises SCENARIO with every mistake of the file, OSError."""
    if isinstance(source, Scenario):
        return source
    if str(source) in BUILT_IN:
        return scenario_for(str(source), seed)
    return read_scenario(Path(source).read_text(encoding="utf-8-sig"), str(source))


def scenario_of_nodes(*ids: str, **options: Any) -> Scenario:
    """A scenario of these nodes, each with the channel ID/registrations for everyone; options are keys of a file.

    The first id is the parent of the others. Unless options have settings, nodes are quicker than real ones. Raises
    SCENARIO with every mistake.
    """
    nodes = [{"id": node, "parent": "" if node == ids[0] else ids[0]} for node in ids]
    given = {"name": "driven by a test", "nodes": nodes, "workload": _NOTHING, "settings": _QUICK}
    return scenario_of({**given, **options}, "options")


_QUICK = {"heartbeat_s": 20, "registry_refresh_s": 20, "retry_cap_s": 30}
"""Nodes that have just started know each other within half a minute."""
_NOTHING = {"batches": 0, "erasures": 0, "audience_changes": 0}


class DrivenNetwork:
    """One simulated network. directory is an empty one; close() ends it, as does leaving it as a context."""

    def __init__(self, scenario: Scenario, seed: int, directory: Path) -> None:
        self._simulation = Simulation(scenario, seed, [], directory, keep_trace=True)
        self._loop = SimulatedLoop(Random(f"{seed} order"), self._simulation.note_fault)  # type: ignore[abstract]
        self._scenario, self._seed = scenario, seed
        self._ids = [node.id for node in expand_nodes(scenario)]
        self._drawn = Random(f"{seed} driven")
        self._numbers = 0
        self._has_raised = False
        self._ending = ExitStack()
        self._ending.enter_context(no_collection())
        self._wait(self._open())
        for channel in expand_channels(scenario):
            self.create_channel(f"{channel.origin}/{channel.name}", channel.audience, channel.priority)
        for joint in expand_lists(scenario):
            self.create_list(list_channel(joint), joint.kind, joint.audience, joint.staleness_limit_s)

    def __getitem__(self, node: str) -> Node:
        """A node that is up, as the production code has it; raises KeyError while it is down."""
        return self._simulation.town.instances()[node]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def seed(self) -> int:
        """The seed it was made from."""
        return self._seed

    @property
    def nodes(self) -> Sequence[str]:
        """The ids of all nodes, whether they are up or not."""
        return self._ids

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

    def create_list(
        self, channel: str, kind: str = "serious", audience: str = "everyone", staleness_limit_s: int = 600
    ) -> None:
        """Let the origin of a joint list define it; returns when it is there. It must speak for an authority."""
        told: dict[str, Value] = {"list_kind": kind, "audience": audience, "staleness_limit_s": staleness_limit_s}
        self.do("create_list", _origin(channel), channel=channel, **told)

    def publish(self, channel: str, records: int = 1, padding: int = 0) -> Sequence[Outcome]:
        """Let the origin publish a batch; raises the refusal its operator would get."""
        told = {"records": records, "revised": 0, "repeated": 0, "padding": padding}
        found = self.do("publish", _origin(channel), channel=channel, seed=self._drawn.getrandbits(32), **told)
        outcomes, why = found
        if outcomes is None:
            raise XinqiaoError(why) if why.isupper() else RuntimeError(f"{_origin(channel)}: {why}")
        published: Sequence[Outcome] = outcomes
        return published

    def carry_out(self) -> None:
        """Do what the scenario says: its workload and its faults, for its minutes; raises Violation."""
        plan = [event for event in draw(self._scenario, self._seed) if not event.kind.startswith("create_")]
        begun_s = self.now_s
        for event in sorted(plan):
            self.run_for(max(begun_s + event.at_ms / 1000 - self.now_s, 0.0))
            self.begin(event.kind, event.node, **event.arguments)
        self.run_for(max(begun_s + 60 * self._scenario.minutes - self.now_s, 0.0))

    def do(self, kind: str, node: str = "", **arguments: Value) -> Any:
        """Do an act of a plan and wait until it is over, virtual hours if need be."""
        return self._wait(self._done(kind, node, arguments))

    def begin(self, kind: str, node: str = "", **arguments: Value) -> None:
        """Begin an act of a plan, a fault that lasts for example, and go on at once."""
        self._wait(self._begun(kind, node, arguments))

    # -- what lasts as long as a block of a test -----------------------------------------------------

    @contextmanager
    def during(self, kind: str, node: str = "", **arguments: Value) -> Iterator[None]:
        """Let an act of a plan last as long as a block: all that take for_ms, and crash and restore (down_ms)."""
        lasts = next((name for name in ("for_ms", "down_ms") if name in ARGUMENTS.get(kind, ())), "")
        if not lasts:
            raise ValueError(f"{kind!r} is no act that lasts")
        act = self._wait(self._begun(kind, node, {**arguments, lasts: _WITHOUT_END_MS}))
        yield
        self._wait(self._ended(act))

    def partition(self, *nodes: str, others: Sequence[str] = (), one_way: bool = False) -> AbstractContextManager[None]:
        """While the block runs no message of these nodes arrives at the others, nor, unless one_way, of them here.

        others are all that are not among nodes, unless some are named.
        """
        receivers = list(others) or [node for node in self.nodes if node not in nodes]
        return self.during("partition", nodes[0], senders=list(nodes), receivers=receivers, one_way=one_way)

    def down(self, node: str) -> AbstractContextManager[None]:
        """While the block runs a node is down: killed at whatever it awaited, started again after the block."""
        return self.during("crash", node)

    def settle(self) -> None:
        """End all faults, and see that everything comes to rest where it belongs; raises Violation."""
        self._wait(self._simulation.settle())

    def close(self) -> None:
        """End every process."""
        with self._ending:
            self._wait(self._close())

    # -- what a test looks at -----------------------------------------------------------------------

    def record_count(self, node: str, channel: str | None = None) -> int:
        """How many records in force a node answers, of one channel or of all it reads; raises KeyError, it is down."""
        return self[node].answering.record_count(channel)

    def records(self, node: str, channel: str) -> Sequence[Answer]:
        """The records in force of a channel as a node answers them, each with how fresh it is."""
        return list(self[node].answering.records("", channel, 0))

    def state_of(self, node: str, channel: str) -> str:
        """How a node says that a channel stands: open, cut, awaiting cut, quarantined, left; raises CHANNEL_UNKNOWN."""
        answering = self[node].answering
        return answering.state_of(answering.channel(channel))

    def alarms(self, node: str) -> Sequence[str]:
        """The codes of the alarms a node shows."""
        return [alarm.code for alarm in self[node].answering.alarms()]

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

    async def _ended(self, act: "asyncio.Task[Any]") -> None:
        self._simulation.acts.end_early(act)
        async with asyncio.timeout(LONGEST_ACT_S):
            await act

    async def _done(self, kind: str, node: str, arguments: Mapping[str, Value]) -> Any:
        async with asyncio.timeout(LONGEST_ACT_S):
            return await (await self._begun(kind, node, arguments))

    async def _close(self) -> None:
        self._simulation.close()
        await end_tasks()


def _origin(channel: str) -> str:
    return channel.partition("/")[0]
