"""From rows to batches: judged by the validator that every receiver uses, and built into canonical records."""

from collections.abc import Iterable, Iterator, Mapping

from node.core.catalogue import Item, compile_identity, strip_never_public
from node.core.doubts import compile_doubts, flagged
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.record import Batch, Candidate, Defect, Rejection, Row, build_record, content_hash
from node.core.rules import VERSION_1, Law, Verdict
from node.core.rules_edition import Effect
from node.core.slot_reading import compile_slot_reader
from node.core.validation import compile_validator

_VERSION_1 = Law(VERSION_1)


def batches(
    rows: Iterable[Row],
    item: Item,
    disclosure: str,
    max_records: int,
    max_bytes: int,
    as_of: str = "",
    limits: Limits = DEFAULT_LIMITS,
    law: Law = _VERSION_1,
) -> Iterator[Batch]:
    """Yield the rows as batches of at most max_records rows and max_bytes of content, in the order of the file.

    disclosure and as_of are those of `compile_validator`; law is what the rows are judged by besides. For class A the
    values that may never be public are taken out first, so that neither judgement nor signature ever sees them. A
    batch holds at least one row, and rows of one sheet only.
    """
    judge = _Judgement(item, disclosure, as_of, law, limits)
    candidates: list[Candidate] = []
    rejections: list[Rejection] = []
    size = 0
    sheet = None
    for row in rows:
        outcome = judge(row)
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


def _no_verdict(_: Mapping[int, str]) -> tuple[Verdict, ...]:
    return ()


class _Judgement:
    """Turns rows into records or rejections, with everything about the item looked up once."""

    def __init__(self, item: Item, disclosure: str, as_of: str, law: Law, limits: Limits) -> None:
        self._item = item
        self._limits = limits
        self._public = disclosure == "A"
        self._declared = law.declared_values(item)
        blocking = law.judge(item, disclosure, as_of, Effect.REJECT, Effect.HOLD)
        self._at_once = compile_slot_reader(item, disclosure, as_of, blocking)
        self._validate = compile_validator(item, disclosure, as_of, law.judge(item, disclosure, as_of, Effect.REJECT))
        self._holds = law.judge(item, disclosure, as_of, Effect.HOLD)
        self._check_content = compile_validator(item, disclosure, as_of, _no_verdict)
        self._flags = law.judge(item, disclosure, as_of, Effect.FLAG)
        self._doubt = compile_doubts(item)
        self._identify = compile_identity(item)
        self._told: dict[int, Defect] = {}
        self._same: dict[tuple[int, ...], tuple[Defect, ...]] = {}

    def __call__(self, row: Row) -> Candidate | Rejection:
        if row.defects:
            return Rejection(row.number, (*row.defects, *self._besides(row)), row.values)
        values = self._values(row)
        certain = self._at_once.build(values, self._limits.max_record_bytes) if self._at_once is not None else None
        if certain is not None:
            return Candidate(row.number, *certain, self._doubts(values))
        return self._in_full(row, values)

    def _in_full(self, row: Row, values: dict[int, str]) -> Candidate | Rejection:
        """Judge values that are not certainly sound; it comes to the same for those that are."""
        defects = self._validate(values)
        if defects:
            return Rejection(row.number, defects, row.values)
        record = build_record(self._item.id, values)
        if len(record) > self._limits.max_record_bytes:
            params = {"size": len(record), "limit": self._limits.max_record_bytes}
            return Rejection(row.number, (Defect("RECORD_TOO_LARGE", params=params),), row.values)
        key, subject, authority = self._identify(values)
        return Candidate(
            row=row.number,
            record=record,
            key=key,
            content_hash=content_hash(record),
            subject=subject,
            authority=authority,
            doubts=self._doubts(values),
            holds=tuple(verdict.defect for verdict in self._holds(values)),
        )

    def _besides(self, row: Row) -> Iterator[Defect]:
        """Yield what is wrong with the cells of a row that could be read, so that it goes back once and not twice.

        Rules are asked when the whole row can be read: what they say of one cell may rest on another one.
        """
        if row.values.keys() <= self._item.by_code.keys() and row.values:
            unread = {defect.field_code for defect in row.defects}
            found = self._check_content(self._values(row))
            yield from (defect for defect in found if defect.field_code not in unread)

    def _doubts(self, values: Mapping[int, str]) -> tuple[Defect, ...]:
        """The doubts about values; each of the few that there are is one object, however many rows have it."""
        found = (*self._doubt(values), *map(self._flagged, self._flags(values)))
        return self._same.setdefault(tuple(map(id, found)), found)

    def _flagged(self, verdict: Verdict) -> Defect:
        """The doubt of a flag; verdicts are made when the rules are compiled, so there are few, and they stay."""
        found = self._told.get(id(verdict))
        if found is None:
            found = self._told[id(verdict)] = flagged(verdict)
        return found

    def _values(self, row: Row) -> dict[int, str]:
        """The values by field number, with what the publisher says of the whole file, without what is never public."""
        by_code = self._item.by_code
        values = {by_code[code].number: text for code, text in row.values.items()}
        if self._declared:
            values = self._declared | values
        return strip_never_public(self._item, values) if self._public else values
