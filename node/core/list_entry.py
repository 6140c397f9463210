"""Entries of joint lists, as their origin judges them before anybody signs: what the law asks, and who must act.

Every receiver judges the structure again (node.core.list_fold); what stands here is more: dates that contradict each
other, measures that are not published, subjects that may not be listed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from node.core.errors import XinqiaoError
from node.core.identifiers import (
    RESIDENT_ID_LENGTH,
    holds_resident_id,
    iso_date,
    resident_id_fault,
    uscc_fault,
)
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_change import Operation
from node.core.list_fold import is_minor, term_end
from node.core.list_item import title_of
from node.core.list_type import DECISION, MINORS, PERSONS, PUBLISHED, RELATED, barred
from node.core.listing import AMEND, ENTER, EXIT, RESUME, SUSPEND, Listing, ListOperation, following
from node.core.particulars import fault_of
from node.core.state import Place
from node.pb import channel_pb2, listing_pb2, record_pb2

ACT_NAMES: Mapping[int, str] = {
    ENTER: "enter",
    AMEND: "amend",
    SUSPEND: "suspend",
    RESUME: "resume",
    EXIT: "exit",
}
"""The acts as commands call them."""


@dataclass(frozen=True, slots=True)
class Published:
    """What measures are published: the version of the edition, and their codes; none where there is no edition."""

    version: str
    codes: Collection[str]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges what is to be entered on a list, or changed on it, as of a day in China."""

    manifest: channel_pb2.Manifest
    today: date
    published: Published
    limits: Limits = DEFAULT_LIMITS

    @property
    def list(self) -> listing_pb2.ListType:
        """What the list is."""
        return self.manifest.list

    # -- somebody is entered

    def entry(self, values: Mapping[str, str]) -> Operation:
        """The operation that enters a subject, by column; until left out is the end of the list's term.

        Whether it may be is for `entry_defects`.
        """
        decided = iso_date(values.get("decided_on", ""))
        latest = term_end(decided, self.list.term_months).isoformat() if decided is not None else ""
        op = listing_pb2.ListOp(
            act=listing_pb2.LIST_ACT_ENTER,
            decided_on=values.get("decided_on", ""),
            notice_served=values.get("notice_served", ""),
            until=values.get("until", "") or latest,
            measures=measures_in(values.get("measures", "")),
        )
        given = {key: values.get(key, "").strip() for key in ("subject", "subject_name", "decision", "reason")}
        return Operation(op, listing_pb2.ListParticulars(**given))

    def entry_defects(self, operation: Operation) -> Iterator[tuple[str, XinqiaoError]]:
        """Yield everything that keeps an operation from entering its subject, each with the column at fault."""
        yield from self._subject_defects(operation)
        yield from self._word_defects(operation.words)
        yield from self._date_defects(operation.op)
        yield from self._measure_defects(operation.op.measures)

    def _subject_defects(self, operation: Operation) -> Iterator[tuple[str, XinqiaoError]]:
        code = operation.words.subject
        if not code:
            yield "subject", XinqiaoError("FIELD_MISSING", title=title_of("subject"), field="subject", because="")
            return
        if resident_id_fault(code) is None:
            if is_minor(code, operation.op.decided_on):
                yield "subject", barred("LIST_MINOR", MINORS)
            if self._is_public:
                yield "subject", barred("LIST_PERSON", PERSONS, list=self.list.code)
            return
        looks_personal = len(code) == RESIDENT_ID_LENGTH and code[:17].isdigit() and code[6:8] in ("19", "20")
        fault = uscc_fault(code)
        if fault is not None:
            fault = (resident_id_fault(code) if looks_personal else None) or fault
            # Whoever has no code of his own has a number: the placeholder says nothing about whom a list means.
            fault = "FIELD_USCC_SHAPE" if fault == "FIELD_USCC_PLACEHOLDER" else fault
            yield "subject", XinqiaoError(fault, title=title_of("subject"))

    def _word_defects(self, words: listing_pb2.ListParticulars) -> Iterator[tuple[str, XinqiaoError]]:
        """Yield what is wrong with decision, reason and name: without a decision nobody is listed (R-LST-2)."""
        limits = self.limits
        for column, text, most in (
            ("decision", words.decision, limits.max_decision_chars),
            ("reason", words.reason, limits.max_reason_chars),
            ("subject_name", words.subject_name or "-", limits.max_subject_name_chars),
        ):
            fault = fault_of(text, most)
            if fault:
                yield column, barred("LIST_DECISION", DECISION, column=column, detail=fault)
            elif self._is_public and holds_resident_id(text):
                yield column, XinqiaoError("VERDICT_REASON")

    def _date_defects(self, op: listing_pb2.ListOp) -> Iterator[tuple[str, XinqiaoError]]:
        decided, notice = iso_date(op.decided_on), iso_date(op.notice_served)
        if not op.notice_served:
            yield "notice_served", barred("LIST_NOTICE", DECISION, detail="it is missing")
        elif notice is None:
            yield "notice_served", XinqiaoError("FIELD_DATE", title=title_of("notice_served"))
        elif decided is not None and notice > decided:
            yield "notice_served", barred("LIST_NOTICE", DECISION, detail="it is later than the decision")
        yield from self._decided_defects(op.decided_on)
        if decided is not None:
            yield from self._until_defects(op.until, decided)

    def _decided_defects(self, text: str, earliest: str = "") -> Iterator[tuple[str, XinqiaoError]]:
        decided = iso_date(text)
        if not text:
            yield "decided_on", barred("LIST_DECISION", DECISION, column="decided_on", detail="it is missing")
        elif decided is None:
            yield "decided_on", XinqiaoError("FIELD_DATE", title=title_of("decided_on"))
        elif decided > self.today:
            yield "decided_on", XinqiaoError("LIST_DATES", column="decided_on", detail="it is in the future")
        elif text < earliest:
            detail = f"it is earlier than the decision of {earliest} that entered it"
            yield "decided_on", XinqiaoError("LIST_DATES", column="decided_on", detail=detail)

    def _until_defects(self, text: str, decided: date) -> Iterator[tuple[str, XinqiaoError]]:
        until, latest = iso_date(text), term_end(decided, self.list.term_months)
        detail = ""
        if until is None:
            yield "until", XinqiaoError("FIELD_DATE", title=title_of("until"))
        elif until < max(decided, self.today):
            detail = "it is over already" if until >= decided else "it is earlier than the decision"
        elif until > latest:
            detail = f"the list allows {self.list.term_months} months from the decision, until {latest}"
        if detail:
            yield "until", XinqiaoError("LIST_DATES", column="until", detail=detail)

    def _measure_defects(self, measures: Sequence[str]) -> Iterator[tuple[str, XinqiaoError]]:
        for code in measures:
            if code not in self.list.measures:
                allowed = ", ".join(self.list.measures) or "none"
                named = {"measure": code[:64], "list": self.list.code, "allowed": allowed}
                yield "measures", barred("LIST_MEASURE", RELATED, **named)
            elif code not in self.published.codes:
                named = {"measure": code, "version": self.published.version}
                yield "measures", barred("LIST_MEASURE_UNPUBLISHED", PUBLISHED, **named)

    @property
    def _is_public(self) -> bool:
        return self.manifest.disclosure == channel_pb2.DISCLOSURE_CLASS_A

    # -- an entry changes

    def change_defects(self, listing: Listing, operation: Operation) -> Iterator[tuple[str, XinqiaoError]]:
        """Yield everything that keeps an operation from changing an entry, the table of transitions first."""
        op = operation.op
        if not may_follow(listing, op):
            place = listing.place
            named = {"list": self.list.code, "entry": f"{place.epoch}/{place.index}/{place.position}"}
            standing = {"standing": listing.state.value, "action": ACT_NAMES.get(op.act, "")}
            yield "", XinqiaoError("LIST_STATE", **named, **standing)
        yield from self._word_defects(operation.words)
        yield from self._decided_defects(op.decided_on, listing.decided_on)
        if op.act == AMEND:
            entered = iso_date(listing.decided_on)
            assert entered is not None
            yield from self._until_defects(op.until, entered)
            yield from self._measure_defects(op.measures)


def may_follow(listing: Listing | None, op: listing_pb2.ListOp) -> bool:
    """Whether an operation may follow what was done to an entry before."""
    nowhere = Place(0, 0, 0)
    target = listing.place if listing is not None else nowhere
    last = listing.last if listing is not None else nowhere
    place = Place(last.epoch, last.index + 1, 0)
    made = ListOperation(place, op.act, target, 0, op.decided_on, op.until, tuple(op.measures), op.ground, 0)
    return following(listing, made) is not None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a change says beside its words; an amendment keeps what is empty, measures None, of before."""

    decided_on: str = ""
    ground: int = 0
    until: str = ""
    measures: str | None = None


def changing(channel: str, listing: Listing, act: int, terms: Terms, decided_on: str) -> listing_pb2.ListOp:
    """The operation that changes an entry."""
    place = listing.place
    op = listing_pb2.ListOp(
        act=listing_pb2.ListAct.Name(act),
        entry=record_pb2.RecordRef(channel=channel, epoch=place.epoch, index=place.index, position=place.position),
        decided_on=decided_on,
        ground=listing_pb2.ExitGround.Name(terms.ground),
    )
    if act == AMEND:
        op.until = terms.until or listing.until
        op.measures.extend(measures_in(terms.measures) if terms.measures is not None else listing.measures)
    return op


def measures_in(text: str) -> list[str]:
    """The codes of measures in a text that separates them by commas or semicolons, ascending."""
    for separator in ("；", "，", "、", ";"):
        text = text.replace(separator, ",")
    return sorted({code.strip() for code in text.split(",") if code.strip()})
