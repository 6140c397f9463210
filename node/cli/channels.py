"""`xinqiao channel`: create channels, change who reads them, see how far they have come."""

import click

from node.cli.terminal import Group, admin, options, plain, result, say, table, when
from node.core.audience import format_audience, parse_audience
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2

DISCLOSURES = {
    "A": channel_pb2.DISCLOSURE_CLASS_A,
    "B": channel_pb2.DISCLOSURE_CLASS_B,
    "C": channel_pb2.DISCLOSURE_CLASS_C,
}
AUDIENCE_HELP = (
    "Who may read it: node ids, level=city, parent=310000, region=33, joined by & (and) and , (or); everyone."
)


@click.group("channel", cls=Group)
@options
def channel() -> None:
    """Channels: append-only logs that one node writes for one audience."""


@channel.command("create")
@click.argument("name")
@click.option("--item", required=True, help="Catalogue item of its records, e.g. penalty.2018.")
@click.option("--audience", "expression", required=True, metavar="EXPR", help=AUDIENCE_HELP)
@click.option(
    "--disclosure",
    required=True,
    type=click.Choice(list(DISCLOSURES)),
    help="A public, B on the subject's authorisation, C public bodies in their duties.",
)
@click.option("--title", default="", help="Title for people; the item's title unless given.")
@click.option("--staleness-limit", default=0, metavar="SECONDS", help="Age past which answers are unconfirmed.")
@options
def create(name: str, item: str, expression: str, disclosure: str, title: str, staleness_limit: int) -> None:
    """Create the channel NAME of this node, for instance `penalties`."""
    request = pb.CreateChannelRequest(
        name=name,
        item=item,
        audience=parse_audience(expression),
        disclosure=DISCLOSURES[disclosure],
        title=title,
        staleness_limit_s=staleness_limit,
    )
    with admin() as node:
        summary = node.create_channel(request)
    say(f"channel {summary.head.channel} created for {', '.join(summary.audience_nodes)}")
    say(f"next: xinqiao publish {summary.head.channel} FILE...")
    result(plain(summary))


@channel.command("audience")
@click.argument("name", metavar="CHANNEL")
@click.argument("expression", metavar="EXPR")
@options
def audience(name: str, expression: str) -> None:
    """Change who may read CHANNEL; who is dropped is ordered to erase its copy."""
    with admin() as node:
        summary = node.set_audience(pb.SetAudienceRequest(channel=name, audience=parse_audience(expression)))
    say(f"channel {name} is now read by {', '.join(summary.audience_nodes)}")
    result(plain(summary))


@channel.command("list")
@options
def list_() -> None:
    """List the channels this node writes or reads."""
    with admin() as node:
        found = node.channels()
    columns = ("channel", "epoch", "entries", "applied", "records", "state", "fresh (UTC)", "item", "root")
    table("channels", columns, [_row(summary) for summary in found.channels])
    result(plain(found))


def _row(summary: pb.ChannelSummary) -> list[object]:
    head = summary.head
    state = summary.state if not summary.missing_bodies else f"{summary.state}, {summary.missing_bodies} bodies missing"
    fresh = when(summary.fresh_at_unix_ms)
    root = head.root.hex()[:16]
    return [
        *(head.channel, head.epoch, head.size, summary.applied_size, summary.records),
        *(state, fresh, summary.manifest.item, root),
    ]


@channel.command("show")
@click.argument("name", metavar="CHANNEL")
@options
def show(name: str) -> None:
    """Show CHANNEL: its audience, what became of its records, and how far every reader is."""
    with admin() as node:
        found = node.channel(name)
    summary = found.channel
    say(
        f"{summary.head.channel}  {summary.manifest.title}  ({summary.manifest.item})",
        f"audience: {format_audience(summary.manifest.audience)} = {', '.join(summary.audience_nodes)}",
        f"entries {summary.head.size}, applied {summary.applied_size}, records in force {summary.records}",
        f"state {summary.state}, fresh at {when(summary.fresh_at_unix_ms)} UTC",
        f"root {summary.head.root.hex()}",
        f"outcomes: {_outcomes(summary.outcomes)}",
    )
    rows = [
        (line.node, line.size, line.applied_size, when(line.observed_at_unix_ms), _outcomes(line.outcomes))
        for line in found.deliveries
    ]
    table("receipts", ("node", "received", "applied", "signed (UTC)", "outcomes"), rows)
    result(plain(found))


def _outcomes(counts: object) -> str:
    words = [_outcome(count) for count in counts]  # type: ignore[attr-defined]
    return ", ".join(words) or "none"


def _outcome(count: channel_pb2.OutcomeCount) -> str:
    name = channel_pb2.RecordOutcome.Name(count.outcome).removeprefix("RECORD_OUTCOME_").lower()
    return f"{count.count} {name}" + (f" ({count.code})" if count.code else "")


COMMANDS = (channel,)
