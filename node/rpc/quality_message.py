"""The quality figures of a channel as they travel."""

from node.core.catalogue import Item
from node.pb import admin_service_pb2 as pb
from node.quality import Quality


def quality_message(found: Quality, item_id: str, item: Item | None) -> pb.GetQualityResponse:
    """The figures with their counts; item is None where the edition in force lacks it."""
    tally, rows = found.tally, found.rows
    return pb.GetQualityResponse(
        channel=found.channel,
        month=found.month,
        item=item_id,
        months=found.months,
        figures=[pb.QualityFigure(name=each.name, good=each.good, total=each.total) for each in found.figures],
        records=tally.records,
        unreadable=tally.unreadable,
        fields=[_fill(found, code, item) for code in sorted(tally.applicable)],
        defects=[pb.CodeCount(code=code, count=count) for code, count in sorted(tally.defects.items())],
        days=[pb.DayCount(days=days, count=count) for days, count in sorted(tally.days.items())],
        duty_days=found.duty_days or 0,
        late=tally.late,
        provisional=tally.provisional,
        rows_offered=rows.offered,
        rows_rejected=rows.rejected,
        rows_flagged=rows.flagged,
        revised=found.corrections.revised,
        erased=found.corrections.erased,
        counted=found.counted,
        entries=found.entries,
    )


def _fill(found: Quality, code: str, item: Item | None) -> pb.FieldFill:
    field = item.by_code.get(code) if item is not None else None
    return pb.FieldFill(
        code=code,
        title_zh=field.title_zh if field is not None else "",
        title_en=field.title_en if field is not None else "",
        filled=found.tally.filled[code],
        applicable=found.tally.applicable[code],
    )
