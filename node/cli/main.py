"""`xinqiao`: the group of all commands, and the place where other packages add theirs."""

from importlib.metadata import entry_points, version

import click

from node.cli import channels, evidence, keys, lifecycle, publishing, reading
from node.cli.terminal import Group, options


@click.group(cls=Group, context_settings={"max_content_width": 110})
@click.version_option(version("xinqiao"), prog_name="xinqiao")
@options
def main() -> None:
    """Exchange signed public credit records with other platforms, with proof and without a central database.

    \b
    Join a network:      xinqiao init ... ; xinqiao join ... ; xinqiao serve
    Publish records:     xinqiao channel create ... ; xinqiao publish CHANNEL FILE...
    Look things up:      xinqiao status | peers | channel list | channel show CHANNEL | records
    Prove one record:    xinqiao prove ... ; xinqiao verify FILE --root-fingerprint HEX
    Run a registry:      xinqiao registry --help

    Every command takes --home DIR (or XINQIAO_HOME) and --json. Exit status: 0 done, 1 refused or failed, 2 usage.
    """


for group in (lifecycle, channels, publishing, reading, evidence, keys):
    for command in group.COMMANDS:
        main.add_command(command)

for found in sorted(entry_points(group="xinqiao.commands"), key=lambda point: point.name):
    main.add_command(found.load(), found.name)
