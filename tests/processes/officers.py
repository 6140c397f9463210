"""Officers of a node in process tests: each with a passphrase of his own, in a file that only he reads."""

from pathlib import Path
from typing import Any

from tests.processes.commands import Command
from tests.processes.network import Town, done


def passphrase_of(town: Town, name: str) -> Path:
    """The file with an officer's passphrase, which no log may show."""
    path = town.folder / f"{name}.passphrase"
    if not path.exists():
        path.touch(0o600)
        path.write_text(f"correct horse {name}\n", "utf-8")
        town.secrets.append(f"correct horse {name}")
    return path


def add(town: Town, node: str, *names: str) -> list[dict[str, Any]]:
    """Add officers while the node's own key may sign along."""
    return [town.run(node, "officer", "add", name, "--passphrase-file", passphrase_of(town, name)) for name in names]


def offline(town: Town, name: str, *argv: object) -> dict[str, Any]:
    """Run a command of an officer's own that needs no node."""
    return done(started(town, name, *argv))


def started(town: Town, name: str, *argv: object) -> Command:
    """Start such a command."""
    return town.commands.start(*argv, "--passphrase-file", passphrase_of(town, name), "--json")
