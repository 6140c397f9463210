"""`xinqiao officer`: who decides at this node, each by a key of his own."""

import hashlib
from pathlib import Path

import click

from node.cli.signing import (
    FILE,
    NEW_FILE,
    Source,
    decisions,
    read_file,
    sealed,
    signed_by,
    source_options,
    write_file,
)
from node.cli.terminal import Command, Group, loaded, options, passphrase_of, plain, result, say, table, when
from node.core import envelope as envelopes
from node.core import list_change
from node.core.errors import XinqiaoError
from node.core.holds import ACTS, RELEASE, WITHDRAW
from node.core.list_warrant import APPROVE, PROPOSE
from node.core.officers import (
    ADD,
    DISABLE,
    FOUNDERS,
    OfficerBook,
    build_statement,
    check_name,
    disabling_digest_of,
    new_officer,
    read_officer,
    read_statement,
)
from node.core.suites import key_id_of, to_text
from node.keys import KeyRing, SoftwareSigner
from node.keys.officer import make_key, open_officer_key, public_key_in
from node.pb import decision_service_pb2 as pb
from node.pb import officer_pb2
from node.rpc.decision_client import DecisionClient
from node.texts import joined, term, words

NAME_HELP = "Name of the officer: letters, digits, '.', '-' and '_', at most 32."
REASON_HELP = "Reason, kept with the signature for good; name no natural person in it."
STATEMENT_HELP = "File of the statement."
PUBLISH_LINE = "Publish the held row {hold} with the digest {digest}: {reason}"
REFUSE_LINE = "Refuse the held row {hold} with the digest {digest}: {reason}"
WITHDRAW_LINE = "Withdraw what is proposed for the held row {hold} with the digest {digest}: {reason}"

PROPOSE_LINE = "Propose the change {change} of a joint list, with the digest {digest}"
APPROVE_LINE = "Approve the change {change} of a joint list, with the digest {digest}"
REFUSE_CHANGE_LINE = "Refuse the change {change} of a joint list, with the digest {digest}: {reason}"
WITHDRAW_CHANGE_LINE = "Withdraw the change {change} of a joint list, with the digest {digest}: {reason}"


@click.group("officer", cls=Group)
@options
def officer() -> None:
    """Who decides at this node: each officer signs with a key of his own.

    Access to the node's folder or socket decides nothing by itself. The first two officers are added with the node's
    own key; from then on two officers sign before another one is added. A name and a key are never given again.
    """


@officer.command("add", cls=Command)
@click.argument("name", help=NAME_HELP)
@click.option(
    "--public-key", metavar="SUITE:BASE64", help="The officer's public key, where the other half is elsewhere."
)
@click.option(
    "-o", "--output", type=NEW_FILE, help="File for a statement that others sign; NAME.statement unless given."
)
@source_options
@options
def add(name: str, public_key: str | None, output: Path | None, source: Source) -> None:
    """Add an officer, with a new key under a passphrase or with an own one.

    Makes a key in the node's folder, encrypted with the officer's passphrase; or takes the key that --key names, or
    the public half alone. While there are not two active officers, the node's own key signs along and the officer is
    there at once. After that a statement is written to a file: two officers sign it with `xinqiao officer sign`, then
    `xinqiao officer submit` hands it over.
    """
    check_name(name)
    with decisions() as node:
        found = node.officers()
        if any(line.name == name for line in found.officers):
            raise XinqiaoError("OFFICER_EXISTS", name=name, key=_key_of(found, name))
        founding = sum(line.state == "active" for line in found.officers) < FOUNDERS
        signer = _new_key(name, source) if public_key is None else None
        public = signer.public if signer is not None else public_key_in(public_key or "")
        content = new_officer(name, public)
        book, digest = OfficerBook(found.network, found.node), hashlib.sha256(content).digest()
        payload = build_statement(book, ADD, name, digest, "", found.time_unix_ms)
        keys = [*([signer] if signer is not None else []), *([_nodes_key()] if founding else [])]
        request = pb.SubmitStatementRequest(statement=sealed(payload, *keys), content=content)
        said = {"name": name, "key_id": public.key_id, "public_key": to_text(public)}
        if founding and signer is not None:
            taken = node.submit(request)
            say(words("officer {name} added, key {key}", name=name, key=public.key_id[:16]))
            result(said | plain(taken) | {"file": None})
            return
    path = output or Path(f"{name}.statement")
    write_file(path, request, new=True)
    say(words("statement written to {file}", file=path))
    _say_who_signs(path, founding)
    result(said | {"file": str(path)})


def _say_who_signs(path: Path, founding: bool) -> None:
    if founding:
        say(words("next: the new officer runs `xinqiao officer sign {file} --key KEY`", file=path))
    else:
        say(words("next: two officers run `xinqiao officer sign {file} --officer NAME`", file=path))
    say(words("then: xinqiao officer submit {file}", file=path))


def _key_of(found: pb.ListOfficersResponse, name: str) -> str:
    return next((line.key_id[:16] for line in found.officers if line.name == name), "")


def _new_key(name: str, source: Source) -> SoftwareSigner:
    """The newcomer's key: the one that is there, as after an interrupted run, or a new one."""
    path = source.path(name)
    if path.exists():
        return open_officer_key(path, source.passphrase())
    secret = source.passphrase(again=True)
    if secret is None:
        raise XinqiaoError("OFFICER_PASSPHRASE", file=path)
    return make_key(path, secret)


def _nodes_key() -> SoftwareSigner:
    found, config = loaded()
    return KeyRing.open(found.keys, passphrase_of(found, config)).signer


@officer.command("list", cls=Command)
@options
def list_command() -> None:
    """List the officers, also those who are disabled, and who added them."""
    with decisions() as node:
        found = node.officers()
    table(
        "officers",
        ("name", "state", "key id", "added (UTC)", "added by", "disabled (UTC)", "why"),
        [_row(line) for line in found.officers],
    )
    result(plain(found))


def _row(line: pb.OfficerLine) -> list[object]:
    disabled = when(line.disabled_at_unix_ms) if line.disabled_at_unix_ms else ""
    by = joined(line.added_by) or term("the node's key")
    return [
        line.name,
        term(line.state),
        line.key_id[:16],
        when(line.added_at_unix_ms),
        by,
        disabled,
        line.disabled_because,
    ]


@officer.command("disable", cls=Command)
@click.argument("name", help=NAME_HELP)
@click.option("--reason", required=True, metavar="TEXT", help=REASON_HELP)
@click.option("--officer", "by", metavar="NAME", help="Officer who signs; the node's own key unless given.")
@source_options
@options
def disable(name: str, reason: str, by: str | None, source: Source) -> None:
    """Disable an officer: from now on nothing that he signs counts. What he signed before stays signed.

    Any officer may sign it, also the one who is disabled; without --officer the node's own key does.
    """
    if not reason.strip():
        raise XinqiaoError("ARGUMENT_INVALID", argument="--reason", detail="it must be given")
    with decisions() as node:
        found = next((line for line in node.officers().officers if line.name == name), None)
        if found is None:
            raise XinqiaoError("OFFICER_UNKNOWN", name=name, known=_known(node))
        signer = source.open(by) if by is not None else _nodes_key()
        taken = node.submit(signed_by(node, signer, DISABLE, name, disabling_digest_of(found.key_id), reason))
    say(
        words(
            "officer {name} disabled: what is signed with the key {key} counts no more",
            name=name,
            key=found.key_id[:16],
        )
    )
    result({"name": name} | plain(taken))


def _known(node: DecisionClient) -> str:
    return ", ".join(line.name for line in node.officers().officers if line.state == "active") or "none"


@officer.command("sign", cls=Command)
@click.argument("file", type=FILE, help=STATEMENT_HELP)
@click.option("--officer", "name", metavar="NAME", help="Officer whose key in the node's folder signs; or give --key.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@source_options
@options
def sign(file: Path, name: str | None, yes: bool, source: Source) -> None:
    """Read what a statement decides, and sign it; needs no network and no node.

    The file may be carried to the machine where the key is, and back.
    """
    request = read_file(file)
    lines = explained(request)
    say(*lines)
    if not yes:
        click.confirm(words("Sign this?"), abort=True, err=True)
    if name is None and source.key is None:
        raise XinqiaoError("ARGUMENT_INVALID", argument="--officer, --key", detail="one of them must be given")
    signer = open_officer_key(source.key, source.passphrase()) if source.key else source.open(name or "")
    if signer.key_id not in {each.keyid for each in request.statement.signatures}:
        request.statement.signatures.extend(sealed(request.statement.payload, signer).signatures)
    write_file(file, request, new=False)
    count = len(request.statement.signatures)
    say(words("signed: {count} signatures; then `xinqiao officer submit {file}`", count=count, file=file))
    result({"file": str(file), "key_id": signer.key_id, "signatures": count})


def explained(request: pb.SubmitStatementRequest) -> list[str]:
    """What a statement decides, in words, for whoever is to sign it; raises OFFICER_STATEMENT."""
    if request.statement.payload_type != envelopes.OFFICER_STATEMENT:
        raise XinqiaoError("OFFICER_STATEMENT", detail="its bytes are no statement")
    message = read_statement(request.statement)
    at = {"node": message.node, "network": message.network, "time": when(message.signed_at_unix_ms)}
    lines = [words("At the node {node} of the network {network}, dated {time} UTC:", **at)]
    if message.act == ADD:
        officer = read_officer(request.content)
        if hashlib.sha256(request.content).digest() != message.decided_sha256 or officer.name != message.subject:
            raise XinqiaoError("OFFICER_STATEMENT", detail="subject and content name different officers")
        lines.append(
            words("Add the officer {name} with the key {key}", name=officer.name, key=key_id_of(officer.public_key))
        )
    elif message.act == DISABLE:
        lines.append(words("Disable the officer {name}: {reason}", name=message.subject, reason=message.reason))
    elif message.act in ACTS:
        lines += _hold_lines(message)
    elif message.act in list_change.ACTS:
        lines += _change_lines(message)
    else:
        raise XinqiaoError("OFFICER_STATEMENT", detail="this version knows no such act")
    return lines


def _hold_lines(message: officer_pb2.OfficerStatement) -> list[str]:
    said = {"hold": message.subject, "digest": message.decided_sha256.hex(), "reason": message.reason}
    decided = words(WITHDRAW_LINE if message.act == WITHDRAW else REFUSE_LINE, **said)
    return [
        words(PUBLISH_LINE, **said) if message.act == RELEASE else decided,
        words("  compare the digest with what `xinqiao holds show {hold}` says", hold=message.subject),
    ]


def _change_lines(message: officer_pb2.OfficerStatement) -> list[str]:
    said = {"change": message.subject, "digest": message.decided_sha256.hex(), "reason": message.reason}
    decided = words(APPROVE_LINE if message.act == APPROVE else PROPOSE_LINE, **said)
    dropped = words(WITHDRAW_CHANGE_LINE if message.act == list_change.WITHDRAW else REFUSE_CHANGE_LINE, **said)
    return [
        decided if message.act in (PROPOSE, APPROVE) else dropped,
        words("  compare the digest with what `xinqiao list pending {change}` says", change=message.subject),
    ]


@officer.command("submit", cls=Command)
@click.argument("file", type=FILE, help=STATEMENT_HELP)
@options
def submit(file: Path) -> None:
    """Hand a signed statement to the node, which takes it if it is signed as its act needs."""
    request = read_file(file)
    message = read_statement(request.statement)
    with decisions() as node:
        taken = node.submit(request)
    say(words("taken: {subject} is now {state}", subject=message.subject, state=term(taken.state)))
    result({"act": message.act, "subject": message.subject} | plain(taken))


COMMANDS = (officer,)
