"""What a node holds, read while it does not run; on whatever server its settings name."""

from contextlib import AbstractContextManager, closing
from time import perf_counter

from node.home import Home
from node.ports import Store
from node.storage.databases import Database, database_of


def database(home: Home) -> Database:
    """Where the database of a home is."""
    config = home.load()
    return database_of(home.path, config.database, config.database_password_path(home.path), perf_counter)


def opened(home: Home) -> AbstractContextManager[Store]:
    """The store of a home whose node does not run."""
    return closing(database(home).open())
