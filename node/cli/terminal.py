"""How the commands speak: prose and progress for people, one JSON document for programs, errors with a next step."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.message import Message
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from node.config import Config
from node.core.errors import XinqiaoError
from node.core.membership import fingerprint_of
from node.home import Home
from node.keys import Passphrase, find_passphrase
from node.rpc.admin_client import AdminClient
from node.texts import term, told, words
from node.texts.commands import SpokenCommand, SpokenGroup, lang_option

F = TypeVar("F", bound=Callable[..., Any])
HOME_KEY = "xinqiao.home"
JSON_KEY = "xinqiao.json"
PENDING = "waiting for: the officers to approve the descriptor with the fingerprint {fingerprint}"


class Command(SpokenCommand):
    """A command whose refusals are printed as code, text, who must act and the next command; exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except XinqiaoError as error:
            print_error(error)
        except OSError as error:
            print_error(XinqiaoError("FILE_ACCESS", file=error.filename, detail=error.strerror or error))
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
        callback=_keep_home,
        help="Folder of the node; or set XINQIAO_HOME.",
    )
    add_json = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_keep_json,
        help="One JSON document on stdout; progress and prose on stderr.",
    )
    return add_home(add_json(lang_option(command)))


def _keep_home(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.meta[HOME_KEY] = value


def _keep_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.meta[JSON_KEY] = True


def is_json() -> bool:
    """Whether one JSON document is asked for."""
    return bool(click.get_current_context().meta.get(JSON_KEY))


def home() -> Home:
    """The node's home, from this command, those before it, or the environment."""
    given = click.get_current_context().meta.get(HOME_KEY) or os.environ.get("XINQIAO_HOME")
    if not given:
        raise click.UsageError(words("give --home DIR, the node's folder, or set XINQIAO_HOME"))
    return Home(Path(given))


def loaded() -> tuple[Home, Config]:
    """The home and its settings; raises HOME_MISSING, CONFIG_*."""
    found = home()
    return found, found.load()


def passphrase_of(found: Home, config: Config | None) -> Passphrase | None:
    """The passphrase of the private keys, None when none is given."""
    return find_passphrase(config.passphrase_path(found.path) if config else None, os.environ)


def admin() -> AdminClient:
    """The admin service of the node that serves this home; raises HOME_MISSING, ADMIN_UNREACHABLE."""
    found = home()
    if not found.exists:
        raise XinqiaoError("HOME_MISSING", home=found.path)
    return AdminClient(found.path, found.socket())


# -- saying things -----------------------------------------------------------------------------------------


def say(*lines: str) -> None:
    """Tell a person something: on stdout, or on stderr where stdout is a JSON document."""
    for line in lines:
        click.echo(line, err=is_json())


def result(document: Any) -> None:
    """Print the command's one JSON document, where it is asked for."""
    if is_json():
        click.echo(json.dumps(document, ensure_ascii=False))


def print_error(error: XinqiaoError) -> None:
    """Print a refusal as the command's one document, and to people."""
    result({"error": as_document(error)})
    show_error(error)


def as_document(error: XinqiaoError) -> dict[str, object]:
    """A refusal as JSON: code and parameters are the same in every language, the texts are not."""
    shown = told(error)
    fixed: dict[str, object] = {"code": error.code, "parameters": error.parameters}
    return fixed | {"text": shown.text, "who": shown.who, "next": shown.next}


def show_error(error: XinqiaoError) -> None:
    """Tell people of a refusal: what failed, who must act, the next step."""
    shown = told(error)
    click.echo(f"{error.code}: {shown.text}", err=True)
    click.echo(words("  who must act: {who}", who=shown.who), err=True)
    click.echo(words("  next: {next}", next=shown.next), err=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Show rows to a person; title and columns are words of the catalogue."""
    shown = Table(title=term(title), box=box.SIMPLE, title_justify="left", title_style="bold")
    for column in columns:
        shown.add_column(term(column), overflow="fold")
    for row in rows:
        shown.add_row(*[str(cell) for cell in row])
    console = Console(stderr=is_json(), width=None if os.isatty(1) else 160)
    console.print(shown)


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on stderr; call what it gives with the amount done and a few words."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(label, total=total or None, words="")
        yield lambda done, words: shown.update(task, completed=done, words=words)


def when(unix_ms: int) -> str:
    """A time for people, in UTC; "never" for 0."""
    if not unix_ms:
        return term("never")
    return datetime.fromtimestamp(unix_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def fresh(unix_ms: int) -> str:
    """How fresh something is, in a sentence for people."""
    if not unix_ms:
        return words("not confirmed by a heartbeat yet")
    return words("fresh as of {time} UTC", time=when(unix_ms))


def pending_fingerprint(listed: str) -> str:
    """The fingerprint of this node's newest descriptor where the registry lists another one, else empty."""
    found = fingerprint_of(home().descriptor())
    return found if found != listed else ""


def grouped(fingerprint: str) -> str:
    """A fingerprint in groups of four, to be read aloud."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def plain(message: Message) -> dict[str, Any]:
    """A message as JSON: field names as in the protocol, hashes in hex, enumerations by name, every field present."""
    return {field.name: _plain_field(field, getattr(message, field.name)) for field in message.DESCRIPTOR.fields}


def _plain_field(field: Any, value: Any) -> Any:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return {str(key): _plain_value(entry.fields_by_name["value"], item) for key, item in sorted(value.items())}
    if field.is_repeated:
        return [_plain_value(field, item) for item in value]
    return _plain_value(field, value)


def _plain_value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return plain(value)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return value.hex() if isinstance(value, bytes) else value
