"""`xinqiao keys`: this node's keys and certificates, and how they are replaced without a pause."""

import click

from node.cli.terminal import Group, admin, grouped, options, plain, result, say, table, when
from node.pb import admin_service_pb2 as pb


@click.group("keys", cls=Group)
@options
def keys() -> None:
    """Signing keys and TLS certificates of this node."""


@keys.command("list")
@options
def list_() -> None:
    """List them with their state."""
    with admin() as node:
        found = node.keys()
    _show(list(found.keys))
    result(plain(found))


@keys.command("rotate")
@click.argument("kind", type=click.Choice(["signing", "tls"]))
@options
def rotate(kind: str) -> None:
    """Replace the signing key or the TLS certificate, old and new valid together; run it again to see how far it is."""
    with admin() as node:
        found = node.rotate_key(kind)
    _show(list(found.keys))
    if found.fingerprint:
        say(f"fingerprint for the officers: {grouped(found.fingerprint)}")
    say(f"waiting for: {found.waiting_for}" if found.waiting_for else "the rotation is complete")
    result(plain(found))


def _show(lines: list[pb.KeyLine]) -> None:
    rows = [
        (line.kind, line.suite, line.state, when(line.not_before_unix_ms), when(line.not_after_unix_ms), line.key_id)
        for line in lines
    ]
    table("keys", ("kind", "suite", "state", "since (UTC)", "until (UTC)", "key id"), rows)


COMMANDS = (keys,)
