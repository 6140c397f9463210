"""Changes of joint lists that wait for officers, in the tables."""

# ruff: noqa: S608 - statements are put together from constants of this module

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from node.core.list_change import WAITING, ChangeState
from node.core.state import Place
from node.held_changes import HeldChange
from node.storage.sql_reading import SqlReader

_COLUMNS = (
    *("id", "channel", "act", "state", "target", "last", "operations", "batches", "digest", "since", "source"),
    *("drafted_at_ms", "until_ms", "settled_at_ms", "fault"),
)
_CHANGES = f"SELECT {', '.join(_COLUMNS)} FROM list_changes"
_CHANGE = _CHANGES + " WHERE id = :id"
_ALL_CHANGES = _CHANGES + " ORDER BY drafted_at_ms, id"
_CHANGES_IN = _CHANGES + " WHERE state = :state ORDER BY drafted_at_ms, id"
_PUT_CHANGE = (
    f"INSERT INTO list_changes ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
    " ON CONFLICT (id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name != "id")
)
_BATCH = "SELECT content FROM list_change_batches WHERE change_id = :id AND batch = :batch"
_PUT_BATCH = "INSERT INTO list_change_batches (change_id, batch, content) VALUES (:id, :batch, :content)"
_DROP_BATCHES = "DELETE FROM list_change_batches WHERE change_id = :id"
_DROP_CHANGE = "DELETE FROM list_changes WHERE id = :id"
_FORGET_CHANGES = "DELETE FROM list_changes WHERE settled_at_ms > 0 AND settled_at_ms < :before_ms"


class SqlChangesReader(SqlReader):
    """The ChangesReader."""

    def change(self, change: str) -> HeldChange | None:
        row = self._row(_CHANGE, id=change)
        return _held_change(row) if row is not None else None

    def changes(self, *states: ChangeState) -> Sequence[HeldChange]:
        if not states:
            return [_held_change(row) for row in self._rows(_ALL_CHANGES)]
        found = [_held_change(row) for state in states for row in self._rows(_CHANGES_IN, state=state.value)]
        return sorted(found, key=lambda each: (each.drafted_at_ms, each.id))

    def change_batch(self, change: str, batch: int) -> bytes | None:
        row = self._row(_BATCH, id=change, batch=batch)
        return bytes(row[0]) if row is not None else None


class SqlChangesWriter(SqlChangesReader):
    """The ChangesWriter over the transaction that is open; erased tells that content was removed."""

    erased: bool

    @abstractmethod
    def _change(self, statement: str, **values: object) -> int: ...

    def put_change(self, change: HeldChange) -> None:
        values = {name: getattr(change, name) for name in _COLUMNS}
        places = {name: _written(getattr(change, name)) for name in ("target", "last", "since")}
        self._change(_PUT_CHANGE, **values | places | {"state": change.state.value})
        if change.state not in WAITING:
            self._drop_batches(change.id)

    def put_change_batch(self, change: str, batch: int, content: bytes) -> None:
        self._change(_PUT_BATCH, id=change, batch=batch, content=content)

    def forget_changes(self, before_ms: int) -> None:
        self._change(_FORGET_CHANGES, before_ms=before_ms)

    def drop_change(self, change: str) -> None:
        self._drop_batches(change)
        self._change(_DROP_CHANGE, id=change)

    def _drop_batches(self, change: str) -> None:
        if self._change(_DROP_BATCHES, id=change):
            self.erased = True


def _written(place: Place | None) -> str:
    return f"{place.epoch}/{place.index}/{place.position}" if place is not None else ""


def _read(place: str) -> Place | None:
    return Place(*map(int, place.split("/"))) if place else None


def _held_change(row: Sequence[Any]) -> HeldChange:
    change, channel, act, state, target, last, operations, batches, digest, since, *others = row
    began = _read(since)
    assert began is not None
    places = (_read(target), _read(last))
    return HeldChange(change, channel, act, ChangeState(state), *places, operations, batches, digest, began, *others)
