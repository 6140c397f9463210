"""The filter of keys of a server's index hides no record, however little of the table it has read."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from node.storage import server_index
from node.storage.postgres import PostgresStore
from node.storage.postgres_server import Address
from tests import postgres
from tests.builders import NOW_MS, key_of
from tests.storage.test_record_index import CHANNEL, KEYS, STEPS, Twins, enter, folded, found

PLACED = "channel_id, epoch, entry_index, position"


class ServerTwins(Twins):
    """The store on a server and the one that needs no index."""

    def __init__(self, address: Address) -> None:
        self.address = address
        super().__init__(Path(), 1, 0)

    def opened(self) -> Any:
        return postgres.opened(self.address, create=True)

    def lose(self) -> None:
        """The session that writes is gone."""
        self.sqlite._writer.raw.close()  # type: ignore[attr-defined]

    def lose_inside(self, names: Sequence[tuple[str, str]]) -> None:
        """The session goes while a transaction is at work, which has noted what will never be there."""
        log, entries = self.writer.log, list(self.writer.entries)
        entry = self.writer.records([name.encode() for name, _ in names])
        self.writer.log, self.writer.entries = log, entries
        with suppress(KeyError), self.sqlite.transaction() as tx:
            tx.append(entry, NOW_MS, complete=True)
            tx.apply(folded(tx, entry, names))
            self.lose()
            raise KeyError

    def check(self) -> None:
        assert found(self.sqlite) == found(self.memory)
        with self.sqlite.transaction() as tx:
            assert tx.find_keys(CHANNEL, [*map(key_of, KEYS)]) == self.memory.find_keys(CHANNEL, [*map(key_of, KEYS)])


SERVER_STEPS: Sequence[Callable[[ServerTwins, Random], None]] = (
    *STEPS,
    lambda twins, _draw: twins.lose(),
    lambda twins, draw: twins.lose_inside([(draw.choice(KEYS), "subject 0")]),
)


@pytest.mark.parametrize(("at_start", "per_record"), [(1, 1), (5, 100), (3, 0), (100_000, 4)])
def test_what_is_found_does_not_depend_on_how_much_was_read(
    monkeypatch: pytest.MonkeyPatch, at_start: int, per_record: int
) -> None:
    monkeypatch.setattr(server_index, "READ_AT_START", at_start)
    monkeypatch.setattr(server_index, "READ_PER_RECORD", per_record)
    twins, draw = ServerTwins(postgres.new_database()), Random(at_start)
    for _ in range(60):
        draw.choice(SERVER_STEPS)(twins, draw)
        twins.check()
    twins.sqlite.close()


def entered(store: PostgresStore, twins: Twins, count: int) -> None:
    for at in range(count):
        names = [(f"key {at}/{number}", "subject") for number in range(3)]
        entry = twins.writer.records([key.encode() for key, _ in names])
        enter(store, entry, names)


def is_asked_for(store: PostgresStore, monkeypatch: pytest.MonkeyPatch, key: str) -> bool:
    """Whether the server is asked for a key."""
    asked: list[object] = []
    execute = store._reading.execute

    def counting(sql: str, *given: Any) -> Any:
        asked.append(sql)
        return execute(sql, *given)

    with monkeypatch.context() as patched:
        patched.setattr(store._reading, "execute", counting)
        store.find_keys(CHANNEL, [key_of(key)])
    return server_index._UNDER in asked


def test_keys_that_nobody_has_are_asked_for_until_all_that_are_held_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_index, "READ_AT_START", 5)
    monkeypatch.setattr(server_index, "READ_PER_RECORD", 2)
    twins = ServerTwins(postgres.new_database())
    store: Any = twins.sqlite
    entered(store, twins, 4)
    assert not is_asked_for(store, monkeypatch, "another")
    assert is_asked_for(store, monkeypatch, "key 0/0")
    store.close()
    store = twins.opened()  # five of twelve keys are read
    assert is_asked_for(store, monkeypatch, "another")
    for _ in range(2):
        entered(store, twins, 1)  # three more, and six are read
        with store.transaction():
            pass
        assert is_asked_for(store, monkeypatch, "another")
    entered(store, twins, 1)
    with store.transaction():
        pass
    assert not is_asked_for(store, monkeypatch, "another")
    assert is_asked_for(store, monkeypatch, "key 3/2")
    store.close()


def test_what_was_put_back_by_hand_is_known_to_whoever_connects_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    twins = ServerTwins(postgres.new_database())
    store: Any = twins.sqlite
    entered(store, twins, 1)
    columns = f"{PLACED}, in_force, natural_key, content_hash, subject"
    with psycopg.connect(twins.address.conninfo(), autocommit=True) as other:
        other.execute(
            f"INSERT INTO records ({columns}) SELECT channel_id, epoch, 7, 0, 1, %s, content_hash, subject"
            " FROM records LIMIT 1",
            (key_of("put back"),),
        )
    assert not is_asked_for(store, monkeypatch, "put back")
    twins.lose()
    with store.transaction() as tx:
        assert list(tx.find_keys(CHANNEL, [key_of("put back")])) == [key_of("put back")]
    store.close()
