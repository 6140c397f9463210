"""Hunt the planted bugs over swarm seeds: python -m tests.simulator.hunt [--bug NAME] [--seeds 200] [--jobs 2] [--json]

Each hunt is a process of its own, as what one run has verified must not be remembered in another with other code. A
seed that is not green without the bug is passed over. The run ends with 1 where a bug gets away.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from tests.simulator.bugs import BUGS
from tests.simulator.planted import Catch, caught, run_seed

P = ParamSpec("P")
T = TypeVar("T")

SEEDS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """What came of the hunt for one bug; passed_over are seeds that find something in right code, too."""

    bug: str
    catch: Catch | None
    passed_over: Sequence[int] = ()
    stopped: str = ""

    @property
    def outcome(self) -> str:
        """The line's last column."""
        over = f"; passed over, as not green without it: {', '.join(map(str, self.passed_over))}"
        return self._found + (over if self.passed_over else "")

    @property
    def _found(self) -> str:
        if self.stopped:
            return f"the run broke: {self.stopped}"
        if self.catch is None:
            return "NOT CAUGHT"
        expected = BUGS[self.bug].guarantees
        note = "" if self.catch.guarantee in expected else f" (rather than {', '.join(expected)})"
        return f"{self.catch.guarantee}{note}"


def hunt(names: Sequence[str], seeds: range, jobs: int) -> Iterator[Line]:
    """Hunt each bug; the lines in the order in which they are done."""
    greens: dict[int, bool] = {}
    with ThreadPoolExecutor(jobs) as hunters:
        for done in as_completed([hunters.submit(_hunt, name, seeds, greens) for name in names]):
            yield done.result()


def _hunt(name: str, seeds: range, greens: dict[int, bool]) -> Line:
    passed_over: list[int] = []
    while True:
        first = passed_over[-1] + 1 if passed_over else seeds.start
        try:
            catch = _apart(caught, name, range(first, seeds.stop))
        except Exception as failure:  # noqa: BLE001 - it is told with the bug that broke the run
            return Line(name, None, passed_over, f"{type(failure).__name__}: {failure}")
        if catch is None:
            return Line(name, None, passed_over)
        if catch.seed not in greens:
            greens[catch.seed] = _apart(_is_green, catch.seed)
        if greens[catch.seed]:
            return Line(name, replace(catch, tried=catch.seed - seeds.start + 1), passed_over)
        passed_over.append(catch.seed)


def _is_green(seed: int) -> bool:
    """Whether a seed finds nothing in right code."""
    return run_seed(seed) is None


def _apart(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Do something in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        return processes.submit(work, *arguments, **named).result()


def _row(name: str, tried: str, outcome: str) -> str:
    return f"{name:<22} | {tried:>18} | {outcome}"


def _shown(line: Line) -> str:
    return _row(line.bug, str(line.catch.tried) if line.catch is not None else "-", line.outcome)


def _as_json(line: Line) -> dict[str, object]:
    found = {"bug": line.bug, "mistake": BUGS[line.bug].mistake, "outcome": line.outcome}
    return found | {"catch": asdict(line.catch) if line.catch is not None else None}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.hunt", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--bug", action="append", choices=sorted(BUGS), help="only this one; may be given again")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds to try")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--json", action="store_true", help="print one JSON list at the end")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 where every bug was caught."""
    options = _options(arguments)
    seeds = range(options.first, options.first + options.seeds)
    lines = []
    if not options.json:
        print(_row("name", "seeds until caught", "guarantee that caught it"), flush=True)
    for line in hunt(options.bug or list(BUGS), seeds, options.jobs):
        lines.append(line)
        if not options.json:
            print(_shown(line), flush=True)
    if options.json:
        print(json.dumps([_as_json(line) for line in lines], ensure_ascii=False, indent=1))
    return 0 if all(line.catch is not None for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
