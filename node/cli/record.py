"""`xinqiao record`: act on single records of this node, in the words of a decision."""

from collections.abc import Callable, Mapping

import click

from node.cli.channels import CHANNEL_HELP
from node.cli.evidence import EPOCH_HELP, INDEX_HELP, POSITION_HELP
from node.cli.rules import REF_HELP, parse_ref, ref_text
from node.cli.terminal import Command, Group, admin, options, plain, result, say
from node.core.errors import XinqiaoError
from node.pb import admin_service_pb2 as pb
from node.pb import record_pb2
from node.texts import words

SET_HELP = "Column by its code or Chinese name, and the right value; empty takes it out. May be given again."
DECISION_HELP = "Number of the deciding document."
REASON_HELP = "Reason in the words of the decision."


def by_decision(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every order needs."""
    decision = click.option("--decision", required=True, metavar="TEXT", help=DECISION_HELP)
    reason = click.option("--reason", required=True, metavar="TEXT", help=REASON_HELP)
    return decision(reason(command))


@click.group("record", cls=Group)
@options
def record() -> None:
    """Act on single records of this node's channels."""


@record.command("erase")
@click.argument("channel", help=CHANNEL_HELP)
@click.argument("index", type=int, help=INDEX_HELP)
@click.argument("position", type=int, help=POSITION_HELP)
@click.option("--epoch", default=0, help=EPOCH_HELP)
@by_decision
@options
def erase(channel: str, index: int, position: int, epoch: int, decision: str, reason: str) -> None:
    """Erase a record of this node, with all of its revisions, at every holder; every other proof still holds.

    `xinqiao records` names a record's place as EPOCH/INDEX/POSITION. What is erased does not come back by itself;
    take it out of your source files, too: published again, the row is a new record.
    """
    if not decision.strip() or not reason.strip():
        raise XinqiaoError("ARGUMENT_INVALID", argument="--decision, --reason", detail="both must be given")
    ref = record_pb2.RecordRef(channel=channel, epoch=epoch, index=index, position=position)
    with admin() as node:
        head = node.erase(pb.EraseRecordRequest(ref=ref, decision=decision, reason=reason)).head
    say(words("erased; entry {index} of {channel} tells every holder", index=head.size - 1, channel=head.channel))
    result(plain(head))


@record.command("repair", cls=Command)
@click.argument("ref", nargs=-1, required=True, help=REF_HELP)
@by_decision
@options
def repair(ref: tuple[str, ...], decision: str, reason: str) -> None:
    """End the publicity of a record early, after its repair was granted: no reader answers, shares or uses it.

    The authority that decided the record decides its repair. What is repaired does not come back: the row, published
    again, is returned.
    """
    _act(ref, record_pb2.STATUS_KIND_REPAIR, decision, reason)


@record.command("correct", cls=Command)
@click.argument("ref", nargs=-1, required=True, help=REF_HELP)
@click.option("--set", "changes", multiple=True, required=True, metavar="COLUMN=TEXT", help=SET_HELP)
@by_decision
@options
def correct(ref: tuple[str, ...], changes: tuple[str, ...], decision: str, reason: str) -> None:
    """Replace wrong values of a record by the right ones; every other value stays.

    The right values are published as a revision, and judged as every row is. The wrong ones stay in the history and
    are answered no more; a row that has them still is returned. Correct them in your source files, too.
    """
    values = dict(map(_assignment, changes))
    _act(ref, record_pb2.STATUS_KIND_CORRECT, decision, reason, values)


def _assignment(text: str) -> tuple[str, str]:
    column, sign, value = text.partition("=")
    if not column.strip() or not sign:
        raise XinqiaoError("ARGUMENT_INVALID", argument="--set", detail=f"{text[:80]!r} is no COLUMN=TEXT")
    return column.strip(), value.strip()


@record.command("withdraw", cls=Command)
@click.argument("ref", nargs=-1, required=True, help=REF_HELP)
@by_decision
@options
def withdraw(ref: tuple[str, ...], decision: str, reason: str) -> None:
    """Take a record back whose decision was revoked, annulled or found void: no reader answers it, and nothing follows.

    Its content stays with its holders until `xinqiao record erase` takes it away, where that is ordered too.
    """
    _act(ref, record_pb2.STATUS_KIND_WITHDRAW, decision, reason)


@record.command("suspend", cls=Command)
@click.argument("ref", nargs=-1, required=True, help=REF_HELP)
@by_decision
@options
def suspend(ref: tuple[str, ...], decision: str, reason: str) -> None:
    """Suspend a record while an objection, a review or a lawsuit is decided: nobody answers it until it is resumed."""
    _act(ref, record_pb2.STATUS_KIND_SUSPEND, decision, reason)


@record.command("resume", cls=Command)
@click.argument("ref", nargs=-1, required=True, help=REF_HELP)
@by_decision
@options
def resume(ref: tuple[str, ...], decision: str, reason: str) -> None:
    """Let a suspended record be answered again."""
    _act(ref, record_pb2.STATUS_KIND_RESUME, decision, reason)


def _act(
    ref: tuple[str, ...],
    kind: record_pb2.StatusKind,
    decision: str,
    reason: str,
    values: Mapping[str, str] | None = None,
) -> None:
    place = parse_ref(" ".join(ref))
    request = pb.ActOnRecordRequest(ref=place, kind=kind, decision=decision, reason=reason, values=values or {})
    with admin() as node:
        done = node.act(request)
    _say_done(done)


def _say_done(done: pb.ActOnRecordResponse) -> None:
    head = done.head
    if done.is_written:
        say(words("done; entry {index} of {channel} tells every reader", index=head.size - 1, channel=head.channel))
    else:
        say(words("this decision has done so before; nothing was written"))
    if done.HasField("replacement"):
        say(words("the right values: {place}", place=ref_text(done.replacement)))
    result(plain(done))


COMMANDS = (record,)
