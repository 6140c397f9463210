"""`xinqiao keys`: this node's keys and certificates, and how they are replaced without a pause."""

import click

from node.cli.terminal import (
    PENDING,
    Group,
    admin,
    grouped,
    options,
    pending_fingerprint,
    plain,
    result,
    say,
    table,
    when,
)
from node.pb import admin_service_pb2 as pb
from node.texts import phrase, term, words


@click.group("keys", cls=Group)
@options
def keys() -> None:
    """Signing keys and TLS certificates of this node."""


@keys.command("list")
@options
def list_() -> None:
    """List keys and certificates with their state, and what the officers are still to approve."""
    with admin() as node:
        found = node.keys()
        pending = pending_fingerprint(node.status().fingerprint)
    _show(list(found.keys))
    if pending:
        say(words(PENDING, fingerprint=grouped(pending)))
    result(plain(found) | {"pending_fingerprint": pending})


@keys.command("rotate")
@click.argument(
    "kind", type=click.Choice(["signing", "tls"]), help="signing: what signs entries; tls: what connections show."
)
@options
def rotate(kind: str) -> None:
    """Replace the signing key or the TLS certificate, old and new valid together.

    Prints the fingerprint that an officer must be read. The officers approve twice: the new key, and later that the
    old one ends. `xinqiao keys list` shows how far it is; run anew after the end, it starts the next rotation.
    """
    with admin() as node:
        found = node.rotate_key(kind)
    _show(list(found.keys))
    if found.fingerprint:
        say(words("fingerprint for the officers: {fingerprint}", fingerprint=grouped(found.fingerprint)))
    if found.waiting_for:
        say(words("waiting for: {what}", what=phrase(found.waiting_for)))
    else:
        say(words("the rotation is complete"))
    result(plain(found))


def _show(lines: list[pb.KeyLine]) -> None:
    rows = [
        (
            line.kind,
            line.suite,
            term(line.state),
            when(line.not_before_unix_ms),
            when(line.not_after_unix_ms),
            line.key_id[:16],
        )
        for line in lines
    ]
    table("keys", ("kind", "suite", "state", "since (UTC)", "until (UTC)", "key id"), rows)


COMMANDS = (keys,)
