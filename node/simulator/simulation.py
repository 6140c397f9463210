"""A run: a network of machines, a plan that is carried out, and an oracle that watches every step.

(1) the officers list every node, and every machine starts
(2) the plan runs: what operators do, and every fault at its time
(3) all faults end, and within settle_minutes everything must have come to rest where it belongs; if it has not after
    a third of them, the officers reopen the members that wait for what nobody holds any more
(4) a while in which nothing is to do, and links must be quiet
(5) every database is compared with what its origins wrote
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec

import structlog

from node.core.errors import XinqiaoError
from node.ports import Store
from node.simulator import loop as loops
from node.simulator.acts import Acts
from node.simulator.contents import contents_digest
from node.simulator.drawing import draw
from node.simulator.loop import SimulatedLoop
from node.simulator.observing import Violation, Watcher, Write
from node.simulator.oracle import Oracle
from node.simulator.plan import PlannedEvent
from node.simulator.remembered import verifications_remembered
from node.simulator.scenario import Scenario
from node.simulator.town import START_MS, Town
from node.simulator.trace import Trace

P = ParamSpec("P")

CHECK_S = 1.0
IDLE_INTERVALS = 3
# What is left to do is not seen by the comparison where it concerns a node with two histories: its logs still travel,
# and it still fetches. So links may be busy for a while yet; what they may not do is to go on without end.
IDLE_TRIES = 5
# Among honest nodes one push may be under way of what its receiver has had from others since they compared.
HONEST_IDLE_TRIES = 2
# The part of settle_minutes after which the officers reopen who cannot get back what was lost.
BY_THEMSELVES = 1 / 3
REASONS_SHOWN = 3
UNREADABLE = "unreadable"
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory in memory; every run makes one of its own in it


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run. contents holds a digest of every node's database; timeline is empty unless it was kept.

    machine_s is processor time, which other work on the machine does not lengthen.
    """

    scenario: Scenario
    seed: int
    plan: Sequence[PlannedEvent]
    violation: Violation | None
    trace_digest: str
    contents: Mapping[str, str]
    figures: Mapping[str, float]
    virtual_s: float
    machine_s: float
    timeline: Sequence[str]


def simulate(
    scenario: Scenario, seed: int, plan: Sequence[PlannedEvent] | None = None, *, keep_trace: bool = False
) -> Result:
    """Run a scenario from a seed, or the plan of an earlier run; the same in every process and on every machine."""
    began_s = time.process_time()
    events = list(plan) if plan is not None else draw(scenario, seed)
    with TemporaryDirectory(prefix="xinqiao-", dir=MEMORY if MEMORY.is_dir() else None) as directory:
        run = Simulation(scenario, seed, events, Path(directory), keep_trace=keep_trace)
        with listening(run.note_fault), verifications_remembered():
            loops.run(run.main, Random(f"{seed} order"), run.note_fault)
    return Result(
        scenario=scenario,
        seed=seed,
        plan=events,
        violation=run.violation,
        trace_digest=run.trace.digest,
        contents=run.contents,
        figures=run.figures,
        virtual_s=run.virtual_s,
        machine_s=time.process_time() - began_s,
        timeline=run.trace.timeline,
    )


class Simulation:
    """One run. violation is the first guarantee that did not hold, None while all do."""

    def __init__(
        self, scenario: Scenario, seed: int, plan: Sequence[PlannedEvent], directory: Path, *, keep_trace: bool
    ) -> None:
        self._scenario = scenario
        self._seed = seed
        self._plan = plan
        self._directory = directory
        self.violation: Violation | None = None
        self.contents: dict[str, str] = {}
        self.figures: dict[str, float] = {}
        self._alarms: dict[str, str] = {}
        self.virtual_s = 0.0
        self.trace = Trace(self._now_s, keep=keep_trace)
        self._loop: SimulatedLoop | None = None
        self._work: asyncio.Task[None] | None = None

    def _now_s(self) -> float:
        return self._loop.time() if self._loop is not None else 0.0

    def _now_ms(self) -> int:
        return START_MS + int(self._now_s() * 1000)

    async def main(self, loop: SimulatedLoop) -> None:
        """Carry everything out, until the end or the first violation."""
        self.open(loop)
        self._work = loop.create_task(self._carry_out())
        with suppress(asyncio.CancelledError):
            await self._work
        self.close()

    def open(self, loop: SimulatedLoop) -> None:
        """Make the town and let its machines start, on a loop that runs."""
        self._loop = loop
        self._oracle = Oracle(self._scenario, START_MS, self._now_ms)
        guard = Guard(self._oracle, self._stop, self._alarms)
        self.town = Town(self._scenario, self._seed, self._directory, self.trace, guard)
        self.acts = Acts(self.town)
        self._oracle.reaches, self._oracle.travel_s = self.town.reaches, self.town.travel_s
        self._watching = loop.create_task(self._watch_deadlines())
        self.town.start()

    def close(self) -> None:
        """Note how everything stands, and end every process."""
        assert self._loop is not None
        self._watching.cancel()
        self.virtual_s = self._loop.time()
        self.contents = {label: self._digest_of(store) for label, store in sorted(self.town.stores().items())}
        self.figures |= self.town.figures() | {"events": self.trace.events, "callbacks": self._loop.callbacks}
        self.town.close()

    def _digest_of(self, store: Store) -> str:
        """The digest of a database; what broke a guarantee may have left one that cannot be read any more."""
        try:
            return contents_digest(store)
        except (XinqiaoError, LookupError, ValueError):
            if self.violation is None:
                raise
            return UNREADABLE

    def _stop(self, violation: Violation) -> None:
        if self.violation is None:
            self.violation = violation
            self.trace.note("VIOLATION", violation.node, guarantee=violation.guarantee, found=violation.found)
        if self._work is not None:
            self._work.cancel()

    def note_fault(self, context: dict[str, Any]) -> None:
        """An exception of the code under test that nobody waits for is a violation as well."""
        error = context.get("exception")
        if not isinstance(error, Violation):
            self._stop(Violation("FAULT", "-", f"{context.get('message')}: {error!r}"))

    # -- the five steps -----------------------------------------------------------------------------

    async def _carry_out(self) -> None:
        try:
            await self.acts.carry_out(self._plan, self._scenario.minutes * 60)
            await self.settle()
        except Violation as violation:
            self._stop(violation)

    async def settle(self) -> None:
        """Steps (3) to (5): peace, quiet, the comparison; raises Violation."""
        await self.acts.make_peace()
        await self._converge()
        await self._stay_idle()
        self._check_end()

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                self._oracle.check(self._now_ms())
            except Violation as violation:
                self._stop(violation)

    async def _converge(self) -> None:
        interval_s, settle_s = self._scenario.settings.heartbeat_s, self._scenario.settle_minutes * 60
        began_s, reasons, is_alone = self._now_s(), ["nothing was compared"], True
        while reasons and self._now_s() - began_s < settle_s:
            if is_alone and self._now_s() - began_s > settle_s * BY_THEMSELVES:
                is_alone = False
                await self.acts.reopen_restored()
            await asyncio.sleep(interval_s)
            reasons = self._oracle.not_converged(self.town.instances(), self.town.stores())
        self.figures["settled_after_s"] = self._now_s() - began_s
        if reasons and self._scenario.expect.converges:
            raise Violation("CONVERGENCE", "-", "; ".join(reasons[:REASONS_SHOWN]))

    async def _stay_idle(self) -> None:
        """Come to rest: soon where every node is honest, else after a while."""
        tries = IDLE_TRIES if self._oracle.has_dishonest else HONEST_IDLE_TRIES
        for tried in range(1, tries + 1):
            pair, most = await self._busiest()
            self.figures["idle_bytes_max"] = most
            if most <= self._scenario.expect.idle_bytes:
                return
            if tried == tries:
                raise Violation("IDLE", pair[0], f"{most:.0f} bytes in an interval to {pair[1]} with nothing to do")

    async def _busiest(self) -> tuple[tuple[str, str], float]:
        """The pair of nodes that carries most in an interval, and how many bytes."""
        network, interval_s = self.town.network, self._scenario.settings.heartbeat_s
        pairs = list(combinations(sorted(self.town.machines), 2))
        before = {pair: network.bytes_between(*pair) for pair in pairs}
        await asyncio.sleep(IDLE_INTERVALS * interval_s)
        carried = {pair: (network.bytes_between(*pair) - before[pair]) / IDLE_INTERVALS for pair in pairs}
        return max(carried.items(), key=lambda item: item[1], default=(("-", "-"), 0.0))

    def _check_end(self) -> None:
        self._oracle.check_end(self.town.stores())
        for code in self._scenario.expect.alarms:
            if code not in self._alarms:
                raise Violation("EXPECTED", "-", f"no node has raised {code}")
        for code in self._scenario.expect.no_alarms:
            if code in self._alarms:
                raise Violation("EXPECTED", self._alarms[code], f"it has raised {code}")


@contextmanager
def listening(failed: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Keep the log of the code under test to itself, and take every exception it logs for a fault."""

    def listen(_: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method in ("exception", "error", "critical"):
            failed({"message": event.get("event"), "exception": sys.exc_info()[1]})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[listen], wrapper_class=structlog.BoundLogger)
    try:
        yield
    finally:
        structlog.configure(**before)


class Guard:
    """A Watcher in front of another: a violation ends the run, and is not raised into the code that is watched.

    alarms collects the codes of all alarms that were ever raised, with the node that raised each first.
    """

    def __init__(self, watcher: Watcher, stop: Callable[[Violation], None], alarms: dict[str, str]) -> None:
        self._committed = _guarded(watcher.committed, stop)
        self._alarms = alarms
        self.started = _guarded(watcher.started, stop)
        self.crossing = _guarded(watcher.crossing, stop)
        self.published = _guarded(watcher.published, stop)
        self.erased = _guarded(watcher.erased, stop)
        self.checked = _guarded(watcher.checked, stop)
        self.happened = _guarded(watcher.happened, stop)

    def committed(self, node: str, writes: Sequence[Write]) -> None:
        """A transaction of a node is durable."""
        for write in writes:
            if write.method == "raise_alarm":
                self._alarms.setdefault(str(write.arguments[0]), node)
        self._committed(node, writes)


def _guarded(told: Callable[P, None], stop: Callable[[Violation], None]) -> Callable[P, None]:
    def tell(*arguments: P.args, **named: P.kwargs) -> None:
        try:
            told(*arguments, **named)
        except Violation as violation:
            stop(violation)

    return tell
