"""`xinqiao check` and `xinqiao queries`: who stands on a joint list, and who has asked."""

import re
from pathlib import Path

import click

from node.cli.answer_files import SHOWN, check_file, entry_text
from node.cli.signing import FILE, NEW_FILE
from node.cli.terminal import (
    Command,
    Group,
    fresh,
    home,
    options,
    plain,
    result,
    say,
    table,
    when,
)
from node.core.answer import DOUBTS, Doubt
from node.core.errors import XinqiaoError
from node.core.list_type import KIND_NAMES
from node.core.query_log import FAULTS, Fault
from node.pb import listing_pb2
from node.pb import query_service_pb2 as pb
from node.rpc.query_client import QueryClient
from node.texts import is_chinese, joined, law, phrase, term, words

EXIT_STATUS = {pb.QUERY_VERDICT_CLEAR: 0, pb.QUERY_VERDICT_LISTED: 3, pb.QUERY_VERDICT_UNCONFIRMED: 4}
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
@click.option(
    "--resume",
    "is_resumed",
    is_flag=True,
    help="With -o: go on where the same command broke off; what is answered there is not asked again.",
)
@options
def check(
    subject: str,
    source: Path | None,
    matter: str,
    unit: str,
    ground: str,
    officer: str,
    target: Path | None,
    is_resumed: bool,
) -> None:
    """Tell whether subjects stand on a joint list: CLEAR, LISTED or UNCONFIRMED.

    UNCONFIRMED says that a list is in doubt: apply nothing of it, and ask its origin. The question is in the query log
    before the answer is here. Exit status for one subject: 0 clear, 3 listed, 4 unconfirmed, 1 refused. With --file it
    is 0 when every row was answered, whatever the answers, and 1 else; --json then writes one document a row.
    """
    if bool(subject) == (source is not None):
        raise click.UsageError(words("give either --subject CODE or --file FILE"))
    if is_resumed and target is None:
        raise click.UsageError(words("--resume goes on in the file that -o names"))
    question = pb.QueryQuestion(officer=officer, unit=unit, matter=matter, ground=ground)
    if source is not None:
        with querying() as node:
            counts = check_file(node, question, source, target, is_resumed=is_resumed)
        click.get_current_context().exit(1 if counts["refused"] else 0)
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
            entry=entry_text(entry.entry),
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
