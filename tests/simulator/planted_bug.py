"""What a planted bug is: a mistake as a difference of production code, and what ought to notice it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one function; the lines that go stand there exactly once."""

    target: str
    diff: str


@dataclass(frozen=True, slots=True)
class Rewording:
    """A change of one statement of the store; each text that goes stands there exactly once."""

    target: str
    swaps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """One mistake. guarantees are those that may notice it; needs says which options of a scenario make it show."""

    name: str
    mistake: str
    guarantees: tuple[str, ...]
    needs: str
    edits: tuple[Change | Rewording, ...]
