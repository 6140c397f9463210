"""`xinqiao list delivery`: who has received and applied an entry, who is late, and why; once, live, or as evidence."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from node.cli.lists import lists
from node.cli.signing import NEW_FILE
from node.cli.terminal import Command, home, is_json, options, plain, result, say, table, when
from node.core.errors import XinqiaoError
from node.pb import channel_pb2, record_pb2
from node.pb import ledger_service_pb2 as pb
from node.rpc.ledger_client import LedgerClient
from node.texts import joined, term, words

CHANNEL_HELP = (
    "Channel by its full name, e.g. 310000/lists/serious-tax, or an own one by its name, a list also by its code."
)
ENTRY_HELP = (
    "EPOCH/INDEX for an entry of the log; EPOCH/INDEX/POSITION, also after its channel and #, for an entry of the list,"
    " of which the last change is meant. The newest entry of the log unless given."
)
NAMED_NODES = 8
NAMED_REMOVALS = 8
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
KINDS = {
    channel_pb2.ENTRY_KIND_MANIFEST: "manifest",
    channel_pb2.ENTRY_KIND_RECORDS: "records",
    channel_pb2.ENTRY_KIND_STATUS: "status",
    channel_pb2.ENTRY_KIND_LIST: "list",
    channel_pb2.ENTRY_KIND_ANNOTATION: "annotation",
    channel_pb2.ENTRY_KIND_FEEDBACK: "feedback",
    channel_pb2.ENTRY_KIND_MESSAGE: "message",
}

_PLACE = re.compile(r"(?:([0-9a-z-]+/\S+?)[\s/#]+)?(\d{1,18})/(\d{1,18})(?:/(\d{1,9}))?")


def node_ledgers() -> LedgerClient:
    """The ledger service of the node that serves this home; raises HOME_MISSING, ADMIN_UNREACHABLE."""
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    return LedgerClient(found.path, found.socket())


@lists.command("delivery", cls=Command)
@click.argument("name", metavar="LIST", help=CHANNEL_HELP)
@click.argument("entry", metavar="ENTRY", nargs=-1, help=ENTRY_HELP)
@click.option(
    "--watch", is_flag=True, help="Show it again at every change until interrupted; one line each with --json."
)
@click.option(
    "-o", "--output", type=NEW_FILE, help="File for a signed report, which anybody can verify without a network."
)
@options
def delivery(name: str, entry: tuple[str, ...], watch: bool, output: Path | None) -> None:
    """Show where an entry stands with every reader of a list, or of any other channel: sent, received or applied.

    It rests on the receipts that the readers have signed. Who has not applied the newest entry in time is late; the
    reason is told as far as it is known here. Any reader of a list sees the same. With -o the receipts are written to a
    file, signed together by this node: `xinqiao verify` takes it.
    """
    place, listing = parse_entry(name, " ".join(entry))
    if output is not None:
        _report(pb.ReportDeliveryRequest(list=name, entry=place, listing=listing), output)
        return
    with node_ledgers() as node:
        request = pb.WatchDeliveryRequest(list=name, entry=place, listing=listing, watch=watch)
        _show_all(node.delivery(request), watch)


def _report(request: pb.ReportDeliveryRequest, output: Path) -> None:
    with node_ledgers() as node:
        content = node.report(request)
    output.write_bytes(content)
    say(words("{count} bytes of evidence written to {file}", count=len(content), file=output))
    say(words("next: xinqiao verify {file} --root-fingerprint HEX", file=output))
    result({"file": str(output), "bytes": len(content)})


def _show_all(found: Iterator[pb.DeliveryLedger], watch: bool) -> None:
    try:
        for ledger in found:
            if watch and not is_json():
                click.clear()
            if not (watch and is_json()):
                _show(ledger)
            result(plain(ledger))
    except KeyboardInterrupt:
        # That is how watching ends.
        return


def parse_entry(name: str, text: str) -> tuple[record_pb2.RecordRef | None, bool]:
    """The place that a person names, None for none, and whether with its position; raises ARGUMENT_INVALID."""
    if not text.strip():
        return None, False
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        raise XinqiaoError("ARGUMENT_INVALID", argument="ENTRY", detail=f"{text[:80]!r} is no EPOCH/INDEX")
    channel = match[1] or ""
    if channel and not f"/{channel}".endswith(f"/{name}"):
        raise XinqiaoError("ARGUMENT_INVALID", argument="ENTRY", detail=f"{channel[:80]} is another list than LIST")
    place = record_pb2.RecordRef(epoch=int(match[2]), index=int(match[3]), position=int(match[4] or 0))
    return place, match[4] is not None


# -- what is shown -------------------------------------------------------------------------------------------


def _show(ledger: pb.DeliveryLedger) -> None:
    say(*_lines(ledger))
    columns = ("node", "name", "state", "late", "why", "receipt signed (UTC)", "last seen (UTC)")
    table("readers", columns, [_row(row) for row in ledger.rows])
    say(summary(ledger))


def _lines(ledger: pb.DeliveryLedger) -> Iterator[str]:
    kind = KINDS.get(ledger.kind, "unknown")
    place = f"{ledger.channel} {ledger.epoch}/{ledger.index}"
    told = {"place": place, "kind": term(kind), "time": when(ledger.issued_at_unix_ms)}
    yield words("{place}  {kind}, written {time} UTC", **told)
    if ledger.removals:
        named = [f"#{each.epoch}/{each.index}/{each.position}" for each in ledger.removals[:NAMED_REMOVALS]]
        entries = joined([*named, *(["..."] if len(ledger.removals) > NAMED_REMOVALS else [])])
        yield words("  it takes {count} off the list: {entries}", count=len(ledger.removals), entries=entries)
    if ledger.void:
        yield words("  it lies above the cut of its log: it has no effect, and nobody owes it")


def _row(row: pb.LedgerRow) -> list[object]:
    state = term("origin") if row.origin else term(row.state)
    signed = when(row.observed_at_unix_ms) if not row.origin else ""
    return [row.node, row.name, state, _late(row), _why(row), signed, when(row.last_seen_unix_ms)]


def _late(row: pb.LedgerRow) -> str:
    if not row.late:
        return ""
    return words("since {time}", time=when(row.owed_since_unix_ms))


def _why(row: pb.LedgerRow) -> str:
    if not row.reason:
        return ""
    reason = term(row.reason)
    since = words(" since {time}", time=when(row.since_unix_ms)) if row.since_unix_ms else ""
    return reason + since + (f" ({row.detail})" if row.detail else "")


def summary(ledger: pb.DeliveryLedger) -> str:
    """The whole of a ledger in one line."""
    done = words("{applied}/{total} applied", applied=ledger.applied, total=ledger.total)
    waiting = [row for row in ledger.rows if row.node in ledger.missing]
    if not waiting:
        return done
    named = [row.node for row in waiting[:NAMED_NODES]]
    nodes = joined([*named, *(["..."] if len(waiting) > NAMED_NODES else [])])
    if len(waiting) == 1:
        seen = last_seen(waiting[0].last_seen_unix_ms, ledger.time_unix_ms)
        return words("{done}, missing {nodes}, {seen}", done=done, nodes=nodes, seen=seen)
    return words("{done}, missing {nodes}", done=done, nodes=nodes)


def last_seen(at_ms: int, now_ms: int) -> str:
    """How long ago something was seen, in the largest unit that fits."""
    if not at_ms:
        return words("never seen")
    return words("last seen {ago}", ago=_ago(max(now_ms - at_ms, 0) // 1000))


def _ago(seconds: int) -> str:
    if seconds < MINUTE_S:
        return words("{count} s ago", count=seconds)
    if seconds < HOUR_S:
        return words("{count} min ago", count=seconds // MINUTE_S)
    if seconds < DAY_S:
        return words("{count} h ago", count=seconds // HOUR_S)
    return words("{count} d ago", count=seconds // DAY_S)


COMMANDS: Sequence[click.Command] = ()
