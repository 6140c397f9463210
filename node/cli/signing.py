"""How an officer signs at the command line: which key, which passphrase, and the statement as a file."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.message import DecodeError

from node import files
from node.cli.terminal import home
from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.officers import OfficerBook, build_statement, check_name
from node.keys import Passphrase, SoftwareSigner
from node.keys.officer import key_file, officer_passphrase, open_officer_key
from node.pb import decision_service_pb2 as pb
from node.pb import envelope_pb2
from node.rpc.decision_client import DecisionClient
from node.texts import words

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an officer's key and passphrase are, as given; key None is the officer's file in the node's home."""

    key: Path | None
    passphrase_file: Path | None
    passphrase_fd: int | None

    def path(self, name: str) -> Path:
        """The file of the key; raises OFFICER_NAME."""
        check_name(name)
        return self.key or key_file(home().path, name)

    def passphrase(self, *, again: bool = False) -> Passphrase | None:
        """The passphrase, asked for at a terminal where no other source is given; None where there is none."""
        asked = (lambda: _ask(again)) if sys.stdin.isatty() else None
        return officer_passphrase(self.passphrase_file, self.passphrase_fd, os.environ, asked)

    def open(self, name: str) -> SoftwareSigner:
        """The officer's key; raises KEY_FILE, OFFICER_PASSPHRASE."""
        path = self.path(name)
        return open_officer_key(path, self.passphrase())


def _ask(again: bool) -> str:
    asked: str = click.prompt(words("passphrase of the officer's key"), hide_input=True, confirmation_prompt=again)
    return asked


def source_options(command: F) -> F:
    """Add --key, --passphrase-file and --passphrase-fd to a command, which gets them as one Source."""

    def collect(context: click.Context, _: click.Parameter, value: int | None) -> Source:
        return Source(context.params.pop("key", None), context.params.pop("passphrase_file", None), value)

    # Eager ones are read first, so that the last finds them.
    add_key = click.option(
        "--key", type=FILE, is_eager=True, help="File of the officer's key, where it is not in the node's folder."
    )
    add_file = click.option(
        "--passphrase-file", type=FILE, is_eager=True, help="File with the passphrase of the officer's key."
    )
    add_descriptor = click.option(
        "--passphrase-fd",
        "source",
        type=click.IntRange(0, 1 << 20),
        callback=collect,
        help="Open descriptor to read that passphrase from; asked for at a terminal unless given.",
    )
    return add_key(add_file(add_descriptor(command)))


def decisions() -> DecisionClient:
    """The decision service of the node that serves this home; raises HOME_MISSING, ADMIN_UNREACHABLE."""
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    return DecisionClient(found.path, found.socket())


def signed_by(
    node: DecisionClient, signer: SoftwareSigner, act: str, subject: str, decided: bytes, reason: str
) -> pb.SubmitStatementRequest:
    """A statement of one officer for this node, dated by the node's clock."""
    request = unsigned(node, act, subject, decided, reason)
    return pb.SubmitStatementRequest(statement=sealed(request.statement.payload, signer))


def unsigned(node: DecisionClient, act: str, subject: str, decided: bytes, reason: str) -> pb.SubmitStatementRequest:
    """The same without a signature, to be signed where the officer's key is."""
    found = node.officers()
    payload = build_statement(OfficerBook(found.network, found.node), act, subject, decided, reason, found.time_unix_ms)
    return pb.SubmitStatementRequest(statement=sealed(payload))


def sealed(payload: bytes, *keys: SoftwareSigner) -> envelope_pb2.Envelope:
    """A statement with signatures."""
    return envelopes.seal(payload, envelopes.OFFICER_STATEMENT, *keys)


def read_file(path: Path) -> pb.SubmitStatementRequest:
    """A statement from its file; raises OFFICER_STATEMENT."""
    limit = DEFAULT_LIMITS.max_statement_bytes * 4
    with path.open("rb") as opened:
        content = opened.read(limit + 1)
    try:
        found = pb.SubmitStatementRequest.FromString(content[:limit])
    except DecodeError as error:
        raise XinqiaoError("OFFICER_STATEMENT", detail="its bytes are no statement") from error
    if len(content) > limit or not found.HasField("statement"):
        raise XinqiaoError("OFFICER_STATEMENT", detail="its bytes are no statement")
    return found


def write_file(path: Path, request: pb.SubmitStatementRequest, *, new: bool) -> None:
    """Write a statement to its file; a new one leaves a file that is there alone."""
    content = request.SerializeToString()
    if new:
        files.write_new(path, content)
    else:
        files.replace(path, content)
