"""What a change of a joint list holds, drawn from a seed and from how the list stands where it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from node.core.listing import AMEND, ENTER, EXIT, RESUME, SUSPEND, ListState
from node.core.state import Place
from node.held_lists import HeldListing
from node.pb import listing_pb2

SUBJECTS = 60
"""So many subjects are entered, exited and entered anew, on all lists of a run."""

_GROUNDS = (
    listing_pb2.EXIT_GROUND_CONDITIONS_MET,
    listing_pb2.EXIT_GROUND_REPAIRED,
    listing_pb2.EXIT_GROUND_ANNULLED,
)
_LIVE = (ListState.LISTED, ListState.SUSPENDED)
_ENDED = (ListState.EXITED, ListState.REPAIRED)
_EXPIRES_TODAY = 0.1


@dataclass(frozen=True, slots=True)
class DrawnOperation:
    """One operation of a change. entry is the listing it is about, None where it enters the subject of a serial."""

    act: int
    entry: Place | None = None
    serial: int = 0
    ground: int = 0
    until: str = ""
    measures: tuple[str, ...] = ()


def draw_operations(
    held: Sequence[HeldListing], random: Random, count: int, exits: int, measures: Sequence[str], today: date
) -> list[DrawnOperation]:
    """Operations that may follow on how a list stands: each is about another listing, so many end one."""
    listings = [each.listing for each in held]
    random.shuffle(listings)
    live = [each for each in listings if each.state in _LIVE]
    ended = [each for each in listings if each.state in _ENDED]
    found = []
    for number in range(count):
        draw = random.random()
        if number < exits and ended and draw < 0.2:
            found.append(DrawnOperation(EXIT, ended.pop().place, ground=listing_pb2.EXIT_GROUND_ANNULLED))
        elif number < exits and live:
            found.append(DrawnOperation(EXIT, live.pop().place, ground=random.choice(_GROUNDS)))
        elif draw < 0.5 or not live:
            found.append(_entering(random, measures, today))
        else:
            listing = live.pop()
            act = _following(listing.state, draw)
            until, codes = _renewed(random, measures, today) if act == AMEND else ("", ())
            found.append(DrawnOperation(act, listing.place, until=until, measures=codes))
    return found


def _following(state: ListState, draw: float) -> int:
    if draw < 0.65:
        return AMEND
    return SUSPEND if state is ListState.LISTED else RESUME


def _entering(random: Random, measures: Sequence[str], today: date) -> DrawnOperation:
    until, codes = _renewed(random, measures, today)
    return DrawnOperation(ENTER, serial=random.randrange(SUBJECTS), until=until, measures=codes)


def _renewed(random: Random, measures: Sequence[str], today: date) -> tuple[str, tuple[str, ...]]:
    """The last day, now and then today, and some of the measures."""
    days = 0 if random.random() < _EXPIRES_TODAY else random.randint(1, 700)
    chosen = random.sample(sorted(measures), random.randint(1, len(measures))) if measures else []
    return (today + timedelta(days=days)).isoformat(), tuple(sorted(chosen))
