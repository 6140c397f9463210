"""The plan of a run: every act of operators and every fault with its time, drawn from a scenario and a seed.

A plan is plain data. A failure file holds one, so that it can be replayed, and made smaller event by event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool | list[str]


@dataclass(frozen=True, slots=True, order=True)
class PlannedEvent:
    """One thing that happens at a virtual time, in ms from the start; number is its place in the plan."""

    at_ms: int
    number: int
    kind: str
    node: str
    arguments: Mapping[str, Value] = field(default_factory=dict, compare=False)
