"""`xinqiao bench lookup` and `sweep`: how soon, and how fast, a node says who stands on a list."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.bench import DIR_HELP, FOLDER, measured_network
from node.cli.terminal import Command, options, result, say, table
from node.texts import words

if TYPE_CHECKING:
    from node.bench.figures import Spread

COLUMNS = ("figure", "median of the rounds (smallest to largest)")
ENTRIES_HELP = "Entries of the list that is looked at."
RECORDS_HELP = "Records that the node holds besides."
ROUNDS_HELP = "Rounds of measuring."


@click.command("lookup", cls=Command)
@click.option("--clients", default=8, show_default=True, type=click.IntRange(1, 64), help="Systems that ask at once.")
@click.option(
    "--checks", default=2000, show_default=True, type=click.IntRange(10, 100_000), help="Checks of each in a round."
)
@click.option("--records", default=2_000_000, show_default=True, type=click.IntRange(0, 100_000_000), help=RECORDS_HELP)
@click.option("--entries", default=5000, show_default=True, type=click.IntRange(1, 1_000_000), help=ENTRIES_HELP)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help=ROUNDS_HELP)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def lookup(clients: int, checks: int, records: int, entries: int, rounds: int, folder: Path | None) -> None:
    """Measure how soon a node answers about one subject over mutual TLS, with the query log on.

    Each system has a connection and a certificate of its own and asks one thing after another. Its clock runs from
    before the call to after its answer; the question is on the disk by then. One of twenty subjects is on the list.
    """
    from node.bench import asking
    from node.bench.figures import machine
    from node.bench.lookup import measure, report

    before, measured = machine(), []
    with measured_network(2, folder) as (network, tell):
        desk = asking.prepare(network, records, entries, clients, tell)
        for number in range(1, rounds + 1):
            tell(words("round {number}: checking", number=number))
            measured.append(measure(desk, checks, number))
    found = report(measured)
    rows = [
        (words("a check, p50, ms"), _figure(found.p50_ms)),
        (words("a check, p99, ms"), _figure(found.p99_ms)),
        (words("the slowest, ms"), _figure(found.slowest_ms)),
        (words("checks/s of all systems"), _figure(found.checks_per_s)),
        (words("processor time of the node for a check, ms"), _figure(found.node_busy_ms)),
        (words("largest resident size of the node, MB"), _figure(found.peak_mb)),
    ]
    table("lookup", COLUMNS, rows)
    told = {"floor": found.floor_p50_ms, "held": _held(found.is_floor_held), "aim": found.aim_p50_ms}
    say(words("p50 at most {floor} ms: {held}; aimed at: {aim} ms", **told))
    document = {"bench": "lookup", "clients": clients, "records": records, "entries": entries, "machine": before}
    result(document | asdict(found))


@click.command("sweep", cls=Command)
@click.option(
    "--subjects",
    default=730_000,
    show_default=True,
    type=click.IntRange(1, 100_000_000),
    help="Subjects of the file that is checked.",
)
@click.option("--records", default=0, show_default=True, type=click.IntRange(0, 100_000_000), help=RECORDS_HELP)
@click.option("--entries", default=5000, show_default=True, type=click.IntRange(1, 1_000_000), help=ENTRIES_HELP)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help=ROUNDS_HELP)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def sweep(subjects: int, records: int, entries: int, rounds: int, folder: Path | None) -> None:
    """Measure how many subjects of a file a node answers in a second, with the query log on.

    The clock runs while `xinqiao check --file` does, its start included. One of a hundred subjects is on the list.
    """
    from node.bench import asking
    from node.bench.figures import machine
    from node.bench.sweep import measure, report, write_subjects

    before, measured = machine(), []
    with measured_network(2, folder) as (network, tell):
        desk = asking.prepare(network, records, entries, 1, tell)
        file = write_subjects(desk, subjects)
        for number in range(1, rounds + 1):
            tell(words("round {number}: checking", number=number))
            measured.append(measure(desk, file, subjects, number))
    found = report(subjects, measured)
    rows = [
        (words("subjects/s"), _figure(found.subjects_per_s)),
        (words("a whole sweep, s"), _figure(found.seconds)),
        (words("processor time of the node, s"), _figure(found.node_busy_s)),
        (words("processor time of the command, s"), _figure(found.command_busy_s)),
        (words("largest resident size of the node, MB"), _figure(found.peak_mb)),
    ]
    table("sweep", COLUMNS, rows)
    told = {"floor": found.floor_per_s, "held": _held(found.is_floor_held), "aim": found.aim_per_s}
    say(words("at least {floor} subjects/s: {held}; aimed at: {aim}", **told))
    document = {"bench": "sweep", "records": records, "entries": entries, "rounds": rounds, "machine": before}
    result(document | asdict(found))


def _held(is_held: bool) -> str:
    return words("hold") if is_held else words("do NOT hold")


def _figure(found: "Spread") -> str:
    digits = 0 if found.median >= 1000 else 2
    return f"{found.median:,.{digits}f} ({found.min:,.{digits}f}-{found.max:,.{digits}f})"


COMMANDS = (lookup, sweep)
