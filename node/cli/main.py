"""`xinqiao`: the group of all commands, and the place where other packages add theirs."""

from importlib.metadata import entry_points

import click

from node.cli import (
    bench,
    bench_catchup,
    bench_checks,
    bench_exchange,
    bench_idle,
    catalogue,
    channels,
    checks,
    clients,
    delivery,
    doctor,
    evidence,
    forecast,
    holds,
    keys,
    lifecycle,
    list_changes,
    list_reading,
    lists,
    measures,
    officer,
    progress,
    publishing,
    quality,
    reading,
    record,
    rules,
    simulate,
)
from node.cli.terminal import Group, options

ELSEWHERE = "xinqiao.commands"
"""The entry points under which other packages add commands; node itself imports none of them."""


class Root(Group):
    """The group of all commands; those of other packages are loaded only when they are called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *entry_points(group=ELSEWHERE).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found: click.Command | None = None
        for point in entry_points(group=ELSEWHERE, name=cmd_name):
            found = point.load()
        return found


@click.group(cls=Root, context_settings={"max_content_width": 110})
@click.version_option(package_name="xinqiao", prog_name="xinqiao")
@options
def main() -> None:
    """Exchange signed public credit records with other platforms, with proof and without a central database.

    \b
    Join a network:      xinqiao init ... ; xinqiao join ... ; xinqiao serve
    Publish records:     xinqiao channel create ... ; xinqiao publish CHANNEL FILE...
    Hand out a form:     xinqiao template ITEM -o FILE.xlsx
    See what is asked:   xinqiao catalogue list | show ITEM | diff ; xinqiao rules list
    What lists may do:   xinqiao measures list ; xinqiao matters list
    Look things up:      xinqiao status | peers | channel list | channel show CHANNEL | records
    Act on a record:     xinqiao record repair|correct|withdraw|suspend|resume REF --decision DOCNO --reason TEXT
    Check a subject:     xinqiao check --subject CODE --matter MATTER ... ; who has asked: xinqiao queries
    Decide by two:       xinqiao officer add NAME ; xinqiao holds list | show | release | refuse HOLD
    Keep a joint list:   xinqiao list define FILE | add LIST | exit LIST ENTRY | pending | approve CHANGE | show LIST
    How far it has come: xinqiao progress [--watch]
    How good it is:      xinqiao quality CHANNEL
    Find what is wrong:  xinqiao doctor ; see what ends soon: xinqiao forecast
    Prove one record:    xinqiao prove ... ; xinqiao verify FILE --root-fingerprint HEX
    Run a registry:      xinqiao registry --help
    Simulate a network:  xinqiao simulate SCENARIO --runs COUNT
    Measure it:          xinqiao bench removal

    Every command takes --home DIR (or XINQIAO_HOME) and --json. Exit status: 0 done, 1 refused or failed, 2 usage.
    """


GROUPS = (
    *(
        lifecycle,
        channels,
        publishing,
        record,
        lists,
        list_changes,
        list_reading,
        checks,
        clients,
        delivery,
        reading,
        progress,
        quality,
        doctor,
    ),
    *(forecast, rules, catalogue, measures, evidence, keys, officer, holds, simulate, bench),
)
for group in GROUPS:
    for command in group.COMMANDS:
        main.add_command(command)
for measurement in (bench_catchup, bench_checks, bench_exchange, bench_idle):
    for command in measurement.COMMANDS:
        bench.bench.add_command(command)
