"""Checking: the duty that answers whether a subject stands on a joint list, to whom may ask, and never too much.

(1) who asks and what for: an active officer, a matter that is published, a unit that handles it, a ground (R-QRY-2)
(2) the question goes into the query log; where that fails there is no answer
(3) which lists are looked at: those whose measures can apply in the matter or that it names, and every watch list; also
    those that exist and never came here
(4) how sure each of them is, and what it says: see node.list_doubts and core.answer

What is answered is read after (2), in one turn with its leaving: an exit that this node has acknowledged is never
overtaken by an answer of before (G4).

A sweep takes these steps for one chunk of its subjects after the other. While a chunk is answered the next one is read
and logged, and none after it: whoever reads slowly is asked slowly, and no more is kept of a million than of thousands.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from node.aside import Aside
from node.core.answer import Answer, ConsultedList, answer_of, check_subject
from node.core.catalogue import Basis
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_fold import within_term
from node.core.list_type import SERIOUS, WATCH, barred
from node.core.listing import Listing, listing_of
from node.core.matters import Matter, MattersEdition
from node.core.measures import MeasuresEdition
from node.core.officers import OfficerBook
from node.core.query_log import LoggedQuery, Question
from node.held_lists import EntryOperations
from node.list_doubts import ListDoubts
from node.ports import Clock, Store, View

PURPOSE = Basis(
    "R-QRY-2",
    "上海市公共信用信息归集和使用管理办法 art. 18; 上海市公共信用信息归集和使用管理办法 art. 19",
)
LOOKS = 1_000
"""So many answers of a batch are given by one look at the lists, and by one reading of who stands on them."""
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


@dataclass(frozen=True, slots=True)
class Swept:
    """The answers for the next count subjects: one for all of them but those that have one of their own, by position.

    common names no subject. An answer of its own has whoever stands in force on a list that is in no doubt.
    """

    logged: LoggedQuery
    measures_version: str
    count: int
    common: Answer
    others: Mapping[int, Answer]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Subjects whose question is in the log."""

    matter: Matter
    subjects: Sequence[str]
    logged: LoggedQuery


@dataclass(frozen=True, slots=True)
class _Look:
    """What answers of one time in one matter rest on; sure are the serious lists that are in no doubt."""

    at_ms: int
    matter: Matter
    measures: MeasuresEdition | None
    lists: Mapping[str, ConsultedList]
    consulted: Sequence[ConsultedList]
    sure: AbstractSet[str]

    @property
    def measures_version(self) -> str:
        return self.measures.version if self.measures is not None else ""

    def answer(self, subject: str, in_force: Mapping[str, Sequence[Listing]]) -> Answer:
        """The answer for a subject with these entries in force, by channel."""
        is_on_serious = not self.sure.isdisjoint(in_force)
        asked = (subject, self.at_ms, self.matter, self.measures, self.consulted, in_force)
        return answer_of(*asked, is_on_serious=is_on_serious)


class Checking:
    """Answers checks of one subject, of many, and of any number."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        clock: Clock,
        doubts: ListDoubts,
        book: Callable[[], OfficerBook],
        log: Callable[[Question, str], Awaitable[LoggedQuery]],
        log_batch: Callable[[Question, Sequence[str]], Awaitable[LoggedQuery]],
        aside: Aside,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._doubts = doubts
        self._book = book
        self._log = log
        self._log_batch = log_batch
        self._aside = aside
        self._looks: dict[str, _Look] = {}
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
        (found,) = _each(self._swept(self._looked(matter), [subject], logged), [subject])
        return found

    async def check_batch(self, asking: Asking, subjects: Sequence[str]) -> AsyncIterator[Checked]:
        """Answer for many subjects, in their order, after one entry of the query log for all; raises as check does."""
        asked = await self._asked(asking, subjects, self.most_subjects)
        for part in _parts(subjects):
            # A look is not older than the answers that it gives: what happens meanwhile is seen by the next one.
            for found in _each(self._swept(self._look(asked.matter), part, asked.logged), part):
                yield found

    async def sweep(self, asking: Asking, chunks: AsyncIterator[Sequence[str]]) -> AsyncGenerator[Swept, None]:
        """Answer for any number of subjects in their order, each chunk after an entry of the query log of its own.

        What is wrong with a chunk is raised after the answers for those before it, as check does; of it none is given.
        """
        ahead = asyncio.create_task(self._next(asking, chunks))
        try:
            while (asked := await ahead) is not None:
                ahead = asyncio.create_task(self._next(asking, chunks))
                for part in _parts(asked.subjects):
                    yield self._swept(self._look(asked.matter), part, asked.logged)
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _next(self, asking: Asking, chunks: AsyncIterator[Sequence[str]]) -> _Asked | None:
        """The next chunk of a sweep with its question in the log; None after the last one."""
        subjects = await anext(chunks, None)
        return None if subjects is None else await self._asked(asking, subjects, self._limits.max_subjects_per_chunk)

    async def _asked(self, asking: Asking, subjects: Sequence[str], limit: int) -> _Asked:
        """The question about subjects, in the log."""
        question, matter = self._question(asking)
        if not 1 <= len(subjects) <= limit:
            raise XinqiaoError("QUERY_BATCH", count=len(subjects), limit=limit)
        await self._aside(_check_subjects, subjects)
        return _Asked(matter, subjects, await self._log_batch(question, subjects))

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

    def _swept(self, look: _Look, subjects: Sequence[str], logged: LoggedQuery) -> Swept:
        """Answer in the matter as it was when it was asked, by all else as it is now."""
        about = self._store.operations_about(dict.fromkeys(subjects))
        listed = ((position, subject) for position, subject in enumerate(subjects if about else ()) if subject in about)
        found = {position: look.answer(subject, self._in_force(about[subject], look)) for position, subject in listed}
        # Who stands on lists in doubt alone is told no more than anybody else, nor by another way.
        others = {at: answer for at, answer in found.items() if any(each.entries for each in answer.lists)}
        return Swept(logged, look.measures_version, len(subjects), look.answer("", {}), others)

    def _in_force(self, entries: Sequence[EntryOperations], look: _Look) -> Mapping[str, list[Listing]]:
        """The entries of a subject that are in force, by channel, in whatever doubt their lists are."""
        found: dict[str, list[Listing]] = {}
        now_ms = look.at_ms
        for channel, operations in ((each.channel, each.operations) for each in entries):
            listing = listing_of((each.operation for each in operations if each.is_answered), now_ms)
            consulted = look.lists.get(channel)
            if listing is not None and consulted is not None and consulted.list_type is not None:
                listing = within_term(listing, consulted.list_type.term_months)
            if listing is not None and listing.binds(now_ms):
                found.setdefault(channel, []).append(listing)
        return found

    # -- looking at the lists -------------------------------------------------------------------------

    def _looked(self, matter: Matter) -> _Look:
        """What checks of one subject rest on that are answered in one turn of the loop; entries are read for each."""
        if not self._looks:
            asyncio.get_running_loop().call_soon(self._looks.clear)
        look = self._looks.get(matter.code)
        if look is None or look.matter is not matter:
            look = self._looks[matter.code] = self._look(matter)
        return look

    def _look(self, matter: Matter) -> _Look:
        now_ms = self._clock.now_ms()
        lists, measures = self.lists(now_ms), self._view.measures_in_force(now_ms)
        consulted = [each for each in lists.values() if _is_consulted(each, matter)]
        unknown = [channel for channel in matter.lists if channel not in lists]
        consulted += [self._doubts.never_received(channel, now_ms) for channel in unknown]
        sure = {each.channel for each in lists.values() if each.kind == SERIOUS and not each.doubts}
        return _Look(now_ms, matter, measures, lists, consulted, sure)

    def lists(self, now_ms: int) -> Mapping[str, ConsultedList]:
        """Every list that this node may read, by channel, with all doubts about it; those never received too."""
        return self._doubts.lists(now_ms)


def _each(swept: Swept, subjects: Sequence[str]) -> Iterator[Checked]:
    """The answer for each by itself."""
    for position, subject in enumerate(subjects):
        found = swept.others.get(position) or replace(swept.common, subject=subject)
        yield Checked(found, swept.measures_version, swept.logged)


def _parts(subjects: Sequence[str]) -> Iterator[Sequence[str]]:
    return (subjects[start : start + LOOKS] for start in range(0, len(subjects), LOOKS))


def _check_subjects(subjects: Sequence[str]) -> None:
    for subject in subjects:
        check_subject(subject)


def _is_consulted(consulted: ConsultedList, matter: Matter) -> bool:
    """Whether a list is looked at in a matter; one of unknown type could be any."""
    list_type = consulted.list_type
    if list_type is None or list_type.kind == WATCH:
        return True
    return matter.consults(consulted.channel, list_type.measures)
