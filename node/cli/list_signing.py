"""How an officer signs a change of a joint list: it is shown, then signed.

The content of a change comes from the node as it will be published. What is to be signed is worked out here from what
was shown: nobody signs what he has not seen.
"""

import functools
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from node.cli.signing import NEW_FILE, Source, signed_by, source_options, unsigned, write_file
from node.cli.terminal import is_json, plain, progress, result, say, show_error, when
from node.core.errors import XinqiaoError, from_refusal
from node.core.identifiers import is_uscc
from node.core.list_change import REFUSE, WITHDRAW, Operation, digest_of, read_batch, root_of
from node.core.list_entry import ACT_NAMES
from node.core.list_item import title_of
from node.core.list_type import KIND_NAMES
from node.core.list_warrant import APPROVE, PROPOSE
from node.pb import decision_service_pb2, listing_pb2, record_pb2
from node.pb import list_service_pb2 as pb
from node.rpc.list_client import ListClient
from node.texts import term, words

OFFICER_HELP = "Officer who signs."
OUTPUT_HELP = "Write the statement to this file unsigned, to be signed elsewhere."
REVEAL_HELP = "Show the numbers of natural persons in full also where no terminal is."
OPERATIONS_SHOWN = 20
ENTRIES_NAMED = 500
WAIT_S = 0.5
GROUNDS = {
    "conditions-met": listing_pb2.EXIT_GROUND_CONDITIONS_MET,
    "repaired": listing_pb2.EXIT_GROUND_REPAIRED,
    "annulled": listing_pb2.EXIT_GROUND_ANNULLED,
}
SHOWN_ACTS = {PROPOSE: "propose", APPROVE: "approve", REFUSE: "refuse", WITHDRAW: "withdraw"}
CHANGE_SIGNED = "{time} UTC {officer}: {act}"
CHANGE_SIGNED_ONCE = "{time} UTC {officer} (disabled since): {act}"


@dataclass
class Content:
    """A change as it came from the node: its line, the roots of its batches, the operations that a person reads."""

    line: pb.ChangeLine = field(default_factory=pb.ChangeLine)
    roots: list[bytes] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    count: int = 0

    @property
    def digest(self) -> bytes:
        """What an officer signs of it, worked out from what the node has shown."""
        return digest_of(self.line.id, self.line.channel, self.roots)


def fetched(node: ListClient, change: str, also: Callable[[Operation], None] | None = None) -> Content:
    """A change with its content; raises LIST_CHANGE where the content is not what the node says it is."""
    found = Content()
    for answer in node.change(change):
        if answer.HasField("change"):
            found.line = answer.change
            continue
        operations = read_batch(answer.batch)
        found.roots.append(root_of(answer.batch))
        found.operations += operations[: OPERATIONS_SHOWN - len(found.operations)]
        found.count += len(operations)
        for operation in operations if also is not None else ():
            also(operation)  # type: ignore[misc]
    if len(found.roots) < found.line.batches:
        # It was settled before, or while it was on its way.
        return Content(node.change_line(change))
    if (found.digest, found.count) != (found.line.digest, found.line.operations):
        raise XinqiaoError("LIST_CHANGE", detail="its content is not what its digest says")
    return found


# -- showing -------------------------------------------------------------------------------------------------


def say_change(found: Content, reveal: bool) -> None:
    """Show a change to whoever is to decide about it."""
    line = found.line
    named = {"change": line.id, "list": line.channel, "kind": term(KIND_NAMES.get(line.kind, ""))}
    say(
        words(
            "{change}: {act} on {list} ({kind} list), {count} entries",
            **named,
            act=term(ACT_NAMES.get(line.act, "")),
            count=line.operations,
        )
    )
    if line.HasField("entry"):
        subject = (line.subject if reveal else masked(line.subject)) or term("erased")
        say(words("entry: {entry} of {subject}", entry=entry_text(line.entry), subject=subject))
    if line.source:
        say(words("from the file {file}", file=line.source))
    for operation in found.operations:
        say_operation(operation, reveal)
    if found.count > len(found.operations):
        rest = found.count - len(found.operations)
        say(words("  and {count} more; all: xinqiao list pending {change} --csv FILE", count=rest, change=line.id))
    say(words("state: {state}", state=term(line.state)))
    if found.roots:
        say(words("digest {digest}", digest=found.digest.hex()))
    for signed in line.signatures:
        said = {"officer": signed.officer, "act": term(SHOWN_ACTS[signed.act])}
        shown = words(
            CHANGE_SIGNED_ONCE if signed.disabled else CHANGE_SIGNED, time=when(signed.signed_at_unix_ms), **said
        )
        say(f"    {shown}" + (f": {signed.reason}" if signed.reason else ""))
    if line.HasField("fault"):
        show_error(from_refusal(line.fault))


def say_operation(operation: Operation, reveal: bool) -> None:
    """Show one operation and its words, each under the heading that the column of a file has."""
    for column, text in columns_of(operation).items():
        if text:
            shown = text if column != "subject" or reveal else masked(text)
            say(f"    {title_of(column)}  {shown}")


def columns_of(operation: Operation) -> dict[str, str]:
    """An operation by the columns of a file of entries."""
    op, given = operation.op, operation.words
    ground = {number: name for name, number in GROUNDS.items()}.get(op.ground, "")
    found = {
        "subject": given.subject,
        "subject_name": given.subject_name,
        "decision": given.decision,
        "reason": given.reason,
        "decided_on": op.decided_on,
        "notice_served": op.notice_served,
        "until": op.until,
        "measures": ", ".join(op.measures),
    }
    return found | ({term("ground"): term(ground)} if ground else {})


def masked(code: str) -> str:
    """The code of a subject; where it is a person's number, without the birth date and what follows."""
    return code if is_uscc(code) or not code else code[:6] + "*" * (len(code) - 6)


def line_document(line: pb.ChangeLine, reveal: bool) -> dict[str, object]:
    """A change as JSON."""
    return plain(line) | {"subject": line.subject if reveal else masked(line.subject)}


def may_reveal(reveal: bool) -> bool:
    """Whether numbers of persons are shown in full."""
    return reveal or (sys.stdout.isatty() and not is_json())


def entry_text(ref: record_pb2.RecordRef) -> str:
    """An entry of a list as people name it."""
    return f"{ref.channel}#{ref.epoch}/{ref.index}/{ref.position}"


# -- signing -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, by which key, where the statement goes, and what may be shown."""

    officer: str
    source: Source
    output: Path | None
    reveal: bool


def signing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a command needs that has an officer sign; it gets them as one Signing."""

    @functools.wraps(command)
    def collected(*args: Any, officer: str, source: Source, output: Path | None, reveal: bool, **others: Any) -> None:
        command(*args, signing=Signing(officer, source, output, reveal), **others)

    add_officer = click.option("--officer", required=True, metavar="NAME", help=OFFICER_HELP)
    add_output = click.option("-o", "--output", type=NEW_FILE, help=OUTPUT_HELP)
    add_reveal = click.option("--reveal", is_flag=True, help=REVEAL_HELP)
    return add_officer(add_output(add_reveal(source_options(collected))))


def decide(node: ListClient, act: str, change: str, signing: Signing, reason: str = "") -> None:
    """Show a change, have an officer sign it, and tell what became of it."""
    found = fetched(node, change)
    if not found.roots:
        raise XinqiaoError("LIST_CHANGE_SETTLED", change=change, standing=found.line.state)
    say_change(found, may_reveal(signing.reveal))
    if signing.output is not None:
        _write(node, act, found, signing.output, reason)
        return
    signer = signing.source.open(signing.officer)
    taken = node.submit(signed_by(node, signer, act, change, found.digest, reason))
    line = _waited(node, change, taken)
    _say_taken(line, signing.officer)
    shown = line_document(line, may_reveal(signing.reveal))
    document = {"change": shown, "state": line.state, "act": act, "officer": signing.officer}
    result(document | {"entries": _named(line), "fault": plain(line)["fault"]})


def draft_and_propose(node: ListClient, change: str, signing: Signing) -> None:
    """Have a draft proposed; one that was not signed goes again."""
    try:
        decide(node, PROPOSE, change, signing)
    except BaseException:
        with suppress(XinqiaoError):
            node.drop_draft(change)
        raise


def _write(node: ListClient, act: str, found: Content, output: Path, reason: str) -> None:
    write_file(output, unsigned(node, act, found.line.id, found.digest, reason), new=True)
    say(words("statement written to {file}", file=output))
    say(words("next: the officer runs `xinqiao officer sign {file} --key KEY`", file=output))
    say(words("then: xinqiao officer submit {file}", file=output))
    result({"change": line_document(found.line, may_reveal(False)), "act": act, "file": str(output)})


def _waited(node: ListClient, change: str, taken: decision_service_pb2.SubmitStatementResponse) -> pb.ChangeLine:
    """How a change stands, once it is published or cannot be now; a large one takes its time."""
    line = node.change_line(change)
    if taken.state != "approved" or taken.HasField("fault"):
        return line
    with progress(change, line.batches) as advance:
        while line.state == "approved" and not line.HasField("fault"):
            advance(
                len(line.entries),
                words("{count} of {total} entries written", count=len(line.entries), total=line.batches),
            )
            time.sleep(WAIT_S)
            line = node.change_line(change)
    return line


def _named(line: pb.ChangeLine) -> list[str]:
    """The entries that a published change has made, where they are not too many."""
    if line.act != listing_pb2.LIST_ACT_ENTER or line.operations > ENTRIES_NAMED or len(line.entries) != 1:
        return []
    place = line.entries[0]
    named = [
        record_pb2.RecordRef(channel=place.channel, epoch=place.epoch, index=place.index, position=at)
        for at in range(line.operations)
    ]
    return list(map(entry_text, named))


def _say_taken(line: pb.ChangeLine, officer: str) -> None:
    if line.state == "pending":
        say(words("{change}: proposed by {officer}; another officer approves", change=line.id, officer=officer))
        say(words("next: xinqiao list approve {change} --officer NAME", change=line.id))
    else:
        say(
            words(
                "{change}: signed by {officer}; it is now {state}",
                change=line.id,
                officer=officer,
                state=term(line.state),
            )
        )
    for entry in _named(line)[:OPERATIONS_SHOWN]:
        say(words("entry: {entry}", entry=entry))
    if line.HasField("fault"):
        show_error(from_refusal(line.fault))
        say(words("  the decision stands: the node publishes the change by itself when it can"))
