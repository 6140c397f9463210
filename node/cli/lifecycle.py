"""`xinqiao init | join | serve | config`: from nothing to a serving member.

The app brings storage and servers with it, half a second of start-up: only commands that need it load it.
"""

import asyncio
import time
from pathlib import Path

import click

from node.cli.evidence import parse_fingerprint
from node.cli.terminal import (
    Command,
    Group,
    admin,
    as_document,
    grouped,
    home,
    is_json,
    loaded,
    options,
    passphrase_of,
    result,
    say,
)
from node.config import Config, Endpoint, check, document, render
from node.core.errors import XinqiaoError
from node.core.membership import LEVELS, fingerprint_of
from node.home import Home, init_home
from node.joining import Waiting, join
from node.pb import envelope_pb2
from node.texts import phrase, setting, told, words

# Each listener gets its grace period (node/app.py) to finish what it has begun.
STOP_LIMIT_S, STOP_POLL_S = 30.0, 0.1


class EndpointType(click.ParamType[Endpoint]):
    """HOST:PORT on the command line."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Endpoint:
        """Read it, or fail as a usage error."""
        if isinstance(value, Endpoint):
            return value
        try:
            return Endpoint.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


ENDPOINT = EndpointType()


@click.command("init", cls=Command)
@click.option("--id", "node_id", required=True, metavar="ID", help="GB/T 2260 code of the division, or a short name.")
@click.option("--name", required=True, metavar="TEXT", help="Name for people, e.g. 浦东新区.")
@click.option("--level", required=True, type=click.Choice(LEVELS), help="Where it stands among the nodes.")
@click.option("--parent", default="", metavar="ID", help="Id of the superior node; none at the top.")
@click.option("--division", default=None, metavar="CODE", help="GB/T 2260 code of the seat; the id where that is one.")
@click.option(
    "--authority", "authorities", multiple=True, metavar="USCC", help="Public body it speaks for; repeatable."
)
@click.option("--listen", type=ENDPOINT, default=None, help="Where peers call; none for a node that only dials out.")
@click.option("--registry-listen", type=ENDPOINT, default=None, help="Where it serves the registry's files.")
@click.option("--advertise", type=ENDPOINT, default=None, help="The address peers are told, if not that of --listen.")
@click.option(
    "--registry-advertise",
    type=ENDPOINT,
    default=None,
    help="The address peers are told, if not that of --registry-listen.",
)
@click.option(
    "--suite",
    type=click.Choice(["ed25519", "ecdsa-p256-sha256"]),
    default=None,
    help="Algorithm of the signing key; ed25519 unless given.",
)
@click.option(
    "--database",
    default="",
    metavar="URL",
    help="postgresql://USER@HOST/DATABASE where its data are to be on a server; a file in --home unless given.",
)
@click.option("--database-password-file", default="", metavar="FILE", help="The file with the password for --database.")
@options
def init(
    node_id: str,
    name: str,
    level: str,
    parent: str,
    division: str | None,
    authorities: tuple[str, ...],
    listen: Endpoint | None,
    registry_listen: Endpoint | None,
    advertise: Endpoint | None,
    registry_advertise: Endpoint | None,
    suite: str | None,
    database: str,
    database_password_file: str,
) -> None:
    """Create a node in --home: its keys, its settings, its descriptor.

    Prints the fingerprint that the officers compare before they admit the node.
    """
    config = Config(
        id=node_id,
        name=name,
        level=level,
        parent=parent,
        division=(node_id if node_id.isdigit() else "") if division is None else division,
        authorities=authorities,
        listen=listen,
        registry_listen=registry_listen,
        advertise=advertise,
        registry_advertise=registry_advertise,
        database=database,
        database_password_file=database_password_file,
    )
    found = home()
    descriptor = _created(found, config, suite)
    fingerprint = fingerprint_of(descriptor)
    say(
        words("node {node} {name} created in {home}", node=node_id, name=name, home=found.path),
        words("fingerprint: {fingerprint}", fingerprint=grouped(fingerprint)),
        words("next: xinqiao join --registry HOST:PORT --root-fingerprint HEX"),
    )
    result({"id": node_id, "fingerprint": fingerprint, "home": str(found.path)})


def _created(found: Home, config: Config, suite: str | None) -> envelope_pb2.Envelope:
    """Create the node; a setting that cannot be is named by the option it came from."""
    from node import app

    try:
        return init_home(found.path, config, app.now_ms(), passphrase_of(found, None), suite)
    except XinqiaoError as error:
        if error.code != "CONFIG_INVALID":
            raise
        key = error.parameters["key"]
        option = {"authorities": "--authority"}.get(key, f"--{key.replace('_', '-')}")
        raise XinqiaoError("ARGUMENT_INVALID", argument=option, detail=error.parameters["detail"]) from error


@click.command("join", cls=Command)
@click.option(
    "--registry",
    "registry_endpoint",
    type=ENDPOINT,
    default=None,
    help="Where the registry serves; kept for the next time.",
)
@click.option(
    "--root-fingerprint", default=None, metavar="HEX", help="As an officer reads it to you; kept for the next time."
)
@click.option(
    "--wait",
    default=86_400,
    metavar="SECONDS",
    help="How long to wait for the officers, a day unless given; exit status 1 when they take longer. 0: do not wait.",
)
@click.option("--renew", is_flag=True, help="Apply with a new descriptor, e.g. after a rejection was cleared up.")
@options
def join_command(registry_endpoint: Endpoint | None, root_fingerprint: str | None, wait: int, renew: bool) -> None:
    """Become a member: apply at the registry and wait for the officers.

    Interrupted, it is simply run again, then without options. A rejection arrives with its reason.
    """
    from node import app

    found, config = loaded()
    endpoint = registry_endpoint or config.registry
    fingerprint = root_fingerprint or config.root_fingerprint
    if endpoint is None or not fingerprint:
        raise click.UsageError(words("give --registry HOST:PORT and --root-fingerprint HEX"))
    world = app.joining_world(found, config, passphrase_of(found, config))
    with found.lock():
        outcome = asyncio.run(
            join(found, config, world, endpoint, parse_fingerprint(fingerprint), wait, renew=renew, tell=_tell)
        )
    if outcome.is_member:
        say(words("{node} is a member of {network}", node=config.id, network=outcome.network))
        say(words("next: xinqiao serve"))
    else:
        say(words("{node} is not a member yet", node=config.id), words("next: xinqiao join"))
    result({"id": config.id, "member": outcome.is_member, "network": outcome.network, "waiting_for": outcome.waits_for})
    if wait and not outcome.is_member:
        raise click.exceptions.Exit(1)


def _tell(waiting: Waiting) -> None:
    command = f"xinqiao registry propose approve {waiting.node} --fingerprint {waiting.fingerprint} -o FILE"
    say(
        words("waiting for: {what}", what=phrase(waiting.waits_for)),
        words("fingerprint to read to an officer: {fingerprint}", fingerprint=grouped(waiting.fingerprint)),
        words("an officer's next command: {command}", command=command),
    )


@click.command("serve", cls=Command)
@options
def serve() -> None:
    """Serve this node until SIGTERM, which drains and stops.

    Prints the addresses it serves at; logs to stderr.
    """
    from node import app

    found, config = loaded()
    app.serve(found, config, passphrase_of(found, config), _started)


def _started(addresses: dict[str, str]) -> None:
    if is_json():
        result(addresses)
    else:
        shown = ", ".join(f"{name} {address}" for name, address in addresses.items() if address)
        say(words("serving: {addresses}", addresses=shown))


@click.command("stop", cls=Command)
@options
def stop() -> None:
    """Ask the node that serves this home to drain and stop, and wait until it has."""
    with admin() as node:
        node.shutdown()
    say(words("the node drains and stops"))
    _wait_until_free(home())
    say(words("stopped"))
    result({"stopped": True})


def _wait_until_free(found: Home) -> None:
    """Wait until nobody holds the home; raises HOME_LOCKED after the time that draining may take."""
    for remaining in range(int(STOP_LIMIT_S / STOP_POLL_S), -1, -1):
        try:
            found.lock().release()
            return
        except XinqiaoError:
            if not remaining:
                raise
        time.sleep(STOP_POLL_S)


@click.group("config", cls=Group)
@options
def config_group() -> None:
    """The settings in HOME/xinqiao.toml."""


@config_group.command("check")
@options
def config_check() -> None:
    """Check the settings and name every mistake."""
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    _, errors = check(found.path)
    for error in errors:
        shown = told(error)
        click.echo(f"{error.code}: {shown.text}", err=True)
        click.echo(words("  next: {next}", next=shown.next), err=True)
    if not errors:
        say(words("{file}: no mistake", file=found.config_file))
    result({"errors": [as_document(error) for error in errors]})
    if errors:
        raise click.exceptions.Exit(1)


@config_group.command("show")
@click.option(
    "--keys",
    "with_meaning",
    is_flag=True,
    help="Not the values, but every setting with its meaning and what is trusted.",
)
@options
def config_show(with_meaning: bool) -> None:
    """Show the settings in force."""
    if with_meaning:
        say(document(setting))
        result({"settings": document(setting)})
        return
    _, config = loaded()
    say(render(config))
    result({name: _setting(getattr(config, name)) for name in config.__slots__})


def _setting(value: object) -> object:
    if isinstance(value, Endpoint | Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


COMMANDS = (init, join_command, serve, stop, config_group)
