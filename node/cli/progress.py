"""`xinqiao progress`: how much of what is announced is here, how long the rest takes, since when the node is of use."""

import sys
from collections.abc import Callable, Iterator
from time import sleep

import click

from node.cli.terminal import Command, admin, is_json, options, plain, result, say, table, when
from node.core.errors import from_refusal
from node.pb import admin_service_pb2 as pb
from node.texts import joined, term, told, words

WATCH_S = 1.0
LINE_EVERY = 5
"""Where nothing can be drawn, one look of so many is told."""
BAR_COLUMNS = 40
NAMED_LISTS = 6
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
KIB = 1024
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@click.command("progress", cls=Command)
@click.option("--watch", is_flag=True, help="Show it again every second until all is here; one line each with --json.")
@options
def progress(watch: bool) -> None:
    """Show how far a new or returning node has come: lists and removals first, then the records.

    Entries are announced by heartbeats, which are signed; how many records and bytes are still to come nobody has
    signed. So the time left is a range: as by the fastest and by the slowest ten seconds of the last minute.
    """
    with admin() as node:
        if not watch:
            _show(node.progress())
            return
        try:
            _watch(node.progress)
        except KeyboardInterrupt:
            # That is how watching ends, too.
            return


def _watch(ask: Callable[[], pb.GetProgressResponse]) -> None:
    looks, shown = 0, ""
    while True:
        found = ask()
        if is_json():
            result(plain(found))
        elif sys.stdout.isatty():
            click.clear()
            _show(found)
        elif looks % LINE_EVERY == 0 or useful_line(found) != shown or is_all_here(found):
            shown = useful_line(found)
            say(shown, *map(lane_line, found.lanes))
        if is_all_here(found):
            return
        looks += 1
        sleep(WATCH_S)


def is_all_here(found: pb.GetProgressResponse) -> bool:
    """Whether nothing that is announced is missing."""
    return found.is_useful and all(lane.entries >= lane.announced_entries for lane in found.lanes)


def _show(found: pb.GetProgressResponse) -> None:
    say(useful_line(found))
    for lane in found.lanes:
        say((bar(lane) if sys.stdout.isatty() else "") + lane_line(lane))
    columns = ("origin", "lane", "entries", "announced", "records", "entries/s", "time left", "waits for")
    table("what comes from others", columns, [_row(group) for group in found.origins])
    say(*_notes(found))
    result(plain(found))


def useful_line(found: pb.GetProgressResponse) -> str:
    """Since when lists and removals are here, or that they are not."""
    if not found.useful_since_unix_ms:
        return words("not of use yet: lists or removals are missing")
    since = when(found.useful_since_unix_ms)
    if not found.is_useful:
        return words("of use since {time} UTC; something newer is on its way", time=since)
    return words("of use since {time} UTC: lists and removals are here as announced", time=since)


def bar(lane: pb.GroupProgress) -> str:
    """How much is here, drawn."""
    done = _percent(lane) * BAR_COLUMNS // 100
    return f"[{'#' * done}{'.' * (BAR_COLUMNS - done)}] "


def _percent(lane: pb.GroupProgress) -> int:
    return lane.entries * 100 // lane.announced_entries if lane.announced_entries else 0


def lane_line(lane: pb.GroupProgress) -> str:
    """One lane in one line."""
    counts = {"entries": lane.entries, "announced": lane.announced_entries, "percent": _percent(lane)}
    held = words("{entries} of {announced} entries, {percent} %", **counts)
    parts = [held, words("{count} records in force", count=lane.records)] if lane.records else [held]
    if lane.entries < lane.announced_entries:
        parts += [_rate(lane), time_left(lane)]
    return f"{term(lane.lane)}: {joined(parts)}"


def _rate(lane: pb.GroupProgress) -> str:
    rates = {"entries": f"{lane.entries_per_s:.1f}", "records": f"{lane.records_per_s:.0f}"}
    return words("{entries} entries/s ({records} records/s, {size}/s)", **rates, size=_size(lane.bytes_per_s))


def _size(size_bytes: float) -> str:
    for unit in UNITS[:-1]:
        if size_bytes < KIB:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= KIB
    return f"{size_bytes:.1f} {UNITS[-1]}"


def time_left(lane: pb.GroupProgress) -> str:
    """How long the rest takes, as far as that can be told."""
    if not lane.HasField("least_seconds_left"):
        return words("time left unknown: nothing came in the last minute")
    least = _span(lane.least_seconds_left)
    if not lane.HasField("most_seconds_left"):
        return words("at least {least} left", least=least)
    most = _span(lane.most_seconds_left)
    if least == most:
        return words("about {least} left", least=least)
    return words("{least} to {most} left", least=least, most=most)


def _span(seconds: int) -> str:
    if seconds < 2 * MINUTE_S:
        return words("{count} s", count=seconds)
    if seconds < 2 * HOUR_S:
        return words("{count} min", count=round(seconds / MINUTE_S))
    if seconds < 2 * DAY_S:
        return words("{count} h", count=round(seconds / HOUR_S))
    return words("{count} days", count=round(seconds / DAY_S))


def _row(group: pb.GroupProgress) -> list[object]:
    is_missing = group.entries < group.announced_entries
    waits = dict.fromkeys(term(log.waits_for) for log in group.logs if log.waits_for)
    return [
        *(group.origin, term(group.lane), group.entries, group.announced_entries, group.records),
        *(f"{group.entries_per_s:.1f}", time_left(group) if is_missing else "", joined(waits)),
    ]


def _notes(found: pb.GetProgressResponse) -> Iterator[str]:
    for doubt in found.doubts[:NAMED_LISTS]:
        yield words("{list} is answered UNCONFIRMED: {why}", list=doubt.channel, why=joined(map(term, doubt.doubts)))
    if len(found.doubts) > NAMED_LISTS:
        yield words("... and {count} more lists", count=len(found.doubts) - NAMED_LISTS)
    if not found.compared_with:
        yield words("no peer has answered since the start")
    for link in found.resting:
        again = {"node": link.node, "time": when(link.retry_at_unix_ms)}
        yield words("{node} is tried again {time} UTC: {text}", **again, text=told(from_refusal(link.failure)).text)
    received = {"new": _size(found.received_bytes), "again": _size(found.received_again_bytes)}
    yield words("received since the start, before compression: {new}; {again} of what was here already", **received)


COMMANDS = (progress,)
