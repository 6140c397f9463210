"""`xinqiao bench publish` and `exchange`: how fast records get into the log of a node, and from there into another."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.bench import DIR_HELP, FOLDER, measured_network
from node.cli.terminal import Command, options, result, say, table
from node.texts import words

if TYPE_CHECKING:
    from node.bench.exchange import Round
    from node.bench.exchange_report import Ratio, Report
    from node.bench.figures import Spread

RATE_COLUMNS = ("way", "records/s", "MB/s", "seconds")
PUBLISH_COLUMNS = ("what is done with the rows", "records/s")
ALTERNATIVES = ("limit", "signed-file", "logical-replication", "initial-sync")
USAGE_COLUMNS = ("process", "processor time, s", "largest resident size, MB")


@click.command("exchange", cls=Command)
@click.option(
    "--records",
    default=300_000,
    show_default=True,
    type=click.IntRange(1, 10_000_000),
    help="Records that are published and then exchanged.",
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 19), help="Rounds of measuring.")
@click.option("--seed", default=1, show_default=True, type=int, help="Chooses the records, and what is planted where.")
@click.option(
    "--database",
    default="sqlite",
    show_default=True,
    type=click.Choice(["sqlite", "postgresql"]),
    help="Where both nodes keep their data.",
)
@click.option(
    "--against",
    multiple=True,
    type=click.Choice(ALTERNATIVES),
    help="Also measure another way to bring the same records over, in turns with ours; may be given several times.",
)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def exchange(
    records: int, rounds: int, seed: int, database: str, against: tuple[str, ...], folder: Path | None
) -> None:
    """Measure how fast a node takes over what another one has published before.

    Real processes over mutual TLS; every record is verified, judged by every rule, applied and on the disk when the
    clock stops. It runs from the first push to the last verified receipt. One record among them breaks a rule, and
    must come back rejected. Each round has another reader, which has nothing yet.

    \b
    limit                a bare stream of the same entries between two processes, verified and not stored
    signed-file          export from PostgreSQL, zstd, signature, copy, verification, COPY into PostgreSQL
    logical-replication  a subscription between two PostgreSQL servers, 16 columns of the same records
    initial-sync         the first copy of the table by such a subscription
    """
    from node.bench import supply
    from node.bench.alternatives import Ways, check_possible
    from node.bench.clusters import node_servers
    from node.bench.exchange import Exchange
    from node.bench.exchange_report import report
    from node.bench.figures import machine
    from node.bench.network import NODES

    before = machine()
    check_possible(database, against)
    with ExitStack() as stack:
        servers, addresses = node_servers(database, NODES[: 1 + rounds], stack)
        network, tell = stack.enter_context(measured_network(1 + rounds, folder, addresses))
        for reader in network.readers:
            network.programs.end(reader)
        tell(words("publishing {count} records", count=records))
        published = supply.publish(network, records, seed)
        measuring, measured = Exchange(network, published, servers), list["Round"]()
        preparing = Ways(network, published, stack)
        ways = {name: preparing.prepare(name) for name in dict.fromkeys(against)}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number, reader in enumerate(network.readers, 1):
            tell(words("round {number}: exchange", number=number))
            measured.append(measuring.measure(reader))
            for name, way in ways.items():
                tell(words("round {number}: {way}", number=number, way=name))
                seconds[name].append(way.measure())
    found = report(published.volume, measured, database, seconds)
    document = {"bench": "exchange", "database": database, "seed": seed, "rounds": rounds, "machine": before}
    _show(found, document | {"planted": asdict(published.planted)}, measured)


def _show(found: "Report", document: dict[str, Any], measured: "Sequence[Round]") -> None:
    volume, planted = found.volume, document["planted"]
    counts = {"records": volume.records, "mean": found.record_bytes_mean, "entries": volume.entries}
    say(
        words(
            "{records} records of {mean} bytes in the mean, in {entries} entries of {bytes} bytes together",
            **counts,
            bytes=volume.entry_bytes,
        ),
        words(
            "record {place} was planted, came back rejected with {code}, and is not answered; all others are applied",
            place=planted["place"],
            code=planted["code"],
        ),
    )
    ways = {f"xinqiao, {document['database']}": found.exchange} | found.against
    rows = [[way, *map(_figure, (each.records_per_s, each.mb_per_s, each.seconds))] for way, each in ways.items()]
    table("median of the rounds (smallest to largest)", RATE_COLUMNS, rows)
    sides = ((words("owner"), found.owner), (words("reader"), found.reader))
    usage = [[name, _figure(side.busy_s), _figure(side.peak_mb)] for name, side in sides]
    names = {"owner": words("server of the owner"), "reader": words("server of the reader")}
    usage += [[names[side], _figure(busy), ""] for side, busy in found.servers_busy_s.items()]
    table("median of the rounds (smallest to largest)", USAGE_COLUMNS, usage)
    for each in found.ratios:
        say(_ratio(each))
    say(words("the reader signed the last receipt after {seconds} s", seconds=found.signed_s))
    say(words("a record is found by its subject in {seconds} s", seconds=found.lookup_s))
    say(words("largest resident size at most {limit} MB: {held}", limit=found.peak_floor_mb, held=_held(found)))
    result(document | asdict(found) | {"measured": [asdict(each) for each in measured]})


def _ratio(found: "Ratio") -> str:
    if found.floor is None:
        return words("as a share of {way}: {ratio}", way=found.against, ratio=found.ratio)
    held = words("hold") if found.is_floor_held else words("do NOT hold")
    told = {"way": found.against, "ratio": found.ratio, "floor": found.floor, "aim": found.aim}
    return words("as a share of {way}: {ratio}; at least {floor}: {held}; aimed at: {aim}", **told, held=held)


def _held(found: "Report") -> str:
    return words("hold") if found.is_peak_floor_held else words("do NOT hold")


def _figure(found: "Spread") -> str:
    digits = 0 if found.median >= 1000 else 1
    return f"{found.median:,.{digits}f} ({found.min:,.{digits}f}-{found.max:,.{digits}f})"


@click.command("publish", cls=Command)
@click.option(
    "--records",
    default=100_000,
    show_default=True,
    type=click.IntRange(1, 10_000_000),
    help="Rows of the file that is published.",
)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Rounds of measuring.")
@click.option("--seed", default=1, show_default=True, type=int, help="Chooses the records.")
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def publish(records: int, rounds: int, seed: int, folder: Path | None) -> None:
    """Measure how many records of a CSV file a node publishes in a second.

    The clock runs while `xinqiao publish` does, its start included; then every record is judged, signed and on the
    disk. Beside it stand two stages of it, done alone, and publishing the same file once more.
    """
    from node.bench.figures import machine
    from node.bench.publication import Publication, report

    before, measured = machine(), []
    with measured_network(1, folder) as (network, tell):
        tell(words("writing {count} rows", count=records))
        publication = Publication.prepare(network, records, seed)
        for number in range(1, rounds + 1):
            tell(words("round {number}: publishing", number=number))
            measured.append(publication.measure(number))
        found = report(records, publication.file.stat().st_size, measured)
    rows = (
        (words("published"), found.records_per_s),
        (words("published again: all rows are duplicates"), found.again_per_s),
        (words("only read"), found.reading_per_s),
        (words("only read and judged"), found.judging_per_s),
    )
    table("median of the rounds (smallest to largest)", PUBLISH_COLUMNS, [[name, _figure(each)] for name, each in rows])
    usage = [
        [words("node"), _figure(found.node_busy_s), _figure(found.peak_mb)],
        [words("command"), _figure(found.command_busy_s), ""],
    ]
    table("median of the rounds (smallest to largest)", USAGE_COLUMNS, usage)
    held = words("hold") if found.is_floor_held else words("do NOT hold")
    limits = {"floor": found.floor_per_s, "aim": found.aim_per_s}
    say(words("published, at least {floor} records/s: {held}; aimed at: {aim}", **limits, held=held))
    document = {"bench": "publish", "seed": seed, "rounds": rounds, "machine": before}
    result(document | asdict(found) | {"measured": [asdict(each) for each in measured]})


COMMANDS = (publish, exchange)
