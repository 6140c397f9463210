"""`xinqiao channel`: create channels, change who reads them, see how far they have come."""

import click

from node.cli.terminal import Group, admin, fresh, options, plain, result, say, table, when
from node.core.audience import format_audience, parse_audience
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2
from node.texts import joined, term, words

DISCLOSURES = {
    "A": channel_pb2.DISCLOSURE_CLASS_A,
    "B": channel_pb2.DISCLOSURE_CLASS_B,
    "C": channel_pb2.DISCLOSURE_CLASS_C,
}
AUDIENCE_HELP = (
    "Who may read it: `everyone`, or node ids and conditions (level=city, parent=310000, region=33), joined by & (and)"
    " and , (or): `national,level=city&region=33`. Put it in quotes."
)
CHANNEL_HELP = "Full name of the channel: the node that writes it, then its name, e.g. 310000/penalties."


@click.group("channel", cls=Group)
@options
def channel() -> None:
    """Channels: append-only logs that one node writes for one audience."""


@channel.command("create")
@click.argument("name", help="Name within this node: a-z, 0-9, - and /; e.g. penalties or licences/2026.")
@click.option(
    "--item",
    required=True,
    metavar="ITEM",
    help="Catalogue item of its records: licence.2018, penalty.2018 or registration.base.",
)
@click.option("--audience", "expression", required=True, metavar="EXPR", help=AUDIENCE_HELP)
@click.option(
    "--disclosure",
    required=True,
    type=click.Choice(list(DISCLOSURES)),
    help="A public, B on the subject's authorisation, C public bodies in their duties.",
)
@click.option("--title", default="", help="Title for people; the item's title unless given.", metavar="TEXT")
@click.option(
    "--staleness-limit",
    default=0,
    metavar="SECONDS",
    help="Age past which answers are unconfirmed; one day unless given.",
)
@options
def create(name: str, item: str, expression: str, disclosure: str, title: str, staleness_limit: int) -> None:
    """Create a channel of this node.

    Its full name, which every other command takes, is the node's id, a slash and NAME.
    """
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
    readers = joined(summary.audience_nodes)
    say(words("channel {channel} created for {readers}", channel=summary.head.channel, readers=readers))
    say(words("next: xinqiao publish {channel} FILE...", channel=summary.head.channel))
    result(plain(summary))


@channel.command("audience")
@click.argument("name", metavar="CHANNEL", help=CHANNEL_HELP)
@click.argument("expression", metavar="EXPR", help=AUDIENCE_HELP)
@options
def audience(name: str, expression: str) -> None:
    """Change who may read a channel of this node; who is dropped is ordered to erase its copy."""
    with admin() as node:
        summary = node.set_audience(pb.SetAudienceRequest(channel=name, audience=parse_audience(expression)))
    say(words("channel {channel} is now read by {readers}", channel=name, readers=joined(summary.audience_nodes)))
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
    root = head.root.hex()[:16]
    return [
        *(head.channel, head.epoch, head.size, summary.applied_size, summary.records),
        *(_state(summary), when(summary.fresh_at_unix_ms), summary.manifest.item, root),
    ]


def _state(summary: pb.ChannelSummary) -> str:
    cut = words(" at {size}", size=summary.cut.size) if summary.HasField("cut") else ""
    missing = words(", {count} bodies missing", count=summary.missing_bodies) if summary.missing_bodies else ""
    return f"{term(summary.state)}{cut}{missing}"


@channel.command("show")
@click.argument("name", metavar="CHANNEL", help=CHANNEL_HELP)
@options
def show(name: str) -> None:
    """Show one channel: its audience, what became of its records, and how far every reader is.

    Shows the newest epoch of it; `xinqiao channel list` names them all.
    """
    with admin() as node:
        found = node.channel(name)
    _say(found.channel)
    rows = [
        (line.node, line.size, line.applied_size, when(line.observed_at_unix_ms), _outcomes(line.outcomes))
        for line in found.deliveries
    ]
    table("receipts", ("node", "received", "applied", "signed (UTC)", "outcomes"), rows)
    result(plain(found))


def _say(summary: pb.ChannelSummary) -> None:
    head, readers = summary.head, joined(summary.audience_nodes)
    counts = {"entries": head.size, "applied": summary.applied_size, "records": summary.records}
    say(
        f"{head.channel}  {summary.manifest.title}  ({summary.manifest.item})",
        words("audience: {audience} = {readers}", audience=format_audience(summary.manifest.audience), readers=readers),
        words("entries {entries}, applied {applied}, records in force {records}", **counts),
        words("state {state}, {fresh}", state=_state(summary), fresh=fresh(summary.fresh_at_unix_ms)),
        words("root {root}", root=head.root.hex()),
        words("outcomes: {outcomes}", outcomes=_outcomes(summary.outcomes)),
    )


def _outcomes(counts: object) -> str:
    found = [_outcome(count) for count in counts]  # type: ignore[attr-defined]
    return joined(found) or term("none")


def _outcome(count: channel_pb2.OutcomeCount) -> str:
    name = channel_pb2.RecordOutcome.Name(count.outcome).removeprefix("RECORD_OUTCOME_").lower()
    shown = words("{count} {outcome}", count=count.count, outcome=term(name))
    return shown + (f" ({count.code})" if count.code else "")


COMMANDS = (channel,)
