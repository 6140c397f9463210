"""What records and acts are as rows, whatever the database."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from node.core.record_terms import SortedTerms
from node.core.state import Act, Applied, NewRecords, Place


class RecordColumns(NamedTuple):
    """The good records of an entry by position, a column for each of what is stored of them.

    marks is what the column in_force says. terms are those of all of them, None where they are not known yet.
    """

    positions: Sequence[int]
    marks: Sequence[int | None]
    keys: Sequence[bytes]
    content_hashes: Sequence[bytes]
    subjects: Sequence[str]
    terms: SortedTerms | None = None

    @property
    def stored(self) -> Sequence[Sequence[object]]:
        """The columns of the table, in its order."""
        return self[:5]


def record_columns(applied: Applied, in_force: bool) -> RecordColumns:
    """The columns of the records that an entry brings."""
    new, mark = applied.in_force, 1 if in_force else None
    if isinstance(new, NewRecords) and not applied.behind:
        return RecordColumns(new.positions, [mark] * len(new), new.keys, new.content_hashes, new.subjects, new.terms)
    marked = [(record, mark) for record in new] + [(record, None) for record in applied.behind]
    marked.sort(key=lambda each: each[0].position)
    return RecordColumns(
        [record.position for record, _ in marked],
        [mark for _, mark in marked],
        [record.key for record, _ in marked],
        [record.content_hash for record, _ in marked],
        [record.subject for record, _ in marked],
    )


def keys_of(applied: Applied) -> Sequence[bytes]:
    """The keys of the records that an entry puts in force."""
    new = applied.in_force
    return new.keys if isinstance(new, NewRecords) else [record.key for record in new]


def replaced_by(applied: Applied) -> Mapping[bytes, Place]:
    """Which records are replaced by those that an entry puts in force, by key."""
    new = () if isinstance(applied.in_force, NewRecords) else applied.in_force
    return {record.key: record.replaces for record in new if record.replaces is not None}


def act_row(channel_id: int, act: Act) -> tuple[int | None, ...]:
    """The row of an act."""
    at, target, new = act.place, act.target, act.replacement
    replacement = (None, None, None) if new is None else (new.epoch, new.index, new.position)
    place = (channel_id, at.epoch, at.index, at.position, act.kind, target.epoch, target.index, target.position)
    return (*place, act.at_ms, act.particulars, *replacement)
