"""`xinqiao holds`: rows that a rule holds for review, and what two officers make of them."""

import sys
from pathlib import Path

import click

from node.cli.officer import REASON_HELP
from node.cli.signing import NEW_FILE, Source, decisions, signed_by, source_options, unsigned, write_file
from node.cli.terminal import (
    Command,
    Group,
    is_json,
    options,
    plain,
    result,
    say,
    show_error,
    table,
    when,
)
from node.core.errors import XinqiaoError, from_refusal
from node.core.holds import REFUSE, RELEASE, WITHDRAW, hold_digest
from node.pb import decision_service_pb2 as pb
from node.rpc.decision_client import DecisionClient
from node.texts import joined, term, told, words

ID_HELP = "Id of the hold, as `xinqiao holds list` shows it."
OFFICER_HELP = "Officer who signs."
REVEAL_HELP = "Show what stands in the row also where no terminal is; it may name a natural person."
SHOWN = {RELEASE: "release", REFUSE: "refuse", WITHDRAW: "withdraw"}
SIGNED = "{time} UTC {officer}: {act}: {reason}"
SIGNED_ONCE = "{time} UTC {officer} (disabled since): {act}: {reason}"


@click.group("holds", cls=Group)
@options
def holds() -> None:
    """Rows that a rule holds: kept at this node, published when two officers have released them.

    The first officer proposes, a different one reviews and signs the same. What stands in a row is shown by
    `xinqiao holds show` alone, on a terminal.
    """


@holds.command("list", cls=Command)
@click.option("--all", "everything", is_flag=True, help="Also those that wait no more, for 30 days.")
@options
def list_command(everything: bool) -> None:
    """List the held rows, without what stands in them."""
    with decisions() as node:
        found = node.holds(everything=everything)
    columns = ("hold id", "channel", "file and row", "held (UTC)", "goes (UTC)", "rule", "state", "proposed by")
    table("held rows", columns, [_row(line) for line in found.holds])
    if any(line.state == "pending" for line in found.holds):
        say(words("next: xinqiao holds show HOLD, then xinqiao holds release HOLD --officer NAME --reason TEXT"))
    result(plain(found))


def _row(line: pb.HoldLine) -> list[object]:
    rules = joined(dict.fromkeys(reason.why.parameters["rule"] for reason in line.reasons))
    by = line.signatures[-1].officer if line.proposed else ""
    times = (when(line.held_at_unix_ms), when(line.until_unix_ms))
    return [line.id, line.channel, f"{line.source} {line.row}", *times, rules, _state(line), by]


def _state(line: pb.HoldLine) -> str:
    if line.proposed:
        return words("{act} proposed", act=term(SHOWN[line.proposed]))
    return term(line.state)


@holds.command("show", cls=Command)
@click.argument("hold", help=ID_HELP)
@click.option("--reveal", is_flag=True, help=REVEAL_HELP)
@options
def show(hold: str, reveal: bool) -> None:
    """Show one held row: what stands in it, by which rule and article it is held, and who has signed what."""
    with decisions() as node:
        found = node.hold(hold)
    is_shown = reveal or (sys.stdout.isatty() and not is_json())
    _say_hold(found, is_shown)
    result(_document(found, is_shown))


def _say_hold(found: pb.GetHoldResponse, is_shown: bool) -> None:
    line = found.hold
    named = {"hold": line.id, "channel": line.channel, "file": line.source, "row": line.row}
    say(words("{hold}: row {row} of {file}, for {channel}", **named))
    say(words("held {time} UTC, goes {until} UTC", time=when(line.held_at_unix_ms), until=when(line.until_unix_ms)))
    say(words("state: {state}", state=_state(line)))
    for reason in line.reasons:
        say(words("held because: {column} {why}", column=reason.column, why=told(from_refusal(reason.why)).text))
    for value in found.values if is_shown else ():
        say(f"    {value.column:<17} {value.text}")
    if found.values and not is_shown:
        say(words("what stands in it is shown on a terminal, or with --reveal"))
    if found.record:
        say(words("digest {digest}", digest=_digest(found).hex()))
    for signed in line.signatures:
        said = {"act": term(SHOWN[signed.act]), "officer": signed.officer, "reason": signed.reason}
        time = when(signed.signed_at_unix_ms)
        say("    " + words(SIGNED_ONCE if signed.disabled else SIGNED, time=time, **said))
    if line.HasField("fault"):
        show_error(from_refusal(line.fault))


def _document(found: pb.GetHoldResponse, is_shown: bool) -> dict[str, object]:
    document = plain(found)
    # The salt is for this command alone: with it a digest would tell what stood in a row that is gone.
    del document["record"], document["salt"]
    document["values"] = {value.column: value.text for value in found.values} if is_shown else None
    return document | {"digest": _digest(found).hex() if found.record else None}


def _digest(found: pb.GetHoldResponse) -> bytes:
    line = found.hold
    rules = list(dict.fromkeys(reason.why.parameters["rule"] for reason in line.reasons))
    return hold_digest(line.id, line.channel, found.rules_version, rules, found.record, found.salt)


@holds.command("release", cls=Command)
@click.argument("hold", help=ID_HELP)
@click.option("--officer", "name", required=True, metavar="NAME", help=OFFICER_HELP)
@click.option("--reason", required=True, metavar="TEXT", help=REASON_HELP)
@click.option(
    "-o", "--output", type=NEW_FILE, help="Write the statement to this file unsigned, to be signed elsewhere."
)
@source_options
@options
def release(hold: str, name: str, reason: str, output: Path | None, source: Source) -> None:
    """Release a held row: with the signatures of two different officers it is published.

    The first signature proposes, the second reviews. The reason of the first goes to every reader with the record.
    """
    _sign(RELEASE, hold, name, reason, output, source)


@holds.command("refuse", cls=Command)
@click.argument("hold", help=ID_HELP)
@click.option("--officer", "name", required=True, metavar="NAME", help=OFFICER_HELP)
@click.option("--reason", required=True, metavar="TEXT", help=REASON_HELP)
@click.option(
    "-o", "--output", type=NEW_FILE, help="Write the statement to this file unsigned, to be signed elsewhere."
)
@source_options
@options
def refuse(hold: str, name: str, reason: str, output: Path | None, source: Source) -> None:
    """Refuse a held row: with the signatures of two different officers its content is gone.

    The same row published again is returned to its source unit.
    """
    _sign(REFUSE, hold, name, reason, output, source)


@holds.command("withdraw", cls=Command)
@click.argument("hold", help=ID_HELP)
@click.option("--officer", "name", required=True, metavar="NAME", help=OFFICER_HELP)
@click.option("--reason", required=True, metavar="TEXT", help=REASON_HELP)
@click.option(
    "-o", "--output", type=NEW_FILE, help="Write the statement to this file unsigned, to be signed elsewhere."
)
@source_options
@options
def withdraw(hold: str, name: str, reason: str, output: Path | None, source: Source) -> None:
    """Take back what is proposed, before a second officer has signed it; the row waits on.

    The officer who proposed it may, and so may any other one who disagrees.
    """
    _sign(WITHDRAW, hold, name, reason, output, source)


def _sign(act: str, hold: str, name: str, reason: str, output: Path | None, source: Source) -> None:
    if not reason.strip():
        raise XinqiaoError("ARGUMENT_INVALID", argument="--reason", detail="it must be given")
    with decisions() as node:
        found = node.hold(hold)
        if not found.record:
            raise XinqiaoError("HOLD_SETTLED", hold=hold, standing=found.hold.state)
        if output is not None:
            _write(node, act, found, reason, output)
            return
        signer = source.open(name)
        taken = node.submit(signed_by(node, signer, act, hold, _digest(found), reason))
    _say_taken(act, hold, name, taken)
    result({"hold": hold, "act": act, "officer": name} | plain(taken))


def _write(node: DecisionClient, act: str, found: pb.GetHoldResponse, reason: str, output: Path) -> None:
    write_file(output, unsigned(node, act, found.hold.id, _digest(found), reason), new=True)
    say(words("statement written to {file}", file=output))
    say(words("next: the officer runs `xinqiao officer sign {file} --key KEY`", file=output))
    say(words("then: xinqiao officer submit {file}", file=output))
    result({"hold": found.hold.id, "act": act, "file": str(output)})


def _say_taken(act: str, hold: str, name: str, taken: pb.SubmitStatementResponse) -> None:
    if taken.state == "proposed":
        say(words("{hold}: {act} proposed by {officer}; another officer reviews", **_named(act, hold, name)))
        say(words("next: xinqiao holds {act} {hold} --officer NAME --reason TEXT", act=SHOWN[act], hold=hold))
    else:
        say(words("{hold}: signed by {officer}; it is now {state}", hold=hold, officer=name, state=term(taken.state)))
    if taken.HasField("fault"):
        show_error(from_refusal(taken.fault))
        say(words("  the decision stands: the node publishes the row by itself when it can"))


def _named(act: str, hold: str, name: str) -> dict[str, str]:
    return {"act": term(SHOWN[act]), "hold": hold, "officer": name}


COMMANDS = (holds,)
