"""Divisions of GB/T 2260 in time: what a code named on a day, what it was called, and where its area is today.

A code stays in whatever was issued under it: the division in a unified social credit code or a resident identity number
is that of the day of issue. So a code that was in force at any time is good, and one that this version does not know
is a doubt that a person may look into, never a fault: new divisions are announced between two releases.

Years are as exact as the sources: the year of a change counts for the division that ended and for its successors.
An area that was divided without a change of its code (余杭区 in 2021) keeps its code here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from node.core.division_table import TABLE
from node.core.identifiers import NATION_DIVISIONS

NATION = "中华人民共和国"
_PROVINCE, _CITY = 2, 4
_CODE_CHARS = 6
_NEVER = 9999


@dataclass(frozen=True, slots=True)
class Division:
    """A code under one name.

    first_year is None where it was in force in 1980 already, last_year where it still is. successors are the codes
    that took over its area, itself where only the name changed; none where it is in force, or divided among many.
    """

    code: str
    name: str
    first_year: int | None
    last_year: int | None
    successors: tuple[str, ...]

    def is_in_force(self, day: date) -> bool:
        """Tell whether the code had this name on a day; in the year of a change both names count."""
        begun = self.first_year is None or self.first_year <= day.year
        return begun and (self.last_year is None or day.year <= self.last_year)


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[Division, ...]]:
    """Every division of a code, oldest first; read once, when it is first asked for."""
    found: dict[str, tuple[Division, ...]] = {}
    for line in TABLE.splitlines():
        code, name, years, *successors = line.split(" ")
        first, _, last = years.partition("-")
        division = Division(code, name, int(first) if first else None, int(last) if last else None, tuple(successors))
        found[code] = (*found.get(code, ()), division)
    return found


def divisions_of(code: str) -> tuple[Division, ...]:
    """Return what a code has named, oldest first; none where it never was in force."""
    return _table().get(code, ())


def existed(code: str) -> bool:
    """Tell whether a code was in force at any time since 1980, or stands for the nation."""
    return code in _table() or code in NATION_DIVISIONS


def division_on(code: str, day: date) -> Division | None:
    """Return the division of a code on a day, the newer of two in the year of a change; None where there was none."""
    found = [division for division in divisions_of(code) if division.is_in_force(day)]
    return found[-1] if found else None


def today(division: Division) -> tuple[Division, ...]:
    """Return the divisions in force in which the area of a division lies, by code; none where nobody says."""
    return tuple(sorted(set(_today(division, set())), key=lambda each: each.code))


def _today(division: Division, seen: set[Division]) -> Iterator[Division]:
    if division.last_year is None:
        yield division
    elif division not in seen:
        seen.add(division)
        for code in division.successors:
            # What took over began no later than the other ended, and lasted longer.
            later = (each for each in divisions_of(code) if (each.last_year or _NEVER) > division.last_year)
            successor = next(later, None)
            yield from _today(successor, seen) if successor is not None else ()


def names_on(code: str, day: date) -> tuple[str, ...]:
    """Return the names of province, city and county of a code on a day, e.g. ("浙江省", "杭州市", "余杭区").

    Municipalities have no city in between. Empty where the code was not in force on that day.
    """
    if code in NATION_DIVISIONS:
        return (NATION,)
    if division_on(code, day) is None:
        return ()
    levels = dict.fromkeys(code[:digits].ljust(_CODE_CHARS, "0") for digits in (_PROVINCE, _CITY, _CODE_CHARS))
    found = [division_on(level, day) for level in levels]
    return tuple(division.name for division in found if division is not None)


# --- Doubts -------------------------------------------------------------------------------------------------


def division_doubt(code: str) -> str | None:
    """Return the doubt about a sound division code, None where it was in force at any time."""
    return None if existed(code) else "DOUBT_DIVISION"


def resident_id_doubt(code: str) -> str | None:
    """Return the doubt about a sound resident identity number: its division is not known (GB 11643-1999)."""
    return None if existed(code[:6]) else "DOUBT_RESIDENT_ID_DIVISION"


def uscc_doubt(code: str) -> str | None:
    """Return the doubt about a sound unified social credit code: its city is not known (GB 32100-2015).

    Registering authorities also use numbers of their own below a city (310141 of a free trade zone, 440101 of a city
    itself), so that only the first four digits of the division say anything.
    """
    return None if code[2:6] in _cities() else "DOUBT_USCC_DIVISION"


@lru_cache(maxsize=1)
def _cities() -> frozenset[str]:
    """The first four digits of every division there ever was, and of the nation."""
    return frozenset(code[:_CITY] for code in (*_table(), *NATION_DIVISIONS))
