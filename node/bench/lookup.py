"""How soon a node answers about one subject, over mutual TLS, to systems that each ask one thing after another.

Each system is a thread with a connection and a certificate of its own; its clock runs from before the call to after its
answer. All checks are logged and on the disk before their answers: the log has to have grown by their number.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from time import perf_counter

from node.bench.asking import Credentials, Desk, server_certificate
from node.bench.figures import Spread, busy_s, peak_mb, quantile, spread
from node.bench.programs import demand
from node.pb import query_service_pb2 as pb
from node.rpc.query_client import PortClient

FLOOR_P50_MS, AIM_P50_MS = 8.0, 3.0
"""What is asked of the median of 8 systems with 2,000,000 records in the store, in milliseconds."""
WARMING_CALLS = 50
LISTED_EVERY = 20
"""So many subjects from one that stands on the list to the next."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round: how long each check took, in seconds, ascending; how long all, and what the node used for them."""

    seconds: tuple[float, ...]
    elapsed_s: float
    node_busy_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Report:
    """Times in milliseconds, checks a second, and the node's processor time for one check in milliseconds."""

    checks: int
    p50_ms: Spread
    p99_ms: Spread
    slowest_ms: Spread
    checks_per_s: Spread
    node_busy_ms: Spread
    peak_mb: Spread
    floor_p50_ms: float
    aim_p50_ms: float
    is_floor_held: bool
    is_aim_reached: bool


def measure(desk: Desk, calls: int, number: int) -> Round:
    """Let every system make so many calls at once with the others; raises StageError for a wrong answer."""
    trusted, name = server_certificate(desk)
    process = desk.network.process(desk.node)
    before, _ = desk.asked()
    barrier = Barrier(len(desk.clients) + 1)
    with ThreadPoolExecutor(len(desk.clients)) as crew:
        systems = [_System(desk, each, trusted.read_bytes(), name) for each in desk.clients]
        first = number * calls * len(systems)
        asking = [
            crew.submit(system.ask, range(first + at * calls, first + (at + 1) * calls), barrier)
            for at, system in enumerate(systems)
        ]
        barrier.wait()
        began, busy = perf_counter(), busy_s(process)
        seconds = sorted(each for found in asking for each in found.result())
        elapsed = perf_counter() - began
    busy = busy_s(process) - busy
    after, _ = desk.asked()
    expected = (calls + WARMING_CALLS) * len(systems)
    demand(after - before == expected, f"{after - before} checks stand in the query log instead of {expected}")
    return Round(tuple(seconds), elapsed, busy, peak_mb(process))


class _System:
    """One system that asks one thing after another."""

    def __init__(self, desk: Desk, shown: Credentials, trusted: bytes, name: str) -> None:
        self._desk = desk
        self._client = PortClient(desk.address, name, trusted, shown.private_key_pem, shown.certificate_pem)

    def ask(self, numbers: Sequence[int], barrier: Barrier) -> list[float]:
        """How long each check took."""
        try:
            for _ in range(WARMING_CALLS):
                self._check(0)
            barrier.wait()
            return [self._check(number) for number in numbers]
        except BaseException:
            barrier.abort()
            raise
        finally:
            self._client.close()

    def _check(self, number: int) -> float:
        desk, is_listed = self._desk, number % LISTED_EVERY == 0
        subject = desk.listed(number) if is_listed else desk.unlisted(number)
        began = perf_counter()
        answer = self._client.check(desk.question, subject)
        seconds = perf_counter() - began
        expected = pb.QUERY_VERDICT_LISTED if is_listed else pb.QUERY_VERDICT_CLEAR
        demand((answer.subject, answer.verdict) == (subject, expected), f"a wrong answer about {subject}")
        return seconds


def report(rounds: Sequence[Round]) -> Report:
    """The figures of at least one round."""

    def ms(share: float) -> Spread:
        return spread([1000 * quantile(each.seconds, share) for each in rounds])

    p50 = ms(0.5)
    return Report(
        checks=sum(len(each.seconds) for each in rounds),
        p50_ms=p50,
        p99_ms=ms(0.99),
        slowest_ms=ms(1.0),
        checks_per_s=spread([len(each.seconds) / each.elapsed_s for each in rounds]),
        node_busy_ms=spread([1000 * each.node_busy_s / len(each.seconds) for each in rounds]),
        peak_mb=spread([each.peak_mb for each in rounds]),
        floor_p50_ms=FLOOR_P50_MS,
        aim_p50_ms=AIM_P50_MS,
        is_floor_held=p50.median <= FLOOR_P50_MS,
        is_aim_reached=p50.median <= AIM_P50_MS,
    )
