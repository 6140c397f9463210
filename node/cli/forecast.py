"""`xinqiao forecast`: what ends or fills up, when, who must act, and the next command."""

import click

from node.cli.terminal import Command, admin, as_document, is_json, options, result, say, when
from node.core.errors import from_refusal
from node.core.forecast import DAY_MS, FORESEEN_DAYS, MAX_DAYS, REGISTRY
from node.pb import admin_service_pb2 as pb
from node.texts import term, told, words


@click.command("forecast", cls=Command)
@click.option(
    "--days",
    default=FORESEEN_DAYS,
    show_default=True,
    metavar="DAYS",
    type=click.IntRange(1, MAX_DAYS),
    help="How far to look ahead.",
)
@options
def forecast(days: int) -> None:
    """Tell what ends or fills up at this node and in the network, by date, who must act, and the next command.

    Certificates, roles of the registry, whom members may speak for, the calendar of working days, editions and rules,
    the disk, channels that nothing confirms, members not met. Calls nobody. What has ended already comes first.
    """
    with admin() as node:
        found = node.forecast(days)
    for ending in found.endings:
        _show(ending, found.time_unix_ms)
    counts = {"count": len(found.endings), "days": found.days}
    say(words("{count} within {days} days", **counts))
    result({"endings": [_document(each) for each in found.endings], "time_unix_ms": found.time_unix_ms, **counts})


def _document(ending: pb.Ending) -> dict[str, object]:
    fixed = {"what": ending.what, "node": ending.node, "subject": ending.subject}
    dated = {"ends_unix_ms": ending.ends_unix_ms, "is_estimate": ending.is_estimate}
    return fixed | dated | as_document(from_refusal(ending.why))


def _show(ending: pb.Ending, now_ms: int) -> None:
    if is_json():
        return
    shown = told(from_refusal(ending.why))
    whose = "" if ending.node == REGISTRY else f" {ending.node}"
    about = words("about {time}", time=when(ending.ends_unix_ms)) if ending.is_estimate else when(ending.ends_unix_ms)
    say(
        f"[{about}] {_left(ending.ends_unix_ms - now_ms)}, {term(ending.what)}{whose}: {shown.text}",
        words("  who must act: {who}", who=shown.who),
        words("  next: {next}", next=shown.next),
    )


def _left(left_ms: int) -> str:
    return words("in {count} days", count=left_ms // DAY_MS) if left_ms > 0 else words("it has ended")


COMMANDS = (forecast,)
