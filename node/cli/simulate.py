"""`xinqiao simulate`: the production code on a virtual clock, network and disk; every run again from its seed."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from rich.markup import escape

from node.cli.terminal import Command, as_document, options, progress, result, say, show_error, table
from node.core.errors import XinqiaoError
from node.texts import term, words

if TYPE_CHECKING:
    from node.simulator.failure import Failure
    from node.simulator.running import Ran, Source

ROWS_SHOWN = 20
SHRINK_RUNS = 300
DIGEST_CHARS = 16
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("simulate", cls=Command)
@click.argument(
    "scenario", required=False, help="A scenario file (YAML), or swarm, thirty or yangtze-delta, which are built in."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the first run.")
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    help="So many runs, each with the next seed; with --shrink, at most so many. Without it, one run, without end"
    f" with --until-failure, and {SHRINK_RUNS} with --shrink.",
)
@click.option("--until-failure", is_flag=True, help="Stop at the first run that fails.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 256), help="Runs at a time.")
@click.option("--replay", type=_FILE, metavar="FILE", help="Run a failure file again, with its timeline.")
@click.option("--shrink", type=_FILE, metavar="FILE", help="Look for a smaller run that fails like that of a file.")
@click.option("--timeline", is_flag=True, help="Show every message, commit and act of each run, too.")
@click.option(
    "--failures",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for failure files; this one, if none is given.",
)
@click.option("--keys", is_flag=True, help="No run, but every key of a scenario file with its meaning.")
@options
def simulate(
    scenario: str | None,
    seed: int,
    runs: int | None,
    until_failure: bool,
    jobs: int,
    replay: Path | None,
    shrink: Path | None,
    timeline: bool,
    failures: Path,
    keys: bool,
) -> None:
    """Run a simulated network with its faults, and check after every step what Xinqiao guarantees.

    The same scenario and seed always make the same run, on every machine. A run that fails leaves a file with which it
    is replayed. Exit status 1 says that some run failed.
    """
    if sum(map(bool, (scenario, replay, shrink, keys))) != 1:
        raise click.UsageError(words("give one of SCENARIO, --replay FILE, --shrink FILE and --keys"))
    if keys:
        _show_keys()
    elif replay:
        _replay(replay)
    elif shrink:
        _shrink(shrink, runs or SHRINK_RUNS)
    elif scenario:
        found = _source(scenario)
        seeds = count(seed) if until_failure and runs is None else range(seed, seed + (runs or 1))
        runs_told = _runs(found, seeds, jobs, keep_trace=timeline)
        _run(runs_told, Path(scenario).stem, seeds, failures, until_failure=until_failure)


# -- running -------------------------------------------------------------------------------------------------


def _source(scenario: str) -> "Source":
    from node.simulator.reading import read_scenario
    from node.simulator.running import BUILT_IN

    if scenario in BUILT_IN:
        return scenario
    if not Path(scenario).exists():
        meant = "".join(f"; did you mean {name}?" for name in get_close_matches(scenario, BUILT_IN, 1))
        detail = f"there is no such file, and built in are {', '.join(BUILT_IN)}{meant}"
        raise XinqiaoError("SCENARIO", file=scenario, detail=detail)
    return read_scenario(_text(Path(scenario), "SCENARIO"), scenario)


def _text(file: Path, code: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise XinqiaoError(code, file=file, detail="it is not UTF-8") from None


def _run(runs: "Iterable[Ran]", name: str, seeds: Iterable[int], failures: Path, *, until_failure: bool) -> None:
    total = len(seeds) if isinstance(seeds, range) else None
    files: dict[int, Path] = {}
    found: list[Ran] = []
    with progress(words("simulating"), total) as tell:
        for ran in runs:
            found.append(ran)
            say(*ran.timeline)
            if ran.failure is not None:
                files[ran.seed] = failures / f"failure-{name}-{ran.seed}.json"
                _write(files[ran.seed], ran.failure)
            tell(len(found), words("seed {seed}, {failed} failed", seed=ran.seed, failed=len(files)))
            if until_failure and files:
                break
    _summarise(name, found, files)


def _runs(source: "Source", seeds: Iterable[int], jobs: int, *, keep_trace: bool) -> "Iterator[Ran]":
    from node.simulator.running import run_once, run_seeds

    return run_seeds(source, seeds, jobs, partial(run_once, keep_trace=keep_trace))


def _write(file: Path, failure: "Failure") -> None:
    from node.simulator.failure import write_failure

    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(write_failure(failure), encoding="utf-8")


def _summarise(name: str, found: "Sequence[Ran]", files: dict[int, Path]) -> None:
    """Show every run, or where they are many only those that failed; then the sums; then what to do."""
    shown = found if len(found) <= ROWS_SHOWN else [ran for ran in found if ran.failure]
    if shown:
        _table(
            words("{name}: runs", name=name),
            ("seed", "result", "virtual", "machine", "trace", "contents"),
            map(_row, shown),
        )
    if len(found) == 1 and found[0].figures:
        _table("what happened", ("figure", "value"), [(key, f"{value:,g}") for key, value in found[0].figures.items()])
    virtual_s, machine_s = sum(ran.virtual_s for ran in found), sum(ran.machine_s for ran in found)
    counts = {"held": f"{len(found) - len(files):,}", "failed": f"{len(files):,}"}
    runs = words("1 run") if len(found) == 1 else words("{count} runs", count=f"{len(found):,}")
    times = {"hours": f"{virtual_s / 3600:,.1f}", "seconds": f"{machine_s:,.1f}"}
    each = f"{machine_s / max(1, len(found)):.2f}"
    say(
        words("{runs}, {held} held, {failed} failed;", runs=runs, **counts)
        + words(" {hours} virtual hours in {seconds} s of machine time, {each} s a run", each=each, **times)
    )
    document = {
        "scenario": name,
        "runs": len(found),
        "failed": len(files),
        "virtual_s": virtual_s,
        "machine_s": machine_s,
        "seeds": [{**_plain(ran, files.get(ran.seed)), **_timeline(ran)} for ran in found],
    }
    first = next((ran.failure for ran in found if ran.failure), None)
    if first is None:
        result(document)
    else:
        _fail(first, _command("--replay", files[first.seed]), document)


def _row(ran: "Ran") -> list[object]:
    told = term("holds")
    if ran.failure:
        where = ran.failure.node or term("no node")
        told = words(
            "{guarantee} at {node}: {found}", guarantee=ran.failure.guarantee, node=where, found=ran.failure.found
        )
    digests = (ran.trace_digest[:DIGEST_CHARS], ran.contents_digest[:DIGEST_CHARS])
    return [ran.seed, told, f"{ran.virtual_s / 60:.1f} min", f"{ran.machine_s:.2f} s", *digests]


def _plain(ran: "Ran", file: Path | None) -> dict[str, object]:
    return {
        "seed": ran.seed,
        "holds": ran.failure is None,
        "violation": _violation(ran.failure),
        "failure_file": str(file) if file else None,
        "trace_digest": ran.trace_digest,
        "contents_digest": ran.contents_digest,
        "figures": dict(ran.figures),
        "virtual_s": ran.virtual_s,
        "machine_s": ran.machine_s,
    }


def _timeline(ran: "Ran") -> dict[str, object]:
    return {"timeline": list(ran.timeline)} if ran.timeline else {}


def _violation(failure: "Failure | None") -> dict[str, str] | None:
    return {"guarantee": failure.guarantee, "node": failure.node, "found": failure.found} if failure else None


def _command(option: str, file: Path) -> str:
    return f"xinqiao simulate {option} {shlex.quote(str(file))}"


def _fail(failure: "Failure", command: str, document: dict[str, object]) -> NoReturn:
    """End with status 1 and one document; people get the one command that comes next."""
    told = {"guarantee": failure.guarantee, "node": failure.node or "no node", "found": failure.found}
    error = XinqiaoError("SIMULATION_FAILED", seed=failure.seed, **told, command=f"`{command}`")
    result({**document, "error": as_document(error)})
    show_error(error)
    raise click.exceptions.Exit(1)


# -- one failure ---------------------------------------------------------------------------------------------


def _read(file: Path) -> "Failure":
    from node.simulator.failure import read_failure

    return read_failure(_text(file, "FAILURE_FILE"), str(file))


def _replay(file: Path) -> None:
    """Run it again, show all that happened, and say whether it is still the same run."""
    from node.simulator.running import run_once

    before = _read(file)
    ran = run_once(before.scenario, before.seed, before.plan, keep_trace=True)
    say(*ran.timeline)
    is_same = ran.trace_digest == before.trace_digest
    if is_same:
        say(words("this is the run of the file"))
    else:
        say(words("this is not the run of the file any more: the software differs"))
    document = {**_plain(ran, file), "same_run": is_same, "timeline": list(ran.timeline)}
    if ran.failure is not None:
        _fail(ran.failure, _command("--shrink", file), document)
    say(words("{guarantee} holds now", guarantee=before.guarantee))
    result(document)


def _shrink(file: Path, budget: int) -> None:
    """Look for a smaller run of the same guarantee, and write it beside the file."""
    from node.simulator.failure import shrink
    from node.simulator.reading import expand_nodes
    from node.simulator.running import run_once

    def size(failure: "Failure") -> str:
        return words("{nodes} nodes, {acts} acts", nodes=len(expand_nodes(failure.scenario)), acts=len(failure.plan))

    before = _read(file)
    with progress(words("shrinking"), budget) as tell:
        found = shrink(
            before,
            lambda scenario, seed, plan: run_once(scenario, seed, plan).failure,
            budget,
            lambda failure, runs: tell(runs, size(failure)),
        )
    if found is before:
        raise XinqiaoError("FAILURE_FILE", file=file, detail=f"its run does not fail any more by {before.guarantee}")
    small = file.with_name(f"{file.stem.removesuffix('.small')}.small.json")
    _write(small, found)
    say(words("{before} before, {now} now: {file}", before=size(before), now=size(found), file=small))
    say(words("next: {next}", next=_command("--replay", small)))
    document = {"failure_file": str(small), "nodes": len(expand_nodes(found.scenario)), "acts": len(found.plan)}
    result({**document, "violation": _violation(found)})


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show rows in which a text in brackets is just that."""
    table(escape(title), columns, [[escape(str(cell)) for cell in row] for row in rows])


def _show_keys() -> None:
    from node.simulator.keys import key_rows

    rows = list(key_rows())
    for part, about in dict.fromkeys((row.part, row.about) for row in rows):
        cells = [row.cells for row in rows if row.part == part]
        _table(f"{part}: {about}", ("key", "values", "default", "meaning"), cells)
    result({"keys": [row._asdict() for row in rows]})


COMMANDS = (simulate,)
