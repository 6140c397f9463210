"""Judging: which rules hold at this node, and by which of them a record that it holds was judged.

A record is judged as of the day on which its entry was issued, by the edition that the entry names, and by the law of
the region it comes from. What the law of this node's own region says besides is told with it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from node.admission import header_of
from node.conditions import Conditions
from node.core.catalogue import Item
from node.core.deadlines import Due, due_days
from node.core.errors import XinqiaoError
from node.core.record import parse_record
from node.core.rules import DECLARABLE, Law, Verdict, Workdays, compile_rules, in_force
from node.core.rules_edition import Effect, Provision, RulesEdition
from node.core.state import REVIEW, Place, disclosure_letter
from node.core.workdays import china_day
from node.pb import admin_service_pb2 as pb
from node.pb import envelope_pb2, record_pb2
from node.ports import Clock, HeldRecord, Store, View


@dataclass(frozen=True, slots=True)
class _Case:
    """A record, and all that it is judged by."""

    held: HeldRecord
    item: Item
    values: Mapping[int, str]
    disclosure: str
    as_of: str
    entry_version: str
    edition: RulesEdition
    origin: str
    here: str
    workdays: Workdays

    @property
    def divisions(self) -> Sequence[str]:
        return (self.origin, self.here)

    def verdict(self, provision: Provision) -> Verdict | None:
        """What one provision says of the record."""
        alone = RulesEdition(self.edition.version, self.edition.in_force_from, self.edition.rules, (provision,))
        case = (alone, self.item, self.disclosure, self.as_of, self.divisions, self.workdays)
        return next(iter(compile_rules(*case)(self.values)), None)


class Judging:
    """Tells which rules hold, and explains what they said of a record."""

    def __init__(self, view: View, store: Store, clock: Clock) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._conditions = Conditions(store, clock)

    # -- the rules ------------------------------------------------------------------------------------

    def rules(self, rule: str, version: str) -> pb.ListRulesResponse:
        """The rules of an edition, or one of them; raises RULES_UNKNOWN, RULE_UNKNOWN."""
        edition = self._edition(version)
        if rule:
            edition.of(rule)
        as_of = china_day(self._clock.now_ms()).isoformat()
        here = self._division(self._view.me)
        return pb.ListRulesResponse(
            version=edition.version,
            in_force_from=edition.in_force_from,
            known_versions=sorted(self._view.rules),
            as_of=as_of,
            division=here,
            rules=[
                pb.Rule(
                    id=each.id,
                    title_zh=each.title_zh,
                    title_en=each.title_en,
                    elsewhere=each.elsewhere,
                    provisions=[_provision(one, one.holds(here, as_of)) for one in edition.of(each.id)],
                    articles=map(str, each.articles),
                )
                for each in edition.rules.values()
                if not rule or each.id == rule
            ],
        )

    def _edition(self, version: str) -> RulesEdition:
        edition = self._view.rules.get(version) if version else self._view.rules_in_force
        if edition is None:
            known = ", ".join(sorted(self._view.rules))
            raise XinqiaoError("RULES_UNKNOWN", version=version[:64], known=known)
        return edition

    def _division(self, node: str) -> str:
        member = self._view.members.get(node)
        return member.division if member is not None else ""

    def law(self, declared: Iterable[str]) -> Law:
        """By what this node judges rows that it publishes now; raises ARGUMENT_INVALID for what nobody can declare."""
        said = frozenset(declared)
        if not said <= DECLARABLE:
            detail = f"{', '.join(sorted(said - DECLARABLE))[:80]} is none of {', '.join(sorted(DECLARABLE))}"
            raise XinqiaoError("ARGUMENT_INVALID", argument="declared", detail=detail)
        division = self._division(self._view.me)
        return Law(self._view.rules_in_force, division, self._view.calendar.add_working_days, said)

    # -- one record -----------------------------------------------------------------------------------

    def explain(self, ref: record_pb2.RecordRef, version: str) -> pb.ExplainRecordResponse:
        """By which rules a record in force was judged, and with which effect; raises RECORD_UNKNOWN, RULES_UNKNOWN.

        version names another edition than that of its entry.
        """
        case = self._case(ref, version)
        judged = in_force(case.edition, case.item, case.disclosure, case.as_of, case.divisions)
        reviewed = self._reviewed(ref)
        applied = [_applied(case, each, reviewed) for each in judged if each.effect is not Effect.TIMER]
        # Stable, so that the strongest stay before the others.
        applied.sort(key=lambda each: not each.HasField("verdict"))
        return pb.ExplainRecordResponse(
            ref=ref,
            item=case.item.id,
            disclosure=case.disclosure,
            as_of=case.as_of,
            entry_version=case.entry_version,
            version=case.edition.version,
            origin_division=case.origin,
            division=case.here,
            rules=applied,
            due=[_due(case, each) for each in self._due_days(case)],
        )

    def _case(self, ref: record_pb2.RecordRef, version: str) -> _Case:
        place = Place(ref.epoch, ref.index, ref.position)
        held = self._store.record(ref.channel, place)
        channel = self._store.channel(ref.channel, ref.epoch)
        entry = self._store.entry(ref.channel, ref.epoch, ref.index)
        if held is None or channel is None or entry is None:
            name = f"{ref.channel} {place.epoch}/{place.index}/{place.position}"
            raise XinqiaoError("RECORD_UNKNOWN", ref=name, detail="no such record in force", channel=ref.channel)
        header = header_of(entry)
        edition = self._view.editions.get(header.catalogue_version)
        if edition is None:
            raise XinqiaoError("VERDICT_CATALOGUE", version=header.catalogue_version)
        record = parse_record(held.record)
        return _Case(
            held=held,
            item=edition.item(record.item),
            values=record.values,
            disclosure=disclosure_letter(channel.manifest.disclosure),
            as_of=china_day(held.issued_at_ms).isoformat(),
            entry_version=header.rules_version,
            edition=self._edition(version or header.rules_version),
            origin=self._division(channel.origin),
            here=self._division(self._view.me),
            workdays=self._view.calendar.add_working_days,
        )

    def _reviewed(self, ref: record_pb2.RecordRef) -> str:
        """What the origin says of the officers' review of exactly this record; empty where there was none."""
        place = Place(ref.epoch, ref.index, ref.position)
        acts = [act for act in self._conditions.of(ref.channel, place).acts if act.kind == REVIEW]
        told = [self._conditions.particulars(ref.channel, act) for act in acts if act.target == place]
        return next((f"{each.decision}; {each.reason}" for each in reversed(told)), "")

    def _due_days(self, case: _Case) -> Sequence[Due]:
        published = self._store.channel(case.held.channel, case.held.place.epoch)
        events: dict[str, date] = {"receipt": china_day(case.held.received_at_ms)}
        if published is not None and published.log.size:
            last = self._store.entry(case.held.channel, published.log.epoch, published.log.size - 1)
            if last is not None:
                events["publication"] = china_day(header_of(last).issued_at_unix_ms)
        judged = (case.edition, case.item, case.values, case.disclosure, case.as_of, case.divisions)
        return due_days(*judged, events, case.workdays)


def _provision(provision: Provision, holds_here: bool) -> pb.Provision:
    return pb.Provision(
        predicate=provision.predicate,
        effect=provision.effect.value,
        jurisdictions=provision.jurisdictions,
        valid_from=provision.valid_from,
        valid_to=provision.valid_to,
        articles=map(str, provision.articles),
        items=provision.items,
        subjects=provision.subjects,
        disclosure=provision.disclosure,
        parameters_json=json.dumps(dict(provision.parameters), ensure_ascii=False),
        holds_here=holds_here,
    )


def _applied(case: _Case, provision: Provision, reviewed: str) -> pb.AppliedRule:
    verdict = case.verdict(provision)
    refusal = None
    if verdict is not None:
        parameters = verdict.defect.error.parameters
        refusal = envelope_pb2.Refusal(code=verdict.code, parameters=parameters)
    return pb.AppliedRule(
        rule=provision.rule.id,
        title_zh=provision.rule.title_zh,
        title_en=provision.rule.title_en,
        predicate=provision.predicate,
        effect=provision.effect.value,
        of_origin=provision.holds(case.origin, case.as_of),
        of_receiver=provision.holds(case.here, case.as_of),
        article=provision.cited(case.as_of),
        verdict=refusal,
        reviewed=reviewed if refusal is not None and provision.effect is Effect.HOLD else "",
    )


def _due(case: _Case, due: Due) -> pb.DueDay:
    return pb.DueDay(
        rule=due.provision.rule.id,
        duty_zh=due.provision.parameters["duty_zh"],
        duty_en=due.provision.parameters["duty_en"],
        start=due.start.isoformat(),
        day=due.day.isoformat(),
        provisional=due.provisional,
        article=due.provision.cited(case.as_of),
    )
