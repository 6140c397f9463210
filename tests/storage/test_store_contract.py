"""Every store keeps the one contract; a further one needs one line here."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from node.ports import Store
from node.storage.memory import MemoryStore
from node.storage.sql_writing import SqlTransaction
from node.storage.sqlite import SqliteStore
from node.storage.waiting_terms import Tail
from tests import postgres
from tests.storage import contract

NOTED = ("queries", "query_leaves", "settings")


class WatchfulStore(SqliteStore):
    """A SqliteStore that demands another generation after each change, in every test of the contract."""

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """A production transaction."""
        before, generation = self._contents(), self.generation()
        with super().transaction() as transaction:
            yield transaction
        assert generation != self.generation() or before == self._contents()

    def _contents(self) -> list[str]:
        with closing(sqlite3.connect(self._path)) as raw:
            lines = list(raw.iterdump())
        return [line for line in lines if not line.startswith(tuple(f'INSERT INTO "{name}"' for name in NOTED))]


STORES: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda home: WatchfulStore.open(home / "node.db", create=True, limits=contract.SMALL),
    "sqlite that merges at once": lambda home: WatchfulStore.open(
        home / "node.db", create=True, limits=contract.SMALL, tail=Tail(slices=2, limit=0)
    ),
    "postgres": lambda _home: postgres.new_store(contract.SMALL),
    "memory": lambda _home: MemoryStore(limits=contract.SMALL),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()


class TestTransactions(contract.TransactionContract): ...


class TestLogs(contract.LogContract): ...


class TestBodies(contract.BodyContract): ...


class TestFold(contract.FoldContract): ...


class TestErasure(contract.ErasureContract): ...


class TestActs(contract.ActsContract): ...


class TestLists(contract.ListContract): ...


class TestChanges(contract.ChangeContract): ...


class TestStanding(contract.StandingContract): ...


class TestStatements(contract.StatementContract): ...


class TestDecisions(contract.DecisionContract): ...


class TestQueryLog(contract.QueryLogContract): ...


class TestSurroundings(contract.SurroundingsContract): ...
