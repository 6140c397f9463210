"""The group of all commands: what it lists, and what a command does not have to wait for."""

import subprocess
import sys

import click

from node.cli.main import main

SLOW = ("node.app", "registry", "sqlalchemy")


def names(arguments: list[str]) -> set[str]:
    """The slow modules that a fresh process has loaded once the command has run."""
    code = (
        "import sys\nfrom node.cli.main import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print(*[name for name in {SLOW!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_a_command_of_the_node_waits_for_neither_the_app_nor_the_registry() -> None:
    assert names(["peers", "--help"]) == set()
    assert names(["registry", "--help"]) == {"registry"}


def test_commands_of_other_packages_are_listed_and_found() -> None:
    context = click.Context(main)
    listed = main.list_commands(context)
    assert listed == sorted(set(listed))
    assert {"registry", "init", "serve"} <= set(listed)
    found = main.get_command(context, "registry")
    assert isinstance(found, click.Group)
    assert "sign" in found.commands


def test_a_command_nobody_has_is_none() -> None:
    assert main.get_command(click.Context(main), "registr") is None
