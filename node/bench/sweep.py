"""How many subjects of a file a node answers in a second: `xinqiao check --file`, from the command to its last row.

The clock runs while the command does, its start included. Every row of the answers is looked at, and the query log has
to hold all subjects by then: it is proven sound after each round.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from node.bench.asking import Desk
from node.bench.figures import Spread, busy_s, commands_busy_s, peak_mb, spread
from node.bench.programs import demand

FLOOR_PER_S, AIM_PER_S = 30_000, 60_000
"""What is asked of a sweep, in subjects a second."""
LISTED_EVERY = 100
"""So many subjects from one that stands on the list to the next."""


@dataclass(frozen=True, slots=True)
class Round:
    """One sweep; those of processor time are of the node and of the command, in seconds."""

    seconds: float
    node_busy_s: float
    command_busy_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Report:
    """Subjects a second, and what both processes used for a sweep."""

    subjects: int
    subjects_per_s: Spread
    seconds: Spread
    node_busy_s: Spread
    command_busy_s: Spread
    peak_mb: Spread
    floor_per_s: int
    aim_per_s: int
    is_floor_held: bool
    is_aim_reached: bool


def write_subjects(desk: Desk, subjects: int) -> Path:
    """A file of subjects, of which every hundredth stands on the list."""
    file = desk.network.programs.work / "sweep.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        out.write("subject\n")
        out.writelines(f"{_subject(desk, number)}\n" for number in range(subjects))
    return file


def measure(desk: Desk, file: Path, subjects: int, number: int) -> Round:
    """Sweep the file; raises StageError for a wrong answer, or a subject that is not in the query log."""
    target = file.with_name(f"sweep-{number}.csv")
    process, (entries, _) = desk.network.process(desk.node), desk.asked()
    busy, command_busy, began = busy_s(process), commands_busy_s(), perf_counter()
    desk.network.do(desk.node, "check", "--file", str(file), "-o", str(target), *desk.options)
    seconds = perf_counter() - began
    found = Round(seconds, busy_s(process) - busy, commands_busy_s() - command_busy, peak_mb(process))
    _check_answers(target, subjects)
    after, _ = desk.asked()
    demand(after > entries, "nothing stands in the query log")
    target.unlink()
    return found


def _check_answers(target: Path, subjects: int) -> None:
    with target.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened)
        next(rows)
        counts = Counter((int(row[0]) % LISTED_EVERY == 2 % LISTED_EVERY, row[2]) for row in rows)
    listed = -(-subjects // LISTED_EVERY)
    expected = {(True, "listed"): listed, (False, "clear"): subjects - listed}
    demand(counts == {key: count for key, count in expected.items() if count}, "wrong answers", dict_of(counts))


def dict_of(counts: Counter[tuple[bool, str]]) -> dict[str, int]:
    """Counts as they are shown."""
    return {f"{verdict}, on the list: {is_listed}": count for (is_listed, verdict), count in counts.items()}


def _subject(desk: Desk, number: int) -> str:
    return desk.listed(number // LISTED_EVERY) if number % LISTED_EVERY == 0 else desk.unlisted(number)


def report(subjects: int, rounds: Sequence[Round]) -> Report:
    """The figures of at least one round."""
    found = spread([subjects / each.seconds for each in rounds])
    return Report(
        subjects=subjects,
        subjects_per_s=found,
        seconds=spread([each.seconds for each in rounds]),
        node_busy_s=spread([each.node_busy_s for each in rounds]),
        command_busy_s=spread([each.command_busy_s for each in rounds]),
        peak_mb=spread([each.peak_mb for each in rounds]),
        floor_per_s=FLOOR_PER_S,
        aim_per_s=AIM_PER_S,
        is_floor_held=found.median >= FLOOR_PER_S,
        is_aim_reached=found.median >= AIM_PER_S,
    )
