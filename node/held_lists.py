"""Joint lists as they are kept: a part of the Store of node.ports.

    operations   what entries of kind LIST do to listings; those in a subject's favour from the moment they are stored
    listings     one row for each operation that entered somebody, with the subject while it may be named
    lists        one row for each list: the accumulator over its members, and how it compares with its origin's digests

How a listing stands follows from its operations whenever it is read. Asserted are those that the fold found valid, at
or below the cut of their epoch. Answered are also the ones in the subject's favour that wait for the fold, or stand
above a cut: they never wait for an earlier body, and never go again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from node.core import muhash
from node.core.list_fold import JudgedOperation
from node.core.listing import NARROWING, Listing, ListOperation, ListState, listing_of
from node.core.state import Place


class DigestStatus(StrEnum):
    """How the members held of a list compare with what its origin has signed."""

    UNKNOWN = "unknown"
    MATCH = "match"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class HeldOperation:
    """An operation; is_valid is None until it is folded, is_asserted tells that it is valid and not above a cut."""

    operation: ListOperation
    is_valid: bool | None
    is_asserted: bool

    @property
    def is_answered(self) -> bool:
        """Whether answers heed it."""
        favours = self.operation.act in NARROWING and self.is_valid is not False
        return self.is_asserted or favours


@dataclass(frozen=True, slots=True)
class HeldListing:
    """An entry of a list: as its channel asserts it, how it is to be answered, and whom it is about.

    subject is None once it is erased, and where it may not be named.
    """

    channel: str
    listing: Listing
    answered: ListState
    subject: str | None


@dataclass(frozen=True, slots=True)
class EntryOperations:
    """The operations held on one entry of a list, by place."""

    channel: str
    operations: Sequence[HeldOperation]


@dataclass(frozen=True, slots=True)
class HeldListState:
    """The members of a list in one number, and how they compare with the digest that its origin has signed.

    status is UNKNOWN while something is missing. differs is the place of the first entry, position 0, from which on
    they differ. rebuilt is the version of the reducer with which the members were last worked out anew.
    """

    channel: str
    accumulator: bytes = muhash.to_bytes(muhash.EMPTY)
    status: DigestStatus = DigestStatus.UNKNOWN
    differs: Place | None = None
    rebuilt: str = ""

    @property
    def digest(self) -> bytes:
        """The digest of the members, 32 bytes, to compare with state_digest."""
        return muhash.digest(muhash.from_bytes(self.accumulator))


class ListsReader(Protocol):
    """What can be read of joint lists."""

    def listing(self, channel: str, place: Place) -> HeldListing | None:
        """The entry of a list at the place of the operation that entered it; None where nothing is asserted of it."""
        ...

    def listings(self, channel: str, after: Place | None, limit: int) -> Sequence[HeldListing]:
        """The entries of a list behind a place, by place, those that ended too."""
        ...

    def listings_of(self, subject: str) -> Sequence[HeldListing]:
        """The entries of all lists about a subject, by (channel, place), those that ended too."""
        ...

    def operations_about(self, subjects: Collection[str]) -> Mapping[str, Sequence[EntryOperations]]:
        """The operations on the entries of all lists about these subjects, by subject, then by (channel, place).

        Those that ended too, and none of which nothing is asserted; who stands on no list is left out.
        """
        ...

    def list_operations(self, channel: str, target: Place) -> Sequence[HeldOperation]:
        """The operations held on an entry of a list, by place: void ones and those that wait for the fold too."""
        ...

    def live_listings(self, channel: str) -> int:
        """How many entries of a list are live, by what its channel asserts."""
        ...

    def list_state(self, channel: str) -> HeldListState | None:
        """How the members of a list compare with its origin's digest; None before anything of it is folded."""
        ...


class ListsWriter(Protocol):
    """What can be written of joint lists."""

    def put_operations(self, channel: str, operations: Iterable[JudgedOperation]) -> None:
        """Keep operations with what the fold said of them; one it has not seen changes none that it has seen.

        Listings and accumulator follow. The entry's bodies need not be here.
        """
        ...

    def put_comparison(self, channel: str, status: DigestStatus, differs: Place | None) -> None:
        """Note how the members of a list compare with its origin's digest."""
        ...

    def rebuild_list(self, channel: str, version: str) -> None:
        """Work the members of a list and its accumulator out anew, from its operations."""
        ...


def standing_of(channel: str, operations: Sequence[HeldOperation], subject: str | None) -> HeldListing | None:
    """What the operations on one entry of a list make of it; None where nothing is asserted."""
    listing = listing_of(each.operation for each in operations if each.is_asserted)
    answered = listing_of(each.operation for each in operations if each.is_answered)
    if listing is None or answered is None:
        return None
    return HeldListing(channel, listing, answered.state, subject)
