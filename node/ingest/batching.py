"""From rows to batches: judged by the validator that every receiver uses, and built into canonical records."""

from collections.abc import Iterable, Iterator, Mapping

from node.core.catalogue import Item, authority_of, natural_key, strip_never_public, subject_of
from node.core.doubts import Doubts, compile_doubts
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.record import Batch, Candidate, Defect, Rejection, Row, build_record, content_hash
from node.core.validation import Validator, compile_validator


def batches(
    rows: Iterable[Row],
    item: Item,
    disclosure: str,
    max_records: int,
    max_bytes: int,
    as_of: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Batch]:
    """Yield the rows as batches of at most max_records rows and max_bytes of content, in the order of the file.

    disclosure and as_of are those of `compile_validator`. For class A the values that may never be public are
    taken out first, so that neither judgement nor signature ever sees them. A batch holds at least one row, and rows
    of one sheet only.
    """
    validate, doubt = compile_validator(item, disclosure, as_of), compile_doubts(item)
    public = disclosure == "A"
    candidates: list[Candidate] = []
    rejections: list[Rejection] = []
    size = 0
    sheet = None
    for row in rows:
        outcome = _judge(row, item, public, validate, doubt, limits)
        grown = _size(outcome)
        held = len(candidates) + len(rejections)
        if held >= max_records or (held and (size + grown > max_bytes or row.sheet is not sheet)):
            yield Batch(tuple(candidates), tuple(rejections), sheet)
            candidates, rejections, size = [], [], 0
        sheet = row.sheet
        size += grown
        if isinstance(outcome, Candidate):
            candidates.append(outcome)
        else:
            rejections.append(outcome)
    if candidates or rejections:
        yield Batch(tuple(candidates), tuple(rejections), sheet)


def _size(outcome: Candidate | Rejection) -> int:
    """Return what an outcome adds to a batch: record bytes, or the text of a row that goes back."""
    if isinstance(outcome, Candidate):
        return len(outcome.record)
    return sum(map(len, outcome.values.values()))


def _judge(
    row: Row, item: Item, public: bool, validate: Validator, doubt: Doubts, limits: Limits
) -> Candidate | Rejection:
    if row.defect is not None:
        return Rejection(row.number, (row.defect,), row.values)
    by_code = item.by_code
    values: Mapping[int, str] = {by_code[code].number: text for code, text in row.values.items()}
    if public:
        values = strip_never_public(item, values)
    defects = validate(values)
    if defects:
        return Rejection(row.number, defects, row.values)
    record = build_record(item.id, values)
    if len(record) > limits.max_record_bytes:
        params = {"size": len(record), "limit": limits.max_record_bytes}
        return Rejection(row.number, (Defect("RECORD_TOO_LARGE", params=params),), row.values)
    return Candidate(
        row=row.number,
        record=record,
        key=natural_key(item, values),
        content_hash=content_hash(record),
        subject=subject_of(item, values),
        authority=authority_of(item, values),
        doubts=doubt(values),
    )
