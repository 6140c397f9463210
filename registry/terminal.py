"""How the registry's commands speak: results on stdout, as prose or as one JSON document, errors with a next step."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from node.core.errors import XinqiaoError
from node.texts import told, words
from node.texts.commands import SpokenCommand, SpokenGroup, lang_option
from registry.store import Store

F = TypeVar("F", bound=Callable[..., Any])
MAX_PASSPHRASE_BYTES = 4096
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NODE_ID_HELP = "Id of the node, as `registry requests` or `registry show` lists it."


class Command(SpokenCommand):
    """A command whose refusals are printed as code, text, who must act and the next command; exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except XinqiaoError as error:
            _print_error(error)
        except OSError as error:
            _print_error(XinqiaoError("FILE_ACCESS", file=error.filename, detail=error.strerror or error))
        return ctx.exit(1)


class Group(SpokenGroup):
    """A group of such commands."""

    command_class = Command
    group_class = type


def options(command: F) -> F:
    """Add --home, --json and --lang to a command, which may also stand before it."""
    add_home = click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        callback=_keep,
        help="Folder of the registry; or set XINQIAO_HOME.",
    )
    add_json = click.option(
        "--json", is_flag=True, expose_value=False, callback=_keep, help="One JSON document on stdout, prose on stderr."
    )
    return add_home(add_json(lang_option(command)))


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # The innermost that was given counts; what stands before it fills in.
    if value:
        context.meta[f"xinqiao.{parameter.name}"] = value


def passphrase_option(variable: str) -> Callable[[F], F]:
    """Add --passphrase-file to a command; the environment variable stands in for it."""
    text = f"File with the key's passphrase; or set {variable}."
    return click.option("--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=text)


def passphrase(file: Path | None, variable: str) -> bytes | None:
    """The passphrase given for a key, None when none was given; raises ARGUMENT_INVALID for an empty one."""
    if file is None and variable not in os.environ:
        return None
    if file is not None:
        with file.open("rb") as opened:
            secret = opened.read(MAX_PASSPHRASE_BYTES).rstrip(b"\r\n")
    else:
        secret = os.environ[variable].encode()
    if not secret:
        # Whoever names a passphrase means it: an empty one must not leave a key unencrypted.
        raise XinqiaoError("ARGUMENT_INVALID", argument=file or variable, detail="the passphrase is empty")
    return secret


def home() -> Path:
    """The registry's home, from this command, from those before it, or from the environment."""
    given = _given("home") or os.environ.get("XINQIAO_HOME")
    if not given:
        raise click.UsageError(words("give --home DIR, the registry's folder, or set XINQIAO_HOME"))
    return Path(given)


def opened() -> Store:
    """The store in the given home; raises REGISTRY_HOME_MISSING."""
    store = Store(home())
    _ = store.name
    return store


def typed(fingerprint: str) -> str:
    """A fingerprint as people type it: groups, colons and capitals are all the same."""
    return fingerprint.replace(" ", "").replace(":", "").lower()


def is_json() -> bool:
    """Whether one JSON document is asked for."""
    return bool(_given("json"))


def _given(name: str) -> Any:
    # The command that these are mounted into keeps its own options under the same names.
    context = click.get_current_context()
    kept = context.meta.get(f"xinqiao.{name}")
    outer: click.Context | None = context
    while not kept and outer is not None:
        kept = outer.params.get(name)
        outer = outer.parent
    return kept


def say(*lines: str) -> None:
    """Tell a person something: on stdout, or on stderr where stdout is a JSON document."""
    for line in lines:
        click.echo(line, err=is_json())


def warn(*lines: str) -> None:
    """Tell a person what must not be overlooked, on stderr."""
    for line in lines:
        click.secho(line, err=True, bold=True)


def result(document: dict[str, Any]) -> None:
    """Print the command's one JSON document, where it is asked for."""
    if is_json():
        click.echo(json.dumps(document, ensure_ascii=False))


def _print_error(error: XinqiaoError) -> None:
    shown = told(error)
    texts = {"text": shown.text, "who": shown.who, "next": shown.next}
    result({"error": {"code": error.code, "parameters": error.parameters, **texts}})
    click.echo(f"{error.code}: {shown.text}", err=True)
    click.echo(words("  who must act: {who}", who=shown.who), err=True)
    click.echo(words("  next: {next}", next=shown.next), err=True)
