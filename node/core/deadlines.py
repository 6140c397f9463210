"""Time limits that rules set: what is owed about a record, since when and by which day.

A term in working days excludes the day of the event, and ends with its last day (行政处罚法 art. 85). Which terms are
watched, and what becomes of one that has passed, is in node.terms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from node.core.catalogue import Item, is_natural_person
from node.core.identifiers import iso_date
from node.core.rules import Values, Workdays, in_force, months_later, weekdays_only
from node.core.rules_edition import Effect, Provision, RulesEdition


@dataclass(frozen=True, slots=True)
class Due:
    """Something a rule wants done, from the day of an event to the day by which."""

    provision: Provision
    start: date
    day: date
    provisional: bool


def due_days(
    edition: RulesEdition,
    item: Item,
    values: Values,
    disclosure: str,
    as_of: str,
    divisions: Sequence[str],
    events: Mapping[str, date],
    workdays: Workdays = weekdays_only,
) -> tuple[Due, ...]:
    """Return what the rules want done about a record by when, the earliest first.

    divisions as in `compile_rules`; events are the days known of receipt and publication, that of the decision is the
    record's. Where the regions of origin and receiver give different terms for a duty, the shorter counts.
    """
    own = iso_date(values.get(item.numbers["decision_date"], ""))
    days = {**events, **({"decision": own} if own is not None else {})}
    found: dict[tuple[str, str], Due] = {}
    for provision in in_force(edition, item, disclosure, as_of, divisions):
        start = days.get(provision.parameters.get("from", ""))
        if provision.effect is not Effect.TIMER or start is None:
            continue
        if not _is_owed(provision, item, values, divisions):
            continue
        due = _due(provision, start, workdays)
        duty = (provision.rule.id, provision.parameters["duty_zh"])
        if duty not in found or due.day < found[duty].day:
            found[duty] = due
    return tuple(sorted(found.values(), key=lambda each: (each.day, each.provision.rule.id)))


def _is_owed(provision: Provision, item: Item, values: Values, divisions: Sequence[str]) -> bool:
    authorities = provision.parameters.get("authorities", ())
    named = values.get(item.numbers["authority_name"], "")
    if authorities and not any(word in named for word in authorities):
        return False
    elsewhere = provision.parameters.get("other_province")
    return elsewhere is None or elsewhere == _is_of_another_province(item, values, divisions)


def _is_of_another_province(item: Item, values: Values, divisions: Sequence[str]) -> bool:
    """Whether a company is registered in another province than that of the origin; the unknown is in the same."""
    province = values.get(item.numbers["uscc"], "")[2:4]
    if is_natural_person(item, values) or not province.strip("0") or not divisions or not divisions[0]:
        return False
    return province != divisions[0][:2]


def _due(provision: Provision, start: date, workdays: Workdays) -> Due:
    months = provision.parameters.get("months")
    if months is not None:
        return Due(provision, start, months_later(start, months), provisional=False)
    due = workdays(start, provision.parameters["working_days"])
    return Due(provision, start, due.day, due.provisional)
