"""`xinqiao bench`: measure this software on this machine, with real processes that nobody else uses."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from node.cli.terminal import Command, Group, options, result, say, table
from node.core.errors import XinqiaoError
from node.home import Home
from node.texts import words

if TYPE_CHECKING:
    from node.bench.network import Network
    from node.bench.programs import Programs
    from node.bench.removal import Round, Sample, Sizes
    from node.bench.report import Phase

    Measured = tuple[Sequence[Sample], Sequence[Round]]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMMAND_LIMIT_S = 3600.0
FEW_ENTRIES = 1000
DIGEST_FLOOR_S, DIGEST_FLOOR_ENTRIES = 5.0, 100_000
DIR_HELP = "Work directory, new or empty, which stays; without it, a temporary one."
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("bench", cls=Group)
@options
def bench() -> None:
    """Measure this software on this machine, with a network of its own that is gone afterwards.

    Figures depend on the machine and on what else it does: compare those of one run with each other.
    """


@bench.command("removal", cls=Command)
@click.option("--nodes", default=6, show_default=True, type=click.IntRange(2, 20), help="Nodes of the network.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Rounds of measuring.")
@click.option(
    "--removals", default=50, show_default=True, type=click.IntRange(1, 1000), help="Removals in a round without load."
)
@click.option(
    "--records",
    default=100_000,
    show_default=True,
    type=click.IntRange(1, 10_000_000),
    help="Records that each of two nodes publishes in a round while removals are measured.",
)
@click.option(
    "--what",
    default="exit",
    show_default=True,
    type=click.Choice(["exit", "withdrawal"]),
    help="What is removed: an entry of a serious list, or a record.",
)
@click.option(
    "--entries",
    default=1000,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Entries that stay on the list; where they are more than 1000, exits are measured with 1000 before.",
)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def removal(nodes: int, rounds: int, removals: int, records: int, what: str, entries: int, folder: Path | None) -> None:
    """Measure how soon a removal has reached every node: without load, and under a bulk load.

    The clock runs from the moment before the signed order is handed over to its owner to the moment when the owner
    holds the receipts of all readers. What an officer's command takes to start and to sign is not in it. Under load,
    the owner of the removals and one of the readers each publish records, which everybody takes.
    """
    from node.bench.figures import machine
    from node.bench.removal import Sizes

    sizes, before = Sizes(rounds, removals, records), machine()
    with measured_network(nodes, folder) as (network, tell):
        few, found = (_exits if what == "exit" else _withdrawals)(network, sizes, entries, tell)
    document = {"bench": "removal", "what": what, "nodes": nodes, "entries": entries, **asdict(sizes)}
    _show(few, found, document | {"machine": before})


@bench.command("digest", cls=Command)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100), help="Rounds of measuring.")
@click.option(
    "--entries", default=100_000, show_default=True, type=click.IntRange(1, 1_000_000), help="Entries of the list."
)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def digest(rounds: int, entries: int, folder: Path | None) -> None:
    """Measure how long a reader takes to work out anew who is on a list, with its digest.

    Two nodes are founded, and two officers put the entries on the list of one. It is rebuilt from its operations, in
    a copy of the database of the other one; each time the digest that the origin has signed must come out.
    """
    from node.bench.digest import rebuilding
    from node.bench.figures import machine
    from node.bench.lists import Exits

    before = machine()
    with measured_network(2, folder) as (network, tell), network.lists(network.owner) as owner:
        exits = Exits(network, owner, entries)
        tell(words("putting {count} entries on a list", count=entries))
        exits.prepare(0)
        tell(words("rebuilding the list"))
        database = Home(network.home(network.readers[0])).database
        found = rebuilding(database, network.programs.work / "copy.db", exits.channel, rounds)
    counts = {"live": found.live, "seconds": found.seconds, "busy": found.busy_s}
    say(
        words(
            "{live} live entries worked out anew with their digest: {seconds} s, {busy} s of processor time", **counts
        )
    )
    is_held = found.seconds.median < DIGEST_FLOOR_S if found.live >= DIGEST_FLOOR_ENTRIES else None
    if is_held is not None:
        say(
            words(
                "below {limit} s: {held}", limit=DIGEST_FLOOR_S, held=words("hold") if is_held else words("do NOT hold")
            )
        )
    document = {"bench": "digest", "entries": entries, "rounds": rounds, "machine": before}
    result(document | asdict(found) | {"is_floor_held": is_held})


@contextmanager
def measured_network(
    nodes: int, folder: Path | None, databases: Mapping[str, str] | None = None, *, meets: bool = True
) -> "Iterator[tuple[Network, Callable[[str], None]]]":
    """A network that serves, with what says how it goes; it is stopped whatever happens. Raises BENCH_FAILED."""
    from node.bench import network
    from node.bench.programs import Programs, StageError, demand

    work = _work(folder)
    programs, tell = Programs(work, limit_s=COMMAND_LIMIT_S), _teller()
    with _stopped(programs):
        try:
            yield network.found(programs, nodes, tell, databases, meets=meets), tell
            demand(not programs.dead(), "; ".join(programs.dead()))
        except StageError as error:
            click.echo(f"{error.details.strip()}\n{programs.tails()}", err=True)
            raise XinqiaoError("BENCH_FAILED", detail=error, folder=work) from error
    if folder is None:
        shutil.rmtree(work)


def _work(folder: Path | None) -> Path:
    """The work directory, made; raises ARGUMENT_INVALID for one that holds something."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="xinqiao-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise XinqiaoError("ARGUMENT_INVALID", argument="--dir", detail="the folder is not empty")
    return folder.resolve()


def _teller() -> Callable[[str], None]:
    """Says what is being done, and since when."""
    began = perf_counter()
    return lambda what: say(f"{perf_counter() - began:7.1f} s  {what}")


@contextmanager
def _stopped(programs: "Programs") -> Iterator[None]:
    """End every process afterwards, also where this one is told to end."""
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        # Everything is being stopped, which takes seconds and is all that a further signal could ask for.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        programs.stop()
        for number, action in before.items():
            signal.signal(number, action)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _exits(network: "Network", sizes: "Sizes", entries: int, tell: Callable[[str], None]) -> "Measured":
    """Measure exits from a list; first from a short one, where a long one is asked for."""
    from node.bench.lists import Exits
    from node.bench.removal import measured_idle, measured_rounds

    few: list[Sample] = []
    with network.lists(network.owner) as owner:
        exits = Exits(network, owner, min(entries, FEW_ENTRIES))
        if entries > FEW_ENTRIES:
            tell(words("without load, {count} entries", count=FEW_ENTRIES))
            few = measured_idle(network, exits, owner, sizes.removals)
            exits.entries = entries
        return few, list(measured_rounds(network, exits, owner, sizes, tell))


def _withdrawals(network: "Network", sizes: "Sizes", _entries: int, tell: Callable[[str], None]) -> "Measured":
    from node.bench.removal import measured_rounds
    from node.bench.withdrawals import Withdrawals

    with network.admin(network.owner) as owner:
        return [], list(measured_rounds(network, Withdrawals(network, owner), owner, sizes, tell))


def _show(few: "Sequence[Sample]", rounds: "Sequence[Round]", document: dict[str, Any]) -> None:
    from node.bench.report import report

    found = report(rounds, few)
    columns = (
        "removals",
        "measured",
        "committed",
        "first receipt",
        "all receipts: p50",
        "p99",
        "slowest",
        "processor time",
    )
    rows = [_row(words("without load, {count} entries", count=FEW_ENTRIES), found.few)] if found.few else []
    rows += [_row(words("without load"), found.idle), _row(words("under load"), found.loaded)]
    table("seconds: median of the rounds (smallest to largest)", columns, rows)
    limits = {"p50": found.floor_p50_s, "p99": found.floor_p99_s, "aim": found.aim_p99_s}
    held = words("hold") if found.is_floor_held else words("do NOT hold")
    say(words("under load: p50 below {p50} s and p99 below {p99} s {held}; p99 aimed at: {aim} s", **limits, held=held))
    say(words("the load was exchanged in {seconds} s", seconds=found.load_s))
    measured = {"few": [asdict(each) for each in few], "rounds": [asdict(each) for each in rounds]}
    result(document | asdict(found) | {"measured": measured})


def _row(name: str, phase: "Phase") -> list[object]:
    times = (phase.published_s, phase.first_s, phase.p50_s, phase.p99_s, phase.slowest_s, phase.busy_s)
    return [name, phase.samples, *times]


COMMANDS = (bench,)
