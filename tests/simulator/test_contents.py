"""The digest of a database's contents: the same for the same contents, another one for any other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from node.core.channel import HeadAt
from node.ports import LinkState, RegistryFileRecord, Store, StoreTransaction
from node.simulator.contents import contents_digest
from node.storage.memory import MemoryStore
from node.storage.sqlite import SqliteStore
from tests.builders import (
    NOW_MS,
    ChannelWriter,
    SigningNode,
    erasure_of,
    make_address,
    make_heartbeat,
    make_receipt,
    put_in_force,
)

CHANNEL = "310000/penalties"


def fill(store: Store, log: ChannelWriter) -> None:
    """A log of three entries with one erased record, a heartbeat and a receipt."""
    entries = log.entries or [log.manifest(), log.records([b"one", b"two"]), log.records([b"three"])]
    with store.transaction() as tx:
        for entry in entries:
            tx.append(entry, NOW_MS, True)
            tx.apply(put_in_force(entry))
        tx.put_erasures(CHANNEL, [erasure_of(entries[1], 0)])
        tx.put_heartbeat(make_heartbeat(log.node, {(CHANNEL, 0): log.head}))
        tx.raise_alarm("CODE", "subject", {"a": "1", "b": "2"}, NOW_MS)


def test_two_kinds_of_store_with_the_same_contents_agree(tmp_path: Path, writer: ChannelWriter) -> None:
    memory = MemoryStore(incarnation="same")
    with SqliteStore.open(tmp_path / "node.db", create=True, incarnation="same") as sqlite:
        assert contents_digest(memory) == contents_digest(sqlite)
        fill(memory, writer)
        fill(sqlite, writer)
        assert contents_digest(memory) == contents_digest(sqlite)


def test_where_the_file_lies_makes_no_difference(tmp_path: Path, writer: ChannelWriter) -> None:
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with SqliteStore.open(tmp_path / name / f"{name}.db", create=True, incarnation="same") as store:
            fill(store, writer)
            digests.append(contents_digest(store))
    assert digests[0] == digests[1]


CHANGES: dict[str, Callable[[StoreTransaction, ChannelWriter, SigningNode], object]] = {
    "an entry": lambda tx, log, _: tx.append(log.records([b"four"]), NOW_MS, True),
    "a received time": lambda tx, log, _: tx.append(log.records([b"four"]), NOW_MS + 1, True),
    "an erasure": lambda tx, log, _: tx.put_erasures(CHANNEL, [erasure_of(log.entries[2], 0)]),
    "a cut": lambda tx, _log, _: tx.set_cut(CHANNEL, 0, HeadAt(2, bytes(32))),
    "a quarantine": lambda tx, _log, _: tx.set_quarantined("310000", True),
    "freshness": lambda tx, _log, _: tx.set_fresh(CHANNEL, 0, NOW_MS),
    "a heartbeat": lambda tx, log, _: tx.put_heartbeat(make_heartbeat(log.node, {}, time_ms=NOW_MS + 9)),
    "a receipt": lambda tx, log, pudong: tx.put_receipt(make_receipt(pudong, log.log)),
    "an address": lambda tx, _log, pudong: tx.put_address(*make_address(pudong, 1)),
    "a link": lambda tx, _log, _: tx.put_link(LinkState("310000", failures=1)),
    "an alarm": lambda tx, _log, _: tx.raise_alarm("CODE", "other", {}, NOW_MS),
    "an alarm's parameter": lambda tx, _log, _: tx.raise_alarm("CODE", "subject", {"a": "2", "b": "1"}, NOW_MS),
    "a registry file": lambda tx, _log, _: tx.replace_registry_files([RegistryFileRecord("a.json", b"{}")], keep=()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_gives_another_digest(
    tmp_path: Path, writer: ChannelWriter, pudong: SigningNode, change: str
) -> None:
    with SqliteStore.open(tmp_path / "node.db", create=True, incarnation="same") as store:
        fill(store, writer)
        before = contents_digest(store)
        with store.transaction() as tx:
            CHANGES[change](tx, writer, pudong)
        assert contents_digest(store) != before


def test_the_incarnation_is_part_of_it() -> None:
    assert contents_digest(MemoryStore(incarnation="a")) != contents_digest(MemoryStore(incarnation="b"))
