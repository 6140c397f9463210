"""`xinqiao bench catchup`: how a node comes back that was away."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.bench import DIR_HELP, FOLDER, measured_network
from node.cli.terminal import Command, options, result, say, table
from node.texts import words

if TYPE_CHECKING:
    from node.bench.catchup import Report

MB = 10**6


@click.command("catchup", cls=Command)
@click.option(
    "--records",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1, 10_000_000),
    help="Records that are published while the node is away.",
)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def catchup(records: int, folder: Path | None) -> None:
    """Measure how a node comes back that was away while another one published: when its list is right, and when all is.

    It had everything when it was stopped. Then records are published, and after them subjects leave a list. The clock
    runs from the start of its process.
    """
    from node.bench.catchup import Return
    from node.bench.figures import machine

    before = machine()
    with measured_network(2, folder) as (network, tell):
        found = Return(network, records, tell).measure()
    _show(found)
    result({"bench": "catchup", "records": records, "machine": before} | asdict(found))


def _show(found: "Report") -> None:
    seconds = {"serving": found.serving_s, "seconds": found.list_s, "exits": found.exits}
    missed, moved = found.missed.entry_bytes, found.traffic.bytes
    ratio = found.bytes_per_missed_byte
    say(
        words("it served after {serving} s; the list without {exits} entries was right after {seconds} s", **seconds),
        words(
            "{records} records were applied after {seconds} s: {rate} records/s from when it served",
            records=found.missed.records,
            seconds=found.records_s,
            rate=f"{found.records_per_s:.0f}",
        ),
        words(
            "{missed} MB of entries were missed, {moved} MB were moved: {ratio} times as much",
            missed=f"{missed / MB:.1f}",
            moved=f"{moved / MB:.1f}",
            ratio=ratio,
        ),
    )
    columns = ("process", "processor time, s", "largest resident size, MB")
    sides = ((words("reader"), found.reader), (words("owner"), found.owner))
    table("while it caught up", columns, [[name, each.busy_s, each.peak_mb] for name, each in sides])


COMMANDS = (catchup,)
