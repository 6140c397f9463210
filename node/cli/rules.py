"""`xinqiao rules`: which inclusion rules hold at this node, and by which of them a record was judged."""

import json
import re
from collections.abc import Mapping, Sequence

import click

from node.cli.terminal import Command, Group, admin, options, plain, result, say, table
from node.core.errors import XinqiaoError, from_refusal
from node.pb import admin_service_pb2 as pb
from node.pb import record_pb2
from node.texts import is_chinese, joined, law, term, told, words

VERSION_HELP = "Edition of the rules; the one in force unless given."
JUDGED_BY_HELP = "Edition to judge by; the one that the record's entry names unless given."
REF_HELP = "Place of the record as `xinqiao records` heads it."
_REF = re.compile(r"([0-9a-z-]+/[^\s]+?)[\s/]+(\d{1,18})/(\d{1,18})/(\d{1,9})")


@click.group("rules", cls=Group)
@options
def rules() -> None:
    """Which inclusion rules hold here, and what they said of a record."""


@rules.command("list", cls=Command)
@click.option("--version", default="", metavar="VERSION", help=VERSION_HELP)
@options
def list_command(version: str) -> None:
    """List the inclusion rules, with their effects and whether they hold for records of this node."""
    with admin() as node:
        found = node.rules(pb.ListRulesRequest(version=version))
    named = {"version": found.version, "date": found.in_force_from, "day": found.as_of}
    division = found.division or "-"
    say(words("rules {version}, in force from {date}, as of {day} in {division}", **named, division=division))
    table("rules", ("rule", "what it says", "effects", "holds here"), [_row(rule) for rule in found.rules])
    say(words("editions known here: {versions}", versions=joined(found.known_versions)))
    result(_document(found))


def _row(rule: pb.Rule) -> list[object]:
    effects = dict.fromkeys(term(each.effect) for each in rule.provisions)
    here = any(each.holds_here for each in rule.provisions)
    shown = term("held elsewhere") if not rule.provisions else term("yes") if here else term("no")
    return [rule.id, _title(rule), joined(effects) or "-", shown]


def _title(rule: pb.Rule | pb.AppliedRule) -> str:
    return rule.title_zh if is_chinese() else rule.title_en


@rules.command("show", cls=Command)
@click.argument("rule", help="Id of the rule, e.g. R-INC-4.")
@click.option("--version", default="", metavar="VERSION", help=VERSION_HELP)
@options
def show(rule: str, version: str) -> None:
    """Show one rule: each of its provisions with articles, dates, scope and parameters."""
    with admin() as node:
        found = node.rules(pb.ListRulesRequest(rule=rule.upper(), version=version))
    for each in found.rules:
        say(f"{each.id}  {_title(each)}")
        for provision in each.provisions:
            _show_provision(provision)
        if each.articles:
            say(words("  articles: {articles}", articles=joined(map(law, each.articles))))
        if each.elsewhere:
            say(words("  held elsewhere: {text}", text=each.elsewhere))
    result(_document(found))


def _show_provision(provision: pb.Provision) -> None:
    where = joined(term("the whole network") if each == "00" else each for each in provision.jurisdictions)
    time = f"{provision.valid_from} – {provision.valid_to}"
    say(words("  {effect} in {where}, {time}: {predicate}", **_named(provision), where=where, time=time))
    scope = [*provision.items, *provision.subjects, *provision.disclosure]
    if scope:
        say(words("    only for: {scope}", scope=joined(scope)))
    for name, value in json.loads(provision.parameters_json).items():
        say(f"    {name} = {_value(value)}")
    say(words("    articles: {articles}", articles=joined(map(law, provision.articles))))


def _named(provision: pb.Provision) -> dict[str, str]:
    return {"effect": term(provision.effect), "predicate": provision.predicate}


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return joined(f"{key}: {each}" for key, each in value.items())
    return joined(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


@rules.command("explain", cls=Command)
@click.argument("ref", nargs=-1, required=True, help=REF_HELP)
@click.option("--version", default="", metavar="VERSION", help=JUDGED_BY_HELP)
@options
def explain(ref: tuple[str, ...], version: str) -> None:
    """Explain by which rules a record in force was judged, as of when and with which effect.

    The law of the region it comes from and that of this node's region both count. Needs no network.
    """
    with admin() as node:
        found = node.explain_record(pb.ExplainRecordRequest(ref=parse_ref(" ".join(ref)), version=version))
    _say_judgement(found)
    result(plain(found))


def parse_ref(text: str) -> record_pb2.RecordRef:
    """The place of a record as people write it, CHANNEL EPOCH/INDEX/POSITION; raises ARGUMENT_INVALID."""
    match = _REF.fullmatch(text.strip())
    if match is None:
        detail = f"{text[:80]!r} is no CHANNEL EPOCH/INDEX/POSITION"
        raise XinqiaoError("ARGUMENT_INVALID", argument="REF", detail=detail)
    epoch, index, position = (int(match[group]) for group in (2, 3, 4))
    return record_pb2.RecordRef(channel=match[1], epoch=epoch, index=index, position=position)


def ref_text(ref: record_pb2.RecordRef) -> str:
    """The place of a record as `parse_ref` reads it."""
    return f"{ref.channel} {ref.epoch}/{ref.index}/{ref.position}"


def _say_judgement(found: pb.ExplainRecordResponse) -> None:
    named = {"item": found.item, "disclosure": found.disclosure, "day": found.as_of, "version": found.version}
    place = ref_text(found.ref)
    say(words("{place}  {item}, class {disclosure}, judged as of {day} by the rules {version}", place=place, **named))
    if found.version != found.entry_version:
        say(words("  its entry names the rules {version}", version=found.entry_version or "-"))
    rows = [_applied(each, found) for each in found.rules]
    table("rules applied", ("rule", "what it says", "law of", "effect", "why"), rows)
    if found.due:
        rows = [_due(each) for each in found.due]
        table("terms", ("rule", "what is owed", "runs from", "due by", "certain"), rows)


def _applied(rule: pb.AppliedRule, found: pb.ExplainRecordResponse) -> list[object]:
    regions = dict.fromkeys(
        [
            *([found.origin_division or term("the whole network")] if rule.of_origin else []),
            *([found.division or term("the whole network")] if rule.of_receiver else []),
        ]
    )
    has_effect = rule.HasField("verdict")
    why = told(from_refusal(rule.verdict)).text if has_effect else law(rule.article)
    if rule.reviewed:
        why = words("released by two officers of the origin ({said}); {why}", said=rule.reviewed, why=why)
    return [rule.rule, _title(rule), joined(regions), term(rule.effect) if has_effect else term("none"), why]


def _due(due: pb.DueDay) -> list[object]:
    certain = term("no: the calendar ends before it") if due.provisional else term("yes")
    return [due.rule, due.duty_zh if is_chinese() else due.duty_en, due.start, due.day, certain]


def _document(found: pb.ListRulesResponse) -> dict[str, object]:
    document = plain(found)
    for rule in document["rules"]:
        for provision in rule["provisions"]:
            provision["parameters"] = json.loads(provision.pop("parameters_json"))
    return document


COMMANDS = (rules,)
