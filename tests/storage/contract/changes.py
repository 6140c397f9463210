"""What every store keeps of changes of lists: rows, and their content as long as they wait."""

from dataclasses import replace

import pytest

from node.core.list_change import WAITING, ChangeState
from node.core.state import Place
from node.held_changes import HeldChange
from node.ports import Store

CHANGE = HeldChange(
    id="00000000000000aa",
    channel="310000/lists/serious-tax",
    act=5,
    state=ChangeState.DRAFT,
    target=Place(0, 3, 1),
    last=Place(0, 4, 0),
    operations=2,
    batches=2,
    digest=b"d" * 32,
    since=Place(0, 5, 0),
    source="bulk.csv",
    drafted_at_ms=1_000,
    until_ms=9_000,
)


def put(store: Store, *changes: HeldChange) -> None:
    with store.transaction() as tx:
        for each in changes:
            tx.put_change(each)


class ChangeContract:
    """A change is what was put last; its content goes with the first state in which it does not wait."""

    def test_a_change_is_read_as_it_was_put(self, store: Store) -> None:
        entering = replace(CHANGE, id="bb", target=None, last=None, act=1, drafted_at_ms=500)
        put(store, CHANGE, entering)
        assert store.change(CHANGE.id) == CHANGE
        assert store.changes() == [entering, CHANGE]
        assert store.change("cc") is None
        moved = replace(CHANGE, state=ChangeState.PENDING, until_ms=99_000)
        put(store, moved)
        assert store.changes(ChangeState.PENDING) == [moved]
        assert store.changes(ChangeState.DRAFT) == [entering]
        assert store.changes(ChangeState.APPROVED) == []

    @pytest.mark.parametrize("state", list(ChangeState))
    def test_its_batches_are_kept_while_it_waits(self, store: Store, state: ChangeState) -> None:
        put(store, CHANGE, replace(CHANGE, id="bb"))
        with store.transaction() as tx:
            for change in (CHANGE.id, "bb"):
                for batch in range(2):
                    tx.put_change_batch(change, batch, f"{change} {batch}".encode())
        put(store, replace(CHANGE, state=state, settled_at_ms=0 if state in WAITING else 5_000))
        kept = [store.change_batch(CHANGE.id, batch) for batch in range(3)]
        assert kept == ([b"00000000000000aa 0", b"00000000000000aa 1", None] if state in WAITING else [None] * 3)
        assert store.change_batch("bb", 1) == b"bb 1"

    def test_what_was_settled_long_ago_is_forgotten_and_a_draft_can_be_dropped(self, store: Store) -> None:
        settled = replace(CHANGE, id="bb", state=ChangeState.REFUSED, settled_at_ms=5_000)
        put(store, CHANGE, settled)
        with store.transaction() as tx:
            tx.put_change_batch(CHANGE.id, 0, b"content")
            tx.forget_changes(5_000)
        assert store.change("bb") == settled
        with store.transaction() as tx:
            tx.forget_changes(5_001)
            tx.drop_change(CHANGE.id)
        assert (store.changes(), store.change_batch(CHANGE.id, 0)) == ([], None)
