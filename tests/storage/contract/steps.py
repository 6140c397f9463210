"""What the parts of the contract write with, and what they expect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from node.core.entry import VerifiedEntry
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.state import Applied
from node.ports import HeldRecord, Store
from tests.builders import NOW_MS, put_in_force

SMALL = Limits(max_alarms_kept=3, max_equivocations_kept=2)
"""The limits of every store under this contract."""

CHANNEL = "310000/penalties"
HUGE = (1 << 64) - 1  # the largest number a peer can send


def keep(store: Store, *entries: VerifiedEntry, complete: bool = True) -> None:
    """Append entries, each in its own transaction."""
    for entry in entries:
        with store.transaction() as tx:
            tx.append(entry, NOW_MS, complete)


def apply(store: Store, *applied: Applied) -> None:
    """Apply, each in its own transaction."""
    for each in applied:
        with store.transaction() as tx:
            tx.apply(each)


def keep_and_apply(store: Store, *entries: VerifiedEntry) -> None:
    """Append entries and put all of their records in force."""
    for entry in entries:
        keep(store, entry)
        apply(store, put_in_force(entry))


def contents(records: Iterator[HeldRecord] | Sequence[HeldRecord]) -> list[bytes]:
    return [record.record for record in records]


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(XinqiaoError) as caught:
        yield
    assert caught.value.code == code
