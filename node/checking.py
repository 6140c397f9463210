"""Checking: the duty that answers whether a subject stands on a joint list, to whom may ask, and never too much.

(1) who asks and what for: an active officer, a matter that is published, a unit that handles it, a ground (R-QRY-2)
(2) the question goes into the query log; where that fails there is no answer
(3) which lists are looked at: those whose measures can apply in the matter or that it names, and every watch list; also
    those that exist and never came here
(4) how sure each of them is, and what it says: see core.answer

What is answered is read after (2), in one turn with its leaving: an exit that this node has acknowledged is never
overtaken by an answer of before (G4).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from node.admission import is_own
from node.aside import Aside
from node.core.answer import Answer, ConsultedList, Doubt, Knowledge, answer_of, check_subject, doubts_of
from node.core.audience import DEFAULT_STALENESS_LIMIT_S
from node.core.catalogue import Basis
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_fold import is_list, within_term
from node.core.list_type import KIND_NAMES, SERIOUS, WATCH, barred
from node.core.listing import Listing, listing_of
from node.core.matters import Matter, MattersEdition
from node.core.membership import Standing
from node.core.officers import OfficerBook
from node.core.query_log import LoggedQuery, Question
from node.held_lists import DigestStatus
from node.list_standing import is_whole
from node.ports import Clock, HeldChannel, Stage, Store, View
from node.regained import Regained

PURPOSE = Basis(
    "R-QRY-2",
    "上海市公共信用信息归集和使用管理办法 art. 18; 上海市公共信用信息归集和使用管理办法 art. 19",
)
LOOKS = 256
"""So many answers of a batch are given by one look at the lists."""
_SHOWN_MATTERS = 12


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, by name; for which unit, by unified social credit code; in which matter, by code; on what ground."""

    officer: str
    unit: str
    matter: str
    ground: str


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer, with its entry in the query log and the edition of the measures that it rests on."""

    answer: Answer
    measures_version: str
    logged: LoggedQuery


class Checking:
    """Answers checks of one subject and of many."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        clock: Clock,
        regained: Regained,
        book: Callable[[], OfficerBook],
        log: Callable[[Question, str], Awaitable[LoggedQuery]],
        log_batch: Callable[[Question, Sequence[str]], Awaitable[LoggedQuery]],
        is_recovering: Callable[[], bool],
        aside: Aside,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._regained = regained
        self._book = book
        self._log = log
        self._log_batch = log_batch
        self._is_recovering = is_recovering
        self._aside = aside
        self._look: Mapping[str, ConsultedList] | None = None
        self._limits = limits

    @property
    def most_subjects(self) -> int:
        """How many subjects one check takes at most."""
        return self._limits.max_subjects_per_check

    # -- asking ---------------------------------------------------------------------------------------

    async def check(self, asking: Asking, subject: str) -> Checked:
        """Answer for one subject; raises QUERY_*, and DISK_FULL or DATABASE where the question cannot be kept."""
        question, matter = self._question(asking)
        check_subject(subject)
        logged = await self._log(question, subject)
        return next(self._answers(matter, [subject], logged))

    async def check_batch(self, asking: Asking, subjects: Sequence[str]) -> AsyncIterator[Checked]:
        """Answer for many subjects, in their order, after one entry of the query log for all; raises as check does."""
        question, matter = self._question(asking)
        if not 1 <= len(subjects) <= self.most_subjects:
            raise XinqiaoError("QUERY_BATCH", count=len(subjects), limit=self.most_subjects)
        await self._aside(_check_subjects, subjects)
        logged = await self._log_batch(question, subjects)
        for start in range(0, len(subjects), LOOKS):
            # A look is not older than the answers that it gives: what happens meanwhile is seen by the next one.
            for found in self._answers(matter, subjects[start : start + LOOKS], logged):
                yield found

    def _question(self, asking: Asking) -> tuple[Question, Matter]:
        now_ms = self._clock.now_ms()
        edition = self._view.matters_in_force(now_ms)
        matter = self._matter(edition, asking.matter)
        if not matter.is_handled_by(asking.unit):
            raise barred("QUERY_UNIT", PURPOSE, unit=asking.unit[:32], matter=matter.code)
        try:
            officer = self._book().officer(asking.officer)
        except XinqiaoError as error:
            if not error.code.startswith("OFFICER_"):
                raise
            raise barred("QUERY_OFFICER", PURPOSE, officer=asking.officer[:64], why=error.text) from None
        ground = asking.ground.strip()
        if not ground or not ground.isprintable() or len(ground) > self._limits.max_reason_chars:
            raise barred("QUERY_GROUND", PURPOSE, limit=self._limits.max_reason_chars)
        version = edition.version if edition is not None else ""
        return Question(now_ms, officer.name, asking.unit, matter.code, version, ground), matter

    def _matter(self, edition: MattersEdition | None, code: str) -> Matter:
        matters = edition.matters if edition is not None else {}
        if code not in matters:
            known = ", ".join(sorted(matters)[:_SHOWN_MATTERS]) or "none"
            raise barred("QUERY_MATTER", PURPOSE, matter=code[:64], known=known)
        return matters[code]

    # -- answering ------------------------------------------------------------------------------------

    def _answers(self, matter: Matter, subjects: Sequence[str], logged: LoggedQuery) -> Iterator[Checked]:
        """Answer in the matter as it was when it was asked, by all else as it is now."""
        now_ms = self._clock.now_ms()
        measures = self._view.measures_in_force(now_ms)
        lists = self._looked(now_ms)
        consulted = [each for each in lists.values() if _is_consulted(each, matter)]
        unknown = [channel for channel in matter.lists if channel not in lists]
        consulted += [self._never_received(channel, now_ms) for channel in unknown]
        sure = {each.channel for each in lists.values() if each.kind == SERIOUS and not each.doubts}
        for subject in subjects:
            in_force = self._in_force(subject, lists, now_ms)
            is_on_serious = not sure.isdisjoint(in_force)
            found = answer_of(subject, now_ms, matter, measures, consulted, in_force, is_on_serious=is_on_serious)
            version = measures.version if measures is not None else ""
            yield Checked(found, version, logged)

    def _in_force(self, subject: str, lists: Mapping[str, ConsultedList], now_ms: int) -> Mapping[str, list[Listing]]:
        """The entries of a subject that are in force, by channel, in whatever doubt their lists are."""
        found: dict[str, list[Listing]] = {}
        for held in self._store.listings_of(subject):
            operations = self._store.list_operations(held.channel, held.listing.place)
            listing = listing_of((each.operation for each in operations if each.is_answered), now_ms)
            consulted = lists.get(held.channel)
            if listing is not None and consulted is not None and consulted.list_type is not None:
                listing = within_term(listing, consulted.list_type.term_months)
            if listing is not None and listing.binds(now_ms):
                found.setdefault(held.channel, []).append(listing)
        return found

    # -- how sure lists are ---------------------------------------------------------------------------

    def _looked(self, now_ms: int) -> Mapping[str, ConsultedList]:
        """One look at all lists for all answers that leave in one turn of the loop; entries are read for each."""
        if self._look is None:
            self._look = self.lists(now_ms)
            asyncio.get_running_loop().call_soon(self._look_again)
        return self._look

    def _look_again(self) -> None:
        self._look = None

    def lists(self, now_ms: int) -> Mapping[str, ConsultedList]:
        """Every list that this node may read, by channel, with all doubts about it; those never received too."""
        newest = {held.log.channel: held for held in self._store.channels() if is_list(held.log.channel)}
        named = self._named()
        found: dict[str, ConsultedList] = {}
        for channel in sorted(newest.keys() | named.keys()):
            held = newest.get(channel)
            if held is None or (held.left_at is None and held.manifest.list.kind not in KIND_NAMES):
                found[channel] = self._never_received(channel, now_ms)
            elif held.left_at is None:
                found[channel] = self._consulted(held, named.get(channel, 0), now_ms)
        return found

    def _named(self) -> dict[str, int]:
        """The newest epoch of each list that a kept heartbeat names: what is shown here of one, this node may read."""
        found: dict[str, int] = {}
        for beat in self._store.heartbeats_since(0):
            for head in (item.head for item in beat.view.heads if is_list(item.head.channel)):
                found[head.channel] = max(head.epoch, found.get(head.channel, 0))
        return found

    def _never_received(self, channel: str, now_ms: int) -> ConsultedList:
        return ConsultedList(channel, None, self._doubts(None, now_ms))

    def _consulted(self, held: HeldChannel, named_epoch: int, now_ms: int) -> ConsultedList:
        limit_ms = (held.manifest.staleness_limit_s or DEFAULT_STALENESS_LIMIT_S) * 1000
        state, own = self._store.list_state(held.log.channel), is_own(self._view, held.log.channel)
        known = Knowledge(
            fresh_at_ms=held.fresh_at_ms,
            staleness_limit_ms=limit_ms,
            is_own=own,
            is_regained=not self._is_recovering() if own else self._regained.is_regained(held),
            is_quarantined=held.log.quarantined,
            origin_speaks=self._speaks(held),
            differs=state is not None and state.status is DigestStatus.MISMATCH,
            is_whole=named_epoch <= held.log.epoch and is_whole(self._store, held),
        )
        return ConsultedList(
            held.log.channel, held.manifest.list, self._doubts(known, now_ms), held.fresh_at_ms, limit_ms
        )

    def _speaks(self, held: HeldChannel) -> bool:
        """Whether the origin of a list may speak, and no cut of the list is awaited."""
        origin = self._view.members.get(held.origin)
        if origin is None or origin.standing is not Standing.ACTIVE:
            return False
        return held.log.epoch >= origin.open_epoch or held.log.cut is not None

    def _doubts(self, known: Knowledge | None, now_ms: int) -> tuple[Doubt, ...]:
        is_expired = self._view.stage is Stage.EXPIRED
        return doubts_of(known, now_ms, self._limits.max_clock_skew_ms, is_expired=is_expired)


def _check_subjects(subjects: Sequence[str]) -> None:
    for subject in subjects:
        check_subject(subject)


def _is_consulted(consulted: ConsultedList, matter: Matter) -> bool:
    """Whether a list is looked at in a matter; one of unknown type could be any."""
    list_type = consulted.list_type
    if list_type is None or list_type.kind == WATCH:
        return True
    return matter.consults(consulted.channel, list_type.measures)
