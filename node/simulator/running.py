"""Runs by the seed: one, or many in several processes; what comes of each is small and travels between processes."""

import hashlib
import logging
import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import structlog

from node.simulator.drawing import draw
from node.simulator.failure import Failure
from node.simulator.plan import PlannedEvent
from node.simulator.scenario import Scenario

SWARM, THIRTY, YANGTZE_DELTA = "swarm", "thirty", "yangtze-delta"
BUILT_IN = (SWARM, THIRTY, YANGTZE_DELTA)
"""Scenarios that need no file."""

BROKEN = "the run itself"
"""What fails when the code under test, or the simulator, raises what nobody foresaw."""

Source = Scenario | str
"""A scenario, or the name of one that is built in."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one run; contents_digest is over the digests of all databases, in hex like trace_digest."""

    seed: int
    failure: Failure | None
    trace_digest: str
    contents_digest: str
    figures: Mapping[str, float]
    virtual_s: float
    machine_s: float
    timeline: Sequence[str] = ()


def scenario_for(source: Source, seed: int) -> Scenario:
    """The scenario of a run; that of a swarm is drawn from the seed."""
    if isinstance(source, Scenario):
        return source
    from node.simulator.swarm import swarm, thirty, yangtze_delta

    if source == SWARM:
        return swarm(seed)
    return thirty() if source == THIRTY else yangtze_delta()


def run_once(source: Source, seed: int, plan: Sequence[PlannedEvent] | None = None, *, keep_trace: bool = False) -> Ran:
    """One run; whatever breaks it is a failure with a seed, too."""
    from node.simulator.simulation import simulate

    scenario = scenario_for(source, seed)
    acts = list(plan) if plan is not None else draw(scenario, seed)
    try:
        with _without_logs():
            result = simulate(scenario, seed, acts, keep_trace=keep_trace)
    except Exception as error:  # noqa: BLE001 - it is told with its seed, like a guarantee that does not hold
        return Ran(seed, Failure(scenario, seed, acts, BROKEN, "", _told(error), ""), "", "", {}, 0.0, 0.0)
    found, failure = result.violation, None
    if found is not None:
        failure = Failure(scenario, seed, acts, found.guarantee, found.node, found.found, result.trace_digest)
    return Ran(
        seed=seed,
        failure=failure,
        trace_digest=result.trace_digest,
        contents_digest=_digest(result.contents),
        figures=dict(result.figures),
        virtual_s=result.virtual_s,
        machine_s=result.machine_s,
        timeline=list(result.timeline),
    )


@contextmanager
def _without_logs() -> Iterator[None]:
    """Keep quiet what simulated nodes log of their faults, thousands of lines that the timeline has in order."""
    before, level = structlog.get_config(), logging.root.manager.disable
    # What a logger returns goes nowhere, and below CRITICAL it is not even put together.
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.ReturnLoggerFactory())
    logging.disable()
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(level)


def _told(error: Exception) -> str:
    """The error and the function it came from, without paths of this machine."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _digest(contents: Mapping[str, str]) -> str:
    lines = "".join(f"{node} {digest}\n" for node, digest in sorted(contents.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def run_seeds(
    source: Source, seeds: Iterable[int], jobs: int = 1, run: Callable[[Source, int], Ran] = run_once
) -> Iterator[Ran]:
    """One run for each seed, told in the order of the seeds; with more jobs than one, in so many processes.

    Whoever stops listening stops the runs that have not begun.
    """
    if jobs == 1:
        yield from (run(source, seed) for seed in seeds)
        return
    # Spawned, not forked: nothing of this process, least of all a half-used generator, gets into a run.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts_to_the_parent)
    rest = iter(seeds)
    under_way: deque[Future[Ran]] = deque(pool.submit(run, source, seed) for seed in islice(rest, 2 * jobs))
    try:
        while under_way:
            ran = under_way.popleft().result()
            under_way.extend(pool.submit(run, source, seed) for seed in islice(rest, 1))
            yield ran
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
