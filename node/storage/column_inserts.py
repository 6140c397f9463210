"""Inserting many rows from columns: few statements, and no row is made of them on the way.

The driver lets go of the interpreter at each statement, and binds each value of it: what all rows share is bound once.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from node.storage.sql_ports import SqlConnection

_MOST_VALUES = 5_000 if sqlite3.sqlite_version_info >= (3, 32) else 999
"""Older versions take no more; beyond 5,000 nothing is gained."""
_FEW = 16
"""So many rows have a statement of their own."""
_SMALLER = 5
"""A statement for the rows that are left is so much smaller than the one before."""


def insert_columns(
    connection: SqlConnection, head: str, shared: Sequence[Any], columns: Sequence[Sequence[Any]], tail: str = ""
) -> None:
    """Insert a row for each place in the columns, which follow the shared values; head ends with VALUES."""
    width, start, left = len(columns), 0, len(columns[0])
    size = (_MOST_VALUES - len(shared)) // width
    while left:
        while size > left > _FEW:
            size = max(1, size // _SMALLER)
        size = min(size, left)
        values = [*shared, *[None] * (width * size)]
        for number, column in enumerate(columns, len(shared)):
            values[number::width] = column[start : start + size]
        connection.execute(_statement(head, len(shared), width, size, tail), values)
        start, left = start + size, left - size


@lru_cache(maxsize=64)
def _statement(head: str, shared: int, width: int, rows: int, tail: str) -> str:
    first = [f"?{number}" for number in range(1, shared + 1)]
    ends = range(shared + 1, shared + 1 + rows * width, width)
    told = [", ".join([*first, *[f"?{number}" for number in range(end, end + width)]]) for end in ends]
    return f"{head} ({'), ('.join(told)}){tail}"
