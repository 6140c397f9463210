"""What nodes answer about subjects, list by list, beside what their origins have signed and the nodes have taken.

G3   who is answered LISTED stands on the list by what is held of it, and who is answered CLEAR does not
G4   nobody is answered LISTED whose end on the list this node has receipted, or holds in any entry
G5   past its staleness limit, and while its origin may not speak, a list answers nothing
G6   nor does a list of an origin that has signed two histories
"""

from datetime import UTC, datetime, timedelta

from node.core.answer import Answer, ListAnswer, Verdict
from node.core.entry import origin_of
from node.core.state import Place
from node.simulator.holdings import Holder, Holding, is_active
from node.simulator.list_truth import LISTED, Listings
from node.simulator.list_watch import ListWatch, at_place
from node.simulator.observing import Violation
from node.simulator.truth import Truth

NETWORK_LIMIT_S = 86_400
_CHINA = timedelta(hours=8)


class Answers:
    """Judges answers; raises Violation."""

    def __init__(self, truth: Truth, lists: ListWatch) -> None:
        self._truth = truth
        self._lists = lists

    def told(self, at: Holder, now_ms: int, answer: Answer) -> None:
        """Judge an answer that a node has given at a time of its own clock."""
        for each in answer.lists:
            if each.verdict is not Verdict.UNCONFIRMED:
                self._check_sure(at, now_ms, each)
            if self._truth.is_true(each.consulted.channel):
                self._check_true(at, now_ms, answer.subject, each)

    def _check_sure(self, at: Holder, now_ms: int, told: ListAnswer) -> None:
        """A list that answers is fresh, and its origin has one history and may speak."""
        channel, origin = told.consulted.channel, origin_of(told.consulted.channel)
        said = f"{channel} answers {told.verdict}"
        if not is_active(at.member(origin)):
            raise Violation("G5", at.label, f"{said} though {origin} may not speak")
        held = at.newest(channel)
        if held is None or held.left_at is not None:
            raise Violation("G5", at.label, f"{said} and nothing of it is held")
        if held.key in at.quarantined:
            raise Violation("G6", at.label, f"{said} though {origin} has signed two histories")
        if origin != at.node:
            self._check_fresh(at, now_ms, held, said)

    def _check_fresh(self, at: Holder, now_ms: int, held: Holding, said: str) -> None:
        log = self._truth.logs.get(held.key)
        manifest = log.manifest(held.size) if log is not None else None
        if manifest is None or not self._truth.is_true(held.key[0]):
            return
        limit_s = manifest.staleness_limit_s or NETWORK_LIMIT_S
        age_s = (now_ms - at.fresh.get(held.key, 0)) // 1000
        if age_s > limit_s:
            raise Violation("G5", at.label, f"{said} from a copy that is {age_s} s old; {limit_s} s are allowed")

    def _check_true(self, at: Holder, now_ms: int, subject: str, told: ListAnswer) -> None:
        channel = told.consulted.channel
        due = self._lists.answered(at, channel, now_ms)
        if told.verdict is Verdict.LISTED:
            ended = self._lists.ended(at, channel)
            for entry in told.entries:
                self._check_listed(at, channel, entry.place, due, is_ended=entry.place in ended)
        elif told.verdict is Verdict.CLEAR and not told.entries:
            # Entries that are told all the same are those of a red list whose subject stands on a serious one.
            on_it = [place for place, listing in due.items() if self._binds(at, channel, place, due, now_ms, subject)]
            if on_it:
                raise Violation("G3", at.label, f"{channel} answers clear, and {at_place(on_it[0])} holds the subject")

    def _check_listed(self, at: Holder, channel: str, place: Place, due: Listings, *, is_ended: bool) -> None:
        said = f"{channel} answers LISTED for {at_place(place)}"
        if is_ended:
            raise Violation("G4", at.label, f"{said}, whose end this node has receipted")
        if place not in due:
            raise Violation("G3", at.label, f"{said}, which nobody has entered")
        if due[place].state != LISTED:
            raise Violation("G4", at.label, f"{said}, which is {due[place].state}")

    def _binds(self, at: Holder, channel: str, place: Place, due: Listings, now_ms: int, subject: str) -> bool:
        """Whether a listing of a subject, whose name is not erased here, has effect today."""
        listing = due[place]
        words = Place(place.epoch, place.index, listing.particulars)
        erased = at.erased.get(channel, {})
        today = (datetime.fromtimestamp(now_ms / 1000, UTC) + _CHINA).date().isoformat()
        is_named = listing.subject == subject and words not in erased
        return is_named and listing.state == LISTED and today <= listing.until
