"""`xinqiao bench idle`: what a node costs that has nothing to do."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.bench import DIR_HELP, FOLDER, measured_network
from node.cli.terminal import Command, options, result, say, table
from node.texts import words

if TYPE_CHECKING:
    from node.bench.idle import Minute, Report

KIB = 1024
COLUMNS = (
    *("minute", "sent to peers, KiB", "received from peers, KiB", "with registry ports, KiB", "together, KiB"),
    *("packets", "processor time, s"),
)


@click.command("idle", cls=Command)
@click.option(
    "--links", default=20, show_default=True, type=click.IntRange(1, 20), help="Links of the node that is measured."
)
@click.option(
    "--channels", default=20, show_default=True, type=click.IntRange(1, 400), help="Channels that each link carries."
)
@click.option(
    "--shape",
    default="mesh",
    show_default=True,
    type=click.Choice(["mesh", "star"]),
    help="Channels that everybody reads; or, for each link, channels of its two ends that nobody else reads.",
)
@click.option(
    "--minutes",
    default=6,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Minutes to measure; whatever a node does by itself it does within six.",
)
@click.option(
    "--heartbeat",
    type=click.IntRange(1, 900),
    metavar="SECONDS",
    help="Heartbeat interval of all nodes, where it is not to be the one that nodes come with.",
)
@click.option("--dir", "folder", type=FOLDER, help=DIR_HELP)
@options
def idle(links: int, channels: int, shape: str, minutes: int, heartbeat: int | None, folder: Path | None) -> None:
    """Measure what a node costs while nothing happens: bytes on its connections, and processor time.

    The node has a link with each of so many others. Everything has been exchanged and applied before, and all nodes
    have been started anew with the settings that nodes come with. The minute that costs most is the one that counts.
    """
    from node.bench.figures import machine
    from node.bench.idle import JUDGED_CHANNELS, JUDGED_LINKS, Quiet, default_heartbeat_s, quieted, settings

    quiet, before = Quiet(links, channels, shape, minutes, heartbeat or default_heartbeat_s()), machine()
    with measured_network(links + 1, folder, meets=False) as (network, tell), quieted(network, quiet, tell) as still:
        found_links, shared = still.links, still.channels
        found = still.measure(minutes, tell)
    is_judged = links >= JUDGED_LINKS and channels >= JUDGED_CHANNELS
    document = {"bench": "idle", **asdict(quiet), "settings": settings(quiet), "machine": before}
    _show(found, document | {"found_links": found_links, "shared_channels": shared}, is_judged=is_judged)


def _show(found: "Report", document: dict[str, Any], *, is_judged: bool) -> None:
    from node.bench.idle import AIM_BUSY_S, AIM_BYTES, FLOOR_BUSY_S, FLOOR_BYTES

    shared = document["shared_channels"]
    counts = {"links": document["found_links"], "least": min(shared), "most": max(shared)}
    say(
        words(
            "{links} links, {least} to {most} channels on each; a heartbeat every {seconds} s",
            **counts,
            seconds=document["heartbeat_s"],
        )
    )
    rows = [_row(number, each) for number, each in enumerate(found.minutes, 1)]
    table("one node, minute by minute", COLUMNS, rows)
    worst = {"kib": f"{found.worst_bytes / KIB:.1f}", "seconds": f"{found.worst_busy_s:.2f}"}
    say(
        words("at most {kib} KiB and {seconds} s of processor time a minute", **worst),
        words(
            "in the mean {kib} KiB and {seconds} s; at most {more} KiB with the headers of TCP and IP",
            kib=f"{found.mean_bytes / KIB:.1f}",
            seconds=f"{found.mean_busy_s:.2f}",
            more=f"{found.worst_bytes_with_headers / KIB:.1f}",
        ),
    )
    floor, aim = {"kib": FLOOR_BYTES // KIB, "seconds": FLOOR_BUSY_S}, {"kib": AIM_BYTES // KIB, "seconds": AIM_BUSY_S}
    if is_judged:
        say(
            words("no minute of more than {kib} KiB or {seconds} s: {held}", **floor, held=_held(found.is_floor_held)),
            words(
                "none of more than {kib} KiB or {seconds} s, as is aimed at: {held}",
                **aim,
                held=_held(found.is_aim_reached),
            ),
        )
    limits = {
        "floor": {"bytes": FLOOR_BYTES, "busy_s": FLOOR_BUSY_S, "held": found.is_floor_held if is_judged else None},
        "aim": {"bytes": AIM_BYTES, "busy_s": AIM_BUSY_S, "held": found.is_aim_reached if is_judged else None},
    }
    result(document | asdict(found) | limits)


def _held(holds: bool) -> str:
    return words("hold") if holds else words("do NOT hold")


def _row(number: int, minute: "Minute") -> list[object]:
    sizes = (minute.peers.sent, minute.peers.received, minute.registry.bytes, minute.traffic.bytes)
    return [number, *(f"{size / KIB:.1f}" for size in sizes), minute.traffic.packets, f"{minute.busy_s:.2f}"]


COMMANDS = (idle,)
