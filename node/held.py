"""What nodes keep beside logs and entries, joined into what the Store of node.ports reads and writes."""

from typing import Protocol

from node.held_acts import ActsReader
from node.held_changes import ChangesReader, ChangesWriter
from node.held_corrections import CorrectionsReader
from node.held_decisions import DecisionsReader, DecisionsWriter
from node.held_lists import ListsReader, ListsWriter
from node.held_queries import QueriesReader, QueriesWriter


class HeldReader(ActsReader, ChangesReader, CorrectionsReader, DecisionsReader, ListsReader, QueriesReader, Protocol):
    """What can be read of it."""


class HeldWriter(ChangesWriter, DecisionsWriter, ListsWriter, QueriesWriter, Protocol):
    """What can be written of it."""
