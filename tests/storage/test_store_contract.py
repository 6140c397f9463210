"""Every store keeps the one contract; a further one needs one line here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.ports import Store
from node.storage.memory import MemoryStore
from node.storage.sqlite import SqliteStore
from tests import postgres
from tests.storage import contract

STORES: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda home: SqliteStore.open(home / "node.db", create=True, limits=contract.SMALL),
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
