"""How soon a removal has reached everybody: from the order at its owner to the last receipt held there.

The clock of one removal runs

    from   the moment before the order, signed already, is handed over to the owner's admin socket
    to     the moment when that socket has answered that the receipts of ALL readers cover the entry

so it holds: the owner's check, signature and commit; the way to every reader over mutual TLS; there the verification,
the commit, the fold and the commit of the receipt; the way back; the owner's check and commit of the receipt; and up
to POLL_S of not knowing it yet. What an officer's command takes to start and to sign is not in it.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import Protocol

from node.bench.figures import busy_s, peak_mib
from node.bench.load import Load
from node.bench.network import Network, wait_until
from node.bench.programs import StageError
from node.rpc.admin_client import AdminClient
from node.texts import words

POLL_S = 0.005
REMOVAL_LIMIT_S = 120.0
SETTLE_LIMIT_S = 1800.0
QUIET_S = 3.0
# Between two removals, so that they fall on no beat of anything that runs at intervals.
PAUSE_S = (0.05, 0.35)
PUBLISHERS = 2
"""How many publish the load: the owner of the removals, and the first of the readers."""

Order = Callable[[], int]
"""Hands over one removal, and returns the index of its entry."""


class Removals(Protocol):
    """Something that can be removed again and again."""

    @property
    def channel(self) -> str:
        """The channel of the owner that the removals are entries of."""
        ...

    def prepare(self, number: int) -> None:
        """See that there are so many more to be removed, before any clock runs."""
        ...

    def order(self) -> Order:
        """The next removal, signed."""
        ...


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: rounds, removals in each without a load and at most under it, records a publisher."""

    rounds: int
    removals: int
    records: int
    most_loaded: int = 400


@dataclass(frozen=True, slots=True)
class Sample:
    """One removal, in seconds since the order: the owner has committed it, the first receipt and the last are held.

    busy_s is the processor time of all nodes meanwhile, from the draft of the removal on; readers_s says when the
    receipt of each reader was held.
    """

    published_s: float
    first_s: float
    last_s: float
    busy_s: float
    readers_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Round:
    """The samples of one round, and what the load took: seconds, and seconds of processor time of each node."""

    idle: Sequence[Sample]
    loaded: Sequence[Sample]
    load_s: float = 0.0
    load_busy_s: dict[str, float] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)


class Stopwatch:
    """Measures removals over connections that are held."""

    def __init__(self, network: Network, removals: Removals, owner: AdminClient) -> None:
        self._network = network
        self._removals = removals
        self._owner = owner

    def measure(self) -> Sample:
        """Give one order, and wait for the last receipt; raises StageError after REMOVAL_LIMIT_S."""
        busy = self._busy_s()
        order = self._removals.order()
        began = perf_counter()
        index = order()
        published, held = perf_counter() - began, dict[str, float]()
        while (passed := perf_counter() - began) < REMOVAL_LIMIT_S:
            lines = self._owner.channel(self._removals.channel).deliveries
            now = perf_counter() - began
            for line in lines:
                if line.applied_size > index:
                    held.setdefault(line.node, now)
            if len(held) == len(self._network.readers):
                return Sample(published, min(held.values()), now, self._busy_s() - busy, held)
            sleep(POLL_S)
        raise StageError(f"after {passed:.0f} s receipts for a removal are still missing")

    def _busy_s(self) -> float:
        return sum(busy_s(self._network.process(node)) for node in self._network.nodes)

    def measure_while(self, goes_on: Callable[[int], bool]) -> list[Sample]:
        """Measure one removal after another, as long as it goes on after so many of them."""
        samples: list[Sample] = []
        while goes_on(len(samples)):
            sleep(random.uniform(*PAUSE_S))
            samples.append(self.measure())
        return samples


def measured_idle(network: Network, removals: Removals, owner: AdminClient, number: int) -> list[Sample]:
    """Measure so many removals without a load."""
    removals.prepare(number)
    sleep(QUIET_S)
    return Stopwatch(network, removals, owner).measure_while(lambda done: done < number)


def measured_rounds(
    network: Network, removals: Removals, owner: AdminClient, sizes: Sizes, tell: Callable[[str], None]
) -> Iterator[Round]:
    """Measure round after round: without a load, then under one."""
    watch = Stopwatch(network, removals, owner)
    with ExitStack() as stack:
        asked = {node: stack.enter_context(network.admin(node)) for node in network.nodes[:PUBLISHERS]}
        load = Load(network, sizes.records, stack.enter_context(ThreadPoolExecutor(PUBLISHERS)), asked)
        load.create_channels()
        for number in range(1, sizes.rounds + 1):
            tell(words("round {number}: preparing", number=number))
            load.prepare()
            removals.prepare(sizes.removals + sizes.most_loaded)
            tell(words("round {number}: without load", number=number))
            idle = measured_idle(network, removals, owner, sizes.removals)
            tell(words("round {number}: under load", number=number))
            yield _under_load(network, watch, load, idle, sizes)


def _under_load(network: Network, watch: Stopwatch, load: Load, idle: Sequence[Sample], sizes: Sizes) -> Round:
    """Measure from the moment when both have published something until all of it has been exchanged."""
    before = {node: busy_s(network.process(node)) for node in network.nodes}
    began = perf_counter()
    load.start()

    def goes_on(done: int) -> bool:
        return done < sizes.most_loaded and not (load.is_published and load.is_exchanged())

    # Commands take a second to start, and have published nothing until then.
    wait_until(load.has_begun, "the load has begun", SETTLE_LIMIT_S)
    loaded = watch.measure_while(goes_on)
    wait_until(lambda: load.is_published and load.is_exchanged(), "the load is exchanged", SETTLE_LIMIT_S)
    seconds = perf_counter() - began
    load.counts()
    busy = {node: round(busy_s(network.process(node)) - before[node], 2) for node in network.nodes}
    peaks = {node: round(peak_mib(network.process(node)), 1) for node in network.nodes}
    return Round(idle, loaded, round(seconds, 2), busy, peaks)
