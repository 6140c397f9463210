"""Lists in SQLite: what is looked up is found by an index, so that a list of any length costs the same."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node.storage import sql_lists
from node.storage.sqlite import SqliteStore

PLACES = {f"{prefix}{name}": 1 for prefix in ("", "to_") for name in ("epoch", "index", "position")}
VALUES = {**PLACES, "id": 1, "subject": "S", "limit": 1, "low": 1, "high": 2, "channel": "310000/lists/serious-tax"}


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        (sql_lists._OPERATIONS_AT, "USING PRIMARY KEY (channel_id=? AND epoch=? AND entry_index=?)"),
        (sql_lists._OPERATIONS_ON, "list_operations_target (channel_id=? AND (target_epoch,target_index,"),
        (sql_lists._LISTINGS_BETWEEN, "USING PRIMARY KEY (channel_id=? AND (epoch,entry_index,position)>"),
        (sql_lists._LISTINGS_AFTER, "USING PRIMARY KEY (channel_id=? AND (epoch,entry_index,position)>"),
        (sql_lists._LISTINGS_OF, "listings_subject (subject=?)"),
        (
            sql_lists._TARGETS_BETWEEN,
            "USING PRIMARY KEY (channel_id=? AND epoch=? AND entry_index>? AND entry_index<?)",
        ),
    ],
)
def test_no_statement_walks_a_list(tmp_path: Path, statement: str, step: str) -> None:
    SqliteStore.open(tmp_path / "node.db", create=True).close()
    with closing(sqlite3.connect(tmp_path / "node.db")) as raw:
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", VALUES)]
    assert not [each for each in plan if "PRIMARY KEY (channel_id=?)" in each or each.startswith("SCAN")]
    assert any(step in each for each in plan), plan
