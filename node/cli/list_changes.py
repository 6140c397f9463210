"""`xinqiao list add` and its like: changes of joint lists, and what officers make of them."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from node.cli.list_signing import (
    GROUNDS,
    REVEAL_HELP,
    Signing,
    columns_of,
    decide,
    draft_and_propose,
    fetched,
    line_document,
    masked,
    may_reveal,
    say_change,
    signing_options,
)
from node.cli.lists import LIST_HELP, lists, node_lists
from node.cli.publishing import show_notes
from node.cli.signing import FILE, NEW_FILE
from node.cli.terminal import Command, options, progress, result, say, table, when
from node.core.errors import XinqiaoError, from_refusal
from node.core.list_change import REFUSE, WITHDRAW, Operation
from node.core.list_entry import ACT_NAMES
from node.core.list_item import ENTRIES, title_of
from node.core.list_warrant import APPROVE, PROPOSE
from node.core.state import Place
from node.ingest.rejections import RejectionFile
from node.pb import list_service_pb2 as pb
from node.pb import listing_pb2, record_pb2
from node.rpc.list_client import ListClient
from node.texts import language, term, told_together, words

CHANGE_HELP = "Id of the change, as `xinqiao list pending` shows it."
ENTRY_HELP = (
    "Entry of the list as `xinqiao list show LIST` names it: EPOCH/INDEX/POSITION, or with its channel before #."
)
DECISION_HELP = "Number of the deciding document."
REASON_HELP = "Reason in the words of the decision; every reader of the list gets it."
DECIDED_HELP = "Day of the decision, YYYY-MM-DD; today unless given."
KEPT_REASON_HELP = "Reason, kept here with the signature; name no natural person in it."


# -- somebody is entered -------------------------------------------------------------------------------------


@lists.command("add", cls=Command)
@click.argument("name", metavar="LIST", help=LIST_HELP)
@click.option(
    "--subject",
    metavar="CODE",
    help="Unified social credit code of the subject; outside class A also a resident identity number.",
)
@click.option("--name", "subject_name", metavar="TEXT", help="Name of the subject as in the decision.")
@click.option(
    "--file", type=FILE, help="Workbook, CSV or JSON lines with one subject in each row, instead of --subject."
)
@click.option("--decision", metavar="DOCNO", help=DECISION_HELP)
@click.option("--reason", metavar="TEXT", help=REASON_HELP)
@click.option("--measures", metavar="CODES", help="Measures by code, separated by commas; the list must allow them.")
@click.option("--decided-on", metavar="DATE", help="Day of the decision, YYYY-MM-DD.")
@click.option("--until", metavar="DATE", help="Last day, YYYY-MM-DD; the end of the list's term unless given.")
@click.option(
    "--notice-served",
    metavar="DATE",
    help="Day on which the subject was told of reasons and basis, before the decision.",
)
@click.option("--skip-wrong", is_flag=True, help="With --file: propose the sound rows although others are wrong.")
@signing_options
@options
def add(name: str, file: Path | None, skip_wrong: bool, signing: Signing, **given: str | None) -> None:
    """Put subjects on a list of this node: one, or all rows of a file.

    What is to be published is shown, then signed. A red or a watch list stands by that; a change of a serious list
    waits until another officer approves it. A file has a column for each option, by its Chinese or its English name;
    what it lacks, the options say for all rows. Where a row is wrong, all wrong rows are written beside the file with
    cell, reason and remedy, and nothing is proposed: one decision is about all it names.
    """
    values = {column: text for column, text in given.items() if text}
    if (file is None) == ("subject" not in values):
        raise XinqiaoError("ARGUMENT_INVALID", argument="--subject, --file", detail="give one of the two")
    first = pb.DraftEntriesRequest(list=name, values=values, file_name=file.name if file else "", skip_wrong=skip_wrong)
    with node_lists() as node:
        change, wrong, rejected = _drafted(node, first, file)
        if not change:
            result({"change": None, "wrong": wrong, "rejected_file": str(rejected) if rejected else None})
            raise click.exceptions.Exit(1)
        draft_and_propose(node, change, signing)


def _drafted(node: ListClient, first: pb.DraftEntriesRequest, file: Path | None) -> tuple[str, int, Path | None]:
    """Draft what is to be entered; returns the change, empty where there is none, and what became of wrong rows."""
    last, rejected = pb.DraftEntriesResponse(), None
    with progress(file.name if file else first.list, file.stat().st_size if file else 1) as advance:
        for answer in node.draft_entries(first, file):
            if file is not None and rejected is None:
                rejected = RejectionFile(file, answer.columns, title_of, language())
            show_notes(answer.notes)
            for row in answer.rejected:
                assert rejected is not None
                why, remedy = told_together(map(from_refusal, row.defects))
                rejected.write(row.row, row.reason.code, row.columns, why, remedy, row.values, row.cells)
            last = answer
            advance(answer.read_bytes, words("{rows} rows", rows=answer.rows))
    if rejected is None:
        return last.change, 0, None
    rejected.close()
    say(words("{file}: {rows} rows, {wrong} of them wrong", file=first.file_name, rows=last.rows, wrong=last.wrong))
    if rejected.path is not None:
        say(words("  wrong rows with reasons: {file}", file=rejected.path))
        say(
            words("  next: correct them, or add --skip-wrong to propose the others; nothing was proposed")
            if not last.change
            else words("  next: correct them there and add that file")
        )
    return last.change, last.wrong, rejected.path


# -- an entry changes ----------------------------------------------------------------------------------------


def parse_entry(name: str, text: str) -> record_pb2.RecordRef:
    """The entry that a person names, of a list; raises ARGUMENT_INVALID."""
    channel, separator, place = text.rpartition("#")
    parts = place.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise XinqiaoError("ARGUMENT_INVALID", argument="ENTRY", detail=f"{text[:80]!r} is no entry such as 0/1/0")
    if separator and channel != name and channel.rpartition("/")[2] != name:
        raise XinqiaoError("ARGUMENT_INVALID", argument="ENTRY", detail=f"it is an entry of {channel[:96]}")
    place_of = Place(*map(int, parts))
    return record_pb2.RecordRef(
        channel=channel or name, epoch=place_of.epoch, index=place_of.index, position=place_of.position
    )


def changing(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every change of an entry needs."""
    given = signing_options(command)
    for add_option in (
        click.option("--decided-on", default="", metavar="DATE", help=DECIDED_HELP),
        click.option("--reason", required=True, metavar="TEXT", help=REASON_HELP),
        click.option("--decision", required=True, metavar="DOCNO", help=DECISION_HELP),
        click.argument("entry", help=ENTRY_HELP),
        click.argument("name", metavar="LIST", help=LIST_HELP),
    ):
        given = add_option(given)
    return given


@lists.command("exit", cls=Command)
@click.option(
    "--ground",
    default="conditions-met",
    type=click.Choice(list(GROUNDS)),
    show_default=True,
    help="Why: the list's exit conditions hold, credit was repaired, or the decision was annulled.",
)
@changing
@options
def exit_command(name: str, entry: str, ground: str, signing: Signing, **given: str) -> None:
    """Take an entry off a list for good, everywhere: a later decision is another entry.

    It holds at every reader from the moment it arrives, and waits for nothing.
    """
    request = _request(name, entry, listing_pb2.LIST_ACT_EXIT, given)
    request.ground = GROUNDS[ground]
    _change(request, signing)


@lists.command("suspend", cls=Command)
@changing
@options
def suspend(name: str, entry: str, signing: Signing, **given: str) -> None:
    """Stop the effect of an entry while something is reviewed; `xinqiao list resume` ends it."""
    _change(_request(name, entry, listing_pb2.LIST_ACT_SUSPEND, given), signing)


@lists.command("resume", cls=Command)
@changing
@options
def resume(name: str, entry: str, signing: Signing, **given: str) -> None:
    """End the suspension of an entry."""
    _change(_request(name, entry, listing_pb2.LIST_ACT_RESUME, given), signing)


@lists.command("amend", cls=Command)
@click.option(
    "--measures",
    metavar="CODES",
    help="The measures from now on, by code, separated by commas; empty for none; unchanged unless given.",
)
@click.option(
    "--until",
    default="",
    metavar="DATE",
    help="The last day from now on, within the list's term; unchanged unless given.",
)
@changing
@options
def amend(name: str, entry: str, measures: str | None, until: str, signing: Signing, **given: str) -> None:
    """Change measures or last day of an entry."""
    if measures is None and not until:
        raise XinqiaoError("ARGUMENT_INVALID", argument="--measures, --until", detail="give one of the two")
    request = _request(name, entry, listing_pb2.LIST_ACT_AMEND, given)
    request.until = until
    if measures is not None:
        request.measures = measures
    _change(request, signing)


def _request(name: str, entry: str, act: listing_pb2.ListAct, given: dict[str, str]) -> pb.DraftChangeRequest:
    return pb.DraftChangeRequest(
        entry=parse_entry(name, entry),
        act=act,
        decision=given["decision"],
        reason=given["reason"],
        decided_on=given["decided_on"],
    )


def _change(request: pb.DraftChangeRequest, signing: Signing) -> None:
    with node_lists() as node:
        draft_and_propose(node, node.draft_change(request), signing)


# -- what waits ----------------------------------------------------------------------------------------------


@lists.command("pending", cls=Command)
@click.argument("change", default="", help=CHANGE_HELP)
@click.option("--all", "everything", is_flag=True, help="Also those that wait no more, for 30 days.")
@click.option(
    "--csv", "file", type=NEW_FILE, help="With CHANGE: write all it holds to this file, readable by you alone."
)
@click.option("--reveal", is_flag=True, help=REVEAL_HELP)
@options
def pending(change: str, everything: bool, file: Path | None, reveal: bool) -> None:
    """List the changes that wait for officers; with CHANGE, show one with what stands in it."""
    with node_lists() as node:
        if change:
            with _written(file) as write:
                found = fetched(node, change, write)
            say_change(found, may_reveal(reveal))
            operations = [_document(each, may_reveal(reveal)) for each in found.operations]
            result(
                {
                    "change": line_document(found.line, may_reveal(reveal)),
                    "digest": found.digest.hex() if found.roots else None,
                    "operations": operations,
                }
            )
            return
        listed = node.changes(everything=everything)
    columns = ("change id", "list", "act", "entries", "drafted (UTC)", "goes (UTC)", "state", "proposed by")
    table("changes of lists", columns, [_row(line) for line in listed.changes])
    if any(line.state == "pending" for line in listed.changes):
        say(words("next: xinqiao list approve CHANGE --officer NAME"))
    result({"changes": [line_document(line, may_reveal(reveal)) for line in listed.changes]})


def _row(line: pb.ChangeLine) -> list[object]:
    by = next((signed.officer for signed in line.signatures if signed.act == PROPOSE), "")
    times = (when(line.drafted_at_unix_ms), when(line.until_unix_ms))
    return [line.id, line.channel, term(ACT_NAMES.get(line.act, "")), line.operations, *times, term(line.state), by]


def _document(operation: Operation, reveal: bool) -> dict[str, str]:
    columns = columns_of(operation)
    return columns | {"subject": columns["subject"] if reveal else masked(columns["subject"])}


@contextmanager
def _written(file: Path | None) -> Iterator[Callable[[Operation], None] | None]:
    """Writes operations as rows of a new file that nobody else reads, where one is asked for."""
    if file is None:
        yield None
        return
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as opened:
        rows = csv.DictWriter(opened, [each.code for each in ENTRIES.fields], extrasaction="ignore")
        rows.writeheader()

        def write(operation: Operation) -> None:
            rows.writerow(columns_of(operation))

        yield write


@lists.command("approve", cls=Command)
@click.argument("change", help=CHANGE_HELP)
@signing_options
@options
def approve(change: str, signing: Signing) -> None:
    """Approve a change of a serious list that another officer has proposed: it is published to every reader."""
    with node_lists() as node:
        decide(node, APPROVE, change, signing)


@lists.command("refuse", cls=Command)
@click.argument("change", help=CHANGE_HELP)
@click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help=KEPT_REASON_HELP,
)
@signing_options
@options
def refuse(change: str, reason: str, signing: Signing) -> None:
    """Refuse what another officer has proposed: its content is gone."""
    with node_lists() as node:
        decide(node, REFUSE, change, signing, reason)


@lists.command("withdraw", cls=Command)
@click.argument("change", help=CHANGE_HELP)
@click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help=KEPT_REASON_HELP,
)
@signing_options
@options
def withdraw(change: str, reason: str, signing: Signing) -> None:
    """Withdraw what you have proposed, before it is published: its content is gone."""
    with node_lists() as node:
        decide(node, WITHDRAW, change, signing, reason)


COMMANDS: Sequence[click.Command] = ()
