"""`xinqiao measures` and `xinqiao matters`: what lists may attach, and who may ask about what."""

import click

from node.cli.terminal import Command, Group, admin, options, plain, result, say, table
from node.core.measures import KIND_NAMES, MeasureKind
from node.pb import admin_service_pb2 as pb
from node.texts import is_chinese, joined, law, term, words

MEASURES_HELP = "Edition of the measures; the one in force unless given."
MATTERS_HELP = "Edition of the matters; the one in force unless given."


@click.group("measures", cls=Group)
@options
def measures() -> None:
    """Which measures lists may attach: what no published edition has, nobody may carry out."""


@measures.command("list", cls=Command)
@click.option("--version", default="", metavar="VERSION", help=MEASURES_HELP)
@options
def list_measures(version: str) -> None:
    """List the measures of an edition, each with its law and article."""
    with admin() as node:
        found = node.measures(version)
    if _say_edition(found, term("measures"), words("without an edition no measure may be carried out")):
        columns = ("code", "what it does", "kind", "legal basis", "must rest on")
        table("measures", columns, [_measure_row(measure) for measure in found.measures])
    result(plain(found))


def _measure_row(measure: pb.Measure) -> list[object]:
    kind = term(KIND_NAMES[MeasureKind(measure.kind)])
    requires = term(measure.requires) if measure.requires else "-"
    return [measure.code, _title(measure), kind, law(f"{measure.basis} {measure.article}"), requires]


def _title(named: pb.Measure | pb.Matter) -> str:
    return named.title_zh if is_chinese() else named.title_en


@click.group("matters", cls=Group)
@options
def matters() -> None:
    """In which matters subjects may be checked, by whom and about what."""


@matters.command("list", cls=Command)
@click.option("--version", default="", metavar="VERSION", help=MATTERS_HELP)
@options
def list_matters(version: str) -> None:
    """List the matters of an edition: who may ask in them, about which items, measures and lists."""
    with admin() as node:
        found = node.matters(version)
    if _say_edition(found, term("matters"), words("without an edition nobody may be checked")):
        columns = ("code", "matter", "units that may ask", "items", "measures", "lists")
        table("matters", columns, [_matter_row(matter) for matter in found.matters])
    result(plain(found))


def _matter_row(matter: pb.Matter) -> list[object]:
    asked = ("\n".join(each) or "-" for each in (matter.units, matter.items, matter.measures, matter.lists))
    return [matter.code, _title(matter), *asked]


def _say_edition(found: pb.ListMeasuresResponse | pb.ListMattersResponse, what: str, otherwise: str) -> bool:
    """Say which edition this is; False where there is none."""
    named = {"what": what, "version": found.version, "date": found.in_force_from}
    if not found.version:
        say(words("no edition of the {what} is in force here: {otherwise}", what=what, otherwise=otherwise))
    elif found.version == found.version_in_force:
        say(words("{what} {version}, in force since {date}", **named))
    else:
        other = found.version_in_force or term("none")
        say(words("{what} {version}, dated {date}; in force is {other}", **named, other=other))
    say(words("editions of the {what} known here: {versions}", what=what, versions=joined(found.known_versions) or "-"))
    return bool(found.version)


COMMANDS = (measures, matters)
