"""`xinqiao bench publish` and `exchange`: how fast records get into the log of a node, and from there into another."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.bench import DIR_HELP, FOLDER, measured_network
from node.cli.terminal import Command, options, result, say, table
from node.texts import term, words

if TYPE_CHECKING:
    from node.bench.alternatives import Alternative
    from node.bench.exchange import Exchange, Round
    from node.bench.exchange_report import Ratio, Report
    from node.bench.figures import Spread
    from node.bench.sampling import Profile

RATE_COLUMNS = ("way", "records/s", "MB/s", "seconds")
PUBLISH_COLUMNS = ("what is done with the rows", "records/s")
COST = "cost of a record with 2000000 of them, as a multiple of that with 100000; at most 1.5"
PEAK = "largest resident size with 2000000 records, as a multiple of that with 300000; at most 1.1"
STAGE_COLUMNS = ("stage", "owner", "reader")
GROWTH_COLUMNS = (
    "records",
    "microseconds for each record",
    "processor time of the reader for each, microseconds",
    "largest resident size, MB: owner",
    "reader",
    "bytes of the reader's database for each",
)
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
@click.option(
    "--profile",
    type=FOLDER,
    help="Sample both processes in one round more, and leave a flame graph of each in this folder.",
)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def exchange(
    records: int,
    rounds: int,
    seed: int,
    database: str,
    against: tuple[str, ...],
    profile: Path | None,
    folder: Path | None,
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
    from node.bench import sampling, supply
    from node.bench.alternatives import Ways, check_possible
    from node.bench.clusters import node_servers
    from node.bench.exchange import Exchange
    from node.bench.exchange_report import report
    from node.bench.figures import machine
    from node.bench.network import NODES

    before = machine()
    check_possible(database, against)
    if profile is not None:
        sampling.check_installed()
        profile.mkdir(parents=True, exist_ok=True)
    nodes = 1 + rounds + (profile is not None)
    with ExitStack() as stack:
        servers, addresses = node_servers(database, NODES[:nodes], stack)
        network, tell = stack.enter_context(measured_network(nodes, folder, addresses))
        for reader in network.readers:
            network.programs.end(reader)
        tell(words("publishing {count} records", count=records))
        published = supply.publish(network, records, seed)
        measuring, preparing = Exchange(network, published, servers), Ways(network, published, stack)
        ways = {name: preparing.prepare(name) for name in dict.fromkeys(against)}
        measured, seconds = _measure(measuring, ways, network.readers[:rounds], tell)
        if profile is not None:
            tell(words("a round that is sampled"))
            measuring.measure(network.readers[-1], profile)
    found = report(published.volume, measured, database, seconds)
    document = {"bench": "exchange", "database": database, "seed": seed, "rounds": rounds, "machine": before}
    profiles = {name: sampling.profile(profile, name) for name in ("owner", "reader")} if profile is not None else {}
    document["profile"] = {
        name: asdict(each) | {"flame_graph": str(each.flame_graph)} for name, each in profiles.items()
    }
    _show(found, document | {"planted": asdict(published.planted)}, measured)
    _show_profiles(profiles, records)


def _measure(
    exchange: "Exchange", ways: "Mapping[str, Alternative]", readers: Sequence[str], tell: Callable[[str], None]
) -> "tuple[list[Round], dict[str, list[float]]]":
    """Measure ours and each alternative in turns; the rounds of ours, and the seconds of the others."""
    measured, seconds = [], dict[str, list[float]]((name, []) for name in ways)
    for number, reader in enumerate(readers, 1):
        tell(words("round {number}: exchange", number=number))
        measured.append(exchange.measure(reader))
        for name, way in ways.items():
            tell(words("round {number}: {way}", number=number, way=name))
            seconds[name].append(way.measure())
    return measured, seconds


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


def _show_profiles(profiles: "Mapping[str, Profile]", records: int) -> None:
    """What each stage has taken, in microseconds of each record."""
    if not profiles:
        return
    stages = next(iter(profiles.values())).seconds
    rows = [[stage, *(f"{each.seconds[stage] / records * 1e6:.1f}" for each in profiles.values())] for stage in stages]
    rows.append(["", *(f"{sum(each.seconds.values()) / records * 1e6:.1f}" for each in profiles.values())])
    table("microseconds of processor time for each record, by sampling", STAGE_COLUMNS, rows)
    for each in profiles.values():
        say(words("flame graph: {file}", file=each.flame_graph))


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


@click.command("growth", cls=Command)
@click.option(
    "--records",
    "sizes",
    multiple=True,
    type=click.IntRange(1, 10_000_000),
    help="A number of records, instead of 10000, 100000, 300000 and 2000000; may be given several times.",
)
@click.option("--large", is_flag=True, help="Also 10000000 records, which takes 60 GB of disk and an hour or more.")
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1, 19), help="Rounds of measuring.")
@click.option("--seed", default=1, show_default=True, type=int, help="Chooses the records, and what is planted where.")
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def growth(sizes: tuple[int, ...], large: bool, rounds: int, seed: int, folder: Path | None) -> None:
    """Measure what a record costs as there are more of them: time, memory, and bytes of the database.

    For each number of records a network of its own is founded, and one node takes over what the other one has
    published, as in `xinqiao bench exchange`.
    """
    from node.bench.figures import machine
    from node.bench.growth import LARGE, SIZES, check_space, measured, report

    before, grown = machine(), []
    if large:
        check_space(folder.parent if folder is not None else Path(tempfile.gettempdir()))
    for size in sorted({*(sizes or SIZES), *([LARGE] if large else [])}):
        with measured_network(1 + rounds, folder / str(size) if folder is not None else None) as (network, tell):
            grown.append(measured(network, size, seed, tell))
    found = report(grown)
    rows = []
    for each in found.sizes:
        peaks = (each.owner_peak_mb, each.reader_peak_mb)
        rows.append([each.records, *map(_figure, (each.cost_us, each.reader_us, *peaks, each.database_bytes))])
    table("median of the rounds (smallest to largest)", GROWTH_COLUMNS, rows)
    ratios = ((found.cost_ratio, found.is_cost_floor_held, COST), (found.peak_ratio, found.is_peak_floor_held, PEAK))
    for ratio, is_held, told in ratios:
        if ratio is not None:
            held = words("hold") if is_held else words("do NOT hold")
            say(f"{term(told)}: {ratio}: {held}")
    result({"bench": "growth", "seed": seed, "rounds": rounds, "machine": before} | asdict(found))


COMMANDS = (publish, exchange, growth)
