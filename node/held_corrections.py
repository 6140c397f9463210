"""What can be read of how records were corrected: a part of the Store that node.ports asks for."""

from collections.abc import Collection
from typing import Protocol

from node.core.quality import Corrections


class CorrectionsReader(Protocol):
    """Which records came after others of their key, and how many of some entries were corrected since."""

    def revisions_in(self, channel: str, epoch: int, index: int) -> Collection[int]:
        """The positions of an entry whose records came after another one of their key, in force or behind."""
        ...

    def corrections(self, channel: str, epoch: int, start: int, end: int) -> Corrections:
        """How many records of the entries start..end-1 were corrected since.

        revised are those behind one that reads otherwise, and those in force that a correction names; erased is
        erased. Takes time in proportion to the records of these entries, and no memory.
        """
        ...
