"""What a check answers: list by list, and together, from what a node holds and how sure it may be of it.

One list answers

    UNCONFIRMED   where there is any doubt about it, whatever its kind, and whether the subject stands on it or not:
                  nothing of what is held of it is told, so nobody applies it by mistake
    LISTED        where it holds the subject in force now
    CLEAR         else

and all lists together: LISTED where one of them does, else UNCONFIRMED where one of them is, else CLEAR. A list that
was never received is one of them, so it never reads CLEAR.

An entry is in force from when it was issued and the day of its decision on, to its last day inclusive, China Standard
Time, judged when it is read. An entry of a red list is not applicable while a serious list that is in no doubt holds
its subject (R-LST-8). Measures that are not published are left out (R-MSR-1), and those that the matter does not name
are told as such: they may be applied elsewhere (R-MSR-2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from node.core.entry import origin_of
from node.core.errors import XinqiaoError
from node.core.identifiers import is_uscc, resident_id_fault
from node.core.list_type import KIND_NAMES, RED, SERIOUS, WATCH
from node.core.listing import Listing
from node.core.matters import Matter
from node.core.measures import Measure, MeasuresEdition
from node.core.state import Place
from node.pb import listing_pb2


class Verdict(StrEnum):
    """What is answered of a subject."""

    CLEAR = "clear"
    LISTED = "listed"
    UNCONFIRMED = "unconfirmed"


class Doubt(StrEnum):
    """Why nothing is told of a list."""

    NEVER_RECEIVED = "never received"
    STALE = "stale"
    RESTORED = "restored"
    QUARANTINED = "quarantined"
    ORIGIN_SUSPENDED = "origin suspended"
    DIGEST = "another digest"
    INCOMPLETE = "incomplete"
    REGISTRY_EXPIRED = "registry expired"


DOUBTS: Mapping[Doubt, str] = {
    Doubt.NEVER_RECEIVED: "the list exists, and nothing of it has come here",
    Doubt.STALE: "the newest heartbeat that covers what is applied here is older than the list's staleness limit",
    Doubt.RESTORED: "its origin has not confirmed what is held since this node started, or more was applied here once",
    Doubt.QUARANTINED: "its origin has signed two histories",
    Doubt.ORIGIN_SUSPENDED: "its origin is suspended or removed, or where it is cut is not known yet",
    Doubt.DIGEST: "its members, worked out here, are not those that its origin has signed",
    Doubt.INCOMPLETE: "an entry or an earlier epoch of it is missing",
    Doubt.REGISTRY_EXPIRED: "the registry's word has expired: nobody knows who may still speak",
}
"""What each doubt means, in the order in which they are told."""

ADVICE: Mapping[tuple[int, Verdict], str] = {
    (SERIOUS, Verdict.LISTED): "the measures shown may be applied to the subject, and to nobody else",
    (SERIOUS, Verdict.CLEAR): "no measure of this list applies",
    (SERIOUS, Verdict.UNCONFIRMED): "apply no measure of this list; ask its origin",
    (RED, Verdict.LISTED): "the incentives shown may be given",
    (RED, Verdict.CLEAR): "no incentive of this list applies",
    (RED, Verdict.UNCONFIRMED): "give no incentive of this list; ask its origin",
    (WATCH, Verdict.LISTED): "look closely; no measure follows from this list",
    (WATCH, Verdict.CLEAR): "this list asks for no closer look",
    (WATCH, Verdict.UNCONFIRMED): "draw no conclusion from this list; ask its origin",
}
"""What whoever asks may do, by the kind of a list and what it answers."""
UNKNOWN_KIND = "apply nothing of this list; ask its origin"
"""The same for a list of which not even the kind is known."""


def check_subject(subject: str) -> None:
    """Raise QUERY_SUBJECT for what is neither a unified social credit code nor a resident identity number."""
    if not is_uscc(subject) and resident_id_fault(subject) is not None:
        raise XinqiaoError("QUERY_SUBJECT")


def verdict_of_list(doubts: Sequence[Doubt], is_on_it: bool) -> Verdict:
    """What one list answers."""
    if doubts:
        return Verdict.UNCONFIRMED
    return Verdict.LISTED if is_on_it else Verdict.CLEAR


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """What several lists answer: doubts about one hide no other that is sure."""
    found = set(verdicts)
    return next((each for each in (Verdict.LISTED, Verdict.UNCONFIRMED) if each in found), Verdict.CLEAR)


def cells() -> list[tuple[Doubt | None, int, bool, Verdict]]:
    """The whole table of one list: doubt, kind, whether the subject is on it, what is answered."""
    return [
        (doubt, kind, is_on_it, verdict_of_list([doubt] if doubt is not None else [], is_on_it))
        for doubt in (None, *Doubt)
        for kind in KIND_NAMES
        for is_on_it in (True, False)
    ]


# --- How sure a list is -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a node knows of a list when it is asked. Times in Unix ms; fresh_at_ms 0 where no heartbeat covers it.

    is_regained: since the node started it has been shown that it lacks nothing. is_whole: nothing is missing of what is
    held, in any epoch. differs: what is held has another digest than its origin has signed.
    """

    fresh_at_ms: int
    staleness_limit_ms: int
    is_own: bool = False
    is_regained: bool = True
    is_quarantined: bool = False
    origin_speaks: bool = True
    differs: bool = False
    is_whole: bool = True


def doubts_of(known: Knowledge | None, now_ms: int, skew_ms: int, *, is_expired: bool) -> tuple[Doubt, ...]:
    """Every doubt about a list, None standing for one that was never received.

    skew_ms is how far clocks may differ: a heartbeat from later than that is of a time when this clock was wrong. No
    heartbeat tells a node of its own lists, which cannot be stale.
    """
    found = {Doubt.REGISTRY_EXPIRED: is_expired, Doubt.NEVER_RECEIVED: known is None}
    if known is not None:
        age_ms = now_ms - known.fresh_at_ms
        is_fresh = known.is_own or -skew_ms <= age_ms <= known.staleness_limit_ms
        found |= {
            Doubt.STALE: not is_fresh,
            Doubt.RESTORED: not known.is_regained,
            Doubt.QUARANTINED: known.is_quarantined,
            Doubt.ORIGIN_SUSPENDED: not known.origin_speaks,
            Doubt.DIGEST: known.differs,
            Doubt.INCOMPLETE: not known.is_whole,
        }
    return tuple(doubt for doubt in Doubt if found.get(doubt))


# --- What is told -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConsultedList:
    """One list that is looked at; list_type is None where it was never received."""

    channel: str
    list_type: listing_pb2.ListType | None
    doubts: tuple[Doubt, ...]
    fresh_at_ms: int = 0
    staleness_limit_ms: int = 0

    @property
    def origin(self) -> str:
        """Who is to be asked."""
        return origin_of(self.channel)

    @property
    def kind(self) -> int:
        """SERIOUS, RED, WATCH, or 0 where it is not known."""
        return self.list_type.kind if self.list_type is not None else 0


@dataclass(frozen=True, slots=True)
class AnsweredMeasure:
    """A published measure of an entry; applies tells whether the matter names it."""

    measure: Measure
    applies: bool


@dataclass(frozen=True, slots=True)
class AnsweredEntry:
    """An entry in force; its place is the reference to the evidence. unpublished counts the measures left out.

    is_applicable is False for an entry of a red list whose subject stands on a serious list.
    """

    place: Place
    since: str
    until: str
    measures: tuple[AnsweredMeasure, ...]
    unpublished: int
    is_applicable: bool = True


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """What one list answers."""

    consulted: ConsultedList
    entries: tuple[AnsweredEntry, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What it comes to."""
        return verdict_of_list(self.consulted.doubts, any(entry.is_applicable for entry in self.entries))

    @property
    def advice(self) -> str:
        """What whoever asks may do by it."""
        return ADVICE.get((self.consulted.kind, self.verdict), UNKNOWN_KIND)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered of a subject at a time, Unix ms; lists by channel."""

    subject: str
    at_ms: int
    lists: tuple[ListAnswer, ...]

    @property
    def verdict(self) -> Verdict:
        """What all lists come to."""
        return together(each.verdict for each in self.lists)


def answer_of(
    subject: str,
    at_ms: int,
    matter: Matter,
    measures: MeasuresEdition | None,
    consulted: Iterable[ConsultedList],
    in_force: Mapping[str, Sequence[Listing]],
    *,
    is_on_serious: bool,
) -> Answer:
    """Answer for one subject; in_force holds its entries in force by channel, also of lists that are in doubt.

    is_on_serious: a serious list that is in no doubt, looked at in this matter or not, holds the subject.
    """
    told = []
    for each in sorted(consulted, key=lambda one: one.channel):
        conflicts = each.kind == RED and is_on_serious
        held = () if each.doubts else in_force.get(each.channel, ())
        told.append(ListAnswer(each, tuple(_entry(one, matter, measures, not conflicts) for one in held)))
    return Answer(subject, at_ms, tuple(told))


def _entry(listing: Listing, matter: Matter, edition: MeasuresEdition | None, is_applicable: bool) -> AnsweredEntry:
    published = [edition.measures[code] for code in edition.published(listing.measures)] if edition is not None else []
    return AnsweredEntry(
        place=listing.place,
        since=listing.decided_on,
        until=listing.until,
        measures=tuple(AnsweredMeasure(each, is_applicable and each.code in matter.measures) for each in published),
        unpublished=len(listing.measures) - len(published),
        is_applicable=is_applicable,
    )
