"""Changes of joint lists that wait for officers, in the store in memory."""

from collections.abc import Sequence

from node.core.list_change import WAITING, ChangeState
from node.held_changes import HeldChange
from node.storage.memory_reading import MemoryReader


class MemoryChangesReader(MemoryReader):
    """The ChangesReader."""

    def change(self, change: str) -> HeldChange | None:
        return self._state.list_changes.rows.get(change)

    def changes(self, *states: ChangeState) -> Sequence[HeldChange]:
        held = sorted(self._state.list_changes.rows.values(), key=lambda each: (each.drafted_at_ms, each.id))
        return [each for each in held if not states or each.state in states]

    def change_batch(self, change: str, batch: int) -> bytes | None:
        return self._state.list_change_batches.rows.get((change, batch))


class MemoryChangesWriter(MemoryChangesReader):
    """The ChangesWriter on tables of its own."""

    def put_change(self, change: HeldChange) -> None:
        self._state.list_changes.edit()[change.id] = change
        if change.state not in WAITING:
            self._drop_batches(change.id)

    def put_change_batch(self, change: str, batch: int, content: bytes) -> None:
        self._state.list_change_batches.edit()[change, batch] = content

    def forget_changes(self, before_ms: int) -> None:
        held = self._state.list_changes.edit()
        for old in [each.id for each in held.values() if 0 < each.settled_at_ms < before_ms]:
            del held[old]

    def drop_change(self, change: str) -> None:
        self._drop_batches(change)
        self._state.list_changes.edit().pop(change, None)

    def _drop_batches(self, change: str) -> None:
        held = self._state.list_change_batches.edit()
        for at in [at for at in held if at[0] == change]:
            del held[at]
