"""A node that holds a list: it takes entries through admission, one transaction for each."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from node.admission import Admission, note_cut
from node.core.channel import HeadAt
from node.core.entry import VerifiedEntry
from node.core.membership import Members
from node.core.rules import VERSION_1
from node.held_lists import DigestStatus, HeldListState
from node.ports import Store, StoreTransaction
from tests.builders import NETWORK, NOW_MS, SigningNode, make_members, make_node
from tests.list_writer import LIST, listing_node

READER = make_node("330100")


@dataclass(frozen=True)
class ReaderView:
    """What a reader knows of the network: as much as admission asks for."""

    members: Members
    me: str
    network: str = NETWORK
    read_at_ms: int = NOW_MS * 2
    editions: Any = None
    rules: Any = None


class CrashError(Exception):
    """The process ends before a transaction is committed."""


class Reader:
    """A node that takes what it is brought, one transaction for each."""

    def __init__(self, store: Store, me: SigningNode = READER, **seen: Any) -> None:
        self.store = store
        members = make_members(listing_node(), READER)
        fields: dict[str, Any] = {"members": members, "editions": {}, "rules": {VERSION_1.version: VERSION_1}}
        view = ReaderView(me=me.id, **(fields | seen))
        self.admission = Admission(view)  # type: ignore[arg-type]

    def run(self, step: Callable[[StoreTransaction], object], *, crashes: bool = False) -> None:
        if crashes:
            with suppress(CrashError), self.store.transaction() as tx:
                step(tx)
                raise CrashError
        with self.store.transaction() as tx:
            step(tx)

    def take(self, entry: VerifiedEntry, *, crashes: bool = False) -> None:
        self.run(lambda tx: self.admission.admit(tx, entry, NOW_MS), crashes=crashes)

    def supply(self, entry: VerifiedEntry, *, crashes: bool = False) -> None:
        header, body = entry.header, entry.body
        assert body is not None
        self.run(
            lambda tx: self.admission.supply(tx, LIST, header.epoch, header.index, body.serialized), crashes=crashes
        )

    def cut(self, head: HeadAt, *, crashes: bool = False) -> None:
        self.run(lambda tx: note_cut(tx, (LIST, 0), head), crashes=crashes)

    def fold_rest(self) -> None:
        for held in self.store.channels():
            self.run(lambda tx, held=held: self.admission.fold_on(tx, *held.key))  # type: ignore[misc]

    @property
    def state(self) -> HeldListState:
        """How the list stands here."""
        held = self.store.list_state(LIST)
        assert held is not None
        return held

    @property
    def status(self) -> DigestStatus:
        """How it compares with its origin's."""
        return self.state.status

    @property
    def alarmed(self) -> list[dict[str, str]]:
        """What alarms say of its digest."""
        return [dict(alarm.parameters) for alarm in self.store.alarms() if alarm.code == "LIST_DIGEST"]
