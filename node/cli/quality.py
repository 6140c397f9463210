"""`xinqiao quality`: how complete, timely, standardised and accurate a channel is."""

from typing import Any

import click

from node.cli.channels import CHANNEL_HELP
from node.cli.terminal import Command, admin, options, plain, result, say, table
from node.core.quality import DAYS_COUNTED, MANY, days_at
from node.pb import admin_service_pb2 as pb
from node.texts import is_chinese, joined, term, words

FIELDS_SHOWN = 12
NO_FIGURE = "-"


@click.command("quality", cls=Command)
@click.argument("channel", metavar="CHANNEL", help=CHANNEL_HELP)
@click.option("--month", default="", metavar="YYYY-MM", help="Only what was published in this month.")
@options
def quality(channel: str, month: str) -> None:
    """Show the quality figures of a channel: completeness, timeliness, standardisation, accuracy.

    Completeness: optional fields filled in, of those that apply. Timeliness: records published within the term of the
    rules. Standardisation: rows neither returned nor flagged, of those offered to this node; of other nodes' channels
    the records that conform. Accuracy: records that nobody has corrected since.
    """
    with admin() as node:
        found = node.quality(channel, month)
    _say(found)
    result(_document(found))


def _say(found: pb.GetQualityResponse) -> None:
    period = found.month or term("all months")
    say(words("quality of {channel} ({item}), {period}", channel=found.channel, item=found.item, period=period))
    if found.counted < found.entries:
        say(words("counted so far: {counted} of {entries} entries", counted=found.counted, entries=found.entries))
    table("figures", ("figure", "share", "counted"), [_figure(each) for each in found.figures])
    _say_counts(found)
    least = sorted(_gaps(found), key=lambda each: (each.filled / each.applicable, each.code))[:FIELDS_SHOWN]
    if least:
        table("fields often left out", ("field", "title", "share", "counted"), [_field(each) for each in least])
    if found.months:
        say(words("months counted: {months}", months=joined(map(term, found.months))))


def _figure(figure: pb.QualityFigure) -> list[object]:
    return [term(figure.name), _share(figure.good, figure.total), _counted(figure.good, figure.total)]


def _share(good: int, total: int) -> str:
    """Cut, not rounded: 100 % means that nothing is missing."""
    return f"{good * 1000 // total / 10:.1f} %" if total else NO_FIGURE


def _counted(good: int, total: int) -> str:
    return f"{good}/{total}" if total else NO_FIGURE


def _say_counts(found: pb.GetQualityResponse) -> None:
    days = {each.days: each.count for each in found.days}
    if days:
        half, most = (_days(days_at(days, percent)) for percent in (50, 90))
        say(words("published after the decision: half {half}, 90 % {most}", half=half, most=most))
    if found.duty_days:
        say(words("term of the rules: {days} working days; late: {late}", days=found.duty_days, late=found.late))
    if found.provisional:
        say(words("the calendar of working days does not know every day for {count}", count=found.provisional))
    if found.rows_offered:
        rows = {"offered": found.rows_offered, "rejected": found.rows_rejected, "flagged": found.rows_flagged}
        say(words("rows offered {offered}, returned {rejected}, published with a flag {flagged}", **rows))
    counts = {"records": found.records, "revised": found.revised, "erased": found.erased}
    say(words("records {records}, corrected since: {revised} revised, {erased} erased", **counts))
    if found.defects:
        say(words("do not conform: {codes}", codes=joined(f"{each.code} {each.count}" for each in found.defects)))


def _days(days: int | None) -> str:
    if days == MANY:
        return words("after more than {days} working days", days=DAYS_COUNTED)
    return words("within {days} working days", days=days)


def _gaps(found: pb.GetQualityResponse) -> list[pb.FieldFill]:
    return [each for each in found.fields if each.filled < each.applicable]


def _field(field: pb.FieldFill) -> list[object]:
    title = field.title_zh if is_chinese() else field.title_en
    return [field.code, title, _share(field.filled, field.applicable), _counted(field.filled, field.applicable)]


def _document(found: pb.GetQualityResponse) -> dict[str, Any]:
    document = plain(found)
    for figure in document["figures"]:
        figure["ratio"] = round(figure["good"] / figure["total"], 6) if figure["total"] else None
    return document


COMMANDS = (quality,)
