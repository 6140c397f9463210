"""The contract of node.ports.Store, as tests that every store must pass; test_store_contract.py runs them.

The fixture `store` is an empty store with the limits SMALL; `writer` signs the entries of one channel.
"""

from tests.storage.contract.changes import ChangeContract
from tests.storage.contract.erasures import ErasureContract
from tests.storage.contract.folds import ActsContract, FoldContract
from tests.storage.contract.lists import ListContract
from tests.storage.contract.logs import BodyContract, LogContract, TransactionContract
from tests.storage.contract.queries import QueryLogContract
from tests.storage.contract.standing import StandingContract
from tests.storage.contract.statements import DecisionContract, StatementContract, SurroundingsContract
from tests.storage.contract.steps import CHANNEL, SMALL, keep_and_apply

__all__ = (
    "CHANNEL",
    "SMALL",
    "ActsContract",
    "BodyContract",
    "ChangeContract",
    "DecisionContract",
    "ErasureContract",
    "FoldContract",
    "ListContract",
    "LogContract",
    "QueryLogContract",
    "StandingContract",
    "StatementContract",
    "SurroundingsContract",
    "TransactionContract",
    "keep_and_apply",
)
