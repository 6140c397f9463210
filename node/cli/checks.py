"""`xinqiao check` and `xinqiao queries`: who stands on a joint list, and who has asked."""

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import click

from node.cli.signing import FILE, NEW_FILE
from node.cli.terminal import (
    Command,
    Group,
    as_document,
    fresh,
    home,
    is_json,
    options,
    plain,
    result,
    say,
    table,
    when,
)
from node.core.answer import DOUBTS, Doubt, check_subject
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.list_type import KIND_NAMES
from node.core.query_log import FAULTS, Fault
from node.pb import listing_pb2, record_pb2
from node.pb import query_service_pb2 as pb
from node.rpc.query_client import QueryClient
from node.texts import is_chinese, joined, law, phrase, term, told, words

SHOWN: dict[int, str] = {
    pb.QUERY_VERDICT_CLEAR: "clear",
    pb.QUERY_VERDICT_LISTED: "listed",
    pb.QUERY_VERDICT_UNCONFIRMED: "unconfirmed",
}
EXIT_STATUS = {pb.QUERY_VERDICT_CLEAR: 0, pb.QUERY_VERDICT_LISTED: 3, pb.QUERY_VERDICT_UNCONFIRMED: 4}
HEADINGS = frozenset({"subject", "统一社会信用代码", "主体代码"})
COLUMNS = ("row", "subject", "verdict", "lists", "measures", "entries", "why")
_HASH = re.compile("[0-9a-f]{64}")


def querying() -> QueryClient:
    """The query service of the node that serves this home; raises HOME_MISSING, ADMIN_UNREACHABLE."""
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    return QueryClient(found.path, found.socket())


# -- check ---------------------------------------------------------------------------------------------------


@click.command("check", cls=Command)
@click.option("--subject", default="", help="Unified social credit code, or resident identity number.")
@click.option("--file", "source", type=FILE, help="CSV file with a code in each row; instead of --subject.")
@click.option("--matter", required=True, help="Code of the matter, as published.")
@click.option("--unit", required=True, help="Unified social credit code of the unit that asks.")
@click.option("--ground", required=True, help="Provision that has the unit ask.")
@click.option("--officer", required=True, help="Officer of this node who asks.")
@click.option("-o", "--output", "target", type=NEW_FILE, help="With --file: where the answers go; else to stdout.")
@options
def check(
    subject: str, source: Path | None, matter: str, unit: str, ground: str, officer: str, target: Path | None
) -> None:
    """Tell whether subjects stand on a joint list: CLEAR, LISTED or UNCONFIRMED.

    UNCONFIRMED says that a list is in doubt: apply nothing of it, and ask its origin. The question is in the query log
    before the answer is here. Exit status for one subject: 0 clear, 3 listed, 4 unconfirmed, 1 refused. With --file it
    is 0 when every row was answered, whatever the answers, and 1 else; --json then writes one document a row.
    """
    if bool(subject) == (source is not None):
        raise click.UsageError(words("give either --subject CODE or --file FILE"))
    question = pb.QueryQuestion(officer=officer, unit=unit, matter=matter, ground=ground)
    if source is not None:
        _check_file(question, source, target)
        return
    with querying() as node:
        answer = node.check(question, subject)
    _say_answer(answer)
    result(plain(answer))
    click.get_current_context().exit(EXIT_STATUS[answer.verdict])


def _say_answer(answer: pb.SubjectAnswer) -> None:
    time = when(answer.answered_at_unix_ms)
    say(
        f"{term(SHOWN[answer.verdict]).upper()}  {answer.subject}",
        words("  as of {time} UTC; entry {number} of the query log", time=time, number=answer.query),
    )
    for found in answer.lists:
        _say_list(found)
    if not answer.lists:
        say(words("  no list is looked at in this matter"))


def _say_list(found: pb.ListVerdict) -> None:
    verdict = term(SHOWN[found.verdict])
    if found.HasField("list"):
        title, kind = found.list.title_zh if is_chinese() else found.list.title_en, KIND_NAMES[found.list.kind]
        say(
            words(
                "  {list}  {title} ({kind} list): {verdict}",
                list=found.channel,
                title=title,
                kind=term(kind),
                verdict=verdict,
            )
        )
    else:
        say(words("  {list}: {verdict}", list=found.channel, verdict=verdict))
    for name in found.doubts:
        doubt = Doubt(name)
        say(words("    {doubt}: {meaning}", doubt=term(doubt.value), meaning=phrase(DOUBTS[doubt])))
    if found.doubts:
        say(f"    {fresh(found.fresh_at_unix_ms)}")
    for entry in found.entries:
        _say_entry(entry, found.list)
    say(f"    {phrase(found.advice)}")
    if found.doubts:
        say(words("    ask {origin} {name}", origin=found.origin, name=found.origin_name))


def _say_entry(entry: pb.ListedEntry, list_type: listing_pb2.ListType) -> None:
    say(
        words(
            "    entry {entry}  since {since}, until {until}",
            entry=_entry_text(entry.entry),
            since=entry.since,
            until=entry.until,
        ),
        words(
            "    legal basis: {basis}",
            basis=joined(f"{each.title} {law(each.article)}" for each in list_type.legal_basis),
        ),
    )
    for measure in entry.measures:
        title = measure.title_zh if is_chinese() else measure.title_en
        shown = {"code": measure.code, "title": title, "basis": law(measure.basis)}
        if measure.applies:
            say(words("    measure {code} {title} ({basis})", **shown))
        else:
            say(words("    not in this matter: {code} {title} ({basis})", **shown))
    if entry.unpublished:
        say(words("    left out, as not published: {count} measures (R-MSR-1)", count=entry.unpublished))
    if not entry.applicable:
        say(words("    not applicable: the subject stands on a serious list (R-LST-8)"))


def _entry_text(ref: record_pb2.RecordRef) -> str:
    return f"{ref.channel}#{ref.epoch}/{ref.index}/{ref.position}"


# -- check --file --------------------------------------------------------------------------------------------


Row = tuple[int, str, XinqiaoError | None]
"""Number in the file, subject, and why it cannot be asked."""


def _check_file(question: pb.QueryQuestion, source: Path, target: Path | None) -> None:
    counts: Counter[str] = Counter()
    with (
        querying() as node,
        source.open(encoding="utf-8-sig", newline="", errors="strict") as opened,
        _written(target) as out,
    ):
        write = _json_lines(out) if is_json() else _csv_rows(out)
        for run in _runs(_rows(opened, source)):
            subjects = [subject for _, subject, fault in run if fault is None]
            answers = node.check_batch(question, subjects) if subjects else iter(())
            for number, subject, fault in run:
                answer = next(answers) if fault is None else None
                counts[SHOWN[answer.verdict] if answer is not None else "refused"] += 1
                write(number, subject, answer, fault)
    order = (*SHOWN.values(), "refused")
    shown = joined(f"{term(name)} {counts[name]}" for name in order)
    click.echo(words("{count} subjects checked: {counts}", count=counts.total(), counts=shown), err=True)
    if counts["refused"]:
        click.get_current_context().exit(1)


def _rows(opened: TextIO, source: Path) -> Iterator[Row]:
    """The rows with a code; the column is the one with a known heading, else the first."""
    column = 0
    try:
        for number, cells in enumerate(csv.reader(opened), 1):
            named = [at for at, cell in enumerate(cells) if cell.strip() in HEADINGS]
            if number == 1 and named:
                column = named[0]
                continue
            subject = cells[column].strip().upper() if column < len(cells) else ""
            if any(cell.strip() for cell in cells):
                yield number, subject, _fault_of(subject)
    except UnicodeDecodeError:
        raise XinqiaoError("FILE_ACCESS", file=source, detail="it is not written in UTF-8") from None
    except csv.Error as error:
        raise XinqiaoError("FILE_ACCESS", file=source, detail=error) from None


def _fault_of(subject: str) -> XinqiaoError | None:
    try:
        check_subject(subject)
    except XinqiaoError as error:
        return error
    return None


def _runs(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    """As many rows as one check takes at a time: each run is one entry of the query log."""
    while run := list(islice(rows, DEFAULT_LIMITS.max_subjects_per_check)):
        yield run


@contextmanager
def _written(target: Path | None) -> Iterator[TextIO]:
    if target is None:
        yield sys.stdout
        return
    with target.open("x", encoding="utf-8", newline="") as opened:
        yield opened


def _csv_rows(out: TextIO) -> Any:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(term(name) for name in COLUMNS)

    def write(number: int, subject: str, answer: pb.SubjectAnswer | None, fault: XinqiaoError | None) -> None:
        writer.writerow(
            [number, subject, *_told(answer)] if answer is not None else [number, subject, *_refused(fault)]
        )

    return write


def _told(answer: pb.SubjectAnswer) -> list[str]:
    decisive = [each for each in answer.lists if each.verdict == answer.verdict != pb.QUERY_VERDICT_CLEAR]
    entries = [entry for each in decisive for entry in each.entries if entry.applicable]
    measures = sorted({measure.code for entry in entries for measure in entry.measures if measure.applies})
    doubts = sorted({term(doubt) for each in decisive for doubt in each.doubts})
    return [
        term(SHOWN[answer.verdict]),
        " ".join(each.channel for each in decisive),
        " ".join(measures),
        " ".join(_entry_text(entry.entry) for entry in entries),
        joined(doubts),
    ]


def _refused(fault: XinqiaoError | None) -> list[str]:
    return [term("refused"), "", "", "", told(fault).text if fault is not None else ""]


def _json_lines(out: TextIO) -> Any:
    def write(number: int, subject: str, answer: pb.SubjectAnswer | None, fault: XinqiaoError | None) -> None:
        found: dict[str, Any] = {"answer": plain(answer)} if answer is not None else {"subject": subject}
        if fault is not None:
            found["error"] = as_document(fault)
        out.write(json.dumps({"row": number} | found, ensure_ascii=False) + "\n")

    return write


# -- queries -------------------------------------------------------------------------------------------------


@click.group("queries", cls=Group, invoke_without_command=True)
@click.option("--subject", default="", help="Code of the subject whose queries are asked for; all without it.")
@click.option("--last", default=50, show_default=True, help="Without --subject: how many, the newest.")
@options
@click.pass_context
def queries(context: click.Context, subject: str, last: int) -> None:
    """Show who has asked about whom, when and what for: the query log.

    Natural persons stand in it by what this node's key makes of their numbers; --subject finds them, in files too.
    """
    if context.invoked_subcommand is not None:
        return
    request = pb.ListQueriesRequest(subject=subject) if subject else pb.ListQueriesRequest(limit=last, newest=True)
    with querying() as node:
        found = node.queries(request)
    columns = ("number", "time (UTC)", "officer", "unit", "matter", "ground", "subject")
    table("queries", columns, [_row(line) for line in found.queries])
    if found.unsearchable:
        say(words("another key made {count} entries: persons and files are not found", count=found.unsearchable))
    result(plain(found))


def _row(line: pb.QueryLine) -> list[object]:
    about = line.subject or words("{count} subjects", count=line.subjects)
    asked = (line.officer, line.unit, f"{line.matter} ({line.matters_version})", line.ground)
    return [line.sequence, when(line.asked_at_unix_ms), *asked, about]


@queries.command("verify", cls=Command)
@click.option("--head", "noted", default="", help="A head that this command printed before: NUMBER:HASH.")
@options
def verify(noted: str) -> None:
    """Prove that nobody has altered, removed or inserted an entry of the query log.

    Who may change the database may also write a whole new chain: keep the head that is printed elsewhere, and give it
    with --head the next time.
    """
    request = _noted(noted)
    with querying() as node:
        found = node.verify(request)
    if found.fault:
        why = FAULTS[Fault(found.fault)]
        raise XinqiaoError("QUERY_LOG", sequence=found.sequence + 1, why=why, sound=found.sequence)
    head = f"{found.sequence}:{found.entry_hash.hex()}"
    say(words("the query log is sound: {count} entries", count=found.sequence))
    say(head, words("keep it elsewhere, and give it with --head the next time"))
    result(plain(found))


def _noted(noted: str) -> pb.VerifyQueriesRequest:
    if not noted:
        return pb.VerifyQueriesRequest()
    sequence, _, entry_hash = noted.strip().partition(":")
    if not sequence.isdecimal() or not _HASH.fullmatch(entry_hash):
        raise XinqiaoError("ARGUMENT_INVALID", argument="--head", detail="it is no NUMBER:HASH")
    return pb.VerifyQueriesRequest(noted_sequence=int(sequence), noted_hash=bytes.fromhex(entry_hash))


COMMANDS = (check, queries)
