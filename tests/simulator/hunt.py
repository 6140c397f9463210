"""Hunt the planted bugs over swarm seeds: python -m tests.simulator.hunt [--bug NAME] [--seeds 200] [--jobs 2] [--json]

Each hunt is a process of its own, as what one run has verified must not be remembered in another with other code. A
seed counts as a catch only where it is green without the bug; else the run ends with 1, as where a bug gets away.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context

from tests.simulator.bugs import BUGS
from tests.simulator.planted import Catch, caught, run_seed

SEEDS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """What came of the hunt for one bug. is_green: the seed of the catch finds nothing in right code."""

    bug: str
    catch: Catch | None
    is_green: bool
    stopped: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the bug was caught, and not something else."""
        return self.catch is not None and self.is_green

    @property
    def outcome(self) -> str:
        """The line's last column."""
        if self.stopped:
            return f"the run broke: {self.stopped}"
        if self.catch is None:
            return "NOT CAUGHT"
        expected = BUGS[self.bug].guarantees
        note = "" if self.catch.guarantee in expected else f" (rather than {', '.join(expected)})"
        return f"{self.catch.guarantee}{note}" if self.is_green else f"{self.catch.guarantee}, and without the bug, too"


def hunt(names: Sequence[str], seeds: range, jobs: int) -> Iterator[Line]:
    """Hunt each bug; the lines in the order in which they are done."""
    with ThreadPoolExecutor(jobs) as hunters:
        for done in as_completed([hunters.submit(_hunt, name, seeds) for name in names]):
            yield done.result()


def _hunt(name: str, seeds: range) -> Line:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        hunted = processes.submit(caught, name, seeds)
        failure = hunted.exception()
        if failure is not None:
            return Line(name, None, False, f"{type(failure).__name__}: {failure}")
        catch = hunted.result()
        is_green = catch is not None and processes.submit(run_seed, catch.seed).result() is None
        return Line(name, catch, is_green)


def _row(name: str, tried: str, outcome: str) -> str:
    return f"{name:<22} | {tried:>18} | {outcome}"


def _shown(line: Line) -> str:
    return _row(line.bug, str(line.catch.tried) if line.catch is not None else "-", line.outcome)


def _as_json(line: Line) -> dict[str, object]:
    found = {"bug": line.bug, "mistake": BUGS[line.bug].mistake, "caught": line.is_good, "outcome": line.outcome}
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
    return 0 if all(line.is_good for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
