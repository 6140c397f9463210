"""`xinqiao list show` and `xinqiao list entry`: who is on a list, or was, and by whose decision."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click

from node.cli.list_changes import parse_entry
from node.cli.list_signing import GROUNDS, REVEAL_HELP, SHOWN_ACTS, entry_text, masked, may_reveal
from node.cli.lists import LIST_HELP, lists, node_lists, say_list
from node.cli.signing import NEW_FILE
from node.cli.terminal import Command, is_json, options, plain, result, say, table, when
from node.core.errors import XinqiaoError
from node.core.identifiers import iso_date
from node.core.list_entry import ACT_NAMES
from node.core.list_type import KIND_NAMES
from node.core.workdays import CHINA_STANDARD_TIME, end_of_day_ms
from node.pb import list_service_pb2 as pb
from node.texts import joined, term, words

ENTRY_HELP = "Entry as `xinqiao list show LIST` names it: LIST#EPOCH/INDEX/POSITION."
AS_OF_HELP = (
    "Who was on it then: a day (its end, in China) or a time such as 2026-09-18T12:00, China time unless it says."
)
CSV_HELP = "With LIST: write all of them to this file, readable by you alone."
LISTINGS_SHOWN = 200


@lists.command("show", cls=Command)
@click.argument("name", metavar="LIST", default="", help=LIST_HELP)
@click.option("--as-of", "as_of", default="", metavar="TIME", help=AS_OF_HELP)
@click.option("--all", "everything", is_flag=True, help="With LIST: also entries that have ended or run out.")
@click.option("--csv", "file", type=NEW_FILE, help=CSV_HELP)
@click.option("--reveal", is_flag=True, help=REVEAL_HELP)
@options
def show(name: str, as_of: str, everything: bool, file: Path | None, reveal: bool) -> None:
    """Show a joint list and who is on it, or without LIST all lists that are held here.

    As of an earlier time it is what had been published by then. How a subject is to be treated is for `xinqiao check`,
    which knows how fresh a list is.
    """
    with node_lists() as node:
        found = node.lists(name)
        if not name:
            columns = ("list", "title", "kind", "origin", "on it", "digest", "entries", "applied", "fresh (UTC)")
            table("lists", columns, [_row(line) for line in found.lists])
            result(plain(found))
            return
        say_list(found.lists[0])
        request = pb.ListListingsRequest(list=name, as_of_unix_ms=_time(as_of), all=everything)
        shown = _Shown(may_reveal(reveal), file)
        with shown:
            shown.take(node.listings(request))
    shown.say(found.lists[0].channel.head.channel)
    result(plain(found.lists[0]) | {"as_of": as_of or None, "count": shown.count, "entries": shown.documents})


def _row(line: pb.ListLine) -> list[object]:
    channel = line.channel
    return [
        *(channel.head.channel, channel.manifest.list.title_zh, term(KIND_NAMES[channel.manifest.list.kind])),
        *(channel.head.channel.partition("/")[0], line.live, term(line.digest), channel.head.size),
        *(channel.applied_size, when(channel.fresh_at_unix_ms)),
    ]


def _time(text: str) -> int:
    """A day or time that a person gave, in Unix ms; raises ARGUMENT_INVALID."""
    if not text:
        return 0
    day = iso_date(text)
    if day is not None:
        return end_of_day_ms(day) - 1
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise XinqiaoError("ARGUMENT_INVALID", argument="--as-of", detail="it is no day and no time") from None
    placed = given if given.tzinfo is not None else given.replace(tzinfo=CHINA_STANDARD_TIME)
    return max(int(placed.timestamp() * 1000), 1)


class _Shown:
    """What is shown of the entries of a list: the first ones to people, all in a file or in a JSON document."""

    def __init__(self, reveal: bool, file: Path | None) -> None:
        self._reveal = reveal
        self._file = file
        self._rows: csv.DictWriter[str] | None = None
        self._first: list[pb.ListingLine] = []
        self.documents: list[dict[str, object]] = []
        self.count = 0

    def __enter__(self) -> None:
        if self._file is not None:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._opened = os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="")
            self._rows = csv.DictWriter(self._opened, list(_document(pb.ListingLine(), reveal=True)))
            self._rows.writeheader()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._opened.close()

    def take(self, lines: Iterable[pb.ListingLine]) -> None:
        """Take the entries as they come."""
        for line in lines:
            self.count += 1
            if len(self._first) < LISTINGS_SHOWN:
                self._first.append(line)
            if self._rows is not None:
                self._rows.writerow(_document(line, reveal=True))
            elif is_json():
                self.documents.append(_document(line, reveal=self._reveal))

    def say(self, channel: str) -> None:
        """Show them to a person."""
        columns = ("entry", "subject", "state", "decided on", "until", "measures attached", "published (UTC)")
        table("entries", columns, [self._line(line) for line in self._first])
        if self.count > len(self._first):
            said = {"count": self.count - len(self._first), "list": channel}
            say(words("and {count} more; all: xinqiao list show {list} --csv FILE", **said))
        if self._file is not None:
            say(words("{count} entries written to {file}", count=self.count, file=self._file))

    def _line(self, line: pb.ListingLine) -> list[object]:
        place, state = line.entry, term("over" if line.over else line.state)
        subject = line.subject if self._reveal else masked(line.subject)
        return [
            *(f"{place.epoch}/{place.index}/{place.position}", subject or term("erased"), state),
            *(line.decided_on, line.until, joined(line.measures), when(line.entered_at_unix_ms)),
        ]


def _document(line: pb.ListingLine, *, reveal: bool) -> dict[str, object]:
    return {
        "entry": entry_text(line.entry),
        "subject": line.subject if reveal else masked(line.subject),
        "state": line.state,
        "over": line.over,
        "decided_on": line.decided_on,
        "until": line.until,
        "measures": ",".join(line.measures),
        "entered_at_unix_ms": line.entered_at_unix_ms,
        "changed_at_unix_ms": line.changed_at_unix_ms,
    }


# -- one entry -----------------------------------------------------------------------------------------------


@lists.command("entry", cls=Command)
@click.argument("entry", help=ENTRY_HELP)
@click.option("--reveal", is_flag=True, help=REVEAL_HELP)
@options
def entry_command(entry: str, reveal: bool) -> None:
    """Show the whole history of one entry: every step, who signed it, and which node holds it.

    The signatures come with the entry and are verified here. A node is shown to hold a step by its own receipt: since
    then at the latest.
    """
    name = entry.partition("#")[0] if "#" in entry else ""
    if not name:
        detail = "it must name its list, such as serious-tax#0/1/0"
        raise XinqiaoError("ARGUMENT_INVALID", argument="ENTRY", detail=detail)
    with node_lists() as node:
        found = node.listing(parse_entry(name, entry))
    _say_entry(found, may_reveal(reveal))
    document = plain(found)
    if not may_reveal(reveal):
        document["listing"]["subject"] = masked(found.listing.subject)
        for step in document["steps"]:
            step["words"]["subject"] = masked(step["words"]["subject"])
    result(document)


def _say_entry(found: pb.GetListingResponse, reveal: bool) -> None:
    line = found.listing
    subject = (line.subject if reveal else masked(line.subject)) or term("erased")
    named = {"entry": entry_text(line.entry), "subject": subject, "kind": term(KIND_NAMES.get(found.kind, ""))}
    say(words("{entry}: {subject} ({kind} list)", **named))
    state = term("over" if line.over else line.state)
    say(words("state: {state}; decided on {day}, until {until}", state=state, day=line.decided_on, until=line.until))
    say(words("measures: {measures}", measures=joined(line.measures) or term("none")))
    for step in found.steps:
        for text in _step_lines(step):
            say(text)


def _step_lines(step: pb.ListingStep) -> Iterator[str]:
    """What a person is told of one step."""
    place, op = step.place, step.op
    said = {"place": f"{place.epoch}/{place.index}/{place.position}", "time": when(step.issued_at_unix_ms)}
    act = term(ACT_NAMES.get(op.act, ""))
    yield words("{place}  {time} UTC  {act}: {effect}", act=act, effect=term(step.effect), **said)
    if step.HasField("words"):
        yield words(
            "    decision {decision} of {day}: {reason}",
            decision=step.words.decision,
            day=op.decided_on,
            reason=step.words.reason,
        )
    else:
        yield words("    decision of {day}; its words are not here", day=op.decided_on)
    if op.ground:
        ground = next(name for name, number in GROUNDS.items() if number == op.ground)
        yield words("    ground: {ground}", ground=term(ground))
    for signed in step.signatures:
        named = {"act": term(SHOWN_ACTS[signed.act]), "officer": signed.officer, "key": signed.key_id[:16]}
        yield words("    {act}: {officer} (key {key}) {time} UTC", time=when(signed.signed_at_unix_ms), **named)
    holders = [_holder(each) for each in step.holders if each.state == "applied"]
    yield words("    held and applied by: {nodes}", nodes=joined(holders) or term("none"))
    lacking = [each.node for each in step.holders if each.state != "applied"]
    if lacking:
        yield words("    not by: {nodes}", nodes=joined(lacking))


def _holder(holder: pb.StepHolder) -> str:
    if holder.origin:
        return words("{node} (origin)", node=holder.node)
    return words("{node} ({time} UTC)", node=holder.node, time=when(holder.observed_at_unix_ms))


COMMANDS: Sequence[click.Command] = ()
