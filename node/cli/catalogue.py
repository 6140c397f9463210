"""`xinqiao catalogue`: what may be exchanged, with which fields, and what an edition changes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from node.cli.terminal import Command, Group, admin, options, result, say, table
from node.core.catalogue import Edition, Field, Item, key_parts, parse_edition
from node.core.catalogue_changes import Change, changes
from node.core.errors import XinqiaoError
from node.ingest.field_texts import format_text, remarks_of, required_text, values_of
from node.pb import admin_service_pb2 as pb
from node.rpc.admin_client import AdminClient
from node.texts import is_chinese, joined, term, words

VERSION_HELP = "Edition of the catalogue; the one in force unless given."
ITEM_HELP = "Item of the catalogue, e.g. penalty.2018."
DIFF_HELP = "Editions known here, at most two, and items to look at."
AGAINST_HELP = "An edition that is not published yet, a JSON file."


@click.group("catalogue", cls=Group)
@options
def catalogue() -> None:
    """What may be exchanged, with which fields, and what an edition changes."""


@catalogue.command("list", cls=Command)
@click.option("--version", default="", metavar="VERSION", help=VERSION_HELP)
@options
def list_command(version: str) -> None:
    """List the items of a catalogue edition, with the classes of disclosure they may be published in."""
    with admin() as node:
        found = node.edition(version)
    edition = parse_edition(found.edition)
    _say_edition(edition, found)
    rows = [_row(item) for item in edition.items.values()]
    table("catalogue", ("item", "Chinese name", "English name", "classes", "fields"), rows)
    say(words("editions of the catalogue known here: {versions}", versions=joined(found.known_versions)))
    say(words("next: xinqiao catalogue show ITEM"))
    result(_head(edition, found) | {"items": [_item_line(item) for item in edition.items.values()]})


def _say_edition(edition: Edition, found: pb.GetCatalogueResponse) -> None:
    named = {"version": edition.version, "date": edition.in_force_from}
    if edition.version == found.version_in_force:
        say(words("catalogue {version}, in force since {date}", **named))
    else:
        say(words("catalogue {version}, dated {date}; in force is {other}", **named, other=found.version_in_force))


def _row(item: Item) -> list[object]:
    return [item.id, item.title_zh, item.title_en, joined(item.disclosure), len(item.fields)]


def _item_line(item: Item) -> dict[str, object]:
    titles = {"id": item.id, "title_zh": item.title_zh, "title_en": item.title_en}
    return titles | {"disclosure": list(item.disclosure), "fields": len(item.fields)}


def _head(edition: Edition, found: pb.GetCatalogueResponse) -> dict[str, object]:
    return {
        "version": edition.version,
        "in_force_from": edition.in_force_from,
        "version_in_force": found.version_in_force,
        "known_versions": list(found.known_versions),
    }


@catalogue.command("show", cls=Command)
@click.argument("item", help=ITEM_HELP)
@click.option("--version", default="", metavar="VERSION", help=VERSION_HELP)
@options
def show(item: str, version: str) -> None:
    """Show an item: what tells its records apart, who may see them, and each field with its code and form.

    Columns of a file may be headed by the code, the Chinese name or what a field is also called.
    """
    with admin() as node:
        found = node.edition(version)
    edition = parse_edition(found.edition)
    shown = edition.item(item)
    _say_edition(edition, found)
    _say_item(shown)
    rows = [_field_row(shown, field) for field in shown.fields]
    table("fields", ("no.", "code", "name", "also called", "must it be filled in", "format", "values", "remarks"), rows)
    raw = next(each for each in json.loads(found.edition)["items"] if each["id"] == item)
    key = {role: list(codes) for role, codes in key_parts(shown).items()}
    result(_head(edition, found) | {"item": raw, "key_parts": key})


def _say_item(item: Item) -> None:
    say(f"{item.id}  {item.title_zh if is_chinese() else f'{item.title_zh} {item.title_en}'}")
    say(words("  content: {text}", text=item.content))
    say(words("  to be entered: {text}", text=item.entry_rule))
    years = item.query_period_years
    say(words("  may be queried for {years} years", years=years) if years else words("  may be queried while in force"))
    say(words("  classes of disclosure: {classes}", classes=joined(item.disclosure)))
    told = joined(_part(role, codes) for role, codes in key_parts(item).items())
    say(words("  two rows are the same record where these agree: {key}", key=told))
    passed_over = [f"{one.heading} ({joined(one.only)})" if one.only else one.heading for one in item.passed_over]
    if passed_over:
        say(words("  columns passed over: {headings}", headings=joined(passed_over)))
    say(words("  source: {text}", text=item.source))


def _part(role: str, codes: Sequence[str]) -> str:
    return f"{term(role)} {'/'.join(codes)}"


def _field_row(item: Item, field: Field) -> list[object]:
    name = field.title_zh if is_chinese() else f"{field.title_zh} {field.title_en}"
    # Key roles stand first: they say what a changed cell does to a record.
    roles = [words("part of the key") for codes in key_parts(item).values() if field.code in codes]
    remarks = "\n".join([*roles, *remarks_of(field)])
    cells: list[object] = [field.number, field.code, name, "\n".join(field.aliases), required_text(field)]
    return [*cells, format_text(field), "\n".join(values_of(field)), remarks]


# -- what an edition changes ---------------------------------------------------------------------------------


@catalogue.command("diff", cls=Command)
@click.argument("what", nargs=-1, metavar="[EDITION [EDITION]] [ITEM]...", help=DIFF_HELP)
@click.option("--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=AGAINST_HELP)
@options
def diff(what: tuple[str, ...], against: Path | None) -> None:
    """Tell what one edition of the catalogue changes of another: items, fields, values, headings.

    Without editions, the one in force is compared with the one before it; with one, that one with the one in force;
    with --against, the one named, or in force, with the one in the file. Items confine it to themselves.
    """
    with admin() as node:
        before, after, items = _pair(node, what, against)
    if before is None:
        say(words("only one edition of the catalogue is known here: {version}", version=after.version))
        result({"before": None, "after": after.version, "changes": []})
        return
    found = [each for each in changes(before, after) if not items or each.item in items]
    _say_changes(before, after, found)
    result({"before": before.version, "after": after.version, "changes": [_change_document(each) for each in found]})


def _pair(
    node: AdminClient, what: Sequence[str], against: Path | None
) -> tuple[Edition | None, Edition, Sequence[str]]:
    """The two editions to compare, the earlier one first, and the items to confine it to."""
    current = node.edition()
    known = list(current.known_versions)
    named, items = _told_apart(what, known)
    if against is not None:
        base = node.edition(named[0]) if named else current
        pair = (parse_edition(base.edition), parse_edition(against.read_bytes()))
    else:
        place = known.index(current.version)
        chosen = named or known[max(place - 1, 0) : place] or known[place + 1 : place + 2]
        if not chosen:
            return None, parse_edition(current.edition), items
        first, last = (chosen[0], chosen[1] if len(chosen) > 1 else current.version)
        pair = (parse_edition(node.edition(first).edition), parse_edition(node.edition(last).edition))
    _check_items(items, pair)
    return *pair, items


def _told_apart(what: Sequence[str], known: Sequence[str]) -> tuple[list[str], list[str]]:
    """The editions and the items among the arguments; items begin with a letter. Raises CATALOGUE_UNKNOWN."""
    named = [each for each in what if not each[:1].isalpha()]
    unknown = [each for each in named if each not in known]
    if unknown:
        raise XinqiaoError("CATALOGUE_UNKNOWN", version=unknown[0][:64], known=", ".join(known))
    if len(named) > 2:
        raise XinqiaoError("ARGUMENT_INVALID", argument="EDITION", detail="at most two editions are compared")
    return named, [each for each in what if each[:1].isalpha()]


def _check_items(items: Sequence[str], pair: tuple[Edition, Edition]) -> None:
    """Refuse an item that neither edition has; raises RECORD_ITEM_UNKNOWN."""
    for item in items:
        if item not in pair[0].items:
            pair[1].item(item)


def _say_changes(before: Edition, after: Edition, found: Sequence[Change]) -> None:
    named = {"before": before.version, "after": after.version}
    if not found:
        say(words("{after} changes nothing of {before}", **named))
        return
    say(words("{after} against {before}: {count} changes", **named, count=len(found)))
    table("changes", ("item", "field", "what", "change", "before", "after"), list(map(_change_row, found)))


def _change_row(change: Change) -> list[object]:
    return [change.item, change.field, _aspect(change), term(change.kind), change.before, change.after]


def _aspect(change: Change) -> str:
    return term(ASPECTS[change.aspect]) if change.aspect else term("field") if change.field else term("item")


def _change_document(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in ("kind", "item", "field", "aspect", "before", "after")}


ASPECTS: Mapping[str, str] = {
    "title_zh": "Chinese name",
    "title_en": "English name",
    "content": "content",
    "entry_rule": "to be entered",
    "query_period_years": "query period in years",
    "source": "source",
    "disclosure": "classes",
    "key.authority": "key: authority",
    "key.document": "key: document",
    "passed_over": "column passed over",
    "code": "code",
    "name": "internal name",
    "type": "type",
    "max_chars": "greatest length",
    "required": "must it be filled in",
    "condition": "condition",
    "separators": "separators",
    "never_public": "never public",
    "not_future": "not after today",
    "not_before": "not before",
    "basis": "basis",
    "long_term": "date of no end",
    "aliases": "also called",
    "values": "value",
}
"""Words for the keys of an edition."""


COMMANDS = (catalogue,)
