"""`xinqiao publish` and `xinqiao template`: bring files into a channel."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import click

from node.cli.channels import CHANNEL_HELP
from node.cli.terminal import Command, admin, as_document, options, plain, progress, result, say, show_error
from node.core.errors import XinqiaoError, from_refusal
from node.core.limits import DEFAULT_LIMITS
from node.ingest.headings import Headings
from node.ingest.rejections import RejectionFile
from node.pb import admin_service_pb2 as pb
from node.pb import envelope_pb2
from node.rpc.admin_client import AdminClient
from node.texts import joined, language, told, told_together, words

COUNTED = "{file}: {rows} rows: {accepted} accepted, {revised} revised, {duplicate} duplicate, {rejected} rejected"
TRIED = (
    "{file}: of {rows} rows would be: {accepted} accepted, {revised} revised, {duplicate} duplicate,"
    " {rejected} rejected"
)
HELD = "  {count} rows held for two officers; nobody sees them before"
HELD_SHOWN = 10
REVISIONS_SHOWN = 20


@click.command("publish", cls=Command)
@click.argument("channel", help=CHANNEL_HELP)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Workbooks (xlsx), CSV or JSON lines; one after the other.",
)
@click.option("--check", is_flag=True, help="Judge every row and write nothing: tell what publishing would do.")
@click.option("--ordinary-procedure", is_flag=True, help="Every penalty was imposed by the ordinary procedure.")
@click.option("--final", is_flag=True, help="Every decision is final: the time to appeal lapsed, or it was upheld.")
@options
def publish(channel: str, files: Sequence[Path], check: bool, ordinary_procedure: bool, final: bool) -> None:
    """Publish the rows of files into a channel of this node.

    Workbooks (xlsx, all sheets with a header), CSV (UTF-8 with or without BOM, GB18030) or JSON lines. The header,
    which titles may stand above, has the column codes of the channel's catalogue item, their Chinese names or the
    other names that the catalogue lists. Every row gets one outcome: accepted, revised, duplicate,
    rejected or held.
    Rejected rows are written beside the file with the cell, the reason and what to do; corrected, they are themselves
    valid input. A row published before is a duplicate, so an interrupted command is simply run again. What a rule
    only flags is published, and told once for the whole file.

    With --check nothing is published. Every judgement is made all the same, by the rules and by what the channel holds,
    and rejected rows are written for correction; the rows that would revise a record are named with their columns.
    """
    said = {"ordinary_procedure": ordinary_procedure, "final": final}
    declared = [name for name, is_said in said.items() if is_said]
    documents: list[dict[str, object]] = []
    failed: XinqiaoError | None = None
    name = uuid4().hex if check else ""
    with admin() as node:
        for place, file in enumerate(files, start=1):
            first = pb.PublishRequest(channel=channel, declared=declared, check=name, files_left=len(files) - place)
            document, error = _publish_file(node, first, file)
            documents.append(document)
            failed = failed or error
            # What is wrong with one file is no reason to leave the next one; anything else would meet it too.
            if error is not None and not error.code.startswith("FILE_"):
                break
    result({"files": documents, "error": as_document(failed)} if failed is not None else {"files": documents})
    if failed is not None:
        raise click.exceptions.Exit(1)


def _publish_file(
    node: AdminClient, first: pb.PublishRequest, file: Path
) -> tuple[dict[str, object], XinqiaoError | None]:
    last = pb.PublishResponse()
    rejected: RejectionFile | None = None
    failed: XinqiaoError | None = None
    revisions: list[pb.Revision] = []
    held: list[pb.HeldRow] = []
    titles = _Titles(node, first.channel)
    with progress(file.name, file.stat().st_size) as advance:
        try:
            for answer in node.publish(first, file):
                if rejected is None:
                    rejected = RejectionFile(file, answer.columns, titles, language())
                show_notes(answer.notes)
                for row in answer.rejected:
                    why, remedy = told_together(map(from_refusal, row.defects))
                    rejected.write(row.row, row.reason.code, row.columns, why, remedy, row.values, row.cells)
                revisions += answer.revisions
                held += answer.held
                last = answer
                advance(answer.read_bytes, words("{rows} rows", rows=answer.counts.rows))
        except XinqiaoError as error:
            failed = error
        finally:
            if rejected is not None:
                rejected.close()
    document = _report(file, last, rejected, failed, is_check=bool(first.check))
    _show_held(held, is_check=bool(first.check))
    document["held"] = list(map(plain, held))
    if first.check:
        _show_revisions(revisions, last.counts.revised)
        document |= {"check": True, "revisions": list(map(plain, revisions))}
    return document, failed


class _Titles:
    """The headings of a channel's columns for people, asked of the node once a row is returned in a workbook."""

    def __init__(self, node: AdminClient, channel: str) -> None:
        self._node = node
        self._channel = channel
        self._headings: Headings | None = None

    def __call__(self, code: str) -> str:
        if self._headings is None:
            item = self._node.channel(self._channel).channel.manifest.item
            self._headings = Headings(self._node.catalogue().item(item), DEFAULT_LIMITS)
        return self._headings.title_of(code)


def show_notes(notes: Iterable[envelope_pb2.Refusal]) -> None:
    for note in map(from_refusal, notes):
        shown = told(note)
        say(shown.text)
        say(words("  next: {next}", next=shown.next))


def _report(
    file: Path,
    last: pb.PublishResponse,
    rejected: RejectionFile | None,
    failed: XinqiaoError | None,
    *,
    is_check: bool,
) -> dict[str, object]:
    counts = last.counts
    if failed is None or counts.rows:
        say(words(TRIED if is_check else COUNTED, file=file.name, **plain(counts)))
    path = str(rejected.path) if rejected is not None and rejected.path is not None else None
    if path is not None:
        say(words("  rejected rows with reasons: {file}", file=path))
        say(words("  next: correct them there and publish that file"))
    head = {"channel": last.head.channel, "size": last.head.size, "root": last.head.root.hex()}
    if failed is None and is_check:
        say(words("  nothing was published: {channel} still has {size} entries, root {root}", **head))
    elif failed is None:
        say(words("  {channel} now has {size} entries, root {root}", **head))
    else:
        say(words("{file} broke off:" if counts.rows else "{file} was not published:", file=file.name))
        show_error(failed)
    found: dict[str, object] = {
        "file": str(file),
        "counts": plain(counts),
        "rejected_file": path,
        "head": plain(last.head),
    }
    return found | {"error": as_document(failed) if failed is not None else None}


def _show_held(held: Sequence[pb.HeldRow], *, is_check: bool) -> None:
    """Say what waits for the officers, rule by rule; what stands in the rows is for `holds show`."""
    if not held:
        return
    say(words("  {count} rows would be held for two officers" if is_check else HELD, count=len(held)))
    for why, rows in _by_reason(held).items():
        say(words("    {rows}: {why}", rows=_some(rows), why=why))
    if not is_check:
        say(words("  next: xinqiao holds list"))


def _by_reason(held: Sequence[pb.HeldRow]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in held:
        found.setdefault(told(from_refusal(each.reasons[0])).text, []).append(each.cell or str(each.row))
    return found


def _some(rows: Sequence[str]) -> str:
    return joined(rows[:HELD_SHOWN]) + (" …" if len(rows) > HELD_SHOWN else "")


def _show_revisions(revisions: Sequence[pb.Revision], count: int) -> None:
    """Name the rows that would revise a record, as many as a person reads."""
    for each in revisions[:REVISIONS_SHOWN]:
        columns = joined(each.columns) or words("an earlier row of these files")
        say(words("  row {row} would revise: {columns}", row=each.cell or each.row, columns=columns))
    if count > REVISIONS_SHOWN:
        say(words("  and {count} more rows would revise a record", count=count - REVISIONS_SHOWN))


@click.command("template", cls=Command)
@click.argument("item", help="Item of the catalogue: licence.2018, penalty.2018 or registration.base.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@options
def template(item: str, output: Path) -> None:
    """Write an empty workbook (xlsx) to be filled in and published: a column for each field of the item.

    Its cells are texts, so that no spreadsheet damages a code; enumerations have a list to choose from. A second sheet
    explains every field in the language of --lang and shows a made-up record; it is not published. The fields are
    those of the catalogue edition under which the node publishes. A file that is there already is left alone.
    """
    from node.ingest.template import write_template

    with admin() as node:
        edition = node.catalogue()
    found = edition.item(item)
    with output.open("xb") as file:
        write_template(file, found, edition.version)
    say(words("{file}: template of {item}, {count} columns", file=output, item=item, count=len(found.fields)))
    say(words("next: fill it in, then xinqiao publish CHANNEL {file}", file=output))
    result({"file": str(output), "item": item, "edition": edition.version})


COMMANDS = (publish, template)
