"""The quality of what a channel publishes: counts that become four figures, a month at a time.

    completeness     optional fields that are filled in, over those that apply to the record
    timeliness       records that were public by the last day of the term that the rules give, counted in working days
                     from the decision to the day on which the entry was signed (R-INC-12: 发改办财金〔2018〕424号);
                     a revision is not published for the first time, and is not counted
    standardisation  rows that were neither returned nor flagged when they were offered to this node, over rows offered;
                     where no rows were counted, as in channels of others, records that conform to their catalogue item
    accuracy         records that nobody has corrected since, by a revision that reads otherwise or by an erasure

A field applies where a sound record may leave it out and its subject can be expected to have it: older codes are not
missed beside a unified code. What the catalogue demands under a condition is either mandatory or has no place in the
record: it counts nowhere, and nor does a remark. A flag that says late is left to timeliness. A tally holds counts and
codes of fields, never a value of a record.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from node.core.catalogue import Field, Item
from node.core.identifiers import USCC_PLACEHOLDER, iso_date
from node.core.rules import in_force
from node.core.rules_edition import RulesEdition
from node.core.validation import Validator
from node.core.workdays import Calendar

Values = Mapping[int, str]

MONTHS_KEPT = 36
EARLIER = "earlier"
"""What stands for all months before those that are kept apart."""
DAYS_COUNTED = 60
"""Working days are told apart up to here; MANY stands for more."""
MANY = DAYS_COUNTED + 1
LATE_CODE = "RULE_LATE"
"""The flag that timeliness counts: standardisation leaves it out."""

QUERY, PUBLICITY = "query", "publicity"
"""The periods of a record that end: until when it may be looked up, and until when it is shown to the public."""

_ISO_CHARS = 10
_CALENDAR_DAYS_OF_MANY = 200
"""No such number of days has fewer than MANY working days."""


# --- What is counted ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """The counts of one month of a channel, or of several added up.

    filled and applicable are by field code, defects by the code of what is wrong, days by working days from the
    decision to the publication. spans are (epoch, first, last) of its entries, which find the corrections. ends are by
    (a period, the month in which it ends), as "query 2031-03"; of revised and erased records, too.
    """

    records: int = 0
    unreadable: int = 0
    applicable: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    defects: Counter[str] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    timed: int = 0
    late: int = 0
    provisional: int = 0
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)

    def covers(self, epoch: int, index: int) -> None:
        """Take an entry into the spans."""
        first, last = self.spans.get(epoch, (index, index))
        self.spans[epoch] = (min(first, index), max(last, index))

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        for name in ("records", "unreadable", "timed", "late", "provisional"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("applicable", "filled", "defects", "days", "ends"):
            getattr(self, name).update(getattr(other, name))
        for epoch, span in other.spans.items():
            for index in span:
                self.covers(epoch, index)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows offered to this node for a channel: how many, how many were returned, how many published with a flag."""

    offered: int = 0
    rejected: int = 0
    flagged: int = 0

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(self.offered + other.offered, self.rejected + other.rejected, self.flagged + other.flagged)


@dataclass(frozen=True, slots=True)
class Corrections:
    """The records of a tally that were corrected since: revised by one that reads otherwise, and erased."""

    revised: int = 0
    erased: int = 0

    def __add__(self, other: "Corrections") -> "Corrections":
        return Corrections(self.revised + other.revised, self.erased + other.erased)


# --- Figures --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: good of total; there is no ratio of nothing."""

    name: str
    good: int
    total: int

    @property
    def ratio(self) -> float | None:
        """Between 0 and 1."""
        return self.good / self.total if self.total else None


def figures(tally: Tally, rows: Rows, corrections: Corrections) -> tuple[Figure, ...]:
    """The four figures, in fixed order."""
    return (
        Figure("completeness", tally.filled.total(), tally.applicable.total()),
        Figure("timeliness", tally.timed - tally.late, tally.timed),
        _standardisation(tally, rows),
        Figure("accuracy", max(0, tally.records - corrections.revised - corrections.erased), tally.records),
    )


def _standardisation(tally: Tally, rows: Rows) -> Figure:
    if rows.offered:
        return Figure("standardisation", rows.offered - rows.rejected - rows.flagged, rows.offered)
    readable = tally.records - tally.unreadable
    return Figure("standardisation", readable - tally.defects.total(), readable)


def days_at(days: Mapping[int, int], percent: int) -> int | None:
    """The working days within which so many percent of the records were published, None of nothing; MANY for more."""
    wanted, seen = sum(days.values()) * percent, 0
    for count in sorted(days):
        seen += days[count] * 100
        if seen >= wanted:
            return count
    return None


# --- Measuring records ----------------------------------------------------------------------------------------


class Yardstick:
    """What the records of an item are measured by on the day of their entry.

    duty_days is the term of R-INC-12 in working days, None where no provision of the rules gives one.
    """

    def __init__(self, item: Item, disclosure: str, day: date, calendar: Calendar, duty_days: int | None) -> None:
        self.item = item
        self.day = day
        self._today = day.isoformat()
        self._calendar = calendar
        self._duty_days = duty_days
        self._decided = item.numbers["decision_date"]
        optional = [each for each in item.fields if each.required == "no" and each.name not in _NOT_MISSED]
        given = [each for each in optional if not (disclosure == "A" and each.never_public)]
        self._fields = [(each.number, each.code, _applies(item, each)) for each in given]
        self._publicity = item.numbers["publicity_end"]
        self._known: dict[str, tuple[int, bool, bool]] = {}

    def measure(self, tally: Tally, values: Values, *, is_first: bool) -> None:
        """Count one sound record; is_first where it revises no earlier one."""
        for number, code, applies in self._fields:
            if applies is None or applies(values):
                tally.applicable[code] += 1
                if number in values:
                    tally.filled[code] += 1
        decided = values.get(self._decided, "")
        self._measure_ends(tally, decided, values.get(self._publicity, ""))
        if is_first and self._decided:
            self._measure_time(tally, decided)

    def _measure_ends(self, tally: Tally, decided: str, publicity: str) -> None:
        """Count in which months the query period (R-INC-7) and the time of publicity end; by months there are few."""
        if publicity > self._today:
            tally.ends[f"{PUBLICITY} {publicity[:7]}"] += 1
        years = self.item.query_period_years
        if years is not None and len(decided) == _ISO_CHARS:
            month = f"{int(decided[:4]) + years}{decided[4:7]}"
            if month >= self._today[:7]:
                tally.ends[f"{QUERY} {month}"] += 1

    def _measure_time(self, tally: Tally, decided: str) -> None:
        found = self._known.get(decided) or self._taken(decided)
        if found is None:
            return
        days, is_late, is_provisional = found
        tally.days[days] += 1
        tally.provisional += is_provisional
        if self._duty_days is not None:
            tally.timed += 1
            tally.late += is_late

    def _taken(self, text: str) -> tuple[int, bool, bool] | None:
        """(working days, whether that is too late, whether the calendar knows not all of them) since a decision.

        Only what is of some months is remembered, as records choose their dates.
        """
        decided = iso_date(text)
        if decided is None or decided > self.day:
            return None
        if (self.day - decided).days > _CALENDAR_DAYS_OF_MANY:
            return MANY, self._duty_days is not None and self._duty_days < MANY, False
        span = self._calendar.working_days_between(decided, self.day)
        late = self._duty_days is not None and self.day > self._calendar.add_working_days(decided, self._duty_days).day
        self._known[text] = (min(span.working_days, MANY), late, span.provisional)
        return self._known[text]


def measure_entry(
    tally: Tally,
    yardstick: Yardstick,
    validate: Validator,
    records: Iterable[tuple[int, Values | None]],
    revisions: Collection[int],
) -> None:
    """Count the records of one entry: (position, values), None for what cannot be read as a record of its item."""
    for position, values in records:
        if values is None:
            tally.defects["VERDICT_RECORD"] += 1
        elif defects := validate(values):
            tally.defects[defects[0].code] += 1
        else:
            yardstick.measure(tally, values, is_first=position not in revisions)


def duty_days(edition: RulesEdition, item: Item, disclosure: str, division: str, day: date) -> int | None:
    """The working days within which a decision must be public: the shortest term that holds; None where none does."""
    held = in_force(edition, item, disclosure, day.isoformat(), (division,))
    return min((each.parameters["working_days"] for each in held if each.predicate == "late"), default=None)


Applies = Callable[[Values], bool]

# The unified code has taken the place of these (国发〔2015〕33号): who has one needs none of them. Who is named by the
# placeholder is a sole trader, and neither an institution nor a social organisation.
_OLDER_CODES = frozenset({"org_code", "tax_reg_no"})
_NOT_MISSED = frozenset({"remark", "institution_cert_no", "social_org_reg_no"})


def _applies(item: Item, optional: Field) -> Applies | None:
    """Whether the subject of a record can be expected to have a field, None where every one can."""
    if optional.name not in _OLDER_CODES:
        return None
    number = item.numbers["uscc"]
    return lambda values: values.get(number) == USCC_PLACEHOLDER


# --- Keeping a tally ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class ChannelTally:
    """What is counted of a channel so far: up to which entry of each epoch, by which calendar and rules, by month.

    published is the day of the last entry with records, YYYY-MM-DD, empty before the first.
    """

    basis: str
    at: dict[int, int] = field(default_factory=dict)
    months: dict[str, Tally] = field(default_factory=dict)
    published: str = ""

    def month(self, name: str) -> Tally:
        """The tally of a month, YYYY-MM."""
        return self.months.setdefault(name, Tally())

    def trim(self) -> None:
        """Add up the oldest months beyond those that are kept apart."""
        for name in sorted(self.months.keys() - {EARLIER})[:-MONTHS_KEPT]:
            self.months.setdefault(EARLIER, Tally()).add(self.months.pop(name))

    def total(self, months: Collection[str] = ()) -> Tally:
        """Some months added up, all where none is named."""
        found = Tally()
        for name, tally in self.months.items():
            if not months or name in months:
                found.add(tally)
        return found


def as_document(found: ChannelTally) -> dict[str, Any]:
    """A tally as it is kept."""
    months = {name: _plain(each) for name, each in found.months.items()}
    return {"basis": found.basis, "at": found.at, "months": months, "published": found.published}


def _plain(tally: Tally) -> dict[str, Any]:
    return {name: getattr(tally, name) for name in Tally.__slots__}


def from_document(document: Mapping[str, Any]) -> ChannelTally:
    """A tally as it was kept."""
    months = {name: _tally(each) for name, each in document["months"].items()}
    return ChannelTally(document["basis"], _by_number(document["at"]), months, document["published"])


def _tally(document: Mapping[str, Any]) -> Tally:
    return Tally(
        records=document["records"],
        unreadable=document["unreadable"],
        applicable=Counter(document["applicable"]),
        filled=Counter(document["filled"]),
        defects=Counter(document["defects"]),
        days=Counter(_by_number(document["days"])),
        ends=Counter(document["ends"]),
        timed=document["timed"],
        late=document["late"],
        provisional=document["provisional"],
        spans={epoch: (span[0], span[1]) for epoch, span in _by_number(document["spans"]).items()},
    )


def _by_number(document: Mapping[str, Any]) -> dict[int, Any]:
    """JSON has only texts for keys."""
    return {int(key): value for key, value in document.items()}
